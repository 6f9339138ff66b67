"""Flows that packets teach: what they match and do, how many, and when they go."""

import time
from collections.abc import Iterator

import pytest

from ovsflow import Switch
from ovsflow.openflow.codec import encode
from ovsflow.openflow.constants import FlowModCommand
from ovsflow.openflow.text.parse import parse_flow
from ovsflow.openflow.text.render import render_flow_stats
from tests.switch.samples import FRAMES, MACS, summed
from tests.switch.wire import VERSIONS, apply

SECOND = 1_000_000_000
UDP = summed(FRAMES["udp"])
PORTS = (1, 2, 3)


@pytest.fixture
def switch() -> Iterator[Switch]:
    with Switch(ports=[f"p{number}={number}:memory" for number in PORTS], workers=0) as switch:
        yield switch


def from_host(number: int, frame: bytes = UDP) -> bytes:
    """A frame from another source address."""
    return frame[:6] + bytes([2, 0, 0, 0, 1, number]) + frame[12:]


def outputs(switch: Switch, frame: bytes = UDP, port: int = 1) -> list[int]:
    switch.inject(port, frame)
    return [number for number in PORTS for _ in switch.receive(number)]


def learned(switch: Switch, table: int = 1) -> list[str]:
    """The flows of a table, without their numbers of packets."""
    flows = [flow for flow in switch.dump_flows() if flow.table_id == table]
    texts = [render_flow_stats(flow, stats=False) for flow in flows]
    return sorted(text.replace(f"table={table},", "").strip() for text in texts)


#: What learn says, and the flow that a frame into port 1 makes of it.
SPECS = {
    "a field": ("eth_type=0x800,ip_src", "ip,nw_src=10.1.2.3 actions=drop"),
    "a field from another": (
        "NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[]",
        f"dl_dst={MACS[6:].hex(':')} actions=drop",
    ),
    "bits of a field": ("NXM_OF_VLAN_TCI[0..11]", "vlan_tci=0x0000/0x0fff actions=drop"),
    "a number": ("reg3=0x55", "reg3=0x55 actions=drop"),
    "several": (
        "eth_type=0x800,ip_src=ip_dst,nw_proto=17,udp_dst=udp_src",
        "udp,nw_src=10.4.5.6,tp_dst=4660 actions=drop",
    ),
    "output to a field": ("output:in_port", "actions=output:1"),
    "load a number": ("load:0x5->NXM_NX_REG0[4..7]", "actions=load:0x5->NXM_NX_REG0[4..7]"),
    "load a field": (
        "eth_type=0x800,load:NXM_OF_IP_SRC[]->NXM_OF_IP_DST[]",
        "ip actions=load:0xa010203->NXM_OF_IP_DST[]",
    ),
    "load bits of a field": (
        "load:NXM_OF_ETH_SRC[0..15]->NXM_NX_REG1[16..31]",
        "actions=load:0xd0e->NXM_NX_REG1[16..31]",
    ),
    "load a port, then output": (
        "eth_type=0x800,nw_proto=17,load:udp_src->udp_dst,output:in_port",
        "udp actions=load:0x1234->NXM_OF_UDP_DST[],output:1",
    ),
    "priority, cookie and timeouts": (
        "priority=9,cookie=0x77,idle_timeout=5,hard_timeout=60,send_flow_rem,output:in_port",
        "idle_timeout=5, hard_timeout=60, send_flow_rem priority=9 actions=output:1",
    ),
    "timeouts after a FIN": (
        "fin_idle_timeout=5,fin_hard_timeout=6,eth_type=0x800,nw_proto=6,output:in_port",
        "tcp actions=fin_timeout(idle_timeout=5,hard_timeout=6),output:1",
    ),
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", SPECS)
def test_learned_flows_are_what_the_packet_says(switch: Switch, name: str, version: int) -> None:
    specs, wanted = SPECS[name]
    teacher = parse_flow(f"udp,actions=learn(table=1,{specs}),2", FlowModCommand.ADD, version)
    assert apply(switch.plane.datapath, version, encode(teacher, version, 1)) is None
    assert outputs(switch) == [2]
    (flow,) = learned(switch)
    assert flow.replace("cookie=0x77,", "").replace("cookie=0x0,", "").strip() == wanted


def test_a_packet_does_not_see_what_it_taught(switch: Switch) -> None:
    switch.add_flow("actions=learn(table=1,eth_src,output:in_port),resubmit(,1),3")
    switch.add_flow("table=1,priority=0,actions=2")
    switch.add_flow("table=0,priority=40000,in_port=2,actions=resubmit(,1)")
    assert outputs(switch) == [2, 3]
    # The learned flow outputs to port 1, which a packet from there does not go back to.
    assert outputs(switch) == [3]
    assert outputs(switch, port=2) == [1]


def test_limit_keeps_the_number_down(switch: Switch) -> None:
    switch.add_flow("actions=learn(table=1,cookie=5,limit=3,eth_src),2")
    for number in range(10):
        assert outputs(switch, from_host(number)) == [2]
    assert len(learned(switch)) == 3
    switch.del_flows("table=1,dl_src=02:00:00:00:01:00")
    assert outputs(switch, from_host(8)) == [2]
    assert len(learned(switch)) == 3
    # Others of that table, with another cookie, do not count.
    switch.add_flow("table=0,priority=40000,in_port=2,actions=learn(table=1,cookie=6,eth_src)")
    outputs(switch, from_host(99), port=2)
    assert len(learned(switch)) == 4


def test_result_tells_whether_there_was_room(switch: Switch) -> None:
    learn = "learn(table=1,cookie=5,limit=2,result_dst=reg0[0],eth_src)"
    switch.add_flow(f"actions={learn},resubmit(,2)")
    switch.add_flow("table=2,reg0=1,actions=2")
    switch.add_flow("table=2,reg0=0,actions=3")
    for _ in range(2):
        got = [outputs(switch, from_host(number)) for number in range(4)]
        assert got == [[2], [2], [3], [3]]
    # Room again: whoever comes first has it.
    switch.del_flows("table=1,dl_src=02:00:00:00:01:00")
    got = [outputs(switch, from_host(number)) for number in (3, 0, 1, 3)]
    assert got == [[2], [3], [2], [2]]
    assert len(learned(switch)) == 2


def test_result_without_a_limit_is_always_one(switch: Switch) -> None:
    switch.add_flow("actions=learn(table=1,result_dst=reg0[3],eth_src),resubmit(,2)")
    switch.add_flow("table=2,reg0=8,actions=2")
    assert outputs(switch) == [2]


def test_what_was_learned_goes_with_the_last_learner(switch: Switch) -> None:
    learn = "learn(table=1,cookie=7,delete_learned,eth_src)"
    switch.add_flow(f"in_port=1,actions={learn}")
    switch.add_flow(f"in_port=2,actions={learn}")
    switch.add_flow("table=1,priority=1,actions=drop")
    for number in range(3):
        outputs(switch, from_host(number))
    assert len(learned(switch)) == 4
    switch.del_flows("in_port=1")
    assert len(learned(switch)) == 4
    # A rule that learns no longer counts as gone.
    switch.mod_flows("in_port=2,actions=drop")
    (left,) = learned(switch)
    assert left.endswith("priority=1 actions=drop")


def test_learned_flows_time_out_and_tell(switch: Switch) -> None:
    datapath = switch.plane.datapath
    switch.add_flow("actions=learn(table=1,idle_timeout=5,send_flow_rem,cookie=9,eth_src)")
    datapath.execute(1, UDP, 0)
    assert len(learned(switch)) == 1
    datapath.tick(3 * SECOND)
    datapath.execute(1, UDP, 4 * SECOND)
    datapath.tick(8 * SECOND)
    assert len(learned(switch)) == 1
    datapath.tick(20 * SECOND)
    assert learned(switch) == []
    removed = [event for event in datapath.events(64) if event.kind == "flow_removed"]
    assert [(event.reason, event.cookie, event.table_id) for event in removed] == [(0, 9, 1)]


@pytest.mark.parametrize(
    ("flags", "left"), [(0x10, True), (0x11, False), (0x04, False), (0x02, True)]
)
def test_fin_timeout_follows_fin_and_rst(switch: Switch, flags: int, left: bool) -> None:
    datapath, now = switch.plane.datapath, time.monotonic_ns()
    switch.add_flow("tcp,idle_timeout=60,actions=fin_timeout(idle_timeout=2),2")
    tcp = FRAMES["tcp"]
    datapath.execute(1, summed(tcp[:46] + bytes([0x50, flags]) + tcp[48:]), now)
    assert len(datapath.receive(2)) == 1
    datapath.tick(now + 10 * SECOND)
    assert bool(switch.dump_flows()) == left
