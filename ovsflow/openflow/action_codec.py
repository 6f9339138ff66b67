"""Action lists as bytes: the standard's actions, and who reads the extensions.

One table says which number an action has from OpenFlow 1.1 on, one says what OpenFlow 1.0 calls
differently; `nicira_actions.py` has the experimenter ones.  Encoding picks what the version's users
expect: set_field where there is one, else the old `mod_` actions of 1.0, else Nicira's.

Source: OpenFlow 1.0.2 §5.2.4, 1.3.5 §7.2.5, 1.5.1 §7.2.6; Open vSwitch, ofp-actions.
"""

import struct
from collections.abc import Callable, Iterable
from dataclasses import astuple

from ovsflow.errors import EncodeError
from ovsflow.openflow import actions as act
from ovsflow.openflow import nicira_actions, nicira_field_actions
from ovsflow.openflow.action_parts import (
    BAD_ARGUMENT,
    BAD_LEN,
    BAD_SET_ARGUMENT,
    BAD_SET_MASK,
    BAD_TYPE,
    MAX_NESTING,
    Nested,
    decode_copy_field,
    encode_copy_field,
    unpack,
    whole_field,
)
from ovsflow.openflow.constants import ONF, PortNumber, Version
from ovsflow.openflow.fields import Field
from ovsflow.openflow.match_codec import (
    BAD_OUT_PORT,
    legal_port,
    port_from_16,
    port_to_16,
    read_tlv,
    tlv_bytes,
)
from ovsflow.openflow.wire import Reader, fault, missing, pack, padding, records

_HEADER = struct.Struct("!HH")
_EXPERIMENTER = 0xFFFF
_SET_FIELD = 25
_COPY_FIELD = 28
_DEC_NW_TTL = 24

# Actions whose arguments are plain numbers: type from OpenFlow 1.1 on, arguments.
_PLAIN: dict[type[act.Action], tuple[int, struct.Struct]] = {
    act.CopyTtlOut: (11, struct.Struct("!4x")),
    act.CopyTtlIn: (12, struct.Struct("!4x")),
    act.SetMplsTtl: (15, struct.Struct("!B3x")),
    act.DecMplsTtl: (16, struct.Struct("!4x")),
    act.PushVlan: (17, struct.Struct("!H2x")),
    act.PopVlan: (18, struct.Struct("!4x")),
    act.PushMpls: (19, struct.Struct("!H2x")),
    act.PopMpls: (20, struct.Struct("!H2x")),
    act.SetQueue: (21, struct.Struct("!I")),
    act.Group: (22, struct.Struct("!I")),
    act.SetNwTtl: (23, struct.Struct("!B3x")),
    act.DecNwTtl: (_DEC_NW_TTL, struct.Struct("!4x")),
    act.PushPbb: (26, struct.Struct("!H2x")),
    act.PopPbb: (27, struct.Struct("!4x")),
    act.Meter: (29, struct.Struct("!I")),
}
_PLAIN_BY_TYPE = {number: (kind, layout) for kind, (number, layout) in _PLAIN.items()}

# The old way to write a field: type in 1.0 and from 1.1 on, field, arguments.
_WRITES: tuple[tuple[int | None, int | None, str, struct.Struct], ...] = (
    (4, 3, "eth_src", struct.Struct("!6s6x")),
    (5, 4, "eth_dst", struct.Struct("!6s6x")),
    (6, 5, "ip_src", struct.Struct("!4s")),
    (7, 6, "ip_dst", struct.Struct("!4s")),
    (8, 7, "nw_tos", struct.Struct("!1s3x")),
    (None, 8, "nw_ecn", struct.Struct("!1s3x")),
    (9, 9, "tcp_src", struct.Struct("!2s2x")),
    (10, 10, "tcp_dst", struct.Struct("!2s2x")),
    (None, 13, "mpls_label", struct.Struct("!4s")),
    (None, 14, "mpls_tc", struct.Struct("!1s3x")),
)
_WRITES_OF10 = {old: (name, layout) for old, _, name, layout in _WRITES if old is not None}
_WRITES_OF11 = {new: (name, layout) for _, new, name, layout in _WRITES if new is not None}
_NAMES_OF10 = {name: (old, layout) for old, _, name, layout in _WRITES if old is not None}
_SAME_PLACE = {
    "udp_src": "tcp_src",
    "udp_dst": "tcp_dst",
    "sctp_src": "tcp_src",
    "sctp_dst": "tcp_dst",
}

_OUTPUT10 = struct.Struct("!HH")
_OUTPUT = struct.Struct("!IH6x")
_ENQUEUE = struct.Struct("!H6xI")
_VID = struct.Struct("!H2x")
_PCP = struct.Struct("!B3x")


def decode_actions(data: bytes, version: int, depth: int = 0) -> tuple[act.Action, ...]:
    """Reads a list of actions.

    Args:
        data: The actions back to back, each a multiple of 8 bytes.
        version: Wire version.
        depth: How many lists this one is inside.

    Raises:
        DecodeError: OFPET_BAD_ACTION with the code that says why.
    """
    if depth > MAX_NESTING:
        raise fault(BAD_ARGUMENT, f"actions nested more than {MAX_NESTING} deep")
    found = []
    for record in records(data, 8, BAD_LEN, "action", align=8):
        kind, _ = _HEADER.unpack_from(record)
        body = record[_HEADER.size :]
        if kind == _EXPERIMENTER:
            nested: Nested = lambda inner: decode_actions(inner, version, depth + 1)  # noqa: E731
            found.append(nicira_actions.decode_experimenter(body, version, nested))
        elif version == Version.OF10:
            found.append(_decode_of10(kind, body))
        else:
            found.append(_decode_one(kind, body, version))
    return tuple(found)


def _decode_of10(kind: int, body: bytes) -> act.Action:
    if kind in _WRITES_OF10:
        return _decode_write(*_WRITES_OF10[kind], body)
    if kind == 0:
        port, max_len = unpack(_OUTPUT10, body)
        return _checked_output(port_from_16(port), max_len)
    if kind == 1:
        (vid,) = unpack(_VID, body)
        if vid > 0xFFF:
            raise fault(BAD_ARGUMENT, f"VLAN id {vid:#x}")
        return act.SetVlanVid(vid)
    if kind == 2:
        (pcp,) = unpack(_PCP, body)
        if pcp > 7:
            raise fault(BAD_ARGUMENT, f"VLAN priority {pcp}")
        return act.SetVlanPcp(pcp)
    if kind == 3:
        unpack(struct.Struct("!4x"), body)
        return act.PopVlan()
    if kind == 11:
        port, queue = unpack(_ENQUEUE, body)
        return act.Enqueue(port_from_16(port), queue)
    raise fault(BAD_TYPE, f"unknown action {kind}")


def _decode_one(kind: int, body: bytes, version: int) -> act.Action:
    """Reads an action of OpenFlow 1.1 and later."""
    if kind == 0:
        port, max_len = unpack(_OUTPUT, body)
        return _checked_output(port, max_len)
    if kind == _SET_FIELD:
        return _decode_set_field(body, version)
    if kind in _PLAIN_BY_TYPE and (kind != 29 or version >= Version.OF15):
        made, layout = _PLAIN_BY_TYPE[kind]
        return made(*unpack(layout, body))
    if kind in _WRITES_OF11:
        return _decode_write(*_WRITES_OF11[kind], body)
    if kind == 1:
        (vid,) = unpack(_VID, body)
        if vid > 0xFFF:
            raise fault(BAD_ARGUMENT, f"VLAN id {vid:#x}")
        return act.SetField("vlan_vid", 0x1000 | vid)
    if kind == 2:
        (pcp,) = unpack(_PCP, body)
        if pcp > 7:
            raise fault(BAD_ARGUMENT, f"VLAN priority {pcp}")
        return act.SetField("vlan_pcp", pcp)
    if kind == _COPY_FIELD and version >= Version.OF15:
        return decode_copy_field(body)
    raise fault(BAD_TYPE, f"unknown action {kind}")


def _decode_write(name: str, layout: struct.Struct, body: bytes) -> act.Action:
    if len(body) != layout.size:
        raise fault(BAD_LEN, f"action that writes {name}, of {len(body)} bytes")
    value = int.from_bytes(layout.unpack(body)[0], "big")
    if value > whole_field(name).maximum or (name == "nw_tos" and value & 3):
        raise fault(BAD_ARGUMENT, f"{name} {value:#x}")
    return act.SetField(name, value)


def _checked_output(port: int, max_len: int) -> act.Output:
    reserved = port >= PortNumber.MAX and port not in _TARGETS
    if reserved or legal_port(port) == 0xFF00:
        raise fault(BAD_OUT_PORT, f"output to port {port:#x}")
    return act.Output(port, max_len)


_TARGETS = frozenset(
    {
        PortNumber.IN_PORT,
        PortNumber.TABLE,
        PortNumber.NORMAL,
        PortNumber.FLOOD,
        PortNumber.ALL,
        PortNumber.CONTROLLER,
        PortNumber.LOCAL,
    }
)


def _decode_set_field(body: bytes, version: int) -> act.Action:
    """Reads set_field: a TLV, then zeros up to a multiple of 8."""
    reader = Reader(body, "set_field", (4, 1))
    tlv = read_tlv(reader, action=True)
    field = tlv.field
    assert field is not None
    if tlv.mask is not None and version < Version.OF15:
        raise fault(BAD_SET_MASK, "set_field with a mask", ONF)
    if any(reader.rest()) or field.name == "in_port_oxm" or not field.writable:
        raise fault(BAD_SET_ARGUMENT, f"set_field of {field.name}")
    return _checked_set_field(field, tlv.value, tlv.mask, tlv.size)


def _checked_set_field(field: Field, value: int, mask: int | None, size: int) -> act.Action:
    absent_tag = field.name == "vlan_vid" and not (
        value & 0x1000 and (mask is None or mask & 0x1000)
    )
    if value > field.maximum or absent_tag:
        raise fault(BAD_SET_ARGUMENT, f"set_field of {field.name} to {value:#x}")
    full = (1 << 8 * size) - 1 if field.variable else field.full_mask
    if mask is not None and mask & full == full:
        mask = None
    return act.SetField(field.name, value, mask, size if field.variable else 0)


def encode_actions(actions: Iterable[act.Action], version: int) -> bytes:
    """Writes a list of actions.

    Raises:
        EncodeError: The version has no such action; the text names it.
    """
    return b"".join(_encode(action, version) for action in actions)


def _encode(action: act.Action, version: int) -> bytes:
    writer = _WRITERS.get(type(action))
    if writer is not None:
        return writer(action, version)
    plain = _PLAIN.get(type(action))
    if plain is not None and not _special(action, version):
        number, layout = plain
        return _record(number, pack(layout, type(action).__name__, *astuple(action)))
    if action == act.DecNwTtl() and version != Version.OF10:
        return _record(_DEC_NW_TTL, bytes(4))
    data = nicira_actions.encode_experimenter(
        action, version, lambda inner: encode_actions(inner, version)
    )
    if data is None:
        raise missing(version, f"action {type(action).__name__}")
    return data


def _special(action: act.Action, version: int) -> bool:
    """Whether an action of the plain table is not plain in this version or with these arguments."""
    if version == Version.OF10:
        return True
    if isinstance(action, act.DecNwTtl):
        return True
    return isinstance(action, act.Meter) and version < Version.OF15


def _record(kind: int, body: bytes) -> bytes:
    length = _HEADER.size + len(body)
    length += len(padding(length))
    return pack(_HEADER, "action", kind, length) + body.ljust(length - _HEADER.size, b"\0")


def _encode_output(action: act.Action, version: int) -> bytes:
    assert isinstance(action, act.Output)
    if version == Version.OF10:
        body = pack(_OUTPUT10, "output", port_to_16(action.port, "output to"), action.max_len)
        return _record(0, body)
    return _record(0, pack(_OUTPUT, "output", action.port, action.max_len))


def _encode_enqueue(action: act.Action, version: int) -> bytes:
    """1.0 has the action; later versions say the same in three."""
    assert isinstance(action, act.Enqueue)
    if version == Version.OF10:
        port = port_to_16(action.port, "enqueue to")
        return _record(11, pack(_ENQUEUE, "enqueue", port, action.queue))
    return encode_actions(
        (act.SetQueue(action.queue), act.Output(action.port), act.PopQueue()), version
    )


def _encode_vlan_vid(action: act.Action, version: int) -> bytes:
    assert isinstance(action, act.SetVlanVid)
    if version == Version.OF10:
        return _record(1, pack(_VID, "VLAN id", action.vid))
    return _encode_set_field(act.SetField("vlan_vid", 0x1000 | action.vid), version)


def _encode_vlan_pcp(action: act.Action, version: int) -> bytes:
    assert isinstance(action, act.SetVlanPcp)
    if version == Version.OF10:
        return _record(2, pack(_PCP, "VLAN priority", action.pcp))
    return _encode_set_field(act.SetField("vlan_pcp", action.pcp), version)


def _encode_pop_vlan(action: act.Action, version: int) -> bytes:
    return _record(3 if version == Version.OF10 else 18, bytes(4))


def _encode_set_field(action: act.Action, version: int) -> bytes:
    assert isinstance(action, act.SetField)
    field = whole_field(action.field)
    if version == Version.OF10:
        return _encode_write(action, field)
    if action.mask is not None and version < Version.OF15:
        return nicira_field_actions.encode_loads(action, field)
    name, value, mask = _oxm_name(action)
    field = whole_field(name)
    header = field.header(version)
    if header is None:
        raise missing(version, f"set_field of {name}")
    return _record(_SET_FIELD, tlv_bytes(field, header, value, mask, action.size))


def _oxm_name(action: act.SetField) -> tuple[str, int, int | None]:
    """The field that set_field can name for one that only older versions have."""
    if action.field == "nw_tos" and action.mask is None:
        return "ip_dscp", action.value >> 2, None
    if action.field == "dl_vlan":
        return "vlan_vid", 0x1000 | action.value, action.mask
    if action.field == "dl_vlan_pcp":
        return "vlan_pcp", action.value, action.mask
    return action.field, action.value, action.mask


def _encode_write(action: act.SetField, field: Field) -> bytes:
    """OpenFlow 1.0's way to write a field: its own action, or Nicira's."""
    name, value = action.field, action.value
    if action.mask is None:
        if name == "ip_dscp":
            name, value = "nw_tos", value << 2
        if name in ("vlan_vid", "dl_vlan"):
            return _record(1, pack(_VID, name, value & 0xFFF))
        if name in ("vlan_pcp", "dl_vlan_pcp"):
            return _record(2, pack(_PCP, name, value))
        row = _NAMES_OF10.get(_SAME_PLACE.get(name, name))
        if row is not None:
            number, layout = row
            if value > field.full_mask:
                raise EncodeError(f"{name} {value:#x} is too large")
            size = struct.calcsize(layout.format.split("s")[0] + "s")
            return _record(number, layout.pack(value.to_bytes(size, "big")))
    return nicira_field_actions.encode_write_of10(action, field)


def _encode_load(action: act.Action, version: int) -> bytes:
    """1.5 has no reg_load; a masked set_field says the same."""
    assert isinstance(action, act.Load)
    target = action.target
    if action.value >> target.len:
        raise EncodeError(f"{action.value:#x} does not fit in {target.len} bits")
    if version < Version.OF15:
        return nicira_field_actions.encode_load(action)
    field = whole_field(target.field)
    mask = ((1 << target.len) - 1) << target.start
    value = action.value << target.start
    whole = mask & field.full_mask == field.full_mask
    name = "in_port_oxm" if field.name == "in_port" else field.name
    return _encode_set_field(act.SetField(name, value, None if whole else mask), version)


def _encode_move(action: act.Action, version: int) -> bytes:
    assert isinstance(action, act.Move)
    if action.source.len != action.target.len:
        raise EncodeError("move between subfields of different width")
    if version < Version.OF15:
        return nicira_field_actions.encode_move(action)
    return _record(_COPY_FIELD, encode_copy_field(action, version))


_Writer = Callable[[act.Action, int], bytes]
_WRITERS: dict[type[act.Action], _Writer] = {
    act.Output: _encode_output,
    act.Enqueue: _encode_enqueue,
    act.SetVlanVid: _encode_vlan_vid,
    act.SetVlanPcp: _encode_vlan_pcp,
    act.PopVlan: _encode_pop_vlan,
    act.SetField: _encode_set_field,
    act.Load: _encode_load,
    act.Move: _encode_move,
}
