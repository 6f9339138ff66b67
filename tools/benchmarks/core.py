"""Scenarios on one core: how many packets a second the datapath itself moves."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ovsflow.testing.lab import Lab
from tools.benchmarks import core_peers, traces
from tools.benchmarks.measure import Contest, Progress

PREFIX = "ip,nw_dst=10.128.0.0/9"

# Five shapes of mask; every frame of the trace takes one of the last four.
ACL = (
    "priority=60,tcp,tp_dst=22,actions=drop",
    "priority=50,udp,nw_src=10.0.0.0/9,tp_dst=53,actions=output:2",
    "priority=40,udp,tp_dst=80,actions=output:2",
    "priority=30,udp,nw_dst=10.128.0.0/12,actions=output:2",
    "priority=20,ip,nw_src=10.0.0.0/8,nw_dst=10.128.0.0/9,actions=output:2",
    "priority=0,actions=drop",
)


@dataclass(frozen=True)
class Scenario:
    """Flows and a trace."""

    flows: Sequence[str]
    frames: Callable[[], Iterator[bytes]]


def _trace(count: int) -> Callable[[], Iterator[bytes]]:
    return lambda: traces.flow_frames(count)


SCENARIOS: dict[str, Scenario] = {
    "core-port-1k": Scenario(("in_port=1,actions=output:2",), _trace(1_000)),
    "core-prefix-1": Scenario((f"{PREFIX},actions=output:2",), _trace(1)),
    "core-prefix-1k": Scenario((f"{PREFIX},actions=output:2",), _trace(1_000)),
    "core-prefix-100k": Scenario((f"{PREFIX},actions=output:2",), _trace(100_000)),
    "core-rewrite-1k": Scenario(
        (f"{PREFIX},actions=set_field:02:00:00:00:00:99->eth_dst,dec_ttl,output:2",), _trace(1_000)
    ),
    "core-acl-1k": Scenario(ACL, _trace(1_000)),
    "core-acl-100k": Scenario(ACL, _trace(100_000)),
}


def peers_of(scenario: str) -> tuple[str, ...]:
    """Whom a scenario compares with."""
    return ("ovs-dpdk",)


def contests(
    wanted: Sequence[tuple[str, str]], seconds: float, progress: Progress
) -> Iterator[Contest]:
    """Yields each scenario that is wanted.

    One peer runs at a time, since both want the whole core: each round starts its own.
    """
    with Lab() as files:
        for name, peer in wanted:
            progress(f"{name}: making the trace")
            capture = files.directory / f"{name}.pcap"
            scenario = SCENARIOS[name]
            traces.write_pcap(capture, scenario.frames())

            def measurement(
                side: str, one: Scenario = scenario, path: Path = capture
            ) -> Callable[[], float]:
                return lambda: measure(side, one, path, seconds)

            yield Contest(name, "Mpps", peer, measurement("ovsflow"), measurement(peer))
            capture.unlink()


def measure(peer: str, scenario: Scenario, capture: Path, seconds: float) -> float:
    """Millions of packets a second that a peer forwards."""
    with contextlib.closing(Lab()) as lab:
        core = core_peers.PEERS[peer](lab, capture)
        core.set_flows(scenario.flows)
        core.rate(1.0)
        return core.rate(seconds)
