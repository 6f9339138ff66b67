"""Matches as OXM and NXM TLVs.

Owns the one reader and the one writer of TLVs, which matches and actions share, and the rules a
flow's match has to keep (prerequisites first, no field twice, legal values and masks). OpenFlow
1.0's fixed match is `match10.py`'s.

A list is written in the order of the model when that keeps prerequisites first, else in the order
in which a switch sends matches.

Source: OpenFlow 1.3.5 §7.2.3; Open vSwitch, nx-match.
"""

from dataclasses import dataclass, replace

from ovsflow.errors import EncodeError
from ovsflow.openflow.constants import ErrorType, PortNumber, Version
from ovsflow.openflow.fields import (
    Field,
    by_header,
    by_name,
    header_bytes,
    header_size,
)
from ovsflow.openflow.match import Match, MatchField
from ovsflow.openflow.prerequisites import first_unmet
from ovsflow.openflow.wire import Reader, fault, missing, padding, unsigned

BAD_TYPE = (int(ErrorType.BAD_MATCH), 0)
BAD_LEN = (int(ErrorType.BAD_MATCH), 1)
BAD_WILDCARDS = (int(ErrorType.BAD_MATCH), 5)
BAD_FIELD = (int(ErrorType.BAD_MATCH), 6)
BAD_VALUE = (int(ErrorType.BAD_MATCH), 7)
BAD_MASK = (int(ErrorType.BAD_MATCH), 8)
BAD_PREREQ = (int(ErrorType.BAD_MATCH), 9)
DUP_FIELD = (int(ErrorType.BAD_MATCH), 10)
BAD_OUT_PORT = (int(ErrorType.BAD_ACTION), 4)
BAD_SET_TYPE = (int(ErrorType.BAD_ACTION), 13)
BAD_SET_LEN = (int(ErrorType.BAD_ACTION), 14)

_OXM = 1
"""OFPMT_OXM."""

_STANDARD = 0
_STANDARD_BYTES = 88
"""OFPMT_STANDARD and its length: the fixed match of OpenFlow 1.1, which is not read here."""

COOKIE_HEADER = 0x00013C08
"""NXM_NX_COOKIE, a filter on cookies that looks like a field (Nicira's messages on 1.0 only)."""

_RESERVED_PORTS16 = 0xFF00

_PARTLY_USED = ("tun_flags",)
"""Flags of which more fit on the wire than have a meaning: a mask says which are meant."""


@dataclass(frozen=True, slots=True)
class Tlv:
    """One TLV as it was read.

    Attributes:
        header: The header, mask bit clear, length without mask (see `fields.py`).
        field: What it means; `None` if it is unknown.
        value: The value.
        mask: The mask; `None` if the TLV has none.
        size: Bytes of the value.
    """

    header: int
    field: Field | None
    value: int
    mask: int | None
    size: int


def read_header(reader: Reader) -> tuple[int, bool, Field | None]:
    """Reads a TLV's header: the header as `fields.py` has it, whether it has a mask, the field.

    Raises:
        DecodeError: The header is cut short.
    """
    first = int.from_bytes(reader.take(4), "big")
    masked = bool(first & 0x100)
    length = first & 0xFF
    experimenter = None
    if first >> 16 == 0xFFFF:
        experimenter = int.from_bytes(reader.take(4), "big")
        length -= 4
        if length < 0:
            raise fault(BAD_LEN, f"TLV {first:#010x} is shorter than its experimenter id")
    size = length // 2 if masked else length
    if masked and length % 2:
        size = length  # Never the length of a field with a mask: stays unknown.
        masked = False
        first ^= 0x7F << 9
    if experimenter is None:
        header = first & ~0x1FF | size
    else:
        header = (first & ~0x1FF | (size + 4)) << 32 | experimenter
    return header, masked, by_header(header)


def read_tlv(reader: Reader, *, action: bool = False) -> Tlv:
    """Reads one TLV; `reader` answers with what a TLV cut short is answered with.

    Raises:
        DecodeError: The TLV is cut short, or its value has bits outside its mask.
    """
    header, masked, field = read_header(reader)
    if action and field is None:
        raise fault(BAD_SET_LEN, f"unknown field {header:#x}")
    size = header_size(header)
    value = int.from_bytes(reader.take(size), "big")
    mask = int.from_bytes(reader.take(size), "big") if masked else None
    if mask is not None and value & ~mask:
        raise fault(BAD_WILDCARDS, f"TLV {header:#x}: value {value:#x} outside mask {mask:#x}")
    if field is not None and field.name == "in_port" and mask is None:
        value = port_from_16(value)
    return Tlv(header, field, value, mask, size)


def port_from_16(port: int) -> int:
    """A 16-bit port number as 32 bits: the reserved ones move to the top."""
    return port | 0xFFFF0000 if port >= _RESERVED_PORTS16 else port


def port_to_16(port: int, what: str = "port") -> int:
    """A 32-bit port number as 16 bits."""
    if port >= PortNumber.MAX:
        return port & 0xFFFF
    if port >= _RESERVED_PORTS16:
        raise EncodeError(f"{what} {port} does not fit in 16 bits")
    return port


def legal_port(port: int) -> int:
    """The port, if there can be such a port in a request.

    Raises:
        DecodeError: OFPBAC_BAD_OUT_PORT for numbers that 16 bits cannot hold and that mean nothing.
    """
    if _RESERVED_PORTS16 <= port < PortNumber.MAX:
        raise fault(BAD_OUT_PORT, f"port {port:#x}")
    return port


def tlv_bytes(
    field: Field, header: int, value: int, mask: int | None = None, size: int = 0
) -> bytes:
    """One TLV; `size` is the value's length where the field's is variable."""
    if field.variable:
        if not 0 < size <= field.wire_bytes:
            raise EncodeError(f"{field.name}: a value of {size} bytes is not possible")
        header = header & ~0xFF | size
    size = header_size(header)
    if field.name == "in_port" and size == 2:
        value = port_to_16(value, "in_port")
    data = header_bytes(header, mask is not None) + unsigned(value, size, field.name)
    return data if mask is None else data + unsigned(mask, size, f"mask of {field.name}")


def decode_tlvs(data: bytes, *, strict: bool, skip_unknown: bool = False) -> Match:
    """Reads the TLVs of a match.

    Args:
        data: The TLVs, without padding.
        strict: Whether the rules for a flow's match hold; where they do not, a match is a report.
        skip_unknown: Keeps unknown fields aside instead of raising.

    Raises:
        DecodeError: OFPET_BAD_MATCH with the code that says why.
    """
    match, cookie = _read_list(data, strict, skip_unknown)
    if cookie is not None:
        raise fault(BAD_FIELD, "a cookie is not a field of this match")
    return match


def decode_nxm(data: bytes, *, strict: bool) -> tuple[Match, int, int]:
    """Reads the TLVs of one of Nicira's messages: match, cookie and cookie mask."""
    match, cookie = _read_list(data, strict, False)
    if cookie is None:
        return match, 0, 0
    mask = 0xFFFFFFFFFFFFFFFF if cookie.mask is None else cookie.mask
    return match, cookie.value, mask


def _read_list(data: bytes, strict: bool, skip_unknown: bool) -> tuple[Match, Tlv | None]:
    reader = Reader(data, "match", BAD_LEN)
    found: list[MatchField] = []
    unknown: list[tuple[int, bytes]] = []
    seen: set[str] = set()
    cookie = None
    while reader.left:
        start = len(data) - reader.left
        tlv = read_tlv(reader)
        if tlv.header == COOKIE_HEADER:
            if cookie is not None:
                raise fault(DUP_FIELD, "two cookies")
            cookie = tlv
            continue
        field = tlv.field
        if field is None:
            if skip_unknown:
                unknown.append((len(found), data[start : len(data) - reader.left]))
                continue
            raise fault(BAD_FIELD, f"unknown field {tlv.header:#x}")
        item = _as_match_field(field, tlv)
        if item.name in seen:
            raise fault(DUP_FIELD, f"{item.name} twice")
        if strict:
            _check_item(field, tlv)
            unmet = first_unmet(found, item)
            if unmet is not None:
                raise fault(BAD_PREREQ, f"{item.name} without {unmet}")
        seen.add(item.name)
        if item.mask != 0:
            found.append(item)
    return Match(tuple(found), tuple(unknown)), cookie


def _as_match_field(field: Field, tlv: Tlv) -> MatchField:
    full = (1 << 8 * tlv.size) - 1 if field.variable else field.full_mask
    mask = tlv.mask
    if mask is not None and mask & full == full:
        mask = None
    # in_port has two widths on the wire and one name in a match.
    name = "in_port" if field.name == "in_port_oxm" else field.name
    return MatchField(name, tlv.value, mask, tlv.size if field.variable else 0)


def _check_item(field: Field, tlv: Tlv) -> None:
    """Raises for a mask or value that a flow may not have."""
    if tlv.mask is not None and not field.maskable:
        full = field.full_mask
        if tlv.mask & full not in (0, full):
            raise fault(BAD_MASK, f"{field.name} with mask {tlv.mask:#x}")
    too_large = tlv.value > field.maximum and field.name != "in_port"
    if too_large or (field.format == "port32" and _RESERVED_PORTS16 <= tlv.value < PortNumber.MAX):
        raise fault(BAD_VALUE, f"{field.name} {tlv.value:#x}")
    if field.name == "nw_tos" and tlv.value & 3:
        raise fault(BAD_VALUE, f"nw_tos {tlv.value:#x} has ECN bits")


def encode_tlvs(match: Match, version: int, *, flow: bool = True) -> bytes:
    """Writes the TLVs of a match, in the headers that `version` uses (1.0: NXM).

    Args:
        match: What to write.
        version: Wire version.
        flow: Whether it is a flow's match, where prerequisites must come first.

    Raises:
        EncodeError: A field is unknown, or the version has no way to say it.
    """
    items = _for_version(match, version)
    data = b""
    unknown = match.unknown
    for number, item in enumerate(_in_order(items) if flow else items):
        while unknown and unknown[0][0] <= number:
            data, unknown = data + unknown[0][1], unknown[1:]
        field = by_name(item.name)
        if field is None:
            raise EncodeError(f"there is no field {item.name}")
        header = _header(field, version)
        if header is None:
            raise missing(version, f"TLV for {item.name}")
        mask = item.mask
        if mask is None and field.name in _PARTLY_USED:
            mask = field.full_mask
        data += tlv_bytes(field, header, item.value, mask, item.size)
    return data + b"".join(tlv for _, tlv in unknown)


def encode_nxm(match: Match, version: int, cookie: int = 0, cookie_mask: int = 0) -> bytes:
    """Writes the TLVs of one of Nicira's messages; `cookie_mask` 0 filters on no cookie."""
    data = encode_tlvs(match, version)
    if cookie_mask:
        mask = None if cookie_mask == 0xFFFFFFFFFFFFFFFF else cookie_mask
        data += header_bytes(COOKIE_HEADER, mask is not None) + unsigned(
            cookie & cookie_mask, 8, "cookie"
        )
        data += b"" if mask is None else unsigned(mask, 8, "cookie mask")
    return data


def _header(field: Field, version: int) -> int | None:
    if field.name == "in_port" and version >= Version.OF12:
        twin = by_name("in_port_oxm")
        return twin.header(version) if twin is not None else None
    return field.header(version)


def _in_order(items: list[MatchField]) -> list[MatchField]:
    """`items`, or the same sorted when a prerequisite stands behind what needs it."""
    for place, item in enumerate(items):
        if first_unmet(items[:place], item) is not None:
            return sorted(items, key=_order)
    return items


def _order(item: MatchField) -> int:
    field = by_name(item.name)
    return field.order if field is not None else -1


_VLAN = ("vlan_tci", "vlan_vid", "vlan_pcp", "dl_vlan", "dl_vlan_pcp")


def _for_version(match: Match, version: int) -> list[MatchField]:
    """The match in fields that have a TLV in the version."""
    items: list[MatchField] = []
    vlan = [item for item in match if item.name in _VLAN]
    for item in match:
        if item.name in _VLAN:
            if item is vlan[0]:
                items += _vlan_nxm(vlan) if version < Version.OF12 else _vlan_oxm(vlan)
        elif item.name == "nw_tos" and version >= Version.OF12:
            items.append(MatchField("ip_dscp", item.value >> 2))
        elif item.name == "ip_dscp" and version < Version.OF12:
            items.append(MatchField("nw_tos", item.value << 2))
        else:
            items.append(item)
    return items


def vlan_tci(items: list[MatchField]) -> tuple[int, int]:
    """VLAN fields as value and mask of a TCI whose CFI bit says that there is a tag."""
    value = mask = 0
    for item in items:
        shift = 13 if item.name in ("vlan_pcp", "dl_vlan_pcp") else 0
        default = {"vlan_vid": 0x1FFF, "vlan_tci": 0xFFFF, "dl_vlan": 0x1FFF}.get(item.name, 7)
        item_mask = default if item.mask is None else item.mask & default
        item_value = item.value
        if item.name == "dl_vlan":
            item_value = 0 if item.value == 0xFFFF else item.value | 0x1000
        value |= (item_value & item_mask) << shift
        mask |= item_mask << shift
        if shift:
            value |= 0x1000
            mask |= 0x1000
    return value, mask


def _vlan_nxm(items: list[MatchField]) -> list[MatchField]:
    value, mask = vlan_tci(items)
    return [MatchField("vlan_tci", value, None if mask == 0xFFFF else mask)]


def _vlan_oxm(items: list[MatchField]) -> list[MatchField]:
    out: list[MatchField] = []
    for item in items:
        if item.name == "dl_vlan":
            out.append(MatchField("vlan_vid", 0 if item.value == 0xFFFF else item.value | 0x1000))
        elif item.name == "dl_vlan_pcp":
            out.append(replace(item, name="vlan_pcp"))
        else:
            out.append(item)
    names = {item.name for item in out}
    if "vlan_pcp" in names and not names & {"vlan_vid", "vlan_tci"}:
        out.insert(0, MatchField("vlan_vid", 0x1000, 0x1000))
    return out


def encode_match(match: Match, version: int, *, flow: bool = True) -> bytes:
    """An ofp_match of type OFPMT_OXM with its padding (OpenFlow 1.2 and later)."""
    tlvs = encode_tlvs(match, version, flow=flow)
    length = 4 + len(tlvs)
    return unsigned(_OXM, 2, "type") + unsigned(length, 2, "match length") + tlvs + padding(length)


def decode_match(reader: Reader, *, strict: bool, skip_unknown: bool = False) -> Match:
    """Reads an ofp_match of type OFPMT_OXM and its padding (OpenFlow 1.2 and later).

    Raises:
        DecodeError: OFPET_BAD_MATCH with the code that says why.
    """
    return decode_tlvs(match_tlvs(reader), strict=strict, skip_unknown=skip_unknown)


def match_tlvs(reader: Reader) -> bytes:
    """Takes an ofp_match with its padding and returns its TLVs."""
    head = Reader(reader.take(4) if reader.left >= 4 else b"", "match", BAD_LEN)
    kind = int.from_bytes(head.take(2), "big")
    length = int.from_bytes(head.take(2), "big")
    if kind != _OXM:
        standard = kind == _STANDARD and length != _STANDARD_BYTES
        raise fault(BAD_LEN if standard else BAD_TYPE, f"match of type {kind}, length {length}")
    if length < 4 or length - 4 + len(padding(length)) > reader.left:
        raise fault(BAD_LEN, f"match of length {length}")
    tlvs = reader.take(length - 4)
    reader.take(len(padding(length)))
    return tlvs


def nxm_tlvs(reader: Reader, length: int) -> bytes:
    """Takes the TLVs of one of Nicira's messages, `length` bytes, and their padding."""
    if length + len(padding(length)) > reader.left:
        raise fault(BAD_LEN, f"match of length {length}")
    tlvs = reader.take(length)
    reader.take(len(padding(length)))
    return tlvs
