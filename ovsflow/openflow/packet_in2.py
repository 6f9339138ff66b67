"""The properties of NXT_PACKET_IN2, which NXT_RESUME sends back.

Source: Open vSwitch, nicira-ext (NXPINT_*).
"""

from dataclasses import dataclass
from typing import Protocol

from ovsflow.openflow.constants import NO_BUFFER
from ovsflow.openflow.match import MATCH_ALL, Match
from ovsflow.openflow.match_codec import decode_tlvs, encode_tlvs
from ovsflow.openflow.wire import (
    BAD_PROPERTY_LEN,
    decode_properties,
    encode_property,
    fault,
    unsigned,
)

_PACKET, _FULL_LEN, _BUFFER_ID, _TABLE_ID, _COOKIE, _REASON, _METADATA, _USERDATA = range(8)
_CONTINUATION = 8
_NO_COOKIE = 0xFFFFFFFFFFFFFFFF
_SIZES = {_FULL_LEN: 4, _BUFFER_ID: 4, _TABLE_ID: 1, _COOKIE: 12, _REASON: 1}


class PacketLike(Protocol):
    """What a packet-in and a resume have in common."""

    @property
    def match(self) -> Match:
        """Metadata."""

    @property
    def data(self) -> bytes:
        """The packet."""

    @property
    def reason(self) -> int:
        """OFPR_*."""

    @property
    def table_id(self) -> int:
        """Where it came from."""

    @property
    def cookie(self) -> int:
        """The flow's cookie; all ones if unknown."""

    @property
    def userdata(self) -> bytes | None:
        """What the action said."""

    @property
    def continuation(self) -> bytes | None:
        """The frozen pipeline."""


@dataclass(frozen=True, slots=True)
class PacketProperties:
    """The properties as they were read; the defaults stand for those that were not there."""

    match: Match = MATCH_ALL
    data: bytes = b""
    total_len: int | None = None
    reason: int = 1
    table_id: int = 0
    cookie: int = _NO_COOKIE
    buffer_id: int = NO_BUFFER
    userdata: bytes | None = None
    continuation: bytes | None = None


def encode_packet_in2(
    packet: PacketLike, version: int, total_len: int | None = None, buffer_id: int = NO_BUFFER
) -> bytes:
    """Writes the properties; those that say nothing are left out."""
    data = encode_property(_PACKET, packet.data)
    if total_len is not None and total_len != len(packet.data):
        data += encode_property(_FULL_LEN, unsigned(total_len, 4, "length of the packet"))
    if buffer_id != NO_BUFFER:
        data += encode_property(_BUFFER_ID, unsigned(buffer_id, 4, "buffer id"))
    data += encode_property(_TABLE_ID, unsigned(packet.table_id, 1, "table"))
    if packet.cookie != _NO_COOKIE:
        data += encode_property(_COOKIE, bytes(4) + unsigned(packet.cookie, 8, "cookie"))
    data += encode_property(_REASON, unsigned(packet.reason, 1, "reason"))
    data += encode_property(_METADATA, encode_tlvs(packet.match, version, flow=False))
    if packet.userdata is not None:
        data += encode_property(_USERDATA, packet.userdata)
    if packet.continuation is not None:
        data += encode_property(_CONTINUATION, packet.continuation)
    return data


def decode_packet_in2(data: bytes) -> PacketProperties:
    """Reads the properties; unknown ones are left out.

    Raises:
        DecodeError: OFPBPC_BAD_LEN, or what is wrong with the metadata.
    """
    numbers: dict[int, int] = {}
    pieces: dict[int, bytes] = {}
    for item in decode_properties(data, "packet in"):
        if item.kind not in _SIZES:
            pieces[item.kind] = item.data
        elif len(item.data) != _SIZES[item.kind]:
            raise fault(BAD_PROPERTY_LEN, f"packet property of {len(item.data)} bytes")
        else:
            numbers[item.kind] = int.from_bytes(item.data[-8:], "big")
    return PacketProperties(
        decode_tlvs(pieces.get(_METADATA, b""), strict=False, skip_unknown=True),
        pieces.get(_PACKET, b""),
        numbers.get(_FULL_LEN),
        numbers.get(_REASON, 1),
        numbers.get(_TABLE_ID, 0),
        numbers.get(_COOKIE, _NO_COOKIE),
        numbers.get(_BUFFER_ID, NO_BUFFER),
        pieces.get(_USERDATA),
        pieces.get(_CONTINUATION),
    )
