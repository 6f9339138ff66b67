"""What each scenario is meant to reach: a gate that must hold, and a goal beyond it.

A target is either a ratio to a peer, measured in the same run, or a figure of ovsflow's own.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """One line of the table to beat.

    Attributes:
        scenario: Name of the scenario.
        peer: Whom the ratio is to; empty for a figure that stands for itself.
        gate: What must be reached.
        goal: What is wished for.
        less: Whether smaller is better.
        absolute: The figure itself is meant, though there is a peer.
    """

    scenario: str
    peer: str
    gate: float
    goal: float
    less: bool = False
    absolute: bool = False

    def verdict(self, value: float) -> str:
        """How a value stands to the marks: `goal`, `gate` or `missed`."""
        if self._reaches(value, self.goal):
            return "goal"
        return "gate" if self._reaches(value, self.gate) else "missed"

    def _reaches(self, value: float, mark: float) -> bool:
        return value <= mark if self.less else value >= mark


def _core(scenario: str, gate: float, goal: float) -> Target:
    return Target(scenario, "ovs-dpdk", gate, goal)


def _idle(suffix: str) -> tuple[Target, Target]:
    return (
        Target(f"idle-cpu{suffix}", "", 1, 0.01, less=True),
        Target(f"idle-wakeups{suffix}", "", 10, 0.1, less=True),
    )


TARGETS = (
    _core("core-port-1k", 1.5, 3),
    _core("core-prefix-1", 1.5, 3),
    _core("core-prefix-1k", 1.5, 3),
    _core("core-prefix-100k", 2.5, 5),
    _core("core-rewrite-1k", 1.5, 3),
    _core("core-acl-1k", 1.2, 2.5),
    _core("core-acl-100k", 2, 4),
    _core("classbench-1k", 1.5, 5),
    _core("classbench-10k", 1.5, 5),
    _core("classbench-100k", 1.5, 5),
    _core("core-encap-1k", 1.5, 3),
    _core("core-encap-100k", 2, 4),
    _core("core-decap-1k", 2, 4),
    _core("core-decap-100k", 3, 6),
    _core("core-remotes-100k", 1.5, 3),
    Target("tcp-1", "ovs", 5, 7),
    Target("tcp-4", "ovs", 5, 7),
    Target("tcp-1", "kernel", 0.45, 0.65),
    Target("tcp-4", "kernel", 0.45, 0.65),
    Target("udp-64", "ovs", 2.5, 4),
    Target("rtt-p50", "ovs", 0.9, 0.6, less=True),
    Target("rtt-p99", "ovs", 0.6, 0.3, less=True),
    Target("flow-mods-1m", "ovs", 5, 10),
    Target("flow-mods-1m", "ovs", 150, 300, absolute=True),
    Target("flow-memory-1m", "ovs", 300, 120, less=True, absolute=True),
    Target("first-packets", "ovs-dpdk", 0.5, 1, absolute=True),
    Target("kept-mods", "undisturbed", 0.85, 0.95),
    Target("kept-masks", "undisturbed", 0.85, 0.95),
    Target("kept-explosion", "undisturbed", 0.80, 0.95),
    *_idle(""),
    *_idle("-2"),
)


def targets_of(scenario: str, peer: str) -> list[Target]:
    """The targets of a scenario against a peer."""
    return [one for one in TARGETS if (one.scenario, one.peer) == (scenario, peer)]


#: What each scenario is, in a few words.
TITLES = {
    "tcp-1": "TCP, one stream, two switches over VXLAN",
    "tcp-4": "TCP, four streams, same",
    "udp-64": "UDP, 64-byte payload, delivered, same",
    "rtt-p50": "round trip, median, same",
    "rtt-p99": "round trip, 99th percentile, same",
    "core-port-1k": "rule on `in_port`, 1,000 flows",
    "core-prefix-1": "rule on an `nw_dst` prefix, 1 flow",
    "core-prefix-1k": "same, 1,000 flows",
    "core-prefix-100k": "same, 100,000 flows",
    "core-rewrite-1k": "same with set `eth_dst`, `dec_ttl`, 1,000 flows",
    "core-acl-1k": "six-rule ACL, five shapes of mask, 1,000 flows",
    "core-acl-100k": "same, 100,000 flows",
    "core-encap-1k": "VXLAN encapsulation, 1,000 flows",
    "core-encap-100k": "same, 100,000 flows",
    "core-remotes-100k": "same, to 100,000 endpoints by 100,000 flows",
    "core-decap-1k": "VXLAN decapsulation, match `tun_id`, 1,000 flows",
    "core-decap-100k": "same, 100,000 flows",
    "classbench-1k": "1,000 rules like ClassBench's, 100,000 flows",
    "classbench-10k": "10,000 rules, same",
    "classbench-100k": "100,000 rules, same",
    "flow-mods-1m": "1,000,000 adds with set `tun_id`, `tun_dst`",
    "flow-mods-bundle": "100,000 adds in one bundle",
    "flow-memory-1m": "resident memory for each of 1,000,000 flows",
    "idle-cpu": "1,000 flows, three ports, no traffic",
    "idle-wakeups": "threads that wake up, same",
    "idle-cpu-2": "1,000 flows, three ports, no traffic, two workers",
    "idle-wakeups-2": "threads that wake up, same",
    "scaling-2": "rule on an `nw_dst` prefix, 1,000 flows, two workers",
    "first-packets": "each packet the first of its flow, three tables",
    "kept-mods": "forwarding during 10,000 flow-mods a second",
    "kept-mods-share": "same, as a share of the speed of each when left alone",
    "kept-masks": "forwarding during 10,000 flow-mods a second, each with a mask of its own",
    "kept-explosion": "tuple-space explosion beside a victim",
}
