"""Strategies for matches that a version can say and that come back as they went."""

from hypothesis import strategies as st

from ovsflow.openflow.constants import Version
from ovsflow.openflow.fields import by_name
from ovsflow.openflow.match import Match, MatchField

LEGAL_PORTS = st.one_of(
    st.integers(1, 0xFEFF), st.sampled_from([0xFFFFFFFE, 0xFFFFFFFD, 0xFFFFFFF8])
)

# What a flow may start with, and the fields whose prerequisites are met then.
SHAPES: tuple[tuple[dict[str, int], tuple[str, ...]], ...] = (
    ({}, ()),
    ({}, ("eth_src", "eth_dst", "eth_type")),
    ({"eth_type": 0x0806}, ("arp_op", "arp_spa", "arp_tpa", "arp_sha", "arp_tha")),
    ({"eth_type": 0x0800}, ("ip_src", "ip_dst", "ip_dscp", "nw_ecn", "nw_ttl", "ip_frag")),
    ({"eth_type": 0x0800, "nw_proto": 6}, ("tcp_src", "tcp_dst", "tcp_flags", "ip_src")),
    ({"eth_type": 0x86DD, "nw_proto": 17}, ("udp_src", "udp_dst", "ipv6_src", "ipv6_dst")),
    ({"eth_type": 0x0800, "nw_proto": 132}, ("sctp_src", "sctp_dst")),
    ({"eth_type": 0x0800, "nw_proto": 1}, ("icmp_type", "icmp_code")),
    ({"eth_type": 0x86DD, "nw_proto": 58}, ("icmpv6_type", "icmpv6_code", "ipv6_label")),
    (
        {"eth_type": 0x86DD, "nw_proto": 58, "icmpv6_type": 135, "icmpv6_code": 0},
        ("nd_target", "nd_sll"),
    ),
    ({"eth_type": 0x8847}, ("mpls_label", "mpls_tc", "mpls_bos", "mpls_ttl")),
    ({"vlan_vid": 0x1005}, ("vlan_pcp",)),
)
ANYWHERE = (
    *("tun_id", "tun_src", "tun_dst", "tun_ipv6_src", "tun_ipv6_dst", "tun_gbp_id", "tun_flags"),
    *("reg0", "reg7", "reg15", "reg20", "xreg3", "xxreg1", "xxreg5", "metadata", "pkt_mark"),
    *("ct_state", "ct_zone", "ct_mark", "ct_label", "tun_erspan_idx", "tun_metadata5", "conj_id"),
)
_VIEWS = ({"reg7", "xreg3", "xxreg1"}, {"reg20", "xxreg5"})


@st.composite
def field_values(draw: st.DrawFn, name: str) -> MatchField:
    """A legal value, perhaps with a mask that is neither whole nor empty."""
    field = by_name(name)
    assert field is not None, name
    size = 0
    full, maximum = field.full_mask, field.maximum
    if field.variable:
        size = draw(st.integers(1, 16))
        full = maximum = (1 << 8 * size) - 1
    value = draw(st.integers(0, maximum))
    mask = None
    if field.maskable and draw(st.booleans()):
        mask = draw(st.integers(1, full - 1)) if full > 1 else None
    if mask is not None:
        value &= mask
    if name == "eth_type":
        value |= 0x9000  # None of those that other fields need.
    return MatchField(name, value, mask, size)


@st.composite
def matches(draw: st.DrawFn, version: int) -> Match:
    """A flow's match in TLVs, prerequisites first."""
    base, more = draw(st.sampled_from(SHAPES))
    items = []
    if draw(st.booleans()):
        items.append(MatchField("in_port", draw(LEGAL_PORTS)))
    items += [MatchField(name, value) for name, value in base.items()]
    names = draw(st.lists(st.sampled_from(more), unique=True)) if more else []
    names += draw(st.lists(st.sampled_from(ANYWHERE), unique=True, max_size=4))
    for views in _VIEWS:
        if len(views & set(names)) > 1:
            names = [name for name in names if name not in views]
    items += [draw(field_values(name)) for name in names]
    return Match(tuple(_in_words_of(version, items)))


def _in_words_of(version: int, items: list[MatchField]) -> list[MatchField]:
    """NXM has other fields for a VLAN and for DSCP."""
    if version >= Version.OF12:
        return items
    words = []
    pcp = next((item.value for item in items if item.name == "vlan_pcp"), None)
    for item in items:
        if item.name == "vlan_vid":
            value = item.value | (pcp or 0) << 13
            words.append(MatchField("vlan_tci", value, 0x1FFF if pcp is None else None))
        elif item.name == "ip_dscp":
            words.append(MatchField("nw_tos", item.value << 2))
        elif item.name != "vlan_pcp":
            words.append(item)
    return words


@st.composite
def matches10(draw: st.DrawFn) -> Match:
    """A match that OpenFlow 1.0's 40 bytes hold."""
    items = []
    if draw(st.booleans()):
        items.append(MatchField("in_port", draw(LEGAL_PORTS)))
    for name in ("eth_src", "eth_dst"):
        if draw(st.booleans()):
            items.append(MatchField(name, draw(st.integers(0, (1 << 48) - 1))))
    vlan = draw(st.sampled_from((None, 0, 0x1000, 0x1FFF)))
    if vlan is not None:
        items.append(MatchField("vlan_vid", vlan))
        if vlan and draw(st.booleans()):
            items.append(MatchField("vlan_pcp", draw(st.integers(0, 7))))
    kind = draw(st.sampled_from((None, 0x0800, 0x0806, 0x1234)))
    if kind is not None:
        items.append(MatchField("eth_type", kind))
    if kind == 0x0800:
        items += draw(_addresses("ip_src", "ip_dst"))
        if draw(st.booleans()):
            items.append(MatchField("nw_tos", draw(st.integers(0, 63)) << 2))
        items += draw(_transport10())
    elif kind == 0x0806:
        items += draw(_addresses("arp_spa", "arp_tpa"))
        if draw(st.booleans()):
            items.append(MatchField("arp_op", draw(st.integers(0, 255))))
    return Match(tuple(items))


@st.composite
def _addresses(draw: st.DrawFn, *names: str) -> list[MatchField]:
    found = []
    for name in names:
        length = draw(st.integers(0, 32))
        if length:
            mask = 0xFFFFFFFF << (32 - length) & 0xFFFFFFFF
            value = draw(st.integers(0, 0xFFFFFFFF)) & mask
            found.append(MatchField(name, value, None if length == 32 else mask))
    return found


@st.composite
def _transport10(draw: st.DrawFn) -> list[MatchField]:
    protocol = draw(st.sampled_from((None, 1, 6, 17, 99)))
    if protocol is None:
        return []
    found = [MatchField("nw_proto", protocol)]
    names = {1: ("icmp_type", "icmp_code"), 6: ("tcp_src", "tcp_dst"), 17: ("udp_src", "udp_dst")}
    for name in names.get(protocol, ()):
        if draw(st.booleans()):
            found.append(MatchField(name, draw(st.integers(0, 255))))
    return found
