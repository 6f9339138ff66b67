"""The same conversations with Open vSwitch and with this switch, in raw bytes.

A script is a list of steps, each one session's bytes; after each step everything that any session
heard must be the same on both, but for clocks and addresses.  Where the two differ on purpose the
script says so and why.
"""

import dataclasses
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ovsflow import Switch
from ovsflow.errors import DecodeError
from ovsflow.openflow import codec
from ovsflow.openflow.failure import ErrorMessage
from tests.ofctl.open_vswitch import open_vswitch
from tests.switch.talker import (
    ANY,
    FLOW_REMOVED,
    NICIRA,
    ONF,
    VERSIONS,
    Talker,
    flow_mod,
    flow_request,
    in_port,
    message,
    output,
)

pytestmark = pytest.mark.timeout(300)

#: What clocks and hosts decide.
_OWN = {"duration_sec", "duration_nsec", "idle_age", "hard_age", "hw_addr", "datapath_id", "data"}
#: What Open vSwitch's replies leave out: short ids, and a bundle's flags.
_OWN |= {"short_id", "flags"}
CONTROLLER = 0xFFFFFFFD
FRAME = bytes.fromhex("020000000001020000000002") + b"\x12\x34" + bytes(46)

#: One session's number and its bytes.
Step = tuple[int, bytes]


def told(data: bytes) -> object:
    """A message without what clocks and hosts decide."""
    try:
        return _plain(codec.decode(data).body), data[4:8].hex()
    except DecodeError as error:
        return data.hex(), str(error)


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
        if type(value).__name__ in ("FlowStatsReply", "GroupDescReply", "GroupStatsReply"):
            # In which order flows of a table, or groups, are told is nobody's business.
            named = [
                (name, sorted(each, key=repr) if isinstance(each, tuple) else each)
                for name, each in named
            ]
        return type(value).__name__, *named
    if isinstance(value, tuple):
        return tuple(_plain(each) for each in value)
    return value


def _opened(data: object) -> object:
    """A message out of its bundle's envelope."""
    assert isinstance(data, bytes)
    if data[1:2] == b"\x22":
        return data[16:]
    return data[24:] if data[8:16] == struct.pack("!II", ONF, 2301) else data


class Pair:
    """Two switches, and sessions with both."""

    def __init__(self, theirs: Path, ours: Path) -> None:
        self.directories = theirs, ours
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
        rest = [[told(each) for each in t.hear()] for i, t in enumerate(talkers) if i != who]
        return [[told(each) for each in first], rest]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    theirs, ours = tmp_path_factory.mktemp("v"), tmp_path_factory.mktemp("o")
    ports = [f"p{n}:memory" for n in (1, 2, 3)]
    with open_vswitch(theirs), Switch("br0", ports=ports, workers=0, rundir=ours):
        made = Pair(theirs, ours)
        yield made
        made.close()


def clean(who: int, version: int) -> Iterator[Step]:
    """Empties the tables."""
    if version == 1:
        yield who, flow_mod(1, command=3)
        group = struct.pack("!IIHBxIHxxI", NICIRA, 31, 2, 0, 0xFFFFFFFC, 0, ANY)
        yield who, message(1, 4, group)
        return
    yield who, flow_mod(version, command=3, table=0xFF)
    tail = struct.pack("!HxxI", 0, ANY) if version == 6 else b""
    yield who, message(version, 15, struct.pack("!HBxI", 2, 0, 0xFFFFFFFC) + tail)
    yield who, message(version, 29, struct.pack("!HHI", 2, 0, ANY))


# -- Roles -----------------------------------------------------------------------------------------


def role(version: int, number: int, generation: int = 0) -> bytes:
    """A role request; 0 asks, 1 equal, 2 primary, 3 secondary."""
    if version == 1:
        return nicira_role(1, {2: 1, 3: 2}.get(number, 0))
    short = struct.pack("!H", 0xFFFF) if version == 6 else bytes(2)
    body = struct.pack("!I", number) + short + bytes(2) + struct.pack("!Q", generation)
    return message(version, 24, body)


def nicira_role(version: int, number: int) -> bytes:
    """Nicira's: 0 other, 1 primary, 2 secondary."""
    return message(version, 4, struct.pack("!III", NICIRA, 10, number))


def roles(versions: tuple[int, ...]) -> Iterator[Step]:
    half = 6 + (1 << 63)
    requests = [
        *((0, 0, 0), (0, 2, 5), (1, 2, 6), (0, 2, 5), (0, 3, 4), (2, 3, 6), (2, 1, 0), (2, 4, 9)),
        *((2, 77, 9), (2, 0, 0), (0, 2, 6), (1, 0, 0), (2, 2, half - 1), (0, 2, half - 2)),
        *((0, 3, half - 1), (2, 3, half - 1), (1, 2, half + 5)),
    ]
    for who, number, generation in requests:
        yield who, role(versions[who], number, generation)
    # Sessions 0 and 2 are secondary: they may read, and write nothing.
    version = versions[2]
    head = flow_mod(version, actions=output(version, 1))
    yield 2, head
    yield 2, message(version, 13, packet_out_body(version, output(version, 1)))
    yield 2, port_mod(version, 1, 0x20, 0x20)
    if version > 1:
        tail = struct.pack("!HxxI", 0, ANY) if version == 6 else b""
        yield 2, message(version, 15, struct.pack("!HBxI", 0, 0, 1) + tail)
        yield 2, message(version, 17, bytes(8))
        yield 2, message(version, 29, struct.pack("!HHI", 0, 1, 1))
    if version >= 5:
        yield 2, message(version, 33, struct.pack("!IHH", 1, 0, 1))
        yield 2, message(version, 34, struct.pack("!IHH", 1, 0, 1) + head)
    # What others change of ports, all hear; of the others' groups nobody who did not ask.
    yield 1, nicira_role(versions[1], 1)
    yield 1, nicira_role(versions[1], 0)
    yield 0, nicira_role(versions[0], 1)
    yield 0, nicira_role(versions[0], 9)


def packet_out_body(version: int, actions: bytes, port: int = 1) -> bytes:
    """A packet-out of one frame that came in at `port`."""
    if version == 1:
        return struct.pack("!IHH", ANY, port, len(actions)) + actions + FRAME
    if version == 6:
        match = in_port(6, port)
        head = struct.pack("!IHxx", ANY, len(actions))
        return head + struct.pack("!HH", 1, 4 + len(match)) + match + bytes(4) + actions + FRAME
    return struct.pack("!IIH6x", ANY, port, len(actions)) + actions + FRAME


def port_mod(version: int, port: int, config: int, mask: int) -> bytes:
    """A port-mod with an address that no port has."""
    if version == 1:
        return message(1, 15, struct.pack("!H6sIII4x", port, bytes(6), config, mask, 0))
    body = struct.pack("!I4x6s2xII", port, bytes(6), config, mask)
    return message(version, 16, body + (bytes(8) if version == 4 else b""))


# -- Asynchronous messages -------------------------------------------------------------------------


def events(version: int, who: int) -> Iterator[Step]:
    """What makes one of each asynchronous message."""
    yield who, message(version, 13, packet_out_body(version, output(version, CONTROLLER)))
    flow = flow_mod(version, match=in_port(version, 2), flags=1, cookie=9)
    yield who, flow
    yield who, flow_mod(version, command=3)


def async_before_14(versions: tuple[int, ...]) -> Iterator[Step]:
    """Masks as OpenFlow 1.3 and, in the same form, Nicira say them."""
    rounds = [
        (0, 0, 0, 0, 0, 0),
        (3, 3, 7, 7, 15, 15),
        (0, 7, 0, 7, 0, 15),
        (7, 0, 7, 0, 15, 0),
        (2, 1, 4, 2, 4, 4),
        (0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF),
        (3, 0, 7, 7, 15, 0),
    ]
    for number, masks in enumerate(rounds):
        primary, secondary = masks[0::2], masks[1::2]
        pairs = [pair for both in zip(primary, secondary, strict=True) for pair in both]
        body = struct.pack("!6I", *pairs)
        version = versions[0]
        head = struct.pack("!II", NICIRA, 19)
        if version == 4 and number % 2:
            yield 0, message(4, 28, body)
        else:
            yield 0, message(version, 4, head + body)
        if version == 4:
            yield 0, message(4, 26)
        for number in (1, 2, 3):
            yield 0, role(version, number, 1)
            yield from events(versions[1], 1)


def async_properties(versions: tuple[int, ...]) -> Iterator[Step]:
    """Masks as OpenFlow 1.4 and 1.5 say them, one property for each."""
    version = versions[0]

    def masks(*properties: tuple[int, int]) -> bytes:
        data = b"".join(struct.pack("!HHI", kind, 8, mask) for kind, mask in properties)
        return message(version, 28, data)

    for chosen in (
        [(0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (5, 0)],
        [(1, 0b111011)],
        [(1, 0b100001), (5, 0b100)],
        [(0, 0b100000), (4, 0b100)],
        [(kind, 0) for kind in range(6)],
        [(kind, 0x3F if kind in (0, 1, 4, 5) else 7) for kind in range(6)],
    ):
        yield 0, masks(*chosen)
        for number in (1, 2, 3):
            yield 0, role(version, number, 1)
            yield from events(versions[1], 1)
    for wrong in ([(1, 1 << 20)], [(40, 1)], [(5, 1 << 9)], [(11, 1 << 4)]):
        yield 0, masks(*wrong)
    yield 0, message(version, 28, struct.pack("!HHI", 1, 4, 0))
    yield 0, message(version, 28, struct.pack("!HHI", 1, 12, 0))


def set_config(versions: tuple[int, ...]) -> Iterator[Step]:
    """What SET_CONFIG says, and refuses; each session's own miss_send_len."""
    for who, version in enumerate(versions):
        for flags, size in ((0, 0), (0, 128), (1, 5), (3, 0xFFFF), (0, 0xFFFF), (8, 1), (0x40, 1)):
            yield who, message(version, 9, struct.pack("!HH", flags, size))
            yield from ((other, message(v, 7)) for other, v in enumerate(versions))
        yield who, message(version, 9, b"\0")
        yield who, message(version, 9, struct.pack("!HH", 0, 0xFFFF))


# -- Requests that nobody may make -----------------------------------------------------------------


def from_switches(versions: tuple[int, ...]) -> Iterator[Step]:
    """What only a switch says, what no version has, and answers to nothing."""
    version = versions[0]
    barrier = 19 if version == 1 else 21
    for kind, size in ((6, 24), (8, 4), (barrier, 0), (99, 0), (99, 40), (255, 8)):
        yield 0, message(version, kind, bytes(size))
    if version > 1:
        yield 0, message(version, 25, bytes(16))
    yield 0, message(version, 3, b"an echo that nobody asked for")
    yield 0, message(version, 2, b"still there?", 77)
    yield 0, message(version, 4, struct.pack("!II", 0x123456, 1))
    yield 0, message(version, 4, struct.pack("!II", NICIRA, 999))
    yield 0, message(version, 4, struct.pack("!II", ONF, 999))
    for other in VERSIONS:
        if other != version:
            yield 0, message(other, 5)


# -- Flow tables -----------------------------------------------------------------------------------


def removed(versions: tuple[int, ...]) -> Iterator[Step]:
    """FLOW_REMOVED: who hears it, why, and in each version's form."""
    version = versions[0]
    yield from clean(0, version)
    wanted, actions = 1, output(version, 2)

    def flow(**more: int | bytes) -> bytes:
        numbers: dict[str, int | bytes] = {"flags": wanted, "cookie": 0x99, "actions": actions}
        return flow_mod(version, match=in_port(version, 1), **{**numbers, **more})  # type: ignore[arg-type]

    yield 0, flow()
    yield 0, flow(command=3)
    yield 0, flow(flags=0)
    yield 0, flow(command=4)
    # Replaced: nothing is told.
    yield 0, flow()
    yield 0, flow(cookie=0x98, idle=77, hard=88)
    yield 0, flow(command=4, priority=7)
    yield 0, flow(command=4, out_port=3)
    yield 0, flow(command=4, out_port=2)
    # The flag of a replacement counts.
    yield 0, flow()
    yield 0, flow(flags=0)
    yield 0, flow(command=3)
    if version == 1:
        for setting in (1, 2, 0):
            yield 0, message(1, 4, struct.pack("!III", NICIRA, 12, 2 if setting == 1 else 0))
            yield 0, message(1, 4, struct.pack("!III", NICIRA, 16, setting))
            yield 0, flow()
            yield 0, flow(command=3)
        return
    yield 0, flow(cookie_mask=0)
    yield 0, flow(command=3, cookie=1, cookie_mask=1)
    yield 0, flow(command=3, cookie=2, cookie_mask=2)
    yield 0, flow(command=3)
    if min(versions) < 5:
        # Before OpenFlow 1.4 there is no reason for what follows; Open vSwitch says nothing.
        return
    # With its group, and with its meter.
    yield 0, group_mod(version, 0, 5)
    yield 0, flow(actions=struct.pack("!HHI", 22, 8, 5))
    yield 0, group_mod(version, 2, 5)
    band = struct.pack("!HHII4x", 1, 16, 1000, 100)
    yield 0, message(version, 29, struct.pack("!HHI", 0, 1, 6) + band)
    metered = struct.pack("!HHI", 6, 8, 6) if version < 6 else b""
    if metered:
        plain = flow_mod(version, match=in_port(version, 1), flags=wanted)
        body = plain[8:] + metered
        yield 0, message(version, 14, body)
    yield 0, message(version, 29, struct.pack("!HHI", 2, 0, 6))


def group_mod(version: int, command: int, number: int, port: int = 2) -> bytes:
    """A group with one bucket, or none for a delete."""
    action = output(version, port)
    if command == 2:
        buckets = b""
    elif version == 6:
        buckets = struct.pack("!HHI", 8 + len(action), len(action), 0) + action
    else:
        buckets = struct.pack("!HHII4x", 16 + len(action), 0, ANY, ANY) + action
    head = struct.pack("!HBxI", command, 0, number)
    if version == 6:
        head += struct.pack("!HxxI", len(buckets), ANY)
    return message(version, 15, head + buckets)


def counted(versions: tuple[int, ...]) -> Iterator[Step]:
    """What ADD and MODIFY do to counters, cookies, timeouts and flags, by version."""
    version = versions[0]
    yield from clean(0, version)

    def flow(**more: int | bytes) -> bytes:
        return flow_mod(version, match=in_port(version, 1), **more)  # type: ignore[arg-type]

    def packets() -> Iterator[Step]:
        out = 0xFFF9 if version == 1 else 0xFFFFFFF9
        yield 0, message(version, 13, packet_out_body(version, output(version, out)))

    dump = message(version, 16 if version == 1 else 18, _flows(version))
    reset = 4
    changes: list[dict[str, int | bytes]] = [
        {"command": 0, "cookie": 2},
        {"command": 0, "cookie": 3, "idle": 60, "hard": 600, "flags": 1},
        {"command": 0, "flags": reset} if version > 1 else {"command": 0},
        {"command": 1, "cookie": 5, "actions": output(version, 3), "idle": 5},
        {"command": 2, "cookie": 6, "actions": output(version, 2), "flags": 1},
        {"command": 2, "flags": reset} if version > 1 else {"command": 2},
        {"command": 1, "priority": 7, "cookie": 8},
        {"command": 2, "priority": 8, "cookie": 9},
    ]
    yield 0, flow(cookie=1, actions=output(version, 2))
    for change in changes:
        yield from packets()
        yield 0, dump
        yield 0, flow(**change)
        yield 0, dump
    yield from clean(0, version)


def _flows(version: int) -> bytes:
    head = struct.pack("!HH", 1, 0) + (b"" if version == 1 else bytes(4))
    return head + flow_request(version)


def others_terms(versions: tuple[int, ...]) -> Iterator[Step]:
    """Flows of each version, told to all versions."""
    yield from clean(1, versions[1])
    for who, version in enumerate(versions):
        yield (
            who,
            flow_mod(
                version,
                match=in_port(version, who + 1),
                actions=output(version, 1) + output(version, 2),
                priority=who + 1,
                cookie=0x10 + who,
                importance=who if version > 4 else 0,
            ),
        )
    # What OpenFlow 1.0 can only say with Nicira's extension.
    match = bytes.fromhex("80000a02") + b"\x86\xdd" + bytes.fromhex("80003610") + bytes(range(16))
    yield 1, flow_mod(4, match=match, table=3, actions=output(4, CONTROLLER))
    for who, version in enumerate(versions):
        yield who, message(version, 16 if version == 1 else 18, _flows(version))
        aggregate = struct.pack("!HH", 2, 0) + (b"" if version == 1 else bytes(4))
        yield who, message(version, 16 if version == 1 else 18, aggregate + flow_request(version))
        for subtype in (0, 1):
            nxm = struct.pack("!HHII4xHHB3x", 0xFFFF, 0, NICIRA, subtype, 0xFFFF, 0, 0xFF)
            if version == 1:
                yield who, message(1, 16, nxm)
    yield from clean(1, versions[1])


# -- Bundles ---------------------------------------------------------------------------------------


def bundles(versions: tuple[int, ...]) -> Iterator[Step]:
    version = versions[0]
    yield from clean(0, version)

    def control(number: int, kind: int, flags: int = 3) -> Step:
        body = struct.pack("!IHH", number, kind, flags)
        if version == 4:
            return 0, message(4, 4, struct.pack("!II", ONF, 2300) + body)
        return 0, message(version, 33, body)

    def add(number: int, inner: bytes, flags: int = 3, xid: int = 7) -> Step:
        body = struct.pack("!IHH", number, 0, flags) + inner
        if version == 4:
            return 0, message(4, 4, struct.pack("!II", ONF, 2301) + body, xid)
        return 0, message(version, 34, body, xid)

    def flow(number: int, **more: int | bytes) -> bytes:
        made: dict[str, int | bytes] = {"actions": output(version, 2), "priority": number, **more}
        return flow_mod(version, **made)  # type: ignore[arg-type]

    dump = 0, message(version, 18, _flows(version))
    groups = 0, message(version, 18, struct.pack("!HH4x", 7, 0) + _all_groups(version))
    overlap, another = (flow(1, match=in_port(version, port), flags=2) for port in (1, 3))
    to_group = struct.pack("!HHI", 22, 8, 9)
    for number, content, flags in (
        (1, [flow(1), flow(2)], 3),
        # Order counts: what comes first makes room for, or refers to, what comes later.
        (2, [flow(9, command=3), group_mod(version, 0, 9), flow(3, actions=to_group)], 3),
        (3, [group_mod(version, 1, 9, 3), flow(4), overlap, flow(1, priority=1)], 1),
        # The last overlaps: nothing of it stays, neither flows nor groups.  (Open vSwitch dies when
        # it has to bring a deleted group back.)
        (4, [group_mod(version, 1, 9, 1), flow(9, command=3), flow(1), another], 3),
        (5, [group_mod(version, 0, 9), flow(5)], 2),
        (6, [group_mod(version, 0, 8), flow(6), group_mod(version, 0, 8)], 0),
        (7, [], 3),
    ):
        yield control(number, 0, flags)
        for inner in content:
            yield add(number, inner, flags)
        yield control(number, 2, flags)
        yield dump
        yield control(number, 4, flags)
        yield dump
        yield groups
    # Without opening, without closing; discarded; with faults.
    yield add(20, flow(20))
    yield control(20, 4)
    yield dump
    yield control(21, 0)
    yield add(21, flow(21))
    yield control(21, 6)
    yield control(21, 6)
    yield dump
    yield control(22, 2)
    yield control(24, 0, 1)
    yield add(24, flow(24), 2)
    yield control(25, 0)
    yield add(25, flow(25), xid=99)
    yield add(25, message(version, 20))
    yield add(25, message(version, 2))
    yield control(25, 2)
    yield add(25, flow(25))
    yield control(26, 0)
    yield control(26, 2)
    yield control(26, 2)
    yield from clean(0, version)


def _all_groups(version: int) -> bytes:
    return struct.pack("!I4x", 0xFFFFFFFC) if version == 6 else b""


# -- Packet-ins ------------------------------------------------------------------------------------


def packet_ins(versions: tuple[int, ...]) -> Iterator[Step]:
    """Each format in each version, with what actions have set."""
    version = versions[0]
    yield from clean(0, version)
    load = struct.pack("!HHIHHIQ", 0xFFFF, 24, NICIRA, 7, 31, 0x00010004, 0x1234)
    to_controller = output(version, CONTROLLER)
    for form in (0, 1, 2, 3):
        yield 0, message(version, 4, struct.pack("!III", NICIRA, 16, form))
        yield 0, message(version, 13, packet_out_body(version, load + to_controller))


# -- Tables, groups, meters ------------------------------------------------------------------------


def forwarded(versions: tuple[int, ...]) -> Iterator[Step]:
    """REQUESTFORWARD: only to those who asked, only what took effect."""
    asking = struct.pack("!HHI", 11, 8, 3) + struct.pack("!HHI", 10, 8, 1)
    yield from clean(0, versions[0])
    yield 0, group_mod(versions[0], 0, 1)
    yield 1, message(versions[1], 28, asking)
    for command, number in ((0, 1), (0, 2), (1, 2), (1, 3), (2, 2)):
        yield 0, group_mod(versions[0], command, number)
    band = struct.pack("!HHII4x", 1, 16, 1000, 100)
    for command, meter in ((0, 1), (0, 1), (1, 1), (2, 1)):
        body = struct.pack("!HHI", command, command != 2, meter) + (b"" if command == 2 else band)
        yield 0, message(versions[0], 29, body)
    yield 1, role(versions[1], 3, 1)
    yield 0, group_mod(versions[0], 0, 4)
    band = struct.pack("!HHI", 0, 1, 7) + band
    yield 0, message(versions[0], 29, band)
    yield 1, role(versions[1], 1, 1)
    yield 1, group_mod(versions[1], 2, 1)
    yield from clean(0, versions[0])


def groups_on_10(versions: tuple[int, ...]) -> Iterator[Step]:
    """What Nicira's extension tells OpenFlow 1.0 of groups."""
    yield from clean(1, versions[1])
    yield 1, group_mod(versions[1], 0, 1)
    body = struct.pack("!HHI", 16, 16, 5) + output(6, 2)
    body = struct.pack("!HHI", 8 + 16 + 8 + 8, 16, 5) + output(6, 2)
    body += struct.pack("!HHI", 1, 8, 2) + struct.pack("!HHI", 2, 8, 1)
    head = struct.pack("!HBxI", 0, 3, 2) + struct.pack("!HxxI", len(body), ANY)
    yield 1, message(6, 15, head + body)
    for subtype in (7, 8):
        for number in (0xFFFFFFFC, 1, 2, 9):
            request = struct.pack("!HHII4xI4x", 0xFFFF, 0, NICIRA, subtype, number)
            yield 0, message(1, 16, request)
    yield 0, message(1, 4, struct.pack("!IIHBxIHxxI", NICIRA, 31, 0, 0, 7, 0, ANY))
    yield 0, message(1, 4, struct.pack("!IIHBxIHxxI", NICIRA, 31, 0, 0, 7, 0, ANY))
    yield 1, message(6, 18, struct.pack("!HH4xI4x", 7, 0, 0xFFFFFFFC))
    yield from clean(0, 1)
    yield 1, message(6, 18, struct.pack("!HH4xI4x", 7, 0, 0xFFFFFFFC))


SCRIPTS: dict[str, tuple[Callable[[tuple[int, ...]], Iterator[Step]], list[tuple[int, ...]]]] = {
    "roles": (roles, [(1, 1, 1), (4, 4, 4), (5, 5, 5), (6, 6, 6), (1, 4, 6), (5, 1, 4)]),
    "async": (async_before_14, [(1, 4), (4, 4), (4, 5)]),
    "async properties": (async_properties, [(5, 5), (6, 4), (6, 6), (5, 1)]),
    "config": (set_config, [(1, 4), (5, 6)]),
    "from switches": (from_switches, [(1,), (4,), (5,), (6,)]),
    "removed": (removed, [(1, 4), (4, 5), (5, 6), (6, 1)]),
    "counted": (counted, [(1,), (4,), (5,), (6,)]),
    "others' terms": (others_terms, [(1, 4, 5, 6)]),
    "bundles": (bundles, [(4,), (5,), (6,)]),
    "packet-ins": (packet_ins, [(1,), (4,), (5,), (6,)]),
    "forwarded": (forwarded, [(5, 5), (6, 6), (4, 6)]),
    "groups on 1.0": (groups_on_10, [(1, 6)]),
}


@pytest.mark.parametrize(
    ("name", "versions"),
    [(name, versions) for name, (_, all_of) in SCRIPTS.items() for versions in all_of],
)
def test_a_conversation_is_the_same(pair: Pair, name: str, versions: tuple[int, ...]) -> None:
    pair.open(versions)
    wrong = pair.run(list(SCRIPTS[name][0](versions)))
    assert not wrong, "\n".join(wrong)
