"""Comparisons with ovs-ofctl over many lines: what it reads, sends and prints, we do too.

Each function takes one batch, adds to a `Tally` and knows nothing of where the lines come from.
`campaign.py` runs them over tens of thousands of lines, `test_campaign.py` over a small share.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ofctl.printing.message import MessagePrinter
from ovsflow.errors import ParseError
from ovsflow.openflow import codec
from ovsflow.openflow.constants import Version
from ovsflow.openflow.flow_mod import FlowMod
from ovsflow.openflow.text.keys import canonical
from ovsflow.openflow.text.parse import parse_flow, parse_group, parse_meter
from ovsflow.openflow.wire import Body
from tests.ofctl.oracle import print_all, printed_flows, run
from tests.ofctl.recorder import sent_by_ovs_ofctl

_TABLE_OPTIONS = ("-F", "NXM+table_id")
_XID = slice(4, 8)
_TABLE = re.compile(rb"(^\x01\x04.{10}\0\0\0\x0d.{8})\xff", re.DOTALL)
_ENQUEUE = re.compile(rb"(\0\x15\0\x08.{4}\0\0\0\x10\0\0.{2})\xff\xff", re.DOTALL)
_FLOW_MOD, _VENDOR = 14, 4
_NXT_FLOW_MOD = 13

_WRITES_PORT = re.compile("set_field:[0-9a-fx]+->(tcp|udp|sctp)_(src|dst)")
_UNREADABLE = "decode error"
"""In what it prints of messages that it makes itself and cannot read back."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One line on which the two do not agree."""

    what: str
    version: int
    line: str
    ours: str
    theirs: str

    def __str__(self) -> str:
        """A paragraph."""
        return (
            f"{self.what}, {Version(self.version).name}: {self.line}\n"
            f"  ours   {self.ours}\n  theirs {self.theirs}"
        )


@dataclass
class Tally:
    """What a run has found.

    Attributes:
        compared: Comparisons of each kind.
        differences: Those that failed.
    """

    compared: dict[str, int] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)

    def check(self, what: str, version: int, line: str, ours: str, theirs: str) -> None:
        """Counts a comparison."""
        self.compared[what] = self.compared.get(what, 0) + 1
        if ours != theirs:
            self.differences.append(Difference(what, version, line, ours, theirs))


def compare_flows(
    version: int, lines: Sequence[str], scratch: Path, tally: Tally
) -> tuple[list[str], list[bytes]]:
    """Lines for add-flow; returns those that ovs-ofctl takes, and all that it sends for them."""
    taken = []
    for line, theirs in zip(lines, printed_flows(version, lines, scratch), strict=True):
        flow = _read_flow(line, version)
        if theirs is None:
            _check_refusal(version, line, flow, tally)
        elif _UNREADABLE not in theirs:
            taken.append((line, flow))
    file = scratch / "flows.txt"
    file.write_text("".join(f"{line}\n" for line, _ in taken))
    options = _TABLE_OPTIONS if version == Version.OF10 else ()
    sent, done = sent_by_ovs_ofctl(version, "add-flows", str(file), scratch, options)
    assert done.returncode == 0, done.stderr
    mods = [message for message in sent if is_flow_mod(message)]
    for (line, flow), theirs_sent in zip(taken, mods, strict=True):
        ours = flow if isinstance(flow, str) else _encoded(flow, version)
        theirs = without_xid(theirs_sent)
        if ours != theirs:
            theirs = _as_we_say_it(theirs_sent, version)
        tally.check("flow, bytes", version, line, ours, theirs)
    compare_printing("flow, printed", version, [line for line, _ in taken], mods, tally)
    return [line for line, _ in taken], sent


def _read_flow(line: str, version: int) -> FlowMod | str:
    try:
        return parse_flow(line, version=version)
    except ParseError as error:
        return f"error: {error}"


def _encoded(flow: FlowMod, version: int) -> str:
    old = version == Version.OF10
    return without_xid(codec.encode(replace(flow, nicira=old, table_in_command=old), version))


def _as_we_say_it(message: bytes, version: int) -> str:
    """A message of theirs, in our words where two ways mean the same.

    OpenFlow 1.0: a table that is not named is table 0, not "any".  Later: an output to a queue
    tells no length for the controller, a mask that covers all of a field goes without saying, and
    in OpenFlow 1.5 two registers are two fields, not one of twice the width.
    """
    if version == Version.OF10:
        return without_xid(_TABLE.sub(rb"\1\0", message, count=1))
    body = codec.decode(_ENQUEUE.sub(rb"\1\0\0", message)).body
    assert isinstance(body, FlowMod)
    plain = replace(body, match=canonical(body.match, version))
    return without_xid(codec.encode(plain, version))


def _check_refusal(version: int, line: str, flow: FlowMod | str, tally: Tally) -> None:
    done = run(version, "parse-flow", line)
    errors = [text for text in done.stderr.splitlines() if text.startswith("ovs-ofctl: ")]
    theirs = f"error: {errors[-1].removeprefix('ovs-ofctl: ')}" if errors else "error"
    ours = flow if isinstance(flow, str) else "taken"
    if ours == "taken" and version == Version.OF10 and _WRITES_PORT.search(line):
        return  # Does nothing without such a port, as mod_tp_dst, which is taken.
    tally.check("flow, refused", version, line, ours, theirs)


def is_flow_mod(message: bytes) -> bool:
    """Whether a message changes flows, in the standard's form or Nicira's."""
    vendor = message[0] == Version.OF10 and message[1] == _VENDOR
    if vendor:
        return int.from_bytes(message[12:16], "big") == _NXT_FLOW_MOD
    return message[1] == _FLOW_MOD


def without_xid(message: bytes) -> str:
    """A message in hexadecimal, with transaction id 0."""
    return (message[: _XID.start] + bytes(4) + message[_XID.stop :]).hex()


def compare_groups(
    version: int, lines: Sequence[str], scratch: Path, tally: Tally
) -> tuple[list[str], list[bytes]]:
    """Lines for add-group; returns those that ovs-ofctl takes and what it sends for them."""

    def read(line: str) -> Body:
        return parse_group(line, version=version)

    return _compare_one_by_one("group", read, version, lines, scratch, tally)


def compare_meters(
    version: int, lines: Sequence[str], scratch: Path, tally: Tally
) -> tuple[list[str], list[bytes]]:
    """Lines for add-meter; returns those that ovs-ofctl takes and what it sends for them."""
    return _compare_one_by_one("meter", parse_meter, version, lines, scratch, tally)


def _compare_one_by_one(
    what: str,
    read: Callable[[str], Body],
    version: int,
    lines: Sequence[str],
    scratch: Path,
    tally: Tally,
) -> tuple[list[str], list[bytes]]:
    """Lines for `add-WHAT`, one process each."""
    taken: list[tuple[str, str, bytes]] = []
    for line in lines:
        sent, done = sent_by_ovs_ofctl(version, f"add-{what}", line, scratch)
        try:
            ours = without_xid(codec.encode(read(line), version))
        except ParseError as error:
            ours = f"error: {error}"
        if done.returncode:
            theirs = done.stderr.strip().splitlines()[-1].removeprefix("ovs-ofctl: ")
            tally.check(f"{what}, refused", version, line, ours, f"error: {theirs}")
        else:
            taken.append((line, ours, sent[-1]))
    printed = print_all([message for _, _, message in taken])
    readable = [one for one, text in zip(taken, printed, strict=True) if _UNREADABLE not in text]
    for line, ours, message in readable:
        tally.check(f"{what}, bytes", version, line, ours, without_xid(message))
    sent_all = [message for _, _, message in readable]
    lines = [line for line, _, _ in readable]
    compare_printing(f"{what}, printed", version, lines, sent_all, tally)
    return list(lines), sent_all


def compare_printing(
    what: str,
    version: int,
    lines: Sequence[str],
    messages: Sequence[bytes],
    tally: Tally,
) -> None:
    """Messages in bytes, each as both print it; `lines` say where they come from."""
    printer = MessagePrinter()
    theirs = print_all(messages)
    for line, message, text in zip(lines, messages, theirs, strict=True):
        tally.check(what, version, line, printer.bytes_text(message).strip(), text.strip())
