"""Messages by which a controller changes ports, tables and meters.

The messages about flows (`flow_mod.py`) and groups (`group_mod.py`) can be imported from here too.

Source: OpenFlow 1.0.2 §5.3.3, 1.3.5 §7.3.4, 1.4.1 §7.3.4.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from ovsflow.errors import EncodeError
from ovsflow.openflow.constants import (
    ErrorType,
    MessageType,
    MeterBandType,
    MeterModCommand,
    PortConfig,
    Version,
)
from ovsflow.openflow.flow_mod import FlowMod
from ovsflow.openflow.group_mod import Bucket, GroupMod, Selection
from ovsflow.openflow.match_codec import port_from_16, port_to_16
from ovsflow.openflow.notices import read_table_properties
from ovsflow.openflow.port import features_from_10, features_to_10
from ovsflow.openflow.wire import (
    BAD_PROPERTY_LEN,
    Body,
    Property,
    Reader,
    decode_properties,
    encode_property,
    fault,
    missing,
    pack,
    records,
    unsigned,
)

__all__ = [
    "Bucket",
    "FlowMod",
    "GroupMod",
    "MeterBand",
    "MeterMod",
    "PortMod",
    "Selection",
    "TableMod",
]

_PORT_MOD10 = struct.Struct("!H6sIII4x")
_PORT_MOD = struct.Struct("!I4x6s2xII")
_ADVERTISE = struct.Struct("!I4x")
_ETHERNET = 0
_CONFIG = PortConfig.PORT_DOWN | PortConfig.NO_RECV | PortConfig.NO_FWD | PortConfig.NO_PACKET_IN

_TABLE_MOD = struct.Struct("!B3xI")
_EVICTION, _VACANCY = 2, 3

_METER_MOD = struct.Struct("!HHI")
_BAND = struct.Struct("!HHII")
_BAD_COMMAND = (int(ErrorType.METER_MOD_FAILED), 4)
_BAD_FLAGS = (int(ErrorType.METER_MOD_FAILED), 5)
_BAD_BAND = (int(ErrorType.METER_MOD_FAILED), 8)
_BAD_LEN = (int(ErrorType.BAD_REQUEST), 6)
_METER_FLAGS = 0xF


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

    def encode_body(self, version: int) -> bytes:
        """The change in the form of `version`.

        Raises:
            EncodeError: The version has no such configuration bit.
        """
        if len(self.hw_addr) != 6:
            raise EncodeError(f"port address of {len(self.hw_addr)} bytes, not 6")
        if version == Version.OF10:
            numbers = (self.config, self.mask, features_to_10(self.advertise))
            port = port_to_16(self.port)
            return pack(_PORT_MOD10, "port mod", port, self.hw_addr, *numbers)
        if (self.config | self.mask) & ~_CONFIG:
            raise missing(version, f"port configuration {(self.config | self.mask) & ~_CONFIG:#x}")
        data = pack(_PORT_MOD, "port mod", self.port, self.hw_addr, self.config, self.mask)
        if version < Version.OF14:
            return data + pack(_ADVERTISE, "advertised features", self.advertise)
        if self.advertise:
            advertise = unsigned(self.advertise, 4, "advertised features")
            data += encode_property(_ETHERNET, advertise)
        return data + b"".join(encode_property(item.kind, item.data) for item in self.properties)

    @classmethod
    def decode_body(cls, data: bytes, version: int) -> Self:
        """Reads the change; configuration bits that the version lacks do not count."""
        reader = Reader(data, "port mod")
        address = data[2:8] if version == Version.OF10 else data[8:14]
        if version == Version.OF10:
            port, _, config, mask, features = reader.read(_PORT_MOD10)
            reader.end()
            return cls(port_from_16(port), address, config, mask, features_from_10(features))
        port, _, config, mask = reader.read(_PORT_MOD)
        config, mask = config & _CONFIG, mask & _CONFIG
        if version < Version.OF14:
            (advertise,) = reader.read(_ADVERTISE)
            reader.end()
            return cls(port, address, config, mask, advertise)
        advertise, others = 0, []
        for item in decode_properties(reader.rest(), "port mod"):
            if item.kind != _ETHERNET:
                others.append(item)
            elif len(item.data) != 4:
                raise fault(BAD_PROPERTY_LEN, f"port property of {len(item.data)} bytes")
            else:
                advertise = int.from_bytes(item.data, "big")
        return cls(port, address, config, mask, advertise, tuple(others))


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

    def encode_body(self, version: int) -> bytes:
        """The change in the form of `version`.

        Raises:
            EncodeError: The version has no table properties.
        """
        data = pack(_TABLE_MOD, "table mod", self.table_id, self.config)
        if version < Version.OF14:
            if self.eviction is not None or self.vacancy is not None or self.properties:
                raise missing(version, "table properties")
            return data
        if self.eviction is not None:
            data += encode_property(_EVICTION, unsigned(self.eviction, 4, "eviction"))
        if self.vacancy is not None:
            data += encode_property(_VACANCY, bytes((*self.vacancy, 0, 0)))
        return data + b"".join(encode_property(item.kind, item.data) for item in self.properties)

    @classmethod
    def decode_body(cls, data: bytes, version: int) -> Self:
        """Reads the change."""
        reader = Reader(data, "table mod")
        table_id, config = reader.read(_TABLE_MOD)
        if version < Version.OF14:
            reader.end()
            return cls(table_id, config)
        eviction, vacancy, others = read_table_properties(reader.rest())
        return cls(table_id, config, eviction, vacancy[:2] if vacancy else None, others)


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

    def encode_body(self, version: int) -> bytes:
        """The meter."""
        data = pack(_METER_MOD, "meter mod", self.command, self.flags, self.meter_id)
        return data + encode_bands(self.bands)

    @classmethod
    def decode_body(cls, data: bytes, version: int) -> Self:
        """Reads the meter."""
        reader = Reader(data, "meter mod")
        command, flags, meter_id = reader.read(_METER_MOD)
        if command > MeterModCommand.DELETE:
            raise fault(_BAD_COMMAND, f"unknown meter command {command}")
        if flags & ~_METER_FLAGS:
            raise fault(_BAD_FLAGS, f"meter with flags {flags:#x}")
        return cls(command, flags, meter_id, decode_bands(reader.rest()))


def encode_bands(bands: Sequence[MeterBand]) -> bytes:
    """Bands back to back."""
    return b"".join(_encode_band(band) for band in bands)


def _encode_band(band: MeterBand) -> bytes:
    tail = band.data
    if band.type == MeterBandType.DROP:
        tail = bytes(4)
    elif band.type == MeterBandType.DSCP_REMARK:
        tail = unsigned(band.precedence, 1, "drop precedence") + bytes(3)
    return pack(_BAND, "band", band.type, _BAND.size + len(tail), band.rate, band.burst) + tail


def decode_bands(data: bytes) -> tuple[MeterBand, ...]:
    """Reads bands back to back.

    Raises:
        DecodeError: A band of the wrong length or an unknown type.
    """
    found = []
    for record in records(data, _BAND.size + 4, _BAD_LEN, "band", align=4):
        kind, _, rate, burst = _BAND.unpack_from(record)
        tail = record[_BAND.size :]
        if kind == MeterBandType.EXPERIMENTER:
            found.append(MeterBand(kind, rate, burst, data=tail))
        elif kind not in (MeterBandType.DROP, MeterBandType.DSCP_REMARK) or len(tail) != 4:
            raise fault(_BAD_BAND, f"unknown band type {kind}")
        else:
            precedence = tail[0] if kind == MeterBandType.DSCP_REMARK else 0
            found.append(MeterBand(kind, rate, burst, precedence))
    return tuple(found)
