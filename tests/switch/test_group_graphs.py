"""Groups that run and watch groups, against a naive model: random graphs, ports that come and go.

After each change of a group or of a port's link packets are sent; what leaves, and every counter
of a group and bucket, is what the model says.
"""

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from ovsflow import Switch
from ovsflow.openflow.codec import encode
from ovsflow.openflow.constants import GroupModCommand
from ovsflow.openflow.group_stats import GroupStatsReply, GroupStatsRequest
from ovsflow.openflow.text.parse import parse_group
from tests.switch.samples import FRAMES, summed
from tests.switch.wire import apply

GRAPHS = int(os.environ.get("OVSFLOW_PIPELINES", "60"))
STEPS = 12
PORTS = (1, 2, 3, 4)
INGRESS = 9
GROUPS = 6
LINK_DOWN = 1
FRAME = summed(FRAMES["udp"])
CHAINED, EXISTS = (6, 9), (6, 0)


@dataclass
class Bucket:
    """One bucket: what it watches, and an action set with an address to write at most."""

    weight: int | None = None
    watch_port: int | None = None
    watch_group: int | None = None
    mark: int | None = None
    port: int | None = None
    group: int | None = None
    packets: int = 0

    def text(self, number: int) -> str:
        words = [f"bucket=bucket_id:{number}"]
        words += [f"weight:{self.weight}"] if self.weight is not None else []
        words += [f"watch_port:{self.watch_port}"] if self.watch_port else []
        words += [f"watch_group:{self.watch_group}"] if self.watch_group else []
        actions = [f"output:{self.port}"] if self.port else []
        actions += [f"group:{self.group}"] if self.group else []
        actions += [f"set_field:{address(self.mark).hex(':')}->eth_dst"] if self.mark else []
        return ",".join([*words, "actions=" + (",".join(actions) or "drop")])


@dataclass
class Group:
    """A group of one of the four types."""

    kind: str
    buckets: list[Bucket]
    packets: int = 0


def address(mark: int) -> bytes:
    return bytes([2, 0, 0, 0, 7, mark])


@dataclass
class Model:
    """The switch's groups and links."""

    groups: dict[int, Group] = field(default_factory=dict)
    dead: set[int] = field(default_factory=set)

    def is_live(self, bucket: Bucket) -> bool:
        """What watches nothing lives; groups that only watch each other do not.

        Source: OpenFlow 1.3.5 §6.7.
        """
        waiting, seen = [bucket], set[int]()
        while waiting:
            bucket = waiting.pop()
            if not bucket.watch_port and not bucket.watch_group:
                return True
            if bucket.watch_port and bucket.watch_port not in self.dead:
                return True
            watched = bucket.watch_group
            if watched in self.groups and watched not in seen:
                seen.add(watched)
                waiting += self.groups[watched].buckets
        return False

    def run(self, number: int, frame: bytes, left: list[tuple[int, bytes]]) -> None:
        """Runs a group on a frame."""
        group = self.groups[number]
        group.packets += 1
        for bucket in self.chosen(group):
            bucket.packets += 1
            copy = address(bucket.mark) + frame[6:] if bucket.mark else frame
            if bucket.group:
                self.run(bucket.group, copy, left)
            elif bucket.port and bucket.port not in self.dead:
                left.append((bucket.port, copy))

    def chosen(self, group: Group) -> list[Bucket]:
        live = [bucket for bucket in group.buckets if self.is_live(bucket)]
        if group.kind in ("all", "indirect"):
            return group.buckets
        if group.kind == "select":
            live = [bucket for bucket in live if bucket.weight]
        return live[:1]

    def runs(self, number: int) -> bool:
        """Whether another group runs this one."""
        return any(
            bucket.group == number
            for other, group in self.groups.items()
            for bucket in group.buckets
            if other != number
        )


def random_group(chance: random.Random, model: Model, number: int) -> Group:
    """A group that runs none of its number or above, so that there are no loops."""
    kind = chance.choice(("all", "indirect", "select", "ff"))
    below = [other for other in model.groups if other < number]
    count = 1 if kind == "indirect" else chance.randrange(4)
    buckets = [random_bucket(chance, below) for _ in range(count)]
    for index, bucket in enumerate(buckets):
        if kind == "ff" and not bucket.watch_port and not bucket.watch_group:
            bucket.watch_port = chance.choice(PORTS)
        # One bucket at most has a share, so that no hash decides.
        bucket.weight = int(index == count - 1) if kind == "select" else None
    return Group(kind, buckets)


def random_bucket(chance: random.Random, below: list[int]) -> Bucket:
    bucket = Bucket(mark=chance.choice((None, 1, 2, 3)))
    if chance.random() < 0.4:
        bucket.watch_port = chance.choice(PORTS)
    if chance.random() < 0.3:
        bucket.watch_group = chance.randrange(1, GROUPS + 1)
    if below and chance.random() < 0.5:
        bucket.group = chance.choice(below)
    if chance.random() < 0.9:
        bucket.port = chance.choice(PORTS)
    return bucket


@pytest.fixture
def switch() -> Iterator[Switch]:
    ports = [f"p{number}={number}:memory" for number in (*PORTS, INGRESS)]
    with Switch(ports=ports, workers=0) as switch:
        yield switch


def change(
    switch: Switch, number: int, group: Group | None, command: GroupModCommand
) -> tuple[int, int] | None:
    text = f"group_id={number}"
    if group is not None:
        words = [bucket.text(index) for index, bucket in enumerate(group.buckets)]
        text = ",".join([text, f"type={group.kind}", *words])
    return apply(switch.plane.datapath, 6, encode(parse_group(text, command, 6), 6, 1))


def step(chance: random.Random, switch: Switch, model: Model) -> str:
    """One random change of both; returns what it was."""
    number = chance.randrange(1, GROUPS + 1)
    if chance.random() < 0.45:
        port = chance.choice(PORTS)
        model.dead ^= {port}
        switch.plane.datapath.set_port(port, state=LINK_DOWN if port in model.dead else 0)
        return f"port {port}"
    if number in model.groups and chance.random() < 0.2:
        answer = change(switch, number, None, GroupModCommand.DELETE)
        if model.runs(number):
            assert answer == CHAINED
        else:
            assert answer is None
            del model.groups[number]
        return f"delete {number}"
    group = random_group(chance, model, number)
    command = GroupModCommand.MODIFY if number in model.groups else GroupModCommand.ADD
    assert change(switch, number, group, command) is None, group
    model.groups[number] = group
    if command is GroupModCommand.ADD:
        match = f"dl_src=02:00:00:00:00:{number:02x}"
        switch.add_flow(f"{match},actions=group:{number}")
    return f"{command.name} {number} {group}"


def counters(switch: Switch) -> dict[int, tuple[int, list[int]]]:
    """Packets of each group and of its buckets."""
    return {
        each.group_id: (each.packet_count, [packets for packets, _ in each.buckets])
        for reply in switch.query(GroupStatsRequest())
        if isinstance(reply, GroupStatsReply)
        for each in reply.groups
    }


@pytest.mark.parametrize("seed", range(GRAPHS))
def test_graphs_of_groups_do_what_the_specification_says(switch: Switch, seed: int) -> None:
    chance, model, told = random.Random(seed), Model(), []
    for _ in range(STEPS):
        told.append(step(chance, switch, model))
        for number in model.groups:
            frame = FRAME[:6] + bytes([2, 0, 0, 0, 0, number]) + FRAME[12:]
            wanted: list[tuple[int, bytes]] = []
            model.run(number, frame, wanted)
            switch.inject(INGRESS, frame)
            left = [(port, data) for port in PORTS for data in switch.receive(port)]
            assert left == sorted(wanted, key=lambda one: one[0]), (number, told, model)
        assert counters(switch) == {
            number: (group.packets, [bucket.packets for bucket in group.buckets])
            for number, group in model.groups.items()
        }, told


def test_watching_in_circles_ends(switch: Switch) -> None:
    circle = [Bucket(watch_group=2 - index % 2, port=1) for index in range(100)]
    for number in (1, 2):
        assert change(switch, number, Group("ff", circle), GroupModCommand.ADD) is None
    switch.add_flow("actions=group:1")
    switch.inject(INGRESS, FRAME)
    assert switch.receive(1) == []
    # One root is enough for all that watch it.
    rooted = Group("ff", [*circle, Bucket(watch_port=2, port=2)])
    assert change(switch, 2, rooted, GroupModCommand.MODIFY) is None
    switch.inject(INGRESS, FRAME)
    assert switch.receive(1) == [FRAME]
