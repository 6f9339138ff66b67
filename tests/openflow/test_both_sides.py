"""What is written here, the datapath's own reader takes and tells again in the same words."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ovsflow.datapath import Datapath
from ovsflow.openflow import actions as act
from ovsflow.openflow.codec import decode, encode
from ovsflow.openflow.constants import SPOKEN, Version
from ovsflow.openflow.flow_mod import FlowMod
from ovsflow.openflow.flow_stats import FlowStats, FlowStatsReply, FlowStatsRequest
from ovsflow.openflow.instructions import Instructions
from ovsflow.openflow.match import Match, MatchField
from tests.openflow.actions_in import U8, U16, U32, U64, loads, moves, subfields
from tests.openflow.fields_in import LEGAL_PORTS, SHAPES, field_values

IP_TCP = {"eth_type": 0x0800, "nw_proto": 6}
PLAIN: tuple[st.SearchStrategy[act.Action], ...] = (
    st.builds(act.Output, st.integers(1, 0xFEFF)),
    st.just(act.Output(0xFFFFFFFD, 128)),
    st.builds(act.SetField, st.sampled_from(["ip_src", "ip_dst", "tun_dst", "reg3"]), U32),
    st.builds(act.SetField, st.sampled_from(["eth_src", "eth_dst"]), st.integers(0, 2**48 - 1)),
    st.builds(act.SetField, st.just("tun_id"), U64),
    st.builds(act.SetField, st.just("tcp_dst"), U16),
    st.just(act.DecNwTtl()),
    st.builds(act.SetQueue, U32),
    st.builds(act.Resubmit, st.none(), st.integers(0, 254)),
    st.builds(act.FinTimeout, U16, U16),
    st.builds(act.StackPush, subfields()),
    st.builds(act.StackPop, subfields()),
    st.builds(act.CheckPacketLarger, U16, subfields("reg0", bits=1)),
    st.builds(act.Note, st.binary(min_size=6, max_size=6)),
    moves(),
)
NATIVE = ("tun_id", "tun_src", "tun_dst", "tun_ipv6_src", "tun_gbp_id", "metadata", "pkt_mark")
REGISTERS = {Version.OF15: ("xreg0", "xreg4")}
"""OpenFlow 1.5 tells registers in pairs, whatever they were given as."""


@st.composite
def flow_mods(draw: st.DrawFn, version: int) -> FlowMod:
    """A flow that this switch takes, in words that come back unchanged."""
    base, more = draw(st.sampled_from(SHAPES))
    anywhere = NATIVE + REGISTERS.get(Version(version), ("reg0", "reg9", "reg20"))
    if version == Version.OF10:
        base, more = draw(st.sampled_from([(IP_TCP, ("tcp_src", "ip_dst", "nw_tos")), ({}, ())]))
    items = [MatchField("in_port", draw(LEGAL_PORTS))]
    items += [MatchField(name, value) for name, value in base.items()]
    names = draw(st.lists(st.sampled_from(more), unique=True)) if more else []
    names += draw(st.lists(st.sampled_from(anywhere), unique=True, max_size=4))
    items += [draw(field_values(name)) for name in names]
    items = [
        MatchField(item.name, item.value & 0xFC if item.name == "nw_tos" else item.value, item.mask)
        for item in items
    ]
    actions: tuple[act.Action, ...] = ()
    if base.get("nw_proto") == 6:
        actions = tuple(draw(st.lists(st.one_of(*PLAIN, *_more(version)), max_size=4)))
    goto = None if version == Version.OF10 else draw(st.none() | st.integers(1, 253))
    return FlowMod(
        0,
        Match(tuple(items)),
        Instructions(apply=actions, goto=goto),
        draw(U16),
        0,
        draw(U16),
        draw(U16),
        draw(U64),
        flags=draw(st.sampled_from([0, 1, 3])),
        nicira=version == Version.OF10,
        importance=draw(U8) if version >= Version.OF14 else 0,
    )


def _more(version: int) -> tuple[st.SearchStrategy[act.Action], ...]:
    return (loads(),) if version < Version.OF15 else ()


def told(version: int, flow_mod: FlowMod) -> FlowStats:
    """The flow as the datapath tells it after it took it."""
    switch = Datapath("both", workers=0)
    try:
        answer = switch.apply(version, encode(flow_mod, version, 1), 0)
        assert not answer, decode(answer)
        asked = encode(FlowStatsRequest(nicira=version == Version.OF10), version, 2)
        reply, cursor = switch.query(version, asked, 0)
        assert cursor is None
        body = decode(reply).body
        assert isinstance(body, FlowStatsReply)
        (flow,) = body.flows
        return flow
    finally:
        switch.close()


@pytest.mark.parametrize("version", SPOKEN)
def test_flow_is_told_as_it_was_given(version: int) -> None:
    @settings(max_examples=60, suppress_health_check=list(HealthCheck))
    @given(flow_mods(version))
    def check(given_flow: FlowMod) -> None:
        flow = told(version, given_flow)
        assert set(flow.match) == {item for item in given_flow.match if item.mask != 0}
        assert (flow.priority, flow.cookie) == (given_flow.priority, given_flow.cookie)
        assert flow.idle_timeout == given_flow.idle_timeout
        assert flow.hard_timeout == given_flow.hard_timeout
        assert flow.importance == given_flow.importance
        wanted = decode(encode(given_flow, version)).body
        assert isinstance(wanted, FlowMod)
        assert flow.instructions == wanted.instructions

    check()
