"""Groups by what leaves the switch: shares, failover, bucket commands, chains and counters."""

import math
from collections import Counter
from collections.abc import Iterator

import pytest

from ovsflow import Switch
from ovsflow.datapath import Datapath
from ovsflow.errors import RefusedError
from ovsflow.openflow.codec import decode, encode
from ovsflow.openflow.constants import GroupModCommand
from ovsflow.openflow.framing import Framer
from ovsflow.openflow.group_stats import (
    GroupDesc,
    GroupDescReply,
    GroupDescRequest,
    GroupStats,
    GroupStatsReply,
    GroupStatsRequest,
)
from ovsflow.openflow.text.parse import parse_group
from tests.switch.samples import ARP, FRAMES, ethernet
from tests.switch.wire import apply

PORTS = (1, 2, 3, 4)
FLOWS = 10_000
LINK_DOWN = 1


@pytest.fixture
def switch() -> Iterator[Switch]:
    with Switch(ports=[f"p{number}={number}:memory" for number in PORTS], workers=0) as switch:
        yield switch


def group(
    switch: Switch, text: str, command: GroupModCommand = GroupModCommand.ADD, version: int = 4
) -> tuple[int, int] | None:
    """Changes a group as a session of that version would; the error, if there is one."""
    message = encode(parse_group(text, command, version), version, 3)
    return apply(switch.plane.datapath, version, message)


def varied(frame: bytes, at: int, size: int) -> Iterator[bytes]:
    """Frames that differ in some bytes alone."""
    for number in range(FLOWS):
        value = (int.from_bytes(frame[at : at + size], "big") + number) % (1 << 8 * size)
        yield frame[:at] + value.to_bytes(size, "big") + frame[at + size :]


def chosen(datapath: Datapath, frames: Iterator[bytes], port: int = 4) -> list[int]:
    """For each frame the port that it leaves by; 0 if by none."""
    found = []
    for frame in frames:
        datapath.execute(port, frame, 1)
        left = [number for number in PORTS if datapath.receive(number)]
        assert len(left) <= 1
        found.append(left[0] if left else 0)
    return found


def assert_shares(picks: list[int], weights: dict[int, int]) -> None:
    """Asserts that ports were chosen in proportion to weights, as far as chance lets them be."""
    total, seen = sum(weights.values()), Counter(picks)
    assert set(seen) <= {port for port, weight in weights.items() if weight}
    for port, weight in weights.items():
        share = weight / total
        spread = 4 * math.sqrt(len(picks) * share * (1 - share)) + 0.004 * len(picks)
        assert abs(seen[port] - share * len(picks)) <= spread, (seen, weights)


#: Frames, and the bytes in which flows differ: (frame, first byte, bytes).
VARIATIONS = {
    "UDP source port": ("udp", 34, 2),
    "TCP source port": ("tcp", 34, 2),
    "TCP over IPv6": ("tcp6", 54, 2),
    "SCTP destination port": ("sctp", 36, 2),
    "IPv4 source": ("icmp", 26, 4),
    "IPv4 destination": ("later fragment", 30, 4),
    "IPv6 destination": ("icmp6", 38, 16),
    "Ethernet source": ("other", 6, 6),
    "Ethernet destination": ("other", 0, 6),
    "Ethernet source behind a tag": ("tagged", 6, 6),
    "ARP sender": ("arp", 28, 4),
    "ARP target": ("arp", 38, 4),
    "MPLS label": ("mpls", 14, 2),
}
METHODS = {
    "default": "",
    "dp_hash": "selection_method=dp_hash,",
    "hash": "selection_method=hash,",
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", VARIATIONS)
def test_shares_follow_weights(switch: Switch, name: str, method: str) -> None:
    weights = {1: 1, 2: 2, 3: 7}
    buckets = ",".join(f"bucket=weight:{w},actions=output:{p}" for p, w in weights.items())
    assert group(switch, f"group_id=1,type=select,{METHODS[method]}{buckets}", version=6) is None
    switch.add_flow("actions=group:1")
    frame, at, size = VARIATIONS[name]
    assert_shares(chosen(switch.plane.datapath, varied(FRAMES[frame], at, size)), weights)


def test_hash_reads_its_fields_alone(switch: Switch) -> None:
    text = "group_id=1,type=select,selection_method=hash,fields(ip_src,udp_dst=0xff)," + ",".join(
        f"bucket=weight:1,actions=output:{port}" for port in (1, 2, 3)
    )
    assert group(switch, text, version=6) is None
    switch.add_flow("actions=group:1")
    datapath, frame = switch.plane.datapath, FRAMES["udp"]
    assert len(set(chosen(datapath, varied(frame, 34, 2)))) == 1
    assert len(set(chosen(datapath, varied(frame, 30, 4)))) == 1
    assert len(set(chosen(datapath, (f for f in varied(frame, 36, 2) if f[37] == 1)))) == 1
    assert len(set(chosen(datapath, varied(frame, 36, 2)))) == 3
    assert_shares(chosen(datapath, varied(frame, 26, 4)), {1: 1, 2: 1, 3: 1})


def test_parameter_of_the_method_deals_anew(switch: Switch) -> None:
    buckets = ",".join(f"bucket=weight:1,actions=output:{port}" for port in (1, 2, 3))
    picks: list[list[int]] = []
    for parameter in (0, 1, 1):
        text = f"group_id=1,type=select,selection_method=dp_hash,selection_method_param={parameter}"
        command = GroupModCommand.MODIFY if picks else GroupModCommand.ADD
        assert group(switch, f"{text},{buckets}", command, 6) is None
        switch.add_flow("actions=group:1")
        picks.append(chosen(switch.plane.datapath, varied(FRAMES["udp"], 34, 2)))
    assert picks[1] == picks[2]
    same = sum(a == b for a, b in zip(picks[0], picks[1], strict=True))
    assert abs(same - FLOWS / 3) < FLOWS / 20


#: Weights of buckets 1 to 3 before and after a change, and the share of flows that has to move.
CHANGES = {
    "one more weight": ((1, 1, 2), (1, 1, 3), 0.6 - 0.5),
    "one less weight": ((2, 1, 1), (1, 1, 1), 0.5 - 1 / 3),
    "one gone": ((1, 2, 7), (0, 2, 7), 0.1),
    "one back": ((0, 2, 7), (1, 2, 7), 0.1),
    "equal ones, one gone": ((1, 1, 1), (1, 0, 1), 1 / 3),
    "two equal ones, and a third": ((1, 1, 0), (1, 1, 1), 1 / 3),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_moves_only_its_share(switch: Switch, name: str) -> None:
    before, after, moving = CHANGES[name]
    picks = []
    for command, weights in ((GroupModCommand.ADD, before), (GroupModCommand.MODIFY, after)):
        buckets = ",".join(
            f"bucket=bucket_id:{port},weight:{weight},actions=output:{port}"
            for port, weight in enumerate(weights, 1)
        )
        assert group(switch, f"group_id=1,type=select,{buckets}", command, 6) is None
        switch.add_flow("actions=group:1")
        picks.append(chosen(switch.plane.datapath, varied(FRAMES["udp"], 34, 2)))
        assert_shares(picks[-1], dict(enumerate(weights, 1)))
    moved = sum(a != b for a, b in zip(*picks, strict=True))
    assert abs(moved - moving * FLOWS) < 0.02 * FLOWS


def test_a_dead_bucket_lends_its_flows(switch: Switch) -> None:
    weights = {1: 1, 2: 2, 3: 1}
    buckets = ",".join(
        f"bucket=weight:{w},watch_port:{p},actions=output:{p}" for p, w in weights.items()
    )
    assert group(switch, f"group_id=1,type=select,{buckets}") is None
    switch.add_flow("actions=group:1")
    datapath = switch.plane.datapath
    up = chosen(datapath, varied(FRAMES["udp"], 34, 2))
    datapath.set_port(2, state=LINK_DOWN)
    down = chosen(datapath, varied(FRAMES["udp"], 34, 2))
    assert_shares(up, weights)
    assert_shares(down, {1: 1, 2: 0, 3: 1})
    assert all(a == b for a, b in zip(up, down, strict=True) if a != 2)
    datapath.set_port(2, state=0)
    assert chosen(datapath, varied(FRAMES["udp"], 34, 2)) == up
    for port in PORTS:
        datapath.set_port(port, state=LINK_DOWN)
    assert set(chosen(datapath, iter([FRAMES["udp"]]))) == {0}


def left(switch: Switch, frame: bytes = FRAMES["udp"], port: int = 4) -> list[int]:
    """The ports that one frame leaves by, one for each copy."""
    switch.inject(port, frame)
    return [port.number for port in switch.ports() for _ in switch.receive(port.number)]


def test_fast_failover_takes_the_first_that_lives(switch: Switch) -> None:
    buckets = ",".join(f"bucket=watch_port:{port},actions=output:{port}" for port in (1, 2, 3))
    assert group(switch, f"group_id=1,type=ff,{buckets}") is None
    switch.add_flow("actions=group:1")
    datapath = switch.plane.datapath
    assert left(switch) == [1]
    datapath.set_port(1, state=LINK_DOWN)
    assert left(switch) == [2]
    datapath.set_port(2, config=1)
    assert left(switch) == [3]
    switch.remove_port(3)
    assert left(switch) == []
    datapath.set_port(1, state=0)
    assert left(switch) == [1]


def test_watch_group_follows_the_group(switch: Switch) -> None:
    inner = "bucket=watch_port:1,actions=output:1,bucket=watch_port:2,actions=output:2"
    assert group(switch, f"group_id=1,type=ff,{inner}") is None
    outer = "bucket=watch_group:1,actions=group:1,bucket=watch_port:3,actions=output:3"
    assert group(switch, f"group_id=2,type=ff,{outer}") is None
    switch.add_flow("actions=group:2")
    datapath = switch.plane.datapath
    assert left(switch) == [1]
    datapath.set_port(1, state=LINK_DOWN)
    assert left(switch) == [2]
    datapath.set_port(2, state=LINK_DOWN)
    assert left(switch) == [3]
    datapath.set_port(2, state=0)
    assert left(switch) == [2]


def test_buckets_run_on_copies(switch: Switch) -> None:
    buckets = ",".join(
        f"bucket=actions=set_field:02:00:00:00:00:0{port}->eth_dst,output:{port}" for port in (1, 2)
    )
    assert group(switch, f"group_id=1,type=all,{buckets},bucket=actions=output:3") is None
    switch.add_flow("actions=group:1,set_field:02:00:00:00:00:09->eth_src,output:3,group:1")
    frame = FRAMES["udp"]
    switch.inject(4, frame)
    new = bytes.fromhex("020000000009")
    for port in (1, 2):
        address = bytes([2, 0, 0, 0, 0, port])
        assert switch.receive(port) == [address + frame[6:], address + new + frame[12:]]
    after = frame[:6] + new + frame[12:]
    assert switch.receive(3) == [frame, after, after]


def test_a_bucket_is_an_action_set(switch: Switch) -> None:
    bucket = "bucket=actions=output:1,set_field:02:00:00:00:00:01->eth_dst,push_vlan:0x8100"
    assert group(switch, f"group_id=1,type=indirect,{bucket}") is None
    switch.add_flow("actions=group:1")
    frame = FRAMES["other"]
    switch.inject(4, frame)
    (sent,) = switch.receive(1)
    assert sent == bytes.fromhex("020000000001") + frame[6:12] + b"\x81\0\0\0" + frame[12:]


def test_groups_in_the_action_set_and_in_groups(switch: Switch) -> None:
    assert group(switch, "group_id=1,type=indirect,bucket=actions=output:1") is None
    assert group(switch, "group_id=2,type=all,bucket=actions=group:1,bucket=actions=2") is None
    switch.add_flow("actions=write_actions(group:2,output:3)")
    assert left(switch) == [1, 2]


def test_loops_are_refused(switch: Switch) -> None:
    assert group(switch, "group_id=1,type=indirect,bucket=actions=output:1") is None
    assert group(switch, "group_id=2,type=indirect,bucket=actions=group:1") is None
    for text, error in (
        ("group_id=1,type=indirect,bucket=actions=group:2", (6, 7)),
        ("group_id=1,type=indirect,bucket=actions=group:1", (6, 7)),
    ):
        assert group(switch, text, GroupModCommand.MODIFY) == error
    switch.add_flow("actions=group:2")
    assert left(switch) == [1]
    assert group(switch, "group_id=1", GroupModCommand.DELETE) == (6, 9)


def test_loops_drop_packets_where_open_vswitch_is_followed(switch: Switch) -> None:
    switch.plane.datapath.configure({"compat": "ovs"})
    assert group(switch, "group_id=1,type=all,bucket=actions=2,bucket=actions=group:2") is None
    assert group(switch, "group_id=2,type=all,bucket=actions=3,bucket=actions=group:1") is None
    assert group(switch, "group_id=3,type=indirect,bucket=actions=group:77") is None
    switch.add_flow("in_port=4,actions=1,group:1")
    switch.add_flow("in_port=1,actions=2,group:3")
    assert left(switch) == []
    assert left(switch, port=1) == []
    assert "recursion" in str(switch.trace("in_port=4,udp")["drop"])


#: Commands of OpenFlow 1.5 on a group of buckets 10, 20, 30; and the buckets it has then.
BUCKET_COMMANDS: dict[str, tuple[str, str, list[int] | tuple[int, int]]] = {
    "insert first": ("insert", "command_bucket_id=first,bucket=bucket_id:5", [5, 10, 20, 30]),
    "insert last": ("insert", "command_bucket_id=last,bucket=bucket_id:5", [10, 20, 30, 5]),
    "insert after": ("insert", "command_bucket_id=20,bucket=bucket_id:5", [10, 20, 5, 30]),
    "insert two": (
        "insert",
        "command_bucket_id=10,bucket=bucket_id:5,actions=1,bucket=bucket_id:6",
        [10, 5, 6, 20, 30],
    ),
    "insert one that is there": ("insert", "command_bucket_id=last,bucket=bucket_id:20", (6, 16)),
    "insert after none": ("insert", "command_bucket_id=7,bucket=bucket_id:5", (6, 15)),
    "remove first": ("remove", "command_bucket_id=first", [20, 30]),
    "remove last": ("remove", "command_bucket_id=last", [10, 20]),
    "remove one": ("remove", "command_bucket_id=20", [10, 30]),
    "remove all": ("remove", "command_bucket_id=all", []),
    "remove none": ("remove", "command_bucket_id=7", (6, 15)),
}


@pytest.mark.parametrize("name", BUCKET_COMMANDS)
def test_bucket_commands(switch: Switch, name: str) -> None:
    word, rest, wanted = BUCKET_COMMANDS[name]
    buckets = ",".join(
        f"bucket=bucket_id:{number},actions=output:{number // 10}" for number in (10, 20, 30)
    )
    assert group(switch, f"group_id=1,type=all,{buckets}", version=6) is None
    switch.add_flow("actions=group:1")
    assert left(switch) == [1, 2, 3]
    if word == "insert":
        command = GroupModCommand.INSERT_BUCKET
        text = f"group_id=1,{rest},actions=output:1"
    else:
        command, text = GroupModCommand.REMOVE_BUCKET, f"group_id=1,{rest}"
    got = group(switch, text, command, 6)
    if isinstance(wanted, tuple):
        assert got == wanted
        wanted = [10, 20, 30]
    else:
        assert got is None
    (described,) = described_groups(switch)
    assert [bucket.id for bucket in described.buckets] == wanted
    ports = {5: 1, 6: 1, 10: 1, 20: 2, 30: 3}
    assert left(switch) == sorted(ports[number] for number in wanted)
    # Buckets that stay keep their counters.
    frames = {number: 2 for number in (10, 20, 30)} | {5: 1, 6: 1}
    counted = [packets for packets, _ in group_stats(switch).buckets]
    assert counted == [frames[number] for number in wanted]


def described_groups(switch: Switch) -> list[GroupDesc]:
    data, _ = switch.plane.datapath.query(6, encode(GroupDescRequest(), 6, 1), 0)
    return [
        each
        for message in Framer().feed(data)
        if isinstance(reply := decode(message).body, GroupDescReply)
        for each in reply.groups
    ]


def group_stats(switch: Switch) -> GroupStats:
    (found,) = [
        each
        for reply in switch.query(GroupStatsRequest())
        if isinstance(reply, GroupStatsReply)
        for each in reply.groups
    ]
    return found


def test_counters_of_groups_and_buckets(switch: Switch) -> None:
    weights = "bucket=weight:1,actions=1,bucket=weight:3,actions=2"
    assert group(switch, f"group_id=1,type=select,{weights}") is None
    switch.add_flow("in_port=3,actions=group:1")
    switch.add_flow("in_port=4,actions=group:1")
    frames = list(varied(FRAMES["udp"], 34, 2))[:500]
    picks = Counter(chosen(switch.plane.datapath, iter(frames)))
    stats = group_stats(switch)
    assert (stats.packet_count, stats.byte_count, stats.ref_count) == (500, 60 * 500, 2)
    assert stats.buckets == ((picks[1], 60 * picks[1]), (picks[2], 60 * picks[2]))
    assert group(switch, f"group_id=1,type=select,{weights}", GroupModCommand.MODIFY) is None
    assert group_stats(switch).packet_count == 0


def test_flows_go_with_their_group(switch: Switch) -> None:
    assert group(switch, "group_id=1,type=indirect,bucket=actions=1") is None
    assert group(switch, "group_id=2,type=indirect,bucket=actions=2") is None
    switch.add_flow("in_port=1,actions=group:1")
    switch.add_flow("in_port=2,actions=write_actions(group:1)")
    switch.add_flow("in_port=3,actions=clone(group:1)")
    switch.add_flow("in_port=4,send_flow_rem,actions=2,group:1")
    switch.add_flow("actions=group:2")
    assert group(switch, "group_id=1", GroupModCommand.DELETE) is None
    (kept,) = switch.dump_flows()
    assert kept.match.fields == ()
    removed = [e for e in switch.plane.datapath.events(64) if e.kind == "flow_removed"]
    assert [event.reason for event in removed] == [3]
    with pytest.raises(RefusedError):
        switch.add_flow("actions=group:1")


def test_arp_requests_spread_by_who_asks(switch: Switch) -> None:
    """Hosts that ask the same router are told apart by their addresses alone."""
    text = "group_id=1,type=select,bucket=weight:1,actions=1,bucket=weight:1,actions=2"
    assert group(switch, text) is None
    switch.add_flow("actions=group:1")
    frames = [
        ethernet(0x0806, ARP[:8] + bytes([2, 0, 0, 0, n >> 8, n & 255]) + ARP[14:])
        for n in range(1000)
    ]
    assert_shares(chosen(switch.plane.datapath, iter(frames)), {1: 1, 2: 1})
