"""Debian's ovs-ofctl as the oracle: what it makes of a line of text, and of bytes."""

import re
import struct
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ovsflow.openflow.constants import Version

PROGRAM = "ovs-ofctl"

VERSIONS = {
    Version.OF10: "OpenFlow10",
    Version.OF13: "OpenFlow13",
    Version.OF14: "OpenFlow14",
    Version.OF15: "OpenFlow15",
}

_HEADING = re.compile(r"^(?:OFPT|NXT)_\w+(?: \(OF1\.\d\))? \(xid=0x[0-9a-f]+\): ?")
_MARK = 0x5EED0000
_BETWEEN = re.compile(r"^OFPT_ECHO_REQUEST \(OF1\.3\) \(xid=0x5eed[0-9a-f]{4}\):.*\n", re.MULTILINE)
_ERROR = re.compile(r"\*\*\*decode error: (\w+)\*\*\*")
_MOST = 0x10000


def run(version: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs ovs-ofctl for a version."""
    command = [PROGRAM, "-O", VERSIONS[Version(version)], *arguments]
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


def print_all(messages: Sequence[bytes]) -> list[str]:
    """What it prints for each message; a marked echo request stands between them."""
    assert len(messages) < _MOST
    stream = b"".join(
        message + struct.pack("!BBHI", 4, 2, 8, _MARK + number)
        for number, message in enumerate(messages)
    )
    with tempfile.NamedTemporaryFile() as file:
        file.write(stream)
        file.flush()
        done = run(Version.OF15, "--verbose=off", "ofp-parse", file.name)
    assert done.returncode == 0, done.stderr
    texts = _BETWEEN.split(done.stdout)
    assert len(texts) == len(messages) + 1, done.stdout[-2000:]
    return texts[:-1]


def decode_error(text: str) -> str | None:
    """The error that a printed message was answered with, if any."""
    found = _ERROR.search(text)
    return found.group(1) if found else None
