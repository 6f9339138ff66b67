"""Rule sets in the manner of ClassBench, with packets that hit them.

ClassBench's own seeds and generator are not used: the shapes that it is known for are made from a
fixed seed of ours.  Few templates combine prefix lengths, protocols and ports; addresses come from
a small tree of networks, so that prefixes nest and overlap; each rule has a rank of its own as far
as there are priorities.  Packets are drawn from the rules, so that nearly all rules are hit.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

FLOWS = 100_000
SERVICES = (22, 25, 53, 80, 110, 123, 143, 443, 993, 1723, 3306, 3389, 5060, 8080)
TCP, UDP, ICMP = 6, 17, 1

#: Source length, destination length and how often: hosts, subnets and whole sites.
LENGTHS = (
    (32, 32, 20),
    (24, 32, 16),
    (32, 24, 8),
    (0, 32, 14),
    (24, 24, 10),
    (16, 24, 8),
    (21, 28, 6),
    (28, 21, 5),
    (0, 24, 5),
    (16, 16, 3),
    (23, 30, 3),
    (8, 26, 2),
)


@dataclass(frozen=True)
class Rule:
    """One rule: prefixes, protocol and ports; `None` for any.  Ports are (value, mask)."""

    source: tuple[int, int]
    target: tuple[int, int]
    proto: int | None
    source_port: tuple[int, int] | None
    target_port: tuple[int, int] | None

    def text(self, priority: int) -> str:
        """The rule as a flow."""
        name = {TCP: "tcp", UDP: "udp", ICMP: "icmp", None: "ip"}[self.proto]
        parts = [f"priority={priority}", name]
        for field, (address, length) in (("nw_src", self.source), ("nw_dst", self.target)):
            if length:
                parts.append(f"{field}={dotted(address)}/{length}")
        for field, port in (("tp_src", self.source_port), ("tp_dst", self.target_port)):
            if port is not None:
                parts.append(f"{field}={port[0]:#x}/{port[1]:#x}")
        return ",".join(parts) + ",actions=output:2"

    def packet(self, chance: random.Random) -> tuple[int, int, int, int, int]:
        """Source, destination, protocol and ports of a packet that the rule matches."""

        def address(prefix: tuple[int, int]) -> int:
            value, length = prefix
            return value | chance.getrandbits(32) & (1 << 32 - length) - 1

        def port(wanted: tuple[int, int] | None) -> int:
            value, mask = wanted or (0, 0)
            return value | chance.getrandbits(16) & ~mask & 0xFFFF

        proto = self.proto if self.proto is not None else chance.choice((TCP, UDP))
        source, target = address(self.source), address(self.target)
        return source, target, proto, port(self.source_port), port(self.target_port)


def dotted(address: int) -> str:
    """An IPv4 address as text."""
    return ".".join(str(address >> shift & 0xFF) for shift in (24, 16, 8, 0))


def rules(count: int, seed: int = 11) -> list[Rule]:
    """`count` different rules, the most specific of a kind no earlier than chance has it."""
    chance = random.Random(seed)
    sites = [chance.getrandbits(16) << 16 | 0x01000000 for _ in range(40)]
    subnets = [chance.choice(sites) | chance.getrandbits(8) << 8 for _ in range(count // 20 + 50)]
    weights = [weight for _, _, weight in LENGTHS]

    def prefix(length: int) -> tuple[int, int]:
        address = chance.choice(subnets) | chance.getrandbits(8)
        return address & ~((1 << 32 - length) - 1) & 0xFFFFFFFF, length

    found: dict[Rule, None] = {}
    while len(found) < count:
        source, target, _ = chance.choices(LENGTHS, weights)[0]
        proto = chance.choices((TCP, UDP, ICMP, None), (60, 22, 4, 14))[0]
        source_port, target_port = ports(chance, proto)
        found[Rule(prefix(source), prefix(target), proto, source_port, target_port)] = None
    return list(found)


def ports(
    chance: random.Random, proto: int | None
) -> tuple[tuple[int, int] | None, tuple[int, int] | None]:
    """Ports of a rule: mostly a service, some ranges (as masks), some any."""
    if proto not in (TCP, UDP):
        return None, None
    kind = chance.choices(("service", "exact", "high", "range", "any"), (40, 20, 12, 8, 20))[0]
    exact = 0xFFFF
    target = {
        "service": (chance.choice(SERVICES), exact),
        "exact": (chance.randrange(1024, 65536), exact),
        "high": (0x8000, 0x8000),
        "range": (chance.randrange(64) << 10, 0xFC00),
        "any": None,
    }[kind]
    source = (chance.choice(SERVICES), exact) if chance.random() < 0.08 else None
    return source, target


def flows(these: Sequence[Rule]) -> list[str]:
    """The rules as flows, earlier ones first, and one for all that no rule matches."""
    top, steps = 65_000, 64_000
    ranked = [rule.text(top - place * steps // len(these)) for place, rule in enumerate(these)]
    return [*ranked, "priority=0,actions=output:2"]


def packets(
    these: Sequence[Rule], count: int = FLOWS, seed: int = 12
) -> Iterator[tuple[int, int, int, int, int]]:
    """`count` packets, each of another conversation, drawn from the rules."""
    chance = random.Random(seed)
    for _ in range(count):
        yield chance.choice(these).packet(chance)
