"""Scenarios of one core under disturbance: what is left of forwarding when something else goes on.

A victim's packets are replayed from memory to a sink, as in `core`.  The other side of a `kept`
comparison is the same process left alone, so the ratio is the share of its speed that it keeps.
"""

import contextlib
import itertools
import os
import random
import re
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from ovsflow.errors import HostError
from ovsflow.testing.lab import Lab
from tools.benchmarks import core_peers, dpdk, flow_mods, traces
from tools.benchmarks.core import PREFIX
from tools.benchmarks.core_peers import WARM_SECONDS, Core, Ovsflow, Shape, awake
from tools.benchmarks.measure import OURS, Contest, Key, Measure, Plan, Progress
from tools.benchmarks.openflow_client import Client

MODS_A_SECOND = 10_000
MODS_AT_ONCE = 10
#: Flows of the control path's own that are there at any time.
ALIVE = 1_000
ATTACK_A_SECOND = 10_000
UNDISTURBED = "undisturbed"
NEW_FLOWS = 1_000_000
#: As many as fit in the memory of Open vSwitch's source; it must not see one twice in a round.
NEW_FLOWS_DPDK, DPDK_SECONDS = 100_000, 0.5
ROUTES = 1_000

# Each packet that is not allowed is dropped; random headers differ from every rule in many bits.
EXPLOSIVE = (
    "priority=40,udp,tp_dst=80,actions=output:2",
    "priority=30,ip,nw_src=10.9.9.9,actions=output:2",
    "priority=20,udp,tp_src=5353,actions=output:2",
    "priority=0,actions=drop",
)


def three_tables() -> list[str]:
    """Ports, then routes, then services: each packet of `new_frames` takes one rule of each.

    One rule looks at whole addresses and ports, so that every conversation is a flow of its own.
    """
    flows = ["table=0,priority=10,in_port=1,ip,actions=goto_table:1"]
    flows += [
        f"table=1,priority=20,ip,nw_dst=10.{128 + route // 250}.{route % 250}.0/24,"
        "actions=goto_table:2"
        for route in range(ROUTES)
    ]
    flows += [
        f"table=2,priority=30,udp,nw_src=10.{net}.0.0/16,tp_dst={port},actions=output:2"
        for net in range(16)
        for port in (53, 80, 443, 8080)
    ]
    flows += ["table=2,priority=40,udp,nw_src=10.99.0.1,nw_dst=10.99.0.2,tp_src=1,actions=drop"]
    return [*flows, "table=2,priority=1,udp,actions=output:2"]


def new_frames(count: int, seed: int = 3) -> Iterator[bytes]:
    """Frames of which no two have the same addresses and ports."""
    chance = random.Random(seed)
    for number in range(count):
        route = number % ROUTES
        target = 0x0A800000 | (route // 250) << 16 | route % 250 << 8 | number // ROUTES & 0xFF
        source = 0x0A000000 | number & 0xFFFFF
        port = chance.choice((53, 80, 443, 8080))
        yield traces.udp_frame(source, target, chance.randrange(1024, 65536), port)


def random_frames(count: int, seed: int = 4) -> Iterator[bytes]:
    """Frames with random addresses and ports that no rule allows."""
    chance = random.Random(seed)
    for _ in range(count):
        source, target = chance.getrandbits(32), chance.getrandbits(32)
        ports = chance.randrange(6000, 65536), chance.randrange(6000, 65536)
        yield traces.udp_frame(source, target, *ports)


def victim_frames() -> Iterator[bytes]:
    """One conversation that the first rule allows."""
    yield traces.udp_frame(0x0A090909, 0x0A800001, 1234, 80)


@contextlib.contextmanager
def modifying(socket: Path, messages: Iterator[bytes]) -> Iterator[None]:
    """Sends FLOW_MODs at a steady rate while the block lasts.

    Raises:
        HostError: The switch refused one, or could not keep up.
    """
    stop = threading.Event()
    failure: list[str] = []

    def send() -> None:
        os.sched_setaffinity(0, {core_peers.OTHER_CORE})
        try:
            with Client(socket, flow_mods.OF13) as client:
                due = started = time.monotonic()
                sent = 0
                while not stop.is_set():
                    client.send(b"".join(next(messages) for _ in range(MODS_AT_ONCE)))
                    sent += MODS_AT_ONCE
                    due += MODS_AT_ONCE / MODS_A_SECOND
                    time.sleep(max(0.0, due - time.monotonic()))
                client.barrier()
                rate = sent / (time.monotonic() - started)
            if rate < 0.9 * MODS_A_SECOND:
                failure.append(f"only {rate:.0f} flow-mods a second were taken")
        except (HostError, OSError) as error:
            failure.append(str(error))

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    if failure:
        raise HostError(failure[0])


def host_flows() -> list[bytes]:
    """Flows to single hosts, half of them the trace's own; twice as many as are there at a time."""
    adds = flow_mods.hosts(2 * ALIVE, first=0x00800000 - ALIVE)
    size = len(adds) // (2 * ALIVE)
    return [bytes(adds[at : at + size]) for at in range(0, len(adds), size)]


def mask_flows() -> list[bytes]:
    """Flows of masks that no other has, for sources outside of the trace."""
    flows = []
    for length in range(9, 33):
        mask = 0xFFFFFFFF << (32 - length) & 0xFFFFFFFF
        match = flow_mods.oxm(flow_mods.ETH_TYPE, b"\x08\0") + flow_mods.oxm(
            flow_mods.IPV4_SRC_MASKED, struct.pack("!II", 0xC0A80000 & mask, mask)
        )
        flows.append(flow_mods.flow_mod(0, 200, match, flow_mods.output(2), flow_mods.OF13))
    return flows


def coming_and_going(flows: Sequence[bytes], alive: int) -> Iterator[bytes]:
    """Adds one flow after the other, and deletes each when `alive` more have come."""
    for number in itertools.count(alive):
        yield flows[number % len(flows)]
        yield flow_mods.as_delete(flows[(number - alive) % len(flows)])


@dataclass(frozen=True)
class Disturbance:
    """What is done to a switch that forwards a victim's packets.

    Attributes:
        flows: What the tables get.
        frames: The victim's packets.
        first: FLOW_MODs with which each round begins, whatever the one before left; all sides look
            at the same fields then.
        meanwhile: What goes on while the disturbed side is measured, from the switch and a
            directory for files.
    """

    flows: Sequence[str]
    frames: Callable[[], Iterator[bytes]]
    first: Callable[[], bytes]
    meanwhile: Callable[[Core, Path], AbstractContextManager[None]]


def _mods(flows: Callable[[], list[bytes]], alive: int, first: int) -> Disturbance:
    """Flows that come and go beside a prefix: how many there are at a time, and before."""

    def meanwhile(core: Core, _: Path) -> AbstractContextManager[None]:
        return modifying(core.target, coming_and_going(flows(), alive))

    def begin() -> bytes:
        gone = [flow_mods.as_delete(flow) for flow in flows()[first:]]
        return b"".join(gone + flows()[:first])

    return Disturbance((f"{PREFIX},actions=output:2",), _trace, begin, meanwhile)


def _trace() -> Iterator[bytes]:
    return traces.flow_frames(1_000)


@contextlib.contextmanager
def attacked(core: Core, directory: Path) -> Iterator[None]:
    """Random headers come in at another port while the block lasts."""
    capture = directory / "attack.pcap"
    if not capture.exists():
        traces.write_pcap(capture, random_frames(NEW_FLOWS // 4))
    port = f"evil=3:pcap,file={capture},loop=true,rate={ATTACK_A_SECOND}"
    core.node.ovsflow("port", "add", "br0", port)
    try:
        yield
    finally:
        core.node.ovsflow("port", "del", "br0", "evil")


DISTURBANCES = {
    "kept-mods": _mods(host_flows, ALIVE, ALIVE),
    # A mask that goes may be one that no flow is left of: then the layout could shrink.
    "kept-masks": _mods(mask_flows, 2, 24),
    "kept-explosion": Disturbance(EXPLOSIVE, victim_frames, bytes, attacked),
}


@contextlib.contextmanager
def kept(name: str, seconds: float, progress: Progress) -> Iterator[Contest]:
    """One switch, disturbed and left alone by turns."""
    disturbance = DISTURBANCES[name]
    with Lab() as lab, Lab() as files:
        progress(f"{name}: starting")
        capture = files.directory / "trace.pcap"
        traces.write_pcap(capture, disturbance.frames())
        core = Ovsflow(lab, Shape.PLAIN)
        with awake({OURS: core}):
            _victim(core, disturbance, capture, progress)
            yield Contest(
                {name: "Mpps"},
                {
                    OURS: lambda: {name: _disturbed(core, disturbance, capture, seconds)},
                    UNDISTURBED: lambda: {name: _alone(core, disturbance, seconds)},
                },
            )


@contextlib.contextmanager
def shares(name: str, seconds: float, progress: Progress) -> Iterator[Contest]:
    """What ovsflow and Open vSwitch keep, each as a share of its own speed when left alone."""
    disturbance = DISTURBANCES["kept-mods"]
    with dpdk.huge_pages(), Lab() as ours, Lab() as theirs, Lab() as files:
        progress(f"{name}: starting")
        capture = files.directory / "trace.pcap"
        traces.write_pcap(capture, disturbance.frames())
        sides: dict[str, Core] = {}

        def share(core: Core) -> Measure:
            def measure() -> Mapping[str, float]:
                alone = _alone(core, disturbance, seconds)
                return {name: _disturbed(core, disturbance, capture, seconds) / alone}

            return measure

        with awake(sides):
            sides[OURS] = Ovsflow(ours, Shape.PLAIN)
            _victim(sides[OURS], disturbance, capture, progress)
            sides[dpdk.PEER] = dpdk.OvsDpdk(theirs, Shape.PLAIN)
            _victim(sides[dpdk.PEER], disturbance, capture, progress)
            yield Contest({name: "kept"}, {side: share(core) for side, core in sides.items()})


def _victim(core: Core, disturbance: Disturbance, capture: Path, progress: Progress) -> None:
    """Lets a switch forward the victim's packets, and stops it until its turn."""
    core.set_flows(disturbance.flows)
    _begin(core, disturbance)
    core.open(capture)
    core.settle(progress)
    core.stop()


def _begin(core: Core, disturbance: Disturbance) -> None:
    """Gives a switch the flows that a round begins with."""
    with Client(core.target, flow_mods.OF13) as client:
        client.request(disturbance.first())


def _alone(core: Core, disturbance: Disturbance, seconds: float) -> float:
    """Millions of packets a second that a switch forwards while nothing else goes on."""
    with core.awake():
        _begin(core, disturbance)
        time.sleep(WARM_SECONDS)
        return core.rate(seconds)


def _disturbed(core: Core, disturbance: Disturbance, capture: Path, seconds: float) -> float:
    """Millions of packets a second that a switch forwards while it is disturbed."""
    with core.awake():
        _begin(core, disturbance)
        with disturbance.meanwhile(core, capture.parent):
            time.sleep(WARM_SECONDS)
            return core.rate(seconds)


@contextlib.contextmanager
def first_packets(name: str, seconds: float, progress: Progress) -> Iterator[Contest]:
    """Each packet is the first of its flow, for ovsflow and for Open vSwitch."""
    with dpdk.huge_pages(), Lab() as ours, Lab() as theirs, Lab() as files:
        progress(f"{name}: making the traces")
        many, few = files.directory / "many.pcap", files.directory / "few.pcap"
        traces.write_pcap(many, new_frames(NEW_FLOWS))
        traces.write_pcap(few, new_frames(NEW_FLOWS_DPDK))
        sides: dict[str, Core] = {}
        with awake(sides):
            sides[OURS] = mine = Ovsflow(ours, Shape.PLAIN)
            mine.set_flows(three_tables())
            mine.open(many)
            mine.settle(progress)
            mine.stop()
            progress(f"{name}: starting {dpdk.PEER}")
            sides[dpdk.PEER] = its = dpdk.OvsDpdk(theirs, Shape.PLAIN)
            its.set_flows(three_tables())
            its.open(few)
            its.stop()
            yield Contest(
                {name: "Mpps"},
                {
                    OURS: lambda: {name: _first_packets(mine, seconds)},
                    dpdk.PEER: lambda: {name: _first_packets_dpdk(its)},
                },
                settings={dpdk.PEER: "a datapath flow each"},
            )


def _first_packets(core: Core, seconds: float) -> float:
    """Millions of packets a second of which each is the first of its flow."""
    with core.awake():
        time.sleep(WARM_SECONDS)
        before = _misses(core)
        window = core.window(seconds)
        window.check()
        missed = _misses(core) - before
    if missed < 0.9 * window.left:
        raise HostError(f"{missed} misses are no {window.left}: flows are known")
    return window.rate


def _first_packets_dpdk(core: dpdk.OvsDpdk) -> float:
    """Millions of packets a second that the slow path handled, right after it forgot all flows."""
    with core.awake():
        core.forget()
        before, began = core.misses(), time.monotonic()
        time.sleep(DPDK_SECONDS)
        return (core.misses() - before) / (time.monotonic() - began) / 1e6


def _misses(core: Core) -> int:
    """Cache misses so far, as the switch tells."""
    text = core.node.ovsflow("stats", "br0")
    found = re.search(r"misses\D+(\d+)", text)
    if found is None:
        raise HostError(f"no count of misses in the switch's statistics:\n{text}")
    return int(found[1])


SCENARIOS = {
    "first-packets": first_packets,
    **dict.fromkeys(DISTURBANCES, kept),
    "kept-mods-share": shares,
}


def peers_of(scenario: str) -> tuple[str, ...]:
    """Whom a scenario compares with."""
    return (UNDISTURBED if SCENARIOS[scenario] is kept else dpdk.PEER,)


def plans(wanted: Sequence[Key], seconds: float) -> list[Plan]:
    """One plan for each scenario, its rounds half as long."""

    def plan(key: Key) -> Plan:
        return Plan((key,), lambda progress: SCENARIOS[key[0]](key[0], seconds / 2, progress))

    return [plan(key) for key in wanted]
