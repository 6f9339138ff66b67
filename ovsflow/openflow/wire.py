"""What every family of messages is built from: the body's contract, and guarded reading.

Owns `Body`, the base of all messages; `Reader`, which never reads past the end; and `records`, the
one loop over length-prefixed records, which always advances and so always ends.  It knows no
message.  All numbers on the wire are big-endian; lengths are in bytes.
"""

import struct
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Protocol, Self

from ovsflow.errors import DecodeError, EncodeError
from ovsflow.openflow.constants import VERSION_NAMES, ErrorType, MessageType, Version, type_number

BAD_REQUEST_LEN = (int(ErrorType.BAD_REQUEST), 6)
"""OFPBRC_BAD_LEN."""

BAD_MULTIPART_LEN = BAD_REQUEST_LEN

BAD_PROPERTY_LEN = (int(ErrorType.BAD_PROPERTY), 1)
"""OFPBPC_BAD_LEN."""

Fault = tuple[int, int]
"""Error type and code to answer with, in the numbers of OpenFlow 1.3 and later."""


class Body(ABC):
    """What stands behind an OpenFlow header.

    A subclass is a frozen dataclass that says in `KIND` which message it is and turns itself into
    the bytes behind the header in a version; the codec adds the header.  How it is read back is in
    `Readable`.
    """

    __slots__ = ()
    KIND: ClassVar[MessageType]

    def wire_form(self, version: int) -> tuple[int, bytes]:
        """The header's type byte in `version`, and the bytes behind the header.

        Raises:
            EncodeError: The version has no such message, or cannot say what is in it.
        """
        number = type_number(version, self.KIND)
        if number is None:
            raise missing(version, type(self).__name__)
        return number, self.encode_body(version)

    @abstractmethod
    def encode_body(self, version: int) -> bytes:
        """The bytes behind the header."""


class Readable(Protocol):
    """A class of bodies that are read by what the header says alone."""

    KIND: ClassVar[MessageType]

    @classmethod
    def decode_body(cls, data: bytes, version: int) -> Body:
        """Reads the bytes behind the header; raises `DecodeError`."""
        ...


class Empty(Body):
    """A message that is nothing but its header."""

    __slots__ = ()

    def encode_body(self, version: int) -> bytes:
        """Nothing."""
        return b""

    @classmethod
    def decode_body(cls, data: bytes, version: int) -> Self:
        """Accepts nothing."""
        if data:
            raise fault(BAD_REQUEST_LEN, f"{cls.__name__} with {len(data)} bytes too many")
        return cls()


@dataclass(frozen=True, slots=True)
class Property:
    """A property or element that the model keeps as it is: experimenter ones, and rare ones.

    Attributes:
        kind: Its type.
        data: What follows type and length, without padding.
    """

    kind: int
    data: bytes


def version_name(version: int) -> str:
    """`OpenFlow13` for 4; a hexadecimal number for what has no name."""
    return VERSION_NAMES[Version(version)] if version in VERSION_NAMES else f"0x{version:02x}"


def missing(version: int, what: str) -> EncodeError:
    """The error for something that a version does not have."""
    return EncodeError(f"{version_name(version)} has no {what}")


def fault(answer: Fault, message: str, experimenter: int = 0) -> DecodeError:
    """The error for bytes that are answered with type and code `answer`."""
    return DecodeError(message, answer[0], answer[1], experimenter)


def pack(layout: struct.Struct, what: str, *values: int | bytes) -> bytes:
    """Packs numbers; a number that does not fit is an `EncodeError` that names `what`."""
    try:
        return layout.pack(*values)
    except struct.error as error:
        raise EncodeError(f"{what}: {error}") from None


def unsigned(value: int, size: int, what: str) -> bytes:
    """`value` in `size` bytes."""
    try:
        return value.to_bytes(size, "big")
    except OverflowError:
        raise EncodeError(f"{what} {value:#x} does not fit in {size} bytes") from None


def padding(size: int, align: int = 8) -> bytes:
    """The zeros that take `size` bytes to the next multiple of `align`."""
    return bytes(-size % align)


def text_field(text: str, size: int, what: str) -> bytes:
    """A string in a field of `size` bytes, filled up with zeros."""
    data = text.encode("utf-8", "surrogateescape")
    if len(data) > size:
        raise EncodeError(f"{what} {text!r} is longer than {size} bytes")
    return data.ljust(size, b"\0")


def text_of(data: bytes) -> str:
    """The string in a field that ends at the first zero byte."""
    return data.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")


class Reader:
    """A place in some bytes; every read past the end raises the fault it was made with."""

    __slots__ = ("answer", "data", "position", "what")

    def __init__(self, data: bytes, what: str, answer: Fault = BAD_REQUEST_LEN) -> None:
        self.data = data
        self.what = what
        self.answer = answer
        self.position = 0

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        end = self.position + size
        if size < 0 or end > len(self.data):
            raise fault(self.answer, f"{self.what} is cut short")
        piece = self.data[self.position : end]
        self.position = end
        return piece

    def peek(self, size: int) -> bytes:
        """The next `size` bytes, or as many as there are, without taking them."""
        return self.data[self.position : self.position + size]

    def read(self, layout: struct.Struct) -> tuple[int, ...]:
        """The next numbers."""
        return layout.unpack(self.take(layout.size))

    def rest(self) -> bytes:
        """All bytes that are left."""
        return self.take(len(self.data) - self.position)

    @property
    def left(self) -> int:
        """How many bytes are left."""
        return len(self.data) - self.position

    def end(self) -> None:
        """Raises the fault unless everything was read."""
        if self.left:
            raise fault(self.answer, f"{self.what} has {self.left} bytes too many")


def records(
    data: bytes,
    minimum: int,
    answer: Fault,
    what: str,
    *,
    length_at: int = 2,
    align: int = 1,
    padded: bool = False,
) -> Iterator[bytes]:
    """Cuts `data` into records that carry their own length; the only such loop there is.

    Args:
        data: Records back to back.
        minimum: Fewest bytes of a record, at least `length_at + 2`, so each step advances.
        answer: What a wrong length is answered with.
        what: Name of the record for the message.
        length_at: Where in a record its 16-bit length stands.
        align: The length must be a multiple of it (unless `padded`).
        padded: The length leaves out zeros up to a multiple of `align`.

    Yields:
        Each record whole, without padding outside its length.
    """
    assert minimum >= length_at + 2
    position = 0
    total = len(data)
    while position < total:
        if total - position < minimum:
            raise fault(answer, f"{what} is cut short")
        length = int.from_bytes(data[position + length_at : position + length_at + 2], "big")
        step = length + (-length % align) if padded else length
        if length < minimum or position + step > total or (not padded and length % align):
            raise fault(answer, f"{what} of length {length}")
        yield data[position : position + length]
        position += step


def fixed_records(data: bytes, size: int, answer: Fault, what: str) -> Iterator[bytes]:
    """Cuts `data` into records of one size."""
    if len(data) % size:
        raise fault(answer, f"{what}: {len(data)} bytes is not a multiple of {size}")
    for position in range(0, len(data), size):
        yield data[position : position + size]


_PROPERTY = struct.Struct("!HH")


def encode_property(kind: int, data: bytes) -> bytes:
    """Type, length, data, and zeros up to a multiple of 8 that the length leaves out."""
    length = _PROPERTY.size + len(data)
    return pack(_PROPERTY, "property", kind, length) + data + padding(length)


def decode_properties(data: bytes, what: str, answer: Fault = BAD_PROPERTY_LEN) -> list[Property]:
    """Reads properties: type, length, data, each filled up to a multiple of 8.

    Source: OpenFlow 1.4.1 §7.2 and its users.
    """
    found = []
    for record in records(data, _PROPERTY.size, answer, what, align=8, padded=True):
        kind, _ = _PROPERTY.unpack_from(record)
        found.append(Property(kind, record[_PROPERTY.size :]))
    return found
