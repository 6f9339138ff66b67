"""Multipart messages (OpenFlow 1.0: statistics): their common header, and who reads which part.

Owns the base classes, the description of the switch and the experimenter form; the families are
`flow_stats.py`, `port_stats.py`, `group_stats.py`, `table_stats.py` and `monitor.py`.
"""

from dataclasses import dataclass, field
from typing import ClassVar

from ovsflow.openflow.constants import MessageType, MultipartType
from ovsflow.openflow.wire import Body


@dataclass(frozen=True, slots=True)
class StatsRequest(Body):
    """The base of all multipart requests.

    Attributes:
        more: Another part of the same request follows.
    """

    KIND: ClassVar[MessageType] = MessageType.MULTIPART_REQUEST
    STATS: ClassVar[MultipartType]
    more: bool = field(default=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class StatsReply(Body):
    """The base of all multipart replies.

    Attributes:
        more: Another part of the same reply follows.
    """

    KIND: ClassVar[MessageType] = MessageType.MULTIPART_REPLY
    STATS: ClassVar[MultipartType]
    more: bool = field(default=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class DescRequest(StatsRequest):
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


@dataclass(frozen=True, slots=True)
class ExperimenterStatsRequest(StatsRequest):
    """An experimenter's request that this codec does not know."""

    STATS: ClassVar[MultipartType] = MultipartType.EXPERIMENTER
    experimenter: int
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class ExperimenterStatsReply(StatsReply):
    """An experimenter's reply that this codec does not know."""

    STATS: ClassVar[MultipartType] = MultipartType.EXPERIMENTER
    experimenter: int
    data: bytes = b""
