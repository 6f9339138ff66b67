"""Ports of a running switch follow what happens to their devices, and the other way round."""

from collections.abc import Callable

import pytest

from ovsflow.openflow.constants import PortConfig
from ovsflow.testing.lab import Lab, Node, Process
from tests.system.conftest import is_heard, shown

pytestmark = pytest.mark.system


class Rig:
    """A switch with two veth ports, a TAP and the LOCAL port, and somebody who listens."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.host, self.node = lab.node("h"), lab.node("s")
        for number in (1, 2):
            lab.link(self.host, f"eth{number}", self.node, f"veth{number}", 1500)
        ports = ("veth1=1", "veth2=2", "tap9=9:tap", "br0:internal")
        args = [word for port in ports for word in ("--port", port)]
        self.process: Process = lab.switch(self.node, "br0", *args)
        self.target = f"unix:{self.node.rundir}/br0.mgmt"
        monitor = ("ovs-ofctl", "-O", "OpenFlow13", "monitor", self.target, "128")
        self.monitor = lab.start(self.node, "monitor", *monitor)
        self.wait(lambda: is_heard(self.node, "br0"), "a monitor")

    def port(self, name: str) -> dict[str, object]:
        return next(port for port in shown(self.node, "br0")["ports"] if port["name"] == name)

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        self.lab.wait_for(condition, what, self.process)

    def heard(self, text: str) -> bool:
        return text in self.monitor.output()


@pytest.fixture
def rig(lab: Lab) -> Rig:
    return Rig(lab)


def test_a_device_that_goes_and_comes_back_is_a_port_again(rig: Rig) -> None:
    old = rig.port("veth1")["hw_addr"]
    for version, change in (("OpenFlow10", "no-flood"), ("OpenFlow13", "no-packet-in")):
        rig.node.run("ovs-ofctl", "-O", version, "mod-port", rig.target, "1", change)
    config = rig.port("veth1")["config"]
    assert config == PortConfig.NO_PACKET_IN | PortConfig.NO_FLOOD
    rig.node.run("ip", "link", "del", "veth1")
    rig.wait(lambda: rig.port("veth1")["link"] is False, "no link")
    rig.lab.link(rig.host, "eth1", rig.node, "veth1", 1500)
    rig.wait(lambda: rig.port("veth1")["hw_addr"] != old, "the new device")
    rig.wait(lambda: rig.heard("DEL: 1(veth1)") and rig.heard("ADD: 1(veth1)"), "PORT_STATUS")
    assert rig.port("veth1")["number"] == 1
    assert rig.port("veth1")["config"] == config
    rig.wait(lambda: rig.port("veth1")["link"] is True, "a link")


def test_port_mod_brings_the_device_down_and_up(rig: Rig) -> None:
    change = ("ovs-ofctl", "-O", "OpenFlow13", "mod-port", rig.target, "2")
    rig.node.run(*change, "down")
    assert ",UP" not in flags(rig.node, "veth2")
    rig.wait(lambda: rig.port("veth2")["link"] is False, "no link")
    rig.node.run(*change, "up")
    assert ",UP" in flags(rig.node, "veth2")
    rig.wait(lambda: rig.port("veth2")["link"] is True, "a link")
    rig.wait(lambda: rig.heard("PORT_DOWN"), "PORT_STATUS")


def flags(node: Node, device: str) -> str:
    """`BROADCAST,MULTICAST,UP` and so on."""
    return node.run("ip", "-o", "link", "show", device).split("<")[1].split(">")[0]


def test_addresses_and_mtu_are_followed(rig: Rig) -> None:
    rig.node.run("ip", "link", "set", "veth2", "mtu", "1400")
    rig.node.run("ip", "link", "set", "veth2", "address", "02:00:00:00:00:77")
    rig.wait(lambda: rig.port("veth2")["mtu"] == 1400, "the MTU")
    rig.wait(lambda: rig.port("veth2")["hw_addr"] == "02:00:00:00:00:77", "the address")


def test_taps_are_made_and_taken_away(rig: Rig) -> None:
    rig.node.run("ip", "link", "set", "tap9", "up")
    rig.wait(lambda: rig.port("tap9")["up"] is True, "tap9 up")
    rig.node.ovsflow("port", "del", "br0", "tap9")
    rig.wait(lambda: rig.heard("DEL: 9(tap9)"), "PORT_STATUS")
    assert "tap9" not in rig.node.run("ip", "-br", "link")
    rig.node.ovsflow("port", "add", "br0", "tap9=8:tap")
    assert "tap9" in rig.node.run("ip", "-br", "link")
    rig.wait(lambda: rig.heard("ADD: 8(tap9)"), "PORT_STATUS")
