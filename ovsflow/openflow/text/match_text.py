"""Matches as text: `tcp,tun_id=0xa,nw_dst=10.0.0.0/8,tp_dst=80`.

Owns the protocol keywords, the order and the spelling in which a match is printed (`match_words`),
and the reading of one `field=value` (`put_field`).  Which fields share bits is `keys.py`'s.
"""

from collections.abc import Callable, Iterator

from ovsflow.openflow import fields
from ovsflow.openflow.constants import DEFAULT_PRIORITY, Version
from ovsflow.openflow.match import Match
from ovsflow.openflow.text import values
from ovsflow.openflow.text.codepoints import FIELDS
from ovsflow.openflow.text.keys import (
    ETH_ARP,
    ETH_IP,
    ETH_IPV6,
    ETH_MPLS,
    ETH_MPLS_MULTICAST,
    ETH_RARP,
    ICMP,
    ICMPV6,
    REGISTERS,
    SCTP,
    TCP,
    UDP,
    VLAN_CFI,
    VLAN_PCP,
    VLAN_VID,
    Keys,
    full_mask,
)
from ovsflow.openflow.text.names import NUMBERS, Names, render_port
from ovsflow.openflow.text.paint import PLAIN, Paint
from ovsflow.openflow.text.scan import Pair, Piece, bad, pairs
from ovsflow.openflow.text.subfields import parse_subfield

PROTOCOLS: dict[str, tuple[int, int | None]] = {
    "ip": (ETH_IP, None),
    "ipv4": (ETH_IP, None),
    "ip4": (ETH_IP, None),
    "arp": (ETH_ARP, None),
    "icmp": (ETH_IP, ICMP),
    "tcp": (ETH_IP, TCP),
    "udp": (ETH_IP, UDP),
    "sctp": (ETH_IP, SCTP),
    "ipv6": (ETH_IPV6, None),
    "ip6": (ETH_IPV6, None),
    "icmp6": (ETH_IPV6, ICMPV6),
    "tcp6": (ETH_IPV6, TCP),
    "udp6": (ETH_IPV6, UDP),
    "sctp6": (ETH_IPV6, SCTP),
    "rarp": (ETH_RARP, None),
    "mpls": (ETH_MPLS, None),
    "mplsm": (ETH_MPLS_MULTICAST, None),
}
"""Keywords that stand for an Ethernet type and an IP protocol."""

_REGISTERS = tuple(f"reg{number}" for number in range(REGISTERS))
_OPTIONS = tuple(f"tun_metadata{number}" for number in range(64))

_KEYWORDS = {
    (ETH_IP, ICMP): "icmp",
    (ETH_IP, TCP): "tcp",
    (ETH_IP, UDP): "udp",
    (ETH_IP, SCTP): "sctp",
    (ETH_IPV6, ICMPV6): "icmp6",
    (ETH_IPV6, TCP): "tcp6",
    (ETH_IPV6, UDP): "udp6",
    (ETH_IPV6, SCTP): "sctp6",
}
_FAMILIES = {
    ETH_IP: "ip",
    ETH_IPV6: "ipv6",
    ETH_ARP: "arp",
    ETH_RARP: "rarp",
    ETH_MPLS: "mpls",
    ETH_MPLS_MULTICAST: "mplsm",
}


# Open vSwitch prints these without the beginning of their names.
_PRINTED_SHORT = {"gtpu_flags": "tun_gtpu_flags", "gtpu_msgtype": "tun_gtpu_msgtype"}


def put_field(keys: Keys, pair: Pair, names: Names = NUMBERS) -> bool:
    """Takes one key of a flow's text into a match; false when it is no field's."""
    name = pair.name
    if name in PROTOCOLS:
        eth_type, protocol = PROTOCOLS[name]
        keys.put("eth_type", eth_type)
        if protocol is not None:
            keys.put("nw_proto", protocol)
        return True
    if name == "eth":
        keys.put("packet_type", 0)
        return True
    field = fields.by_name(_PRINTED_SHORT.get(name, name))
    if field is not None:
        # A field without a value only says that its prerequisites hold.
        if pair.value.text:
            value, mask = values.parse_value(field, pair.value, names)
            keys.put(field.name, value, mask, _size(field, pair.value))
        return True
    if "[" in name:
        _put_bits(keys, pair)
        return True
    return False


def _size(field: fields.Field, piece: Piece) -> int:
    """Bytes that a value of variable length is written with."""
    if not field.variable:
        return 0
    longest = max((values.number(part.text) or 0).bit_length() for part in piece.words("/"))
    return min(max((longest + 31) // 32 * 4, 4), field.wire_bytes)


def _put_bits(keys: Keys, pair: Pair) -> None:
    """`reg0[0..3]=5`: some bits of a field, beside what is matched of it already."""
    bits = parse_subfield(pair.key)
    value = values.number(pair.value.text)
    if value is None:
        raise bad(pair.value, f"{pair.name}: cannot parse integer value: {pair.value.text}")
    if value >> bits.len:
        message = f"{pair.name}: value {value:#x} does not fit into {bits.len} bits"
        raise bad(pair.value, message)
    before = Keys()
    before.bits = dict(keys.bits)
    part = ((1 << bits.len) - 1) << bits.start
    known = next((f for f in before.match(Version.OF13) if f.name == bits.field), None)
    full = full_mask(bits.field)
    old_value = 0 if known is None else known.value
    old_mask = 0 if known is None else full if known.mask is None else known.mask
    keys.put(bits.field, old_value & ~part | value << bits.start, old_mask | part)


def parse_match_text(piece: Piece, names: Names = NUMBERS, version: int = Version.OF13) -> Match:
    """Reads a match alone."""
    keys = Keys()
    for pair in pairs(piece):
        if not put_field(keys, pair, names):
            raise bad(pair.key, f"unknown keyword {pair.name}")
    return keys.match(version)


def match_words(
    match: Match,
    priority: int = DEFAULT_PRIORITY,
    names: Names = NUMBERS,
    paint: Paint = PLAIN,
) -> str:
    """A match as text, with the priority in front when it is not the default."""
    words = _Words(Keys(match), names, paint)
    first = [] if priority == DEFAULT_PRIORITY else [f"{paint.special('priority=')}{priority}"]
    return ",".join([*first, *words.all()])


class _Words:
    """The printing of one match, part by part in the order of the line."""

    def __init__(self, keys: Keys, names: Names, paint: Paint) -> None:
        self.keys = keys
        self.names = names
        self.paint = paint
        self.eth_type = keys.eth_type()

    def all(self) -> Iterator[str]:
        """Every word of the match."""
        yield from self._metadata()
        yield from self._protocol()
        yield from self._registers_and_tunnel()
        yield from self._layer2()
        yield from self._layer3()
        yield from self._layer4()

    def _word(self, name: str, text: str) -> str:
        return f"{self.paint.param(name + '=')}{text}"

    def _each(self, show: Callable[[int, int, int], str], *names: str) -> Iterator[str]:
        """Words for those of `names` that are matched; `show` gets value, mask and full mask."""
        for name in names:
            mask = self.keys.mask(name)
            if mask:
                yield self._word(name, show(self.keys.value(name), mask, full_mask(name)))

    def _metadata(self) -> Iterator[str]:
        keys = self.keys
        yield from self._each(_hex, "pkt_mark", "recirc_id", "dp_hash")
        if "conj_id" in keys:
            # Open vSwitch leaves this one's equals sign without colour.
            yield f"{self.paint.param('conj_id')}={keys.value('conj_id')}"
        yield from self._each(
            lambda value, mask, full: render_port(value, self.names), "actset_output"
        )
        if "ct_state" in keys:
            state = values.show_flags(
                values.CT_STATE, keys.value("ct_state"), keys.mask("ct_state"), 0xFF
            )
            yield self._word("ct_state", state)
        yield from self._each(_decimal_hex, "ct_zone")
        yield from self._each(_hex, "ct_mark")
        yield from self._each(_hex, "ct_label")
        for end in ("src", "dst"):
            yield from self._each(_ipv4, f"ct_nw_{end}")
            yield from self._each(_ipv6, f"ct_ipv6_{end}")
        if "ct_nw_proto" in keys:
            yield from self._each(_decimal_only, "ct_nw_proto")
            yield from self._each(_decimal_hex, "ct_tp_src", "ct_tp_dst")

    def _protocol(self) -> Iterator[str]:
        keys, paint = self.keys, self.paint
        if keys.value("packet_type"):
            yield values.show_packet_type(keys.value("packet_type"))
        self.type_told = "eth_type" not in keys
        self.protocol_told = "nw_proto" not in keys
        if self.type_told:
            return
        keyword = None
        if "nw_proto" in keys:
            keyword = _KEYWORDS.get((self.eth_type, keys.value("nw_proto")))
            self.protocol_told = keyword is not None
        keyword = keyword or _FAMILIES.get(self.eth_type)
        if keyword is not None:
            self.type_told = True
            yield paint.value(keyword)

    def _registers_and_tunnel(self) -> Iterator[str]:
        keys = self.keys
        yield from self._each(_hex, *(name for name in _REGISTERS if name in keys))
        yield from self._each(_hex, "tun_id")
        yield from self._each(_ipv4, "tun_src", "tun_dst")
        yield from self._each(_ipv6, "tun_ipv6_src", "tun_ipv6_dst")
        yield from self._each(_decimal_hex, "tun_gbp_id")
        # Open vSwitch prints these without the colour of other names, and some without their mask.
        plain: dict[str, tuple[str, Callable[[int], str]]] = {
            "tun_gbp_flags": ("tun_gbp_flags", values.show_hex),
            "tun_tos": ("tun_tos", lambda value: f"{value:x}"),
            "tun_ttl": ("tun_ttl", str),
            "tun_erspan_ver": ("tun_erspan_ver", str),
            "tun_erspan_idx": ("tun_erspan_idx", values.show_hex),
            "tun_erspan_dir": ("tun_erspan_dir", str),
            "tun_erspan_hwid": ("tun_erspan_hwid", values.show_hex),
            "tun_gtpu_flags": ("gtpu_flags", values.show_hex),
            "tun_gtpu_msgtype": ("gtpu_msgtype", str),
        }
        version_of = {"tun_erspan_idx": 1, "tun_erspan_dir": 2, "tun_erspan_hwid": 2}
        for name, (word, show) in plain.items():
            wanted = version_of.get(name, keys.value("tun_erspan_ver"))
            if name in keys and wanted == keys.value("tun_erspan_ver"):
                yield f"{word}={show(keys.value(name))}"
        if "tun_flags" in keys:
            # Signs always: the whole field has internal bits beside the one that people see.
            value, mask = keys.bits["tun_flags"]
            yield self._word("tun_flags", values.show_flags(values.TUNNEL_FLAGS, value, mask, 0))
        yield from self._options()
        yield from self._each(_hex, "metadata")

    def _options(self) -> Iterator[str]:
        for name in _OPTIONS:
            if name not in self.keys:
                continue
            value, mask = self.keys.bits[name]
            size = self.keys.sizes.get(name, 0)
            whole = not size or mask == (1 << 8 * size) - 1
            text = values.show_hex(value)
            yield f"{name}={text}" if whole else f"{name}={text}/{mask:#x}"

    def _layer2(self) -> Iterator[str]:
        keys = self.keys
        if "in_port" in keys:
            yield self._word("in_port", render_port(keys.value("in_port"), self.names))
        if "in_phy_port" in keys:
            yield self._word("in_phy_port", render_port(keys.value("in_phy_port"), self.names))
        yield from self._vlan()
        for end in ("src", "dst"):
            if f"eth_{end}" in keys:
                value, mask = keys.bits[f"eth_{end}"]
                yield self._word(f"dl_{end}", values.masked_ethernet(value, mask))
        if not self.type_told:
            yield self._word("dl_type", f"0x{self.eth_type:04x}")
        yield from self._each(_hex, "pbb_isid")
        yield from self._each(_decimal_only, "pbb_uca")

    def _vlan(self) -> Iterator[str]:
        value, mask = self.keys.bits.get("vlan_tci", (0, 0))
        if not mask:
            return
        vid, pcp = mask & VLAN_VID, mask & VLAN_PCP
        whole = vid in (0, VLAN_VID) and pcp in (0, VLAN_PCP) and (vid or pcp)
        if mask & VLAN_CFI and value & VLAN_CFI and whole:
            if vid:
                yield self._word("dl_vlan", str(value & VLAN_VID))
            if pcp:
                yield self._word("dl_vlan_pcp", str(value >> 13))
        elif mask == 0xFFFF:
            yield self._word("vlan_tci", f"0x{value:04x}")
        else:
            yield self._word("vlan_tci", f"0x{value:04x}/0x{mask:04x}")

    def _layer3(self) -> Iterator[str]:
        keys, eth_type = self.keys, self.eth_type
        arp = eth_type in (ETH_ARP, ETH_RARP)
        if eth_type == ETH_IPV6:
            yield from self._each(_ipv6, "ipv6_src", "ipv6_dst")
            yield from self._each(_label, "ipv6_label")
            yield from self._each(_hex, "ipv6_exthdr")
        else:
            for end, arp_name in (("src", "arp_spa"), ("dst", "arp_tpa")):
                if f"nw_{end}" in keys:
                    value, mask = keys.bits[f"nw_{end}"]
                    name = arp_name if arp else f"nw_{end}"
                    yield self._word(name, values.masked_ipv4(value, mask))
        yield from self._service()
        if not self.protocol_told:
            yield self._word("arp_op" if arp else "nw_proto", str(keys.value("nw_proto")))
        if arp:
            yield from self._each(_ethernet, "arp_sha", "arp_tha")
        if keys.mask("nw_tos") & 0xFC:
            yield self._word("nw_tos", str(keys.value("nw_tos") & 0xFC))
        if keys.mask("nw_tos") & 0x3:
            yield self._word("nw_ecn", str(keys.value("nw_tos") & 0x3))
        yield from self._each(
            _decimal_only, "nw_ttl", "mpls_label", "mpls_tc", "mpls_ttl", "mpls_bos"
        )
        if "ip_frag" in keys:
            value, mask = keys.bits["ip_frag"]
            yield self._word("nw_frag", values.show_fragment(value, mask))

    def _service(self) -> Iterator[str]:
        # Whatever the Ethernet type: a flow without the prerequisite must read back as it is.
        yield from self._each(_decimal_byte, "nsh_flags", "nsh_ttl", "nsh_mdtype", "nsh_np")
        yield from self._each(_hex, "nsh_spi")
        yield from self._each(_decimal_byte, "nsh_si")
        yield from self._each(_hex, "nsh_c1", "nsh_c2", "nsh_c3", "nsh_c4")

    def _layer4(self) -> Iterator[str]:
        keys = self.keys
        protocol = keys.value("nw_proto")
        icmp = (self.eth_type, protocol) in ((ETH_IP, ICMP), (ETH_IPV6, ICMPV6))
        for piece, icmp_name in (("tp_src", "icmp_type"), ("tp_dst", "icmp_code")):
            if piece in keys:
                value, mask = keys.bits[piece]
                yield self._word(icmp_name if icmp else piece, _decimal_hex(value, mask, 0xFFFF))
        if icmp and self.eth_type == ETH_IPV6:
            yield from self._each(_ipv6, "nd_target")
            for piece, name in (("arp_sha", "nd_sll"), ("arp_tha", "nd_tll")):
                if piece in keys:
                    yield self._word(name, values.masked_ethernet(*keys.bits[piece]))
            yield from self._each(_decimal_only, "nd_reserved", "nd_options_type")
        if "tcp_flags" in keys and protocol == TCP:
            flags = values.show_flags(
                values.TCP_FLAGS, keys.value("tcp_flags"), keys.mask("tcp_flags"), 0xFFF
            )
            yield self._word("tcp_flags", flags)


def _hex(value: int, mask: int, full: int) -> str:
    text = values.show_hex(value)
    return text if mask == full else f"{text}/{mask:#x}"


def _decimal_hex(value: int, mask: int, full: int) -> str:
    return str(value) if mask == full else f"0x{value:x}/0x{mask:x}"


def _decimal_byte(value: int, mask: int, full: int) -> str:
    return str(value) if mask == full else f"0x{value:02x}/0x{mask:02x}"


def _decimal_only(value: int, mask: int, full: int) -> str:
    return str(value)


def _label(value: int, mask: int, full: int) -> str:
    return f"0x{value:05x}" if mask == full else f"0x{value:05x}/0x{mask:05x}"


def _ipv4(value: int, mask: int, full: int) -> str:
    return values.masked_ipv4(value, mask)


def _ipv6(value: int, mask: int, full: int) -> str:
    return values.masked_ipv6(value, mask)


def _ethernet(value: int, mask: int, full: int) -> str:
    return values.masked_ethernet(value, mask)


def field_name(word: str) -> str | None:
    """The canonical name of a field by any of its names."""
    field = fields.by_name(FIELDS.get(word, word))
    return None if field is None else field.name
