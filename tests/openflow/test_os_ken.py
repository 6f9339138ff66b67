"""os-ken, the usual controller library, reads what is written here."""

import pytest
from os_ken.ofproto import ofproto_parser, ofproto_v1_0, ofproto_v1_3, ofproto_v1_4, ofproto_v1_5
from os_ken.ofproto import ofproto_v1_0_parser as parser10
from os_ken.ofproto import ofproto_v1_3_parser as parser13
from os_ken.ofproto import ofproto_v1_4_parser as parser14
from os_ken.ofproto import ofproto_v1_5_parser as parser15

from ovsflow.openflow import constants
from ovsflow.openflow.actions import Output, SetField
from ovsflow.openflow.codec import decode, encode
from ovsflow.openflow.constants import Version
from ovsflow.openflow.flow_stats import FlowStats, FlowStatsReply
from ovsflow.openflow.handshake import FeaturesReply, GetConfigReply, Hello, RoleReply
from ovsflow.openflow.instructions import Instructions
from ovsflow.openflow.match import Match
from ovsflow.openflow.multipart import DescReply
from ovsflow.openflow.notices import FlowRemoved, PortStatus
from ovsflow.openflow.packets import PacketIn
from ovsflow.openflow.port import PortDesc
from ovsflow.openflow.port_stats import PortDescReply, PortStats, PortStatsReply
from ovsflow.openflow.wire import Body


class Datapath:
    """The little that os-ken's parsers want to know of a connection."""

    def __init__(self, version: Version) -> None:
        self.ofproto, self.ofproto_parser = {
            Version.OF10: (ofproto_v1_0, parser10),
            Version.OF13: (ofproto_v1_3, parser13),
            Version.OF14: (ofproto_v1_4, parser14),
            Version.OF15: (ofproto_v1_5, parser15),
        }[version]


def read(body: Body, version: Version) -> object:
    """The message as os-ken reads it."""
    data = encode(body, version, 7)
    return ofproto_parser.msg(Datapath(version), version, data[1], len(data), 7, data)


MODERN = (Version.OF13, Version.OF14, Version.OF15)
ALL = (Version.OF10, *MODERN)
TUNNEL = Match.of(in_port=2, tun_id=10, tun_src=0xAC1F0102)
PORT = PortDesc(1, bytes.fromhex("aabbccddeeff"), "eth1", curr := 0, 1, curr, 0, 0, 0)


@pytest.mark.parametrize("version", MODERN)
def test_hello_tells_its_versions(version: Version) -> None:
    message = read(Hello((1, 4, 5, 6)), version)
    assert message.elements[0].versions == [1, 4, 5, 6]


@pytest.mark.parametrize("version", ALL)
def test_features_are_read(version: Version) -> None:
    message = read(FeaturesReply(0x1234, 5, 254, 0, 0x4F), version)
    assert (message.datapath_id, message.n_buffers, message.n_tables) == (0x1234, 5, 254)


@pytest.mark.parametrize("version", ALL)
def test_configuration_is_read(version: Version) -> None:
    assert read(GetConfigReply(0, 128), version).miss_send_len == 128


@pytest.mark.parametrize("version", MODERN)
def test_packet_in_is_read_with_its_tunnel(version: Version) -> None:
    message = read(PacketIn(TUNNEL, b"frame", 5, 1, 3, 9), version)
    assert message.match["in_port"] == 2
    assert message.match["tunnel_id"] == 10
    assert message.match["tun_ipv4_src"] == "172.31.1.2"
    assert (message.data, message.table_id, message.cookie) == (b"frame", 3, 9)


def test_packet_in_of_old_is_read() -> None:
    message = read(PacketIn(Match.of(in_port=2), b"frame", 5, 1), Version.OF10)
    assert (message.in_port, message.data, message.total_len) == (2, b"frame", 5)


@pytest.mark.parametrize("version", MODERN)
def test_flow_removed_is_read(version: Version) -> None:
    message = read(FlowRemoved(TUNNEL, 5, 6, 1, 2, 3, 4, 7, 8, 9, 10), version)
    assert (message.cookie, message.priority, message.reason, message.table_id) == (5, 6, 1, 2)
    assert message.match["tunnel_id"] == 10


@pytest.mark.parametrize("version", ALL)
def test_port_status_is_read(version: Version) -> None:
    message = read(PortStatus(2, PORT), version)
    assert message.reason == 2
    assert message.desc.hw_addr == "aa:bb:cc:dd:ee:ff"


@pytest.mark.parametrize("version", MODERN)
def test_flows_are_read(version: Version) -> None:
    apply = (SetField("tun_dst", 0xAC1F0103), Output(3))
    flow = FlowStats(TUNNEL, Instructions(apply=apply, goto=7), 1, 2, 3, 4, 5)
    (found,) = read(FlowStatsReply((flow,)), version).body
    assert found.match["tunnel_id"] == 10
    assert [type(item).__name__ for item in found.instructions] == [
        "OFPInstructionActions",
        "OFPInstructionGotoTable",
    ]
    assert found.instructions[0].actions[1].port == 3


@pytest.mark.parametrize("version", ALL)
def test_ports_are_read(version: Version) -> None:
    (found,) = read(PortStatsReply((PortStats(1, 2, 3, 4, 5),)), version).body
    assert (found.port_no, found.rx_packets, found.tx_bytes) == (1, 2, 5)
    if version != Version.OF10:
        (port,) = read(PortDescReply((PORT,)), version).body
        assert port.name == b"eth1"
    assert read(DescReply("maker"), version).body.mfr_desc == b"maker"


@pytest.mark.parametrize("version", MODERN)
def test_role_is_read(version: Version) -> None:
    message = read(RoleReply(2, 99), version)
    assert (message.role, message.generation_id) == (2, 99)


@pytest.mark.parametrize("version", ALL)
def test_a_flow_mod_of_theirs_is_read_here(version: Version) -> None:
    datapath = Datapath(version)
    theirs = datapath.ofproto_parser
    if version == Version.OF10:
        match = theirs.OFPMatch(in_port=2)
        flow_mod = theirs.OFPFlowMod(
            datapath, match, 5, 0, priority=9, actions=[theirs.OFPActionOutput(3)]
        )
    else:
        match = theirs.OFPMatch(in_port=2, tunnel_id=10, tun_ipv4_src="172.31.1.2")
        actions = [theirs.OFPActionSetField(tun_ipv4_dst="172.31.1.3"), theirs.OFPActionOutput(3)]
        inst = [theirs.OFPInstructionActions(datapath.ofproto.OFPIT_APPLY_ACTIONS, actions)]
        flow_mod = theirs.OFPFlowMod(datapath, 5, priority=9, match=match, instructions=inst)
    flow_mod.serialize()
    body = decode(bytes(flow_mod.buf)).body
    assert (body.cookie, body.priority) == (5, 9)
    wanted = Match.of(in_port=2) if version == Version.OF10 else TUNNEL
    assert set(body.match) == set(wanted)
    assert [type(action).__name__ for action in body.instructions.apply][-1] == "Output"


# Their name, ours: numbers that both say.
NUMBERS = {
    "OFPP_": constants.PortNumber,
    "OFPFC_": constants.FlowModCommand,
    "OFPRR_": constants.FlowRemovedReason,
    "OFPGT_": constants.GroupType,
    "OFPMBT_": constants.MeterBandType,
    "OFPBCT_": constants.BundleControlType,
    "OFPPR_": constants.PortReason,
}


@pytest.mark.parametrize("prefix", NUMBERS)
def test_numbers_are_those_of_the_specification(prefix: str) -> None:
    shared = 0
    for member in NUMBERS[prefix]:
        theirs = getattr(ofproto_v1_4, prefix + member.name, None)
        if theirs is not None:
            assert theirs == member, member
            shared += 1
    assert shared >= 2
