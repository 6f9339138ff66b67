"""Meters by what they let pass, what they count, and what goes with them."""

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ovsflow import Switch
from ovsflow.errors import RefusedError
from ovsflow.openflow.codec import decode, encode
from ovsflow.openflow.constants import FlowModCommand, MeterModCommand
from ovsflow.openflow.instructions import Instructions
from ovsflow.openflow.meter_stats import (
    MeterFeaturesReply,
    MeterFeaturesRequest,
    MeterStats,
    MeterStatsReply,
    MeterStatsRequest,
)
from ovsflow.openflow.modify import FlowMod
from ovsflow.openflow.text.parse import parse_flow, parse_meter
from tests.switch.samples import FRAMES, summed
from tests.switch.test_monitors import Watcher
from tests.switch.wire import apply


def tag(frame: bytes) -> bytes:
    """The frame with a VLAN tag."""
    return frame[:12] + b"\x81\0\0\5" + frame[12:]


SECOND = 1_000_000_000
UDP = summed(FRAMES["udp"])


@pytest.fixture
def switch() -> Iterator[Switch]:
    with Switch(ports=["a=1:memory", "b=2:memory"], workers=0) as switch:
        yield switch


def meter(
    switch: Switch,
    text: str,
    command: MeterModCommand = MeterModCommand.ADD,
    version: int = 4,
) -> tuple[int, int] | None:
    """Changes a meter; the error, if it is refused."""
    message = encode(parse_meter(text, command), version, 1)
    return apply(switch.plane.datapath, version, message)


def stats(switch: Switch) -> MeterStats:
    (found,) = [
        each
        for reply in switch.query(MeterStatsRequest())
        if isinstance(reply, MeterStatsReply)
        for each in reply.meters
    ]
    return found


def passed(switch: Switch, count: int, now: int, frame: bytes = UDP) -> list[bytes]:
    for _ in range(count):
        switch.plane.datapath.execute(1, frame, now)
    return switch.plane.datapath.receive(2)


def test_a_burst_passes_and_the_rest_waits_for_the_rate(switch: Switch) -> None:
    assert meter(switch, "meter=1,pktps,burst,stats,band=type=drop,rate=10,burst_size=5") is None
    switch.add_flow("actions=meter:1,output:2")
    start = time.monotonic_ns()
    assert len(passed(switch, 20, start)) == 5
    assert len(passed(switch, 20, start + SECOND // 5)) == 2
    assert len(passed(switch, 20, start + 10 * SECOND)) == 5
    found = stats(switch)
    assert (found.packet_in_count, found.byte_in_count, found.flow_count) == (60, 3600, 1)
    assert found.bands == ((48, 48 * 60),)


def test_a_remark_band_raises_the_drop_precedence(switch: Switch) -> None:
    text = "meter=1,pktps,burst,band=type=dscp_remark,rate=1,burst_size=1,prec_level=1"
    assert meter(switch, text) is None
    switch.add_flow("ip,actions=meter:1,output:2")
    af11 = summed(UDP[:15] + bytes([10 << 2 | 1]) + UDP[16:])
    af12 = summed(UDP[:15] + bytes([12 << 2 | 1]) + UDP[16:])
    assert passed(switch, 3, time.monotonic_ns(), af11) == [af11, af12, af12]


#: Frames, where their DSCP is (byte, bits from the right), and whether a band may change it.
REMARKED = {
    "IPv4": (summed(FRAMES["udp"]), 15, 2),
    "IPv6": (summed(FRAMES["tcp6"]), 14, 6),
    "IPv4 behind a tag": (summed(tag(FRAMES["udp"])), 19, 2),
    "ARP": (FRAMES["arp"], 0, 0),
    "nothing known": (FRAMES["other"], 0, 0),
}


def with_dscp(frame: bytes, byte: int, shift: int, dscp: int) -> bytes:
    """The frame with another DSCP, its checksum right."""
    if not byte:
        return frame
    word = int.from_bytes(frame[byte : byte + 2], "big")
    shift += 8
    # In IPv6 it stands across two bytes.
    if frame[byte] >> 4 == 6 and shift == 14:
        shift = 6
    word = word & ~(0x3F << shift) | dscp << shift
    return summed(frame[:byte] + word.to_bytes(2, "big") + frame[byte + 2 :])


@pytest.mark.parametrize("name", REMARKED)
@pytest.mark.parametrize("version", [4, 5, 6])
def test_what_a_remark_band_does_to_each_class(switch: Switch, version: int, name: str) -> None:
    frame, byte, shift = REMARKED[name]
    text = "meter=1,pktps,burst,band=type=dscp_remark,rate=1,burst_size=1,prec_level=2"
    assert meter(switch, text, version=version) is None
    flow = parse_flow("actions=meter:1,output:2", FlowModCommand.ADD, version)
    assert apply(switch.plane.datapath, version, encode(flow, version, 1)) is None
    now = time.monotonic_ns()
    assert len(passed(switch, 1, now, frame)) == 1
    for dscp in range(64):
        kind, level = dscp >> 3, dscp >> 1 & 3
        assured = 1 <= kind <= 4 and level and not dscp & 1
        after = kind << 3 | min(level + 2, 3) << 1 if assured else dscp
        wanted = with_dscp(frame, byte, shift, after)
        assert passed(switch, 1, now, with_dscp(frame, byte, shift, dscp)) == [wanted], dscp


def test_tables_see_what_a_meter_has_made_of_the_dscp(switch: Switch) -> None:
    for number in (1, 2):
        text = f"meter={number},pktps,burst,band=type=dscp_remark,rate=1,burst_size=1,prec_level=1"
        assert meter(switch, text) is None
    # OpenFlow 1.5 has a meter as an action, and so several.
    flow = parse_flow("ip,actions=meter:1,meter:2,goto_table:1", FlowModCommand.ADD, 6)
    assert apply(switch.plane.datapath, 6, encode(flow, 6, 1)) is None
    switch.add_flow("table=1,ip,ip_dscp=14,actions=output:2")
    af11 = with_dscp(UDP, 15, 2, 10)
    assert passed(switch, 3, time.monotonic_ns(), af11) == [with_dscp(UDP, 15, 2, 14)] * 2


def test_a_controller_action_may_name_its_meter(switch: Switch) -> None:
    datapath = switch.plane.datapath
    datapath.configure({"packet_in_rate": 0, "controllers_connected": True})
    for number, burst in (("3", 2), ("controller", 5)):
        text = f"meter={number},pktps,burst,band=type=drop,rate=1,burst_size={burst}"
        assert meter(switch, text) is None
    switch.add_flow("in_port=1,actions=controller(meter_id=3)")
    switch.add_flow("in_port=2,actions=controller")
    now = time.monotonic_ns()
    for port, wanted in ((1, 2), (2, 5)):
        for _ in range(20):
            datapath.execute(port, UDP, now)
        told = [event for event in datapath.events(64) if event.kind == "packet_in"]
        assert len(told) == wanted


def test_flows_go_with_their_meter(switch: Switch) -> None:
    assert meter(switch, "meter=1,kbps,band=type=drop,rate=1000") is None
    assert meter(switch, "meter=2,kbps,band=type=drop,rate=1000") is None
    switch.add_flow("in_port=1,send_flow_rem,actions=meter:1,output:2")
    switch.add_flow("in_port=2,actions=meter:2,output:1")
    assert meter(switch, "meter=1", MeterModCommand.DELETE) is None
    (left,) = switch.dump_flows()
    assert left.match.value("in_port") == 2
    removed = [e for e in switch.plane.datapath.events(64) if e.kind == "flow_removed"]
    assert [event.reason for event in removed] == [4]
    # OpenFlow 1.3 has no word for it: the flow was deleted.
    assert decode(removed[0].encode(4)).body.reason == 2  # type: ignore[attr-defined]
    assert decode(removed[0].encode(5)).body.reason == 4  # type: ignore[attr-defined]
    with pytest.raises(RefusedError):
        switch.add_flow("actions=meter:1,output:2")


def test_a_modified_meter_has_its_new_rate_at_once(switch: Switch) -> None:
    assert meter(switch, "meter=1,pktps,burst,band=type=drop,rate=1,burst_size=1") is None
    switch.add_flow("actions=meter:1,output:2")
    now = time.monotonic_ns()
    assert len(passed(switch, 10, now)) == 1
    text = "meter=1,pktps,burst,band=type=drop,rate=100,burst_size=10"
    assert meter(switch, text, MeterModCommand.MODIFY) is None
    assert len(passed(switch, 20, now + SECOND)) == 10
    assert len(switch.dump_flows()) == 1


def test_the_controller_meter_limits_what_is_told(switch: Switch) -> None:
    switch.plane.datapath.configure({"packet_in_rate": 0, "controllers_connected": True})
    switch.add_flow("actions=controller")
    text = "meter=controller,pktps,burst,band=type=drop,rate=10,burst_size=3"
    assert meter(switch, text) is None
    now = time.monotonic_ns()
    passed(switch, 20, now)
    told = [e for e in switch.plane.datapath.events(64) if e.kind == "packet_in"]
    assert len(told) == 3
    assert meter(switch, "meter=controller", MeterModCommand.DELETE) is None
    passed(switch, 20, now)
    told = [e for e in switch.plane.datapath.events(64) if e.kind == "packet_in"]
    assert len(told) == 20


def test_the_slow_path_meter_limits_what_walks_the_tables(switch: Switch) -> None:
    switch.add_flow("actions=output:2")
    text = "meter=slowpath,pktps,burst,stats,band=type=drop,rate=10,burst_size=3"
    assert meter(switch, text) is None
    now = time.monotonic_ns()
    # The first packet walks; the others of its kind find what it came to.
    assert len(passed(switch, 20, now)) == 20
    assert stats(switch).packet_in_count == 1
    # With a rule that looks at addresses each of these is a kind of its own.
    switch.add_flow("priority=9,dl_src=02:00:00:00:00:99,actions=drop")
    frames = [UDP[:10] + bytes([5, number]) + UDP[12:] for number in range(20)]
    for frame in frames:
        switch.plane.datapath.execute(1, frame, now)
    assert switch.plane.datapath.receive(2) == frames[:2]
    assert json.loads(switch.plane.datapath.statistics())["drops"]["meter"] == 18
    assert meter(switch, "meter=slowpath", MeterModCommand.DELETE) is None
    assert len(passed(switch, 5, now, frames[9])) == 5


@pytest.mark.parametrize("virtual", ["controller", "slowpath"])
def test_no_flow_can_name_a_meter_of_the_switch_itself(switch: Switch, virtual: str) -> None:
    assert meter(switch, f"meter={virtual},kbps,band=type=drop,rate=1000") is None
    number = {"controller": 0xFFFFFFFE, "slowpath": 0xFFFFFFFD}[virtual]
    flow = FlowMod(instructions=Instructions(meter=number))
    assert apply(switch.plane.datapath, 4, encode(flow, 4, 1)) == (12, 2)


@pytest.mark.parametrize("compat", ["spec", "ovs"])
@pytest.mark.parametrize("version", [4, 5, 6])
def test_the_features_of_1_5_are_told_where_the_specification_is_followed(
    switch: Switch, version: int, compat: str
) -> None:
    switch.plane.datapath.configure({"compat": compat})
    watcher = Watcher(switch, version)
    with watcher.sock:
        watcher.send(MeterFeaturesRequest())
        (reply,) = watcher.settle()
    assert isinstance(reply, MeterFeaturesReply)
    assert reply.max_meter == 0x40000
    # OFPMFF_ACTION_SET and OFPMFF_ANY_POSITION.
    assert reply.features == (3 if (version, compat) == (6, "spec") else None)


def test_ovs_ofctl_reads_the_features_where_open_vswitch_is_followed(tmp_path: Path) -> None:
    with Switch("m9", workers=0, rundir=tmp_path, settings={"compat": "ovs"}):
        command = ["ovs-ofctl", "-O", "OpenFlow15", "meter-features", f"unix:{tmp_path}/m9.mgmt"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert "max_meter:262144 max_bands:8" in done.stdout
