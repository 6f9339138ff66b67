"""Frames recorded by others are read, and written again byte for byte."""

import struct
from typing import NamedTuple

import pytest

from ovsflow.errors import DecodeError
from ovsflow.openflow.codec import decode, encode
from ovsflow.openflow.match import Match
from ovsflow.openflow.monitor import FlowMonitor, FlowMonitorRequest
from tests.openflow.corpus import flow_mods, frames


class Invalid(NamedTuple):
    """What a frame that is not valid is answered with, in OpenFlow 1.3's numbers, and the rule."""

    kind: int
    code: int
    rule: str


VLAN_PRESENT = (
    "OpenFlow 1.3.5 and 1.4.1 §7.2.3.7: a VLAN is named with the bit OFPVID_PRESENT, and set_field "
    "of VLAN 0x102 has it not"
)
EVERY_FIELD = (
    "OpenFlow 1.3.5 and 1.4.1 §7.2.3.6, prerequisites: every field at once names IP's, TCP's and "
    "UDP's of an ARP packet; its ports, 0x05060708 and 0x01020304, are more than the switch has "
    "numbers for, which is seen first"
)
INVALID = {
    "of10/ovs-ofctl-of10-action_set_mpls_tc": Invalid(
        2, 5, "RFC 5462 §2: a traffic class has three bits, and 10 needs four"
    ),
    "of13/4-12-ofp_flow_stats_reply": Invalid(
        2, 15, f"{VLAN_PRESENT}; §5.9: two instructions of one type where one is allowed"
    ),
    "of14/5-12-ofp_flow_stats_reply": Invalid(
        2, 15, f"{VLAN_PRESENT}; §5.9: two instructions of one type where one is allowed"
    ),
    "of13/4-2-ofp_flow_mod": Invalid(
        2, 15, f"{VLAN_PRESENT}; §7.2.5: an action of experimenter 0x65, whom nobody here knows"
    ),
    "of14/5-2-ofp_flow_mod": Invalid(
        2, 15, f"{VLAN_PRESENT}; §7.2.5: an action of experimenter 0x65, whom nobody here knows"
    ),
    "of13/4-60-ofp_flow_mod": Invalid(4, 7, EVERY_FIELD),
    "of14/5-58-ofp_flow_mod": Invalid(4, 7, EVERY_FIELD),
    "of13/4-63-onf_flow_monitor_request": Invalid(4, 7, EVERY_FIELD),
    "of13/ovs-ofctl-of13-action_ct": Invalid(
        2, 14, "Open vSwitch, nicira-ext (NXAST_CT): a zone is 16 bits of a register, not 28"
    ),
    "of15/libofproto-OFP15-flow_desc_reply": Invalid(
        3, 7, "OpenFlow 1.5.1 §7.2.5: an instruction of length 0x0808 in a message of 80 bytes"
    ),
    "of15/libofproto-OFP15-meter_features_reply": Invalid(
        1, 6, "OpenFlow 1.5.1 §7.1.1: the header says 32 bytes, and 40 are there"
    ),
    "of15/libofproto-OFP15-packet_out": Invalid(
        1,
        11,
        "OpenFlow 1.5.1 §7.3.6: OFPP_MAX is neither a port of the switch nor OFPP_CONTROLLER",
    ),
}

# The bytes that make it valid, for each frame with one fault alone.
MENDED = {
    "of10/ovs-ofctl-of10-action_set_mpls_tc": ("00002320001f0a", "00002320001f05"),
    "of13/ovs-ofctl-of13-action_ct": ("00010004011b", "00010004010f"),
    "of15/libofproto-OFP15-flow_desc_reply": ("0001080802", "0001000802"),
    "of15/libofproto-OFP15-meter_features_reply": ("06130020", "06130028"),
    "of15/libofproto-OFP15-packet_out": ("80000004ffffff00", "80000004fffffffd"),
}


@pytest.mark.parametrize("name", sorted(MENDED))
def test_the_fault_named_is_the_only_one(name: str) -> None:
    before, after = MENDED[name]
    text = frames()[name].hex()
    assert text.count(before) == 1
    data = bytes.fromhex(text.replace(before, after))
    received = decode(data)
    again = encode(received.body, received.version, received.xid)
    assert again.hex() == data.hex()


VLAN = ("80000c020102", "80000c021102")
PORTS = [("8000000405060708", "8000000400000005"), ("8000020401020304", "8000020400000005")]


@pytest.mark.parametrize(
    ("name", "changes", "next_fault"),
    [
        ("of13/4-12-ofp_flow_stats_reply", [VLAN], (2, 2)),
        ("of14/5-12-ofp_flow_stats_reply", [VLAN], (2, 2)),
        ("of13/4-2-ofp_flow_mod", [VLAN], (2, 2)),
        ("of14/5-2-ofp_flow_mod", [VLAN], (2, 2)),
        ("of13/4-60-ofp_flow_mod", PORTS, (4, 9)),
        ("of14/5-58-ofp_flow_mod", PORTS, (4, 9)),
        ("of13/4-63-onf_flow_monitor_request", PORTS, (4, 9)),
    ],
)
def test_behind_one_fault_is_another(
    name: str, changes: list[tuple[str, str]], next_fault: tuple[int, int]
) -> None:
    text = frames()[name].hex()
    for before, after in changes:
        assert text.count(before) == 1
        text = text.replace(before, after)
    with pytest.raises(DecodeError) as caught:
        decode(bytes.fromhex(text))
    assert (caught.value.kind, caught.value.code) == next_fault


def test_a_monitor_as_onf_writes_it_is_written_again() -> None:
    """The recorded request, which puts bare TLVs, with a match that packets can have."""
    data = bytearray(frames()["of13/4-63-onf_flow_monitor_request"])
    first, second = data[24:40], data[40:56]
    tlvs = bytes.fromhex("80000a020800 80001604c0a80000")
    second[6:8] = struct.pack("!H", len(tlvs))
    data[24:] = first + second + tlvs + bytes(2)
    data[2:4] = struct.pack("!H", len(data))
    received = decode(bytes(data))
    assert isinstance(received.body, FlowMonitorRequest)
    assert received.body.monitors == (
        FlowMonitor(100_000_000, 0xF, out_port=22, table_id=33, bare=True),
        FlowMonitor(999, 0x31, Match.of(eth_type=0x800, ip_src=0xC0A80000), bare=True),
    )
    assert encode(received.body, received.version, received.xid) == data


@pytest.mark.parametrize("name", sorted(frames()))
def test_frame_is_read_and_written_again(name: str) -> None:
    data = frames()[name]
    if name in INVALID:
        with pytest.raises(DecodeError) as caught:
            decode(data)
        assert (caught.value.kind, caught.value.code) == INVALID[name][:2]
        return
    received = decode(data)
    again = encode(received.body, received.version, received.xid)
    assert again.hex() == data.hex()


# A mask that covers every bit of a field is written as no mask, and a wildcard of OpenFlow 1.0 that
# means nothing is set.
RESPELLED_FLOWS = ("tun_flags=+oam", "dl_vlan=0xffff,actions=mod_vlan_vid")


def test_flow_mods_of_ovs_ofctl_are_written_byte_for_byte() -> None:
    wrong = []
    for version, data, text in flow_mods():
        received = decode(data)
        again = encode(received.body, received.version, received.xid)
        assert decode(again) == received, text
        if again != data and not any(part in text for part in RESPELLED_FLOWS):
            wrong.append(f"OpenFlow {version}: {text}\n  {data.hex()}\n  {again.hex()}")
    assert not wrong, "\n".join(wrong)
