"""Cuts a stream of bytes into OpenFlow messages, and leaves the bulk of them uncut.

Messages that change tables are by far the most, and the datapath takes them as they are on the
wire.  So only headers are looked at here, and neighbouring messages whose type is in `bulk` come
out as ONE slice, found by the datapath's own eyes.  Those for a bundle can be had so too, out of
their envelopes.  Everything else comes out one message at a time.

The stream is never copied more than once, and never holds more than what was fed and not taken.
"""

from dataclasses import dataclass
from typing import Final

from ovsflow.datapath import run_of_bundled, run_of_messages
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


@dataclass(frozen=True, slots=True)
class Bundled:
    """Table changes for one bundle.

    Attributes:
        bundle: The bundle's id.
        flags: The bundle's flags.
        count: How many messages there are.
        messages: They, without their envelopes, back to back.
        end: Where the stream goes on behind them.
    """

    bundle: int
    flags: int
    count: int
    messages: bytes
    end: int


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

    def take(self, version: int, bulk: bytes) -> Piece | None:
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
        end = run_of_messages(buffer, start, start + SLICE_BYTES, version, bulk)
        if end > start:
            self._start = end
            with memoryview(buffer) as view:
                return Piece(bytes(view[start:end]), bulk=True)
        if len(buffer) - start < HEADER_BYTES:
            return None
        length = buffer[start + 2] << 8 | buffer[start + 3]
        if length < HEADER_BYTES:
            raise BrokenStreamError(f"a message of {length} bytes")
        if start + length > len(buffer):
            return None
        self._start = start + length
        return Piece(bytes(buffer[start : self._start]), bulk=False)

    def peek_bundled(self, version: int, bulk: bytes) -> Bundled | None:
        """What waits next, if it is messages for one bundle, each in a plain envelope.

        Args:
            version: The version byte of envelopes and messages.
            bulk: Type bytes of the messages.
        """
        start = self._start
        found = run_of_bundled(self._buffer, start, start + SLICE_BYTES, version, bulk)
        return None if found is None else Bundled(*found)

    def skip_to(self, end: int) -> None:
        """Takes what `peek_bundled` has shown."""
        self._start = end
