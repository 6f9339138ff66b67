"""Strategies for all messages but the multipart ones (`stats_in.py`)."""

from hypothesis import strategies as st

from ovsflow.openflow import (
    bundle,
    handshake,
    nicira,
    notices,
    packets,
)
from ovsflow.openflow.constants import PacketInFormat, Version
from ovsflow.openflow.failure import ErrorMessage
from ovsflow.openflow.group_mod import has_properties
from ovsflow.openflow.match import MATCH_ALL, Match
from ovsflow.openflow.modify import (
    Bucket,
    FlowMod,
    GroupMod,
    MeterBand,
    MeterMod,
    PortMod,
    Selection,
    TableMod,
)
from ovsflow.openflow.port import PortDesc
from ovsflow.openflow.wire import Body, Property
from tests.openflow.actions_in import U8, U16, U32, U64, actions, instructions
from tests.openflow.fields_in import LEGAL_PORTS, matches, matches10

Strategies = dict[str, st.SearchStrategy[Body]]
ANY = 0xFFFFFFFF
HW_ADDR = st.binary(min_size=6, max_size=6)
DATA = st.binary(max_size=40)
NAMES = st.text("abcdefghijklmnop-0123", max_size=15)
PORTS = LEGAL_PORTS | st.just(ANY)
PROPERTIES = st.lists(
    st.builds(Property, st.integers(0xFF00, 0xFFFF), st.binary(min_size=8, max_size=20)), max_size=2
).map(tuple)
NO_PROPERTIES: st.SearchStrategy[tuple[Property, ...]] = st.just(())


def tuples_of(strategy: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[object, ...]]:
    """Up to three of something."""
    return st.lists(strategy, max_size=3).map(tuple)


def properties_from(version: int, first: int) -> st.SearchStrategy[tuple[Property, ...]]:
    """Properties where the version has them."""
    return PROPERTIES if version >= first else NO_PROPERTIES


def ports(version: int) -> st.SearchStrategy[PortDesc]:
    """Descriptions of ports."""
    old = version == Version.OF10
    features = st.integers(0, 0x7F) if old else U32
    speed = st.just(0) if old else U32
    return st.builds(
        PortDesc,
        LEGAL_PORTS,
        HW_ADDR,
        NAMES,
        U32,
        st.sampled_from([0, 1]) if old else U32,
        *([features] * 4),
        speed,
        speed,
        properties_from(version, Version.OF14),
    )


def flow_matches(version: int) -> st.SearchStrategy[Match]:
    """A flow's match in the standard's form."""
    return matches10() if version == Version.OF10 else matches(version)


@st.composite
def flow_mods(draw: st.DrawFn, version: int) -> FlowMod:
    """FLOW_MODs, on 1.0 in both forms."""
    nicira_form = version == Version.OF10 and draw(st.booleans())
    old = version == Version.OF10
    mask = draw(st.integers(0, 2**64 - 1)) if nicira_form or not old else 0
    cookie = draw(U64)
    if nicira_form and mask:
        cookie &= mask
    table_in_command = old and draw(st.booleans())
    table = draw(st.integers(1, 255)) if table_in_command or not old else 0
    return FlowMod(
        draw(st.integers(0, 4)),
        draw(matches(version) if nicira_form else flow_matches(version)),
        draw(instructions(version)),
        draw(U16),
        table,
        draw(U16),
        draw(U16),
        cookie,
        mask,
        draw(st.integers(0, 3 if old else 0x1F))
        | (draw(st.sampled_from((0, 1 << 16))) if old else 0),
        draw(U16) if version >= Version.OF14 else 0,
        draw(U32),
        draw(PORTS),
        ANY if old else draw(U32),
        nicira_form,
        table_in_command,
    )


@st.composite
def buckets(draw: st.DrawFn, version: int, group_type: int) -> tuple[Bucket, ...]:
    """Buckets, numbered by place in OpenFlow 1.5 and in Nicira's form."""
    found = []
    for number in range(draw(st.integers(0, 3))):
        new = has_properties(version)
        found.append(
            Bucket(
                draw(actions(version, 0)),
                draw(U16),
                draw(U32),
                draw(U32),
                number if new else None,
                draw(PROPERTIES) if new else (),
            )
        )
    return tuple(found)


@st.composite
def selections(draw: st.DrawFn) -> Selection:
    """How a group selects."""
    fields = draw(st.sampled_from([MATCH_ALL, Match.of(ip_dst=0xFFFFFFFF, nw_proto=0xFF)]))
    return Selection(draw(st.sampled_from(["", "hash", "dp_hash"])), draw(U64), fields)


@st.composite
def group_mods(draw: st.DrawFn, version: int) -> GroupMod:
    """GROUP_MODs."""
    new = has_properties(version)
    kind = draw(st.integers(0, 3))
    return GroupMod(
        draw(st.sampled_from([0, 1, 2, 0x8000] + ([3, 5] if new else []))),
        kind,
        draw(U32),
        draw(buckets(version, kind)),
        draw(U32) if new else ANY,
        draw(st.none() | selections()) if new else None,
        draw(PROPERTIES) if new else (),
    )


BANDS = st.one_of(
    st.builds(MeterBand, st.just(1), U32, U32),
    st.builds(MeterBand, st.just(2), U32, U32, U8),
    st.builds(MeterBand, st.just(0xFFFF), U32, U32, data=st.binary(min_size=4, max_size=4)),
)


def table_descs() -> st.SearchStrategy[notices.TableDesc]:
    """Descriptions of tables."""
    vacancy = st.none() | st.tuples(U8, U8, U8)
    return st.builds(notices.TableDesc, U8, U32, st.none() | U32, vacancy, PROPERTIES)


@st.composite
def packet_ins(draw: st.DrawFn, version: int) -> packets.PacketIn:
    """PACKET_INs in all forms."""
    form = draw(st.sampled_from(PacketInFormat))
    data = draw(DATA)
    old = version == Version.OF10 and form == PacketInFormat.STANDARD
    metadata = Match.of(in_port=draw(st.integers(1, 0xFEFF)))
    words = Version.OF10 if form == PacketInFormat.NXT_PACKET_IN else version
    if not old:
        metadata = metadata.having(*draw(matches(words)).without("in_port").fields)
    second = form == PacketInFormat.NXT_PACKET_IN2
    reasons = 5 if version >= Version.OF14 or second else 2
    return packets.PacketIn(
        metadata,
        data,
        draw(st.integers(len(data), 0xFFFF)),
        draw(st.integers(0, reasons)),
        0 if old else draw(U8),
        0xFFFFFFFFFFFFFFFF if old else draw(U64),
        draw(U32),
        form,
        draw(st.none() | DATA) if second else None,
        draw(st.none() | DATA) if second else None,
    )


@st.composite
def packet_outs(draw: st.DrawFn, version: int) -> packets.PacketOut:
    """PACKET_OUTs."""
    metadata = MATCH_ALL
    if version >= Version.OF15:
        metadata = Match.of(tun_id=draw(U64), reg0=draw(U32))
    in_port = draw(st.integers(0, 0xFEFF) | st.sampled_from([0xFFFFFFFD, 0xFFFFFFFE, ANY]))
    return packets.PacketOut(draw(actions(version)), draw(DATA), in_port, draw(U32), metadata)


@st.composite
def flows_removed(draw: st.DrawFn, version: int) -> notices.FlowRemoved:
    """FLOW_REMOVEDs, on 1.0 in both forms."""
    nicira_form = version == Version.OF10 and draw(st.booleans())
    old = version == Version.OF10
    return notices.FlowRemoved(
        draw(matches(version) if nicira_form else flow_matches(version)),
        draw(U64),
        draw(U16),
        draw(U8),
        draw(st.integers(0, 254)) if nicira_form or not old else 0,
        draw(U32),
        draw(U32),
        draw(U16),
        0 if old else draw(U16),
        draw(U64),
        draw(U64),
        nicira_form,
    )


def masks13() -> st.SearchStrategy[tuple[handshake.AsyncMask, ...]]:
    """OpenFlow 1.3's six masks in their order."""
    kinds = (1, 0, 3, 2, 5, 4)
    return st.tuples(*([U32] * 6)).map(
        lambda values: tuple(map(handshake.AsyncMask, kinds, values))
    )


def masks(version: int) -> st.SearchStrategy[tuple[object, ...]]:
    """Masks of asynchronous messages."""
    if version == Version.OF13:
        return masks13()
    return tuples_of(st.builds(handshake.AsyncMask, st.integers(0, 15), U32))


def handshakes(version: int) -> Strategies:
    """What opens and keeps a session."""
    found: Strategies = {
        "hello": st.builds(
            handshake.Hello,
            st.sets(st.integers(1, 70), min_size=1).map(lambda some: tuple(sorted(some))),
        ),
        "echo request": st.builds(handshake.EchoRequest, DATA),
        "echo reply": st.builds(handshake.EchoReply, DATA),
        "experimenter": st.builds(handshake.Experimenter, st.just(0x00123456), DATA),
        "error": st.builds(ErrorMessage, st.integers(0, 17), st.integers(0, 20), DATA),
        "experimenter error": st.builds(
            ErrorMessage,
            U16 if version == Version.OF10 else st.just(0xFFFF),
            U16,
            DATA,
            st.just(0x2320),
        ),
        "features request": st.just(handshake.FeaturesRequest()),
        "features reply": st.builds(
            handshake.FeaturesReply,
            U64,
            U32,
            U8,
            st.just(0) if version == Version.OF10 else U8,
            U32,
            *((U32, tuples_of(ports(version))) if version == Version.OF10 else ()),
        ),
        "get config request": st.just(handshake.GetConfigRequest()),
        "get config reply": st.builds(handshake.GetConfigReply, U16, U16),
        "set config": st.builds(handshake.SetConfig, st.integers(0, 3), U16),
        "barrier request": st.just(handshake.BarrierRequest()),
        "barrier reply": st.just(handshake.BarrierReply()),
    }
    role = st.integers(1, 3) if version == Version.OF10 else st.integers(0, 3)
    generation = st.just(0) if version == Version.OF10 else U64
    short = U16 if version >= Version.OF15 else st.just(0)
    found["role request"] = st.builds(handshake.RoleRequest, role, generation, short)
    found["role reply"] = st.builds(handshake.RoleReply, role, generation, short)
    if version >= Version.OF13:
        found["get async request"] = st.just(handshake.GetAsyncRequest())
        found["get async reply"] = st.builds(handshake.GetAsyncReply, masks(version))
        found["set async"] = st.builds(handshake.SetAsync, masks(version))
    return found


def changes(version: int) -> Strategies:
    """What changes a switch, and what it tells by itself."""
    features = st.integers(0, 0x7F) if version == Version.OF10 else U32
    config = st.integers(0, 0x7F) if version == Version.OF10 else st.sampled_from([0, 1, 4, 0x65])
    found: Strategies = {
        "flow mod": flow_mods(version),
        "port mod": st.builds(
            PortMod,
            LEGAL_PORTS,
            HW_ADDR,
            config,
            config,
            features,
            properties_from(version, Version.OF14),
        ),
        "packet in": packet_ins(version),
        "packet out": packet_outs(version),
        "flow removed": flows_removed(version),
        "port status": st.builds(notices.PortStatus, U8, ports(version)),
    }
    found["group mod"] = group_mods(version)
    if version >= Version.OF13:
        found["meter mod"] = st.builds(
            MeterMod, st.integers(0, 2), st.integers(0, 15), U32, tuples_of(BANDS)
        )
        found["bundle control"] = st.builds(bundle.BundleControl, U32, U16, U16, PROPERTIES)
        found["bundle add"] = st.builds(
            bundle.BundleAdd, U32, U16, st.just(b"\4\2\0\x0bxid0abc"), PROPERTIES
        )
    if version == Version.OF13:
        found["table mod"] = st.builds(TableMod, U8, U32)
    if version >= Version.OF14:
        found["table mod"] = st.builds(
            TableMod, U8, U32, st.none() | U32, st.none() | st.tuples(U8, U8), PROPERTIES
        )
        found["role status"] = st.builds(notices.RoleStatus, U32, U8, U64, PROPERTIES)
        found["table status"] = st.builds(notices.TableStatus, U8, table_descs())
        found["request forward"] = st.just(notices.RequestForward(b"\5\x0f\0\x0cxid0abcd"))
    if version >= Version.OF15:
        found["controller status"] = st.builds(notices.ControllerStatus, controllers())
    return found


def controllers() -> st.SearchStrategy[notices.ControllerDesc]:
    """States of controllers' connections."""
    uris = tuples_of(st.sampled_from(["tcp:10.0.0.1:6653", "tls:[::1]"]))
    return st.builds(notices.ControllerDesc, U16, U32, U8, U8, uris, PROPERTIES)


def extensions(version: int) -> Strategies:
    """Nicira's messages."""
    rows = tuples_of(st.builds(nicira.TlvMap, U16, U8, U8, U16))
    return {
        "nxt set flow format": st.builds(nicira.SetFlowFormat, U32),
        "nxt flow mod table id": st.builds(nicira.FlowModTableId, st.booleans()),
        "nxt set packet in format": st.builds(nicira.SetPacketInFormat, U32),
        "nxt flow age": st.just(nicira.FlowAge()),
        "nxt set async config": st.builds(nicira.SetAsyncConfig, masks13()),
        "nxt set async config 2": st.builds(nicira.SetAsyncConfig2, masks(Version.OF14)),
        "nxt set controller id": st.builds(nicira.SetControllerId, U16),
        "nxt flow monitor cancel": st.builds(nicira.FlowMonitorCancel, U32),
        "nxt flow monitor paused": st.just(nicira.FlowMonitorPaused()),
        "nxt flow monitor resumed": st.just(nicira.FlowMonitorResumed()),
        "nxt tlv table mod": st.builds(nicira.TlvTableMod, st.integers(0, 2), rows),
        "nxt tlv table request": st.just(nicira.TlvTableRequest()),
        "nxt tlv table reply": st.builds(nicira.TlvTableReply, U32, U16, rows),
        "nxt resume": st.builds(
            nicira.Resume,
            matches(version),
            DATA,
            U8,
            U8,
            U64,
            st.none() | DATA,
            st.none() | DATA,
        ),
        "nxt ct flush zone": st.builds(nicira.CtFlushZone, U16),
        "nxt ct flush": st.builds(nicira.CtFlush, U8, DATA),
    }
