"""Who is told of which packets, and how many.

Packet-ins are limited for each controller by itself; what is over a limit is counted.

Time stands still: packets are given to the datapath with one and the same time, so that no bucket
fills again.
"""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ovsflow import Switch
from ovsflow.config.target import ControllerConfig, PacketInLimit, Target
from ovsflow.errors import ConfigError
from ovsflow.openflow.actions import Action, Controller, Output
from ovsflow.openflow.constants import PortNumber, Role
from ovsflow.openflow.handshake import AsyncMask, RoleRequest, SetAsync
from ovsflow.openflow.nicira import SetControllerId
from ovsflow.openflow.packets import PacketIn, PacketOut
from tests.switch.test_monitors import Watcher

FRAME = bytes(60)
NOW = 1_000_000_000


class Stage:
    """A switch that dials controllers at unix sockets, each with its own limit."""

    def __init__(self, directory: Path, limits: list[PacketInLimit]) -> None:
        self.stack = ExitStack()
        servers, configs = [], []
        for number, limit in enumerate(limits):
            server = self.stack.enter_context(socket.socket(socket.AF_UNIX))
            server.bind(f"{directory}/{number}")
            server.listen()
            server.settimeout(20)
            servers.append(server)
            target = Target("unix", path=f"{directory}/{number}")
            configs.append(ControllerConfig(target, packet_ins=limit))
        settings = {"packet_in_rate": 1, "packet_in_burst": 3}
        switch = Switch(
            "l0", ports=["p1:memory"], controllers=configs, workers=0, settings=settings
        )
        self.switch = self.stack.enter_context(switch)
        self.switch.add_flow("actions=controller")
        self.watchers = [Watcher(self.switch, 4, server.accept()[0]) for server in servers]
        for watcher in self.watchers:
            self.stack.enter_context(watcher.sock)

    def packets(self, count: int) -> None:
        for _ in range(count):
            self.switch.plane.datapath.execute(1, FRAME, NOW)

    def heard(self) -> list[int]:
        """Packet-ins that each controller got since the last time."""
        return [
            sum(isinstance(body, PacketIn) for body in watcher.settle())
            for watcher in self.watchers
        ]

    def drops(self) -> dict[str, int]:
        found: dict[str, int] = json.loads(self.switch.plane.datapath.statistics())["drops"]
        return found


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    limits = [PacketInLimit(1, 2), PacketInLimit(1, 5), PacketInLimit(0), PacketInLimit()]
    stage = Stage(tmp_path, limits)
    with stage.stack:
        yield stage


def test_each_controller_has_its_own_limit(stage: Stage) -> None:
    stage.packets(10)
    assert stage.heard() == [2, 5, 10, 3]
    assert stage.drops() == {"controller_limit": 8 + 5 + 7}
    told = stage.switch.stats()["packet_ins"]
    assert isinstance(told, list)
    assert [(each["passed"], each["limited"]) for each in told] == [(2, 8), (5, 5), (10, 0), (3, 7)]
    assert told[0]["peer"].startswith("unix:")


def test_a_change_of_mind_does_not_fill_the_bucket(stage: Stage) -> None:
    stage.packets(2)
    assert stage.heard() == [2, 2, 2, 2]
    stage.watchers[0].send(SetAsync((AsyncMask(1, 0),)))
    stage.watchers[1].send(SetControllerId(9))
    stage.watchers[2].send(RoleRequest(Role.SECONDARY, 1))
    assert stage.heard() == [0, 0, 0, 0]
    stage.packets(2)
    assert stage.heard() == [0, 0, 0, 1]
    stage.watchers[0].send(SetAsync((AsyncMask(1, 7),)))
    stage.watchers[1].send(SetControllerId(0))
    stage.watchers[2].send(RoleRequest(Role.EQUAL, 1))
    assert stage.heard() == [0, 0, 0, 0]
    stage.packets(9)
    assert stage.heard() == [0, 3, 9, 0]


def test_what_nobody_wants_is_lost_by_that_name(stage: Stage) -> None:
    for watcher in stage.watchers:
        watcher.send(SetAsync((AsyncMask(1, 0),)))
    stage.heard()
    stage.packets(3)
    assert stage.heard() == [0, 0, 0, 0]
    assert stage.drops() == {"no_controller": 3}


NO_MATCH = 0

#: Flows, the list of a packet-out (a packet from port 1 where there is none), and the reasons told
#: to sessions of OpenFlow 1.0 and of later versions.
TOLD: dict[str, tuple[tuple[str, ...], tuple[Action, ...], list[int], list[int]]] = {
    "no flow matches": ((), (), [NO_MATCH], []),
    "a miss flow says so": (("priority=0,actions=controller",), (), [NO_MATCH], [NO_MATCH]),
    "a flow with the cookie of none": (
        ("priority=0,cookie=0xffffffffffffffff,actions=controller",),
        (),
        [NO_MATCH],
        [NO_MATCH],
    ),
    "a flow calls it a miss": (
        ("in_port=1,actions=controller(reason=no_match)",),
        (),
        [NO_MATCH],
        [NO_MATCH],
    ),
    "a packet-out calls it a miss": ((), (Controller(reason=NO_MATCH),), [NO_MATCH], [NO_MATCH]),
    "a packet-out that no flow matches": ((), (Output(PortNumber.TABLE),), [NO_MATCH], []),
    "a packet-out that is both": (
        (),
        (Output(PortNumber.TABLE), Controller(reason=NO_MATCH)),
        [NO_MATCH, NO_MATCH],
        [NO_MATCH],
    ),
}


@pytest.mark.parametrize("case", TOLD)
@pytest.mark.parametrize("version", [4, 5, 6])
def test_only_misses_are_kept_from_later_versions(version: int, case: str) -> None:
    flows, actions, *expected = TOLD[case]
    with ExitStack() as stack:
        switch = stack.enter_context(Switch("l1", ports=["p1:memory"], workers=0))
        watchers = [Watcher(switch, 1), Watcher(switch, version)]
        for watcher in watchers:
            stack.enter_context(watcher.sock)
        for flow in flows:
            switch.add_flow(flow)
        if actions:
            watchers[1].send(PacketOut(actions, FRAME, 1))
            # What it answers comes after the packet-out is done.
            told = [watchers[1].settle(), watchers[0].settle(), watchers[1].settle()]
            told = [told[1], told[0] + told[2]]
        else:
            switch.plane.datapath.execute(1, FRAME, NOW)
            told = [watcher.settle() for watcher in watchers]
        reasons = [
            [body.reason for body in bodies if isinstance(body, PacketIn)] for bodies in told
        ]
        assert reasons == expected


@pytest.mark.parametrize("wrong", [-1, 1 << 32])
def test_limits_are_numbers_in_range(wrong: int) -> None:
    with pytest.raises(ConfigError, match="packet_in_rate"):
        PacketInLimit(rate=wrong)
    with pytest.raises(ConfigError, match="packet_in_burst"):
        PacketInLimit(burst=wrong)
