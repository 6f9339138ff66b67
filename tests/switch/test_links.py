"""multipath and bundle: which fields a hash reads, how it deals, what a lost member moves."""

import math
import struct
from collections import Counter
from collections.abc import Iterator

import pytest

from ovsflow import Switch
from tests.switch.samples import FRAMES

LINKS = 5
PORTS = tuple(range(1, LINKS + 1))
MANY = 400
LINK_DOWN = 1

#: Frames and where in them fields lie: (frame, first byte, bytes).
PLACES = {
    "eth_src": ("other", 6, 6),
    "eth_dst": ("other", 0, 6),
    "eth_type": ("other", 12, 2),
    "vlan_vid": ("tagged", 15, 1),
    "vlan_pcp": ("tagged", 14, 1),
    "ip_src": ("udp", 26, 4),
    "ip_dst": ("udp", 30, 4),
    "ip_dscp": ("udp", 15, 1),
    "ipv6_src": ("tcp6", 22, 16),
    "ipv6_dst": ("tcp6", 38, 16),
    "tcp_src": ("tcp", 34, 2),
    "tcp_dst": ("tcp", 36, 2),
    "tcp_src of IPv6": ("tcp6", 54, 2),
    "udp_src": ("udp", 34, 2),
    "udp_dst": ("udp", 36, 2),
    "sctp_src": ("sctp", 34, 2),
    "icmp_type": ("icmp", 34, 1),
    "icmp_code": ("icmp", 35, 1),
    "icmpv6_type": ("icmp6", 54, 1),
    "eth_src of IP": ("tcp", 6, 6),
}
ADDRESSES = {"ip_src", "ip_dst", "ipv6_src", "ipv6_dst"}
STREAMS = {"tcp_src", "tcp_dst", "tcp_src of IPv6", "sctp_src"}
DATAGRAMS = {"udp_src", "udp_dst"}
#: What each set of fields reads.  Source: Open vSwitch, NX_HASH_FIELDS_*.
FIELDS = {
    "eth_src": {"eth_src", "eth_src of IP"},
    "symmetric_l4": {"eth_src", "eth_dst", "eth_type", "vlan_vid", "eth_src of IP"}
    | ADDRESSES
    | STREAMS,
    "symmetric_l3l4": ADDRESSES | STREAMS,
    "symmetric_l3l4+udp": ADDRESSES | STREAMS | DATAGRAMS,
    "nw_src": {"ip_src", "ipv6_src"},
    "nw_dst": {"ip_dst", "ipv6_dst"},
    "symmetric_l3": ADDRESSES,
}
ALGORITHMS = ("modulo_n", "hash_threshold", "hrw", "iter_hash")


@pytest.fixture
def switch() -> Iterator[Switch]:
    ports = [f"p{number}={number}:memory" for number in (*PORTS, 9)]
    with Switch(ports=ports, workers=0) as switch:
        yield switch


def varied(name: str) -> Iterator[bytes]:
    """Frames that differ in one field alone."""
    frame, at, size = PLACES[name]
    data = FRAMES[frame]
    for number in range(min(MANY, 256**size)):
        # A VLAN tag keeps its type, a type stays above lengths and away from protocols.
        value = number % 256 if size == 1 else number * 257 % 256**size
        if name == "vlan_pcp":
            value = data[14] & 0x1F | value & 0xE0
        elif name == "eth_type":
            value = 0x9000 + number
        yield data[:at] + value.to_bytes(size, "big") + data[at + size :]


def picks(switch: Switch, frames: Iterator[bytes]) -> list[int]:
    """The link that each frame takes; 0 for none."""
    found = []
    for frame in frames:
        switch.plane.datapath.execute(9, frame, 1)
        left = [number for number in PORTS if switch.receive(number)]
        assert len(left) <= 1
        found.append(left[0] if left else 0)
    return found


def spread(switch: Switch, fields: str, algorithm: str = "hrw", links: int = LINKS) -> None:
    """Sends by a multipath over links."""
    switch.del_flows()
    path = f"multipath({fields},7,{algorithm},{links},16,reg0[0..15])"
    switch.add_flow(f"actions={path},resubmit(,1)")
    for link in range(links):
        switch.add_flow(f"table=1,reg0={link},actions=output:{link + 1}")


@pytest.mark.parametrize("fields", FIELDS)
@pytest.mark.parametrize("name", PLACES)
def test_a_hash_reads_its_fields_and_no_others(switch: Switch, fields: str, name: str) -> None:
    spread(switch, fields)
    assert (len(set(picks(switch, varied(name)))) > 1) == (name in FIELDS[fields])
    switch.del_flows()
    members = ",".join(map(str, PORTS))
    switch.add_flow(f"actions=bundle({fields},7,hrw,ofport,members:{members})")
    assert (len(set(picks(switch, varied(name)))) > 1) == (name in FIELDS[fields])


def turned(frame: bytes) -> bytes:
    """The frame that answers: addresses and ports exchanged, a reply for a request."""
    tag = 4 if frame[12:14] == b"\x81\0" else 0
    data = bytearray(frame)
    data[0:6], data[6:12] = frame[6:12], frame[0:6]
    at = 14 + tag
    kind = frame[12 + tag : 14 + tag]
    size, start = {b"\x08\0": (4, at + 12), b"\x86\xdd": (16, at + 8)}.get(kind, (0, at))
    data[start : start + size] = frame[start + size : start + 2 * size]
    data[start + size : start + 2 * size] = frame[start : start + size]
    l4 = start + 2 * size
    protocol = frame[at + 9] if size == 4 else frame[at + 6] if size else 0
    if protocol in (6, 17, 132):
        data[l4 : l4 + 2], data[l4 + 2 : l4 + 4] = frame[l4 + 2 : l4 + 4], frame[l4 : l4 + 2]
    elif protocol in (1, 58):
        data[l4] = {8: 0, 0: 8}.get(frame[l4], frame[l4] ^ 1)
    return bytes(data)


@pytest.mark.parametrize("fields", [name for name in FIELDS if name.startswith("symmetric")])
def test_both_directions_take_the_same_link(switch: Switch, fields: str) -> None:
    spread(switch, fields)
    frames = [frame for name in PLACES for frame in list(varied(name))[:40]]
    answers = [turned(frame) for frame in frames]
    assert picks(switch, iter(frames)) == picks(switch, iter(answers))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("links", [1, 2, 3, 5])
def test_links_are_dealt_evenly(switch: Switch, algorithm: str, links: int) -> None:
    spread(switch, "nw_src", algorithm, links)
    frames = [
        FRAMES["udp"][:26] + struct.pack("!I", 0x0A000000 + n * 7919) + FRAMES["udp"][30:]
        for n in range(2000)
    ]
    seen = Counter(picks(switch, iter(frames)))
    assert set(seen) == set(PORTS[:links])
    wanted = len(frames) / links
    assert all(abs(count - wanted) < 5 * math.sqrt(wanted) for count in seen.values()), seen


#: The most flows that may move when a fifth link joins four, by algorithm: of those that must.
MOVES = {"hrw": 1.3, "iter_hash": 1.3, "hash_threshold": 2.8, "modulo_n": 4.4}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_link_more_moves_as_many_flows_as_its_algorithm_says(
    switch: Switch, algorithm: str
) -> None:
    frames = [
        FRAMES["udp"][:26] + struct.pack("!I", 0x0A000000 + n * 104729) + FRAMES["udp"][30:]
        for n in range(2000)
    ]
    found = []
    for links in (4, 5):
        spread(switch, "nw_src", algorithm, links)
        found.append(picks(switch, iter(frames)))
    moved = sum(a != b for a, b in zip(*found, strict=True))
    assert moved <= MOVES[algorithm] * len(frames) / 5


def test_a_dead_member_lends_its_flows_alone(switch: Switch) -> None:
    members = ",".join(map(str, PORTS))
    switch.add_flow(f"actions=bundle(symmetric_l4,3,hrw,ofport,members:{members})")
    before = picks(switch, varied("tcp_src"))
    switch.plane.datapath.set_port(2, state=LINK_DOWN)
    after = picks(switch, varied("tcp_src"))
    assert {a for a, b in zip(before, after, strict=True) if a != b} == {2}
    assert 2 not in after
    for port in PORTS:
        switch.plane.datapath.set_port(port, state=LINK_DOWN)
    assert set(picks(switch, varied("tcp_src"))) == {0}


def test_active_backup_takes_the_first_that_lives(switch: Switch) -> None:
    switch.add_flow("actions=bundle(eth_src,0,active_backup,ofport,members:3,1,2)")
    for dead, wanted in (((), 3), ((3,), 1), ((3, 1), 2), ((1,), 3)):
        for port in PORTS:
            switch.plane.datapath.set_port(port, state=LINK_DOWN if port in dead else 0)
        assert set(picks(switch, varied("eth_src"))) == {wanted}


def test_basis_deals_anew(switch: Switch) -> None:
    found = []
    for basis in (1, 2):
        switch.add_flow(f"actions=multipath(eth_src,{basis},hrw,5,0,reg0[0..15]),resubmit(,1)")
        for link in range(LINKS):
            switch.add_flow(f"table=1,reg0={link},actions=output:{link + 1}")
        found.append(picks(switch, varied("eth_src")))
    same = sum(a == b for a, b in zip(*found, strict=True))
    assert same < MANY / 2
