"""Statistics, descriptions and features of tables."""

from dataclasses import dataclass
from typing import ClassVar

from ovsflow.openflow.constants import MultipartType
from ovsflow.openflow.multipart import StatsReply, StatsRequest
from ovsflow.openflow.notices import TableDesc
from ovsflow.openflow.wire import Property


@dataclass(frozen=True, slots=True)
class TableStatsRequest(StatsRequest):
    """Asks for the counters of all tables."""

    STATS: ClassVar[MultipartType] = MultipartType.TABLE_STATS


@dataclass(frozen=True, slots=True)
class TableStats:
    """Counters of one table; `name`, `wildcards` and `max_entries` are OpenFlow 1.0's.

    `wildcards` is in the bits of OpenFlow 1.0 as they stand on the wire.
    """

    table_id: int
    active_count: int = 0
    lookup_count: int = 0
    matched_count: int = 0
    name: str = ""
    wildcards: int = 0
    max_entries: int = 0


@dataclass(frozen=True, slots=True)
class TableStatsReply(StatsReply):
    """Counters of tables."""

    STATS: ClassVar[MultipartType] = MultipartType.TABLE_STATS
    tables: tuple[TableStats, ...] = ()


@dataclass(frozen=True, slots=True)
class TableDescRequest(StatsRequest):
    """Asks for the configuration of all tables (OpenFlow 1.4 and later)."""

    STATS: ClassVar[MultipartType] = MultipartType.TABLE_DESC


@dataclass(frozen=True, slots=True)
class TableDescReply(StatsReply):
    """The configuration of tables (OpenFlow 1.4 and later)."""

    STATS: ClassVar[MultipartType] = MultipartType.TABLE_DESC
    tables: tuple[TableDesc, ...] = ()


@dataclass(frozen=True, slots=True)
class TableFeature:
    """What one table can do.

    Attributes:
        table_id: The table.
        name: At most 31 characters.
        metadata_match: Bits of metadata that it can match.
        metadata_write: Bits of metadata that it can write.
        config: `TableConfig` bits (OpenFlow 1.5: capabilities).
        max_entries: Most flows.
        properties: OFPTFPT_* as they are on the wire; see `feature_*` for what is in them.
        command: OFPTFC_* of OpenFlow 1.5.
        features: OFPTFF_* of OpenFlow 1.5.
    """

    table_id: int
    name: str = ""
    metadata_match: int = 0
    metadata_write: int = 0
    config: int = 0
    max_entries: int = 0
    properties: tuple[Property, ...] = ()
    command: int = 0
    features: int = 0


@dataclass(frozen=True, slots=True)
class TableFeaturesRequest(StatsRequest):
    """Asks what tables can do, or, with `tables`, tells them what to be able to do."""

    STATS: ClassVar[MultipartType] = MultipartType.TABLE_FEATURES
    tables: tuple[TableFeature, ...] = ()


@dataclass(frozen=True, slots=True)
class TableFeaturesReply(StatsReply):
    """What tables can do."""

    STATS: ClassVar[MultipartType] = MultipartType.TABLE_FEATURES
    tables: tuple[TableFeature, ...] = ()
