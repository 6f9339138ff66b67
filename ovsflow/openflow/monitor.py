"""Flow monitors: a controller hears of every change of some flows.

OpenFlow 1.4 has them; OpenFlow 1.3 has them as ONF's extension, 1.0 as Nicira's, which differ in
little.  ONF's has two dialects: its text (EXT-187) puts the bare TLVs of a match, Open vSwitch and
its clients an ofp_match.  Either is read, and written as its `bare` says.

Source: OpenFlow 1.4.1 §7.3.5.19; ONF EXT-187; Open vSwitch, nicira-ext and openflow-1.3.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

from ovsflow.openflow.constants import (
    ALL_TABLES,
    NICIRA,
    ONF,
    ErrorType,
    GroupNumber,
    MonitorCommand,
    MonitorEvent,
    MonitorFlag,
    MultipartType,
    PortNumber,
    Version,
)
from ovsflow.openflow.instruction_codec import (
    decode_action_list,
    decode_instructions,
    encode_action_list,
    encode_instructions,
)
from ovsflow.openflow.instructions import NO_INSTRUCTIONS, Instructions
from ovsflow.openflow.match import MATCH_ALL, Match
from ovsflow.openflow.match_codec import (
    decode_match,
    decode_tlvs,
    encode_match,
    encode_tlvs,
    nxm_tlvs,
    port_from_16,
    port_to_16,
)
from ovsflow.openflow.multipart import StatsReply, StatsRequest
from ovsflow.openflow.wire import BAD_REQUEST_LEN, Reader, fault, missing, pack, padding, records

_REQUEST14 = struct.Struct("!IIIHBB")
_REQUEST_ONF = struct.Struct("!IHHIB3x")
_REQUEST_NICIRA = struct.Struct("!IHHHB5x")
_UPDATE_HEAD = struct.Struct("!HH")
_UPDATE14 = struct.Struct("!BBHHH4xQ")
_UPDATE_NICIRA = struct.Struct("!HHHHHBxQ")
_NICIRA_HEAD = struct.Struct("!II4x")
_ONF_HEAD = struct.Struct("!II")
NXST_FLOW_MONITOR = 2
ONFST_FLOW_MONITOR = 1870
_BAD_FLAGS = (int(ErrorType.FLOW_MONITOR_FAILED), 5)
_BAD_COMMAND = (int(ErrorType.FLOW_MONITOR_FAILED), 4)
_KNOWN_FLAGS = 0x7F
_SHORT = (MonitorEvent.ABBREV, MonitorEvent.PAUSED, MonitorEvent.RESUMED)

# Before OpenFlow 1.4 an update's events have other numbers; INITIAL is told as ADDED.
_EVENTS_BEFORE_14 = {
    MonitorEvent.INITIAL: 0,
    MonitorEvent.ADDED: 0,
    MonitorEvent.REMOVED: 1,
    MonitorEvent.MODIFIED: 2,
    MonitorEvent.ABBREV: 3,
}
_EVENTS_FROM_BEFORE_14 = (
    MonitorEvent.ADDED,
    MonitorEvent.REMOVED,
    MonitorEvent.MODIFIED,
    MonitorEvent.ABBREV,
)


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
        bare: The match is bare TLVs on OpenFlow 1.3, and so are those of the updates.
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
    bare: bool = False


@dataclass(frozen=True, slots=True)
class FlowMonitorRequest(StatsRequest):
    """Starts, changes or ends monitors; before OpenFlow 1.4 it is NXST_FLOW_MONITOR."""

    STATS: ClassVar[MultipartType] = MultipartType.FLOW_MONITOR
    monitors: tuple[FlowMonitor, ...] = ()

    def encode_body(self, version: int) -> bytes:
        """The monitors, in the form that `version` has for them."""
        if version >= Version.OF14:
            return super(FlowMonitorRequest, self).encode_body(version)
        head = self.with_header(MultipartType.EXPERIMENTER, version) + _extension(version)
        return head + b"".join(_encode_old(monitor, version) for monitor in self.monitors)

    def encode_stats(self, version: int) -> bytes:
        """The monitors in OpenFlow 1.4's form."""
        return b"".join(_encode14(monitor, version) for monitor in self.monitors)

    @classmethod
    def decode_stats(cls, data: bytes, version: int, *, more: bool) -> Self:
        """Reads the monitors in OpenFlow 1.4's form."""
        return cls(tuple(_decode14(data)), more=more)

    @classmethod
    def decode_extension(cls, data: bytes, version: int, *, more: bool) -> Self:
        """Reads the monitors in the extension's form, behind its header."""
        return cls(tuple(_decode_old(data, version)), more=more)


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
        bare: The match is bare TLVs on OpenFlow 1.3.
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
    bare: bool = False


@dataclass(frozen=True, slots=True)
class FlowMonitorReply(StatsReply):
    """Changes of flows; sent with xid 0 when it answers nothing."""

    STATS: ClassVar[MultipartType] = MultipartType.FLOW_MONITOR
    updates: tuple[FlowUpdate, ...] = ()

    def encode_body(self, version: int) -> bytes:
        """The updates, in the form that `version` has for them."""
        if version >= Version.OF14:
            return super(FlowMonitorReply, self).encode_body(version)
        head = self.with_header(MultipartType.EXPERIMENTER, version) + _extension(version)
        return head + b"".join(_encode_update_old(update, version) for update in self.updates)

    def encode_stats(self, version: int) -> bytes:
        """The updates in OpenFlow 1.4's form."""
        return b"".join(_encode_update14(update, version) for update in self.updates)

    @classmethod
    def decode_stats(cls, data: bytes, version: int, *, more: bool) -> Self:
        """Reads the updates in OpenFlow 1.4's form."""
        cut = records(data, 8, BAD_REQUEST_LEN, "flow update", length_at=0, align=8)
        return cls(tuple(_decode_update14(record, version) for record in cut), more=more)

    @classmethod
    def decode_extension(cls, data: bytes, version: int, *, more: bool) -> Self:
        """Reads the updates in the extension's form, behind its header."""
        cut = records(data, 8, BAD_REQUEST_LEN, "flow update", length_at=0, align=8)
        return cls(tuple(_decode_update_old(record, version) for record in cut), more=more)


def _extension(version: int) -> bytes:
    if version == Version.OF10:
        return _NICIRA_HEAD.pack(NICIRA, NXST_FLOW_MONITOR)
    return _ONF_HEAD.pack(ONF, ONFST_FLOW_MONITOR)


def _encode14(monitor: FlowMonitor, version: int) -> bytes:
    numbers = (monitor.monitor_id, monitor.out_port, monitor.out_group, monitor.flags)
    head = pack(_REQUEST14, "flow monitor", *numbers, monitor.table_id, monitor.command)
    return head + encode_match(monitor.match, version)


def _decode14(data: bytes) -> Iterator[FlowMonitor]:
    reader = Reader(data, "flow monitor")
    while reader.left:
        number, out_port, out_group, flags, table, command = reader.read(_REQUEST14)
        match = decode_match(reader, strict=True)
        if command > MonitorCommand.DELETE:
            raise fault(_BAD_COMMAND, f"unknown flow monitor command {command}")
        if flags & ~_KNOWN_FLAGS:
            raise fault(_BAD_FLAGS, f"flow monitor with flags {flags:#x}")
        yield FlowMonitor(number, flags, match, table, out_port, out_group, command)


def _encode_old(monitor: FlowMonitor, version: int) -> bytes:
    if monitor.out_group != GroupNumber.ANY or monitor.command != MonitorCommand.ADD:
        raise missing(version, "flow monitor with a group or a command")
    number, flags, table = monitor.monitor_id, monitor.flags, monitor.table_id
    length, match = _encode_old_match(monitor, version)
    if version == Version.OF10:
        port = port_to_16(monitor.out_port, "out_port")
        return pack(_REQUEST_NICIRA, "flow monitor", number, flags, port, length, table) + match
    head = pack(_REQUEST_ONF, "flow monitor", number, flags, length, monitor.out_port, table)
    return head + match


def _encode_old_match(item: FlowMonitor | FlowUpdate, version: int) -> tuple[int, bytes]:
    """A match as versions before 1.4 put it, and what is said of its length."""
    tlvs = encode_tlvs(item.match, version)
    if version == Version.OF10 or item.bare:
        return len(tlvs), tlvs + padding(len(tlvs))
    # The length counts the header of the match that follows.
    return len(tlvs) + 4, encode_match(item.match, version)


def _decode_old_match(
    reader: Reader, length: int, version: int, *, strict: bool
) -> tuple[Match, bool]:
    """Reads what `_encode_old_match` writes; also whether that is ONF's bare dialect."""
    # The head of an ofp_match of this length, read as a TLV, would not be as long.
    bare = reader.peek(4) != struct.pack("!HH", 1, length)
    if version == Version.OF10 or bare:
        match = decode_tlvs(nxm_tlvs(reader, length), strict=strict)
        return match, version != Version.OF10
    return decode_match(reader, strict=strict), False


def _decode_old(data: bytes, version: int) -> Iterator[FlowMonitor]:
    reader = Reader(data, "flow monitor")
    while reader.left:
        if version == Version.OF10:
            number, flags, port, length, table = reader.read(_REQUEST_NICIRA)
            port = port_from_16(port)
        else:
            number, flags, length, port, table = reader.read(_REQUEST_ONF)
        match, bare = _decode_old_match(reader, length, version, strict=True)
        yield FlowMonitor(number, flags, match, table, port, bare=bare)


def _encode_update14(update: FlowUpdate, version: int) -> bytes:
    if update.event in _SHORT:
        return pack(struct.Struct("!HHI"), "flow update", 8, update.event, update.xid)
    rest = encode_match(update.match, version) + encode_instructions(update.instructions, version)
    numbers = pack(
        _UPDATE14,
        "flow update",
        update.table_id,
        update.reason,
        update.idle_timeout,
        update.hard_timeout,
        update.priority,
        update.cookie,
    )
    length = _UPDATE_HEAD.size + len(numbers) + len(rest)
    return pack(_UPDATE_HEAD, "flow update", length, update.event) + numbers + rest


def _decode_update14(record: bytes, version: int) -> FlowUpdate:
    reader = Reader(record, "flow update")
    _, event = reader.read(_UPDATE_HEAD)
    if event in _SHORT:
        return FlowUpdate(event, int.from_bytes(reader.take(4), "big"))
    table, reason, idle, hard, priority, cookie = reader.read(_UPDATE14)
    match = decode_match(reader, strict=False)
    instructions = decode_instructions(reader.rest(), version)
    return FlowUpdate(event, 0, match, instructions, table, reason, priority, idle, hard, cookie)


def _encode_update_old(update: FlowUpdate, version: int) -> bytes:
    if update.event not in _EVENTS_BEFORE_14:
        raise missing(version, f"flow update event {update.event}")
    event = _EVENTS_BEFORE_14[MonitorEvent(update.event)]
    if update.event == MonitorEvent.ABBREV:
        return pack(struct.Struct("!HHI"), "flow update", 8, event, update.xid)
    length, match = _encode_old_match(update, version)
    if version == Version.OF10:
        rest = match + encode_action_list(update.instructions)
    else:
        rest = match + encode_instructions(update.instructions, version)
    numbers = pack(
        _UPDATE_NICIRA,
        "flow update",
        update.reason,
        update.priority,
        update.idle_timeout,
        update.hard_timeout,
        length,
        update.table_id,
        update.cookie,
    )
    length = _UPDATE_HEAD.size + len(numbers) + len(rest)
    return pack(_UPDATE_HEAD, "flow update", length, event) + numbers + rest


def _decode_update_old(record: bytes, version: int) -> FlowUpdate:
    reader = Reader(record, "flow update")
    _, number = reader.read(_UPDATE_HEAD)
    if number >= len(_EVENTS_FROM_BEFORE_14):
        raise fault(BAD_REQUEST_LEN, f"unknown flow update event {number}")
    event = _EVENTS_FROM_BEFORE_14[number]
    if event == MonitorEvent.ABBREV:
        return FlowUpdate(event, int.from_bytes(reader.take(4), "big"))
    reason, priority, idle, hard, length, table, cookie = reader.read(_UPDATE_NICIRA)
    match, bare = _decode_old_match(reader, length, version, strict=False)
    rest = reader.rest()
    old = version == Version.OF10
    instructions = decode_action_list(rest) if old else decode_instructions(rest, version)
    numbers = (table, reason, priority, idle, hard, cookie)
    return FlowUpdate(event, 0, match, instructions, *numbers, bare=bare)
