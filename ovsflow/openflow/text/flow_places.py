"""Where the values stand in one flow of a reply in which flows of the same shape differ.

Owns the walk over the bytes of a flow (OpenFlow 1.3 and later) and the choice of the values that
say nothing of the rest of the flow: addresses, ports, registers, counters.  What decides how the
rest reads (the Ethernet type, the IP protocol, flags) has no place here: it belongs to the shape.
Knows no word of the language.
"""

import struct
from collections.abc import Iterator
from enum import Enum
from functools import cache
from typing import NamedTuple

from ovsflow.openflow import fields
from ovsflow.openflow.constants import NICIRA, Version
from ovsflow.openflow.flow_stats_entry import FLOW, FLOW15

_HEAD = struct.Struct("!HH")
REG_LOAD, LOAD = struct.Struct("!HHIHHI"), 7
"""NXAST_REG_LOAD up to its value, and its subtype."""
_APPLY, _OUTPUT, _SET_FIELD, _EXPERIMENTER = 4, 0, 25, 0xFFFF
_OF_MASK = 0x100
_REGISTER_PAIRS, _REGISTER = 0x8001, b"\xff\xff\xff\xff"
"""OFPXMC_PACKET_REGS, and the mask of one register."""
_RESERVED = b"\xff\xff\xff"
"""How the numbers of reserved ports begin; outputs to them have words of their own."""
_WIDE = 15
"""As nicira-ext writes it, the width of a load that takes any of `mark`'s values."""


class Kind(Enum):
    """What a value is; how it can be shown follows from this."""

    TABLE = 1
    PRIORITY = 2
    COOKIE = 3
    DURATION = 4
    SECONDS = 5
    NANOSECONDS = 6
    AGE = 7
    COUNT = 8
    PORT = 9
    OUTPUT = 10
    ETHERNET = 11
    IPV4 = 12
    IPV6 = 13
    HEXADECIMAL = 14
    DECIMAL = 15
    VLAN = 16
    UNTOLD = 17


ADDRESSES = (Kind.ETHERNET, Kind.IPV4, Kind.IPV6)
"""Kinds that are shown from their bytes, not from a number."""


class Place(NamedTuple):
    """Where a value stands.

    Attributes:
        kind: What it is.
        at: Its first byte.
        size: Its bytes, those of its mask with them.
        masked: Whether a mask follows it.
    """

    kind: Kind
    at: int
    size: int
    masked: bool = False

    def mark(self, number: int) -> bytes:
        """A value that may stand here and, for numbers below 40, is told from all others."""
        if self.kind == Kind.VLAN:
            return (0x1800 + number).to_bytes(self.size, "big")
        if self.size == 1:
            return bytes([131 + number])
        if not self.masked:
            return (20011 + 101 * number).to_bytes(self.size, "big")
        half = self.size // 2
        mask = (1 << 8 * half) - 2
        return (20012 + 202 * number).to_bytes(half, "big") + mask.to_bytes(half, "big")


_LIFE = ((Kind.DURATION, 0, 8), (Kind.SECONDS, 0, 4), (Kind.NANOSECONDS, 4, 4))

_NUMBERS = (
    Place(Kind.TABLE, 2, 1),
    *(Place(kind, 4 + at, size) for kind, at, size in _LIFE),
    Place(Kind.PRIORITY, 12, 2),
    Place(Kind.COOKIE, 24, 8),
    Place(Kind.COUNT, 32, 8),
    Place(Kind.COUNT, 40, 8),
)
_NUMBERS_15 = (Place(Kind.TABLE, 4, 1), Place(Kind.PRIORITY, 6, 2), Place(Kind.COOKIE, 16, 8))
_COUNTERS: dict[int, tuple[tuple[Kind, int, int], ...]] = {
    0x80020008: _LIFE,
    0x80020208: ((Kind.AGE, 0, 4), (Kind.UNTOLD, 4, 4)),
    0x80020808: ((Kind.COUNT, 0, 8),),
    0x80020A08: ((Kind.COUNT, 0, 8),),
}
"""OpenFlow 1.5's counters by their headers (1.5.1 §7.2.4.2)."""

_REGISTERS = tuple(f"reg{number}" for number in range(16))
_BY_NAME = {
    **dict.fromkeys(("tun_id", "metadata", "pkt_mark", "ct_mark", *_REGISTERS), Kind.HEXADECIMAL),
    **{
        f"{protocol}_{end}": Kind.DECIMAL
        for protocol in ("tcp", "udp", "sctp")
        for end in ("src", "dst")
    },
    **dict.fromkeys(("icmp_type", "icmp_code"), Kind.DECIMAL),
    "in_port_oxm": Kind.PORT,
    "vlan_vid": Kind.VLAN,
}
_BY_FORMAT = {"ethernet": Kind.ETHERNET, "ipv4": Kind.IPV4, "ipv6": Kind.IPV6}


@cache
def _free_fields() -> dict[int, tuple[Kind, bool]]:
    """The fields that have a place, by the four bytes in front of their values."""
    found = {}
    for field in fields.fields():
        kind = _BY_NAME.get(field.name) or _BY_FORMAT.get(field.format)
        for header in field.decodes:
            if kind is None or header >= 1 << 32:
                continue
            found[header] = (kind, False)
            if field.maskable and kind != Kind.VLAN:
                masked = header & ~0xFF | _OF_MASK | 2 * (header & 0xFF)
                found[masked] = (kind, True)
    return found


def places_of(record: bytes, version: int) -> list[Place] | None:
    """The places in one flow, which may be broken; `None` if so, as far as that shows."""
    try:
        return list(_walk(record, version))
    except (struct.error, ValueError):
        return None


def _walk(record: bytes, version: int) -> Iterator[Place]:
    at = FLOW15.size if version >= Version.OF15 else FLOW.size
    yield from _NUMBERS_15 if version >= Version.OF15 else _NUMBERS
    for header, value in _tlvs(record, at):
        kind, masked = _free_fields().get(header, (None, False))
        if kind is not None:
            yield Place(kind, value, header & 0xFF, masked)
        elif header >> 16 == _REGISTER_PAIRS:
            yield from _in_registers(record, value, header)
    at = _behind(record, at)
    if version >= Version.OF15:
        for header, value in _tlvs(record, at):
            for kind, first, size in _COUNTERS.get(header, ()):
                yield Place(kind, value + first, size)
        at = _behind(record, at)
    while at < len(record):
        instruction, length = _HEAD.unpack_from(record, at)
        if instruction == _APPLY:
            yield from _in_actions(record, at + 8, at + length)
        at += _least(length)


def _least(length: int) -> int:
    """A length, if it leads on."""
    if length < _HEAD.size:
        raise ValueError("a length that is none")
    return length


def _behind(record: bytes, at: int) -> int:
    """Where TLVs end, with their padding."""
    return at + (_least(_HEAD.unpack_from(record, at)[1]) + 7) // 8 * 8


def _tlvs(record: bytes, at: int) -> Iterator[tuple[int, int]]:
    """TLVs behind the type and the length of all: the header of each, and where its value is."""
    end = at + _least(_HEAD.unpack_from(record, at)[1])
    at += _HEAD.size
    while at < end:
        header = int.from_bytes(record[at : at + 4], "big")
        at += 4
        yield header, at
        at += header & 0xFF
    if at > end or end > len(record):
        raise ValueError("cut short")


def _in_registers(record: bytes, at: int, header: int) -> Iterator[Place]:
    """Registers that are matched two by two, each wholly or not at all."""
    masks = record[at + 8 : at + 16] if header & _OF_MASK else _REGISTER * 2
    for first in (0, 4):
        if masks[first : first + 4] == _REGISTER:
            yield Place(Kind.HEXADECIMAL, at + first, 4)


def _in_actions(record: bytes, at: int, end: int) -> Iterator[Place]:
    while at < end:
        action, length = _HEAD.unpack_from(record, at)
        if action == _OUTPUT and record[at + 4 : at + 7] != _RESERVED:
            yield Place(Kind.OUTPUT, at + 4, 4)
        elif action == _SET_FIELD:
            header = int.from_bytes(record[at + 4 : at + 8], "big")
            kind, masked = _free_fields().get(header, (None, False))
            if kind not in (None, Kind.VLAN, Kind.PORT) and not masked:
                yield Place(Kind(kind), at + 8, header & 0xFF)
        elif action == _EXPERIMENTER and length == REG_LOAD.size + 8:
            _, _, vendor, subtype, bits, _ = REG_LOAD.unpack_from(record, at)
            if (vendor, subtype) == (NICIRA, LOAD) and bits & 0x3F >= _WIDE:
                yield Place(Kind.HEXADECIMAL, at + REG_LOAD.size, 8)
        at += _least(length)
