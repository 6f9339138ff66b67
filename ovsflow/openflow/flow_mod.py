"""FLOW_MOD: how a controller changes a flow table.

One model, three forms: OpenFlow 1.0's with its fixed match, Nicira's NXT_FLOW_MOD on 1.0, and the
one of 1.3 and later.

Source: OpenFlow 1.0.2 §5.3.3, 1.3.5 §7.3.4.1; Open vSwitch, nicira-ext.
"""

import struct
from dataclasses import dataclass
from typing import ClassVar, Self

from ovsflow.errors import EncodeError
from ovsflow.openflow.constants import (
    ALL_TABLES,
    DEFAULT_PRIORITY,
    NICIRA,
    NO_BUFFER,
    ErrorType,
    FlowFlag,
    FlowModCommand,
    GroupNumber,
    MessageType,
    PortNumber,
    Version,
)
from ovsflow.openflow.instruction_codec import (
    decode_action_list,
    decode_instructions,
    encode_action_list,
    encode_instructions,
)
from ovsflow.openflow.instructions import NO_INSTRUCTIONS, Instructions
from ovsflow.openflow.match import MATCH_ALL, Match
from ovsflow.openflow.match10 import MATCH as MATCH10
from ovsflow.openflow.match10 import decode_match10, encode_match10
from ovsflow.openflow.match_codec import (
    decode_match,
    decode_nxm,
    encode_match,
    encode_nxm,
    legal_port,
    nxm_tlvs,
    port_from_16,
    port_to_16,
)
from ovsflow.openflow.wire import Body, Reader, fault, missing, pack, padding

_FLOW_MOD10 = struct.Struct("!QHHHHIHH")
_FLOW_MOD = struct.Struct("!QQBBHHHIIIHH")
_NICIRA_MATCH = struct.Struct("!H6x")
_NICIRA_HEAD = struct.Struct("!II")
_NICIRA_FLOW_MOD = 13

_BAD_COMMAND = (int(ErrorType.FLOW_MOD_FAILED), 6)
_BAD_FLAGS = (int(ErrorType.FLOW_MOD_FAILED), 7)

_FLAGS10 = FlowFlag.SEND_FLOW_REM | FlowFlag.CHECK_OVERLAP
_EMERGENCY10 = 4
_FLAGS = 0x1F


@dataclass(frozen=True, slots=True)
class FlowMod(Body):
    """FLOW_MOD; on OpenFlow 1.0 also NXT_FLOW_MOD, when the match needs it or `nicira` asks for it.

    Attributes:
        command: A `FlowModCommand`.
        match: Which packets.
        instructions: What happens to them; on 1.0 the actions are `instructions.apply`.
        priority: Higher wins.
        table_id: The table; 0xff means all, for modify and delete.
        idle_timeout: Seconds without a packet until the flow goes, 0 for never.
        hard_timeout: Seconds until the flow goes, 0 for never.
        cookie: The controller's mark.
        cookie_mask: Bits of `cookie` that select flows, for modify and delete.
        flags: `FlowFlag` bits.
        importance: For eviction (OpenFlow 1.4 and later).
        buffer_id: A held packet to send through the flow.
        out_port: Deletes only flows that output here.
        out_group: Deletes only flows that use this group.
        nicira: Carried as NXT_FLOW_MOD (OpenFlow 1.0 only).
        table_in_command: The table stands in the high byte of the command, as
            NXT_FLOW_MOD_TABLE_ID allows (OpenFlow 1.0 only).
    """

    KIND: ClassVar[MessageType] = MessageType.FLOW_MOD
    command: int = FlowModCommand.ADD
    match: Match = MATCH_ALL
    instructions: Instructions = NO_INSTRUCTIONS
    priority: int = DEFAULT_PRIORITY
    table_id: int = 0
    idle_timeout: int = 0
    hard_timeout: int = 0
    cookie: int = 0
    cookie_mask: int = 0
    flags: int = 0
    importance: int = 0
    buffer_id: int = NO_BUFFER
    out_port: int = PortNumber.ANY
    out_group: int = GroupNumber.ANY
    nicira: bool = False
    table_in_command: bool = False

    def wire_form(self, version: int) -> tuple[int, bytes]:
        """The standard's message, or NXT_FLOW_MOD where OpenFlow 1.0 needs it."""
        if version != Version.OF10 or not self._needs_nicira():
            return super(FlowMod, self).wire_form(version)
        tlvs = encode_nxm(self.match, version, self.cookie, self.cookie_mask)
        data = _NICIRA_HEAD.pack(NICIRA, _NICIRA_FLOW_MOD) + self._numbers10()
        data += pack(_NICIRA_MATCH, "match", len(tlvs)) + tlvs + padding(len(tlvs))
        return int(MessageType.EXPERIMENTER), data + encode_action_list(self.instructions)

    def _needs_nicira(self) -> bool:
        if self.nicira or self.cookie_mask:
            return True
        try:
            encode_match10(self.match)
        except EncodeError:
            return True
        return False

    def encode_body(self, version: int) -> bytes:
        """The flow's numbers, match and instructions.

        Raises:
            EncodeError: The version cannot say one of them.
        """
        if version == Version.OF10:
            match = encode_match10(self.match)
            return match + self._numbers10() + encode_action_list(self.instructions)
        if self.importance and version < Version.OF14:
            raise missing(version, "importance of flows")
        data = pack(
            _FLOW_MOD,
            "flow mod",
            self.cookie,
            self.cookie_mask,
            self.table_id,
            self.command,
            self.idle_timeout,
            self.hard_timeout,
            self.priority,
            self.buffer_id,
            self.out_port,
            self.out_group,
            self.flags,
            self.importance,
        )
        data += encode_match(self.match, version)
        return data + encode_instructions(self.instructions, version)

    def _numbers10(self) -> bytes:
        """What OpenFlow 1.0's message and Nicira's have in common."""
        command = self.command
        if self.table_in_command:
            command |= self.table_id << 8
        elif self.table_id not in (0, ALL_TABLES):
            raise EncodeError("OpenFlow10 names a table only with NXT_FLOW_MOD_TABLE_ID")
        if self.out_group != GroupNumber.ANY:
            raise missing(Version.OF10, "out_group")
        if self.importance:
            raise missing(Version.OF10, "importance of flows")
        return pack(
            _FLOW_MOD10,
            "flow mod",
            self.cookie,
            command,
            self.idle_timeout,
            self.hard_timeout,
            self.priority,
            self.buffer_id,
            port_to_16(self.out_port, "out_port"),
            flags_to_10(self.flags),
        )

    @classmethod
    def decode_body(cls, data: bytes, version: int) -> Self:
        """Reads the flow's numbers, match and instructions.

        Raises:
            DecodeError: With the type and code that say why.
        """
        reader = Reader(data, "flow mod")
        if version == Version.OF10:
            match = decode_match10(reader.take(MATCH10.size))
            return cls._decode10(reader, match)
        (
            cookie,
            cookie_mask,
            table_id,
            command,
            idle,
            hard,
            priority,
            buffer_id,
            out_port,
            out_group,
            flags,
            importance,
        ) = reader.read(_FLOW_MOD)
        match = decode_match(reader, strict=True)
        if command > FlowModCommand.DELETE_STRICT:
            raise fault(_BAD_COMMAND, f"unknown flow mod command {command}")
        if flags & ~_FLAGS:
            raise fault(_BAD_FLAGS, f"flow mod with flags {flags:#x}")
        legal_port(out_port)
        instructions = decode_instructions(reader.rest(), version)
        return cls(
            command,
            match,
            instructions,
            priority,
            table_id,
            idle,
            hard,
            cookie,
            cookie_mask,
            flags,
            importance if version >= Version.OF14 else 0,
            buffer_id,
            out_port,
            out_group,
        )

    @classmethod
    def decode_nicira(cls, data: bytes) -> Self:
        """Reads what follows the subtype of NXT_FLOW_MOD."""
        return cls._decode10(Reader(data, "flow mod"), None)

    @classmethod
    def _decode10(cls, reader: Reader, match: Match | None) -> Self:
        cookie, command, idle, hard, priority, buffer_id, out_port, flags = reader.read(_FLOW_MOD10)
        nicira = match is None
        filter_cookie = cookie_mask = 0
        if match is None:
            (length,) = reader.read(_NICIRA_MATCH)
            match, filter_cookie, cookie_mask = decode_nxm(nxm_tlvs(reader, length), strict=True)
        table, command = command >> 8, command & 0xFF
        if command > FlowModCommand.DELETE_STRICT:
            raise fault(_BAD_COMMAND, f"unknown flow mod command {command}")
        return cls(
            command,
            match,
            decode_action_list(reader.rest()),
            priority,
            table,
            idle,
            hard,
            filter_cookie if cookie_mask else cookie,
            cookie_mask,
            flags_from_10(flags),
            buffer_id=buffer_id,
            out_port=port_from_16(out_port),
            nicira=nicira,
            table_in_command=bool(table),
        )


def flags_to_10(flags: int) -> int:
    """`FlowFlag` bits as OpenFlow 1.0 has them.

    Raises:
        EncodeError: A flag that it does not have.
    """
    if flags & ~(_FLAGS10 | FlowFlag.EMERGENCY):
        raise missing(Version.OF10, f"flow mod flags {flags & ~_FLAGS10:#x}")
    return flags & _FLAGS10 | (_EMERGENCY10 if flags & FlowFlag.EMERGENCY else 0)


def flags_from_10(flags: int) -> int:
    """OpenFlow 1.0's flags as `FlowFlag` bits.

    Raises:
        DecodeError: OFPFMFC_BAD_FLAGS for a flag that it does not have.
    """
    if flags & ~(_FLAGS10 | _EMERGENCY10):
        raise fault(_BAD_FLAGS, f"flow mod with flags {flags:#x}")
    return flags & _FLAGS10 | (FlowFlag.EMERGENCY if flags & _EMERGENCY10 else 0)
