"""Scenarios on the two-switch overlay: streams, small packets, round trips.

All peers stay up and take turns.  Before, each must carry a stream whose every byte is looked
at; after each round of streams no host may have seen a bad checksum; of small packets every byte
is looked at, and each one that ovsflow loses must be counted somewhere.
"""

import contextlib
import json
import re
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ovsflow.errors import HostError
from ovsflow.testing.lab import Lab, Overlay, Process
from tools.benchmarks import overlay_peers
from tools.benchmarks.datagrams import Received
from tools.benchmarks.losses import Losses, losses
from tools.benchmarks.measure import OURS, Contest, Key, Measure, Plan, Progress
from tools.benchmarks.overlay_peers import INNER, PYTHON

#: Rates at which small packets are offered, in thousands a second; 0 is as fast as they go.
OFFERED = (60, 100, 140, 180, 220, 260, 300, 400, 500, 0)
#: How long each of them is tried, in seconds.
TRIAL_SECONDS = 0.5
#: Quiet time after which no datagram comes any more, in seconds.
SILENCE_SECONDS = 0.3
#: Share of the datagrams that may be lost without anybody's account.
UNACCOUNTED = 0.01


@contextlib.contextmanager
def server(net: Overlay, lab: Lab, *command: str, port: int) -> Iterator[Process]:
    """Runs a server in h2 while the block lasts."""
    process = lab.start(net.h2, f"server-{port}", *command)
    lab.wait_for(lambda: f":{port} " in net.h2.run("ss", "-Hlntu"), command[0], process)
    try:
        yield process
    finally:
        process.stop(signal.SIGINT, 2)


def checksum_errors(net: Overlay) -> int:
    """Bad inner checksums that the hosts saw: a run with any is void."""
    names = ("nstat", "-asz", "TcpInCsumErrors", "UdpInCsumErrors")
    text = net.h1.run(*names) + net.h2.run(*names)
    return sum(int(number) for number in re.findall(r"CsumErrors\s+(\d+)", text))


def tcp(net: Overlay, seconds: float, streams: int) -> float:
    """Gbit/s of TCP that h2 received, after a second of warming up.

    Raises:
        HostError: A host saw a bad checksum.
    """
    text = net.h1.run(
        *("iperf3", "-c", INNER, "-t", f"{seconds:g}", "-O", "1", "-P", str(streams), "-J"),
        timeout=seconds + 30,
    )
    if errors := checksum_errors(net):
        raise HostError(f"the hosts counted {errors} bad checksums: the run is void")
    return float(json.loads(text)["end"]["sum_received"]["bits_per_second"]) / 1e9


def udp(net: Overlay, lab: Lab, seconds: float, rate: float) -> float:
    """Thousands of 64-byte datagrams a second that h2 received, as they were sent and once.

    Raises:
        HostError: One came changed or twice, or ovsflow lost some and did not say so.
    """
    words = (*PYTHON, "tools.benchmarks.datagrams")
    before = losses(net)
    with server(net, lab, *words, "receive", "5777", str(SILENCE_SECONDS), port=5777) as sink:
        command = (*words, "send", INNER, "5777", str(seconds), str(rate * 1e3))
        sent = json.loads(net.h1.run(*command, timeout=seconds + 30))
        sink.process.wait(seconds + 30)
        received = Received(**json.loads(sink.output().split("\n")[1]))
    check_datagrams(sent["sent"], received, losses(net) - before)
    return received.delivered / max(float(sent["seconds"]), received.seconds) / 1e3


def check_datagrams(sent: int, received: Received, lost: Losses) -> None:
    """Makes sure that datagrams came as they were sent, and that losses are accounted for.

    Raises:
        HostError: They were not.
    """
    if received.damaged or received.repeated:
        raise HostError(
            f"{received.damaged} datagrams came changed, {received.repeated} twice: the run is void"
        )
    missing = sent - received.delivered - lost.most_datagrams
    if lost.complete and missing > UNACCOUNTED * sent:
        raise HostError(f"{missing} of {sent} datagrams are lost without account: {lost}")


def best_rate(net: Overlay, lab: Lab) -> float:
    """The rate, in thousands a second, at which most datagrams arrive; 0 for as fast as they go."""
    arrived = {rate: udp(net, lab, TRIAL_SECONDS, rate) for rate in OFFERED}
    return max(arrived, key=lambda rate: arrived[rate])


def round_trips(net: Overlay, seconds: float) -> Mapping[str, float]:
    """Microseconds of a UDP round trip (64 bytes): the median and the 99th percentile."""
    text = net.h1.run(
        *("sockperf", "ping-pong", "-i", INNER, "-p", "11111", "-t", str(max(1, round(seconds)))),
        *("-m", "64", "--full-rtt"),
        timeout=seconds + 30,
    )
    found = {}
    for name, percentile in (("rtt-p50", "50.0"), ("rtt-p99", "99.0")):
        told = re.search(rf"percentile {percentile}\d* =\s+([\d.]+)", text)
        if told is None:
            raise HostError(f"sockperf told no percentile {percentile}:\n{text}")
        found[name] = float(told[1])
    if re.search(r"# dropped messages = [1-9]|# duplicated messages = [1-9]", text):
        raise HostError(f"sockperf saw messages lost or twice: the run is void\n{text}")
    return found


@dataclass(frozen=True)
class Group:
    """Scenarios that one measurement tells.

    Attributes:
        units: The unit of each.
        server: What listens in h2 meanwhile, and its port; `None` where each round starts its own.
        prepare: Chooses what is best for a peer: a setting, and how it is told.
        measure: Measures a peer with its setting.
    """

    units: Mapping[str, str]
    server: tuple[tuple[str, ...], int] | None
    measure: Callable[[Overlay, Lab, float, float], Mapping[str, float]]
    prepare: Callable[[Overlay, Lab], tuple[float, str]] = lambda net, lab: (0, "")


def _streams(name: str, count: int) -> Group:
    return Group(
        {name: "Gbit/s"},
        (("iperf3", "-s"), 5201),
        lambda net, lab, seconds, _: {name: tcp(net, seconds, count)},
    )


def _offered(net: Overlay, lab: Lab) -> tuple[float, str]:
    rate = best_rate(net, lab)
    return rate, f"offered {rate:g} k/s" if rate else "offered all"


GROUPS = (
    _streams("tcp-1", 1),
    _streams("tcp-4", 4),
    Group(
        {"udp-64": "kpps"},
        None,
        lambda net, lab, seconds, rate: {"udp-64": udp(net, lab, seconds, rate)},
        _offered,
    ),
    Group(
        {"rtt-p50": "µs", "rtt-p99": "µs"},
        (("sockperf", "server", "-i", INNER, "-p", "11111"), 11111),
        lambda net, lab, seconds, _: round_trips(net, seconds),
    ),
)
SCENARIOS: dict[str, Group] = {name: group for group in GROUPS for name in group.units}


def peers_of(scenario: str) -> tuple[str, ...]:
    """Whom a scenario compares with."""
    return tuple(peer for peer in overlay_peers.PEERS if peer != OURS)


def plans(wanted: Sequence[Key], seconds: float) -> list[Plan]:
    """One plan for each group of scenarios; all peers are measured in the same rounds."""

    def plan(group: Group) -> Plan:
        keys = tuple(key for key in wanted if key[0] in group.units)
        peers = tuple(dict.fromkeys(peer for _, peer in keys))
        return Plan(keys, lambda progress: contest(group, peers, seconds, progress))

    return [one for one in map(plan, GROUPS) if one.keys]


@contextlib.contextmanager
def contest(
    group: Group, peers: Sequence[str], seconds: float, progress: Progress
) -> Iterator[Contest]:
    """Ovsflow and peers, each with networks of its own."""
    sides: dict[str, Measure] = {}
    settings: dict[str, str] = {}
    with contextlib.ExitStack() as stack:
        for peer in (OURS, *peers):
            progress(f"{'/'.join(group.units)}: starting {peer}")
            lab = stack.enter_context(Lab())
            net = overlay_peers.PEERS[peer](lab)
            overlay_peers.check(net, peer)
            if group.server:
                command, port = group.server
                stack.enter_context(server(net, lab, *command, port=port))
            best, settings[peer] = group.prepare(net, lab)
            sides[peer] = _measurement(group, net, lab, seconds, best)
        yield Contest(group.units, sides, settings=settings)


def _measurement(group: Group, net: Overlay, lab: Lab, seconds: float, best: float) -> Measure:
    return lambda: group.measure(net, lab, seconds, best)
