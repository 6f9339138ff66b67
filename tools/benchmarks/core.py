"""Scenarios on one core: how many packets a second the datapath itself moves."""

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ovsflow.testing.lab import Lab
from tools.benchmarks import classbench, dpdk, rehearsal, traces
from tools.benchmarks.core_peers import Core, Ovsflow, Shape, awake
from tools.benchmarks.measure import OURS, Contest, Key, Measure, Plan, Progress
from tools.benchmarks.rehearsal import Sent

PREFIX = "ip,nw_dst=10.128.0.0/9"
NEW_MAC = "02:00:00:00:00:99"
#: More flows than this fit in no cache of Open vSwitch's but its signature-match one.
MANY = 10_000
#: Frames of the trace that are sent once before, and looked at.
REHEARSED = 1_000

# Five shapes of mask; every frame of the trace takes one of the last four.
ACL = (
    "priority=60,tcp,tp_dst=22,actions=drop",
    "priority=50,udp,nw_src=10.0.0.0/9,tp_dst=53,actions=output:2",
    "priority=40,udp,tp_dst=80,actions=output:2",
    "priority=30,udp,nw_dst=10.128.0.0/12,actions=output:2",
    "priority=20,ip,nw_src=10.0.0.0/8,nw_dst=10.128.0.0/9,actions=output:2",
    "priority=0,actions=drop",
)


VNI = 10
ENCAP = f"set_field:{VNI}->tun_id,set_field:{dpdk.GATEWAY_IP}->tun_dst,output:2"


@dataclass(frozen=True)
class Scenario:
    """Flows, a trace, and what becomes of it.

    Attributes:
        flows: What the tables get.
        frames: What arrives, over and over.
        sent: What must leave when the frame of that number arrives.
        shape: Where the tunnel is.
        many: Whether flows are more than fit in any cache.
        ranked: Whether a packet may match many rules, so that which one took it matters.
    """

    flows: Callable[[], Iterable[str]]
    frames: Callable[[], Iterator[bytes]]
    sent: Callable[[int, bytes], Sent] = rehearsal.unchanged
    shape: Shape = Shape.PLAIN
    many: bool = False
    ranked: bool = False


def _flows(*flows: str) -> Callable[[], Iterable[str]]:
    return lambda: flows


def _remotes(count: int) -> Callable[[], Iterable[str]]:
    """One flow and one remote end point for each frame of the trace."""

    def flows() -> Iterator[str]:
        for number in range(count):
            inner = f"10.{128 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"
            yield (
                f"ip,nw_dst={inner},actions=set_field:{VNI}->tun_id,"
                f"set_field:{_remote(number)}->tun_dst,output:2"
            )

    return flows


def _remote(number: int) -> str:
    return f"20.{number >> 16}.{number >> 8 & 255}.{number & 255}"


def _trace(count: int) -> Callable[[], Iterator[bytes]]:
    return lambda: traces.flow_frames(count)


def _tunnel_trace(count: int) -> Callable[[], Iterator[bytes]]:
    return lambda: traces.vxlan_frames(count)


def _classbench(count: int) -> Scenario:
    """As many rules in ClassBench's manner, and 100,000 flows that they match."""
    return Scenario(
        lambda: classbench.flows(classbench.rules(count)),
        lambda: (traces.frame(*packet) for packet in classbench.packets(classbench.rules(count))),
        many=True,
        ranked=True,
    )


def _prefix(count: int) -> Scenario:
    return Scenario(_flows(f"{PREFIX},actions=output:2"), _trace(count), many=count > MANY)


def _acl(count: int) -> Scenario:
    return Scenario(_flows(*ACL), _trace(count), many=count > MANY, ranked=True)


def _encap(count: int) -> Scenario:
    flows = _flows(f"{PREFIX},actions={ENCAP}")
    sent = rehearsal.encapsulated(VNI, lambda _: dpdk.GATEWAY_IP)
    return Scenario(flows, _trace(count), sent, Shape.ENCAP, many=count > MANY)


def _decap(count: int) -> Scenario:
    flows = _flows(*(f"in_port=1,tun_id={10 + n},actions=output:2" for n in range(traces.VNIS)))
    trace = _tunnel_trace(count)
    return Scenario(flows, trace, rehearsal.decapsulated, Shape.DECAP, many=count > MANY)


SCENARIOS: dict[str, Scenario] = {
    "core-port-1k": Scenario(_flows("in_port=1,actions=output:2"), _trace(1_000)),
    "core-prefix-1": _prefix(1),
    "core-prefix-1k": _prefix(1_000),
    "core-prefix-100k": _prefix(100_000),
    "core-rewrite-1k": Scenario(
        _flows(f"{PREFIX},actions=set_field:{NEW_MAC}->eth_dst,dec_ttl,output:2"),
        _trace(1_000),
        rehearsal.rewritten(NEW_MAC),
    ),
    "core-acl-1k": _acl(1_000),
    "core-acl-100k": _acl(100_000),
    "core-encap-1k": _encap(1_000),
    "core-encap-100k": _encap(100_000),
    "core-remotes-100k": Scenario(
        _remotes(100_000),
        _trace(100_000),
        rehearsal.encapsulated(VNI, _remote),
        Shape.ENCAP,
        many=True,
    ),
    "core-decap-1k": _decap(1_000),
    "core-decap-100k": _decap(100_000),
    "classbench-1k": _classbench(1_000),
    "classbench-10k": _classbench(10_000),
    "classbench-100k": _classbench(100_000),
}


def peers_of(_: str) -> tuple[str, ...]:
    """Whom a scenario compares with."""
    return (dpdk.PEER,)


def plans(wanted: Sequence[Key], seconds: float) -> list[Plan]:
    """One plan for each scenario, its rounds half as long."""

    def plan(key: Key) -> Plan:
        return Plan((key,), lambda progress: contest(key[0], seconds / 2, progress))

    return [plan(key) for key in wanted]


@contextlib.contextmanager
def contest(name: str, seconds: float, progress: Progress) -> Iterator[Contest]:
    """Both sides of a scenario, rehearsed and warm, each stopped until its turn."""
    scenario = SCENARIOS[name]
    with dpdk.huge_pages(), Lab() as ours, Lab() as theirs, Lab() as files:
        progress(f"{name}: making the trace")
        capture = files.directory / "trace.pcap"
        traces.write_pcap(capture, scenario.frames())
        sides: dict[str, Core] = {}
        with awake(sides):
            sides[OURS] = Ovsflow(ours, scenario.shape)
            hits = _prepare(OURS, sides[OURS], scenario, capture, progress)
            sides[dpdk.PEER] = dpdk.OvsDpdk(theirs, scenario.shape, many=scenario.many)
            rehearsal.same_hits(
                hits, _prepare(dpdk.PEER, sides[dpdk.PEER], scenario, capture, progress)
            )

            def measure(core: Core) -> Measure:
                return lambda: {name: core.turn(seconds)}

            yield Contest(
                {name: "Mpps"},
                {side: measure(core) for side, core in sides.items()},
                settings={dpdk.PEER: sides[dpdk.PEER].settings},
            )


def _prepare(
    side: str, core: Core, scenario: Scenario, capture: Path, progress: Progress
) -> dict[str, int]:
    """Gives a switch its flows, looks at what it does, warms it up and stops it.

    Returns what each flow took in the rehearsal, if that matters.
    """
    progress(f"{side}: adding flows")
    core.set_flows(scenario.flows())
    progress(f"{side}: rehearsing")
    frames = list(itertools.islice(scenario.frames(), REHEARSED))
    sent = [scenario.sent(number, frame) for number, frame in enumerate(frames)]
    hits = rehearsal.rehearse(core, frames, sent, capture.parent, ranked=scenario.ranked)
    core.open(capture)
    core.settle(lambda text: progress(f"{side}: {text}"))
    core.rest()
    return hits
