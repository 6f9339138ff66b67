"""Bundles: messages that are applied together (OpenFlow 1.4, and ONF's extension to 1.3)."""

import struct
from dataclasses import dataclass
from typing import ClassVar, Self

from ovsflow.openflow.constants import HEADER_BYTES, ONF, ErrorType, MessageType, Version
from ovsflow.openflow.wire import (
    Body,
    Property,
    Reader,
    decode_properties,
    encode_property,
    fault,
    missing,
    pack,
    padding,
)

_BUNDLE = struct.Struct("!IHH")
_ONF = struct.Struct("!II")
_ONF_CONTROL, _ONF_ADD = 2300, 2301
_MSG_BAD_LEN = (int(ErrorType.BUNDLE_FAILED), 8)


@dataclass(frozen=True, slots=True)
class BundleControl(Body):
    """BUNDLE_CONTROL: a `BundleControlType`, request and reply alike.

    Attributes:
        bundle_id: The session's number for the bundle.
        type: A `BundleControlType`.
        flags: `BundleFlag` bits.
        properties: Properties (experimenter, or a time in OpenFlow 1.5).
    """

    KIND: ClassVar[MessageType] = MessageType.BUNDLE_CONTROL
    bundle_id: int
    type: int
    flags: int = 0
    properties: tuple[Property, ...] = ()

    def wire_form(self, version: int) -> tuple[int, bytes]:
        """Before OpenFlow 1.4 it is ONF's extension."""
        return _wire_form(self, _ONF_CONTROL, version)

    def encode_body(self, version: int) -> bytes:
        """Numbers and properties."""
        data = pack(_BUNDLE, "bundle", self.bundle_id, self.type, self.flags)
        return data + b"".join(encode_property(item.kind, item.data) for item in self.properties)

    @classmethod
    def decode_body(cls, data: bytes, version: int) -> Self:
        """Reads numbers and properties."""
        reader = Reader(data, "bundle control")
        number, kind, flags = reader.read(_BUNDLE)
        return cls(number, kind, flags, tuple(decode_properties(reader.rest(), "bundle")))


@dataclass(frozen=True, slots=True)
class BundleAdd(Body):
    """BUNDLE_ADD_MESSAGE: `message` is a whole message with its own header and the same xid."""

    KIND: ClassVar[MessageType] = MessageType.BUNDLE_ADD_MESSAGE
    bundle_id: int
    flags: int
    message: bytes
    properties: tuple[Property, ...] = ()

    def wire_form(self, version: int) -> tuple[int, bytes]:
        """Before OpenFlow 1.4 it is ONF's extension."""
        return _wire_form(self, _ONF_ADD, version)

    def encode_body(self, version: int) -> bytes:
        """Numbers, the message, and padding only where properties follow."""
        data = pack(_BUNDLE, "bundle", self.bundle_id, 0, self.flags) + self.message
        if self.properties:
            data += padding(len(self.message))
        return data + b"".join(encode_property(item.kind, item.data) for item in self.properties)

    @classmethod
    def decode_body(cls, data: bytes, version: int) -> Self:
        """Reads numbers, the message, and properties.

        Raises:
            DecodeError: The message inside is cut short.
        """
        reader = Reader(data, "bundle message", _MSG_BAD_LEN)
        number, _, flags = reader.read(_BUNDLE)
        if reader.left < HEADER_BYTES:
            raise fault(_MSG_BAD_LEN, "bundle message is cut short")
        length = int.from_bytes(data[_BUNDLE.size + 2 : _BUNDLE.size + 4], "big")
        if length < HEADER_BYTES:
            raise fault(_MSG_BAD_LEN, f"bundle message of length {length}")
        message = reader.take(length)
        if not reader.left:
            return cls(number, flags, message)
        reader.take(min(len(padding(length)), reader.left))
        return cls(number, flags, message, tuple(decode_properties(reader.rest(), "bundle")))


def _wire_form(body: BundleControl | BundleAdd, subtype: int, version: int) -> tuple[int, bytes]:
    if version >= Version.OF14:
        return int(body.KIND), body.encode_body(version)
    if version < Version.OF13:
        raise missing(version, type(body).__name__)
    head = pack(_ONF, "bundle", ONF, subtype)
    return int(MessageType.EXPERIMENTER), head + body.encode_body(version)
