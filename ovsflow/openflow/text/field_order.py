"""The order in which Open vSwitch names fields where no match gives one: sets of fields."""

from collections.abc import Iterable

from ovsflow.openflow.text.keys import TUNNEL_ADDRESSES, TUNNEL_HEADER, TUNNEL_KINDS

# A family stands for all its numbers.
_ORDER = [
    "dp_hash",
    "recirc_id",
    "packet_type",
    "conj_id",
    "tun_id",
    *TUNNEL_ADDRESSES,
    "tun_flags",
    *TUNNEL_HEADER,
    *TUNNEL_KINDS,
    "tun_metadata",
    "metadata",
    "in_port",
    "in_port_oxm",
    "in_phy_port",
    "actset_output",
    "skb_priority",
    "pkt_mark",
    "ct_state",
    "ct_zone",
    "ct_mark",
    "ct_label",
    "ct_nw_proto",
    "ct_nw_src",
    "ct_nw_dst",
    "ct_ipv6_src",
    "ct_ipv6_dst",
    "ct_tp_src",
    "ct_tp_dst",
    "reg",
    "xreg",
    "xxreg",
    "eth_src",
    "eth_dst",
    "eth_type",
    "vlan_tci",
    "dl_vlan",
    "vlan_vid",
    "dl_vlan_pcp",
    "vlan_pcp",
    "pbb_isid",
    "pbb_uca",
    "mpls_label",
    "mpls_tc",
    "mpls_bos",
    "mpls_ttl",
    "ip_src",
    "ip_dst",
    "ipv6_src",
    "ipv6_dst",
    "ipv6_label",
    "ipv6_exthdr",
    "nw_proto",
    "nw_tos",
    "ip_dscp",
    "nw_ecn",
    "nw_ttl",
    "ip_frag",
    "arp_op",
    "arp_spa",
    "arp_tpa",
    "arp_sha",
    "arp_tha",
    "tcp_src",
    "tcp_dst",
    "tcp_flags",
    "udp_src",
    "udp_dst",
    "sctp_src",
    "sctp_dst",
    "icmp_type",
    "icmp_code",
    "icmpv6_type",
    "icmpv6_code",
    "nd_target",
    "nd_sll",
    "nd_tll",
    "nd_reserved",
    "nd_options_type",
    "nsh_flags",
    "nsh_mdtype",
    "nsh_np",
    "nsh_spi",
    "nsh_si",
    "nsh_c",
    "nsh_ttl",
]
_FAMILIES = ("tun_metadata", "reg", "xreg", "xxreg", "nsh_c")


def in_order(names: Iterable[str]) -> list[str]:
    """Fields in the order in which Open vSwitch names them; others last."""

    def place(name: str) -> tuple[int, int, str]:
        family = name.rstrip("0123456789")
        key = family if family in _FAMILIES else name
        number = int(name[len(family) :] or 0) if family in _FAMILIES else 0
        return (_ORDER.index(key) if key in _ORDER else len(_ORDER)), number, name

    return sorted(names, key=place)
