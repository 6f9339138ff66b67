"""PBB services and VLAN tags against a naive model: random pipelines, and what lookups then see.

A pipeline is a few tables with a flow for each kind of frame; then tables that look at the outer
service, tag and address, as they are by then.
"""

import os
import random
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import pytest

from ovsflow import Switch

PIPELINES = int(os.environ.get("OVSFLOW_PIPELINES", "120"))
PACKETS = 12
STAGES = 3
MAX_TAGS = 2
ADDRESSES = tuple(bytes([2, 0, 0, 0, 0, n]) for n in range(1, 5))
SERVICES = (0, 7, 0xABCDEF)
VIDS = (0, 5, 100)
OTHER = 0x1234

#: Kinds of frames, by what is outermost: a service or not, a tag or not.
KINDS = {
    (service, tagged): f"dl_type={0x88E7 if service else OTHER:#x},vlan_tci="
    + ("0x1000/0x1000" if tagged else "0")
    for service in (False, True)
    for tagged in (False, True)
}
PORTS = tuple(range(10, 16))


class LostError(Exception):
    """The packet is dropped whole."""


@dataclass
class Frame:
    """Ethernet with tags, outermost first, and a service with a frame of its own, or a payload."""

    dst: bytes
    src: bytes
    tags: list[int] = field(default_factory=list)
    itag: int = 0
    inner: "Frame | None" = None

    def build(self) -> bytes:
        """The bytes."""
        data = self.dst + self.src + b"".join(struct.pack("!HH", 0x8100, tci) for tci in self.tags)
        if self.inner is None:
            return data + struct.pack("!H", OTHER) + bytes(range(64))
        return data + struct.pack("!HI", 0x88E7, self.itag) + self.inner.build()

    def copy(self) -> "Frame":
        inner = self.inner.copy() if self.inner else None
        return replace(self, tags=list(self.tags), inner=inner)

    @property
    def kind(self) -> tuple[bool, bool] | None:
        """What the switch sees outermost: nothing that it knows behind a third tag."""
        if len(self.tags) > MAX_TAGS:
            return None
        return self.inner is not None, bool(self.tags)

    @property
    def service(self) -> int | None:
        """The I-TAG in sight."""
        return self.itag if self.kind and self.inner else None


def run(frame: Frame, action: str) -> Frame:
    """What one action leaves, as the specification says it."""
    word, _, target = action.removeprefix("set_field:").partition("->")
    if action == "push_vlan:0x8100":
        if len(frame.tags) == MAX_TAGS:
            raise LostError
        frame.tags.insert(0, frame.tags[0] if frame.tags else 0)
    elif action == "pop_vlan":
        frame.tags.pop(0)
    elif action == "push_pbb:0x88e7":
        itag = frame.itag if frame.inner else 0
        return Frame(frame.dst, frame.src, [], itag, frame)
    elif action == "pop_pbb":
        # Tags stand outside of the service, and stay.
        assert frame.inner is not None
        frame.inner.tags[:0] = frame.tags
        return frame.inner
    elif target == "vlan_vid":
        frame.tags[0] = frame.tags[0] & 0xF000 | int(word, 0) & 0xFFF
    elif target == "vlan_pcp":
        frame.tags[0] = frame.tags[0] & 0x1FFF | int(word) << 13
    elif target == "pbb_isid":
        frame.itag = frame.itag & 0xFF000000 | int(word, 0)
    elif target == "pbb_uca":
        frame.itag = frame.itag & ~(1 << 27) | int(word) << 27
    elif target == "eth_dst":
        frame.dst = bytes.fromhex(word.replace(":", ""))
    else:
        raise AssertionError(action)
    return frame


def random_list(chance: random.Random, kind: tuple[bool, bool]) -> list[str]:
    """Actions that a flow for such frames may have."""
    service, tagged = kind
    # Tags that are known to be there.
    tags = int(tagged)
    actions: list[str] = []
    for _ in range(chance.randrange(5)):
        choices = ["push_pbb:0x88e7", f"set_field:{chance.choice(ADDRESSES).hex(':')}->eth_dst"]
        choices += ["push_vlan:0x8100"] * (tags < MAX_TAGS and (tags > 0 or not tagged))
        if tags:
            choices += ["pop_vlan", f"set_field:{chance.choice(VIDS) | 0x1000:#x}->vlan_vid"]
            choices.append(f"set_field:{chance.randrange(8)}->vlan_pcp")
        if service:
            choices += [f"set_field:{chance.choice(SERVICES):#x}->pbb_isid", "pop_pbb", "pop_pbb"]
            choices.append(f"set_field:{chance.randrange(2)}->pbb_uca")
        action = chance.choice(choices)
        actions.append(action)
        tags += {"push_vlan:0x8100": 1, "pop_vlan": -1}.get(action, 0)
        if action == "pop_pbb":
            # What lies inside is no match of the flow's: no more in this list.
            break
        if action == "push_pbb:0x88e7":
            service, tagged, tags = True, False, 0
    return actions


Pipeline = list[dict[tuple[bool, bool], list[str]]]

#: The last table: what a frame must be, in falling priority, to leave by each port.
LAST: tuple[tuple[str, Callable[[Frame], bool]], ...] = (
    (
        "dl_type=0x88e7,pbb_isid=7",
        lambda frame: frame.service is not None and frame.service & 0xFFFFFF == 7,
    ),
    (
        "dl_type=0x88e7,pbb_uca=1",
        lambda frame: frame.service is not None and bool(frame.service >> 27 & 1),
    ),
    ("dl_vlan=5", lambda frame: bool(frame.tags) and frame.tags[0] & 0xFFF == 5),
    (f"dl_dst={ADDRESSES[1].hex(':')}", lambda frame: frame.dst == ADDRESSES[1]),
    (f"dl_type={OTHER:#x},vlan_tci=0", lambda frame: frame.inner is None and not frame.tags),
    ("", lambda _: True),
)


def expected(pipeline: Pipeline, frame: Frame) -> tuple[int, bytes] | None:
    """The port that the frame leaves at and its bytes."""
    frame = frame.copy()
    try:
        for stage in pipeline:
            if frame.kind is None:
                return None
            for action in stage[frame.kind]:
                frame = run(frame, action)
    except LostError:
        return None
    port = next(port for port, (_, holds) in zip(PORTS, LAST, strict=True) if holds(frame))
    return port, frame.build()


def install(switch: Switch, pipeline: Pipeline) -> None:
    for table, stage in enumerate(pipeline):
        for kind, actions in stage.items():
            todo = ",".join([*actions, f"goto_table:{table + 1}"])
            switch.add_flow(f"table={table},{KINDS[kind]},actions={todo}")
    for priority, (port, (match, _)) in enumerate(zip(PORTS, LAST, strict=True)):
        start = f"table={len(pipeline)},priority={9 - priority}"
        switch.add_flow(",".join(filter(None, (start, match, f"actions=output:{port}"))))


@pytest.fixture(scope="module")
def shared() -> Iterator[Switch]:
    ports = ["a=1:memory", *(f"p{number}={number}:memory" for number in PORTS)]
    with Switch(ports=ports, workers=0) as switch:
        yield switch


def random_frame(chance: random.Random, depth: int = 0) -> Frame:
    tags = [
        chance.randrange(8) << 13 | chance.choice(VIDS)
        for _ in range(chance.choice((0, 0, 1, 1, 2)))
    ]
    frame = Frame(chance.choice(ADDRESSES), chance.choice(ADDRESSES), tags)
    if depth < 2 and chance.random() < 0.5:
        frame.itag = chance.randrange(2) << 27 | chance.choice(SERVICES)
        frame.inner = random_frame(chance, depth + 1)
    return frame


@pytest.mark.parametrize("seed", range(PIPELINES))
def test_lookups_see_the_headers_that_the_frame_has(shared: Switch, seed: int) -> None:
    chance = random.Random(seed)
    shared.del_flows()
    pipeline = [{kind: random_list(chance, kind) for kind in KINDS} for _ in range(STAGES)]
    install(shared, pipeline)
    for _ in range(PACKETS):
        frame = random_frame(chance)
        shared.inject(1, frame.build())
        left = [(port, data) for port in PORTS for data in shared.receive(port)]
        wanted = expected(pipeline, frame)
        assert left == ([wanted] if wanted else []), (frame, pipeline)
