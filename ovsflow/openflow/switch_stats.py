"""What OpenFlow 1.5 can ask of a switch as a whole: its bundles, and its controllers.

Source: OpenFlow 1.5.1 §7.3.5.20, §7.3.5.21.
"""

import struct
from dataclasses import dataclass
from typing import ClassVar, Self

from ovsflow.openflow.constants import MultipartType
from ovsflow.openflow.multipart import EmptyRequest, StatsReply, StatsRequest
from ovsflow.openflow.notices import ControllerDesc, decode_controllers
from ovsflow.openflow.wire import (
    Property,
    Reader,
    decode_properties,
    encode_property,
    pack,
)

_REQUEST = struct.Struct("!I4x")
_FEATURES = struct.Struct("!H6x")


@dataclass(frozen=True, slots=True)
class ControllerStatusRequest(EmptyRequest):
    """Asks for the state of all controllers' connections."""

    STATS: ClassVar[MultipartType] = MultipartType.CONTROLLER_STATUS


@dataclass(frozen=True, slots=True)
class ControllerStatusReply(StatsReply):
    """The state of controllers' connections."""

    STATS: ClassVar[MultipartType] = MultipartType.CONTROLLER_STATUS
    controllers: tuple[ControllerDesc, ...] = ()

    def encode_stats(self, version: int) -> bytes:
        """The controllers."""
        return b"".join(item.encode() for item in self.controllers)

    @classmethod
    def decode_stats(cls, data: bytes, version: int, *, more: bool) -> Self:
        """Reads the controllers."""
        return cls(decode_controllers(data), more=more)


@dataclass(frozen=True, slots=True)
class BundleFeaturesRequest(StatsRequest):
    """Asks what bundles a switch can have, with OFPBMF_* flags for what its times should be."""

    STATS: ClassVar[MultipartType] = MultipartType.BUNDLE_FEATURES
    flags: int = 0
    properties: tuple[Property, ...] = ()

    def encode_stats(self, version: int) -> bytes:
        """Flags and properties."""
        data = pack(_REQUEST, "bundle features", self.flags)
        return data + b"".join(encode_property(item.kind, item.data) for item in self.properties)

    @classmethod
    def decode_stats(cls, data: bytes, version: int, *, more: bool) -> Self:
        """Reads flags and properties."""
        reader = Reader(data, "bundle features")
        (flags,) = reader.read(_REQUEST)
        found = decode_properties(reader.rest(), "bundle features")
        return cls(flags, tuple(found), more=more)


@dataclass(frozen=True, slots=True)
class BundleFeaturesReply(StatsReply):
    """What bundles a switch can have: `BundleFlag` bits, and properties."""

    STATS: ClassVar[MultipartType] = MultipartType.BUNDLE_FEATURES
    capabilities: int = 0
    properties: tuple[Property, ...] = ()

    def encode_stats(self, version: int) -> bytes:
        """Capabilities and properties."""
        data = pack(_FEATURES, "bundle features", self.capabilities)
        return data + b"".join(encode_property(item.kind, item.data) for item in self.properties)

    @classmethod
    def decode_stats(cls, data: bytes, version: int, *, more: bool) -> Self:
        """Reads capabilities and properties."""
        reader = Reader(data, "bundle features")
        (capabilities,) = reader.read(_FEATURES)
        found = decode_properties(reader.rest(), "bundle features")
        return cls(capabilities, tuple(found), more=more)
