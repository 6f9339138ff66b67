"""Nicira's and ONF's actions as bytes.

One table maps a subtype to its reader, one an action's class to its writer.  `body` is always what
follows the action's type and length: experimenter id, subtype, arguments.

Source: Open vSwitch, ofp-actions; reference for the numbers: ovs-actions(7).
"""

import struct
from dataclasses import astuple

from ovsflow.openflow import actions as act
from ovsflow.openflow import learn_codec, nicira_field_actions
from ovsflow.openflow.action_parts import (
    BAD_ARGUMENT,
    BAD_EXPERIMENTER,
    BAD_EXPERIMENTER_TYPE,
    BAD_LEN,
    BAD_SET_LEN,
    ActionReader,
    ActionWriter,
    Nested,
    NestedEncoder,
    decode_copy_field,
    field_header,
    field_header32,
    made_subfield,
    nicira_record,
    offset_and_bits,
    read_field,
    read_field32,
    require_zeros,
    split_offset,
    unpack,
)
from ovsflow.openflow.constants import NICIRA, NO_MAX_LEN, ONF, PortNumber, Version
from ovsflow.openflow.match_codec import port_from_16, port_to_16
from ovsflow.openflow.wire import (
    Reader,
    decode_properties,
    encode_property,
    fault,
    pack,
    padding,
    unsigned,
)

_EXPERIMENTER = 0xFFFF
_COPY_FIELD = 3200
_CURRENT_TABLE = 0xFF
BAD_CONJUNCTION = (0xFFFF, 15)
"""NXBAC_BAD_CONJUNCTION."""
_IN_PORT16 = PortNumber.IN_PORT & 0xFFFF
_IN_PORT_HEADER = 0x00000002

# Actions whose arguments are plain numbers: subtype, arguments, last version, first version.
_PLAIN: dict[type[act.Action], tuple[int, struct.Struct, int, int]] = {
    act.PopQueue: (5, struct.Struct("!6x"), 6, 1),
    act.Exit: (17, struct.Struct("!6x"), 6, 1),
    act.CtClear: (43, struct.Struct("!6x"), 6, 1),
    act.DecNshTtl: (48, struct.Struct("!6x"), 6, 4),
    act.FinTimeout: (19, struct.Struct("!HH2x"), 6, 1),
    act.Decap: (47, struct.Struct("!2xI"), 6, 4),
    act.SetQueue: (4, struct.Struct("!2xI"), 1, 1),
    act.PushMpls: (23, struct.Struct("!H4x"), 1, 1),
    act.PopMpls: (24, struct.Struct("!H4x"), 1, 1),
    act.SetMplsTtl: (25, struct.Struct("!B5x"), 1, 1),
    act.DecMplsTtl: (26, struct.Struct("!6x"), 1, 1),
    act.Group: (40, struct.Struct("!2xI"), 1, 1),
}
_PLAIN_BY_SUBTYPE = {row[0]: (kind, *row[1:]) for kind, row in _PLAIN.items()}

_RESUBMIT = struct.Struct("!HB3x")
_CONTROLLER = struct.Struct("!HHBx")
_OUTPUT_REG = struct.Struct("!HIH6x")
_OUTPUT_REG2 = struct.Struct("!HH")
_OUTPUT_TRUNC = struct.Struct("!HI")
_MULTIPATH = struct.Struct("!HH2xHHI2xHI")
_BUNDLE = struct.Struct("!HHHIHHI4x")
_CONJUNCTION = struct.Struct("!BBI")
_CT = struct.Struct("!HIHB3xH")
_NAT = struct.Struct("!2xHH")
_ENCAP = struct.Struct("!HI")
_ENCAP_PROPERTY = struct.Struct("!HBB")


def decode_experimenter(body: bytes, version: int, nested: Nested) -> act.Action:
    """Reads an experimenter action; `nested` reads lists inside it."""
    experimenter = int.from_bytes(body[:4], "big")
    if experimenter not in (NICIRA, ONF):
        raise fault(BAD_EXPERIMENTER, f"unknown experimenter {experimenter:#x}")
    if len(body) < 12:
        raise fault(BAD_LEN, "experimenter action is cut short")
    subtype = int.from_bytes(body[4:6], "big")
    arguments = body[6:]
    if experimenter == ONF:
        if subtype != _COPY_FIELD or version not in (Version.OF13, Version.OF14):
            raise fault(BAD_EXPERIMENTER_TYPE, f"unknown ONF action {subtype}")
        return decode_copy_field(arguments[2:])
    plain = _PLAIN_BY_SUBTYPE.get(subtype)
    if plain is not None and plain[3] <= version <= plain[2]:
        return plain[0](*unpack(plain[1], arguments))
    reader = _READERS.get(subtype)
    if reader is None or version > _LAST_VERSION.get(subtype, Version.OF15):
        raise fault(BAD_EXPERIMENTER_TYPE, f"unknown Nicira action {subtype}")
    return reader(arguments, version, nested)


def encode_experimenter(action: act.Action, version: int, nested: NestedEncoder) -> bytes | None:
    """Writes an action in its experimenter form; `None` if the version has none."""
    plain = _PLAIN.get(type(action))
    if plain is not None and plain[3] <= version <= plain[2]:
        return nicira_record(plain[0], pack(plain[1], type(action).__name__, *astuple(action)))
    writer = _WRITERS.get(type(action))
    if writer is None:
        return None
    if isinstance(action, act.Encap) and version < Version.OF13:
        return None
    subtype, arguments = writer(action, nested)
    return nicira_record(subtype, arguments)


# Resubmit, controller, output.


def _read_resubmit(data: bytes, version: int, nested: Nested) -> act.Action:
    port, _ = unpack(struct.Struct("!HI"), data)
    return act.Resubmit(in_port=_resubmit_port(port))


def _read_resubmit_table(data: bytes, version: int, nested: Nested) -> act.Action:
    port, table = unpack(_RESUBMIT, data)
    require_zeros(data[3:])
    return act.Resubmit(_resubmit_port(port), None if table == _CURRENT_TABLE else table)


def _read_resubmit_ct(data: bytes, version: int, nested: Nested) -> act.Action:
    port, table = unpack(_RESUBMIT, data)
    require_zeros(data[3:])
    return act.Resubmit(_resubmit_port(port), None if table == _CURRENT_TABLE else table, ct=True)


def _resubmit_port(port: int) -> int | None:
    return None if port == _IN_PORT16 else port_from_16(port)


def _write_resubmit(action: act.Action, nested: NestedEncoder) -> tuple[int, bytes]:
    assert isinstance(action, act.Resubmit)
    port = _IN_PORT16 if action.in_port is None else port_to_16(action.in_port, "resubmit")
    table = _CURRENT_TABLE if action.table is None else action.table
    return 44 if action.ct else 14, pack(_RESUBMIT, "resubmit", port, table)


def _read_controller(data: bytes, version: int, nested: Nested) -> act.Action:
    max_len, controller, reason = unpack(_CONTROLLER, data)
    return act.Controller(max_len, controller, reason)


_CONTROLLER2_SIZES = {0: 2, 1: 2, 2: 1, 4: 0, 5: 4}
"""Bytes that count in a property of the controller action; what follows them is padding."""


def _read_controller2(data: bytes, version: int, nested: Nested) -> act.Action:
    require_zeros(data[:6])
    numbers = {0: NO_MAX_LEN, 1: 0, 2: 1}
    userdata = None
    for item in decode_properties(data[6:], "controller action"):
        if item.kind == 3:
            userdata = item.data
        elif item.kind not in _CONTROLLER2_SIZES:
            raise fault((14, 0), f"unknown property {item.kind} of a controller action")
        elif len(item.data) < _CONTROLLER2_SIZES[item.kind]:
            raise fault((14, 1), f"property {item.kind} of {len(item.data)} bytes")
        else:
            size = _CONTROLLER2_SIZES[item.kind]
            numbers[item.kind] = int.from_bytes(item.data[:size], "big")
    return act.Controller(
        numbers[0], numbers[1], numbers[2], userdata, 4 in numbers, numbers.get(5)
    )


def _write_controller(action: act.Action, nested: NestedEncoder) -> tuple[int, bytes]:
    assert isinstance(action, act.Controller)
    if action.userdata is None and not action.pause and action.meter is None:
        numbers = (action.max_len, action.controller, action.reason)
        return 20, pack(_CONTROLLER, "controller", *numbers)
    data = bytes(6)
    if action.max_len != NO_MAX_LEN:
        data += encode_property(0, unsigned(action.max_len, 2, "max_len") + bytes(2))
    if action.controller:
        data += encode_property(1, unsigned(action.controller, 2, "controller id") + bytes(2))
    if action.reason != 1:
        data += encode_property(2, unsigned(action.reason, 1, "reason"))
    if action.userdata is not None:
        data += encode_property(3, action.userdata)
    if action.pause:
        data += encode_property(4, b"")
    if action.meter is not None:
        data += encode_property(5, unsigned(action.meter, 4, "meter"))
    return 37, data


def _read_output_reg(data: bytes, version: int, nested: Nested) -> act.Action:
    offset, header, max_len = unpack(_OUTPUT_REG, data)
    if any(data[8:]):
        raise fault(BAD_ARGUMENT, "padding that is not zero")
    start, bits = split_offset(offset)
    return act.OutputField(made_subfield(read_field32(header), start, bits), max_len)


def _read_output_reg2(data: bytes, version: int, nested: Nested) -> act.Action:
    reader = Reader(data, "output_reg2", BAD_LEN)
    offset, max_len = reader.read(_OUTPUT_REG2)
    start, bits = split_offset(offset)
    field = read_field(reader)
    if any(reader.rest()):
        raise fault(BAD_ARGUMENT, "padding that is not zero")
    return act.OutputField(made_subfield(field, start, bits), max_len)


def _write_output_field(action: act.Action, nested: NestedEncoder) -> tuple[int, bytes]:
    assert isinstance(action, act.OutputField)
    offset = offset_and_bits(action.source)
    header = field_header(action.source.field)
    if len(header) == 4:
        number = int.from_bytes(header, "big")
        return 15, pack(_OUTPUT_REG, "output", offset, number, action.max_len)
    return 32, (pack(_OUTPUT_REG2, "output", offset, action.max_len) + header).ljust(14, b"\0")


def _read_output_trunc(data: bytes, version: int, nested: Nested) -> act.Action:
    port, max_len = unpack(_OUTPUT_TRUNC, data)
    if max_len < 14:
        raise fault(BAD_ARGUMENT, f"output of {max_len} bytes, less than an Ethernet header")
    return act.OutputTruncated(port_from_16(port), max_len)


def _write_output_trunc(action: act.Action, nested: NestedEncoder) -> tuple[int, bytes]:
    assert isinstance(action, act.OutputTruncated)
    return 39, pack(_OUTPUT_TRUNC, "output", port_to_16(action.port), action.max_len)


# Choice of links.


def _read_multipath(data: bytes, version: int, nested: Nested) -> act.Action:
    fields, basis, algorithm, max_link, argument, offset, header = unpack(_MULTIPATH, data)
    start, bits = split_offset(offset)
    target = made_subfield(read_field32(header), start, bits, write=True)
    return act.Multipath(fields, basis, algorithm, max_link, argument, target)


def _write_multipath(action: act.Action, nested: NestedEncoder) -> tuple[int, bytes]:
    assert isinstance(action, act.Multipath)
    return 10, pack(
        _MULTIPATH,
        "multipath",
        action.fields,
        action.basis,
        action.algorithm,
        action.max_link,
        action.argument,
        offset_and_bits(action.target),
        field_header32(action.target.field),
    )


def _read_bundle(data: bytes, version: int, nested: Nested) -> act.Action:
    return _bundle(data, load=False)


def _read_bundle_load(data: bytes, version: int, nested: Nested) -> act.Action:
    return _bundle(data, load=True)


def _bundle(data: bytes, *, load: bool) -> act.Bundle:
    reader = Reader(data, "bundle", BAD_LEN)
    algorithm, fields, basis, kind, count, offset, header = reader.read(_BUNDLE)
    if kind != _IN_PORT_HEADER:
        raise fault(BAD_ARGUMENT, f"bundle of members of type {kind:#x}")
    target = None
    if load:
        start, bits = split_offset(offset)
        target = made_subfield(read_field32(header), start, bits, write=True)
    elif offset or header:
        raise fault(BAD_ARGUMENT, "bundle with a field to load")
    members = reader.read(struct.Struct(f"!{count}H"))
    ports = tuple(port_from_16(port) for port in members)
    return act.Bundle(fields, basis, algorithm, ports, target)


def _write_bundle(action: act.Action, nested: NestedEncoder) -> tuple[int, bytes]:
    assert isinstance(action, act.Bundle)
    target = action.target
    count = len(action.members)
    data = pack(
        _BUNDLE,
        "bundle",
        action.algorithm,
        action.fields,
        action.basis,
        _IN_PORT_HEADER,
        count,
        0 if target is None else offset_and_bits(target),
        0 if target is None else field_header32(target.field),
    )
    ports = [port_to_16(port, "member") for port in action.members]
    return 12 if target is None else 13, data + struct.pack(f"!{count}H", *ports)


# Lists, notes and state.


def _read_note(data: bytes, version: int, nested: Nested) -> act.Action:
    return act.Note(data)


def _write_note(action: act.Action, nested: NestedEncoder) -> tuple[int, bytes]:
    assert isinstance(action, act.Note)
    return 8, action.data or bytes(6)


def _read_clone(data: bytes, version: int, nested: Nested) -> act.Action:
    return act.Clone(nested(data[6:]))


def _write_clone(action: act.Action, nested: NestedEncoder) -> tuple[int, bytes]:
    assert isinstance(action, act.Clone)
    return 42, bytes(6) + nested(action.actions)


def _read_conjunction(data: bytes, version: int, nested: Nested) -> act.Action:
    clause, clauses, number = unpack(_CONJUNCTION, data)
    if not 2 <= clauses <= 64 or clause >= clauses:
        raise fault(BAD_CONJUNCTION, f"clause {clause} of {clauses}", NICIRA)
    return act.Conjunction(number, clause, clauses)


def _write_conjunction(action: act.Action, nested: NestedEncoder) -> tuple[int, bytes]:
    assert isinstance(action, act.Conjunction)
    return 34, pack(_CONJUNCTION, "conjunction", action.clause, action.clauses, action.id)


def _sample(subtype: int, size: int) -> ActionReader:
    def read(data: bytes, version: int, nested: Nested) -> act.Action:
        if len(data) != size:
            raise fault(BAD_LEN, f"sample with {len(data)} bytes of arguments")
        if not any(data[:2]):
            raise fault(BAD_ARGUMENT, "sample with probability 0")
        return act.Sample(subtype, data)

    return read


def _write_sample(action: act.Action, nested: NestedEncoder) -> tuple[int, bytes]:
    assert isinstance(action, act.Sample)
    return action.subtype, action.data


def _read_ct(data: bytes, version: int, nested: Nested) -> act.Action:
    reader = Reader(data, "ct", BAD_LEN)
    flags, source, zone, table, alg = reader.read(_CT)
    where: int | act.Subfield = zone
    if source:
        start, bits = split_offset(zone)
        if bits != 16:
            raise fault(BAD_SET_LEN, f"zone of {bits} bits")
        where = made_subfield(read_field32(source), start, bits)
    inner = nested(reader.rest())
    return act.Ct(flags, where, None if table == _CURRENT_TABLE else table, alg, inner)


def _write_ct(action: act.Action, nested: NestedEncoder) -> tuple[int, bytes]:
    assert isinstance(action, act.Ct)
    source, zone = 0, action.zone
    if isinstance(zone, act.Subfield):
        source, zone = field_header32(zone.field), offset_and_bits(zone)
    table = _CURRENT_TABLE if action.table is None else action.table
    head = pack(_CT, "ct", action.flags, source, zone, table, action.alg)
    return 35, head + nested(action.actions)


# Bits of a NAT action's range_present, the bytes of what they announce, first and last.
_NAT_RANGES = ((0, 1, 4), (2, 3, 16), (4, 5, 2))


def _read_nat(data: bytes, version: int, nested: Nested) -> act.Action:
    reader = Reader(data, "nat", BAD_LEN)
    flags, present = reader.read(_NAT)
    found: dict[int, list[bytes]] = {4: [], 16: [], 2: []}
    for first, last, size in _NAT_RANGES:
        if present & 1 << last and not present & 1 << first:
            raise fault(BAD_ARGUMENT, "nat range with an end and no start")
        for bit in (first, last):
            if present & 1 << bit:
                found[size].append(reader.take(size))
    if found[4] and found[16]:
        raise fault(BAD_ARGUMENT, "nat to IPv4 and IPv6 at once")
    ports = tuple(int.from_bytes(port, "big") for port in found[2])
    return act.Nat(flags, tuple(found[4] or found[16]), ports)


def _write_nat(action: act.Action, nested: NestedEncoder) -> tuple[int, bytes]:
    assert isinstance(action, act.Nat)
    ports = [unsigned(port, 2, "port") for port in action.ports]
    present = 0
    for first, _, size in _NAT_RANGES:
        given = ports if size == 2 else [item for item in action.addresses if len(item) == size]
        present |= ((1 << min(len(given), 2)) - 1) << first
    head = pack(_NAT, "nat", action.flags, present)
    return 36, head + b"".join(action.addresses[:2]) + b"".join(ports[:2])


def _read_encap(data: bytes, version: int, nested: Nested) -> act.Action:
    reader = Reader(data, "encap", BAD_LEN)
    header_len, packet_type = reader.read(_ENCAP)
    found = []
    while reader.left:
        kind_class, kind, length = reader.read(_ENCAP_PROPERTY)
        if length < _ENCAP_PROPERTY.size:
            raise fault(BAD_LEN, f"encap property of length {length}")
        value = reader.take(length - _ENCAP_PROPERTY.size)
        reader.take(len(padding(length)))
        found.append(act.EncapProperty(kind_class, kind, value))
    return act.Encap(packet_type, header_len, tuple(found))


def _write_encap(action: act.Action, nested: NestedEncoder) -> tuple[int, bytes]:
    assert isinstance(action, act.Encap)
    data = pack(_ENCAP, "encap", action.header_len, action.packet_type)
    for item in action.properties:
        length = _ENCAP_PROPERTY.size + len(item.data)
        head = pack(_ENCAP_PROPERTY, "encap property", item.kind_class, item.kind, length)
        data += head + item.data + padding(length)
    return 46, data


def _read_learn(data: bytes, version: int, nested: Nested) -> act.Action:
    return learn_codec.decode_learn(data, limited=False)


def _read_learn2(data: bytes, version: int, nested: Nested) -> act.Action:
    return learn_codec.decode_learn(data, limited=True)


def _write_learn(action: act.Action, nested: NestedEncoder) -> tuple[int, bytes]:
    assert isinstance(action, act.Learn)
    return learn_codec.encode_learn(action)


_READERS: dict[int, ActionReader] = {
    **nicira_field_actions.READERS,
    1: _read_resubmit,
    8: _read_note,
    10: _read_multipath,
    12: _read_bundle,
    13: _read_bundle_load,
    14: _read_resubmit_table,
    15: _read_output_reg,
    16: _read_learn,
    20: _read_controller,
    29: _sample(29, 14),
    32: _read_output_reg2,
    34: _read_conjunction,
    35: _read_ct,
    36: _read_nat,
    37: _read_controller2,
    38: _sample(38, 22),
    39: _read_output_trunc,
    41: _sample(41, 22),
    42: _read_clone,
    44: _read_resubmit_ct,
    45: _read_learn2,
    46: _read_encap,
    51: _sample(51, 30),
}
_LAST_VERSION: dict[int, int] = {
    6: Version.OF14,
    7: Version.OF14,
    33: Version.OF14,
    18: Version.OF10,
    30: Version.OF10,
    31: Version.OF10,
}
_WRITERS: dict[type[act.Action], ActionWriter] = {
    **nicira_field_actions.WRITERS,
    act.Resubmit: _write_resubmit,
    act.Controller: _write_controller,
    act.OutputField: _write_output_field,
    act.OutputTruncated: _write_output_trunc,
    act.Multipath: _write_multipath,
    act.Bundle: _write_bundle,
    act.Note: _write_note,
    act.Clone: _write_clone,
    act.Conjunction: _write_conjunction,
    act.Sample: _write_sample,
    act.Ct: _write_ct,
    act.Nat: _write_nat,
    act.Encap: _write_encap,
    act.Learn: _write_learn,
}
