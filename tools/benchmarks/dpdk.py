"""Open vSwitch in its DPDK build as a peer of the core scenarios.

net_pcap with `infinite_rx=1` in, net_null with `no-rx=1` out (polled as a source too, net_null
would halve the result), 2 MiB pages, one forwarding thread.  Tunnels are its native ones: a bridge
`br-phy` owns the underlay device and the tunnel's address, a static neighbour and a route stand for
the network.

It is given its best settings: room for as many datapath flows as it likes and from the start
(by itself it would raise the limit by a thousand every half second), none taken away for being
idle, and, where flows are many, whichever of its caches turn out fastest.
"""

import contextlib
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from ovsflow.errors import HostError
from ovsflow.testing.lab import Lab, Node, Process
from tools.benchmarks.core_peers import (
    FORWARDING_CORE,
    OTHER_CORE,
    STEADY,
    WARM_SECONDS,
    Core,
    Place,
    Shape,
)
from tools.benchmarks.measure import Progress

PEER = "ovs-dpdk"
HUGE_PAGES, PAGE_ATTEMPTS = 512, 5
OVS_DPDK = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"

LOCAL_IP, LOCAL_MAC = "172.31.1.1", "02:00:00:00:00:02"
GATEWAY_IP, GATEWAY_MAC = "172.31.1.2", "02:00:00:00:00:01"
REMOTES = "20.0.0.0/8"

FLOW_LIMIT = 2_000_000
IDLE_MS = 3_600_000
#: The far end of the device through which single frames arrive, and how many a second do.
FEED, FEED_RATE = "feed", 2_000
#: A port forwards this long after it was added, in seconds.
PORT_SECONDS = 0.5
#: It has settled when it asks its slow path less often than this, in packets a second.
SETTLED_MISSES = 20
#: With so many calm seconds it has settled too, however its rate swings.
CALM_WINDOWS = 8
#: Longest time that it may take to settle, in seconds.
SETTLE_LIMIT = 420
#: How long the rate of a choice of caches is taken, in seconds, and how often at most.
TRIAL_SECONDS, TRIALS = 1.0, 12

#: Its caches: the exact-match one (the default), the signature-match one, both, none.
CACHES = {
    "emc": ("emc-insert-inv-prob=100", "smc-enable=false"),
    "smc": ("emc-insert-inv-prob=0", "smc-enable=true"),
    "emc+smc": ("emc-insert-inv-prob=100", "smc-enable=true"),
    "no cache": ("emc-insert-inv-prob=0", "smc-enable=false"),
}


class OvsDpdk(Core):
    """Open vSwitch with DPDK.

    Attributes:
        many: Whether flows are so many that its caches are to be chosen from.
    """

    def __init__(self, lab: Lab, shape: Shape, *, many: bool = False) -> None:
        """Starts it, without ports."""
        node = lab.node("core")
        run = node.rundir
        self._environment = ("env", f"OVS_RUNDIR={run}", f"OVS_LOGDIR={run}")
        self._shape = shape
        self.many = many
        self._resting = False
        process = self._start(lab, node)
        inner, outer = run / "br0.mgmt", run / "br-phy.mgmt"
        arrives = Place(outer if shape is Shape.DECAP else inner, (1,))
        leaves = Place(outer if shape is Shape.ENCAP else inner, (2,))
        super().__init__(node, process, arrives, leaves)
        self._ctl("upcall/set-flow-limit", str(FLOW_LIMIT))
        if shape is not Shape.PLAIN:
            self._underlay()

    def _start(self, lab: Lab, node: Node) -> Process:
        run = node.rundir
        # The kernel's own frames from devices that it sees would leave beside the trace's.
        for scope in ("all", "default"):
            node.run("sysctl", "-qw", f"net.ipv6.conf.{scope}.disable_ipv6=1")
        schema = "/usr/share/openvswitch/vswitch.ovsschema"
        subprocess.run(["ovsdb-tool", "create", str(run / "conf.db"), schema], check=True)
        socket = f"unix:{run}/db.sock"
        server = lab.start(
            node,
            "ovsdb",
            *(*self._environment, "ovsdb-server", str(run / "conf.db"), f"--remote=p{socket}"),
        )
        lab.wait_for(Path(run, "db.sock").is_socket, "ovsdb-server", server)
        self._db = (*self._environment, "ovs-vsctl", f"--db={socket}", "--timeout=30")
        node.run(*self._db, "--no-wait", "init")
        settings = (
            "dpdk-init=true",
            f"pmd-cpu-mask={1 << FORWARDING_CORE:#x}",
            f"dpdk-lcore-mask={1 << OTHER_CORE:#x}",
            "dpdk-socket-mem=512",
            f"dpdk-extra=--no-pci --file-prefix=bench{lab.tag}",
            f"flow-limit={FLOW_LIMIT}",
            f"max-idle={IDLE_MS}",
        )
        words = (f"other_config:{setting}" for setting in settings)
        node.run(*self._db, "--no-wait", "set", "Open_vSwitch", ".", *words)
        switch = lab.start(
            node, "vswitchd", *self._environment, OVS_DPDK, socket, f"--unixctl={run}/ctl"
        )
        add = ("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev")
        node.run(*self._db, *add, "fail_mode=secure")
        return switch

    def _underlay(self) -> None:
        """Makes the tunnel, and lets it out of and in through `br-phy`."""
        node = self.node
        address = f'other_config:hwaddr="{LOCAL_MAC}"'
        node.run(*self._db, "add-br", "br-phy", "--", "set", "bridge", "br-phy",
            "datapath_type=netdev", "fail_mode=secure", address)  # fmt: skip
        number = 2 if self._shape is Shape.ENCAP else 1
        node.run(*self._db, "add-port", "br0", "vxlan0", "--", "set", "Interface", "vxlan0",
            "type=vxlan", "options:remote_ip=flow", "options:key=flow",
            f"ofport_request={number}")  # fmt: skip
        node.run("ip", "address", "add", f"{LOCAL_IP}/24", "dev", "br-phy")
        node.run("ip", "link", "set", "br-phy", "up")
        self._ctl("ovs/route/add", REMOTES, "br-phy", GATEWAY_IP)
        self._ctl("tnl/neigh/set", "br-phy", GATEWAY_IP, GATEWAY_MAC)
        bridge = f"unix:{node.rundir}/br-phy.mgmt"
        for flow in ("in_port=LOCAL,actions=output:2", "in_port=1,actions=LOCAL"):
            node.run("ovs-ofctl", "-O", "OpenFlow13", "add-flow", bridge, flow)

    def open(self, capture: Path, record: Path | None = None) -> None:
        """Opens both ports.

        What arrives once comes through a veth device: DPDK's capture port would begin before Open
        vSwitch is ready, and lose what comes first.
        """
        if record is None:
            self._add(2, "type=dpdk", "options:dpdk-devargs=eth_null0,no-rx=1")
            source = f"eth_pcap0,rx_pcap={capture},infinite_rx=1"
            self._add(1, "type=dpdk", f"options:dpdk-devargs={source}")
            return
        self._add(2, "type=dpdk", f"options:dpdk-devargs=eth_pcap1,tx_pcap={record}")
        run = self.node.run
        run("ip", "link", "add", FEED, "type", "veth", "peer", "name", "p1")
        for device in (FEED, "p1"):
            run("ip", "link", "set", device, "up")
        self._add(1, "type=system")
        time.sleep(PORT_SECONDS)
        feed = (sys.executable, "-m", "tools.benchmarks.replay", str(capture), FEED)
        run(*feed, str(FEED_RATE))

    def _add(self, number: int, *settings: str) -> None:
        place = self.arrives if number == 1 else self.leaves
        name = f"p{number}"
        self.node.run(*self._db, "add-port", place.socket.stem, name, "--", "set", "Interface",
            name, f"ofport_request={number}", *settings)  # fmt: skip
        if "rror" in self.node.run(*self._db, "get", "Interface", name, "error"):
            raise HostError(f"Open vSwitch took no DPDK port:\n{self.process.output()}")

    def close(self) -> None:
        """Closes both ports."""
        for name in ("p1", "p2"):
            self.node.run(*self._db, "del-port", name)
        self.node.run("ip", "link", "del", FEED, check=False)

    def hits(self) -> dict[str, int]:
        """How many packets each flow took, brought up to date from the datapath first."""
        self._ctl("revalidator/wait")
        return super().hits()

    def misses(self) -> int:
        """Packets that asked the slow path so far."""
        text = self._ctl("dpif-netdev/pmd-stats-show")
        return sum(int(count) for count in re.findall(r"miss with \w+ upcall: (\d+)", text))

    def forget(self) -> None:
        """Empties the datapath's flow table; from now on each connection has its own entry."""
        self._ctl("upcall/set-flow-limit", str(FLOW_LIMIT))
        self._ctl("upcall/disable-megaflows")
        self._ctl("revalidator/purge")

    def settle(self, progress: Progress) -> None:
        """Waits until no packet asks the slow path and the rate is steady; chooses caches then.

        Raises:
            HostError: It never settles.
        """
        started, before, calm = time.monotonic(), 0.0, 0
        while True:
            misses, window = self.misses(), self.window(1.0)
            lasted = time.monotonic() - started
            missed = (self.misses() - misses) / window.seconds
            progress(
                f"warming up for {lasted:.0f} s: {window.rate:.3g} Mpps, {missed:.0f} misses/s"
            )
            steady = abs(window.rate - before) < STEADY * window.rate
            calm = calm + 1 if missed < SETTLED_MISSES else 0
            if (calm > 1 and steady) or calm > CALM_WINDOWS:
                break
            before = window.rate
            if lasted > SETTLE_LIMIT:
                raise HostError(
                    f"Open vSwitch has not settled after {lasted:.0f} s: {missed:.0f} misses/s"
                )
        if self.many:
            self._choose_caches(progress)

    def rest(self) -> None:
        """Stops it for turns to come, the datapath's flows kept as they are.

        What watches over them would take the time of a stop for its own slowness, and put up
        with fewer of them.
        """
        self._ctl("revalidator/pause")
        self._resting = True
        super().rest()

    def turn(self, seconds: float) -> float:
        """Measures the rate, if it still knows all flows.

        Raises:
            HostError: Packets asked the slow path, or were lost.
        """
        with self.awake():
            before = self.misses()
            time.sleep(WARM_SECONDS)
            rate = self.rate(seconds)
            check_settled(self.misses() - before)
            return rate

    def release(self) -> None:
        """Lets it run again, and end."""
        super().release()
        # It would wait without end for those that do not rest.
        if self._resting:
            self._ctl("revalidator/resume")

    def _choose_caches(self, progress: Progress) -> None:
        """Tries each choice until its rate is steady, and keeps the fastest."""
        rates = {}
        for name in CACHES:
            rates[name] = self._with_caches(name)
            progress(f"with {name}: {rates[name]:.3g} Mpps")
        best = max(rates, key=lambda name: rates[name])
        self._ctl("dpif-netdev/pmd-stats-clear")
        self._with_caches(best)
        self.settings = f"{best}{self._work()}"

    def _work(self) -> str:
        """How many flows the datapath has, and how many masks it tries where no cache helps."""
        flows = re.search(r"\(current (\d+)\)", self._ctl("upcall/show"))
        text = self._ctl("dpif-netdev/pmd-stats-show")
        masks = re.findall(r"subtable lookups per megaflow hit: ([\d.]+)", text)
        told = f", {flows[1]} datapath flows" if flows else ""
        most = max((float(number) for number in masks), default=0.0)
        return f"{told}, {most:.0f} masks a search" if most > 1 else told

    def _with_caches(self, name: str) -> float:
        """The rate with some caches, when they are full.

        An entry is made when its flow next passes: with slow misses that takes seconds.
        """
        self._configure(*CACHES[name])
        rate, before = self.window(TRIAL_SECONDS).rate, 0.0
        for _ in range(TRIALS):
            if abs(rate - before) < STEADY * rate:
                break
            rate, before = self.window(TRIAL_SECONDS).rate, rate
        return rate

    def _configure(self, *settings: str) -> None:
        words = (f"other_config:{setting}" for setting in settings)
        self.node.run(*self._db, "set", "Open_vSwitch", ".", *words)

    def _ctl(self, *words: str) -> str:
        control = ("ovs-appctl", "-t", str(self.node.rundir / "ctl"))
        return self.node.run(*self._environment, *control, *words)


def check_settled(misses: int) -> None:
    """Makes sure that a round met no packet of which Open vSwitch had not learned the flow.

    Raises:
        HostError: It did.
    """
    if misses > SETTLED_MISSES:
        raise HostError(f"Open vSwitch asked its slow path {misses} times: it had not settled")


@contextlib.contextmanager
def huge_pages() -> Iterator[None]:
    """Reserves the huge pages that DPDK needs while the block lasts, beside those that are in use.

    Raises:
        HostError: There is not enough memory in one piece.
    """
    path = Path("/proc/sys/vm/nr_hugepages")
    before = int(path.read_text())
    for _ in range(PAGE_ATTEMPTS):
        if (missing := HUGE_PAGES - _free_pages()) <= 0:
            break
        # The memory may be there in small pieces only.
        Path("/proc/sys/vm/compact_memory").write_text("1")
        path.write_text(str(int(path.read_text()) + missing))
    mount = Path("/dev/hugepages")
    mount.mkdir(exist_ok=True)
    if not mount.is_mount():
        subprocess.run(["mount", "-t", "hugetlbfs", "none", str(mount)], check=True)
    try:
        if (free := _free_pages()) < HUGE_PAGES:
            raise HostError(f"{free} free huge pages of 2 MiB are fewer than {HUGE_PAGES}")
        yield
    finally:
        path.write_text(str(before))


def _free_pages() -> int:
    words = Path("/proc/meminfo").read_text().split()
    return int(words[words.index("HugePages_Free:") + 1])
