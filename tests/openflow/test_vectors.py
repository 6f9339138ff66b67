"""Messages byte for byte, worked out by hand from the specifications."""

import pytest

from ovsflow.errors import EncodeError
from ovsflow.openflow import actions as act
from ovsflow.openflow.codec import decode, encode
from ovsflow.openflow.constants import Version
from ovsflow.openflow.flow_mod import FlowMod
from ovsflow.openflow.group_mod import Bucket, GroupMod
from ovsflow.openflow.handshake import (
    AsyncMask,
    BarrierRequest,
    EchoRequest,
    Hello,
    RoleRequest,
    SetAsync,
)
from ovsflow.openflow.instructions import Instructions
from ovsflow.openflow.match import Match, MatchField
from ovsflow.openflow.modify import MeterBand, MeterMod, PortMod, TableMod
from ovsflow.openflow.packets import PacketOut
from ovsflow.openflow.port_stats import PortDescRequest
from ovsflow.openflow.wire import Body, Property

OF10, OF13, OF14, OF15 = Version.OF10, Version.OF13, Version.OF14, Version.OF15

VECTORS: tuple[tuple[str, Version, Body, str], ...] = (
    # OpenFlow 1.3.5 §7.5.1: one element, a bitmap of versions 1 and 4.
    ("hello", OF13, Hello((1, 4)), "04000010 00000000 0001 0008 00000012"),
    # OpenFlow 1.0.2 §5.5.1: nothing behind the header.
    ("hello of 1.0", OF10, Hello((1,)), "01000008 00000000"),
    ("echo", OF13, EchoRequest(b"hi"), "0402000a 00000000 6869"),
    # Types differ: 18 in 1.0 (OpenFlow 1.0.2 §5.1), 20 from 1.1 on.
    ("barrier of 1.0", OF10, BarrierRequest(), "01120008 00000000"),
    ("barrier", OF13, BarrierRequest(), "04140008 00000000"),
    # OpenFlow 1.3.5 §7.3.9; Nicira's roles are one less, and an experimenter message.
    ("role", OF13, RoleRequest(2, 5), "04180018 00000000 00000002 00000000 0000000000000005"),
    ("role of 1.0", OF10, RoleRequest(2), "01040014 00000000 00002320 0000000a 00000001"),
    (
        "role of 1.5",
        OF15,
        RoleRequest(3, 1, 9),
        "06180018 00000000 00000003 0009 0000 0000000000000001",
    ),
    # OpenFlow 1.4.1 §7.3.10: a property for each kind of message and role.
    ("async of 1.4", OF14, SetAsync((AsyncMask(1, 7),)), "051c0010 00000000 0001 0008 00000007"),
    # OpenFlow 1.0.2 §5.3.3: fixed match of 40 bytes, all wildcards but in_port.
    (
        "flow mod of 1.0",
        OF10,
        FlowMod(match=Match.of(in_port=1), instructions=Instructions(apply=(act.Output(2),))),
        "010e0050 00000000"
        "003820fe 0001 000000000000 000000000000 0000 00 00"
        "0000 00 00 0000 00000000 00000000 0000 0000"
        "0000000000000000 0000 0000 0000 8000 ffffffff ffff 0000"
        "0000 0008 0002 0000",
    ),
    # OpenFlow 1.3.5 §7.3.4.1, Open vSwitch's NXM_NX_TUN_IPV4_DST inside OXM and set_field.
    (
        "flow mod to a tunnel",
        OF13,
        FlowMod(
            match=Match.of(in_port=1),
            instructions=Instructions(apply=(act.SetField("tun_dst", 0xAC1F0102), act.Output(2))),
        ),
        "040e0068 00000000"
        "0000000000000000 0000000000000000 00 00 0000 0000 8000"
        "ffffffff ffffffff ffffffff 0000 0000"
        "0001 000c 80000004 00000001 00000000"
        "0004 0028 00000000"
        "0019 0010 00014004 ac1f0102 00000000"
        "0000 0010 00000002 0000 000000000000",
    ),
    # OpenFlow 1.3.5 §7.3.4.2 and 1.5.1 §7.3.4.3: buckets.
    (
        "group",
        OF13,
        GroupMod(0, 1, 5, (Bucket((act.Output(2),), 50),)),
        "040f0030 00000000 0000 01 00 00000005"
        "0020 0032 ffffffff ffffffff 00000000 0000 0010 00000002 0000 000000000000",
    ),
    (
        "group of 1.5",
        OF15,
        GroupMod(0, 1, 5, (Bucket((act.Output(2),), 50),)),
        "060f0038 00000000 0000 01 00 00000005 0020 0000 ffffffff"
        "0020 0010 00000000 0000 0010 00000002 0000 000000000000 0000 0008 0032 0000",
    ),
    (
        "meter",
        OF13,
        MeterMod(0, 1, 3, (MeterBand(2, 100, 0, 1),)),
        "041d0020 00000000 0000 0001 00000003 0002 0010 00000064 00000000 01 000000",
    ),
    ("table", OF13, TableMod(255, 0), "04110010 00000000 ff 000000 00000000"),
    (
        "port",
        OF13,
        PortMod(1, b"\2\0\0\0\0\1", 1, 1),
        "04100028 00000000 00000001 00000000 020000000001 0000 00000001 00000001 00000000 00000000",
    ),
    (
        "port of 1.0",
        OF10,
        PortMod(1, b"\2\0\0\0\0\1", 1, 1, 1 << 13),
        "010f0020 00000000 0001 020000000001 00000001 00000001 00000200 00000000",
    ),
    (
        "packet out of 1.5",
        OF15,
        PacketOut((act.Output(2),), b"data"),
        "060d0034 00000000 ffffffff 0010 0000 0001 000c 80000004 fffffffd 00000000"
        "0000 0010 00000002 0000 000000000000 64617461",
    ),
    # OpenFlow 1.5.1 §7.3.5.7: only there does the request name a port.
    ("port desc", OF13, PortDescRequest(), "04120010 00000000 000d 0000 00000000"),
    (
        "port desc of 1.5",
        OF15,
        PortDescRequest(3),
        "06120018 00000000 000d 0000 00000000 00000003 00000000",
    ),
)


@pytest.mark.parametrize(
    ("version", "body", "wanted"), [row[1:] for row in VECTORS], ids=[row[0] for row in VECTORS]
)
def test_message_byte_for_byte(version: Version, body: Body, wanted: str) -> None:
    data = bytes.fromhex(wanted.replace(" ", ""))
    assert encode(body, version).hex() == data.hex()
    assert encode(decode(data).body, version).hex() == data.hex()


# What a version has no words for, and what the error names.
UNSAYABLE: tuple[tuple[Version, Body, str], ...] = (
    (OF10, MeterMod(0, 1, 1), "OpenFlow10 has no MeterMod"),
    (OF13, GroupMod(3, 0, 1), "OpenFlow13 has no group command 3"),
    (OF13, TableMod(1, eviction=1), "OpenFlow13 has no table properties"),
    (OF10, FlowMod(instructions=Instructions(meter=1)), "OpenFlow10 has no instruction meter"),
    (OF10, FlowMod(instructions=Instructions(clear=True)), "OpenFlow10 has no instruction clear"),
    (OF13, FlowMod(importance=5), "OpenFlow13 has no importance of flows"),
    (OF10, FlowMod(table_id=3), "only with NXT_FLOW_MOD_TABLE_ID"),
    (OF10, FlowMod(out_group=3), "OpenFlow10 has no out_group"),
    (OF10, FlowMod(flags=4), "OpenFlow10 has no flow mod flags 0x4"),
    (OF13, FlowMod(instructions=Instructions(apply=(act.Meter(1),))), "no action Meter"),
    (OF10, FlowMod(instructions=Instructions(apply=(act.PushVlan(),))), "no action PushVlan"),
    (OF13, FlowMod(match=Match.of(no_such=1)), "there is no field no_such"),
    (OF10, PacketOut(in_port=0x12345), "in_port 74565 does not fit in 16 bits"),
    (OF13, PacketOut(match=Match.of(tun_id=1)), "no pipeline fields in a packet out"),
    (OF13, PortMod(1, bytes(5)), "port address of 5 bytes"),
    (OF13, PortMod(1, bytes(6), 16, 16), "no port configuration 0x10"),
    (OF13, PortDescRequest(3), "no request for the description of one port"),
    (OF13, FlowMod(priority=70000), "flow mod: "),
    (OF13, FlowMod(match=Match.of(ip_src=1 << 32)), "ip_src 0x100000000 does not fit"),
    (OF13, EchoRequest(bytes(70000)), "does not fit in a message"),
    (OF13, FlowMod(match=Match((MatchField("tun_metadata0", 1),))), "a value of 0 bytes"),
    (OF14, TableMod(1, properties=(Property(0x10000, b""),)), "property: "),
)


@pytest.mark.parametrize(("version", "body", "words"), UNSAYABLE)
def test_what_a_version_cannot_say_is_named(version: Version, body: Body, words: str) -> None:
    with pytest.raises(EncodeError) as caught:
        encode(body, version)
    assert words in str(caught.value)
