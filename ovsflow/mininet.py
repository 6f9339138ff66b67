"""ovsflow as Mininet's switch.

Use it from Python, `Mininet(switch=OvsflowSwitch)`, or from the command line:

    mn --custom ovsflow-mininet.py --switch ovsflow --controller remote

where the custom file holds the one line `from ovsflow.mininet import switches`.  Each switch
is a process of its own, so it may live in a network namespace of its own too
(`inNamespace=True`), which Open vSwitch's kernel switch cannot.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from mininet.clean import addCleanupCallback
from mininet.log import error
from mininet.node import Switch

# Switches that Mininet started are told apart from others by where their sockets are.
RUNDIR = Path("/run/ovsflow-mininet")

START_SECONDS = 15.0
STOP_SECONDS = 5.0


class OvsflowSwitch(Switch):
    """One ovsflow switch.

    Attributes:
        failMode: `secure` (the default) or `standalone`, a learning switch without controllers.
        protocols: OpenFlow versions to speak, comma-separated; `None` for all.
        reconnectms: Longest wait between two attempts to connect, in milliseconds.
        vxlan: Give the switch one flow-based VXLAN port, named `vxlan-NAME`.  `True`, or options
            as `ovsflow run --port` takes them (`local_ip=10.0.0.1,dst_port=4790`).  Switches that
            share a namespace need a UDP port each: without `dst_port` the switch with datapath
            id N listens on 4788 + N, one in a namespace of its own on 4789.
        vxlanOfport: OpenFlow port number of that port.
    """

    def __init__(
        self,
        name: str,
        failMode: str = "secure",  # noqa: N803 (Mininet's own spelling)
        datapath: str = "user",
        protocols: str | None = None,
        reconnectms: int = 1000,
        vxlan: bool | str = False,
        vxlanOfport: int = 1000,  # noqa: N803
        batch: bool = False,
        **params: Any,
    ) -> None:
        super().__init__(name, **params)
        self.failMode = failMode
        self.datapath = datapath
        self.protocols = protocols
        self.reconnectms = reconnectms
        self.vxlan = vxlan
        self.vxlanOfport = vxlanOfport
        self.batch = batch
        self.process: subprocess.Popen[str] | None = None
        self.log: IO[str] | None = None

    @classmethod
    def setup(cls) -> None:
        """Prepares what all switches share; Mininet calls it once."""
        RUNDIR.mkdir(mode=0o755, parents=True, exist_ok=True)

    @classmethod
    def batchStartup(  # noqa: N802
        cls, switches: Sequence["OvsflowSwitch"]
    ) -> Sequence["OvsflowSwitch"]:
        """Waits for switches that were started together; returns those that run."""
        for switch in switches:
            if switch.batch:
                switch.wait_ready()
        return switches

    @classmethod
    def batchShutdown(  # noqa: N802
        cls, switches: Sequence["OvsflowSwitch"]
    ) -> Sequence["OvsflowSwitch"]:
        """Stops switches together, so that they end at the same time; returns them."""
        for switch in switches:
            switch.terminate_process()
        for switch in switches:
            switch.stop()
        return switches

    def start(self, controllers: Sequence[Any]) -> None:
        """Starts the switch with the ports that it has, and its controllers."""
        self.setup()
        command = [sys.executable, "-m", "ovsflow", "run", "--bridge", self.name]
        command += ["--dpid", self.dpid, "--fail-mode", self.failMode]
        command += ["--max-backoff", str(self.reconnectms / 1000 if self.reconnectms else 8)]
        if self.protocols:
            command += ["--protocols", self.protocols]
        for interface in self.dataIntfs():
            command += ["--port", f"{interface.name}={self.ports[interface]}"]
        if self.vxlan:
            command += ["--port", self.vxlan_spec()]
        for controller in controllers:
            target = f"{controller.protocol}:{controller.IP()}:{controller.port}"
            command += ["--controller", target]
        if self.listenPort:
            command += ["--listen", f"ptcp:{self.listenPort}"]
        command += self.opts.split()
        self.log = open(self.log_path, "w")  # noqa: SIM115 (closed when the switch stops)
        self.process = self.popen(
            command, stdout=self.log, stderr=self.log, env=self.environment, text=True
        )
        if not self.batch:
            self.wait_ready()

    def stop(self, deleteIntfs: bool = True) -> None:  # noqa: N803
        """Ends the switch's process, and its devices unless told otherwise."""
        self.terminate_process()
        self.wait_stopped()
        super().stop(deleteIntfs)

    def connected(self) -> bool:
        """Whether a controller has finished its handshake, or none is needed."""
        if self.failMode == "standalone":
            return True
        with contextlib.suppress(OSError, ValueError, KeyError):
            state = json.loads(self.ovsflow("show", self.name, "--json"))
            return any(controller["connected"] for controller in state["controllers"])
        return False

    def dpctl(self, *args: str) -> str:
        """Runs `ofctl`: `dpctl('dump-flows')`, `dpctl('add-flow', 'in_port=1,actions=2')`."""
        command = [sys.executable, "-m", "ofctl", args[0], self.name, *args[1:]]
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False
        )
        return done.stdout + done.stderr

    def attach(self, intf: Any) -> None:
        """Adds a device to the running switch."""
        self.ovsflow("port", "add", self.name, f"{intf}={self.ports[self.nameToIntf[str(intf)]]}")

    def detach(self, intf: Any) -> None:
        """Takes a device off the running switch."""
        self.ovsflow("port", "del", self.name, str(intf))

    def ovsflow(self, *args: str) -> str:
        """Runs the `ovsflow` command; returns what it prints, raises OSError when it fails."""
        done = subprocess.run(
            [sys.executable, "-m", "ovsflow", *args],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise OSError(f"ovsflow {' '.join(args)}: {done.stderr.strip()}")
        return done.stdout

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the switch and of commands that talk to it."""
        return {**os.environ, "OVSFLOW_RUNDIR": str(RUNDIR)}

    @property
    def log_path(self) -> Path:
        """Where the switch logs; `mn -c` removes files of this name."""
        return Path(f"/tmp/ovsflow-{self.name}.log")

    def dataIntfs(self) -> list[Any]:  # noqa: N802
        """The devices that are ports: those without an address."""
        return [i for i in self.intfList() if i.name != "lo" and i in self.ports and not i.IP()]

    def vxlan_spec(self) -> str:
        """The VXLAN port as `ovsflow run --port` takes it."""
        options = self.vxlan if isinstance(self.vxlan, str) and self.vxlan != "1" else ""
        if "dst_port" not in options and not self.inNamespace:
            options += f"{',' if options else ''}dst_port={4788 + int(self.dpid, 16)}"
        return f"vxlan-{self.name}={self.vxlanOfport}:vxlan" + (f",{options}" if options else "")

    def wait_ready(self) -> None:
        """Waits until the switch answers; on failure shows why and raises."""
        assert self.process is not None
        deadline = time.monotonic() + START_SECONDS
        while not (RUNDIR / f"{self.name}.mgmt").is_socket():
            if self.process.poll() is not None or time.monotonic() > deadline:
                error(f"*** Error starting {self.name}:\n{self.log_path.read_text()}\n")
                raise OSError(f"{self.name} did not start; see {self.log_path}")
            time.sleep(0.01)

    def terminate_process(self) -> None:
        """Asks the process to end."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def wait_stopped(self) -> None:
        """Waits for the process to end."""
        if self.process is not None:
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.log is not None:
            self.log.close()
        self.process, self.log = None, None


class OvsflowBridge(OvsflowSwitch):
    """A learning switch that needs no controller, as Mininet's OVSBridge."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.update(failMode="standalone")
        super().__init__(*args, **kwargs)

    def start(self, controllers: Sequence[Any]) -> None:
        """Starts without controllers, whatever Mininet offers."""
        super().start([])


def cleanup() -> None:
    """Ends switches that a Mininet left behind; `mn -c` calls it where this module is loaded."""
    for path in RUNDIR.glob("*.pid"):
        with contextlib.suppress(OSError, ValueError):
            os.kill(int(path.read_text()), signal.SIGTERM)


addCleanupCallback(cleanup)

# What `mn --custom` merges into its own tables.
switches = {"ovsflow": OvsflowSwitch, "ovsflowbr": OvsflowBridge}
