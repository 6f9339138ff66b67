"""When a switch begins to forward on its own, and when it stops."""

from ovsflow.config.switch import FailMode
from ovsflow.openflow.constants import FlowModCommand
from ovsflow.switch.fail_mode import FailModeMachine, Turn, lowest_flow, takeover_flow


def machine(mode: FailMode = FailMode.STANDALONE, controllers: int = 1) -> FailModeMachine:
    return FailModeMachine(mode, controllers=controllers, probe=5, now=0)


def test_secure_never_turns() -> None:
    fail = machine(FailMode.SECURE)
    assert fail.update(False, 1000) is None
    assert fail.deadline is None


def test_standalone_takes_over_after_three_probes_and_hands_back() -> None:
    fail = machine()
    assert fail.deadline == 15
    assert fail.update(False, 14.9) is None
    assert fail.update(False, 15) is Turn.TAKE_OVER
    assert fail.standalone
    assert fail.deadline is None
    assert fail.update(False, 99) is None
    assert fail.update(True, 100) is Turn.HAND_BACK
    assert not fail.standalone
    assert fail.deadline is None
    assert fail.update(False, 200) is None
    assert fail.deadline == 215


def test_a_short_absence_is_forgiven() -> None:
    fail = machine()
    fail.update(True, 1)
    fail.update(False, 10)
    fail.update(True, 24)
    fail.update(False, 26)
    assert fail.deadline == 41


def test_without_controllers_the_machine_rests() -> None:
    assert machine(controllers=0).deadline is None


def test_the_takeover_is_undone_by_its_twin() -> None:
    there, back = takeover_flow(Turn.TAKE_OVER), takeover_flow(Turn.HAND_BACK)
    assert there.command == FlowModCommand.ADD
    assert back.command == FlowModCommand.DELETE_STRICT
    assert (there.priority, there.match, there.cookie) == (back.priority, back.match, back.cookie)
    assert lowest_flow().priority == 0
