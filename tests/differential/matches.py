"""Random matches of flows, with what they promise to the actions."""

from dataclasses import dataclass, field, replace

from tests.differential.values import (
    DSCPS,
    LABELS,
    PORT_WORDS,
    TTLS,
    TUNNEL_WORDS,
    VIDS,
    Chance,
)

KINDS = (
    "any",
    "arp",
    "rarp",
    "ip",
    "tcp",
    "udp",
    "sctp",
    "icmp",
    "ipv6",
    "tcp6",
    "udp6",
    "sctp6",
    "icmp6",
    "nd",
    "mpls",
    "mplsm",
    "other",
)
IPV4_KINDS = frozenset(("ip", "tcp", "udp", "sctp", "icmp"))
IPV6_KINDS = frozenset(("ipv6", "tcp6", "udp6", "sctp6", "icmp6", "nd"))
TCP_FLAGS = ("+syn-ack", "+ack", "-syn", "+fin", "0x12", "0x10/0x10", "0")


@dataclass(slots=True)
class Known:
    """What a match says about every packet that it lets through; actions change it.

    Attributes:
        kind: One of `KINDS`.
        tagged: Whether there is a VLAN tag; `None` if the match does not tell.
        neighbour: `ns`, `na` or nothing.
        pushed: Kinds under the labels that were pushed.
        bottoms: For each label known, the outer one last, whether it is the bottom of the stack.
    """

    kind: str = "any"
    tagged: bool | None = None
    neighbour: str = ""
    pushed: list[str] = field(default_factory=list)
    bottoms: list[bool | None] = field(default_factory=list)

    def copy(self) -> "Known":
        """One that can be changed alone."""
        return replace(self, pushed=list(self.pushed), bottoms=list(self.bottoms))

    @property
    def is_ip(self) -> bool:
        """Whether it is IPv4 or IPv6."""
        return self.kind in IPV4_KINDS or self.kind in IPV6_KINDS

    @property
    def transport(self) -> str:
        """`tcp`, `udp`, `sctp`, `icmp` or nothing."""
        return {"nd": "icmp"}.get(self.kind, self.kind.removesuffix("6")) if self.is_ip else ""


def random_match(
    chance: Chance, kind: str, table: int, tunnels: bool = False
) -> tuple[list[str], Known]:
    """Words of a match, and what is known behind it; with `tunnels` more of their fields."""
    known = Known(kind)
    words = _metadata(chance, table, tunnels)
    if tunnels and chance.often(0.7 if table else 0.35):
        words += _tunnel(chance, words)
    words += chance.some(
        0.15,
        lambda: f"eth_src={chance.masked_ethernet()}",
        lambda: f"eth_dst={chance.masked_ethernet()}",
    )
    words += _vlan(chance, known)
    if kind == "any":
        known.bottoms = [None]
        return words, known
    if kind == "other":
        ether_type = chance.pick(("0x88cc", "0x1234", "0x05ff", "0x8902"))
        return [*words, f"dl_type={ether_type}"], known
    if kind == "nd":
        return [*words, *_neighbour(chance, known)], known
    words.append(kind)
    if kind in ("arp", "rarp"):
        words += _arp(chance)
    elif kind in ("mpls", "mplsm"):
        words += _mpls(chance, known)
    else:
        words += _network(chance, kind)
        words += _transport(chance, kind)
    return words, known


def _metadata(chance: Chance, table: int, tunnels: bool) -> list[str]:
    """Fields of the pipeline; later tables look at registers more."""
    ports = TUNNEL_WORDS if tunnels else PORT_WORDS
    words = chance.some(0.25, lambda: f"in_port={chance.pick(ports)}")
    words += chance.some(
        0.12 if table else 0.03,
        lambda: f"metadata={chance.small()}",
        lambda: f"reg0={chance.small()}",
        lambda: f"reg{1 + chance.below(3)}={chance.small()}",
        lambda: f"reg15={chance.small()}",
        lambda: f"tun_id={chance.small()}",
    )
    return words + chance.some(
        0.03 if table else 0.01,
        lambda: f"xreg2={chance.small()}",
        lambda: f"xxreg2={chance.small()}",
        lambda: f"pkt_mark={chance.small()}",
        lambda: f"tun_src={chance.masked_ipv4()}",
        lambda: f"tun_dst={chance.masked_ipv4()}",
        lambda: f"actset_output={chance.pick((1, 2, 'LOCAL'))}",
        lambda: f"tun_gbp_id={chance.small()}",
    )


def _tunnel(chance: Chance, words: list[str]) -> list[str]:
    """A field of the tunnel that the packet came through, or that earlier tables have set."""
    (word,) = chance.random.sample(
        (
            f"tun_id={chance.small()}",
            f"tun_src={chance.masked_ipv4()}",
            f"tun_dst={chance.masked_ipv4()}",
            f"tun_ipv6_src={chance.masked_ipv6()}",
            f"tun_ipv6_dst={chance.masked_ipv6()}",
            f"tun_gbp_id={chance.small()}",
            f"tun_gbp_flags={chance.pick((0, 8, '0x8/0x8', 72))}",
            "tun_flags=oam",
        ),
        1,
    )
    name = word.partition("=")[0]
    return [] if any(one.startswith(f"{name}=") for one in words) else [word]


def _vlan(chance: Chance, known: Known) -> list[str]:
    if chance.often(0.65):
        return []
    vid = chance.pick(VIDS)
    tagged, words = chance.pick(
        (
            (False, ["vlan_tci=0x0000"]),
            (False, ["vlan_vid=0"]),
            (True, ["vlan_vid=0x1000/0x1000"]),
            (True, [f"dl_vlan={vid}"]),
            (True, [f"dl_vlan={vid}", f"dl_vlan_pcp={chance.below(8)}"]),
            (True, [f"vlan_vid={0x1000 | vid}", f"vlan_pcp={chance.below(8)}"]),
            (None, [f"vlan_tci={vid & 0x1}/0x1"]),
            (False, ["vlan_tci=0x0000/0xf000"]),
            (True, ["vlan_tci=0x3000/0xf000"]),
            (None, [f"vlan_vid={vid & 0xFF}/0xff"]),
        )
    )
    known.tagged = tagged
    return list(words)


def _arp(chance: Chance) -> list[str]:
    return chance.some(
        0.3,
        lambda: f"arp_op={chance.pick((1, 2, 3))}",
        lambda: f"arp_spa={chance.masked_ipv4()}",
        lambda: f"arp_tpa={chance.masked_ipv4()}",
        lambda: f"arp_sha={chance.masked_ethernet()}",
        lambda: f"arp_tha={chance.masked_ethernet()}",
    )


def _mpls(chance: Chance, known: Known) -> list[str]:
    bottom = chance.pick((None, False, True))
    known.bottoms = [bottom]
    words = [] if bottom is None else [f"mpls_bos={int(bottom)}"]
    return words + chance.some(
        0.3,
        lambda: f"mpls_label={chance.pick(LABELS)}",
        lambda: f"mpls_tc={chance.below(8)}",
        lambda: f"mpls_ttl={chance.pick(TTLS)}",
    )


def _network(chance: Chance, kind: str) -> list[str]:
    if kind in IPV4_KINDS:
        words = chance.some(
            0.3,
            lambda: f"nw_src={chance.masked_ipv4()}",
            lambda: f"nw_dst={chance.masked_ipv4()}",
        )
    else:
        words = chance.some(
            0.3,
            lambda: f"ipv6_src={chance.masked_ipv6()}",
            lambda: f"ipv6_dst={chance.masked_ipv6()}",
        )
        words += chance.some(0.1, lambda: f"ipv6_label={chance.pick((0, 5, '5/0xf', 0xABCDE))}")
    words += chance.some(
        0.08,
        lambda: f"ip_dscp={chance.pick(DSCPS)}",
        lambda: f"nw_ecn={chance.below(4)}",
        lambda: f"nw_ttl={chance.pick(TTLS)}",
        lambda: f"ip_frag={chance.pick(('no', 'yes', 'first', 'later', 'not_later'))}",
    )
    if kind in ("ip", "ipv6"):
        words += chance.some(0.15, lambda: f"nw_proto={chance.pick((2, 47, 50, 51, 58, 1, 132))}")
    return words


def _transport(chance: Chance, kind: str) -> list[str]:
    protocol = kind.removesuffix("6")
    if protocol in ("tcp", "udp", "sctp"):
        words = chance.some(
            0.35,
            lambda: f"{protocol}_src={chance.masked_port()}",
            lambda: f"{protocol}_dst={chance.masked_port()}",
        )
        flags = 0.15 if protocol == "tcp" else 0.0
        return words + chance.some(flags, lambda: f"tcp_flags={chance.pick(TCP_FLAGS)}")
    if kind == "icmp":
        return chance.some(
            0.4,
            lambda: f"icmp_type={chance.pick((0, 3, 8, 11))}",
            lambda: f"icmp_code={chance.pick((0, 1))}",
        )
    if kind == "icmp6":
        return chance.some(
            0.4,
            lambda: f"icmp_type={chance.pick((1, 128, 129, 135, 136))}",
            lambda: f"icmp_code={chance.pick((0, 1))}",
        )
    return []


def _neighbour(chance: Chance, known: Known) -> list[str]:
    known.neighbour = chance.pick(("ns", "na"))
    number, option = (135, "nd_sll") if known.neighbour == "ns" else (136, "nd_tll")
    return [
        "icmp6",
        *_network(chance, "icmp6"),
        f"icmp_type={number}",
        "icmp_code=0",
        *chance.some(
            0.4,
            lambda: f"nd_target={chance.masked_ipv6()}",
            lambda: f"{option}={chance.masked_ethernet()}",
        ),
    ]
