"""The door itself: what it refuses and how, ports, events, threads."""

import json
import select
import threading
import time
from collections.abc import Iterator

import pytest

from ovsflow.datapath import Datapath, fields
from ovsflow.openflow.codec import decode, encode
from ovsflow.openflow.constants import FlowModCommand, GroupModCommand
from ovsflow.openflow.flow_stats import AggregateRequest, FlowStatsReply, FlowStatsRequest
from ovsflow.openflow.framing import Framer
from ovsflow.openflow.text.parse import parse_flow
from tests.boundary.bench import OF10, OF13, OF14, OF15, SECOND, Bench

FRAME = bytes.fromhex("0200000000020200000000010800") + bytes(50)


@pytest.fixture
def datapath() -> Iterator[Datapath]:
    made = Datapath("door", workers=0)
    yield made
    made.close()


def test_fields_are_rows_of_one_table() -> None:
    rows = {field.name: field for field in fields()}
    assert len(rows) == len(fields()) > 100
    tun_dst = rows["tun_dst"]
    assert (tun_dst.bits, tun_dst.maskable, tun_dst.writable, tun_dst.format) == (
        32,
        True,
        True,
        "ipv4",
    )
    assert (1, 0x0001_4004) in tun_dst.headers
    assert rows["tcp_dst"].slot == rows["udp_dst"].slot


REFUSED = [
    ((0, "p", "memory", {}), ValueError, "number 0"),
    ((0xFF00, "p", "memory", {}), ValueError, "number"),
    ((1, "p", "carrier pigeon", {}), ValueError, "carrier pigeon"),
    ((1, "p", "memory", {"speed": "9"}), ValueError, "speed"),
    ((1, "no-such-device", "system", {}), OSError, "no-such-device"),
]


@pytest.mark.parametrize(("arguments", "kind", "text"), REFUSED)
def test_ports_that_cannot_be(
    datapath: Datapath,
    arguments: tuple[int, str, str, dict[str, str]],
    kind: type[Exception],
    text: str,
) -> None:
    with pytest.raises(kind) as caught:
        datapath.add_port(*arguments, 0)
    assert text in str(caught.value)
    if isinstance(caught.value, OSError):
        assert caught.value.filename == arguments[1]
        assert caught.value.errno
    assert datapath.ports() == []


def test_numbers_and_names_are_used_once(datapath: Datapath) -> None:
    datapath.add_port(1, "p1", "memory", {}, 0)
    for number, name in ((1, "p2"), (2, "p1")):
        with pytest.raises(ValueError, match="p1"):
            datapath.add_port(number, name, "memory", {}, 0)
    datapath.remove_port(1, 0)
    datapath.add_port(1, "p1", "memory", {}, 0)
    with pytest.raises(KeyError):
        datapath.remove_port(9, 0)
    with pytest.raises(KeyError):
        datapath.set_port(9, config=1)
    with pytest.raises(KeyError):
        datapath.execute(9, FRAME, 0)
    with pytest.raises(KeyError):
        datapath.receive(9)


def test_a_port_is_told_as_it_is(datapath: Datapath) -> None:
    port = datapath.add_port(0xFFFF_FFFE, "door", "memory", {"discard": "true"}, 5)
    assert (port.number, port.name, port.kind) == (0xFFFF_FFFE, "door", "memory")
    assert (port.options, port.config, port.state, port.added_ns) == ({"discard": "true"}, 0, 4, 5)
    changed = datapath.set_port(
        0xFFFF_FFFE, config=32, state=1, hw_addr=b"\2\0\0\0\0\7", speed=1000, mtu=1500
    )
    assert (changed.config, changed.state, changed.hw_addr) == (32, 1, b"\2\0\0\0\0\7")
    assert (changed.speed, changed.mtu) == (1000, 1500)
    with pytest.raises(ValueError, match="hw_addr"):
        datapath.set_port(0xFFFF_FFFE, hw_addr=b"short")
    assert [one.number for one in datapath.ports()] == [0xFFFF_FFFE]


def test_settings_that_cannot_be_name_themselves(datapath: Datapath) -> None:
    cases: list[tuple[str, str | int | bool]] = [
        ("no_such", 1),
        ("fragments", "some"),
        ("miss", 5),
        ("packet_in_rate", -1),
        ("packet_in_rate", "many"),
        ("mac_aging", True),
        ("invalid_ttl_to_controller", "yes"),
    ]
    for name, value in cases:
        with pytest.raises(ValueError, match=name):
            datapath.configure({name: value})


def test_unknown_versions_are_the_callers_mistake(datapath: Datapath) -> None:
    with pytest.raises(ValueError, match="version"):
        datapath.apply(2, b"", 0)
    with pytest.raises(ValueError, match="version"):
        datapath.query(0, b"", 0)


def test_closing_twice_does_no_harm() -> None:
    datapath = Datapath("door", workers=2)
    datapath.add_port(1, "p1", "memory", {}, 0)
    datapath.close()
    datapath.close()
    assert datapath.ports() == []
    with pytest.raises(KeyError):
        datapath.execute(1, FRAME, 0)


def test_event_descriptor_is_readable_while_events_wait() -> None:
    bench = Bench()
    bench.flows("actions=controller")
    fd = bench.datapath.event_fd()

    def readable() -> bool:
        return bool(select.select([fd], [], [], 0)[0])

    assert not readable()
    for _ in range(3):
        bench.send(1, FRAME)
    assert readable()
    assert len(bench.datapath.events(2)) == 2
    assert readable()
    assert len(bench.datapath.events()) == 1
    assert not readable()


def test_packet_ins_are_limited_and_counted() -> None:
    bench = Bench(packet_in_rate=10, packet_in_burst=4)
    bench.flows("actions=controller")
    for _ in range(10):
        bench.send(1, FRAME)
    assert len(bench.packet_ins()) == 4
    assert bench.drops() == {"controller_limit": 6}
    bench.now += SECOND
    bench.send(1, FRAME)
    assert len(bench.packet_ins()) == 1


def test_a_packet_in_tells_where_it_comes_from() -> None:
    bench = Bench()
    bench.flows(
        "cookie=0x7,actions=load:5->NXM_NX_REG1[],set_field:9->tun_id,write_metadata:3,goto_table:1",
        "table=1,cookie=0x8,priority=9,in_port=1,actions=controller",
        "table=1,cookie=0x9,priority=0,actions=controller",
        "table=1,cookie=0xa,priority=9,in_port=3,actions=write_actions(controller)",
    )
    told = {}
    for port in (1, 2, 3):
        bench.send(port, FRAME)
        (event,) = bench.datapath.events()
        told[port] = (event.kind, event.reason, event.table_id, event.cookie)
        for version, reason in ((OF10, None), (OF13, min(event.reason, 1)), (OF14, event.reason)):
            body = decode(event.encode(version)).body
            assert body.data == FRAME  # type: ignore[attr-defined]
            if reason is not None:
                assert body.reason == reason  # type: ignore[attr-defined]
                values = {one.name: one.value for one in body.match.fields}  # type: ignore[attr-defined]
                assert (
                    values.items()
                    >= {"in_port": port, "tun_id": 9, "metadata": 3, "reg1": 5}.items()
                )
        for form in ("nxt_packet_in", "nxt_packet_in2"):
            assert decode(event.encode(OF13, 5, format=form)).xid == 5
    assert told == {
        1: ("packet_in", 1, 1, 8),
        2: ("packet_in", 0, 1, 9),
        3: ("packet_in", 3, 1, 10),
    }


def test_removed_flows_are_told_with_final_counters() -> None:
    bench = Bench()
    flags = "send_flow_rem,"
    bench.flows(
        f"{flags}cookie=1,in_port=1,idle_timeout=10,actions=2",
        f"{flags}cookie=2,in_port=2,hard_timeout=10,actions=3",
        f"{flags}cookie=3,in_port=3,actions=1",
        "cookie=4,in_port=4,idle_timeout=1,actions=1",
    )
    for port in (1, 1, 2, 3):
        bench.send(port, FRAME)
    bench.now += 9 * SECOND
    bench.send(1, FRAME)
    bench.now += 2 * SECOND
    assert bench.datapath.tick(bench.now) is not None
    assert bench.flow("in_port=3", command=FlowModCommand.DELETE) == []
    bench.now += 9 * SECOND
    bench.datapath.tick(bench.now)
    found = []
    for event in bench.events():
        body = decode(event.encode(OF13)).body
        found.append((event.kind, event.reason, event.cookie, body.packet_count, body.byte_count))  # type: ignore[attr-defined]
    assert found == [
        ("flow_removed", 1, 2, 1, 64),
        ("flow_removed", 2, 3, 1, 64),
        ("flow_removed", 0, 1, 3, 192),
    ]


def test_errors_come_back_as_messages_with_the_request() -> None:
    bench = Bench()
    good = encode(parse_flow("in_port=1,actions=2"), OF13, 1)
    bad = encode(parse_flow("in_port=1,actions=group:9"), OF13, 2)
    unknown = bytes.fromhex("0463000800000003")
    replies = bench.datapath.apply(OF13, good + bad + unknown + good, 0)
    found = [decode(one) for one in Framer().feed(replies)]
    assert [(one.xid, one.body.type, one.body.code) for one in found] == [(2, 2, 9), (3, 1, 1)]  # type: ignore[attr-defined]
    assert [one.body.data for one in found] == [bad, unknown]  # type: ignore[attr-defined]
    assert len(bench.stats()) == 1


def test_an_atomic_slice_is_all_or_nothing() -> None:
    bench = Bench()
    bench.flows("in_port=4,actions=3")
    good = encode(parse_flow("in_port=1,actions=2"), OF13, 1)
    bad = encode(parse_flow("in_port=1,actions=group:9"), OF13, 2)
    (error,) = bench.apply(good + bad + bad, atomic=True)
    assert (error.type, error.code) == (2, 9)
    assert len(bench.stats()) == 1
    assert bench.apply(good, atomic=True) == []
    assert bench.ports_of(1, FRAME) == [2]


def test_changes_are_seen_by_the_next_packet() -> None:
    bench = Bench()
    for port in (2, 3, 4) * 10:
        bench.flows(f"in_port=1,actions={port}")
        assert bench.ports_of(1, FRAME) == [port]
    bench.group("group_id=1,type=indirect,bucket=output:2")
    bench.flows("in_port=1,actions=group:1")
    assert bench.ports_of(1, FRAME) == [2]
    bench.group("group_id=1,type=indirect,bucket=output:3", GroupModCommand.MODIFY)
    assert bench.ports_of(1, FRAME) == [3]


def test_many_flows_are_told_in_steps() -> None:
    bench = Bench()
    slice_ = b"".join(
        encode(parse_flow(f"ip,ip_dst=10.{i >> 16}.{i >> 8 & 255}.{i & 255},actions=2"), OF13, i)
        for i in range(10_000)
    )
    assert bench.apply(slice_) == []
    assert len({str(flow.match) for flow in bench.stats()}) == 10_000
    (sum_,) = bench.replies(encode(AggregateRequest(), OF13))
    assert sum_.flow_count == 10_000  # type: ignore[attr-defined]
    assert bench.flow("", command=FlowModCommand.DELETE) == []
    assert bench.stats() == []


def test_trace_tells_the_walk_and_changes_nothing() -> None:
    bench = Bench()
    bench.flows(
        "cookie=5,priority=3,ip,actions=set_field:7->tun_id,goto_table:1",
        "table=1,actions=controller,2",
    )
    in_port = bytes.fromhex("8000000400000001")
    told = json.loads(bench.datapath.trace(in_port, FRAME, 0))
    assert [(step["table"], step["rule"]) for step in told["steps"]] == [
        (0, "eth_type=0x800"),
        (1, "any"),
    ]
    assert told["steps"][0]["cookie"] == 5
    assert told["datapath_actions"] == ["controller(reason=action)", "output:2"]
    assert told["drop"] is None
    assert told["key"]["in_port"] == "1"
    assert bench.packet_ins() == []
    assert {flow.packet_count for flow in bench.stats()} == {0}
    missed = json.loads(bench.datapath.trace(in_port + bytes.fromhex("80000a020806"), None, 0))
    assert missed["drop"] == "table_miss"
    with pytest.raises(ValueError, match="match"):
        bench.datapath.trace(b"\1\2\3", None, 0)
    with pytest.raises(ValueError, match="frame"):
        bench.datapath.trace(in_port, b"short", 0)


def test_counters_of_ports_and_reasons() -> None:
    bench = Bench()
    bench.flows("in_port=1,actions=2")
    for _ in range(3):
        bench.send(1, FRAME)
    counters = {one.number: one for one in bench.datapath.port_counters()}
    assert (counters[1].rx_packets, counters[1].rx_bytes) == (3, 192)
    assert (counters[2].tx_packets, counters[2].tx_bytes) == (3, 192)
    assert counters[2].drops == {}
    for _ in range(5000):
        bench.datapath.execute(1, FRAME, 0)
    two = {one.number: one for one in bench.datapath.port_counters()}[2]
    assert two.tx_dropped == two.drops["memory_queue_full"] > 0


def test_threads_forward_what_arrives() -> None:
    datapath = Datapath("threads", workers=2)
    try:
        for number in (1, 2, 3):
            datapath.add_port(number, f"p{number}", "memory", {}, 0)
        datapath.add_port(4, "p4", "patch", {"peer": "p5"}, 0)
        datapath.add_port(5, "p5", "patch", {"peer": "p4"}, 0)
        # Through a patch pair, so that another worker has to wake up for it.
        flows = ("in_port=1,actions=4", "in_port=5,actions=2", "in_port=3,actions=2")
        for text in flows:
            assert datapath.apply(OF13, encode(parse_flow(text), OF13), time.monotonic_ns()) == b""
        for _ in range(100):
            datapath.execute(1, FRAME, time.monotonic_ns())
        got: list[bytes] = []
        deadline = time.monotonic() + 20
        while len(got) < 100 and time.monotonic() < deadline:
            got += datapath.receive(2)
        assert got == [FRAME] * 100
    finally:
        datapath.close()


def test_the_door_lets_other_python_threads_run() -> None:
    bench = Bench()
    bench.flows("actions=2")
    done = threading.Event()

    def work() -> None:
        for _ in range(2000):
            bench.datapath.execute(1, FRAME, 0)
            bench.datapath.receive(2)
        done.set()

    other = threading.Thread(target=work)
    other.start()
    for port in (2, 3) * 200:
        bench.flows(f"in_port=1,actions={port}")
    other.join()
    assert done.is_set()


def test_versions_tell_the_same_flow() -> None:
    bench = Bench()
    bench.flows("cookie=9,priority=4,tcp,tp_dst=80,actions=set_field:3->reg0,output:2")
    for version in (OF13, OF14, OF15):
        request = encode(AggregateRequest(), version)
        (told,) = bench.replies(request, version)
        assert told.flow_count == 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("version", [OF10, OF13, OF14, OF15])
def test_durations_are_told_in_whole_milliseconds(version: int) -> None:
    bench = Bench()
    bench.flows("in_port=1,actions=drop")
    bench.now += 7 * SECOND + 123_999_999
    request = encode(FlowStatsRequest(), version, 3)
    (reply,) = bench.replies(request, version)
    assert isinstance(reply, FlowStatsReply)
    (flow,) = reply.flows
    assert (flow.duration_sec, flow.duration_nsec) == (7, 123_000_000)
