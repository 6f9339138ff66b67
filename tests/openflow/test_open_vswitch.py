"""Open vSwitch reads what is written here, and refuses the same with the same error."""

import pytest

from ovsflow.errors import DecodeError
from ovsflow.openflow import actions as act
from ovsflow.openflow.bundle import BundleControl
from ovsflow.openflow.codec import decode, encode
from ovsflow.openflow.constants import Version
from ovsflow.openflow.error_names import number_of
from ovsflow.openflow.failure import ErrorMessage, error_for
from ovsflow.openflow.flow_stats import AggregateReply, FlowStats, FlowStatsReply, FlowStatsRequest
from ovsflow.openflow.group_stats import (
    GroupDesc,
    GroupDescReply,
    GroupFeaturesReply,
    GroupStats,
    GroupStatsReply,
    MeterConfig,
    MeterConfigReply,
    MeterFeaturesReply,
    MeterStats,
    MeterStatsReply,
)
from ovsflow.openflow.handshake import (
    AsyncMask,
    FeaturesReply,
    Hello,
    RoleReply,
    RoleRequest,
    SetAsync,
    SetConfig,
)
from ovsflow.openflow.instructions import Instructions
from ovsflow.openflow.match import Match
from ovsflow.openflow.modify import (
    Bucket,
    FlowMod,
    GroupMod,
    MeterBand,
    MeterMod,
    PortMod,
    TableMod,
)
from ovsflow.openflow.monitor import FlowMonitor, FlowMonitorReply, FlowMonitorRequest, FlowUpdate
from ovsflow.openflow.multipart import DescReply
from ovsflow.openflow.nicira import (
    FlowModTableId,
    Resume,
    SetControllerId,
    SetPacketInFormat,
    TlvMap,
    TlvTableMod,
)
from ovsflow.openflow.notices import FlowRemoved, PortStatus, RoleStatus, TableDesc, TableStatus
from ovsflow.openflow.packets import PacketIn, PacketOut
from ovsflow.openflow.port import PortDesc
from ovsflow.openflow.port_stats import (
    PortDescReply,
    PortStats,
    PortStatsReply,
    QueueStats,
    QueueStatsReply,
)
from ovsflow.openflow.table_stats import TableDescReply, TableStats, TableStatsReply
from ovsflow.openflow.wire import Body
from tests.ofctl.oracle import decode_error, print_all

OF10, OF13, OF14, OF15 = Version.OF10, Version.OF13, Version.OF14, Version.OF15
ALL = (OF10, OF13, OF14, OF15)
MODERN = (OF13, OF14, OF15)
FRAME = bytes.fromhex("020000000002020000000001080600010800060400010200000000010a00000100000000")

REG0 = act.Subfield("reg0", 0, 16)
PORT = PortDesc(1, bytes.fromhex("aabbccddeeff"), "eth1", 1, 1, 0x820, 0, 0x820, 0)
IP = Match.of(in_port=1, eth_type=0x0800, ip_dst=(0x0A000000, 0xFF000000))
TCP = Match.of(eth_type=0x0800, nw_proto=6)
FTP = act.Ct(1, 5, 2, 21, (act.Nat(1, (b"\n\0\0\1", b"\n\0\0\2"), (80, 90)),))
TUNNEL = Match.of(in_port=2, tun_id=10, tun_src=0xAC1F0102)
TO_TUNNEL = Instructions(
    apply=(act.SetField("tun_id", 10), act.SetField("tun_dst", 0xAC1F0102), act.Output(2))
)


def flow_with(*actions: act.Action) -> FlowMod:
    """A flow with these actions on IPv4 packets."""
    return FlowMod(match=IP, instructions=Instructions(apply=actions))


# Versions, message, what stands in Open vSwitch's print of it.
PRINTED: tuple[tuple[tuple[Version, ...], Body, str], ...] = (
    (ALL, Hello((1, 4)), "version bitmap: 0x01, 0x04"),
    (ALL, FlowMod(match=IP), "ADD ip,in_port=1,nw_dst=10.0.0.0/8 actions=drop"),
    (
        MODERN,
        FlowMod(match=TUNNEL, instructions=TO_TUNNEL),
        "tun_id=0xa,tun_src=172.31.1.2,in_port=2",
    ),
    (
        MODERN,
        FlowMod(match=TUNNEL, instructions=TO_TUNNEL),
        "set_field:172.31.1.2->tun_dst,output:2",
    ),
    ((OF10,), FlowMod(match=TUNNEL, instructions=TO_TUNNEL), "set_tunnel:0xa"),
    ((OF10,), FlowMod(match=TUNNEL), "NXT_FLOW_MOD"),
    ((OF10,), FlowMod(match=IP, table_id=3, table_in_command=True), "ADD table:3 ip,in_port=1"),
    (MODERN, FlowMod(3, IP, table_id=255), "DEL table:255 ip,in_port=1"),
    (MODERN, FlowMod(match=Match.of(dl_vlan=5, vlan_pcp=3)), "dl_vlan=5,dl_vlan_pcp=3"),
    ((OF10,), FlowMod(match=Match.of(dl_vlan=5, vlan_pcp=3)), "dl_vlan=5,dl_vlan_pcp=3"),
    ((OF10,), FlowMod(match=Match.of(vlan_vid=0x1005, tun_id=1)), "dl_vlan=5"),
    (ALL, FlowMod(match=Match.of(ip_dst=1, eth_type=0x800)), "nw_dst=0.0.0.1"),
    (ALL, FlowMod(cookie=5, cookie_mask=7, command=1), "cookie:0x5/0x7"),
    (ALL, flow_with(act.Output(0xFFFFFFFD, 65535)), "CONTROLLER:65535"),
    (ALL, flow_with(act.Resubmit(table=4)), "resubmit(,4)"),
    (ALL, flow_with(act.Resubmit(in_port=4)), "resubmit:4"),
    (ALL, flow_with(act.DecNwTtl((1, 2))), "dec_ttl(1,2)"),
    (ALL, flow_with(act.DecNwTtl()), "dec_ttl"),
    (ALL, flow_with(act.Group(7)), "group:7"),
    (ALL, flow_with(act.SetQueue(7), act.PopQueue()), "set_queue:7,pop_queue"),
    (ALL, flow_with(act.Note(bytes(6))), "note:00.00.00.00.00.00"),
    (
        ALL,
        FlowMod(match=TCP, instructions=Instructions(apply=(act.FinTimeout(3, 4),))),
        "fin_timeout(idle_timeout=3,hard_timeout=4)",
    ),
    (ALL, flow_with(act.Clone((act.Output(1), act.Output(2)))), "clone(output:1,output:2)"),
    (ALL, flow_with(act.Conjunction(9, 0, 2)), "conjunction(9,1/2)"),
    (ALL, flow_with(act.Controller(controller=5)), "controller(id=5)"),
    (
        ALL,
        flow_with(act.Controller(128, 5, 0, b"\1\2", True, 3)),
        "controller(reason=no_match,max_len=128,id=5,userdata=01.02,pause,meter_id=3)",
    ),
    (ALL, flow_with(act.OutputField(REG0)), "output:NXM_NX_REG0[0..15]"),
    (ALL, flow_with(act.OutputTruncated(3, 64)), "output(port=3,max_len=64)"),
    (ALL, flow_with(act.StackPush(REG0), act.StackPop(REG0)), "push:NXM_NX_REG0[0..15]"),
    ((OF10, OF13, OF14), flow_with(act.Load(REG0, 5)), "load:0x5->NXM_NX_REG0[0..15]"),
    ((OF15,), flow_with(act.Load(REG0, 5)), "set_field:0x5/0xffff->reg0"),
    (
        ALL,
        flow_with(act.Move(REG0, act.Subfield("reg1", 16, 16))),
        "move:NXM_NX_REG0[0..15]->NXM_NX_REG1[16..31]",
    ),
    ((OF13,), flow_with(act.SetField("reg0", 5, 0xF)), "load:0x5->NXM_NX_REG0[0..3]"),
    ((OF15,), flow_with(act.SetField("reg0", 5, 0xF)), "set_field:0x5/0xf->reg0"),
    ((OF10,), flow_with(act.SetField("ip_src", 1)), "mod_nw_src:0.0.0.1"),
    (MODERN, flow_with(act.SetField("nw_tos", 40)), "set_field:10->ip_dscp"),
    ((OF10,), flow_with(act.SetVlanVid(5), act.SetVlanPcp(3)), "mod_vlan_vid:5,mod_vlan_pcp:3"),
    (
        MODERN,
        flow_with(act.PushVlan(), act.SetField("vlan_vid", 0x1005)),
        "push_vlan:0x8100,set_field:4101->vlan_vid",
    ),
    (ALL, flow_with(act.PushMpls()), "push_mpls:0x8847"),
    (ALL, flow_with(act.CtClear()), "ct_clear"),
    (
        ALL,
        FlowMod(match=TCP, instructions=Instructions(apply=(FTP,))),
        "ct(commit,table=2,zone=5,nat(src=10.0.0.1-10.0.0.2:80-90),alg=ftp)",
    ),
    (
        ALL,
        flow_with(
            act.Learn(
                (
                    act.LearnSpec(
                        act.Subfield("eth_src", 0, 48),
                        act.LearnMatch(act.Subfield("eth_dst", 0, 48)),
                    ),
                    act.LearnSpec(act.Immediate(5, 16), act.LearnLoad(REG0)),
                    act.LearnSpec(act.Subfield("in_port", 0, 16), act.LearnOutput()),
                ),
                table=2,
                limit=7,
            )
        ),
        "learn(table=2,limit=7,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],load:0x5->NXM_NX_REG0[0..15],output:NXM_OF_IN_PORT[])",
    ),
    (
        ALL,
        flow_with(act.CheckPacketLarger(1500, act.Subfield("reg0", 3, 1))),
        "check_pkt_larger(1500)->NXM_NX_REG0[3]",
    ),
    (
        ALL,
        flow_with(act.Multipath(0, 50, 0, 7, 0, REG0)),
        "multipath(eth_src,50,modulo_n,8,0,NXM_NX_REG0[0..15])",
    ),
    (ALL, flow_with(act.Bundle(0, 0, 1, (1, 2))), "bundle(eth_src,0,hrw,ofport,members:1,2)"),
    (
        (OF13, OF14),
        FlowMod(
            match=IP,
            instructions=Instructions(3, (act.Output(1),), True, (act.Group(2),), (1, 0xF), 9),
        ),
        "meter:3,output:1,clear_actions,write_actions(group:2),write_metadata:0x1/0xf,goto_table:9",
    ),
    (
        (OF10,),
        FlowMod(match=IP, instructions=Instructions(metadata=(1, 0xF), goto=9)),
        "load:0x1->OXM_OF_METADATA[0..3],resubmit(,9)",
    ),
    (
        (OF13, OF14),
        GroupMod(
            0, 1, 5, (Bucket((act.Output(1),), weight=50), Bucket((act.Output(2),), weight=60))
        ),
        "type=select,bucket=weight:50,actions=output:1,bucket=weight:60,actions=output:2",
    ),
    (
        (OF15,),
        GroupMod(3, 3, 5, (Bucket((act.Output(1),), watch_port=1),), 0xFFFFFFFE),
        "command_bucket_id:last,group_id=5,bucket=bucket_id:0,watch_port:1,actions=output:1",
    ),
    (MODERN, MeterMod(0, 1, 2, (MeterBand(1, 100), MeterBand(2, 50, 0, 1))), "type=drop rate=100"),
    (ALL, PortMod(3, bytes(6), 1, 1, 0x8), "config: PORT_DOWN"),
    (MODERN, TableMod(2), "table_id=2"),
    ((OF14,), TableMod(2, 4, eviction=1), "eviction=on"),
    (ALL, RoleRequest(2, 0), "role=primary"),
    (ALL, RoleReply(3, 0), "role=secondary"),
    (ALL, SetConfig(0, 128), "miss_send_len=128"),
    (MODERN, SetAsync((AsyncMask(1, 7), AsyncMask(0, 0))), "PACKET_IN: no_match"),
    (ALL, FeaturesReply(0x1234, 0, 254, 0, 0x4F), "dpid:0000000000001234"),
    ((OF10,), FeaturesReply(0x1234, 0, 254, 0, 0, 1, (PORT,)), "1(eth1): addr:aa:bb:cc:dd:ee:ff"),
    (ALL, PortStatus(0, PORT), "ADD: 1(eth1): addr:aa:bb:cc:dd:ee:ff"),
    (ALL, PortDescReply((PORT,)), "1(eth1): addr:aa:bb:cc:dd:ee:ff"),
    (ALL, PortDescReply((PORT,)), "current:    1GB-FD COPPER"),
    (ALL, PacketOut((act.Output(1),), FRAME), "in_port=CONTROLLER actions=output:1 data_len=36"),
    (ALL, PacketIn(Match.of(in_port=3), FRAME, 36, 1), "in_port=3 (via action) data_len=36"),
    (
        ALL,
        PacketIn(TUNNEL, FRAME, 36, 1, 2, 5, form=2, userdata=b"\5"),  # type: ignore[arg-type]
        "NXT_PACKET_IN2",
    ),
    (ALL, Resume(TUNNEL, FRAME, continuation=bytes(4)), "NXT_RESUME"),
    (ALL, FlowRemoved(IP, 5, 10, 2, 0, 3, 4000000, 0, 0, 6, 7), "reason=delete"),
    (ALL, FlowStatsRequest(IP), "ip,in_port=1,nw_dst=10.0.0.0/8"),
    (ALL, FlowStatsRequest(TUNNEL, cookie=1, cookie_mask=1), "tun_id=0xa"),
    (
        MODERN,
        FlowStatsReply((FlowStats(TUNNEL, TO_TUNNEL, 3, 5, packet_count=6, byte_count=7),)),
        "n_packets=6, n_bytes=7, priority=5,tun_id=0xa,tun_src=172.31.1.2,in_port=2",
    ),
    (
        (OF10,),
        FlowStatsReply((FlowStats(TUNNEL, TO_TUNNEL, idle_age=9),), nicira=True),
        "idle_age=9",
    ),
    (ALL, AggregateReply(1, 2, 3), "packet_count=1 byte_count=2 flow_count=3"),
    (ALL, TableStatsReply((TableStats(1, 2, 3, 4),)), "active=2, lookup=3, matched=4"),
    (ALL, PortStatsReply((PortStats(1, 2, 3, 4, 5),)), "rx pkts=2, bytes=4, drop=0, errs=0"),
    (
        ALL,
        QueueStatsReply((QueueStats(1, 2, 3, 4, 5),)),
        "port 1 queue 2: bytes=3, pkts=4, errors=5",
    ),
    (ALL, DescReply("me", "it", "1", "2", "br0"), "Manufacturer: me"),
    (
        MODERN,
        GroupStatsReply((GroupStats(1, 2, 3, 4, 5, 6, ((7, 8),)),)),
        "bucket0:packet_count=7,byte_count=8",
    ),
    (
        MODERN,
        GroupDescReply((GroupDesc(1, 0, (Bucket((act.Output(1),)),)),)),
        "group_id=1,type=all,bucket=",
    ),
    (MODERN, GroupFeaturesReply(1, 1, (9, 0, 0, 0), (1, 0, 0, 0)), "max_groups=0x9"),
    (MODERN, MeterStatsReply((MeterStats(1, 2, 3, 4, 5, 6, ((7, 8),)),)), "meter:1 flow_count:2"),
    (MODERN, MeterConfigReply((MeterConfig(1, 1, (MeterBand(1, 100),)),)), "meter=1 kbps bands="),
    (MODERN, MeterFeaturesReply(7, 2, 1, 8, 0), "max_meter:7"),
    ((OF14, OF15), TableDescReply((TableDesc(1, 4, eviction=1),)), "eviction=on"),
    ((OF14, OF15), TableStatus(3, TableDesc(1, 4, eviction=1)), "reason=VACANCY_DOWN"),
    ((OF14, OF15), RoleStatus(3, 0, 5), "role=secondary generation_id=5 reason=primary_request"),
    (MODERN, BundleControl(5, 0, 1), "bundle_id=0x5 type=OPEN_REQUEST flags=atomic"),
    (
        ALL,
        FlowMonitorRequest((FlowMonitor(7, match=IP),)),
        "id=7 flags=initial,add,delete,modify,actions",
    ),
    (
        ALL,
        FlowMonitorReply((FlowUpdate(1, match=IP, table_id=4, priority=3),)),
        "event=ADDED table=4",
    ),
    (ALL, FlowMonitorReply((FlowUpdate(4, xid=0x55),)), "event=ABBREV xid=0x55"),
    (ALL, SetPacketInFormat(2), "format=nxt_packet_in2"),
    (ALL, SetControllerId(7), "id=7"),
    (ALL, FlowModTableId(True), "enable"),
    (ALL, TlvTableMod(0, (TlvMap(0x102, 0x80, 4, 0),)), "0x102"),
    (ALL, ErrorMessage(1, 6, b"\4\0\0\x08\0\0\0\0"), "OFPBRC_BAD_LEN"),
)


def test_open_vswitch_prints_every_message() -> None:
    cases = [(version, body, wanted) for versions, body, wanted in PRINTED for version in versions]
    texts = print_all([encode(body, version, 5) for version, body, _ in cases])
    wrong = [
        f"{version.name} {body}\n  wanted {wanted!r}\n  in {text[:400]}"
        for (version, body, wanted), text in zip(cases, texts, strict=True)
        if wanted not in text or "***" in text
    ]
    assert not wrong, "\n".join(wrong)


def of13_flow(tlvs: str = "", instructions: str = "", **numbers: int) -> bytes:
    """A FLOW_MOD of OpenFlow 1.3 from hexadecimal parts."""
    match = bytes.fromhex(tlvs)
    length = 4 + len(match)
    body = encode(FlowMod(**numbers), OF13, 1)[8:48]  # type: ignore[arg-type]
    body += b"\0\1" + length.to_bytes(2) + match + bytes(-length % 8) + bytes.fromhex(instructions)
    return b"\4\x0e" + (8 + len(body)).to_bytes(2) + bytes(4) + body


def apply(actions: str) -> str:
    """Apply-actions with these actions, in hexadecimal."""
    return f"0004{8 + len(actions.replace(' ', '')) // 2:04x}00000000{actions}"


ETH_IP = "80000a020800"
REFUSED = {
    "unknown field": of13_flow("8000fe0400000000"),
    "field of the wrong length": of13_flow("8000000200000000"),
    "TLV past the end": of13_flow("8000000400"),
    "same field twice": of13_flow("8000000400000001 8000000400000001"),
    "value outside the mask": of13_flow("80000507 00000000"),
    "bits outside the mask": of13_flow("8000050800000000000001ff00000000000000ff"),
    "mask on a port": of13_flow("80000108 00000001 0000000f"),
    "prerequisite missing": of13_flow("80001604 0a000001"),
    "prerequisite behind": of13_flow("80001604 0a000001" + ETH_IP),
    "port 0xff00": of13_flow("80000004 0000ff00"),
    "VLAN priority 9": of13_flow("80000c021005 80000e0109"),
    "DSCP 64": of13_flow(ETH_IP + "8000100140"),
    "label of 21 bits": of13_flow("80000a028847 8000440400100000"),
    "unknown instruction": of13_flow("", "0009000800000000"),
    "experimenter instruction": of13_flow("", "ffff000800002320"),
    "instruction of length 0": of13_flow("", "0004000000000000"),
    "instruction past the end": of13_flow("", "0004001000000000"),
    "the same instruction twice": of13_flow("", "0001000801000000 0001000802000000"),
    "goto_table of the wrong length": of13_flow("", "00010010010000000000000000000000"),
    "unknown action": of13_flow("", apply("0063000800000000")),
    "action of length 4": of13_flow("", apply("0000000400000000")),
    "output of 8 bytes": of13_flow("", apply("0000000800000001")),
    "unknown vendor": of13_flow("", apply("ffff0010 12345678 0000000000000000")),
    "unknown subtype": of13_flow("", apply("ffff0010 00002320 0fff000000000000")),
    "output to ANY": of13_flow("", apply("00000010 ffffffff 0000 000000000000")),
    "output to 0xff00": of13_flow("", apply("00000010 0000ff00 0000 000000000000")),
    "set_field of an unknown field": of13_flow("", apply("00190010 8000fe04 00000001 00000000")),
    "set_field of the wrong length": of13_flow("", apply("00190010 80001602 00010000 00000000")),
    "set_field with a mask": of13_flow(
        "", apply("00190018 80000508 0000000000000001 00000000000000ff")
    ),
    "set_field of in_port": of13_flow("", apply("00190010 80000004 00000001 00000000")),
    "set_field of a VLAN id without its bit": of13_flow(
        "", apply("00190010 80000c02 0005 000000000000")
    ),
    "set_field with dirty padding": of13_flow(ETH_IP, apply("00190010 80001604 0a000001 00000001")),
    "load of too wide a value": of13_flow(
        "", apply("ffff0018 00002320 0007 0003 00010004 00000000000000ff")
    ),
    "load past the field": of13_flow(
        "", apply("ffff0018 00002320 0007 07df 00010004 0000000000000001")
    ),
    "load of an unknown field": of13_flow(
        "", apply("ffff0018 00002320 0007 001f 0001fe04 0000000000000001")
    ),
    "conjunction of one clause": of13_flow("", apply("ffff0010 00002320 0022 00 01 00000005")),
    "unknown command": b"\4\x0e" + of13_flow()[2:25] + b"\7" + of13_flow()[26:],
    "unknown flags": of13_flow(flags=0x20),
    "match of an unknown type": of13_flow()[:48] + b"\0\7" + of13_flow()[50:],
    "match of length 3": of13_flow()[:50] + b"\0\3" + of13_flow()[52:],
    "truncated flow mod": b"\4\x0e\0\x10\0\0\0\0" + bytes(8),
    "unknown message": b"\4\x63\0\x08\0\0\0\0",
    "unknown multipart": b"\4\x12\0\x10\0\0\0\0\0\x63\0\0\0\0\0\0",
    "barrier with a body": b"\4\x14\0\x10\0\0\0\0" + bytes(8),
    "role 4": b"\4\x18\0\x18\0\0\0\0\0\0\0\4" + bytes(12),
    "configuration flags": b"\4\x09\0\x0c\0\0\0\0\0\x40\0\0",
    "packet out from TABLE": encode(PacketOut(in_port=0xFFFFFFF9), OF13, 0),
    "group of type 9": encode(GroupMod(0, 9, 1), OF13, 0),
    "group command 9": encode(GroupMod(0, 0, 1), OF13, 0).replace(
        b"\0\0\0\0\0\0\0\1", b"\0\x09\0\0\0\0\0\1"
    ),
    "meter command 9": b"\4\x1d\0\x10\0\0\0\0\0\x09\0\1\0\0\0\1",
}


def test_open_vswitch_refuses_the_same_with_the_same_error() -> None:
    texts = print_all(list(REFUSED.values()))
    wrong = []
    for (name, data), text in zip(REFUSED.items(), texts, strict=True):
        theirs = decode_error(text)
        try:
            decode(data)
            ours = None
        except DecodeError as error:
            ours = error_for(error, OF13, data).name(OF13)
        if ours is None or ours != theirs:
            wrong.append(f"{name}: {ours}, but Open vSwitch says {theirs}\n{text[:200]}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("version", ALL)
def test_open_vswitch_calls_errors_the_same(version: Version) -> None:
    known = [(kind, code) for kind in range(18) for code in range(20)]
    messages = [encode(ErrorMessage(kind, code, bytes(12)), version) for kind, code in known]
    for (kind, code), text in zip(known, print_all(messages), strict=True):
        ours = ErrorMessage(kind, code).name(version)
        theirs = text.split(":", 1)[1].split()[0]
        if theirs.startswith(("OFP", "NX")):
            assert ours == theirs, (version, kind, code)
            assert number_of(version, ours) is not None
        else:
            assert ours == f"error {kind}:{code}" or "SCHED" in ours, text
