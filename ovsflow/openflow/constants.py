"""Numbers of the OpenFlow specification, each said once.

Owns the enumerations of the protocol, in the numbering of OpenFlow 1.3 and later.  What a version
numbers differently is a small table beside the code that reads or writes it.  Enumerations are
open: a peer may send a number that is not listed, and the model then carries the plain integer.

Source: OpenFlow 1.0.2, 1.3.5, 1.4.1, 1.5.1, annex A of each; Open vSwitch's Nicira extensions.
"""

from enum import IntEnum, IntFlag


class Version(IntEnum):
    """Wire versions.  This codec speaks 1.0, 1.3, 1.4 and 1.5; the others only appear in HELLO."""

    OF10 = 0x01
    OF11 = 0x02
    OF12 = 0x03
    OF13 = 0x04
    OF14 = 0x05
    OF15 = 0x06


SPOKEN = (Version.OF10, Version.OF13, Version.OF14, Version.OF15)

VERSION_NAMES = {
    Version.OF10: "OpenFlow10",
    Version.OF11: "OpenFlow11",
    Version.OF12: "OpenFlow12",
    Version.OF13: "OpenFlow13",
    Version.OF14: "OpenFlow14",
    Version.OF15: "OpenFlow15",
}

HEADER_BYTES = 8
"""Length of every message's header: version, type, length, xid."""

NO_BUFFER = 0xFFFFFFFF
"""OFP_NO_BUFFER: the packet itself is in the message."""

ALL_TABLES = 0xFF
"""OFPTT_ALL."""

DEFAULT_PRIORITY = 0x8000
"""The priority of a flow whose text names none."""

NO_MAX_LEN = 0xFFFF
"""OFPCML_NO_BUFFER: the whole packet."""

NICIRA = 0x00002320
"""Experimenter id of the Nicira extensions."""

ONF = 0x4F4E4600
"""Experimenter id of the ONF extensions."""


class MessageType(IntEnum):
    """OFPT_*, in the numbers of OpenFlow 1.3 and later."""

    HELLO = 0
    ERROR = 1
    ECHO_REQUEST = 2
    ECHO_REPLY = 3
    EXPERIMENTER = 4
    FEATURES_REQUEST = 5
    FEATURES_REPLY = 6
    GET_CONFIG_REQUEST = 7
    GET_CONFIG_REPLY = 8
    SET_CONFIG = 9
    PACKET_IN = 10
    FLOW_REMOVED = 11
    PORT_STATUS = 12
    PACKET_OUT = 13
    FLOW_MOD = 14
    GROUP_MOD = 15
    PORT_MOD = 16
    TABLE_MOD = 17
    MULTIPART_REQUEST = 18
    MULTIPART_REPLY = 19
    BARRIER_REQUEST = 20
    BARRIER_REPLY = 21
    QUEUE_GET_CONFIG_REQUEST = 22
    QUEUE_GET_CONFIG_REPLY = 23
    ROLE_REQUEST = 24
    ROLE_REPLY = 25
    GET_ASYNC_REQUEST = 26
    GET_ASYNC_REPLY = 27
    SET_ASYNC = 28
    METER_MOD = 29
    ROLE_STATUS = 30
    TABLE_STATUS = 31
    REQUESTFORWARD = 32
    BUNDLE_CONTROL = 33
    BUNDLE_ADD_MESSAGE = 34
    CONTROLLER_STATUS = 35


TYPES_OF10 = (
    *(MessageType(number) for number in range(15)),
    MessageType.PORT_MOD,
    MessageType.MULTIPART_REQUEST,
    MessageType.MULTIPART_REPLY,
    MessageType.BARRIER_REQUEST,
    MessageType.BARRIER_REPLY,
    MessageType.QUEUE_GET_CONFIG_REQUEST,
    MessageType.QUEUE_GET_CONFIG_REPLY,
)
"""OpenFlow 1.0's numbering: the type at index N has number N."""

_LAST_TYPE = {
    Version.OF13: MessageType.METER_MOD,
    Version.OF14: MessageType.BUNDLE_ADD_MESSAGE,
    Version.OF15: MessageType.CONTROLLER_STATUS,
}
_QUEUE_CONFIG = (MessageType.QUEUE_GET_CONFIG_REQUEST, MessageType.QUEUE_GET_CONFIG_REPLY)


def message_type(version: int, number: int) -> MessageType | None:
    """The meaning of a header's type byte in a version; `None` when it has none."""
    if version == Version.OF10:
        return TYPES_OF10[number] if number < len(TYPES_OF10) else None
    last = _LAST_TYPE.get(Version(version)) if version in _LAST_TYPE else None
    if last is None or number > last:
        return None
    kind = MessageType(number)
    return None if version >= Version.OF14 and kind in _QUEUE_CONFIG else kind


def type_number(version: int, kind: MessageType) -> int | None:
    """The header's type byte for a kind of message; `None` when the version has none."""
    if version == Version.OF10:
        return TYPES_OF10.index(kind) if kind in TYPES_OF10 else None
    return int(kind) if message_type(version, kind) is not None else None


class PortNumber(IntEnum):
    """OFPP_*: 32 bits; OpenFlow 1.0 carries the low 16 of those from 0xffffff00 on."""

    MAX = 0xFFFFFF00
    UNSET = 0xFFFFFFF7
    IN_PORT = 0xFFFFFFF8
    TABLE = 0xFFFFFFF9
    NORMAL = 0xFFFFFFFA
    FLOOD = 0xFFFFFFFB
    ALL = 0xFFFFFFFC
    CONTROLLER = 0xFFFFFFFD
    LOCAL = 0xFFFFFFFE
    ANY = 0xFFFFFFFF


class GroupNumber(IntEnum):
    """OFPG_*."""

    MAX = 0xFFFFFF00
    ALL = 0xFFFFFFFC
    ANY = 0xFFFFFFFF


class BucketNumber(IntEnum):
    """OFPG_BUCKET_*: places in a group's list (OpenFlow 1.5)."""

    MAX = 0xFFFFFF00
    FIRST = 0xFFFFFFFD
    LAST = 0xFFFFFFFE
    ALL = 0xFFFFFFFF


class MeterNumber(IntEnum):
    """OFPM_*."""

    MAX = 0xFFFF0000
    SLOWPATH = 0xFFFFFFFD
    CONTROLLER = 0xFFFFFFFE
    ALL = 0xFFFFFFFF


QUEUE_ALL = 0xFFFFFFFF
"""OFPQ_ALL: every queue of a port."""


class ErrorType(IntEnum):
    """OFPET_*, in the numbers of OpenFlow 1.3 and later."""

    HELLO_FAILED = 0
    BAD_REQUEST = 1
    BAD_ACTION = 2
    BAD_INSTRUCTION = 3
    BAD_MATCH = 4
    FLOW_MOD_FAILED = 5
    GROUP_MOD_FAILED = 6
    PORT_MOD_FAILED = 7
    TABLE_MOD_FAILED = 8
    QUEUE_OP_FAILED = 9
    SWITCH_CONFIG_FAILED = 10
    ROLE_REQUEST_FAILED = 11
    METER_MOD_FAILED = 12
    TABLE_FEATURES_FAILED = 13
    BAD_PROPERTY = 14
    ASYNC_CONFIG_FAILED = 15
    FLOW_MONITOR_FAILED = 16
    BUNDLE_FAILED = 17
    EXPERIMENTER = 0xFFFF


class Capability(IntFlag):
    """OFPC_* of FEATURES_REPLY; STP and ARP_MATCH_IP are OpenFlow 1.0's."""

    FLOW_STATS = 1 << 0
    TABLE_STATS = 1 << 1
    PORT_STATS = 1 << 2
    GROUP_STATS = 1 << 3
    IP_REASM = 1 << 5
    QUEUE_STATS = 1 << 6
    ARP_MATCH_IP = 1 << 7
    PORT_BLOCKED = 1 << 8
    BUNDLES = 1 << 9
    FLOW_MONITORING = 1 << 10


STP_OF10 = 1 << 3
"""OFPC_STP: what bit 3 of the capabilities means in OpenFlow 1.0."""


class ConfigFlag(IntEnum):
    """OFPC_FRAG_*: the low two bits of a switch's configuration flags."""

    NORMAL = 0
    DROP = 1
    REASM = 2
    NX_MATCH = 3
    INVALID_TTL_TO_CONTROLLER = 4


class PortConfig(IntFlag):
    """OFPPC_*; the STP bits and NO_FLOOD are OpenFlow 1.0's."""

    PORT_DOWN = 1 << 0
    NO_STP = 1 << 1
    NO_RECV = 1 << 2
    NO_RECV_STP = 1 << 3
    NO_FLOOD = 1 << 4
    NO_FWD = 1 << 5
    NO_PACKET_IN = 1 << 6


class PortState(IntFlag):
    """OFPPS_*."""

    LINK_DOWN = 1 << 0
    BLOCKED = 1 << 1
    LIVE = 1 << 2


class PortFeature(IntFlag):
    """OFPPF_*, in the bits of OpenFlow 1.1 and later."""

    HALF_10MB = 1 << 0
    FULL_10MB = 1 << 1
    HALF_100MB = 1 << 2
    FULL_100MB = 1 << 3
    HALF_1GB = 1 << 4
    FULL_1GB = 1 << 5
    FULL_10GB = 1 << 6
    FULL_40GB = 1 << 7
    FULL_100GB = 1 << 8
    FULL_1TB = 1 << 9
    OTHER = 1 << 10
    COPPER = 1 << 11
    FIBER = 1 << 12
    AUTONEG = 1 << 13
    PAUSE = 1 << 14
    PAUSE_ASYM = 1 << 15


class PortReason(IntEnum):
    """OFPPR_*."""

    ADD = 0
    DELETE = 1
    MODIFY = 2


class PacketInReason(IntEnum):
    """OFPR_*, in the numbers of OpenFlow 1.4; 1.3 knows 0 to 2, 1.0 only 0 and 1."""

    NO_MATCH = 0
    ACTION = 1
    INVALID_TTL = 2
    ACTION_SET = 3
    GROUP = 4
    PACKET_OUT = 5
    EXPLICIT_MISS = 6
    IMPLICIT_MISS = 7


class FlowModCommand(IntEnum):
    """OFPFC_*."""

    ADD = 0
    MODIFY = 1
    MODIFY_STRICT = 2
    DELETE = 3
    DELETE_STRICT = 4


class FlowFlag(IntFlag):
    """OFPFF_*, in the bits of OpenFlow 1.3; EMERGENCY is 1.0's, in a bit that no wire carries."""

    SEND_FLOW_REM = 1 << 0
    CHECK_OVERLAP = 1 << 1
    RESET_COUNTS = 1 << 2
    NO_PKT_COUNTS = 1 << 3
    NO_BYT_COUNTS = 1 << 4
    EMERGENCY = 1 << 16


class FlowRemovedReason(IntEnum):
    """OFPRR_*."""

    IDLE_TIMEOUT = 0
    HARD_TIMEOUT = 1
    DELETE = 2
    GROUP_DELETE = 3
    METER_DELETE = 4
    EVICTION = 5


class GroupModCommand(IntEnum):
    """OFPGC_*; ADD_OR_MODIFY is Open vSwitch's."""

    ADD = 0
    MODIFY = 1
    DELETE = 2
    INSERT_BUCKET = 3
    REMOVE_BUCKET = 5
    ADD_OR_MODIFY = 0x8000


class GroupType(IntEnum):
    """OFPGT_*."""

    ALL = 0
    SELECT = 1
    INDIRECT = 2
    FAST_FAILOVER = 3


class GroupCapability(IntFlag):
    """OFPGFC_*."""

    SELECT_WEIGHT = 1 << 0
    SELECT_LIVENESS = 1 << 1
    CHAINING = 1 << 2
    CHAINING_CHECKS = 1 << 3


class MeterModCommand(IntEnum):
    """OFPMC_*."""

    ADD = 0
    MODIFY = 1
    DELETE = 2


class MeterFlag(IntFlag):
    """OFPMF_*."""

    KBPS = 1 << 0
    PKTPS = 1 << 1
    BURST = 1 << 2
    STATS = 1 << 3


class MeterBandType(IntEnum):
    """OFPMBT_*."""

    DROP = 1
    DSCP_REMARK = 2
    EXPERIMENTER = 0xFFFF


class Role(IntEnum):
    """OFPCR_ROLE_*."""

    NOCHANGE = 0
    EQUAL = 1
    PRIMARY = 2
    SECONDARY = 3


class AsyncProperty(IntEnum):
    """OFPACPT_*: whose messages a mask is about, and in which role."""

    PACKET_IN_SECONDARY = 0
    PACKET_IN_PRIMARY = 1
    PORT_STATUS_SECONDARY = 2
    PORT_STATUS_PRIMARY = 3
    FLOW_REMOVED_SECONDARY = 4
    FLOW_REMOVED_PRIMARY = 5
    ROLE_STATUS_SECONDARY = 6
    ROLE_STATUS_PRIMARY = 7
    TABLE_STATUS_SECONDARY = 8
    TABLE_STATUS_PRIMARY = 9
    REQUESTFORWARD_SECONDARY = 10
    REQUESTFORWARD_PRIMARY = 11
    FLOW_STATS_SECONDARY = 12
    FLOW_STATS_PRIMARY = 13
    CONT_STATUS_SECONDARY = 14
    CONT_STATUS_PRIMARY = 15


class RoleReason(IntEnum):
    """OFPCRR_*: why a ROLE_STATUS was sent."""

    PRIMARY_REQUEST = 0
    CONFIG = 1
    EXPERIMENTER = 2


class TableReason(IntEnum):
    """OFPTR_*: why a TABLE_STATUS was sent."""

    VACANCY_DOWN = 3
    VACANCY_UP = 4


class TableConfig(IntFlag):
    """OFPTC_*; the low two bits are OpenFlow 1.1's table-miss setting."""

    EVICTION = 1 << 2
    VACANCY_EVENTS = 1 << 3


class RequestForwardReason(IntEnum):
    """OFPRFR_*."""

    GROUP_MOD = 0
    METER_MOD = 1


class BundleControlType(IntEnum):
    """OFPBCT_*."""

    OPEN_REQUEST = 0
    OPEN_REPLY = 1
    CLOSE_REQUEST = 2
    CLOSE_REPLY = 3
    COMMIT_REQUEST = 4
    COMMIT_REPLY = 5
    DISCARD_REQUEST = 6
    DISCARD_REPLY = 7


class BundleFlag(IntFlag):
    """OFPBF_*."""

    ATOMIC = 1 << 0
    ORDERED = 1 << 1


class MonitorFlag(IntFlag):
    """OFPFMF_*: what a flow monitor tells, in the bits of OpenFlow 1.4."""

    INITIAL = 1 << 0
    ADD = 1 << 1
    REMOVED = 1 << 2
    MODIFY = 1 << 3
    INSTRUCTIONS = 1 << 4
    NO_ABBREV = 1 << 5
    ONLY_OWN = 1 << 6


class MonitorCommand(IntEnum):
    """OFPFMC_*: what a flow monitor request wants."""

    ADD = 0
    MODIFY = 1
    DELETE = 2


class MonitorEvent(IntEnum):
    """OFPFME_*: what a flow update tells."""

    INITIAL = 0
    ADDED = 1
    REMOVED = 2
    MODIFIED = 3
    ABBREV = 4
    PAUSED = 5
    RESUMED = 6


class MultipartType(IntEnum):
    """OFPMP_*, in the numbers of OpenFlow 1.5; what is not in a version is not in its table."""

    DESC = 0
    FLOW_DESC = 1
    AGGREGATE_STATS = 2
    TABLE_STATS = 3
    PORT_STATS = 4
    QUEUE_STATS = 5
    GROUP_STATS = 6
    GROUP_DESC = 7
    GROUP_FEATURES = 8
    METER_STATS = 9
    METER_CONFIG = 10
    METER_FEATURES = 11
    TABLE_FEATURES = 12
    PORT_DESC = 13
    TABLE_DESC = 14
    QUEUE_DESC = 15
    FLOW_MONITOR = 16
    FLOW_STATS = 17
    CONTROLLER_STATUS = 18
    BUNDLE_FEATURES = 19
    EXPERIMENTER = 0xFFFF


class PacketInFormat(IntEnum):
    """NXPIF_*: how a session wants its packet-ins."""

    STANDARD = 0
    NXT_PACKET_IN = 1
    NXT_PACKET_IN2 = 2
