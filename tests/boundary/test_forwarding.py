"""Flows in words, frames in, frames out: what each action does to real bytes."""

import pytest
from scapy.contrib.mpls import MPLS
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Dot1AD, Dot1Q, Ether
from scapy.packet import Packet, Raw

from tests.boundary.bench import OF10, Bench

A, B, C = "02:00:00:00:00:0a", "02:00:00:00:00:0b", "02:00:00:00:00:0c"
ETH = Ether(src=A, dst=B)
DATA = Raw(b"ovsflow" * 6)
TCP4 = IP(src="10.0.0.1", dst="10.0.0.2", ttl=64) / TCP(sport=1000, dport=80) / DATA
UDP4 = IP(src="10.0.0.1", dst="10.0.0.2", ttl=64) / UDP(sport=1000, dport=53) / DATA
UDP6 = IPv6(src="fd00::1", dst="fd00::2", hlim=64) / UDP(sport=1000, dport=53) / DATA


def frame(packet: Packet) -> bytes:
    """The bytes, lengths and checksums filled in."""
    return bytes(packet)


def ip4(
    transport: Packet, src: str = "10.0.0.1", dst: str = "10.0.0.2", ttl: int = 64, tos: int = 0
) -> Packet:
    """A packet like the usual one but for some fields."""
    return IP(src=src, dst=dst, ttl=ttl, tos=tos) / transport / DATA


REWRITES: list[tuple[str, str, Packet, Packet]] = [
    ("set_field:02:00:00:00:00:0c->eth_dst", "", ETH / TCP4, Ether(src=A, dst=C) / TCP4),
    (
        "set_field:10.9.9.9->ip_dst,set_field:81->tcp_dst",
        "tcp",
        ETH / TCP4,
        ETH / ip4(TCP(sport=1000, dport=81), dst="10.9.9.9"),
    ),
    (
        "set_field:10.9.9.9->ip_src,set_field:9->udp_src",
        "udp",
        ETH / UDP4,
        ETH / ip4(UDP(sport=9, dport=53), src="10.9.9.9"),
    ),
    (
        "set_field:fd00::9->ipv6_dst,set_field:5->udp_dst",
        "udp6",
        ETH / UDP6,
        ETH / (IPv6(src="fd00::1", dst="fd00::9", hlim=64) / UDP(sport=1000, dport=5) / DATA),
    ),
    ("dec_ttl", "ip", ETH / TCP4, ETH / ip4(TCP(sport=1000, dport=80), ttl=63)),
    ("mod_nw_ttl:7", "ip", ETH / TCP4, ETH / ip4(TCP(sport=1000, dport=80), ttl=7)),
    ("mod_nw_ttl:7,dec_ttl", "ip", ETH / TCP4, ETH / ip4(TCP(sport=1000, dport=80), ttl=6)),
    ("set_field:10->ip_dscp", "ip", ETH / TCP4, ETH / ip4(TCP(sport=1000, dport=80), tos=40)),
    ("push_vlan:0x8100,set_field:4196->vlan_vid", "", ETH / TCP4, ETH / Dot1Q(vlan=100) / TCP4),
    (
        "push_vlan:0x88a8,set_field:4197->vlan_vid",
        "vlan_vid=0x1064",
        ETH / Dot1Q(vlan=100) / TCP4,
        ETH / Dot1AD(vlan=101) / Dot1Q(vlan=100) / TCP4,
    ),
    ("pop_vlan", "vlan_vid=0x1064", ETH / Dot1Q(vlan=100) / TCP4, ETH / TCP4),
    (
        "set_field:5->vlan_pcp",
        "vlan_vid=0x1064",
        ETH / Dot1Q(vlan=100) / TCP4,
        ETH / Dot1Q(vlan=100, prio=5) / TCP4,
    ),
    (
        "set_field:4297->vlan_vid,push_vlan:0x88a8,set_field:4098->vlan_vid",
        "vlan_vid=0x1064",
        ETH / Dot1Q(vlan=100) / TCP4,
        ETH / Dot1AD(vlan=2) / Dot1Q(vlan=201) / TCP4,
    ),
    (
        "push_mpls:0x8847,set_field:17->mpls_label",
        "ip",
        ETH / TCP4,
        ETH / MPLS(label=17, cos=0, s=1, ttl=64) / TCP4,
    ),
    (
        "pop_mpls:0x0800",
        "mpls",
        ETH / MPLS(label=17, s=1, ttl=9) / TCP4,
        ETH / TCP4,
    ),
    (
        "dec_mpls_ttl",
        "mpls",
        ETH / MPLS(label=17, s=1, ttl=9) / TCP4,
        ETH / MPLS(label=17, s=1, ttl=8) / TCP4,
    ),
    (
        "set_field:2->arp_op,set_field:10.0.0.9->arp_spa",
        "arp",
        ETH / ARP(op=1, psrc="10.0.0.1", pdst="10.0.0.2", hwsrc=A, hwdst=B),
        ETH / ARP(op=2, psrc="10.0.0.9", pdst="10.0.0.2", hwsrc=A, hwdst=B),
    ),
    (
        "set_field:0->icmp_type",
        "icmp",
        ETH / IP(src="10.0.0.1", dst="10.0.0.2") / ICMP(type=8, id=3) / DATA,
        ETH / IP(src="10.0.0.1", dst="10.0.0.2") / ICMP(type=0, id=3) / DATA,
    ),
    (
        "move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],set_field:02:00:00:00:00:0c->eth_src",
        "",
        ETH / TCP4,
        Ether(src=C, dst=A) / TCP4,
    ),
    (
        "push:NXM_OF_ETH_SRC[],push:NXM_OF_ETH_DST[],pop:NXM_OF_ETH_SRC[],pop:NXM_OF_ETH_DST[]",
        "",
        ETH / TCP4,
        Ether(src=B, dst=A) / TCP4,
    ),
    (
        "load:0x2->NXM_OF_ETH_DST[0..7]",
        "",
        ETH / TCP4,
        Ether(src=A, dst="02:00:00:00:00:02") / TCP4,
    ),
]


@pytest.mark.parametrize(
    ("actions", "match", "sent", "expected"), REWRITES, ids=lambda v: str(v)[:40]
)
def test_rewrites(actions: str, match: str, sent: Packet, expected: Packet) -> None:
    bench = Bench()
    match = f"{match}," if match else ""
    bench.flows(f"{match}in_port=1,actions={actions},output:2")
    for _ in range(2):
        # The second time comes from the cache.
        assert bench.send(1, frame(sent)) == {2: [frame(expected)]}
    # In a list, what was sent before a change stays as it was.
    bench.flows(f"{match}in_port=1,actions=output:3,{actions},output:2")
    assert bench.send(1, frame(sent)) == {2: [frame(expected)], 3: [frame(sent)]}


OUTPUTS: list[tuple[str, list[int]]] = [
    ("2", [2]),
    ("1", []),
    ("in_port", [1]),
    ("all", [2, 3, 4]),
    ("flood", [2, 3, 4]),
    ("normal", [2, 3, 4]),
    ("77", []),
    ("2,2", [2]),
    ("drop", []),
    ("load:3->NXM_NX_REG0[],output:NXM_NX_REG0[]", [3]),
    ("load:0->NXM_OF_IN_PORT[],1,2", [1, 2]),
    ("clone(set_field:02:00:00:00:00:0c->eth_dst,3),4", [3, 4]),
    ("bundle(eth_src,0,active_backup,ofport,members:9,3,2)", [3]),
    ("write_actions(output:2),goto_table:1", [2, 4]),
    ("write_actions(output:2),goto_table:2", [3]),
    ("write_actions(output:2),goto_table:3", []),
    ("write_metadata:5,goto_table:4", [2]),
    ("resubmit(,5),4", [3, 4]),
    ("resubmit(4,6),2", [2, 3]),
    ("resubmit(,7),4", []),
    ("2,resubmit(,8)", []),
    ("exit,2", []),
    ("set_queue:3,2,pop_queue", [2]),
    ("enqueue:2:1", [2]),
    ("check_pkt_larger(50)->NXM_NX_REG0[0],resubmit(,9)", [4]),
    ("check_pkt_larger(5000)->NXM_NX_REG0[0],resubmit(,9)", [3]),
    ("note:01.02,2", [2]),
]


@pytest.mark.parametrize(("actions", "ports"), OUTPUTS, ids=[actions for actions, _ in OUTPUTS])
def test_outputs(actions: str, ports: list[int]) -> None:
    bench = Bench()
    bench.flows(
        f"actions={actions}",
        "table=1,actions=4",
        "table=2,actions=clear_actions,write_actions(output:3)",
        "table=3,actions=clear_actions",
        "table=4,metadata=5,actions=2",
        "table=5,actions=3",
        "table=6,in_port=4,actions=3",
        "table=7,actions=exit",
        "table=8,actions=resubmit(,8)",
        "table=9,priority=1,actions=3",
        "table=9,priority=2,reg0=1,actions=4",
    )
    assert bench.ports_of(1, frame(ETH / TCP4)) == ports
    assert bench.ports_of(1, frame(ETH / TCP4)) == ports


def test_drops_are_counted_by_reason() -> None:
    cases = {
        "actions=1": "output_to_ingress",
        "actions=77": "no_such_port",
        "actions=drop": "no_output",
        "actions=resubmit(,0)": "recursion_too_deep",
        "table=1,actions=2": "table_miss",
        "actions=controller": "no_controller",
        "ip,actions=mod_nw_ttl:1,dec_ttl,2": "ttl_expired",
    }
    for flow, reason in cases.items():
        bench = Bench(controllers_connected=False)
        bench.flows(flow)
        assert bench.ports_of(1, frame(ETH / TCP4)) == []
        assert bench.drops() == {reason: 1}, flow
    bench = Bench()
    assert bench.ports_of(1, b"short") == []
    assert bench.drops() == {"malformed": 1}


def test_a_lost_copy_is_counted_though_others_arrive() -> None:
    bench = Bench()
    bench.flows("actions=77,2,1,clone(78),3,1")
    for count in (1, 2):
        assert bench.ports_of(1, frame(ETH / TCP4)) == [2, 3]
        assert bench.drops() == {"no_such_port": 2 * count, "output_to_ingress": 2 * count}


def test_port_config_is_obeyed() -> None:
    bench = Bench()
    bench.flows("actions=2,flood,controller")
    data = frame(ETH / TCP4)
    cases = [
        (2, 1, [3, 4], 1, "down"),
        (2, 16, [2, 3, 4], 1, "no_flood leaves one copy"),
        (2, 32, [3, 4], 1, "no_fwd"),
        (1, 4, [], 0, "no_recv"),
        (1, 1, [], 0, "ingress down"),
        (1, 64, [2, 3, 4], 1, "no_packet_in is about misses"),
    ]
    for port, config, left, told, name in cases:
        bench.datapath.set_port(port, config=config)
        assert bench.ports_of(1, data) == left, name
        assert len(bench.packet_ins()) == told, name
        bench.datapath.set_port(port, config=0)
    bench.datapath.set_port(2, state=1)
    assert bench.ports_of(1, data) == [3, 4]


def test_normal_learns_by_vlan_and_forgets() -> None:
    bench = Bench()
    bench.flows("actions=normal")
    there, back = frame(ETH / TCP4), frame(Ether(src=B, dst=A) / TCP4)
    tagged = frame(Ether(src=B, dst=A) / Dot1Q(vlan=5) / TCP4)
    assert bench.ports_of(1, there) == [2, 3, 4]
    assert bench.ports_of(2, back) == [1]
    assert bench.ports_of(1, there) == [2]
    assert bench.ports_of(2, tagged) == [1, 3, 4]
    # Those last seen at the same time come by VLAN and address.
    a, b = (bytes.fromhex(text.replace(":", "")) for text in (A, B))
    assert bench.datapath.mac_table() == [(1, 0, a, 0), (2, 0, b, 0), (2, 5, b, 0)]
    # A host that moves is followed at once.
    assert bench.ports_of(3, back) == [1]
    assert bench.ports_of(1, there) == [3]
    # What is used stays; what is not is forgotten after 300 s.
    bench.now += 200 * 1_000_000_000
    assert bench.ports_of(1, there) == [3]
    # The longest unseen come first.
    assert bench.datapath.mac_table() == [(3, 0, b, 200), (2, 5, b, 200), (1, 0, a, 0)]
    bench.now += 150 * 1_000_000_000
    bench.datapath.tick(bench.now)
    assert bench.ports_of(4, back) == [1]
    assert bench.ports_of(1, frame(Ether(src=A, dst=C) / TCP4)) == [2, 3, 4]
    assert bench.drops() == {}


def test_groups() -> None:
    bench = Bench()
    bench.group("group_id=1,type=all,bucket=dec_ttl,output:2,bucket=output:3,bucket=output:1")
    bench.group("group_id=2,type=indirect,bucket=set_field:02:00:00:00:00:0c->eth_dst,output:2")
    bench.group("group_id=3,type=ff,bucket=watch_port:2,output:2,bucket=watch_port:3,output:3")
    bench.group("group_id=4,type=select,bucket=weight:1,output:2,bucket=weight:1,output:3")
    data = frame(ETH / TCP4)
    dec = frame(ETH / ip4(TCP(sport=1000, dport=80), ttl=63))
    bench.flows("ip,actions=group:1,output:4")
    assert bench.send(1, data) == {2: [dec], 3: [data], 4: [data]}
    bench.flows("ip,actions=group:2,output:4")
    assert bench.send(1, data) == {2: [frame(Ether(src=A, dst=C) / TCP4)], 4: [data]}
    bench.flows("ip,actions=group:3")
    assert bench.ports_of(1, data) == [2]
    bench.datapath.set_port(2, state=1)
    assert bench.ports_of(1, data) == [3]
    bench.datapath.set_port(2, state=4)
    bench.flows("ip,actions=write_actions(group:4)")
    ports = [
        bench.ports_of(1, frame(ETH / IP(src="10.0.0.1") / UDP(sport=port, dport=5)))
        for port in range(64)
    ]
    assert sum(left == [2] for left in ports) > 10
    assert sum(left == [3] for left in ports) > 10
    again = [
        bench.ports_of(1, frame(ETH / IP(src="10.0.0.1") / UDP(sport=port, dport=5)))
        for port in range(64)
    ]
    assert ports == again


def test_learn_adds_a_flow_for_the_way_back() -> None:
    bench = Bench()
    bench.flows(
        "priority=1,actions=learn(table=1,idle_timeout=10,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],"
        "output:NXM_OF_IN_PORT[]),resubmit(,1)",
        "table=1,priority=0,actions=flood",
    )
    there, back = frame(ETH / TCP4), frame(Ether(src=B, dst=A) / TCP4)
    assert bench.ports_of(1, there) == [2, 3, 4]
    assert bench.ports_of(2, back) == [1]
    assert bench.ports_of(1, there) == [2]
    assert len(bench.stats()) == 4
    # Packets that teach keep the flow; deleted, it is taught again.
    bench.now += 8 * 1_000_000_000
    assert bench.ports_of(2, frame(Ether(src=B, dst=C) / TCP4)) == [1, 3, 4]
    bench.now += 8 * 1_000_000_000
    bench.datapath.tick(bench.now)
    assert bench.ports_of(1, there) == [2]


def test_conjunctions() -> None:
    bench = Bench()
    bench.flows(
        "priority=10,conj_id=5,ip,actions=2",
        "priority=10,ip,ip_src=10.0.0.1,actions=conjunction(5,1/2)",
        "priority=10,ip,ip_src=10.0.0.3,actions=conjunction(5,1/2)",
        "priority=10,tcp,tp_dst=80,actions=conjunction(5,2/2)",
        "priority=1,actions=3",
    )
    cases = [
        ("10.0.0.1", 80, [2]),
        ("10.0.0.3", 80, [2]),
        ("10.0.0.2", 80, [3]),
        ("10.0.0.1", 81, [3]),
    ]
    for source, port, left in cases:
        packet = ETH / IP(src=source, dst="10.0.0.9") / TCP(sport=5, dport=port)
        assert bench.ports_of(4, frame(packet)) == left, (source, port)


def test_a_meter_lets_its_rate_pass() -> None:
    bench = Bench()
    bench.meter("meter=1,pktps,burst,bands=type=drop,rate=10,burst_size=5")
    bench.flows("actions=meter:1,2")
    data = frame(ETH / TCP4)
    passed = sum(bench.ports_of(1, data) == [2] for _ in range(20))
    assert passed == 5
    bench.now += 1_000_000_000
    assert bench.ports_of(1, data) == [2]
    assert bench.drops() == {"meter": 15}


def test_packets_out_and_table_port() -> None:
    bench = Bench()
    bench.flows("in_port=3,actions=4", "in_port=controller,actions=2")
    data = frame(ETH / TCP4)
    cases = [
        ("in_port=controller", "2,3", [2, 3]),
        ("in_port=3", "table", [4]),
        ("in_port=controller", "table", [2]),
        ("in_port=1", "all", [2, 3, 4]),
        ("in_port=1", "in_port", [1]),
    ]
    for source, actions, left in cases:
        assert bench.packet_out(f"{source} packet={data.hex()} actions={actions}") == []
        assert sorted(bench.sent()) == left, (source, actions)
    counted = {flow.packet_count for flow in bench.stats()}
    assert counted == {1}


def test_legacy_vlan_actions_push_a_tag() -> None:
    bench = Bench()
    assert bench.flow("in_port=1,actions=mod_vlan_vid:5,mod_vlan_pcp:3,output:2", OF10) == []
    expected = frame(ETH / Dot1Q(vlan=5, prio=3) / TCP4)
    assert bench.send(1, frame(ETH / TCP4)) == {2: [expected]}
    tagged = frame(ETH / Dot1Q(vlan=9) / TCP4)
    assert bench.send(1, tagged) == {2: [expected]}


def test_fragments_follow_the_setting() -> None:
    flows = ("priority=2,udp,udp_dst=53,actions=2", "priority=1,ip,actions=3")
    first = frame(ETH / IP(src="10.0.0.1", dst="10.0.0.2", flags="MF") / UDP(dport=53) / DATA)
    for setting, ports in (("normal", [3]), ("nx-match", [2]), ("drop", [])):
        bench = Bench(fragments=setting)
        bench.flows(*flows)
        assert bench.ports_of(1, first) == ports, setting
        assert bench.ports_of(1, frame(ETH / UDP4)) == [2], setting


def test_a_miss_follows_the_setting() -> None:
    bench = Bench()
    bench.flows("table=1,actions=2")
    assert bench.ports_of(1, frame(ETH / TCP4)) == []
    assert bench.packet_ins() == []
    bench.datapath.configure({"miss": "controller"})
    bench.send(1, frame(ETH / TCP4))
    assert [told.reason for told in bench.packet_ins()] == [0]


def test_an_expired_ttl_is_told_when_asked_for() -> None:
    data = frame(ETH / ip4(TCP(), ttl=1))
    bench = Bench()
    bench.flows("ip,actions=3,dec_ttl,2")
    assert bench.ports_of(1, data) == [3]
    assert bench.packet_ins() == []
    bench.datapath.configure({"invalid_ttl_to_controller": True})
    assert bench.ports_of(1, data) == [3]
    assert [(told.reason, told.data) for told in bench.packet_ins()] == [(2, data)]


POPPED: list[tuple[str, tuple[str, ...], dict[int, Packet]]] = [
    (
        "a later table",
        (
            "mpls,actions=load:7->NXM_NX_REG0[],pop_mpls:0x0800,goto_table:1",
            "table=1,tcp,tp_dst=80,reg0=7,actions=2",
        ),
        {2: ETH / TCP4},
    ),
    (
        "actions behind the pop",
        ("mpls,actions=3,pop_mpls:0x0800,dec_ttl,set_field:10.9.9.9->ip_dst,2",),
        {
            2: ETH / ip4(TCP(sport=1000, dport=80), dst="10.9.9.9", ttl=63),
            3: ETH / MPLS(label=17, s=1, ttl=9) / TCP4,
        },
    ),
    (
        "the caller of a resubmit",
        (
            "mpls,actions=push:NXM_OF_ETH_DST[],resubmit(,1),pop:NXM_OF_ETH_SRC[],4",
            "table=1,mpls,actions=pop_mpls:0x0800,resubmit(,2),3",
            "table=2,ip,nw_dst=10.0.0.2,actions=2",
        ),
        {2: ETH / TCP4, 3: ETH / TCP4, 4: Ether(src=B, dst=B) / TCP4},
    ),
    (
        "a clone alone",
        ("mpls,actions=clone(pop_mpls:0x0800,dec_ttl,2),3",),
        {
            2: ETH / ip4(TCP(sport=1000, dport=80), ttl=63),
            3: ETH / MPLS(label=17, s=1, ttl=9) / TCP4,
        },
    ),
    (
        "the action set",
        (
            "mpls,actions=pop_mpls:0x0800,write_actions(set_field:10.9.9.9->ip_dst,output:2),"
            "goto_table:1",
            "table=1,ip,actions=3",
        ),
        {2: ETH / ip4(TCP(sport=1000, dport=80), dst="10.9.9.9"), 3: ETH / TCP4},
    ),
    (
        "a bucket",
        ("mpls,actions=group:1",),
        {2: ETH / ip4(TCP(sport=1000, dport=80), ttl=63)},
    ),
]


@pytest.mark.parametrize(("name", "flows", "left"), POPPED, ids=[name for name, _, _ in POPPED])
def test_headers_behind_a_popped_label(
    name: str, flows: tuple[str, ...], left: dict[int, Packet]
) -> None:
    bench = Bench()
    bench.group("group_id=1,type=indirect,bucket=pop_mpls:0x0800,dec_ttl,output:2")
    bench.flows(*flows)
    expected = {port: [frame(packet)] for port, packet in left.items()}
    for _ in range(3):
        assert bench.send(1, frame(ETH / MPLS(label=17, s=1, ttl=9) / TCP4)) == expected, name
    # A fresh packet is not taken for one that came back.
    assert bench.ports_of(1, frame(ETH / TCP4)) == []
    assert {flow.packet_count for flow in bench.stats()} == {3}
