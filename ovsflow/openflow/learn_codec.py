"""The arguments of the learn action as bytes.

A learned flow is a list of specs, each 16 bits of header, a source and a target; a header of zeros
begins the padding.

Source: Open vSwitch, ofp-actions (NXAST_LEARN, NXAST_LEARN2).
"""

import struct

from ovsflow.errors import EncodeError
from ovsflow.openflow.action_parts import (
    BAD_ARGUMENT,
    BAD_LEN,
    field_header,
    made_subfield,
    read_field,
    read_short_field,
    require_zeros,
)
from ovsflow.openflow.actions import (
    Immediate,
    Learn,
    LearnLoad,
    LearnMatch,
    LearnOutput,
    LearnSpec,
    Subfield,
)
from ovsflow.openflow.wire import Reader, fault, pack, unsigned

_LEARN = 16
_LEARN2 = 45
_FIXED = struct.Struct("!HHHQHBxHH")
_LIMIT = struct.Struct("!IH2x")
_WRITE_RESULT = 4

_IMMEDIATE = 1 << 13
_BITS = 0x7FF
_MATCH, _LOAD, _OUTPUT = 0, 1, 2


def decode_learn(data: bytes, *, limited: bool) -> Learn:
    """Reads the arguments; `limited` is the form with a limit and a result bit."""
    reader = Reader(data, "learn", BAD_LEN)
    idle, hard, priority, cookie, flags, table, fin_idle, fin_hard = reader.read(_FIXED)
    if table == 0xFF:
        raise fault(BAD_ARGUMENT, "learn into table 255")
    limit, result = 0, None
    if limited:
        limit, start = reader.read(_LIMIT)
        if flags & _WRITE_RESULT:
            result = made_subfield(read_field(reader), start, 1, write=True)
    if flags & ~(7 if limited else 3):
        raise fault(BAD_ARGUMENT, f"learn with flags {flags:#x}")
    specs = []
    while reader.left >= 2:
        header = int.from_bytes(reader.take(2), "big")
        if not header:
            break
        specs.append(_read_spec(header, reader))
    require_zeros(reader.rest())
    return Learn(
        tuple(specs), table, idle, hard, priority, cookie, flags, fin_idle, fin_hard, limit, result
    )


def _read_spec(header: int, reader: Reader) -> LearnSpec:
    bits = header & _BITS
    kind = header >> 11 & 3
    if header >> 14 or kind > _OUTPUT or not bits:
        raise fault(BAD_ARGUMENT, f"learn with a part of header {header:#x}")
    source: Subfield | Immediate
    if header & _IMMEDIATE:
        source = Immediate(int.from_bytes(reader.take(_immediate_bytes(bits)), "big"), bits)
        if source.value >> bits:
            raise fault(BAD_ARGUMENT, f"{source.value:#x} does not fit in {bits} bits")
    else:
        source = _read_subfield(reader, bits)
    if kind == _OUTPUT:
        return LearnSpec(source, LearnOutput())
    if kind == _MATCH:
        return LearnSpec(source, LearnMatch(_read_subfield(reader, bits)))
    return LearnSpec(source, LearnLoad(_read_subfield(reader, bits, write=True)))


def _read_subfield(reader: Reader, bits: int, *, write: bool = False) -> Subfield:
    field = read_short_field(reader)
    start = int.from_bytes(reader.take(2), "big")
    return made_subfield(field, start, bits, write=write)


def _immediate_bytes(bits: int) -> int:
    return (bits + 15) // 16 * 2


def encode_learn(action: Learn) -> tuple[int, bytes]:
    """The subtype that can say it, and the arguments."""
    limited = bool(action.limit or action.result is not None)
    flags = action.flags | (_WRITE_RESULT if action.result is not None else 0)
    data = pack(
        _FIXED,
        "learn",
        action.idle_timeout,
        action.hard_timeout,
        action.priority,
        action.cookie,
        flags,
        action.table,
        action.fin_idle_timeout,
        action.fin_hard_timeout,
    )
    if limited:
        start = 0 if action.result is None else action.result.start
        data += pack(_LIMIT, "learn", action.limit, start)
        if action.result is not None:
            data += field_header(action.result.field)
    for spec in action.specs:
        data += _spec_bytes(spec)
    return _LEARN2 if limited else _LEARN, data


def _spec_bytes(spec: LearnSpec) -> bytes:
    source, target = spec.source, spec.target
    bits = source.bits if isinstance(source, Immediate) else source.len
    kind = _OUTPUT
    if not isinstance(target, LearnOutput):
        kind = _MATCH if isinstance(target, LearnMatch) else _LOAD
        if target.target.len != bits:
            raise EncodeError(
                f"learn: {bits} bits into {target.target.len} of {target.target.field}"
            )
    if not 0 < bits <= _BITS:
        raise EncodeError(f"learn: a part of {bits} bits")
    immediate = _IMMEDIATE if isinstance(source, Immediate) else 0
    data = unsigned(immediate | kind << 11 | bits, 2, "learn")
    if isinstance(source, Immediate):
        data += unsigned(source.value, _immediate_bytes(bits), "learn value")
    else:
        data += _subfield_bytes(source)
    return data if isinstance(target, LearnOutput) else data + _subfield_bytes(target.target)


def _subfield_bytes(part: Subfield) -> bytes:
    return field_header(part.field) + unsigned(part.start, 2, "offset")
