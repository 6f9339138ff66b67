"""Scenarios on the two-switch overlay: streams, small packets, round trips."""

import contextlib
import json
import re
import signal
from collections.abc import Callable, Iterator, Sequence

from ovsflow.errors import HostError
from ovsflow.testing.lab import Lab, Overlay
from tools.benchmarks import overlay_peers
from tools.benchmarks.measure import Contest, Progress

INNER = "10.0.0.2"


@contextlib.contextmanager
def server(net: Overlay, lab: Lab, *command: str, port: int = 5201) -> Iterator[None]:
    """Runs a server in h2 while the block lasts."""
    process = lab.start(net.h2, command[0], *command)
    lab.wait_for(lambda: f":{port} " in net.h2.run("ss", "-Hlntu"), command[0], process)
    try:
        yield
    finally:
        process.stop(signal.SIGINT, 2)


def checksum_errors(net: Overlay) -> int:
    """Bad inner checksums that h2 saw: a run with any is void."""
    text = net.h2.run("nstat", "-asz", "TcpInCsumErrors", "UdpInCsumErrors")
    return sum(int(number) for number in re.findall(r"CsumErrors\s+(\d+)", text))


def tcp(net: Overlay, lab: Lab, seconds: float, streams: int) -> float:
    """Gbit/s of TCP that h2 received."""
    with server(net, lab, "iperf3", "-s"):
        report = json.loads(
            net.h1.run(
                "iperf3",
                "-c",
                INNER,
                "-t",
                str(seconds),
                "-O",
                "1",
                "-P",
                str(streams),
                "-J",
                timeout=seconds + 30,
            )
        )
    if checksum_errors(net):
        raise HostError("h2 counted bad checksums: the run is void")
    return float(report["end"]["sum_received"]["bits_per_second"]) / 1e9


def udp(net: Overlay, lab: Lab, seconds: float) -> float:
    """Thousands of 64-byte datagrams a second that h2 received."""
    with server(net, lab, "iperf3", "-s"):
        report = json.loads(
            net.h1.run(
                "iperf3",
                "-c",
                INNER,
                "-u",
                "-l",
                "64",
                "-b",
                "0",
                "-t",
                str(seconds),
                "-J",
                "--get-server-output",
                timeout=seconds + 30,
            )
        )
    total = report["end"]["sum"]
    return float((total["packets"] - total["lost_packets"]) / total["seconds"] / 1e3)


def round_trip(net: Overlay, lab: Lab, seconds: float, percentile: str) -> float:
    """Microseconds of a UDP round trip (64 bytes) at a percentile."""
    with server(net, lab, "sockperf", "server", "-i", INNER, "-p", "11111", port=11111):
        text = net.h1.run(
            *("sockperf", "ping-pong", "-i", INNER, "-p", "11111", "-t", str(int(seconds))),
            *("-m", "64", "--full-rtt"),
            timeout=seconds + 30,
        )
    found = re.search(rf"percentile {percentile}\d* =\s+([\d.]+)", text)
    if found is None:
        raise HostError(f"sockperf told no percentile {percentile}:\n{text}")
    return float(found[1])


Scenario = Callable[[Overlay, Lab, float], float]

SCENARIOS: dict[str, tuple[str, Scenario]] = {
    "tcp-1": ("Gbit/s", lambda net, lab, seconds: tcp(net, lab, seconds, 1)),
    "tcp-4": ("Gbit/s", lambda net, lab, seconds: tcp(net, lab, seconds, 4)),
    "udp-64": ("kpps", udp),
    "rtt-p50": ("µs", lambda net, lab, seconds: round_trip(net, lab, seconds, "50.0")),
    "rtt-p99": ("µs", lambda net, lab, seconds: round_trip(net, lab, seconds, "99.0")),
}


def peers_of(scenario: str) -> tuple[str, ...]:
    """Whom a scenario compares with."""
    return tuple(peer for peer in overlay_peers.PEERS if peer != "ovsflow")


def contests(
    wanted: Sequence[tuple[str, str]], seconds: float, progress: Progress
) -> Iterator[Contest]:
    """Yields each scenario and peer that is wanted, while the networks that it needs are up."""
    with contextlib.ExitStack() as stack:
        nets: dict[str, tuple[Overlay, Lab]] = {}

        def measurement(peer: str, scenario: Scenario) -> Callable[[], float]:
            if peer not in nets:
                progress(f"starting {peer}")
                lab = stack.enter_context(Lab())
                net = overlay_peers.PEERS[peer](lab)
                overlay_peers.check(net, peer)
                nets[peer] = (net, lab)
            net, lab = nets[peer]
            return lambda: scenario(net, lab, seconds)

        for name, peer in wanted:
            unit, scenario = SCENARIOS[name]
            ours, theirs = measurement("ovsflow", scenario), measurement(peer, scenario)
            yield Contest(name, unit, peer, ours, theirs)
