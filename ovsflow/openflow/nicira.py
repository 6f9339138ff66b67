"""Nicira's extension messages, as Open vSwitch speaks them in every version.

Only those with no twin in the standard are here: NXT_FLOW_MOD, NXT_PACKET_IN, NXT_FLOW_REMOVED and
NXT_ROLE_* are forms of the standard messages' classes.
"""

from dataclasses import dataclass
from typing import ClassVar

from ovsflow.openflow.constants import NICIRA, MessageType, PacketInFormat
from ovsflow.openflow.handshake import AsyncMask
from ovsflow.openflow.match import Match
from ovsflow.openflow.wire import Body, Empty


class NiciraBody(Body):
    """The base of messages behind an experimenter header.

    `SUBTYPE` is the 32-bit type behind the experimenter id.
    """

    __slots__ = ()
    KIND: ClassVar[MessageType] = MessageType.EXPERIMENTER
    EXPERIMENTER: ClassVar[int] = NICIRA
    SUBTYPE: ClassVar[int]


@dataclass(frozen=True, slots=True)
class SetFlowFormat(NiciraBody):
    """NXT_SET_FLOW_FORMAT (1.0): 0 standard, 2 NXM."""

    SUBTYPE: ClassVar[int] = 12
    format: int


@dataclass(frozen=True, slots=True)
class FlowModTableId(NiciraBody):
    """NXT_FLOW_MOD_TABLE_ID (1.0): FLOW_MODs carry a table in the high byte of the command."""

    SUBTYPE: ClassVar[int] = 15
    enable: bool


@dataclass(frozen=True, slots=True)
class SetPacketInFormat(NiciraBody):
    """NXT_SET_PACKET_IN_FORMAT: how this session wants its packet-ins."""

    SUBTYPE: ClassVar[int] = 16
    format: int = PacketInFormat.NXT_PACKET_IN2


@dataclass(frozen=True, slots=True)
class FlowAge(NiciraBody, Empty):
    """NXT_FLOW_AGE: obsolete; asks for ages in flow statistics."""

    SUBTYPE: ClassVar[int] = 18


@dataclass(frozen=True, slots=True)
class SetAsyncConfig(NiciraBody):
    """NXT_SET_ASYNC_CONFIG: the six masks of OpenFlow 1.3's SET_ASYNC, in any version."""

    SUBTYPE: ClassVar[int] = 19
    masks: tuple[AsyncMask, ...]


@dataclass(frozen=True, slots=True)
class SetAsyncConfig2(NiciraBody):
    """NXT_SET_ASYNC_CONFIG2: the properties of OpenFlow 1.4's SET_ASYNC, in 1.0 to 1.3."""

    SUBTYPE: ClassVar[int] = 27
    masks: tuple[AsyncMask, ...]


@dataclass(frozen=True, slots=True)
class SetControllerId(NiciraBody):
    """NXT_SET_CONTROLLER_ID: which packet-ins this session gets."""

    SUBTYPE: ClassVar[int] = 20
    controller_id: int


@dataclass(frozen=True, slots=True)
class FlowMonitorCancel(NiciraBody):
    """NXT_FLOW_MONITOR_CANCEL: ends a monitor."""

    SUBTYPE: ClassVar[int] = 21
    monitor_id: int


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


@dataclass(frozen=True, slots=True)
class CtFlushZone(NiciraBody):
    """NXT_CT_FLUSH_ZONE: forgets the connections of one zone."""

    SUBTYPE: ClassVar[int] = 29
    zone: int


@dataclass(frozen=True, slots=True)
class CtFlush(NiciraBody):
    """NXT_CT_FLUSH: forgets the connections that its properties (in wire form) describe."""

    SUBTYPE: ClassVar[int] = 32
    family: int
    protocol: int
    data: bytes
