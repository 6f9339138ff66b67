"""Real tunnels for Open vSwitch: VXLAN that its userspace datapath puts on and takes off.

Each device of the underlay is a bridge with the device's addresses and one port, its wire.  The
daemon takes an address for its own only where the host's routes say so, so its network has
devices of the same names and addresses.
"""

import subprocess
import time
from collections.abc import Mapping
from contextlib import ExitStack, closing
from pathlib import Path

from ovsflow.openflow.codec import encode
from ovsflow.openflow.constants import Version
from ovsflow.openflow.text.parse import parse_flow
from tests.differential.talk import PATIENCE, Capture, Connection, Control
from tests.differential.underlay import (
    LOCAL_ADDRESSES,
    LOCALS,
    NEIGHBOUR,
    NEIGHBOURS,
    TUNNEL,
    WIRES,
    told,
)
from tests.ofctl.open_vswitch import find, in_network

BRIDGES = {name: [f"{name}w"] for name in LOCALS}
FIRST, SECOND = LOCALS


class TunnelsOfPeer:
    """The tunnel port of an Open vSwitch, and what is under it."""

    WIRE = BRIDGES[FIRST][0]

    def __init__(
        self,
        directory: Path,
        environment: Mapping[str, str],
        control: Control,
        bridge: str,
        stack: ExitStack,
    ) -> None:
        _add_port(environment, bridge)
        _give_addresses(directory, control)
        _give_routes(control)
        self.connections = [
            stack.enter_context(closing(Connection(directory / f"{name}.mgmt", Version.OF13)))
            for name in BRIDGES
        ]
        for connection in self.connections:
            flows = "in_port=1,actions=LOCAL", "in_port=LOCAL,actions=1"
            messages = (encode(parse_flow(one), Version.OF13) for one in flows)
            assert connection.barrier(b"".join(messages)) == []
        self.captures = [
            stack.enter_context(closing(Capture(directory / f"{wire}.pcap")))
            for (wire,) in BRIDGES.values()
        ]

    def count(self) -> int:
        """Outer frames that have arrived."""
        return self.connections[0].received(1)[0]

    def sent(self) -> dict[int, list[bytes]]:
        """Outer frames that left since the last time, for each wire."""
        return {
            wire: [told(one, ours=False) for one in capture.read() if _is_tunnelled(one)]
            for wire, capture in zip(WIRES, self.captures, strict=True)
        }


def _add_port(environment: Mapping[str, str], bridge: str) -> None:
    """The tunnel port; bridges under it get the addresses of Ethernet."""
    words = ["add-port", bridge, "vx", "--", "set", "interface", "vx", "type=vxlan"]
    words += [f"ofport_request={TUNNEL}", "options:key=flow"]
    words += ["options:local_ip=flow", "options:remote_ip=flow"]
    for name, (mac, *_) in LOCALS.items():
        words += ["--", "set", "bridge", name, f'other-config:hwaddr="{mac}"']
    command = [find("ovs-vsctl"), *words]
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=60)


def _give_addresses(directory: Path, control: Control) -> None:
    """Addresses of IP, to the bridges and to devices of their names.

    The first bridge's nets are all there is, so that every route may go through it.
    """
    in_network(directory, "ip", "link", "add", FIRST, "type", "veth", "peer", "name", SECOND)
    for name, (_, four, six) in LOCALS.items():
        lengths = ("0", "0") if name == FIRST else ("32", "128")
        control.call("netdev-dummy/ip4addr", name, f"{four}/{lengths[0]}")
        control.call("netdev-dummy/ip6addr", name, f"{six}/{lengths[1]}")
        in_network(directory, "ip", "link", "set", name, "up")
        in_network(directory, "ip", "address", "add", f"{four}/32", "dev", name)
        in_network(directory, "ip", "address", "add", f"{six}/128", "dev", name, "nodad")
    _wait_for_addresses(control)


def _give_routes(control: Control) -> None:
    """Routes to everywhere, and neighbours."""
    for everything in ("0.0.0.0/0", "::/0"):
        control.call("ovs/route/add", everything, FIRST)
    control.call("tnl/neigh/aging", "3600")
    for address in (*NEIGHBOURS, *LOCAL_ADDRESSES):
        for name in BRIDGES:
            control.call("tnl/neigh/set", name, address, NEIGHBOUR)


def _wait_for_addresses(control: Control) -> None:
    """Waits until the daemon has heard that all addresses are its own."""
    deadline = time.monotonic() + PATIENCE
    while control.call("ovs/route/show").count(" local") < len(LOCAL_ADDRESSES):
        assert time.monotonic() < deadline, control.call("ovs/route/show")
        time.sleep(0.02)


def _is_tunnelled(frame: bytes) -> bool:
    """Whether it is no question of the daemon's own for a neighbour."""
    is_arp = frame[12:14] == b"\x08\x06"
    return not is_arp and not (frame[12:14] == b"\x86\xdd" and frame[20] == 58)
