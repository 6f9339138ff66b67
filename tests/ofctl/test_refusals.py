"""What the switch has not, through `ofctl`: read as text, told as bytes, refused in words."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ofctl.__main__ import main
from ovsflow import Switch
from ovsflow.openflow.codec import decode, encode
from ovsflow.openflow.constants import FlowModCommand
from ovsflow.openflow.flow_mod import FlowMod
from ovsflow.openflow.text.parse import parse_flow
from ovsflow.openflow.text.render import render_flow

VERSIONS = {"OpenFlow10": 1, "OpenFlow13": 4, "OpenFlow14": 5, "OpenFlow15": 6}
UNTRACKED = "CT_DATAPATH_SUPPORT (the switch does not track connections)"
UNKNOWN = "(the switch does not know one of the actions)"
UNMAPPED = "NXFMFC_INVALID_TLV_FIELD (no tunnel option is mapped to this field)"

#: Flows that are refused, and how the sentence ends.
CONNECTIONS = {
    "ip,actions=ct_clear": UNTRACKED,
    "ip,actions=ct(table=2)": UNTRACKED,
    "ip,actions=ct(commit,force,zone=5,table=6)": UNTRACKED,
    "tcp,actions=ct(commit,exec(set_field:0x1->ct_mark),alg=ftp)": UNTRACKED,
    "ip,actions=ct(commit,nat(src=10.0.0.1-10.0.0.9:100-200,persistent))": UNTRACKED,
    "ip,actions=ct(commit,zone=7,nat(dst=10.0.0.1,hash),exec(set_field:0x7->ct_label))": UNTRACKED,
    "ipv6,actions=ct(nat)": UNTRACKED,
    "ip,ct_state=+trk+est,actions=drop": UNTRACKED,
    "ct_mark=0x5/0xf,actions=drop": UNTRACKED,
}
RARE = {
    "actions=encap(ethernet)": UNKNOWN,
    "actions=encap(mpls)": UNKNOWN,
    "actions=encap(nsh(md_type=1))": UNKNOWN,
    "actions=decap": UNKNOWN,
    "actions=decap(packet_type(ns=0,type=0))": UNKNOWN,
    "actions=delete_field:tun_metadata0": UNKNOWN,
}


@pytest.fixture(scope="module")
def rundir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("r")
    with Switch("br0", ports=["p1:memory"], workers=0, rundir=path):
        yield path


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("text", [*CONNECTIONS, *RARE])
def test_refused_in_a_sentence(
    rundir: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    text: str,
    version: str,
) -> None:
    if version == "OpenFlow10" and "cap" in text:
        pytest.skip("OpenFlow 1.0 cannot say it")
    monkeypatch.setenv("OVSFLOW_RUNDIR", str(rundir))
    assert main(["-O", version, "add-flow", "br0", text]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.strip().endswith({**CONNECTIONS, **RARE}[text]), told.err


@pytest.mark.parametrize("version", VERSIONS.values(), ids=VERSIONS)
@pytest.mark.parametrize("text", [*CONNECTIONS, *RARE])
def test_the_codec_keeps_every_word(text: str, version: int) -> None:
    if version == 1 and "cap" in text:
        pytest.skip("OpenFlow 1.0 cannot say it")
    flow = parse_flow(text, FlowModCommand.ADD, version)
    message = encode(flow, version, 1)
    again = decode(message).body
    assert isinstance(again, FlowMod)
    assert encode(again, version, 1) == message
    assert render_flow(again, version) == render_flow(flow, version)
