"""Multipart messages (OpenFlow 1.0: statistics): their common header, and who reads which part.

Owns the base classes, the description of the switch and the experimenter form; the families are
`flow_stats.py`, `port_stats.py`, `group_stats.py`, `table_stats.py` and `monitor.py`.
"""

import struct
from abc import abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar, Self

from ovsflow.openflow.constants import NICIRA, MessageType, MultipartType, Version
from ovsflow.openflow.wire import (
    BAD_REQUEST_LEN,
    Body,
    Reader,
    fault,
    missing,
    pack,
    text_field,
    text_of,
    unsigned,
)

_HEADER = struct.Struct("!HH4x")
_HEADER10 = struct.Struct("!HH")
_NICIRA_HEAD = struct.Struct("!II4x")
_MORE = 1
_DESC_SIZES = (256, 256, 256, 32, 256)

NICIRA_GROUPS = {
    MultipartType.GROUP_STATS: 7,
    MultipartType.GROUP_DESC: 8,
    MultipartType.GROUP_FEATURES: 9,
}
"""Groups on OpenFlow 1.0: Nicira's vendor statistics (NXST_GROUP and so on), in the form of 1.5."""

# The first version of what did not always exist, and the last of what went away.
_SINCE = {
    MultipartType.GROUP_STATS: Version.OF11,
    MultipartType.GROUP_DESC: Version.OF11,
    MultipartType.GROUP_FEATURES: Version.OF12,
    MultipartType.METER_STATS: Version.OF13,
    MultipartType.METER_CONFIG: Version.OF13,
    MultipartType.METER_FEATURES: Version.OF13,
    MultipartType.TABLE_FEATURES: Version.OF13,
    MultipartType.TABLE_DESC: Version.OF14,
    MultipartType.QUEUE_DESC: Version.OF14,
    MultipartType.FLOW_MONITOR: Version.OF14,
    MultipartType.FLOW_STATS: Version.OF15,
    MultipartType.CONTROLLER_STATUS: Version.OF15,
    MultipartType.BUNDLE_FEATURES: Version.OF15,
}


def has_multipart(version: int, kind: int) -> bool:
    """Whether a version has a kind of multipart message."""
    return kind in _KINDS and _SINCE.get(MultipartType(kind), Version.OF10) <= version


_KINDS = frozenset(int(kind) for kind in MultipartType)


def split_header(data: bytes, version: int) -> tuple[int, bool, bytes]:
    """Type, whether more follows, and the body of a multipart message."""
    reader = Reader(data, "multipart message")
    kind, flags = reader.read(_HEADER10 if version == Version.OF10 else _HEADER)
    return kind, bool(flags & _MORE), reader.rest()


@dataclass(frozen=True, slots=True)
class Stats(Body):
    """The base of all multipart messages.

    Attributes:
        more: Another part of the same message follows.
    """

    STATS: ClassVar[MultipartType]
    more: bool = field(default=False, kw_only=True)

    def encode_body(self, version: int) -> bytes:
        """The multipart header and the body.

        Raises:
            EncodeError: The version has no such multipart message.
        """
        if version == Version.OF10 and self.STATS in NICIRA_GROUPS:
            head = _NICIRA_HEAD.pack(NICIRA, NICIRA_GROUPS[self.STATS])
            return (
                self.with_header(MultipartType.EXPERIMENTER, version)
                + head
                + self.encode_stats(version)
            )
        if not has_multipart(version, self.STATS):
            raise missing(version, type(self).__name__)
        return self.with_header(self.STATS, version) + self.encode_stats(version)

    def with_header(self, kind: int, version: int) -> bytes:
        """The multipart header alone."""
        layout = _HEADER10 if version == Version.OF10 else _HEADER
        return pack(layout, "multipart message", kind, _MORE if self.more else 0)

    @abstractmethod
    def encode_stats(self, version: int) -> bytes:
        """The body behind the multipart header."""

    @classmethod
    @abstractmethod
    def decode_stats(cls, data: bytes, version: int, *, more: bool) -> Self:
        """Reads the body behind the multipart header."""


@dataclass(frozen=True, slots=True)
class StatsRequest(Stats):
    """The base of all multipart requests."""

    KIND: ClassVar[MessageType] = MessageType.MULTIPART_REQUEST


@dataclass(frozen=True, slots=True)
class StatsReply(Stats):
    """The base of all multipart replies."""

    KIND: ClassVar[MessageType] = MessageType.MULTIPART_REPLY


@dataclass(frozen=True, slots=True)
class EmptyRequest(StatsRequest):
    """The base of requests that say nothing but their kind."""

    def encode_stats(self, version: int) -> bytes:
        """Nothing."""
        return b""

    @classmethod
    def decode_stats(cls, data: bytes, version: int, *, more: bool) -> Self:
        """Accepts nothing."""
        if data:
            raise fault(BAD_REQUEST_LEN, f"{cls.__name__} with {len(data)} bytes too many")
        return cls(more=more)


@dataclass(frozen=True, slots=True)
class DescRequest(EmptyRequest):
    """What is this switch?"""

    STATS: ClassVar[MultipartType] = MultipartType.DESC


@dataclass(frozen=True, slots=True)
class DescReply(StatsReply):
    """Maker and make of a switch, for people."""

    STATS: ClassVar[MultipartType] = MultipartType.DESC
    manufacturer: str = ""
    hardware: str = ""
    software: str = ""
    serial_number: str = ""
    datapath: str = ""

    def encode_stats(self, version: int) -> bytes:
        """Five strings of fixed length."""
        texts = (self.manufacturer, self.hardware, self.software, self.serial_number, self.datapath)
        return b"".join(
            text_field(text, size, "description")
            for text, size in zip(texts, _DESC_SIZES, strict=True)
        )

    @classmethod
    def decode_stats(cls, data: bytes, version: int, *, more: bool) -> Self:
        """Reads five strings of fixed length."""
        reader = Reader(data, "description")
        texts = [text_of(reader.take(size)) for size in _DESC_SIZES]
        reader.end()
        return cls(*texts, more=more)


@dataclass(frozen=True, slots=True)
class ExperimenterStatsRequest(StatsRequest):
    """An experimenter's request that this codec does not know."""

    STATS: ClassVar[MultipartType] = MultipartType.EXPERIMENTER
    experimenter: int
    data: bytes = b""

    def encode_stats(self, version: int) -> bytes:
        """The experimenter id and the data."""
        return unsigned(self.experimenter, 4, "experimenter") + self.data

    @classmethod
    def decode_stats(cls, data: bytes, version: int, *, more: bool) -> Self:
        """Reads the experimenter id."""
        reader = Reader(data, "experimenter statistics")
        return cls(int.from_bytes(reader.take(4), "big"), reader.rest(), more=more)


@dataclass(frozen=True, slots=True)
class ExperimenterStatsReply(StatsReply):
    """An experimenter's reply that this codec does not know."""

    STATS: ClassVar[MultipartType] = MultipartType.EXPERIMENTER
    experimenter: int
    data: bytes = b""

    def encode_stats(self, version: int) -> bytes:
        """The experimenter id and the data."""
        return unsigned(self.experimenter, 4, "experimenter") + self.data

    @classmethod
    def decode_stats(cls, data: bytes, version: int, *, more: bool) -> Self:
        """Reads the experimenter id."""
        reader = Reader(data, "experimenter statistics")
        return cls(int.from_bytes(reader.take(4), "big"), reader.rest(), more=more)
