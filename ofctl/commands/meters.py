"""Commands about meters."""

from collections.abc import Sequence

from ofctl.commands.command import Command, Run, with_session
from ofctl.commands.switch import show_parts
from ofctl.errors import CommandError, parse_sentence
from ofctl.session import Session
from ovsflow.errors import ParseError
from ovsflow.openflow.constants import MeterModCommand, MeterNumber, Version
from ovsflow.openflow.meter_stats import (
    MeterConfigRequest,
    MeterFeaturesRequest,
    MeterStatsRequest,
)
from ovsflow.openflow.modify import MeterMod
from ovsflow.openflow.text.parse import parse_meter

_GROUP = "Meters"


def _read(text: str, command: MeterModCommand | None) -> MeterMod:
    try:
        return parse_meter(text, command)
    except ParseError as error:
        raise CommandError(parse_sentence(error)) from None


def _changing(command: MeterModCommand) -> Run:
    def act(session: Session, arguments: Sequence[str]) -> None:
        session.needs(Version.OF13, "this command")
        if arguments:
            session.change([_read(arguments[0], command)])
        else:
            session.change([MeterMod(command, 0, MeterNumber.ALL)])

    return with_session(act)


def _wanted(session: Session, arguments: Sequence[str]) -> int:
    session.needs(Version.OF13, "this command")
    return _read(arguments[0], None).meter_id if arguments else int(MeterNumber.ALL)


def _dump(session: Session, arguments: Sequence[str]) -> None:
    show_parts(session, MeterConfigRequest(_wanted(session, arguments)), "meters")


def _stats(session: Session, arguments: Sequence[str]) -> None:
    show_parts(session, MeterStatsRequest(_wanted(session, arguments)), "meters")


def _features(session: Session, arguments: Sequence[str]) -> None:
    session.needs(Version.OF13, "meter-features")
    show_parts(session, MeterFeaturesRequest())


_EXAMPLE = "'meter=1,kbps,burst,bands=type=drop,rate=1000,burst_size=100'"

COMMANDS = (
    Command(
        "add-meter",
        "SWITCH METER",
        "add a meter",
        _changing(MeterModCommand.ADD),
        2,
        2,
        (f"ofctl add-meter br0 {_EXAMPLE}",),
        _GROUP,
    ),
    Command(
        "mod-meter",
        "SWITCH METER",
        "change a meter",
        _changing(MeterModCommand.MODIFY),
        2,
        2,
        (f"ofctl mod-meter br0 {_EXAMPLE}",),
        _GROUP,
    ),
    Command(
        "del-meters",
        "SWITCH [METER]",
        "delete a meter; without METER all meters",
        _changing(MeterModCommand.DELETE),
        1,
        2,
        ("ofctl del-meters br0 meter=1",),
        _GROUP,
    ),
    Command(
        "del-meter",
        "SWITCH METER",
        "delete a meter",
        _changing(MeterModCommand.DELETE),
        2,
        2,
        ("ofctl del-meter br0 meter=1",),
        _GROUP,
    ),
    Command(
        "dump-meters",
        "SWITCH [METER]",
        "show meters",
        with_session(_dump),
        1,
        2,
        ("ofctl dump-meters br0",),
        _GROUP,
    ),
    Command(
        "dump-meter",
        "SWITCH METER",
        "show a meter",
        with_session(_dump),
        2,
        2,
        ("ofctl dump-meter br0 meter=1",),
        _GROUP,
    ),
    Command(
        "meter-stats",
        "SWITCH [METER]",
        "show counters of meters",
        with_session(_stats),
        1,
        2,
        ("ofctl meter-stats br0",),
        _GROUP,
    ),
    Command(
        "meter-features",
        "SWITCH",
        "show what meters the switch can have",
        with_session(_features),
        1,
        1,
        ("ofctl meter-features br0",),
        _GROUP,
    ),
)
