"""Comparing sets of flows: `diff-flows` and `replace-flows`; and `bundle`, which applies a file."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ofctl import jsonform
from ofctl.commands.bundles import apply_together
from ofctl.commands.command import Command, with_session
from ofctl.commands.flows import flows_of, read_flows, read_lines, send_flows
from ofctl.errors import CommandError, parse_sentence
from ofctl.session import Session
from ofctl.settings import Settings
from ovsflow.errors import ParseError
from ovsflow.openflow.constants import DEFAULT_PRIORITY, FlowModCommand, Version
from ovsflow.openflow.flow_mod import FlowMod
from ovsflow.openflow.flow_stats_entry import FlowStats
from ovsflow.openflow.match import Match
from ovsflow.openflow.text.flow_text import FlowFilter
from ovsflow.openflow.text.keys import canonical
from ovsflow.openflow.text.parse import parse_flow, parse_group, parse_packet_out
from ovsflow.openflow.text.render import render_instructions, render_match
from ovsflow.openflow.text.written import parse_written
from ovsflow.openflow.wire import Body

_DIFFERENT = 2

Place = tuple[int, int, Match]
"""Table, priority and match: what makes a flow this flow and no other."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a flow does, in the form in which two are compared.

    Attributes:
        actions: Its instructions as text.
        cookie: Its cookie.
        idle_timeout: Seconds.
        hard_timeout: Seconds.
        importance: For eviction.
    """

    actions: str
    cookie: int = 0
    idle_timeout: int = 0
    hard_timeout: int = 0
    importance: int = 0


def plans(flows: Iterable[FlowMod | FlowStats], version: int) -> dict[Place, Plan]:
    """Flows by their place; of several at one place the last counts."""
    return {
        _place(flow, version): _plan(flow, render_instructions(flow.instructions, version))
        for flow in flows
    }


def _place(flow: FlowMod | FlowStats, version: int) -> Place:
    return flow.table_id, flow.priority, canonical(flow.match, version)


def _plan(flow: FlowMod | FlowStats, actions: str) -> Plan:
    return Plan(actions, flow.cookie, flow.idle_timeout, flow.hard_timeout, flow.importance)


def plan_line(place: Place, plan: Plan) -> str:
    """A flow in one line."""
    table, priority, match = place
    text = f"table={table} " if table else ""
    text += render_match(match, priority)
    for label, value in (
        ("cookie=0x", f"{plan.cookie:x}" if plan.cookie else ""),
        ("idle_timeout=", plan.idle_timeout or ""),
        ("hard_timeout=", plan.hard_timeout or ""),
        ("importance=", plan.importance or ""),
    ):
        if value:
            text += f" {label}{value}"
    return f"{text} actions={plan.actions}"


def _order(place: Place) -> tuple[int, int, str]:
    table, priority, match = place
    return table, -priority, render_match(match, DEFAULT_PRIORITY)


def _diff(settings: Settings, arguments: Sequence[str]) -> int:
    if all(map(_is_file, arguments)):
        one, other = (_written(name) for name in arguments)
    else:
        one, other = _sources(settings, arguments[0], arguments[1])
    lines = []
    for place in sorted({*one, *other}, key=_order):
        before, after = one.get(place), other.get(place)
        if before == after:
            continue
        if before is not None:
            lines.append(f"-{plan_line(place, before)}")
        if after is not None:
            lines.append(f"+{plan_line(place, after)}")
    if settings.json:
        forms: list[jsonform.Json] = [{"sign": line[0], "flow": line[1:]} for line in lines]
        sys.stdout.write(jsonform.dump(forms))
    else:
        sys.stdout.write("".join(f"{line}\n" for line in lines))
    return _DIFFERENT if lines else 0


def _written(name: str) -> dict[Place, Plan]:
    """The flows of a file that is compared with a file: word by word, for no version."""
    found = {}
    for number, line in read_lines(name):
        try:
            flow, actions = parse_written(line)
        except ParseError as error:
            raise CommandError(parse_sentence(error, f"{name}:{number}")) from None
        found[flow.table_id, flow.priority, flow.match] = _plan(flow, actions)
    return found


def _sources(
    settings: Settings, one: str, other: str
) -> tuple[dict[Place, Plan], dict[Place, Plan]]:
    """The flows of a switch and of another or a file, read for one version.

    What says the same there is equal, however a file says it.
    """
    version = max(settings.versions)
    sessions: dict[str, Session] = {}
    found = []
    try:
        for source in (one, other):
            if not _is_file(source) and source not in sessions:
                sessions[source] = Session(source, settings)
                version = min(version, sessions[source].version)
        for source in (one, other):
            session = sessions.get(source)
            if session is not None:
                # In the words of the older version: both sides say the same in the same way.
                found.append(plans(flows_of(session, FlowFilter()), version))
            else:
                found.append(plans(_file_flows(source, version), version))
    finally:
        for session in sessions.values():
            session.close()
    return found[0], found[1]


def _is_file(source: str) -> bool:
    return source[:1] in ("/", ".", "-") or (":" not in source and Path(source).is_file())


def _file_flows(name: str, version: int) -> Iterable[FlowMod]:
    for number, line in read_lines(name):
        try:
            yield parse_flow(line, FlowModCommand.ADD, version)
        except ParseError as error:
            raise CommandError(parse_sentence(error, f"{name}:{number}")) from None


def _replace(session: Session, arguments: Sequence[str]) -> None:
    wanted = list(read_flows(session, arguments[0], FlowModCommand.ADD))
    version = session.version
    have = plans(flows_of(session, FlowFilter()), version)
    want = plans(wanted, version)
    changes = []
    for table, priority, match in have.keys() - want.keys():
        delete = FlowMod(FlowModCommand.DELETE_STRICT, match, priority=priority, table_id=table)
        changes.append(delete)
    for flow in wanted:
        place = _place(flow, version)
        if session.settings.readd or have.get(place) != want[place]:
            changes.append(replace(flow, command=FlowModCommand.ADD))
    send_flows(session, changes, progress=True)


def _bundle(session: Session, arguments: Sequence[str]) -> None:
    session.needs(Version.OF13, "bundle")
    name = arguments[0]
    bodies: list[Body] = [
        _bundle_line(session, line, f"{name}:{number}") for number, line in read_lines(name)
    ]
    apply_together(session, bodies)


def _bundle_line(session: Session, line: str, place: str) -> Body:
    """`flow …`, `group …` or `packet-out …`."""
    kind, _, rest = line.partition(" ")
    version = session.version
    if kind == "flow":
        return session.parse(lambda names: parse_flow(rest, None, version, names), place)
    if kind == "group":
        return session.parse(lambda names: parse_group(rest, None, version, names), place)
    if kind == "packet-out":
        return session.parse(lambda names: parse_packet_out(rest, version, names), place)
    raise CommandError(f"{place}: unsupported bundle message type: {kind}")


_GROUP = "Flows"

COMMANDS = (
    Command(
        "replace-flows",
        "SWITCH FILE",
        "make the switch's flows those of a file (--readd: add again what is there already)",
        with_session(_replace),
        2,
        2,
        ("ofctl replace-flows br0 flows.txt",),
        _GROUP,
    ),
    Command(
        "diff-flows",
        "SOURCE1 SOURCE2",
        "compare the flows of two switches or files; exit status 2 if they differ",
        _diff,
        2,
        2,
        ("ofctl diff-flows br0 flows.txt",),
        _GROUP,
    ),
    Command(
        "bundle",
        "SWITCH FILE",
        "apply a file all together or not at all; each line is flow ..., group ... or "
        "packet-out ...",
        with_session(_bundle),
        2,
        2,
        ("ofctl bundle br0 changes.txt",),
        _GROUP,
    ),
)
