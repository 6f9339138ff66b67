"""PORT_MOD, bit by bit and version by version, in raw bytes: what is told and what packets do."""

import struct
from collections.abc import Iterator

import pytest

from ovsflow import Switch
from tests.switch.talker import (
    PACKET_IN,
    PORT_STATUS,
    VERSIONS,
    Talker,
    attach,
    error,
    flow_mod,
    in_port,
    message,
    output,
)

PORT_DOWN, NO_STP, NO_RECV, NO_RECV_STP, NO_FLOOD, NO_FWD, NO_PACKET_IN = (1 << n for n in range(7))
#: Bits that every version has, and those that only OpenFlow 1.0 has.
COMMON = PORT_DOWN | NO_RECV | NO_FWD | NO_PACKET_IN
ALL_OF10 = 0x7F
LINK_DOWN, LIVE = 1, 4
FRAME = bytes.fromhex("ffffffffffff020000000002") + b"\x12\x34" + bytes(46)
CONTROLLER, FLOOD = 0xFFFFFFFD, 0xFFFFFFFB
ADDRESS = b"\x02\0\0\0\0\x07"


@pytest.fixture
def switch() -> Iterator[Switch]:
    ports = [f"p{number}:memory" for number in (1, 2, 3)]
    with Switch("m0", ports=ports, workers=0) as switch:
        switch.plane.datapath.set_port(2, hw_addr=ADDRESS)
        yield switch


@pytest.fixture
def talkers(switch: Switch) -> Iterator[dict[int, Talker]]:
    talkers = {version: attach(switch, version) for version in VERSIONS}
    for talker in talkers.values():
        talker.hear()
    yield talkers
    for talker in talkers.values():
        talker.sock.close()


def port_mod(
    version: int, config: int, mask: int, *, port: int = 2, address: bytes = ADDRESS
) -> bytes:
    if version == 1:
        return message(1, 15, struct.pack("!H6sIII4x", port, address, config, mask, 0))
    body = struct.pack("!I4x6s2xII", port, address, config, mask)
    return message(version, 16, body + (bytes(8) if version == 4 else b""))


def described(port: bytes, version: int) -> tuple[int, int]:
    """Configuration and state in a description of a port."""
    config, state = struct.unpack_from("!II", port, 24 if version == 1 else 32)
    return config, state


def told(talker: Talker) -> tuple[int, int]:
    """The same of port 2, as PORT_DESC tells."""
    talker.hear()
    body = struct.pack("!I4x", 2) if talker.version == 6 else b""
    (reply,) = talker.multipart(13, body)
    start = 12 if talker.version == 1 else 16
    size = {1: 48, 4: 64}.get(talker.version, 72)
    if talker.version != 6:
        start += size
    return described(reply[start : start + size], talker.version)


@pytest.mark.parametrize("author", VERSIONS)
@pytest.mark.parametrize("bit", [*range(10), 31])
def test_a_bit_is_told_where_it_is_known(talkers: dict[int, Talker], author: int, bit: int) -> None:
    known = bool((ALL_OF10 if author == 1 else COMMON) >> bit & 1)
    for config in (1 << bit, 0):
        answers = talkers[author].ask(port_mod(author, config, 1 << bit))
        assert [one[1] for one in answers] == [PORT_STATUS] * known
        for version, talker in talkers.items():
            statuses = answers if version == author else talker.hear()
            expected = config & (ALL_OF10 if version == 1 else COMMON) * known
            down = LINK_DOWN if expected & PORT_DOWN else 0 if version == 1 else LIVE
            assert [one[8] for one in statuses] == [2] * known
            assert [described(one[16:], version) for one in statuses] == [(expected, down)] * known
            assert told(talker) == (expected, down)


def test_bits_outside_the_mask_stay(talkers: dict[int, Talker]) -> None:
    talkers[1].ask(port_mod(1, NO_FLOOD | NO_FWD, NO_FLOOD | NO_FWD))
    talkers[4].ask(port_mod(4, NO_RECV | NO_PACKET_IN, NO_RECV))
    assert told(talkers[1])[0] == NO_FLOOD | NO_FWD | NO_RECV
    assert told(talkers[6])[0] == NO_FWD | NO_RECV


@pytest.mark.parametrize("version", VERSIONS)
def test_a_wrong_port_or_address_is_refused(talkers: dict[int, Talker], version: int) -> None:
    talker = talkers[version]
    kind = 4 if version == 1 else 7
    assert error(talker.ask(port_mod(version, 1, 1, port=99))) == (kind, 0)
    assert error(talker.ask(port_mod(version, 1, 1, address=bytes(6)))) == (kind, 1)
    assert told(talker)[0] == 0


def leaves(switch: Switch, port: int) -> list[int]:
    """Where a frame that comes in at a port leaves."""
    switch.inject(port, FRAME)
    return [number for number in (1, 2, 3) if switch.receive(number)]


#: What a bit of port 2 does: flows, and where frames into ports 1 and 2 leave.
EFFECTS: dict[str, tuple[int, list[int], list[int]]] = {
    "nothing": (0, [2, 3], [1, 3]),
    "down": (PORT_DOWN, [3], []),
    "receives not": (NO_RECV, [2, 3], []),
    "forwards not": (NO_FWD, [3], [1, 3]),
    "floods not": (NO_FLOOD, [3], [1, 3]),
}


@pytest.mark.parametrize("name", list(EFFECTS))
def test_a_bit_does_what_it_says(switch: Switch, talkers: dict[int, Talker], name: str) -> None:
    bits, from_first, from_second = EFFECTS[name]
    talker = talkers[1]
    assert talker.ask(flow_mod(1, actions=output(1, FLOOD))) == []
    talker.ask(port_mod(1, bits, ALL_OF10))
    assert leaves(switch, 1) == from_first
    assert leaves(switch, 2) == from_second
    talker.ask(port_mod(1, 0, ALL_OF10))
    assert leaves(switch, 1) == [2, 3]


@pytest.mark.parametrize("version", [4, 5, 6])
def test_no_packet_in_is_about_packets_without_a_flow(
    switch: Switch, talkers: dict[int, Talker], version: int
) -> None:
    talker = talkers[version]
    assert talker.ask(flow_mod(version, actions=output(version, CONTROLLER), priority=0)) == []
    match = in_port(version, 2)
    talker.hear()

    def packet_ins(port: int) -> int:
        switch.inject(port, FRAME)
        return sum(one[1] == PACKET_IN for one in talker.hear())

    assert (packet_ins(1), packet_ins(2)) == (1, 1)
    talker.ask(port_mod(version, NO_PACKET_IN, NO_PACKET_IN))
    assert (packet_ins(1), packet_ins(2)) == (1, 0)
    # What a flow sends to the controller is no miss.
    explicit = flow_mod(version, match=match, actions=output(version, CONTROLLER), priority=9)
    assert talker.ask(explicit) == []
    assert packet_ins(2) == 1
