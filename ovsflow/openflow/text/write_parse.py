"""Actions that write fields, from text: set_field, load, move and the `mod_` actions.

Owns `FieldWriter`, which knows how a version writes a field: OpenFlow 1.0 has an action for a few
fields and Nicira's reg_load for the others, 1.3 has set_field for whole fields, 1.5 has it for
everything.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ovsflow.openflow import actions as model
from ovsflow.openflow import fields
from ovsflow.openflow.actions import Action, Subfield
from ovsflow.openflow.constants import Version
from ovsflow.openflow.text import values
from ovsflow.openflow.text.keys import SCTP, UDP, VLAN_CFI
from ovsflow.openflow.text.names import NUMBERS, Names
from ovsflow.openflow.text.scan import Piece, bad
from ovsflow.openflow.text.subfields import parse_subfield, take_subfield
from ovsflow.openflow.text.values import small, wide

Actions = list[Action]


@dataclass
class FieldWriter:
    """Writes fields the way a version does.

    Attributes:
        version: The wire version.
        names: Names of ports and tables.
        tagged: Whether the packet is known to have a VLAN tag at this point of the list.
        protocol: The packet's IP protocol, 0 if unknown.
    """

    version: int = Version.OF13
    names: Names = NUMBERS
    tagged: bool = False
    protocol: int = 0

    def write(self, name: str, value: int, mask: int | None, size: int = 0) -> Actions:
        """Writing a field, in the form that the version has for it."""
        if name == "vlan_tci":
            self.tagged = bool(value & VLAN_CFI)
        if self.version >= Version.OF15:
            return [model.SetField(name, value, mask, size)]
        if mask is None:
            if self.version == Version.OF10:
                legacy = _LEGACY.get(name)
                if legacy is not None:
                    return legacy(value)
            else:
                return [model.SetField(name, value, None, size)]
        return self.load(name, value, mask, size)

    def load(self, name: str, value: int, mask: int | None, size: int = 0) -> Actions:
        """Writing a field in Nicira's form, one action for each run of bits."""
        known = fields.by_name(name)
        header = None if known is None else known.nxm_header()
        if known is None or header is None or header > 0xFFFFFFFF or known.variable:
            return [model.SetField(name, value, mask, size)]
        ones = (1 << known.bits) - 1
        return [
            model.Load(Subfield(name, start, length), value >> start & ((1 << length) - 1))
            for start, length in runs(ones if mask is None else mask & ones)
        ]


def runs(mask: int, longest: int = 64) -> list[tuple[int, int]]:
    """The runs of ones in a mask, lowest first, as start and length."""
    found = []
    at = 0
    while mask >> at:
        if mask >> at & 1:
            length = 1
            while length < longest and mask >> (at + length) & 1:
                length += 1
            found.append((at, length))
            at += length
        else:
            at += 1
    return found


def _legacy(name: str) -> Callable[[int], Actions]:
    return lambda value: [model.SetField(name, value)]


def _legacy_tci(value: int) -> Actions:
    if not value & VLAN_CFI:
        return [model.PopVlan()]
    return [model.SetVlanVid(value & 0xFFF), model.SetVlanPcp(value >> 13)]


# Fields that OpenFlow 1.0 writes with actions of its own.
_LEGACY: dict[str, Callable[[int], Actions]] = {
    "vlan_tci": _legacy_tci,
    "vlan_vid": lambda value: [model.SetVlanVid(value & 0xFFF)],
    "vlan_pcp": lambda value: [model.SetVlanPcp(value)],
    "eth_src": _legacy("eth_src"),
    "eth_dst": _legacy("eth_dst"),
    "ip_src": _legacy("ip_src"),
    "ip_dst": _legacy("ip_dst"),
    "ip_dscp": lambda value: [model.SetField("nw_tos", value << 2)],
    "nw_tos": _legacy("nw_tos"),
    "tcp_src": _legacy("tcp_src"),
    "tcp_dst": _legacy("tcp_dst"),
    "udp_src": _legacy("tcp_src"),
    "udp_dst": _legacy("tcp_dst"),
}


def _vlan(writer: FieldWriter, action: Action, push: bool) -> Actions:
    """A write to the tag; the forms that OpenFlow 1.0 knows add a tag where there is none."""
    tagged, writer.tagged = writer.tagged, True
    if writer.version == Version.OF10:
        return [action]
    pushed: Actions = [model.PushVlan()] if push and not tagged else []
    if isinstance(action, model.SetVlanVid):
        return [*pushed, model.SetField("vlan_vid", action.vid | VLAN_CFI)]
    assert isinstance(action, model.SetVlanPcp)
    return [*pushed, model.SetField("vlan_pcp", action.pcp)]


def _vlan_vid(push: bool) -> Callable[[FieldWriter, Piece], Actions]:
    def read(writer: FieldWriter, piece: Piece) -> Actions:
        vid = small(piece, "VLAN VID")
        if vid > 0xFFF:
            raise bad(piece, f"{piece.text}: not a valid VLAN VID")
        return _vlan(writer, model.SetVlanVid(vid), push)

    return read


def _vlan_pcp(push: bool) -> Callable[[FieldWriter, Piece], Actions]:
    def read(writer: FieldWriter, piece: Piece) -> Actions:
        pcp = small(piece, "VLAN PCP", 0xFF)
        if pcp > 7:
            raise bad(piece, f"{piece.text}: not a valid VLAN PCP")
        return _vlan(writer, model.SetVlanPcp(pcp), push)

    return read


def _address(name: str, family: str) -> Callable[[FieldWriter, Piece], Actions]:
    def read(writer: FieldWriter, piece: Piece) -> Actions:
        value = values.ethernet(piece.text) if family == "ethernet" else values.ipv4(piece.text)
        if value is None:
            if family == "ethernet":
                raise bad(piece, f"invalid mac address {piece.text}")
            raise bad(piece, f"{piece.text}: could not convert to IP address")
        return [model.SetField(name, value)]

    return read


def _nw_tos(writer: FieldWriter, piece: Piece) -> Actions:
    tos = small(piece, "TOS", 0xFF)
    if tos & 0x3:
        raise bad(piece, f"{piece.text}: not a valid TOS")
    if writer.version == Version.OF10:
        return [model.SetField("nw_tos", tos)]
    return [model.SetField("ip_dscp", tos >> 2)]


def _nw_ecn(writer: FieldWriter, piece: Piece) -> Actions:
    ecn = small(piece, "ECN", 0xFF)
    if ecn > 3:
        raise bad(piece, f"{piece.text}: not a valid ECN")
    return writer.write("nw_ecn", ecn, None)


def _nw_ttl(writer: FieldWriter, piece: Piece) -> Actions:
    ttl = small(piece, "TTL", 0xFF)
    if writer.version == Version.OF10:
        return writer.load("nw_ttl", ttl, None)
    return [model.SetNwTtl(ttl)]


def _tp_port(end: str, what: str) -> Callable[[FieldWriter, Piece], Actions]:
    def read(writer: FieldWriter, piece: Piece) -> Actions:
        port = small(piece, what)
        protocol = {UDP: "udp", SCTP: "sctp"}.get(writer.protocol, "tcp")
        if writer.version == Version.OF10:
            protocol = "tcp"
        return [model.SetField(f"{protocol}_{end}", port)]

    return read


def _set_tunnel(writer: FieldWriter, piece: Piece) -> Actions:
    return [model.SetField("tun_id", wide(piece, 64))]


def _set_field(writer: FieldWriter, piece: Piece) -> Actions:
    value, name = split_arrow(piece)
    known = fields.by_name(name.text)
    if known is None:
        raise bad(name, f"{name.text} is not a valid OXM field name")
    if not known.writable:
        raise bad(name, f"{name.text} is read-only")
    number, mask = values.parse_value(known, value, writer.names)
    port = known.format in ("port16", "port32")
    if (number > known.maximum and not port) or (known.name == "nw_tos" and number & 0x3):
        raise bad(value, f"{value.text} is not a valid value for field {name.text}")
    if known.name == "dl_vlan":
        return writer.write("vlan_vid", number | VLAN_CFI, None)
    if known.name == "dl_vlan_pcp":
        return writer.write("vlan_pcp", number, None)
    size = 0
    if known.variable:
        size = max((max(number, mask or 0).bit_length() + 31) // 32 * 4, 4)
    return writer.write(known.name, number, mask, size)


def _load(writer: FieldWriter, piece: Piece) -> Actions:
    value, target = split_arrow(piece)
    bits = parse_subfield(target)
    number = values.number(value.text)
    if number is None or number < 0:
        raise bad(value, f"{piece.text}: cannot parse integer value")
    if number >> bits.len:
        raise bad(value, f"{piece.text}: value {number:#x} does not fit into {bits.len} bits")
    return load_bits(writer, bits, number)


def load_bits(writer: FieldWriter, bits: Subfield, number: int) -> Actions:
    """Writing some bits of a field."""
    known = fields.by_name(bits.field)
    assert known is not None
    mask = ((1 << bits.len) - 1) << bits.start
    whole = mask == (1 << 8 * known.wire_bytes) - 1
    if bits.field == "vlan_tci":
        writer.tagged = bool(number << bits.start & VLAN_CFI)
    if writer.version >= Version.OF15:
        return [model.SetField(bits.field, number << bits.start, None if whole else mask)]
    return writer.load(bits.field, number << bits.start, None if whole else mask)


def _move(writer: FieldWriter, piece: Piece) -> Actions:
    source, rest = take_subfield(piece)
    if not rest.text.startswith("->"):
        raise bad(rest, f"{piece.text}: missing `->' following source")
    target = parse_subfield(rest.cut(2))
    if source.len != target.len:
        raise bad(
            rest,
            f"{piece.text}: source field is {source.len} bits wide but "
            f"destination is {target.len} bits wide",
        )
    return [model.Move(source, target)]


def split_arrow(piece: Piece) -> tuple[Piece, Piece]:
    """What stands on both sides of `->`."""
    value, target = piece.partition("->")
    if target is None:
        raise bad(piece, f"{piece.text}: missing `->'")
    if not value.text:
        raise bad(piece, f"{piece.text}: missing value")
    if not target.text:
        raise bad(piece, f"{piece.text}: missing field name following `->'")
    return value, target


def _mpls(name: str, what: str, most: int) -> Callable[[FieldWriter, Piece], Actions]:
    def read(writer: FieldWriter, piece: Piece) -> Actions:
        if not piece.text:
            raise bad(piece, f"set_{name}: expected {what}.")
        value = wide(piece, 32)
        if value > most:
            raise bad(piece, f"{piece.text}: not a valid MPLS {what}")
        return [model.SetMplsTtl(value) if name == "mpls_ttl" else model.SetField(name, value)]

    return read


WRITES: dict[str, Callable[[FieldWriter, Piece], Actions]] = {
    "set_field": _set_field,
    "load": _load,
    "move": _move,
    "set_vlan_vid": _vlan_vid(False),
    "mod_vlan_vid": _vlan_vid(True),
    "set_vlan_pcp": _vlan_pcp(False),
    "mod_vlan_pcp": _vlan_pcp(True),
    "mod_dl_src": _address("eth_src", "ethernet"),
    "mod_dl_dst": _address("eth_dst", "ethernet"),
    "mod_nw_src": _address("ip_src", "ipv4"),
    "mod_nw_dst": _address("ip_dst", "ipv4"),
    "mod_nw_tos": _nw_tos,
    "mod_nw_ecn": _nw_ecn,
    "mod_nw_ttl": _nw_ttl,
    "set_nw_ttl": _nw_ttl,
    "mod_tp_src": _tp_port("src", "source port"),
    "mod_tp_dst": _tp_port("dst", "destination port"),
    "set_mpls_label": _mpls("mpls_label", "label", 0xFFFFF),
    "set_mpls_tc": _mpls("mpls_tc", "tc", 7),
    "set_mpls_ttl": _mpls("mpls_ttl", "ttl", 0xFF),
    "set_tunnel": _set_tunnel,
    "set_tunnel64": _set_tunnel,
}
"""The actions that write fields, by name."""
