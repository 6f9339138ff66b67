"""Random frames of the kinds that matches speak of: sound ones, fragments, cut and broken ones."""

import struct
from collections.abc import Callable
from ipaddress import ip_address

from tests.differential.values import DSCPS, LABELS, PORTS, TTLS, VIDS, Chance
from tests.switch.frames import internet_checksum

FLAG_BITS = (0x002, 0x010, 0x012, 0x011, 0x004, 0x018, 0x0C2, 0x000)


def random_frame(
    chance: Chance, kind: str, snap: bool = True, short: bool = True, most_tags: int = 3
) -> bytes:
    """A frame of a kind of match, now and then with something wrong with it.

    Without `snap` there are no 802.2 frames, without `short` no cut IP headers, and no frame has
    more than `most_tags`.
    """
    body = _body(chance, kind)
    while not snap and body[:2] < b"\x06\x00":
        body = _body(chance, kind)
    frame = _addresses(chance) + _tags(chance, most_tags) + body
    if chance.often(0.05):
        frame = frame[: chance.pick((14, 15, 17, 18, 20, 22, 26, 34, 36, 38, 42, 54, 58, 62))]
    elif chance.often(0.05):
        at = 14 + chance.below(max(1, min(len(frame) - 14, 60)))
        frame = frame[:at] + chance.random.randbytes(1) + frame[at + 1 :]
    if _is_left_out(frame, short):
        return random_frame(chance, kind, snap, short, most_tags)
    if len(frame) < 14:
        frame += bytes(14 - len(frame))
    return frame


def _is_left_out(frame: bytes, short: bool) -> bool:
    """Whether what should be an IP header is another one or not whole, or a label is cut short.

    With `short`, IP headers may be cut, and tell wrong lengths.  Tags with DEI are left out, too.
    """
    at = 12
    while frame[at : at + 2] in (b"\x81\x00", b"\x88\xa8"):
        if frame[at + 2 : at + 3] and frame[at + 2] & 0x10:
            return True
        at += 4
    ethertype, rest = frame[at : at + 2], frame[at + 2 :]
    if ethertype in (b"\x88\x47", b"\x88\x48"):
        return len(rest) < 4
    if ethertype == b"\x08\x00":
        length = int.from_bytes(rest[2:4], "big")
        whole = len(rest) >= 20 and 20 <= length <= len(rest)
        return (rest[:1] != b"" and rest[0] >> 4 != 4) or not (short or whole)
    if ethertype == b"\x86\xdd":
        whole = len(rest) >= 40 and int.from_bytes(rest[4:6], "big") <= len(rest) - 40
        return (rest[:1] != b"" and rest[0] >> 4 != 6) or not (short or whole)
    return ethertype == b"\x08\x06" and rest[6:7] not in (b"", b"\x00")


def _addresses(chance: Chance) -> bytes:
    return _mac(chance.ethernet()) + _mac(chance.ethernet())


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def _tags(chance: Chance, most: int) -> bytes:
    """No tag, one or more."""
    count = min(most, chance.pick((0, 0, 0, 0, 1, 1, 2, 3)))
    tags = b""
    for _ in range(count):
        tpid = chance.pick((0x8100, 0x8100, 0x88A8))
        tci = chance.below(8) << 13 | chance.pick(VIDS)
        tags += struct.pack("!HH", tpid, tci)
    return tags


def _body(chance: Chance, kind: str) -> bytes:
    """EtherType and what follows."""
    maker = _BODIES.get(kind)
    if maker is not None:
        return maker(chance)
    if kind == "any":
        return _body(chance, chance.pick([*sorted(_BODIES), "tcp", "udp6", "icmp"]))
    if kind in ("ip", "tcp", "udp", "sctp", "icmp"):
        return b"\x08\x00" + _ipv4(chance, kind)
    return b"\x86\xdd" + _ipv6(chance, kind)


def _arp(chance: Chance) -> bytes:
    operation = chance.pick((1, 1, 2, 2, 3, 9))
    return struct.pack("!HHHBBH", 0x0806, 1, 0x0800, 6, 4, operation) + _arp_addresses(chance)


def _rarp(chance: Chance) -> bytes:
    head = struct.pack("!HHHBBH", 0x8035, 1, 0x0800, 6, 4, chance.pick((3, 4)))
    return head + _arp_addresses(chance)


def _arp_addresses(chance: Chance) -> bytes:
    pairs = (_mac(chance.ethernet()) + _four(chance) for _ in range(2))
    return b"".join(pairs) + bytes(chance.pick((0, 18)))


def _four(chance: Chance) -> bytes:
    return ip_address(chance.ipv4()).packed


def _six(chance: Chance) -> bytes:
    return ip_address(chance.ipv6()).packed


def _other(chance: Chance) -> bytes:
    """LLDP, unknown types, 802.2 with and without SNAP."""
    payload = chance.random.randbytes(46)
    snap = struct.pack("!HBBB3sH", 54, 0xAA, 0xAA, 3, bytes(3), chance.pick((0x0800, 0x1234)))
    return chance.pick(
        (
            b"\x88\xcc" + payload,
            b"\x12\x34" + payload,
            b"\x89\x02" + payload,
            struct.pack("!H", 46) + payload,
            snap + payload,
        )
    )


def _mpls(chance: Chance) -> bytes:
    """One to five labels before IPv4, IPv6 or something else."""
    depth = chance.pick((1, 1, 2, 3))
    stack = b""
    for place in range(depth):
        bottom = int(place == depth - 1)
        label = chance.pick(LABELS) << 12 | chance.below(8) << 9 | bottom << 8 | chance.pick(TTLS)
        stack += struct.pack("!I", label)
    kind = chance.pick(("tcp", "udp", "icmp", "tcp6", "udp6", ""))
    inside = _ipv6(chance, kind) if kind.endswith("6") else chance.random.randbytes(40)
    if kind in ("tcp", "udp", "icmp"):
        inside = _ipv4(chance, kind)
    return chance.pick((b"\x88\x47", b"\x88\x47", b"\x88\x48")) + stack + inside


_BODIES: dict[str, Callable[[Chance], bytes]] = {
    "arp": _arp,
    "rarp": _rarp,
    "other": _other,
    "mpls": _mpls,
    "mplsm": _mpls,
}


def _ipv4(chance: Chance, kind: str) -> bytes:
    """An IPv4 packet."""
    source, destination = _four(chance), _four(chance)
    protocol = _protocol(chance, kind, False)
    fragment = chance.pick((0, 0, 0, 0, 0x4000, 0x4000, 0x2000, 0x2003, 0x0005))
    body = _transport(chance, protocol, source + destination, bool(fragment & 0x3FFF))
    body = body[:7] if fragment & 0x3FFF else body
    options = b"\x01\x01\x01\x00" if chance.often(0.08) else b""
    tos = chance.pick(DSCPS) << 2 | chance.below(4)
    length = 20 + len(options) + len(body)
    if chance.often(0.03):
        length = chance.pick((0, 19, length - 1, length + 5))
    head = struct.pack(
        "!BBHHHBBH",
        0x45 + len(options) // 4,
        tos,
        length & 0xFFFF,
        7,
        fragment,
        chance.pick(TTLS),
        protocol,
        0,
    )
    head += source + destination + options
    total = internet_checksum(head)
    packet = head[:10] + struct.pack("!H", total) + head[12:] + body
    return packet + bytes(chance.pick((0, 0, 0, 6)))


def _ipv6(chance: Chance, kind: str) -> bytes:
    """An IPv6 packet, sometimes with extension headers."""
    source, destination = _six(chance), _six(chance)
    protocol = _protocol(chance, kind, True)
    body = _neighbour(chance, source + destination) if kind == "nd" else b""
    extended = chance.often(0.2)
    offset = chance.pick((0x0001, 0x0008, 0x0009))
    fragment = extended and chance.often(0.6)
    body = body or _transport(chance, protocol, source + destination, fragment)
    following = protocol
    if fragment:
        body = body[:7]
    if extended and chance.often(0.5):
        body = bytes([following, 0, 0, 0, 0, 0, 0, 0]) + body
        following = chance.pick((0, 60, 43))
    if fragment:
        body = struct.pack("!BBHI", following, 0, offset, 99) + body
        following = 44
    tos = chance.pick(DSCPS) << 2 | chance.below(4)
    first = 6 << 28 | tos << 20 | chance.pick((0, 5, 0xABCDE))
    length = len(body) if extended or chance.often(0.97) else chance.pick((0, 1, len(body) + 4))
    head = struct.pack("!IHBB", first, length, following, chance.pick(TTLS))
    return head + source + destination + body


def _protocol(chance: Chance, kind: str, six: bool) -> int:
    name = kind.removesuffix("6")
    known = {"tcp": 6, "udp": 17, "sctp": 132, "icmp": 58 if six else 1, "nd": 58}.get(name)
    if known is not None:
        return known
    choices = (6, 17, 132, 58, 47, 59, 50) if six else (1, 6, 17, 132, 2, 47, 50)
    return chance.pick(choices)


def _transport(chance: Chance, protocol: int, addresses: bytes, fragment: bool) -> bytes:
    """What lies behind the IP header, its checksum right; of a fragment, only some bytes."""
    ports = struct.pack("!HH", chance.pick(PORTS), chance.pick(PORTS))
    payload = chance.payload()
    if protocol == 6:
        flags = 0x5000 | (0 if fragment else chance.pick(FLAG_BITS))
        body = ports + struct.pack("!IIHHHH", 1, 2, flags, 4096, 0, 0) + payload
        return _filled(body, 16, addresses, protocol)
    if protocol == 17:
        body = ports + struct.pack("!HH", 8 + len(payload), 0) + payload
        return body if chance.often(0.1) else _filled(body, 6, addresses, protocol)
    if protocol == 132:
        return ports + struct.pack("!II", 1, 0x12345678) + payload
    if protocol == 1:
        kind = chance.pick((0, 3, 8, 11))
        return _filled(bytes([kind, chance.below(2)]) + bytes(6) + payload, 2, b"", protocol)
    if protocol == 58:
        kind = chance.pick((1, 128, 129))
        return _filled(bytes([kind, chance.below(2)]) + bytes(6) + payload, 2, addresses, protocol)
    return payload


def _neighbour(chance: Chance, addresses: bytes) -> bytes:
    """A neighbour solicitation or advertisement, with or without its option."""
    kind, option = chance.pick(((135, 1), (136, 2)))
    body = bytes([kind, 0, 0, 0]) + struct.pack("!I", chance.pick((0, 0x60000000))) + _six(chance)
    for place in range(chance.pick((0, 1, 1, 1, 2))):
        number = (option if chance.often(0.8) else 3 - option) if place == 0 else 14
        body += bytes([number, 1]) + _mac(chance.ethernet())
    return _filled(body, 2, addresses, 58)


def _filled(body: bytes, at: int, addresses: bytes, protocol: int) -> bytes:
    """Puts the checksum in; over a pseudo-header if there are addresses."""
    pseudo = addresses + struct.pack("!IHH", len(body), 0, protocol) if addresses else b""
    total = internet_checksum(pseudo + body)
    if protocol == 17 and total == 0:
        total = 0xFFFF
    return body[:at] + struct.pack("!H", total) + body[at + 2 :]
