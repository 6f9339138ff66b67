"""Scenarios of the control path: how fast tables change, what a flow weighs, what idling costs.

Both switches are fresh in each round, listen on a unix socket, and are sent the same bytes, made
beforehand.  A round counts only if the switch then says that it has all flows.
"""

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ovsflow.errors import HostError
from ovsflow.testing.lab import Lab, Node, Process
from tools.benchmarks import flow_mods, overlay_peers
from tools.benchmarks.measure import Contest, Measure, Progress
from tools.benchmarks.openflow_client import Client

MILLION = 1_000_000
BUNDLED = 100_000
IDLE_FLOWS = 1_000
#: Milliseconds of CPU and wake-ups of the start itself are over after this.
SETTLE_SECONDS = 2.0


@dataclass(frozen=True)
class Switch:
    """A switch without traffic.

    Attributes:
        socket: Its management socket.
        pid: Its process.
    """

    socket: Path
    pid: int

    def resident(self) -> int:
        """Bytes of memory that the process has."""
        pages = Path(f"/proc/{self.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def cpu_seconds(self) -> float:
        """Processor time that it used so far, in user and kernel mode."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def wakeups(self) -> int:
        """Times that one of its threads went to sleep of its own will so far."""
        count = 0
        for status in Path(f"/proc/{self.pid}/task").glob("*/status"):
            words = status.read_text().split()
            count += int(words[words.index("voluntary_ctxt_switches:") + 1])
        return count


def ovsflow(lab: Lab, node: Node) -> Switch:
    """Ovsflow, one worker, no ports."""
    process = lab.switch(node, "br0")
    return Switch(node.rundir / "br0.mgmt", process.process.pid)


def open_vswitch(lab: Lab, node: Node) -> Switch:
    """Open vSwitch's userspace datapath, no ports."""
    vsctl = overlay_peers.daemons(lab, node)
    vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev", "fail_mode=secure")
    management = node.rundir / "br0.mgmt"
    lab.wait_for(management.is_socket, "bridge br0")
    return Switch(management, int((node.rundir / "ovs-vswitchd.pid").read_text()))


PEERS: dict[str, Callable[[Lab, Node], Switch]] = {"ovsflow": ovsflow, "ovs": open_vswitch}


@contextlib.contextmanager
def fresh(peer: str) -> Iterator[Switch]:
    """A switch with empty tables, while the block lasts."""
    with Lab() as lab:
        yield PEERS[peer](lab, lab.node("control"))


def checked(client: Client, count: int) -> None:
    """Makes sure that a switch has as many flows as it was given."""
    found = client.flows()
    if found != count:
        raise HostError(f"the switch has {found} flows of {count}: the run is void")


def adds(peer: str, messages: bytearray) -> float:
    """Thousands of flows a second that a switch takes, up to the barrier's reply."""
    with fresh(peer) as switch, Client(switch.socket, flow_mods.OF13) as client:
        seconds = client.request(messages)
        checked(client, MILLION)
    return MILLION / seconds / 1e3


def bundled(peer: str, messages: bytearray) -> float:
    """Thousands of flows a second that a switch takes in one bundle."""
    with fresh(peer) as switch, Client(switch.socket, flow_mods.OF14) as client:
        seconds = client.request(messages)
        checked(client, BUNDLED)
    return BUNDLED / seconds / 1e3


def weight(peer: str, messages: bytearray) -> float:
    """Bytes by which a switch's resident memory grows for each flow."""
    with fresh(peer) as switch, Client(switch.socket, flow_mods.OF13) as client:
        before = switch.resident()
        client.request(messages)
        checked(client, MILLION)
        return (switch.resident() - before) / MILLION


@contextlib.contextmanager
def idling() -> Iterator[Switch]:
    """Ovsflow with flows, two devices, a tunnel port and nothing to do."""
    with Lab() as lab:
        here, there = lab.node("s1"), lab.node("h1")
        for device in ("p1", "p2"):
            lab.link(here, device, there, device)
        ports = ("--port", "p1=1", "--port", "p2=2", "--port", "vxlan0=3:vxlan")
        process: Process = lab.switch(here, "br0", *ports)
        switch = Switch(here.rundir / "br0.mgmt", process.process.pid)
        with Client(switch.socket, flow_mods.OF13) as client:
            client.request(flow_mods.tunnels(IDLE_FLOWS))
            checked(client, IDLE_FLOWS)
        # The hosts' own chatter about new links must be over.
        time.sleep(SETTLE_SECONDS)
        yield switch


def idle_cpu(seconds: float) -> float:
    """Percent of one core that an idle switch uses."""
    with idling() as switch:
        before = switch.cpu_seconds()
        time.sleep(seconds)
        return (switch.cpu_seconds() - before) / seconds * 100


def idle_wakeups(seconds: float) -> float:
    """Times a second that a thread of an idle switch wakes up."""
    with idling() as switch:
        before = switch.wakeups()
        time.sleep(seconds)
        return (switch.wakeups() - before) / seconds


@dataclass(frozen=True)
class Scenario:
    """How a scenario is measured: from a peer's name and the length of a round."""

    unit: str
    title: str
    messages: Callable[[], bytearray] | None
    measure: Callable[[str, bytearray, float], float]
    peers: tuple[str, ...]
    most_pairs: int


def _bundle() -> bytearray:
    messages = flow_mods.hosts(BUNDLED, version=flow_mods.OF14)
    return flow_mods.bundle(messages, len(messages) // BUNDLED)


def _million() -> bytearray:
    return flow_mods.tunnels(MILLION)


SCENARIOS: dict[str, Scenario] = {
    "flow-mods-1m": Scenario(
        "k/s",
        "1,000,000 adds with set tun_id, tun_dst, and a barrier",
        _million,
        lambda peer, messages, _: adds(peer, messages),
        ("ovs",),
        3,
    ),
    "flow-mods-bundle": Scenario(
        "k/s",
        "100,000 adds in one bundle",
        _bundle,
        lambda peer, messages, _: bundled(peer, messages),
        ("ovs",),
        7,
    ),
    "flow-memory-1m": Scenario(
        "B",
        "resident memory for each of 1,000,000 flows",
        _million,
        lambda peer, messages, _: weight(peer, messages),
        ("ovs",),
        1,
    ),
    "idle-cpu": Scenario(
        "% of a core",
        "1,000 flows, three ports, no traffic",
        None,
        lambda _, __, seconds: idle_cpu(seconds),
        ("",),
        2,
    ),
    "idle-wakeups": Scenario(
        "/s",
        "threads that wake up, same",
        None,
        lambda _, __, seconds: idle_wakeups(seconds),
        ("",),
        2,
    ),
}


def peers_of(scenario: str) -> tuple[str, ...]:
    """Whom a scenario compares with."""
    return SCENARIOS[scenario].peers


def contests(
    wanted: Sequence[tuple[str, str]], seconds: float, progress: Progress
) -> Iterator[Contest]:
    """Yields each scenario and peer that is wanted."""
    for name, peer in wanted:
        progress(f"{name}: making the messages")
        scenario = SCENARIOS[name]
        messages = scenario.messages() if scenario.messages else bytearray()

        def measurement(side: str, one: Scenario = scenario, data: bytearray = messages) -> Measure:
            return lambda: one.measure(side, data, seconds)

        theirs = measurement(peer) if peer else None
        yield Contest(
            name, scenario.unit, peer, measurement("ovsflow"), theirs, scenario.most_pairs
        )
