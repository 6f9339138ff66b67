"""Whole sessions with a whole switch, in raw bytes: how they begin, and what they share."""

import random
import socket
import struct
from collections.abc import Iterator

import pytest

from ovsflow import Switch
from ovsflow.config.switch import DescConfig, SwitchConfig
from ovsflow.openflow import codec
from ovsflow.openflow.flow_stats import FlowStatsReply
from ovsflow.openflow.framing import Framer
from tests.switch.talker import (
    ANY,
    ERROR,
    ONF,
    PACKET_IN,
    VERSIONS,
    Talker,
    attach,
    error,
    flow_mod,
    flow_request,
    in_port,
    message,
    output,
)

NAMES = {1: "OpenFlow10", 4: "OpenFlow13", 5: "OpenFlow14", 6: "OpenFlow15"}
ALL_GROUPS = 0xFFFFFFFC


@pytest.fixture
def switch() -> Iterator[Switch]:
    with Switch("s0", ports=["p1:memory", "p2:memory"], workers=0) as switch:
        yield switch


# -- Versions --------------------------------------------------------------------------------------


def hello(top: int, bitmap: tuple[int, ...] | None) -> bytes:
    """A HELLO of version `top`, with a bitmap or without."""
    if bitmap is None:
        return message(top, 0)
    return message(top, 0, struct.pack("!HHI", 1, 8, sum(1 << each for each in bitmap)))


def greet(switch: Switch, greeting: bytes) -> tuple[bytes, bytes]:
    """The switch's HELLO, and what it says to ours and to a question in each version after it."""
    # All in one piece: a switch that shares no version closes as soon as it has read ours.
    questions = (message(each, 20 if each > 1 else 18, b"", greeting[0]) for each in VERSIONS)
    ours, theirs = socket.socketpair()
    with ours:
        ours.settimeout(20)
        switch.attach(theirs)
        ours.sendall(greeting + b"".join(questions))
        framer, messages = Framer(), list[bytes]()
        while len(messages) < 2:
            data = ours.recv(4096)
            assert data, "closed without an answer"
            messages += framer.feed(data)
        return messages[0], messages[1]


@pytest.mark.parametrize("limit", [(1,), (4,), (1, 4), (4, 5, 6), (1, 4, 5, 6)])
def test_every_pair_of_sides_agrees_on_the_highest_they_share(limit: tuple[int, ...]) -> None:
    protocols = [NAMES[version] for version in limit]
    peers = [(1,), (4,), (5,), (6,), (1, 4), (1, 6), (4, 5), (2, 3), (1, 2, 3, 4, 5, 6)]
    with Switch("v0", workers=0, protocols=protocols) as switch:
        for spoken in peers:
            shared = set(limit) & set(spoken)
            first, rest = greet(switch, hello(max(spoken), spoken))
            # Who speaks OpenFlow 1.0 alone has nothing to list.
            bitmap = b"" if limit == (1,) else hello(1, limit)[8:]
            assert (first[0], first[8:]) == (max(limit), bitmap)
            if shared:
                assert rest[0] == max(shared), (limit, spoken)
                continue
            # OFPET_HELLO_FAILED, OFPHFC_INCOMPATIBLE, and a sentence.
            assert (rest[1], rest[8:12]) == (ERROR, bytes(4)), (limit, spoken)
            assert rest[12:].decode("ascii") == "this side speaks " + ", ".join(
                f"{version:#04x}" for version in limit
            )


@pytest.mark.parametrize(
    ("limit", "top", "agreed"),
    [
        ((1, 4, 5, 6), 1, 1),
        ((1, 4, 5, 6), 4, 4),
        ((1, 4, 5, 6), 6, 6),
        ((1, 4), 6, 4),
        ((1, 4, 5, 6), 3, 1),
        ((1, 4, 5, 6), 0x20, 6),
        ((4, 5), 1, None),
        ((4, 5), 3, None),
    ],
)
def test_without_a_bitmap_all_older_versions_are_meant(
    limit: tuple[int, ...], top: int, agreed: int | None
) -> None:
    with Switch("v1", workers=0, protocols=[NAMES[version] for version in limit]) as switch:
        _, rest = greet(switch, hello(top, None))
    if agreed is None:
        assert (rest[1], rest[8:12]) == (ERROR, bytes(4))
    else:
        assert rest[0] == agreed


# -- What a switch says of itself ------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_no_auxiliary_connections_are_known(switch: Switch, version: int) -> None:
    """Auxiliary connections are the switch's to open, and it opens none.

    A second connection of a controller is a session like any: both are told of auxiliary id 0, and
    each has a role of its own.
    """
    first, second = attach(switch, version), attach(switch, version)
    with first.sock, second.sock:
        for talker in (first, second):
            (reply,) = talker.say(5)
            assert (reply[1], reply[20]) == (6, 254)
            assert version == 1 or reply[21] == 0
        if version > 1:
            primary = struct.pack("!I4xQ", 2, 1) if version < 6 else struct.pack("!IHxxQ", 2, 1, 1)
            assert len(first.say(24, primary)) == 1
            assert len(second.say(24, primary)) == 1
            first.hear()
            assert error(first.ask(flow_mod(version))) == (1, 10)
            assert second.ask(flow_mod(version)) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_descriptions_are_what_was_configured(version: int) -> None:
    describe = DescConfig("Make", "Hard", "Soft 1.2", "S-77", "rack 9")
    config = SwitchConfig(name="d0", workers=0, describe=describe)
    for made, expected in (
        (Switch.from_config(config), ("Make", "Hard", "Soft 1.2", "S-77", "rack 9")),
        (Switch("d0", workers=0), ("Nicira, Inc.", "Open vSwitch", None, "None", "d0")),
    ):
        with made as switch:
            talker = attach(switch, version)
            with talker.sock:
                (reply,) = talker.multipart(0)
        body = reply[12 if version == 1 else 16 :]
        assert len(body) == 1056
        cuts = (body[:256], body[256:512], body[512:768], body[768:800], body[800:])
        found = tuple(text.rstrip(b"\0").decode() for text in cuts)
        assert [a for a, b in zip(found, expected, strict=True) if b not in (None, a)] == []


def test_a_barrier_is_answered_when_all_see_what_was_before_it(switch: Switch) -> None:
    talkers = [attach(switch, version) for version in VERSIONS]
    for talker in talkers:
        # To OpenFlow 1.0 what no flow matches is a packet-in.
        talker.ignored |= {PACKET_IN}
    frame = bytes(12) + b"\x12\x34" + bytes(46)
    for number in range(40):
        author = talkers[number % 4]
        version, port = author.version, 1 + number % 2
        out = 3 - port
        flow = flow_mod(version, match=in_port(version, port), actions=output(version, out))
        assert author.ask(flow) == []
        switch.inject(port, frame)
        assert switch.receive(out) == [frame]
        gone = flow_mod(version, command=3)
        assert author.ask(gone) == []
        switch.inject(port, frame)
        assert switch.receive(out) == []
        for other in talkers:
            (reply,) = other.multipart(1, flow_request(other.version))
            assert len(reply) == (12 if other.version == 1 else 16)
    for talker in talkers:
        talker.sock.close()


# -- Bundles ---------------------------------------------------------------------------------------


class Bundler:
    """Puts messages into a bundle."""

    def __init__(self, talker: Talker) -> None:
        self.talker = talker
        self.version = talker.version

    def control(self, kind: int, flags: int = 3) -> list[bytes]:
        body = struct.pack("!IHH", 1, kind, flags)
        if self.version == 4:
            return self.talker.vendor(ONF, 2300, body)
        return self.talker.say(33, body)

    def add(self, inner: bytes, flags: int = 3) -> list[bytes]:
        body = struct.pack("!IHH", 1, 0, flags) + inner
        if self.version == 4:
            return self.talker.vendor(ONF, 2301, body)
        return self.talker.say(34, body)


def group(version: int, command: int, number: int, port: int) -> bytes:
    action = output(version, port)
    buckets = struct.pack("!HHII4x", 16 + len(action), 0, ANY, ANY) + action
    if version == 6:
        buckets = struct.pack("!HHI", 8 + len(action), len(action), port) + action
    buckets = b"" if command == 2 else buckets
    head = struct.pack("!HBxI", command, 0, number)
    head += struct.pack("!HxxI", len(buckets), ANY) if version == 6 else b""
    return message(version, 15, head + buckets)


def meter(version: int, command: int, number: int, rate: int) -> bytes:
    band = b"" if command == 2 else struct.pack("!HHII4x", 1, 16, rate, 100)
    return message(version, 29, struct.pack("!HHI", command, 1, number) + band)


def everything(talker: Talker) -> list[object]:
    """Flows, groups and meters, without clocks."""
    flows = [
        (flow.match, flow.instructions, flow.priority, flow.cookie, flow.packet_count, flow.flags)
        for reply in talker.multipart(1, flow_request(talker.version))
        if isinstance(body := codec.decode(reply).body, FlowStatsReply)
        for flow in body.flows
    ]
    every = struct.pack("!I4x", ALL_GROUPS) if talker.version == 6 else b""
    groups = [reply[16:] for reply in talker.multipart(7, every)]
    stats = talker.multipart(6, struct.pack("!I4x", ALL_GROUPS))
    counts = [(one[4:32], one[40:]) for reply in stats for one in _cut(reply[16:])]
    meters = [reply[16:] for reply in talker.multipart(10, struct.pack("!I4x", ANY))]
    return [sorted(flows, key=repr), groups, counts, meters]


def _cut(data: bytes) -> Iterator[bytes]:
    while data:
        size = int.from_bytes(data[:2], "big")
        yield data[:size]
        data = data[size:]


def some_change(chance: random.Random, version: int) -> bytes:
    number, port = chance.randrange(1, 5), chance.randrange(1, 3)
    kind = chance.randrange(8)
    if kind == 0:
        return group(version, chance.choice((0, 1, 2)), number, port)
    if kind == 1:
        return meter(version, chance.choice((0, 1, 2)), number, 1000 * port)
    if kind == 2:
        to_group = struct.pack("!HHI", 22, 8, number)
        return flow_mod(version, priority=number, actions=to_group, match=in_port(version, port))
    if kind == 3:
        return flow_mod(version, command=chance.choice((1, 3)), match=in_port(version, port))
    return flow_mod(
        version,
        priority=number,
        match=in_port(version, port),
        actions=output(version, port),
        cookie=chance.randrange(9),
        flags=chance.choice((0, 0, 4)),
    )


@pytest.mark.parametrize("version", [4, 5, 6])
def test_a_bundle_that_fails_leaves_no_trace(switch: Switch, version: int) -> None:
    """Random bundles: what one message after the other does, or nothing at all."""
    chance = random.Random(version)
    talker = attach(switch, version)
    frame = bytes(12) + b"\x12\x34" + bytes(46)
    bundler = Bundler(talker)
    failed = 0
    with talker.sock, Switch("s1", ports=["p1:memory", "p2:memory"], workers=0) as twin:
        single = attach(twin, version)
        for _ in range(60):
            changes = [some_change(chance, version) for _ in range(chance.randrange(1, 8))]
            before = everything(talker)
            assert len(bundler.control(0)) == 1
            for change in changes:
                assert bundler.add(change) == []
            assert everything(talker) == before
            answers = bundler.control(4)
            errors = [answer for answer in answers if answer[1] == ERROR]
            if errors:
                failed += 1
                assert everything(talker) == before
            else:
                assert [single.ask(change) for change in changes] == [[]] * len(changes)
            for port in (1, 2):
                switch.inject(port, frame)
                twin.inject(port, frame)
            assert everything(talker) == everything(single)
        single.sock.close()
    assert 5 < failed < 55
