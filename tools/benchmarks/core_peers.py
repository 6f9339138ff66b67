"""One core, memory to memory: a switch that forwards a capture from port 1 to port 2.

What a peer is (`Core`), and ovsflow as one: a `pcap` port in and a `memory` port out, tunnels with
`vxlan,backend=memory`, and one worker.  Open vSwitch's is in `dpdk`.

The forwarding thread of either has the second core to itself; all else runs on the first.  Both
stay up while a scenario is measured, one stopped by a signal while the other has its turn, so that
tables and caches are filled once.  Both are asked over OpenFlow how many packets the outer side's
port sent.
"""

import abc
import contextlib
import enum
import os
import re
import signal
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ovsflow.errors import HostError
from ovsflow.testing.lab import Lab, Node, Process
from tools.benchmarks.flow_mods import OF13
from tools.benchmarks.measure import Progress
from tools.benchmarks.openflow_client import Client, Counters

FORWARDING_CORE = 1
OTHER_CORE = 0

#: Packets that may be between the two ports when they are counted.
IN_FLIGHT = 4096
#: Share of what arrived that must leave; every flow of every scenario outputs.
DELIVERED = 0.99
#: Caches of the processor are warm again this long after a stop, in seconds.
WARM_SECONDS = 0.5
#: Two rates in a row that differ by less than this share are steady.
STEADY = 0.03


class Shape(enum.Enum):
    """Which of the two ports is a tunnel."""

    PLAIN = "none"
    ENCAP = "port 2"
    DECAP = "port 1"


@dataclass(frozen=True)
class Place:
    """Ports, and the management socket of the bridge that they are on."""

    socket: Path
    ports: tuple[int, ...]


@dataclass(frozen=True)
class Window:
    """What passed in a while.

    Attributes:
        seconds: How long it was, from one count of what left to the other.
        arrived: Packets that arrived within.
        left: Packets that left; counted before and after what arrived.
        dropped: Packets of which the ports say that they were lost.
    """

    seconds: float
    arrived: int
    left: int
    dropped: int

    @property
    def rate(self) -> float:
        """Millions of packets a second that left."""
        return self.left / self.seconds / 1e6

    def check(self) -> None:
        """Makes sure that what arrived left, once.

        Raises:
            HostError: Packets are missing and nothing accounts for them, or more left than
                arrived, or too many were dropped.
        """
        missing = self.arrived - self.left - self.dropped
        if missing > IN_FLIGHT:
            raise HostError(f"{missing} of {self.arrived} packets are lost without account: void")
        # What arrived was counted within the time in which what left was.
        if self.left - self.arrived > IN_FLIGHT + self.arrived // 100:
            raise HostError(f"{self.arrived} packets arrived, {self.left} left: the run is void")
        if self.left < DELIVERED * self.arrived:
            raise HostError(f"only {self.left} of {self.arrived} packets left: the run is void")


class Core(abc.ABC):
    """A peer that forwards from port 1 to port 2; its ports come with a capture.

    Attributes:
        node: Where it runs.
        process: The switch.
        target: The socket of the bridge that takes the flows.
        arrives: Where packets arrive from outside.
        leaves: Where they leave.
        settings: What was chosen for it, in words.
    """

    def __init__(self, node: Node, process: Process, arrives: Place, leaves: Place) -> None:
        self.node = node
        self.process = process
        self.target = node.rundir / "br0.mgmt"
        self.arrives = arrives
        self.leaves = leaves
        self.settings = ""

    @abc.abstractmethod
    def open(self, capture: Path, record: Path | None = None) -> None:
        """Opens both ports: frames arrive over and over, or once with a file for what leaves."""

    @abc.abstractmethod
    def close(self) -> None:
        """Closes both ports."""

    def settle(self, progress: Progress) -> None:
        """Waits until the rate is steady: caches are warm."""
        before = 0.0
        for _ in range(30):
            rate = self.window(0.5).rate
            progress(f"warming up: {rate:.3g} Mpps")
            if rate and abs(rate - before) < STEADY * rate:
                return
            before = rate

    def set_flows(self, flows: Iterable[str]) -> None:
        """Adds flows."""
        path = self.node.rundir / "flows"
        path.write_text("\n".join(flows) + "\n")
        target = f"unix:{self.target}"
        self.node.run("ovs-ofctl", "-O", "OpenFlow13", "add-flows", target, str(path))

    def hits(self) -> dict[str, int]:
        """How many packets each flow took, by the flow's text; those that took none left out."""
        text = self.node.run("ovs-ofctl", "-O", "OpenFlow13", "dump-flows", f"unix:{self.target}")
        found = re.findall(r"n_packets=([1-9]\d*), n_bytes=\d+, (.*)", text)
        return {flow.strip(): int(packets) for packets, flow in found}

    def counters(self) -> tuple[int, int, int]:
        """Packets that arrived, left, and were dropped so far."""
        left = _counters(self.leaves)
        arrived = _counters(self.arrives)
        return arrived.received, left.sent, left.unsent + arrived.lost

    def window(self, seconds: float) -> Window:
        """Counts for a while."""
        with contextlib.ExitStack() as stack:
            leaves, arrives = (
                stack.enter_context(Client(place.socket, OF13))
                for place in (self.leaves, self.arrives)
            )
            began, left = time.monotonic(), leaves.port(*self.leaves.ports)
            arrived = arrives.port(*self.arrives.ports)
            time.sleep(seconds)
            arrived_now = arrives.port(*self.arrives.ports)
            ended, left_now = time.monotonic(), leaves.port(*self.leaves.ports)
        dropped = left_now.unsent - left.unsent + arrived_now.lost - arrived.lost
        received = arrived_now.received - arrived.received
        return Window(ended - began, received, left_now.sent - left.sent, dropped)

    def rate(self, seconds: float) -> float:
        """Millions of packets a second that leave, over a while.

        Raises:
            HostError: Less left than arrived.
        """
        window = self.window(seconds)
        window.check()
        return window.rate

    def stop(self) -> None:
        """Stops it until its turn."""
        self.process.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Lets it run again."""
        self.process.process.send_signal(signal.SIGCONT)

    def rest(self) -> None:
        """Stops it for turns to come, with all that it has learned."""
        self.stop()

    def release(self) -> None:
        """Lets it run again, and end."""
        self.go_on()

    @contextlib.contextmanager
    def awake(self) -> Iterator[None]:
        """Lets it run while the block lasts."""
        self.go_on()
        try:
            yield
        finally:
            self.stop()

    def turn(self, seconds: float) -> float:
        """Runs, and measures the rate when caches are warm; stops again."""
        with self.awake():
            time.sleep(WARM_SECONDS)
            return self.rate(seconds)


def _counters(place: Place) -> Counters:
    with Client(place.socket, OF13) as client:
        return client.port(*place.ports)


@contextlib.contextmanager
def awake(cores: Mapping[str, Core]) -> Iterator[None]:
    """Lets stopped switches run again at the end, so that they can end."""
    try:
        yield
    finally:
        for core in cores.values():
            core.release()


class Ovsflow(Core):
    """Ovsflow, one worker by default."""

    def __init__(self, lab: Lab, shape: Shape, *, workers: int = 1) -> None:
        """Starts it, without ports."""
        node = lab.node("core")
        process = lab.switch(node, "br0", "--workers", str(workers))
        _pin(process)
        socket = node.rundir / "br0.mgmt"
        super().__init__(node, process, Place(socket, (1,)), Place(socket, (2,)))
        self._shape = shape

    def open(self, capture: Path, record: Path | None = None) -> None:
        """Opens both ports."""
        again = "false" if record else "true"
        source = f"in=1:pcap,file={capture},loop={again}"
        sink = "out=2:memory,discard=true"
        if self._shape is Shape.ENCAP:
            sink = "out=2:vxlan,backend=memory,discard=true"
        if self._shape is Shape.DECAP:
            source = f"in=1:vxlan,backend=memory,replay={capture},loop={again}"
        if record:
            sink += f",write={record}"
        for port in (sink, source):
            self.node.ovsflow("port", "add", "br0", port)

    def close(self) -> None:
        """Closes both ports."""
        for port in ("in", "out"):
            self.node.ovsflow("port", "del", "br0", port)


def _pin(switch: Process) -> None:
    """Gives the first worker a core of its own, like Open vSwitch's `pmd-cpu-mask`."""
    for task in Path(f"/proc/{switch.process.pid}/task").iterdir():
        worker = (task / "comm").read_text().strip() == "br0-0"
        os.sched_setaffinity(int(task.name), {FORWARDING_CORE if worker else OTHER_CORE})
