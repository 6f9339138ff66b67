"""`snoop` beside ovs-ofctl's: what a controller and the switch say to each other."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ovsflow import Switch
from tests.switch.talker import VERSIONS, Talker, attach, flow_mod, output

PROGRAMS = {"ours": (sys.executable, "-m", "ofctl"), "theirs": ("ovs-ofctl",)}
ROOT = Path(__file__).parents[2]
ECHO_REQUEST = 2
PATIENCE = 60.0


def collect(process: subprocess.Popen[str], lines: list[str]) -> None:
    """Appends what a process prints, as it comes."""
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line)


def overheard(program: str, rundir: Path, talker: Talker) -> list[str]:
    """Lines that a program prints of a FLOW_MOD and a barrier, after it was seen to listen."""
    command = [*PROGRAMS[program], "-O", "OpenFlow10,OpenFlow13,OpenFlow14,OpenFlow15", "snoop"]
    process = subprocess.Popen(
        [*command, f"unix:{rundir}/br0.snoop"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
        env=os.environ | {"OVS_RUNDIR": str(rundir)},
    )
    lines: list[str] = []

    def told(start: str) -> list[str]:
        """What was printed from the first line on that has `start` in it."""
        known = list(lines)
        places = [place for place, line in enumerate(known) if start in line]
        return known[places[0] :] if places else []

    def wait_for(start: str) -> list[str]:
        deadline = time.monotonic() + PATIENCE
        while len(found := told(start)) < 2:
            assert time.monotonic() < deadline, "".join(lines)
            # Whoever listens by now hears this.
            talker.say(ECHO_REQUEST, b"")
            time.sleep(0.05)
        return found[:2]

    with process:
        reader = threading.Thread(target=lambda: collect(process, lines))
        reader.start()
        try:
            wait_for("ECHO_REPLY")
            talker.ask(flow_mod(talker.version, actions=output(talker.version, 2), xid=0x1234))
            return wait_for("(xid=0x1234)")
        finally:
            process.terminate()
            reader.join()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_conversation_reads_as_ovs_ofctl_prints_it(tmp_path: Path, version: int) -> None:
    with Switch("br0", workers=0, rundir=tmp_path, ports=["a=1:memory", "b=2:memory"]) as switch:
        talker = attach(switch, version)
        ours = overheard("ours", tmp_path, talker)
        theirs = overheard("theirs", tmp_path, talker)
        talker.sock.close()
    assert "FLOW_MOD" in ours[0]
    assert "BARRIER_REQUEST" in ours[1]
    # Barriers count on.
    assert ours[0] == theirs[0]
    assert ours[1].partition("(xid")[0] == theirs[1].partition("(xid")[0]
