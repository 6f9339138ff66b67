"""Statistics, descriptions and features of meters.

Source: OpenFlow 1.3.5 §7.3.5.12 to §7.3.5.14, 1.5.1 §7.3.5.14.
"""

import struct
from dataclasses import dataclass
from typing import ClassVar, Self

from ovsflow.openflow.constants import MeterNumber, MultipartType, Version
from ovsflow.openflow.modify import MeterBand, decode_bands, encode_bands
from ovsflow.openflow.multipart import EmptyRequest, StatsReply, StatsRequest
from ovsflow.openflow.wire import (
    BAD_REQUEST_LEN,
    Reader,
    fixed_records,
    missing,
    pack,
    records,
)

_REQUEST = struct.Struct("!I4x")
_STATS = struct.Struct("!IH6xIQQII")
_COUNTS = struct.Struct("!QQ")
_CONFIG = struct.Struct("!HHI")
_FEATURES = struct.Struct("!IIIBB2x")
_FEATURES15 = struct.Struct("!I4x")


@dataclass(frozen=True, slots=True)
class MeterStatsRequest(StatsRequest):
    """Asks for the counters of one meter, or of all."""

    STATS: ClassVar[MultipartType] = MultipartType.METER_STATS
    meter_id: int = MeterNumber.ALL

    def encode_stats(self, version: int) -> bytes:
        """The meter."""
        return pack(_REQUEST, "meter", self.meter_id)

    @classmethod
    def decode_stats(cls, data: bytes, version: int, *, more: bool) -> Self:
        """Reads the meter."""
        reader = Reader(data, "meter request")
        (number,) = reader.read(_REQUEST)
        reader.end()
        return cls(number, more=more)


@dataclass(frozen=True, slots=True)
class MeterStats:
    """Counters of one meter; `bands` holds packets and bytes of each band.

    `flow_count` is the reference count in OpenFlow 1.5.
    """

    meter_id: int
    flow_count: int = 0
    packet_in_count: int = 0
    byte_in_count: int = 0
    duration_sec: int = 0
    duration_nsec: int = 0
    bands: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class MeterStatsReply(StatsReply):
    """Counters of meters."""

    STATS: ClassVar[MultipartType] = MultipartType.METER_STATS
    meters: tuple[MeterStats, ...] = ()

    def encode_stats(self, version: int) -> bytes:
        """The counters."""
        return b"".join(_encode_stats(meter) for meter in self.meters)

    @classmethod
    def decode_stats(cls, data: bytes, version: int, *, more: bool) -> Self:
        """Reads the counters."""
        cut = records(data, _STATS.size, BAD_REQUEST_LEN, "meter", length_at=4, align=8)
        return cls(tuple(_decode_stats(record) for record in cut), more=more)


@dataclass(frozen=True, slots=True)
class MeterConfigRequest(StatsRequest):
    """Asks for one meter, or for all."""

    STATS: ClassVar[MultipartType] = MultipartType.METER_CONFIG
    meter_id: int = MeterNumber.ALL

    def encode_stats(self, version: int) -> bytes:
        """The meter."""
        return pack(_REQUEST, "meter", self.meter_id)

    @classmethod
    def decode_stats(cls, data: bytes, version: int, *, more: bool) -> Self:
        """Reads the meter."""
        reader = Reader(data, "meter request")
        (number,) = reader.read(_REQUEST)
        reader.end()
        return cls(number, more=more)


@dataclass(frozen=True, slots=True)
class MeterConfig:
    """A meter: `MeterFlag` bits and bands."""

    meter_id: int
    flags: int = 0
    bands: tuple[MeterBand, ...] = ()


@dataclass(frozen=True, slots=True)
class MeterConfigReply(StatsReply):
    """The meters."""

    STATS: ClassVar[MultipartType] = MultipartType.METER_CONFIG
    meters: tuple[MeterConfig, ...] = ()

    def encode_stats(self, version: int) -> bytes:
        """The meters."""
        return b"".join(_encode_config(meter) for meter in self.meters)

    @classmethod
    def decode_stats(cls, data: bytes, version: int, *, more: bool) -> Self:
        """Reads the meters."""
        cut = records(data, _CONFIG.size, BAD_REQUEST_LEN, "meter", length_at=0, align=8)
        return cls(tuple(_decode_config(record) for record in cut), more=more)


@dataclass(frozen=True, slots=True)
class MeterFeaturesRequest(EmptyRequest):
    """Asks what meters a switch can have."""

    STATS: ClassVar[MultipartType] = MultipartType.METER_FEATURES


@dataclass(frozen=True, slots=True)
class MeterFeaturesReply(StatsReply):
    """What meters a switch can have.

    Attributes:
        max_meter: Most meters.
        band_types: Bit N for `MeterBandType` N.
        capabilities: `MeterFlag` bits.
        max_bands: Most bands of a meter.
        max_color: Most drop precedences.
        features: OFPMFF_* of OpenFlow 1.5; `None` for the form without them, which Open vSwitch
            uses in 1.5 too.
    """

    STATS: ClassVar[MultipartType] = MultipartType.METER_FEATURES
    max_meter: int = 0
    band_types: int = 0
    capabilities: int = 0
    max_bands: int = 0
    max_color: int = 0
    features: int | None = None

    def encode_stats(self, version: int) -> bytes:
        """The numbers."""
        data = pack(
            _FEATURES,
            "meter features",
            self.max_meter,
            self.band_types,
            self.capabilities,
            self.max_bands,
            self.max_color,
        )
        if self.features is None:
            return data
        if version < Version.OF15:
            raise missing(version, "meter feature flags")
        return data + pack(_FEATURES15, "meter features", self.features)

    @classmethod
    def decode_stats(cls, data: bytes, version: int, *, more: bool) -> Self:
        """Reads the numbers."""
        reader = Reader(data, "meter features")
        most, bands, capabilities, max_bands, max_color = reader.read(_FEATURES)
        features = None
        if version >= Version.OF15 and reader.left:
            (features,) = reader.read(_FEATURES15)
        reader.end()
        return cls(most, bands, capabilities, max_bands, max_color, features, more=more)


def _encode_stats(meter: MeterStats) -> bytes:
    tail = b"".join(pack(_COUNTS, "band", *band) for band in meter.bands)
    head = pack(
        _STATS,
        "meter",
        meter.meter_id,
        _STATS.size + len(tail),
        meter.flow_count,
        meter.packet_in_count,
        meter.byte_in_count,
        meter.duration_sec,
        meter.duration_nsec,
    )
    return head + tail


def _decode_stats(record: bytes) -> MeterStats:
    meter, _, flows, packets, octets, seconds, nanoseconds = _STATS.unpack_from(record)
    tail = record[_STATS.size :]
    bands = fixed_records(tail, _COUNTS.size, BAD_REQUEST_LEN, "band counters")
    pairs = (_COUNTS.unpack(band) for band in bands)
    counts = tuple((first, second) for first, second in pairs)
    return MeterStats(meter, flows, packets, octets, seconds, nanoseconds, counts)


def _encode_config(meter: MeterConfig) -> bytes:
    bands = encode_bands(meter.bands)
    length = _CONFIG.size + len(bands)
    return pack(_CONFIG, "meter", length, meter.flags, meter.meter_id) + bands


def _decode_config(record: bytes) -> MeterConfig:
    _, flags, number = _CONFIG.unpack_from(record)
    return MeterConfig(number, flags, decode_bands(record[_CONFIG.size :]))
