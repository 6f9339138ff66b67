"""The same two-switch VXLAN overlay, built from each peer.

Every peer joins h1 and h2 through VXLAN between s1 and s2, in namespaces of its own, so that all
of them can stay up while rounds alternate between them.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from ovsflow.errors import HostError
from ovsflow.testing.lab import Lab, Node, Overlay

VNI = 10
INNER = "10.0.0.2"
#: What each peer must carry unchanged before it is measured.
STREAM_MEGABYTES = 16
PYTHON = (sys.executable, "-m")
SIDES = (("br1", "172.31.1.1", "172.31.1.2"), ("br2", "172.31.1.2", "172.31.1.1"))


def ovsflow(lab: Lab) -> Overlay:
    """Ovsflow, with its defaults."""
    net = Overlay(lab)
    for node, (bridge, _, peer) in zip((net.s1, net.s2), SIDES, strict=True):
        lab.switch(node, bridge, "--port", "veth1=1", "--port", "vxlan0=2:vxlan")
        for flow in flows(peer):
            node.ofctl("-O", "OpenFlow13", "add-flow", bridge, flow)
    return net


def flows(peer: str) -> tuple[str, str]:
    """The flows of one side, the same for ovsflow and Open vSwitch."""
    return (
        f"in_port=1,actions=set_field:{VNI}->tun_id,set_field:{peer}->tun_dst,output:2",
        f"in_port=2,tun_id={VNI},actions=output:1",
    )


def kernel(lab: Lab) -> Overlay:
    """The kernel's VXLAN device and bridge."""
    net = Overlay(lab)
    for node, (_, local, peer) in zip((net.s1, net.s2), SIDES, strict=True):
        node.run(
            *("ip", "link", "add", "vx0", "type", "vxlan", "id", str(VNI), "dstport", "4789"),
            *("remote", peer, "local", local, "dev", "under0"),
        )
        node.run("ip", "link", "add", "bridge0", "type", "bridge")
        for device in ("vx0", "veth1"):
            node.run("ip", "link", "set", device, "master", "bridge0", "up")
        node.run("ip", "link", "set", "bridge0", "up")
    return net


def open_vswitch(lab: Lab) -> Overlay:
    """Open vSwitch's userspace datapath; the hosts' transmit offloads are off, or TCP stalls.

    Its userspace TSO does not reach through tunnels in the release that Debian carries (a
    stream hangs), so this is its best setting.
    """
    net = Overlay(lab)
    for node, (bridge, local, peer) in zip((net.s1, net.s2), SIDES, strict=True):
        vsctl = daemons(lab, node)
        mac = node.run("cat", "/sys/class/net/under0/address").strip()
        # Native tunnelling wants the underlay device in a bridge, and its address on that bridge.
        vsctl("add-br", "br-phy", "--", "set", "bridge", "br-phy", "datapath_type=netdev",
            f"other_config:hwaddr={mac}", "--", "add-port", "br-phy", "under0")  # fmt: skip
        vsctl("add-br", bridge, "--", "set", "bridge", bridge, "datapath_type=netdev",
            "fail_mode=secure", "--", "add-port", bridge, "veth1", "--", "set", "interface",
            "veth1", "ofport_request=1")  # fmt: skip
        vsctl("add-port", bridge, "vxlan0", "--", "set", "interface", "vxlan0", "type=vxlan",
            "options:remote_ip=flow", "options:key=flow", "ofport_request=2")  # fmt: skip
        node.run("ip", "address", "flush", "dev", "under0")
        node.run("ip", "address", "add", f"{local}/24", "dev", "br-phy")
        node.run("ip", "link", "set", "br-phy", "up")
        for flow in flows(peer):
            target = f"unix:{node.rundir}/{bridge}.mgmt"
            node.run("ovs-ofctl", "-O", "OpenFlow13", "add-flow", target, flow)
    for host in (net.h1, net.h2):
        host.run("ethtool", "-K", "eth0", "tx", "off")
    # The first packet is lost to a neighbour miss: make it before anything is measured.
    net.h1.run("ping", "-c2", "-W1", "10.0.0.2", check=False)
    return net


def daemons(lab: Lab, node: Node) -> Callable[..., str]:
    """Starts a private Open vSwitch in a namespace; returns its `ovs-vsctl`."""
    run = node.rundir
    database = run / "conf.db"
    socket = f"unix:{run}/db.sock"
    schema = "/usr/share/openvswitch/vswitch.ovsschema"
    subprocess.run(["ovsdb-tool", "create", str(database), schema], check=True)
    environment = ("env", f"OVS_RUNDIR={run}", f"OVS_LOGDIR={run}")
    server = lab.start(
        node, "ovsdb", *environment, "ovsdb-server", str(database), f"--remote=p{socket}"
    )
    lab.wait_for(Path(run, "db.sock").is_socket, "ovsdb-server", server)

    def vsctl(*args: str) -> str:
        return node.run(*environment, "ovs-vsctl", f"--db={socket}", *args)

    vsctl("--no-wait", "init")
    switch = lab.start(node, "vswitchd", *environment, "ovs-vswitchd", socket, "--pidfile")
    lab.wait_for(Path(run, "ovs-vswitchd.pid").exists, "ovs-vswitchd", switch)
    return vsctl


PEERS: dict[str, Callable[[Lab], Overlay]] = {
    "ovsflow": ovsflow,
    "ovs": open_vswitch,
    "kernel": kernel,
}


def check(net: Overlay, peer: str) -> None:
    """Makes sure that a peer carries traffic, and as it was sent, before it is measured.

    Raises:
        HostError: It does not.
    """
    text = net.h1.run("ping", "-c3", "-i0.2", "-W2", INNER, check=False)
    if " 0% packet loss" not in text:
        raise HostError(f"{peer}: the overlay does not carry a ping:\n{text}")
    words = (*PYTHON, "tools.benchmarks.stream")
    sink = net.lab.start(net.h2, "stream", *words, "receive", "5888")
    net.lab.wait_for(lambda: ":5888 " in net.h2.run("ss", "-Hlnt"), "the receiver", sink)
    sent = net.h1.run(*words, "send", INNER, "5888", str(STREAM_MEGABYTES)).strip()
    sink.process.wait(60)
    if sink.output().strip() != sent:
        raise HostError(f"{peer}: a stream of digest {sent} arrived as {sink.output().strip()}")
