"""Packets between switch and controller: PACKET_IN and PACKET_OUT."""

from dataclasses import dataclass
from typing import ClassVar

from ovsflow.openflow.actions import Action
from ovsflow.openflow.constants import (
    NO_BUFFER,
    MessageType,
    PacketInFormat,
    PacketInReason,
    PortNumber,
)
from ovsflow.openflow.match import MATCH_ALL, Match
from ovsflow.openflow.wire import Body


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
