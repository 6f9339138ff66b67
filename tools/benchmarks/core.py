"""Scenarios on one core: how many packets a second the datapath itself moves."""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ovsflow.testing.lab import Lab
from tools.benchmarks import classbench, core_peers, traces
from tools.benchmarks.core_peers import Shape
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


ENCAP = f"set_field:10->tun_id,set_field:{core_peers.GATEWAY_IP}->tun_dst,output:2"


@dataclass(frozen=True)
class Scenario:
    """Flows, a trace, and where the tunnel is.

    Attributes:
        flows: What the tables get.
        frames: What arrives, over and over.
        shape: Where the tunnel is.
        warm_seconds: How long a peer that learns kinds of packets slowly is left alone before.
    """

    flows: Callable[[], Iterable[str]]
    frames: Callable[[], Iterator[bytes]]
    shape: Shape = Shape.PLAIN
    warm_seconds: float = 0.0


def _flows(*flows: str) -> Callable[[], Iterable[str]]:
    return lambda: flows


def _remotes(count: int) -> Callable[[], Iterable[str]]:
    """One flow and one remote end point for each frame of the trace."""

    def flows() -> Iterator[str]:
        for number in range(count):
            inner = f"10.{128 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"
            outer = f"20.{number >> 16}.{number >> 8 & 255}.{number & 255}"
            yield (
                f"ip,nw_dst={inner},actions=set_field:10->tun_id,set_field:{outer}->tun_dst,output:2"
            )

    return flows


def _trace(count: int) -> Callable[[], Iterator[bytes]]:
    return lambda: traces.flow_frames(count)


def _tunnel_trace(count: int) -> Callable[[], Iterator[bytes]]:
    return lambda: traces.vxlan_frames(count)


def _classbench(count: int) -> Scenario:
    """As many rules in ClassBench's manner, and 100,000 flows that they match."""
    return Scenario(
        lambda: classbench.flows(classbench.rules(count)),
        lambda: (traces.frame(*packet) for packet in classbench.packets(classbench.rules(count))),
        warm_seconds=40.0,
    )


_prefix = _flows(f"{PREFIX},actions=output:2")
_rewrite = _flows(f"{PREFIX},actions=set_field:02:00:00:00:00:99->eth_dst,dec_ttl,output:2")
_encap = _flows(f"{PREFIX},actions={ENCAP}")
_decap = _flows(*(f"in_port=1,tun_id={10 + n},actions=output:2" for n in range(traces.VNIS)))

SCENARIOS: dict[str, Scenario] = {
    "core-port-1k": Scenario(_flows("in_port=1,actions=output:2"), _trace(1_000)),
    "core-prefix-1": Scenario(_prefix, _trace(1)),
    "core-prefix-1k": Scenario(_prefix, _trace(1_000)),
    "core-prefix-100k": Scenario(_prefix, _trace(100_000)),
    "core-rewrite-1k": Scenario(_rewrite, _trace(1_000)),
    "core-acl-1k": Scenario(_flows(*ACL), _trace(1_000)),
    "core-acl-100k": Scenario(_flows(*ACL), _trace(100_000)),
    "core-encap-1k": Scenario(_encap, _trace(1_000), Shape.ENCAP),
    "core-encap-100k": Scenario(_encap, _trace(100_000), Shape.ENCAP),
    "core-remotes-100k": Scenario(_remotes(100_000), _trace(100_000), Shape.ENCAP),
    "core-decap-1k": Scenario(_decap, _tunnel_trace(1_000), Shape.DECAP),
    "core-decap-100k": Scenario(_decap, _tunnel_trace(100_000), Shape.DECAP),
    "classbench-1k": _classbench(1_000),
    "classbench-10k": _classbench(10_000),
    "classbench-100k": _classbench(100_000),
}


def peers_of(scenario: str) -> tuple[str, ...]:
    """Whom a scenario compares with: where flows are many, Open vSwitch's other caches too."""
    if scenario.endswith("-100k") or scenario.startswith("classbench"):
        return ("ovs-dpdk", "ovs-dpdk-smc", "ovs-dpdk-uncached")
    return ("ovs-dpdk",)


def contests(
    wanted: Sequence[tuple[str, str]], seconds: float, progress: Progress
) -> Iterator[Contest]:
    """Yields each scenario that is wanted.

    One peer runs at a time, since both want the whole core: each round starts its own.
    """
    with core_peers.huge_pages(), Lab() as files:
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
        core = core_peers.PEERS[peer](lab, capture, scenario.shape)
        core.set_flows(scenario.flows())
        core.start()
        if peer != "ovsflow":
            time.sleep(scenario.warm_seconds)
        core.settle()
        return core.rate(seconds)
