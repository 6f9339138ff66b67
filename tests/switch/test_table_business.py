"""Tables that fill up, flows that go, and what each version is told of it, in raw bytes.

The clock stands still but for what a test says: timeouts pass when the datapath is told the time.
"""

import struct
import time
from collections.abc import Iterator

import pytest

from ovsflow import Switch
from tests.switch.talker import (
    EXPERIMENTER,
    FLOW_REMOVED,
    NICIRA,
    VERSIONS,
    Talker,
    attach,
    error,
    flow_mod,
    flow_request,
    in_port,
    message,
    output,
)

IDLE, HARD, DELETE, GROUP_DELETE, METER_DELETE, EVICTION = range(6)
SEND_FLOW_REM = 1
SECOND = 1_000_000_000
LIMIT = 4


@pytest.fixture
def switch() -> Iterator[Switch]:
    settings = {"table_limit": LIMIT}
    with Switch("t0", ports=["p1:memory", "p2:memory"], workers=0, settings=settings) as switch:
        yield switch


class Audience:
    """One controller of each version, and one of OpenFlow 1.0 that wants NXM."""

    def __init__(self, switch: Switch) -> None:
        self.switch = switch
        self.talkers = {version: attach(switch, version) for version in VERSIONS}
        self.nxm = attach(switch, 1)
        assert self.nxm.vendor(NICIRA, 12, struct.pack("!I", 2)) == []
        self.everybody = [*self.talkers.values(), self.nxm]
        self.hear()

    def close(self) -> None:
        for talker in self.everybody:
            talker.sock.close()

    def hear(self) -> None:
        for talker in self.everybody:
            talker.hear()

    def later(self, seconds: int) -> None:
        """Lets timeouts pass."""
        self.switch.plane.datapath.tick(time.monotonic_ns() + seconds * SECOND)

    def reasons(self) -> dict[str, list[int]]:
        """Why flows went, as each was told."""
        found = {f"1.{max(v - 1, 0)}": removed(t.hear()) for v, t in self.talkers.items()}
        return found | {"nxm": removed(self.nxm.hear())}


def removed(messages: list[bytes]) -> list[int]:
    """The reasons of removed flows, by each version's place for them."""
    reasons = []
    for one in messages:
        version, kind = one[0], one[1]
        if kind == EXPERIMENTER and struct.unpack_from("!II", one, 8) == (NICIRA, 14):
            reasons.append(one[26])
        elif kind == FLOW_REMOVED and version == 1:
            # Behind the match of 40 bytes, the cookie and the priority.
            reasons.append(one[8 + 40 + 8 + 2])
        elif kind == FLOW_REMOVED and version == 6:
            reasons.append(one[9])
        elif kind == FLOW_REMOVED:
            reasons.append(one[8 + 8 + 2])
    return reasons


@pytest.fixture
def audience(switch: Switch) -> Iterator[Audience]:
    audience = Audience(switch)
    yield audience
    audience.close()


def told(old: int, newer: int, newest: int) -> dict[str, list[int]]:
    """One flow's end, as OpenFlow 1.0, 1.3, and 1.4 and later number its reason."""
    return {"1.0": [old], "1.3": [newer], "1.4": [newest], "1.5": [newest], "nxm": [old]}


@pytest.mark.parametrize("author", VERSIONS)
def test_timeouts_are_told_with_their_reason(audience: Audience, author: int) -> None:
    talker = audience.talkers[author]
    for idle, hard, reason in ((500, 0, IDLE), (0, 700, HARD), (500, 900, IDLE), (900, 400, HARD)):
        flow = flow_mod(author, match=in_port(author, 1), idle=idle, hard=hard, flags=SEND_FLOW_REM)
        assert talker.ask(flow) == []
        first = min(filter(None, (idle, hard)))
        audience.later(first - 200)
        assert set(map(tuple, audience.reasons().values())) == {()}
        audience.later(first + 200)
        assert audience.reasons() == told(reason, reason, reason)


def test_deletes_are_told_with_their_reason(audience: Audience) -> None:
    talker = audience.talkers[4]
    bucket = struct.pack("!HHII4x", 32, 0, 0xFFFFFFFF, 0xFFFFFFFF) + output(4, 2)
    band = struct.pack("!HHII4x", 1, 16, 1000, 100)
    talker.say(15, struct.pack("!HBxI", 0, 0, 5) + bucket)
    talker.say(29, struct.pack("!HHI", 0, 1, 6) + band)
    flows = {
        "delete": flow_mod(4, match=in_port(4, 1), flags=SEND_FLOW_REM),
        "group": flow_mod(4, actions=struct.pack("!HHI", 22, 8, 5), flags=SEND_FLOW_REM),
        "meter": flow_mod(4, match=in_port(4, 2), flags=SEND_FLOW_REM)[8:]
        + struct.pack("!HHI", 6, 8, 6),
    }
    flows["meter"] = message(4, 14, flows["meter"])
    for flow in flows.values():
        assert talker.ask(flow) == []
    assert removed(talker.ask(flow_mod(4, command=4, match=in_port(4, 1)))) == [DELETE]
    audience.talkers.pop(4)
    expected = told(DELETE, DELETE, DELETE)
    del expected["1.3"]
    assert audience.reasons() == expected
    assert removed(talker.say(15, struct.pack("!HBxI", 2, 0, 5))) == [GROUP_DELETE]
    expected = told(DELETE, GROUP_DELETE, GROUP_DELETE)
    del expected["1.3"]
    assert audience.reasons() == expected
    # OpenFlow 1.3 has no reason for it and calls it a deletion.
    assert removed(talker.say(29, struct.pack("!HHI", 2, 0, 6))) == [DELETE]
    expected = told(DELETE, DELETE, METER_DELETE)
    del expected["1.3"]
    assert audience.reasons() == expected


def table_mod(version: int, table: int, config: int, properties: bytes = b"") -> bytes:
    return message(version, 17, struct.pack("!BxxxI", table, config) + properties)


def flows_of(talker: Talker) -> set[int]:
    """The priorities of the flows in table 0."""
    (reply,) = talker.multipart(1, flow_request(talker.version, table=0))
    entries, found = reply[16:], set()
    while entries:
        size = int.from_bytes(entries[:2], "big")
        at = 6 if talker.version == 6 else 12
        found.add(int.from_bytes(entries[at : at + 2], "big"))
        entries = entries[size:]
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_a_full_table_says_so(switch: Switch, version: int) -> None:
    talker = attach(switch, version)
    with talker.sock:
        for number in range(1, LIMIT + 1):
            assert talker.ask(flow_mod(version, priority=number)) == []
        full = (3, 0) if version == 1 else (5, 1)
        assert error(talker.ask(flow_mod(version, priority=9))) == full
        # What is there may be changed, and replaced.
        assert talker.ask(flow_mod(version, priority=2, actions=output(version, 1))) == []
        assert talker.ask(flow_mod(version, priority=2, command=4)) == []
        assert talker.ask(flow_mod(version, priority=9)) == []
        if version > 1:
            # Other tables have room of their own.
            assert talker.ask(flow_mod(version, priority=9, table=1)) == []


@pytest.mark.parametrize("version", [5, 6])
def test_what_is_least_important_makes_room(audience: Audience, version: int) -> None:
    talker = audience.talkers[version]
    wanted = SEND_FLOW_REM
    assert talker.ask(table_mod(version, 0, 4, struct.pack("!HHI", 2, 8, 2))) == []
    for number, importance in ((1, 5), (2, 1), (3, 9), (4, 5)):
        flow = flow_mod(version, priority=number, importance=importance, flags=wanted)
        assert talker.ask(flow) == []
    audience.hear()
    assert removed(talker.ask(flow_mod(version, priority=5, importance=7))) == [EVICTION]
    expected = told(DELETE, DELETE, EVICTION) | {f"1.{version - 1}": []}
    assert audience.reasons() == expected
    assert flows_of(talker) == {1, 3, 4, 5}
    # Of two as important the older goes; what is less important than all is refused.
    talker.ask(flow_mod(version, priority=6, importance=5))
    assert flows_of(talker) == {3, 4, 5, 6}
    assert error(talker.ask(flow_mod(version, priority=7, importance=4))) == (5, 1)
    assert talker.ask(table_mod(version, 0, 0)) == []
    assert error(talker.ask(flow_mod(version, priority=7, importance=99))) == (5, 1)


@pytest.mark.parametrize("version", [5, 6])
def test_vacancy_is_told_once_for_each_crossing(switch: Switch, version: int) -> None:
    talker, older = attach(switch, version), attach(switch, 4)
    with talker.sock, older.sock:
        talker.hear()
        vacancy = struct.pack("!HHBBxx", 3, 8, 30, 60)
        assert talker.ask(table_mod(version, 0, 8, vacancy)) == []

        def add(number: int) -> list[bytes]:
            return talker.ask(flow_mod(version, priority=number))

        def remove(number: int) -> list[bytes]:
            return talker.ask(flow_mod(version, priority=number, command=4))

        assert add(1) == add(2) == []
        (down,) = add(3)
        # OFPT_TABLE_STATUS, OFPTR_VACANCY_DOWN; then the table with its properties.
        assert (down[1], down[8]) == (31, 3)
        assert (down[16 + 2], down[16 + 4 : 16 + 8]) == (0, struct.pack("!I", 8))
        assert struct.pack("!HHBBB", 3, 8, 30, 60, 25) in down
        assert add(4) == remove(4) == []
        # At half the table it is neither scarce nor plentiful.
        assert remove(3) == []
        (up,) = remove(2)
        assert (up[1], up[8]) == (31, 4)
        assert struct.pack("!HHBBB", 3, 8, 30, 60, 75) in up
        assert talker.ask(table_mod(version, 0, 0)) == []
        assert add(2) == add(3) == []
        assert older.hear() == []


def test_table_desc_tells_what_was_set(switch: Switch) -> None:
    talker = attach(switch, 5)
    with talker.sock:
        vacancy = struct.pack("!HHBBxx", 3, 8, 30, 60)
        for config, properties in ((4, b""), (8, vacancy), (12, vacancy), (0, b"")):
            assert talker.ask(table_mod(5, 7, config, properties)) == []
            (reply,) = talker.multipart(14)
            entries, found = reply[16:], {}
            while entries:
                size = int.from_bytes(entries[:2], "big")
                found[entries[2]] = entries[4:size]
                entries = entries[size:]
            assert len(found) == 254
            assert found[7][:4] == struct.pack("!I", config)
            # What evicts: OFPTMPEF_IMPORTANCE.
            assert found[7][4:12] == struct.pack("!HHI", 2, 8, 2)
            marks = struct.pack("!HHBBBx", 3, 8, 30, 60, 100) if config & 8 else b""
            assert found[7][12:] == marks
            assert found[6][:4] == bytes(4)
