"""Random conjunctive flows: clauses that together send a packet to the flow of their number."""

from tests.differential.values import Chance

KINDS = ("ip", "tcp", "udp")


def conjunctive_matches(chance: Chance, kind: str) -> list[list[str]]:
    """For each of two clauses the matches that satisfy it."""
    clauses = [
        [f"{kind},nw_src={chance.masked_ipv4()}" for _ in range(1 + chance.below(3))],
        [f"{kind},nw_dst={chance.masked_ipv4()}" for _ in range(1 + chance.below(3))],
    ]
    if kind in ("tcp", "udp") and chance.often(0.5):
        clauses[1] = [f"{kind},{kind}_dst={chance.masked_port()}" for _ in range(2)]
    if chance.often(0.3):
        clauses.append([f"in_port={chance.pick((1, 2, 3, 4))}" for _ in range(2)])
    return clauses


def conjunctive_flows(chance: Chance, table: int, priority: int, number: int) -> list[str]:
    """The lines of all clauses of conjunction `number`, which all have one priority."""
    clauses = conjunctive_matches(chance, chance.pick(KINDS))
    lines = []
    for place, matches in enumerate(clauses, 1):
        action = f"conjunction({number},{place}/{len(clauses)})"
        for match in dict.fromkeys(matches):
            lines.append(f"add table={table},priority={priority},{match},actions={action}")
    return lines
