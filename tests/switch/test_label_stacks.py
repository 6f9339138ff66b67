"""Label stacks and their TTLs against a naive model: random pipelines, and what lookups then see.

A pipeline is a few tables; in each one flow for IP, one for the last label and one for labels
above others, with actions that push, pop, copy and count down; then tables that look at the TTL
which the packet has by then.
"""

import os
import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest

from ovsflow import Switch
from tests.switch.frames import internet_checksum

PIPELINES = int(os.environ.get("OVSFLOW_PIPELINES", "120"))
PACKETS = 12
STAGES = 3
TTLS = (0, 1, 2, 3, 64, 255)
IP, LAST, UPPER = "ip", "mpls,mpls_bos=1", "mpls,mpls_bos=0"
MAX_LABELS = 3

#: Where the packets go by the TTL that the last table sees.
PORTS = {2: 10, 64: 11, 63: 12, 1: 13}
ELSEWHERE = 14


class LostError(Exception):
    """The packet is dropped whole."""


class EndOfListError(Exception):
    """A TTL has expired."""


@dataclass
class Packet:
    """A stack of labels with their TTLs, outermost first, on an IP packet."""

    ttl: int
    stack: list[tuple[int, int]] = field(default_factory=list)
    register: int = 0

    def build(self) -> bytes:
        """The frame."""
        frame = bytes.fromhex("02000000000b02000000000a")
        frame += struct.pack("!H", 0x8847 if self.stack else 0x0800)
        for index, (label, ttl) in enumerate(self.stack):
            bottom = index == len(self.stack) - 1
            frame += struct.pack("!I", label << 12 | bottom << 8 | ttl)
        head = struct.pack("!BBHHHBBH", 0x45, 0, 48, 7, 0, self.ttl, 0xFD, 0) + bytes(range(8))
        checksum = internet_checksum(head)
        return frame + head[:10] + struct.pack("!H", checksum) + head[12:] + bytes(28)

    @property
    def kind(self) -> str:
        if not self.stack:
            return IP
        return LAST if len(self.stack) == 1 else UPPER

    @property
    def outer_ttl(self) -> int:
        return self.stack[0][1] if self.stack else self.ttl

    def set_outer(self, ttl: int) -> None:
        if self.stack:
            self.stack[0] = (self.stack[0][0], ttl)
        else:
            self.ttl = ttl


def run(packet: Packet, action: str) -> None:
    """What one action does, as the specification says it."""
    name, _, argument = action.partition(":")
    if name == "push_mpls":
        if len(packet.stack) == MAX_LABELS:
            raise LostError
        packet.stack.insert(0, packet.stack[0] if packet.stack else (0, packet.ttl))
    elif name == "pop_mpls":
        packet.stack.pop(0)
    elif name in ("dec_mpls_ttl", "dec_ttl"):
        if packet.outer_ttl <= 1:
            raise EndOfListError
        packet.set_outer(packet.outer_ttl - 1)
    elif name in ("set_mpls_ttl", "mod_nw_ttl"):
        packet.set_outer(int(argument))
    elif name == "copy_ttl_out":
        packet.stack[0] = (packet.stack[0][0], below(packet))
    elif name == "copy_ttl_in":
        outer = packet.outer_ttl
        if len(packet.stack) > 1:
            packet.stack[1] = (packet.stack[1][0], outer)
        else:
            packet.ttl = outer
    elif name == "move":
        packet.register = packet.outer_ttl
    else:
        raise AssertionError(action)


def below(packet: Packet) -> int:
    return packet.stack[1][1] if len(packet.stack) > 1 else packet.ttl


def random_list(chance: random.Random, kind: str) -> list[str]:
    """Actions that a flow for such packets may have."""
    actions: list[str] = []
    # Labels known to be there; a packet of `UPPER` may have more.
    depth = {IP: 0, LAST: 1, UPPER: 2}[kind]
    for _ in range(chance.randrange(5)):
        ttl = chance.choice((1, 2, 5, 64))
        if depth == 0:
            choices = ["push_mpls:0x8847", "dec_ttl", f"mod_nw_ttl:{ttl}"]
            choices.append("move:NXM_NX_IP_TTL[]->NXM_NX_REG0[0..7]")
        else:
            choices = ["push_mpls:0x8847", "dec_mpls_ttl", f"set_mpls_ttl:{ttl}"]
            choices += ["copy_ttl_out", "copy_ttl_in"] * 2
            choices.append("move:NXM_NX_MPLS_TTL[]->NXM_NX_REG0[0..7]")
            last = depth == 1 and kind != UPPER
            if last or depth > 1:
                choices.append(f"pop_mpls:{'0x0800' if last else '0x8847'}")
        action = chance.choice(choices)
        depth += {"push_mpls": 1, "pop_mpls": -1}.get(action.partition(":")[0], 0)
        actions.append(action)
        if action == "pop_mpls:0x0800":
            # What lies below is no match of the flow's: no more in this list.
            break
    return actions


Pipeline = list[dict[str, list[str]]]


def expected(pipeline: Pipeline, packet: Packet) -> tuple[int, bytes] | None:
    """The port that the packet leaves at and its bytes."""
    packet = replace(packet, stack=list(packet.stack))
    try:
        for stage in pipeline:
            for action in stage[packet.kind]:
                run(packet, action)
    except (LostError, EndOfListError):
        return None
    seen = packet.register or packet.outer_ttl
    return PORTS.get(seen, ELSEWHERE), packet.build()


def install(switch: Switch, pipeline: Pipeline) -> None:
    for table, stage in enumerate(pipeline):
        for kind, actions in stage.items():
            todo = ",".join([*actions, f"goto_table:{table + 1}"])
            switch.add_flow(f"table={table},{kind},actions={todo}")
    final = len(pipeline)
    for seen, port in PORTS.items():
        # What a register holds is looked at first.
        switch.add_flow(f"table={final},priority=9,reg0={seen},actions=output:{port}")
        for kind, name in ((IP, "nw_ttl"), ("mpls", "mpls_ttl")):
            text = f"table={final},priority=5,reg0=0,{kind},{name}={seen},actions=output:{port}"
            switch.add_flow(text)
    switch.add_flow(f"table={final},priority=0,actions=output:{ELSEWHERE}")


@pytest.fixture(scope="module")
def shared() -> Iterator[Switch]:
    outputs = sorted({*PORTS.values(), ELSEWHERE})
    ports = ["a=1:memory", *(f"p{number}={number}:memory" for number in outputs)]
    with Switch(ports=ports, workers=0) as switch:
        yield switch


def left(switch: Switch) -> tuple[int, bytes] | None:
    found = [
        (port, frame)
        for port in sorted({*PORTS.values(), ELSEWHERE})
        for frame in switch.receive(port)
    ]
    assert len(found) <= 1, found
    return found[0] if found else None


@pytest.mark.parametrize("seed", range(PIPELINES))
def test_lookups_see_the_ttl_that_the_packet_has(shared: Switch, seed: int) -> None:
    chance = random.Random(seed)
    shared.del_flows()
    pipeline = [
        {kind: random_list(chance, kind) for kind in (IP, LAST, UPPER)} for _ in range(STAGES)
    ]
    install(shared, pipeline)
    for _ in range(PACKETS):
        labels = [(chance.randrange(100), chance.choice(TTLS)) for _ in range(chance.randrange(4))]
        packet = Packet(chance.choice(TTLS), labels)
        shared.inject(1, packet.build())
        assert left(shared) == expected(pipeline, packet), (packet, pipeline)
