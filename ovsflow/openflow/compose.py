"""A frame made up from a match: what a packet with these fields may look like.

Owns `compose`.  Fields that the match leaves open get the value that a host would send (TTL 64,
version and lengths that are right); checksums are filled in.  Reading frames is the datapath's.
"""

import struct

from ovsflow.openflow.match import Match
from ovsflow.openflow.text.keys import (
    ETH_ARP,
    ETH_IP,
    ETH_IPV6,
    ETH_MPLS,
    ETH_MPLS_MULTICAST,
    ETH_PBB,
    ETH_RARP,
    ICMP,
    ICMPV6,
    SCTP,
    TCP,
    UDP,
    VLAN_CFI,
    Keys,
)

_LEAST = 60
_TTL = 64
_TCP_LENGTH_WORDS = 5
_BOTTOM = 1 << 8
_FRAGMENT_LATER = 2
_NEIGHBOUR = (135, 136)


def compose(match: Match) -> bytes | None:
    """A frame whose fields are those of a match; `None` when its EtherType is open."""
    keys = Keys(match)
    eth_type = keys.eth_type()
    if not eth_type or keys.value("packet_type"):
        return None
    head = keys.value("eth_dst").to_bytes(6, "big") + keys.value("eth_src").to_bytes(6, "big")
    tci = keys.value("vlan_tci")
    if tci & VLAN_CFI:
        head += struct.pack("!HH", 0x8100, tci & ~VLAN_CFI)
    frame = head + struct.pack("!H", eth_type) + _payload(keys, eth_type)
    return frame.ljust(_LEAST, b"\0")


def _payload(keys: Keys, eth_type: int) -> bytes:
    if eth_type in (ETH_ARP, ETH_RARP):
        return _arp(keys)
    if eth_type in (ETH_MPLS, ETH_MPLS_MULTICAST):
        return _labels(keys)
    if eth_type == ETH_PBB:
        tag = keys.value("pbb_uca") << 27 | keys.value("pbb_isid")
        return struct.pack("!I12xH", tag, ETH_IP) + _ipv4(Keys())
    if eth_type == ETH_IP:
        return _ipv4(keys)
    if eth_type == ETH_IPV6:
        return _ipv6(keys)
    return b""


def _arp(keys: Keys) -> bytes:
    return (
        struct.pack("!HHBBH", 1, ETH_IP, 6, 4, keys.value("nw_proto"))
        + keys.value("arp_sha").to_bytes(6, "big")
        + keys.value("nw_src").to_bytes(4, "big")
        + keys.value("arp_tha").to_bytes(6, "big")
        + keys.value("nw_dst").to_bytes(4, "big")
    )


def _labels(keys: Keys) -> bytes:
    """One label, or two when the first is said not to be the last; then an IPv4 packet."""
    ttl = keys.value("mpls_ttl") if "mpls_ttl" in keys else _TTL
    entry = keys.value("mpls_label") << 12 | keys.value("mpls_tc") << 9 | ttl
    last = keys.value("mpls_bos") or "mpls_bos" not in keys
    stack = [entry | _BOTTOM] if last else [entry, _BOTTOM | _TTL]
    return b"".join(struct.pack("!I", each) for each in stack) + _ipv4(Keys())


def _ipv4(keys: Keys) -> bytes:
    addresses = keys.value("nw_src").to_bytes(4, "big") + keys.value("nw_dst").to_bytes(4, "big")
    protocol, kind = keys.value("nw_proto"), keys.value("ip_frag")
    body = _transport(keys, protocol, addresses, ETH_IP)
    fragment = (1 if kind & _FRAGMENT_LATER else 0x2000) if kind else 0
    head = struct.pack(
        "!BBHHHBBH",
        0x45,
        keys.value("nw_tos"),
        20 + len(body),
        0,
        fragment,
        _ttl(keys),
        protocol,
        0,
    )
    total = _checksum(head + addresses)
    return head[:10] + struct.pack("!H", total) + addresses + body


def _ipv6(keys: Keys) -> bytes:
    addresses = b"".join(keys.value(f"ipv6_{end}").to_bytes(16, "big") for end in ("src", "dst"))
    protocol = keys.value("nw_proto")
    body = _transport(keys, protocol, addresses, ETH_IPV6)
    kind = keys.value("ip_frag")
    if kind:
        offset = 8 if kind & _FRAGMENT_LATER else 1
        body, protocol = struct.pack("!BBHI", protocol, 0, offset, 0) + body, 44
    first = 6 << 28 | keys.value("nw_tos") << 20 | keys.value("ipv6_label")
    return struct.pack("!IHBB", first, len(body), protocol, _ttl(keys)) + addresses + body


def _ttl(keys: Keys) -> int:
    return keys.value("nw_ttl") if "nw_ttl" in keys else _TTL


def _transport(keys: Keys, protocol: int, addresses: bytes, eth_type: int) -> bytes:
    ports = struct.pack("!HH", keys.value("tp_src"), keys.value("tp_dst"))
    if protocol == TCP:
        flags = _TCP_LENGTH_WORDS << 12 | keys.value("tcp_flags")
        body, at = ports + struct.pack("!8xHHHH", flags, 0xFFFF, 0, 0), 16
    elif protocol == UDP:
        body, at = ports + struct.pack("!HH", 8, 0), 6
    elif protocol == SCTP:
        return ports + bytes(8)
    elif (protocol, eth_type) in ((ICMP, ETH_IP), (ICMPV6, ETH_IPV6)):
        body, at = _icmp(keys, protocol), 2
        addresses = b"" if protocol == ICMP else addresses
    else:
        return b""
    pseudo = addresses + struct.pack("!II", len(body), protocol) if addresses else b""
    total = _checksum(pseudo + body)
    return body[:at] + struct.pack("!H", total or 0xFFFF) + body[at + 2 :]


def _icmp(keys: Keys, protocol: int) -> bytes:
    kind = keys.value("tp_src")
    head = struct.pack("!BBH", kind, keys.value("tp_dst"), 0)
    if protocol == ICMP or kind not in _NEIGHBOUR:
        return head + bytes(4)
    address = keys.value("arp_sha" if kind == _NEIGHBOUR[0] else "arp_tha")
    option = keys.value("nd_options_type") or (1 if kind == _NEIGHBOUR[0] else 2)
    return (
        head
        + keys.value("nd_reserved").to_bytes(4, "big")
        + keys.value("nd_target").to_bytes(16, "big")
        + bytes([option, 1])
        + address.to_bytes(6, "big")
    )


def _checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
