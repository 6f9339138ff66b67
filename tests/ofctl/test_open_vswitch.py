"""`ofctl` and `ovs-ofctl` on the same Open vSwitch: what they print is the same, byte for byte.

Transaction ids and times are put aside; everything else counts.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from ovsflow.openflow.constants import Version
from tests.ofctl.flow_maker import FlowMaker
from tests.ofctl.open_vswitch import open_vswitch
from tests.ofctl.oracle import VERSIONS

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

_CHANGING = (
    (re.compile(r"xid=(0x)?[0-9a-f]+"), "xid=X"),
    (re.compile(r"duration([=:]?)(\x1b\[m\x1b\[K)?[0-9.]+s"), r"duration\1\2D"),
    (re.compile(r"(idle_age|hard_age)=(\x1b\[m\x1b\[K)?\d+"), r"\1=\2N"),
    (re.compile(r"time=[0-9.]+ ms"), "time=T"),
)

# A flow of each kind, so that a dump shows everything.
FLOWS = """
priority=10,in_port=1,actions=output:2
table=1,tcp,tun_id=5,tp_dst=80,actions=load:5->reg0,set_field:192.0.2.1->tun_dst,output:2
table=1,cookie=5,idle_timeout=60,send_flow_rem,priority=7,actions=drop
table=2,udp6,ipv6_src=2001:db8::/32,actions=mod_dl_src:02:00:00:00:00:01,normal
table=2,dl_vlan=5,actions=strip_vlan,controller
table=2,dl_vlan=6,dl_vlan_pcp=3,actions=mod_vlan_vid:7,output:3
table=3,arp,arp_op=1,actions=learn(table=4,priority=5,fin_hard_timeout=3,eth_dst=eth_src,output:in_port),flood
table=3,ip,nw_frag=first,actions=ct(commit,zone=5,nat(src=10.0.0.1-10.0.0.9:80))
table=4,reg1=5/0xff,metadata=7,actions=clone(output:1,resubmit(,5)),exit
table=5,conj_id=3,ip,actions=move:reg0[0..15]->reg1[16..31],bundle(eth_src,0,hrw,ofport,members:1,2)
"""

READING = """
show br0|dump-desc br0|dump-tables br0|dump-ports br0|dump-ports br0 1|dump-ports br0 p2
dump-ports-desc br0|dump-ports-desc br0 p1|queue-stats br0|queue-get-config br0
queue-get-config br0 1|get-frags br0|dump-aggregate br0|dump-aggregate br0 table=1
dump-flows br0|dump-flows br0 table=1|dump-flows br0 table=2,dl_vlan=5|dump-flows br0 cookie=5/-1
dump-flows br0 out_port=2|dump-flows br0 tcp,tun_id=5|--no-stats dump-flows br0
--names dump-flows br0|--sort dump-flows br0|--rsort dump-flows br0|--sort=dl_vlan dump-flows br0
--rsort=tun_id --no-stats dump-flows br0|--color=always dump-flows br0|dump-tlv-map br0|probe br0
ping br0 10
"""
READING_SINCE_13 = """
dump-groups br0|dump-groups br0 1|dump-group-stats br0|dump-group-stats br0 group_id=1
dump-table-features br0|dump-group-features br0|dump-meters br0|dump-meter br0 meter=1
meter-stats br0|meter-features br0
"""


@dataclass(frozen=True)
class Both:
    """The two programs, in the environment of one Open vSwitch."""

    environment: dict[str, str]

    def ours(self, version: int, words: Sequence[str]) -> "subprocess.CompletedProcess[str]":
        return self._run([sys.executable, "-m", "ofctl"], version, words)

    def theirs(self, version: int, words: Sequence[str]) -> "subprocess.CompletedProcess[str]":
        return self._run(["ovs-ofctl"], version, words)

    def _run(
        self, program: list[str], version: int, words: Sequence[str]
    ) -> "subprocess.CompletedProcess[str]":
        command = [*program, "-O", VERSIONS[Version(version)], *words]
        root = Path(__file__).parent.parent.parent
        return subprocess.run(
            command,
            env=self.environment,
            cwd=root,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def takes(self, version: int, flow: str) -> bool:
        """Whether ovs-ofctl and the switch take a flow."""
        return self.theirs(version, ["add-flow", "br1", flow]).returncode == 0

    def set_up(self, version: int, words: Sequence[str]) -> None:
        """A change that must succeed, made by ovs-ofctl."""
        done = self.theirs(version, words)
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    with open_vswitch(tmp_path_factory.mktemp("ovs")) as environment:
        # Ours would look in its own directory first, where somebody's br0 may be.
        environment["OVSFLOW_RUNDIR"] = environment["OVS_RUNDIR"]
        environment["PYTHONPATH"] = os.pathsep.join(sys.path)
        yield Both(environment)


def steady(text: str) -> list[str]:
    """Output without what changes from one run to the next."""
    for pattern, instead in _CHANGING:
        text = pattern.sub(instead, text)
    return text.splitlines()


def words_of(block: str) -> list[str]:
    return [line for part in block.split("\n") for line in part.split("|") if line]


@pytest.fixture(scope="module")
def filled(both: Both, tmp_path_factory: pytest.TempPathFactory) -> Both:
    file = tmp_path_factory.mktemp("flows") / "flows.txt"
    file.write_text(FLOWS)
    both.set_up(Version.OF13, ["add-flows", "br0", str(file)])
    group = "group_id=1,type=select,bucket=weight:10,output:1,bucket=weight:20,actions=2,3"
    both.set_up(Version.OF13, ["add-group", "br0", group])
    both.set_up(Version.OF13, ["add-group", "br0", "group_id=2,type=ff,bucket=watch_port:1,3"])
    meter = "meter=1,kbps,burst,stats,bands=type=drop,rate=1000,burst_size=100"
    both.set_up(Version.OF13, ["add-meter", "br0", meter])
    return both


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("command", words_of(READING))
def test_reading_prints_the_same(filled: Both, version: int, command: str) -> None:
    ours, theirs = filled.ours(version, command.split()), filled.theirs(version, command.split())
    assert ours.returncode == theirs.returncode, ours.stderr
    shown = steady(ours.stdout), steady(theirs.stdout)
    if "sort=" in command:
        # Only the flow that has the field has a place; ovs-ofctl shuffles the others.
        assert shown[0][0] == shown[1][0]
        shown = sorted(shown[0]), sorted(shown[1])
    assert shown[0] == shown[1]


@pytest.mark.parametrize("version", list(VERSIONS)[1:])
@pytest.mark.parametrize("command", words_of(READING_SINCE_13))
def test_reading_groups_and_meters_prints_the_same(
    filled: Both, version: int, command: str
) -> None:
    test_reading_prints_the_same(filled, version, command)


@pytest.mark.parametrize("version", list(VERSIONS)[2:])
def test_table_descriptions_print_the_same(filled: Both, version: int) -> None:
    test_reading_prints_the_same(filled, version, "dump-table-desc br0")


@pytest.mark.parametrize("version", VERSIONS)
def test_flows_arrive_as_if_ovs_ofctl_had_sent_them(
    both: Both, version: int, tmp_path: Path
) -> None:
    both.set_up(Version.OF13, ["del-flows", "br1"])
    lines = []
    for seed in range(150):
        line = FlowMaker(seed, version).flow()
        # Groups and meters would have to be there; overlaps depend on the order.
        if not any(word in line for word in ("group:", "meter", "check_overlap")):
            lines.append(line)
    taken = [line for line in lines if both.takes(version, line)]
    assert len(taken) > 50
    dump = ["--sort", "dump-flows", "br1"]
    expected = sorted(steady(both.theirs(version, dump).stdout))
    assert sorted(steady(both.ours(version, dump).stdout)) == expected
    both.set_up(Version.OF13, ["del-flows", "br1"])
    file = tmp_path / "flows.txt"
    file.write_text("".join(f"{line}\n" for line in taken))
    done = both.ours(version, ["add-flows", "br1", str(file)])
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(steady(both.theirs(version, dump).stdout)) == expected
    both.set_up(Version.OF13, ["del-flows", "br1"])


@pytest.mark.parametrize("version", VERSIONS)
def test_changes_take_effect(both: Both, version: int) -> None:
    def dump() -> list[str]:
        words = ["--no-stats", "dump-flows", "br1", "table=9"]
        return sorted(steady(both.theirs(version, words).stdout))

    def change(*words: str) -> None:
        done = both.ours(version, words)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    change("add-flow", "br1", "table=9,in_port=q1,actions=output:q2")
    change("add-flow", "br1", "table=9,priority=3,in_port=1,actions=output:2")
    assert dump() == [
        " table=9, in_port=1 actions=output:2",
        " table=9, priority=3,in_port=1 actions=output:2",
    ]
    change("mod-flows", "br1", "table=9,in_port=1,actions=3")
    change("--strict", "mod-flows", "br1", "table=9,priority=3,in_port=1,actions=drop")
    assert dump() == [
        " table=9, in_port=1 actions=output:3",
        " table=9, priority=3,in_port=1 actions=drop",
    ]
    change("--strict", "del-flows", "br1", "table=9,priority=3,in_port=1")
    assert dump() == [" table=9, in_port=1 actions=output:3"]
    change("del-flows", "br1", "table=9")
    assert dump() == []


@pytest.mark.parametrize("version", list(VERSIONS)[2:])
def test_bundle_changes_all_or_nothing(both: Both, version: int, tmp_path: Path) -> None:
    file = tmp_path / "bundle.txt"
    file.write_text("flow add table=8,in_port=1,actions=2\nflow add table=8,actions=group:77\n")
    done = both.ours(version, ["bundle", "br1", str(file)])
    assert done.returncode == 1
    assert "OFPBAC_BAD_OUT_GROUP" in done.stderr
    words = ["--no-stats", "dump-flows", "br1", "table=8"]
    assert both.theirs(version, words).stdout == ""
    file.write_text("flow add table=8,in_port=1,actions=2\nflow add table=8,in_port=2,actions=1\n")
    assert both.ours(version, ["bundle", "br1", str(file)]).returncode == 0
    assert len(both.theirs(version, words).stdout.splitlines()) == 2
    both.set_up(version, ["del-flows", "br1", "table=8"])


FRAME = (
    "505400000007505400000005080045000020000000004001f9fcc0a80001c0a800020800000000000000aabbccdd"
)


@pytest.mark.parametrize("version", VERSIONS)
def test_monitor_shows_the_same(both: Both, version: int, tmp_path: Path) -> None:
    outputs = (tmp_path / "ours", tmp_path / "theirs")
    programs = ([sys.executable, "-m", "ofctl"], ["ovs-ofctl"])
    running = []
    for output, program in zip(outputs, programs, strict=True):
        words = [*program, "-O", VERSIONS[Version(version)], "monitor", "br1", "65534", "watch:"]
        with output.open("wb") as file:
            running.append(
                subprocess.Popen(
                    words,
                    env=both.environment,
                    cwd=Path(__file__).parent.parent.parent,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                )
            )
    try:
        wait_for(outputs, "FLOW_MONITOR reply")
        actions = "set_field:5->tun_id,set_field:7->reg3,controller(reason=no_match)"
        packet = f"in_port=2 packet={FRAME} actions={actions}"
        assert both.ours(version, ["packet-out", "br1", packet]).returncode == 0
        wait_for(outputs, "icmp_csum")
        both.set_up(version, ["add-flow", "br1", "table=9,send_flow_rem,in_port=3,actions=1"])
        both.set_up(version, ["mod-port", "br1", "q1", "down"])
        both.set_up(version, ["mod-port", "br1", "q1", "up"])
        both.set_up(version, ["del-flows", "br1", "table=9"])
        wait_for(outputs, "FLOW_REMOVED")
    finally:
        for process in running:
            process.terminate()
            process.wait()
    ours, theirs = (after(steady(output.read_text()), "FLOW_MONITOR reply") for output in outputs)
    assert ours == [line for line in theirs if "terminating with signal" not in line]


def after(lines: list[str], mark: str) -> list[str]:
    """The lines from the first with `mark` on; the rest depends on who was quicker."""
    return lines[next(at for at, line in enumerate(lines) if mark in line) :]


def wait_for(files: Sequence[Path], mark: str) -> None:
    deadline = time.monotonic() + 20
    while not all(mark in file.read_text() for file in files):
        assert time.monotonic() < deadline, [file.read_text() for file in files]
        time.sleep(0.02)
