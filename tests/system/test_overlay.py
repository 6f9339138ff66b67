"""The main job on real devices: tenants apart, streams whole, endpoints by the thousand."""

import hashlib
import json
import platform
import re
import sys
from pathlib import Path

import pytest

from ovsflow.testing.lab import Lab, Node
from tests.system.conftest import Wired, shown


def counter(node: Node, name: str) -> int:
    """One of the host's SNMP counters."""
    found = re.search(rf"{name}\s+(\d+)", node.run("nstat", "-asz", name))
    assert found is not None
    return int(found[1])


def test_ping_over_ipv4_and_ipv6_inside(wired: Wired) -> None:
    wired.tunnel()
    assert "3 received" in wired.h1.run("ping", "-c3", "-i0.1", "-W2", "10.0.0.2")
    assert "3 received" in wired.h1.run("ping", "-6", "-c3", "-i0.1", "-W2", "fd00::2")


def test_ipv6_underlay(wired: Wired) -> None:
    for node, bridge, peer in ((wired.s1, "br1", "fd31::2"), (wired.s2, "br2", "fd31::1")):
        wired.flows(
            node,
            bridge,
            f"in_port=1,actions=set_field:7->tun_id,set_field:{peer}->tun_ipv6_dst,output:2",
            f"in_port=2,tun_id=7,tun_ipv6_src={peer},actions=output:1",
        )
    assert "3 received" in wired.h1.run("ping", "-c3", "-i0.1", "-W2", "10.0.0.2")


def test_two_tenants_with_the_same_addresses_stay_apart(lab: Lab) -> None:
    net = Wired(lab)
    # A second tenant: hosts t1 and t2 with the very addresses, MAC and IP, of h1 and h2.
    for name, switch, bridge, twin, number in (
        ("t1", net.s1, "br1", net.h1, 1),
        ("t2", net.s2, "br2", net.h2, 2),
    ):
        host = lab.node(name)
        lab.link(host, "eth0", switch, "veth2", net.INNER_MTU)
        address = json.loads(twin.run("ip", "-j", "link", "show", "eth0"))[0]["address"]
        host.run("ip", "link", "set", "eth0", "address", address)
        lab.address(host, "eth0", f"10.0.0.{number}/24")
        switch.ovsflow("port", "add", bridge, "veth2=3")
    for node, bridge, peer in ((net.s1, "br1", "172.31.1.2"), (net.s2, "br2", "172.31.1.1")):
        net.flows(
            node,
            bridge,
            f"in_port=1,actions=set_field:10->tun_id,set_field:{peer}->tun_dst,output:2",
            f"in_port=3,actions=set_field:20->tun_id,set_field:{peer}->tun_dst,output:2",
            f"in_port=2,tun_id=10,tun_src={peer},actions=output:1",
            f"in_port=2,tun_id=20,tun_src={peer},actions=output:3",
        )
    t1, t2 = lab.nodes["t1"], lab.nodes["t2"]
    before = {host: received(host) for host in (net.h2, t2)}
    net.h1.run("ping", "-c5", "-i0.05", "-W2", "10.0.0.2")
    assert received(t2) == before[t2], "a frame of VNI 10 crossed over to VNI 20"
    before[net.h2] = received(net.h2)
    t1.run("ping", "-c5", "-i0.05", "-W2", "10.0.0.2")
    assert received(net.h2) == before[net.h2], "a frame of VNI 20 crossed over to VNI 10"


def received(node: Node) -> int:
    """Pings that the host received: nobody sends them but the test."""
    lines = [line.split() for line in node.run("cat", "/proc/net/snmp").splitlines()]
    names, values = (line for line in lines if line[0] == "Icmp:")
    return int(values[names.index("InEchos")])


SERVER = """
import hashlib, socket, sys
family = socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET
listener = socket.create_server((sys.argv[1], 9000), family=family)
print('listening', flush=True)
connection, _ = listener.accept()
digest, length = hashlib.sha256(), 0
while data := connection.recv(1 << 20):
    digest.update(data)
    length += len(data)
print(length, digest.hexdigest(), flush=True)
"""

CLIENT = """
import socket, sys
with socket.create_connection((sys.argv[1], 9000)) as connection:
    with open(sys.argv[2], 'rb') as file:
        connection.sendfile(file)
"""


@pytest.mark.parametrize("family", ["10.0.0.2", "fd00::2"])
def test_a_file_arrives_whole_with_all_offloads_on(wired: Wired, family: str) -> None:
    wired.tunnel()
    features = wired.h1.run("ethtool", "-k", "eth0")
    assert "tx-checksumming: on" in features
    assert "tcp-segmentation-offload: on" in features
    a_file_arrives(wired, family)


def a_file_arrives(wired: Wired, target: str) -> None:
    """Sends a file over TCP from one host to the other, and wants every byte of it."""
    payload = wired.lab.directory / "payload"
    content = b"".join(hashlib.sha256(bytes([i & 255, i >> 8])).digest() for i in range(1 << 16))
    payload.write_bytes(content * 32)
    errors = counter(wired.h2, "TcpInCsumErrors")
    server = wired.lab.start(wired.h2, "server", sys.executable, "-c", SERVER, target)
    wired.lab.wait_for(lambda: "listening" in server.output(), "server", server)
    wired.h1.run(sys.executable, "-c", CLIENT, target, str(payload), timeout=60)
    server.process.wait(20)
    expected = hashlib.sha256(payload.read_bytes()).hexdigest()
    assert server.output().split()[1:] == [str(payload.stat().st_size), expected]
    assert counter(wired.h2, "TcpInCsumErrors") == errors


@pytest.mark.parametrize("change", ["delete vxuplink0", "set vxuplink0 down"])
def test_show_tells_what_is_used_when_the_uplink_is_no_more(wired: Wired, change: str) -> None:
    def tells(way: str) -> bool:
        told = [port["backend"] for port in shown(wired.s1, "br1")["ports"] if port["number"] == 2]
        text = wired.s1.ovsflow("show", "br1")
        return f"super-frames {way}" in str(told) and way in " ".join(text.split())

    if tuple(map(int, platform.release().split(".")[:2])) < (6, 17):
        pytest.skip("the kernel knows no segmentation inside UDP tunnels on TAP devices")
    wired.tunnel()
    a_file_arrives(wired, "10.0.0.2")
    assert tells("through a tap uplink")
    wired.s1.run("ip", "link", *change.split())
    a_file_arrives(wired, "10.0.0.2")
    assert tells("by UDP segmentation")


@pytest.mark.parametrize("direction", [[], ["-R"]], ids=["forward", "reverse"])
@pytest.mark.parametrize("target", ["10.0.0.2", "fd00::2"])
def test_iperf3_tcp_does_not_stall(wired: Wired, target: str, direction: list[str]) -> None:
    wired.tunnel()
    server = wired.lab.start(wired.h2, "iperf3", "iperf3", "-s", "-1")
    wired.lab.wait_for(lambda: ":5201 " in wired.h2.run("ss", "-Hltn"), "iperf3", server)
    text = wired.h1.run("iperf3", "-c", target, "-t", "2", "-i", "0.5", "-J", *direction)
    report = json.loads(text)
    rates = [interval["sum"]["bits_per_second"] for interval in report["intervals"]]
    assert all(rate > 0 for rate in rates), rates
    for host in (wired.h1, wired.h2):
        assert counter(host, "TcpInCsumErrors") == 0


def test_iperf3_udp_arrives(wired: Wired) -> None:
    wired.tunnel()
    server = wired.lab.start(wired.h2, "iperf3", "iperf3", "-s", "-1")
    wired.lab.wait_for(lambda: ":5201 " in wired.h2.run("ss", "-Hltn"), "iperf3", server)
    options = ("-u", "-b", "50M", "-t", "2", "-J")
    result = json.loads(wired.h1.run("iperf3", "-c", "10.0.0.2", *options))["end"]["sum"]
    assert result["packets"] > 1000
    # Where a host has to wait for a processor its own socket overflows; the switch loses none.
    assert result["lost_packets"] <= counter(wired.h2, "UdpRcvbufErrors")
    assert counter(wired.h2, "UdpInCsumErrors") == 0
    for node, bridge in ((wired.s1, "br1"), (wired.s2, "br2")):
        ports = json.loads(node.ovsflow("stats", bridge, "--json"))["ports"]
        assert all(port["rx_dropped"] == port["tx_dropped"] == 0 for port in ports), ports


SENDER = """
import socket, sys
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for number in range(int(sys.argv[1])):
    sender.sendto(b'endpoint %d' % number, ('10.0.0.99', 10000 + number))
"""


def test_a_thousand_endpoints_and_vnis_through_one_port(wired: Wired) -> None:
    count = 1000
    wired.h1.run("ip", "neighbor", "add", "10.0.0.99", "lladdr", "02:00:00:00:00:99", "dev", "eth0")
    # All remote end points lie behind s2; its kernel drops what is not its own.
    wired.s1.run("ip", "route", "add", "10.77.0.0/16", "via", "172.31.1.2")
    wired.flows(
        wired.s1,
        "br1",
        *(
            f"in_port=1,udp,udp_dst={10000 + i},actions=set_field:{5000 + i}->tun_id,"
            f"set_field:10.77.{i // 250}.{i % 250 + 1}->tun_dst,output:2"
            for i in range(count)
        ),
    )
    sockets = wired.s1.run("ss", "-Huan").count("\n")
    path = wired.lab.directory / "wire.pcap"
    recorder = wired.lab.start(
        wired.s2,
        "tcpdump",
        *("tcpdump", "-i", "under0", "-U", "-B", "8192", "-w", str(path), "udp port 4789"),
    )
    wired.lab.wait_for(lambda: "listening on" in recorder.output(), "tcpdump", recorder)
    wired.h1.run(sys.executable, "-c", SENDER, str(count))
    wired.lab.wait_for(lambda: len(decoded(path, wired.s2)) >= count, "all frames on the wire")
    recorder.stop()
    seen = decoded(path, wired.s2)
    assert seen == {(10000 + i, 5000 + i, f"10.77.{i // 250}.{i % 250 + 1}") for i in range(count)}
    assert wired.s1.run("ss", "-Huan").count("\n") == sockets, "sockets grew with end points"


def decoded(path: Path, node: Node) -> set[tuple[int, int, str]]:
    """(inner UDP port, VNI, outer destination) of every frame, as tshark reads the capture."""
    text = node.run(
        *("tshark", "-r", str(path), "-d", "udp.port==4789,vxlan", "-T", "fields"),
        *("-E", "separator=|", "-e", "udp.dstport", "-e", "vxlan.vni", "-e", "ip.dst"),
        check=False,
    )
    frames = set()
    for line in text.splitlines():
        columns = line.split("|")
        if len(columns) == 3 and "," in columns[0]:
            port, vni, target = columns
            frames.add((int(port.split(",")[1]), int(vni), target.split(",")[0]))
    return frames


def test_kernel_vxlan_as_peer(lab: Lab) -> None:
    """The kernel's own VXLAN device takes the place of the second switch."""
    net = Wired(lab)
    net.process2.stop()
    net.flows(
        net.s1,
        "br1",
        "in_port=1,actions=set_field:42->tun_id,set_field:172.31.1.2->tun_dst,output:2",
        "in_port=2,tun_id=42,tun_src=172.31.1.2,actions=output:1",
    )
    s2 = net.s2
    s2.run(
        *("ip", "link", "add", "vx0", "type", "vxlan", "id", "42", "dstport", "4789"),
        *("remote", "172.31.1.1", "local", "172.31.1.2", "dev", "under0"),
    )
    s2.run("ip", "link", "add", "bridge0", "type", "bridge")
    for device in ("vx0", "veth1"):
        s2.run("ip", "link", "set", device, "master", "bridge0", "up")
    s2.run("ip", "link", "set", "bridge0", "up")
    assert "3 received" in net.h1.run("ping", "-c3", "-i0.1", "-W2", "10.0.0.2")
    for client, server, target in ((net.h1, net.h2, "10.0.0.2"), (net.h2, net.h1, "10.0.0.1")):
        process = lab.start(server, "iperf3", "iperf3", "-s", "-1")
        lab.wait_for(lambda s=server: ":5201 " in s.run("ss", "-Hltn"), "iperf3", process)  # type: ignore[misc]
        report = json.loads(client.run("iperf3", "-c", target, "-t", "2", "-J"))
        assert report["end"]["sum_received"]["bytes"] > 1_000_000
        process.process.wait(10)
        assert counter(client, "TcpInCsumErrors") == 0
        assert counter(server, "TcpInCsumErrors") == 0
