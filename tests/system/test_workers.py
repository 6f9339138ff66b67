"""Several workers share what one busy port receives."""

import json
import sys

import pytest

from ovsflow.testing.lab import Lab, Node, Overlay

FLOWS, ROUNDS = 64, 200
#: Datagrams of each flow that may be on their way.
WINDOW = 8

SENDER = """
import socket, sys
flows, rounds, window = (int(text) for text in sys.argv[1:4])
target = sys.argv[4]
senders = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(flows)]
for number, sender in enumerate(senders):
    sender.bind(("", 20000 + number))
    sender.settimeout(20)
for place in range(rounds):
    for sender in senders:
        # Never more on their way than what the hosts' own queues hold.
        if place >= window:
            assert int.from_bytes(sender.recv(64), "big") == place - window
        sender.sendto(place.to_bytes(4, "big"), (target, 4000))
"""

RECEIVER = """
import socket, sys
expected = int(sys.argv[1])
receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
receiver.setsockopt(socket.SOL_SOCKET, 33, 1 << 20)  # SO_RCVBUFFORCE: all that is on its way
receiver.bind(("", 4000))
receiver.settimeout(20)
print("listening", flush=True)
following, got, disorder = {}, 0, 0
try:
    while got < expected:
        data, source = receiver.recvfrom(64)
        receiver.sendto(data, source)
        place = int.from_bytes(data, "big")
        disorder += place != following.get(source, 0)
        following[source] = place + 1
        got += 1
except TimeoutError:
    pass
print("got", got, "disorder", disorder, flush=True)
"""


def all_arrive_in_order(lab: Lab, sender: Node, receiver: Node, target: str) -> None:
    """Sends numbered datagrams of many flows, and wants each in its place, there and back."""
    count = FLOWS * ROUNDS
    far = lab.start(receiver, "receiver", sys.executable, "-c", RECEIVER, str(count))
    lab.wait_for(lambda: "listening" in far.output(), "receiver", far)
    sender.run("ping", "-c", "1", "-W", "2", target)
    sender.run(sys.executable, "-c", SENDER, str(FLOWS), str(ROUNDS), str(WINDOW), target)
    far.process.wait(20)
    assert f"got {count} disorder 0" in far.output()


def both_carry(node: Node, bridge: str, ports: list[str]) -> None:
    """Wants work done by both workers, nothing lost, and the ports named as shared."""
    numbers = json.loads(node.ovsflow("stats", bridge, "--json"))
    packets = [worker["packets"] for worker in numbers["workers"]]
    assert len(packets) == 2
    # There and back.
    assert min(packets) > 2 * FLOWS * ROUNDS // 8, packets
    for port in numbers["ports"]:
        assert min(port["rx_packets"], port["tx_packets"]) >= FLOWS * ROUNDS
        assert port["rx_dropped"] == port["tx_dropped"] == 0
    shown = json.loads(node.ovsflow("show", bridge, "--json"))["ports"]
    backends = {port["name"]: port["backend"] for port in shown}
    assert all(", 2 receivers" in backends[name] for name in ports), backends


@pytest.mark.system
def test_one_busy_device_is_shared_by_two_workers(lab: Lab) -> None:
    h1, node, h2 = (lab.node(name) for name in ("h1", "s", "h2"))
    for number, host in enumerate((h1, h2), 1):
        lab.link(host, "eth0", node, f"veth{number}", 1500)
        lab.address(host, "eth0", f"10.0.0.{number}/24")
    lab.switch(node, "br0", "--workers", "2", "--port", "veth1=1", "--port", "veth2=2")
    node.ofctl("add-flow", "br0", "in_port=1,actions=output:2")
    node.ofctl("add-flow", "br0", "in_port=2,actions=output:1")
    all_arrive_in_order(lab, h1, h2, "10.0.0.2")
    both_carry(node, "br0", ["veth1", "veth2"])
    dumped = json.loads(node.ovsflow("stats", "br0", "--json"))["tables"][0]
    assert dumped["matched"] >= 2 * FLOWS * ROUNDS


@pytest.mark.system
def test_one_tunnel_is_shared_by_two_workers_at_both_ends(lab: Lab) -> None:
    overlay = Overlay(lab)
    for node, bridge, peer in (
        (overlay.s1, "br1", "172.31.1.2"),
        (overlay.s2, "br2", "172.31.1.1"),
    ):
        ports = ("--port", "veth1=1", "--port", "vxlan0=2:vxlan")
        lab.switch(node, bridge, "--workers", "2", *ports)
        node.ofctl(
            "add-flow",
            bridge,
            f"in_port=1,actions=set_field:10->tun_id,set_field:{peer}->tun_dst,output:2",
        )
        node.ofctl("add-flow", bridge, "in_port=2,tun_id=10,actions=output:1")
    all_arrive_in_order(lab, overlay.h1, overlay.h2, "10.0.0.2")
    for node, bridge in ((overlay.s1, "br1"), (overlay.s2, "br2")):
        both_carry(node, bridge, ["veth1", "vxlan0"])
