"""One flow in a reply about flows, in each version's form.

Source: OpenFlow 1.0.2 §5.3.5, 1.3.5 §7.3.5.2, 1.5.1 §7.3.5.3; Open vSwitch, nicira-ext (NXST_FLOW).
"""

import struct
from dataclasses import dataclass

from ovsflow.openflow.constants import Version
from ovsflow.openflow.instruction_codec import (
    decode_action_list,
    decode_instructions,
    encode_action_list,
    encode_instructions,
)
from ovsflow.openflow.instructions import NO_INSTRUCTIONS, Instructions
from ovsflow.openflow.match import Match
from ovsflow.openflow.match10 import MATCH as MATCH10
from ovsflow.openflow.match10 import decode_match10, encode_match10
from ovsflow.openflow.match_codec import (
    decode_match,
    decode_nxm,
    encode_match,
    encode_nxm,
    nxm_tlvs,
)
from ovsflow.openflow.oxs import NO_DURATION, counters_of, decode_counters, encode_counters
from ovsflow.openflow.wire import BAD_REQUEST_LEN, Reader, pack, padding, records

_FLOW10_HEAD = struct.Struct("!HBx")
_FLOW10 = struct.Struct("!IIHHH6xQQQ")
FLOW = struct.Struct("!HBxIIHHHHH2xQQQ")
FLOW15 = struct.Struct("!H2xBxHHHHHQ")
_NICIRA_FLOW = struct.Struct("!HBxIIHHHHHHQQQ")
_UNKNOWN = 0xFFFFFFFFFFFFFFFF
_OLDEST_AGE = 0xFFFF


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
        duration_nsec: Nanoseconds beyond; with the seconds `NO_DURATION` where it is not told.
        idle_timeout: Seconds, 0 for never.
        hard_timeout: Seconds, 0 for never.
        idle_age: Seconds since the last packet; `None` where it is not told.
        hard_age: Seconds since it was changed; `None` where it is not told.
        flags: `FlowFlag` bits (OpenFlow 1.3 and later).
        importance: For eviction (OpenFlow 1.4 and later).
        packet_count: Packets; `None` where it is not told.
        byte_count: Their bytes; `None` where it is not told.
        flow_count: Flows that it stands for; `None` where it is not told (before OpenFlow 1.5).
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
    flow_count: int | None = None


def encode_flow(flow: FlowStats, version: int) -> bytes:
    """The flow in the standard's form."""
    if version == Version.OF10:
        return _encode10(flow)
    if version >= Version.OF15:
        return _encode15(flow)
    match = encode_match(flow.match, version)
    instructions = encode_instructions(flow.instructions, version)
    numbers = pack(
        FLOW,
        "flow",
        FLOW.size + len(match) + len(instructions),
        flow.table_id,
        flow.duration_sec,
        flow.duration_nsec,
        flow.priority,
        flow.idle_timeout,
        flow.hard_timeout,
        flow.flags,
        flow.importance,
        flow.cookie,
        count_of(flow.packet_count),
        count_of(flow.byte_count),
    )
    return numbers + match + instructions


def _encode10(flow: FlowStats) -> bytes:
    actions = encode_action_list(flow.instructions)
    length = _FLOW10_HEAD.size + MATCH10.size + _FLOW10.size + len(actions)
    head = pack(_FLOW10_HEAD, "flow", length, flow.table_id)
    numbers = pack(
        _FLOW10,
        "flow",
        flow.duration_sec,
        flow.duration_nsec,
        flow.priority,
        flow.idle_timeout,
        flow.hard_timeout,
        flow.cookie,
        count_of(flow.packet_count),
        count_of(flow.byte_count),
    )
    return head + encode_match10(flow.match) + numbers + actions


def _encode15(flow: FlowStats) -> bytes:
    counters = encode_counters(counters_of(flow, flow.idle_age))
    rest = encode_match(flow.match, Version.OF15) + counters
    rest += encode_instructions(flow.instructions, Version.OF15)
    numbers = pack(
        FLOW15,
        "flow",
        FLOW15.size + len(rest),
        flow.table_id,
        flow.priority,
        flow.idle_timeout,
        flow.hard_timeout,
        flow.flags,
        flow.importance,
        flow.cookie,
    )
    return numbers + rest


def encode_flow_nicira(flow: FlowStats) -> bytes:
    """The flow in the form of NXST_FLOW."""
    tlvs = encode_nxm(flow.match, Version.OF10)
    rest = tlvs + padding(len(tlvs)) + encode_action_list(flow.instructions)
    numbers = pack(
        _NICIRA_FLOW,
        "flow",
        _NICIRA_FLOW.size + len(rest),
        flow.table_id,
        flow.duration_sec,
        flow.duration_nsec,
        flow.priority,
        flow.idle_timeout,
        flow.hard_timeout,
        len(tlvs),
        _age(flow.idle_age),
        _age(flow.hard_age),
        flow.cookie,
        count_of(flow.packet_count),
        count_of(flow.byte_count),
    )
    return numbers + rest


def count_of(number: int | None) -> int:
    """A counter as versions before 1.5 have it; all ones say that it is not kept."""
    return _UNKNOWN if number is None else number


def told(number: int) -> int | None:
    """A counter; all ones say that it is not kept."""
    return None if number == _UNKNOWN else number


def _age(seconds: int | None) -> int:
    """Nicira's ages are one more than they are; 0 is unknown."""
    return 0 if seconds is None else min(seconds + 1, _OLDEST_AGE)


def decode_flows(data: bytes, version: int) -> tuple[FlowStats, ...]:
    """Reads flows back to back in the standard's form."""
    one = _decode10 if version == Version.OF10 else _decode13
    one = _decode15 if version >= Version.OF15 else one
    cut = records(data, 8, BAD_REQUEST_LEN, "flow", length_at=0)
    return tuple(one(Reader(record, "flow"), version) for record in cut)


def _decode10(reader: Reader, version: int) -> FlowStats:
    _, table_id = reader.read(_FLOW10_HEAD)
    match = decode_match10(reader.take(MATCH10.size))
    sec, nsec, priority, idle, hard, cookie, packets, octets = reader.read(_FLOW10)
    return FlowStats(
        match,
        decode_action_list(reader.rest()),
        table_id,
        priority,
        cookie,
        sec,
        nsec,
        idle,
        hard,
        packet_count=told(packets),
        byte_count=told(octets),
    )


def _decode13(reader: Reader, version: int) -> FlowStats:
    _, table, sec, nsec, priority, idle, hard, flags, importance, cookie, packets, octets = (
        reader.read(FLOW)
    )
    match = decode_match(reader, strict=False)
    return FlowStats(
        match,
        decode_instructions(reader.rest(), version),
        table,
        priority,
        cookie,
        sec,
        nsec,
        idle,
        hard,
        flags=flags,
        importance=importance if version >= Version.OF14 else 0,
        packet_count=told(packets),
        byte_count=told(octets),
    )


def _decode15(reader: Reader, version: int) -> FlowStats:
    _, table, priority, idle, hard, flags, importance, cookie = reader.read(FLOW15)
    match = decode_match(reader, strict=False)
    counters = decode_counters(reader)
    sec, nsec = counters.duration or NO_DURATION
    return FlowStats(
        match,
        decode_instructions(reader.rest(), version),
        table,
        priority,
        cookie,
        sec,
        nsec,
        idle,
        hard,
        None if counters.idle is None else counters.idle[0],
        flags=flags,
        importance=importance,
        packet_count=counters.packet_count,
        byte_count=counters.byte_count,
        flow_count=counters.flow_count,
    )


def decode_flows_nicira(data: bytes) -> tuple[FlowStats, ...]:
    """Reads flows back to back in the form of NXST_FLOW."""
    cut = records(data, _NICIRA_FLOW.size, BAD_REQUEST_LEN, "flow", length_at=0)
    return tuple(_decode_nicira(Reader(record, "flow")) for record in cut)


def _decode_nicira(reader: Reader) -> FlowStats:
    (
        _,
        table,
        sec,
        nsec,
        priority,
        idle,
        hard,
        length,
        idle_age,
        hard_age,
        cookie,
        packets,
        octets,
    ) = reader.read(_NICIRA_FLOW)
    match, _, _ = decode_nxm(nxm_tlvs(reader, length), strict=False)
    return FlowStats(
        match,
        decode_action_list(reader.rest()),
        table,
        priority,
        cookie,
        sec,
        nsec,
        idle,
        hard,
        idle_age - 1 if idle_age else None,
        hard_age - 1 if hard_age else None,
        packet_count=told(packets),
        byte_count=told(octets),
    )
