"""Nicira's extension messages, as Open vSwitch speaks them in every version.

Only those with no twin in the standard are here: NXT_FLOW_MOD, NXT_PACKET_IN, NXT_FLOW_REMOVED and
NXT_ROLE_* are forms of the standard messages' classes.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from ovsflow.openflow.constants import NICIRA, ErrorType, MessageType, PacketInFormat
from ovsflow.openflow.handshake import (
    AsyncMask,
    decode_masks,
    decode_masks13,
    encode_masks,
    encode_masks13,
)
from ovsflow.openflow.match import Match
from ovsflow.openflow.packet_in2 import PacketLike, decode_packet_in2, encode_packet_in2
from ovsflow.openflow.wire import (
    BAD_REQUEST_LEN,
    Body,
    Empty,
    Reader,
    fault,
    fixed_records,
    pack,
    unsigned,
)

_HEAD = struct.Struct("!II")
_LAST16 = struct.Struct("!6xH")
_TLV_MAP = struct.Struct("!HBBH2x")
_TLV_MOD = struct.Struct("!H6x")
_TLV_REPLY = struct.Struct("!IH10x")
_CT_FLUSH = struct.Struct("!B7x")
_MUST_BE_ZERO = (int(ErrorType.EXPERIMENTER), 4)
_BAD_TLV_COMMAND = (int(ErrorType.EXPERIMENTER), 16)


class NiciraBody(Body):
    """The base of messages behind an experimenter header.

    `SUBTYPE` is the 32-bit type behind the experimenter id.
    """

    __slots__ = ()
    KIND: ClassVar[MessageType] = MessageType.EXPERIMENTER
    EXPERIMENTER: ClassVar[int] = NICIRA
    SUBTYPE: ClassVar[int]

    def wire_form(self, version: int) -> tuple[int, bytes]:
        """An experimenter message in every version."""
        head = _HEAD.pack(self.EXPERIMENTER, self.SUBTYPE)
        return int(MessageType.EXPERIMENTER), head + self.encode_body(version)


@dataclass(frozen=True, slots=True)
class SetFlowFormat(NiciraBody):
    """NXT_SET_FLOW_FORMAT (1.0): 0 standard, 2 NXM."""

    SUBTYPE: ClassVar[int] = 12
    format: int

    def encode_body(self, version: int) -> bytes:
        """The number."""
        return unsigned(self.format, 4, "flow format")

    @classmethod
    def decode_body(cls, data: bytes, version: int) -> Self:
        """Reads the number."""
        return cls(_number(data, 4, "flow format"))


@dataclass(frozen=True, slots=True)
class FlowModTableId(NiciraBody):
    """NXT_FLOW_MOD_TABLE_ID (1.0): FLOW_MODs carry a table in the high byte of the command."""

    SUBTYPE: ClassVar[int] = 15
    enable: bool

    def encode_body(self, version: int) -> bytes:
        """One byte and padding."""
        return bytes((self.enable, 0, 0, 0, 0, 0, 0, 0))

    @classmethod
    def decode_body(cls, data: bytes, version: int) -> Self:
        """Reads one byte and padding."""
        return cls(bool(_number(data, 8, "flow_mod_table_id") >> 56))


@dataclass(frozen=True, slots=True)
class SetPacketInFormat(NiciraBody):
    """NXT_SET_PACKET_IN_FORMAT: how this session wants its packet-ins."""

    SUBTYPE: ClassVar[int] = 16
    format: int = PacketInFormat.NXT_PACKET_IN2

    def encode_body(self, version: int) -> bytes:
        """The number."""
        return unsigned(self.format, 4, "packet-in format")

    @classmethod
    def decode_body(cls, data: bytes, version: int) -> Self:
        """Reads the number."""
        return cls(_number(data, 4, "packet-in format"))


@dataclass(frozen=True, slots=True)
class FlowAge(NiciraBody, Empty):
    """NXT_FLOW_AGE: obsolete; asks for ages in flow statistics."""

    SUBTYPE: ClassVar[int] = 18


@dataclass(frozen=True, slots=True)
class SetAsyncConfig(NiciraBody):
    """NXT_SET_ASYNC_CONFIG: the six masks of OpenFlow 1.3's SET_ASYNC, in any version."""

    SUBTYPE: ClassVar[int] = 19
    masks: tuple[AsyncMask, ...]

    def encode_body(self, version: int) -> bytes:
        """The masks."""
        return encode_masks13(self.masks)

    @classmethod
    def decode_body(cls, data: bytes, version: int) -> Self:
        """Reads the masks."""
        return cls(decode_masks13(data))


@dataclass(frozen=True, slots=True)
class SetAsyncConfig2(NiciraBody):
    """NXT_SET_ASYNC_CONFIG2: the properties of OpenFlow 1.4's SET_ASYNC, in 1.0 to 1.3."""

    SUBTYPE: ClassVar[int] = 27
    masks: tuple[AsyncMask, ...]

    def encode_body(self, version: int) -> bytes:
        """The masks."""
        return encode_masks(self.masks)

    @classmethod
    def decode_body(cls, data: bytes, version: int) -> Self:
        """Reads the masks."""
        return cls(decode_masks(data))


@dataclass(frozen=True, slots=True)
class SetControllerId(NiciraBody):
    """NXT_SET_CONTROLLER_ID: which packet-ins this session gets."""

    SUBTYPE: ClassVar[int] = 20
    controller_id: int

    def encode_body(self, version: int) -> bytes:
        """Six zeros and the number."""
        return pack(_LAST16, "controller_id", self.controller_id)

    @classmethod
    def decode_body(cls, data: bytes, version: int) -> Self:
        """Reads six zeros and the number."""
        number = _number(data, 8, "controller_id")
        if number >> 16:
            raise fault(_MUST_BE_ZERO, "padding that is not zero", NICIRA)
        return cls(number)


@dataclass(frozen=True, slots=True)
class FlowMonitorCancel(NiciraBody):
    """NXT_FLOW_MONITOR_CANCEL: ends a monitor."""

    SUBTYPE: ClassVar[int] = 21
    monitor_id: int

    def encode_body(self, version: int) -> bytes:
        """The number."""
        return unsigned(self.monitor_id, 4, "monitor id")

    @classmethod
    def decode_body(cls, data: bytes, version: int) -> Self:
        """Reads the number."""
        return cls(_number(data, 4, "monitor id"))


@dataclass(frozen=True, slots=True)
class FlowMonitorPaused(NiciraBody, Empty):
    """NXT_FLOW_MONITOR_PAUSED: updates are being left out."""

    SUBTYPE: ClassVar[int] = 22


@dataclass(frozen=True, slots=True)
class FlowMonitorResumed(NiciraBody, Empty):
    """NXT_FLOW_MONITOR_RESUMED: updates are complete again."""

    SUBTYPE: ClassVar[int] = 23


@dataclass(frozen=True, slots=True)
class TlvMap:
    """One row of the tunnel option table.

    Attributes:
        option_class: Geneve option class.
        option_type: Geneve option type.
        option_len: Bytes of the value, a multiple of 4 up to 124.
        index: N of tun_metadataN.
    """

    option_class: int
    option_type: int
    option_len: int
    index: int


@dataclass(frozen=True, slots=True)
class TlvTableMod(NiciraBody):
    """NXT_TLV_TABLE_MOD: `command` is 0 add, 1 delete, 2 clear."""

    SUBTYPE: ClassVar[int] = 24
    command: int
    maps: tuple[TlvMap, ...] = ()

    def encode_body(self, version: int) -> bytes:
        """Command and rows."""
        return pack(_TLV_MOD, "TLV table mod", self.command) + _encode_maps(self.maps)

    @classmethod
    def decode_body(cls, data: bytes, version: int) -> Self:
        """Reads command and rows."""
        reader = Reader(data, "TLV table mod")
        (command,) = reader.read(_TLV_MOD)
        if command > 2:
            raise fault(_BAD_TLV_COMMAND, f"unknown TLV table command {command}", NICIRA)
        return cls(command, _decode_maps(reader.rest()))


@dataclass(frozen=True, slots=True)
class TlvTableRequest(NiciraBody, Empty):
    """NXT_TLV_TABLE_REQUEST."""

    SUBTYPE: ClassVar[int] = 25


@dataclass(frozen=True, slots=True)
class TlvTableReply(NiciraBody):
    """NXT_TLV_TABLE_REPLY: the table, and how much of it there can be."""

    SUBTYPE: ClassVar[int] = 26
    max_option_space: int = 0
    max_fields: int = 0
    maps: tuple[TlvMap, ...] = ()

    def encode_body(self, version: int) -> bytes:
        """Limits and rows."""
        data = pack(_TLV_REPLY, "TLV table", self.max_option_space, self.max_fields)
        return data + _encode_maps(self.maps)

    @classmethod
    def decode_body(cls, data: bytes, version: int) -> Self:
        """Reads limits and rows."""
        reader = Reader(data, "TLV table")
        space, most = reader.read(_TLV_REPLY)
        return cls(space, most, _decode_maps(reader.rest()))


@dataclass(frozen=True, slots=True)
class Resume(NiciraBody):
    """NXT_RESUME: lets a paused packet go on; the properties of NXT_PACKET_IN2.

    Attributes:
        match: The packet's metadata, perhaps changed by the controller.
        data: The packet, perhaps changed.
        reason: As in the packet-in.
        table_id: As in the packet-in.
        cookie: As in the packet-in.
        userdata: As in the packet-in.
        continuation: As in the packet-in.
    """

    SUBTYPE: ClassVar[int] = 28
    match: Match
    data: bytes
    reason: int = 1
    table_id: int = 0
    cookie: int = 0xFFFFFFFFFFFFFFFF
    userdata: bytes | None = None
    continuation: bytes | None = None

    def encode_body(self, version: int) -> bytes:
        """The properties."""
        return encode_packet_in2(self, version)

    @classmethod
    def decode_body(cls, data: bytes, version: int) -> Self:
        """Reads the properties."""
        return cls.of(decode_packet_in2(data))

    @classmethod
    def of(cls, packet: PacketLike) -> Self:
        """What lets a paused packet go on as it came."""
        return cls(
            packet.match,
            packet.data,
            packet.reason,
            packet.table_id,
            packet.cookie,
            packet.userdata,
            packet.continuation,
        )


@dataclass(frozen=True, slots=True)
class CtFlushZone(NiciraBody):
    """NXT_CT_FLUSH_ZONE: forgets the connections of one zone."""

    SUBTYPE: ClassVar[int] = 29
    zone: int

    def encode_body(self, version: int) -> bytes:
        """Six zeros and the number."""
        return pack(_LAST16, "zone", self.zone)

    @classmethod
    def decode_body(cls, data: bytes, version: int) -> Self:
        """Reads six zeros and the number."""
        number = _number(data, 8, "zone")
        if number >> 16:
            raise fault(_MUST_BE_ZERO, "padding that is not zero", NICIRA)
        return cls(number)


@dataclass(frozen=True, slots=True)
class CtFlush(NiciraBody):
    """NXT_CT_FLUSH: forgets the connections that its properties (in wire form) describe."""

    SUBTYPE: ClassVar[int] = 32
    protocol: int
    data: bytes

    def encode_body(self, version: int) -> bytes:
        """Protocol and properties."""
        return pack(_CT_FLUSH, "ct flush", self.protocol) + self.data

    @classmethod
    def decode_body(cls, data: bytes, version: int) -> Self:
        """Reads protocol and properties."""
        reader = Reader(data, "ct flush")
        (protocol,) = reader.read(_CT_FLUSH)
        return cls(protocol, reader.rest())


def _number(data: bytes, size: int, what: str) -> int:
    """The number that a message is, and nothing else."""
    reader = Reader(data, what)
    number = int.from_bytes(reader.take(size), "big")
    reader.end()
    return number


def _encode_maps(maps: Sequence[TlvMap]) -> bytes:
    return b"".join(
        pack(_TLV_MAP, "TLV map", row.option_class, row.option_type, row.option_len, row.index)
        for row in maps
    )


def _decode_maps(data: bytes) -> tuple[TlvMap, ...]:
    cut = fixed_records(data, _TLV_MAP.size, BAD_REQUEST_LEN, "TLV map")
    return tuple(TlvMap(*_TLV_MAP.unpack(record)) for record in cut)
