"""`ovsflow run`: one switch in the foreground."""

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import socket
from dataclasses import replace

from ovsflow.config import (
    LOCAL_PORT,
    ControllerConfig,
    FailMode,
    ListenConfig,
    PortConfig,
    SwitchConfig,
    Target,
    TlsConfig,
    load,
)
from ovsflow.config.switch import parse_dpid, parse_protocols
from ovsflow.errors import UsageError
from ovsflow.switch.rundir import Rundir, prepare
from ovsflow.switch.switch import Switch

log = logging.getLogger("ovsflow")


def configuration(args: argparse.Namespace) -> SwitchConfig:
    """The file, if one is given, with what the command line says in its place.

    Raises:
        UsageError: Something cannot be understood.
    """
    config = load(args.config) if args.config else SwitchConfig()
    changes: dict[str, object] = {}
    if args.bridge:
        changes["name"] = args.bridge
    if args.dpid:
        changes["dpid"] = parse_dpid(args.dpid)
    if args.port:
        changes["ports"] = (*config.ports, *(PortConfig.parse(text) for text in args.port))
    if args.listen:
        listen = (ListenConfig(Target.parse(text)) for text in args.listen)
        changes["listen"] = (*config.listen, *listen)
    if args.fail_mode:
        changes["fail_mode"] = FailMode(args.fail_mode)
    if args.protocols:
        changes["protocols"] = parse_protocols(args.protocols.split(","))
    if args.workers is not None:
        changes["workers"] = args.workers
    if args.compat:
        changes["settings"] = {**config.settings, "compat": args.compat}
    tls = _tls(args)
    if tls is not None:
        changes["tls"] = tls
    controllers = [
        *config.controllers,
        *(ControllerConfig(Target.parse(text)) for text in args.controller),
    ]
    if args.max_backoff is not None:
        controllers = [replace(each, max_backoff=args.max_backoff) for each in controllers]
    if args.inactivity_probe is not None:
        controllers = [replace(each, probe=args.inactivity_probe) for each in controllers]
    changes["controllers"] = tuple(controllers)
    return replace(config, **changes)  # type: ignore[arg-type]  # keys and values match above


def _tls(args: argparse.Namespace) -> TlsConfig | None:
    given = (args.private_key, args.certificate, args.ca_cert)
    if not any(given):
        return None
    if not all(given):
        raise UsageError("TLS needs --private-key, --certificate and --ca-cert together")
    return TlsConfig(*given)


def run(args: argparse.Namespace) -> int:
    """Runs a switch until it is told to end."""
    config = configuration(args)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    log.setLevel(args.log_level.upper())
    rundir = Rundir(prepare(), config.name)
    asyncio.run(_serve(Switch.from_config(config, rundir)))
    return 0


async def _serve(switch: Switch) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with switch.serving():
        plane = switch.plane
        name, dpid = plane.config.name, plane.bridge.datapath_id
        log.info("%s: datapath id %016x", name, dpid)
        for port in switch.ports():
            shown = "LOCAL" if port.number == LOCAL_PORT else port.number
            log.info("%s: port %s is %s (%s)", name, shown, port.name, port.kind)
        for target in switch.listening():
            log.info("%s: listens on %s", name, target)
        notify("READY=1")
        await stop.wait()
        notify("STOPPING=1")
        log.info("%s: ends", name)


def notify(state: str) -> None:
    """Tells systemd, where it wants to know (Type=notify)."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.sendto(state.encode(), address)
