"""A whole Open vSwitch with a dummy datapath: no root, no kernel module, its own directory."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

SCHEMA = Path("/usr/share/openvswitch/vswitch.ovsschema")
PATIENCE = 10.0

OWN_NETWORK = ("--user", "--map-root-user", "--net")
UNROUTED = ("--enable-dummy=override", "--disable-system-route")

BRIDGES = {"br0": ("p1", "p2", "p3"), "br1": ("q1", "q2", "q3")}
"""Bridges and their ports: one to read from, one to change."""


def find(program: str) -> str:
    """Where a program is; Debian keeps daemons out of people's paths."""
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    assert found is not None, f"{program} is missing: tools/bootstrap installs it"
    return found


@contextmanager
def open_vswitch(
    directory: Path,
    bridges: Mapping[str, Sequence[str]] = BRIDGES,
    *,
    capture: bool = False,
    routed: bool = False,
) -> Iterator[dict[str, str]]:
    """Runs one with bridges of some ports each; yields the environment that finds it.

    With `capture`, what a port sends is also written to `PORT.pcap` in the directory.  With
    `routed` its tunnels are real, and routed as an empty network of its own (`in_network`) says.
    """
    environment = os.environ | {
        "OVS_RUNDIR": str(directory),
        "OVS_LOGDIR": str(directory),
        "OVS_DBDIR": str(directory),
        "OVS_SYSCONFDIR": str(directory),
    }

    def run(program: str, *arguments: str) -> None:
        command = [find(program), *arguments]
        subprocess.run(command, env=environment, check=True, capture_output=True, timeout=60)

    database = f"unix:{directory}/db.sock"
    pids = [directory / "db.pid", directory / "switch.pid"]
    run("ovsdb-tool", "create", f"{directory}/conf.db", str(SCHEMA))
    try:
        run(
            "ovsdb-server",
            f"{directory}/conf.db",
            f"--remote=p{database}",
            f"--pidfile={pids[0]}",
            f"--unixctl={directory}/db.ctl",
            f"--log-file={directory}/db.log",
            "--detach",
            "--no-chdir",
        )
        tags = ["--", "set", "open_vswitch", ".", "other-config:vlan-limit=2"]
        run("ovs-vsctl", f"--db={database}", "--no-wait", "init", *tags)
        run(
            *(("unshare", *OWN_NETWORK) if routed else ()),
            find("ovs-vswitchd"),
            database,
            *(("--enable-dummy=system",) if routed else UNROUTED),
            "--disable-system",
            f"--pidfile={pids[1]}",
            f"--unixctl={directory}/switch.ctl",
            f"--log-file={directory}/switch.log",
            "--detach",
            "--no-chdir",
        )
        for bridge, ports in bridges.items():
            words = _bridge(bridge, ports)
            for port in (bridge, *ports) if capture else ():
                words += [
                    "--",
                    "set",
                    "interface",
                    port,
                    f"options:tx_pcap={directory}/{port}.pcap",
                ]
            run("ovs-vsctl", f"--db={database}", *words)
        yield environment
    finally:
        for pid in pids:
            _stop(pid)


def in_network(directory: Path, *command: str) -> None:
    """Runs a command in the network of an Open vSwitch that is `routed`."""
    pid = (directory / "switch.pid").read_text().strip()
    words = [find("nsenter"), "--target", pid, "--user", "--net", "--preserve-credentials"]
    subprocess.run([*words, find(command[0]), *command[1:]], check=True, timeout=60)


def _bridge(name: str, ports: Sequence[str]) -> list[str]:
    protocols = ",".join(f"OpenFlow1{minor}" for minor in range(6))
    words = ["add-br", name, "--", "set", "bridge", name, "datapath_type=dummy"]
    words += ["fail_mode=secure", f"protocols={protocols}"]
    words += ["other-config:datapath-id=00000000000000aa"]
    for number, port in enumerate(ports, 1):
        words += ["--", "add-port", name, port, "--", "set", "interface", port]
        words += ["type=dummy", f"ofport_request={number}"]
    return words


def _stop(file: Path) -> None:
    """Ends the daemon whose number the file holds, and waits until it is gone."""
    if not file.exists():
        return
    pid = int(file.read_text())
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and Path(f"/proc/{pid}").exists():
        time.sleep(0.02)
