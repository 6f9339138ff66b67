"""Debian's ovs-ofctl as the oracle: what it makes of a line of text."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from ovsflow.openflow.constants import Version

PROGRAM = shutil.which("ovs-ofctl")

needs_ovs_ofctl = pytest.mark.skipif(PROGRAM is None, reason="ovs-ofctl is not installed")

VERSIONS = {
    Version.OF10: "OpenFlow10",
    Version.OF13: "OpenFlow13",
    Version.OF14: "OpenFlow14",
    Version.OF15: "OpenFlow15",
}

_HEADING = re.compile(r"^(?:OFPT|NXT)_\w+(?: \(OF1\.\d\))? \(xid=0x[0-9a-f]+\): ?")


def run(version: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs ovs-ofctl for a version."""
    command = [str(PROGRAM), "-O", VERSIONS[Version(version)], *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def printed_flow(version: int, flow: str) -> str:
    """How it prints a flow that it has turned into a message and back, or `error: ...`."""
    done = run(version, "parse-flow", flow)
    lines = [line for line in done.stdout.splitlines() if "FLOW_MOD" in line]
    if lines:
        return without_table(_HEADING.sub("", lines[0]))
    errors = [line for line in done.stderr.splitlines() if line.startswith("ovs-ofctl: ")]
    return f"error: {errors[-1].removeprefix('ovs-ofctl: ')}" if errors else "error"


def printed_flows(version: int, flows: Sequence[str], scratch: Path) -> list[str | None]:
    """The same for many flows at once; `None` for those that it does not take."""
    answers: list[str | None] = [None] * len(flows)
    wanted = list(range(len(flows)))
    file = scratch / "flows.txt"
    while wanted:
        file.write_text("".join(f"{flows[at]}\n" for at in wanted))
        done = run(version, "parse-flows", str(file))
        if done.returncode == 0:
            lines = [line for line in done.stdout.splitlines() if "FLOW_MOD" in line]
            for at, line in zip(wanted, lines, strict=True):
                answers[at] = without_table(_HEADING.sub("", line))
            break
        # It stops at the first line that it does not take.
        place = re.search(re.escape(str(file)) + r":(\d+):", done.stderr)
        if place is not None:
            del wanted[int(place[1]) - 1]
        else:
            wanted = [at for at in wanted if run(version, "parse-flow", flows[at]).returncode == 0]
    return answers


def printed_group(version: int, group: str) -> str:
    """How it prints a group, or `error: ...`."""
    done = run(version, "parse-group", group)
    if done.returncode == 0:
        return done.stdout.splitlines()[-1].strip()
    return f"error: {done.stderr.strip().splitlines()[-1].removeprefix('ovs-ofctl: ')}"


def without_table(line: str) -> str:
    """In OpenFlow 1.0, parse-flows prints the table that a flow does not name as 255."""
    return line.replace("ADD table:255 ", "ADD ", 1)
