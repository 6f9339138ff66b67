"""`diff-flows` of two files tells the differences that Debian's ovs-ofctl tells."""

import random
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from ofctl.__main__ import main
from ovsflow.errors import ParseError
from ovsflow.openflow.text.parse import parse_flow
from ovsflow.openflow.text.render import render_flow
from tests.ofctl.flow_maker import FlowMaker
from tests.ofctl.oracle import PROGRAM, VERSIONS

PAIRS = 1000
"""Pairs of flows for each of the four versions."""

OURS = (sys.executable, "-m", "ofctl")

Told = tuple[int, list[str], str]
"""Exit status, lines in any order (ovs-ofctl's follows from its classifier), and what is wrong."""


def told(program: Sequence[str], one: Path, other: Path) -> Told:
    done = subprocess.run(
        [*program, "diff-flows", str(one), str(other)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    error = re.search(r"ofctl: (.*)$", done.stderr, re.MULTILINE)
    return done.returncode, sorted(done.stdout.splitlines()), error[1] if error else ""


def both_told(tmp_path: Path, before: Sequence[str], after: Sequence[str]) -> tuple[Told, Told]:
    """What both programs say to the same two files."""
    one, other = tmp_path / "one.txt", tmp_path / "other.txt"
    one.write_text("".join(f"{line}\n" for line in before))
    other.write_text("".join(f"{line}\n" for line in after))
    return told(OURS, one, other), told((PROGRAM,), one, other)


DIFFERENT = (
    ("actions=strip_vlan", "actions=pop_vlan"),
    ("dl_vlan=1,actions=strip_vlan", "dl_vlan=1,actions=pop_vlan"),
    ("actions=mod_vlan_vid:5", "actions=set_vlan_vid:5"),
    ("dl_vlan=1,actions=mod_vlan_vid:5", "dl_vlan=1,actions=set_field:5->vlan_vid"),
    ("dl_vlan=1,actions=mod_vlan_pcp:5", "dl_vlan=1,actions=set_vlan_pcp:5"),
    ("ip,actions=mod_nw_tos:40", "ip,actions=set_field:10->ip_dscp"),
    ("ip,actions=mod_nw_tos:40", "ip,actions=set_field:40->nw_tos"),
    ("ip,actions=mod_nw_ecn:1", "ip,actions=set_field:1->nw_ecn"),
    ("ip,actions=mod_nw_src:10.0.0.1", "ip,actions=set_field:10.0.0.1->ip_src"),
    ("ip,actions=mod_nw_ttl:7", "ip,actions=set_field:7->nw_ttl"),
    ("tcp,actions=mod_tp_dst:80", "tcp,actions=set_field:80->tcp_dst"),
    ("actions=mod_dl_dst:0a:0:0:0:0:1", "actions=set_field:0a:00:00:00:00:01->eth_dst"),
    ("actions=load:5->NXM_NX_REG0[]", "actions=set_field:5->reg0"),
    ("actions=load:5->reg0[0..7]", "actions=set_field:5/0xff->reg0"),
    ("actions=set_tunnel:5", "actions=set_field:5->tun_id"),
    ("actions=set_tunnel:5", "actions=set_tunnel64:5"),
    ("mpls,actions=set_mpls_label:5", "mpls,actions=set_field:5->mpls_label"),
    ("mpls,actions=set_mpls_tc:5", "mpls,actions=set_field:5->mpls_tc"),
    ("actions=enqueue:1:2", "actions=set_queue:2,output:1,pop_queue"),
    ("actions=clone(load:1->reg0[])", "actions=clone(set_field:1->reg0)"),
    ("actions=write_actions(mod_vlan_vid:5)", "actions=write_actions(set_field:5->reg0)"),
    ("actions=resubmit(,1)", "actions=goto_table:1"),
    ("actions=note:01", "actions=note:01.00"),
    ("importance=1,actions=drop", "actions=drop"),
    ("idle_timeout=1,actions=drop", "hard_timeout=1,actions=drop"),
    ("vlan_tci=0,actions=drop", "vlan_tci=0/0x1fff,actions=drop"),
)
ALIKE = (
    ("actions=1,2", "actions=output:1,output:2"),
    ("dl_type=0x800,nw_proto=6,actions=", "tcp,actions=drop"),
    ("ip,actions=mod_nw_ttl:7", "ip,actions=set_nw_ttl:0x7"),
    ("actions=load:0x5->reg0[]", "actions=load:5->NXM_NX_REG0[0..31]"),
    ("ip,actions=set_field:10.0.0.5->nw_src", "ip,actions=set_field:10.0.0.5->ip_src"),
    ("actions=set_field:5/0xffffffff->reg0", "actions=set_field:0x05->reg0"),
    ("actions=mod_vlan_vid:0x10", "actions=mod_vlan_vid:16"),
    ("actions=set_tunnel:0x100000000", "actions=set_tunnel64:0x100000000"),
    ("reset_counts,send_flow_rem,actions=drop", "check_overlap,actions=drop"),
    ("actions=controller", "actions=controller:65535"),
    (
        "ip,actions=ct(commit,exec(load:1->ct_mark[]))",
        "ip,actions=ct(exec(load:0x1->NXM_NX_CT_MARK[]),commit)",
    ),
)
REFUSED = (
    "dl_vlan=1,actions=set_field:5->ip_src",
    "actions=output:1,meter:5",
    "actions=outptu:1",
    "in_port=1",
    "cookie=1/1,actions=drop",
)


@pytest.mark.system
@pytest.mark.parametrize(("before", "after"), [*DIFFERENT, *ALIKE])
def test_what_says_the_same_in_other_words_differs_as_there(
    before: str, after: str, tmp_path: Path
) -> None:
    ours, theirs = both_told(tmp_path, [before], [after])
    assert ours == theirs
    assert ours[0] == (2 if (before, after) in DIFFERENT else 0)


@pytest.mark.system
@pytest.mark.parametrize("line", REFUSED)
def test_what_no_version_takes_is_refused(line: str, tmp_path: Path) -> None:
    ours, theirs = both_told(tmp_path, ["actions=drop", line], ["actions=drop"])
    assert ours[0] == theirs[0] == 1
    assert ours[2].startswith(f"{tmp_path}/one.txt:2: ")


@pytest.mark.system
@pytest.mark.timeout(300)
@pytest.mark.parametrize("version", VERSIONS)
def test_random_flows_differ_from_their_other_forms_as_there(version: int, tmp_path: Path) -> None:
    chance = random.Random(version)
    before, after = [], []
    for seed in range(PAIRS):
        line = FlowMaker(seed, version).flow()
        other = chance.choice([line, *other_forms(line)])
        if not any(re.search(r"set_field:[^,>]*/", text) for text in (line, other)):
            before.append(line)
            after.append(other)
    ours, theirs = both_told(tmp_path, before, after)
    while theirs[0] == 1:
        # It stops at the first line that it does not take.
        place = re.search(r"(one|other)\.txt:(\d+): ", theirs[2])
        assert place, theirs
        assert ours[0] == 1, theirs
        assert place[0] in ours[2]
        del before[int(place[2]) - 1], after[int(place[2]) - 1]
        ours, theirs = both_told(tmp_path, before, after)
    assert len(before) > PAIRS * 0.7
    assert len(theirs[1]) > PAIRS * 0.3
    assert ours[::2] == theirs[::2]
    assert [*set(ours[1]) ^ set(theirs[1])] == []


def other_forms(line: str) -> list[str]:
    """A flow as each version prints it that takes it."""
    forms = []
    for version in VERSIONS:
        try:
            forms.append(render_flow(parse_flow(line, version=version), version))
        except ParseError:
            continue
    return forms


def test_bits_that_a_mask_leaves_out_make_no_difference(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """For ovs-ofctl they do, though no packet can tell."""
    one, other = tmp_path / "one.txt", tmp_path / "other.txt"
    one.write_text("actions=set_field:0xff/0x0f->reg0\n")
    other.write_text("actions=set_field:0x0f/0x0f->reg0\n")
    assert main(["diff-flows", str(one), str(other)]) == 0
    assert capsys.readouterr().out == ""
