"""Frames written out header by header, and where in them each match field lies.

A place is a byte and a number of bits from its top; nothing here knows how the switch reads
frames.  Checksums are left 0, since matching does not look at them; `summed` fills them in.
"""

from typing import NamedTuple

from tests.switch.frames import internet_checksum

MACS = bytes.fromhex("020000000b0c 020000000d0e".replace(" ", ""))
V4 = bytes([10, 1, 2, 3, 10, 4, 5, 6])
V6 = bytes.fromhex("fd00000000000001000000000000002a fd00000000000002000000000000002b")


def ethernet(eth_type: int, payload: bytes) -> bytes:
    """An untagged frame, padded to 60 bytes."""
    return (MACS + eth_type.to_bytes(2, "big") + payload).ljust(60, b"\0")


def ipv4(protocol: int, payload: bytes, fragment: int = 0, ttl: int = 64) -> bytes:
    """An IPv4 packet with DSCP 46 and ECN 1; `fragment` is the word of flags and offset."""
    head = bytes([0x45, 46 << 2 | 1]) + (20 + len(payload)).to_bytes(2, "big") + b"\0\7"
    return head + fragment.to_bytes(2, "big") + bytes([ttl, protocol, 0, 0]) + V4 + payload


def ipv6(protocol: int, payload: bytes) -> bytes:
    """An IPv6 packet with DSCP 46, ECN 1 and flow label 0x12345."""
    first = 6 << 28 | (46 << 2 | 1) << 20 | 0x12345
    lengths = len(payload).to_bytes(2, "big") + bytes([protocol, 63])
    return first.to_bytes(4, "big") + lengths + V6 + payload


PORTS = bytes([0x12, 0x34, 0x56, 0x78])
TCP = PORTS + bytes(8) + bytes([0x5A, 0x93]) + bytes(6)
UDP = PORTS + bytes([0, 8, 0, 0])
SCTP = PORTS + bytes(8)
ICMP = bytes([8, 5, 0, 0, 0, 1, 0, 2])
_TARGET = bytes.fromhex("fe80000000000000020000fffe00002a")
SOLICIT = bytes([135, 0, 0, 0, 1, 2, 3, 4]) + _TARGET + bytes([1, 1]) + MACS[:6]
ADVERT = bytes([136, 0, 0, 0, 0x60, 2, 3, 4]) + _TARGET + bytes([2, 1]) + MACS[:6]
ARP = bytes([0, 1, 8, 0, 6, 4, 0, 2]) + MACS[6:] + V4[:4] + MACS[:6] + V4[4:]
PBB = bytes([0x28, 0x12, 0x34, 0x56]) + ethernet(0x0800, ipv4(17, UDP))
LABELS = bytes.fromhex("12345a40 00400a3f 000c013e") + ipv4(17, UDP)

FRAMES: dict[str, bytes] = {
    "other": ethernet(0x1234, b"nothing known"),
    "tagged": MACS + bytes.fromhex("8100 6123") + ethernet(0x1234, b"nothing known")[12:],
    "two tags": MACS + bytes.fromhex("88a8 7064 8100 2123") + ethernet(0x1234, b"x")[12:],
    "pbb": ethernet(0x88E7, PBB),
    "mpls": ethernet(0x8847, LABELS),
    "arp": ethernet(0x0806, ARP),
    "tcp": ethernet(0x0800, ipv4(6, TCP)),
    "udp": ethernet(0x0800, ipv4(17, UDP)),
    "sctp": ethernet(0x0800, ipv4(132, SCTP)),
    "icmp": ethernet(0x0800, ipv4(1, ICMP)),
    "tcp6": ethernet(0x86DD, ipv6(6, TCP)),
    "icmp6": ethernet(0x86DD, ipv6(58, ICMP)),
    "solicit": ethernet(0x86DD, ipv6(58, SOLICIT)),
    "advert": ethernet(0x86DD, ipv6(58, ADVERT)),
    "first fragment": ethernet(0x0800, ipv4(17, UDP, 0x2000)),
    "later fragment": ethernet(0x0800, ipv4(17, UDP, 0x0003)),
    "extensions": ethernet(
        0x86DD, ipv6(0, bytes([60, 0]) + bytes(6) + bytes([6, 0]) + bytes(6) + TCP)
    ),
}


class Place(NamedTuple):
    """Where a field lies: `bits` bits from bit `skip` (0 is the top one) of byte `byte` on.

    The value on the wire of OpenFlow is those bits, moved left by `shift`, with `fixed` set.
    """

    frame: str
    byte: int
    bits: int
    skip: int = 0
    shift: int = 0
    fixed: int = 0

    def value(self) -> int:
        """The field's value in the frame."""
        whole = int.from_bytes(FRAMES[self.frame], "big") >> self._below()
        return (whole & ((1 << self.bits) - 1)) << self.shift | self.fixed

    def flipped(self, bit: int) -> bytes:
        """The frame with one bit of the field turned over; 0 is its lowest."""
        frame = FRAMES[self.frame]
        whole = int.from_bytes(frame, "big") ^ 1 << (self._below() + bit)
        return whole.to_bytes(len(frame), "big")

    def written(self, value: int, mask: int = -1) -> bytes:
        """The frame with other bits in the field, where `mask` has ones."""
        frame = FRAMES[self.frame]
        ones = (1 << self.bits) - 1 & mask >> self.shift
        new = (value >> self.shift & ones) << self._below()
        whole = int.from_bytes(frame, "big") & ~(ones << self._below()) | new
        return whole.to_bytes(len(frame), "big")

    def _below(self) -> int:
        return 8 * (len(FRAMES[self.frame]) - self.byte) - self.skip - self.bits


PLACES: dict[str, tuple[Place, ...]] = {
    "eth_dst": (Place("other", 0, 48), Place("tagged", 0, 48)),
    "eth_src": (Place("other", 6, 48), Place("pbb", 6, 48)),
    "eth_type": (Place("other", 12, 16), Place("tagged", 16, 16), Place("two tags", 20, 16)),
    # The bit between priority and number says that there is a tag, whatever the tag says.
    "vlan_tci": (
        Place("tagged", 14, 3, shift=13, fixed=0x1123),
        Place("tagged", 14, 12, 4, 0, 0x7000),
    ),
    "vlan_vid": (Place("tagged", 14, 12, 4, 0, 0x1000), Place("two tags", 14, 12, 4, 0, 0x1000)),
    "vlan_pcp": (Place("tagged", 14, 3), Place("two tags", 14, 3)),
    "pbb_uca": (Place("pbb", 14, 1, 4),),
    "pbb_isid": (Place("pbb", 15, 24),),
    "mpls_label": (Place("mpls", 14, 20),),
    "mpls_tc": (Place("mpls", 16, 3, 4),),
    "mpls_bos": (Place("mpls", 16, 1, 7),),
    "mpls_ttl": (Place("mpls", 17, 8),),
    "arp_op": (Place("arp", 21, 8),),
    "arp_sha": (Place("arp", 22, 48),),
    "arp_spa": (Place("arp", 28, 32),),
    "arp_tha": (Place("arp", 32, 48),),
    "arp_tpa": (Place("arp", 38, 32),),
    "ip_src": (Place("udp", 26, 32), Place("later fragment", 26, 32)),
    "ip_dst": (Place("udp", 30, 32), Place("icmp", 30, 32)),
    "ipv6_src": (Place("tcp6", 22, 128), Place("extensions", 22, 128)),
    "ipv6_dst": (Place("tcp6", 38, 128), Place("solicit", 38, 128)),
    "ipv6_label": (Place("tcp6", 15, 20, 4),),
    "nw_tos": (Place("udp", 15, 6, shift=2), Place("tcp6", 14, 6, 4, 2)),
    "ip_dscp": (Place("udp", 15, 6), Place("tcp6", 14, 6, 4)),
    "nw_ecn": (Place("udp", 15, 2, 6), Place("tcp6", 15, 2, 2)),
    "nw_ttl": (Place("udp", 22, 8), Place("tcp6", 21, 8)),
    "nw_proto": (Place("udp", 23, 8), Place("tcp6", 20, 8), Place("extensions", 62, 8)),
    "tcp_src": (Place("tcp", 34, 16), Place("tcp6", 54, 16), Place("extensions", 70, 16)),
    "tcp_dst": (Place("tcp", 36, 16), Place("tcp6", 56, 16)),
    "tcp_flags": (Place("tcp", 46, 12, 4), Place("tcp6", 66, 12, 4)),
    "udp_src": (Place("udp", 34, 16),),
    "udp_dst": (Place("udp", 36, 16),),
    "sctp_src": (Place("sctp", 34, 16),),
    "sctp_dst": (Place("sctp", 36, 16),),
    "icmp_type": (Place("icmp", 34, 8),),
    "icmp_code": (Place("icmp", 35, 8),),
    "icmpv6_type": (Place("icmp6", 54, 8), Place("solicit", 54, 8)),
    "icmpv6_code": (Place("icmp6", 55, 8),),
    "nd_target": (Place("solicit", 62, 128), Place("advert", 62, 128)),
    "nd_sll": (Place("solicit", 80, 48),),
    "nd_tll": (Place("advert", 80, 48),),
    "nd_reserved": (Place("solicit", 58, 32), Place("advert", 58, 32)),
    "nd_options_type": (Place("solicit", 78, 8), Place("advert", 78, 8)),
}
"""Every field that is in a frame, and frames it can be read from."""


def crc32c(data: bytes) -> int:
    """SCTP's checksum (RFC 9260, appendix A), bit by bit."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


# Where in a transport header its checksum stands.
_SUMS = {1: 2, 6: 16, 17: 6, 58: 2}


def summed(frame: bytes) -> bytes:
    """The frame with every checksum computed from scratch.

    Behind VLAN tags, labels, service tags and plain IPv6 extension headers too.
    """
    at, ip = _network(frame)
    if not ip:
        return frame
    head, v4 = frame[at:], ip == 4
    if v4:
        blank = head[:10] + b"\0\0" + head[12:20]
        head = blank[:10] + internet_checksum(blank).to_bytes(2, "big") + head[12:]
        start, protocol, addresses = 20, head[9], head[12:20]
        end = int.from_bytes(head[2:4], "big")
    else:
        start, protocol, addresses = 40, head[6], head[8:40]
        end = start + int.from_bytes(head[4:6], "big")
        while protocol in (0, 43, 60):
            protocol, start = head[start], start + 8 + 8 * head[start + 1]
    if v4 and int.from_bytes(head[6:8], "big") & 0x3FFF:
        return frame[:at] + head
    body, rest = head[start:end], head[end:]
    if protocol == 132:
        body = body[:8] + bytes(4) + body[12:]
        body = body[:8] + crc32c(body).to_bytes(4, "little") + body[12:]
    elif protocol in _SUMS:
        place = _SUMS[protocol]
        body = body[:place] + b"\0\0" + body[place + 2 :]
        pseudo = b"" if protocol == 1 else addresses + len(body).to_bytes(4, "big")
        total = internet_checksum(pseudo + (bytes([0, protocol]) if pseudo else b"") + body)
        if protocol == 17 and total == 0:
            total = 0xFFFF
        body = body[:place] + total.to_bytes(2, "big") + body[place + 2 :]
    return frame[:at] + head[:start] + body + rest


def _network(frame: bytes) -> tuple[int, int]:
    """Where the IP header begins and its version; version 0 if there is none."""
    at = 12
    while frame[at : at + 2] in (b"\x81\0", b"\x88\xa8"):
        at += 4
    kind = int.from_bytes(frame[at : at + 2], "big")
    at += 2
    if kind in (0x8847, 0x8848):
        while not frame[at + 2] & 1:
            at += 4
        at += 4
        return at, frame[at] >> 4
    if kind == 0x88E7:
        inner, version = _network(frame[at + 4 :])
        return at + 4 + inner, version
    return at, {0x0800: 4, 0x86DD: 6}.get(kind, 0)
