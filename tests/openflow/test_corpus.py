"""Frames recorded by others are read, and written again byte for byte."""

import pytest

from ovsflow.errors import DecodeError
from ovsflow.openflow.codec import decode, encode
from tests.openflow.corpus import flow_mods, frames

# Frames that are not valid, and what they are answered with: type and code of OpenFlow 1.3.
INVALID = {
    # A traffic class of 10 in a field of three bits (RFC 5462).
    "of10/ovs-ofctl-of10-action_set_mpls_tc": (2, 5),
    # set_field of VLAN 0x102 without OFPVID_PRESENT: bit 0x1000 says that there is a tag (OpenFlow
    # 1.3.5 §7.2.3.7).  Behind it: actions of experimenters that nobody here knows, and two
    # instructions of one type where one is allowed (§5.9).
    "of13/4-12-ofp_flow_stats_reply": (2, 15),
    "of14/5-12-ofp_flow_stats_reply": (2, 15),
    # The same set_field, and an action of experimenter 0x65.
    "of13/4-2-ofp_flow_mod": (2, 15),
    "of14/5-2-ofp_flow_mod": (2, 15),
    # Every field at once.  Ports 0x05060708 and 0x01020304 are more than the 16 bits that a port
    # number has in a switch like Open vSwitch; and it could match nothing: IP's, TCP's and UDP's
    # fields of an ARP packet (§7.2.3.8).
    "of13/4-60-ofp_flow_mod": (4, 7),
    "of14/5-58-ofp_flow_mod": (4, 7),
    # os-ken puts bare TLVs, or nothing, where ovs-ofctl and Open vSwitch have an ofp_match.
    "of13/4-63-onf_flow_monitor_request": (4, 1),
    # The zone of ct is 16 bits; os-ken counts 28 of a register.
    "of13/ovs-ofctl-of13-action_ct": (2, 14),
    # An instruction whose length is written 0x0808 for 8: longer than the message.
    "of15/libofproto-OFP15-flow_desc_reply": (3, 7),
    # 40 bytes under a header that says 32 (§7.1.1).
    "of15/libofproto-OFP15-meter_features_reply": (1, 6),
    # From port OFPP_MAX, which is neither a port of the switch nor OFPP_CONTROLLER (OpenFlow 1.5.1
    # §7.3.6).
    "of15/libofproto-OFP15-packet_out": (1, 11),
}

# The bytes that make it valid, for each frame with one fault alone.
MENDED = {
    "of10/ovs-ofctl-of10-action_set_mpls_tc": ("00002320001f0a", "00002320001f05"),
    "of13/ovs-ofctl-of13-action_ct": ("00010004011b", "00010004010f"),
    "of15/libofproto-OFP15-flow_desc_reply": ("0001080802", "0001000802"),
    "of15/libofproto-OFP15-meter_features_reply": ("06130020", "06130028"),
    "of15/libofproto-OFP15-packet_out": ("80000004ffffff00", "80000004fffffffd"),
}

# Frames that mean the same in other bytes.
RESPELLED = {
    # Bits of a field that is ignored: the lengths of addresses' prefixes are 63 for "none", and are
    # written 32 (OpenFlow 1.0 §5.2.3: 32 and more are wildcards).
    "of10/1-2-ofp_flow_mod",
    # The statistics leave out packets and bytes, which are written as 0 (OpenFlow 1.5.1 §7.2.4: a
    # switch chooses which fields it sends).
    "of15/libofproto-OFP15-aggregate_stats_reply",
    # The statistics of one flow say nothing but "one flow" (flow_count), which is not kept; the
    # duration, and of a flow that went packets and bytes, are written instead, as 0.
    "of15/libofproto-OFP15-flow_removed",
    "of15/libofproto-OFP15-flow_stats_reply",
}

# Frames with something that the model does not keep.
NOT_KEPT = {
    # State 2 of a port of OpenFlow 1.0, which has no such bit (§5.2.1); later it is OFPPS_BLOCKED.
    "of10/1-6-ofp_switch_features",
    # Metadata in an ONF experimenter's field (pbb_uca before OpenFlow 1.4 had it), which is not
    # known here: fields of a packet-in that are not known are passed over.
    "of13/4-59-ofp_packet_in",
}


@pytest.mark.parametrize("name", sorted(MENDED))
def test_the_fault_named_is_the_only_one(name: str) -> None:
    before, after = MENDED[name]
    text = frames()[name].hex()
    assert text.count(before) == 1
    data = bytes.fromhex(text.replace(before, after))
    received = decode(data)
    again = encode(received.body, received.version, received.xid)
    if name == "of15/libofproto-OFP15-flow_desc_reply":  # Its statistics: see RESPELLED.
        assert decode(again) == received
    else:
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


@pytest.mark.parametrize("name", sorted(frames()))
def test_frame_is_read_and_written_again(name: str) -> None:
    data = frames()[name]
    if name in INVALID:
        with pytest.raises(DecodeError) as caught:
            decode(data)
        assert (caught.value.kind, caught.value.code) == INVALID[name]
        return
    received = decode(data)
    again = encode(received.body, received.version, received.xid)
    if name in NOT_KEPT:
        return
    if name in RESPELLED:
        assert decode(again) == received
    else:
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
