"""Statistics, descriptions and features of tables.

Source: OpenFlow 1.0.2 §5.3.5, 1.3.5 §7.3.5.4, §7.3.5.5, 1.4.1 §7.3.5.17, 1.5.1 §7.3.5.18.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

from ovsflow.openflow.constants import MultipartType, Version
from ovsflow.openflow.multipart import EmptyRequest, StatsReply, StatsRequest
from ovsflow.openflow.notices import TableDesc, decode_tables
from ovsflow.openflow.wire import (
    BAD_REQUEST_LEN,
    Property,
    decode_properties,
    encode_property,
    fixed_records,
    missing,
    pack,
    records,
    text_field,
    text_of,
)

_STATS10 = struct.Struct("!B3x32sIIIQQ")
_STATS13 = struct.Struct("!B3xIQQ")
_FEATURES = struct.Struct("!HBBI32sQQII")


@dataclass(frozen=True, slots=True)
class TableStatsRequest(EmptyRequest):
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

    def encode_stats(self, version: int) -> bytes:
        """The counters."""
        return b"".join(_encode_stats(table, version) for table in self.tables)

    @classmethod
    def decode_stats(cls, data: bytes, version: int, *, more: bool) -> Self:
        """Reads the counters."""
        return cls(tuple(_decode_stats(data, version)), more=more)


@dataclass(frozen=True, slots=True)
class TableDescRequest(EmptyRequest):
    """Asks for the configuration of all tables (OpenFlow 1.4 and later)."""

    STATS: ClassVar[MultipartType] = MultipartType.TABLE_DESC


@dataclass(frozen=True, slots=True)
class TableDescReply(StatsReply):
    """The configuration of tables (OpenFlow 1.4 and later)."""

    STATS: ClassVar[MultipartType] = MultipartType.TABLE_DESC
    tables: tuple[TableDesc, ...] = ()

    def encode_stats(self, version: int) -> bytes:
        """The tables."""
        return b"".join(table.encode() for table in self.tables)

    @classmethod
    def decode_stats(cls, data: bytes, version: int, *, more: bool) -> Self:
        """Reads the tables."""
        return cls(decode_tables(data), more=more)


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
        properties: OFPTFPT_* with their data as it is on the wire.
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

    def encode_stats(self, version: int) -> bytes:
        """The tables."""
        return b"".join(_encode_feature(table, version) for table in self.tables)

    @classmethod
    def decode_stats(cls, data: bytes, version: int, *, more: bool) -> Self:
        """Reads the tables."""
        cut = records(data, _FEATURES.size, BAD_REQUEST_LEN, "table", length_at=0, align=8)
        return cls(tuple(_decode_feature(record, version) for record in cut), more=more)


@dataclass(frozen=True, slots=True)
class TableFeaturesReply(StatsReply):
    """What tables can do."""

    STATS: ClassVar[MultipartType] = MultipartType.TABLE_FEATURES
    tables: tuple[TableFeature, ...] = ()

    def encode_stats(self, version: int) -> bytes:
        """The tables."""
        return b"".join(_encode_feature(table, version) for table in self.tables)

    @classmethod
    def decode_stats(cls, data: bytes, version: int, *, more: bool) -> Self:
        """Reads the tables."""
        cut = records(data, _FEATURES.size, BAD_REQUEST_LEN, "table", length_at=0, align=8)
        return cls(tuple(_decode_feature(record, version) for record in cut), more=more)


def _encode_stats(table: TableStats, version: int) -> bytes:
    counts = (table.active_count, table.lookup_count, table.matched_count)
    if version >= Version.OF13:
        return pack(_STATS13, "table", table.table_id, *counts)
    name = text_field(table.name, 32, "table name")
    numbers = (table.table_id, name, table.wildcards, table.max_entries)
    return pack(_STATS10, "table", *numbers, *counts)


def _decode_stats(data: bytes, version: int) -> Iterator[TableStats]:
    if version >= Version.OF13:
        for record in fixed_records(data, _STATS13.size, BAD_REQUEST_LEN, "table"):
            yield TableStats(*_STATS13.unpack(record))
        return
    for record in fixed_records(data, _STATS10.size, BAD_REQUEST_LEN, "table"):
        table, name, wildcards, most, active, looked_up, matched = _STATS10.unpack(record)
        yield TableStats(table, active, looked_up, matched, text_of(name), wildcards, most)


def _encode_feature(table: TableFeature, version: int) -> bytes:
    if version < Version.OF15 and (table.command or table.features):
        raise missing(version, "command in table features")
    tail = b"".join(encode_property(item.kind, item.data) for item in table.properties)
    head = pack(
        _FEATURES,
        "table features",
        _FEATURES.size + len(tail),
        table.table_id,
        table.command,
        table.features,
        text_field(table.name, 32, "table name"),
        table.metadata_match,
        table.metadata_write,
        table.config,
        table.max_entries,
    )
    return head + tail


def _decode_feature(record: bytes, version: int) -> TableFeature:
    _, number, command, features, name, match, write, config, most = _FEATURES.unpack_from(record)
    found = decode_properties(record[_FEATURES.size :], "table features")
    if version < Version.OF15:
        command = features = 0
    return TableFeature(
        number, text_of(name), match, write, config, most, tuple(found), command, features
    )
