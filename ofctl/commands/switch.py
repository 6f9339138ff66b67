"""Commands about the switch as a whole, its ports and queues."""

import sys
import time
from collections.abc import Sequence
from dataclasses import replace

from ofctl import jsonform
from ofctl.commands.command import Command, with_session
from ofctl.errors import CommandError
from ofctl.printing.words import FRAGMENTS
from ofctl.session import Session
from ovsflow.openflow.constants import PortConfig, PortNumber, Version
from ovsflow.openflow.handshake import (
    EchoReply,
    EchoRequest,
    FeaturesReply,
    FeaturesRequest,
    GetConfigReply,
    GetConfigRequest,
    SetConfig,
)
from ovsflow.openflow.modify import PortMod
from ovsflow.openflow.multipart import DescRequest, StatsRequest
from ovsflow.openflow.port_stats import PortDescReply, PortDescRequest, PortStatsRequest
from ovsflow.openflow.queue_stats import (
    QueueDescRequest,
    QueueGetConfigRequest,
    QueueStatsRequest,
)

_MOST_ECHO = 0xFFFF - 8
_PINGS = 10
_CONFIG_WORDS = {
    "up": (PortConfig.PORT_DOWN, False),
    "down": (PortConfig.PORT_DOWN, True),
    "stp": (PortConfig.NO_STP, False),
    "receive": (PortConfig.NO_RECV, False),
    "receive-stp": (PortConfig.NO_RECV_STP, False),
    "flood": (PortConfig.NO_FLOOD, False),
    "forward": (PortConfig.NO_FWD, False),
    "packet-in": (PortConfig.NO_PACKET_IN, False),
}


def _show(session: Session, arguments: Sequence[str]) -> None:
    connection = session.connection
    features = connection.request(FeaturesRequest())
    ports = []
    if session.version != Version.OF10:
        ports = list(connection.parts(PortDescRequest()))
    config = connection.request(GetConfigRequest())
    if session.settings.json:
        assert isinstance(features.body, FeaturesReply)
        form = jsonform.plain(features.body, session.version)
        assert isinstance(form, dict)
        form["ports"] = jsonform.plain(session.ports(), session.version)
        form["config"] = jsonform.plain(config.body, session.version)
        sys.stdout.write(jsonform.dump(form))
        return
    session.show([features, *ports, config])


def show_parts(session: Session, request: StatsRequest, attribute: str | None = None) -> None:
    """Asks for statistics and prints the reply; JSON shows one attribute of its parts."""
    parts = session.connection.parts(request)
    of_tables = attribute == "tables"
    if not session.settings.json:
        session.show(parts, tables=of_tables)
        return
    names = session.printer(tables=of_tables).names
    forms: list[jsonform.Json] = []
    for part in parts:
        form = jsonform.plain(part.body, session.version, names)
        assert isinstance(form, dict)
        inner = form[attribute] if attribute is not None else form
        forms += inner if isinstance(inner, list) else [inner]
    sys.stdout.write(jsonform.dump(forms if attribute is not None else forms[0]))


def _desc(session: Session, arguments: Sequence[str]) -> None:
    show_parts(session, DescRequest())


def _dump_ports(session: Session, arguments: Sequence[str]) -> None:
    port = session.port(arguments[0]) if arguments else PortNumber.ANY
    show_parts(session, PortStatsRequest(port), "ports")


def _dump_ports_desc(session: Session, arguments: Sequence[str]) -> None:
    if session.version == Version.OF10:
        # Only Open vSwitch has port descriptions in 1.0; every switch has them in its features.
        if session.settings.json:
            sys.stdout.write(jsonform.dump(jsonform.plain(session.ports(), session.version)))
        else:
            reply = session.connection.request(FeaturesRequest())
            ports = PortDescReply(session.ports())
            session.show([type(reply)(reply.version, reply.xid, ports)])
        return
    port = int(PortNumber.ANY)
    if arguments and session.version >= Version.OF15:
        port = session.port(arguments[0])
    show_parts(session, PortDescRequest(port), "ports")


_ONLY_OF10 = (PortConfig.NO_STP, PortConfig.NO_RECV_STP, PortConfig.NO_FLOOD)


def _mod_port(session: Session, arguments: Sequence[str]) -> None:
    wanted = session.port(arguments[0])
    port = next((port for port in session.ports() if port.number == wanted), None)
    if port is None:
        raise CommandError(f"{session.target}: couldn't find port `{arguments[0]}'")
    word = arguments[1].lower()
    plain = word.removeprefix("no-") if word.startswith("no-") else word.removeprefix("no")
    if plain not in _CONFIG_WORDS:
        words = ", ".join(word for word in _CONFIG_WORDS if word not in ("up", "down"))
        raise CommandError(
            f"unknown mod-port command '{arguments[1]}'; there are up, down, and with or without "
            f'"no-" before them {words}'
        )
    bit, on = _CONFIG_WORDS[plain]
    config = bit if on != (plain != word) else 0
    change = [PortMod(port.number, port.hw_addr, config, bit)]
    if session.version == Version.OF10 or bit not in _ONLY_OF10:
        session.change(change)
        return
    if Version.OF10 not in session.settings.versions:
        raise CommandError(f"only OpenFlow 1.0 can say {word} ('-O OpenFlow10')")
    session.close()
    older = Session(session.target, replace(session.settings, versions=(Version.OF10,)))
    try:
        older.change(change)
    finally:
        older.close()


def _get_frags(session: Session, arguments: Sequence[str]) -> None:
    config = session.connection.ask(GetConfigRequest(), GetConfigReply)
    mode = FRAGMENTS[config.flags & 3]
    sys.stdout.write(jsonform.dump(mode) if session.settings.json else f"{mode}\n")


def _set_frags(session: Session, arguments: Sequence[str]) -> None:
    mode = arguments[0].lower()
    if mode not in FRAGMENTS:
        modes = ", ".join(FRAGMENTS)
        raise CommandError(f"{arguments[0]}: unknown fragment handling mode; there are {modes}")
    config = session.connection.ask(GetConfigRequest(), GetConfigReply)
    wanted = FRAGMENTS.index(mode)
    session.change([SetConfig(config.flags & ~3 | wanted, config.miss_send_len)])
    now = session.connection.ask(GetConfigRequest(), GetConfigReply)
    if now.flags & 3 != wanted:
        raise CommandError(
            f"{session.target}: setting fragment handling mode failed "
            f'(this switch probably doesn\'t support mode "{mode}")'
        )


def _queue_arguments(session: Session, arguments: Sequence[str]) -> tuple[int, int]:
    port, queue = int(PortNumber.ANY), 0xFFFFFFFF
    if arguments and arguments[0].lower() != "all":
        port = session.port(arguments[0])
    if len(arguments) > 1 and arguments[1].lower() != "all":
        if not arguments[1].isdigit():
            raise CommandError(f"{arguments[1]}: unknown queue")
        queue = int(arguments[1])
    return port, queue


def _queue_stats(session: Session, arguments: Sequence[str]) -> None:
    port, queue = _queue_arguments(session, arguments)
    if session.version == Version.OF10 and port == PortNumber.ANY:
        port = PortNumber.ALL  # OpenFlow 1.0 says OFPP_ALL for every port.
    show_parts(session, QueueStatsRequest(port, queue), "queues")


def _queue_config(session: Session, arguments: Sequence[str]) -> None:
    port, queue = _queue_arguments(session, arguments)
    if session.version >= Version.OF14:
        show_parts(session, QueueDescRequest(port, queue), "queues")
        return
    ports = [port]
    if session.version == Version.OF10 and port == PortNumber.ANY:
        ports = [known.number for known in session.ports() if known.number < PortNumber.MAX]
    replies = [session.connection.request(QueueGetConfigRequest(number)) for number in ports]
    if session.settings.json:
        forms = [jsonform.plain(reply.body, session.version) for reply in replies]
        sys.stdout.write(jsonform.dump(list(forms)))
    else:
        session.show(replies)


def _probe(session: Session, arguments: Sequence[str]) -> None:
    if session.connection.ask(EchoRequest(), EchoReply).data:
        raise CommandError("reply does not match request")


def _number(text: str, most: int, what: str) -> int:
    if not text.isdigit() or int(text) > most:
        raise CommandError(f"{what} must be between 0 and {most} bytes")
    return int(text)


def _ping(session: Session, arguments: Sequence[str]) -> None:
    size = _number(arguments[0], _MOST_ECHO, "payload") if arguments else 64
    payload = bytes(at & 0xFF for at in range(size))
    forms: list[jsonform.Json] = []
    for _ in range(_PINGS):
        start = time.perf_counter()
        reply = session.connection.request(EchoRequest(payload))
        took = 1000 * (time.perf_counter() - start)
        if not isinstance(reply.body, EchoReply) or reply.body.data != payload:
            raise CommandError("reply does not match request")
        if session.settings.json:
            forms.append({"bytes": size, "xid": reply.xid, "time_us": round(1000 * took)})
            continue
        text = f"{size} bytes from {session.target}: xid={reply.xid:08x} time={took:.1f} ms"
        print(text, flush=True)
    if session.settings.json:
        sys.stdout.write(jsonform.dump(forms))


def _benchmark(session: Session, arguments: Sequence[str]) -> None:
    size = _number(arguments[0], _MOST_ECHO, "payload")
    if not arguments[1].isdigit() or not int(arguments[1]):
        raise CommandError(f"{arguments[1]}: not a number of packets")
    count, whole = int(arguments[1]), size + 8
    if not session.settings.json:
        total = f"{whole} bytes (with header) = {count * whole} bytes total"
        print(f"Sending {count} packets * {total}")
    start = time.perf_counter()
    for _ in range(count):
        session.connection.request(EchoRequest(bytes(size)))
    took = time.perf_counter() - start
    if session.settings.json:
        form: dict[str, jsonform.Json] = {"packets": count, "bytes": whole}
        sys.stdout.write(jsonform.dump(form | {"time_us": round(1_000_000 * took)}))
        return
    rate = f"({count / took:.0f} packets/s) ({count * whole / took:.0f} bytes/s)"
    print(f"Finished in {1000 * took:.1f} ms {rate}")


_GROUP = "Switch and ports"

COMMANDS = (
    Command(
        "show",
        "SWITCH",
        "show what the switch is: features, ports, configuration",
        with_session(_show),
        1,
        1,
        ("ofctl show br0", "ofctl show tcp:192.0.2.1:6653"),
        _GROUP,
    ),
    Command(
        "dump-desc",
        "SWITCH",
        "show maker, hardware, software and serial number",
        with_session(_desc),
        1,
        1,
        ("ofctl dump-desc br0",),
        _GROUP,
    ),
    Command(
        "dump-ports",
        "SWITCH [PORT]",
        "show counters of ports",
        with_session(_dump_ports),
        1,
        2,
        ("ofctl dump-ports br0", "ofctl dump-ports br0 eth0"),
        _GROUP,
    ),
    Command(
        "dump-ports-desc",
        "SWITCH [PORT]",
        "show descriptions of ports",
        with_session(_dump_ports_desc),
        1,
        2,
        ("ofctl dump-ports-desc br0",),
        _GROUP,
    ),
    Command(
        "mod-port",
        "SWITCH PORT up|down|[no-]receive|[no-]forward|[no-]flood|[no-]packet-in|...",
        "change how a port behaves",
        with_session(_mod_port),
        3,
        3,
        ("ofctl mod-port br0 eth0 down", "ofctl mod-port br0 1 no-flood"),
        _GROUP,
    ),
    Command(
        "get-frags",
        "SWITCH",
        "show how IP fragments are handled",
        with_session(_get_frags),
        1,
        1,
        ("ofctl get-frags br0",),
        _GROUP,
    ),
    Command(
        "set-frags",
        "SWITCH normal|drop|reassemble|nx-match",
        "set how IP fragments are handled",
        with_session(_set_frags),
        2,
        2,
        ("ofctl set-frags br0 nx-match",),
        _GROUP,
    ),
    Command(
        "queue-stats",
        "SWITCH [PORT [QUEUE]]",
        "show counters of queues",
        with_session(_queue_stats),
        1,
        3,
        ("ofctl queue-stats br0",),
        _GROUP,
    ),
    Command(
        "queue-get-config",
        "SWITCH [PORT [QUEUE]]",
        "show the configuration of queues",
        with_session(_queue_config),
        1,
        3,
        ("ofctl queue-get-config br0 1",),
        _GROUP,
    ),
    Command(
        "probe",
        "TARGET",
        "find out whether the switch is alive (exit status 0 if it is)",
        with_session(_probe),
        1,
        1,
        ("ofctl probe tcp:192.0.2.1",),
        _GROUP,
    ),
    Command(
        "ping",
        "TARGET [BYTES]",
        "measure ten echoes of some bytes",
        with_session(_ping),
        1,
        2,
        ("ofctl ping br0 1000",),
        _GROUP,
    ),
    Command(
        "benchmark",
        "TARGET BYTES COUNT",
        "measure the throughput of echoes",
        with_session(_benchmark),
        3,
        3,
        ("ofctl benchmark br0 64 10000",),
        _GROUP,
    ),
)
