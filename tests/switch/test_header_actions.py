"""What actions do to headers, in every version, by frames put together by hand."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from ovsflow import Switch
from ovsflow.openflow.codec import encode
from ovsflow.openflow.constants import FlowModCommand
from ovsflow.openflow.text.parse import parse_flow
from tests.switch.samples import FRAMES, summed
from tests.switch.wire import VERSIONS, apply

OUT = 9
LATER = (4, 5, 6)
BOTTOM = 0x100

UDP, UDP6, ARP, OTHER = (summed(FRAMES[name]) for name in ("udp", "icmp6", "arp", "other"))
TAGGED, TWO_TAGS, PBB = (summed(FRAMES[name]) for name in ("tagged", "two tags", "pbb"))
THREE_LABELS = summed(FRAMES["mpls"])


def tag(frame: bytes, tci: int, tpid: int = 0x8100) -> bytes:
    """The frame behind one more tag."""
    return frame[:12] + struct.pack("!HH", tpid, tci) + frame[12:]


def untag(frame: bytes) -> bytes:
    return frame[:12] + frame[16:]


def label(frame: bytes, entry: int, ethertype: int = 0x8847) -> bytes:
    """The frame, untagged, with one more label stack entry."""
    return frame[:12] + struct.pack("!HI", ethertype, entry) + frame[14:]


def unlabel(frame: bytes, ethertype: int) -> bytes:
    return shortest(frame[:12] + struct.pack("!H", ethertype) + frame[18:])


def shortest(frame: bytes) -> bytes:
    """No frame is shorter than Ethernet allows."""
    return frame.ljust(60, b"\0")


def at(frame: bytes, place: int, *values: int) -> bytes:
    """The frame with some bytes replaced and its checksums right."""
    return summed(frame[:place] + bytes(values) + frame[place + len(values) :])


def service(frame: bytes, itag: int, outer: bytes | None = None) -> bytes:
    """The frame inside a PBB service."""
    return (outer or frame[:12]) + struct.pack("!HI", 0x88E7, itag) + frame


ONE_LABEL = label(UDP, 0x12345 << 12 | 5 << 9 | BOTTOM | 33)
TWO_LABELS = label(ONE_LABEL, 0x00077 << 12 | 44)
TTL_OF_UDP = 22


class Row(NamedTuple):
    """What one list does to one frame: `None` if the frame is lost."""

    flow: str
    frame: bytes
    left: bytes | None
    versions: tuple[int, ...] = VERSIONS
    compat: str = "spec"


VLAN, MPLS, IP = "vlan_tci=0x1000/0x1000", "mpls", "ip"
ROWS: dict[str, Row] = {
    # VLAN.
    "push": Row("actions=push_vlan:0x8100", OTHER, tag(OTHER, 0), LATER),
    "push a service tag": Row("actions=push_vlan:0x88a8", UDP, tag(UDP, 0, 0x88A8), LATER),
    "push copies the outer tag": Row(
        f"{VLAN},actions=push_vlan:0x8100", TAGGED, tag(TAGGED, 0x6123), LATER
    ),
    "push as Open vSwitch does": Row(
        f"{VLAN},actions=push_vlan:0x8100", TAGGED, tag(TAGGED, 0), LATER, "ovs"
    ),
    "push and set": Row(
        "actions=push_vlan:0x8100,set_field:0x1abc->vlan_vid,set_field:5->vlan_pcp",
        ARP,
        tag(ARP, 0xAABC),
        LATER,
    ),
    "push twice": Row(
        "actions=push_vlan:0x8100,mod_vlan_vid:7,push_vlan:0x88a8,mod_vlan_vid:9",
        ARP,
        tag(tag(ARP, 7), 9, 0x88A8),
        LATER,
    ),
    "push a third": Row(f"{VLAN},actions=push_vlan:0x8100", TWO_TAGS, None, LATER),
    "pop": Row(f"{VLAN},actions=pop_vlan", TAGGED, untag(TAGGED)),
    "pop the outer of two": Row(f"{VLAN},actions=pop_vlan", TWO_TAGS, untag(TWO_TAGS)),
    "pop none": Row("actions=pop_vlan", OTHER, OTHER, (1,)),
    "pop and set": Row(
        f"{VLAN},actions=pop_vlan,set_field:02:00:00:00:00:77->eth_dst",
        TAGGED,
        at(untag(TAGGED), 0, 2, 0, 0, 0, 0, 0x77),
    ),
    "1.0 adds a tag": Row("actions=mod_vlan_vid:5", OTHER, tag(OTHER, 5), (1,)),
    "1.0 adds a tag for a priority": Row("actions=mod_vlan_pcp:5", UDP, tag(UDP, 0xA000), (1,)),
    "1.0 changes a tag": Row("actions=mod_vlan_vid:5", TAGGED, at(TAGGED, 14, 0x60, 5), (1,)),
    # MPLS.
    "first label": Row("ip,actions=push_mpls:0x8847", UDP, label(UDP, BOTTOM | 64)),
    "first label on IPv6": Row(
        "ipv6,actions=push_mpls:0x8848", UDP6, label(UDP6, BOTTOM | 63, 0x8848)
    ),
    "first label on something else": Row(
        "dl_type=0x1234,actions=push_mpls:0x8847", OTHER, label(OTHER, BOTTOM)
    ),
    "first label as Open vSwitch does": Row(
        "ip,actions=push_mpls:0x8847", UDP, label(UDP, 6 << 9 | BOTTOM | 64), compat="ovs"
    ),
    "first label on IPv6 as Open vSwitch does": Row(
        "ipv6,actions=push_mpls:0x8847",
        UDP6,
        label(UDP6, 2 << 12 | 6 << 9 | BOTTOM | 63),
        compat="ovs",
    ),
    "first label on ARP as Open vSwitch does": Row(
        "arp,actions=push_mpls:0x8847", ARP, label(ARP, BOTTOM | 64), compat="ovs"
    ),
    "next label": Row(
        f"{MPLS},actions=push_mpls:0x8847", ONE_LABEL, label(ONE_LABEL, 0x12345A00 | 33)
    ),
    "push and set label": Row(
        f"{MPLS},actions=push_mpls:0x8848,set_mpls_label:9,set_mpls_tc:3,set_mpls_ttl:7",
        ONE_LABEL,
        label(ONE_LABEL, 9 << 12 | 3 << 9 | 7, 0x8848),
    ),
    "fourth label": Row(f"{MPLS},actions=push_mpls:0x8847", THREE_LABELS, None),
    "pop to IP": Row(f"{MPLS},actions=pop_mpls:0x0800", ONE_LABEL, UDP),
    "pop one of three": Row(
        f"{MPLS},actions=pop_mpls:0x8847", THREE_LABELS, unlabel(THREE_LABELS, 0x8847)
    ),
    "pop three": Row(
        f"{MPLS},actions=pop_mpls:0x8847,pop_mpls:0x8847,pop_mpls:0x0800",
        THREE_LABELS,
        shortest(THREE_LABELS[:12] + b"\x08\0" + THREE_LABELS[26:]),
    ),
    "set behind the popped label": Row(
        f"{MPLS},actions=pop_mpls:0x0800,mod_nw_ttl:9", ONE_LABEL, at(UDP, TTL_OF_UDP, 9)
    ),
    "set_mpls_ttl": Row(
        f"{MPLS},actions=set_mpls_ttl(200)", ONE_LABEL, label(UDP, 0x12345B00 | 200)
    ),
    "dec_mpls_ttl": Row(f"{MPLS},actions=dec_mpls_ttl", ONE_LABEL, label(UDP, 0x12345B00 | 32)),
    "dec_mpls_ttl at one": Row(f"{MPLS},actions=set_mpls_ttl(1),dec_mpls_ttl", ONE_LABEL, None),
    # TTL.
    "dec_ttl": Row("ip,actions=dec_ttl", UDP, at(UDP, TTL_OF_UDP, 63)),
    "dec_ttl twice": Row("ip,actions=dec_ttl,dec_ttl", UDP, at(UDP, TTL_OF_UDP, 62)),
    "dec_ttl of IPv6": Row("ipv6,actions=dec_ttl", UDP6, at(UDP6, 21, 62)),
    "dec_ttl at one": Row("ip,actions=dec_ttl", at(UDP, TTL_OF_UDP, 1), None),
    "dec_ttl at none": Row("ip,actions=dec_ttl", at(UDP, TTL_OF_UDP, 0), None),
    "mod_nw_ttl": Row("ip,actions=mod_nw_ttl:200", UDP, at(UDP, TTL_OF_UDP, 200)),
    "copy_ttl_out from IP": Row(
        f"{MPLS},actions=copy_ttl_out", ONE_LABEL, label(UDP, 0x12345B00 | 64), LATER
    ),
    "copy_ttl_out from a label": Row(
        f"{MPLS},actions=copy_ttl_out", TWO_LABELS, label(ONE_LABEL, 0x77000 | 33), LATER
    ),
    "copy_ttl_in to IP": Row(
        f"{MPLS},actions=copy_ttl_in",
        ONE_LABEL,
        label(at(UDP, TTL_OF_UDP, 33), 0x12345B00 | 33),
        LATER,
    ),
    "copy_ttl_in to a label": Row(
        f"{MPLS},actions=copy_ttl_in",
        TWO_LABELS,
        label(label(UDP, 0x12345B00 | 44), 0x77000 | 44),
        LATER,
    ),
    "push, copy the TTL out and decrement": Row(
        "ip,actions=push_mpls:0x8847,copy_ttl_out,dec_mpls_ttl", UDP, label(UDP, BOTTOM | 63), LATER
    ),
    # PBB.
    "push_pbb": Row("actions=push_pbb:0x88e7", UDP, service(UDP, 0), LATER),
    "push_pbb and set": Row(
        "actions=push_pbb:0x88e7,set_field:0xabcdef->pbb_isid,set_field:1->pbb_uca,"
        "set_field:02:00:00:00:00:77->eth_dst",
        UDP,
        service(UDP, 0x08ABCDEF, bytes([2, 0, 0, 0, 0, 0x77]) + UDP[6:12]),
        LATER,
    ),
    "push_pbb takes tags in": Row(
        f"{VLAN},actions=push_pbb:0x88e7", TAGGED, service(TAGGED, 0), LATER
    ),
    "push_pbb copies the service": Row(
        "dl_type=0x88e7,actions=push_pbb:0x88e7", PBB, service(PBB, 0x28123456), LATER
    ),
    "pop_pbb": Row("dl_type=0x88e7,actions=pop_pbb", PBB, PBB[18:], LATER),
    "push and pop": Row("actions=push_pbb:0x88e7,pop_pbb", TAGGED, TAGGED, LATER),
    # The action set, whatever order it was written in.
    "action set: pop before push": Row(
        f"{VLAN},actions=write_actions(output:{OUT},push_vlan:0x88a8,pop_vlan)",
        TAGGED,
        tag(untag(TAGGED), 0, 0x88A8),
        LATER,
    ),
    "action set: label, then tag, then what is set": Row(
        f"ip,actions=write_actions(output:{OUT},push_vlan:0x8100,"
        "set_field:0x1009->vlan_vid,push_mpls:0x8847)",
        UDP,
        tag(label(UDP, BOTTOM | 64), 9),
        LATER,
    ),
    "action set: the TTL is decremented before it is set": Row(
        f"ip,actions=write_actions(set_field:50->nw_ttl,dec_ttl,output:{OUT})",
        UDP,
        at(UDP, TTL_OF_UDP, 50),
        LATER,
    ),
    "action set: copy in, pop": Row(
        f"{MPLS},actions=write_actions(pop_mpls:0x0800,copy_ttl_in,output:{OUT})",
        ONE_LABEL,
        at(UDP, TTL_OF_UDP, 33),
        LATER,
    ),
    "action set: push, copy out, decrement": Row(
        f"{MPLS},actions=write_actions(dec_mpls_ttl,copy_ttl_out,push_mpls:0x8847,output:{OUT})",
        ONE_LABEL,
        label(ONE_LABEL, 0x12345A00 | 32),
        LATER,
    ),
}


@pytest.fixture(scope="module")
def shared() -> Iterator[Switch]:
    with Switch(ports=["a=1:memory", f"out={OUT}:memory"], workers=0) as switch:
        yield switch


@pytest.fixture
def switch(shared: Switch) -> Iterator[Switch]:
    yield shared
    shared.del_flows()
    shared.plane.datapath.configure({"compat": "spec"})


@pytest.mark.parametrize(
    ("name", "version"),
    [(name, version) for name, row in ROWS.items() for version in row.versions],
)
def test_frames_leave_as_they_should(switch: Switch, name: str, version: int) -> None:
    row = ROWS[name]
    datapath = switch.plane.datapath
    datapath.configure({"compat": row.compat})
    text = row.flow if "write_actions" in row.flow else f"{row.flow},output:{OUT}"
    message = encode(parse_flow(text, FlowModCommand.ADD, version), version, 1)
    assert apply(datapath, version, message) is None
    told = switch.trace("in_port=1", row.frame)
    for _ in range(2):
        datapath.execute(1, row.frame, 1)
        left = datapath.receive(OUT)
        assert [each.hex() for each in left] == ([] if row.left is None else [row.left.hex()])
    assert [each["frame"] for each in told["leaves"] if "port" in each] == [
        each.hex() for each in left
    ]


#: Fields that say what lies behind them, which Open vSwitch lets nobody write.
KINDS = {
    "eth_type": ("dl_type=0x1234,actions=set_field:0x88b5->eth_type", OTHER, 12, b"\x88\xb5"),
    "nw_proto": ("ip,actions=set_field:0xfd->nw_proto", UDP, 23, b"\xfd"),
    "mpls_bos": ("mpls,actions=set_field:1->mpls_bos", THREE_LABELS, 16, b"\x5b"),
}


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("version", VERSIONS)
def test_kinds_may_be_written(switch: Switch, version: int, name: str) -> None:
    text, frame, place, value = KINDS[name]
    message = encode(parse_flow(f"{text},output:{OUT}", FlowModCommand.ADD, version), version, 1)
    assert apply(switch.plane.datapath, version, message) is None
    switch.inject(1, frame)
    (left,) = switch.receive(OUT)
    changed = frame[:place] + value + frame[place + len(value) :]
    if name == "nw_proto":
        # UDP's checksum covers the protocol, and stays as right or wrong as it was.
        sums = summed(changed)[24:26], left[40:42]
        changed = changed[:24] + sums[0] + changed[26:40] + sums[1] + changed[42:]
    assert left.hex() == changed.hex()


@pytest.mark.parametrize("version", VERSIONS)
def test_an_expired_ttl_is_told_where_it_is_wanted(switch: Switch, version: int) -> None:
    datapath = switch.plane.datapath
    expiring = at(UDP, TTL_OF_UDP, 1)
    for wanted, ids in ((False, [0]), (True, [0]), (True, [3, 4])):
        datapath.configure({"invalid_ttl_to_controller": wanted, "controllers_connected": True})
        text = f"dec_ttl({','.join(map(str, ids))})" if ids != [0] else "dec_ttl"
        message = encode(
            parse_flow(f"ip,cookie=9,actions={text},{OUT}", FlowModCommand.ADD, version), version, 1
        )
        assert apply(datapath, version, message) is None
        datapath.execute(1, expiring, 1)
        assert datapath.receive(OUT) == []
        told = [event for event in datapath.events(64) if event.kind == "packet_in"]
        assert [(event.reason, event.controller_id) for event in told] == [
            (2, number) for number in (ids if wanted else [])
        ]
    datapath.configure({"invalid_ttl_to_controller": False, "controllers_connected": False})
