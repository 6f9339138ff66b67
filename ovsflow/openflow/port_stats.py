"""Statistics and descriptions of ports and queues."""

from dataclasses import dataclass
from typing import ClassVar

from ovsflow.openflow.constants import QUEUE_ALL, MessageType, MultipartType, PortNumber
from ovsflow.openflow.multipart import StatsReply, StatsRequest
from ovsflow.openflow.port import PortDesc
from ovsflow.openflow.wire import Body, Property


@dataclass(frozen=True, slots=True)
class PortStatsRequest(StatsRequest):
    """Asks for the counters of one port, or of all."""

    STATS: ClassVar[MultipartType] = MultipartType.PORT_STATS
    port: int = PortNumber.ANY


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


@dataclass(frozen=True, slots=True)
class PortDescRequest(StatsRequest):
    """Asks for the ports; only OpenFlow 1.5 can ask for one."""

    STATS: ClassVar[MultipartType] = MultipartType.PORT_DESC
    port: int = PortNumber.ANY


@dataclass(frozen=True, slots=True)
class PortDescReply(StatsReply):
    """The ports."""

    STATS: ClassVar[MultipartType] = MultipartType.PORT_DESC
    ports: tuple[PortDesc, ...] = ()


@dataclass(frozen=True, slots=True)
class QueueStatsRequest(StatsRequest):
    """Asks for the counters of queues."""

    STATS: ClassVar[MultipartType] = MultipartType.QUEUE_STATS
    port: int = PortNumber.ANY
    queue: int = QUEUE_ALL


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
class QueueDescRequest(StatsRequest):
    """Asks for the configuration of queues (OpenFlow 1.4 and later)."""

    STATS: ClassVar[MultipartType] = MultipartType.QUEUE_DESC
    port: int = PortNumber.ANY
    queue: int = QUEUE_ALL


@dataclass(frozen=True, slots=True)
class QueueDescReply(StatsReply):
    """The configuration of queues (OpenFlow 1.4 and later)."""

    STATS: ClassVar[MultipartType] = MultipartType.QUEUE_DESC
    queues: tuple[QueueDesc, ...] = ()


@dataclass(frozen=True, slots=True)
class QueueGetConfigRequest(Body):
    """QUEUE_GET_CONFIG_REQUEST (OpenFlow 1.0 and 1.3)."""

    KIND: ClassVar[MessageType] = MessageType.QUEUE_GET_CONFIG_REQUEST
    port: int


@dataclass(frozen=True, slots=True)
class QueueGetConfigReply(Body):
    """QUEUE_GET_CONFIG_REPLY (OpenFlow 1.0 and 1.3)."""

    KIND: ClassVar[MessageType] = MessageType.QUEUE_GET_CONFIG_REPLY
    port: int
    queues: tuple[QueueDesc, ...] = ()
