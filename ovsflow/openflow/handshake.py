"""Messages that open, keep and configure a session."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Self

from ovsflow.errors import DecodeError
from ovsflow.openflow.constants import (
    NICIRA,
    AsyncProperty,
    ErrorType,
    MessageType,
    Role,
    Version,
)
from ovsflow.openflow.port import PortDesc, decode_ports
from ovsflow.openflow.wire import (
    BAD_REQUEST_LEN,
    Body,
    Empty,
    Reader,
    decode_properties,
    encode_property,
    fault,
    missing,
    pack,
    padding,
    records,
    unsigned,
)

_HELLO_ELEMENT = struct.Struct("!HH")
_VERSION_BITMAP = 1
_FEATURES = struct.Struct("!QIBB2xII")
_CONFIG = struct.Struct("!HH")
_ROLE = struct.Struct("!I4xQ")
_ROLE15 = struct.Struct("!IH2xQ")
_NICIRA_ROLE = struct.Struct("!III")
_NICIRA_ROLE_REQUEST, _NICIRA_ROLE_REPLY = 10, 11

ASYNC_13 = struct.Struct("!6I")
_ASYNC_13_KINDS = (1, 0, 3, 2, 5, 4)
_BAD_CONFIG_FLAGS = (int(ErrorType.SWITCH_CONFIG_FAILED), 0)
_BAD_ROLE = (int(ErrorType.ROLE_REQUEST_FAILED), 2)
_ASYNC_UNSUPPORTED = (int(ErrorType.ASYNC_CONFIG_FAILED), 1)
_BAD_PROPERTY_LEN = (int(ErrorType.BAD_PROPERTY), 1)
_ASYNC_EXPERIMENTER = (0xFFFE, 0xFFFF)
_LAST_ASYNC = AsyncProperty.CONT_STATUS_PRIMARY


@dataclass(frozen=True, slots=True)
class Hello(Body):
    """HELLO: the versions a side speaks, by wire number, rising."""

    KIND: ClassVar[MessageType] = MessageType.HELLO
    versions: tuple[int, ...]

    def encode_body(self, version: int) -> bytes:
        """The bitmap of versions; nothing when it would only say what the header says."""
        if version < Version.OF13 and self.versions == tuple(range(1, version + 1)):
            return b""
        words = [0] * (max(self.versions, default=0) // 32 + 1)
        for number in self.versions:
            words[number // 32] |= 1 << number % 32
        data = struct.pack(f"!{len(words)}I", *words)
        length = _HELLO_ELEMENT.size + len(data)
        return _HELLO_ELEMENT.pack(_VERSION_BITMAP, length) + data + padding(length)

    @classmethod
    def decode_body(cls, data: bytes, version: int) -> Self:
        """Reads the bitmap; without one, every version up to the header's is meant.

        What follows a damaged element is not looked at: a HELLO of any future version must do.
        """
        try:
            for record in records(data, 4, BAD_REQUEST_LEN, "hello element", align=8, padded=True):
                kind, _ = _HELLO_ELEMENT.unpack_from(record)
                if kind == _VERSION_BITMAP and len(record) >= 8:
                    return cls(_versions(record[4:]))
        except DecodeError:
            pass
        return cls(tuple(range(1, version + 1)))


@dataclass(frozen=True, slots=True)
class EchoRequest(Body):
    """ECHO_REQUEST: is the other side alive?"""

    KIND: ClassVar[MessageType] = MessageType.ECHO_REQUEST
    data: bytes = b""

    def encode_body(self, version: int) -> bytes:
        """The data."""
        return self.data

    @classmethod
    def decode_body(cls, data: bytes, version: int) -> Self:
        """The data."""
        return cls(data)


@dataclass(frozen=True, slots=True)
class EchoReply(Body):
    """ECHO_REPLY: the request's data, sent back."""

    KIND: ClassVar[MessageType] = MessageType.ECHO_REPLY
    data: bytes = b""

    def encode_body(self, version: int) -> bytes:
        """The data."""
        return self.data

    @classmethod
    def decode_body(cls, data: bytes, version: int) -> Self:
        """The data."""
        return cls(data)


@dataclass(frozen=True, slots=True)
class Experimenter(Body):
    """EXPERIMENTER (1.0: VENDOR) that this codec does not know.

    `data` is all that follows the experimenter id, usually a 32-bit subtype first.
    """

    KIND: ClassVar[MessageType] = MessageType.EXPERIMENTER
    experimenter: int
    data: bytes = b""

    def encode_body(self, version: int) -> bytes:
        """The experimenter id and the data."""
        return unsigned(self.experimenter, 4, "experimenter") + self.data

    @classmethod
    def decode_body(cls, data: bytes, version: int) -> Self:
        """Reads the experimenter id."""
        reader = Reader(data, "experimenter message")
        return cls(int.from_bytes(reader.take(4), "big"), reader.rest())


@dataclass(frozen=True, slots=True)
class FeaturesRequest(Empty):
    """FEATURES_REQUEST."""

    KIND: ClassVar[MessageType] = MessageType.FEATURES_REQUEST


@dataclass(frozen=True, slots=True)
class FeaturesReply(Body):
    """FEATURES_REPLY.

    Attributes:
        datapath_id: 64 bits.
        n_buffers: Packets the switch can hold.
        n_tables: Tables it has.
        auxiliary_id: Which connection this is; 0 in OpenFlow 1.0.
        capabilities: `Capability` bits.
        actions: Bitmap of actions, OpenFlow 1.0 only.
        ports: The ports, OpenFlow 1.0 only.
    """

    KIND: ClassVar[MessageType] = MessageType.FEATURES_REPLY
    datapath_id: int
    n_buffers: int = 0
    n_tables: int = 254
    auxiliary_id: int = 0
    capabilities: int = 0
    actions: int = 0
    ports: tuple[PortDesc, ...] = ()

    def encode_body(self, version: int) -> bytes:
        """The numbers, and OpenFlow 1.0's ports."""
        if version != Version.OF10 and (self.ports or self.actions):
            raise missing(version, "ports in FeaturesReply")
        data = pack(
            _FEATURES,
            "features",
            self.datapath_id,
            self.n_buffers,
            self.n_tables,
            self.auxiliary_id,
            self.capabilities,
            self.actions,
        )
        return data + b"".join(port.encode(version) for port in self.ports)

    @classmethod
    def decode_body(cls, data: bytes, version: int) -> Self:
        """Reads the numbers, and OpenFlow 1.0's ports."""
        reader = Reader(data, "features")
        dpid, buffers, tables, auxiliary, capabilities, actions = reader.read(_FEATURES)
        if version != Version.OF10:
            reader.end()
            return cls(dpid, buffers, tables, auxiliary, capabilities)
        ports = decode_ports(reader.rest(), version)
        return cls(dpid, buffers, tables, 0, capabilities, actions, ports)


@dataclass(frozen=True, slots=True)
class GetConfigRequest(Empty):
    """GET_CONFIG_REQUEST."""

    KIND: ClassVar[MessageType] = MessageType.GET_CONFIG_REQUEST


@dataclass(frozen=True, slots=True)
class GetConfigReply(Body):
    """GET_CONFIG_REPLY: fragment handling, and bytes of a packet sent on a table miss."""

    KIND: ClassVar[MessageType] = MessageType.GET_CONFIG_REPLY
    flags: int = 0
    miss_send_len: int = 128

    def encode_body(self, version: int) -> bytes:
        """Flags and length."""
        return pack(_CONFIG, "configuration", self.flags, self.miss_send_len)

    @classmethod
    def decode_body(cls, data: bytes, version: int) -> Self:
        """Reads flags and length."""
        reader = Reader(data, "configuration")
        flags, miss_send_len = reader.read(_CONFIG)
        reader.end()
        return cls(flags, miss_send_len)


@dataclass(frozen=True, slots=True)
class SetConfig(Body):
    """SET_CONFIG: as `GetConfigReply`; the flags have no unknown bits."""

    KIND: ClassVar[MessageType] = MessageType.SET_CONFIG
    flags: int = 0
    miss_send_len: int = 128

    def encode_body(self, version: int) -> bytes:
        """Flags and length."""
        return pack(_CONFIG, "configuration", self.flags, self.miss_send_len)

    @classmethod
    def decode_body(cls, data: bytes, version: int) -> Self:
        """Reads flags and length."""
        reader = Reader(data, "configuration")
        flags, miss_send_len = reader.read(_CONFIG)
        reader.end()
        legal = 3 if version >= Version.OF13 else 7
        if flags & ~legal:
            raise fault(_BAD_CONFIG_FLAGS, f"configuration with flags {flags:#x}")
        return cls(flags, miss_send_len)


@dataclass(frozen=True, slots=True)
class BarrierRequest(Empty):
    """BARRIER_REQUEST."""

    KIND: ClassVar[MessageType] = MessageType.BARRIER_REQUEST


@dataclass(frozen=True, slots=True)
class BarrierReply(Empty):
    """BARRIER_REPLY."""

    KIND: ClassVar[MessageType] = MessageType.BARRIER_REPLY


@dataclass(frozen=True, slots=True)
class RoleRequest(Body):
    """ROLE_REQUEST, or NXT_ROLE_REQUEST, which has no generation id (on 1.0 the only one).

    Attributes:
        role: A `Role`, or an unknown number.
        generation_id: 64 bits; 0 where the version has none.
        short_id: OpenFlow 1.5's short id of the controller.
        nicira: Whether it is Nicira's message in a version that has its own.
    """

    KIND: ClassVar[MessageType] = MessageType.ROLE_REQUEST
    role: int = Role.NOCHANGE
    generation_id: int = 0
    short_id: int = 0
    nicira: bool = field(default=False, compare=False)

    def wire_form(self, version: int) -> tuple[int, bytes]:
        """Before OpenFlow 1.2 it can only be Nicira's message."""
        if version != Version.OF10 and not self.nicira:
            return super(RoleRequest, self).wire_form(version)
        return int(MessageType.EXPERIMENTER), _nicira_role(_NICIRA_ROLE_REQUEST, self.role)

    def encode_body(self, version: int) -> bytes:
        """Role and generation id."""
        return _role_bytes(self.role, self.generation_id, self.short_id, version)

    @classmethod
    def decode_body(cls, data: bytes, version: int) -> Self:
        """Reads role and generation id."""
        return cls(*_read_role(data, version))

    @classmethod
    def decode_nicira(cls, data: bytes) -> Self:
        """Reads what follows the subtype of Nicira's message."""
        return cls(_read_nicira_role(data), nicira=True)


@dataclass(frozen=True, slots=True)
class RoleReply(Body):
    """ROLE_REPLY: as `RoleRequest`."""

    KIND: ClassVar[MessageType] = MessageType.ROLE_REPLY
    role: int = Role.EQUAL
    generation_id: int = 0
    short_id: int = 0
    nicira: bool = field(default=False, compare=False)

    def wire_form(self, version: int) -> tuple[int, bytes]:
        """Before OpenFlow 1.2 it can only be Nicira's message."""
        if version != Version.OF10 and not self.nicira:
            return super(RoleReply, self).wire_form(version)
        return int(MessageType.EXPERIMENTER), _nicira_role(_NICIRA_ROLE_REPLY, self.role)

    def encode_body(self, version: int) -> bytes:
        """Role and generation id."""
        return _role_bytes(self.role, self.generation_id, self.short_id, version)

    @classmethod
    def decode_body(cls, data: bytes, version: int) -> Self:
        """Reads role and generation id."""
        return cls(*_read_role(data, version))

    @classmethod
    def decode_nicira(cls, data: bytes) -> Self:
        """Reads what follows the subtype of Nicira's message."""
        return cls(_read_nicira_role(data), nicira=True)


@dataclass(frozen=True, slots=True)
class GetAsyncRequest(Empty):
    """GET_ASYNC_REQUEST."""

    KIND: ClassVar[MessageType] = MessageType.GET_ASYNC_REQUEST


@dataclass(frozen=True, slots=True)
class AsyncMask:
    """Which reasons a session wants to hear of.

    Attributes:
        kind: An `AsyncProperty`: the message, and the role in which the mask holds.
        mask: Bit N stands for reason N.
        data: What follows the type of an experimenter's property, whose mask is 0.
    """

    kind: int
    mask: int = 0
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class GetAsyncReply(Body):
    """GET_ASYNC_REPLY.  OpenFlow 1.3 has exactly the first six kinds."""

    KIND: ClassVar[MessageType] = MessageType.GET_ASYNC_REPLY
    masks: tuple[AsyncMask, ...]

    def encode_body(self, version: int) -> bytes:
        """The masks."""
        if version == Version.OF13:
            return encode_masks13(self.masks)
        return encode_masks(self.masks)

    @classmethod
    def decode_body(cls, data: bytes, version: int) -> Self:
        """Reads the masks."""
        if version == Version.OF13:
            return cls(decode_masks13(data))
        return cls(decode_masks(data, request=False))


@dataclass(frozen=True, slots=True)
class SetAsync(Body):
    """SET_ASYNC: kinds that are not in `masks` keep their mask."""

    KIND: ClassVar[MessageType] = MessageType.SET_ASYNC
    masks: tuple[AsyncMask, ...]

    def encode_body(self, version: int) -> bytes:
        """The masks."""
        if version == Version.OF13:
            return encode_masks13(self.masks)
        return encode_masks(self.masks)

    @classmethod
    def decode_body(cls, data: bytes, version: int) -> Self:
        """Reads the masks."""
        if version == Version.OF13:
            return cls(decode_masks13(data))
        return cls(decode_masks(data))


def _versions(data: bytes) -> tuple[int, ...]:
    """The versions in a bitmap: bit N of word M is version 32 * M + N."""
    words = struct.unpack(f"!{len(data) // 4}I", data[: len(data) // 4 * 4])
    return tuple(
        32 * place + bit for place, word in enumerate(words) for bit in range(32) if word & 1 << bit
    )


def _role_bytes(role: int, generation_id: int, short_id: int, version: int) -> bytes:
    if version >= Version.OF15:
        return pack(_ROLE15, "role", role, short_id, generation_id)
    if short_id:
        raise missing(version, "short id")
    return pack(_ROLE, "role", role, generation_id)


def _read_role(data: bytes, version: int) -> tuple[int, int, int]:
    """Role, generation id, short id."""
    reader = Reader(data, "role")
    if version >= Version.OF15:
        role, short_id, generation_id = reader.read(_ROLE15)
    else:
        (role, generation_id), short_id = reader.read(_ROLE), 0
    reader.end()
    if role > Role.SECONDARY:
        raise fault(_BAD_ROLE, f"unknown role {role}")
    return role, generation_id, short_id


def _nicira_role(subtype: int, role: int) -> bytes:
    """Nicira's roles are one less: other, primary, secondary."""
    if role == Role.NOCHANGE:
        raise missing(Version.OF10, "role request that changes nothing")
    return pack(_NICIRA_ROLE, "role", NICIRA, subtype, role - 1)


def _read_nicira_role(data: bytes) -> int:
    reader = Reader(data, "role")
    role = int.from_bytes(reader.take(4), "big") + 1
    reader.end()
    if role > Role.SECONDARY:
        raise fault(_BAD_ROLE, f"unknown role {role - 1}")
    return role


def encode_masks13(masks: Sequence[AsyncMask]) -> bytes:
    """OpenFlow 1.3's six masks; those that are not given are 0.

    Raises:
        EncodeError: A mask is of a kind that has no place there.
    """
    values = dict.fromkeys(_ASYNC_13_KINDS, 0)
    for item in masks:
        if item.kind not in values:
            raise missing(Version.OF13, f"asynchronous mask of kind {item.kind}")
        values[item.kind] = item.mask
    return pack(ASYNC_13, "mask", *values.values())


def decode_masks13(data: bytes) -> tuple[AsyncMask, ...]:
    """Reads OpenFlow 1.3's six masks: primary and equal first, then secondary, for each message."""
    reader = Reader(data, "asynchronous configuration")
    values = reader.read(ASYNC_13)
    reader.end()
    return tuple(AsyncMask(kind, mask) for kind, mask in zip(_ASYNC_13_KINDS, values, strict=True))


def encode_masks(masks: Sequence[AsyncMask]) -> bytes:
    """OpenFlow 1.4's properties."""
    return b"".join(
        encode_property(item.kind, item.data or unsigned(item.mask, 4, "mask")) for item in masks
    )


def decode_masks(data: bytes, *, request: bool = True) -> tuple[AsyncMask, ...]:
    """Reads OpenFlow 1.4's properties; a reply may have some that are not known.

    Raises:
        DecodeError: An unknown property, or one of the wrong length.
    """
    found = []
    for item in decode_properties(data, "asynchronous configuration"):
        known = item.kind <= _LAST_ASYNC
        if item.kind in _ASYNC_EXPERIMENTER or not (known or request):
            found.append(AsyncMask(item.kind, data=item.data))
            continue
        if not known:
            raise fault(_ASYNC_UNSUPPORTED, f"unknown asynchronous property {item.kind}")
        if len(item.data) != 4:
            raise fault(_BAD_PROPERTY_LEN, f"asynchronous property of {len(item.data)} bytes")
        found.append(AsyncMask(item.kind, int.from_bytes(item.data, "big")))
    return tuple(found)
