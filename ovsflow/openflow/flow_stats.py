"""Statistics of flows: one by one, in sum, and OpenFlow 1.5's short form."""

import struct
from dataclasses import dataclass
from typing import ClassVar, Protocol, Self

from ovsflow.errors import EncodeError
from ovsflow.openflow.constants import (
    ALL_TABLES,
    NICIRA,
    GroupNumber,
    MultipartType,
    PortNumber,
    Version,
)
from ovsflow.openflow.flow_stats_entry import (
    FlowStats,
    count_of,
    decode_flows,
    decode_flows_nicira,
    encode_flow,
    encode_flow_nicira,
)
from ovsflow.openflow.match import MATCH_ALL, Match
from ovsflow.openflow.match10 import MATCH as MATCH10
from ovsflow.openflow.match10 import decode_match10, encode_match10
from ovsflow.openflow.match_codec import (
    decode_match,
    decode_nxm,
    encode_match,
    encode_nxm,
    legal_port,
    nxm_tlvs,
    port_from_16,
    port_to_16,
)
from ovsflow.openflow.multipart import StatsReply, StatsRequest
from ovsflow.openflow.oxs import (
    NO_DURATION,
    Counters,
    counters_of,
    decode_counters,
    encode_counters,
)
from ovsflow.openflow.wire import BAD_REQUEST_LEN, Reader, missing, pack, padding, records

__all__ = [
    "AggregateReply",
    "AggregateRequest",
    "FlowStats",
    "FlowStatsReply",
    "FlowStatsRequest",
    "FlowSummary",
    "FlowSummaryReply",
    "FlowSummaryRequest",
]

_REQUEST10 = struct.Struct("!BxH")
_REQUEST = struct.Struct("!B3xII4xQQ")
_NICIRA_REQUEST = struct.Struct("!HHB3x")
_NICIRA_HEAD = struct.Struct("!II4x")
_NXST_FLOW, _NXST_AGGREGATE = 0, 1
_AGGREGATE = struct.Struct("!QQI4x")
_SUMMARY = struct.Struct("!H2xBBH")


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

    def encode_body(self, version: int) -> bytes:
        """The standard's request, or Nicira's where OpenFlow 1.0 needs it."""
        if version == Version.OF10 and _needs_nicira(self):
            return self.with_header(MultipartType.EXPERIMENTER, version) + _nicira(_NXST_FLOW, self)
        return super(FlowStatsRequest, self).encode_body(version)

    def encode_stats(self, version: int) -> bytes:
        """The filter."""
        return _encode_filter(self, version)

    @classmethod
    def decode_stats(cls, data: bytes, version: int, *, more: bool) -> Self:
        """Reads the filter."""
        return cls(*_decode_filter(data, version), more=more)

    @classmethod
    def decode_nicira(cls, data: bytes, *, more: bool) -> Self:
        """Reads what follows the subtype of Nicira's request."""
        return cls(*_decode_nicira_filter(data), nicira=True, more=more)


@dataclass(frozen=True, slots=True)
class FlowStatsReply(StatsReply):
    """Flows."""

    STATS: ClassVar[MultipartType] = MultipartType.FLOW_DESC
    flows: tuple[FlowStats, ...] = ()
    nicira: bool = False

    def encode_body(self, version: int) -> bytes:
        """The standard's reply, or Nicira's if `nicira` says so."""
        if not self.nicira:
            return super(FlowStatsReply, self).encode_body(version)
        data = self.with_header(MultipartType.EXPERIMENTER, version)
        data += _NICIRA_HEAD.pack(NICIRA, _NXST_FLOW)
        return data + b"".join(encode_flow_nicira(flow) for flow in self.flows)

    def encode_stats(self, version: int) -> bytes:
        """The flows."""
        return b"".join(encode_flow(flow, version) for flow in self.flows)

    @classmethod
    def decode_stats(cls, data: bytes, version: int, *, more: bool) -> Self:
        """Reads the flows."""
        return cls(decode_flows(data, version), more=more)

    @classmethod
    def decode_nicira(cls, data: bytes, *, more: bool) -> Self:
        """Reads what follows the subtype of Nicira's reply."""
        return cls(decode_flows_nicira(data), nicira=True, more=more)


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

    def encode_body(self, version: int) -> bytes:
        """The standard's request, or Nicira's where OpenFlow 1.0 needs it."""
        if version == Version.OF10 and _needs_nicira(self):
            return self.with_header(MultipartType.EXPERIMENTER, version) + _nicira(
                _NXST_AGGREGATE, self
            )
        return super(AggregateRequest, self).encode_body(version)

    def encode_stats(self, version: int) -> bytes:
        """The filter."""
        return _encode_filter(self, version)

    @classmethod
    def decode_stats(cls, data: bytes, version: int, *, more: bool) -> Self:
        """Reads the filter."""
        return cls(*_decode_filter(data, version), more=more)

    @classmethod
    def decode_nicira(cls, data: bytes, *, more: bool) -> Self:
        """Reads what follows the subtype of Nicira's request."""
        return cls(*_decode_nicira_filter(data), nicira=True, more=more)


@dataclass(frozen=True, slots=True)
class AggregateReply(StatsReply):
    """Sums over flows; `None` for those that are not told (OpenFlow 1.5 leaves the choice)."""

    STATS: ClassVar[MultipartType] = MultipartType.AGGREGATE_STATS
    packet_count: int | None = 0
    byte_count: int | None = 0
    flow_count: int | None = 0
    nicira: bool = False

    def encode_body(self, version: int) -> bytes:
        """The standard's reply, or Nicira's if `nicira` says so."""
        if not self.nicira:
            return super(AggregateReply, self).encode_body(version)
        data = self.with_header(MultipartType.EXPERIMENTER, version)
        return data + _NICIRA_HEAD.pack(NICIRA, _NXST_AGGREGATE) + self.encode_stats(version)

    def encode_stats(self, version: int) -> bytes:
        """The sums."""
        if version < Version.OF15:
            counts = (count_of(self.packet_count), count_of(self.byte_count))
            return pack(_AGGREGATE, "aggregate", *counts, self.flow_count or 0)
        return encode_counters(
            Counters(
                flow_count=self.flow_count,
                packet_count=self.packet_count,
                byte_count=self.byte_count,
            )
        )

    @classmethod
    def decode_stats(cls, data: bytes, version: int, *, more: bool) -> Self:
        """Reads the sums."""
        reader = Reader(data, "aggregate")
        if version < Version.OF15:
            packets, octets, flows = reader.read(_AGGREGATE)
            found = cls(packets, octets, flows, more=more)
        else:
            sums = decode_counters(reader)
            found = cls(sums.packet_count, sums.byte_count, sums.flow_count, more=more)
        reader.end()
        return found

    @classmethod
    def decode_nicira(cls, data: bytes, *, more: bool) -> Self:
        """Reads what follows the subtype of Nicira's reply."""
        packets, octets, flows = Reader(data, "aggregate").read(_AGGREGATE)
        return cls(packets, octets, flows, nicira=True, more=more)


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

    def encode_stats(self, version: int) -> bytes:
        """The filter."""
        return _encode_filter(self, version)

    @classmethod
    def decode_stats(cls, data: bytes, version: int, *, more: bool) -> Self:
        """Reads the filter."""
        return cls(*_decode_filter(data, version), more=more)


@dataclass(frozen=True, slots=True)
class FlowSummary:
    """One flow's numbers (OpenFlow 1.5).

    Attributes:
        match: Which packets.
        table_id: Its table.
        reason: OFPFSR_*: 0 asked for, 1 triggered.
        priority: Its priority.
        duration_sec: Seconds since it was added.
        duration_nsec: Nanoseconds beyond; with the seconds `NO_DURATION` where it is not told.
        idle_age: Seconds since the last packet; `None` where it is not told.
        packet_count: Packets; `None` where it is not told.
        byte_count: Their bytes; `None` where it is not told.
        flow_count: Flows that it stands for; `None` where it is not told.
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
    flow_count: int | None = None


@dataclass(frozen=True, slots=True)
class FlowSummaryReply(StatsReply):
    """Flows' numbers (OpenFlow 1.5)."""

    STATS: ClassVar[MultipartType] = MultipartType.FLOW_STATS
    flows: tuple[FlowSummary, ...] = ()

    def encode_stats(self, version: int) -> bytes:
        """The flows."""
        return b"".join(_encode_summary(flow) for flow in self.flows)

    @classmethod
    def decode_stats(cls, data: bytes, version: int, *, more: bool) -> Self:
        """Reads the flows."""
        cut = records(data, _SUMMARY.size, BAD_REQUEST_LEN, "flow", length_at=0)
        return cls(tuple(_decode_summary(Reader(record, "flow")) for record in cut), more=more)


class _Filter(Protocol):
    """What the requests about flows have in common."""

    @property
    def match(self) -> Match: ...
    @property
    def table_id(self) -> int: ...
    @property
    def out_port(self) -> int: ...
    @property
    def out_group(self) -> int: ...
    @property
    def cookie(self) -> int: ...
    @property
    def cookie_mask(self) -> int: ...


_Parts = tuple[Match, int, int, int, int, int]
"""Match, table, out_port, out_group, cookie, cookie mask."""


def _needs_nicira(request: FlowStatsRequest | AggregateRequest) -> bool:
    if request.nicira or request.cookie_mask:
        return True
    try:
        encode_match10(request.match)
    except EncodeError:
        return True
    return False


def _encode_filter(request: _Filter, version: int) -> bytes:
    if version == Version.OF10:
        if request.out_group != GroupNumber.ANY:
            raise missing(version, "out_group")
        port = port_to_16(request.out_port, "out_port")
        return encode_match10(request.match) + pack(_REQUEST10, "table", request.table_id, port)
    data = pack(
        _REQUEST,
        "flow request",
        request.table_id,
        request.out_port,
        request.out_group,
        request.cookie,
        request.cookie_mask,
    )
    return data + encode_match(request.match, version)


def _decode_filter(data: bytes, version: int) -> _Parts:
    reader = Reader(data, "flow request")
    if version == Version.OF10:
        match = decode_match10(reader.take(MATCH10.size))
        table_id, port = reader.read(_REQUEST10)
        reader.end()
        return match, table_id, port_from_16(port), int(GroupNumber.ANY), 0, 0
    table_id, out_port, out_group, cookie, cookie_mask = reader.read(_REQUEST)
    match = decode_match(reader, strict=True)
    reader.end()
    return match, table_id, legal_port(out_port), out_group, cookie, cookie_mask


def _nicira(subtype: int, request: _Filter) -> bytes:
    if request.out_group != GroupNumber.ANY:
        raise missing(Version.OF10, "out_group")
    tlvs = encode_nxm(request.match, Version.OF10, request.cookie, request.cookie_mask)
    port = port_to_16(request.out_port, "out_port")
    numbers = pack(_NICIRA_REQUEST, "flow request", port, len(tlvs), request.table_id)
    return _NICIRA_HEAD.pack(NICIRA, subtype) + numbers + tlvs + padding(len(tlvs))


def _decode_nicira_filter(data: bytes) -> _Parts:
    reader = Reader(data, "flow request")
    port, length, table_id = reader.read(_NICIRA_REQUEST)
    match, cookie, cookie_mask = decode_nxm(nxm_tlvs(reader, length), strict=True)
    reader.end()
    any_group = int(GroupNumber.ANY)
    return match, table_id, port_from_16(port), any_group, cookie, cookie_mask


def _encode_summary(flow: FlowSummary) -> bytes:
    counters = encode_counters(counters_of(flow, flow.idle_age))
    rest = encode_match(flow.match, Version.OF15) + counters
    numbers = (_SUMMARY.size + len(rest), flow.table_id, flow.reason, flow.priority)
    return pack(_SUMMARY, "flow", *numbers) + rest


def _decode_summary(reader: Reader) -> FlowSummary:
    _, table_id, reason, priority = reader.read(_SUMMARY)
    match = decode_match(reader, strict=False)
    found = decode_counters(reader)
    reader.end()
    sec, nsec = found.duration or NO_DURATION
    idle = None if found.idle is None else found.idle[0]
    return FlowSummary(
        match,
        table_id,
        reason,
        priority,
        sec,
        nsec,
        idle,
        found.packet_count,
        found.byte_count,
        found.flow_count,
    )
