"""Commands that need no switch: reading and printing text and bytes."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace

from ofctl import jsonform
from ofctl.commands.command import Command
from ofctl.commands.flows import names_tables, read_lines
from ofctl.errors import CommandError, parse_sentence
from ofctl.printing.message import MessagePrinter, name_of
from ofctl.settings import Settings
from ovsflow.errors import EncodeError, ParseError
from ovsflow.openflow import codec
from ovsflow.openflow.constants import FlowModCommand, GroupModCommand, MeterModCommand, Version
from ovsflow.openflow.flow_mod import FlowMod
from ovsflow.openflow.framing import Framer
from ovsflow.openflow.text import parse, render
from ovsflow.openflow.wire import Body

_GROUP = "Without a switch"


def _print_bytes(settings: Settings, data: bytes) -> None:
    if settings.json:
        message = codec.decode(data)
        form = jsonform.plain(message.body, message.version)
        sys.stdout.write(jsonform.line({"message": name_of(message), "body": form}))
        return
    printer = MessagePrinter(paint=settings.paint, detail=settings.more + 1)
    sys.stdout.write(printer.bytes_text(data))


def _ofp_print(settings: Settings, arguments: Sequence[str]) -> int:
    digits = "".join(arguments[0].split()).replace(":", "")
    try:
        data = bytes.fromhex(digits)
    except ValueError:
        raise CommandError("trailing garbage following hex bytes") from None
    _print_bytes(settings, data)
    return 0


def _ofp_parse(settings: Settings, arguments: Sequence[str]) -> int:
    name = arguments[0]
    try:
        if name == "-":
            data = sys.stdin.buffer.read()
        else:
            with open(name, "rb") as file:
                data = file.read()
    except OSError as error:
        raise CommandError(f"{name}: open failed ({error.strerror})") from None
    for message in Framer().feed(data):
        _print_bytes(settings, message)
    return 0


Read = Callable[[str, int], Body]


def _show_text(settings: Settings, read: Read, lines: Sequence[tuple[int, str]], name: str) -> None:
    """Reads lines, turns each into a message and back, and prints what came out."""
    version = max(settings.versions)
    places = [f"{name}:{number}" if name else "" for number, _ in lines]
    pairs = zip(lines, places, strict=True)
    bodies = [_read(read, line, version, place) for (_, line), place in pairs]
    for at, (body, place) in enumerate(zip(prepared(bodies, version), places, strict=True), 1):
        try:
            data = codec.encode(body, version, at)
        except EncodeError as error:
            raise CommandError(f"{place}: {error}" if place else str(error)) from None
        _print_bytes(settings, data)


def _read(read: Read, line: str, version: int, place: str) -> Body:
    try:
        return read(line, version)
    except ParseError as error:
        raise CommandError(parse_sentence(error, place)) from None


def prepared(bodies: Sequence[Body], version: int) -> Sequence[Body]:
    """Makes flows fit OpenFlow 1.0, where one that names a table makes all name theirs."""
    flows = [body for body in bodies if isinstance(body, FlowMod)]
    if version != Version.OF10 or not names_tables(flows):
        return bodies
    return [
        replace(body, table_in_command=True) if isinstance(body, FlowMod) else body
        for body in bodies
    ]


def _one(read: Read) -> Callable[[Settings, Sequence[str]], int]:
    def run(settings: Settings, arguments: Sequence[str]) -> int:
        _show_text(settings, read, [(1, arguments[0])], "")
        return 0

    return run


def _file(read: Read) -> Callable[[Settings, Sequence[str]], int]:
    def run(settings: Settings, arguments: Sequence[str]) -> int:
        _show_text(settings, read, list(read_lines(arguments[0])), arguments[0])
        return 0

    return run


def _flow(line: str, version: int) -> Body:
    return parse.parse_flow(line, FlowModCommand.ADD, version)


def _any_flow(line: str, version: int) -> Body:
    return parse.parse_flow(line, None, version)


def _group(line: str, version: int) -> Body:
    return parse.parse_group(line, GroupModCommand.ADD, version)


def _meter(line: str, version: int) -> Body:
    return parse.parse_meter(line, MeterModCommand.ADD)


def _parse_actions(settings: Settings, arguments: Sequence[str]) -> int:
    version = max(settings.versions)
    try:
        instructions = parse.parse_instructions(arguments[0], version)
    except ParseError as error:
        raise CommandError(parse_sentence(error)) from None
    text = render.render_instructions(instructions, version, paint=settings.paint)
    sys.stdout.write(jsonform.dump(text) if settings.json else f"{text}\n")
    return 0


COMMANDS = (
    Command(
        "parse-flow",
        "FLOW",
        "show how a flow is understood",
        _one(_flow),
        1,
        1,
        ("ofctl -O OpenFlow13 parse-flow 'tcp,tp_dst=80,actions=set_field:5->tun_id,2'",),
        _GROUP,
    ),
    Command(
        "parse-flows",
        "FILE",
        "show how the flows of a file are understood",
        _file(_any_flow),
        1,
        1,
        ("ofctl parse-flows flows.txt",),
        _GROUP,
    ),
    Command(
        "parse-group",
        "GROUP",
        "show how a group is understood",
        _one(_group),
        1,
        1,
        ("ofctl parse-group 'group_id=1,type=all,bucket=output:1'",),
        _GROUP,
    ),
    Command(
        "parse-meter",
        "METER",
        "show how a meter is understood",
        _one(_meter),
        1,
        1,
        ("ofctl parse-meter 'meter=1,pktps,bands=type=drop,rate=100'",),
        _GROUP,
    ),
    Command(
        "parse-actions",
        "ACTIONS",
        "show how actions and instructions are understood",
        _parse_actions,
        1,
        1,
        ("ofctl parse-actions 'mod_nw_tos:40,goto_table:2'",),
        _GROUP,
    ),
    Command(
        "ofp-print",
        "HEX",
        "show an OpenFlow message given in hexadecimal",
        _ofp_print,
        1,
        2,
        ("ofctl ofp-print 0400000800000001",),
        _GROUP,
    ),
    Command(
        "ofp-parse",
        "FILE",
        "show the OpenFlow messages in a file (- for standard input)",
        _ofp_parse,
        1,
        1,
        ("ofctl ofp-parse conversation.bin",),
        _GROUP,
    ),
)
