"""What the switch does for each kind of message: one function per kind, found in one table.

A handler answers through the session, or raises `DecodeError` with what to answer instead.
Table changes do not come by here, but for those that travel in another message.
"""

import struct
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import ovsflow.openflow.codec as codec
import ovsflow.switch.controllers as controllers
import ovsflow.switch.multiparts as multiparts
from ovsflow.errors import DecodeError
from ovsflow.openflow.bundle import BundleAdd, BundleControl
from ovsflow.openflow.constants import (
    HEADER_BYTES,
    NICIRA,
    ONF,
    QUEUE_ALL,
    BundleControlType,
    ErrorType,
    MessageType,
    PortConfig,
    PortReason,
    Role,
    RoleReason,
    Version,
    message_type,
    type_number,
)
from ovsflow.openflow.failure import ErrorMessage, error_for
from ovsflow.openflow.handshake import (
    BarrierReply,
    BarrierRequest,
    EchoReply,
    Experimenter,
    FeaturesReply,
    FeaturesRequest,
    GetAsyncReply,
    GetAsyncRequest,
    GetConfigReply,
    GetConfigRequest,
    RoleReply,
    RoleRequest,
    SetAsync,
    SetConfig,
)
from ovsflow.openflow.modify import PortMod
from ovsflow.openflow.nicira import (
    FlowAge,
    FlowModTableId,
    FlowMonitorCancel,
    SetAsyncConfig,
    SetAsyncConfig2,
    SetControllerId,
    SetFlowFormat,
    SetPacketInFormat,
    TlvTableReply,
    TlvTableRequest,
)
from ovsflow.openflow.port_stats import QueueGetConfigReply, QueueGetConfigRequest
from ovsflow.openflow.wire import Body
from ovsflow.switch.bundles import (
    BAD_TYPE,
    MSG_BAD_XID,
    MSG_FAILED,
    MSG_UNSUPPORTED,
    SCHED_NOT_SUPPORTED,
    bundle_error,
)
from ovsflow.switch.door import Port
from ovsflow.switch.features import (
    ACTIONS_OF10,
    TABLES,
    capabilities,
    port_desc,
    told_to,
    type_numbers,
)

if TYPE_CHECKING:
    from ovsflow.switch.session import Session

_BAD_TYPE: Final = 1
_BAD_EXPERIMENTER: Final = 3
_BAD_SUBTYPE: Final = 4
_EPERM: Final = 5
_BAD_LEN: Final = 6

#: Properties of PORT_MOD: Ethernet, optical, and experimenters', which change nothing here.
_PORT_PROPERTIES: Final = (0, 1, 0xFFFF)
#: What a role request says that names no short id.
_NO_SHORT_ID: Final = 0xFFFF
#: Header, experimenter and its type.
_EXPERIMENTER_BYTES: Final = 16

#: The OFPPC_* bits that there are.
_PORT_CONFIG: Final = sum(PortConfig)
_FRAGMENT_MASK: Final = 0b11
#: OFPBF_TIME of OpenFlow 1.5: a commit at a time that a property names.
_AT_A_TIME: Final = 1 << 2
_INVALID_TTL: Final = 1 << 2
#: OFPC_FRAG_* and the datapath's word; reassembly (2) is not offered, the mode stays as it is.
_FRAGMENTS: Final = {0: "normal", 1: "drop", 3: "nx-match"}
#: NXFF_*: how flows are told to OpenFlow 1.0.
_FORMAT_OF10: Final = 0
_FORMAT_NXM: Final = 2
_PACKET_IN_FORMATS: Final = ("standard", "nxt_packet_in", "nxt_packet_in2")

#: What only a switch says.
_FROM_SWITCHES: Final = frozenset(
    {
        MessageType.FEATURES_REPLY,
        MessageType.GET_CONFIG_REPLY,
        MessageType.PACKET_IN,
        MessageType.FLOW_REMOVED,
        MessageType.PORT_STATUS,
        MessageType.MULTIPART_REPLY,
        MessageType.BARRIER_REPLY,
        MessageType.QUEUE_GET_CONFIG_REPLY,
        MessageType.ROLE_REPLY,
        MessageType.GET_ASYNC_REPLY,
        MessageType.ROLE_STATUS,
        MessageType.TABLE_STATUS,
        MessageType.REQUESTFORWARD,
        MessageType.CONTROLLER_STATUS,
    }
)
#: What a secondary may not send, besides table changes.
_WRITING: Final = (
    MessageType.PORT_MOD,
    MessageType.BUNDLE_CONTROL,
    MessageType.BUNDLE_ADD_MESSAGE,
)
#: NXT_FLOW_MOD, NXT_RESUME and NXT_GROUP_MOD: experimenter and type.
_WRAPPED: Final = tuple(struct.pack("!II", NICIRA, subtype) for subtype in (13, 28, 31))

_MULTIPART: Final = {
    int(version): type_number(version, MessageType.MULTIPART_REQUEST) for version in Version
}
#: What a bundle may hold, besides PORT_MOD.
BUNDLED: Final = {
    int(version): bytes(
        type_numbers(
            version,
            MessageType.FLOW_MOD,
            MessageType.GROUP_MOD,
            MessageType.METER_MOD,
            MessageType.PACKET_OUT,
        )
    )
    for version in Version
}


def handle(session: "Session", data: bytes) -> None:
    """Does what one message asks for.

    Raises:
        DecodeError: What to answer instead.
    """
    if data[1] == _MULTIPART[session.version]:
        multiparts.answer(session, data)
        return
    if message_type(session.version, data[1]) in _FROM_SWITCHES:
        raise DecodeError(f"type {data[1]} from a peer", ErrorType.BAD_REQUEST, _BAD_TYPE)
    if data[1] == MessageType.EXPERIMENTER and data[8:16] in _WRAPPED:
        _wrapped_change(session, data)
        return
    if message_type(session.version, data[1]) in _WRITING:
        # Before anything in it is looked at.
        session.require_write()
    received = codec.decode(data)
    body = received.body
    handler = _HANDLERS.get(type(body))
    if handler is not None:
        handler(session, body, received.xid, data)
    elif isinstance(body, Experimenter):
        if session.version > Version.OF10 and len(data) < _EXPERIMENTER_BYTES:
            raise DecodeError("the message is cut short", ErrorType.BAD_REQUEST, _BAD_LEN)
        known = body.experimenter in (NICIRA, ONF)
        code = _BAD_SUBTYPE if known else _BAD_EXPERIMENTER
        raise DecodeError(f"experimenter {body.experimenter:#x}", ErrorType.BAD_REQUEST, code)
    elif data[1] == MessageType.EXPERIMENTER:
        raise DecodeError("not supported", ErrorType.BAD_REQUEST, _BAD_SUBTYPE)
    else:
        raise DecodeError(f"{type(body).__name__} again", ErrorType.BAD_REQUEST, _BAD_TYPE)


def _ignore(session: "Session", body: Body, xid: int, data: bytes) -> None:
    """For what needs no answer."""


def _features(session: "Session", body: Body, xid: int, data: bytes) -> None:
    version = session.version
    old = version == Version.OF10
    ports = session.bridge.datapath.ports() if old else ()
    reply = FeaturesReply(
        datapath_id=session.bridge.datapath_id,
        n_buffers=0,
        n_tables=TABLES,
        capabilities=capabilities(version),
        actions=ACTIONS_OF10 if old else 0,
        ports=tuple(told_to(port_desc(port), version) for port in ports),
    )
    session.send(reply, xid)


def _get_config(session: "Session", body: Body, xid: int, data: bytes) -> None:
    flags = session.bridge.fragments
    session.send(GetConfigReply(flags, session.miss_send_len), xid)


def _set_config(session: "Session", body: Body, xid: int, data: bytes) -> None:
    assert isinstance(body, SetConfig)
    known = _FRAGMENT_MASK | (_INVALID_TTL if session.version < Version.OF13 else 0)
    if body.flags & ~known:
        raise DecodeError(f"config flags {body.flags:#x}", ErrorType.SWITCH_CONFIG_FAILED, 0)
    fragments = body.flags & _FRAGMENT_MASK
    if session.role is not Role.SECONDARY and fragments in _FRAGMENTS:
        if fragments != session.bridge.fragments:
            session.bridge.datapath.configure({"fragments": _FRAGMENTS[fragments]})
        session.bridge.fragments = fragments
    if session.version < Version.OF13:
        session.interest.set_invalid_ttl(bool(body.flags & _INVALID_TTL))
        session.bridge.audience_changed()
    session.miss_send_len = body.miss_send_len
    if session.service:
        session.interest.awake = body.miss_send_len != 0
        session.bridge.audience_changed()


def _barrier(session: "Session", body: Body, xid: int, data: bytes) -> None:
    # What earlier changes caused (flows removed) is told before the reply.
    session.bridge.deliver()
    session.send(BarrierReply(), xid)


def _role(session: "Session", body: Body, xid: int, data: bytes) -> None:
    assert isinstance(body, RoleRequest)
    roles = session.bridge.roles
    generation = None if body.nicira else body.generation_id
    before = (session.role, session.short_id)
    lost = roles.request(session.number, body.role, generation)
    session.bridge.audience_changed()
    if session.version >= Version.OF15 and not body.nicira and body.short_id != _NO_SHORT_ID:
        session.short_id = body.short_id
    reply = RoleReply(session.role, roles.generation, body.short_id, nicira=body.nicira)
    session.send(reply, xid)
    session.bridge.roles_lost(lost, RoleReason.PRIMARY_REQUEST)
    if session.role != before[0]:
        controllers.tell(session, session.role, controllers.StatusReason.ROLE)
    if session.short_id != before[1]:
        controllers.tell(session, session.role, controllers.StatusReason.SHORT_ID)
    for number in lost:
        other = session.bridge.sessions[number]
        controllers.tell(other, other.role, controllers.StatusReason.ROLE)


def _get_async(session: "Session", body: Body, xid: int, data: bytes) -> None:
    session.send(GetAsyncReply(session.interest.masks()), xid)


def _set_async(session: "Session", body: Body, xid: int, data: bytes) -> None:
    assert isinstance(body, SetAsync | SetAsyncConfig | SetAsyncConfig2)
    session.interest.set_masks(body.masks)
    session.bridge.audience_changed()


def _port_mod(session: "Session", body: Body, xid: int, data: bytes) -> None:
    assert isinstance(body, PortMod)
    session.require_write()
    port = _port_to_change(session, body)
    mask = body.mask & _PORT_CONFIG
    config = port.config & ~mask | body.config & mask
    if config != port.config:
        changed = session.bridge.set_port_config(body.port, config)
        session.bridge.port_changed(PortReason.MODIFY, changed)


def _port_to_change(session: "Session", body: PortMod) -> Port:
    """The port that a PORT_MOD is about.

    Raises:
        DecodeError: PORT_MOD_FAILED if it names none, BAD_PROPERTY for an unknown property.
    """
    for item in body.properties:
        if item.kind not in _PORT_PROPERTIES:
            raise DecodeError(f"port property {item.kind}", ErrorType.BAD_PROPERTY, 0)
    ports = session.bridge.datapath.ports()
    port = next((each for each in ports if each.number == body.port), None)
    if port is None:
        raise DecodeError(f"port {body.port} does not exist", ErrorType.PORT_MOD_FAILED, 0)
    if port.hw_addr != body.hw_addr:
        raise DecodeError("the hardware address differs", ErrorType.PORT_MOD_FAILED, 1)
    return port


def _queue_config(session: "Session", body: Body, xid: int, data: bytes) -> None:
    assert isinstance(body, QueueGetConfigRequest)
    multiparts.check_queue(session, body.port, QUEUE_ALL)
    session.send(QueueGetConfigReply(body.port), xid)


def _wrapped_change(session: "Session", data: bytes) -> None:
    """Nicira's messages that the datapath takes as they are."""
    session.require_write()
    session.write(session.apply(data))


# -- Bundles -------------------------------------------------------------------------------------


def _bundle_control(session: "Session", body: Body, xid: int, data: bytes) -> None:
    assert isinstance(body, BundleControl)
    session.require_write()
    number, bundles = body.bundle_id, session.bundles
    bundles.expire(session.now_ns)
    if body.type == BundleControlType.OPEN_REQUEST:
        bundles.open(number, body.flags, session.now_ns)
    elif body.type == BundleControlType.CLOSE_REQUEST:
        bundles.close(number, body.flags)
    elif body.type == BundleControlType.COMMIT_REQUEST:
        if session.version >= Version.OF15 and body.flags & _AT_A_TIME:
            bundles.discard(number)
            raise bundle_error(SCHED_NOT_SUPPORTED, "a bundle is committed when it is asked for")
        _commit(session, number, body.flags)
    elif body.type == BundleControlType.DISCARD_REQUEST:
        bundles.discard(number)
    else:
        raise bundle_error(BAD_TYPE, f"bundle control type {body.type}")
    session.send(BundleControl(number, body.type + 1, body.flags), xid)


def _commit(session: "Session", number: int, flags: int) -> None:
    bundle = session.bundles.take(number, flags)
    ports = [(codec.decode(message), message) for message in bundle.ports]
    errors = b""
    for received, message in ports:
        assert isinstance(received.body, PortMod)
        try:
            _port_to_change(session, received.body)
        except DecodeError as error:
            answer = error_for(error, session.version, message)
            errors = codec.encode(answer, session.version, received.xid)
            break
    if bundle.tables and not errors:
        errors = session.apply(bytes(bundle.tables), atomic=True)
    if errors:
        session.write(errors)
        raise bundle_error(MSG_FAILED, "a message of the bundle failed; nothing was changed")
    for received, message in ports:
        _port_mod(session, received.body, received.xid, message)


def _bundle_add(session: "Session", body: Body, xid: int, data: bytes) -> None:
    assert isinstance(body, BundleAdd)
    session.require_write()
    message = body.message
    if len(message) < HEADER_BYTES or message[0] != session.version:
        raise bundle_error(MSG_UNSUPPORTED, "the message has another version")
    if int.from_bytes(message[4:8], "big") != xid:
        raise bundle_error(MSG_BAD_XID, "inner and outer transaction id differ")
    tables = message[1] in BUNDLED[session.version]
    if not tables and message[1] != type_number(session.version, MessageType.PORT_MOD):
        raise bundle_error(MSG_UNSUPPORTED, f"messages of type {message[1]} cannot be bundled")
    if tables:
        refusal = session.check(message)
        if refusal is not None:
            session.send(replace(refusal, data=data), xid)
            return
    else:
        codec.decode(message)
    session.bundles.expire(session.now_ns)
    session.bundles.add(body.bundle_id, body.flags, message, session.now_ns, tables=tables)


# -- Nicira's extensions ---------------------------------------------------------------------------


def _packet_in_format(session: "Session", body: Body, xid: int, data: bytes) -> None:
    assert isinstance(body, SetPacketInFormat)
    if body.format >= len(_PACKET_IN_FORMATS):
        raise DecodeError(f"packet-in format {body.format}", ErrorType.BAD_REQUEST, _EPERM)
    session.packet_in_format = _PACKET_IN_FORMATS[body.format]


def _flow_format(session: "Session", body: Body, xid: int, data: bytes) -> None:
    assert isinstance(body, SetFlowFormat)
    if body.format not in (_FORMAT_OF10, _FORMAT_NXM):
        raise DecodeError(f"flow format {body.format}", ErrorType.BAD_REQUEST, _EPERM)
    session.removed_in_nxm = body.format == _FORMAT_NXM


def _controller_id(session: "Session", body: Body, xid: int, data: bytes) -> None:
    assert isinstance(body, SetControllerId)
    session.controller_id = body.controller_id
    session.bridge.audience_changed()


def _table_id(session: "Session", body: Body, xid: int, data: bytes) -> None:
    assert isinstance(body, FlowModTableId)
    session.flow_mod_table_id = body.enable


def _cancel_monitor(session: "Session", body: Body, xid: int, data: bytes) -> None:
    assert isinstance(body, FlowMonitorCancel)
    session.monitors.cancel(body.monitor_id)
    session.bridge.audience_changed()


def _tlv_table(session: "Session", body: Body, xid: int, data: bytes) -> None:
    session.send(TlvTableReply(), xid)


_Handler = Callable[["Session", Body, int, bytes], None]

_HANDLERS: Final[dict[type[Body], _Handler]] = {
    ErrorMessage: _ignore,
    EchoReply: _ignore,
    FeaturesRequest: _features,
    GetConfigRequest: _get_config,
    SetConfig: _set_config,
    BarrierRequest: _barrier,
    RoleRequest: _role,
    GetAsyncRequest: _get_async,
    SetAsync: _set_async,
    PortMod: _port_mod,
    QueueGetConfigRequest: _queue_config,
    BundleControl: _bundle_control,
    BundleAdd: _bundle_add,
    FlowAge: _ignore,
    FlowMonitorCancel: _cancel_monitor,
    SetPacketInFormat: _packet_in_format,
    SetFlowFormat: _flow_format,
    SetControllerId: _controller_id,
    FlowModTableId: _table_id,
    SetAsyncConfig: _set_async,
    SetAsyncConfig2: _set_async,
    TlvTableRequest: _tlv_table,
}
