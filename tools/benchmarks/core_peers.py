"""One core, memory to memory: each peer replays a capture and throws away what it sends.

Open vSwitch runs in its DPDK build: net_pcap with `infinite_rx=1` in, net_null with
`no-rx=1` out (polled as a source too, net_null would halve the result), 2 MiB pages, one
forwarding thread on the second core.  ovsflow runs with its `pcap` port in and a `memory` port
out, and one worker.  Both are asked over OpenFlow how many packets port 2 sent.
"""

import re
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ovsflow.errors import HostError
from ovsflow.testing.lab import Lab, Node

FORWARDING_CORE = 1
HUGE_PAGES = 512
OVS_DPDK = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"


@dataclass
class Core:
    """A peer that forwards from port 1 to port 2 until its lab is closed."""

    node: Node
    target: str

    def set_flows(self, flows: Sequence[str]) -> None:
        """Replaces all flows."""
        path = self.node.rundir / "flows"
        path.write_text("\n".join(flows) + "\n")
        self.node.run("ovs-ofctl", "-O", "OpenFlow13", "del-flows", self.target)
        self.node.run("ovs-ofctl", "-O", "OpenFlow13", "add-flows", self.target, str(path))

    def sent(self) -> int:
        """Packets that port 2 sent so far."""
        text = self.node.run("ovs-ofctl", "-O", "OpenFlow13", "dump-ports", self.target, "2")
        found = re.search(r"tx pkts=(\d+)", text)
        if found is None:
            raise HostError(f"no transmit counter in:\n{text}")
        return int(found[1])

    def rate(self, seconds: float) -> float:
        """Millions of packets a second that port 2 sends, over a while."""
        before, started = self.sent(), time.monotonic()
        time.sleep(seconds)
        sent = self.sent() - before
        return sent / (time.monotonic() - started) / 1e6


def ovsflow(lab: Lab, capture: Path) -> Core:
    """Ovsflow, one worker."""
    node = lab.node("core")
    lab.switch(
        node,
        "br0",
        *("--port", f"in=1:pcap,file={capture},loop=true", "--port", "out=2:memory,discard=true"),
    )
    return Core(node, f"unix:{node.rundir}/br0.mgmt")


def ovs_dpdk(lab: Lab, capture: Path) -> Core:
    """Open vSwitch with DPDK, its exact-match cache on (the default)."""
    _huge_pages()
    node = lab.node("core")
    run, environment = (
        node.rundir,
        ("env", f"OVS_RUNDIR={node.rundir}", f"OVS_LOGDIR={node.rundir}"),
    )
    socket = f"unix:{run}/db.sock"
    schema = "/usr/share/openvswitch/vswitch.ovsschema"
    subprocess.run(["ovsdb-tool", "create", str(run / "conf.db"), schema], check=True)
    server = lab.start(
        node, "ovsdb", *environment, "ovsdb-server", str(run / "conf.db"), f"--remote=p{socket}"
    )
    lab.wait_for(Path(run, "db.sock").is_socket, "ovsdb-server", server)

    def vsctl(*args: str) -> str:
        return node.run(*environment, "ovs-vsctl", f"--db={socket}", *args)

    vsctl("--no-wait", "init")
    vsctl("--no-wait", "set", "Open_vSwitch", ".", "other_config:dpdk-init=true",
        f"other_config:pmd-cpu-mask={1 << FORWARDING_CORE:#x}", "other_config:dpdk-lcore-mask=0x1",
        "other_config:dpdk-socket-mem=512",
        f"other_config:dpdk-extra=--no-pci --file-prefix=bench{lab.tag}")  # fmt: skip
    switch = lab.start(node, "vswitchd", *environment, OVS_DPDK, socket)
    vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev", "fail_mode=secure")
    for number, arguments in (
        (1, f"eth_pcap0,rx_pcap={capture},infinite_rx=1"),
        (2, "eth_null0,no-rx=1"),
    ):
        vsctl("add-port", "br0", f"p{number}", "--", "set", "Interface", f"p{number}", "type=dpdk",
            f"ofport_request={number}", f"options:dpdk-devargs={arguments}")  # fmt: skip
    if "error" in vsctl("get", "Interface", "p1", "error"):
        raise HostError(f"Open vSwitch took no DPDK port:\n{switch.output()}")
    return Core(node, f"unix:{run}/br0.mgmt")


def _huge_pages() -> None:
    """Reserves huge pages, which DPDK needs; they are given back when the machine restarts."""
    path = Path("/proc/sys/vm/nr_hugepages")
    if int(path.read_text()) < HUGE_PAGES:
        path.write_text(str(HUGE_PAGES))
    mount = Path("/dev/hugepages")
    mount.mkdir(exist_ok=True)
    if not mount.is_mount():
        subprocess.run(["mount", "-t", "hugetlbfs", "none", str(mount)], check=True)


PEERS: dict[str, Callable[[Lab, Path], Core]] = {"ovsflow": ovsflow, "ovs-dpdk": ovs_dpdk}
