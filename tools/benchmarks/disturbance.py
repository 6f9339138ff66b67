"""Scenarios of one core under disturbance: what is left of forwarding when something else goes on.

A victim's packets are replayed from memory to a sink, as in `core`.  The other side of each
comparison is the same switch left alone, so the ratio is the share of its speed that it keeps.
"""

import contextlib
import itertools
import os
import random
import re
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ovsflow.errors import HostError
from ovsflow.testing.lab import Lab
from tools.benchmarks import core_peers, flow_mods, traces
from tools.benchmarks.core import PREFIX
from tools.benchmarks.core_peers import Core, Shape
from tools.benchmarks.measure import Contest, Measure, Progress
from tools.benchmarks.openflow_client import Client

MODS_A_SECOND = 10_000
MODS_AT_ONCE = 10
#: Flows of the control path's own that are there at any time.
ALIVE = 1_000
ATTACK_A_SECOND = 10_000
NEW_FLOWS = 1_000_000
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
def forwarding(
    flows: Sequence[str], capture: Path, *more: str
) -> Iterator[tuple[Core, Callable[[str], str]]]:
    """Ovsflow that replays a capture from port 1 to port 2, and its command line."""
    with Lab() as lab:
        core = core_peers.ovsflow(lab, capture, Shape.PLAIN, *more)
        core.set_flows(flows)
        yield core, lambda command: core.node.ovsflow(command, "br0")


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


def kept_mods(
    disturbed: bool, capture: Path, seconds: float, flows: Sequence[bytes], alive: int, first: int
) -> float:
    """Mpps while flows change, or while nothing happens.

    Args:
        disturbed: Whether they change.
        capture: The victim's packets.
        seconds: Length of the measurement.
        flows: The flows that come and go.
        alive: How many of them there are at any time while they change.
        first: How many of them there are before, so that both sides look at the same fields.
    """
    with forwarding((f"{PREFIX},actions=output:2",), capture) as (core, _):
        socket = Path(core.target.removeprefix("unix:"))
        with Client(socket, flow_mods.OF13) as client:
            client.request(b"".join(flows[:first]))
        changes = coming_and_going(flows, alive)
        with modifying(socket, changes) if disturbed else contextlib.nullcontext():
            core.settle()
            return core.rate(seconds)


def kept_explosion(disturbed: bool, capture: Path, seconds: float, attack: Path) -> float:
    """Mpps of the victim while random headers come in at another port, or do not."""
    port = f"evil=3:pcap,file={attack},loop=true,rate={ATTACK_A_SECOND}"
    with forwarding(EXPLOSIVE, capture, *((port,) if disturbed else ())) as (core, _):
        core.settle()
        return core.rate(seconds)


def first_packets(capture: Path, seconds: float) -> float:
    """Millions of packets a second of which each is the first of its flow."""
    with forwarding(three_tables(), capture) as (core, ask):
        core.settle()
        before = _misses(ask)
        rate = core.rate(seconds)
        missed = (_misses(ask) - before) / 1e6
    if missed < 0.9 * rate * seconds:
        raise HostError(f"{missed:.2f} million misses are no {rate * seconds:.2f}: flows are known")
    return rate


def _misses(ask: Callable[[str], str]) -> int:
    """Cache misses so far, as the switch tells."""
    text = ask("stats")
    found = re.search(r"misses\D+(\d+)", text)
    if found is None:
        raise HostError(f"no count of misses in the switch's statistics:\n{text}")
    return int(found[1])


@dataclass(frozen=True)
class Scenario:
    """A victim's trace, and what is measured with it."""

    frames: Callable[[], Iterator[bytes]]
    peer: str
    measure: Callable[[bool, Path, float], float]


def _trace() -> Iterator[bytes]:
    return traces.flow_frames(1_000)


def _explosion(disturbed: bool, capture: Path, seconds: float) -> float:
    attack = capture.with_suffix(".attack")
    if disturbed and not attack.exists():
        traces.write_pcap(attack, random_frames(NEW_FLOWS // 4))
    return kept_explosion(disturbed, capture, seconds, attack)


SCENARIOS: dict[str, Scenario] = {
    "first-packets": Scenario(
        lambda: new_frames(NEW_FLOWS),
        "",
        lambda _, capture, seconds: first_packets(capture, seconds),
    ),
    "kept-mods": Scenario(
        _trace,
        "undisturbed",
        lambda disturbed, capture, seconds: kept_mods(
            disturbed, capture, seconds, host_flows(), ALIVE, ALIVE
        ),
    ),
    "kept-masks": Scenario(
        _trace,
        "undisturbed",
        # A mask that goes may be one that no flow is left of: then the layout could shrink.
        lambda disturbed, capture, seconds: kept_mods(
            disturbed, capture, seconds, mask_flows(), 2, 24
        ),
    ),
    "kept-explosion": Scenario(victim_frames, "undisturbed", _explosion),
}


def peers_of(scenario: str) -> tuple[str, ...]:
    """Whom a scenario compares with."""
    return (SCENARIOS[scenario].peer,)


def contests(
    wanted: Sequence[tuple[str, str]], seconds: float, progress: Progress
) -> Iterator[Contest]:
    """Yields each scenario that is wanted."""
    with Lab() as files:
        for name, peer in wanted:
            progress(f"{name}: making the trace")
            capture = files.directory / f"{name}.pcap"
            scenario = SCENARIOS[name]
            traces.write_pcap(capture, scenario.frames())

            def measurement(
                disturbed: bool, one: Scenario = scenario, path: Path = capture
            ) -> Measure:
                return lambda: one.measure(disturbed, path, seconds)

            yield Contest(
                name, "Mpps", peer, measurement(True), measurement(False) if peer else None
            )
            capture.unlink()
