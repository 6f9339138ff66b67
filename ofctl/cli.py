"""The command line: options anywhere, one command, help with examples."""

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from ofctl.commands.command import Command
from ofctl.commands.registry import ALL, BY_NAME
from ofctl.connection import SPOKEN, TlsFiles
from ofctl.settings import Settings, parse_versions
from ovsflow.openflow.constants import Version

_DESCRIPTION = """\
Manage OpenFlow switches: the commands, flow syntax and output of ovs-ofctl, for any switch.

SWITCH is the name of a bridge on this machine, tcp:HOST[:PORT], ssl:HOST[:PORT] or unix:PATH.
The newest OpenFlow version that both sides speak is used; -O limits it."""

_EXAMPLES = """\
examples:
  ofctl show br0
  ofctl add-flow br0 'in_port=1,actions=set_field:10->tun_id,set_field:192.0.2.2->tun_dst,output:2'
  ofctl dump-flows br0 table=0
  ofctl -O OpenFlow13 --json dump-flows tcp:127.0.0.1:6654
  ofctl monitor br0 65535 watch:

'ofctl COMMAND --help' explains a command."""


class Arguments(argparse.Namespace):
    """What argparse found."""

    command: str | None
    arguments: list[str]
    protocols: tuple[int, ...]
    flow_format: str
    packet_in_format: str
    strict: bool
    bundle: bool
    readd: bool
    may_create: bool
    names: bool | None
    stats: bool
    sort: str | None
    rsort: str | None
    color: str
    timestamp: bool
    json: bool
    more: int
    timeout: float | None
    private_key: str
    certificate: str
    ca_cert: str
    help: bool


def parse_arguments(words: Sequence[str]) -> tuple[Command, list[str], Settings]:
    """Reads the command line; leaves the program for --help, --version and what is wrong."""
    parser = _parser()
    found = parser.parse_intermixed_args(_spelled_out(words), namespace=Arguments())
    if found.command == "help" and found.arguments:
        found.command, found.help = found.arguments[0], True
    elif found.command == "help":
        found.command, found.help = None, True
    elif found.command == "list-commands":
        sys.stdout.write("".join(f"  {c.name:<23} {c.usage}\n" for c in ALL))
        raise SystemExit(0)
    if found.help or found.command is None:
        _help(parser, found)
    command = BY_NAME.get(found.command)
    if command is None:
        parser.exit(1, f"ofctl: unknown command '{found.command}'; use --help for help\n")
    _check_count(parser, command, len(found.arguments))
    return command, found.arguments, _settings(found)


def _spelled_out(words: Sequence[str]) -> list[str]:
    """Gives options whose value may be left out the value that this means."""
    usual = {"--sort": "priority", "--rsort": "priority", "--color": "always", "--colour": "always"}
    return [f"{word}={usual[word]}" if word in usual else word for word in words]


def _help(parser: argparse.ArgumentParser, found: Arguments) -> NoReturn:
    if found.command is None:
        if found.help:
            parser.print_help()
            raise SystemExit(0)
        parser.exit(1, "ofctl: missing command name; use --help for help\n")
    command = BY_NAME.get(found.command)
    if command is None:
        parser.exit(1, f"ofctl: unknown command '{found.command}'; use --help for help\n")
    examples = "".join(f"  {example}\n" for example in command.examples)
    text = f"usage: ofctl [options] {command.name} {command.usage}\n\n{command.summary}\n"
    sys.stdout.write(text + (f"\nexamples:\n{examples}" if examples else ""))
    raise SystemExit(0)


def _check_count(parser: argparse.ArgumentParser, command: Command, count: int) -> None:
    if count < command.least:
        parser.exit(
            1,
            f"ofctl: '{command.name}' command requires at least {command.least} arguments\n"
            f"usage: ofctl {command.name} {command.usage}\n",
        )
    if command.most is not None and count > command.most:
        parser.exit(
            1,
            f"ofctl: '{command.name}' command takes at most {command.most} arguments\n"
            f"usage: ofctl {command.name} {command.usage}\n",
        )


def _settings(found: Arguments) -> Settings:
    colored = found.color == "always" or (found.color == "auto" and sys.stdout.isatty())
    versions = found.protocols
    if (found.bundle or found.command == "bundle") and max(versions) < Version.OF13:
        versions = (*versions, Version.OF14)  # The oldest whose standard has bundles.
    return Settings(
        versions=versions,
        strict=found.strict,
        bundle=found.bundle,
        readd=found.readd,
        may_create=found.may_create,
        names=found.names,
        stats=found.stats,
        sort=found.sort or found.rsort or "",
        descending=found.rsort is not None and found.sort is None,
        color=colored,
        timestamp=found.timestamp,
        json=found.json,
        more=found.more,
        timeout=found.timeout,
        packet_in_format=found.packet_in_format,
        tls=TlsFiles(found.private_key, found.certificate, found.ca_cert),
    )


def _versions(text: str) -> tuple[int, ...]:
    try:
        return parse_versions(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ofctl",
        usage="ofctl [options] COMMAND [ARGUMENT...]",
        description=_DESCRIPTION,
        epilog=f"{_command_list()}\n{_EXAMPLES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
        allow_abbrev=False,
    )
    parser.add_argument("command", nargs="?", help=argparse.SUPPRESS)
    parser.add_argument("arguments", nargs="*", help=argparse.SUPPRESS)
    _add_session_options(parser)
    _add_flow_options(parser)
    _add_output_options(parser)
    return parser


def _add_session_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("session")
    group.add_argument(
        "-O",
        "--protocols",
        type=_versions,
        default=SPOKEN,
        metavar="VERSIONS",
        help="OpenFlow versions to offer: OpenFlow10, OpenFlow13, OpenFlow14, OpenFlow15",
    )
    # The form of flows follows from the version; the option is taken so that scripts go on working.
    group.add_argument("-F", "--flow-format", default="", help=argparse.SUPPRESS)
    group.add_argument(
        "-t", "--timeout", type=float, metavar="SECONDS", help="give up after this time"
    )
    group.add_argument("-p", "--private-key", default="", metavar="FILE", help="key for ssl:")
    group.add_argument(
        "-c", "--certificate", default="", metavar="FILE", help="certificate for ssl:"
    )
    group.add_argument(
        "-C", "--ca-cert", default="", metavar="FILE", help="who vouches for the switch, for ssl:"
    )


def _add_flow_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("changes")
    group.add_argument(
        "--strict",
        action="store_true",
        help="change or delete exactly this flow, not all it covers",
    )
    group.add_argument(
        "--bundle", action="store_true", help="change all or nothing (OpenFlow 1.3 and later)"
    )
    group.add_argument(
        "--readd", action="store_true", help="replace-flows: add again what is there already"
    )
    group.add_argument(
        "--may-create", action="store_true", help="mod-group: add a group that is not there"
    )


def _add_output_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("output")
    names = group.add_mutually_exclusive_group()
    names.add_argument("--names", action="store_true", default=None, help="show names of ports")
    names.add_argument(
        "--no-names", dest="names", action="store_false", help="show numbers of ports"
    )
    stats = group.add_mutually_exclusive_group()
    stats.add_argument("--stats", action="store_true", default=True, help="show counters of flows")
    stats.add_argument(
        "--no-stats", dest="stats", action="store_false", help="leave counters of flows out"
    )
    group.add_argument("--sort", metavar="FIELD", help="sort flows by priority, or by a field")
    group.add_argument("--rsort", metavar="FIELD", help="sort flows from high to low")
    group.add_argument(
        "--color", "--colour", choices=("always", "never", "auto"), default="never", help="colour"
    )
    group.add_argument("--json", action="store_true", help="print JSON")
    group.add_argument("-m", "--more", action="count", default=0, help="print more of packets")
    group.add_argument(
        "--timestamp", action="store_true", help="monitor, snoop: time before each message"
    )
    group.add_argument(
        "-P",
        "--packet-in-format",
        default="",
        metavar="FORMAT",
        help="monitor: standard, nxt_packet_in or nxt_packet_in2",
    )
    group.add_argument("-h", "--help", action="store_true", help="explain the program or a command")
    group.add_argument("-V", "--version", action=_ShowVersion, nargs=0, help="print the version")


class _ShowVersion(argparse.Action):
    """Prints the version; finding it takes long, so only when it is wanted."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        """Prints and exits."""
        from importlib.metadata import PackageNotFoundError, version

        try:
            print(f"ofctl (ovsflow) {version('ovsflow')}")
        except PackageNotFoundError:
            print("ofctl (ovsflow)")
        parser.exit()


def _command_list() -> str:
    lines: list[str] = []
    heading = ""
    for command in sorted(ALL, key=lambda command: _headings().index(command.group)):
        if command.group != heading:
            heading = command.group
            lines.append(f"\n{heading}:" if lines else f"{heading}:")
        lines.append(f"  {command.name:<20} {command.summary}")
    return "\n".join(lines) + "\n"


def _headings() -> list[str]:
    return list(dict.fromkeys(command.group for command in ALL))
