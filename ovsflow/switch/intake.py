"""Cuts a stream of bytes into OpenFlow messages, and leaves the bulk of them uncut.

Messages that change tables are by far the most, and the datapath takes them as they are on the
wire.  So only headers are looked at here, and neighbouring messages whose type is in `bulk` come
out as ONE slice.  Everything else comes out one message at a time.

The stream is never copied more than once, and never holds more than what was fed and not taken.
"""

from collections.abc import Container
from dataclasses import dataclass
from typing import Final

from ovsflow.openflow.constants import HEADER_BYTES

#: Bytes after which a slice of table changes ends, so that one peer cannot hold up the others.
SLICE_BYTES: Final = 1 << 18


class BrokenStreamError(Exception):
    """A header says a length that is less than the header: what follows cannot be found."""


@dataclass(frozen=True, slots=True)
class Piece:
    """What is next in the stream.

    Attributes:
        data: One message, or several table changes back to back.
        bulk: Whether it is table changes.
    """

    data: bytes
    bulk: bool


class Intake:
    """The bytes of one peer that have not been looked at yet."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._start = 0

    def __len__(self) -> int:
        """Bytes that wait."""
        return len(self._buffer) - self._start

    def feed(self, data: bytes) -> None:
        """Appends what the peer sent."""
        if self._start:
            del self._buffer[: self._start]
            self._start = 0
        self._buffer += data

    def first_header(self) -> bytes:
        """The first eight bytes that wait, or fewer."""
        return bytes(self._buffer[self._start : self._start + HEADER_BYTES])

    def take(self, version: int, bulk: Container[int]) -> Piece | None:
        """Takes the next message, or the next slice of table changes.

        Args:
            version: The version byte that messages in a slice must have.
            bulk: Type bytes of messages that change tables.

        Returns:
            `None` when no whole message waits.

        Raises:
            BrokenStreamError: The stream cannot be cut any more.
        """
        buffer, start = self._buffer, self._start
        end, limit = len(buffer), start + SLICE_BYTES
        position = start
        while end - position >= HEADER_BYTES and position < limit:
            length = buffer[position + 2] << 8 | buffer[position + 3]
            if length < HEADER_BYTES:
                if position > start:
                    break
                raise BrokenStreamError(f"a message of {length} bytes")
            if position + length > end:
                break
            if buffer[position + 1] not in bulk or buffer[position] != version:
                if position > start:
                    break
                self._start = position + length
                return Piece(bytes(buffer[start : self._start]), bulk=False)
            position += length
        if position == start:
            return None
        self._start = position
        with memoryview(buffer) as view:
            return Piece(bytes(view[start:position]), bulk=True)
