"""The network under the tunnels: its addresses, outer frames that arrive, those that are sent.

A tunnel port without a host has no routes and no neighbours, and Open vSwitch's has those that it
is given; here is what both have.  `told` brings an outer frame that was sent into one form for
both, after it has looked at all that may differ but the addresses of the outer Ethernet header: the
UDP source port, the source address where the host chooses it, and the checksums that they change.
"""

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from tests.differential.values import IPV4, IPV6, Chance
from tests.switch.frames import internet_checksum

Address = IPv4Address | IPv6Address

TUNNEL = 5
"""The number of the port that is flow-based in all that there is."""

SIX = 16
"""Length of an IPv6 address."""

WIRES = (TUNNEL, TUNNEL + 1)
"""Numbers for what was sent through it: by the first device, and by the second."""

PORT = 4789
LOCALS = {
    "under": ("02:00:00:00:00:91", "10.0.0.1", "fd00::1"),
    "under2": ("02:00:00:00:00:92", "10.0.0.2", "fd00::2"),
}
"""Devices with their addresses."""

LOCAL_ADDRESSES = tuple(text for _, *texts in LOCALS.values() for text in texts)
NEIGHBOUR = "02:00:00:00:00:77"
NEIGHBOURS = tuple(one for one in (*IPV4, *IPV6) if one not in LOCAL_ADDRESSES)
"""Addresses that can be reached, all through one router."""

ETHERNET, UDP, VXLAN = 14, 8, 8
NETWORKS = {b"\x08\x00": 20, b"\x86\xdd": 40}
LENGTHS_AT = {20: ETHERNET + 2, 40: ETHERNET + 4}
"""Where IP headers of these lengths tell a length."""

CONGESTED = 3
"""What ECN says of a packet that met congestion (RFC 3168 §5)."""

DYNAMIC_PORTS = range(49152, 65536)
"""What RFC 7348 §5 recommends for the source port."""

PEER_PORTS = range(32768, 61001)
"""What Open vSwitch takes source ports from (`tnl/egress_port_range`)."""


def packed(text: str) -> bytes:
    """The bytes of an Ethernet address or an IP address."""
    return ip_address(text).packed if text.count(":") != 5 else bytes.fromhex(text.replace(":", ""))


_SOURCES = {len(packed(one)): packed(one) for one in LOCALS["under"][1:]}
"""Where datagrams come from that name no source, by the length of their addresses."""

_KNOWN = {packed(one) for one in (*LOCAL_ADDRESSES, *NEIGHBOURS)}
_SECOND = {packed(one) for one in LOCALS["under2"][1:]}
_OWN = {packed(one) for one in LOCAL_ADDRESSES}


def random_outer(chance: Chance, inner: bytes, congested: bool) -> bytes:
    """A datagram from a neighbour with a frame in it, now and then with something wrong with it."""
    device = chance.pick(sorted(LOCALS))
    mac, *ours = LOCALS[device]
    six = chance.often(0.3)
    src = packed(chance.pick([one for one in NEIGHBOURS if (":" in one) == six]))
    dst = packed(ours[six])
    vni = chance.pick((0, 1, 2, 3, 3, 0xFFFFFF))
    tail = chance.pick((1,)) if chance.often(0.02) else 0
    flags = chance.pick((0x00, 0x0C)) if chance.often(0.02) else 0x08
    vxlan = struct.pack("!BBHI", flags, 0, 0, vni << 8 | tail) + inner
    port = 4790 if chance.often(0.02) else PORT
    checked = six or chance.often(0.3)
    udp = _datagram(src + dst, chance.pick(DYNAMIC_PORTS), port, vxlan, checked)
    if checked and chance.often(0.05):
        udp = udp[:-1] + bytes([udp[-1] ^ 1])
    ecn = CONGESTED if congested else chance.below(CONGESTED)
    tos, ttl = chance.below(64) << 2 | ecn, chance.pick((1, 64, 255))
    if six:
        head = struct.pack("!IHBB", 6 << 28 | tos << 20, len(udp), 17, ttl) + src + dst
        return packed(mac) + packed(NEIGHBOUR) + b"\x86\xdd" + head + udp
    length, identification = 20 + len(udp), chance.bits(16)
    fragment = chance.pick((0, 0x4000)) if chance.often(0.98) else 0x2000
    head = struct.pack("!BBHHHBBH", 0x45, tos, length, identification, fragment, ttl, 17, 0)
    total = internet_checksum(head + src + dst) ^ int(chance.often(0.02))
    head = head[:10] + struct.pack("!H", total) + src + dst
    return packed(mac) + packed(NEIGHBOUR) + b"\x08\x00" + head + udp


def _datagram(addresses: bytes, source: int, port: int, payload: bytes, checked: bool) -> bytes:
    length = UDP + len(payload)
    datagram = struct.pack("!HHHH", source, port, length, 0) + payload
    if not checked:
        return datagram
    pseudo = addresses + struct.pack("!II", length, 17)
    total = internet_checksum(pseudo + datagram) or 0xFFFF
    return datagram[:6] + struct.pack("!H", total) + datagram[8:]


@dataclass(frozen=True, slots=True)
class Outer:
    """The outer headers of a frame.

    Attributes:
        frame: All of it.
        network: Length of the IP header.
    """

    frame: bytes
    network: int

    @property
    def addresses(self) -> tuple[bytes, bytes]:
        """Source and destination."""
        size = 4 if self.network == NETWORKS[b"\x08\x00"] else 16
        end = ETHERNET + self.network
        return self.frame[end - 2 * size : end - size], self.frame[end - size : end]

    @property
    def datagram(self) -> bytes:
        """What is behind the IP header."""
        return self.frame[ETHERNET + self.network :]

    @property
    def payload(self) -> bytes:
        """The VXLAN header, and the frame inside."""
        return self.datagram[UDP:]

    @property
    def inner(self) -> bytes:
        """The frame inside."""
        return self.payload[VXLAN:]

    @property
    def ecn(self) -> int:
        """The code point of the outer header (RFC 3168)."""
        tos = int.from_bytes(self.frame[ETHERNET : ETHERNET + 2], "big")
        return (tos if self.network == 20 else tos >> 4) & 3

    def metadata(self) -> str:
        """The tunnel's fields, as a match has them."""
        src, dst = (ip_address(one) for one in self.addresses)
        vni = int.from_bytes(self.datagram[UDP + 4 : UDP + 7], "big")
        names = ("tun_src", "tun_dst") if src.version == 4 else ("tun_ipv6_src", "tun_ipv6_dst")
        return f"tun_id={vni},{names[0]}={src},{names[1]}={dst}"


def read_outer(frame: bytes) -> Outer:
    """The outer headers of an untagged frame over IPv4 without options, or over IPv6."""
    return Outer(frame, NETWORKS[frame[12:14]])


def is_carried(frame: bytes) -> bool:
    """Whether a host with these addresses and neighbours would carry it.

    Nobody sends from an address of somebody else, or to somebody whom no one answers for.
    Open vSwitch's userspace tunnels over IPv6 do not look at the source that they are given.
    """
    source, destination = read_outer(frame).addresses
    is_own = source in _OWN or not any(source) or len(source) == SIX
    return is_own and destination in _KNOWN


def marked(frame: bytes) -> bytes:
    """An untunnelled frame, its IP header telling of congestion (with a wrong checksum)."""
    at = 12
    while frame[at : at + 2] in (b"\x81\x00", b"\x88\xa8"):
        at += 4
    bits = {b"\x08\x00": CONGESTED, b"\x86\xdd": CONGESTED << 4}.get(frame[at : at + 2], 0)
    tos = frame[at + 3 : at + 4]
    return frame[: at + 3] + bytes(one | bits for one in tos) + frame[at + 4 :]


def inside(frame: bytes) -> bytes:
    """The frame inside an outer one, whole or `told`."""
    return read_outer(frame).inner


def without_lengths(headers: bytes) -> bytes:
    """Outer headers that were `told`, without what follows from how long the frame inside is."""
    network = NETWORKS[headers[12:14]]
    at, udp = LENGTHS_AT[network], ETHERNET + network + 4
    return headers[:at] + headers[at + 2 : udp] + headers[udp + 2 :]


def is_second(frame: bytes) -> bool:
    """Whether it goes to an address of the second device, and so out of that."""
    return read_outer(frame).addresses[1] in _SECOND


def told(frame: bytes, ours: bool) -> bytes:
    """An outer frame without what may differ, all of which has been found to be as it should be.

    Raises:
        AssertionError: Something is not.
    """
    outer = read_outer(frame)
    source, destination = outer.addresses
    datagram = outer.datagram
    port, to, length, checksum = struct.unpack_from("!HHHH", datagram)
    assert port in (DYNAMIC_PORTS if ours else PEER_PORTS), f"UDP source port {port}"
    assert (to, length) == (PORT, len(datagram)), f"UDP header {datagram[:UDP].hex()}"
    at = LENGTHS_AT[outer.network]
    counted = int.from_bytes(frame[at : at + 2], "big") - (20 if outer.network == 20 else 0)
    assert counted == length, f"IP length {counted}, UDP length {length}"
    if checksum or outer.network == 40:
        pseudo = source + destination + struct.pack("!II", length, 17)
        assert checksum, "no UDP checksum over IPv6"
        assert internet_checksum(pseudo + datagram) == 0, f"UDP checksum {checksum:#x}"
    head = frame[ETHERNET : ETHERNET + outer.network - 2 * len(source)]
    if outer.network == 20:
        assert internet_checksum(head + source + destination) == 0, f"IPv4 header {head.hex()}"
        # It follows from the rest, the source address included.
        head = head[:10] + b"ck"
    if not any(source) or len(source) == SIX:
        # What is sent to an address of this host comes from that.
        source = destination if destination in _OWN else _SOURCES[len(source)]
    sum_is_there = b"ck" if checksum else b"\0\0"
    udp = b"sp" + datagram[2:6] + sum_is_there
    return bytes(2 * 6) + frame[12:14] + head + source + destination + udp + datagram[UDP:]
