"""Messages to bytes and back.

`encode` and `decode` are the whole interface.  Which class stands for a header's type is a table
built from the classes themselves; each family's module turns its own messages into bytes.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import ClassVar, Protocol

from ovsflow.errors import EncodeError
from ovsflow.openflow import bundle, handshake, nicira, notices
from ovsflow.openflow.constants import (
    HEADER_BYTES,
    NICIRA,
    ONF,
    SPOKEN,
    ErrorType,
    MessageType,
    Version,
    message_type,
)
from ovsflow.openflow.failure import ErrorMessage
from ovsflow.openflow.flow_mod import FlowMod
from ovsflow.openflow.group_mod import NXT_GROUP_MOD, GroupMod
from ovsflow.openflow.modify import MeterMod, PortMod, TableMod
from ovsflow.openflow.multipart_codec import decode_reply, decode_request
from ovsflow.openflow.packets import PacketIn, PacketOut
from ovsflow.openflow.port_stats import QueueGetConfigReply, QueueGetConfigRequest
from ovsflow.openflow.wire import Body, Readable, fault, pack, version_name

_HEADER = struct.Struct("!BBHI")
_MAX_BYTES = 0xFFFF

BAD_VERSION = (int(ErrorType.BAD_REQUEST), 0)
BAD_TYPE = (int(ErrorType.BAD_REQUEST), 1)
BAD_EXPERIMENTER = (int(ErrorType.BAD_REQUEST), 3)
BAD_LEN = (int(ErrorType.BAD_REQUEST), 6)


@dataclass(frozen=True, slots=True)
class Received:
    """A message that came in."""

    version: int
    xid: int
    body: Body


def encode(body: Body, version: int, xid: int = 0) -> bytes:
    """The whole message, header included.

    Args:
        body: The message.
        version: Wire version: 0x01, 0x04, 0x05 or 0x06; any for HELLO and for an ERROR about one.
        xid: Transaction id.

    Raises:
        EncodeError: The version cannot say it; the text says what.
    """
    if version not in SPOKEN and not isinstance(body, (handshake.Hello, ErrorMessage)):
        raise EncodeError(f"{version_name(version)} is not spoken here")
    number, data = body.wire_form(version)
    length = HEADER_BYTES + len(data)
    if length > _MAX_BYTES:
        raise EncodeError(f"{type(body).__name__} of {length} bytes does not fit in a message")
    return pack(_HEADER, "header", version, number, length, xid) + data


def decode(data: bytes) -> Received:
    """Reads one whole message.

    Raises:
        DecodeError: It is not valid; carries the error type and code to answer with.
    """
    version, number, xid = _header(data)
    kind = message_type(version, number)
    if number <= MessageType.ERROR:  # HELLO and ERROR are read in every version.
        kind = MessageType(number)
    elif version not in SPOKEN:
        raise fault(BAD_VERSION, f"{version_name(version)} is not spoken here")
    if kind is None:
        raise fault(BAD_TYPE, f"{version_name(version)} has no message of type {number}")
    body = data[HEADER_BYTES:]
    if kind == MessageType.EXPERIMENTER:
        return Received(version, xid, _experimenter(body, version))
    if kind == MessageType.MULTIPART_REQUEST:
        return Received(version, xid, decode_request(body, version))
    if kind == MessageType.MULTIPART_REPLY:
        return Received(version, xid, decode_reply(body, version))
    return Received(version, xid, _classes()[kind].decode_body(body, version))


def _header(data: bytes) -> tuple[int, int, int]:
    """Version, type and xid of a message whose length is right."""
    if len(data) < HEADER_BYTES:
        raise fault(BAD_LEN, f"message of {len(data)} bytes")
    version, number, length, xid = _HEADER.unpack_from(data)
    if length != len(data):
        raise fault(BAD_LEN, f"message of {len(data)} bytes that says {length}")
    return version, number, xid


def header_of(data: bytes) -> tuple[int, MessageType | None, int]:
    """Version, kind and xid of a message, looking at its header only; kind `None` if unknown.

    Raises:
        DecodeError: There is no whole header, or the length in it is not that of `data`.
    """
    version, number, xid = _header(data)
    return version, message_type(version, number), xid


def _experimenter(body: bytes, version: int) -> Body:
    """Reads a message behind an experimenter header; what is unknown stays bytes."""
    if len(body) >= HEADER_BYTES:
        experimenter = int.from_bytes(body[:4], "big")
        subtype = int.from_bytes(body[4:8], "big")
        reader = _extensions(version).get((experimenter, subtype))
        if reader is not None:
            return reader(body[HEADER_BYTES:])
    return handshake.Experimenter.decode_body(body, version)


_CLASSES: tuple[type[Readable], ...] = (
    handshake.Hello,
    ErrorMessage,
    handshake.EchoRequest,
    handshake.EchoReply,
    handshake.FeaturesRequest,
    handshake.FeaturesReply,
    handshake.GetConfigRequest,
    handshake.GetConfigReply,
    handshake.SetConfig,
    PacketIn,
    notices.FlowRemoved,
    notices.PortStatus,
    PacketOut,
    FlowMod,
    GroupMod,
    PortMod,
    TableMod,
    handshake.BarrierRequest,
    handshake.BarrierReply,
    QueueGetConfigRequest,
    QueueGetConfigReply,
    handshake.RoleRequest,
    handshake.RoleReply,
    handshake.GetAsyncRequest,
    handshake.GetAsyncReply,
    handshake.SetAsync,
    MeterMod,
    notices.RoleStatus,
    notices.TableStatus,
    notices.RequestForward,
    bundle.BundleControl,
    bundle.BundleAdd,
    notices.ControllerStatus,
)


@cache
def _classes() -> dict[MessageType, type[Readable]]:
    return {made.KIND: made for made in _CLASSES}


class _Subtyped(Readable, Protocol):
    SUBTYPE: ClassVar[int]


_NICIRA_CLASSES: tuple[type[_Subtyped], ...] = (
    nicira.SetFlowFormat,
    nicira.FlowModTableId,
    nicira.SetPacketInFormat,
    nicira.FlowAge,
    nicira.SetAsyncConfig,
    nicira.SetAsyncConfig2,
    nicira.SetControllerId,
    nicira.FlowMonitorCancel,
    nicira.FlowMonitorPaused,
    nicira.FlowMonitorResumed,
    nicira.TlvTableMod,
    nicira.TlvTableRequest,
    nicira.TlvTableReply,
    nicira.Resume,
    nicira.CtFlushZone,
    nicira.CtFlush,
)


@cache
def _extensions(version: int) -> dict[tuple[int, int], Callable[[bytes], Body]]:
    """Who reads what follows an experimenter id and a subtype, in a version."""
    readers: dict[tuple[int, int], Callable[[bytes], Body]] = {
        (NICIRA, 13): FlowMod.decode_nicira,
        (NICIRA, 14): notices.FlowRemoved.decode_nicira,
        (NICIRA, 17): PacketIn.decode_nicira,
        (NICIRA, 30): PacketIn.decode_nicira2,
        (NICIRA, 10): handshake.RoleRequest.decode_nicira,
        (NICIRA, 11): handshake.RoleReply.decode_nicira,
    }
    if version == Version.OF10:
        readers[NICIRA, NXT_GROUP_MOD] = _reader(GroupMod, version)
    if version == Version.OF13:
        # What later versions have messages for.
        readers[ONF, 1911] = lambda data: notices.RoleStatus.decode_body(data, version)
        readers[ONF, 2300] = lambda data: bundle.BundleControl.decode_body(data, version)
        readers[ONF, 2301] = lambda data: bundle.BundleAdd.decode_body(data, version)
    for made in _NICIRA_CLASSES:
        readers[NICIRA, made.SUBTYPE] = _reader(made, version)
    return readers


def _reader(made: type[Readable], version: int) -> Callable[[bytes], Body]:
    return lambda data: made.decode_body(data, version)
