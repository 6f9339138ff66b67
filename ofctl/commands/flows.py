"""Commands about flows."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from ofctl import jsonform
from ofctl.commands.bundles import apply_together
from ofctl.commands.command import Command, with_session
from ofctl.commands.switch import show_parts
from ofctl.connection import PART_BYTES, PART_FLAGS, SwitchRefusedError
from ofctl.errors import CommandError
from ofctl.printing.message import heading
from ofctl.session import Session
from ovsflow.openflow.codec import Received
from ovsflow.openflow.constants import ALL_TABLES, FlowModCommand, Version
from ovsflow.openflow.fields import by_name
from ovsflow.openflow.flow_mod import FlowMod
from ovsflow.openflow.flow_stats import AggregateRequest, FlowStatsReply, FlowStatsRequest
from ovsflow.openflow.flow_stats_entry import FlowStats
from ovsflow.openflow.multipart import StatsRequest
from ovsflow.openflow.nicira import FlowModTableId
from ovsflow.openflow.text.flow_dump import FlowDump, split_flows
from ovsflow.openflow.text.flow_forms import Form, number_form, text_form
from ovsflow.openflow.text.flow_mold import FlowMolds
from ovsflow.openflow.text.flow_text import FlowFilter
from ovsflow.openflow.text.keys import field_value
from ovsflow.openflow.text.names import NUMBERS, Names
from ovsflow.openflow.text.parse import logical_lines, parse_flow, parse_flow_filter

_GROUP = "Flows"

# A file is read and sent in pieces, so that the first flows are in place while the last are read.
_PIECE = 1000
_PATIENCE = 1.0


def read_lines(name: str) -> Iterator[tuple[int, str]]:
    """The lines of a flow file, `-` for standard input, with their numbers."""
    if name == "-":
        yield from logical_lines(sys.stdin.read())
        return
    try:
        with open(name, encoding="utf-8") as file:
            yield from logical_lines(file.read())
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise CommandError(f"{name}: open failed ({reason})") from None


def read_flows(
    session: Session, name: str, command: FlowModCommand | None = None
) -> Iterator[FlowMod]:
    """The flows of a file; an error names the file and the line."""
    for number, line in read_lines(name):
        yield _read_flow(session, line, command, f"{name}:{number}")


def _read_flow(
    session: Session, line: str, command: FlowModCommand | None, place: str = ""
) -> FlowMod:
    return session.parse(lambda names: parse_flow(line, command, session.version, names), place)


def send_flows(session: Session, flows: Iterable[FlowMod], *, progress: bool = False) -> None:
    """Sends flow modifications, in one bundle if the options say so; an error ends the command."""
    if session.settings.bundle:
        apply_together(session, list(flows))
        return
    with _progress(progress, "flows sent") as tell:
        piece: list[FlowMod] = []
        sent = 0
        for flow in flows:
            piece.append(flow)
            if len(piece) == _PIECE:
                session.change(prepare(session, piece))
                sent += len(piece)
                tell(sent)
                piece = []
        session.change(prepare(session, piece))


def prepare(session: Session, flows: Sequence[FlowMod]) -> Sequence[FlowMod]:
    """Makes flows fit OpenFlow 1.0, which names tables only after it is asked to."""
    if session.version != Version.OF10 or not names_tables(flows):
        return flows
    if session.connection.tell([FlowModTableId(True)]):
        raise CommandError(f"{session.target}: this switch cannot name tables in OpenFlow 1.0")
    return [replace(flow, table_in_command=True) for flow in flows]


def names_tables(flows: Iterable[FlowMod]) -> bool:
    """Whether a flow is for another table than the first."""
    return any(flow.table_id not in (0, ALL_TABLES) for flow in flows)


@contextmanager
def _progress(wanted: bool, done: str) -> Iterator["_Progress"]:
    """Tells on the terminal how much is `done`, once that takes over a second."""
    progress = _Progress(wanted and sys.stderr.isatty(), done)
    try:
        yield progress
    finally:
        progress.end()


class _Progress:
    """A line on the terminal that counts."""

    def __init__(self, wanted: bool, done: str) -> None:
        self.wanted = wanted
        self.done = done
        self.start = time.monotonic()
        self.shown = False

    def __call__(self, count: int) -> None:
        """Shows the count."""
        took = time.monotonic() - self.start
        if self.wanted and took > _PATIENCE:
            self.shown = True
            sys.stderr.write(f"\r{count} {self.done}, {count / took:.0f} a second")
            sys.stderr.flush()

    def end(self) -> None:
        """Clears the line."""
        if self.shown:
            sys.stderr.write("\r\33[K")


def _add_flow(session: Session, arguments: Sequence[str]) -> None:
    _one(session, arguments, FlowModCommand.ADD)


def _one(session: Session, arguments: Sequence[str], command: FlowModCommand) -> None:
    text = arguments[0] if arguments else ""
    if text == "-":
        send_flows(session, read_flows(session, "-", command))
        return
    send_flows(session, [_read_flow(session, text, command)])


def _add_flows(session: Session, arguments: Sequence[str]) -> None:
    # The whole file is read before the first flow is sent: an error in it changes nothing.
    if session.settings.bundle or session.version < Version.OF13:
        send_flows(session, list(read_flows(session, arguments[0])), progress=True)
        return
    with _progress(True, "flows read") as tell:
        messages = []
        for message in _flow_messages(session, arguments[0]):
            messages.append(message)
            if len(messages) % _PIECE == 0:
                tell(len(messages))
    with _progress(True, "flows sent") as tell:
        for start in range(0, len(messages), _PIECE):
            session.change_bytes(messages[start : start + _PIECE])
            tell(start + _PIECE)


def _flow_messages(session: Session, name: str) -> Iterator[bytes]:
    """The flows of a file as messages: of a million there is no time to make objects."""
    molds = FlowMolds(session.version)
    for number, line in read_lines(name):
        place = f"{name}:{number}"
        yield molds.encode(line, partial(_read_flow, session, command=None, place=place))


def _mod_flows(session: Session, arguments: Sequence[str]) -> None:
    strict = session.settings.strict
    command = FlowModCommand.MODIFY_STRICT if strict else FlowModCommand.MODIFY
    _one(session, arguments, command)


def _del_flows(session: Session, arguments: Sequence[str]) -> None:
    strict = session.settings.strict
    command = FlowModCommand.DELETE_STRICT if strict else FlowModCommand.DELETE
    _one(session, arguments, command)


def flow_filter(session: Session, text: str) -> FlowFilter:
    """Reads which flows are meant."""

    def read(names: Names) -> FlowFilter:
        return parse_flow_filter(text, session.version, names)

    return session.parse(read)


def flow_parts(session: Session, wanted: FlowFilter) -> Iterator[Received]:
    """Asks for flows; OpenFlow 1.0 in Nicira's form, which tells all, if the switch has it."""
    yield from _nicira_first(session, _flow_request(session, wanted))


def _flow_request(session: Session, wanted: FlowFilter) -> FlowStatsRequest:
    return FlowStatsRequest(
        wanted.match,
        wanted.table_id,
        wanted.out_port,
        wanted.out_group,
        wanted.cookie,
        wanted.cookie_mask,
        nicira=session.version == Version.OF10,
    )


def _nicira_first(
    session: Session, request: FlowStatsRequest | AggregateRequest
) -> Iterator[Received]:
    parts = session.connection.parts(request)
    try:
        first = next(parts)
    except SwitchRefusedError:
        if not request.nicira or request.cookie_mask:
            raise
        plain: StatsRequest = replace(request, nicira=False)
        yield from session.connection.parts(plain)
        return
    yield first
    yield from parts


def flows_of(session: Session, wanted: FlowFilter) -> Iterator[FlowStats]:
    """The flows of a switch."""
    for part in flow_parts(session, wanted):
        if isinstance(part.body, FlowStatsReply):
            yield from part.body.flows


def _dump_flows(session: Session, arguments: Sequence[str]) -> None:
    settings, version = session.settings, session.version
    wanted = flow_filter(session, "".join(arguments))
    # As a list for people or scripts, without the heading of each part of the reply?
    listed = bool(settings.sort) or not settings.stats or settings.shows_names
    if not settings.json and not listed:
        _dump_parts(session, wanted)
        return
    names = session.printer(tables=True).names
    texts: Iterable[str]
    if version >= Version.OF13:
        json_form, words = jsonform.flow_form, _text_form(session, names)
        dump = FlowDump(version, json_form(version, names) if settings.json else words)
        texts = map(dump.text, _sorted_records(session, wanted))
    elif settings.json:
        flows = _sorted(session, flows_of(session, wanted))
        texts = (jsonform.item(jsonform.plain(flow, version, names)) for flow in flows)
    else:
        render = _text_form(session, names).render
        flows = _sorted(session, flows_of(session, wanted))
        texts = (render(replace(flow, idle_age=None, hard_age=None)) for flow in flows)
    if settings.json:
        sys.stdout.writelines(jsonform.list_of(texts))
    else:
        sys.stdout.writelines(f" {text}\n" for text in texts)


def _text_form(session: Session, names: Names) -> Form:
    return text_form(session.version, names, session.settings.paint, session.settings.stats)


def _dump_parts(session: Session, wanted: FlowFilter) -> None:
    """Prints each part of the reply as it comes."""
    if session.version < Version.OF13:
        session.show(flow_parts(session, wanted))
        return
    dump = FlowDump(session.version, _text_form(session, NUMBERS))
    for data in _flow_data(session, wanted):
        part = FlowStatsReply(more=bool(data[PART_FLAGS] & 1))
        message = Received(session.version, int.from_bytes(data[4:8], "big"), part)
        lines = [f" {dump.text(record)}\n" for record in split_flows(data[PART_BYTES:])]
        sys.stdout.write(f"{heading(message)}\n{''.join(lines)}")


def _flow_data(session: Session, wanted: FlowFilter) -> Iterator[bytes]:
    """The parts of the reply without an object for each flow: a million are no rarity."""
    size = 0
    # Where the flows themselves run down the terminal, they are progress enough.
    with _progress(not sys.stdout.isatty(), "bytes read") as tell:
        for data in session.connection.byte_parts(_flow_request(session, wanted)):
            yield data
            size += len(data)
            tell(size)


def _sorted_records(session: Session, wanted: FlowFilter) -> Iterable[bytes]:
    """Each flow in bytes, in the order that the options ask for."""
    data = _flow_data(session, wanted)
    flows = (record for part in data for record in split_flows(part[PART_BYTES:]))
    if not session.settings.sort:
        return flows
    value_of = _sort_value(session)
    keys = FlowDump(session.version, number_form(value_of))

    def key(record: bytes) -> tuple[bool, int]:
        text = keys.text(record)
        return _sort_key(session, int(text) if text else None)

    return sorted(flows, key=key)


def _sorted(session: Session, flows: Iterable[FlowStats]) -> Iterable[FlowStats]:
    """The same for flows that are objects."""
    if not session.settings.sort:
        return flows
    value_of = _sort_value(session)
    return sorted(flows, key=lambda flow: _sort_key(session, value_of(flow)))


def _sort_value(session: Session) -> Callable[[FlowStats], int | None]:
    """What the options sort flows by."""
    word = session.settings.sort
    known = by_name(word)
    if known is not None:
        name = known.name
        return lambda flow: field_value(flow.match, name)
    if word != "priority":
        raise CommandError(
            f"{word}: unknown field to sort by; there are priority and all that flows match, like "
            "in_port or nw_dst"
        )
    return lambda flow: flow.priority


def _sort_key(session: Session, value: int | None) -> tuple[bool, int]:
    """Equal flows keep the switch's order, and those without the field come last, either way."""
    sign = -1 if session.settings.descending else 1
    return value is None, sign * (value or 0)


def _dump_aggregate(session: Session, arguments: Sequence[str]) -> None:
    wanted = flow_filter(session, "".join(arguments))
    request = AggregateRequest(
        wanted.match,
        wanted.table_id,
        wanted.out_port,
        wanted.out_group,
        wanted.cookie,
        wanted.cookie_mask,
        nicira=session.version == Version.OF10,
    )
    if session.settings.json:
        show_parts(session, request)
    else:
        session.show(_nicira_first(session, request))


COMMANDS = (
    Command(
        "add-flow",
        "SWITCH FLOW",
        "add a flow (- reads flows from standard input)",
        with_session(_add_flow),
        2,
        2,
        (
            "ofctl add-flow br0 'in_port=1,actions=output:2'",
            "ofctl add-flow br0 'in_port=1,actions=set_field:10->tun_id,"
            "set_field:192.0.2.2->tun_dst,output:vxlan0'",
            "ofctl add-flow br0 'priority=10,tcp,tp_dst=80,actions=goto_table:2'",
        ),
        _GROUP,
    ),
    Command(
        "add-flows",
        "SWITCH FILE",
        "add flows from a file (- for standard input); lines may begin with add, modify, "
        "modify_strict, delete or delete_strict",
        with_session(_add_flows),
        2,
        2,
        ("ofctl add-flows br0 flows.txt", "ofctl --bundle add-flows br0 flows.txt"),
        _GROUP,
    ),
    Command(
        "mod-flows",
        "SWITCH FLOW",
        "change the actions of flows that match (--strict: of exactly this flow)",
        with_session(_mod_flows),
        2,
        2,
        ("ofctl mod-flows br0 'ip,nw_dst=192.0.2.0/24,actions=drop'",),
        _GROUP,
    ),
    Command(
        "del-flows",
        "SWITCH [FLOW]",
        "delete flows that match; without FLOW all flows of all tables",
        with_session(_del_flows),
        1,
        2,
        (
            "ofctl del-flows br0",
            "ofctl del-flows br0 'table=1,in_port=1'",
            "ofctl del-flows br0 cookie=0x5/-1",
            "ofctl --strict del-flows br0 'priority=10,tcp'",
        ),
        _GROUP,
    ),
    Command(
        "dump-flows",
        "SWITCH [FLOW]",
        "show flows that match; without FLOW all",
        with_session(_dump_flows),
        1,
        2,
        (
            "ofctl dump-flows br0",
            "ofctl dump-flows br0 table=1,ip",
            "ofctl --no-stats --names --sort dump-flows br0",
            "ofctl --json dump-flows br0 out_port=2",
        ),
        _GROUP,
    ),
    Command(
        "dump-aggregate",
        "SWITCH [FLOW]",
        "show how many flows match, and their packets and bytes in sum",
        with_session(_dump_aggregate),
        1,
        2,
        ("ofctl dump-aggregate br0 table=0",),
        _GROUP,
    ),
)
