"""Tunnel fields through a VXLAN port: outer frames put together by hand, and taken apart."""

import struct
from collections.abc import Iterator

import pytest

from ovsflow import Switch
from tests.switch.frames import internet_checksum
from tests.switch.samples import FRAMES, summed

INNER = summed(FRAMES["udp"])
SRC, DST = bytes([172, 31, 1, 1]), bytes([172, 31, 1, 2])
SRC6, DST6 = (bytes.fromhex(f"fd{0:028x}{end:02x}") for end in (1, 2))
VNI = 0x123456
#: The VXLAN header's flags: a VNI follows; a group policy follows.
HAS_VNI, HAS_POLICY = 0x08, 0x80


def outer(
    vni: int, gbp_id: int = 0, gbp_flags: int = 0, *, v6: bool = False, tos: int = 0
) -> bytes:
    """A datagram from the far end, without a UDP checksum over IPv4."""
    flags = HAS_VNI | (HAS_POLICY if gbp_id or gbp_flags else 0)
    vxlan = struct.pack("!BBHI", flags, gbp_flags, gbp_id, vni << 8) + INNER
    udp = struct.pack("!HHHH", 50000, 4789, 8 + len(vxlan), 0) + vxlan
    macs = bytes([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2])
    if v6:
        pseudo = DST6 + SRC6 + struct.pack("!II", len(udp), 17)
        udp = udp[:6] + struct.pack("!H", internet_checksum(pseudo + udp)) + udp[8:]
        head = struct.pack("!IHBB", 6 << 28 | tos << 20, len(udp), 17, 9)
        return macs + b"\x86\xdd" + head + DST6 + SRC6 + udp
    head = struct.pack("!BBHHHBBH", 0x45, tos, 20 + len(udp), 0, 0x4000, 9, 17, 0) + DST + SRC
    head = head[:10] + struct.pack("!H", internet_checksum(head)) + head[12:]
    return macs + b"\x08\0" + head + udp


@pytest.fixture
def switch() -> Iterator[Switch]:
    with Switch(
        ports=["a=1:memory", "vx=2:vxlan,backend=memory,exts=gbp", "out=9:memory"], workers=0
    ) as switch:
        yield switch


#: A match, and whether it is that of the datagram.
MATCHES = {
    f"tun_id={VNI:#x}": True,
    f"tun_id={VNI ^ 1:#x}": False,
    "tun_id=0x120000/0xff0000": True,
    "tun_src=172.31.1.2": True,
    "tun_src=172.31.1.3": False,
    "tun_src=172.31.0.0/16": True,
    "tun_dst=172.31.1.1": True,
    "tun_dst=172.31.1.0/25": True,
    "tun_dst=172.31.1.128/25": False,
    "tun_gbp_id=0x1234": True,
    "tun_gbp_id=0x1235": False,
    "tun_gbp_id=0x1200/0xff00": True,
    "tun_gbp_flags=0x48": True,
    "tun_gbp_flags=0x40": False,
    "tun_gbp_flags=0x8/0x8": True,
    "tun_ipv6_src=::": True,
    "in_port=2": True,
    "in_port=1": False,
}


@pytest.mark.parametrize("match", MATCHES)
def test_fields_of_what_arrives(switch: Switch, match: str) -> None:
    switch.add_flow(f"{match},actions=9")
    switch.inject(2, outer(VNI, 0x1234, 0x48))
    assert switch.receive(9) == ([INNER] if MATCHES[match] else [])
    switch.inject(1, INNER)
    elsewhere = match in ("tun_ipv6_src=::", "in_port=1")
    assert bool(switch.receive(9)) == elsewhere


def test_fields_of_what_arrives_over_ipv6(switch: Switch) -> None:
    switch.add_flow("tun_ipv6_src=fd00::2,tun_ipv6_dst=fd00::1,tun_src=0.0.0.0,actions=9")
    switch.inject(2, outer(5, v6=True))
    assert switch.receive(9) == [INNER]
    switch.inject(2, outer(5))
    assert switch.receive(9) == []


def test_fields_that_are_written_are_sent(switch: Switch) -> None:
    switch.add_flow(
        f"in_port=1,actions=set_field:{VNI:#x}->tun_id,set_field:172.31.1.2->tun_dst,"
        "set_field:172.31.1.1->tun_src,set_field:0x1234->tun_gbp_id,set_field:8->tun_gbp_flags,2"
    )
    switch.inject(1, INNER)
    (sent,) = switch.receive(2)
    assert (sent[26:30], sent[30:34]) == (SRC, DST)
    vxlan = sent[42:]
    assert vxlan[:8] == struct.pack("!BBHI", HAS_VNI | HAS_POLICY, 8, 0x1234, VNI << 8)
    assert vxlan[8:] == INNER


def test_ipv6_addresses_that_are_written_are_sent(switch: Switch) -> None:
    switch.add_flow(
        "in_port=1,actions=set_field:fd00::2->tun_ipv6_dst,set_field:fd00::1->tun_ipv6_src,2"
    )
    switch.inject(1, INNER)
    (sent,) = switch.receive(2)
    assert (sent[22:38], sent[38:54]) == (SRC6, DST6)


def test_what_goes_over_ipv4_and_over_ipv6_leaves_in_order(switch: Switch) -> None:
    four = "set_field:172.31.1.2->tun_dst,2"
    six = "set_field:0.0.0.0->tun_dst,set_field:fd00::2->tun_ipv6_dst,2"
    switch.add_flow(f"in_port=1,actions={six},{four},{four},{six}")
    switch.inject(1, INNER)
    types = [sent[12:14].hex() for sent in switch.receive(2)]
    assert types == ["86dd", "0800", "0800", "86dd"]


@pytest.mark.parametrize("max_len", [14, 40, len(INNER), 1000])
def test_a_cut_copy_is_cut_inside_the_tunnel(switch: Switch, max_len: int) -> None:
    switch.add_flow(
        f"in_port=1,actions=set_field:{VNI}->tun_id,set_field:172.31.1.2->tun_dst,"
        f"output(port=2,max_len={max_len}),9"
    )
    switch.inject(1, INNER)
    (sent,) = switch.receive(2)
    assert sent[42:] == struct.pack("!BBHI", HAS_VNI, 0, 0, VNI << 8) + INNER[:max_len]
    assert switch.receive(9) == [INNER], "only the copy is cut"


@pytest.mark.parametrize(
    ("options", "tos", "ttl"), [("", 2, 64), (",tos=inherit,ttl=inherit", 0xBA, 33)]
)
@pytest.mark.parametrize("max_len", [14, 20, 33, 1000])
def test_a_cut_copy_tells_outside_what_the_packet_told(
    options: str, tos: int, ttl: int, max_len: int
) -> None:
    # The DSCP and ECT(0), and the TTL.
    inner = INNER[:15] + b"\xba" + INNER[16:22] + bytes([33, INNER[23], 0, 0]) + INNER[26:]
    inner = inner[:24] + struct.pack("!H", internet_checksum(inner[14:34])) + inner[26:]
    with Switch(ports=["a=1:memory", f"vx=2:vxlan,backend=memory{options}"], workers=0) as switch:
        switch.add_flow(
            f"in_port=1,actions=set_field:172.31.1.2->tun_dst,output(port=2,max_len={max_len})"
        )
        switch.inject(1, inner)
        (sent,) = switch.receive(2)
        assert sent[50:] == inner[:max_len]
        assert (sent[15], sent[22]) == (tos, ttl)
        assert internet_checksum(sent[14:34]) == 0
