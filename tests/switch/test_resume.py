"""A packet that waits for its controller goes on exactly where it stopped.

The oracle is the same pipeline without the pause: what a packet comes to must be the same when a
controller takes it at `controller(pause)` and sends it straight back.
"""

import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ovsflow import Switch
from ovsflow.openflow.actions import Controller as Pause
from ovsflow.openflow.actions import Output
from ovsflow.openflow.failure import ErrorMessage
from ovsflow.openflow.match import Match, MatchField
from ovsflow.openflow.nicira import Resume, SetPacketInFormat
from ovsflow.openflow.packets import PacketIn, PacketOut
from tests.switch.frames import internet_checksum
from tests.switch.test_monitors import Watcher

NXT_PACKET_IN2 = 2


def tcp(source: str, target: str, tp_src: int, tp_dst: int) -> bytes:
    """A TCP segment in IPv4, 60 bytes long; its TCP checksum is right."""
    addresses = socket.inet_aton(source) + socket.inet_aton(target)
    segment = struct.pack("!HHIIBBHHH6x", tp_src, tp_dst, 1, 1, 0x50, 0x10, 1000, 0, 0)
    pseudo = addresses + struct.pack("!HH", 6, len(segment))
    checksum = internet_checksum(pseudo + segment)
    segment = segment[:16] + struct.pack("!H", checksum) + segment[18:]
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(segment), 1, 0, 64, 6, 0) + addresses
    head = head[:10] + struct.pack("!H", internet_checksum(head)) + head[12:]
    return bytes.fromhex("020000000002020000000001 0800") + head + segment


PORTS = [f"p{number}:memory" for number in range(1, 5)]
FRAME = tcp("10.0.0.1", "10.0.0.2", 1000, 80)
PAUSE = "controller(pause)"

#: Flows in which `P` is the pause; every packet comes in at port 1.
PIPELINES: dict[str, tuple[str, ...]] = {
    "between outputs": ("actions=output:2,P,output:3",),
    "behind a change": ("actions=mod_dl_src:02:00:00:00:00:99,P,output:2",),
    "before a change": ("ip,actions=P,dec_ttl,output:2",),
    "behind a TTL": ("ip,actions=dec_ttl,P,output:2",),
    "first of all": ("actions=P,output:2",),
    "last of all": ("actions=output:2,P",),
    "before goto": ("actions=P,goto_table:1", "table=1,actions=output:2"),
    "behind goto": ("actions=goto_table:4", "table=4,actions=P,output:2"),
    "with registers": (
        "actions=load:2->reg0[],load:7->reg5[],P,resubmit(,1),output:reg0[]",
        "table=1,reg5=7,actions=output:3",
    ),
    "with metadata": (
        "actions=P,write_metadata:0x12/0xff,goto_table:1",
        "table=1,metadata=0x12,actions=P,output:2",
    ),
    "with the stack": (
        "actions=load:3->reg1[],push:reg1[],load:2->reg1[],push:reg1[],P,"
        "pop:reg2[],output:reg2[],pop:reg2[],output:reg2[]",
    ),
    "with an action set": (
        "actions=write_actions(set_field:02:00:00:00:00:77->eth_dst,output:2),goto_table:1",
        "table=1,actions=output:3,P,output:4",
    ),
    "before an action set is written": (
        "actions=P,write_actions(output:2),goto_table:1",
        "table=1,actions=drop",
    ),
    "before an action set is cleared": (
        "actions=write_actions(output:2),goto_table:1",
        "table=1,actions=P,clear_actions,write_actions(output:3)",
    ),
    "inside a resubmit": (
        "actions=resubmit(,1),output:4",
        "table=1,actions=output:2,P,output:3",
    ),
    "inside two resubmits": (
        "actions=resubmit(,1),output:4,resubmit(,3)",
        "table=1,actions=load:9->reg0[],resubmit(,2),output:3",
        "table=2,actions=P,load:8->reg0[],output:2",
        "table=3,reg0=8,actions=output:2",
    ),
    "inside a resubmit with another port": (
        "actions=resubmit(3,1),output:4",
        "table=1,in_port=3,actions=P,output:2,output:3",
    ),
    "in every table": (
        "actions=P,resubmit(,1),P,output:2",
        "table=1,actions=P,output:3,P",
    ),
    "inside a clone": ("actions=clone(load:5->reg0[],P,output:2),output:3",),
    "behind a clone": ("actions=clone(output:2),P,output:3",),
    "before exit": (
        "actions=resubmit(,1),output:4",
        "table=1,actions=P,output:2,exit",
    ),
    "with a tag": (
        "actions=push_vlan:0x8100,set_field:4101->vlan_vid,P,output:2,pop_vlan,output:3",
    ),
    "with a label": (
        "ip,actions=push_mpls:0x8847,P,set_mpls_ttl:9,output:2,pop_mpls:0x800,output:3",
    ),
    "behind a label": (
        "ip,actions=push_mpls:0x8847,pop_mpls:0x800,P,resubmit(,1)",
        "table=1,tcp,tp_dst=80,actions=dec_ttl,output:2",
    ),
    "by length": (
        "actions=check_pkt_larger(100)->reg0[0],P,resubmit(,1)",
        "table=1,actions=output:2",
    ),
    "with tunnel fields": (
        "actions=set_field:7->tun_id,P,move:tun_id[0..15]->reg0[0..15],output:2,resubmit(,1)",
        "table=1,reg0=7,tun_id=7,actions=output:3",
    ),
    "the port it came from": ("actions=P,in_port,output:1,flood",),
    "without its port": ("actions=load:0->NXM_OF_IN_PORT[],P,output:1,output:2",),
}


class Controller(Watcher):
    """A controller that takes paused packets."""

    def __init__(self, switch: Switch, version: int = 4) -> None:
        super().__init__(switch, version)
        self.send(SetPacketInFormat(NXT_PACKET_IN2))
        self.settle()

    def paused(self) -> list[PacketIn]:
        """Packet-ins that came."""
        return [body for body in self.settle() if isinstance(body, PacketIn)]

    def resume_all(self) -> int:
        """Sends everything back as it came, until nothing comes any more."""
        count = 0
        while packets := self.paused():
            for packet in packets:
                assert packet.continuation is not None
                self.send(Resume.of(packet))
            count += len(packets)
        return count


def outputs(switch: Switch) -> dict[int, list[bytes]]:
    return {number: switch.receive(number) for number in range(1, 5)}


def program(switch: Switch, flows: tuple[str, ...], pause: str) -> None:
    switch.del_flows()
    for flow in flows:
        flow = flow.replace("P,", pause + "," if pause else "")
        flow = flow.replace(",P", "," + pause if pause else "")
        switch.add_flow(flow)


@pytest.fixture
def switch() -> Iterator[Switch]:
    with Switch("r0", ports=PORTS, workers=0) as switch:
        yield switch


@pytest.fixture(params=[1, 4, 5, 6])
def controller(switch: Switch, request: pytest.FixtureRequest) -> Iterator[Controller]:
    controller = Controller(switch, request.param)
    with controller.sock:
        yield controller


@pytest.mark.parametrize("name", list(PIPELINES))
def test_a_paused_packet_comes_to_what_it_would_have_come_to(switch: Switch, name: str) -> None:
    flows = PIPELINES[name]
    controller = Controller(switch)
    with controller.sock:
        program(switch, flows, "")
        switch.inject(1, FRAME)
        expected = outputs(switch)
        assert controller.settle() == []
        program(switch, flows, PAUSE)
        for _ in range(3):
            switch.inject(1, FRAME)
            assert controller.resume_all() >= 1
            assert outputs(switch) == expected


def test_every_version_pauses_and_resumes(switch: Switch, controller: Controller) -> None:
    switch.add_flow(
        "cookie=0x55,actions=load:2->reg3[],controller(pause,userdata=01.02),output:reg3[]"
    )
    switch.inject(1, FRAME)
    (packet,) = controller.paused()
    assert outputs(switch)[2] == []
    assert (packet.cookie, packet.userdata, packet.data) == (0x55, b"\x01\x02", FRAME)
    registers = {item.name: item.value for item in packet.match if "reg" in item.name}
    assert registers in ({"reg3": 2}, {"xreg1": 2})
    controller.send(Resume.of(packet))
    assert controller.settle() == []
    assert outputs(switch)[2] == [FRAME]


def test_the_controller_may_change_packet_and_fields(
    switch: Switch, controller: Controller
) -> None:
    switch.add_flow("actions=load:2->reg3[],controller(pause),output:reg3[]")
    switch.inject(1, FRAME)
    (packet,) = controller.paused()
    other = tcp("10.0.0.9", "10.0.0.2", 1000, 80)
    others = (item for item in packet.match if item.name not in ("reg3", "xreg1"))
    changed = Match((*others, MatchField("reg3", 4)))
    controller.send(replace(Resume.of(packet), match=changed, data=other))
    assert controller.settle() == []
    assert outputs(switch) == {1: [], 2: [], 3: [], 4: [other]}


def test_a_packet_out_pauses_too(switch: Switch) -> None:
    controller = Controller(switch)
    with controller.sock:
        controller.send(PacketOut((Pause(pause=True), Output(3)), FRAME, 1))
        assert controller.resume_all() == 1
        assert outputs(switch)[3] == [FRAME]


def damaged(continuation: bytes) -> dict[str, bytes | None]:
    """Continuations that this switch did not make."""
    middle = len(continuation) // 2
    return {
        "none": None,
        "empty": b"",
        "zeros": bytes(len(continuation)),
        "cut short": continuation[:-8],
        "longer": continuation + bytes(8),
        "first bit of the state": continuation[:16] + b"\x7f" + continuation[17:],
        "in the middle": continuation[:middle]
        + bytes([continuation[middle] ^ 1])
        + continuation[middle + 1 :],
        "another seal": continuation[:8] + bytes(8) + continuation[16:],
    }


def test_what_the_switch_did_not_seal_is_stale(switch: Switch, controller: Controller) -> None:
    switch.add_flow("actions=controller(pause),output:2")
    switch.inject(1, FRAME)
    (packet,) = controller.paused()
    assert packet.continuation is not None
    for name, continuation in damaged(packet.continuation).items():
        controller.send(replace(Resume.of(packet), continuation=continuation))
        (error,) = controller.settle()
        assert isinstance(error, ErrorMessage), name
        assert error.name(controller.version) == "NXR_STALE", name
    assert outputs(switch)[2] == []
    controller.send(Resume.of(packet))
    assert controller.settle() == []
    assert outputs(switch)[2] == [FRAME]


def test_another_switchs_packet_is_stale(switch: Switch, controller: Controller) -> None:
    switch.add_flow("actions=controller(pause),output:2")
    switch.inject(1, FRAME)
    (packet,) = controller.paused()
    with Switch("r1", ports=PORTS, workers=0) as other:
        peer = Controller(other, controller.version)
        with peer.sock:
            peer.send(Resume.of(packet))
            (error,) = peer.settle()
            assert isinstance(error, ErrorMessage)
            assert error.name(peer.version) == "NXR_STALE"


def test_a_flow_that_went_meanwhile_does_not_matter(switch: Switch) -> None:
    controller = Controller(switch)
    with controller.sock:
        switch.add_flow("actions=resubmit(,1),output:3")
        switch.add_flow("table=1,actions=controller(pause),output:2,resubmit(,2)")
        switch.inject(1, FRAME)
        switch.del_flows()
        switch.add_flow("table=2,actions=output:4")
        assert controller.resume_all() == 1
        assert outputs(switch) == {1: [], 2: [FRAME], 3: [FRAME], 4: [FRAME]}


def test_with_nobody_to_ask_the_packet_is_counted_as_lost(switch: Switch) -> None:
    switch.add_flow("actions=controller(pause),output:2")
    switch.inject(1, FRAME)
    drops = switch.stats()["drops"]
    assert isinstance(drops, dict)
    assert sum(drops.values()) == 1, drops
    assert outputs(switch)[2] == []


def wait_for(switch: Switch, port: int, count: int) -> list[bytes]:
    """Takes frames until there are so many."""
    frames: list[bytes] = []
    give_up = time.monotonic() + 20
    while len(frames) < count and time.monotonic() < give_up:
        frames += switch.receive(port)
        time.sleep(0.005)
    return frames


def test_workers_pause_and_resume() -> None:
    with Switch("r2", ports=PORTS, workers=1) as switch:
        controller = Controller(switch)
        with controller.sock:
            switch.add_flow("actions=resubmit(,1),output:3")
            switch.add_flow("table=1,actions=controller(pause),output:2")
            frames = [tcp("10.0.0.1", "10.0.0.2", 1000 + n, 80) for n in range(50)]
            for frame in frames:
                switch.inject(1, frame)
            told = 0
            while told < len(frames):
                body = controller.next()
                if isinstance(body, PacketIn):
                    controller.send(Resume.of(body))
                    told += 1
            assert sorted(wait_for(switch, 2, 50)) == sorted(frames)
            assert sorted(wait_for(switch, 3, 50)) == sorted(frames)


@pytest.mark.parametrize("program", [("ovs-ofctl",), (sys.executable, "-m", "ofctl")])
def test_monitor_resumes(program: tuple[str, ...], tmp_path: Path) -> None:
    """`monitor BRIDGE resume` answers each paused packet by itself."""
    with Switch("r3", ports=PORTS, workers=0, rundir=tmp_path) as switch:
        switch.add_flow("actions=resubmit(,1),output:3")
        switch.add_flow("table=1,actions=load:2->reg0[],controller(pause),output:reg0[]")
        target = f"unix:{tmp_path}/r3.mgmt"
        command = [*program, "-O", "OpenFlow13", "-P", "nxt_packet_in2", "monitor"]
        with subprocess.Popen(
            [*command, target, "65535", "resume"],
            # ovs-ofctl tells on the one, ofctl on the other.
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | {"OVS_RUNDIR": str(tmp_path)},
        ) as monitor:
            try:
                frames: list[bytes] = []
                while not frames:
                    # Before it listens packets are lost.
                    assert monitor.poll() is None, "the monitor has ended"
                    switch.inject(1, FRAME)
                    time.sleep(0.02)
                    frames = switch.receive(3)
                assert set(frames) == set(switch.receive(2)) == {FRAME}
            finally:
                monitor.terminate()
                assert monitor.stdout is not None
                said = monitor.stdout.read()
        assert "decode error" not in said, said
        assert "PACKET_IN" in said, said
