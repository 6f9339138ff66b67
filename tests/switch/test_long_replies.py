"""Every reply that may be long comes in messages that say whether more follows, in each version.

And what is too long for one message breaks none.
"""

import struct
from collections.abc import Iterator

import pytest

from ovsflow import Switch
from tests.switch.talker import (
    ANY,
    NICIRA,
    VERSIONS,
    Talker,
    attach,
    error,
    flow_mod,
    flow_request,
    message,
    output,
)

GROUPS, METERS, PORTS, FLOWS = 3000, 3000, 1000, 3000
ALL_GROUPS = 0xFFFFFFFC


@pytest.fixture(scope="module")
def switch() -> Iterator[Switch]:
    ports = [f"p{number}:memory" for number in range(1, PORTS + 1)]
    with Switch("l0", ports=ports, workers=0) as switch:
        talker = attach(switch, 4)
        with talker.sock:
            for start in range(0, GROUPS, 500):
                numbers = range(start, start + 500)
                bucket = struct.pack("!HHII4x", 32, 0, ANY, ANY) + output(4, 1)
                band = struct.pack("!HHII4x", 1, 16, 1000, 100)
                mods = (
                    message(4, 15, struct.pack("!HBxI", 0, 0, number) + bucket)
                    + message(4, 29, struct.pack("!HHI", 0, 1, number + 1) + band)
                    + flow_mod(4, priority=number + 1, actions=struct.pack("!HHI", 22, 8, number))
                    for number in numbers
                )
                assert talker.ask(b"".join(mods)) == []
        yield switch


def entries(messages: list[bytes], version: int, kind: int, *, nicira: bool = False) -> list[bytes]:
    """What is in the messages of one reply, checked as messages."""
    found = []
    head = 12 if version == 1 else 16
    for number, one in enumerate(messages):
        assert one[1] == (17 if version == 1 else 19), one[:40].hex()
        assert one[4:8] == struct.pack("!I", 7)
        assert int.from_bytes(one[2:4], "big") == len(one)
        flags = number < len(messages) - 1
        assert struct.unpack_from("!HH", one, 8) == (kind, flags)
        if nicira:
            assert struct.unpack_from("!I", one, head) == (NICIRA,)
        found.append(one[head + (12 if nicira else 0) :])
    return found


def cut(parts: list[bytes], *, fixed: int = 0, length_at: int = 0) -> list[bytes]:
    """Entries, of a fixed size or with their length in two bytes."""
    found = []
    for part in parts:
        while part:
            size = fixed or int.from_bytes(part[length_at : length_at + 2], "big")
            assert 0 < size <= len(part)
            found.append(part[:size])
            part = part[size:]
    return found


#: Bytes of an entry, where it does not say so itself.
_PORT = {1: 48, 4: 64}
_PORT_STATS = {1: 104, 4: 112}


@pytest.mark.parametrize("version", VERSIONS)
def test_ports_and_flows_come_whole(switch: Switch, version: int) -> None:
    talker = attach(switch, version)
    with talker.sock:
        body = struct.pack("!I4x", ANY) if version == 6 else b""
        fixed = _PORT.get(version, 0)
        ports = cut(entries(talker.multipart(13, body), version, 13), fixed=fixed, length_at=4)
        size = 2 if version == 1 else 4
        assert [int.from_bytes(port[:size], "big") for port in ports] == list(range(1, PORTS + 1))
        body = struct.pack("!H6x", 0xFFFF) if version == 1 else struct.pack("!I4x", ANY)
        stats = cut(
            entries(talker.multipart(4, body), version, 4), fixed=_PORT_STATS.get(version, 0)
        )
        at = 0 if version in (1, 4) else 4
        found = [int.from_bytes(one[at : at + size], "big") for one in stats]
        assert found == list(range(1, PORTS + 1))
        flows = entries(talker.multipart(1, flow_request(version)), version, 1)
        assert len(flows) > 2
        assert len(cut(flows)) == FLOWS
        if version == 6:
            stats = entries(talker.multipart(17, flow_request(6)), 6, 17)
            assert len(cut(stats)) == FLOWS


@pytest.mark.parametrize("version", [4, 5, 6])
def test_groups_and_meters_come_whole(switch: Switch, version: int) -> None:
    talker = attach(switch, version)
    with talker.sock:
        every = struct.pack("!I4x", ALL_GROUPS)
        stats = cut(entries(talker.multipart(6, every), version, 6))
        assert [int.from_bytes(one[4:8], "big") for one in stats] == list(range(GROUPS))
        # Each is referred to by one flow.
        assert {one[8:12] for one in stats} == {struct.pack("!I", 1)}
        desc = entries(talker.multipart(7, every if version == 6 else b""), version, 7)
        assert len(desc) > 1
        assert [int.from_bytes(one[4:8], "big") for one in cut(desc)] == list(range(GROUPS))
        every = struct.pack("!I4x", ANY)
        stats = entries(talker.multipart(9, every), version, 9)
        numbers = list(range(1, METERS + 1))
        told = cut(stats, length_at=4)
        assert [int.from_bytes(one[:4], "big") for one in told] == numbers
        config = cut(entries(talker.multipart(10, every), version, 10))
        assert [int.from_bytes(one[4:8], "big") for one in config] == numbers


def test_groups_come_whole_to_openflow_10(switch: Switch) -> None:
    talker = attach(switch, 1)
    with talker.sock:
        for subtype in (7, 8):
            request = struct.pack("!II4xI4x", NICIRA, subtype, ALL_GROUPS)
            parts = entries(talker.multipart(0xFFFF, request), 1, 0xFFFF, nicira=True)
            assert len(parts) > 1
            found = [int.from_bytes(one[4:8], "big") for one in cut(parts)]
            assert found == list(range(GROUPS))


@pytest.mark.parametrize("version", [4, 5, 6])
def test_tables_come_whole(switch: Switch, version: int) -> None:
    talker = attach(switch, version)
    with talker.sock:
        features = entries(talker.multipart(12), version, 12)
        assert len(features) > 5
        assert [one[2] for one in cut(features)] == list(range(254))
        assert len(cut(entries(talker.multipart(3), version, 3), fixed=24)) == 254
        if version > 4:
            assert len(cut(entries(talker.multipart(14), version, 14))) == 254


@pytest.mark.parametrize("version", [1, 5, 6])
def test_the_flows_of_a_new_monitor_come_whole(switch: Switch, version: int) -> None:
    talker = attach(switch, version)
    with talker.sock:
        if version == 1:
            body = struct.pack("!II4xIHHHB5x", NICIRA, 2, 1, 0x3F, 0xFFFF, 0, 0xFF)
            parts = entries(talker.multipart(0xFFFF, body), 1, 0xFFFF, nicira=True)
        else:
            body = struct.pack("!IIIHBBHH4x", 1, ANY, ANY, 0x1F, 0xFF, 0, 1, 4)
            parts = entries(talker.multipart(16, body), version, 16)
        assert len(parts) > 1
        assert len(cut(parts)) == FLOWS


# -- What is too long to be told -------------------------------------------------------------------


def long_flow(version: int, size: int) -> bytes:
    """A FLOW_MOD with so many bytes of output actions."""
    one = output(version, 1)
    return flow_mod(version, actions=one * (size // len(one)), priority=9)


def whole(talker: Talker, kind: int, body: bytes) -> None:
    """Asks for a reply that must be made of sound messages."""
    entries(talker.multipart(kind, body), talker.version, kind)


@pytest.mark.parametrize("author", VERSIONS)
@pytest.mark.parametrize("size", [16_000, 31_000, 33_000, 60_000, 65_400])
def test_a_long_flow_does_not_break_a_reply(author: int, size: int) -> None:
    """What a version cannot say in one message is told without what it does."""
    with Switch("l1", ports=["p1:memory"], workers=0) as switch:
        talkers = {version: attach(switch, version) for version in VERSIONS}
        assert talkers[author].ask(long_flow(author, size)) == []
        for version, talker in talkers.items():
            whole(talker, 1, flow_request(version))
            talker.sock.close()


@pytest.mark.parametrize("count", [500, 1300, 1900])
def test_a_group_is_told_to_all_or_refused(count: int) -> None:
    with Switch("l2", ports=["p1:memory"], workers=0) as switch:
        author, newest, oldest = (attach(switch, version) for version in (4, 6, 1))
        bucket = struct.pack("!HHII4x", 32, 1, 1, ANY) + output(4, 1)
        answer = author.say(15, struct.pack("!HBxI", 0, 1, 1) + bucket * count)
        assert answer == [] or error(answer) == (6, 4)
        assert (answer == []) == (count < 1500)
        whole(author, 7, b"")
        whole(newest, 7, struct.pack("!I4x", ALL_GROUPS))
        request = struct.pack("!II4xI4x", NICIRA, 8, ALL_GROUPS)
        entries(oldest.multipart(0xFFFF, request), 1, 0xFFFF, nicira=True)
        # Nor may it grow beyond that bucket by bucket.
        if answer == []:
            grown = 0
            for number in range(40):
                first = 10_000 + 100 * number
                made = b"".join(
                    struct.pack("!HHI", 40, 16, first + n)
                    + output(6, 1)
                    + struct.pack("!HHI", 0, 8, 1 << 16)
                    + struct.pack("!HHI", 1, 8, 1)
                    for n in range(100)
                )
                head = struct.pack("!HBxIHxxI", 3, 1, 1, len(made), 0xFFFFFFFE)
                if error_or_none(newest.say(15, head + made)) is not None:
                    break
                grown += 1
            assert grown < 40
            whole(author, 7, b"")
            whole(newest, 7, struct.pack("!I4x", ALL_GROUPS))
            whole(newest, 6, struct.pack("!I4x", ALL_GROUPS))
        for talker in (author, newest, oldest):
            talker.sock.close()


def error_or_none(answers: list[bytes]) -> tuple[int, ...] | None:
    return error(answers) if answers else None
