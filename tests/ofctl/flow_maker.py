"""Random flows in the flow language, as people might write them.

`FlowMaker(seed, version).flow()` is always the same line for the same seed.  Flows are mostly
valid: actions are chosen to suit the match, because a flow that nobody takes tests little.
"""

import random
from collections.abc import Callable
from typing import TypeVar

from ovsflow.openflow.constants import Version

T = TypeVar("T")

_TCP_FLAGS = ("fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr", "ns")
_HASHES = (
    "eth_src",
    "symmetric_l4",
    "symmetric_l3l4",
    "symmetric_l3l4+udp",
    "nw_src",
    "nw_dst",
    "symmetric_l3",
)
_WIDE_FIELDS = (
    ("reg3", 32),
    ("NXM_NX_REG7", 32),
    ("tun_id", 64),
    ("xreg2", 64),
    ("metadata", 64),
    ("NXM_OF_VLAN_TCI", 16),
    ("eth_src", 48),
    ("NXM_OF_ETH_DST", 48),
    ("pkt_mark", 32),
    ("xxreg1", 128),
    ("tun_dst", 32),
    ("NXM_NX_TUN_IPV4_SRC", 32),
)
_IP4 = ("ip", "tcp", "udp", "sctp", "icmp")
_IP6 = ("ipv6", "tcp6", "udp6", "sctp6", "icmp6")
_OTHER = ("", "", "arp", "rarp", "mpls", "mplsm", "type")


class FlowMaker:
    """Makes one flow."""

    def __init__(self, seed: int, version: int) -> None:
        self.random = random.Random(seed)
        self.version = version
        self.kind = ""
        self.tagged = self.tagged_twice = False

    def flow(self) -> str:
        """A line for add-flow."""
        words = [*self.head(), *self.match()]
        actions = self.actions()
        line = ",".join(words)
        return f"{line}{self.pick((',', ' '))}actions={actions}" if line else f"actions={actions}"

    def pick(self, choices: tuple[T, ...]) -> T:
        """One of some things."""
        return self.random.choice(choices)

    def chance(self, probability: float) -> bool:
        """True as often as `probability` says."""
        return self.random.random() < probability

    def below(self, limit: int) -> int:
        """A number from 0 up to `limit`, without it."""
        return self.random.randrange(limit)

    # Values.

    def number(self, bits: int) -> str:
        """A number, often at an edge."""
        edges = (0, 1, (1 << bits) - 1, self.random.getrandbits(bits))
        value = self.pick((*edges, self.random.getrandbits(max(1, bits // 2))))
        return hex(value) if bits > 64 or self.chance(0.5) else str(value)

    def masked(self, bits: int, probability: float = 0.3) -> str:
        """A number, sometimes with a mask."""
        mask = f"/{self.random.getrandbits(bits):#x}" if self.chance(probability) else ""
        return self.number(bits) + mask

    def ethernet(self) -> str:
        """An Ethernet address."""
        return ":".join(f"{self.below(256):02x}" for _ in range(6))

    def masked_ethernet(self) -> str:
        """An Ethernet address, sometimes with a mask."""
        return self.ethernet() + self.pick(("", "", f"/{self.ethernet()}", "/01:00:00:00:00:00"))

    def ipv4(self) -> str:
        """An IPv4 address."""
        return ".".join(str(self.below(256)) for _ in range(4))

    def masked_ipv4(self) -> str:
        """An IPv4 address, sometimes with a prefix or a mask."""
        return self.ipv4() + self.pick(("", "", f"/{self.below(33)}", f"/{self.ipv4()}"))

    def ipv6(self) -> str:
        """An IPv6 address in one of the forms people write."""
        groups = [f"{self.pick((0, 0, self.below(0x10000))):x}" for _ in range(8)]
        return self.pick(
            (
                f"::{self.below(0x10000):x}",
                "fe80::" + ":".join(f"{self.below(0x10000):x}" for _ in range(4)),
                f"::{self.ipv4()}",
                f"::ffff:{self.ipv4()}",
                ":".join(groups),
            )
        )

    def masked_ipv6(self) -> str:
        """An IPv6 address, sometimes with a prefix or a mask.

        A mask must not begin with a decimal digit: ovs-ofctl would take that for a prefix.
        """
        mask = self.pick(("ffff::", "fe80::1", "::ff", "ff:0:ff::"))
        return self.ipv6() + self.pick(("", "", f"/{self.below(129)}", f"/{mask}"))

    def tcp_flags(self) -> str:
        """TCP flags in one of their forms."""
        some = self.random.sample(_TCP_FLAGS, self.below(4) + 1)
        signed = "".join(self.pick(("+", "-")) + flag for flag in some)
        numbers = f"{self.below(0x1000):#x}"
        return self.pick((numbers, f"{numbers}/{self.below(0x1000):#x}", signed, "|".join(some)))

    def dotted(self, most: int) -> str:
        """Some bytes in hexadecimal."""
        return ".".join(f"{self.below(256):02x}" for _ in range(self.below(most) + 1))

    # The flow's own keys.

    def head(self) -> list[str]:
        """Everything that is not a field."""
        self.table = self.below(250) if self.chance(0.3) else 0
        new, newer = self.version >= Version.OF13, self.version >= Version.OF14
        choices: tuple[tuple[bool, float, str], ...] = (
            (True, 0.3, f"priority={self.below(0x10000)}"),
            (bool(self.table), 1.0, f"table={self.table}"),
            (True, 0.2, f"cookie={self.number(64)}"),
            (True, 0.2, f"idle_timeout={self.below(0x10000)}"),
            (True, 0.2, f"hard_timeout={self.below(0x10000)}"),
            (True, 0.1, "send_flow_rem"),
            (True, 0.1, "check_overlap"),
            (new, 0.1, "reset_counts"),
            (new, 0.1, "no_byte_counts"),
            (newer, 0.1, f"importance={self.below(0x10000)}"),
        )
        return [word for wanted, often, word in choices if wanted and self.chance(often)]

    # The match.

    def match(self) -> list[str]:
        """Fields."""
        self.kind = self.pick((*_IP4, *_IP6, *_OTHER, "proto"))
        words = [*self.metadata(), *self.layer2()]
        if self.kind == "type":
            return [*words, f"dl_type={self.pick((0x88CC, 0x8100, 0x9000, 0x1234, 0x600)):#x}"]
        if self.kind == "proto":
            self.kind = "ip"
            return [*words, "ip", *self.layer3(), f"nw_proto={self.pick((2, 47, 89, 200))}"]
        if not self.kind:
            return words
        return [*words, self.kind, *self.layer3(), *self.layer4()]

    def some(self, probability: float, *makers: Callable[[], str]) -> list[str]:
        """What some of the makers make."""
        return [make() for make in makers if self.chance(probability)]

    def metadata(self) -> list[str]:
        """Tunnel, registers and the like."""
        common = self.some(
            0.12,
            lambda: f"in_port={self.pick(('1', '2', '65279', 'LOCAL', 'in_port', '100'))}",
            lambda: f"{self.pick(('tun_id', 'tunnel_id'))}={self.masked(64)}",
            lambda: f"tun_src={self.masked_ipv4()}",
            lambda: f"tun_dst={self.masked_ipv4()}",
            lambda: f"tun_ipv6_src={self.masked_ipv6()}",
            lambda: f"tun_ipv6_dst={self.masked_ipv6()}",
            lambda: f"tun_flags={self.pick(('oam', '+oam', '-oam', '0', '1/1'))}",
            lambda: f"tun_gbp_id={self.masked(16)}",
            lambda: f"tun_gbp_flags={self.number(8)}",
            lambda: f"metadata={self.masked(64)}",
            lambda: f"pkt_mark={self.masked(32)}",
            lambda: f"reg{self.below(16)}={self.masked(32)}",
            lambda: f"xreg{self.below(8)}={self.masked(64)}",
            lambda: f"xxreg{self.below(4)}={self.number(128)}",
        )
        rare = self.some(
            0.04,
            lambda: f"conj_id={self.number(32)}",
            lambda: f"actset_output={self.pick(('1', '2', 'LOCAL'))}",
            lambda: f"ct_state={self.pick(('+trk', '-trk', '+trk+est-inv', '0x21/0x23'))}",
            lambda: f"ct_zone={self.number(16)}",
            lambda: f"ct_mark={self.masked(32)}",
            lambda: f"ct_label={self.masked(128)}",
        )
        return common + rare

    def layer2(self) -> list[str]:
        """Addresses and VLAN."""
        words = self.some(
            0.25,
            lambda: f"{self.pick(('dl_src', 'eth_src'))}={self.masked_ethernet()}",
            lambda: f"{self.pick(('dl_dst', 'eth_dst'))}={self.masked_ethernet()}",
        )
        vid, pcp = self.below(0x1000), self.below(8)
        tagged, forms = self.pick(
            (
                (False, ()),
                (False, ()),
                (False, ()),
                (True, (f"dl_vlan={vid}",)),
                (False, ("dl_vlan=0xffff",)),
                (True, (f"dl_vlan_pcp={pcp}",)),
                (True, (f"dl_vlan={vid}", f"dl_vlan_pcp={pcp}")),
                (True, (f"vlan_vid={0x1000 | vid}", f"vlan_pcp={pcp}")),
                (False, (f"vlan_tci={self.masked(16, 0.5)}",)),
                (False, (f"vlan_vid={self.below(0x2000):#x}/{self.below(0x2000):#x}",)),
            )
        )
        self.tagged, self.tagged_twice = tagged, False
        return [*words, *forms]

    def layer3(self) -> list[str]:
        """Addresses and the rest of an IP, ARP or MPLS header."""
        if self.kind in ("arp", "rarp"):
            return self.some(
                0.4,
                lambda: f"arp_op={self.below(255) + 1}",
                lambda: f"arp_spa={self.masked_ipv4()}",
                lambda: f"arp_tpa={self.masked_ipv4()}",
                lambda: f"arp_sha={self.masked_ethernet()}",
                lambda: f"arp_tha={self.masked_ethernet()}",
            )
        if self.kind.startswith("mpls"):
            return self.some(
                0.4,
                lambda: f"mpls_label={self.random.getrandbits(20)}",
                lambda: f"mpls_tc={self.below(8)}",
                lambda: f"mpls_bos={self.below(2)}",
                lambda: f"mpls_ttl={self.below(256)}",
            )
        four = self.kind in _IP4
        address = self.masked_ipv4 if four else self.masked_ipv6
        names = ("nw", "ip") if four else ("ipv6",)
        words = self.some(
            0.4,
            lambda: f"{self.pick(names)}_src={address()}",
            lambda: f"{self.pick(names)}_dst={address()}",
        )
        if not four:
            words += self.some(0.2, lambda: f"ipv6_label={self.masked(20)}")
        return words + self.some(
            0.15,
            lambda: self.pick((f"nw_tos={self.below(64) * 4}", f"ip_dscp={self.below(64)}")),
            lambda: f"{self.pick(('nw_ecn', 'ip_ecn'))}={self.below(4)}",
            lambda: f"nw_ttl={self.below(256)}",
            lambda: f"nw_frag={self.pick(('no', 'yes', 'first', 'later', 'not_later'))}",
        )

    def layer4(self) -> list[str]:
        """Ports, ICMP and neighbour discovery."""
        protocol = self.kind.removesuffix("6")
        if protocol in ("tcp", "udp", "sctp"):
            words = self.some(
                0.4,
                lambda: f"{self.pick(('tp', protocol))}_src={self.masked(16)}",
                lambda: f"{self.pick(('tp', protocol))}_dst={self.masked(16)}",
            )
            return words + (
                self.some(0.3, lambda: f"tcp_flags={self.tcp_flags()}") if protocol == "tcp" else []
            )
        if self.kind == "icmp":
            return self.some(
                0.5,
                lambda: f"icmp_type={self.below(256)}",
                lambda: f"icmp_code={self.below(256)}",
            )
        if self.kind != "icmp6":
            return []
        if self.chance(0.3):
            return [f"icmpv6_type={self.below(130)}"]
        kind, option = self.pick(((135, "nd_sll"), (136, "nd_tll")))
        return [
            f"icmp_type={kind}",
            "icmp_code=0",
            *self.some(
                0.6,
                lambda: f"nd_target={self.masked_ipv6()}",
                lambda: f"{option}={self.masked_ethernet()}",
            ),
        ]

    # Actions.

    def actions(self) -> str:
        """Actions and instructions."""
        if self.chance(0.03):
            return f"conjunction({self.number(32)},{self.below(3) + 1}/{self.below(6) + 3}),note:01"
        words = [self.action() for _ in range(self.below(5))]
        if self.version >= Version.OF13:
            words = self.some(0.1, lambda: f"meter:{self.below(9999) + 1}") + words
            words += self.some(0.05, lambda: "clear_actions")
            words += self.some(
                0.1, lambda: f"write_actions({self.set_field()},output:{self.below(9) + 1})"
            )
            words += self.some(0.1, lambda: f"write_metadata:{self.masked(64)}")
        words += self.some(0.2, lambda: f"goto_table:{self.random.randrange(self.table + 1, 254)}")
        return ",".join(words) or self.pick(("drop", ""))

    def action(self, depth: int = 0) -> str:
        """One action that suits the match."""
        makers: tuple[Callable[[], str], ...] = (
            self.output,
            self.output,
            self.output,
            self.set_field,
            self.set_field,
            self.load,
            self.load,
            self.move,
            self.old_write,
            self.control,
            self.hashing,
            self.learn,
            self.extension,
            self.track,
            self.vlan,
        )
        if depth < 2 and self.chance(0.04):
            before = self.tagged, self.tagged_twice
            inner = [self.action(depth + 1) for _ in range(self.below(3) + 1)]
            self.tagged, self.tagged_twice = before
            return f"clone({','.join(inner)})"
        return self.pick(makers)()

    def output(self) -> str:
        """Sending the packet somewhere."""
        port = self.pick(("1", "2", "65279", "LOCAL", "local", "in_port"))
        return self.pick(
            (
                port,
                f"output:{port}",
                self.pick(("NORMAL", "flood", "ALL", "TABLE", "controller")),
                f"controller:{self.below(0x10000)}",
                f"output(port={self.pick((1, 5, 'LOCAL'))},max_len={self.below(9999) + 14})",
                f"output:{self.pick(('reg1', 'NXM_NX_REG5[0..15]', 'tun_id[3..9]'))}",
                f"enqueue:{self.below(99) + 1}:{self.number(32)}",
                f"group:{self.below(0xFFFF) + 1}",
            )
        )

    def set_field(self) -> str:
        """set_field of a field that the packet has."""
        choices = [
            f"{self.number(64)}->tun_id",
            f"{self.ipv4()}->{self.pick(('tun_src', 'tun_dst'))}",
            f"{self.ipv6()}->tun_ipv6_dst",
            f"{self.number(16)}->tun_gbp_id",
            f"{self.masked(32)}->reg{self.below(16)}",
            f"{self.masked(64)}->xreg{self.below(8)}",
            f"{self.ethernet()}->{self.pick(('eth_src', 'eth_dst'))}",
            f"{self.masked(32)}->pkt_mark",
            f"{self.masked(64)}->metadata",
        ]
        if self.kind in (*_IP4, *_IP6):
            choices += [
                f"{self.below(64)}->ip_dscp",
                f"{self.below(4)}->nw_ecn",
                f"{self.below(256)}->nw_ttl",
            ]
        if self.kind in _IP4:
            choices += [f"{self.ipv4()}->{self.pick(('ip_src', 'nw_dst'))}"] * 3
        if self.kind in _IP6:
            choices += [f"{self.ipv6()}->ipv6_src", f"{self.random.getrandbits(20)}->ipv6_label"]
        if self.kind in ("arp", "rarp"):
            choices += [f"{self.below(256)}->arp_op", f"{self.ipv4()}->arp_spa"]
        if self.kind.startswith("mpls"):
            choices += [f"{self.random.getrandbits(20)}->mpls_label", f"{self.below(8)}->mpls_tc"]
        if self.kind.removesuffix("6") in ("tcp", "udp", "sctp"):
            name = f"{self.kind.removesuffix('6')}_{self.pick(('src', 'dst'))}"
            choices += [f"{self.below(0x10000)}->{name}"] * 2
        if self.tagged:
            choices += [f"{0x1000 | self.below(0x1000)}->vlan_vid", f"{self.below(8)}->vlan_pcp"]
        return f"set_field:{self.random.choice(choices)}"

    def load(self) -> str:
        """load of a whole field, a bit or some bits."""
        name, bits = self.pick(_WIDE_FIELDS)
        start = self.below(bits)
        stop = self.random.randrange(start, min(bits, start + 64))
        if name == "NXM_OF_VLAN_TCI":
            self.tagged = False  # So ovs-ofctl believes, whichever bits are written.
            return f"load:{self.below(8)}->{name}[{self.pick(('13..15', '0..11', '5..9'))}]"
        return self.pick(
            (
                f"load:{self.number(min(bits, 64))}->{name}[]",
                f"load:{self.below(2)}->{name}[{start}]",
                f"load:{self.number(stop - start + 1)}->{name}[{start}..{stop}]",
            )
        )

    def move(self) -> str:
        """move between fields, push and pop."""
        one, other = self.pick(_WIDE_FIELDS), self.pick(_WIDE_FIELDS)
        width = self.below(min(one[1], other[1])) + 1
        a, b = self.below(one[1] - width + 1), self.below(other[1] - width + 1)
        ends = f"{one[0]}[{a}..{a + width - 1}]", f"{other[0]}[{b}..{b + width - 1}]"
        return self.pick((f"move:{ends[0]}->{ends[1]}", f"push:{ends[0]}", f"pop:{ends[1]}"))

    def old_write(self) -> str:
        """The actions that OpenFlow 1.0 has for fields."""
        choices = [
            f"mod_dl_src:{self.ethernet()}",
            f"mod_dl_dst:{self.ethernet()}",
            f"set_tunnel:{self.random.getrandbits(32)}",
            f"set_tunnel64:{1 << 40 | self.random.getrandbits(63)}",
            f"set_queue:{self.number(32)}",
            "pop_queue",
        ]
        if self.kind in (*_IP4, *_IP6):
            choices += [
                "dec_ttl",
                "dec_ttl(1,2,3)",
                f"mod_nw_ttl:{self.below(256)}",
                f"mod_nw_tos:{self.below(64) * 4}",
                f"mod_nw_ecn:{self.below(4)}",
            ]
        if self.kind in _IP4:
            choices += [f"mod_nw_src:{self.ipv4()}", f"mod_nw_dst:{self.ipv4()}"]
        if self.kind.startswith("mpls"):
            choices += ["dec_mpls_ttl", f"set_mpls_ttl({self.below(256)})"]
            choices += [f"set_mpls_label:{self.random.getrandbits(20)}", "set_mpls_tc:5"]
        return self.random.choice(choices)

    def vlan(self) -> str:
        """Actions on the VLAN tag; what the list knows of it changes."""
        choices = [f"mod_vlan_pcp:{self.below(8)}", f"mod_vlan_vid:{self.below(0x1000)}"]
        if self.tagged:
            choices += ["strip_vlan", "pop_vlan"]
        if not self.tagged_twice and self.version >= Version.OF13:
            choices.append("push_vlan:0x8100")
        word = self.random.choice(choices)
        if word in ("strip_vlan", "pop_vlan"):
            self.tagged, self.tagged_twice = self.tagged_twice, False
        else:
            self.tagged_twice |= self.tagged and word.startswith("push")
            self.tagged = True
        return word

    def control(self) -> str:
        """resubmit, controller and what stops."""
        table = self.below(255)
        options = self.some(
            0.5,
            lambda: f"max_len={self.below(0x10000)}",
            lambda: f"reason={self.pick(('no_match', 'action', 'invalid_ttl', 'group'))}",
            lambda: f"id={self.below(0x10000)}",
            lambda: f"userdata={self.dotted(8)}",
        )
        options += self.some(0.2, lambda: "pause", lambda: f"meter_id={self.below(99) + 1}")
        return self.pick(
            (
                f"resubmit:{self.below(9) + 1}",
                f"resubmit(,{table})",
                f"resubmit({self.below(9) + 1},{table})",
                f"resubmit(in_port,{table})",
                f"controller({','.join(options)})",
                "exit",
            )
        )

    def hashing(self) -> str:
        """multipath and bundle."""
        members = ",".join(str(self.below(99) + 1) for _ in range(self.below(4) + 1))
        algorithm = self.pick(("modulo_n", "hash_threshold", "hrw", "iter_hash"))
        head = f"{self.pick(_HASHES)},{self.below(0x10000)}"
        target = f"reg{self.below(16)}[{self.pick(('', '0..15', '16..31'))}]"
        return self.pick(
            (
                f"multipath({head},{algorithm},{self.below(60000) + 1},{self.below(99)},{target})",
                f"bundle({head},active_backup,ofport,members:{members})",
                f"bundle_load({head},hrw,ofport,{target},members:{members})",
            )
        )

    def learn(self) -> str:
        """learn."""
        options = self.some(
            0.25,
            lambda: f"idle_timeout={self.below(0x10000)}",
            lambda: f"hard_timeout={self.below(0x10000)}",
            lambda: f"priority={self.below(0x10000)}",
            lambda: f"cookie={self.number(64)}",
            lambda: "send_flow_rem",
            lambda: "delete_learned",
            lambda: f"limit={self.below(99999) + 1}",
            lambda: f"result_dst=reg0[{self.below(32)}]",
            lambda: f"fin_idle_timeout={self.below(0xFFFF) + 1}",
        )
        specs = (
            "NXM_OF_VLAN_TCI[0..11]",
            "NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[]",
            "in_port=5",
            "eth_type=0x800",
            "load:NXM_OF_IN_PORT[]->NXM_NX_REG0[0..15]",
            "load:0->NXM_OF_VLAN_TCI[]",
            f"load:{self.below(128):#x}->reg1[3..9]",
            "output:NXM_OF_IN_PORT[]",
            "reg5[0..3]=0x5",
            f"tun_id={self.number(64)}",
            f"eth_dst={self.ethernet()}",
            "reg2=reg3",
            "output:reg0",
            "load:tun_id[0..31]->tun_dst[]",
            "metadata=0",
        )
        chosen = [self.pick(specs) for _ in range(self.below(4) + 1)]
        return f"learn({','.join([f'table={self.below(255)}', *options, *chosen])})"

    def extension(self) -> str:
        """Nicira's small ones."""
        sampling = self.pick(("", ",sampling_port=2", ",sampling_port=1,egress", ",ingress"))
        return self.pick(
            (
                f"note:{self.dotted(19)}",
                f"check_pkt_larger({self.below(0x10000)})->reg{self.below(16)}[{self.below(32)}]",
                f"sample(probability={self.below(0xFFFF) + 1},collector_set_id={self.below(999)},"
                f"obs_domain_id={self.number(16)},obs_point_id={self.number(32)}{sampling})",
                "fin_timeout(idle_timeout=5,hard_timeout=6)" if self.kind == "tcp" else "note:",
                "ct_clear",
            )
        )

    def track(self) -> str:
        """ct, with nat and exec."""
        if self.kind not in (*_IP4, *_IP6):
            return "ct_clear"
        words = self.some(
            0.4, lambda: f"zone={self.below(0x10000)}", lambda: f"table={self.below(255)}"
        )
        if self.chance(0.4):
            return f"ct({','.join([*self.pick(((), ('nat',))), *words])})"
        words = ["commit", *self.pick(((), ("force",))), *words]
        words += self.some(0.3, self.translation)
        words += self.some(
            0.3,
            lambda: f"exec(set_field:{self.masked(32)}->ct_mark)",
        )
        return f"ct({','.join(words)})"

    def translation(self) -> str:
        """nat."""
        four = self.kind in _IP4
        first, last = (self.ipv4(), "255.255.255.255") if four else ("fe80::1", "fe80::9")
        ports = self.pick(("", ":80", ":80-99"))
        if not four and ports:
            first, last = f"[{first}]", f"[{last}]"
        addresses = self.pick((first, f"{first}-{last}"))
        flags = self.pick(("", ",random", ",hash", ",persistent", ",persistent,random"))
        return f"nat({self.pick(('src', 'dst'))}={addresses}{ports}{flags})"
