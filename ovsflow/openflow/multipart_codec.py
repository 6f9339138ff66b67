"""Which class stands for which multipart message.

Two tables, requests and replies, by the type in the multipart header; and two more for what stands
behind an experimenter id.
"""

from collections.abc import Callable
from functools import cache

from ovsflow.openflow import (
    flow_stats,
    group_stats,
    meter_stats,
    monitor,
    multipart,
    port_stats,
    queue_stats,
    switch_stats,
    table_stats,
)
from ovsflow.openflow.constants import NICIRA, ONF, ErrorType, MultipartType, Version
from ovsflow.openflow.multipart import Stats, StatsReply, StatsRequest
from ovsflow.openflow.wire import fault

BAD_MULTIPART = (int(ErrorType.BAD_REQUEST), 2)

_REQUESTS: tuple[type[StatsRequest], ...] = (
    multipart.DescRequest,
    flow_stats.FlowStatsRequest,
    flow_stats.AggregateRequest,
    table_stats.TableStatsRequest,
    port_stats.PortStatsRequest,
    queue_stats.QueueStatsRequest,
    group_stats.GroupStatsRequest,
    group_stats.GroupDescRequest,
    group_stats.GroupFeaturesRequest,
    meter_stats.MeterStatsRequest,
    meter_stats.MeterConfigRequest,
    meter_stats.MeterFeaturesRequest,
    table_stats.TableFeaturesRequest,
    port_stats.PortDescRequest,
    table_stats.TableDescRequest,
    queue_stats.QueueDescRequest,
    monitor.FlowMonitorRequest,
    flow_stats.FlowSummaryRequest,
    switch_stats.ControllerStatusRequest,
    switch_stats.BundleFeaturesRequest,
)
_REPLIES: tuple[type[StatsReply], ...] = (
    multipart.DescReply,
    flow_stats.FlowStatsReply,
    flow_stats.AggregateReply,
    table_stats.TableStatsReply,
    port_stats.PortStatsReply,
    queue_stats.QueueStatsReply,
    group_stats.GroupStatsReply,
    group_stats.GroupDescReply,
    group_stats.GroupFeaturesReply,
    meter_stats.MeterStatsReply,
    meter_stats.MeterConfigReply,
    meter_stats.MeterFeaturesReply,
    table_stats.TableFeaturesReply,
    port_stats.PortDescReply,
    table_stats.TableDescReply,
    queue_stats.QueueDescReply,
    monitor.FlowMonitorReply,
    flow_stats.FlowSummaryReply,
    switch_stats.ControllerStatusReply,
    switch_stats.BundleFeaturesReply,
)


def decode_request(data: bytes, version: int) -> Stats:
    """Reads a multipart request, header included.

    Raises:
        DecodeError: OFPBRC_BAD_MULTIPART for an unknown type, or what is wrong inside.
    """
    return _decode(data, version, _request_classes(), _REQUEST_EXTENSIONS)


def decode_reply(data: bytes, version: int) -> Stats:
    """Reads a multipart reply, header included; raises `DecodeError`."""
    return _decode(data, version, _reply_classes(), _REPLY_EXTENSIONS)


_NICIRA_HEAD_BYTES = 12
_GROUPS = {(NICIRA, subtype): int(kind) for kind, subtype in multipart.NICIRA_GROUPS.items()}

_Extension = Callable[[bytes, int, bool], Stats]


def _decode(
    data: bytes,
    version: int,
    classes: dict[int, type[Stats]],
    extensions: dict[tuple[int, int], _Extension],
) -> Stats:
    kind, more, body = multipart.split_header(data, version)
    if kind == MultipartType.EXPERIMENTER:
        name = int.from_bytes(body[:4], "big"), int.from_bytes(body[4:8], "big")
        group = _GROUPS.get(name) if version == Version.OF10 else None
        if group is not None and len(body) >= _NICIRA_HEAD_BYTES:
            return classes[group].decode_stats(body[_NICIRA_HEAD_BYTES:], version, more=more)
        reader = extensions.get(name)
        head = 12 if version == Version.OF10 else 8
        if reader is not None and len(body) >= head:
            return reader(body[head:], version, more)
    elif not multipart.has_multipart(version, kind):
        raise fault(BAD_MULTIPART, f"unknown multipart type {kind}")
    return classes[kind].decode_stats(body, version, more=more)


@cache
def _request_classes() -> dict[int, type[Stats]]:
    known: dict[int, type[Stats]] = {int(made.STATS): made for made in _REQUESTS}
    known[int(MultipartType.EXPERIMENTER)] = multipart.ExperimenterStatsRequest
    return known


@cache
def _reply_classes() -> dict[int, type[Stats]]:
    known: dict[int, type[Stats]] = {int(made.STATS): made for made in _REPLIES}
    known[int(MultipartType.EXPERIMENTER)] = multipart.ExperimenterStatsReply
    return known


def _flow_request(data: bytes, version: int, more: bool) -> Stats:
    return flow_stats.FlowStatsRequest.decode_nicira(data, more=more)


def _aggregate_request(data: bytes, version: int, more: bool) -> Stats:
    return flow_stats.AggregateRequest.decode_nicira(data, more=more)


def _monitor_request(data: bytes, version: int, more: bool) -> Stats:
    return monitor.FlowMonitorRequest.decode_extension(data, version, more=more)


def _flow_reply(data: bytes, version: int, more: bool) -> Stats:
    return flow_stats.FlowStatsReply.decode_nicira(data, more=more)


def _aggregate_reply(data: bytes, version: int, more: bool) -> Stats:
    return flow_stats.AggregateReply.decode_nicira(data, more=more)


def _monitor_reply(data: bytes, version: int, more: bool) -> Stats:
    return monitor.FlowMonitorReply.decode_extension(data, version, more=more)


_REQUEST_EXTENSIONS: dict[tuple[int, int], _Extension] = {
    (NICIRA, 0): _flow_request,
    (NICIRA, 1): _aggregate_request,
    (NICIRA, monitor.NXST_FLOW_MONITOR): _monitor_request,
    (ONF, monitor.ONFST_FLOW_MONITOR): _monitor_request,
}
_REPLY_EXTENSIONS: dict[tuple[int, int], _Extension] = {
    (NICIRA, 0): _flow_reply,
    (NICIRA, 1): _aggregate_reply,
    (NICIRA, monitor.NXST_FLOW_MONITOR): _monitor_reply,
    (ONF, monitor.ONFST_FLOW_MONITOR): _monitor_reply,
}
