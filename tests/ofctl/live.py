"""Two living switches, ours and a dummy Open vSwitch, that are told the same messages.

What ovs-ofctl made of flows goes to both; both must take or refuse each with the same error, and
`ovs-ofctl dump-flows` must print the same of both afterwards.
"""

import difflib
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ofctl.address import find
from ofctl.connection import Connection
from ovsflow.openflow import codec
from ovsflow.openflow.constants import Version
from ovsflow.openflow.error_names import ErrorNumber, name_of
from ovsflow.openflow.failure import ErrorMessage
from ovsflow.openflow.handshake import BarrierReply, BarrierRequest
from tests.ofctl.compare import Tally
from tests.ofctl.open_vswitch import open_vswitch
from tests.ofctl.oracle import run

_WINDOW = 200
_PATIENCE = 20.0
_STEADY = re.compile(r"duration=[0-9.]+s, |idle_age=\d+, |hard_age=\d+, ")
# A flow that asked not to be counted tells no count; Open vSwitch counts it all the same.
_UNCOUNTED = re.compile(r"n_(packets=\?(?=.*no_packet_counts)|bytes=\?(?=.*no_byte_counts))")

# Lines that ours does not take: connection tracking, and the meter of a slow path that it has not.
_NOT_OFFERED = re.compile(r"\bct[(_]|\bnat\(|meter=slowpath")


@dataclass(frozen=True, slots=True)
class Pair:
    """Where ovs-ofctl finds the two switches."""

    ours: str
    theirs: str


@contextmanager
def pair(directory: Path) -> Iterator[Pair]:
    """Runs both, each with ports 1, 2 and 3."""
    (directory / "ours").mkdir()
    (directory / "theirs").mkdir()
    with open_vswitch(directory / "theirs"), _ovsflow(directory / "ours") as socket:
        yield Pair(f"unix:{socket}", f"unix:{directory}/theirs/br0.mgmt")


@contextmanager
def _ovsflow(directory: Path) -> Iterator[Path]:
    ports = [f"--port=p{number}={number}:memory" for number in (1, 2, 3)]
    command = [sys.executable, "-m", "ovsflow", "run", "--bridge", "br0", *ports]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--compat", "ovs", "--fail-mode", "secure"],
            env={"OVSFLOW_RUNDIR": str(directory), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
            stdout=log,
            stderr=log,
        )
    socket = directory / "br0.mgmt"
    deadline = time.monotonic() + _PATIENCE
    try:
        while not socket.exists():
            assert process.poll() is None, (directory / "log").read_text()
            assert time.monotonic() < deadline, "the switch does not start"
            time.sleep(0.02)
        yield socket
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(_PATIENCE)


def _offered(pairs: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    """Leaves out what ours does not offer."""
    for line, message in pairs:
        if not _NOT_OFFERED.search(line):
            yield line, message


def verdicts(target: str, version: int, messages: Sequence[bytes]) -> list[str]:
    """Sends messages; what the switch says to each: the name of an error, or nothing."""
    found = [""] * len(messages)
    with Connection(find(target), (Version(version),)) as connection:
        for start in range(0, len(messages), _WINDOW):
            window = messages[start : start + _WINDOW]
            # The place is the transaction id: errors tell it.
            plain = [_with_xid(message, start + at + 1) for at, message in enumerate(window)]
            end = 0xFFFFFFFF
            plain.append(codec.encode(BarrierRequest(), version, end))
            connection.write(b"".join(plain))
            while True:
                reply = connection.receive()
                if isinstance(reply.body, ErrorMessage):
                    found[reply.xid - 1] = _error_name(version, reply.body)
                if isinstance(reply.body, BarrierReply) and reply.xid == end:
                    break
    return found


def _with_xid(message: bytes, xid: int) -> bytes:
    return message[:4] + xid.to_bytes(4, "big") + message[8:]


def _error_name(version: int, error: ErrorMessage) -> str:
    number = ErrorNumber(error.type, error.code, error.experimenter)
    return name_of(version, number) or str(number)


def dump(target: str, version: int, command: str = "dump-flows") -> list[str]:
    """What ovs-ofctl dumps, sorted, without times."""
    done = run(version, "--no-names", command, target)
    assert done.returncode == 0, done.stderr
    lines = (_STEADY.sub("", line) for line in done.stdout.splitlines()[1:])
    return sorted(_UNCOUNTED.sub(_zero, line) for line in lines)


def _zero(unknown: re.Match[str]) -> str:
    """The count of a flow that no packet has met."""
    return unknown[0].replace("?", "0")


def compare_live(
    where: Pair,
    version: int,
    setup: Sequence[bytes],
    lines: Sequence[str],
    messages: Sequence[bytes],
    tally: Tally,
    command: str = "dump-flows",
    clear: str = "del-flows",
) -> None:
    """Tells both switches the same; counts verdicts and dumps.

    Args:
        where: The switches.
        version: Wire version.
        setup: What comes first and must be taken.
        lines: Where the messages come from.
        messages: What ovs-ofctl made of the lines.
        tally: What is added to.
        command: What reads everything back.
        clear: What takes everything away.
    """
    for target in (where.ours, where.theirs):
        done = run(version, clear, target)
        assert done.returncode == 0, done.stderr
    kept = list(_offered(zip(lines, messages, strict=True)))
    whole = [*setup, *(message for _, message in kept)]
    ours, theirs = (verdicts(target, version, whole) for target in (where.ours, where.theirs))
    for (line, _), one, other in zip(kept, ours[len(setup) :], theirs[len(setup) :], strict=True):
        tally.check("taken or refused", version, line, one or "taken", other or "taken")
    shown = dump(where.ours, version, command), dump(where.theirs, version, command)
    tally.compared[command] = tally.compared.get(command, 0) + len(shown[1])
    extra, missing = (sorted(set(one) - set(other)) for one, other in (shown, shown[::-1]))
    for text in missing:
        near = difflib.get_close_matches(text, extra, 1, 0.5)
        tally.check(command, version, "dumped from both", near[0] if near else "nothing", text)
        if near:
            extra.remove(near[0])
    for text in extra:
        tally.check(command, version, "dumped from both", text, "nothing")
