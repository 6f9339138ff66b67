"""What can be typed after `ovsflow`, with its help."""

import argparse

from ovsflow.config.port import PORT_KINDS
from ovsflow.config.switch import PROTOCOLS, FailMode
from ovsflow.config.words import LOG_LEVELS

_TOP = """\
examples:
  ovsflow run --port veth1=1 --port vxlan0=2:vxlan --controller tcp:127.0.0.1:6653
  ovsflow show
  ovsflow trace br0 in_port=1,ip,nw_dst=10.0.0.2
  ofctl dump-flows br0
"""

_RUN = f"""\
PORT is NAME[=OFPORT][:KIND[,key=value]...] with KIND one of {", ".join(PORT_KINDS)}.
Controllers are tcp:HOST[:PORT], ssl:HOST[:PORT] or unix:PATH; addresses to listen on are
ptcp:[PORT][:ADDR], pssl:[PORT][:ADDR] or punix:PATH, on loopback unless ADDR is given.

examples:
  ovsflow run --bridge br0 --port veth1=1 --port vxlan0=2:vxlan --listen ptcp:6654
  ovsflow run br0.toml
  ovsflow run --port tap0=1:tap --port "cap=2:pcap,write=/tmp/cap.pcap" --fail-mode standalone

Commands find the switch in $OVSFLOW_RUNDIR, by default /run/ovsflow, else
$XDG_RUNTIME_DIR/ovsflow.
"""

_TRACE = """\
examples:
  ovsflow trace br0 in_port=1,ip,nw_dst=10.0.0.2
  ovsflow trace br0 in_port=veth1 ffffffffffff0a0000000001080045...
"""

_PORT = """\
examples:
  ovsflow port add br0 veth2=3
  ovsflow port add br0 vxlan1:vxlan,dst_port=4790
  ovsflow port del br0 veth2
  ovsflow port list br0 --json
"""

_CONTROLLER = """\
Starts os-ken applications.  Built in: 'learning', a learning switch, and 'overlay', which learns
where hosts are and programs tun_id and tun_dst on every switch.

examples:
  ovsflow controller learning
  ovsflow controller ./my_app.py --listen 6653
"""


class _Version(argparse.Action):
    """Prints the version; finding it costs more than all the rest, so only when it is wanted."""

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
            number = version("ovsflow")
        except PackageNotFoundError:
            number = "unknown"
        print(f"ovsflow {number}")
        parser.exit()


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(
        prog="ovsflow",
        description="An OpenFlow switch in userspace.",
        epilog=_TOP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _add_run(commands)
    for name, text in (
        ("show", "what a switch is and whom it speaks with"),
        ("stats", "counters of ports, caches and every reason a packet was dropped"),
        ("macs", "addresses that NORMAL has learned"),
    ):
        command = _add(commands, name, text)
        command.add_argument("bridge", nargs="?", help="the switch; the only one if left out")
        _add_json(command)
        if name == "stats":
            command.add_argument(
                "--cycles",
                action="store_true",
                help="measure instead, for a while, what each stage of a packet's journey takes",
            )
            command.add_argument(
                "--seconds", type=float, default=1.0, help="how long to measure (1)"
            )
    command = _add(commands, "list", "the switches that run here")
    _add_json(command)
    _add_port(commands)
    command = _add(commands, "trace", "what would become of a packet", _TRACE)
    command.add_argument("bridge")
    command.add_argument("flow", help="the packet's fields, written as a match")
    command.add_argument("frame", nargs="?", help="the packet itself, in hexadecimal")
    _add_json(command)
    command = _add(commands, "log", "change how much a running switch logs")
    command.add_argument("bridge")
    command.add_argument("level", choices=LOG_LEVELS)
    command = _add(commands, "controller", "start a controller", _CONTROLLER)
    command.add_argument("application", nargs="+", help="built-in name, module or .py file")
    command.add_argument("--host", default="127.0.0.1", help="address to listen on")
    command.add_argument("--listen", type=int, default=6653, metavar="PORT", help="TCP port")
    command.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="setting of an application"
    )
    return top


def _add(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    text: str,
    epilog: str | None = None,
) -> argparse.ArgumentParser:
    return commands.add_parser(
        name,
        help=text,
        description=f"{text[0].upper()}{text[1:]}.",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _add_json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print JSON, with stable names")


def _add_run(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    run = _add(commands, "run", "run one switch in the foreground", _RUN)
    run.add_argument("config", nargs="?", metavar="CONFIG.toml", help="a configuration file")
    run.add_argument("--bridge", metavar="NAME", help="name of the switch (br0)")
    run.add_argument("--dpid", metavar="HEX", help="datapath id")
    run.add_argument("--port", action="append", default=[], metavar="PORT", help="open a port")
    run.add_argument(
        "--controller",
        action="append",
        default=[],
        metavar="TARGET",
        help="connect to a controller",
    )
    run.add_argument(
        "--listen", action="append", default=[], metavar="TARGET", help="accept controllers"
    )
    run.add_argument(
        "--fail-mode",
        choices=[str(mode) for mode in FailMode],
        help="without a controller: keep the flows (secure, the default) or learn (standalone)",
    )
    run.add_argument(
        "--protocols", metavar="LIST", help=f"OpenFlow versions: {','.join(PROTOCOLS)}"
    )
    run.add_argument("--workers", type=int, metavar="N", help="threads that move packets (1)")
    run.add_argument("--compat", choices=["spec", "ovs"], help="whose way where the two differ")
    run.add_argument("--max-backoff", type=float, metavar="SECONDS", help="longest wait (8)")
    run.add_argument(
        "--inactivity-probe", type=float, metavar="SECONDS", help="silence before a probe (5)"
    )
    run.add_argument("--private-key", metavar="FILE", help="for ssl: and pssl:")
    run.add_argument("--certificate", metavar="FILE", help="for ssl: and pssl:")
    run.add_argument("--ca-cert", metavar="FILE", help="for ssl: and pssl:")
    run.add_argument(
        "--log-level", choices=LOG_LEVELS, default="info", help="how much to log (info)"
    )


def _add_port(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    port = _add(commands, "port", "add, remove and list ports of a running switch", _PORT)
    actions = port.add_subparsers(dest="action", metavar="ACTION", required=True)
    add = _add(actions, "add", "open a port")
    add.add_argument("bridge")
    add.add_argument("spec", metavar="PORT", help="NAME[=OFPORT][:KIND[,key=value]...]")
    _add_json(add)
    remove = _add(actions, "del", "close a port")
    remove.add_argument("bridge")
    remove.add_argument("port", help="name or number")
    show = _add(actions, "list", "the ports")
    show.add_argument("bridge", nargs="?", help="the switch; the only one if left out")
    _add_json(show)
