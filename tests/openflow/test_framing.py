"""A stream is cut the same however it arrives."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ovsflow.errors import DecodeError
from ovsflow.openflow.framing import Framer
from tests.openflow.corpus import frames

MESSAGES = [data for data in frames().values() if int.from_bytes(data[2:4]) == len(data)]


def test_messages_fed_whole() -> None:
    assert Framer().feed(b"".join(MESSAGES)) == MESSAGES


def test_messages_fed_byte_by_byte() -> None:
    framer = Framer()
    stream = b"".join(MESSAGES[:40])
    found = [message for byte in stream for message in framer.feed(bytes([byte]))]
    assert found == MESSAGES[:40]
    assert framer.pending == 0


def test_tail_waits_for_its_rest() -> None:
    framer = Framer()
    assert framer.feed(MESSAGES[0] + MESSAGES[1][:5]) == [MESSAGES[0]]
    assert framer.pending == 5
    assert framer.feed(MESSAGES[1][5:]) == [MESSAGES[1]]


@settings(max_examples=50)
@given(st.lists(st.integers(1, 200), min_size=1))
def test_messages_fed_in_pieces_of_any_size(sizes: list[int]) -> None:
    framer = Framer()
    stream = b"".join(MESSAGES[:20])
    found: list[bytes] = []
    position = 0
    while position < len(stream):
        size = sizes[position % len(sizes)]
        found += framer.feed(stream[position : position + size])
        position += size
    assert found == MESSAGES[:20]


def test_length_below_the_header_ends_the_stream() -> None:
    framer = Framer()
    assert framer.feed(MESSAGES[0] + b"\x04\x00\x00\x07rest") == [MESSAGES[0]]
    with pytest.raises(DecodeError) as caught:
        framer.feed(b"")
    assert (caught.value.kind, caught.value.code) == (1, 6)


def test_length_below_the_header_alone_raises_at_once() -> None:
    with pytest.raises(DecodeError):
        Framer().feed(b"\x04\x00\x00\x00\x00\x00\x00\x00")
