"""How a stream is cut: whole, byte by byte, with a tail."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovsflow.switch.intake import SLICE_BYTES, BrokenStreamError, Intake, Piece
from tests.session.fake import raw

BULK = bytes((13, 14, 15))
ECHO = raw(4, 2, b"hello")
MOD = raw(4, 14, bytes(48))
GROUP = raw(4, 15, bytes(8))
OLD_MOD = raw(1, 14, bytes(64))


def cut(data: bytes, *, step: int | None = None) -> list[Piece]:
    intake, pieces = Intake(), []
    step = step or len(data) or 1
    for start in range(0, len(data), step):
        intake.feed(data[start : start + step])
        while (piece := intake.take(4, BULK)) is not None:
            pieces.append(piece)
    return pieces


def test_neighbouring_table_changes_come_as_one_slice() -> None:
    pieces = cut(ECHO + MOD + GROUP + MOD + ECHO + MOD)
    assert pieces == [
        Piece(ECHO, False),
        Piece(MOD + GROUP + MOD, True),
        Piece(ECHO, False),
        Piece(MOD, True),
    ]


def test_a_table_change_of_another_version_is_not_in_the_slice() -> None:
    assert cut(MOD + OLD_MOD + MOD) == [Piece(MOD, True), Piece(OLD_MOD, False), Piece(MOD, True)]


def test_an_incomplete_message_waits_and_the_slice_before_it_does_not() -> None:
    intake = Intake()
    intake.feed(MOD + MOD[:20])
    assert intake.take(4, BULK) == Piece(MOD, True)
    assert intake.take(4, BULK) is None
    assert len(intake) == 20
    intake.feed(MOD[20:])
    assert intake.take(4, BULK) == Piece(MOD, True)
    assert len(intake) == 0


def test_a_slice_ends_at_its_limit() -> None:
    many = SLICE_BYTES // len(MOD) + 10
    pieces = cut(MOD * many)
    assert [piece.bulk for piece in pieces] == [True, True]
    assert SLICE_BYTES <= len(pieces[0].data) < SLICE_BYTES + len(MOD)
    assert b"".join(piece.data for piece in pieces) == MOD * many


@pytest.mark.parametrize("length", range(8))
def test_a_length_below_the_header_breaks_the_stream_after_what_is_good(length: int) -> None:
    broken = bytes([4, 2, 0, length, 0, 0, 0, 0])
    intake = Intake()
    intake.feed(MOD + broken)
    assert intake.take(4, BULK) == Piece(MOD, True)
    with pytest.raises(BrokenStreamError, match=f"{length} bytes"):
        intake.take(4, BULK)


@given(
    st.lists(st.sampled_from([ECHO, MOD, GROUP, OLD_MOD]), max_size=12),
    st.integers(1, 80),
    st.binary(max_size=7),
)
def test_pieces_are_the_stream_however_it_arrives(
    messages: list[bytes], step: int, tail: bytes
) -> None:
    stream = b"".join(messages)
    assert b"".join(piece.data for piece in cut(stream + tail, step=step)) == stream
    for piece in cut(stream, step=1):
        assert piece.data in messages
