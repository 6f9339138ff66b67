"""Real controllers and Open vSwitch's own tool as peers."""

import json
import re
import struct
import sys
from pathlib import Path

import pytest

from ovsflow.testing.lab import Lab, Node, Overlay
from tests.system.conftest import Wired, is_heard


def flows(node: Node, bridge: str) -> list[dict[str, object]]:
    """The flows of a switch."""
    parsed = json.loads(node.ofctl("dump-flows", bridge, "--json"))
    assert isinstance(parsed, list)
    return parsed


def test_overlay_controller_programs_both_switches(lab: Lab) -> None:
    net = Overlay(lab)
    lab.controller(net.s1, 6653, "overlay", "--set", "vni=10", "--host", "0.0.0.0")
    for number, node in ((1, net.s1), (2, net.s2)):
        lab.switch(
            node,
            f"br{number}",
            *("--dpid", str(number), "--port", "veth1=1", "--port", "vxlan0=2:vxlan"),
            *("--controller", "tcp:172.31.1.1:6653"),
        )
    for number, node in ((1, net.s1), (2, net.s2)):
        lab.wait_for(lambda n=node, b=f"br{number}": len(flows(n, b)) >= 4, "programmed switches")  # type: ignore[misc]
    assert "5 received" in net.h1.run("ping", "-c5", "-i0.2", "-W2", "10.0.0.2")
    # Packet-in led to flow-mods: both hosts are known, on both switches.
    lab.wait_for(
        lambda: "dl_dst" in net.s2.ofctl("-O", "OpenFlow13", "dump-flows", "br2"), "learned hosts"
    )


def test_learning_controller(lab: Lab) -> None:
    switch = lab.node("s")
    hosts = [lab.node(f"h{i}") for i in (1, 2, 3)]
    for number, host in enumerate(hosts, 1):
        lab.link(host, "eth0", switch, f"veth{number}")
        lab.address(host, "eth0", f"10.0.0.{number}/24")
    lab.controller(switch, 6653, "learning")
    ports = [arg for number in (1, 2, 3) for arg in ("--port", f"veth{number}={number}")]
    lab.switch(switch, "br0", *ports, "--controller", "tcp:127.0.0.1:6653")
    lab.wait_for(lambda: len(flows(switch, "br0")) == 1, "the table-miss flow")
    for source in hosts:
        for number in (1, 2, 3):
            assert "1 received" in source.run("ping", "-c1", "-W2", f"10.0.0.{number}")
    assert len(flows(switch, "br0")) >= 6


def targets(net: Wired) -> list[str]:
    """The ways in which a client reaches the first switch."""
    return [f"unix:{net.s1.rundir}/br1.mgmt", "tcp:127.0.0.1:6654"]


@pytest.fixture
def listening(lab: Lab) -> Wired:
    """A wired overlay whose first switch listens on TCP as well."""
    net = Wired(lab)
    net.process1.stop()
    net.process1 = lab.switch(
        net.s1,
        "br1",
        *("--port", "veth1=1", "--port", "vxlan0=2:vxlan", "--listen", "ptcp:6654"),
    )
    return net


def without_times(text: str) -> str:
    """Flow dumps with durations and transaction ids cut out."""
    text = re.sub(r"duration=[\d.]+s", "duration=Xs", text)
    return re.sub(r"xid=0x[0-9a-f]+", "xid=0xX", text)


def test_ovs_ofctl_drives_the_switch(listening: Wired) -> None:
    net = listening
    for target in targets(net):
        of13 = ("ovs-ofctl", "-O", "OpenFlow13")
        net.s1.run(*of13, "del-flows", target)
        net.s1.run(
            *(*of13, "add-flow", target),
            "in_port=1,actions=set_field:10->tun_id,set_field:172.31.1.2->tun_dst,output:2",
        )
        net.s1.run(
            *(*of13, "add-flow", target),
            "priority=7,in_port=2,tun_id=10,tun_src=172.31.1.2,actions=output:1",
        )
        dump = net.s1.run(*of13, "dump-flows", target)
        assert (
            "in_port=1 actions=set_field:0xa->tun_id,set_field:172.31.1.2->tun_dst,output:2" in dump
        )
        assert "priority=7,tun_id=0xa,tun_src=172.31.1.2,in_port=2 actions=output:1" in dump
        ours = net.s1.ofctl("-O", "OpenFlow13", "dump-flows", target)
        assert without_times(ours) == without_times(dump)
        for command in ("show", "dump-ports-desc", "dump-tables", "dump-desc"):
            theirs = net.s1.run(*of13, command, target)
            assert without_times(net.s1.ofctl("-O", "OpenFlow13", command, target)) == (
                without_times(theirs)
            )
        net.s1.run(
            *of13,
            "--strict",
            "mod-flows",
            target,
            "priority=7,in_port=2,tun_id=10,tun_src=172.31.1.2,actions=drop",
        )
        assert "actions=drop" in net.s1.run(*of13, "dump-flows", target)
        net.s1.run(*of13, "del-flows", target, "in_port=2")
        assert "in_port=2" not in net.s1.run(*of13, "dump-flows", target)


def test_ovs_ofctl_hears_an_error_by_its_name(listening: Wired) -> None:
    net = listening
    text = net.s1.run(
        *("ovs-ofctl", "-O", "OpenFlow13", "add-flow", targets(net)[0]),
        "in_port=1,actions=group:77",
        check=False,
    )
    assert "OFPBAC_BAD_OUT_GROUP" in text


def test_packet_out_and_monitor(listening: Wired) -> None:
    net = listening
    target = targets(net)[0]
    monitor = net.lab.start(
        net.s1, "monitor", "ovs-ofctl", "-O", "OpenFlow13", "monitor", target, "65534"
    )
    net.lab.wait_for(lambda: is_heard(net.s1, "br1"), "a monitor", monitor)
    net.flows(net.s1, "br1", "priority=0,actions=CONTROLLER")
    net.h1.run("ping", "-c1", "-W1", "10.0.0.2", check=False)
    net.lab.wait_for(lambda: "in_port=1 (via no_match)" in monitor.output(), "a packet-in", monitor)
    frame = bytes.fromhex("ffffffffffff0200000000770806") + bytes(46)
    before = received_packets(net.h1)
    net.s1.run(
        *("ovs-ofctl", "-O", "OpenFlow13", "packet-out", target),
        f"in_port=CONTROLLER packet={frame.hex()} actions=output:1",
    )
    # Nothing else leaves by port 1: all that comes in goes to the controller.
    net.lab.wait_for(lambda: received_packets(net.h1) != before, "the packet")
    assert received_packets(net.h1) == before + 1


def received_packets(host: Node) -> int:
    """The packets that a host received from its switch."""
    told = json.loads(host.run("ip", "-j", "-s", "link", "show", "eth0"))
    return int(told[0]["stats64"]["rx"]["packets"])


def test_port_status_follows_the_link(listening: Wired) -> None:
    net = listening
    target = targets(net)[0]
    monitor = net.lab.start(
        net.s1, "monitor", "ovs-ofctl", "-O", "OpenFlow13", "monitor", target, "128"
    )
    net.lab.wait_for(lambda: is_heard(net.s1, "br1"), "a monitor", monitor)
    net.h1.run("ip", "link", "set", "eth0", "down")
    net.lab.wait_for(lambda: "LINK_DOWN" in monitor.output(), "PORT_STATUS", monitor)
    net.h1.run("ip", "link", "set", "eth0", "up")
    net.lab.wait_for(
        lambda: "state:      LIVE" in monitor.output() or "state:      0" in monitor.output(),
        "PORT_STATUS",
        monitor,
    )


BAD_VXLAN = {
    "vxlan_too_short": b"\x08\0\0\0\0\0\x0a",
    "vxlan_flags": struct.pack("!II", 0x00000000, 10 << 8) + bytes(60),
    "vxlan_reserved": struct.pack("!II", 0x08000000, 10 << 8 | 1) + bytes(60),
}

SEND = """
import socket, sys
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(5):
    sender.sendto(bytes.fromhex(sys.argv[1]), ('172.31.1.1', 4789))
"""


@pytest.mark.parametrize("reason", list(BAD_VXLAN))
def test_bad_vxlan_is_a_counted_drop_and_nothing_else(wired: Wired, reason: str) -> None:
    wired.tunnel()
    before = without_times(wired.s1.ofctl("-O", "OpenFlow13", "dump-flows", "br1"))
    wired.s2.run(sys.executable, "-c", SEND, BAD_VXLAN[reason].hex())
    wired.lab.wait_for(lambda: drops(wired.s1, "br1").get(reason) == 5, f"5 x {reason}")
    assert without_times(wired.s1.ofctl("-O", "OpenFlow13", "dump-flows", "br1")) == before
    wired.h1.run("ping", "-c1", "-W2", "10.0.0.2")


def drops(node: Node, bridge: str) -> dict[str, int]:
    """Drop reasons and their counts."""
    parsed = json.loads(node.ovsflow("stats", bridge, "--json"))
    assert isinstance(parsed["drops"], dict)
    return parsed["drops"]


MUTATE = Path(__file__).with_name("mutate.py")


def test_mutated_openflow_changes_nothing_and_kills_nothing(listening: Wired) -> None:
    net = listening
    net.tunnel()
    text = net.s1.run(sys.executable, str(MUTATE), "127.0.0.1", "6654", "3000", timeout=100)
    assert text.split()[:2] == ["answered", "3000"], text
    assert net.process1.running()
    net.h1.run("ping", "-c1", "-W2", "10.0.0.2")
