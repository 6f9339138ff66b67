"""OpenFlow 1.5's ofp_stats: counters as TLVs.

Source: OpenFlow 1.5.1 §7.2.4.
"""

import struct
from dataclasses import dataclass

from ovsflow.openflow.wire import BAD_REQUEST_LEN, Reader, fault, pack, padding, unsigned

_HEAD = struct.Struct("!HH")
_TLV = struct.Struct("!HBB")
_BASIC = 0x8002
_DURATION, _IDLE, _FLOWS, _PACKETS, _BYTES = 0, 1, 3, 4, 5
_SIZES = {_DURATION: 8, _IDLE: 8, _FLOWS: 4, _PACKETS: 8, _BYTES: 8}


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
