"""Packets between switch and controller: PACKET_IN and PACKET_OUT.

Source: OpenFlow 1.0.2 §5.3.6, §5.4.1, 1.3.5 §7.3.7, §7.4.1, 1.5.1 §7.3.6; Open vSwitch, nicira-ext.
"""

import struct
from dataclasses import dataclass
from typing import ClassVar, Self

from ovsflow.openflow.action_codec import decode_actions, encode_actions
from ovsflow.openflow.actions import Action
from ovsflow.openflow.constants import (
    NICIRA,
    NO_BUFFER,
    ErrorType,
    MessageType,
    PacketInFormat,
    PacketInReason,
    PortNumber,
    Version,
)
from ovsflow.openflow.match import MATCH_ALL, Match, MatchField
from ovsflow.openflow.match_codec import (
    decode_match,
    decode_tlvs,
    encode_match,
    encode_tlvs,
    legal_port,
    nxm_tlvs,
    port_from_16,
    port_to_16,
)
from ovsflow.openflow.packet_in2 import decode_packet_in2, encode_packet_in2
from ovsflow.openflow.wire import Body, Reader, fault, missing, pack, padding

_PACKET_IN10 = struct.Struct("!IHHBx")
_PACKET_IN = struct.Struct("!IHBBQ")
_NXT_PACKET_IN = struct.Struct("!IHBBQH6x")
_NICIRA_HEAD = struct.Struct("!II")
_NXT_PACKET_IN_TYPE, _NXT_PACKET_IN2_TYPE = 17, 30

_PACKET_OUT10 = struct.Struct("!IHH")
_PACKET_OUT = struct.Struct("!IIH6x")
_PACKET_OUT15 = struct.Struct("!IH2x")
_BAD_PORT = (int(ErrorType.BAD_REQUEST), 11)
_SPECIAL_IN_PORTS = (PortNumber.LOCAL, PortNumber.CONTROLLER, PortNumber.ANY)

# What versions before 1.4 call the reasons that it added.
_REASON_BEFORE_14 = {
    PacketInReason.ACTION_SET: PacketInReason.ACTION,
    PacketInReason.GROUP: PacketInReason.ACTION,
    PacketInReason.PACKET_OUT: PacketInReason.ACTION,
    PacketInReason.EXPLICIT_MISS: PacketInReason.NO_MATCH,
    PacketInReason.IMPLICIT_MISS: PacketInReason.NO_MATCH,
}


@dataclass(frozen=True, slots=True)
class PacketIn(Body):
    """PACKET_IN, NXT_PACKET_IN or NXT_PACKET_IN2.

    Attributes:
        match: The packet's metadata: in_port, tun_id, registers...
        data: The packet, perhaps only its start.
        total_len: Length of the whole packet.
        reason: A `PacketInReason`.
        table_id: Table that sent it; 0xff if unknown.
        cookie: Cookie of the flow that sent it; all ones if unknown.
        buffer_id: Where the switch holds the packet.
        form: Which message carries it, a `PacketInFormat`.
        userdata: What the controller action said (NXT_PACKET_IN2); `None` if nothing.
        continuation: The frozen pipeline of a paused packet (NXT_PACKET_IN2), for NXT_RESUME.
    """

    KIND: ClassVar[MessageType] = MessageType.PACKET_IN
    match: Match
    data: bytes
    total_len: int
    reason: int = PacketInReason.NO_MATCH
    table_id: int = 0
    cookie: int = 0xFFFFFFFFFFFFFFFF
    buffer_id: int = NO_BUFFER
    form: PacketInFormat = PacketInFormat.STANDARD
    userdata: bytes | None = None
    continuation: bytes | None = None

    @property
    def in_port(self) -> int:
        """The port it came in by; `PortNumber.ANY` if the match does not say."""
        port = self.match.value("in_port")
        return int(PortNumber.ANY) if port is None else port

    def wire_form(self, version: int) -> tuple[int, bytes]:
        """The standard's message, or one of Nicira's, as `form` says."""
        if self.form == PacketInFormat.STANDARD:
            return super(PacketIn, self).wire_form(version)
        kind, body = self._nicira(version)
        head = _NICIRA_HEAD.pack(NICIRA, kind)
        return int(MessageType.EXPERIMENTER), head + body

    def _nicira(self, version: int) -> tuple[int, bytes]:
        if self.form == PacketInFormat.NXT_PACKET_IN2:
            properties = encode_packet_in2(self, version, self.total_len, self.buffer_id)
            return _NXT_PACKET_IN2_TYPE, properties
        tlvs = encode_tlvs(self.match, Version.OF10, flow=False)
        numbers = (self.buffer_id, self.total_len, reason_for(self.reason, version))
        rest = (self.table_id, self.cookie, len(tlvs))
        data = pack(_NXT_PACKET_IN, "packet in", *numbers, *rest) + tlvs + padding(len(tlvs))
        return _NXT_PACKET_IN_TYPE, data + bytes(2) + self.data

    def encode_body(self, version: int) -> bytes:
        """The numbers, metadata and packet."""
        reason = reason_for(self.reason, version)
        if version == Version.OF10:
            port = port_to_16(self.in_port, "in_port")
            numbers = (self.buffer_id, self.total_len, port, reason)
            return pack(_PACKET_IN10, "packet in", *numbers) + self.data
        flow = (self.table_id, self.cookie)
        data = pack(_PACKET_IN, "packet in", self.buffer_id, self.total_len, reason, *flow)
        return data + encode_match(self.match, version, flow=False) + bytes(2) + self.data

    @classmethod
    def decode_body(cls, data: bytes, version: int) -> Self:
        """Reads the numbers, metadata and packet; unknown metadata is left out."""
        reader = Reader(data, "packet in")
        if version == Version.OF10:
            buffer_id, total_len, in_port, reason = reader.read(_PACKET_IN10)
            match = Match((MatchField("in_port", port_from_16(in_port)),))
            return cls(match, reader.rest(), total_len, reason, buffer_id=buffer_id)
        buffer_id, total_len, reason, table_id, cookie = reader.read(_PACKET_IN)
        match = decode_match(reader, strict=False, skip_unknown=True)
        reader.take(2)
        return cls(match, reader.rest(), total_len, reason, table_id, cookie, buffer_id)

    @classmethod
    def decode_nicira(cls, data: bytes) -> Self:
        """Reads what follows the subtype of NXT_PACKET_IN."""
        reader = Reader(data, "packet in")
        buffer_id, total_len, reason, table_id, cookie, length = reader.read(_NXT_PACKET_IN)
        match = decode_tlvs(nxm_tlvs(reader, length), strict=False, skip_unknown=True)
        reader.take(2)
        return cls(
            match,
            reader.rest(),
            total_len,
            reason,
            table_id,
            cookie,
            buffer_id,
            PacketInFormat.NXT_PACKET_IN,
        )

    @classmethod
    def decode_nicira2(cls, data: bytes) -> Self:
        """Reads what follows the subtype of NXT_PACKET_IN2."""
        found = decode_packet_in2(data)
        return cls(
            found.match,
            found.data,
            len(found.data) if found.total_len is None else found.total_len,
            found.reason,
            found.table_id,
            found.cookie,
            found.buffer_id,
            PacketInFormat.NXT_PACKET_IN2,
            found.userdata,
            found.continuation,
        )


@dataclass(frozen=True, slots=True)
class PacketOut(Body):
    """PACKET_OUT.

    Attributes:
        actions: What to do with the packet.
        data: The packet, unless `buffer_id` names one.
        in_port: Where it is to seem to come from.
        buffer_id: A held packet.
        match: Other pipeline fields to start with (OpenFlow 1.5).
    """

    KIND: ClassVar[MessageType] = MessageType.PACKET_OUT
    actions: tuple[Action, ...] = ()
    data: bytes = b""
    in_port: int = PortNumber.CONTROLLER
    buffer_id: int = NO_BUFFER
    match: Match = MATCH_ALL

    def encode_body(self, version: int) -> bytes:
        """The numbers, actions and packet.

        Raises:
            EncodeError: Pipeline fields before OpenFlow 1.5.
        """
        actions = encode_actions(self.actions, version)
        if version >= Version.OF15:
            match = Match((MatchField("in_port", self.in_port), *self.match.fields))
            data = pack(_PACKET_OUT15, "packet out", self.buffer_id, len(actions))
            return data + encode_match(match, version, flow=False) + actions + self.data
        if self.match.fields:
            raise missing(version, "pipeline fields in a packet out")
        if version == Version.OF10:
            port = port_to_16(self.in_port, "in_port")
            head = pack(_PACKET_OUT10, "packet out", self.buffer_id, port, len(actions))
        else:
            numbers = (self.buffer_id, self.in_port, len(actions))
            head = pack(_PACKET_OUT, "packet out", *numbers)
        return head + actions + self.data

    @classmethod
    def decode_body(cls, data: bytes, version: int) -> Self:
        """Reads the numbers, actions and packet.

        Raises:
            DecodeError: With the type and code that say why.
        """
        reader = Reader(data, "packet out")
        match = MATCH_ALL
        if version >= Version.OF15:
            buffer_id, length = reader.read(_PACKET_OUT15)
            match = decode_match(reader, strict=False)
            port = match.value("in_port")
            in_port = int(PortNumber.CONTROLLER) if port is None else port
            match = match.without("in_port")
        elif version == Version.OF10:
            buffer_id, port16, length = reader.read(_PACKET_OUT10)
            in_port = port_from_16(port16)
        else:
            buffer_id, in_port, length = reader.read(_PACKET_OUT)
        if legal_port(in_port) >= PortNumber.MAX and in_port not in _SPECIAL_IN_PORTS:
            raise fault(_BAD_PORT, f"packet out from port {in_port:#x}")
        actions = decode_actions(reader.take(length), version)
        return cls(actions, reader.rest(), in_port, buffer_id, match)


def reason_for(reason: int, version: int) -> int:
    """The reason as `version` can say it."""
    if version >= Version.OF14 or reason not in _REASON_BEFORE_14:
        return reason
    return _REASON_BEFORE_14[PacketInReason(reason)]
