"""A small share of the campaign, always the same: `python -m tests.ofctl.campaign` runs more."""

from pathlib import Path

import pytest

from ovsflow.openflow.constants import Version
from tests.ofctl.campaign import run_campaign
from tests.ofctl.compare import Tally
from tests.ofctl.live import dump, pair
from tests.ofctl.oracle import VERSIONS, run

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

FLOWS = """
cookie=5,idle_timeout=60,send_flow_rem,priority=7,tcp,tun_id=5,tp_dst=80,actions=load:5->reg0,output:2
table=2,udp6,ipv6_src=2001:db8::/32,actions=mod_dl_src:02:00:00:00:00:01,normal
table=3,arp,arp_op=1,actions=learn(table=4,priority=5,fin_hard_timeout=3,eth_dst=eth_src,output:in_port),flood
priority=9,check_overlap,dl_vlan=5,actions=strip_vlan,controller(reason=no_match,meter_id=3)
"""


def different(tally: Tally) -> str:
    return "\n".join(str(difference) for difference in tally.differences[:5])


def test_text_bytes_and_print_are_those_of_ovs_ofctl(tmp_path: Path) -> None:
    tally = run_campaign(1000, 60, 90_000, tmp_path)
    assert not tally.differences, different(tally)
    assert tally.compared["flow, bytes"] > 3500
    assert tally.compared["group, bytes"] > 150


def test_our_switch_takes_and_dumps_what_open_vswitch_does(tmp_path: Path) -> None:
    with pair(tmp_path) as switches:
        tally = run_campaign(500, 40, 70_000, tmp_path, switches)
    assert not tally.differences, different(tally)
    assert tally.compared["dump-flows"] > 1000
    assert tally.compared["dump-groups"] > 80


def test_flows_come_back_as_open_vswitch_prints_them(tmp_path: Path) -> None:
    file = tmp_path / "flows.txt"
    file.write_text(FLOWS)
    with pair(tmp_path) as switches:
        for version in VERSIONS:
            for target in (switches.ours, switches.theirs):
                assert run(version, "del-flows", target).returncode == 0
                done = run(version, "add-flows", target, str(file))
                assert (done.returncode, done.stderr) == (0, "")
            for other in (Version.OF10, Version.OF13, Version.OF15):
                assert dump(switches.ours, other) == dump(switches.theirs, other)
