"""Frames recorded by others are read, and written again byte for byte."""

import pytest

from ovsflow.errors import DecodeError
from ovsflow.openflow.codec import decode, encode
from tests.openflow.corpus import flow_mods, frames

# Frames that are not valid, and what they are answered with: type and code of OpenFlow 1.3.
INVALID = {
    "of10/ovs-ofctl-of10-action_set_mpls_tc": (2, 5),  # Traffic class 10.
    "of13/4-12-ofp_flow_stats_reply": (2, 15),  # set_field of a VLAN id without its present bit.
    "of13/4-2-ofp_flow_mod": (2, 15),
    "of13/4-60-ofp_flow_mod": (4, 7),  # Matches port 0x05060708.
    "of13/4-63-onf_flow_monitor_request": (4, 1),  # TLVs without the header of a match.
    "of13/ovs-ofctl-of13-action_ct": (2, 14),  # A zone of 28 bits.
    "of14/5-12-ofp_flow_stats_reply": (2, 15),
    "of14/5-2-ofp_flow_mod": (2, 15),
    "of14/5-58-ofp_flow_mod": (4, 7),
    "of15/libofproto-OFP15-flow_desc_reply": (3, 7),  # An instruction of length 0x0808.
    "of15/libofproto-OFP15-meter_features_reply": (1, 6),  # The header's length is wrong.
    "of15/libofproto-OFP15-packet_out": (1, 11),  # From port OFPP_MAX.
}

# Frames that mean the same in other bytes: what they leave out is written as 0, or a wildcard has
# more than one spelling.
RESPELLED = {
    "of10/1-2-ofp_flow_mod",
    "of15/libofproto-OFP15-aggregate_stats_reply",
    "of15/libofproto-OFP15-flow_removed",
    "of15/libofproto-OFP15-flow_stats_reply",
}

# Frames with something that the model does not keep: a bit of a port of 1.0 without meaning, and
# metadata of a packet in fields that are not known.
NOT_KEPT = {"of10/1-6-ofp_switch_features", "of13/4-59-ofp_packet_in"}


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
