"""Hosts, links and processes on one machine: network namespaces for tests and demonstrations.

A `Lab` owns all that it makes and takes it away again, whatever happened in between.  Names
carry the lab's own random part, so that labs do not meet.  Needs root and iproute2.
"""

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO

from ovsflow.errors import HostError

READY_SECONDS = 20.0


class Node:
    """One network namespace: a host of its own.

    Attributes:
        name: The short name it was made with (`h1`).
        namespace: The namespace's name for `ip netns`.
        rundir: Where switches in this namespace keep their sockets.
    """

    def __init__(self, name: str, namespace: str, rundir: Path) -> None:
        self.name = name
        self.namespace = namespace
        self.rundir = rundir

    @property
    def environment(self) -> dict[str, str]:
        """The environment of processes that run here."""
        rundir = str(self.rundir)
        # `ovs-ofctl monitor` wants a place for a socket of its own.
        own = {"OVSFLOW_RUNDIR": rundir, "OVS_RUNDIR": rundir, "PYTHONUNBUFFERED": "1"}
        return {**os.environ, **own}

    def command(self, *args: str) -> list[str]:
        """The command line that runs `args` in this namespace."""
        return ["ip", "netns", "exec", self.namespace, *args]

    def run(self, *args: str, check: bool = True, timeout: float = 60) -> str:
        """Runs a command to its end and returns what it printed on both streams.

        Raises:
            HostError: It failed, and `check` is true; the text holds what it printed.
        """
        done = subprocess.run(
            self.command(*args),
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check and done.returncode:
            raise HostError(f"{self.name}: {' '.join(args)}: {done.stdout.strip()}")
        return done.stdout

    def ovsflow(self, *args: str) -> str:
        """Runs the `ovsflow` command here."""
        return self.run(sys.executable, "-m", "ovsflow", *args)

    def ofctl(self, *args: str) -> str:
        """Runs the `ofctl` command here."""
        return self.run(sys.executable, "-m", "ofctl", *args)


class Process:
    """A program that runs beside the lab, with its output in a file."""

    def __init__(self, process: subprocess.Popen[str], log: Path, stream: IO[str]) -> None:
        self.process = process
        self.log = log
        self._stream = stream

    def output(self) -> str:
        """What it printed so far."""
        return self.log.read_text(errors="replace")

    def running(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    def stop(self, number: int = signal.SIGTERM, seconds: float = 5.0) -> int:
        """Sends a signal, waits, kills if it must; returns the exit status."""
        if self.running():
            self.process.send_signal(number)
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        self._stream.close()
        return status


class Lab:
    """Namespaces, links and processes; a context manager that leaves nothing behind."""

    def __init__(self) -> None:
        self.tag = secrets.token_hex(2)
        self.directory = Path(tempfile.mkdtemp(prefix=f"ovsflow-lab-{self.tag}-"))
        self.nodes: dict[str, Node] = {}
        self.processes: list[Process] = []

    def __enter__(self) -> "Lab":
        """Returns the lab itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Takes everything down."""
        self.close()

    def close(self) -> None:
        """Ends all processes and removes all namespaces.  Safe to call twice."""
        for process in reversed(self.processes):
            process.stop()
        self.processes.clear()
        for node in self.nodes.values():
            subprocess.run(["ip", "netns", "del", node.namespace], check=False)
        self.nodes.clear()
        shutil.rmtree(self.directory, ignore_errors=True)

    def node(self, name: str) -> Node:
        """Makes a namespace with its loopback up."""
        rundir = self.directory / f"run-{name}"
        rundir.mkdir(mode=0o755)
        node = Node(name, f"ovsflow-{self.tag}-{name}", rundir)
        _ip("netns", "add", node.namespace)
        self.nodes[name] = node
        node.run("ip", "link", "set", "lo", "up")
        # Router solicitations and the like would be noise in counters.
        for scope in ("all", "default"):
            node.run("sysctl", "-qw", f"net.ipv6.conf.{scope}.router_solicitations=0", check=False)
            node.run("sysctl", "-qw", f"net.ipv6.conf.{scope}.accept_dad=0", check=False)
        return node

    def link(self, a: Node, a_device: str, b: Node, b_device: str, mtu: int | None = None) -> None:
        """Joins two namespaces by a veth pair, both ends up."""
        # Made under names of the lab's own: the root namespace may have devices of these names.
        temporary = f"v{self.tag}{secrets.token_hex(2)}"
        _ip("link", "add", f"{temporary}a", "type", "veth", "peer", "name", f"{temporary}b")
        for node, device, suffix in ((a, a_device, "a"), (b, b_device, "b")):
            _ip("link", "set", f"{temporary}{suffix}", "netns", node.namespace, "name", device)
            if mtu is not None:
                node.run("ip", "link", "set", device, "mtu", str(mtu))
        ends = ((a, a_device), (b, b_device))
        for node, device in ends:
            node.run("ip", "link", "set", device, "up")
        # The kernel takes its time to see that a link is up, seconds where many namespaces come and
        # go, and nothing leaves before; asked for one device it looks at once.
        for node, device in ends:
            node.run("ip", "link", "show", device)

    def address(self, node: Node, device: str, *addresses: str) -> None:
        """Gives a device addresses (`10.0.0.1/24`)."""
        for address in addresses:
            extra = ["nodad"] if ":" in address else []
            node.run("ip", "address", "add", address, "dev", device, *extra)

    def start(self, node: Node, name: str, *args: str) -> Process:
        """Starts a program in a namespace; its output goes to a file."""
        log = self.directory / f"{node.name}-{name}.log"
        stream = log.open("w")
        process = subprocess.Popen(
            node.command(*args),
            env=node.environment,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started = Process(process, log, stream)
        self.processes.append(started)
        return started

    def switch(self, node: Node, bridge: str, *args: str) -> Process:
        """Starts `ovsflow run --bridge BRIDGE ARGS…` and waits until it answers."""
        process = self.start(
            node, bridge, sys.executable, "-m", "ovsflow", "run", "--bridge", bridge, *args
        )
        management = node.rundir / f"{bridge}.mgmt"
        self.wait_for(management.is_socket, f"switch {bridge}", process)
        return process

    def controller(self, node: Node, port: int, *args: str) -> Process:
        """Starts `ovsflow controller ARGS… --listen PORT` and waits until it listens."""
        process = self.start(
            node,
            "controller",
            *(sys.executable, "-m", "ovsflow", "controller", *args, "--listen", str(port)),
        )
        self.wait_for(lambda: f":{port} " in node.run("ss", "-Hltn"), "controller", process)
        return process

    def wait_for(
        self, condition: Callable[[], bool], what: str, process: Process | None = None
    ) -> None:
        """Waits until `condition` holds.

        Raises:
            HostError: It did not within `READY_SECONDS`, or `process` ended; with its output.
        """
        deadline = time.monotonic() + READY_SECONDS
        while not condition():
            ended = process is not None and not process.running()
            if ended or time.monotonic() > deadline:
                output = process.output() if process is not None else ""
                raise HostError(f"{what} {'ended' if ended else 'is not ready'}:\n{output}")
            time.sleep(0.02)


def _ip(*args: str) -> None:
    done = subprocess.run(["ip", *args], capture_output=True, text=True, check=False)
    if done.returncode:
        raise HostError(f"ip {' '.join(args)}: {done.stderr.strip()}")


class Overlay:
    """Two hosts behind two switches, joined by an IP underlay.

        h1 --veth-- s1 ==underlay== s2 --veth-- h2

    Inner addresses 10.0.0.1 and 10.0.0.2 (and fd00::1, fd00::2), outer ones 172.31.1.1 and
    172.31.1.2 (and fd31::1, fd31::2).  Devices: `eth0` in the hosts, `veth1` and `under0` in the
    switches.
    """

    INNER_MTU = 1450

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.h1, self.s1, self.s2, self.h2 = (lab.node(name) for name in ("h1", "s1", "s2", "h2"))
        lab.link(self.s1, "under0", self.s2, "under0")
        lab.address(self.s1, "under0", "172.31.1.1/24", "fd31::1/64")
        lab.address(self.s2, "under0", "172.31.1.2/24", "fd31::2/64")
        self.attach(self.h1, self.s1, "veth1", 1)
        self.attach(self.h2, self.s2, "veth1", 2)

    def attach(self, host: Node, switch: Node, device: str, number: int) -> None:
        """Joins a host to a switch; the host gets address `number` inside the overlay."""
        self.lab.link(host, "eth0", switch, device, self.INNER_MTU)
        self.lab.address(host, "eth0", f"10.0.0.{number}/24", f"fd00::{number}/64")


@contextlib.contextmanager
def termination_as_exit() -> Iterator[None]:
    """Turns SIGTERM into SystemExit, so that a lab is taken down then too."""
    previous = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
