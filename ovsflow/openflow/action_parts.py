"""What actions are made of on the wire: subfields, TLV headers, and the errors that answer.

Shared by the standard's actions (`action_codec.py`), Nicira's (`nicira_actions.py`) and the learn
action (`learn_codec.py`).
"""

import struct
from collections.abc import Callable, Sequence

from ovsflow.errors import EncodeError
from ovsflow.openflow.actions import Action, Move, Subfield
from ovsflow.openflow.constants import NICIRA, ErrorType
from ovsflow.openflow.fields import Field, by_name, header_bytes
from ovsflow.openflow.match_codec import BAD_FIELD, BAD_SET_TYPE, read_header
from ovsflow.openflow.wire import Fault, Reader, fault, pack, padding

BAD_TYPE: Fault = (int(ErrorType.BAD_ACTION), 0)
BAD_LEN: Fault = (int(ErrorType.BAD_ACTION), 1)
BAD_EXPERIMENTER: Fault = (int(ErrorType.BAD_ACTION), 2)
BAD_EXPERIMENTER_TYPE: Fault = (int(ErrorType.BAD_ACTION), 3)
BAD_ARGUMENT: Fault = (int(ErrorType.BAD_ACTION), 5)
BAD_SET_LEN: Fault = (int(ErrorType.BAD_ACTION), 14)
BAD_SET_ARGUMENT: Fault = (int(ErrorType.BAD_ACTION), 15)
BAD_SET_MASK: Fault = (int(ErrorType.EXPERIMENTER), 4250)
"""OFPBAC_BAD_SET_MASK, which is ONF's before OpenFlow 1.5."""

MUST_BE_ZERO: Fault = (int(ErrorType.EXPERIMENTER), 4)
"""NXBRC_MUST_BE_ZERO."""

MAX_NESTING = 64
"""Most lists of actions inside one another (clone in clone)."""

Nested = Callable[[bytes], tuple[Action, ...]]
"""Reads a list of actions inside another."""

NestedEncoder = Callable[[Sequence[Action]], bytes]
"""Writes a list of actions inside another."""

ActionReader = Callable[[bytes, int, Nested], Action]
"""Reads an experimenter action's arguments, in a version."""

ActionWriter = Callable[[Action, NestedEncoder], tuple[int, bytes]]
"""The subtype and arguments of an experimenter action."""

_NICIRA = struct.Struct("!HHIH")
_COPY_FIELD = struct.Struct("!HHH2x")


def unpack(layout: struct.Struct, body: bytes, what: str = "action") -> tuple[int, ...]:
    """The numbers of an action whose length must be exactly right."""
    if len(body) != layout.size:
        raise fault(BAD_LEN, f"{what} with {len(body)} bytes of arguments")
    return layout.unpack(body)


def nicira_record(subtype: int, arguments: bytes) -> bytes:
    """One of Nicira's actions whole, filled up to a multiple of 8."""
    length = _NICIRA.size + len(arguments)
    length += len(padding(length))
    header = pack(_NICIRA, "action", 0xFFFF, length, NICIRA, subtype)
    return header + arguments.ljust(length - _NICIRA.size, b"\0")


def whole_field(name: str) -> Field:
    """The field of that name, for encoding."""
    field = by_name(name)
    if field is None:
        raise EncodeError(f"there is no field {name}")
    return field


def width(field: Field) -> int:
    """Bits of a field that subfields count; the padding of its TLV is not among them."""
    return field.full_mask.bit_length() if not field.variable else field.bits


def offset_and_bits(part: Subfield) -> int:
    """Lowest bit and number of bits in the 16 bits that Nicira's actions use."""
    if part.len > 64 or part.start > 0x3FF:
        raise EncodeError(f"{part.field}: {part.len} bits from bit {part.start} do not fit")
    return part.start << 6 | part.len - 1


def split_offset(number: int) -> tuple[int, int]:
    """The reverse of `offset_and_bits`: lowest bit, number of bits."""
    return number >> 6, (number & 0x3F) + 1


def made_subfield(field: Field, start: int, bits: int, *, write: bool = False) -> Subfield:
    """A subfield that was read, if the field has those bits and may be written."""
    if not bits or start + bits > width(field):
        raise fault(BAD_SET_LEN, f"{field.name} has no {bits} bits from bit {start}")
    if write and not field.writable:
        raise fault(BAD_SET_ARGUMENT, f"{field.name} is read-only")
    return Subfield(field.name, start, bits)


def read_field(reader: Reader) -> Field:
    """A field named by a TLV header of 4 or 8 bytes."""
    return _named(reader, BAD_FIELD)


def read_short_field(reader: Reader) -> Field:
    """A field named by a TLV header in an action that once knew only those of 4 bytes."""
    return _named(reader, BAD_SET_TYPE)


def _named(reader: Reader, unknown: Fault) -> Field:
    header, masked, field = read_header(reader)
    if field is None:
        raise fault(unknown, f"unknown field {header:#x}")
    if masked:
        raise fault(BAD_SET_ARGUMENT, f"{field.name}: a header with a mask bit names no field")
    return field


def read_field32(number: int) -> Field:
    """A field named by a TLV header in 32 bits."""
    return read_short_field(Reader(number.to_bytes(4, "big"), "action", BAD_LEN))


def field_header(name: str) -> bytes:
    """The header, 4 or 8 bytes, by which Nicira's actions name a field."""
    field = whole_field(name)
    header = field.nxm_header()
    if header is None:
        raise EncodeError(f"{name} has no TLV header")
    return header_bytes(header, masked=False)


def field_header32(name: str) -> int:
    """The header by which Nicira's older actions, which have only 32 bits for it, name a field."""
    data = field_header(name)
    if len(data) != 4:
        raise EncodeError(f"{name} has a long TLV header, which this action cannot hold")
    return int.from_bytes(data, "big")


def require_zeros(data: bytes) -> None:
    """Raises unless the padding is zero."""
    if any(data):
        raise fault(MUST_BE_ZERO, "padding that is not zero", NICIRA)


def decode_copy_field(body: bytes) -> Move:
    """Reads the arguments of copy_field: bits, offsets, and two TLV headers.

    Source: OpenFlow 1.5.1 §7.2.6.8.
    """
    reader = Reader(body, "copy_field", BAD_LEN)
    bits, source_start, target_start = reader.read(_COPY_FIELD)
    return read_move(reader, bits, source_start, target_start)


def read_move(reader: Reader, bits: int, source_start: int, target_start: int) -> Move:
    """Reads two TLV headers and the zeros behind them."""
    source = made_subfield(read_field(reader), source_start, bits)
    target = made_subfield(read_field(reader), target_start, bits, write=True)
    require_zeros(reader.rest())
    return Move(source, target)


def encode_copy_field(action: Move, version: int) -> bytes:
    """Writes the arguments of copy_field, without the padding at the end."""
    source, target = action.source, action.target
    data = pack(_COPY_FIELD, "copy_field", source.len, source.start, target.start)
    for part in (source, target):
        header = whole_field(part.field).header(version)
        if header is None:
            raise EncodeError(f"{part.field} has no TLV header")
        data += header_bytes(header, masked=False)
    return data
