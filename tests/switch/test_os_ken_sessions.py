"""Whole sessions with os-ken: it builds all that is asked and reads all that is answered."""

from collections.abc import Iterator

import pytest

from ovsflow import Switch
from tests.switch.os_ken_peer import OsKenPeer, Theirs

ANY = 0xFFFFFFFF
FRAME = b"\x02\0\0\0\0\x0b\x02\0\0\0\0\x0a\x88\xb5" + bytes(46)
NAMES = {1: "OpenFlow10", 4: "OpenFlow13", 5: "OpenFlow14", 6: "OpenFlow15"}
every_version = pytest.mark.parametrize("version", [1, 4, 5, 6])
with_groups = pytest.mark.parametrize("version", [4, 5, 6])
with_bundles = pytest.mark.parametrize("version", [5, 6])


@pytest.fixture
def switch(version: int) -> Iterator[Switch]:
    ports = ["p1:memory", "p2:memory", "p3:memory"]
    with Switch("s0", ports=ports, workers=0, dpid=0x2A, protocols=[NAMES[version]]) as switch:
        yield switch


@pytest.fixture
def peer(switch: Switch, version: int) -> Iterator[OsKenPeer]:
    peer = OsKenPeer(switch, version)
    with peer.sock:
        yield peer
        assert peer.heard() == []


@every_version
def test_the_session_begins_and_tells_the_switch(peer: OsKenPeer, version: int) -> None:
    assert type(peer.hello) is peer.parser.OFPHello
    features = peer.one("OFPFeaturesRequest")
    assert type(features) is peer.parser.OFPSwitchFeatures
    assert (features.datapath_id, features.n_tables) == (0x2A, 254)
    if version == 1:
        assert set(features.ports) == {1, 2, 3}
    else:
        assert features.auxiliary_id == 0
    echo = peer.one("OFPEchoRequest", data=b"anybody?")
    assert (type(echo), echo.data) == (peer.parser.OFPEchoReply, b"anybody?")
    peer.done("OFPSetConfig", 0, 200)
    config = peer.one("OFPGetConfigRequest")
    assert (config.flags, config.miss_send_len) == (0, 200)
    desc = peer.one("OFPDescStatsRequest", 0).body
    assert (desc.mfr_desc, desc.hw_desc) == (b"Nicira, Inc.", b"Open vSwitch")
    assert (desc.serial_num, desc.dp_desc) == (b"None", b"s0")


@every_version
def test_flows_are_added_changed_counted_and_deleted(
    switch: Switch, peer: OsKenPeer, version: int
) -> None:
    ofp, match = peer.ofp, peer.parser.OFPMatch(in_port=1)
    rest = {"priority": 77, "cookie": 0xABCD, "idle_timeout": 300, "hard_timeout": 400}
    if version > 4:
        rest["importance"] = 9
    flags = {"flags": ofp.OFPFF_SEND_FLOW_REM}
    assert peer.ask(peer.flow_mod(ofp.OFPFC_ADD, match, [peer.output(2)], **rest, **flags)) == []
    switch.inject("p1", FRAME)
    assert switch.receive("p2") == [FRAME]
    expected = rest | {"table_id": 0, "in_port": 1, "actions": [2], "packets": 1, "bytes": 60}
    if version > 1:
        expected |= flags
    assert peer.flows() == [expected]
    assert peer.totals() == (1, 60, 1)

    # OpenFlow 1.0 changes the cookie too.
    cookie = {"cookie": 0xABCD} if version == 1 else {}
    changed = peer.flow_mod(ofp.OFPFC_MODIFY, match, [peer.output(3)], **cookie)
    assert peer.ask(changed) == []
    switch.inject("p1", FRAME)
    assert (switch.receive("p2"), switch.receive("p3")) == ([], [FRAME])
    assert peer.flows() == [expected | {"actions": [3], "packets": 2, "bytes": 120}]

    assert peer.ask(peer.flow_mod(ofp.OFPFC_DELETE, match, [])) == []
    assert (peer.flows(), peer.totals()) == ([], (0, 0, 0))
    (removed,) = peer.heard()
    assert type(removed) is peer.parser.OFPFlowRemoved
    assert (removed.cookie, removed.priority, removed.reason) == (0xABCD, 77, ofp.OFPRR_DELETE)
    assert peer.counts(removed) == (2, 120)
    assert (removed.match.in_port if version == 1 else removed.match["in_port"]) == 1


@with_groups
def test_groups_are_told_and_counted(switch: Switch, peer: OsKenPeer, version: int) -> None:
    ofp = peer.ofp
    buckets = [peer.bucket(2)]
    peer.done("OFPGroupMod", ofp.OFPGC_ADD, ofp.OFPGT_INDIRECT, 5, buckets=buckets)
    to_group = [peer.parser.OFPActionGroup(5)]
    match = peer.parser.OFPMatch(in_port=1)
    assert peer.ask(peer.flow_mod(ofp.OFPFC_ADD, match, to_group)) == []
    switch.inject("p1", FRAME)
    assert switch.receive("p2") == [FRAME]
    (desc,) = peer.one("OFPGroupDescStatsRequest").body
    assert (desc.type, desc.group_id, len(desc.buckets)) == (ofp.OFPGT_INDIRECT, 5, 1)
    (bucket,) = desc.buckets
    assert [action.port for action in bucket.actions] == [2]
    if version == 6:
        assert bucket.bucket_id == 3
    (stats,) = peer.one("OFPGroupStatsRequest", group_id=5).body
    assert (stats.group_id, stats.ref_count) == (5, 1)
    assert (stats.packet_count, stats.byte_count) == (1, 60)
    assert [(b.packet_count, b.byte_count) for b in stats.bucket_stats] == [(1, 60)]
    features = peer.one("OFPGroupFeaturesStatsRequest").body
    assert features.types == 0xF
    assert len(features.max_groups) == 4
    peer.done("OFPGroupMod", ofp.OFPGC_MODIFY, ofp.OFPGT_INDIRECT, 5, buckets=[peer.bucket(3)])
    switch.inject("p1", FRAME)
    assert switch.receive("p3") == [FRAME]
    peer.done("OFPGroupMod", ofp.OFPGC_DELETE, ofp.OFPGT_INDIRECT, ofp.OFPG_ALL)
    assert peer.one("OFPGroupDescStatsRequest").body == []
    # Its flow went with the group.
    assert peer.flows() == []


@with_groups
def test_meters_are_told_and_counted(switch: Switch, peer: OsKenPeer, version: int) -> None:
    ofp, parser = peer.ofp, peer.parser
    flags = ofp.OFPMF_KBPS | ofp.OFPMF_BURST | ofp.OFPMF_STATS
    bands = [parser.OFPMeterBandDrop(rate=5000, burst_size=600)]
    peer.done("OFPMeterMod", ofp.OFPMC_ADD, flags, 4, bands)
    apply, match = parser.OFPInstructionActions, parser.OFPMatch(in_port=1)
    if version == 6:
        metered = [apply(ofp.OFPIT_APPLY_ACTIONS, [parser.OFPActionMeter(4), peer.output(2)])]
    else:
        out = apply(ofp.OFPIT_APPLY_ACTIONS, [peer.output(2)])
        metered = [parser.OFPInstructionMeter(4), out]
    peer.done("OFPFlowMod", match=match, instructions=metered)
    switch.inject("p1", FRAME)
    assert switch.receive("p2") == [FRAME]
    name = "Desc" if version == 6 else "Config"
    (found,) = peer.one(f"OFPMeter{name}StatsRequest", meter_id=4).body
    assert (found.meter_id, found.flags) == (4, flags)
    assert [(b.type, b.rate, b.burst_size) for b in found.bands] == [
        (ofp.OFPMBT_DROP, 5000, 600),
    ]
    (stats,) = peer.one("OFPMeterStatsRequest", meter_id=4).body
    assert (stats.meter_id, stats.packet_in_count, stats.byte_in_count) == (4, 1, 60)
    assert (stats.ref_count if version == 6 else stats.flow_count) == 1
    assert [b.packet_band_count for b in stats.band_stats] == [0]
    (features,) = peer.one("OFPMeterFeaturesStatsRequest").body
    assert features.max_meter > 0
    assert features.band_types & 1 << ofp.OFPMBT_DROP
    assert features.capabilities & flags == flags
    bands = [parser.OFPMeterBandDrop(rate=7000, burst_size=0)]
    peer.done("OFPMeterMod", ofp.OFPMC_MODIFY, flags, 4, bands)
    (found,) = peer.one(f"OFPMeter{name}StatsRequest", meter_id=4).body
    assert found.bands[0].rate == 7000
    peer.done("OFPMeterMod", ofp.OFPMC_DELETE, 0, ofp.OFPM_ALL, [])
    assert peer.one(f"OFPMeter{name}StatsRequest").body == []
    assert peer.flows() == []


@every_version
def test_ports_are_told_counted_and_changed(switch: Switch, peer: OsKenPeer, version: int) -> None:
    ofp = peer.ofp

    def ports() -> dict[int, Theirs]:
        if version == 1:
            return dict(peer.one("OFPFeaturesRequest").ports)
        return {port.port_no: port for port in peer.one("OFPPortDescStatsRequest").body}

    before = ports()
    assert set(before) == {1, 2, 3}
    assert [before[number].name for number in (1, 2, 3)] == [b"p1", b"p2", b"p3"]
    switch.inject("p1", FRAME)
    (stats,) = peer.one("OFPPortStatsRequest", 0, 1).body
    assert (stats.port_no, stats.rx_packets, stats.rx_bytes) == (1, 1, 60)
    assert (stats.tx_packets, stats.tx_bytes, stats.tx_errors) == (0, 0, 0)
    every = ofp.OFPP_NONE if version == 1 else ofp.OFPP_ANY
    found = peer.one("OFPPortStatsRequest", 0, every).body
    assert {port.port_no for port in found} == {1, 2, 3}

    peer.notices.clear()
    rest = {"config": ofp.OFPPC_NO_FLOOD if version == 1 else ofp.OFPPC_NO_FWD}
    address = before[2].hw_addr
    more: dict[str, Theirs] = {"properties": []} if version > 4 else {}
    peer.done("OFPPortMod", 2, address, **rest, mask=rest["config"], **more)
    assert ports()[2].config == rest["config"]
    assert [n.desc.config for n in peer.heard()] == [rest["config"]]
    switch.add_port("p9:memory")
    switch.remove_port("p9")
    added, deleted = peer.heard()
    assert type(added) is type(deleted) is peer.parser.OFPPortStatus
    assert (added.reason, deleted.reason) == (ofp.OFPPR_ADD, ofp.OFPPR_DELETE)
    assert (added.desc.name, deleted.desc.name) == (b"p9", b"p9")
    assert (added.desc.port_no, deleted.desc.port_no) == (4, 4)


@every_version
def test_tables_are_told(switch: Switch, peer: OsKenPeer, version: int) -> None:
    ofp, match = peer.ofp, peer.parser.OFPMatch(in_port=1)
    assert peer.ask(peer.flow_mod(ofp.OFPFC_ADD, match, [peer.output(2)])) == []
    switch.inject("p1", FRAME)
    switch.inject("p3", FRAME)
    tables = peer.one("OFPTableStatsRequest", 0).body
    counts = [(t.table_id, t.active_count, t.lookup_count, t.matched_count) for t in tables[:2]]
    assert counts == [(0, 1, 2, 1), (1, 0, 0, 0)]
    assert len(tables) == 254
    peer.notices.clear()
    if version == 1:
        return
    request = peer.make("OFPTableFeaturesStatsRequest", 0, [])
    parts = [part for answer in peer.ask(request) for part in answer.body]
    assert [part.table_id for part in parts] == list(range(254))
    (first, *_) = parts
    assert first.max_entries == 1000000
    fields = next(p for p in first.properties if p.type == ofp.OFPTFPT_MATCH)
    known = {field.type for field in fields.oxm_ids}
    assert {"in_port", "eth_dst", "vlan_vid", "ipv6_src", "tunnel_id"} <= known
    if version < 5:
        peer.done("OFPTableMod", 3, 0)
        return
    eviction = peer.parser.OFPTableModPropEviction(
        ofp.OFPTMPT_EVICTION, None, ofp.OFPTMPEF_IMPORTANCE
    )
    peer.done("OFPTableMod", 3, ofp.OFPTC_EVICTION, [eviction])
    described = [p for a in peer.ask(peer.make("OFPTableDescStatsRequest")) for p in a.body]
    assert [p.config & ofp.OFPTC_EVICTION for p in described[2:5]] == [0, ofp.OFPTC_EVICTION, 0]


@every_version
def test_queues_are_told_to_be_none(peer: OsKenPeer, version: int) -> None:
    ofp = peer.ofp
    port = ofp.OFPP_ALL if version == 1 else ofp.OFPP_ANY
    assert peer.one("OFPQueueStatsRequest", 0, port, ofp.OFPQ_ALL).body == []
    if version < 5:
        reply = peer.one("OFPQueueGetConfigRequest", 2)
        assert (reply.port, reply.queues) == (2, [])
    else:
        assert peer.one("OFPQueueDescStatsRequest", 0, 2).body == []
    refused = peer.one("OFPQueueStatsRequest", 0, 2, 7)
    assert type(refused) is peer.parser.OFPErrorMsg
    expected = (ofp.OFPET_QUEUE_OP_FAILED, ofp.OFPQOFC_BAD_QUEUE)
    assert (refused.type, refused.code) == expected


@every_version
def test_roles_are_taken(switch: Switch, peer: OsKenPeer, version: int) -> None:
    ofp = peer.ofp
    if version == 1:
        reply = peer.one("NXTRoleRequest", ofp.NX_ROLE_MASTER)
        assert type(reply.data) is peer.parser.NXTRoleReply
        assert reply.data.role == ofp.NX_ROLE_MASTER
        return
    more = {"short_id": 0xFFFF} if version == 6 else {}
    roles = (ofp.OFPCR_ROLE_MASTER, ofp.OFPCR_ROLE_SLAVE, ofp.OFPCR_ROLE_EQUAL)
    for number, role in enumerate(roles):
        reply = peer.one("OFPRoleRequest", role=role, generation_id=5 + number, **more)
        assert type(reply) is peer.parser.OFPRoleReply
        assert reply.role == role
        if role != ofp.OFPCR_ROLE_EQUAL:
            assert reply.generation_id == 5 + number
        if role == ofp.OFPCR_ROLE_SLAVE:
            refused, *_ = peer.ask(
                peer.flow_mod(ofp.OFPFC_ADD, peer.parser.OFPMatch(), [peer.output(2)])
            )
            assert (refused.type, refused.code) == (
                ofp.OFPET_BAD_REQUEST,
                ofp.OFPBRC_IS_SLAVE,
            )
    stale = peer.one("OFPRoleRequest", role=roles[0], generation_id=4, **more)
    assert (stale.type, stale.code) == (ofp.OFPET_ROLE_REQUEST_FAILED, ofp.OFPRRFC_STALE)
    peer.notices.clear()


@every_version
def test_what_is_sent_unasked_is_chosen(switch: Switch, peer: OsKenPeer, version: int) -> None:
    ofp, parser = peer.ofp, peer.parser
    if version == 1:
        peer.done("NXTSetAsyncConfig", (0, 0), (0b010, 0), (0, 0))
    elif version == 4:
        peer.done("OFPSetAsync", (1, 2), (0b010, 0), (4, 8))
        found = peer.one("OFPGetAsyncRequest")
        assert tuple(found.packet_in_mask) == (1, 2)
        assert tuple(found.port_status_mask) == (0b010, 0)
        assert tuple(found.flow_removed_mask) == (4, 8)
    else:
        wanted = {
            ofp.OFPACPT_PORT_STATUS_MASTER: 0b010,
            ofp.OFPACPT_PACKET_IN_MASTER: 0b1000,
            ofp.OFPACPT_FLOW_REMOVED_SLAVE: 0b100,
        }
        properties = [parser.OFPAsyncConfigPropReasons(k, 8, mask) for k, mask in wanted.items()]
        peer.done("OFPSetAsync", properties)
        # os-ken does not know all properties of OpenFlow 1.5.
        found = {p.type: getattr(p, "mask", 0) for p in peer.one("OFPGetAsyncRequest").properties}
        assert {kind: found[kind] for kind in wanted} == wanted
    # Ports that go are told of; ports that come are not.
    switch.add_port("p9:memory")
    switch.remove_port("p9")
    assert [(n.reason, n.desc.name) for n in peer.heard()] == [(ofp.OFPPR_DELETE, b"p9")]


@every_version
def test_packets_go_out_and_come_in(switch: Switch, peer: OsKenPeer, version: int) -> None:
    ofp = peer.ofp
    controller = ofp.OFPP_CONTROLLER
    assert peer.ask(peer.packet_out(controller, [peer.output(3)], FRAME)) == []
    assert switch.receive("p3") == [FRAME]
    assert peer.ask(peer.packet_out(1, [peer.output(ofp.OFPP_FLOOD)], FRAME)) == []
    assert [switch.receive(p) for p in ("p1", "p2", "p3")] == [[], [FRAME], [FRAME]]

    match = peer.parser.OFPMatch(in_port=2)
    told = peer.flow_mod(ofp.OFPFC_ADD, match, [peer.output(controller, 0xFFFF)], cookie=0x77)
    assert peer.ask(told) == []
    switch.inject("p2", FRAME)
    (packet,) = peer.heard()
    assert type(packet) is peer.parser.OFPPacketIn
    assert (bytes(packet.data), packet.total_len) == (FRAME, 60)
    assert packet.buffer_id == ANY
    if version == 1:
        assert (packet.in_port, packet.reason) == (2, ofp.OFPR_ACTION)
        return
    reason = ofp.OFPR_ACTION if version == 4 else ofp.OFPR_APPLY_ACTION
    assert (packet.reason, packet.table_id, packet.cookie) == (reason, 0, 0x77)
    assert packet.match["in_port"] == 2


@every_version
def test_errors_carry_what_they_refuse(peer: OsKenPeer, version: int) -> None:
    ofp = peer.ofp
    match = peer.parser.OFPMatch(in_port=1)
    nowhere = ofp.OFPP_NONE if version == 1 else ofp.OFPP_ANY
    request = peer.flow_mod(ofp.OFPFC_ADD, match, [peer.output(nowhere)])
    (refused,) = peer.ask(request)
    assert type(refused) is peer.parser.OFPErrorMsg
    assert (refused.type, refused.code) == (ofp.OFPET_BAD_ACTION, ofp.OFPBAC_BAD_OUT_PORT)
    assert bytes(refused.data) == bytes(request.buf)
    assert peer.flows() == []


@with_bundles
def test_a_bundle_is_all_or_nothing(peer: OsKenPeer, version: int) -> None:
    ofp, parser = peer.ofp, peer.parser
    flags = ofp.OFPBF_ATOMIC | ofp.OFPBF_ORDERED

    def control(kind: int) -> Theirs:
        reply = peer.one("OFPBundleCtrlMsg", 8, kind, flags, [])
        if type(reply) is parser.OFPBundleCtrlMsg:
            assert (reply.bundle_id, reply.type) == (8, kind + 1)
        return reply

    def add(port: int, out: int) -> None:
        match = parser.OFPMatch(in_port=port)
        flow = peer.flow_mod(ofp.OFPFC_ADD, match, [peer.output(out)])
        peer.done("OFPBundleAddMsg", 8, flags, flow, [])

    control(ofp.OFPBCT_OPEN_REQUEST)
    add(1, 2)
    add(2, 1)
    assert peer.flows() == []
    control(ofp.OFPBCT_CLOSE_REQUEST)
    control(ofp.OFPBCT_COMMIT_REQUEST)
    assert sorted((flow["in_port"], flow["actions"]) for flow in peer.flows()) == [
        (1, [2]),
        (2, [1]),
    ]
    control(ofp.OFPBCT_OPEN_REQUEST)
    add(3, 2)
    control(ofp.OFPBCT_DISCARD_REQUEST)
    assert len(peer.flows()) == 2
    refused = control(ofp.OFPBCT_COMMIT_REQUEST)
    assert type(refused) is parser.OFPErrorMsg
    assert (refused.type, refused.code) == (ofp.OFPET_BUNDLE_FAILED, ofp.OFPBFC_BAD_ID)


@with_bundles
def test_flows_are_monitored(
    switch: Switch, peer: OsKenPeer, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # os-ken registers one class for four events, and its parser then takes the first of them alone.
    full, known = peer.parser.OFPFlowUpdateFull, peer.parser.OFPFlowUpdateHeader._EVENT
    for event in (peer.ofp.OFPFME_ADDED, peer.ofp.OFPFME_REMOVED, peer.ofp.OFPFME_MODIFIED):
        own = type(full.__name__, (full,), {"cls_flow_update_event": event})
        monkeypatch.setitem(known, event, own)
    ofp, match = peer.ofp, peer.parser.OFPMatch(in_port=1)
    assert peer.ask(peer.flow_mod(ofp.OFPFC_ADD, match, [peer.output(2)], cookie=5)) == []
    flags = ofp.OFPFMF_INITIAL | ofp.OFPFMF_ADD | ofp.OFPFMF_REMOVED | ofp.OFPFMF_MODIFY
    flags |= ofp.OFPFMF_INSTRUCTIONS | ofp.OFPFMF_NO_ABBREV
    reply = peer.one(
        "OFPFlowMonitorRequest",
        monitor_id=9,
        monitor_flags=flags,
        table_id=ofp.OFPTT_ALL,
        command=ofp.OFPFMC_ADD,
        match=peer.parser.OFPMatch(),
    )
    (initial,) = reply.body
    assert (initial.event, initial.cookie) == (ofp.OFPFME_INITIAL, 5)
    assert initial.match["in_port"] == 1
    assert [a.port for each in initial.instructions for a in each.actions] == [2]
    other = OsKenPeer(switch, version)
    with other.sock:
        third = peer.parser.OFPMatch(in_port=3)
        for command, out in (
            (ofp.OFPFC_ADD, 1),
            (ofp.OFPFC_MODIFY, 2),
            (ofp.OFPFC_DELETE, 0),
        ):
            actions = [peer.output(out)] if out else []
            assert other.ask(other.flow_mod(command, third, actions)) == []
        updates = [update for notice in peer.heard() for update in notice.body]
    assert [update.event for update in updates] == [
        ofp.OFPFME_ADDED,
        ofp.OFPFME_MODIFIED,
        ofp.OFPFME_REMOVED,
    ]
    assert {update.match["in_port"] for update in updates} == {3}
