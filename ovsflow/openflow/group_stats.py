"""Statistics, descriptions and features of groups and meters."""

from dataclasses import dataclass
from typing import ClassVar

from ovsflow.openflow.constants import GroupNumber, MeterNumber, MultipartType
from ovsflow.openflow.modify import Bucket, MeterBand, Selection
from ovsflow.openflow.multipart import StatsReply, StatsRequest
from ovsflow.openflow.wire import Property


@dataclass(frozen=True, slots=True)
class GroupStatsRequest(StatsRequest):
    """Asks for the counters of one group, or of all."""

    STATS: ClassVar[MultipartType] = MultipartType.GROUP_STATS
    group_id: int = GroupNumber.ALL


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


@dataclass(frozen=True, slots=True)
class GroupDescRequest(StatsRequest):
    """Asks for the groups; only OpenFlow 1.5 can ask for one."""

    STATS: ClassVar[MultipartType] = MultipartType.GROUP_DESC
    group_id: int = GroupNumber.ALL


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


@dataclass(frozen=True, slots=True)
class GroupFeaturesRequest(StatsRequest):
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


@dataclass(frozen=True, slots=True)
class MeterStatsRequest(StatsRequest):
    """Asks for the counters of one meter, or of all."""

    STATS: ClassVar[MultipartType] = MultipartType.METER_STATS
    meter_id: int = MeterNumber.ALL


@dataclass(frozen=True, slots=True)
class MeterStats:
    """Counters of one meter; `bands` holds packets and bytes of each band.

    `flow_count` is the reference count in OpenFlow 1.5.
    """

    meter_id: int
    flow_count: int = 0
    packet_in_count: int = 0
    byte_in_count: int = 0
    duration_sec: int = 0
    duration_nsec: int = 0
    bands: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class MeterStatsReply(StatsReply):
    """Counters of meters."""

    STATS: ClassVar[MultipartType] = MultipartType.METER_STATS
    meters: tuple[MeterStats, ...] = ()


@dataclass(frozen=True, slots=True)
class MeterConfigRequest(StatsRequest):
    """Asks for one meter, or for all."""

    STATS: ClassVar[MultipartType] = MultipartType.METER_CONFIG
    meter_id: int = MeterNumber.ALL


@dataclass(frozen=True, slots=True)
class MeterConfig:
    """A meter: `MeterFlag` bits and bands."""

    meter_id: int
    flags: int = 0
    bands: tuple[MeterBand, ...] = ()


@dataclass(frozen=True, slots=True)
class MeterConfigReply(StatsReply):
    """The meters."""

    STATS: ClassVar[MultipartType] = MultipartType.METER_CONFIG
    meters: tuple[MeterConfig, ...] = ()


@dataclass(frozen=True, slots=True)
class MeterFeaturesRequest(StatsRequest):
    """Asks what meters a switch can have."""

    STATS: ClassVar[MultipartType] = MultipartType.METER_FEATURES


@dataclass(frozen=True, slots=True)
class MeterFeaturesReply(StatsReply):
    """What meters a switch can have.

    Attributes:
        max_meter: Most meters.
        band_types: Bit N for `MeterBandType` N.
        capabilities: `MeterFlag` bits.
        max_bands: Most bands of a meter.
        max_color: Most drop precedences.
        features: OFPMFF_* of OpenFlow 1.5; `None` for the form without them, which Open vSwitch
            uses in 1.5 too.
    """

    STATS: ClassVar[MultipartType] = MultipartType.METER_FEATURES
    max_meter: int = 0
    band_types: int = 0
    capabilities: int = 0
    max_bands: int = 0
    max_color: int = 0
    features: int | None = None
