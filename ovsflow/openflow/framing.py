"""Cuts a stream of bytes into whole OpenFlow messages.

The length in the header alone decides; nothing else of a message is looked at, so a version this
side does not speak is framed as well. A peer can make it hold less than one message of 65,535
bytes, and a length shorter than the header is the one thing that cannot be framed: the connection
is lost then.
"""

from ovsflow.errors import DecodeError
from ovsflow.openflow.constants import HEADER_BYTES
from ovsflow.openflow.wire import BAD_REQUEST_LEN, fault


class Framer:
    """The bytes of one connection that do not make a whole message yet."""

    __slots__ = ("_buffer", "_fault")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._fault: DecodeError | None = None

    def feed(self, data: bytes) -> list[bytes]:
        """Takes bytes as they came and returns the messages that are whole now, in order.

        Raises:
            DecodeError: A header's length is less than 8, so what follows cannot be found.  Whole
                messages before it are returned first; each later call raises.
        """
        if self._fault is not None:
            raise self._fault
        self._buffer += data
        messages = []
        position = 0
        total = len(self._buffer)
        while total - position >= HEADER_BYTES:
            length = int.from_bytes(self._buffer[position + 2 : position + 4], "big")
            if length < HEADER_BYTES:
                self._fault = fault(BAD_REQUEST_LEN, f"message length {length} is less than 8")
                break
            if total - position < length:
                break
            messages.append(bytes(self._buffer[position : position + length]))
            position += length
        del self._buffer[:position]
        if self._fault is not None and not messages:
            raise self._fault
        return messages

    @property
    def pending(self) -> int:
        """Bytes that wait for the rest of their message."""
        return len(self._buffer)
