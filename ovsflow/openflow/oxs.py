"""OpenFlow 1.5's ofp_stats: counters as TLVs.

Source: OpenFlow 1.5.1 §7.2.4.
"""

import struct
from dataclasses import dataclass
from typing import Protocol

from ovsflow.openflow.wire import BAD_REQUEST_LEN, Reader, fault, pack, padding, unsigned

_HEAD = struct.Struct("!HH")
_TLV = struct.Struct("!HBB")
_BASIC = 0x8002
_DURATION, _IDLE, _FLOWS, _PACKETS, _BYTES = 0, 1, 3, 4, 5
_SIZES = {_DURATION: 8, _IDLE: 8, _FLOWS: 4, _PACKETS: 8, _BYTES: 8}

NO_DURATION = (0xFFFFFFFF, 0xFFFFFFFF)
"""Seconds and nanoseconds where a duration is not told."""


class Counted(Protocol):
    """What the messages about one flow have in common."""

    @property
    def duration_sec(self) -> int:
        """Seconds of life; with the nanoseconds `NO_DURATION` if it is not told."""

    @property
    def duration_nsec(self) -> int:
        """Nanoseconds beyond."""

    @property
    def flow_count(self) -> int | None:
        """Flows summed up."""

    @property
    def packet_count(self) -> int | None:
        """Packets."""

    @property
    def byte_count(self) -> int | None:
        """Bytes."""


@dataclass(frozen=True, slots=True)
class Counters:
    """Counters that are told; `None` for those that are not.

    Attributes:
        duration: Seconds and nanoseconds of life.
        idle: Seconds and nanoseconds since the last packet.
        flow_count: Flows summed up.
        packet_count: Packets.
        byte_count: Bytes.
    """

    duration: tuple[int, int] | None = None
    idle: tuple[int, int] | None = None
    flow_count: int | None = None
    packet_count: int | None = None
    byte_count: int | None = None


def counters_of(flow: Counted, idle_age: int | None = None) -> Counters:
    """What is told of one flow."""
    duration = (flow.duration_sec, flow.duration_nsec)
    return Counters(
        duration=None if duration == NO_DURATION else duration,
        idle=None if idle_age is None else (idle_age, 0),
        flow_count=flow.flow_count,
        packet_count=flow.packet_count,
        byte_count=flow.byte_count,
    )


def encode_counters(counters: Counters) -> bytes:
    """The structure with its padding."""
    data = b""
    for number, pair in ((_DURATION, counters.duration), (_IDLE, counters.idle)):
        if pair is not None:
            data += _tlv(number, pack(struct.Struct("!II"), "time", *pair))
    for number, value in (
        (_FLOWS, counters.flow_count),
        (_PACKETS, counters.packet_count),
        (_BYTES, counters.byte_count),
    ):
        if value is not None:
            data += _tlv(number, unsigned(value, _SIZES[number], "counter"))
    length = _HEAD.size + len(data)
    return pack(_HEAD, "counters", 0, length) + data + padding(length)


def _tlv(number: int, value: bytes) -> bytes:
    return _TLV.pack(_BASIC, number << 1, len(value)) + value


def decode_counters(reader: Reader) -> Counters:
    """Reads the structure and its padding; unknown counters are left out.

    Raises:
        DecodeError: A length is wrong.
    """
    _, length = reader.read(_HEAD)
    if length < _HEAD.size:
        raise fault(BAD_REQUEST_LEN, f"counters of length {length}")
    body = Reader(reader.take(length - _HEAD.size), "counters")
    reader.take(len(padding(length)))
    found: dict[int, bytes] = {}
    while body.left:
        kind, number, size = body.read(_TLV)
        value = body.take(size)
        if kind == _BASIC and number >> 1 in _SIZES:
            if size != _SIZES[number >> 1]:
                raise fault(BAD_REQUEST_LEN, f"counter {number >> 1} of {size} bytes")
            found[number >> 1] = value
    return Counters(
        _pair(found.get(_DURATION)),
        _pair(found.get(_IDLE)),
        *(
            int.from_bytes(found[number], "big") if number in found else None
            for number in (_FLOWS, _PACKETS, _BYTES)
        ),
    )


def _pair(value: bytes | None) -> tuple[int, int] | None:
    if value is None:
        return None
    return int.from_bytes(value[:4], "big"), int.from_bytes(value[4:], "big")
