"""Every match field, from its bytes in a FLOW_MOD to a packet that differs in one bit.

The tests are made from the switch's own field table, so that a field without a test fails here.
"""

import itertools
from collections.abc import Iterator

import pytest

from ovsflow import Switch
from ovsflow.datapath import Datapath
from ovsflow.openflow import fields as table
from ovsflow.openflow.codec import decode, encode
from ovsflow.openflow.constants import FlowModCommand, Version
from ovsflow.openflow.fields import Field
from ovsflow.openflow.flow_stats import FlowStatsReply, FlowStatsRequest
from ovsflow.openflow.framing import Framer
from ovsflow.openflow.match import Match
from ovsflow.openflow.text.keys import canonical
from ovsflow.openflow.text.parse import parse_flow, parse_match
from ovsflow.openflow.text.render import render_match
from tests.switch.samples import FRAMES, PLACES, UDP, Place, ethernet, ipv6
from tests.switch.wire import VERSIONS, apply, flow_mod, flow_replies, output, tlv

OUT = 9
BAD_VALUE, BAD_MASK, BAD_PREREQ, EPERM = (4, 7), (4, 8), (4, 9), (1, 5)
#: OpenFlow 1.0 says the same with Nicira's numbers.
NICIRA_ERRORS = {BAD_VALUE: (1, 0x102), BAD_MASK: (1, 0x103), BAD_PREREQ: (1, 0x104)}

ETH_TYPE, NW_PROTO, IN_PORT, VLAN_TCI = 0x80000A02, 0x80001401, 0x80000004, 0x00000802
#: For each prerequisite: what fulfils it, one of them for each frame in which a field stands.
PREREQUISITES: dict[str, dict[str, bytes]] = {
    "none": {},
    "ethernet": {},
    "in_port": {"": tlv(IN_PORT, 1)},
    "vlan": {"": tlv(VLAN_TCI, 0x1000, 0x1000)},
    "pbb": {"": tlv(ETH_TYPE, 0x88E7)},
    "mpls": {"": tlv(ETH_TYPE, 0x8847)},
    "arp": {"": tlv(ETH_TYPE, 0x0806)},
    "ipv4": {"": tlv(ETH_TYPE, 0x0800)},
    "ipv6": {"": tlv(ETH_TYPE, 0x86DD)},
    "icmpv4": {"": tlv(ETH_TYPE, 0x0800) + tlv(NW_PROTO, 1)},
    "icmpv6": {"": tlv(ETH_TYPE, 0x86DD) + tlv(NW_PROTO, 58)},
    "ip": {"": tlv(ETH_TYPE, 0x0800), "6": tlv(ETH_TYPE, 0x86DD)},
    "tcp": {
        "": tlv(ETH_TYPE, 0x0800) + tlv(NW_PROTO, 6),
        "6": tlv(ETH_TYPE, 0x86DD) + tlv(NW_PROTO, 6),
    },
    "udp": {"": tlv(ETH_TYPE, 0x0800) + tlv(NW_PROTO, 17)},
    "sctp": {"": tlv(ETH_TYPE, 0x0800) + tlv(NW_PROTO, 132)},
}
for _name, _types in (("nd", (135, 136)), ("nd_solicit", (135,)), ("nd_advert", (136,))):
    PREREQUISITES[_name] = {
        "advert" if _type == 136 else "": PREREQUISITES["icmpv6"][""]
        + tlv(0x80003A01, _type)
        + tlv(0x80003C01, 0)
        for _type in _types
    }

#: Fields that no frame carries and that an action may write.
WRITTEN = {
    field.name
    for field in table.fields()
    if field.name.startswith(("reg", "xreg", "xxreg"))
    or field.name in {"metadata", "pkt_mark", "tun_id", "tun_src", "tun_dst", "tun_flags"}
    or field.name in {"tun_ipv6_src", "tun_ipv6_dst", "tun_gbp_id", "tun_gbp_flags"}
}
#: Fields with tests of their own below.
APART = {
    *("in_port", "in_port_oxm", "in_phy_port", "packet_type", "conj_id", "actset_output"),
    *("dp_hash", "recirc_id", "ip_frag", "ipv6_exthdr"),
}
#: Fields that this switch has no packets for: refused.
FOREIGN = ("ct_", "nsh_", "tun_erspan_", "tun_gtpu_", "tun_metadata")
#: Names of text alone.
NO_CODE_POINT = {"dl_vlan", "dl_vlan_pcp", "tun_ttl", "tun_tos"}


def have(name: str) -> Field:
    """The field of that name."""
    field = table.by_name(name)
    assert field is not None, name
    return field


@pytest.fixture(scope="module")
def switch() -> Iterator[Switch]:
    """A switch with ports 1, 2 and one where matching packets leave."""
    with Switch(ports=["a=1:memory", "b=2:memory", f"out={OUT}:memory"], workers=0) as switch:
        yield switch


@pytest.fixture
def datapath(switch: Switch) -> Iterator[Datapath]:
    """Its datapath, with no flows."""
    yield switch.plane.datapath
    switch.del_flows()


def hits(datapath: Datapath, frame: bytes, port: int = 1) -> bool:
    """Whether a frame is sent where matching packets go."""
    datapath.execute(port, frame, 1)
    return datapath.receive(OUT) != []


def expect(datapath: Datapath, version: int, match: bytes, wanted: tuple[int, int] | None) -> None:
    """Asserts how a flow with this match is taken."""
    message = flow_mod(version, match, output(version, OUT), table=1)
    if wanted and version == 1:
        wanted = NICIRA_ERRORS.get(wanted, wanted)
    assert apply(datapath, version, message) == wanted, (version, match.hex())


def only(datapath: Datapath, version: int, match: bytes) -> None:
    """Makes this the only flow of table 1."""
    assert apply(datapath, version, flow_mod(version, b"", b"", command=3, table=1)) is None
    expect(datapath, version, match, None)


def frame_prerequisite(field: Field, frame: str) -> bytes:
    """What must be matched before the field, fulfilled by that frame."""
    choices = PREREQUISITES[field.prerequisite]
    six = FRAMES[frame][12:14] == b"\x86\xdd"
    return choices.get(frame) or (choices.get("6") if six else None) or choices.get("", b"")


def test_every_field_is_tested() -> None:
    tested = set(PLACES) | WRITTEN | APART | NO_CODE_POINT
    known = {each.name for each in table.fields() if not each.name.startswith(FOREIGN)}
    assert known == tested


@pytest.mark.parametrize("name", sorted(PLACES))
@pytest.mark.parametrize("version", VERSIONS)
def test_header_field_matches_its_packet_and_no_other(
    switch: Switch, datapath: Datapath, version: int, name: str
) -> None:
    field = have(name)
    switch.add_flow("actions=resubmit(,1)")
    for place in PLACES[name]:
        before, value = frame_prerequisite(field, place.frame), place.value()
        for header in field.decodes:
            only(datapath, version, before + tlv(header, value))
            assert hits(datapath, FRAMES[place.frame]), place
            for bit in range(place.bits):
                assert not hits(datapath, place.flipped(bit)), (place, bit)
            if field.maskable:
                check_masks(datapath, version, field, header, place, before)


def check_masks(
    datapath: Datapath, version: int, field: Field, header: int, place: Place, before: bytes
) -> None:
    """Each bit alone under a mask, and all but it."""
    value = place.value()
    for bit in range(place.bits):
        one = 1 << bit + place.shift
        only(datapath, version, before + tlv(header, value & one, one))
        assert hits(datapath, FRAMES[place.frame]), (place, bit)
        assert not hits(datapath, place.flipped(bit)), (place, bit)
        others = field.full_mask & ~one
        only(datapath, version, before + tlv(header, value & others, others))
        assert hits(datapath, FRAMES[place.frame]), (place, bit)
        assert hits(datapath, place.flipped(bit)), (place, bit)
        assert not hits(datapath, place.flipped((bit + 1) % place.bits)), (place, bit)


@pytest.mark.parametrize("name", sorted(WRITTEN))
@pytest.mark.parametrize("version", VERSIONS)
def test_written_field_matches_what_was_written(
    switch: Switch, datapath: Datapath, version: int, name: str
) -> None:
    field = have(name)
    value = int.from_bytes(bytes.fromhex("5a963cc3e17887d2" * 2), "big") & field.full_mask | 1
    masked = 0x0000FFF000 & field.full_mask or 1

    def write(what: int) -> None:
        switch.add_flow(f"actions=set_field:{spelled(field, what)}->{name},resubmit(,1)")

    for header in field.decodes:
        only(datapath, version, tlv(header, value))
        for bit in (None, *range(field.bits)):
            write(value if bit is None else value ^ 1 << bit)
            assert hits(datapath, FRAMES["other"]) == (bit is None), bit
        only(datapath, version, tlv(header, value & masked, masked))
        for bit in range(field.bits):
            write(value ^ 1 << bit)
            assert hits(datapath, FRAMES["other"]) == (not masked >> bit & 1), bit


def spelled(field: Field, value: int) -> str:
    """A value as people write it."""
    shapes = {"ipv4": 4, "ipv6": 8}
    if field.format not in shapes:
        return hex(value)
    parts = shapes[field.format]
    bits = field.bits // parts
    numbers = [value >> bits * (parts - 1 - at) & ((1 << bits) - 1) for at in range(parts)]
    return ".".join(map(str, numbers)) if parts == 4 else ":".join(f"{n:x}" for n in numbers)


@pytest.mark.parametrize("version", VERSIONS)
def test_fields_need_their_prerequisites(datapath: Datapath, version: int) -> None:
    for name in sorted(set(PLACES) | APART):
        field = have(name)
        if not any(PREREQUISITES[field.prerequisite].values()):
            continue
        value = PLACES[name][0].value() if name in PLACES else 1
        for header in field.decodes:
            own = tlv(header, value)
            expect(datapath, version, own, BAD_PREREQ)
            for before in PREREQUISITES[field.prerequisite].values():
                expect(datapath, version, own + before, BAD_PREREQ)
                expect(datapath, version, before + own, None)


@pytest.mark.parametrize("version", VERSIONS)
def test_partial_masks_are_refused_where_none_may_be(datapath: Datapath, version: int) -> None:
    for name in sorted(set(PLACES) | APART - {"dp_hash", "recirc_id"}):
        field = have(name)
        before = next(iter(PREREQUISITES[field.prerequisite].values()), b"")
        value = PLACES[name][0].value() if name in PLACES else 0
        for header in field.decodes:
            ones = (1 << 8 * table.header_size(header)) - 1
            expect(datapath, version, before + tlv(header, value, ones), None)
            expect(datapath, version, before + tlv(header, 0, 0), None)
            if not field.maskable and field.bits > 1:
                partial = field.maximum & (field.maximum - 1)
                expect(datapath, version, before + tlv(header, value & partial, partial), BAD_MASK)


@pytest.mark.parametrize("version", VERSIONS)
def test_values_beyond_a_field_are_refused(datapath: Datapath, version: int) -> None:
    for field in table.fields():
        beyond = ~field.full_mask & ((1 << 8 * field.wire_bytes) - 1)
        if field.name.startswith(FOREIGN) or not beyond:
            continue
        before = next(iter(PREREQUISITES[field.prerequisite].values()), b"")
        for header, bit in itertools.product(field.decodes, range(8 * field.wire_bytes)):
            if beyond >> bit & 1:
                expect(datapath, version, before + tlv(header, 1 << bit), BAD_VALUE)


@pytest.mark.parametrize("version", VERSIONS)
def test_fields_come_back_as_the_version_writes_them(datapath: Datapath, version: int) -> None:
    for name in sorted(set(PLACES) | WRITTEN):
        field = have(name)
        place = PLACES[name][0] if name in PLACES else None
        before = frame_prerequisite(field, place.frame) if place else b""
        value = place.value() if place else 0x0123456789ABCDEF & field.full_mask
        for header in field.decodes:
            only(datapath, version, before + tlv(header, value))
            reply = flow_replies(datapath, version, 1)
            match = flow_match(reply)
            text = render_match(match)
            assert canonical(parse_match(text, version)) == canonical(match), text
            same = [each for each in match if each.name == name]
            views = {"nw_tos", "ip_dscp", "vlan_tci", "vlan_vid", "vlan_pcp"}
            if name in views or name.startswith(("reg", "xreg", "xxreg")):
                continue
            assert [(one.value, one.mask) for one in same] == [(value, None)], (name, text)
            newest = field.header(version)
            assert newest is not None
            masked = tlv(newest, value, field.maximum)
            assert tlv(newest, value) in reply or masked in reply, name


def flow_match(replies: bytes) -> Match:
    """The match of the one flow in a reply."""
    found = []
    for message in Framer().feed(replies):
        body = decode(message).body
        assert isinstance(body, FlowStatsReply)
        found += [flow.match for flow in body.flows]
    assert len(found) == 1
    return found[0]


FRAGMENTS = {"whole": "udp", "first": "first fragment", "later": "later fragment"}
#: ip_frag's words, and which packets they match.
FRAGMENT_KINDS = {
    "no": {"whole"},
    "first": {"first"},
    "later": {"later"},
    "yes": {"first", "later"},
    "not_later": {"whole", "first"},
}
#: For each way to treat fragments: packets that get in, and those whose ports are looked at.
FRAGMENT_MODES = {
    "normal": ({"whole", "first", "later"}, {"whole"}),
    "drop": ({"whole"}, {"whole"}),
    "nx-match": ({"whole", "first", "later"}, {"whole", "first"}),
}


@pytest.mark.parametrize("mode", FRAGMENT_MODES)
def test_fragments_match_as_their_mode_says(switch: Switch, datapath: Datapath, mode: str) -> None:
    entering, with_ports = FRAGMENT_MODES[mode]
    datapath.configure({"fragments": mode})
    try:
        for word, kinds in FRAGMENT_KINDS.items():
            for port_match, wanted in (("", entering), (",tp_dst=0x5678", with_ports)):
                if port_match and word == "later":
                    continue
                switch.del_flows()
                switch.add_flow(f"udp,ip_frag={word}{port_match},actions=output:{OUT}")
                got = {kind for kind, name in FRAGMENTS.items() if hits(datapath, FRAMES[name])}
                assert got == kinds & wanted, (word, port_match)
        switch.del_flows()
        switch.add_flow(f"udp,tp_src=0,tp_dst=0,actions=output:{OUT}")
        got = {kind for kind, name in FRAGMENTS.items() if hits(datapath, FRAMES[name])}
        assert got == entering - with_ports
    finally:
        datapath.configure({"fragments": "normal"})


@pytest.mark.parametrize("version", VERSIONS)
def test_ip_frag_under_every_mask(datapath: Datapath, switch: Switch, version: int) -> None:
    bits = {"whole": 0, "first": 1, "later": 3}
    switch.add_flow("actions=resubmit(,1)")
    before = PREREQUISITES["ip"][""]
    for value, mask in itertools.product(range(4), range(4)):
        if value & ~mask:
            continue
        only(datapath, version, before + tlv(have("ip_frag").decodes[0], value, mask))
        got = {kind for kind, name in FRAGMENTS.items() if hits(datapath, FRAMES[name])}
        assert got == {kind for kind, its in bits.items() if its & mask == value}


def extension(kind: int) -> tuple[int, bytes]:
    """An IPv6 extension header of that type: the bytes behind its next-header byte."""
    return {
        0: (0, bytes(7)),
        43: (43, bytes(7)),
        44: (44, bytes(7)),
        51: (51, bytes([2]) + bytes(14)),
        60: (60, bytes(7)),
    }[kind]


NONEXT, ESP, AUTH, DEST, FRAG, ROUTER, HOP, REPEATED, UNSEQUENCED = (1 << n for n in range(9))
#: Extension headers in their order, the protocol behind, and the bits of OpenFlow 1.3.5, 7.2.3.8.
CHAINS: dict[str, tuple[tuple[int, ...], int, int]] = {
    "none": ((), 17, 0),
    "no next header": ((), 59, NONEXT),
    "ESP": ((), 50, ESP),
    "authentication": ((51,), 17, AUTH),
    "destination": ((60,), 17, DEST),
    "fragment": ((44,), 17, FRAG),
    "routing": ((43,), 17, ROUTER),
    "hop by hop": ((0,), 17, HOP),
    "in order": ((0, 60, 43, 44, 51), 17, HOP | DEST | ROUTER | FRAG | AUTH),
    "in order, destination twice": (
        (0, 60, 43, 44, 51, 60),
        17,
        HOP | DEST | ROUTER | FRAG | AUTH,
    ),
    "hop by hop and routing, then nothing": ((0, 43), 59, HOP | ROUTER | NONEXT),
    "routing twice": ((43, 43), 17, ROUTER | REPEATED),
    "out of order": ((51, 43), 17, AUTH | ROUTER | UNSEQUENCED),
    "hop by hop late": ((43, 0), 17, ROUTER | HOP | UNSEQUENCED),
}


def chained(headers: tuple[int, ...], protocol: int) -> bytes:
    """An IPv6 frame with extension headers."""
    chain = [extension(kind) for kind in headers]
    following = [*headers[1:], protocol]
    payload = b"".join(
        bytes([after]) + body for after, (_, body) in zip(following, chain, strict=False)
    )
    return ethernet(0x86DD, ipv6(headers[0] if headers else protocol, payload + UDP))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", CHAINS)
def test_extension_headers_are_told_bit_by_bit(
    switch: Switch, datapath: Datapath, version: int, name: str
) -> None:
    headers, protocol, bits = CHAINS[name]
    frame = chained(headers, protocol)
    switch.add_flow("actions=resubmit(,1)")
    (header,) = have("ipv6_exthdr").decodes
    before = PREREQUISITES["ipv6"][""]
    only(datapath, version, before + tlv(header, bits))
    assert hits(datapath, frame)
    for bit in range(9):
        one = 1 << bit
        only(datapath, version, before + tlv(header, bits ^ one))
        assert not hits(datapath, frame), bit
        only(datapath, version, before + tlv(header, bits & one, one))
        assert hits(datapath, frame), bit


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ["in_port", "in_port_oxm", "in_phy_port"])
def test_port_fields_match_the_port_and_no_other(
    switch: Switch, datapath: Datapath, version: int, name: str
) -> None:
    field = have(name)
    (header,) = field.decodes
    switch.add_flow("actions=resubmit(,1)")
    before = PREREQUISITES[field.prerequisite].get("", b"")
    only(datapath, version, before + tlv(header, 1))
    assert hits(datapath, FRAMES["udp"], 1)
    assert not hits(datapath, FRAMES["udp"], 2)
    for bit in range(1, 15):
        only(datapath, version, before + tlv(header, 1 << bit | 1))
        assert not hits(datapath, FRAMES["udp"], 1), bit
    # LOCAL and CONTROLLER may be matched; numbers that no port can have may not.
    for number in (0xFFFE, 0xFFFD) if name == "in_port" else (0xFFFFFFFE, 0xFFFFFFFD):
        expect(datapath, version, before + tlv(header, number), None)
    if name != "in_port":
        expect(datapath, version, before + tlv(header, 0xFF00), BAD_VALUE)


@pytest.mark.parametrize("version", VERSIONS)
def test_packet_type_is_that_of_ethernet(switch: Switch, datapath: Datapath, version: int) -> None:
    (header,) = have("packet_type").decodes
    switch.add_flow("actions=resubmit(,1)")
    only(datapath, version, tlv(header, 0))
    assert hits(datapath, FRAMES["udp"])
    only(datapath, version, tlv(header, 0x10800))
    assert not hits(datapath, FRAMES["udp"])
    # No Ethernet header, so no Ethernet address.
    ether = have("eth_src").decodes[0]
    expect(datapath, version, tlv(header, 0x10800) + tlv(ether, 1), BAD_PREREQ)


@pytest.mark.parametrize("version", VERSIONS)
def test_actset_output_is_the_port_in_the_action_set(
    switch: Switch, datapath: Datapath, version: int
) -> None:
    switch.add_flow("in_port=1,actions=write_actions(output:2),goto_table:1")
    switch.add_flow("in_port=2,actions=write_actions(output:1),goto_table:1")
    for header in have("actset_output").decodes:
        only(datapath, version, tlv(header, 2))
        assert hits(datapath, FRAMES["udp"], 1)
        assert not hits(datapath, FRAMES["udp"], 2)
    switch.add_flow("in_port=1,actions=goto_table:1")
    for header in have("actset_output").decodes:
        only(datapath, version, tlv(header, 0xFFFFFFF7))
        assert hits(datapath, FRAMES["udp"], 1)


@pytest.mark.parametrize("version", VERSIONS)
def test_conj_id_is_that_of_the_conjunction(
    switch: Switch, datapath: Datapath, version: int
) -> None:
    for match, clause in (("nw_src=10.1.2.3", 1), ("nw_src=10.9.9.9", 1), ("tp_dst=0x5678", 2)):
        switch.add_flow(f"table=1,udp,{match},actions=conjunction(0x12345,{clause}/2)")
    switch.add_flow("actions=resubmit(,1)")
    (header,) = have("conj_id").decodes
    for number, wanted in ((0x12345, True), (0x12344, False), (0x2345, False)):
        message = flow_mod(version, tlv(header, number), output(version, OUT), table=1)
        assert apply(datapath, version, message) is None
        assert hits(datapath, FRAMES["udp"]) == wanted
        message = flow_mod(version, tlv(header, number), b"", table=1, command=3)
        assert apply(datapath, version, message) is None


@pytest.mark.parametrize("version", VERSIONS)
def test_fields_of_the_switch_itself_are_not_for_controllers(
    datapath: Datapath, version: int
) -> None:
    for name in ("dp_hash", "recirc_id"):
        for header in have(name).decodes:
            expect(datapath, version, tlv(header, 1), EPERM)


@pytest.mark.parametrize("version", VERSIONS)
def test_fields_that_no_packet_has_are_refused(datapath: Datapath, version: int) -> None:
    bad_field = (0, 263) if version == 1 else (4, 6)
    untracked = (1, 264) if version == 1 else (0xFFFF, 43)
    for field in table.fields():
        if not field.name.startswith(FOREIGN):
            continue
        if field.variable:
            message = flow_mod(version, tlv(field.decodes[0] & ~0xFF | 4, 1), b"")
            assert apply(datapath, version, message) is not None
        else:
            for header in field.decodes:
                wanted = untracked if field.name.startswith("ct_") else bad_field
                expect(datapath, version, tlv(header, 1), wanted)


#: OpenFlow 1.0's match has 12 fields of its own, and VLANs as text knows them.
TWELVE = {
    "dl_src=02:00:00:00:0d:0e": ("udp", ("eth_src", 0)),
    "dl_dst=02:00:00:00:0b:0c": ("udp", ("eth_dst", 0)),
    "dl_type=0x1234": ("other", ("eth_type", 0)),
    "dl_vlan=0x123": ("tagged", ("vlan_vid", 0)),
    "dl_vlan_pcp=3": ("tagged", ("vlan_pcp", 0)),
    "dl_vlan=0x123,dl_vlan_pcp=3": ("tagged", ("vlan_vid", 0)),
    "ip,nw_tos=184": ("udp", ("nw_tos", 0)),
    "ip,nw_proto=17": ("udp", ("nw_proto", 0)),
    "ip,nw_src=10.1.2.3": ("udp", ("ip_src", 0)),
    "ip,nw_dst=10.4.5.6": ("udp", ("ip_dst", 0)),
    "ip,nw_dst=10.4.5.0/24": ("udp", ("ip_dst", 8)),
    "udp,tp_src=0x1234": ("udp", ("udp_src", 0)),
    "udp,tp_dst=0x5678": ("udp", ("udp_dst", 0)),
    "icmp,icmp_type=8": ("icmp", ("icmp_type", 0)),
    "icmp,icmp_code=5": ("icmp", ("icmp_code", 0)),
    "arp,arp_op=2": ("arp", ("arp_op", 0)),
    "arp,nw_src=10.1.2.3": ("arp", ("arp_spa", 0)),
    "arp,nw_dst=10.4.5.6": ("arp", ("arp_tpa", 0)),
}


@pytest.mark.parametrize("match", TWELVE)
def test_the_twelve_fields_of_openflow_1_0(datapath: Datapath, match: str) -> None:
    frame, (name, wildcards) = TWELVE[match]
    flow = parse_flow(f"{match},actions=output:{OUT}", FlowModCommand.ADD, Version.OF10)
    message = encode(flow, Version.OF10, 1)
    assert message[1] == 14  # FLOW_MOD, not Nicira's.
    assert apply(datapath, 1, message) is None
    assert hits(datapath, FRAMES[frame])
    (place,) = [each for each in PLACES[name] if each.frame == frame] or PLACES[name][:1]
    place = place._replace(frame=frame)
    for bit in range(place.bits):
        assert hits(datapath, place.flipped(bit)) == (bit < wildcards), bit
    (flow_back,) = [
        flow
        for message in Framer().feed(openflow10_flows(datapath))
        for flow in decode(message).body.flows  # type: ignore[attr-defined]
    ]
    assert render_match(flow_back.match) == render_match(flow.match)


def openflow10_flows(datapath: Datapath) -> bytes:
    """The reply to OpenFlow 1.0's own request for flows."""
    data, _ = datapath.query(1, encode(FlowStatsRequest(), Version.OF10, 1), 0)
    return data
