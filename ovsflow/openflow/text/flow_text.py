"""Flows as text: one line of `add-flow`, `dump-flows` or a flow file.

Owns the keywords of a flow that are not fields (table, priority, cookie, timeouts, flags) and the
layout of the printed lines.
"""

from dataclasses import dataclass, field

from ovsflow.openflow.constants import (
    ALL_TABLES,
    DEFAULT_PRIORITY,
    NO_BUFFER,
    VERSION_NAMES,
    FlowFlag,
    FlowModCommand,
    GroupNumber,
    PortNumber,
    Version,
)
from ovsflow.openflow.flow_mod import FlowMod
from ovsflow.openflow.flow_stats_entry import FlowStats
from ovsflow.openflow.instructions import Instructions
from ovsflow.openflow.match import Match
from ovsflow.openflow.text.action_parse import ActionParser
from ovsflow.openflow.text.action_render import ActionRenderer
from ovsflow.openflow.text.check import check_flow, invalid
from ovsflow.openflow.text.instruction_text import instruction_words, parse_instruction_list
from ovsflow.openflow.text.keys import Keys
from ovsflow.openflow.text.match_text import match_words, put_field
from ovsflow.openflow.text.names import (
    NUMBERS,
    Names,
    find_port,
    parse_table,
    render_port,
    render_table,
)
from ovsflow.openflow.text.paint import PLAIN, Paint
from ovsflow.openflow.text.scan import BLANKS, SEPARATORS, Pair, Piece, bad, pairs
from ovsflow.openflow.text.values import number, small, wide

COMMANDS = {
    "add": FlowModCommand.ADD,
    "delete": FlowModCommand.DELETE,
    "delete_strict": FlowModCommand.DELETE_STRICT,
    "modify": FlowModCommand.MODIFY,
    "modify_strict": FlowModCommand.MODIFY_STRICT,
}
"""Words that may open a line of a flow file; a beginning of the word is enough."""

FLAGS = {
    "send_flow_rem": FlowFlag.SEND_FLOW_REM,
    "check_overlap": FlowFlag.CHECK_OVERLAP,
    "reset_counts": FlowFlag.RESET_COUNTS,
    "no_packet_counts": FlowFlag.NO_PKT_COUNTS,
    "no_byte_counts": FlowFlag.NO_BYT_COUNTS,
}

# Flags that came after OpenFlow 1.0.
_SINCE = {
    "reset_counts": Version.OF12,
    "no_packet_counts": Version.OF13,
    "no_byte_counts": Version.OF13,
}

_ADDS = (FlowModCommand.ADD,)
_MODIFIES = (FlowModCommand.MODIFY, FlowModCommand.MODIFY_STRICT)
_DELETES = (FlowModCommand.DELETE, FlowModCommand.DELETE_STRICT)
_STRICT = (FlowModCommand.MODIFY_STRICT, FlowModCommand.DELETE_STRICT)

# What dump-flows prints and add-flow need not heed.
_IGNORED = ("duration", "n_packets", "n_bytes", "idle_age", "hard_age")
_NOISE = ("no_readonly_table", "allow_hidden_fields")

_TIMEOUTS = ("idle_timeout", "hard_timeout")
_COMMAND_WORDS = {
    FlowModCommand.ADD: "ADD",
    FlowModCommand.MODIFY: "MOD",
    FlowModCommand.MODIFY_STRICT: "MOD_STRICT",
    FlowModCommand.DELETE: "DEL",
    FlowModCommand.DELETE_STRICT: "DEL_STRICT",
}


@dataclass(frozen=True, slots=True)
class FlowFilter:
    """Which flows to show or to sum up; attributes as `FlowStatsRequest`'s."""

    match: Match = Match()  # noqa: RUF009 - frozen
    table_id: int = ALL_TABLES
    out_port: int = PortNumber.ANY
    out_group: int = GroupNumber.ANY
    cookie: int = 0
    cookie_mask: int = 0


@dataclass
class _Line:
    """What has been read of one flow."""

    command: FlowModCommand | None
    version: int
    names: Names
    keys: Keys = field(default_factory=Keys)
    flags: int = 0
    numbers: dict[str, int] = field(default_factory=dict)

    def take(self, pair: Pair) -> None:
        """Takes in one key that is not a field's."""
        name, value = pair.name, pair.value
        if name in FLAGS and self.command in (*_ADDS, *_MODIFIES):
            if name in _SINCE and self.version < _SINCE[name]:
                raise bad(pair.key, f"{name} needs {VERSION_NAMES[_SINCE[name]]} or later")
            self.flags |= FLAGS[name]
            return
        if name in _NOISE:
            return
        if not value.text:
            raise bad(pair.key, f"field {name} missing value")
        if name == "table":
            self.numbers["table_id"] = parse_table(value, self.names)
        elif name == "cookie":
            self._cookie(value)
        elif name in ("out_port", "out_group") and self.command in (None, *_DELETES):
            self._out(name, value)
        elif name == "priority" and self.command in (*_ADDS, *_STRICT):
            self.numbers["priority"] = small(value, "priority")
        elif name in _TIMEOUTS and self.command in (*_ADDS, *_MODIFIES):
            self.numbers[name] = small(value, name)
        elif name == "importance" and self.command in _ADDS:
            self.numbers["importance"] = small(value, name)
        elif name not in _IGNORED:
            raise bad(pair.key, f"unknown keyword {name}")

    def _cookie(self, value: Piece) -> None:
        plain, mask = value.partition("/")
        if mask is not None:
            if self.command in _ADDS:
                raise bad(value, "flow additions cannot use a cookie mask")
            self.numbers["filter_mask"] = wide(mask, 64)
            self.numbers["filter"] = wide(plain, 64) & self.numbers["filter_mask"]
        elif self.command in (*_ADDS, *_MODIFIES):
            self.numbers["cookie"] = wide(value, 64)
        else:
            example = f"e.g. cookie={value.text}/-1"
            message = f"cannot set cookie (to match on a cookie, specify a mask, {example})"
            raise bad(value, message)

    def _out(self, name: str, value: Piece) -> None:
        if name == "out_group":
            group = GroupNumber.ALL if value.text.lower() == "all" else number(value.text)
            if value.text.lower() in ("any", "none"):
                group = GroupNumber.ANY
            if group is None or not 0 <= group <= GroupNumber.ANY:
                raise bad(value, f"{value.text} is not a valid OpenFlow group")
            self.numbers["out_group"] = int(group)
            return
        port = find_port(value.text, self.names)
        if port is None:
            raise bad(value, f"{value.text} is not a valid OpenFlow port")
        self.numbers["out_port"] = port


def parse_flow_line(
    piece: Piece,
    command: FlowModCommand | None = FlowModCommand.ADD,
    version: int = Version.OF13,
    names: Names = NUMBERS,
) -> FlowMod:
    """Reads a flow modification; with `command` `None` the line may begin with a command."""
    if command is None:
        command, piece = _command(piece)
    head, actions = _split_actions(piece) if command in (*_ADDS, *_MODIFIES) else (piece, None)
    if actions is None and command in (*_ADDS, *_MODIFIES):
        raise bad(piece, "must specify an action")
    line = _read(head, command, version, names)
    numbers = line.numbers
    instructions = Instructions()
    if actions is not None:
        parser = ActionParser.within(line.keys, version, names)
        instructions = parse_instruction_list(actions, parser)
        check_flow(line.keys, instructions, version, actions)
        if instructions.goto is not None and instructions.goto <= numbers.get("table_id", 0):
            raise invalid(actions, "OFPBIC_BAD_TABLE_ID")
    default_table = ALL_TABLES if command in _DELETES else 0
    cookie, mask = numbers.get("cookie", 0), 0
    if "filter_mask" in numbers:
        cookie, mask = numbers["filter"], numbers["filter_mask"]
    return FlowMod(
        command=command,
        match=line.keys.match(version),
        instructions=instructions,
        priority=numbers.get("priority", DEFAULT_PRIORITY),
        table_id=numbers.get("table_id", default_table),
        idle_timeout=numbers.get("idle_timeout", 0),
        hard_timeout=numbers.get("hard_timeout", 0),
        cookie=cookie,
        cookie_mask=mask,
        flags=line.flags,
        importance=numbers.get("importance", 0) if version >= Version.OF14 else 0,
        out_port=numbers.get("out_port", PortNumber.ANY),
        out_group=numbers.get("out_group", GroupNumber.ANY),
    )


def parse_head(piece: Piece) -> tuple[Keys, Piece]:
    """Reads the match of a flow that is added, and cuts its actions off.

    Raises:
        ParseError: It has no actions, too.
    """
    head, actions = _split_actions(piece)
    if actions is None:
        raise bad(piece, "must specify an action")
    return _read(head, FlowModCommand.ADD, Version.OF15, NUMBERS).keys, actions


def parse_filter_line(
    piece: Piece, version: int = Version.OF13, names: Names = NUMBERS
) -> FlowFilter:
    """Reads which flows a dump is to show."""
    line = _read(piece, None, version, names)
    numbers = line.numbers
    return FlowFilter(
        match=line.keys.match(version),
        table_id=numbers.get("table_id", ALL_TABLES),
        out_port=numbers.get("out_port", PortNumber.ANY),
        out_group=numbers.get("out_group", GroupNumber.ANY),
        cookie=numbers.get("filter", 0),
        cookie_mask=numbers.get("filter_mask", 0),
    )


def _read(piece: Piece, command: FlowModCommand | None, version: int, names: Names) -> _Line:
    line = _Line(command, version, names)
    for pair in pairs(piece):
        flag = pair.name in FLAGS and command in (*_ADDS, *_MODIFIES)
        if flag or not put_field(line.keys, pair, names):
            line.take(pair)
    return line


def _command(piece: Piece) -> tuple[FlowModCommand, Piece]:
    piece = piece.cut(len(piece.text) - len(piece.text.lstrip(BLANKS)))
    length = next(
        (at for at, letter in enumerate(piece.text) if letter in SEPARATORS), len(piece.text)
    )
    word = piece.text[:length]
    for known, command in COMMANDS.items():
        if word and known.startswith(word):
            return command, piece.cut(length)
    return FlowModCommand.ADD, piece


def _split_actions(piece: Piece) -> tuple[Piece, Piece | None]:
    """Cuts a line at `actions=` (or `action=`)."""
    at = piece.text.find("action")
    if at < 0:
        return piece, None
    equals = piece.text.find("=", at)
    if equals < 0:
        return piece, None
    return piece.cut(0, at), piece.cut(equals + 1)


def flow_flag_words(flags: int, paint: Paint = PLAIN) -> str:
    """Flags, each with a blank behind it."""
    words = [word for word, flag in FLAGS.items() if flags & flag]
    unknown = flags & ~sum(FLAGS.values())
    if unknown:
        words.append(f"flags:0x{unknown:x}")
    return "".join(f"{word} " for word in words)


def flow_mod_words(body: FlowMod, version: int, names: Names = NUMBERS) -> str:
    """A flow modification as `ovs-ofctl` prints the message: `ADD priority=5,ip actions=drop`."""
    words = [_COMMAND_WORDS.get(FlowModCommand(body.command), f"cmd:{body.command}")]
    if body.table_id or body.table_id in names.tables:
        words.append(f"table:{render_table(body.table_id, names)}")
    match = match_words(body.match, body.priority, names)
    if match:
        words.append(match)
    if body.cookie_mask:
        words.append(f"cookie:0x{body.cookie:x}/0x{body.cookie_mask:x}")
    elif body.cookie not in (0, 0xFFFFFFFFFFFFFFFF):
        words.append(f"cookie:0x{body.cookie:x}")
    for label, value in (
        ("idle", body.idle_timeout),
        ("hard", body.hard_timeout),
        ("importance", body.importance),
    ):
        if value:
            words.append(f"{label}:{value}")
    if body.buffer_id != NO_BUFFER:
        words.append(f"buf:0x{body.buffer_id:x}")
    if body.out_port != PortNumber.ANY:
        words.append(f"out_port:{render_port(body.out_port, names)}")
    flags = body.flags & (~FlowFlag.RESET_COUNTS if version == Version.OF10 else ~0)
    actions = instruction_words(body.instructions, ActionRenderer(version, names))
    return " ".join(words) + f" {flow_flag_words(flags)}actions={actions}"


def flow_line(body: FlowMod, version: int, names: Names = NUMBERS) -> str:
    """A flow modification in the form in which it can be read again."""
    words = []
    if body.command in _MODIFIES or body.cookie_mask:
        if body.cookie_mask:
            words.append(f"cookie=0x{body.cookie:x}/0x{body.cookie_mask:x}")
        elif body.cookie:
            words.append(f"cookie=0x{body.cookie:x}")
    elif body.cookie:
        words.append(f"cookie=0x{body.cookie:x}")
    if body.table_id != (ALL_TABLES if body.command in _DELETES else 0):
        words.append(f"table={render_table(body.table_id, names)}")
    for name in (*_TIMEOUTS, "importance"):
        value = getattr(body, name)
        if value:
            words.append(f"{name}={value}")
    if body.out_port != PortNumber.ANY:
        words.append(f"out_port={render_port(body.out_port, names)}")
    if body.out_group != GroupNumber.ANY:
        words.append(f"out_group={body.out_group}")
    words += [word for word, flag in FLAGS.items() if body.flags & flag]
    shows_priority = body.command in (*_ADDS, *_STRICT)
    priority = body.priority if shows_priority else DEFAULT_PRIORITY
    match = match_words(body.match, priority, names)
    line = ",".join([*words, *([match] if match else [])])
    if body.command in _DELETES:
        return line
    actions = instruction_words(body.instructions, ActionRenderer(version, names))
    return f"{line} actions={actions}" if line else f"actions={actions}"


def duration(seconds: int, nanoseconds: int) -> str:
    """A time in seconds: with milliseconds, or with as many places as it needs beyond them."""
    if not nanoseconds:
        return f"{seconds}s"
    if nanoseconds % 1_000_000 == 0:
        return f"{seconds}.{nanoseconds // 1_000_000:03d}s"
    return f"{seconds}.{nanoseconds:09d}".rstrip("0") + "s"


def flow_stats_words(
    flow: FlowStats,
    version: int,
    names: Names = NUMBERS,
    paint: Paint = PLAIN,
    stats: bool = True,
) -> str:
    """One flow as `dump-flows` prints it, without the leading blank."""
    match = match_words(flow.match, flow.priority, names, paint)
    actions = instruction_words(flow.instructions, ActionRenderer(version, names, paint))
    words = []
    if stats or flow.cookie:
        words.append(f"{paint.param('cookie=')}0x{flow.cookie:x}, ")
    if stats:
        lived = duration(flow.duration_sec, flow.duration_nsec)
        words.append(f"{paint.param('duration=')}{lived}, ")
    if stats or flow.table_id or flow.table_id in names.tables:
        words.append(f"{paint.special('table=')}{render_table(flow.table_id, names)}, ")
    if stats:
        for label, count in (("n_packets=", flow.packet_count), ("n_bytes=", flow.byte_count)):
            words.append(f"{paint.param(label)}{'?' if count is None else count}, ")
    if flow.idle_timeout:
        words.append(f"{paint.param('idle_timeout=')}{flow.idle_timeout}, ")
    if flow.hard_timeout:
        words.append(f"{paint.param('hard_timeout=')}{flow.hard_timeout}, ")
    if flow.flags:
        words.append(flow_flag_words(flow.flags, paint))
    if flow.importance:
        words.append(f"{paint.param('importance=')}{flow.importance}, ")
    if stats and flow.idle_age is not None:
        words.append(f"{paint.param('idle_age=')}{flow.idle_age}, ")
    if stats and flow.hard_age is not None and flow.hard_age != flow.duration_sec:
        words.append(f"{paint.param('hard_age=')}{flow.hard_age}, ")
    if match:
        words.append(f"{match} ")
    return "".join(words) + paint.actions("actions=") + actions
