"""Asks the datapath what would become of a packet, and tells the walk in the flow language."""

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any, Protocol, TypedDict

from ovsflow.openflow.action_codec import decode_actions
from ovsflow.openflow.compose import compose
from ovsflow.openflow.constants import DEFAULT_PRIORITY, Version
from ovsflow.openflow.instruction_codec import decode_instructions
from ovsflow.openflow.instructions import Instructions
from ovsflow.openflow.match_codec import decode_tlvs, encode_tlvs
from ovsflow.openflow.text.names import Names
from ovsflow.openflow.text.parse import parse_match
from ovsflow.openflow.text.render import render_actions, render_instructions, render_match

_Told = Mapping[str, Any]
"""What the datapath tells as JSON (`_native.pyi` has its form)."""


class TraceStep(TypedDict):
    """One look at a table.

    Attributes:
        table: The table.
        rule: The match of the rule that was hit, as `dump-flows` prints it; `None` if none was.
        priority: The rule's.
        cookie: The rule's.
        actions: What the rule does, as `dump-flows` prints it.
    """

    table: int
    rule: str | None
    priority: int | None
    cookie: int | None
    actions: str | None


class Trace(TypedDict):
    """A packet's walk.

    Attributes:
        text: The walk for people, line by line.
        key: The packet's fields.
        steps: The tables it came by.
        datapath_actions: What is done to it in the end, up to where it comes back to the tables.
        mask: The bits that decided; a packet that differs elsewhere goes the same way.
        leaves: What becomes of this very packet: `{"port": "2", "frame": hex}` and the like.
        drop: The name of the reason why it is dropped, `None` if it is not.
        why: That reason in words.
    """

    text: list[str]
    key: dict[str, str]
    steps: list[TraceStep]
    datapath_actions: list[str]
    mask: dict[str, str]
    leaves: list[dict[str, str]]
    drop: str | None
    why: str | None


class Tracer(Protocol):
    """The part of `ovsflow.datapath.Datapath` that traces."""

    def trace(self, match: bytes, frame: bytes | None, now_ns: int) -> str:
        """Walks the tables and tells the walk as JSON."""


def trace(datapath: Tracer, flow: str, frame: bytes | None, names: Names) -> Trace:
    """Walks the tables without touching anything.

    Args:
        datapath: The switch.
        flow: The packet's fields as a match.
        frame: The packet, or `None` to make one up from the fields.
        names: Names of ports.

    Raises:
        ParseError: The text is no match.
    """
    match = parse_match(flow, Version.OF13, names)
    if frame is None:
        frame = compose(match)
    told = json.loads(datapath.trace(encode_tlvs(match, Version.OF13), frame, time.monotonic_ns()))
    return Trace(
        text=list(_story(told, names)),
        key=told["key"],
        steps=[_step(step, names) for step in told["steps"]],
        datapath_actions=told["datapath_actions"],
        mask=told["mask"],
        leaves=told["leaves"],
        drop=told["drop"],
        why=told["why"],
    )


def _step(step: _Told, names: Names) -> TraceStep:
    rule, actions = step["rule"], None
    if rule is not None:
        rule = _rule(step, names, step["priority"])
        actions = render_instructions(_instructions(step), names=names)
    return TraceStep(
        table=step["table"],
        rule=rule,
        priority=step.get("priority"),
        cookie=step.get("cookie"),
        actions=actions,
    )


def _rule(step: _Told, names: Names, priority: int = DEFAULT_PRIORITY) -> str:
    match = decode_tlvs(bytes.fromhex(step["match_tlvs"]), strict=False)
    return render_match(match, priority, names)


def _instructions(step: _Told) -> Instructions:
    return decode_instructions(bytes.fromhex(step["instructions"]), Version.OF13)


def _story(told: _Told, names: Names) -> Iterator[str]:
    """The walk, in the shape that `ovs-appctl ofproto/trace` has made known."""
    for number, each in enumerate([told, *told["more"]]):
        if number:
            yield ""
            yield f"The packet comes back to the tables ({number}):"
        key = ",".join(f"{name}={value}" for name, value in each["key"].items())
        yield f"Packet: {key or 'any'}"
        yield ""
        for event in each["events"]:
            yield from _event(event, names)
        yield ""
        yield f"Megaflow: {each['megaflow']}"
        yield f"Datapath actions: {','.join(filter(None, each['datapath_actions']))}"
    yield from _outcome(told, names)


def _event(event: _Told, names: Names) -> Iterator[str]:
    """One thing that happened, indented by its depth."""
    margin = "    " * (event["depth"] + 1)
    if "table" in event:
        step = event["table"]
        title = f"{'    ' * event['depth']}{step['table']:>2}. "
        yield title + (_title(step, names) if step["rule"] is not None else "no match")
        if step["rule"] is not None and _instructions(step) == Instructions():
            yield f"{margin}drop"
    elif "learns" in event:
        step = event["learns"]
        rule = ",".join(
            filter(None, [f"table={step['table']}", _rule(step, names, step["priority"])])
        )
        actions = render_instructions(_instructions(step), names=names)
        yield f"{margin} >> would learn: {rule} actions={actions}"
    elif "action" in event:
        yield margin + _actions(event["action"], names)
    elif "write_actions" in event:
        yield f"{margin}write_actions({_actions(event['write_actions'], names)})"
    elif "instruction" in event:
        yield margin + event["instruction"]
    else:
        yield f"{margin} >> {event['note']}"


def _title(step: _Told, names: Names) -> str:
    rule = _rule(step, names) or "any packet"
    cookie = f", cookie {step['cookie']:#x}" if step["cookie"] else ""
    return f"{rule}, priority {step['priority']}{cookie}"


def _actions(encoded: str, names: Names) -> str:
    return render_actions(decode_actions(bytes.fromhex(encoded), Version.OF15), names=names)


def _outcome(told: _Told, names: Names) -> Iterator[str]:
    """What becomes of this very packet."""
    for each in told["leaves"]:
        if "port" in each:
            number = each["port"]
            name = names.ports.get(int(number)) if number.isdigit() else None
            where = f"port {number}" + (f" ({name})" if name else "")
            tunnel = f" through a tunnel ({each['tunnel']})" if "tunnel" in each else ""
            yield f"Leaves: {where}{tunnel}, {len(each['frame']) // 2} bytes: {each['frame']}"
        elif "controller" in each:
            yield f"Leaves: to the controller (reason={each['controller']})"
        elif "drop" in each and not told["drop"]:
            yield f"Lost: a copy ({each['drop']})"
        elif "picks" in each:
            yield f"Its hash picks: {each['picks']}"
    if told["drop"]:
        yield f"Dropped: {told['why']} ({told['drop']})"
