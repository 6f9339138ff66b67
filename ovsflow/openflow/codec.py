"""Messages to bytes and back.

`encode` and `decode` are the whole interface.  Which class stands for a header's type is a table
built from the classes themselves; each family's module turns its own messages into bytes.
"""

from dataclasses import dataclass

from ovsflow.openflow.wire import Body


@dataclass(frozen=True, slots=True)
class Received:
    """A message that came in."""

    version: int
    xid: int
    body: Body


def encode(body: Body, version: int, xid: int = 0) -> bytes:
    """The whole message, header included.

    Args:
        body: The message.
        version: Wire version: 0x01, 0x04, 0x05 or 0x06.
        xid: Transaction id.

    Raises:
        EncodeError: The version cannot say it; the text says what.
    """
    raise NotImplementedError


def decode(data: bytes) -> Received:
    """Reads one whole message.

    Raises:
        DecodeError: It is not valid; carries the error type and code to answer with.
    """
    raise NotImplementedError
