"""Where packets get lost between the hosts of an overlay.

What was offered and did not arrive must be found in a counter of a kernel or a switch.  A
counter may count a super-frame as one, so how many datagrams it accounts for has only a limit.
"""

import re
from dataclasses import dataclass

from ovsflow.errors import HostError
from ovsflow.testing.lab import Node, Overlay
from tools.benchmarks.flow_mods import OF13
from tools.benchmarks.openflow_client import Client

#: Datagrams that travel as one super-frame at most (UDP_MAX_SEGMENTS of the kernel).
SUPER_FRAME = 128


@dataclass(frozen=True)
class Losses:
    """Packets lost so far, or meanwhile.

    Attributes:
        switches: At the ports of ovsflow's switches.
        sockets: At the hosts' sockets that were full.  The switches tell theirs as ports' losses.
        devices: At network devices.
        complete: Whether the switches tell all that they lose; only ovsflow's are asked.
    """

    switches: int
    sockets: int
    devices: int
    complete: bool

    @property
    def most_datagrams(self) -> int:
        """As many as can have been in all that was lost."""
        return (self.switches + self.sockets + self.devices) * SUPER_FRAME

    def __sub__(self, before: "Losses") -> "Losses":
        """What was lost since `before`."""
        return Losses(
            self.switches - before.switches,
            self.sockets - before.sockets,
            self.devices - before.devices,
            self.complete,
        )


def losses(net: Overlay) -> Losses:
    """All counters of an overlay."""
    switches, complete = 0, False
    for node, bridge in ((net.s1, "br1"), (net.s2, "br2")):
        socket = node.rundir / f"{bridge}.mgmt"
        if socket.is_socket() and not (node.rundir / "conf.db").exists():
            with Client(socket, OF13) as client:
                counters = client.port()
            switches += counters.lost + counters.unsent
            complete = True
    hosts, nodes = (net.h1, net.h2), (net.h1, net.s1, net.s2, net.h2)
    return Losses(switches, sum(map(_sockets, hosts)), sum(map(_devices, nodes)), complete)


def _sockets(node: Node) -> int:
    text = node.run("nstat", "-asz", "UdpRcvbufErrors", "UdpSndbufErrors", "IpInDiscards")
    return sum(int(number) for number in re.findall(r"^\w+\s+(\d+)", text, re.MULTILINE))


def _devices(node: Node) -> int:
    found = 0
    for line in node.run("cat", "/proc/net/dev").splitlines():
        name, colon, rest = line.partition(":")
        if colon and name.strip() != "lo":
            words = rest.split()
            if len(words) < 16:
                raise HostError(f"{node.name}: /proc/net/dev reads strangely: {line}")
            # Receive: bytes packets errs drop ...; transmit the same from the ninth on.
            found += int(words[3]) + int(words[11])
    return found
