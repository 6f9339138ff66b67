"""What a trace tells people, line by line."""

from collections.abc import Iterator

import pytest

from ovsflow import Switch
from ovsflow.datapath import Datapath
from ovsflow.openflow.codec import encode
from ovsflow.openflow.compose import compose
from ovsflow.openflow.fields import by_name
from ovsflow.openflow.match_codec import encode_tlvs
from ovsflow.openflow.text.parse import parse_group, parse_match
from tests.switch.samples import FRAMES, PLACES, summed
from tests.switch.test_set_field import spelled
from tests.switch.wire import apply, flow_mod, output


@pytest.fixture
def switch() -> Iterator[Switch]:
    with Switch(ports=[f"p{number}={number}:memory" for number in (1, 2, 3)], workers=0) as switch:
        yield switch


def told(switch: Switch, flow: str, frame: bytes | None = None) -> list[str]:
    """The lines of a trace without the frames' bytes."""
    lines = switch.trace(flow, frame)["text"]
    return [line.split(" bytes: ")[0] if line.startswith("Leaves") else line for line in lines]


def test_tables_and_actions_are_told_in_order(switch: Switch) -> None:
    switch.add_flow("cookie=5,priority=3,ip,actions=set_field:7->reg0,resubmit(,1),goto_table:2")
    switch.add_flow("table=1,udp,actions=mod_nw_src:1.2.3.4,mod_tp_dst:99,output:2")
    switch.add_flow("table=2,actions=write_actions(push_vlan:0x8100,output:3),write_metadata:5/7")
    assert told(switch, "in_port=p1,udp,nw_dst=10.0.0.2,tp_dst=4") == [
        "Packet: in_port=1,eth_type=0x800,ip_dst=10.0.0.2,nw_ttl=64,nw_proto=17,udp_dst=4",
        "",
        " 0. ip, priority 3, cookie 0x5",
        "    set_field:0x7->reg0",
        "    resubmit(,1)",
        "     1. udp, priority 32768",
        "        set_field:1.2.3.4->ip_src",
        "        set_field:99->udp_dst",
        "        output:p2",
        "    goto_table:2",
        " 2. any packet, priority 32768",
        "    write_actions(push_vlan:0x8100,output:p3)",
        "    write_metadata:0x5/0x7",
        "     >> action set:",
        "        push_vlan:0x8100",
        "        output:p3",
        "",
        "Megaflow: in_port=1,eth_type=0x800,vlan_tci=0x0/0x1000,ip_frag=0x0/0x2,nw_proto=17",
        "Datapath actions: set_field:1.2.3.4->ip_src,set_field:99->tp_dst,output:2,"
        "push_vlan:0x8100,output:3",
        "Leaves: port 2 (p2), 60",
        "Leaves: port 3 (p3), 64",
    ]


def test_groups_and_learned_flows_are_told(switch: Switch) -> None:
    text = "group_id=1,type=select,bucket=weight:1,actions=output:2,bucket=weight:0,actions=3"
    assert apply(switch.plane.datapath, 4, encode(parse_group(text), 4, 1)) is None
    learn = "learn(table=1,priority=7,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[])"
    switch.add_flow(f"actions={learn},group:1")
    lines = told(switch, "in_port=1,arp,dl_src=02:00:00:00:00:01")
    assert lines[2:8] == [
        " 0. any packet, priority 32768",
        f"    {learn}",
        "     >> would learn: table=1,priority=7,dl_dst=02:00:00:00:00:01 actions=output:p1",
        "    group:1",
        "     >> group 1 (select): 1 of 2 buckets can be chosen",
        "     >> bucket 0",
    ]
    assert lines[8] == "        output:p2"
    assert [flow.table_id for flow in switch.dump_flows()] == [0]


def test_a_packet_that_comes_back_is_followed(switch: Switch) -> None:
    switch.add_flow("mpls,actions=pop_mpls:0x0800,goto_table:1")
    switch.add_flow("table=1,ip,nw_dst=10.4.0.0/16,actions=dec_ttl,2")
    frame = summed(FRAMES["mpls"])
    frame = frame[:14] + frame[22:]
    lines = told(switch, "in_port=1", frame)
    assert "Datapath actions: pop_mpls:0x0800,recirculate(1)" in lines
    assert "The packet comes back to the tables (1):" in lines
    assert " 1. ip,nw_dst=10.4.0.0/16, priority 32768" in lines
    assert lines[-2:] == ["Datapath actions: dec_ttl,output:2", "Leaves: port 2 (p2), 48"]
    switch.inject(1, frame)
    (left,) = switch.receive(2)
    assert switch.trace("in_port=1", frame)["leaves"] == [{"port": "2", "frame": left.hex()}]


@pytest.mark.parametrize(
    ("flow", "reason", "words"),
    [
        ("table=9,actions=drop", "table_miss", "No rule of the table matched"),
        ("actions=drop", "no_output", "explicit drop"),
        ("actions=resubmit(,0)", "recursion_too_deep", ""),
        ("actions=1", "output_to_ingress", ""),
        ("actions=77", "no_such_port", ""),
        ("udp,actions=mod_nw_ttl:1,dec_ttl,2", "ttl_expired", ""),
        ("actions=write_actions(push_vlan:0x8100)", "no_output", ""),
    ],
)
def test_why_a_packet_is_dropped_is_told(
    switch: Switch, flow: str, reason: str, words: str
) -> None:
    switch.add_flow(flow)
    trace = switch.trace("in_port=1,udp")
    assert trace["drop"] == reason
    assert words in (trace["why"] or "")
    assert trace["text"][-1] == f"Dropped: {trace['why']} ({reason})"


def test_ports_that_are_down_are_told(switch: Switch) -> None:
    switch.add_flow("actions=2,3")
    switch.plane.datapath.set_port(2, config=1)
    lines = told(switch, "in_port=1,arp")
    assert any("no output to port 2" in line for line in lines)
    switch.plane.datapath.set_port(1, config=1)
    assert switch.trace("in_port=1,arp")["drop"] == "port_down"


@pytest.mark.parametrize("name", sorted(PLACES))
def test_a_made_up_frame_has_the_fields_it_was_made_from(name: str) -> None:
    """Made from a match, read by the switch."""
    datapath = Datapath("compose", workers=0)
    datapath.add_port(1, "p1", "memory", {}, 0)
    datapath.add_port(2, "p2", "memory", {}, 0)
    prerequisites = {
        "tcp": "tcp,",
        "tcp6": "tcp6,",
        "extensions": "",
        "udp": "udp,",
        "sctp": "sctp,",
        "icmp": "icmp,",
        "icmp6": "icmp6,",
        "arp": "arp,",
        "mpls": "mpls,",
        "pbb": "dl_type=0x88e7,",
        "tagged": "dl_type=0x1234,",
        "other": "dl_type=0x1234,",
        "solicit": "icmp6,icmp_type=135,icmp_code=0,",
        "advert": "icmp6,icmp_type=136,icmp_code=0,",
        "later fragment": "ip,",
        "two tags": "",
    }
    for place in PLACES[name]:
        before = prerequisites[place.frame]
        if not before or name in ("eth_type", "nw_proto"):
            continue
        number = place.value()
        if name in ("icmp_type", "icmpv6_type", "icmp_code", "icmpv6_code"):
            before = before.split("icmp_type")[0]
        if name == "vlan_pcp":
            before += "vlan_vid=0x1000/0x1000,"
        match = parse_match(before + name + "=" + written(name, number))
        frame = compose(match)
        assert frame is not None
        datapath.apply(4, flow_mod(4, b"", b"", command=3), 0)
        datapath.apply(4, flow_mod(4, encode_tlvs(match, 4), output(4, 2)), 0)
        datapath.execute(1, frame, 1)
        assert datapath.receive(2) == [frame], (name, place)
        if name.startswith(("ip", "tcp", "udp", "nw", "icmp")):
            assert summed(frame) == frame
    datapath.close()


def written(name: str, value: int) -> str:
    """A value as text."""
    field = by_name(name)
    assert field is not None
    return spelled(field, value)
