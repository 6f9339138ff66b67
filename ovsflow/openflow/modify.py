"""Messages by which a controller changes tables, groups, meters and ports."""

from dataclasses import dataclass
from typing import ClassVar

from ovsflow.openflow.actions import Action
from ovsflow.openflow.constants import (
    DEFAULT_PRIORITY,
    NO_BUFFER,
    BucketNumber,
    FlowModCommand,
    GroupModCommand,
    GroupNumber,
    GroupType,
    MessageType,
    MeterBandType,
    MeterModCommand,
    PortNumber,
)
from ovsflow.openflow.instructions import NO_INSTRUCTIONS, Instructions
from ovsflow.openflow.match import MATCH_ALL, Match
from ovsflow.openflow.wire import Body, Property


@dataclass(frozen=True, slots=True)
class FlowMod(Body):
    """FLOW_MOD; on OpenFlow 1.0 also NXT_FLOW_MOD, when the match needs it or `nicira` asks for it.

    Attributes:
        command: A `FlowModCommand`.
        match: Which packets.
        instructions: What happens to them; on 1.0 the actions are `instructions.apply`.
        priority: Higher wins.
        table_id: The table; 0xff means all, for modify and delete.
        idle_timeout: Seconds without a packet until the flow goes, 0 for never.
        hard_timeout: Seconds until the flow goes, 0 for never.
        cookie: The controller's mark.
        cookie_mask: Bits of `cookie` that select flows, for modify and delete.
        flags: `FlowFlag` bits.
        importance: For eviction (OpenFlow 1.4 and later).
        buffer_id: A held packet to send through the flow.
        out_port: Deletes only flows that output here.
        out_group: Deletes only flows that use this group.
        nicira: Carried as NXT_FLOW_MOD (OpenFlow 1.0 only).
    """

    KIND: ClassVar[MessageType] = MessageType.FLOW_MOD
    command: int = FlowModCommand.ADD
    match: Match = MATCH_ALL
    instructions: Instructions = NO_INSTRUCTIONS
    priority: int = DEFAULT_PRIORITY
    table_id: int = 0
    idle_timeout: int = 0
    hard_timeout: int = 0
    cookie: int = 0
    cookie_mask: int = 0
    flags: int = 0
    importance: int = 0
    buffer_id: int = NO_BUFFER
    out_port: int = PortNumber.ANY
    out_group: int = GroupNumber.ANY
    nicira: bool = False


@dataclass(frozen=True, slots=True)
class Bucket:
    """One bucket of a group.

    Attributes:
        actions: An action set.
        weight: For select groups.
        watch_port: For fast failover.
        watch_group: For fast failover.
        id: OpenFlow 1.5's number; `None` where a version has none.
        properties: Experimenter properties (OpenFlow 1.5).
    """

    actions: tuple[Action, ...] = ()
    weight: int = 0
    watch_port: int = PortNumber.ANY
    watch_group: int = GroupNumber.ANY
    id: int | None = None
    properties: tuple[Property, ...] = ()


@dataclass(frozen=True, slots=True)
class Selection:
    """How a select group picks: Netronome's selection_method property.

    Attributes:
        method: `hash`, `dp_hash`, or empty for the default.
        parameter: 64 bits for the method.
        fields: Fields that the hash reads, with masks.
    """

    method: str = ""
    parameter: int = 0
    fields: Match = MATCH_ALL


@dataclass(frozen=True, slots=True)
class GroupMod(Body):
    """GROUP_MOD.

    Attributes:
        command: A `GroupModCommand`.
        type: A `GroupType`.
        group_id: The group; `GroupNumber.ALL` for delete.
        buckets: Its buckets.
        command_bucket_id: Place for insert and remove (OpenFlow 1.5).
        selection: How a select group picks (OpenFlow 1.5 form only).
        properties: Other properties (OpenFlow 1.5).
    """

    KIND: ClassVar[MessageType] = MessageType.GROUP_MOD
    command: int = GroupModCommand.ADD
    type: int = GroupType.ALL
    group_id: int = 0
    buckets: tuple[Bucket, ...] = ()
    command_bucket_id: int = BucketNumber.ALL
    selection: Selection | None = None
    properties: tuple[Property, ...] = ()


@dataclass(frozen=True, slots=True)
class PortMod(Body):
    """PORT_MOD.

    Attributes:
        port: The port.
        hw_addr: Its address, six bytes; a guard against a stale number.
        config: `PortConfig` bits to set, of those in `mask`.
        mask: `PortConfig` bits to change.
        advertise: `PortFeature` bits; 0 for no change.
        properties: Properties other than Ethernet's (OpenFlow 1.4 and later).
    """

    KIND: ClassVar[MessageType] = MessageType.PORT_MOD
    port: int
    hw_addr: bytes
    config: int = 0
    mask: int = 0
    advertise: int = 0
    properties: tuple[Property, ...] = ()


@dataclass(frozen=True, slots=True)
class TableMod(Body):
    """TABLE_MOD.

    Attributes:
        table_id: The table; 0xff for all.
        config: `TableConfig` bits; in 1.3 only the deprecated miss bits.
        eviction: OFPTMPEF_* (OpenFlow 1.4 and later); `None` leaves it alone.
        vacancy: Low and high mark in percent (OpenFlow 1.4 and later).
        properties: Other properties.
    """

    KIND: ClassVar[MessageType] = MessageType.TABLE_MOD
    table_id: int
    config: int = 0
    eviction: int | None = None
    vacancy: tuple[int, int] | None = None
    properties: tuple[Property, ...] = ()


@dataclass(frozen=True, slots=True)
class MeterBand:
    """One band of a meter.

    Attributes:
        type: A `MeterBandType`.
        rate: Kilobits or packets a second.
        burst: Kilobits or packets; 0 for the default.
        precedence: Drop precedence to add, for DSCP_REMARK.
        data: The wire form behind the burst, for other types.
    """

    type: int = MeterBandType.DROP
    rate: int = 0
    burst: int = 0
    precedence: int = 0
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class MeterMod(Body):
    """METER_MOD: a `MeterModCommand`, `MeterFlag` bits, the meter and its bands."""

    KIND: ClassVar[MessageType] = MessageType.METER_MOD
    command: int = MeterModCommand.ADD
    flags: int = 0
    meter_id: int = 0
    bands: tuple[MeterBand, ...] = ()
