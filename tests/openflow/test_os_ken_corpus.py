"""The frames kept here are all that os-ken carries, and what os-ken writes itself is read too.

os-ken's wheel holds recorded frames of every version, and for its own tests messages as JSON.
From the JSON os-ken can make the bytes of what a controller sends.
"""

import json
from pathlib import Path

import os_ken
import pytest
from os_ken.ofproto import ofproto_parser, ofproto_protocol

from ovsflow.errors import DecodeError
from ovsflow.openflow.codec import decode, encode
from ovsflow.openflow.constants import MessageType, Version, message_type
from tests.openflow.corpus import frames
from tests.openflow.test_corpus import INVALID

TESTS = Path(os_ken.__file__).parent / "tests"
VERSIONS = {
    "of10": Version.OF10,
    "of13": Version.OF13,
    "of14": Version.OF14,
    "of15": Version.OF15,
}

#: What a controller sends; os-ken does not write the bodies of what a switch sends.
SENT = {
    MessageType.EXPERIMENTER,
    MessageType.FEATURES_REQUEST,
    MessageType.GET_CONFIG_REQUEST,
    MessageType.SET_CONFIG,
    MessageType.PACKET_OUT,
    MessageType.FLOW_MOD,
    MessageType.GROUP_MOD,
    MessageType.PORT_MOD,
    MessageType.TABLE_MOD,
    MessageType.MULTIPART_REQUEST,
    MessageType.BARRIER_REQUEST,
    MessageType.QUEUE_GET_CONFIG_REQUEST,
    MessageType.ROLE_REQUEST,
    MessageType.GET_ASYNC_REQUEST,
    MessageType.SET_ASYNC,
    MessageType.METER_MOD,
    MessageType.BUNDLE_CONTROL,
    MessageType.BUNDLE_ADD_MESSAGE,
}
#: Those that name a VLAN without the bit that says there is one, and are refused for it.
REFUSED = {"lib-ofctl-OFP15-flow_mod", "libofproto-OFP15-flow_mod_no_nx"}


def recorded() -> dict[str, bytes]:
    """os-ken's frames, by the names that they have here."""
    return {
        f"{version}/{path.stem}": path.read_bytes()
        for version in VERSIONS
        for path in (TESTS / "packet_data" / version).glob("*.packet")
    }


def test_the_frames_kept_are_all_that_os_ken_has() -> None:
    assert len(recorded()) == 267
    assert frames() == recorded()


def messages() -> list[tuple[str, Path]]:
    return [
        (version, path)
        for version in VERSIONS
        for path in sorted((TESTS / "unit" / "ofproto" / "json" / version).glob("*.json"))
    ]


@pytest.mark.parametrize("version", list(VERSIONS))
def test_what_os_ken_writes_is_read_and_written_again(version: str) -> None:
    wire, written = VERSIONS[version], 0
    for _, path in (row for row in messages() if row[0] == version):
        protocol = ofproto_protocol.ProtocolDesc(int(wire))
        described = json.loads(path.read_text())
        if "OFPTruncatedMessage" in described:
            continue  # What os-ken makes of bytes that are no message.
        message = ofproto_parser.ofp_msg_from_jsondict(protocol, described)
        if message_type(wire, message.cls_msg_type) not in SENT:
            continue
        message.set_xid(7)
        message.serialize()
        data, name = bytes(message.buf), path.name.split(".")[0]
        if name in REFUSED or f"{version}/{name}" in INVALID:
            with pytest.raises(DecodeError):
                decode(data)
            continue
        received = decode(data)
        again = encode(received.body, received.version, received.xid)
        assert again.hex() == data.hex(), name
        written += 1
    assert written >= {"of10": 3, "of13": 40, "of14": 30, "of15": 30}[version]
