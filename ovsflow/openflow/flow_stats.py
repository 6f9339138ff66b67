"""Statistics of flows: one by one, in sum, and OpenFlow 1.5's short form."""

from dataclasses import dataclass
from typing import ClassVar

from ovsflow.openflow.constants import ALL_TABLES, GroupNumber, MultipartType, PortNumber
from ovsflow.openflow.instructions import NO_INSTRUCTIONS, Instructions
from ovsflow.openflow.match import MATCH_ALL, Match
from ovsflow.openflow.multipart import StatsReply, StatsRequest


@dataclass(frozen=True, slots=True)
class FlowStatsRequest(StatsRequest):
    """Asks for flows with all that is known of them (OpenFlow 1.5: OFPMP_FLOW_DESC).

    On OpenFlow 1.0 it is NXST_FLOW when the match needs it or `nicira` asks for it.

    Attributes:
        match: Only flows at least as specific.
        table_id: Only this table.
        out_port: Only flows that output here.
        out_group: Only flows that use this group.
        cookie: Only flows whose cookie agrees with this ...
        cookie_mask: ... in these bits.
        nicira: Carried as NXST_FLOW.
    """

    STATS: ClassVar[MultipartType] = MultipartType.FLOW_DESC
    match: Match = MATCH_ALL
    table_id: int = ALL_TABLES
    out_port: int = PortNumber.ANY
    out_group: int = GroupNumber.ANY
    cookie: int = 0
    cookie_mask: int = 0
    nicira: bool = False


@dataclass(frozen=True, slots=True)
class FlowStats:
    """One flow as it is.

    Attributes:
        match: Which packets.
        instructions: What happens to them.
        table_id: Its table.
        priority: Its priority.
        cookie: Its cookie.
        duration_sec: Seconds since it was added.
        duration_nsec: Nanoseconds beyond.
        idle_timeout: Seconds, 0 for never.
        hard_timeout: Seconds, 0 for never.
        idle_age: Seconds since the last packet; `None` where it is not told.
        hard_age: Seconds since it was changed; `None` where it is not told.
        flags: `FlowFlag` bits (OpenFlow 1.3 and later).
        importance: For eviction (OpenFlow 1.4 and later).
        packet_count: Packets; `None` where it is not told.
        byte_count: Their bytes; `None` where it is not told.
    """

    match: Match
    instructions: Instructions = NO_INSTRUCTIONS
    table_id: int = 0
    priority: int = 0
    cookie: int = 0
    duration_sec: int = 0
    duration_nsec: int = 0
    idle_timeout: int = 0
    hard_timeout: int = 0
    idle_age: int | None = None
    hard_age: int | None = None
    flags: int = 0
    importance: int = 0
    packet_count: int | None = 0
    byte_count: int | None = 0


@dataclass(frozen=True, slots=True)
class FlowStatsReply(StatsReply):
    """Flows."""

    STATS: ClassVar[MultipartType] = MultipartType.FLOW_DESC
    flows: tuple[FlowStats, ...] = ()
    nicira: bool = False


@dataclass(frozen=True, slots=True)
class AggregateRequest(StatsRequest):
    """Asks for the sum over flows; attributes as `FlowStatsRequest`."""

    STATS: ClassVar[MultipartType] = MultipartType.AGGREGATE_STATS
    match: Match = MATCH_ALL
    table_id: int = ALL_TABLES
    out_port: int = PortNumber.ANY
    out_group: int = GroupNumber.ANY
    cookie: int = 0
    cookie_mask: int = 0
    nicira: bool = False


@dataclass(frozen=True, slots=True)
class AggregateReply(StatsReply):
    """Sums over flows."""

    STATS: ClassVar[MultipartType] = MultipartType.AGGREGATE_STATS
    packet_count: int = 0
    byte_count: int = 0
    flow_count: int = 0
    nicira: bool = False


@dataclass(frozen=True, slots=True)
class FlowSummaryRequest(StatsRequest):
    """Asks for flows without their instructions (OFPMP_FLOW_STATS of OpenFlow 1.5)."""

    STATS: ClassVar[MultipartType] = MultipartType.FLOW_STATS
    match: Match = MATCH_ALL
    table_id: int = ALL_TABLES
    out_port: int = PortNumber.ANY
    out_group: int = GroupNumber.ANY
    cookie: int = 0
    cookie_mask: int = 0


@dataclass(frozen=True, slots=True)
class FlowSummary:
    """One flow's numbers (OpenFlow 1.5).

    Attributes:
        match: Which packets.
        table_id: Its table.
        reason: OFPFSR_*: 0 asked for, 1 triggered.
        priority: Its priority.
        duration_sec: Seconds since it was added.
        duration_nsec: Nanoseconds beyond.
        idle_age: Seconds since the last packet; `None` where it is not told.
        packet_count: Packets; `None` where it is not told.
        byte_count: Their bytes; `None` where it is not told.
    """

    match: Match
    table_id: int = 0
    reason: int = 0
    priority: int = 0
    duration_sec: int = 0
    duration_nsec: int = 0
    idle_age: int | None = None
    packet_count: int | None = 0
    byte_count: int | None = 0


@dataclass(frozen=True, slots=True)
class FlowSummaryReply(StatsReply):
    """Flows' numbers (OpenFlow 1.5)."""

    STATS: ClassVar[MultipartType] = MultipartType.FLOW_STATS
    flows: tuple[FlowSummary, ...] = ()
