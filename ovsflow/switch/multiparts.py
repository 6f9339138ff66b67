"""Answers to multipart requests (OpenFlow 1.0: statistics).

What is about tables, flows, groups and meters goes to the datapath as it is, and comes back
piece by piece.  What is about the switch itself and its ports is answered here.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

import ovsflow.openflow.codec as codec
from ovsflow.errors import DecodeError
from ovsflow.openflow.constants import (
    NICIRA,
    ONF,
    QUEUE_ALL,
    BundleFlag,
    ErrorType,
    MonitorEvent,
    MonitorFlag,
    MultipartType,
    PortNumber,
    Version,
)
from ovsflow.openflow.flow_stats import FlowStats, FlowStatsReply, FlowStatsRequest
from ovsflow.openflow.monitor import (
    NXST_FLOW_MONITOR,
    ONFST_FLOW_MONITOR,
    FlowMonitor,
    FlowMonitorReply,
    FlowMonitorRequest,
)
from ovsflow.openflow.multipart import DescReply, DescRequest, StatsReply
from ovsflow.openflow.port_stats import (
    PortDescReply,
    PortDescRequest,
    PortStats,
    PortStatsReply,
    PortStatsRequest,
    QueueDescReply,
    QueueDescRequest,
    QueueStatsReply,
    QueueStatsRequest,
)
from ovsflow.openflow.switch_stats import (
    BundleFeaturesReply,
    BundleFeaturesRequest,
    ControllerStatusReply,
    ControllerStatusRequest,
)
from ovsflow.openflow.wire import Body
from ovsflow.switch.controllers import statuses
from ovsflow.switch.features import port_desc, software_version, told_to
from ovsflow.switch.forwarding import messages_of
from ovsflow.switch.monitors import flow_update, watches

if TYPE_CHECKING:
    from ovsflow.switch.session import Session

_BAD_LEN: Final = (ErrorType.BAD_REQUEST, 6)
_BAD_MULTIPART: Final = (ErrorType.BAD_REQUEST, 2)
_BAD_REQUEST_FLAGS: Final = (ErrorType.BAD_REQUEST, 2)
_BAD_SCHED: Final = (ErrorType.BAD_REQUEST, 16)
_BAD_PROPERTY: Final = (ErrorType.BAD_PROPERTY, 0)
#: OFPBMF_TIMESTAMP and OFPBMF_TIME_SET_SCHED ask for times, of which there are none to tell.
_BUNDLE_FEATURE_FLAGS: Final = 0b11
#: OFPBF_TIME_SET_SCHED: the request changes how far off a bundle's time may be.
_SET_SCHED: Final = 0b10
#: OFPTMPBF_TIME_CAPABILITY and the experimenters'.
_BUNDLE_FEATURE_PROPERTIES: Final = (1, 0xFFFF)
_QUEUE_BAD_PORT: Final = (ErrorType.QUEUE_OP_FAILED, 0)
_QUEUE_BAD_QUEUE: Final = (ErrorType.QUEUE_OP_FAILED, 1)

#: Ports in one reply message; the longest description is well under 128 bytes.
_PORTS_AT_ONCE: Final = 500
#: Header, multipart type, flags; and four bytes of padding from 1.1 on.
_SMALLEST_OF10: Final = 12
_SMALLEST: Final = 16
_REQ_MORE: Final = 1
#: What a header's length can say.
_LONGEST: Final = 0xFFFF

#: Experimenter and type of flow monitor requests before OpenFlow 1.4.
_MONITOR_EXTENSIONS: Final = (
    NICIRA.to_bytes(4, "big") + NXST_FLOW_MONITOR.to_bytes(4, "big"),
    ONF.to_bytes(4, "big") + ONFST_FLOW_MONITOR.to_bytes(4, "big"),
)

_FROM_TABLES: Final = frozenset(
    {
        MultipartType.FLOW_DESC,
        MultipartType.AGGREGATE_STATS,
        MultipartType.TABLE_STATS,
        MultipartType.GROUP_STATS,
        MultipartType.GROUP_DESC,
        MultipartType.GROUP_FEATURES,
        MultipartType.METER_STATS,
        MultipartType.METER_CONFIG,
        MultipartType.METER_FEATURES,
        MultipartType.TABLE_FEATURES,
        MultipartType.TABLE_DESC,
        MultipartType.FLOW_STATS,
        MultipartType.EXPERIMENTER,
    }
)

_Item = TypeVar("_Item")


def answer(session: "Session", request: bytes) -> None:
    """Answers a MULTIPART_REQUEST.

    Raises:
        DecodeError: What to answer instead.
    """
    smallest = _SMALLEST_OF10 if session.version == Version.OF10 else _SMALLEST
    if len(request) < smallest:
        raise DecodeError("the request is cut short", *_BAD_LEN)
    kind = int.from_bytes(request[8:10], "big")
    more = int.from_bytes(request[10:12], "big") & _REQ_MORE
    extension = request[smallest : smallest + 8] if kind == MultipartType.EXPERIMENTER else b""
    if kind in _FROM_TABLES and extension not in _MONITOR_EXTENSIONS:
        if kind == MultipartType.TABLE_FEATURES and len(request) > _SMALLEST:
            session.require_write()
        if more:
            # Only a table-features request can have parts, and all of it is refused at its end.
            return
        session.begin_dump(_steps(session, request))
        return
    if kind not in tuple(MultipartType):
        raise DecodeError(f"multipart type {kind} is unknown", *_BAD_MULTIPART)
    received = codec.decode(request)
    handler = _HANDLERS.get(type(received.body))
    if handler is None:
        raise DecodeError(f"multipart type {kind} is not supported", *_BAD_MULTIPART)
    handler(session, received.body, received.xid)


def _steps(session: "Session", request: bytes) -> Iterator[bytes]:
    cursor: int | None = 0
    while cursor is not None:
        piece, cursor = session.bridge.datapath.query(
            session.version, request, session.now_ns, cursor
        )
        yield piece


def _send_parts(
    session: "Session",
    xid: int,
    items: Sequence[_Item],
    make: Callable[[tuple[_Item, ...], bool], StatsReply],
) -> None:
    """Sends a list in as many replies as it needs, at least one."""
    for start in range(0, max(len(items), 1), _PORTS_AT_ONCE):
        part = tuple(items[start : start + _PORTS_AT_ONCE])
        session.send(make(part, start + _PORTS_AT_ONCE < len(items)), xid)


def _monitor(session: "Session", body: Body, xid: int) -> None:
    assert isinstance(body, FlowMonitorRequest)
    fresh = session.monitors.request(body.monitors)
    session.bridge.audience_changed()
    session.begin_dump(_initial(session, fresh, xid))


def _initial(session: "Session", monitors: Sequence[FlowMonitor], xid: int) -> Iterator[bytes]:
    """The flows that new monitors watch, as they are now; nothing where a piece has none."""
    empty = codec.encode(FlowMonitorReply(), session.version, xid)
    updates = b""
    for monitor in monitors:
        if not monitor.flags & MonitorFlag.INITIAL:
            continue
        wanted = bool(monitor.flags & MonitorFlag.INSTRUCTIONS)
        for flows in _flows_of(session, monitor):
            full = b""
            for flow in flows:
                update = flow_update(
                    MonitorEvent.INITIAL, flow, instructions=wanted, bare=monitor.bare
                )
                alone = codec.encode(FlowMonitorReply((update,)), session.version, xid)
                if len(updates) + len(alone) > _LONGEST:
                    full += _reply(empty, updates, more=True)
                    updates = b""
                updates += alone[len(empty) :]
            yield full
    yield _reply(empty, updates, more=False)


def _flows_of(session: "Session", monitor: FlowMonitor) -> Iterator[list[FlowStats]]:
    """The flows that a monitor watches, piece by piece."""
    request = FlowStatsRequest(match=monitor.match, table_id=monitor.table_id)
    encoded = codec.encode(request, Version.OF15)
    cursor: int | None = 0
    while cursor is not None:
        data, cursor = session.bridge.datapath.query(Version.OF15, encoded, session.now_ns, cursor)
        for message in messages_of(data):
            reply = codec.decode(message).body
            flows = reply.flows if isinstance(reply, FlowStatsReply) else ()
            yield [flow for flow in flows if watches(monitor, flow)]


def _reply(empty: bytes, entries: bytes, *, more: bool) -> bytes:
    """A multipart reply from its header and what is in it."""
    length = (len(empty) + len(entries)).to_bytes(2, "big")
    flags = bytes([0, more])
    return empty[:2] + length + empty[4:10] + flags + empty[12:] + entries


def _desc(session: "Session", body: Body, xid: int) -> None:
    describe = session.bridge.describe
    reply = DescReply(
        manufacturer=describe.manufacturer,
        hardware=describe.hardware,
        software=describe.software or software_version(),
        serial_number=describe.serial_number,
        datapath=describe.datapath,
    )
    session.send(reply, xid)


def _bundle_features(session: "Session", body: Body, xid: int) -> None:
    assert isinstance(body, BundleFeaturesRequest)
    if body.flags & ~_BUNDLE_FEATURE_FLAGS:
        raise DecodeError(f"bundle feature flags {body.flags:#x}", *_BAD_REQUEST_FLAGS)
    for item in body.properties:
        if item.kind not in _BUNDLE_FEATURE_PROPERTIES:
            raise DecodeError(f"bundle feature property {item.kind}", *_BAD_PROPERTY)
    if body.flags & _SET_SCHED:
        raise DecodeError("a bundle is committed when it is asked for", *_BAD_SCHED)
    session.send(BundleFeaturesReply(BundleFlag.ATOMIC | BundleFlag.ORDERED), xid)


def _port_desc(session: "Session", body: Body, xid: int) -> None:
    assert isinstance(body, PortDescRequest)
    wanted = body.port
    ports = [
        told_to(port_desc(port), session.version)
        for port in session.bridge.datapath.ports()
        if wanted in (PortNumber.ANY, port.number)
    ]
    _send_parts(session, xid, ports, lambda part, more: PortDescReply(part, more=more))


def _port_stats(session: "Session", body: Body, xid: int) -> None:
    assert isinstance(body, PortStatsRequest)
    datapath = session.bridge.datapath
    added = {port.number: port.added_ns for port in datapath.ports()}
    stats = []
    for counters in datapath.port_counters():
        if body.port not in (PortNumber.ANY, counters.number) or counters.number not in added:
            continue
        # Cut to whole milliseconds, as every other duration that is told.
        age_ms = max(session.now_ns - added[counters.number], 0) // 1_000_000
        stats.append(
            PortStats(
                port=counters.number,
                rx_packets=counters.rx_packets,
                tx_packets=counters.tx_packets,
                rx_bytes=counters.rx_bytes,
                tx_bytes=counters.tx_bytes,
                rx_dropped=counters.rx_dropped,
                tx_dropped=counters.tx_dropped,
                rx_errors=counters.rx_errors,
                tx_errors=counters.tx_errors,
                duration_sec=age_ms // 1000,
                duration_nsec=age_ms % 1000 * 1_000_000,
            )
        )
    _send_parts(session, xid, stats, lambda part, more: PortStatsReply(part, more=more))


def check_queue(session: "Session", port: int, queue: int) -> None:
    """Raises QUEUE_OP_FAILED unless the port exists; no port has queues of its own.

    OpenFlow 1.0 asks for the queues of all ports with OFPP_ALL, later versions with OFPP_ANY.
    """
    if port not in (PortNumber.ANY, PortNumber.ALL):
        numbers = {each.number for each in session.bridge.datapath.ports()}
        if port not in numbers:
            raise DecodeError(f"port {port} does not exist", *_QUEUE_BAD_PORT)
    if queue != QUEUE_ALL:
        raise DecodeError(f"queue {queue} does not exist", *_QUEUE_BAD_QUEUE)


def _queue_stats(session: "Session", body: Body, xid: int) -> None:
    assert isinstance(body, QueueStatsRequest)
    check_queue(session, body.port, body.queue)
    session.send(QueueStatsReply(), xid)


def _queue_desc(session: "Session", body: Body, xid: int) -> None:
    assert isinstance(body, QueueDescRequest)
    check_queue(session, body.port, body.queue)
    session.send(QueueDescReply(), xid)


def _controllers(session: "Session", body: Body, xid: int) -> None:
    found = statuses(session.bridge)
    _send_parts(session, xid, found, lambda part, more: ControllerStatusReply(part, more=more))


_HANDLERS: Final[dict[type[Body], Callable[["Session", Body, int], None]]] = {
    DescRequest: _desc,
    PortDescRequest: _port_desc,
    PortStatsRequest: _port_stats,
    QueueStatsRequest: _queue_stats,
    QueueDescRequest: _queue_desc,
    FlowMonitorRequest: _monitor,
    ControllerStatusRequest: _controllers,
    BundleFeaturesRequest: _bundle_features,
}
