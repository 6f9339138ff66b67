"""CONTROLLER_STATUS: controllers of OpenFlow 1.5 hear of each other."""

from ovsflow.openflow.constants import Role
from ovsflow.openflow.handshake import AsyncMask, RoleRequest, SetAsync
from ovsflow.openflow.notices import ControllerDesc, ControllerStatus, RoleStatus
from ovsflow.openflow.switch_stats import ControllerStatusReply, ControllerStatusRequest
from ovsflow.openflow.wire import Body
from tests.session.fake import FakeDatapath, Peer, bridge_of

ROLE, ADDED, REMOVED, SHORT_ID = 2, 3, 4, 5
UP, DOWN = 0, 1


def told(bodies: list[Body]) -> list[ControllerDesc]:
    return [body.status for body in bodies if isinstance(body, ControllerStatus)]


def test_controllers_hear_of_each_others_coming_and_going() -> None:
    bridge = bridge_of(FakeDatapath())
    first = Peer(bridge, 6)
    for version in (4, 6):
        second = Peer(bridge, version)
        (status,) = told(first.bodies())
        assert status == ControllerDesc(0xFFFF, Role.EQUAL, ADDED, UP, ("peer",))
        assert told(second.bodies()) == []
        second.session.end("over")
        (status,) = told(first.bodies())
        assert (status.reason, status.channel_status) == (REMOVED, DOWN)


def test_roles_and_short_ids_are_told() -> None:
    bridge = bridge_of(FakeDatapath())
    first, second = Peer(bridge, 6), Peer(bridge, 6)
    first.bodies()
    first.ask(RoleRequest(Role.PRIMARY, 1, short_id=7))
    found = told(second.bodies())
    assert [(each.short_id, each.role, each.reason) for each in found] == [
        (7, Role.PRIMARY, ROLE),
        (7, Role.PRIMARY, SHORT_ID),
    ]
    second.ask(RoleRequest(Role.PRIMARY, 2, short_id=8))
    bodies = first.bodies()
    assert any(isinstance(body, RoleStatus) for body in bodies)
    assert [(each.short_id, each.role, each.reason) for each in told(bodies)] == [
        (8, Role.PRIMARY, ROLE),
        (8, Role.PRIMARY, SHORT_ID),
        (7, Role.SECONDARY, ROLE),
    ]


def test_the_list_of_all_controllers() -> None:
    bridge = bridge_of(FakeDatapath())
    first = Peer(bridge, 6)
    Peer(bridge, 1)
    Peer(bridge, 6, service=True)
    first.bodies()
    first.ask(RoleRequest(Role.PRIMARY, 1, short_id=7))
    (reply,) = first.ask(ControllerStatusRequest())
    assert reply == ControllerStatusReply(
        (
            ControllerDesc(7, Role.PRIMARY, 0, UP, ("peer",)),
            ControllerDesc(0xFFFF, Role.EQUAL, 0, UP, ("peer",)),
        )
    )


def test_who_does_not_want_to_hear_does_not() -> None:
    bridge = bridge_of(FakeDatapath())
    first = Peer(bridge, 6)
    first.ask(SetAsync((AsyncMask(15, 1 << REMOVED),)))
    second = Peer(bridge, 6)
    assert first.bodies() == []
    second.session.end("over")
    assert [each.reason for each in told(first.bodies())] == [REMOVED]


def test_other_versions_have_no_such_list() -> None:
    bridge = bridge_of(FakeDatapath())
    peer = Peer(bridge, 5)
    (error,) = peer.say(18, bytes((0, 18, 0, 0, 0, 0, 0, 0)))
    assert (error.type, error.code) == (1, 2)  # type: ignore[attr-defined]  # It is an error.
