"""What the system tests share: labs, and two switches with a VXLAN port each."""

import json
import shutil
from collections.abc import Iterator

import pytest

from ovsflow.testing.lab import Lab, Node, Overlay

NEEDED = ("ip", "tcpdump", "tshark", "iperf3", "ping", "ovs-ofctl", "ethtool", "nstat")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks everything in this folder."""
    for item in items:
        if "/tests/system/" in str(item.path):
            item.add_marker(pytest.mark.system)


@pytest.fixture(scope="session", autouse=True)
def programs() -> None:
    """Fails, rather than skips, when a peer is missing: tools/bootstrap installs them."""
    missing = [program for program in NEEDED if shutil.which(program) is None]
    assert not missing, f"run tools/bootstrap as root; missing: {missing}"


@pytest.fixture
def lab() -> Iterator[Lab]:
    """An empty lab."""
    with Lab() as made:
        yield made


def shown(node: Node, bridge: str) -> dict[str, list[dict[str, object]]]:
    """What a running switch tells of its ports and sessions."""
    told: dict[str, list[dict[str, object]]]
    told = json.loads(node.ovsflow("show", bridge, "--json"))
    return told


def is_heard(node: Node, bridge: str) -> bool:
    """Whether somebody hears what a switch says unasked."""
    return any(session["awake"] for session in shown(node, bridge)["sessions"])


class Wired(Overlay):
    """An overlay whose switches run, with ports 1 (host) and 2 (tunnel), and no flows."""

    def __init__(self, lab: Lab, *vxlan_options: str) -> None:
        super().__init__(lab)
        options = "".join(f",{option}" for option in vxlan_options)
        self.process1 = lab.switch(
            self.s1, "br1", "--port", "veth1=1", "--port", f"vxlan0=2:vxlan{options}"
        )
        self.process2 = lab.switch(
            self.s2, "br2", "--port", "veth1=1", "--port", f"vxlan0=2:vxlan{options}"
        )

    def flows(self, node: Node, bridge: str, *flows: str) -> None:
        """Adds flows, all in one call."""
        path = self.lab.directory / f"{bridge}.flows"
        path.write_text("\n".join(flows) + "\n")
        node.ofctl("-O", "OpenFlow13", "add-flows", bridge, str(path))

    def tunnel(self, vni: int = 10) -> None:
        """Joins the two hosts through the tunnel, IPv4 outside."""
        for node, bridge, peer in ((self.s1, "br1", "172.31.1.2"), (self.s2, "br2", "172.31.1.1")):
            self.flows(
                node,
                bridge,
                f"in_port=1,actions=set_field:{vni}->tun_id,set_field:{peer}->tun_dst,output:2",
                f"in_port=2,tun_id={vni},tun_src={peer},actions=output:1",
            )


@pytest.fixture
def wired(lab: Lab) -> Wired:
    """Two running switches, no flows."""
    return Wired(lab)
