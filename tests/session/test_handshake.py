"""Version negotiation, and what may come before and after it."""

import struct

import pytest

from ovsflow.openflow import codec
from ovsflow.openflow.failure import ErrorMessage
from ovsflow.openflow.handshake import EchoReply, EchoRequest, Hello
from tests.session.fake import FakeDatapath, Peer, bridge_of, raw

HELLO_FAILED = 0


def hello(version: int, *bitmap: int) -> bytes:
    """A HELLO; with versions, it has a bitmap of them."""
    if not bitmap:
        return raw(version, 0)
    bits = sum(1 << each for each in bitmap)
    return raw(version, 0, struct.pack("!HHI", 1, 8, bits))


@pytest.mark.parametrize(
    ("protocols", "greeting", "agreed"),
    [
        ((1, 4, 5, 6), hello(4, 4), 4),
        ((1, 4, 5, 6), hello(6, 1, 4, 5, 6), 6),
        ((1, 4), hello(6, 1, 4, 5, 6), 4),
        ((4,), hello(1, 1, 4), 4),
        ((1, 4, 5, 6), hello(1), 1),
        ((1, 4, 5, 6), hello(4), 4),
        ((1, 4, 5, 6), hello(9), 6),
        ((1, 4), hello(5), 4),
        ((1, 4), hello(3), 1),
    ],
)
def test_the_highest_common_version_is_agreed_on(
    protocols: tuple[int, ...], greeting: bytes, agreed: int
) -> None:
    peer = Peer(bridge_of(FakeDatapath(), protocols), greet=False)
    peer.give(greeting)
    assert peer.session.version == agreed
    assert peer.session.open


@pytest.mark.parametrize(
    ("protocols", "greeting"),
    [((4,), hello(1)), ((4,), hello(5, 5, 6)), ((5, 6), hello(4, 1, 4)), ((4,), hello(3))],
)
def test_no_common_version_is_an_error_and_the_end(
    protocols: tuple[int, ...], greeting: bytes
) -> None:
    peer = Peer(bridge_of(FakeDatapath(), protocols), greet=False)
    peer.take()
    peer.give(greeting)
    (answer,) = peer.bodies()
    assert isinstance(answer, ErrorMessage)
    assert (answer.type, answer.code) == (HELLO_FAILED, 0)
    assert peer.session.ended == "no OpenFlow version in common"


def test_the_switch_says_hello_first_with_its_versions() -> None:
    peer = Peer(bridge_of(FakeDatapath(), (1, 4)), greet=False)
    (message,) = peer.take()
    received = codec.decode(message)
    assert received.version == 4
    assert received.body == Hello((1, 4))


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        raw(4, 5),
        raw(4, 2),
        raw(0, 0),
        b"\x04\x00\x00\x07\0\0\0\0",
    ],
)
def test_anything_but_hello_ends_the_conversation(data: bytes) -> None:
    peer = Peer(bridge_of(FakeDatapath()), greet=False)
    peer.give(data)
    assert peer.session.ended is not None


def test_half_a_hello_is_waited_for() -> None:
    peer = Peer(bridge_of(FakeDatapath()), greet=False)
    for byte in hello(4, 4):
        assert not peer.session.open
        peer.give(bytes([byte]))
    assert peer.session.open


def test_hello_elements_that_are_not_known_are_skipped() -> None:
    peer = Peer(bridge_of(FakeDatapath()), greet=False)
    element = struct.pack("!HH4x", 77, 8)
    peer.give(raw(6, 0, element + struct.pack("!HHI", 1, 8, 1 << 4)))
    assert peer.session.version == 4


def test_hello_element_of_length_zero_does_not_hang() -> None:
    peer = Peer(bridge_of(FakeDatapath()), greet=False)
    peer.take()
    peer.give(raw(4, 0, struct.pack("!HHI", 1, 0, 0)))
    assert peer.take() or peer.session.open


def test_second_hello_is_a_bad_type() -> None:
    peer = Peer(bridge_of(FakeDatapath()))
    (answer,) = peer.say(0)
    assert isinstance(answer, ErrorMessage)
    assert (answer.type, answer.code) == (1, 1)
    assert peer.session.open


@pytest.mark.parametrize("version", [1, 2, 4, 5, 9])
def test_echo_is_answered_in_any_version(version: int) -> None:
    peer = Peer(bridge_of(FakeDatapath()))
    assert peer.say(2, b"abc", version=version) == [EchoReply(b"abc")]


@pytest.mark.parametrize(("version", "kind"), [(1, 5), (5, 5), (1, 14), (9, 20)])
def test_another_version_is_refused_otherwise(version: int, kind: int) -> None:
    datapath = FakeDatapath()
    peer = Peer(bridge_of(datapath))
    (answer,) = peer.say(kind, bytes(48), version=version)
    assert isinstance(answer, ErrorMessage)
    assert (answer.type, answer.code) == (1, 0)
    assert datapath.applied == []


def test_longest_echo_comes_back() -> None:
    peer = Peer(bridge_of(FakeDatapath()))
    data = bytes(0xFFFF - 8)
    assert peer.ask(EchoRequest(data)) == [EchoReply(data)]


def test_an_ended_session_says_nothing_more() -> None:
    peer = Peer(bridge_of(FakeDatapath()))
    peer.session.end("enough")
    assert peer.say(2) == []
    assert peer.session.bridge.sessions == {}
