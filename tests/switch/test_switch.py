"""The switch as a Python object: memory ports, flows as text and objects, sessions over pairs."""

import asyncio
import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ovsflow import Switch
from ovsflow.config import ControllerConfig, Target
from ovsflow.errors import ConfigError, HostError, ParseError, RefusedError, UsageError
from ovsflow.openflow import codec
from ovsflow.openflow.actions import Output
from ovsflow.openflow.constants import FlowRemovedReason
from ovsflow.openflow.framing import Framer
from ovsflow.openflow.handshake import BarrierRequest, FeaturesReply, FeaturesRequest, Hello
from ovsflow.openflow.instructions import Instructions
from ovsflow.openflow.match import Match
from ovsflow.openflow.modify import FlowMod
from ovsflow.openflow.notices import FlowRemoved, PortStatus
from ovsflow.openflow.packets import PacketIn
from ovsflow.openflow.wire import Body
from ovsflow.testing.controller import eventually

FRAME = bytes.fromhex("0200000000020200000000010800") + bytes(50)


@pytest.fixture
def switch() -> Iterator[Switch]:
    with Switch("t0", ports=["p1:memory", "p2:memory", "p3=7:memory"], workers=0) as switch:
        yield switch


def test_flows_move_packets(switch: Switch) -> None:
    switch.add_flow("in_port=1,actions=output:2,output:p3")
    switch.inject("p1", FRAME)
    assert switch.receive("p2") == [FRAME]
    assert switch.receive(7) == [FRAME]
    assert switch.receive("p2") == []


def test_flows_come_back_as_objects(switch: Switch) -> None:
    switch.add_flow("priority=5,cookie=0x7,in_port=p1,actions=output:p2")
    switch.add_flow(
        FlowMod(
            match=Match.of(in_port=2), instructions=Instructions(apply=(Output(1),)), priority=6
        )
    )
    switch.inject("p1", FRAME)
    flows = {flow.priority: flow for flow in switch.dump_flows()}
    assert sorted(flows) == [5, 6]
    assert flows[5].cookie == 7
    assert (flows[5].packet_count, flows[5].byte_count) == (1, len(FRAME))
    assert flows[6].instructions.apply == (Output(1),)
    assert [flow.priority for flow in switch.dump_flows("in_port=p2")] == [6]


def test_flows_are_changed_and_deleted(switch: Switch) -> None:
    switch.add_flow("priority=5,in_port=1,actions=output:2")
    switch.mod_flows("in_port=1,actions=output:7")
    (flow,) = switch.dump_flows()
    assert flow.instructions.apply == (Output(7),)
    switch.del_flows("priority=6,in_port=1", strict=True)
    assert len(switch.dump_flows()) == 1
    switch.del_flows("priority=5,in_port=1", strict=True)
    assert switch.dump_flows() == []
    switch.add_flow("in_port=1,actions=drop")
    switch.del_flows()
    assert switch.dump_flows() == []


def test_mistakes_are_told_by_kind(switch: Switch) -> None:
    with pytest.raises(ParseError) as caught:
        switch.add_flow("in_port=1,actions=outptu:2")
    assert caught.value.column == 18
    with pytest.raises(RefusedError) as refused:
        switch.add_flow(FlowMod(instructions=Instructions(apply=(Output(0xFFFFFF00),))))
    assert (refused.value.kind, refused.value.code) == (2, 4)
    assert "BAD_OUT_PORT" in str(refused.value)
    with pytest.raises(ConfigError, match="there is no port 'p9'; there are: p1, p2, p3"):
        switch.inject("p9", FRAME)


def test_ports_come_and_go(switch: Switch) -> None:
    port = switch.add_port("p4:memory")
    assert (port.number, port.name, port.kind) == (3, "p4", "memory")
    with pytest.raises(ConfigError, match="p4 is there already"):
        switch.add_port("p4:memory")
    with pytest.raises(ConfigError, match="number 3 is already used"):
        switch.add_port("p5=3:memory")
    switch.remove_port("p4")
    assert [each.name for each in switch.ports()] == ["p1", "p2", "p3"]


def test_host_errors_name_the_port_and_say_what_to_do(switch: Switch) -> None:
    with pytest.raises(HostError, match=r"port nosuch0: .*no such device.*'ip link' lists them"):
        switch.add_port("nosuch0")


def test_statistics_and_trace_are_plain_values(switch: Switch) -> None:
    switch.add_flow("priority=5,in_port=1,actions=output:2")
    switch.inject("p1", FRAME)
    stats = switch.stats()
    assert isinstance(stats["ports"], list)
    assert stats["ports"][0]["rx_packets"] == 1
    assert isinstance(stats["drops"], dict)
    told = switch.trace("in_port=p1,ip")
    assert isinstance(told["steps"], list)
    assert told["steps"][0]["priority"] == 5
    assert told["drop"] is None


def test_a_switch_must_be_started_once() -> None:
    switch = Switch("t1", workers=0)
    with pytest.raises(UsageError, match="not started"):
        switch.ports()
    switch.start()
    with pytest.raises(UsageError, match="started already"):
        switch.start()
    switch.stop()
    switch.stop()


def test_a_switch_that_cannot_start_leaves_nothing(tmp_path: Path) -> None:
    switch = Switch("t2", ports=["nosuch0"], rundir=tmp_path)
    with pytest.raises(HostError, match="nosuch0"):
        switch.start()
    assert list(tmp_path.iterdir()) == []


def test_a_switch_with_a_thread_answers_on_its_sockets(tmp_path: Path) -> None:
    with Switch("t3", ports=["p1:memory"], rundir=tmp_path, listen=["ptcp:0"]) as switch:
        assert sorted(path.name for path in tmp_path.iterdir()) == [
            "t3.ctl",
            "t3.mgmt",
            "t3.pid",
            "t3.snoop",
        ]
        tcp = next(text for text in switch.listening() if text.startswith("ptcp:"))
        address = ("127.0.0.1", int(tcp.split(":")[1]))
        with socket.create_connection(address) as sock:
            peer = Peer(sock)
            assert isinstance(peer.ask(FeaturesRequest()), FeaturesReply)
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(tmp_path / "t3.mgmt"))
            peer = Peer(sock)
            assert isinstance(peer.ask(FeaturesRequest()), FeaturesReply)
        switch.add_flow("in_port=1,actions=drop")
        assert len(switch.dump_flows()) == 1
        with pytest.raises(HostError, match="t3 is running already"):
            Switch("t3", workers=0, rundir=tmp_path).start()
    assert list(tmp_path.iterdir()) == []


class Peer:
    """A controller on a blocking socket."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.sock.settimeout(10)
        self._framer = Framer()
        self._messages: list[bytes] = []
        self.sock.sendall(codec.encode(Hello((4,)), 4))
        assert isinstance(self.next(), Hello)
        # Its reply says that the switch has read the HELLO.
        self.ask(BarrierRequest())

    def next(self) -> Body:
        while not self._messages:
            data = self.sock.recv(65536)
            assert data, "closed"
            self._messages += self._framer.feed(data)
        return codec.decode(self._messages.pop(0)).body

    def ask(self, body: Body) -> Body:
        self.sock.sendall(codec.encode(body, 4, 9))
        return self.next()

    def wait_for(self, kind: type[Body]) -> Body:
        while not isinstance(body := self.next(), kind):
            pass
        return body


@pytest.fixture
def peer(switch: Switch) -> Iterator[Peer]:
    ours, theirs = socket.socketpair()
    with theirs:
        switch.attach(ours)
        yield Peer(theirs)


def test_packets_reach_an_attached_controller(switch: Switch, peer: Peer) -> None:
    switch.add_flow("priority=0,actions=CONTROLLER:65535")
    switch.inject("p1", FRAME)
    packet_in = peer.wait_for(PacketIn)
    assert isinstance(packet_in, PacketIn)
    assert packet_in.data == FRAME
    assert packet_in.match.value("in_port") == 1
    assert switch.connected()


def test_controllers_hear_of_ports(switch: Switch, peer: Peer) -> None:
    switch.add_port("p4:memory")
    added = peer.wait_for(PortStatus)
    switch.remove_port("p4")
    removed = peer.wait_for(PortStatus)
    assert isinstance(added, PortStatus)
    assert isinstance(removed, PortStatus)
    assert [(each.reason, each.port.name) for each in (added, removed)] == [(0, "p4"), (1, "p4")]


def test_a_barrier_reply_means_that_packets_see_the_flows(switch: Switch, peer: Peer) -> None:
    for number in range(20):
        flow = FlowMod(
            match=Match.of(in_port=1),
            instructions=Instructions(apply=(Output(2 if number % 2 else 7),)),
        )
        peer.sock.sendall(codec.encode(flow, 4, number))
        peer.ask(BarrierRequest())
        switch.inject("p1", FRAME)
        assert switch.receive("p2" if number % 2 else "p3") == [FRAME]
        assert switch.receive("p3" if number % 2 else "p2") == []


def test_idle_flows_go_without_anybody_asking(switch: Switch, peer: Peer) -> None:
    switch.add_flow("idle_timeout=1,send_flow_rem,in_port=1,actions=drop")
    removed = peer.wait_for(FlowRemoved)
    assert isinstance(removed, FlowRemoved)
    assert (removed.table_id, removed.reason) == (0, FlowRemovedReason.IDLE_TIMEOUT)
    assert switch.dump_flows() == []


def test_standalone_without_controllers_learns(tmp_path: Path) -> None:
    ports = ["p1:memory", "p2:memory", "p3:memory"]
    with Switch("t4", ports=ports, workers=0, fail_mode="standalone") as switch:
        there, back = FRAME, FRAME[6:12] + FRAME[:6] + FRAME[12:]
        switch.inject("p1", there)
        assert switch.receive("p2") == switch.receive("p3") == [there]
        switch.inject("p2", back)
        assert switch.receive("p1") == [back]
        assert switch.receive("p3") == []


def test_a_switch_runs_in_the_callers_loop() -> None:
    async def main() -> None:
        switch = Switch("t5", ports=["p1:memory", "p2:memory"], workers=0)
        async with switch.serving():
            switch.add_flow("in_port=1,actions=output:2")
            switch.inject("p1", FRAME)
            assert switch.receive("p2") == [FRAME]

    asyncio.run(main())


def test_half_a_message_then_silence_changes_nothing(switch: Switch, peer: Peer) -> None:
    peer.sock.sendall(struct.pack("!BBHI", 4, 14, 56, 1) + bytes(20))
    switch.add_flow("in_port=1,actions=drop")
    assert len(switch.dump_flows()) == 1


def test_standalone_takes_over_while_no_controller_is_connected(tmp_path: Path) -> None:
    # One that is never there says how long to wait; the other, which nobody probes, comes and goes.
    absent = ControllerConfig(Target("unix", path="/nosuch"), probe=0.05, max_backoff=0.1)
    there = ControllerConfig(Target("unix", path=str(tmp_path / "c")), max_backoff=0.1)
    ports = ["p1:memory", "p2:memory"]
    server = socket.socket(socket.AF_UNIX)
    server.bind(there.target.path)
    server.listen()
    server.settimeout(10)
    with Switch(
        "t6", ports=ports, workers=0, fail_mode="standalone", controllers=[absent, there]
    ) as switch:

        def priorities() -> list[int]:
            return sorted(flow.priority for flow in switch.dump_flows())

        with server, server.accept()[0] as controller:
            Peer(controller)
            switch.add_flow("priority=7,in_port=1,actions=drop")
            switch.inject("p1", FRAME)
            assert not switch.plane.standalone
            assert switch.receive("p2") == []
        # Its flow comes a little after it has decided to stand alone.
        eventually(lambda: priorities() == [7, 0xFFFF], "standing alone")
        assert switch.plane.standalone
        switch.inject("p1", FRAME)
        assert switch.receive("p2") == [FRAME]
        ours, theirs = socket.socketpair()
        with theirs:
            switch.attach(ours)
            Peer(theirs)
            eventually(lambda: priorities() == [7], "handing back")
            assert not switch.plane.standalone


def test_learned_flows_expire_without_anybody_asking(switch: Switch, peer: Peer) -> None:
    switch.add_flow(
        "priority=1,actions=learn(table=1,hard_timeout=1,send_flow_rem,"
        "NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[])"
    )
    switch.inject("p1", FRAME)
    removed = peer.wait_for(FlowRemoved)
    assert isinstance(removed, FlowRemoved)
    assert (removed.table_id, removed.reason) == (1, FlowRemovedReason.HARD_TIMEOUT)
    assert switch.dump_flows("table=1") == []


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_an_idle_switch_does_not_wake_up(tmp_path: Path, workers: int) -> None:
    with Switch("t7", ports=["p1:memory"], workers=workers, rundir=tmp_path) as switch:
        switch.add_flow("in_port=1,actions=drop")
        control = {t.native_id for t in threading.enumerate() if t.name == "ovsflow-t7"}

        def threads() -> list[Path]:
            """The switch's threads; a worker gives itself its name once it runs."""
            found = []
            for thread in Path("/proc/self/task").iterdir():
                # Any other thread may end between the two looks.
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                    if int(thread.name) in control or "t7" in (thread / "comm").read_text():
                        found.append(thread)
            return found

        eventually(lambda: len(threads()) == 1 + workers, "the threads")
        ours = threads()

        def switches() -> int:
            """Times the switch's threads gave up the processor of their own will."""
            texts = [(thread / "status").read_text() for thread in ours]
            return sum(int(text.split("voluntary_ctxt_switches:")[1].split()[0]) for text in texts)

        # It comes to rest, and then nothing happens in a second.
        count, since = switches(), time.monotonic()
        deadline = since + 20
        while time.monotonic() - since < 1.2:
            assert time.monotonic() < deadline, "the switch keeps waking up"
            time.sleep(0.05)
            if switches() != count:
                count, since = switches(), time.monotonic()
