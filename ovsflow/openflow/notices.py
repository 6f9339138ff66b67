"""What a switch tells unasked, other than packets."""

from dataclasses import dataclass
from typing import ClassVar

from ovsflow.openflow.constants import MessageType
from ovsflow.openflow.match import Match
from ovsflow.openflow.port import PortDesc
from ovsflow.openflow.wire import Body, Property


@dataclass(frozen=True, slots=True)
class FlowRemoved(Body):
    """FLOW_REMOVED; on OpenFlow 1.0 also NXT_FLOW_REMOVED.

    Attributes:
        match: The flow's match.
        cookie: The flow's cookie.
        priority: The flow's priority.
        reason: A `FlowRemovedReason`.
        table_id: Its table; 0 in OpenFlow 1.0's own message.
        duration_sec: Seconds it lived.
        duration_nsec: Nanoseconds beyond `duration_sec`.
        idle_timeout: The flow's timeout, seconds.
        hard_timeout: The flow's timeout, seconds; 0 where a version does not tell.
        packet_count: Packets it saw; all ones if unknown.
        byte_count: Their bytes; all ones if unknown.
        nicira: Carried as NXT_FLOW_REMOVED.
    """

    KIND: ClassVar[MessageType] = MessageType.FLOW_REMOVED
    match: Match
    cookie: int = 0
    priority: int = 0
    reason: int = 0
    table_id: int = 0
    duration_sec: int = 0
    duration_nsec: int = 0
    idle_timeout: int = 0
    hard_timeout: int = 0
    packet_count: int = 0
    byte_count: int = 0
    nicira: bool = False


@dataclass(frozen=True, slots=True)
class PortStatus(Body):
    """PORT_STATUS: a `PortReason`, and the port as it is now."""

    KIND: ClassVar[MessageType] = MessageType.PORT_STATUS
    reason: int
    port: PortDesc


@dataclass(frozen=True, slots=True)
class RoleStatus(Body):
    """ROLE_STATUS: the session's new role, a `RoleReason`, and the generation id."""

    KIND: ClassVar[MessageType] = MessageType.ROLE_STATUS
    role: int
    reason: int
    generation_id: int
    properties: tuple[Property, ...] = ()


@dataclass(frozen=True, slots=True)
class TableDesc:
    """A table's configuration (OpenFlow 1.4 and later).

    Attributes:
        table_id: The table.
        config: `TableConfig` bits.
        eviction: OFPTMPEF_* that decide which flow goes first; `None` if not told.
        vacancy: Low mark, high mark, current vacancy, in percent; `None` if not told.
        properties: Other properties.
    """

    table_id: int
    config: int = 0
    eviction: int | None = None
    vacancy: tuple[int, int, int] | None = None
    properties: tuple[Property, ...] = ()


@dataclass(frozen=True, slots=True)
class TableStatus(Body):
    """TABLE_STATUS: a `TableReason`, and the table as it is now."""

    KIND: ClassVar[MessageType] = MessageType.TABLE_STATUS
    reason: int
    table: TableDesc


@dataclass(frozen=True, slots=True)
class RequestForward(Body):
    """REQUESTFORWARD: another controller's GROUP_MOD or METER_MOD, as a whole message."""

    KIND: ClassVar[MessageType] = MessageType.REQUESTFORWARD
    request: bytes


@dataclass(frozen=True, slots=True)
class ControllerDesc:
    """The state of one controller's connection (OpenFlow 1.5).

    Attributes:
        short_id: The controller's short id.
        role: A `Role`.
        reason: OFPCSR_*.
        channel_status: 0 up, 1 down.
        uris: Its connections.
        properties: Other properties.
    """

    short_id: int
    role: int
    reason: int
    channel_status: int
    uris: tuple[str, ...] = ()
    properties: tuple[Property, ...] = ()


@dataclass(frozen=True, slots=True)
class ControllerStatus(Body):
    """CONTROLLER_STATUS (OpenFlow 1.5)."""

    KIND: ClassVar[MessageType] = MessageType.CONTROLLER_STATUS
    status: ControllerDesc
