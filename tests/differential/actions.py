"""Random actions and instructions that suit a match, nearly always."""

from collections.abc import Callable, Sequence

from ovsflow.openflow.constants import Version
from ovsflow.openflow.text.rare_actions import HASH_FIELDS
from tests.differential.matches import IPV4_KINDS, IPV6_KINDS, Known
from tests.differential.underlay import LOCAL_ADDRESSES
from tests.differential.values import (
    DSCPS,
    LABELS,
    PORT_WORDS,
    PORTS,
    TTLS,
    TUNNEL_WORDS,
    VIDS,
    Chance,
)

TABLES = 5
FOURS = tuple(one for one in LOCAL_ADDRESSES if ":" not in one)
SIXES = tuple(one for one in LOCAL_ADDRESSES if ":" in one)
GROUPS = (1, 2, 3, 4, 5, 6)

SPACES = (
    ("reg0", 32),
    ("reg1", 32),
    ("reg2", 32),
    ("reg3", 32),
    ("reg15", 32),
    ("xreg2", 64),
    ("metadata", 64),
    ("tun_id", 64),
)
"""Fields that are no part of a packet, and their widths."""

MARK = ("pkt_mark", 32)
"""One more, by which Open vSwitch routes what goes through tunnels."""

TUNNEL_SPACES = (
    ("tun_id", 64),
    ("tun_src", 32),
    ("tun_dst", 32),
    ("tun_ipv6_src", 128),
    ("tun_ipv6_dst", 128),
    ("tun_gbp_id", 16),
    ("tun_gbp_flags", 8),
)
"""Those of tunnels, in pipelines that are about them."""

METERS = (1, 2)


class ActionMaker:
    """Makes the actions of one flow or bucket; follows what they do to the packet.

    Attributes:
        chance: Where choices come from.
        version: Wire version of the message.
        table: Table of the flow.
        known: What is known of the packet at this point of the list.
        groups: Groups that may be used.
        learns: Whether learn is wanted.
        pushes_mpls: Whether push_mpls is wanted.
        pushes_tags: Whether VLAN tags may be pushed: one, unless `deep`.
        deep: Whether there may be more than two tags.
        truncates: Whether truncating outputs are wanted, and nothing that pushes or pops.
        short: Whether packets with cut headers come, so that nothing counts down their TTL.
        normal: Whether NORMAL is wanted.
        meters: Meters that may be used.
        tunnels: Whether much is to be done with the fields of tunnels.
        in_bucket: Whether this is a bucket, where Open vSwitch knows only plain outputs.
    """

    def __init__(
        self,
        chance: Chance,
        version: int,
        table: int,
        known: Known,
        groups: Sequence[int] = (),
        learns: bool = False,
        pushes_mpls: bool = True,
        pushes_tags: bool = False,
        deep: bool = False,
        truncates: bool = True,
        in_bucket: bool = False,
        short: bool = False,
        normal: bool = False,
        meters: Sequence[int] = (),
        tunnels: bool = False,
    ) -> None:
        self.chance = chance
        self.version = version
        self.table = table
        self.known = known
        self.groups = groups
        self.learns = learns
        self.pushes_mpls = pushes_mpls
        self.pushes_tags = pushes_tags or deep
        self.deep = deep
        self.truncates = truncates
        self.in_bucket = in_bucket
        self.short = short
        self.normal = normal
        self.meters = meters
        self.tunnels = tunnels
        self.ports = TUNNEL_WORDS if tunnels else PORT_WORDS

    def instructions(self) -> str:
        """Everything behind `actions=`."""
        chance = self.chance
        words = self.actions(chance.pick((0, 1, 1, 2, 3, 4, 6)))
        if self.version >= Version.OF13:
            words += chance.some(0.08, lambda: "clear_actions")
            words += chance.some(0.2, self.write_actions)
            words += chance.some(0.15, lambda: f"write_metadata:{chance.small()}")
        if self.table + 1 < TABLES:
            words += chance.some(0.45, lambda: f"goto_table:{self.later_table()}")
        if self.meters and self.version >= Version.OF13 and chance.often(0.4):
            words.insert(0, f"meter:{chance.pick(self.meters)}")
        return ",".join(words) or "drop"

    def actions(self, count: int) -> list[str]:
        """A list of actions."""
        words = self.tunnelled() if self.tunnels and self.chance.often(0.4) else []
        for _ in range(count):
            words.append(self.action())
            if self.chance.often(0.35):
                words.append(self.output())
        return words

    def tunnelled(self) -> list[str]:
        """Sends the packet through a tunnel."""
        chance = self.chance
        words = chance.some(
            0.4, lambda: f"set_field:{chance.pick((1, 7, 0xFFFFFF, 0x1000001))}->tun_id"
        )
        if chance.often(0.3):
            words += ["set_field:0.0.0.0->tun_src", "set_field:0.0.0.0->tun_dst"]
            words.append(f"set_field:{chance.ipv6()}->tun_ipv6_dst")
        else:
            words += chance.some(0.5, lambda: f"set_field:{chance.pick(FOURS)}->tun_src")
            words.append(f"set_field:{chance.ipv4()}->tun_dst")
        return [*words, chance.pick(("output:5", "output:5", "IN_PORT"))]

    def later_table(self) -> int:
        """A table behind this one."""
        return self.table + 1 + self.chance.below(TABLES - 1 - self.table)

    def action(self, depth: int = 0) -> str:
        """One action."""
        if depth < 2 and self.chance.often(0.05):
            return self.clone(depth)
        if not depth and not self.table and not self.in_bucket and self.chance.often(0.03):
            length = self.chance.pick((4, 4, 2000))
            return f"check_pkt_larger({length})->reg{self.chance.below(4)}[{self.chance.below(4)}]"
        choices: list[tuple[int, Callable[[], str]]] = [
            (5, self.output),
            (5, self.set_field),
            (3, self.load),
            (3, self.move),
            (2, self.stack),
            (3, self.vlan),
            (2, self.resubmit),
            (1, self.controller),
            (1, self.hashing),
            (1, self.small_one),
            (2, self.mpls),
        ]
        if self.known.is_ip or self.known.kind in ("mpls", "mplsm"):
            choices.append((3, self.time_to_live))
        if self.groups and self.version >= Version.OF13:
            choices.append((2, lambda: f"group:{self.chance.pick(self.groups)}"))
        if self.learns:
            choices.append((3, self.learn))
        if self.normal:
            choices.append((4, lambda: "NORMAL"))
        if self.known.transport == "tcp":
            choices.append((2, self.fin_timeout))
        weights = [weight for weight, _ in choices]
        maker = self.chance.random.choices([one for _, one in choices], weights)[0]
        return maker()

    def clone(self, depth: int) -> str:
        """clone: what happens inside stays inside."""
        before = self.known.copy()
        inner = [self.action(depth + 1) for _ in range(1 + self.chance.below(3))]
        # There exit ends more than the clone.
        inner = [one for one in inner if one != "exit"] or ["drop"]
        inner += self.chance.some(0.6, self.output)
        self.known = before
        return f"clone({','.join(inner)})"

    def output(self) -> str:
        """Sending the packet somewhere."""
        chance = self.chance
        usual = f"output:{chance.pick(self.ports)}"
        if self.in_bucket:
            return chance.pick((usual, usual, "IN_PORT", "FLOOD", "ALL", "CONTROLLER:65535"))
        if self.truncates and chance.often(0.2):
            length = chance.pick((14, 20, 60, 999))
            port = chance.pick([one for one in self.ports if one.isdigit()])
            return f"output(port={port},max_len={length})"
        return chance.pick(
            (
                usual,
                usual,
                usual,
                "output:NXM_OF_IN_PORT[]",
                "IN_PORT",
                "FLOOD",
                "ALL",
                "CONTROLLER:65535",
                "output:77",
                f"output:reg{chance.below(3)}",
                f"output:NXM_NX_REG{chance.below(3)}[0..15]",
            )
        )

    def set_field(self) -> str:
        """set_field of something that the packet has."""
        chance, kind = self.chance, self.known.kind
        masked = self.version >= Version.OF15 or self.version == Version.OF10
        choices = [
            f"{chance.ethernet()}->eth_src",
            f"{chance.ethernet()}->eth_dst",
            f"{chance.small(masked)}->reg{chance.below(4)}",
            f"{chance.small(masked)}->metadata",
            f"{chance.small(masked)}->tun_id",
        ]
        if self.tunnels:
            choices += [
                f"{chance.pick((*FOURS, '0.0.0.0', chance.ipv4()))}->tun_src",
                *[f"{chance.ipv4()}->tun_dst"] * 4,
                f"{chance.pick((chance.ipv6(), '::'))}->tun_ipv6_dst",
                f"{chance.pick((*SIXES, '::', chance.ipv6()))}->tun_ipv6_src",
                "0.0.0.0->tun_dst",
                f"{chance.small(masked)}->tun_gbp_id",
                f"{chance.pick((0, 8, 72))}->tun_gbp_flags",
            ]
        headers: list[str] = []
        if self.known.tagged:
            headers += [f"{0x1000 | chance.pick(VIDS)}->vlan_vid", f"{chance.below(8)}->vlan_pcp"]
        if kind in ("mpls", "mplsm"):
            headers += [f"{chance.pick(LABELS)}->mpls_label", f"{chance.below(8)}->mpls_tc"]
            headers += [f"{chance.pick(TTLS)}->mpls_ttl"]
        if kind == "arp":
            headers += [
                f"{chance.pick((1, 2))}->arp_op",
                f"{chance.ipv4()}->{chance.pick(('arp_spa', 'arp_tpa'))}",
                f"{chance.ethernet()}->{chance.pick(('arp_sha', 'arp_tha'))}",
            ]
        if self.known.is_ip:
            headers += [f"{chance.pick(DSCPS)}->ip_dscp", f"{chance.below(4)}->nw_ecn"]
            headers += [f"{chance.pick(TTLS)}->nw_ttl"]
        if kind in IPV4_KINDS:
            headers += [f"{chance.ipv4()}->{chance.pick(('ip_src', 'ip_dst'))}"] * 2
        if kind in IPV6_KINDS:
            headers += [f"{chance.ipv6()}->{chance.pick(('ipv6_src', 'ipv6_dst'))}"] * 2
            headers += [f"{chance.pick((0, 7, 0xFFFFF))}->ipv6_label"]
        headers += self._transport_fields()
        of_headers = headers and chance.often(0.35 if self.tunnels else 0.7)
        return f"set_field:{chance.pick(headers if of_headers else choices)}"

    def _transport_fields(self) -> list[str]:
        chance, transport = self.chance, self.known.transport
        if transport in ("tcp", "udp", "sctp"):
            side = chance.pick(("src", "dst"))
            return [f"{chance.pick(PORTS)}->{transport}_{side}"] * 2
        if self.known.neighbour:
            option = "nd_sll" if self.known.neighbour == "ns" else "nd_tll"
            return [f"{chance.ipv6()}->nd_target", f"{chance.ethernet()}->{option}"]
        if self.known.kind == "icmp":
            return [f"{chance.pick((0, 8))}->icmp_type", f"{chance.below(2)}->icmp_code"]
        if self.known.kind == "icmp6":
            return [f"{chance.pick((1, 128))}->icmpv6_type", f"{chance.below(2)}->icmpv6_code"]
        return []

    def bits(self, name: str, width: int, wanted: int) -> str:
        """A run of bits of a field."""
        start = self.chance.below(width - wanted + 1) if self.chance.often(0.5) else 0
        return f"{name}[]" if wanted == width else f"{name}[{start}..{start + wanted - 1}]"

    def space(self) -> tuple[str, int]:
        """A field that is no part of the packet."""
        if not self.tunnels:
            return self.chance.pick((*SPACES, MARK))
        return self.chance.pick(TUNNEL_SPACES if self.chance.often(0.5) else SPACES)

    def header(self) -> tuple[str, int]:
        """A field of the packet that can be read and written; a space if none is known."""
        kind = self.known.kind
        choices: list[tuple[str, int]] = [("eth_src", 48), ("eth_dst", 48)]
        if kind in IPV4_KINDS:
            choices += [("ip_src", 32), ("ip_dst", 32), ("nw_ttl", 8)]
        if kind in IPV6_KINDS:
            choices += [("ipv6_src", 128), ("ipv6_dst", 128), ("ipv6_label", 20)]
        if kind == "arp":
            choices += [("arp_spa", 32), ("arp_tpa", 32), ("arp_sha", 48), ("arp_tha", 48)]
        if kind in ("mpls", "mplsm"):
            choices += [("mpls_label", 20), ("mpls_tc", 3)]
        transport = self.known.transport
        if transport in ("tcp", "udp", "sctp"):
            choices += [(f"{transport}_src", 16), (f"{transport}_dst", 16)]
        if self.known.tagged is not None:
            choices += [("NXM_OF_VLAN_TCI", 16)]
        return self.chance.pick(choices)

    def load(self) -> str:
        """load of some bits."""
        name, width = self.space() if self.chance.often(0.6) else self.header()
        if name == "NXM_OF_VLAN_TCI":
            return self.set_field()
        wanted = self.chance.pick((1, 3, 8, 12, 16, 20, 32, 48))
        wanted = min(wanted, width)
        if self.version == Version.OF15 and wanted == width and width % 8:
            wanted -= 1
        value = self.chance.pick((0, 1, 2, 3, self.chance.bits(wanted))) & ((1 << wanted) - 1)
        return f"load:{value:#x}->{self.bits(name, width, wanted)}"

    def move(self) -> str:
        """move between two fields."""
        source, target = self._source(), self._target()
        wanted = min(source[1], target[1], self.chance.pick((1, 3, 8, 12, 16, 20, 32, 48, 64)))
        ends = self.bits(*source, wanted), self.bits(*target, wanted)
        return f"move:{ends[0]}->{ends[1]}"

    def _source(self) -> tuple[str, int]:
        return self.space() if self.chance.often(0.4) else self._readable()

    def _readable(self) -> tuple[str, int]:
        return ("in_port", 16) if self.chance.often(0.1) else self.header()

    def _target(self) -> tuple[str, int]:
        target = self.space() if self.chance.often(0.6) else self.header()
        return self.space() if target[0] == "NXM_OF_VLAN_TCI" else target

    def stack(self) -> str:
        """push and pop."""
        if self.chance.often(0.5):
            name, width = self._source()
            return f"push:{self.bits(name, width, min(width, self.chance.pick((1, 8, 16, 32))))}"
        name, width = self._target()
        return f"pop:{self.bits(name, width, min(width, self.chance.pick((1, 8, 16, 32))))}"

    def vlan(self) -> str:
        """Actions on the VLAN tag."""
        chance = self.chance
        if self.truncates:
            return self.set_field()
        changes = [f"mod_vlan_vid:{chance.pick(VIDS)}", f"mod_vlan_pcp:{chance.below(8)}"]
        choices = ["strip_vlan"] * (3 if self.known.tagged else 0)
        # Later versions push a tag where none is known of.
        if self.pushes_tags or self.known.tagged or self.version == Version.OF10:
            choices += changes
        if self.pushes_tags and self.version >= Version.OF13:
            choices += ["push_vlan:0x8100", "push_vlan:0x88a8"]
        if not choices:
            return self.set_field()
        word = chance.pick(choices)
        pushes = word.startswith("push") or (word in changes and not self.known.tagged)
        self.pushes_tags &= self.deep or not pushes
        self.known.tagged = None if word == "strip_vlan" else True
        return word

    def mpls(self) -> str:
        """Actions on the label stack."""
        chance, known = self.chance, self.known
        if self.truncates:
            return self.set_field()
        bottom = known.bottoms[-1] if known.bottoms else None
        if known.kind in ("mpls", "mplsm") and bottom is not None and chance.often(0.6):
            return self.pop_mpls(bottom)
        if not self.pushes_mpls or (chance.often(0.4) and known.kind not in ("mpls", "mplsm")):
            return self.set_field()
        known.pushed.append(known.kind)
        if known.kind in ("mpls", "mplsm"):
            known.bottoms.append(False)
        else:
            # Of other types it is not known to what a pop would have to go back.
            unknown = known.bottoms or known.kind in ("any", "other")
            known.bottoms.append(None if unknown else True)
        known.kind = chance.pick(("mpls", "mplsm"))
        known.neighbour = ""
        return f"push_mpls:{0x8847 if known.kind == 'mpls' else 0x8848:#06x}"

    def pop_mpls(self, bottom: bool) -> str:
        """pop_mpls to what lies under the label."""
        known = self.known
        known.bottoms.pop()
        known.bottoms = known.bottoms or [None]
        below = known.pushed.pop() if known.pushed else "any"
        if not bottom:
            known.kind = below if below in ("mpls", "mplsm") else "mpls"
            return f"pop_mpls:{0x8847 if known.kind == 'mpls' else 0x8848:#06x}"
        known.kind = "any"
        number = {"arp": 0x0806, "rarp": 0x8035}.get(below, 0x1234)
        number = 0x0800 if below in IPV4_KINDS else number
        number = 0x86DD if below in IPV6_KINDS else number
        return f"pop_mpls:{number:#06x}"

    def time_to_live(self) -> str:
        """Actions on the TTL."""
        if self.known.kind in ("mpls", "mplsm"):
            return self.chance.pick(("dec_mpls_ttl", f"set_mpls_ttl({self.chance.pick(TTLS)})"))
        if self.short:
            return f"mod_nw_ttl:{self.chance.pick(TTLS)}"
        return self.chance.pick(("dec_ttl", "dec_ttl", f"mod_nw_ttl:{self.chance.pick(TTLS)}"))

    def resubmit(self) -> str:
        """resubmit, nearly always to a later table."""
        table = self.later_table() if self.table + 1 < TABLES else self.table
        if self.chance.often(0.03):
            table = self.chance.below(TABLES)
        port = self.chance.pick(("", "", "", "in_port", "1", "2"))
        return f"resubmit({port},{table})"

    def controller(self) -> str:
        """controller with options."""
        chance = self.chance
        options = chance.some(
            0.4,
            lambda: f"max_len={chance.pick((0, 20, 64, 65535))}",
            lambda: f"reason={chance.pick(('no_match', 'action', 'invalid_ttl'))}",
            lambda: f"userdata={chance.bits(8):02x}.{chance.bits(8):02x}",
        )
        return f"controller({','.join(options)})"

    def hashing(self) -> str:
        """multipath and bundle."""
        chance = self.chance
        # One live port, since which of several is taken is nobody's promise.
        members = chance.random.sample([chance.pick((1, 2, 3, 4)), 77, 78], 1 + chance.below(3))
        listed = ",".join(map(str, members))
        head = f"{chance.pick(HASH_FIELDS)},{chance.below(100)}"
        target = f"reg{chance.below(4)}[{chance.pick(('', '0..15', '16..31'))}]"
        algorithm = chance.pick(("modulo_n", "hash_threshold", "hrw", "iter_hash"))
        kind = chance.pick(("active_backup", "hrw"))
        return chance.pick(
            (
                f"multipath({head},{algorithm},1,{chance.below(99)},{target})",
                f"bundle({head},{kind},ofport,members:{listed})",
                f"bundle_load({head},{kind},ofport,{target},members:{listed})",
            )
        )

    def small_one(self) -> str:
        """Actions that do little."""
        chance = self.chance
        return chance.pick(
            (
                f"note:{chance.bits(8):02x}.{chance.bits(8):02x}",
                f"set_queue:{chance.below(3)}",
                "pop_queue",
                f"set_tunnel:{chance.below(4)}",
                "exit",
                f"enqueue:{chance.pick((1, 2, 3))}:{chance.below(3)}",
            )
        )

    def fin_timeout(self) -> str:
        """fin_timeout: shorter timeouts once a FIN or RST was seen."""
        words = self.chance.some(
            0.7,
            lambda: f"idle_timeout={1500 + self.chance.below(9)}",
            lambda: f"hard_timeout={1500 + self.chance.below(9)}",
        )
        return f"fin_timeout({','.join(words)})"

    def learn(self) -> str:
        """learn: a flow from the packet."""
        chance = self.chance
        table = chance.below(TABLES)
        priority = chance.below(30000) * 2 + 1
        specs = chance.random.sample(
            (
                "NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[]",
                "NXM_OF_ETH_SRC[]",
                "NXM_OF_IN_PORT[]",
                "eth_type=0x800",
                "NXM_OF_VLAN_TCI[0..11]",
                "load:NXM_OF_IN_PORT[]->NXM_NX_REG0[0..15]",
                "load:0x1->reg1[0..3]",
                "output:NXM_OF_IN_PORT[]",
                "output:NXM_NX_REG0[]",
                "reg2[0..3]=0x1",
                "load:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[]",
            ),
            1 + chance.below(4),
        )
        options = chance.some(
            0.3,
            lambda: f"cookie={chance.small(False)}",
            lambda: f"limit={1 + chance.below(3)}",
            lambda: f"result_dst=reg3[{chance.below(4)}]",
            lambda: f"hard_timeout={1000 + chance.below(3)}",
            lambda: f"fin_idle_timeout={500 + chance.below(3)}",
        )
        return f"learn({','.join([f'table={table}', f'priority={priority}', *options, *specs])})"

    def write_actions(self) -> str:
        """write_actions, at times of what may not stand there."""
        chance = self.chance
        before = self.known.copy()
        words = [self.set_field() for _ in range(chance.below(3))]
        words += chance.some(0.2, self.vlan) + chance.some(0.1, self.mpls)
        if before.is_ip and self.known.kind == before.kind and not self.short:
            words += chance.some(0.2, lambda: "dec_ttl")
        self.known = before
        words += chance.some(
            0.85,
            lambda: f"output:{chance.pick((*self.ports, 'IN_PORT', 'ALL', 'CONTROLLER'))}",
        )
        if self.groups:
            words += chance.some(0.2, lambda: f"group:{chance.pick(self.groups)}")
        chance.random.shuffle(words)
        return f"write_actions({','.join(words)})"
