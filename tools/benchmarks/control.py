"""Scenarios of the control path: how fast tables change, what a flow weighs, what idling costs.

Both switches are fresh in each round, listen on a unix socket, and are sent the same bytes, made
beforehand.  A round counts only if the switch then says that it has all flows.
"""

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ovsflow.errors import HostError
from ovsflow.testing.lab import Lab, Node, Process
from tools.benchmarks import flow_mods, overlay_peers
from tools.benchmarks.measure import OURS, Contest, Key, Measure, Plan, Progress
from tools.benchmarks.openflow_client import Client

MILLION = 1_000_000
BUNDLED = 100_000
IDLE_FLOWS = 1_000
#: Milliseconds of CPU and wake-ups of the start itself are over after this.
SETTLE_SECONDS = 2.0
#: An idle switch is watched for no less than this.
IDLE_SECONDS = 4.0


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


PEERS: dict[str, Callable[[Lab, Node], Switch]] = {OURS: ovsflow, "ovs": open_vswitch}


@contextlib.contextmanager
def fresh(peer: str) -> Iterator[Switch]:
    """A switch with empty tables, while the block lasts."""
    with Lab() as lab:
        yield PEERS[peer](lab, lab.node("control"))


class Counting(Protocol):
    """What tells how many flows a switch has."""

    def flows(self) -> int:
        """How many there are."""


def checked(client: Counting, count: int) -> None:
    """Makes sure that a switch has as many flows as it was given."""
    found = client.flows()
    if found != count:
        raise HostError(f"the switch has {found} flows of {count}: the run is void")


def million(peer: str, messages: bytearray) -> Mapping[str, float]:
    """A million flows: thousands a second up to the barrier, and bytes of memory for each."""
    with fresh(peer) as switch, Client(switch.socket, flow_mods.OF13) as client:
        before = switch.resident()
        seconds = client.request(messages)
        checked(client, MILLION)
        weight = (switch.resident() - before) / MILLION
    return {"flow-mods-1m": MILLION / seconds / 1e3, "flow-memory-1m": weight}


def bundled(peer: str, messages: bytearray) -> Mapping[str, float]:
    """Thousands of flows a second that a switch takes in one bundle."""
    with fresh(peer) as switch, Client(switch.socket, flow_mods.OF14) as client:
        seconds = client.request(messages)
        checked(client, BUNDLED)
    return {"flow-mods-bundle": BUNDLED / seconds / 1e3}


@contextlib.contextmanager
def idling(workers: int) -> Iterator[Switch]:
    """Ovsflow with flows, two devices, a tunnel port, so many workers and nothing to do."""
    with Lab() as lab:
        here, there = lab.node("s1"), lab.node("h1")
        for device in ("p1", "p2"):
            lab.link(here, device, there, device)
        ports = ("--port", "p1=1", "--port", "p2=2", "--port", "vxlan0=3:vxlan")
        process: Process = lab.switch(here, "br0", "--workers", str(workers), *ports)
        switch = Switch(here.rundir / "br0.mgmt", process.process.pid)
        with Client(switch.socket, flow_mods.OF13) as client:
            client.request(flow_mods.tunnels(IDLE_FLOWS))
            checked(client, IDLE_FLOWS)
        # The hosts' own chatter about new links must be over.
        time.sleep(SETTLE_SECONDS)
        yield switch


def idle(suffix: str, workers: int, seconds: float) -> Mapping[str, float]:
    """Percent of one core that an idle switch uses, and how often its threads wake up a second."""
    with idling(workers) as switch:
        cpu, wakeups, began = switch.cpu_seconds(), switch.wakeups(), time.monotonic()
        time.sleep(max(seconds, IDLE_SECONDS))
        lasted = time.monotonic() - began
        return {
            f"idle-cpu{suffix}": (switch.cpu_seconds() - cpu) / lasted * 100,
            f"idle-wakeups{suffix}": (switch.wakeups() - wakeups) / lasted,
        }


@dataclass(frozen=True)
class Group:
    """Scenarios that one measurement tells.

    Attributes:
        units: The unit of each.
        messages: What both switches are sent.
        measure: Measures a side, from its name, the messages and the length of a round.
        peers: Whom they compare with.
        most_pairs: More would take too long, or tell nothing new.
    """

    units: Mapping[str, str]
    messages: Callable[[], bytearray]
    measure: Callable[[str, bytearray, float], Mapping[str, float]]
    peers: tuple[str, ...]
    most_pairs: int


def _bundle() -> bytearray:
    messages = flow_mods.hosts(BUNDLED, version=flow_mods.OF14)
    return flow_mods.bundle(messages, len(messages) // BUNDLED)


def _idle(suffix: str, workers: int) -> Group:
    return Group(
        {f"idle-cpu{suffix}": "% of a core", f"idle-wakeups{suffix}": "/s"},
        bytearray,
        lambda _, __, seconds: idle(suffix, workers, seconds),
        ("",),
        3,
    )


GROUPS = (
    Group(
        {"flow-mods-1m": "k/s", "flow-memory-1m": "B"},
        lambda: flow_mods.tunnels(MILLION),
        lambda peer, messages, _: million(peer, messages),
        ("ovs",),
        7,
    ),
    Group(
        {"flow-mods-bundle": "k/s"},
        _bundle,
        lambda peer, messages, _: bundled(peer, messages),
        ("ovs",),
        7,
    ),
    _idle("", 1),
    _idle("-2", 2),
)
SCENARIOS: dict[str, Group] = {name: group for group in GROUPS for name in group.units}


def peers_of(scenario: str) -> tuple[str, ...]:
    """Whom a scenario compares with."""
    return SCENARIOS[scenario].peers


def plans(wanted: Sequence[Key], seconds: float) -> list[Plan]:
    """One plan for each group of scenarios."""

    def plan(group: Group) -> Plan:
        keys = tuple(key for key in wanted if key[0] in group.units)
        return Plan(keys, lambda progress: contest(group, seconds, progress))

    return [one for one in map(plan, GROUPS) if one.keys]


@contextlib.contextmanager
def contest(group: Group, seconds: float, progress: Progress) -> Iterator[Contest]:
    """Each round starts its own switches."""
    progress(f"{'/'.join(group.units)}: making the messages")
    messages = group.messages()

    def measurement(side: str) -> Measure:
        return lambda: group.measure(side, messages, seconds)

    sides = {side: measurement(side) for side in (OURS, *filter(None, group.peers))}
    yield Contest(group.units, sides, most_pairs=group.most_pairs)
