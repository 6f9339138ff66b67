"""Statistics, descriptions and features of groups; meters (`meter_stats.py`) from here too.

Source: OpenFlow 1.3.5 §7.3.5.9 to §7.3.5.11, 1.5.1 §7.3.5.9.
"""

import struct
from dataclasses import dataclass
from typing import ClassVar, Self

from ovsflow.openflow.constants import GroupNumber, MultipartType
from ovsflow.openflow.group_mod import (
    Bucket,
    Selection,
    decode_buckets,
    decode_group_properties,
    encode_buckets,
    encode_group_properties,
    has_properties,
)
from ovsflow.openflow.meter_stats import (
    MeterConfig,
    MeterConfigReply,
    MeterConfigRequest,
    MeterFeaturesReply,
    MeterFeaturesRequest,
    MeterStats,
    MeterStatsReply,
    MeterStatsRequest,
)
from ovsflow.openflow.multipart import EmptyRequest, StatsReply, StatsRequest
from ovsflow.openflow.wire import (
    BAD_REQUEST_LEN,
    Property,
    Reader,
    fixed_records,
    missing,
    pack,
    records,
)

__all__ = [
    "GroupDesc",
    "GroupDescReply",
    "GroupDescRequest",
    "GroupFeaturesReply",
    "GroupFeaturesRequest",
    "GroupStats",
    "GroupStatsReply",
    "GroupStatsRequest",
    "MeterConfig",
    "MeterConfigReply",
    "MeterConfigRequest",
    "MeterFeaturesReply",
    "MeterFeaturesRequest",
    "MeterStats",
    "MeterStatsReply",
    "MeterStatsRequest",
]

_REQUEST = struct.Struct("!I4x")
_STATS = struct.Struct("!H2xII4xQQII")
_COUNTS = struct.Struct("!QQ")
_DESC = struct.Struct("!HBxI")
_DESC15 = struct.Struct("!HBxIH6x")
_FEATURES = struct.Struct("!10I")


@dataclass(frozen=True, slots=True)
class GroupStatsRequest(StatsRequest):
    """Asks for the counters of one group, or of all."""

    STATS: ClassVar[MultipartType] = MultipartType.GROUP_STATS
    group_id: int = GroupNumber.ALL

    def encode_stats(self, version: int) -> bytes:
        """The group."""
        return pack(_REQUEST, "group", self.group_id)

    @classmethod
    def decode_stats(cls, data: bytes, version: int, *, more: bool) -> Self:
        """Reads the group."""
        reader = Reader(data, "group request")
        (number,) = reader.read(_REQUEST)
        reader.end()
        return cls(number, more=more)


@dataclass(frozen=True, slots=True)
class GroupStats:
    """Counters of one group; `buckets` holds packets and bytes of each bucket."""

    group_id: int
    ref_count: int = 0
    packet_count: int = 0
    byte_count: int = 0
    duration_sec: int = 0
    duration_nsec: int = 0
    buckets: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class GroupStatsReply(StatsReply):
    """Counters of groups."""

    STATS: ClassVar[MultipartType] = MultipartType.GROUP_STATS
    groups: tuple[GroupStats, ...] = ()

    def encode_stats(self, version: int) -> bytes:
        """The counters."""
        return b"".join(_encode_stats(group) for group in self.groups)

    @classmethod
    def decode_stats(cls, data: bytes, version: int, *, more: bool) -> Self:
        """Reads the counters."""
        cut = records(data, _STATS.size, BAD_REQUEST_LEN, "group", length_at=0, align=8)
        return cls(tuple(_decode_stats(record) for record in cut), more=more)


@dataclass(frozen=True, slots=True)
class GroupDescRequest(StatsRequest):
    """Asks for the groups; only OpenFlow 1.5 and Nicira's form can ask for one."""

    STATS: ClassVar[MultipartType] = MultipartType.GROUP_DESC
    group_id: int = GroupNumber.ALL

    def encode_stats(self, version: int) -> bytes:
        """Nothing; in OpenFlow 1.5, and in Nicira's form on 1.0, the group."""
        if has_properties(version):
            return pack(_REQUEST, "group", self.group_id)
        if self.group_id != GroupNumber.ALL:
            raise missing(version, "request for the description of one group")
        return b""

    @classmethod
    def decode_stats(cls, data: bytes, version: int, *, more: bool) -> Self:
        """Reads nothing; in OpenFlow 1.5, and in Nicira's form on 1.0, the group."""
        reader = Reader(data, "group request")
        group = reader.read(_REQUEST)[0] if has_properties(version) else int(GroupNumber.ALL)
        reader.end()
        return cls(group, more=more)


@dataclass(frozen=True, slots=True)
class GroupDesc:
    """A group: its `GroupType`, its buckets and how it selects."""

    group_id: int
    type: int = 0
    buckets: tuple[Bucket, ...] = ()
    selection: Selection | None = None
    properties: tuple[Property, ...] = ()


@dataclass(frozen=True, slots=True)
class GroupDescReply(StatsReply):
    """The groups."""

    STATS: ClassVar[MultipartType] = MultipartType.GROUP_DESC
    groups: tuple[GroupDesc, ...] = ()

    def encode_stats(self, version: int) -> bytes:
        """The groups."""
        return b"".join(_encode_desc(group, version) for group in self.groups)

    @classmethod
    def decode_stats(cls, data: bytes, version: int, *, more: bool) -> Self:
        """Reads the groups."""
        size = _DESC15.size if has_properties(version) else _DESC.size
        cut = records(data, size, BAD_REQUEST_LEN, "group", length_at=0, align=8)
        return cls(tuple(_decode_desc(record, version) for record in cut), more=more)


@dataclass(frozen=True, slots=True)
class GroupFeaturesRequest(EmptyRequest):
    """Asks what groups a switch can have."""

    STATS: ClassVar[MultipartType] = MultipartType.GROUP_FEATURES


@dataclass(frozen=True, slots=True)
class GroupFeaturesReply(StatsReply):
    """What groups a switch can have.

    Attributes:
        types: Bit N for `GroupType` N.
        capabilities: `GroupCapability` bits.
        max_groups: Most groups, by type.
        actions: Bitmap of actions, by type.
    """

    STATS: ClassVar[MultipartType] = MultipartType.GROUP_FEATURES
    types: int = 0
    capabilities: int = 0
    max_groups: tuple[int, int, int, int] = (0, 0, 0, 0)
    actions: tuple[int, int, int, int] = (0, 0, 0, 0)

    def encode_stats(self, version: int) -> bytes:
        """The numbers."""
        numbers = (self.types, self.capabilities, *self.max_groups, *self.actions)
        return pack(_FEATURES, "group features", *numbers)

    @classmethod
    def decode_stats(cls, data: bytes, version: int, *, more: bool) -> Self:
        """Reads the numbers."""
        reader = Reader(data, "group features")
        types, capabilities, m0, m1, m2, m3, a0, a1, a2, a3 = reader.read(_FEATURES)
        reader.end()
        return cls(types, capabilities, (m0, m1, m2, m3), (a0, a1, a2, a3), more=more)


def _encode_stats(group: GroupStats) -> bytes:
    tail = b"".join(pack(_COUNTS, "bucket", *bucket) for bucket in group.buckets)
    head = pack(
        _STATS,
        "group",
        _STATS.size + len(tail),
        group.group_id,
        group.ref_count,
        group.packet_count,
        group.byte_count,
        group.duration_sec,
        group.duration_nsec,
    )
    return head + tail


def _decode_stats(record: bytes) -> GroupStats:
    _, group, references, packets, octets, seconds, nanoseconds = _STATS.unpack_from(record)
    tail = record[_STATS.size :]
    buckets = fixed_records(tail, _COUNTS.size, BAD_REQUEST_LEN, "bucket counters")
    pairs = (_COUNTS.unpack(bucket) for bucket in buckets)
    counts = tuple((first, second) for first, second in pairs)
    return GroupStats(group, references, packets, octets, seconds, nanoseconds, counts)


def _encode_desc(group: GroupDesc, version: int) -> bytes:
    buckets = encode_buckets(group.buckets, group.type, version)
    if has_properties(version):
        tail = buckets + encode_group_properties(group.selection, group.properties, version)
        numbers = (_DESC15.size + len(tail), group.type, group.group_id, len(buckets))
        return pack(_DESC15, "group", *numbers) + tail
    if group.selection is not None or group.properties:
        raise missing(version, "group properties")
    length = _DESC.size + len(buckets)
    return pack(_DESC, "group", length, group.type, group.group_id) + buckets


def _decode_desc(record: bytes, version: int) -> GroupDesc:
    reader = Reader(record, "group")
    if not has_properties(version):
        _, kind, number = reader.read(_DESC)
        return GroupDesc(number, kind, decode_buckets(reader.rest(), kind, version))
    _, kind, number, length = reader.read(_DESC15)
    buckets = decode_buckets(reader.take(length), kind, version)
    selection, others = decode_group_properties(reader.rest())
    return GroupDesc(number, kind, buckets, selection, others)
