"""Asks the datapath what would become of a packet, and tells the walk in the flow language."""

import json
import time
from typing import Protocol, TypedDict

from ovsflow.openflow.constants import Version
from ovsflow.openflow.instruction_codec import decode_instructions
from ovsflow.openflow.match_codec import decode_tlvs, encode_tlvs
from ovsflow.openflow.text.names import Names
from ovsflow.openflow.text.parse import parse_match
from ovsflow.openflow.text.render import render_instructions, render_match


class TraceStep(TypedDict):
    """One look at a table.

    Attributes:
        table: The table.
        rule: The match of the rule that was hit, as `dump-flows` prints it; `None` if none was.
        priority: The rule's.
        cookie: The rule's.
        actions: What the rule does, as `dump-flows` prints it.
        notes: What happened on the way, in words.
    """

    table: int
    rule: str | None
    priority: int | None
    cookie: int | None
    actions: str | None
    notes: list[str]


class Trace(TypedDict):
    """A packet's walk.

    Attributes:
        key: The packet's fields.
        steps: The tables it came by.
        datapath_actions: What is done to it in the end.
        mask: The bits that decided; a packet that differs elsewhere goes the same way.
        drop: Why it is dropped, `None` if it is not.
    """

    key: dict[str, str]
    steps: list[TraceStep]
    datapath_actions: list[str]
    mask: dict[str, str]
    drop: str | None


class _RawStep(TypedDict, total=False):
    """A step as the datapath tells it."""

    table: int
    rule: str | None
    priority: int
    cookie: int
    match_tlvs: str
    instructions: str
    notes: list[str]


class Tracer(Protocol):
    """The part of `ovsflow.datapath.Datapath` that traces."""

    def trace(self, match: bytes, frame: bytes | None, now_ns: int) -> str:
        """Walks the tables and tells the walk as JSON."""


def trace(datapath: Tracer, flow: str, frame: bytes | None, names: Names) -> Trace:
    """Walks the tables without touching anything.

    Args:
        datapath: Where.
        flow: The packet's fields as `ovs-ofctl` writes a match (`in_port=1,tcp,tp_dst=80`).
        frame: The packet itself, or `None` for one made up from the fields.
        names: Names of ports that the text may use.

    Raises:
        ParseError: The text is no match.
    """
    match = parse_match(flow, Version.OF13, names)
    told = json.loads(datapath.trace(encode_tlvs(match, Version.OF13), frame, time.monotonic_ns()))
    return Trace(
        key=told["key"],
        steps=[_step(step) for step in told["steps"]],
        datapath_actions=told["datapath_actions"],
        mask=told["mask"],
        drop=told["drop"],
    )


def _step(step: _RawStep) -> TraceStep:
    rule, actions = step.get("rule"), None
    if rule is not None:
        match = decode_tlvs(bytes.fromhex(step["match_tlvs"]), strict=False)
        instructions = decode_instructions(bytes.fromhex(step["instructions"]), Version.OF13)
        rule = render_match(match, step["priority"])
        actions = render_instructions(instructions)
    return TraceStep(
        table=step["table"],
        rule=rule,
        priority=step.get("priority"),
        cookie=step.get("cookie"),
        actions=actions,
        notes=step.get("notes", []),
    )
