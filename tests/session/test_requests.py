"""What each request gets back, in the versions that have it."""

import struct

import pytest

from ovsflow.openflow import codec
from ovsflow.openflow.constants import Role
from ovsflow.openflow.failure import ErrorMessage
from ovsflow.openflow.handshake import (
    AsyncMask,
    BarrierReply,
    BarrierRequest,
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
from ovsflow.openflow.modify import GroupMod, PortMod
from ovsflow.openflow.multipart import DescReply, DescRequest
from ovsflow.openflow.nicira import FlowModTableId, SetControllerId, SetPacketInFormat
from ovsflow.openflow.notices import PortStatus, RequestForward, RoleStatus
from ovsflow.openflow.port_stats import (
    PortDescReply,
    PortDescRequest,
    PortStatsReply,
    PortStatsRequest,
    QueueStatsReply,
    QueueStatsRequest,
)
from ovsflow.openflow.wire import Body
from tests.session.fake import ALL_VERSIONS, FakeDatapath, FakeEvent, FakePort, Peer, bridge_of, raw

LATER = (4, 5, 6)
MOD = 14


def code_of(answers: list[Body]) -> tuple[int, int]:
    (answer,) = answers
    assert isinstance(answer, ErrorMessage)
    return answer.type, answer.code


@pytest.mark.parametrize("version", ALL_VERSIONS)
def test_features_say_who_the_switch_is(version: int) -> None:
    (reply,) = Peer(bridge_of(FakeDatapath()), version).ask(FeaturesRequest())
    assert isinstance(reply, FeaturesReply)
    assert (reply.datapath_id, reply.n_buffers, reply.n_tables) == (0xA1, 0, 254)
    assert [port.name for port in reply.ports] == (["p1", "p2"] if version == 1 else [])


@pytest.mark.parametrize("version", ALL_VERSIONS)
def test_desc_and_ports_are_told(version: int) -> None:
    peer = Peer(bridge_of(FakeDatapath()), version)
    (reply,) = peer.ask(DescRequest())
    assert isinstance(reply, DescReply)
    assert (reply.manufacturer, reply.datapath) == ("Nicira, Inc.", "br0")
    (ports,) = peer.ask(PortDescRequest())
    assert isinstance(ports, PortDescReply)
    assert [(port.number, port.name) for port in ports.ports] == [(1, "p1"), (2, "p2")]
    (stats,) = peer.ask(PortStatsRequest(port=2))
    assert isinstance(stats, PortStatsReply)
    assert [(each.port, each.rx_packets, each.tx_errors) for each in stats.ports] == [(2, 1, 8)]


def test_many_ports_come_in_several_replies() -> None:
    datapath = FakeDatapath()
    datapath.port_list = [FakePort(number, f"p{number}") for number in range(1, 1202)]
    peer = Peer(bridge_of(datapath))
    for request in (PortDescRequest(), PortStatsRequest()):
        replies = peer.ask(request)
        assert [getattr(reply, "more") for reply in replies] == [True, True, False]  # noqa: B009
        assert sum(len(getattr(reply, "ports")) for reply in replies) == 1201  # noqa: B009


def test_queues_are_none_and_errors_are_exact() -> None:
    peer = Peer(bridge_of(FakeDatapath()))
    assert peer.ask(QueueStatsRequest()) == [QueueStatsReply()]
    assert code_of(peer.ask(QueueStatsRequest(port=77))) == (9, 0)
    assert code_of(peer.ask(QueueStatsRequest(port=1, queue=3))) == (9, 1)


def test_configuration_is_kept_per_session_and_fragments_for_all() -> None:
    datapath = FakeDatapath()
    bridge = bridge_of(datapath)
    first, second = Peer(bridge), Peer(bridge)
    assert first.ask(GetConfigRequest()) == [GetConfigReply(0, 128)]
    assert first.ask(SetConfig(1, 0xFFFF)) == []
    assert datapath.settings["fragments"] == "drop"
    assert first.ask(GetConfigRequest()) == [GetConfigReply(1, 0xFFFF)]
    assert second.ask(GetConfigRequest()) == [GetConfigReply(1, 128)]
    assert code_of(first.ask(SetConfig(8, 0))) == (10, 0)


@pytest.mark.parametrize(
    ("kind", "payload", "expected"),
    [
        (99, b"", (1, 1)),
        (5, b"\0", (1, 6)),
        (18, b"", (1, 6)),
        (18, struct.pack("!HHI", 99, 0, 0), (1, 2)),
        (4, b"", (1, 6)),
        (4, struct.pack("!II", 0x12345678, 1), (1, 3)),
        (6, bytes(24), (1, 1)),
        (21, b"", (1, 1)),
    ],
    ids=["type", "length", "short-stats", "stats", "short-exp", "experimenter", "reply", "barrier"],
)
def test_bad_requests_get_their_error(kind: int, payload: bytes, expected: tuple[int, int]) -> None:
    peer = Peer(bridge_of(FakeDatapath()))
    assert code_of(peer.say(kind, payload)) == expected
    assert peer.session.open


def test_errors_echo_the_whole_request_and_its_xid() -> None:
    peer = Peer(bridge_of(FakeDatapath()))
    request = raw(4, 99, bytes(range(200)) * 2, xid=0xDEADBEEF)
    peer.give(request)
    (message,) = peer.take()
    assert message[4:8] == b"\xde\xad\xbe\xef"
    assert message[12:] == request


def test_errors_and_echo_replies_from_the_peer_are_not_answered() -> None:
    peer = Peer(bridge_of(FakeDatapath()))
    assert peer.say(1, struct.pack("!HH", 1, 1)) == []
    assert peer.say(3, b"x") == []


# -- Table changes -------------------------------------------------------------------------------


def test_table_changes_go_over_as_one_slice_before_the_barrier_is_answered() -> None:
    datapath = FakeDatapath()
    peer = Peer(bridge_of(datapath))
    mods = raw(4, MOD, bytes(48), 1) + raw(4, 15, bytes(8), 2) + raw(4, 29, bytes(8), 3)
    datapath.errors = raw(4, 1, struct.pack("!HH", 5, 1), 2)
    peer.give(mods + raw(4, 20, b"", 9))
    assert [call.messages for call in datapath.applied] == [mods]
    assert datapath.applied[0].origin == peer.session.number
    error, barrier = peer.bodies()
    assert isinstance(error, ErrorMessage)
    assert barrier == BarrierReply()


def test_a_secondary_may_not_write() -> None:
    datapath = FakeDatapath()
    peer = Peer(bridge_of(datapath))
    peer.ask(RoleRequest(Role.SECONDARY, 1))
    peer.give(raw(4, MOD, bytes(48), 1) + raw(4, 15, bytes(8), 2))
    answers = peer.bodies()
    assert [(a.type, a.code) for a in answers if isinstance(a, ErrorMessage)] == [(1, 10)] * 2
    assert code_of(peer.ask(PortMod(1, b"\x02\0\0\0\0\x01", 1, 1))) == (1, 10)
    assert datapath.applied == []
    assert peer.ask(BarrierRequest()) == [BarrierReply()]


def test_on_change_is_told_after_table_changes() -> None:
    bridge = bridge_of(FakeDatapath())
    calls: list[int] = []
    bridge.on_change = lambda: calls.append(1)
    Peer(bridge).say(MOD, bytes(48))
    assert calls == [1]


# -- Dumps -----------------------------------------------------------------------------------------


def test_a_dump_goes_on_step_by_step_and_what_follows_waits() -> None:
    datapath = FakeDatapath()
    big = raw(4, 19, bytes(60_000))
    datapath.pieces = [big * 4, big * 4, big]
    peer = Peer(bridge_of(datapath))
    peer.give(raw(4, 18, struct.pack("!HHI", 1, 0, 0)) + raw(4, 2, b"after"))
    counts = []
    while peer.session.busy:
        counts.append(len(peer.take()))
        peer.session.work(0)
    counts.append(len(peer.take()))
    assert counts == [4, 4, 2]
    assert [cursor for _, _, cursor in datapath.queries] == [0, 1, 2]


def test_a_dump_waits_while_its_output_is_not_taken() -> None:
    datapath = FakeDatapath()
    datapath.pieces = [raw(4, 19, bytes(60_000)) * 4] * 50
    peer = Peer(bridge_of(datapath))
    peer.give(raw(4, 18, struct.pack("!HHI", 1, 0, 0)))
    for _ in range(100):
        peer.session.work(0)
    assert peer.session.waiting < 600_000
    assert peer.session.busy


# -- Roles -----------------------------------------------------------------------------------------


def test_taking_over_tells_the_one_that_lost() -> None:
    bridge = bridge_of(FakeDatapath())
    old, new = Peer(bridge, 5), Peer(bridge, 5)
    assert old.ask(RoleRequest(Role.PRIMARY, 1)) == [RoleReply(Role.PRIMARY, 1)]
    assert new.ask(RoleRequest(Role.PRIMARY, 2)) == [RoleReply(Role.PRIMARY, 2)]
    assert old.bodies() == [RoleStatus(Role.SECONDARY, 0, 2)]
    assert old.wakes == 1


def test_stale_and_unknown_roles_are_refused() -> None:
    peer = Peer(bridge_of(FakeDatapath()))
    peer.ask(RoleRequest(Role.PRIMARY, 100))
    assert code_of(peer.ask(RoleRequest(Role.PRIMARY, 99))) == (11, 0)
    assert code_of(peer.ask(RoleRequest(9, 101))) == (11, 2)
    assert peer.session.role is Role.PRIMARY


# -- What is told unasked --------------------------------------------------------------------------


def test_port_mod_is_checked_done_and_told() -> None:
    datapath = FakeDatapath()
    bridge = bridge_of(datapath)
    peer, other = Peer(bridge), Peer(bridge)
    assert code_of(peer.ask(PortMod(9, bytes(6), 1, 1))) == (7, 0)
    assert code_of(peer.ask(PortMod(1, bytes(6), 1, 1))) == (7, 1)
    (status,) = peer.ask(PortMod(1, b"\x02\0\0\0\0\x01", 0x21, 0x20))
    assert isinstance(status, PortStatus)
    assert (status.reason, status.port.config) == (2, 0x20)
    assert other.bodies() == [status]
    assert datapath.port_list[0].config == 0x20


def texts(peer: Peer) -> list[str]:
    """What `FakeEvent` said."""
    return [message[16:].decode() for message in peer.take()]


@pytest.mark.parametrize(
    ("role", "heard"),
    [
        (Role.EQUAL, ["packet_in/0/standard", "packet_in/1/standard", "flow_removed/2/standard"]),
        (Role.PRIMARY, ["packet_in/0/standard", "packet_in/1/standard", "flow_removed/2/standard"]),
        (Role.SECONDARY, []),
    ],
)
def test_events_go_to_those_whose_role_wants_them(role: Role, heard: list[str]) -> None:
    datapath = FakeDatapath()
    bridge = bridge_of(datapath)
    peer = Peer(bridge)
    peer.ask(RoleRequest(role, 1))
    datapath.waiting = [
        FakeEvent("packet_in", 0),
        FakeEvent("packet_in", 1),
        FakeEvent("packet_in", 2),
        FakeEvent("flow_removed", 2),
        FakeEvent("port_error"),
    ]
    assert bridge.deliver() is False
    assert texts(peer) == heard


def test_masks_choose_what_is_told() -> None:
    datapath = FakeDatapath()
    bridge = bridge_of(datapath)
    peer = Peer(bridge)
    peer.ask(SetAsync((AsyncMask(1, 0b100), AsyncMask(2, 7), AsyncMask(3, 7), AsyncMask(5, 0))))
    (reply,) = peer.ask(GetAsyncRequest())
    assert isinstance(reply, GetAsyncReply)
    assert {each.kind: each.mask for each in reply.masks} == {0: 0, 1: 4, 2: 7, 3: 7, 4: 0, 5: 0}
    datapath.waiting = [FakeEvent("packet_in", 0), FakeEvent("packet_in", 2)]
    datapath.waiting.append(FakeEvent("flow_removed", 2))
    bridge.deliver()
    assert texts(peer) == ["packet_in/2/standard"]


@pytest.mark.parametrize(("version", "reasons"), [(4, [0, 1, 3, 4, 5]), (5, [0, 1, 3, 4, 5])])
def test_newer_packet_in_reasons_reach_older_sessions_as_action(
    version: int, reasons: list[int]
) -> None:
    datapath = FakeDatapath()
    bridge = bridge_of(datapath)
    peer = Peer(bridge, version)
    datapath.waiting = [FakeEvent("packet_in", reason) for reason in range(6)]
    bridge.deliver()
    assert texts(peer) == [f"packet_in/{reason}/standard" for reason in reasons]


def test_a_service_session_sleeps_until_it_asks() -> None:
    datapath = FakeDatapath()
    bridge = bridge_of(datapath)
    peer = Peer(bridge, service=True)
    datapath.waiting = [FakeEvent("packet_in", 0)]
    bridge.deliver()
    assert peer.take() == []
    peer.ask(SetConfig(0, 128))
    datapath.waiting = [FakeEvent("packet_in", 0)]
    bridge.deliver()
    assert texts(peer) == ["packet_in/0/standard"]


def test_packet_ins_follow_controller_id_and_format() -> None:
    datapath = FakeDatapath()
    bridge = bridge_of(datapath)
    plain, special = Peer(bridge), Peer(bridge)
    special.ask(SetControllerId(7))
    special.ask(SetPacketInFormat(2))
    datapath.waiting = [FakeEvent("packet_in", 0), FakeEvent("packet_in", 1, controller_id=7)]
    bridge.deliver()
    assert texts(plain) == ["packet_in/0/standard"]
    assert texts(special) == ["packet_in/1/nxt_packet_in2"]


def test_packet_ins_are_counted_and_lost_when_the_peer_does_not_read() -> None:
    datapath = FakeDatapath()
    bridge = bridge_of(datapath)
    peer = Peer(bridge)
    peer.session.congested = True
    datapath.waiting = [FakeEvent("packet_in", 0), FakeEvent("flow_removed", 2)]
    bridge.deliver()
    assert texts(peer) == ["flow_removed/2/standard"]
    assert bridge.suppressed == 1


def test_barrier_comes_after_the_events_of_what_was_before() -> None:
    datapath = FakeDatapath()
    peer = Peer(bridge_of(datapath))
    datapath.waiting = [FakeEvent("flow_removed", 2)]
    peer.give(raw(4, 20))
    removed, barrier = peer.take()
    assert removed[16:] == b"flow_removed/2/standard"
    assert barrier[1] == 21


# -- What others see of it -------------------------------------------------------------------------


def test_group_changes_are_forwarded_to_those_who_can_hear_it() -> None:
    datapath = FakeDatapath()
    bridge = bridge_of(datapath)
    author, newer, older, unasked = (Peer(bridge, version) for version in (4, 6, 4, 5))
    good = codec.encode(GroupMod(group_id=1), 4, 21)
    bad = codec.encode(GroupMod(group_id=2), 4, 22)
    datapath.errors = raw(4, 1, struct.pack("!HH", 6, 0), 22)
    newer.ask(SetAsync((AsyncMask(11, 3),)))
    author.give(good + bad + raw(4, MOD, bytes(48), 23))
    (forwarded,) = newer.bodies()
    assert isinstance(forwarded, RequestForward)
    inner = codec.decode(forwarded.request)
    assert (inner.version, inner.xid) == (6, 21)
    assert isinstance(inner.body, GroupMod)
    assert inner.body.group_id == 1
    # Neither the author nor who did not ask for it hears of it.
    assert (older.take(), unasked.take()) == ([], [])
    assert [message[1] for message in author.take()] == [1]


def test_snoopers_see_both_directions_of_controllers_only() -> None:
    bridge = bridge_of(FakeDatapath())
    snooper, controller, service = (
        Peer(bridge, service=True),
        Peer(bridge),
        Peer(bridge, service=True),
    )
    bridge.snoopers.add(snooper.session)
    service.ask(BarrierRequest())
    controller.ask(BarrierRequest())
    assert [message[1] for message in snooper.take()] == [20, 21]
    snooper.session.end("gone")
    assert bridge.snoopers == set()


def test_the_datapath_knows_who_listens_to_what() -> None:
    datapath = FakeDatapath()
    bridge = bridge_of(datapath)
    assert datapath.listeners == []
    service = Peer(bridge, service=True)
    number = service.session.number
    assert datapath.listeners == [(number, 0, 0, False, None, None)]
    service.ask(SetConfig(0, 128))
    assert datapath.listeners == [(number, 0, 0b111011, False, None, None)]
    service.ask(SetControllerId(5))
    assert datapath.listeners == [(number, 5, 0b111011, False, None, None)]
    service.session.end("gone")
    assert datapath.listeners == []
    first, second = Peer(bridge, 1), Peer(bridge, 5)
    numbers = first.session.number, second.session.number
    assert datapath.listeners == [
        (numbers[0], 0, 0b111011, True, None, None),
        (numbers[1], 0, 0b111011, False, None, None),
    ]
    first.ask(SetConfig(4, 128))
    second.ask(SetAsync((AsyncMask(1, 0b101),)))
    assert [reasons for _, _, reasons, *_ in datapath.listeners] == [0b111111, 0b000101]
    first.ask(RoleRequest(Role.PRIMARY, 1))
    assert [reasons for _, _, reasons, *_ in datapath.listeners] == [0b111111, 0b000101]
    second.ask(RoleRequest(Role.PRIMARY, 1))
    assert [reasons for _, _, reasons, *_ in datapath.listeners] == [0, 0b000101]
    first.session.end("gone")
    assert datapath.listeners == [(numbers[1], 0, 0b000101, False, None, None)]


def test_table_ids_are_an_extension_of_old_sessions() -> None:
    datapath = FakeDatapath()
    peer = Peer(bridge_of(datapath), 1)
    peer.say(MOD, bytes(64))
    peer.ask(FlowModTableId(True))
    peer.say(MOD, bytes(64))
    assert [call.table_ids for call in datapath.applied] == [False, True]


def test_packets_without_a_flow_are_for_old_sessions_only() -> None:
    datapath = FakeDatapath()
    bridge = bridge_of(datapath)
    new = Peer(bridge, 4)
    assert datapath.settings["miss"] == "drop"
    old = Peer(bridge, 1)
    assert datapath.settings["miss"] == "controller"
    datapath.waiting = [FakeEvent("packet_in", 0, is_miss=True), FakeEvent("packet_in", 0)]
    bridge.deliver()
    assert len(texts(old)) == 2
    assert len(texts(new)) == 1
    old.session.end("gone")
    assert datapath.settings["miss"] == "drop"
