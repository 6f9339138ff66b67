"""Statistics and configuration of queues.

Source: OpenFlow 1.0.2 §5.3.4, §5.3.5, 1.3.5 §7.2.2, §7.3.5.8, 1.4.1 §7.3.5.15.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

from ovsflow.openflow.constants import (
    QUEUE_ALL,
    MessageType,
    MultipartType,
    PortNumber,
    Version,
)
from ovsflow.openflow.match_codec import legal_port, port_from_16, port_to_16
from ovsflow.openflow.multipart import StatsReply, StatsRequest
from ovsflow.openflow.wire import (
    BAD_PROPERTY_LEN,
    BAD_REQUEST_LEN,
    Body,
    Property,
    Reader,
    decode_properties,
    encode_property,
    fault,
    fixed_records,
    pack,
    records,
    unsigned,
)

_PORT_QUEUE10 = struct.Struct("!H2xI")
_PORT_QUEUE = struct.Struct("!II")
_STATS10 = struct.Struct("!H2xI3Q")
_STATS13 = struct.Struct("!II3QII")
_STATS14_HEAD = struct.Struct("!H6x")
_DESC = struct.Struct("!IIH6x")
_QUEUE10 = struct.Struct("!IH2x")
_RATE = struct.Struct("!HH4xH6x")
_PROPERTY = struct.Struct("!HH")
_MIN_RATE, _MAX_RATE = 1, 2


@dataclass(frozen=True, slots=True)
class _QueueRequest(StatsRequest):
    """Names queues: one, all of a port, or all."""

    port: int = PortNumber.ANY
    queue: int = QUEUE_ALL

    def encode_stats(self, version: int) -> bytes:
        """Port and queue."""
        if version == Version.OF10:
            return pack(_PORT_QUEUE10, "queue", port_to_16(self.port), self.queue)
        return pack(_PORT_QUEUE, "queue", self.port, self.queue)

    @classmethod
    def decode_stats(cls, data: bytes, version: int, *, more: bool) -> Self:
        """Reads port and queue."""
        reader = Reader(data, "queue request")
        if version == Version.OF10:
            port, queue = reader.read(_PORT_QUEUE10)
            port = port_from_16(port)
        else:
            port, queue = reader.read(_PORT_QUEUE)
        reader.end()
        return cls(legal_port(port), queue, more=more)


@dataclass(frozen=True, slots=True)
class QueueStatsRequest(_QueueRequest):
    """Asks for the counters of queues."""

    STATS: ClassVar[MultipartType] = MultipartType.QUEUE_STATS


@dataclass(frozen=True, slots=True)
class QueueStats:
    """Counters of one queue."""

    port: int
    queue: int
    tx_bytes: int = 0
    tx_packets: int = 0
    tx_errors: int = 0
    duration_sec: int = 0
    duration_nsec: int = 0
    properties: tuple[Property, ...] = ()


@dataclass(frozen=True, slots=True)
class QueueStatsReply(StatsReply):
    """Counters of queues."""

    STATS: ClassVar[MultipartType] = MultipartType.QUEUE_STATS
    queues: tuple[QueueStats, ...] = ()

    def encode_stats(self, version: int) -> bytes:
        """The counters."""
        return b"".join(_encode_stats(queue, version) for queue in self.queues)

    @classmethod
    def decode_stats(cls, data: bytes, version: int, *, more: bool) -> Self:
        """Reads the counters."""
        return cls(tuple(_decode_stats(data, version)), more=more)


@dataclass(frozen=True, slots=True)
class QueueDesc:
    """A queue's configuration.

    Attributes:
        port: Its port.
        queue: Its number.
        min_rate: Tenths of a percent; `None` if not set, above 1000 for disabled.
        max_rate: Tenths of a percent; `None` if not set, above 1000 for disabled.
        properties: Other properties.
    """

    port: int
    queue: int
    min_rate: int | None = None
    max_rate: int | None = None
    properties: tuple[Property, ...] = ()


@dataclass(frozen=True, slots=True)
class QueueDescRequest(_QueueRequest):
    """Asks for the configuration of queues (OpenFlow 1.4 and later)."""

    STATS: ClassVar[MultipartType] = MultipartType.QUEUE_DESC


@dataclass(frozen=True, slots=True)
class QueueDescReply(StatsReply):
    """The configuration of queues (OpenFlow 1.4 and later)."""

    STATS: ClassVar[MultipartType] = MultipartType.QUEUE_DESC
    queues: tuple[QueueDesc, ...] = ()

    def encode_stats(self, version: int) -> bytes:
        """The queues."""
        return b"".join(_encode_desc(queue) for queue in self.queues)

    @classmethod
    def decode_stats(cls, data: bytes, version: int, *, more: bool) -> Self:
        """Reads the queues."""
        cut = records(data, _DESC.size, BAD_REQUEST_LEN, "queue", length_at=8, align=8)
        return cls(tuple(_decode_desc(record) for record in cut), more=more)


@dataclass(frozen=True, slots=True)
class QueueGetConfigRequest(Body):
    """QUEUE_GET_CONFIG_REQUEST (OpenFlow 1.0 and 1.3)."""

    KIND: ClassVar[MessageType] = MessageType.QUEUE_GET_CONFIG_REQUEST
    port: int

    def encode_body(self, version: int) -> bytes:
        """The port."""
        if version == Version.OF10:
            return unsigned(port_to_16(self.port), 2, "port") + bytes(2)
        return unsigned(self.port, 4, "port") + bytes(4)

    @classmethod
    def decode_body(cls, data: bytes, version: int) -> Self:
        """Reads the port."""
        reader = Reader(data, "queue request")
        if version == Version.OF10:
            port = port_from_16(int.from_bytes(reader.take(4)[:2], "big"))
        else:
            port = int.from_bytes(reader.take(8)[:4], "big")
        reader.end()
        return cls(port)


@dataclass(frozen=True, slots=True)
class QueueGetConfigReply(Body):
    """QUEUE_GET_CONFIG_REPLY (OpenFlow 1.0 and 1.3)."""

    KIND: ClassVar[MessageType] = MessageType.QUEUE_GET_CONFIG_REPLY
    port: int
    queues: tuple[QueueDesc, ...] = ()

    def encode_body(self, version: int) -> bytes:
        """The port and its queues."""
        if version == Version.OF10:
            head = unsigned(port_to_16(self.port), 2, "port") + bytes(6)
        else:
            head = unsigned(self.port, 4, "port") + bytes(4)
        return head + b"".join(_encode_queue(queue, version) for queue in self.queues)

    @classmethod
    def decode_body(cls, data: bytes, version: int) -> Self:
        """Reads the port and its queues."""
        reader = Reader(data, "queues")
        head = reader.take(8)
        if version == Version.OF10:
            port = port_from_16(int.from_bytes(head[:2], "big"))
        else:
            port = int.from_bytes(head[:4], "big")
        return cls(port, tuple(_decode_queues(reader.rest(), port, version)))


def _encode_stats(queue: QueueStats, version: int) -> bytes:
    counters = (queue.tx_bytes, queue.tx_packets, queue.tx_errors)
    if version == Version.OF10:
        return pack(_STATS10, "queue", port_to_16(queue.port), queue.queue, *counters)
    life = (queue.duration_sec, queue.duration_nsec)
    numbers = pack(_STATS13, "queue", queue.port, queue.queue, *counters, *life)
    if version < Version.OF14:
        return numbers
    tail = b"".join(encode_property(item.kind, item.data) for item in queue.properties)
    return pack(_STATS14_HEAD, "queue", 8 + len(numbers) + len(tail)) + numbers + tail


def _decode_stats(data: bytes, version: int) -> Iterator[QueueStats]:
    if version == Version.OF10:
        for record in fixed_records(data, _STATS10.size, BAD_REQUEST_LEN, "queue"):
            port, queue, octets, packets, errors = _STATS10.unpack(record)
            yield QueueStats(port_from_16(port), queue, octets, packets, errors)
    elif version < Version.OF14:
        for record in fixed_records(data, _STATS13.size, BAD_REQUEST_LEN, "queue"):
            yield _with_life(record, ())
    else:
        size = _STATS14_HEAD.size + _STATS13.size
        for record in records(data, size, BAD_REQUEST_LEN, "queue", length_at=0, align=8):
            others = decode_properties(record[size:], "queue counters")
            yield _with_life(record[_STATS14_HEAD.size :], tuple(others))


def _with_life(data: bytes, properties: tuple[Property, ...]) -> QueueStats:
    port, queue, octets, packets, errors, seconds, nanoseconds = _STATS13.unpack_from(data)
    return QueueStats(port, queue, octets, packets, errors, seconds, nanoseconds, properties)


def _encode_desc(queue: QueueDesc) -> bytes:
    tail = b""
    for kind, rate in ((_MIN_RATE, queue.min_rate), (_MAX_RATE, queue.max_rate)):
        if rate is not None:
            tail += encode_property(kind, unsigned(rate, 2, "rate") + bytes(2))
    tail += b"".join(encode_property(item.kind, item.data) for item in queue.properties)
    return pack(_DESC, "queue", queue.port, queue.queue, _DESC.size + len(tail)) + tail


def _decode_desc(record: bytes) -> QueueDesc:
    port, queue, _ = _DESC.unpack_from(record)
    rates, others = _rates(decode_properties(record[_DESC.size :], "queue"), 4)
    return QueueDesc(port, queue, rates.get(_MIN_RATE), rates.get(_MAX_RATE), others)


def _rates(properties: list[Property], size: int) -> tuple[dict[int, int], tuple[Property, ...]]:
    """The rates among properties whose data is `size` bytes, and the other properties."""
    rates: dict[int, int] = {}
    others = []
    for item in properties:
        if item.kind not in (_MIN_RATE, _MAX_RATE):
            others.append(item)
        elif len(item.data) != size:
            raise fault(BAD_PROPERTY_LEN, f"queue property of {len(item.data)} bytes")
        else:
            start = 0 if size == 4 else 4
            rates[item.kind] = int.from_bytes(item.data[start : start + 2], "big")
    return rates, tuple(others)


def _encode_queue(queue: QueueDesc, version: int) -> bytes:
    tail = b""
    for kind, rate in ((_MIN_RATE, queue.min_rate), (_MAX_RATE, queue.max_rate)):
        if rate is not None:
            tail += pack(_RATE, "queue property", kind, _RATE.size, rate)
    for item in queue.properties:  # These lengths count whatever padding there is.
        tail += pack(_PROPERTY, "queue property", item.kind, 4 + len(item.data)) + item.data
    if version == Version.OF10:
        return pack(_QUEUE10, "queue", queue.queue, _QUEUE10.size + len(tail)) + tail
    return pack(_DESC, "queue", queue.queue, queue.port, _DESC.size + len(tail)) + tail


def _decode_queues(data: bytes, port: int, version: int) -> Iterator[QueueDesc]:
    old = version == Version.OF10
    size = _QUEUE10.size if old else _DESC.size
    length_at = 4 if old else 8
    for record in records(data, size, BAD_REQUEST_LEN, "queue", length_at=length_at):
        queue = int.from_bytes(record[:4], "big")
        if not old:
            port = int.from_bytes(record[4:8], "big")
        cut = records(record[size:], 8, BAD_REQUEST_LEN, "queue property")
        found = [Property(int.from_bytes(item[:2], "big"), item[4:]) for item in cut]
        rates, others = _rates(found, 12)
        yield QueueDesc(port, queue, rates.get(_MIN_RATE), rates.get(_MAX_RATE), others)
