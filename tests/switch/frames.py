"""Frames as a naive switch sees them: parsed into a plain object, built anew with fresh checksums.

Knows Ethernet with up to two VLAN tags, ARP, IPv4, IPv6, TCP, UDP, ICMP and ICMPv6, and nothing
of how the real switch does it.
"""

import random
import struct
from dataclasses import dataclass, field
from typing import Self


def internet_checksum(data: bytes) -> int:
    """The ones' complement of the ones' complement sum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return int(~total & 0xFFFF)


@dataclass
class Frame:
    """A frame taken apart.

    `fields` holds every header field by its OpenFlow name, without VLANs; `vlans` the tags,
    outermost first, as (TPID, TCI without the present bit); `padding` counts zeros at the end.
    """

    vlans: list[tuple[int, int]] = field(default_factory=list)
    fields: dict[str, int] = field(default_factory=dict)
    payload: bytes = b""
    padding: int = 0

    def copy(self) -> Self:
        """A frame that can be changed alone."""
        return type(self)(list(self.vlans), dict(self.fields), self.payload, self.padding)

    def build(self) -> bytes:
        """The bytes, every checksum computed from scratch."""
        f = self.fields
        head = f["eth_dst"].to_bytes(6, "big") + f["eth_src"].to_bytes(6, "big")
        for tpid, tci in self.vlans:
            head += struct.pack("!HH", tpid, tci)
        return head + struct.pack("!H", f["eth_type"]) + self._network() + bytes(self.padding)

    def _network(self) -> bytes:
        f = self.fields
        if f["eth_type"] == 0x0806:
            return (
                struct.pack("!HHBBH", 1, 0x0800, 6, 4, f["arp_op"])
                + f["arp_sha"].to_bytes(6, "big")
                + f["arp_spa"].to_bytes(4, "big")
                + f["arp_tha"].to_bytes(6, "big")
                + f["arp_tpa"].to_bytes(4, "big")
                + self.payload
            )
        if f["eth_type"] == 0x0800:
            addresses = f["ipv4_src"].to_bytes(4, "big") + f["ipv4_dst"].to_bytes(4, "big")
            body = self._transport(addresses)
            tos = f["ip_dscp"] << 2 | f["ip_ecn"]
            head = struct.pack(
                "!BBHHHBBH", 0x45, tos, 20 + len(body), 7, 0x4000, f["ttl"], f["ip_proto"], 0
            )
            head += addresses
            total = internet_checksum(head)
            return head[:10] + struct.pack("!H", total) + head[12:] + body
        if f["eth_type"] == 0x86DD:
            addresses = f["ipv6_src"].to_bytes(16, "big") + f["ipv6_dst"].to_bytes(16, "big")
            body = self._transport(addresses)
            first = 6 << 28 | f["ip_dscp"] << 22 | f["ip_ecn"] << 20 | f["ipv6_flabel"]
            return (
                struct.pack("!IHBB", first, len(body), f["ip_proto"], f["ttl"]) + addresses + body
            )
        return self.payload

    def _transport(self, addresses: bytes) -> bytes:
        f = self.fields
        proto = f["ip_proto"]
        if proto == 6:
            ports = struct.pack("!HH", f["tp_src"], f["tp_dst"])
            body = ports + struct.pack("!IIBBHHH", 1, 2, 0x50, 0x10, 512, 0, 0) + self.payload
            return self._fill(body, 16, addresses)
        if proto == 17:
            length = 8 + len(self.payload)
            body = struct.pack("!HHHH", f["tp_src"], f["tp_dst"], length, 0) + self.payload
            return self._fill(body, 6, addresses, zero_is_none=True)
        if proto == 1:
            body = struct.pack("!BBHI", f["icmp_type"], f["icmp_code"], 0, 9) + self.payload
            return body[:2] + struct.pack("!H", internet_checksum(body)) + body[4:]
        if proto == 58:
            body = struct.pack("!BBHI", f["icmp_type"], f["icmp_code"], 0, 9) + self.payload
            return self._fill(body, 2, addresses)
        return self.payload

    def _fill(self, body: bytes, at: int, addresses: bytes, zero_is_none: bool = False) -> bytes:
        """Puts the checksum over pseudo-header and body into the body."""
        pseudo = addresses + struct.pack("!IHH", len(body), 0, self.fields["ip_proto"])
        total = internet_checksum(pseudo + body)
        if zero_is_none and total == 0:
            total = 0xFFFF
        return body[:at] + struct.pack("!H", total) + body[at + 2 :]


HOSTS = (0x020000000001, 0x020000000002, 0x020000000003, 0xFFFFFFFFFFFF)
IPV4 = (0x0A000001, 0x0A000002, 0x0A010203, 0xC0A80001)
IPV6 = (0xFD << 120 | 1, 0xFD << 120 | 2, 0xFE80 << 112 | 3)
PORTS = (53, 80, 4789, 50000)


def random_frame(chance: random.Random) -> Frame:
    """A frame whose values come from small sets, so that flows and frames meet."""
    frame = Frame()
    frame.fields = {"eth_dst": chance.choice(HOSTS), "eth_src": chance.choice(HOSTS[:3])}
    for _ in range(chance.choice((0, 0, 0, 1, 1, 2))):
        tci = chance.randrange(8) << 13 | chance.choice((0, 1, 100, 4095))
        frame.vlans.append((0x8100, tci))
    kind = chance.choice(("arp", "ipv4", "ipv4", "ipv4", "ipv6", "ipv6", "other"))
    frame.payload = bytes(chance.randrange(256) for _ in range(chance.choice((0, 1, 17, 46))))
    f = frame.fields
    if kind == "arp":
        f.update(
            eth_type=0x0806,
            arp_op=chance.choice((1, 2)),
            arp_sha=chance.choice(HOSTS),
            arp_tha=chance.choice(HOSTS),
            arp_spa=chance.choice(IPV4),
            arp_tpa=chance.choice(IPV4),
        )
        frame.payload = bytes(18)
    elif kind == "other":
        f["eth_type"] = chance.choice((0x88CC, 0x1234))
        frame.payload = bytes(46)
    else:
        add_ip(frame, chance, kind)
    return frame


def add_ip(frame: Frame, chance: random.Random, kind: str) -> None:
    """Fills in an IP packet."""
    f = frame.fields
    f.update(
        ip_dscp=chance.choice((0, 10, 46)),
        ip_ecn=chance.randrange(4),
        ttl=chance.choice((0, 1, 2, 64, 255)),
    )
    if kind == "ipv4":
        f.update(eth_type=0x0800, ipv4_src=chance.choice(IPV4), ipv4_dst=chance.choice(IPV4))
        f["ip_proto"] = chance.choice((1, 6, 17, 47))
    else:
        f.update(eth_type=0x86DD, ipv6_src=chance.choice(IPV6), ipv6_dst=chance.choice(IPV6))
        f["ipv6_flabel"] = chance.choice((0, 0x12345))
        f["ip_proto"] = chance.choice((6, 17, 58, 47))
    if f["ip_proto"] in (6, 17):
        f.update(tp_src=chance.choice(PORTS), tp_dst=chance.choice(PORTS))
    elif f["ip_proto"] in (1, 58):
        # Echo and unreachable; neighbour discovery would have further fields.
        f.update(icmp_type=chance.choice((8, 0, 3) if f["ip_proto"] == 1 else (128, 129, 1)))
        f["icmp_code"] = chance.choice((0, 1))
