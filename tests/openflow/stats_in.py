"""Strategies for multipart messages."""

from hypothesis import strategies as st

from ovsflow.openflow import (
    flow_stats,
    group_stats,
    monitor,
    multipart,
    port_stats,
    switch_stats,
    table_stats,
)
from ovsflow.openflow.constants import Version
from ovsflow.openflow.group_mod import has_properties
from ovsflow.openflow.wire import Body, Property
from tests.openflow.actions_in import U8, U16, U32, U64, instructions
from tests.openflow.bodies_in import (
    ANY,
    BANDS,
    DATA,
    NAMES,
    NO_PROPERTIES,
    PORTS,
    PROPERTIES,
    Strategies,
    buckets,
    controllers,
    flow_matches,
    ports,
    properties_from,
    selections,
    table_descs,
    tuples_of,
)
from tests.openflow.fields_in import LEGAL_PORTS, matches

FlowRequest = flow_stats.FlowStatsRequest | flow_stats.AggregateRequest


@st.composite
def flows(draw: st.DrawFn, version: int, *, nicira_form: bool) -> flow_stats.FlowStats:
    """Flows in a reply."""
    new = version >= Version.OF15
    age = st.none() | st.integers(0, 0xFFFD)
    count = st.none() | st.integers(0, 2**64 - 2)
    return flow_stats.FlowStats(
        draw(matches(version) if nicira_form else flow_matches(version)),
        draw(instructions(version)),
        draw(U8),
        draw(U16),
        draw(U64),
        draw(U32),
        draw(U32),
        draw(U16),
        draw(U16),
        draw(age) if nicira_form or new else None,
        draw(age) if nicira_form else None,
        draw(U16) if version >= Version.OF13 else 0,
        draw(U16) if version >= Version.OF14 else 0,
        draw(count),
        draw(count),
    )


@st.composite
def flow_requests(
    draw: st.DrawFn,
    version: int,
    kind: type[FlowRequest],
) -> Body:
    """Requests for flows, on 1.0 in both forms."""
    nicira_form = version == Version.OF10 and draw(st.booleans())
    old = version == Version.OF10
    match = draw(matches(version) if nicira_form else flow_matches(version))
    mask = draw(U64) if nicira_form or not old else 0
    cookie = draw(U64) if mask or not old else 0
    if nicira_form:
        cookie &= mask
    group = ANY if old else draw(U32)
    more = draw(st.booleans())
    return kind(match, draw(U8), draw(PORTS), group, cookie, mask, nicira_form, more=more)


@st.composite
def flow_replies(draw: st.DrawFn, version: int) -> flow_stats.FlowStatsReply:
    """Replies about flows, on 1.0 in both forms."""
    nicira_form = version == Version.OF10 and draw(st.booleans())
    found = draw(st.lists(flows(version, nicira_form=nicira_form), max_size=3))
    return flow_stats.FlowStatsReply(tuple(found), nicira_form, more=draw(st.booleans()))


@st.composite
def monitors(draw: st.DrawFn, version: int) -> monitor.FlowMonitor:
    """Flow monitors."""
    new = version >= Version.OF14
    return monitor.FlowMonitor(
        draw(U32),
        draw(st.integers(0, 0x3F)),
        draw(matches(version)),
        draw(U8),
        draw(PORTS),
        draw(U32) if new else ANY,
        draw(st.integers(0, 2)) if new else 0,
    )


@st.composite
def updates(draw: st.DrawFn, version: int) -> monitor.FlowUpdate:
    """What a flow monitor tells."""
    new = version >= Version.OF14
    event = draw(st.sampled_from([0, 1, 2, 3, 4, 5, 6] if new else [1, 2, 3, 4]))
    if event > 3:
        return monitor.FlowUpdate(event, draw(U32))
    return monitor.FlowUpdate(
        event,
        0,
        draw(matches(version)),
        draw(instructions(version)),
        draw(U8),
        draw(U8),
        draw(U16),
        draw(U16),
        draw(U16),
        draw(U64),
    )


def statistics(version: int) -> Strategies:
    """Multipart messages of every version."""
    old = version == Version.OF10
    more = {"more": st.booleans()}
    zero = st.just(0)
    life = zero if old else U32
    properties = properties_from(version, Version.OF14)
    port_stats_of = st.builds(
        port_stats.PortStats,
        LEGAL_PORTS,
        *([U64] * 12),
        life,
        life,
        st.just(True),
        properties,
    )
    queue_stats_of = st.builds(
        port_stats.QueueStats, LEGAL_PORTS, U32, U64, U64, U64, life, life, properties
    )
    names = NAMES if old else st.just("")
    table_of = st.builds(
        table_stats.TableStats,
        U8,
        U32,
        U64,
        U64,
        names,
        U32 if old else zero,
        U32 if old else zero,
    )
    aggregate_of = st.builds(
        flow_stats.AggregateReply, U64, U64, U32, st.booleans() if old else st.just(False), **more
    )
    return {
        "desc request": st.builds(multipart.DescRequest, **more),
        "desc reply": st.builds(multipart.DescReply, *([NAMES] * 5), **more),
        "flow request": flow_requests(version, flow_stats.FlowStatsRequest),
        "flow reply": flow_replies(version),
        "aggregate request": flow_requests(version, flow_stats.AggregateRequest),
        "aggregate reply": aggregate_of,
        "table request": st.builds(table_stats.TableStatsRequest, **more),
        "table reply": st.builds(table_stats.TableStatsReply, tuples_of(table_of), **more),
        "port request": st.builds(port_stats.PortStatsRequest, PORTS, **more),
        "port reply": st.builds(port_stats.PortStatsReply, tuples_of(port_stats_of), **more),
        "queue request": st.builds(port_stats.QueueStatsRequest, PORTS, U32, **more),
        "queue reply": st.builds(port_stats.QueueStatsReply, tuples_of(queue_stats_of), **more),
        "port desc request": st.builds(
            port_stats.PortDescRequest, PORTS if version >= Version.OF15 else st.just(ANY), **more
        ),
        "port desc reply": st.builds(port_stats.PortDescReply, tuples_of(ports(version)), **more),
        "experimenter stats request": st.builds(
            multipart.ExperimenterStatsRequest, st.just(0x123456), DATA, **more
        ),
        "experimenter stats reply": st.builds(
            multipart.ExperimenterStatsReply, st.just(0x123456), DATA, **more
        ),
        "flow monitor request": st.builds(
            monitor.FlowMonitorRequest, tuples_of(monitors(version)), **more
        ),
        "flow monitor reply": st.builds(
            monitor.FlowMonitorReply, tuples_of(updates(version)), **more
        ),
    }


@st.composite
def group_descs(draw: st.DrawFn, version: int) -> group_stats.GroupDesc:
    """Descriptions of groups."""
    new = has_properties(version)
    kind = draw(st.integers(0, 3))
    return group_stats.GroupDesc(
        draw(U32),
        kind,
        draw(buckets(version, kind)),
        draw(st.none() | selections()) if new else None,
        draw(PROPERTIES) if new else (),
    )


def group_statistics(version: int) -> Strategies:
    """Multipart messages about groups; OpenFlow 1.0 has Nicira's."""
    more = {"more": st.booleans()}
    pairs = tuples_of(st.tuples(U64, U64))
    four = st.tuples(U32, U32, U32, U32)
    group_of = st.builds(group_stats.GroupStats, U32, U32, U64, U64, U32, U32, pairs)
    wanted = U32 if has_properties(version) else st.just(0xFFFFFFFC)
    return {
        "group request": st.builds(group_stats.GroupStatsRequest, U32, **more),
        "group reply": st.builds(group_stats.GroupStatsReply, tuples_of(group_of), **more),
        "group desc request": st.builds(group_stats.GroupDescRequest, wanted, **more),
        "group desc reply": st.builds(
            group_stats.GroupDescReply, tuples_of(group_descs(version)), **more
        ),
        "group features request": st.builds(group_stats.GroupFeaturesRequest, **more),
        "group features reply": st.builds(
            group_stats.GroupFeaturesReply, U32, U32, four, four, **more
        ),
    }


def statistics13(version: int) -> Strategies:
    """Multipart messages that came with OpenFlow 1.3."""
    if version < Version.OF13:
        return {}
    more = {"more": st.booleans()}
    new = version >= Version.OF15
    pairs = tuples_of(st.tuples(U64, U64))
    meter_of = st.builds(group_stats.MeterStats, U32, U32, U64, U64, U32, U32, pairs)
    config_of = st.builds(group_stats.MeterConfig, U32, U16, tuples_of(BANDS))
    table_of = st.builds(
        table_stats.TableFeature,
        U8,
        NAMES,
        U64,
        U64,
        U32,
        U32,
        tuples_of(st.builds(Property, st.integers(0, 15), st.binary(max_size=12))),
        U8 if new else st.just(0),
        U32 if new else st.just(0),
    )
    return {
        "meter request": st.builds(group_stats.MeterStatsRequest, U32, **more),
        "meter reply": st.builds(group_stats.MeterStatsReply, tuples_of(meter_of), **more),
        "meter config request": st.builds(group_stats.MeterConfigRequest, U32, **more),
        "meter config reply": st.builds(group_stats.MeterConfigReply, tuples_of(config_of), **more),
        "meter features request": st.builds(group_stats.MeterFeaturesRequest, **more),
        "meter features reply": st.builds(
            group_stats.MeterFeaturesReply,
            U32,
            U32,
            U32,
            U8,
            U8,
            st.none() | U32 if new else st.none(),
            **more,
        ),
        "table features request": st.builds(
            table_stats.TableFeaturesRequest, tuples_of(table_of), **more
        ),
        "table features reply": st.builds(
            table_stats.TableFeaturesReply, tuples_of(table_of), **more
        ),
    }


def queue_descs(properties: st.SearchStrategy[tuple[Property, ...]]) -> st.SearchStrategy[object]:
    """Configurations of queues."""
    rate = st.none() | U16
    return st.builds(port_stats.QueueDesc, LEGAL_PORTS, U32, rate, rate, properties)


def statistics14(version: int) -> Strategies:
    """What is only in OpenFlow 1.4 and later, and the queue messages that it replaced."""
    more = {"more": st.booleans()}
    if version < Version.OF14:
        queue_of = queue_descs(NO_PROPERTIES)
        return {
            "queue get config request": st.builds(port_stats.QueueGetConfigRequest, LEGAL_PORTS),
            "queue get config reply": st.tuples(LEGAL_PORTS, st.lists(queue_of, max_size=3)).map(
                lambda found: port_stats.QueueGetConfigReply(
                    found[0], tuple(_at_port(found[0], queue) for queue in found[1])
                )
            ),
        }
    found: Strategies = {
        "table desc request": st.builds(table_stats.TableDescRequest, **more),
        "table desc reply": st.builds(table_stats.TableDescReply, tuples_of(table_descs()), **more),
        "queue desc request": st.builds(port_stats.QueueDescRequest, PORTS, U32, **more),
        "queue desc reply": st.builds(
            port_stats.QueueDescReply, tuples_of(queue_descs(PROPERTIES)), **more
        ),
    }
    if version < Version.OF15:
        return found
    count = st.none() | U64
    summary_of = st.builds(
        flow_stats.FlowSummary,
        matches(version),
        U8,
        U8,
        U16,
        U32,
        U32,
        st.none() | U32,
        count,
        count,
    )
    found["flow summary request"] = st.builds(
        flow_stats.FlowSummaryRequest, matches(version), U8, PORTS, U32, U64, U64, **more
    )
    found["flow summary reply"] = st.builds(
        flow_stats.FlowSummaryReply, tuples_of(summary_of), **more
    )
    found["controller status request"] = st.builds(switch_stats.ControllerStatusRequest, **more)
    found["controller status reply"] = st.builds(
        switch_stats.ControllerStatusReply, tuples_of(controllers()), **more
    )
    found["bundle features request"] = st.builds(
        switch_stats.BundleFeaturesRequest, U32, PROPERTIES, **more
    )
    found["bundle features reply"] = st.builds(
        switch_stats.BundleFeaturesReply, U16, PROPERTIES, **more
    )
    return found


def _at_port(port: int, queue: port_stats.QueueDesc) -> port_stats.QueueDesc:
    return port_stats.QueueDesc(port, queue.queue, queue.min_rate, queue.max_rate)
