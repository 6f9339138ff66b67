"""A match by the bits of a packet that it looks at, not by the names it was written with.

Owns `Keys`.  Several fields are views of the same bits (vlan_vid, dl_vlan and vlan_tci; tcp_dst,
udp_dst and icmp_code; ip_src and arp_spa; reg and xreg): text mixes them freely and prints one
form only. `Keys` holds each piece of a packet once, takes any field in and gives the fields of a
version out, in the order in which Open vSwitch sends them.  Text is `match_text.py`'s.
"""

from collections.abc import Iterator

from ovsflow.openflow import fields
from ovsflow.openflow.constants import Version
from ovsflow.openflow.match import Match, MatchField

ETH_IP = 0x0800
ETH_ARP = 0x0806
ETH_RARP = 0x8035
ETH_IPV6 = 0x86DD
ETH_MPLS = 0x8847
ETH_MPLS_MULTICAST = 0x8848
ETH_PBB = 0x88E7
ETH_NSH = 0x894F

ICMP, TCP, UDP, ICMPV6, SCTP = 1, 6, 17, 58, 132

VLAN_CFI = 0x1000
VLAN_VID = 0x0FFF
VLAN_PCP = 0xE000

ND_SOLICIT, ND_ADVERT = 135, 136

# Field -> (piece of the packet, shift within it); fields not listed are a piece of their own.
_VIEWS: dict[str, tuple[str, int]] = {
    "in_port_oxm": ("in_port", 0),
    "vlan_vid": ("vlan_tci", 0),
    "vlan_pcp": ("vlan_tci", 13),
    "dl_vlan_pcp": ("vlan_tci", 13),
    "ip_src": ("nw_src", 0),
    "ip_dst": ("nw_dst", 0),
    "arp_spa": ("nw_src", 0),
    "arp_tpa": ("nw_dst", 0),
    "nd_sll": ("arp_sha", 0),
    "nd_tll": ("arp_tha", 0),
    "ip_dscp": ("nw_tos", 2),
    "nw_ecn": ("nw_tos", 0),
    "arp_op": ("nw_proto", 0),
    **{
        f"{protocol}_{end}": (f"tp_{end}", 0)
        for protocol in ("tcp", "udp", "sctp")
        for end in ("src", "dst")
    },
    **{
        f"{protocol}_{part}": (f"tp_{end}", 0)
        for protocol in ("icmp", "icmpv6")
        for part, end in (("type", "src"), ("code", "dst"))
    },
}

_SIZES = {"xreg": 2, "xxreg": 4}
REGISTERS = 32

# Where a match is encoded: everything before Ethernet, and everything behind layer 4.
_FIRST = (
    "packet_type",
    "dp_hash",
    "recirc_id",
    "conj_id",
    "in_port",
    "in_phy_port",
    "actset_output",
)
_ETHERNET = ("eth_src", "eth_dst", "eth_type")
_PBB = ("pbb_isid", "pbb_uca")
_MPLS = ("mpls_tc", "mpls_bos", "mpls_ttl", "mpls_label")
TUNNEL_ADDRESSES = ("tun_src", "tun_dst", "tun_ipv6_src", "tun_ipv6_dst")
TUNNEL_HEADER = ("tun_ttl", "tun_tos", "tun_gbp_id", "tun_gbp_flags")
TUNNEL_KINDS = (
    *(f"tun_erspan_{part}" for part in ("idx", "ver", "dir", "hwid")),
    *("tun_gtpu_flags", "tun_gtpu_msgtype"),
)
_LAST = (
    *("tun_id", "tun_flags", *TUNNEL_ADDRESSES, *TUNNEL_HEADER),
    *(f"tun_metadata{number}" for number in range(64)),
    *TUNNEL_KINDS,
    *[
        "nsh_flags",
        "nsh_ttl",
        "nsh_mdtype",
        "nsh_np",
        "nsh_spi",
        "nsh_si",
        "nsh_c1",
        "nsh_c2",
        "nsh_c3",
        "nsh_c4",
    ],
    *(f"reg{number}" for number in range(REGISTERS)),
    *[
        "pkt_mark",
        "ct_state",
        "ct_zone",
        "ct_mark",
        "ct_label",
        "ct_nw_src",
        "ct_ipv6_src",
        "ct_nw_dst",
        "ct_ipv6_dst",
        "ct_nw_proto",
        "ct_tp_src",
        "ct_tp_dst",
        "metadata",
    ],
)
_LAST_PLACES = {name: place for place, name in enumerate(_LAST)}
_PORTS = {TCP: "tcp", UDP: "udp", SCTP: "sctp"}


class Keys:
    """The bits that a match looks at.

    Attributes:
        bits: Value and mask of each piece of a packet; a mask is never zero.
        sizes: Bytes of the values of fields of variable length.
    """

    __slots__ = ("bits", "sizes")

    def __init__(self, match: Match = Match()) -> None:  # noqa: B008 - frozen
        self.bits: dict[str, tuple[int, int]] = {}
        self.sizes: dict[str, int] = {}
        for field in match:
            self.put(field.name, field.value, field.mask, field.size)

    def value(self, piece: str) -> int:
        """The value of a piece, 0 if nothing of it is matched."""
        return self.bits.get(piece, (0, 0))[0]

    def mask(self, piece: str) -> int:
        """Which bits of a piece are matched."""
        return self.bits.get(piece, (0, 0))[1]

    def __contains__(self, piece: object) -> bool:
        """Whether anything of a piece is matched."""
        return piece in self.bits

    def put(self, name: str, value: int, mask: int | None = None, size: int = 0) -> None:
        """Takes in a field, by its canonical name; what was known of the same bits goes."""
        field = fields.by_name(name)
        name = name if field is None else field.name
        ones = full_mask(name)
        mask = ones if mask is None else mask & ones
        if size:
            self.sizes[name] = size
            ones = (1 << 8 * size) - 1
            mask = ones if mask > ones else mask
        if name.startswith(("xreg", "xxreg")):
            self._put_registers(name, value, mask)
        elif name == "dl_vlan":
            self._put_vlan(value, mask)
        elif name in ("vlan_pcp", "dl_vlan_pcp") and mask:
            self._write(
                "vlan_tci", value << 13 | VLAN_CFI, mask << 13 | VLAN_CFI, VLAN_PCP | VLAN_CFI
            )
        elif name == "nw_tos":
            self._write("nw_tos", value & 0xFC, mask & 0xFC, 0xFC)
        elif name in ("icmp_type", "icmp_code", "icmpv6_type", "icmpv6_code"):
            # An 8-bit field in the 16 bits of a port: the upper half counts too.
            self._write(_VIEWS[name][0], value, 0xFFFF if mask == 0xFF else mask, 0xFFFF)
        elif name == "arp_op":
            self._write("nw_proto", value & 0xFF, mask & 0xFF, 0xFF)
        else:
            piece, shift = _VIEWS.get(name, (name, 0))
            self._write(piece, value << shift, mask << shift, ones << shift)

    def _write(self, piece: str, value: int, mask: int, space: int) -> None:
        old_value, old_mask = self.bits.pop(piece, (0, 0))
        mask |= old_mask & ~space
        if mask:
            self.bits[piece] = ((old_value & ~space | value) & mask, mask)

    def _put_vlan(self, value: int, mask: int) -> None:
        """OpenFlow 1.0's VLAN: 0xffff stands for no tag at all."""
        if value == 0xFFFF:
            self.bits["vlan_tci"] = (0, 0xFFFF)
        else:
            cfi = VLAN_CFI if mask else 0
            self._write(
                "vlan_tci", value & VLAN_VID | cfi, mask & VLAN_VID | cfi, VLAN_VID | VLAN_CFI
            )

    def _put_registers(self, name: str, value: int, mask: int) -> None:
        family, number = name.rstrip("0123456789"), int(name.lstrip("xreg"))
        size = _SIZES[family]
        for place in range(size):
            shift = 32 * (size - 1 - place)
            part = (value >> shift) & 0xFFFFFFFF
            self._write(
                f"reg{size * number + place}", part, (mask >> shift) & 0xFFFFFFFF, 0xFFFFFFFF
            )

    def match(self, version: int = Version.OF13) -> Match:
        """The fields of a version, in the order in which Open vSwitch sends them.

        What lacks its prerequisite (an IP address without IP) is left out, as Open vSwitch leaves
        it.
        """
        return Match(tuple(self._fields(version)))

    def _fields(self, version: int) -> Iterator[MatchField]:
        for name in _FIRST:
            # Every packet is an Ethernet frame unless something else is said.
            if name != "packet_type" or self.value(name):
                yield from self._view(name)
        yield from self._each(_ETHERNET)
        yield from self._vlan(version)
        eth_type = self.eth_type()
        if eth_type in (ETH_MPLS, ETH_MPLS_MULTICAST):
            yield from self._each(_MPLS)
        elif eth_type == ETH_PBB:
            yield from self._each(_PBB)
        elif eth_type in (ETH_IP, ETH_IPV6):
            yield from self._layer3(version, eth_type)
        elif eth_type in (ETH_ARP, ETH_RARP):
            if "nw_proto" in self:
                yield MatchField("arp_op", self.value("nw_proto"))
            for name in ("arp_spa", "arp_tpa", "arp_sha", "arp_tha"):
                yield from self._view(name)
        # Of these there are many, and few in one match: only those that are there are looked at.
        for name in sorted(_LAST_PLACES.keys() & self.bits.keys(), key=_LAST_PLACES.__getitem__):
            yield from self._view(name)

    def eth_type(self) -> int:
        """The Ethernet type that is matched, 0 if none is; also when a packet type says it."""
        packet_type = self.value("packet_type")
        if packet_type >> 16 == 1:
            return packet_type & 0xFFFF
        return self.value("eth_type")

    def _each(self, names: tuple[str, ...]) -> Iterator[MatchField]:
        for name in names:
            yield from self._view(name)

    def _view(self, name: str) -> Iterator[MatchField]:
        """The field of that name, if anything of it is matched."""
        piece, shift = _VIEWS.get(name, (name, 0))
        value, mask = self.bits.get(piece, (0, 0))
        if not mask:
            return
        ones = full_mask(name)
        size = self.sizes.get(name, 0)
        if size:
            ones = (1 << 8 * size) - 1
        value, mask = (value >> shift) & ones, (mask >> shift) & ones
        if mask:
            yield MatchField(name, value, None if mask == ones else mask, size)

    def _vlan(self, version: int) -> Iterator[MatchField]:
        value, mask = self.bits.get("vlan_tci", (0, 0))
        if not mask:
            return
        whole = VLAN_VID | VLAN_CFI
        plain = value & VLAN_CFI and mask & whole == whole and mask & VLAN_PCP in (0, VLAN_PCP)
        if version == Version.OF10 and not plain:
            # Only Nicira's vlan_tci tells every case apart; it is also what OpenFlow 1.0 sends.
            yield MatchField("vlan_tci", value, None if mask == 0xFFFF else mask)
            return
        vid_mask = mask & whole
        if vid_mask:
            yield MatchField("vlan_vid", value & vid_mask, None if vid_mask == whole else vid_mask)
        if value & VLAN_CFI and mask & VLAN_PCP:
            yield MatchField("vlan_pcp", value >> 13)

    def _layer3(self, version: int, eth_type: int) -> Iterator[MatchField]:
        family = "ip" if eth_type == ETH_IP else "ipv6"
        yield from self._each((f"{family}_src", f"{family}_dst", "ip_frag"))
        if self.mask("nw_tos") & 0xFC:
            if version == Version.OF10:
                yield MatchField("nw_tos", self.value("nw_tos") & 0xFC)
            else:
                yield MatchField("ip_dscp", self.value("nw_tos") >> 2)
        if self.mask("nw_tos") & 0x3:
            yield MatchField("nw_ecn", self.value("nw_tos") & 0x3)
        yield from self._each(("nw_ttl",))
        if eth_type == ETH_IPV6:
            yield from self._each(("ipv6_label", "ipv6_exthdr"))
        if "nw_proto" not in self:
            return
        protocol = self.value("nw_proto")
        yield MatchField("nw_proto", protocol)
        if protocol in _PORTS:
            yield from self._each((f"{_PORTS[protocol]}_src", f"{_PORTS[protocol]}_dst"))
            if protocol == TCP:
                yield from self._view("tcp_flags")
        elif protocol == ICMP and eth_type == ETH_IP:
            yield from self._each(("icmp_type", "icmp_code"))
        elif protocol == ICMPV6 and eth_type == ETH_IPV6:
            yield from self._icmpv6()

    def _icmpv6(self) -> Iterator[MatchField]:
        yield from self._each(("icmpv6_type", "icmpv6_code"))
        kind = self.value("tp_src")
        if kind not in (ND_SOLICIT, ND_ADVERT) or self.value("tp_dst"):
            return
        yield from self._each(("nd_reserved", "nd_target", "nd_options_type"))
        yield from self._view("nd_sll" if kind == ND_SOLICIT else "nd_tll")


def field_value(match: Match, name: str) -> int | None:
    """What a match says of a field, by any of its names; `None` if it says nothing."""
    known = fields.by_name(name)
    name = name if known is None else known.name
    piece, shift = _VIEWS.get("vlan_vid" if name == "dl_vlan" else name, (name, 0))
    keys = Keys(match)
    bits = full_mask("vlan_vid" if name == "dl_vlan" else name) << shift
    if not keys.mask(piece) & bits:
        return None
    return (keys.value(piece) & bits) >> shift


def full_mask(name: str) -> int:
    """The mask that makes a field exact; ports have 32 bits in the model, whatever the field."""
    field = fields.by_name(name)
    if field is None or field.format in ("port16", "port32"):
        return 0xFFFFFFFF
    if name == "ct_state":
        return 0xFF  # Of 32 bits on the wire these have a meaning, and more cannot be matched.
    return field.full_mask


def canonical(match: Match, version: int = Version.OF13) -> Match:
    """The same match in the one form that a version has for it."""
    return Keys(match).match(version)
