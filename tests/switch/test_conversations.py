"""The same conversations with Open vSwitch and with this switch, in raw bytes.

A script is a list of steps, each one session's bytes; after each step everything that any session
heard must be the same on both, but for clocks and addresses.  Where the two differ on purpose the
script says so and why.
"""

import dataclasses
import socket
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from ovsflow import Switch
from ovsflow.errors import DecodeError
from ovsflow.openflow import codec
from ovsflow.openflow.constants import MonitorEvent
from ovsflow.openflow.failure import ErrorMessage
from ovsflow.openflow.group_stats import GroupDesc, GroupDescReply, GroupStats, GroupStatsReply
from ovsflow.openflow.instructions import NO_INSTRUCTIONS
from ovsflow.openflow.monitor import FlowMonitorReply, FlowUpdate
from tests.ofctl.open_vswitch import open_vswitch
from tests.switch import conversations as talk
from tests.switch import conversations_tables as tables
from tests.switch.conversations import Step
from tests.switch.talker import FLOW_REMOVED, ONF, Talker

pytestmark = pytest.mark.timeout(300)

#: What Open vSwitch told of a flow, as a switch would that does not differ from it on purpose.
Difference = Callable[[FlowUpdate], FlowUpdate]

#: What clocks and hosts decide.
_OWN = {"duration_sec", "duration_nsec", "idle_age", "hard_age", "hw_addr", "datapath_id", "data"}
#: What Open vSwitch's replies leave out: short ids, and a bundle's flags.
_OWN |= {"short_id", "flags"}


#: Replies whose entries have no order.
_LISTS = ("FlowStatsReply",)


def told(data: bytes, differs: Difference, *, ours: bool) -> object:
    """A message without what clocks and hosts decide.

    Groups come by ascending numbers from this switch, and in the order of a hash from the other.

    Args:
        data: The message.
        ours: Whether this switch said it.
        differs: What this switch is known to do otherwise than the other, undone.
    """
    try:
        received = codec.decode(data)
    except DecodeError as error:
        return data.hex(), str(error)
    body = received.body
    if isinstance(body, FlowMonitorReply):
        # An update has neither clocks nor hosts in it: what is compared is every byte of it.
        assert codec.encode(body, received.version, received.xid) == data
        body = dataclasses.replace(body, updates=tuple(map(differs, body.updates)))
    if isinstance(body, GroupDescReply) and not ours:
        body = dataclasses.replace(body, groups=tuple(sorted(body.groups, key=_number)))
    if isinstance(body, GroupStatsReply) and not ours:
        body = dataclasses.replace(body, groups=tuple(sorted(body.groups, key=_number)))
    return _plain(body), data[4:8].hex()


def _number(group: GroupDesc | GroupStats) -> int:
    return group.group_id


def the_same(update: FlowUpdate) -> FlowUpdate:
    """No difference."""
    return update


def gone_with_instructions(update: FlowUpdate) -> FlowUpdate:
    """Open vSwitch tells the instructions of a flow that went; its header files say that none are.

    The comment at ofp_flow_update_full is OpenFlow's (1.4.1 §7.3.5.18.2), the one at
    nx_flow_update_full says the same of Nicira's form.
    """
    if update.event != MonitorEvent.REMOVED:
        return update
    assert update.instructions != NO_INSTRUCTIONS
    return dataclasses.replace(update, instructions=NO_INSTRUCTIONS)


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [f.name for f in dataclasses.fields(value)]
        # An error's data is the request; a packet's are the frame.
        keep = type(value).__name__ in ("ErrorMessage", "PacketIn", "Experimenter", "Property")
        skipped = _OWN - {"data"} if keep else _OWN
        named: list[tuple[str, object]] = [
            (name, _plain(getattr(value, name))) for name in fields if name not in skipped
        ]
        if isinstance(value, ErrorMessage):
            # Which of the two messages in one is told back is anybody's choice.
            named = [(n, _opened(each) if n == "data" else each) for n, each in named]
        if type(value).__name__ in _LISTS:
            # In which order flows of a table are told is nobody's business.
            named = [
                (name, sorted(each, key=repr) if isinstance(each, tuple) else each)
                for name, each in named
            ]
        return type(value).__name__, *named
    if isinstance(value, tuple):
        return tuple(_plain(each) for each in value)
    return value


def _flat(messages: Iterable[object]) -> list[object]:
    """Messages, with the updates of flows one by one, however many share a message."""
    flat: list[object] = []
    for each in messages:
        if isinstance(each, tuple) and each[0][0] == "FlowMonitorReply" and each[1] == "00000000":
            flat += dict(each[0][1:])["updates"]
        else:
            flat.append(each)
    return flat


def _opened(data: object) -> object:
    """A message out of its bundle's envelope."""
    assert isinstance(data, bytes)
    if data[1:2] == b"\x22":
        return data[16:]
    return data[24:] if data[8:16] == struct.pack("!II", ONF, 2301) else data


class Pair:
    """Two switches, and sessions with both."""

    def __init__(self, theirs: Path, ours: Path, differs: Difference) -> None:
        self.directories = theirs, ours
        self._differs = differs, the_same
        self._stack = ExitStack()
        self.sessions: list[tuple[Talker, Talker]] = []
        self._gone = 0

    def open(self, versions: tuple[int, ...]) -> None:
        self.close()
        self._observers = self._connect(0, 5), self._connect(1, 5)
        for observer in self._observers:
            observer.say(9, struct.pack("!HH", 0, 0xFFFF))
        for version in versions:
            pair = self._connect(0, version), self._connect(1, version)
            for talker in pair:
                # Wakes the session, as management connections sleep.
                talker.say(9, struct.pack("!HH", 0, 0xFFFF))
            self.sessions.append(pair)
        for talker in (talker for pair in self.sessions for talker in pair):
            talker.hear()

    def _connect(self, which: int, version: int) -> Talker:
        sock = self._stack.enter_context(socket.socket(socket.AF_UNIX))
        sock.connect(f"{self.directories[which]}/br0.mgmt")
        return Talker(sock, version)

    def close(self) -> None:
        self._stack.close()
        self.sessions.clear()

    def run(self, steps: list[Step]) -> list[str]:
        """What differs, step by step."""
        wrong = []
        for number, (who, data) in enumerate(steps):
            heard = [self._step(which, who, data) for which in (1, 0)]
            heard.reverse()
            if heard[0] != heard[1]:
                wrong.append(f"step {number} {data.hex()[:200]}\n  {heard[0]}\n  {heard[1]}")
        return wrong

    def _step(self, which: int, who: int, data: bytes) -> list[object]:
        talkers = [pair[which] for pair in self.sessions]
        first = talkers[who].ask(data)
        # Open vSwitch tells of removed flows a little later, in a thread of its own.
        gone = [m for m in self._observers[which].hear() if m[1] == FLOW_REMOVED]
        if which == 1:
            self._gone = len(gone)
        while len(gone) < self._gone:
            gone += [m for m in self._observers[which].hear() if m[1] == FLOW_REMOVED]
        first = sorted(first + talkers[who].hear(), key=lambda one: one[1] == FLOW_REMOVED)
        others = [talker for number, talker in enumerate(talkers) if number != who]
        rest = [self._told(which, talker.hear()) for talker in others]
        return [self._told(which, first), rest]

    def _told(self, which: int, messages: list[bytes]) -> list[object]:
        differs, ours = self._differs[which], which == 1
        return _flat(told(each, differs, ours=ours) for each in messages)


@contextmanager
def pair_of(factory: pytest.TempPathFactory, compat: str, differs: Difference) -> Iterator[Pair]:
    """Open vSwitch and a switch with this setting."""
    theirs, ours = factory.mktemp("v"), factory.mktemp("o")
    ports = [f"p{n}:memory" for n in (1, 2, 3)]
    settings = {"compat": compat}
    with (
        open_vswitch(theirs),
        Switch("br0", ports=ports, workers=0, rundir=ours, settings=settings),
    ):
        made = Pair(theirs, ours, differs)
        yield made
        made.close()


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with pair_of(tmp_path_factory, "spec", gone_with_instructions) as made:
        yield made


@pytest.fixture(scope="module")
def alike(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with pair_of(tmp_path_factory, "ovs", the_same) as made:
        yield made


SCRIPTS: dict[str, tuple[Callable[[tuple[int, ...]], Iterator[Step]], list[tuple[int, ...]]]] = {
    "roles": (talk.roles, [(1, 1, 1), (4, 4, 4), (5, 5, 5), (6, 6, 6), (1, 4, 6), (5, 1, 4)]),
    "async": (talk.async_before_14, [(1, 4), (4, 4), (4, 5)]),
    "async properties": (talk.async_properties, [(5, 5), (6, 4), (6, 6), (5, 1)]),
    "config": (talk.set_config, [(1, 4), (5, 6)]),
    "from switches": (talk.from_switches, [(1,), (4,), (5,), (6,)]),
    "removed": (tables.removed, [(1, 4), (4, 5), (5, 6), (6, 1)]),
    "counted": (tables.counted, [(1,), (4,), (5,), (6,)]),
    "others' terms": (tables.others_terms, [(1, 4, 5, 6)]),
    "bundles": (tables.bundles, [(4,), (5,), (6,)]),
    "packet-ins": (tables.packet_ins, [(1,), (4,), (5,), (6,)]),
    "forwarded": (tables.forwarded, [(5, 5), (6, 6), (4, 6)]),
    "groups on 1.0": (tables.groups_on_10, [(1, 6)]),
    "table-mods": (tables.table_mods, [(4,), (5,), (6,)]),
    "multiparts": (tables.multiparts, [(1,), (4,), (5,), (6,)]),
    "monitors": (tables.monitors, [(1, 4), (5, 5), (6, 1)]),
}


@pytest.mark.parametrize(
    ("name", "versions"),
    [(name, versions) for name, (_, all_of) in SCRIPTS.items() for versions in all_of],
)
def test_a_conversation_is_the_same(pair: Pair, name: str, versions: tuple[int, ...]) -> None:
    pair.open(versions)
    wrong = pair.run(list(SCRIPTS[name][0](versions)))
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("versions", SCRIPTS["monitors"][1])
def test_monitors_are_told_all_that_open_vswitch_tells(
    alike: Pair, versions: tuple[int, ...]
) -> None:
    alike.open(versions)
    wrong = alike.run(list(tables.monitors(versions)))
    assert not wrong, "\n".join(wrong)
