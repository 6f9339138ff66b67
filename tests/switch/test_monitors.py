"""Flow monitors against the real tables, in every version that has them."""

import socket
from collections.abc import Iterator

import pytest

from ovsflow import Switch
from ovsflow.openflow import codec
from ovsflow.openflow.actions import Output
from ovsflow.openflow.constants import MonitorEvent, MonitorFlag
from ovsflow.openflow.failure import ErrorMessage
from ovsflow.openflow.framing import Framer
from ovsflow.openflow.handshake import BarrierReply, BarrierRequest, Hello
from ovsflow.openflow.instructions import Instructions
from ovsflow.openflow.match import Match
from ovsflow.openflow.modify import FlowMod
from ovsflow.openflow.monitor import (
    FlowMonitor,
    FlowMonitorReply,
    FlowMonitorRequest,
    FlowUpdate,
)
from ovsflow.openflow.wire import Body
from ovsflow.switch.monitors import is_within

ALL = MonitorFlag.INITIAL | MonitorFlag.ADD | MonitorFlag.REMOVED | MonitorFlag.MODIFY
FULL = ALL | MonitorFlag.INSTRUCTIONS


class Watcher:
    """A controller that watches flows."""

    def __init__(
        self, switch: Switch, version: int, connected: socket.socket | None = None
    ) -> None:
        if connected is None:
            ours, connected = socket.socketpair()
            switch.attach(ours)
        self.sock = connected
        self.sock.settimeout(10)
        self.version = version
        self._framer = Framer()
        self._messages: list[bytes] = []
        self.send(Hello((version,)))
        assert isinstance(self.next(), Hello)
        self.settle()

    def send(self, body: Body, xid: int = 1) -> None:
        self.sock.sendall(codec.encode(body, self.version, xid))

    def next(self) -> Body:
        while not self._messages:
            self._messages += self._framer.feed(self.sock.recv(65536))
        return codec.decode(self._messages.pop(0)).body

    def settle(self) -> list[Body]:
        """What came before the answer to a barrier."""
        self.send(BarrierRequest(), 99)
        found: list[Body] = []
        while not isinstance(body := self.next(), BarrierReply):
            found.append(body)
        return found

    def updates(self) -> list[FlowUpdate]:
        """The updates that came, in order."""
        return [
            update
            for body in self.settle()
            if isinstance(body, FlowMonitorReply)
            for update in body.updates
        ]

    def watch(self, *monitors: FlowMonitor) -> None:
        self.send(FlowMonitorRequest(monitors), 5)


@pytest.fixture
def switch() -> Iterator[Switch]:
    with Switch("m0", ports=["p1:memory", "p2:memory"], workers=0) as switch:
        yield switch


@pytest.fixture(params=[1, 4, 5, 6])
def watcher(switch: Switch, request: pytest.FixtureRequest) -> Iterator[Watcher]:
    watcher = Watcher(switch, request.param)
    with watcher.sock:
        yield watcher


def told(updates: list[FlowUpdate]) -> list[tuple[MonitorEvent, int]]:
    return [(MonitorEvent(update.event), update.priority) for update in updates]


def first(version: int) -> MonitorEvent:
    """How flows that are there already are told."""
    return MonitorEvent.INITIAL if version >= 5 else MonitorEvent.ADDED


def test_flows_are_told_as_they_come_change_and_go(switch: Switch, watcher: Watcher) -> None:
    switch.add_flow("priority=5,in_port=1,actions=output:2")
    watcher.watch(FlowMonitor(1, FULL))
    (initial,) = watcher.updates()
    assert (initial.event, initial.priority) == (first(watcher.version), 5)
    assert initial.instructions.apply == (Output(2),)
    switch.add_flow("priority=6,cookie=0x9,in_port=2,actions=drop")
    switch.mod_flows("in_port=1,actions=output:1")
    switch.del_flows("in_port=1")
    updates = watcher.updates()
    assert told(updates) == [
        (MonitorEvent.ADDED, 6),
        (MonitorEvent.MODIFIED, 5),
        (MonitorEvent.REMOVED, 5),
    ]
    assert updates[0].cookie == 9
    assert updates[1].instructions.apply == (Output(1),)
    assert (updates[2].reason, updates[2].instructions) == (2, Instructions())


def test_only_the_flows_that_are_watched_are_told(switch: Switch, watcher: Watcher) -> None:
    watcher.watch(FlowMonitor(1, ALL, Match.of(in_port=1)), FlowMonitor(2, ALL, table_id=3))
    assert watcher.updates() == []
    switch.add_flow("priority=1,in_port=1,actions=drop")
    switch.add_flow("priority=2,in_port=2,actions=drop")
    switch.add_flow("priority=3,table=3,actions=drop")
    switch.add_flow("priority=4,in_port=1,dl_src=02:00:00:00:00:01,actions=drop")
    assert told(watcher.updates()) == [(MonitorEvent.ADDED, number) for number in (1, 3, 4)]


def test_own_changes_are_told_in_short(watcher: Watcher) -> None:
    watcher.watch(FlowMonitor(1, FULL))
    watcher.updates()
    flow = FlowMod(match=Match.of(in_port=1), instructions=Instructions(apply=(Output(2),)))
    watcher.send(flow, 77)
    (update,) = watcher.updates()
    assert (update.event, update.xid) == (MonitorEvent.ABBREV, 77)


@pytest.mark.parametrize("version", [5, 6])
def test_monitors_are_changed_and_ended(switch: Switch, version: int) -> None:
    watcher = Watcher(switch, version)
    with watcher.sock:
        watcher.watch(FlowMonitor(1, ALL))
        watcher.watch(FlowMonitor(1, ALL))
        (answer,) = [body for body in watcher.settle() if isinstance(body, ErrorMessage)]
        assert (answer.type, answer.code) == (16, 1)
        watcher.watch(FlowMonitor(9, ALL, command=2))
        (answer,) = [body for body in watcher.settle() if isinstance(body, ErrorMessage)]
        assert (answer.type, answer.code) == (16, 3)
        watcher.watch(FlowMonitor(1, ALL, Match.of(in_port=2), command=1))
        watcher.settle()
        switch.add_flow("priority=1,in_port=1,actions=drop")
        assert watcher.updates() == []
        watcher.watch(FlowMonitor(1, ALL, command=2))
        watcher.settle()
        switch.add_flow("priority=1,in_port=2,actions=drop")
        assert watcher.updates() == []


@pytest.mark.parametrize(("compat", "heard"), [("spec", []), ("ovs", [(MonitorEvent.ADDED, 1)])])
def test_only_own_is_what_the_specification_says_or_open_vswitch(
    compat: str, heard: list[tuple[MonitorEvent, int]]
) -> None:
    with Switch("m1", ports=["p1:memory"], workers=0, settings={"compat": compat}) as switch:
        watcher = Watcher(switch, 5)
        with watcher.sock:
            watcher.watch(FlowMonitor(1, FULL | MonitorFlag.ONLY_OWN))
            watcher.settle()
            switch.add_flow("priority=1,in_port=1,actions=drop")
            assert told(watcher.updates()) == heard
            watcher.send(FlowMod(match=Match.of(in_port=1), priority=2), 78)
            (update,) = watcher.updates()
            own = MonitorEvent.ADDED if compat == "ovs" else MonitorEvent.ABBREV
            assert update.event == own


@pytest.mark.parametrize(("compat", "told"), [("spec", ()), ("ovs", (Output(1),))])
def test_instructions_of_a_flow_that_went_are_open_vswitchs_way(
    compat: str, told: tuple[Output, ...]
) -> None:
    with Switch("m2", ports=["p1:memory"], workers=0, settings={"compat": compat}) as switch:
        switch.add_flow("in_port=1,actions=output:1")
        watcher = Watcher(switch, 5)
        with watcher.sock:
            watcher.watch(FlowMonitor(1, FULL & ~MonitorFlag.INITIAL))
            watcher.settle()
            switch.del_flows()
            (update,) = watcher.updates()
            assert (update.event, update.instructions.apply) == (MonitorEvent.REMOVED, told)


@pytest.mark.parametrize("bare", [False, True])
def test_each_dialect_of_onfs_monitors_is_answered_in_itself(switch: Switch, bare: bool) -> None:
    switch.add_flow("priority=1,in_port=1,actions=output:2")
    watcher = Watcher(switch, 4)
    with watcher.sock:
        watcher.watch(FlowMonitor(1, FULL, Match.of(in_port=1), bare=bare))
        switch.add_flow("priority=2,in_port=1,actions=output:2")
        updates = watcher.updates()
        assert told(updates) == [(MonitorEvent.ADDED, 1), (MonitorEvent.ADDED, 2)]
        assert {update.bare for update in updates} == {bare}
        assert {update.match for update in updates} == {Match.of(in_port=1)}


@pytest.mark.parametrize(
    ("inner", "outer", "within"),
    [
        (Match.of(in_port=1), Match(), True),
        (Match(), Match.of(in_port=1), False),
        (Match.of(in_port=1, eth_type=0x800), Match.of(in_port=1), True),
        (Match.of(in_port=2), Match.of(in_port=1), False),
        (
            Match.of(ip_dst=(0x0A000000, 0xFFFFFF00)),
            Match.of(ip_dst=(0x0A000000, 0xFF000000)),
            True,
        ),
        (
            Match.of(ip_dst=(0x0A000000, 0xFF000000)),
            Match.of(ip_dst=(0x0A000000, 0xFFFFFF00)),
            False,
        ),
        (Match.of(ip_dst=0x0A000001), Match.of(ip_dst=(0x0A000000, 0xFF000000)), True),
        (Match.of(ip_dst=0x0B000001), Match.of(ip_dst=(0x0A000000, 0xFF000000)), False),
    ],
)
def test_one_match_within_another(inner: Match, outer: Match, within: bool) -> None:
    assert is_within(inner, outer) is within
