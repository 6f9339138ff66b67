"""Packet-ins are limited for each controller by itself; what is over a limit is counted.

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
from ovsflow.openflow.constants import Role
from ovsflow.openflow.handshake import AsyncMask, RoleRequest, SetAsync
from ovsflow.openflow.nicira import SetControllerId
from ovsflow.openflow.packets import PacketIn
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
    stage.watchers[0].send(SetAsync((AsyncMask(1, 0),)))
    stage.watchers[1].send(SetControllerId(9))
    stage.watchers[2].send(RoleRequest(Role.SECONDARY, 1))
    assert stage.heard() == [2, 2, 2, 2]
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


@pytest.mark.parametrize("wrong", [-1, 1 << 32])
def test_limits_are_numbers_in_range(wrong: int) -> None:
    with pytest.raises(ConfigError, match="packet_in_rate"):
        PacketInLimit(rate=wrong)
    with pytest.raises(ConfigError, match="packet_in_burst"):
        PacketInLimit(burst=wrong)
