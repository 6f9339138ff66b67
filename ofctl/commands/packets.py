"""Commands about packets and what a switch tells unasked: packet-out, monitor, snoop."""

import sys
from collections.abc import Sequence
from datetime import datetime

from ofctl import jsonform
from ofctl.address import find
from ofctl.commands.command import Command, with_session
from ofctl.connection import Connection
from ofctl.errors import CommandError
from ofctl.printing.message import MessagePrinter, name_of
from ofctl.session import Session
from ofctl.settings import Settings
from ovsflow.errors import DecodeError, ParseError
from ovsflow.openflow import codec
from ovsflow.openflow.constants import (
    SPOKEN,
    ConfigFlag,
    MonitorFlag,
    PacketInFormat,
    Version,
)
from ovsflow.openflow.handshake import (
    EchoReply,
    EchoRequest,
    GetConfigReply,
    GetConfigRequest,
    SetConfig,
)
from ovsflow.openflow.monitor import FlowMonitor, FlowMonitorRequest
from ovsflow.openflow.nicira import Resume, SetPacketInFormat
from ovsflow.openflow.packets import PacketIn, PacketOut
from ovsflow.openflow.text.names import Names
from ovsflow.openflow.text.packet_out_text import packet_bytes
from ovsflow.openflow.text.parse import parse_actions, parse_flow_filter, parse_packet_out
from ovsflow.openflow.text.scan import Piece

_GROUP = "Packets"
_FORMATS = {
    "standard": PacketInFormat.STANDARD,
    "openflow10": PacketInFormat.STANDARD,
    "nxt_packet_in": PacketInFormat.NXT_PACKET_IN,
    "nxm": PacketInFormat.NXT_PACKET_IN,
    "nxt_packet_in2": PacketInFormat.NXT_PACKET_IN2,
}
_WATCH_FLAGS = {
    "!initial": MonitorFlag.INITIAL,
    "!add": MonitorFlag.ADD,
    "!delete": MonitorFlag.REMOVED,
    "!modify": MonitorFlag.MODIFY,
    "!actions": MonitorFlag.INSTRUCTIONS,
    "!own": MonitorFlag.NO_ABBREV,
}


def _packet_out(session: Session, arguments: Sequence[str]) -> None:
    if len(arguments) == 1:
        text = arguments[0]
        body = session.parse(lambda names: parse_packet_out(text, session.version, names))
        session.change([body])
        return
    if len(arguments) < 3:
        raise CommandError("'packet-out' command takes SWITCH IN_PORT ACTIONS PACKET...")
    port = session.port(arguments[0])
    actions = session.parse(lambda names: parse_actions(arguments[1], session.version, names))
    bodies = []
    for packet in arguments[2:]:
        bodies.append(PacketOut(actions, packet_bytes(Piece(packet)), port))
    session.change(bodies)


def parse_watch(text: str, number: int, version: int, names: Names) -> FlowMonitor:
    """Reads which changes of flows to tell: `!initial,table=1,ip`.

    Before OpenFlow 1.4 also changes that the session makes itself are asked for in full, but with
    `!own`; later there is no word for it that all switches take, and a monitor makes none.
    """
    flags = (
        MonitorFlag.INITIAL
        | MonitorFlag.ADD
        | MonitorFlag.REMOVED
        | MonitorFlag.MODIFY
        | MonitorFlag.INSTRUCTIONS
    )
    if version < Version.OF14:
        flags |= MonitorFlag.NO_ABBREV
    rest = []
    for word in text.split(","):
        if word.strip() in _WATCH_FLAGS:
            flags &= ~_WATCH_FLAGS[word.strip()]
        elif word.strip().startswith("!"):
            raise ParseError(f"{word.strip()}: unknown flag of watch", text, text.find(word))
        else:
            rest.append(word)
    wanted = parse_flow_filter(",".join(rest), version, names)
    return FlowMonitor(
        number, int(flags), wanted.match, wanted.table_id, wanted.out_port, wanted.out_group
    )


def _monitor(session: Session, arguments: Sequence[str]) -> None:
    printer = session.printer(tables=True)
    printer.detail = session.settings.more + 2
    watches, resumes = 0, False
    for word in arguments:
        if word.isdigit():
            _configure(session, miss_send_len=int(word))
        elif word == "invalid_ttl":
            if session.version >= Version.OF13:
                raise CommandError("invalid_ttl needs OpenFlow 1.0 ('-O OpenFlow10')")
            _configure(session, invalid_ttl=True)
        elif word == "resume":
            resumes = True
        elif word.startswith("watch:"):
            watches += 1
            _watch(session, word.removeprefix("watch:"), watches, printer)
        else:
            raise CommandError(f'{word}: unsupported "monitor" argument')
    _set_format(session)
    _follow(session, printer, resumes=resumes)


def _configure(
    session: Session, *, miss_send_len: int | None = None, invalid_ttl: bool = False
) -> None:
    now = session.connection.ask(GetConfigRequest(), GetConfigReply)
    flags = now.flags | (ConfigFlag.INVALID_TTL_TO_CONTROLLER if invalid_ttl else 0)
    length = now.miss_send_len if miss_send_len is None else min(miss_send_len, 0xFFFF)
    session.change([SetConfig(flags, length)])


def _watch(session: Session, text: str, number: int, printer: MessagePrinter) -> None:
    def read(names: Names) -> FlowMonitor:
        return parse_watch(text, number, session.version, names)

    request = FlowMonitorRequest((session.parse(read),))
    for message in session.connection.parts(request):
        _print(session.settings, printer, codec.encode(message.body, message.version, message.xid))


def _set_format(session: Session) -> None:
    """Asks for packet-ins in the form that tells most; a switch that has none keeps its own."""
    word = session.settings.packet_in_format
    if word and word not in _FORMATS:
        raise CommandError(f"unknown packet-in format {word}")
    wanted = _FORMATS[word] if word else PacketInFormat.NXT_PACKET_IN2
    errors = session.connection.tell([SetPacketInFormat(wanted)])
    if errors and word:
        raise CommandError(f"{session.target}: failed to set packet in format {word}")
    if errors and session.version == Version.OF10:
        session.connection.tell([SetPacketInFormat(PacketInFormat.NXT_PACKET_IN)])


def _follow(session: Session, printer: MessagePrinter, *, resumes: bool) -> None:
    connection = session.connection
    while True:
        data = connection.read()
        _print(session.settings, printer, data)
        try:
            message = codec.decode(data)
        except DecodeError:
            continue
        if isinstance(message.body, EchoRequest):
            reply = EchoReply(message.body.data)
            connection.write(codec.encode(reply, session.version, message.xid))
        elif resumes and isinstance(message.body, PacketIn) and message.body.continuation:
            connection.send(Resume.of(message.body))


def _print(settings: Settings, printer: MessagePrinter, data: bytes) -> None:
    now = datetime.now().isoformat(" ", "milliseconds") if settings.timestamp else ""
    if settings.json:
        line: dict[str, jsonform.Json] = {"time": now} if now else {}
        try:
            message = codec.decode(data)
            form = jsonform.plain(message.body, message.version, printer.names)
            line |= {"message": name_of(message), "body": form}
        except DecodeError as error:
            line |= {"message": None, "error": str(error), "bytes": data.hex()}
        sys.stdout.write(jsonform.line(line))
    else:
        sys.stdout.write(f"{now}: " if now else "")
        sys.stdout.write(printer.bytes_text(data))
    sys.stdout.flush()


def _snoop(settings: Settings, arguments: Sequence[str]) -> int:
    """Shows the conversation of a bridge and its controllers, which it repeats on a socket."""
    address = find(arguments[0], "snoop")
    # A switch repeats the conversation only to who has said HELLO, whatever the version.
    connection = Connection(address, SPOKEN, settings.timeout, settings.tls)
    printer = MessagePrinter(paint=settings.paint, detail=settings.more + 2)
    with connection:
        while True:
            _print(settings, printer, connection.read())


COMMANDS = (
    Command(
        "packet-out",
        'SWITCH "in_port=PORT packet=HEX actions=ACTIONS" | SWITCH PORT ACTIONS HEX...',
        "send a packet through the switch",
        with_session(_packet_out),
        2,
        None,
        (
            'ofctl packet-out br0 "in_port=controller packet=ffffffffffff...  actions=flood"',
            "ofctl packet-out br0 none output:1 0123456789ab...",
        ),
        _GROUP,
    ),
    Command(
        "monitor",
        "SWITCH [MISSLEN] [invalid_ttl] [resume] [watch:SPEC...]",
        "show what the switch tells: packets, changes of ports, and of flows with watch:",
        with_session(_monitor),
        1,
        None,
        (
            "ofctl monitor br0 65535",
            "ofctl monitor br0 watch:",
            "ofctl monitor br0 'watch:!initial,table=1,ip'",
        ),
        _GROUP,
    ),
    Command(
        "snoop",
        "SWITCH",
        "show the conversation of the switch and its controllers",
        _snoop,
        1,
        1,
        ("ofctl snoop br0",),
        _GROUP,
    ),
)
