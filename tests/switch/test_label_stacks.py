"""Label stacks and their TTLs against a naive model: random pipelines, and what lookups then see.

A pipeline is a few tables; in each one flow for IP, one for the last label and one for labels
above others, each with a VLAN tag and without, with actions that push, pop, copy, count down and
write; then tables that look at the TTL which the packet has by then.
"""

import os
import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address

import pytest

from ovsflow import Switch
from tests.switch.frames import internet_checksum

PIPELINES = int(os.environ.get("OVSFLOW_PIPELINES", "120"))
PACKETS = 12
STAGES = 3
TTLS = (0, 1, 2, 3, 64, 255)
IP, LAST, UPPER = "ip", "mpls,mpls_bos=1", "mpls,mpls_bos=0"
UNTAGGED, TAGGED = "vlan_tci=0", "vlan_tci=0x1000/0x1000"
KINDS = [(kind, vlan) for kind in (IP, LAST, UPPER) for vlan in (UNTAGGED, TAGGED)]
MAX_LABELS, MAX_TAGS = 3, 2
VIDS, DSCPS, SOURCES = (0, 5, 4095), (0, 46), (0x0A000001, 0xC0A80001)

#: Where the packets go by the TTL that the last table sees.
PORTS = {2: 10, 64: 11, 63: 12, 1: 13}
ELSEWHERE = 14


class LostError(Exception):
    """The packet is dropped whole."""


class EndOfListError(Exception):
    """A TTL has expired."""


@dataclass
class Packet:
    """A stack of labels with their TTLs on an IP packet, behind tags; outermost first."""

    ttl: int
    stack: list[tuple[int, int]] = field(default_factory=list)
    tags: list[int] = field(default_factory=list)
    dscp: int = 0
    source: int = SOURCES[0]
    register: int = 0

    def build(self) -> bytes:
        """The frame."""
        frame = bytes.fromhex("02000000000b02000000000a")
        frame += b"".join(struct.pack("!HH", 0x8100, tci) for tci in self.tags)
        frame += struct.pack("!H", 0x8847 if self.stack else 0x0800)
        for index, (label, ttl) in enumerate(self.stack):
            bottom = index == len(self.stack) - 1
            frame += struct.pack("!I", label << 12 | bottom << 8 | ttl)
        head = struct.pack("!BBHHHBBH", 0x45, self.dscp << 2, 48, 7, 0, self.ttl, 0xFD, 0)
        head += struct.pack("!II", self.source, 0x0A0B0C0D)
        checksum = internet_checksum(head)
        return frame + head[:10] + struct.pack("!H", checksum) + head[12:] + bytes(28)

    @property
    def kind(self) -> tuple[str, str]:
        layer = (IP, LAST, UPPER, UPPER)[len(self.stack)]
        return layer, TAGGED if self.tags else UNTAGGED

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
    if "->" in argument:
        argument, _, name = argument.partition("->")
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
    elif name == "push_vlan":
        packet.tags.insert(0, packet.tags[0] if packet.tags else 0)
    elif name == "pop_vlan":
        packet.tags.pop(0)
    elif name == "vlan_vid":
        packet.tags[0] = packet.tags[0] & 0xF000 | int(argument) & 0xFFF
    elif name == "vlan_pcp":
        packet.tags[0] = packet.tags[0] & 0x1FFF | int(argument) << 13
    elif name == "ip_dscp":
        packet.dscp = int(argument)
    elif name == "mod_nw_src":
        packet.source = int(IPv4Address(argument))
    elif name == "copy_ttl_out":
        packet.stack[0] = (packet.stack[0][0], below(packet))
    elif name == "copy_ttl_in":
        outer = packet.outer_ttl
        if len(packet.stack) > 1:
            packet.stack[1] = (packet.stack[1][0], outer)
        else:
            packet.ttl = outer
    elif name.startswith("NXM_NX_REG0"):
        packet.register = packet.outer_ttl
    else:
        raise AssertionError(action)


def below(packet: Packet) -> int:
    return packet.stack[1][1] if len(packet.stack) > 1 else packet.ttl


def random_list(chance: random.Random, kind: str, vlan: str) -> list[str]:
    """Actions that a flow for such packets may have."""
    actions: list[str] = []
    # Labels and tags known to be there; a packet of `UPPER` or `TAGGED` may have more.
    depth, tags = {IP: 0, LAST: 1, UPPER: 2}[kind], int(vlan == TAGGED)
    for _ in range(chance.randrange(6)):
        ttl = chance.choice((1, 2, 5, 64))
        if chance.random() < 0.3:
            action = chance.choice(tag_actions(chance, tags, vlan))
            tags += {"push_vlan:0x8100": 1, "pop_vlan": -1}.get(action, 0)
            actions.append(action)
            continue
        if depth == 0:
            choices = ["push_mpls:0x8847", "dec_ttl", f"mod_nw_ttl:{ttl}"]
            choices.append("move:NXM_NX_IP_TTL[]->NXM_NX_REG0[0..7]")
            choices.append(f"set_field:{chance.choice(DSCPS)}->ip_dscp")
            choices.append(f"mod_nw_src:{IPv4Address(chance.choice(SOURCES))}")
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


def tag_actions(chance: random.Random, tags: int, vlan: str) -> list[str]:
    """What may be done to tags, of which so many are known."""
    # Whoever is tagged may have another tag, which leaves no room.
    choices = ["push_vlan:0x8100"] if tags < MAX_TAGS - (vlan == TAGGED) else []
    if tags:
        choices += ["pop_vlan", f"set_field:{chance.choice(VIDS) | 0x1000}->vlan_vid"]
        choices.append(f"set_field:{chance.randrange(8)}->vlan_pcp")
    return choices


Pipeline = list[dict[tuple[str, str], list[str]]]


def expected(pipeline: Pipeline, packet: Packet) -> tuple[int, bytes] | None:
    """The port that the packet leaves at and its bytes."""
    packet = replace(packet, stack=list(packet.stack), tags=list(packet.tags))
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
            switch.add_flow(f"table={table},{','.join(kind)},actions={todo}")
    final = len(pipeline)
    for seen, port in PORTS.items():
        # What a register holds is looked at first.
        switch.add_flow(f"table={final},priority=9,reg0={seen},actions=output:{port}")
        for layer, name in ((IP, "nw_ttl"), ("mpls", "mpls_ttl")):
            text = f"table={final},priority=5,reg0=0,{layer},{name}={seen},actions=output:{port}"
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
    pipeline = [{kind: random_list(chance, *kind) for kind in KINDS} for _ in range(STAGES)]
    install(shared, pipeline)
    for _ in range(PACKETS):
        labels = [(chance.randrange(100), chance.choice(TTLS)) for _ in range(chance.randrange(4))]
        tags = [
            chance.randrange(8) << 13 | chance.choice(VIDS)
            for _ in range(chance.choice((0, 0, 1, 2)))
        ]
        packet = Packet(chance.choice(TTLS), labels, tags, chance.choice(DSCPS))
        shared.inject(1, packet.build())
        assert left(shared) == expected(pipeline, packet), (packet, pipeline)
