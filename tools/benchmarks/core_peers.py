"""One core, memory to memory: each peer replays a capture and throws away what it sends.

Open vSwitch runs in its DPDK build: net_pcap with `infinite_rx=1` in, net_null with
`no-rx=1` out (polled as a source too, net_null would halve the result), 2 MiB pages, one
forwarding thread.  Tunnels are its native ones: a bridge `br-phy` owns the underlay device and the
tunnel's address, a static neighbour and a route stand for the network.  ovsflow runs with
its `pcap` port in and a `memory` port out, tunnels with `vxlan,backend=memory`, and one worker.

The forwarding thread of either has the second core to itself; all else runs on the first.  Both are
asked over OpenFlow how many packets the outer side's port sent.
"""

import contextlib
import enum
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ovsflow.errors import HostError
from ovsflow.testing.lab import Lab, Node, Process

FORWARDING_CORE = 1
OTHER_CORE = 0
HUGE_PAGES = 512
OVS_DPDK = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"

LOCAL_IP, LOCAL_MAC = "172.31.1.1", "02:00:00:00:00:02"
GATEWAY_IP, GATEWAY_MAC = "172.31.1.2", "02:00:00:00:00:01"
REMOTES = "20.0.0.0/8"

# Share of what arrived that must leave while a rate is taken; every flow of every scenario outputs.
DELIVERED = 0.99


class Shape(enum.Enum):
    """Which of the two ports is a tunnel."""

    PLAIN = "none"
    ENCAP = "port 2"
    DECAP = "port 1"


@dataclass
class Core:
    """A peer that forwards from port 1 to port 2 until its lab is closed.

    Attributes:
        node: Where it runs.
        target: The bridge that takes the flows, as `ovs-ofctl` names it.
        arrives: Bridge and port where packets arrive from outside.
        leaves: Bridge and port where they leave.
        start: Lets packets arrive.  Open vSwitch takes flows very slowly while all packets miss.
    """

    node: Node
    target: str
    arrives: tuple[str, str]
    leaves: tuple[str, str]
    start: Callable[[], None]

    def set_flows(self, flows: Iterable[str]) -> None:
        """Replaces all flows."""
        path = self.node.rundir / "flows"
        path.write_text("\n".join(flows) + "\n")
        self.node.run("ovs-ofctl", "-O", "OpenFlow13", "del-flows", self.target)
        self.node.run("ovs-ofctl", "-O", "OpenFlow13", "add-flows", self.target, str(path))

    def counters(self) -> tuple[int, int]:
        """Packets that arrived and that left so far."""
        return self._counter("rx", *self.arrives), self._counter("tx", *self.leaves)

    def _counter(self, side: str, target: str, port: str) -> int:
        text = self.node.run("ovs-ofctl", "-O", "OpenFlow13", "dump-ports", target, port)
        found = re.search(rf"{side} pkts=(\d+)", text)
        if found is None:
            raise HostError(f"no {side} counter in:\n{text}")
        return int(found[1])

    def rate(self, seconds: float) -> float:
        """Millions of packets a second that leave, over a while.

        Raises:
            HostError: Less left than arrived, counting errors of reading two counters apart.
        """
        rate, share = self._window(seconds)
        if share < DELIVERED:
            raise HostError(f"{share:.1%} of the packets that arrived left: the run is void")
        return rate

    def settle(self) -> None:
        """Waits until the rate is steady: caches are warm."""
        before = 0.0
        for _ in range(15):
            rate, share = self._window(1.0)
            if share >= DELIVERED and abs(rate - before) < 0.05 * rate:
                return
            before = rate

    def _window(self, seconds: float) -> tuple[float, float]:
        (arrived, left), started = self.counters(), time.monotonic()
        time.sleep(seconds)
        elapsed = time.monotonic() - started
        arrived_now, left_now = self.counters()
        sent = left_now - left
        # The counters are read one after the other while packets pass: the later one is ahead.
        return sent / elapsed / 1e6, sent / max(1, arrived_now - arrived)


def ovsflow(lab: Lab, capture: Path, shape: Shape, *more_ports: str) -> Core:
    """Ovsflow, one worker."""
    node = lab.node("core")
    source = f"in=1:pcap,file={capture},loop=true"
    sink = "out=2:memory,discard=true"
    if shape is Shape.ENCAP:
        sink = "out=2:vxlan,backend=memory,discard=true"
    if shape is Shape.DECAP:
        source = f"in=1:vxlan,backend=memory,replay={capture}"
    ports = [word for port in (source, sink, *more_ports) for word in ("--port", port)]
    process = lab.switch(node, "br0", *ports)
    _pin(process)
    target = f"unix:{node.rundir}/br0.mgmt"
    return Core(node, target, (target, "1"), (target, "2"), lambda: None)


def _pin(switch: Process) -> None:
    """Gives the worker a core of its own, like Open vSwitch's `pmd-cpu-mask`."""
    for task in Path(f"/proc/{switch.process.pid}/task").iterdir():
        worker = (task / "comm").read_text().strip() == "br0-0"
        os.sched_setaffinity(int(task.name), {FORWARDING_CORE if worker else OTHER_CORE})


def ovs_dpdk(lab: Lab, capture: Path, shape: Shape) -> Core:
    """Open vSwitch with DPDK, its exact-match cache on (the default)."""
    return _ovs_dpdk(lab, capture, shape)


def ovs_dpdk_signatures(lab: Lab, capture: Path, shape: Shape) -> Core:
    """The same with its signature-match cache instead of the exact-match one."""
    return _ovs_dpdk(
        lab, capture, shape, "other_config:smc-enable=true", "other_config:emc-insert-inv-prob=0"
    )


def ovs_dpdk_uncached(lab: Lab, capture: Path, shape: Shape) -> Core:
    """The same with neither cache."""
    return _ovs_dpdk(lab, capture, shape, "other_config:emc-insert-inv-prob=0")


def _ovs_dpdk(lab: Lab, capture: Path, shape: Shape, *settings: str) -> Core:
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

    def vsctl(*args: str) -> None:
        node.run(*environment, "ovs-vsctl", f"--db={socket}", *args)

    vsctl("--no-wait", "init")
    vsctl("--no-wait", "set", "Open_vSwitch", ".", "other_config:dpdk-init=true",
        f"other_config:pmd-cpu-mask={1 << FORWARDING_CORE:#x}",
        f"other_config:dpdk-lcore-mask={1 << OTHER_CORE:#x}",
        "other_config:dpdk-socket-mem=512",
        f"other_config:dpdk-extra=--no-pci --file-prefix=bench{lab.tag}", *settings)  # fmt: skip
    switch = lab.start(node, "vswitchd", *environment, OVS_DPDK, socket, f"--unixctl={run}/ctl")
    vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev", "fail_mode=secure")

    def device(bridge: str, number: int, arguments: str) -> None:
        vsctl("add-port", bridge, f"p{number}", "--", "set", "Interface", f"p{number}", "type=dpdk",
            f"ofport_request={number}", f"options:dpdk-devargs={arguments}")  # fmt: skip

    source, sink = f"eth_pcap0,rx_pcap={capture},infinite_rx=1", "eth_null0,no-rx=1"
    target, outer = f"unix:{run}/br0.mgmt", f"unix:{run}/br-phy.mgmt"
    if shape is not Shape.PLAIN:
        vsctl("add-br", "br-phy", "--", "set", "bridge", "br-phy", "datapath_type=netdev",
            "fail_mode=secure", f'other_config:hwaddr="{LOCAL_MAC}"')  # fmt: skip
        number = 2 if shape is Shape.ENCAP else 1
        vsctl("add-port", "br0", "vxlan0", "--", "set", "Interface", "vxlan0", "type=vxlan",
            "options:remote_ip=flow", "options:key=flow", f"ofport_request={number}")  # fmt: skip
    device("br-phy" if shape is Shape.ENCAP else "br0", 2, sink)
    if shape is not Shape.PLAIN:
        _underlay(node, environment, outer)

    def start() -> None:
        device("br-phy" if shape is Shape.DECAP else "br0", 1, source)
        get = ("get", "Interface", "p1", "error")
        if "rror" in node.run(*environment, "ovs-vsctl", f"--db={socket}", *get):
            raise HostError(f"Open vSwitch took no DPDK port:\n{switch.output()}")

    return Core(
        node,
        target,
        (outer if shape is Shape.DECAP else target, "1"),
        (outer if shape is Shape.ENCAP else target, "2"),
        start,
    )


def _underlay(node: Node, environment: tuple[str, ...], bridge: str) -> None:
    """Lets tunnels out of and in through `br-phy`."""
    node.run("ip", "address", "add", f"{LOCAL_IP}/24", "dev", "br-phy")
    node.run("ip", "link", "set", "br-phy", "up")
    control = (*environment, "ovs-appctl", "-t", str(node.rundir / "ctl"))
    node.run(*control, "ovs/route/add", REMOTES, "br-phy", GATEWAY_IP)
    node.run(*control, "tnl/neigh/set", "br-phy", GATEWAY_IP, GATEWAY_MAC)
    for flow in ("in_port=LOCAL,actions=output:2", "in_port=1,actions=LOCAL"):
        node.run("ovs-ofctl", "-O", "OpenFlow13", "add-flow", bridge, flow)


@contextlib.contextmanager
def huge_pages() -> Iterator[None]:
    """Reserves the huge pages that DPDK needs while the block lasts."""
    path = Path("/proc/sys/vm/nr_hugepages")
    before = path.read_text()
    if int(before) < HUGE_PAGES:
        path.write_text(str(HUGE_PAGES))
    mount = Path("/dev/hugepages")
    mount.mkdir(exist_ok=True)
    if not mount.is_mount():
        subprocess.run(["mount", "-t", "hugetlbfs", "none", str(mount)], check=True)
    try:
        yield
    finally:
        path.write_text(before)


PEERS: dict[str, Callable[[Lab, Path, Shape], Core]] = {
    "ovsflow": ovsflow,
    "ovs-dpdk": ovs_dpdk,
    "ovs-dpdk-smc": ovs_dpdk_signatures,
    "ovs-dpdk-uncached": ovs_dpdk_uncached,
}
