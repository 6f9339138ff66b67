"""Statistics and descriptions of ports; queues (`queue_stats.py`) can be imported from here too.

Source: OpenFlow 1.0.2 §5.3.5, 1.3.5 §7.3.5.6, 1.4.1 §7.3.5.8, 1.5.1 §7.3.5.6.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from ovsflow.openflow.constants import MultipartType, PortNumber, Version
from ovsflow.openflow.match_codec import legal_port, port_from_16, port_to_16
from ovsflow.openflow.multipart import StatsReply, StatsRequest
from ovsflow.openflow.port import PortDesc, decode_ports
from ovsflow.openflow.queue_stats import (
    QueueDesc,
    QueueDescReply,
    QueueDescRequest,
    QueueGetConfigReply,
    QueueGetConfigRequest,
    QueueStats,
    QueueStatsReply,
    QueueStatsRequest,
)
from ovsflow.openflow.wire import (
    BAD_PROPERTY_LEN,
    BAD_REQUEST_LEN,
    Property,
    Reader,
    decode_properties,
    encode_property,
    fault,
    fixed_records,
    missing,
    pack,
    records,
)

__all__ = [
    "PortDescReply",
    "PortDescRequest",
    "PortStats",
    "PortStatsReply",
    "PortStatsRequest",
    "QueueDesc",
    "QueueDescReply",
    "QueueDescRequest",
    "QueueGetConfigReply",
    "QueueGetConfigRequest",
    "QueueStats",
    "QueueStatsReply",
    "QueueStatsRequest",
]

_REQUEST10 = struct.Struct("!H6x")
_REQUEST = struct.Struct("!I4x")
_STATS10 = struct.Struct("!H6x12Q")
_STATS13 = struct.Struct("!I4x12QII")
_STATS14 = struct.Struct("!H2xIII8Q")
_ETHERNET_STATS = struct.Struct("!4x4Q")
_ETHERNET = 0


@dataclass(frozen=True, slots=True)
class PortStatsRequest(StatsRequest):
    """Asks for the counters of one port, or of all."""

    STATS: ClassVar[MultipartType] = MultipartType.PORT_STATS
    port: int = PortNumber.ANY

    def encode_stats(self, version: int) -> bytes:
        """The port."""
        if version == Version.OF10:
            return pack(_REQUEST10, "port", port_to_16(self.port))
        return pack(_REQUEST, "port", self.port)

    @classmethod
    def decode_stats(cls, data: bytes, version: int, *, more: bool) -> Self:
        """Reads the port."""
        reader = Reader(data, "port request")
        if version == Version.OF10:
            (port,) = reader.read(_REQUEST10)
            port = port_from_16(port)
        else:
            (port,) = reader.read(_REQUEST)
        reader.end()
        return cls(legal_port(port), more=more)


@dataclass(frozen=True, slots=True)
class PortStats:
    """Counters of one port; all ones where a switch does not count.

    Attributes:
        port: The port.
        duration_sec: Seconds since it was added (OpenFlow 1.3 and later).
        duration_nsec: Nanoseconds beyond.
        ethernet: Whether the Ethernet counters are told; always in OpenFlow 1.0 and 1.3.
        properties: Other properties (OpenFlow 1.4 and later).
    """

    port: int
    rx_packets: int = 0
    tx_packets: int = 0
    rx_bytes: int = 0
    tx_bytes: int = 0
    rx_dropped: int = 0
    tx_dropped: int = 0
    rx_errors: int = 0
    tx_errors: int = 0
    rx_frame_errors: int = 0
    rx_over_errors: int = 0
    rx_crc_errors: int = 0
    collisions: int = 0
    duration_sec: int = 0
    duration_nsec: int = 0
    ethernet: bool = True
    properties: tuple[Property, ...] = ()


@dataclass(frozen=True, slots=True)
class PortStatsReply(StatsReply):
    """Counters of ports."""

    STATS: ClassVar[MultipartType] = MultipartType.PORT_STATS
    ports: tuple[PortStats, ...] = ()

    def encode_stats(self, version: int) -> bytes:
        """The counters."""
        return b"".join(_encode_port(port, version) for port in self.ports)

    @classmethod
    def decode_stats(cls, data: bytes, version: int, *, more: bool) -> Self:
        """Reads the counters."""
        return cls(tuple(_decode_stats(data, version)), more=more)


@dataclass(frozen=True, slots=True)
class PortDescRequest(StatsRequest):
    """Asks for the ports; only OpenFlow 1.5 can ask for one."""

    STATS: ClassVar[MultipartType] = MultipartType.PORT_DESC
    port: int = PortNumber.ANY

    def encode_stats(self, version: int) -> bytes:
        """Nothing; in OpenFlow 1.5 the port."""
        if version >= Version.OF15:
            return pack(_REQUEST, "port", self.port)
        if self.port != PortNumber.ANY:
            raise missing(version, "request for the description of one port")
        return b""

    @classmethod
    def decode_stats(cls, data: bytes, version: int, *, more: bool) -> Self:
        """Reads nothing; in OpenFlow 1.5 the port."""
        reader = Reader(data, "port request")
        port = reader.read(_REQUEST)[0] if version >= Version.OF15 else int(PortNumber.ANY)
        reader.end()
        return cls(port, more=more)


@dataclass(frozen=True, slots=True)
class PortDescReply(StatsReply):
    """The ports."""

    STATS: ClassVar[MultipartType] = MultipartType.PORT_DESC
    ports: tuple[PortDesc, ...] = ()

    def encode_stats(self, version: int) -> bytes:
        """The ports."""
        return b"".join(port.encode(version) for port in self.ports)

    @classmethod
    def decode_stats(cls, data: bytes, version: int, *, more: bool) -> Self:
        """Reads the ports."""
        return cls(decode_ports(data, version), more=more)


_COUNTERS = (
    "rx_packets",
    "tx_packets",
    "rx_bytes",
    "tx_bytes",
    "rx_dropped",
    "tx_dropped",
    "rx_errors",
    "tx_errors",
    "rx_frame_errors",
    "rx_over_errors",
    "rx_crc_errors",
    "collisions",
)


def _encode_port(port: PortStats, version: int) -> bytes:
    counters = [int(getattr(port, name)) for name in _COUNTERS]
    life = (port.duration_sec, port.duration_nsec)
    if version == Version.OF10:
        return pack(_STATS10, "port counters", port_to_16(port.port), *counters)
    if version < Version.OF14:
        return pack(_STATS13, "port counters", port.port, *counters, *life)
    tail = b""
    if port.ethernet:
        tail += encode_property(_ETHERNET, pack(_ETHERNET_STATS, "counters", *counters[8:]))
    tail += b"".join(encode_property(item.kind, item.data) for item in port.properties)
    length = _STATS14.size + len(tail)
    return pack(_STATS14, "port counters", length, port.port, *life, *counters[:8]) + tail


def _decode_stats(data: bytes, version: int) -> Iterator[PortStats]:
    if version >= Version.OF14:
        cut = records(data, _STATS14.size, BAD_REQUEST_LEN, "port", length_at=0, align=8)
        yield from (_decode14(record) for record in cut)
        return
    layout = _STATS10 if version == Version.OF10 else _STATS13
    for record in fixed_records(data, layout.size, BAD_REQUEST_LEN, "port"):
        port, *numbers = layout.unpack(record)
        if version == Version.OF10:
            port = port_from_16(port)
        yield _with_counters(PortStats(port), numbers[:12], *numbers[12:])


def _with_counters(
    port: PortStats, counters: list[int], seconds: int = 0, nanoseconds: int = 0
) -> PortStats:
    known = dict(zip(_COUNTERS, counters, strict=False))
    told = known.get
    return replace(
        port,
        rx_packets=told("rx_packets", 0),
        tx_packets=told("tx_packets", 0),
        rx_bytes=told("rx_bytes", 0),
        tx_bytes=told("tx_bytes", 0),
        rx_dropped=told("rx_dropped", 0),
        tx_dropped=told("tx_dropped", 0),
        rx_errors=told("rx_errors", 0),
        tx_errors=told("tx_errors", 0),
        rx_frame_errors=told("rx_frame_errors", 0),
        rx_over_errors=told("rx_over_errors", 0),
        rx_crc_errors=told("rx_crc_errors", 0),
        collisions=told("collisions", 0),
        duration_sec=seconds,
        duration_nsec=nanoseconds,
    )


def _decode14(record: bytes) -> PortStats:
    _, port, seconds, nanoseconds, *counters = _STATS14.unpack_from(record)
    ethernet = False
    others = []
    for item in decode_properties(record[_STATS14.size :], "port counters"):
        if item.kind != _ETHERNET or ethernet:
            others.append(item)
        elif len(item.data) != _ETHERNET_STATS.size:
            raise fault(BAD_PROPERTY_LEN, f"Ethernet counters of {len(item.data)} bytes")
        else:
            ethernet = True
            counters += _ETHERNET_STATS.unpack(item.data)
    found = PortStats(port, ethernet=ethernet, properties=tuple(others))
    return _with_counters(found, counters, seconds, nanoseconds)
