"""Flow monitors: a controller hears of every change of some flows.

OpenFlow 1.4 has them; before it, Nicira's extension has.
"""

from dataclasses import dataclass
from typing import ClassVar

from ovsflow.openflow.constants import (
    ALL_TABLES,
    GroupNumber,
    MonitorCommand,
    MonitorFlag,
    MultipartType,
    PortNumber,
)
from ovsflow.openflow.instructions import NO_INSTRUCTIONS, Instructions
from ovsflow.openflow.match import MATCH_ALL, Match
from ovsflow.openflow.multipart import StatsReply, StatsRequest


@dataclass(frozen=True, slots=True)
class FlowMonitor:
    """One monitor.

    Attributes:
        monitor_id: The controller's number for it.
        flags: `MonitorFlag` bits.
        match: Only flows at least as specific.
        table_id: Only this table.
        out_port: Only flows that output here.
        out_group: Only flows that use this group (OpenFlow 1.4 and later).
        command: A `MonitorCommand` (OpenFlow 1.4 and later).
    """

    monitor_id: int
    flags: int = (
        MonitorFlag.INITIAL
        | MonitorFlag.ADD
        | MonitorFlag.REMOVED
        | MonitorFlag.MODIFY
        | MonitorFlag.INSTRUCTIONS
    )
    match: Match = MATCH_ALL
    table_id: int = ALL_TABLES
    out_port: int = PortNumber.ANY
    out_group: int = GroupNumber.ANY
    command: int = MonitorCommand.ADD


@dataclass(frozen=True, slots=True)
class FlowMonitorRequest(StatsRequest):
    """Starts, changes or ends monitors; before OpenFlow 1.4 it is NXST_FLOW_MONITOR."""

    STATS: ClassVar[MultipartType] = MultipartType.FLOW_MONITOR
    monitors: tuple[FlowMonitor, ...] = ()


@dataclass(frozen=True, slots=True)
class FlowUpdate:
    """One change of a flow.

    Attributes:
        event: A `MonitorEvent`.
        xid: For ABBREV: the request of this very session that caused the change.
        match: The flow's match.
        instructions: What it does, if the monitor asks for it.
        table_id: Its table.
        reason: A `FlowRemovedReason`, for REMOVED.
        priority: Its priority.
        idle_timeout: Seconds.
        hard_timeout: Seconds.
        cookie: Its cookie.
    """

    event: int
    xid: int = 0
    match: Match = MATCH_ALL
    instructions: Instructions = NO_INSTRUCTIONS
    table_id: int = 0
    reason: int = 0
    priority: int = 0
    idle_timeout: int = 0
    hard_timeout: int = 0
    cookie: int = 0


@dataclass(frozen=True, slots=True)
class FlowMonitorReply(StatsReply):
    """Changes of flows; sent with xid 0 when it answers nothing."""

    STATS: ClassVar[MultipartType] = MultipartType.FLOW_MONITOR
    updates: tuple[FlowUpdate, ...] = ()
