"""Those of Nicira's actions that write, move and test fields.

`data` is always the arguments behind the subtype.  Which subtype means what is in `READERS` and
`WRITERS`; `nicira_actions.py` adds the rest.

Source: Open vSwitch, ofp-actions.
"""

import struct
from collections.abc import Iterator

from ovsflow.errors import EncodeError
from ovsflow.openflow import actions as act
from ovsflow.openflow.action_parts import (
    BAD_ARGUMENT,
    BAD_LEN,
    BAD_SET_ARGUMENT,
    ActionReader,
    ActionWriter,
    Nested,
    NestedEncoder,
    field_header,
    field_header32,
    made_subfield,
    nicira_record,
    offset_and_bits,
    read_field,
    read_field32,
    read_move,
    require_zeros,
    split_offset,
    unpack,
)
from ovsflow.openflow.fields import Field
from ovsflow.openflow.match_codec import read_tlv, tlv_bytes
from ovsflow.openflow.wire import Reader, fault, pack, unsigned

_LOAD = struct.Struct("!HIQ")
_MOVE = struct.Struct("!HHH")
_LARGER = struct.Struct("!HH")


def _read_load(data: bytes, version: int, nested: Nested) -> act.Action:
    offset, header, value = unpack(_LOAD, data)
    start, bits = split_offset(offset)
    target = made_subfield(read_field32(header), start, bits, write=True)
    if value >> bits:
        raise fault(BAD_ARGUMENT, f"{value:#x} does not fit in {bits} bits")
    return act.Load(target, value)


def _read_load2(data: bytes, version: int, nested: Nested) -> act.Action:
    reader = Reader(data, "reg_load2", BAD_LEN)
    tlv = read_tlv(reader, action=True)
    field = tlv.field
    assert field is not None
    if any(reader.rest()) or not field.writable:
        raise fault(BAD_SET_ARGUMENT, f"load of {field.name}")
    full = (1 << 8 * tlv.size) - 1 if field.variable else field.full_mask
    mask = None if tlv.mask is None or tlv.mask & full == full else tlv.mask
    return act.SetField(field.name, tlv.value, mask, tlv.size if field.variable else 0)


def encode_load(action: act.Load) -> bytes:
    """reg_load: bits of one field, at most 64."""
    target = action.target
    header = field_header32(target.field)
    return nicira_record(7, pack(_LOAD, "load", offset_and_bits(target), header, action.value))


def encode_loads(action: act.SetField, field: Field) -> bytes:
    """A masked write as reg_loads, one for each run of bits, or else as reg_load2."""
    header = field.nxm_header()
    if header is None:
        raise EncodeError(f"{field.name} has no TLV header")
    if header > 0xFFFFFFFF or field.variable:
        return nicira_record(33, tlv_bytes(field, header, action.value, action.mask, action.size))
    mask = field.full_mask if action.mask is None else action.mask
    return b"".join(
        encode_load(act.Load(part, action.value >> part.start & ((1 << part.len) - 1)))
        for part in _runs(field.name, mask)
    )


def _runs(name: str, mask: int) -> Iterator[act.Subfield]:
    """The runs of ones in a mask, none longer than 64, from the lowest bit on."""
    start = 0
    while mask >> start:
        rest = mask >> start
        start += (rest & -rest).bit_length() - 1
        rest = mask >> start
        run = min((~rest & (rest + 1)).bit_length() - 1, 64)
        yield act.Subfield(name, start, run)
        start += run


def encode_write_of10(action: act.SetField, field: Field) -> bytes:
    """A field that OpenFlow 1.0 has no action of its own for."""
    if action.mask is None and field.name == "tun_id":
        if action.value >> 32:
            return nicira_record(9, bytes(6) + unsigned(action.value, 8, "tun_id"))
        return nicira_record(2, bytes(2) + unsigned(action.value, 4, "tun_id"))
    if action.mask is None and field.name == "mpls_label":
        return nicira_record(30, bytes(2) + unsigned(action.value, 4, "mpls_label"))
    if action.mask is None and field.name == "mpls_tc":
        return nicira_record(31, unsigned(action.value, 1, "mpls_tc") + bytes(5))
    return encode_loads(action, field)


def _read_set_tunnel(data: bytes, version: int, nested: Nested) -> act.Action:
    (tun_id,) = unpack(struct.Struct("!2xI"), data)
    return act.SetField("tun_id", tun_id)


def _read_set_tunnel64(data: bytes, version: int, nested: Nested) -> act.Action:
    (tun_id,) = unpack(struct.Struct("!6xQ"), data)
    return act.SetField("tun_id", tun_id)


def _read_mpls_label(data: bytes, version: int, nested: Nested) -> act.Action:
    (label,) = unpack(struct.Struct("!2xI"), data)
    if label >> 20:
        raise fault(BAD_ARGUMENT, f"MPLS label {label:#x}")
    return act.SetField("mpls_label", label)


def _read_mpls_tc(data: bytes, version: int, nested: Nested) -> act.Action:
    (traffic_class,) = unpack(struct.Struct("!B5x"), data)
    if traffic_class > 7:
        raise fault(BAD_ARGUMENT, f"MPLS traffic class {traffic_class}")
    return act.SetField("mpls_tc", traffic_class)


def _read_dec_ttl(data: bytes, version: int, nested: Nested) -> act.Action:
    unpack(struct.Struct("!6x"), data)
    return act.DecNwTtl()


def _read_dec_ttl_ids(data: bytes, version: int, nested: Nested) -> act.Action:
    reader = Reader(data, "dec_ttl", BAD_LEN)
    (count,) = reader.read(struct.Struct("!H4x"))
    if not count:
        raise fault(BAD_ARGUMENT, "dec_ttl for no controller")
    return act.DecNwTtl(tuple(reader.read(struct.Struct(f"!{count}H"))))


def _write_dec_ttl(action: act.Action, nested: NestedEncoder) -> tuple[int, bytes]:
    assert isinstance(action, act.DecNwTtl)
    if not action.controllers:
        return 18, bytes(6)
    count = len(action.controllers)
    return 21, pack(struct.Struct(f"!H4x{count}H"), "dec_ttl", count, *action.controllers)


def _read_move(data: bytes, version: int, nested: Nested) -> act.Action:
    reader = Reader(data, "move", BAD_LEN)
    bits, source_start, target_start = reader.read(_MOVE)
    return read_move(reader, bits, source_start, target_start)


def encode_move(action: act.Move) -> bytes:
    """reg_move."""
    source, target = action.source, action.target
    data = pack(_MOVE, "move", source.len, source.start, target.start)
    return nicira_record(6, data + field_header(source.field) + field_header(target.field))


def _read_stack(data: bytes, write: bool) -> act.Subfield:
    reader = Reader(data, "stack action", BAD_LEN)
    start = int.from_bytes(reader.take(2), "big")
    field = read_field(reader)
    bits = int.from_bytes(reader.take(2), "big")
    require_zeros(reader.rest())
    return made_subfield(field, start, bits, write=write)


def _read_push(data: bytes, version: int, nested: Nested) -> act.Action:
    return act.StackPush(_read_stack(data, write=False))


def _read_pop(data: bytes, version: int, nested: Nested) -> act.Action:
    return act.StackPop(_read_stack(data, write=True))


def _stack(part: act.Subfield) -> bytes:
    data = unsigned(part.start, 2, "offset") + field_header(part.field)
    return (data + unsigned(part.len, 2, "bits")).ljust(14, b"\0")


def _write_push(action: act.Action, nested: NestedEncoder) -> tuple[int, bytes]:
    assert isinstance(action, act.StackPush)
    return 27, _stack(action.source)


def _write_pop(action: act.Action, nested: NestedEncoder) -> tuple[int, bytes]:
    assert isinstance(action, act.StackPop)
    return 28, _stack(action.target)


def _read_delete_field(data: bytes, version: int, nested: Nested) -> act.Action:
    reader = Reader(data, "delete_field", BAD_LEN)
    field = read_field(reader)
    require_zeros(reader.rest())
    return act.DeleteField(field.name)


def _write_delete_field(action: act.Action, nested: NestedEncoder) -> tuple[int, bytes]:
    assert isinstance(action, act.DeleteField)
    return 50, field_header(action.field).ljust(14, b"\0")


def _read_larger(data: bytes, version: int, nested: Nested) -> act.Action:
    reader = Reader(data, "check_pkt_larger", BAD_LEN)
    length, start = reader.read(_LARGER)
    field = read_field(reader)
    require_zeros(reader.rest())
    return act.CheckPacketLarger(length, made_subfield(field, start, 1, write=True))


def _write_larger(action: act.Action, nested: NestedEncoder) -> tuple[int, bytes]:
    assert isinstance(action, act.CheckPacketLarger)
    data = pack(_LARGER, "check_pkt_larger", action.len, action.target.start)
    return 49, (data + field_header(action.target.field)).ljust(14, b"\0")


READERS: dict[int, ActionReader] = {
    2: _read_set_tunnel,
    6: _read_move,
    7: _read_load,
    9: _read_set_tunnel64,
    18: _read_dec_ttl,
    21: _read_dec_ttl_ids,
    27: _read_push,
    28: _read_pop,
    30: _read_mpls_label,
    31: _read_mpls_tc,
    33: _read_load2,
    49: _read_larger,
    50: _read_delete_field,
}

WRITERS: dict[type[act.Action], ActionWriter] = {
    act.DecNwTtl: _write_dec_ttl,
    act.StackPush: _write_push,
    act.StackPop: _write_pop,
    act.DeleteField: _write_delete_field,
    act.CheckPacketLarger: _write_larger,
}
