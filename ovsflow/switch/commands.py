"""What the management socket can be asked: one function for each command.

Each takes the control plane and the request's arguments, and returns what is to be told, as plain
values that JSON knows.  A person's mistake is an `OvsflowError` whose text is one sentence.
"""

import json
import logging
import os
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from ovsflow.config.port import PortConfig
from ovsflow.config.words import LOG_LEVELS, did_you_mean
from ovsflow.errors import UsageError
from ovsflow.openflow.constants import VERSION_NAMES, PortState, Role, Version
from ovsflow.openflow.constants import PortConfig as PortFlags
from ovsflow.openflow.text.names import Names
from ovsflow.switch.door import Port, PortCounters
from ovsflow.switch.plane import ControlPlane
from ovsflow.switch.session import Session
from ovsflow.switch.tracing import trace


def run(plane: ControlPlane, command: str, arguments: Mapping[str, object]) -> object:
    """Runs one command.

    Raises:
        OvsflowError: The command or an argument is wrong, or the host refused.
    """
    function = _COMMANDS.get(command)
    if function is None:
        raise UsageError(f"unknown command '{command}'; {did_you_mean(command, _COMMANDS)}")
    return function(plane, arguments)


def _text(arguments: Mapping[str, object], key: str) -> str:
    value = arguments.get(key)
    if not isinstance(value, str):
        raise UsageError(f"'{key}' must be text")
    return value


def _version_name(version: int) -> str | None:
    return VERSION_NAMES[Version(version)] if version else None


def _show(plane: ControlPlane, arguments: Mapping[str, object]) -> object:
    sessions = plane.bridge.sessions.values()
    return {
        "name": plane.config.name,
        "dpid": f"{plane.bridge.datapath_id:016x}",
        "pid": os.getpid(),
        "uptime": round((time.monotonic_ns() - plane.started_ns) / 1e9, 3),
        "fail_mode": str(plane.config.fail_mode),
        "standalone": plane.standalone,
        "workers": plane.config.workers,
        "protocols": [_version_name(version) for version in plane.config.protocols],
        "controllers": _controllers(plane),
        "listen": [str(listener.target) for listener in plane.listeners],
        "sessions": [_session(session) for session in sessions if session.open],
        "ports": [port_facts(port) for port in plane.datapath.ports()],
    }


def _controllers(plane: ControlPlane) -> object:
    rows: list[object] = []
    for dialer in plane.dialers:
        session = dialer.link.session if dialer.link is not None else None
        rows.append(
            {
                "target": str(dialer.config.target),
                "connected": dialer.connected,
                "state": dialer.state.name.lower(),
                "seconds": round(dialer.seconds_in_state(), 3),
                "version": _version_name(session.version) if session is not None else None,
                "role": session.role.name.lower() if session is not None else None,
                "last_error": dialer.last_error,
            }
        )
    return rows


def _session(session: Session) -> object:
    return {
        "peer": session.peer,
        "version": _version_name(session.version),
        "role": Role(session.role).name.lower(),
        "service": session.service,
        "awake": session.interest.awake,
    }


def port_facts(port: Port) -> dict[str, object]:
    """What is known of a port."""
    return {
        "number": port.number,
        "name": port.name,
        "kind": port.kind,
        "options": dict(port.options),
        "hw_addr": port.hw_addr.hex(":"),
        "up": not port.config & PortFlags.PORT_DOWN,
        "link": not port.state & PortState.LINK_DOWN,
        "config": port.config,
        "state": port.state,
        "speed": port.speed,
        "mtu": port.mtu,
        "backend": port.backend,
    }


def _port_list(plane: ControlPlane, arguments: Mapping[str, object]) -> object:
    return [port_facts(port) for port in plane.datapath.ports()]


def _port_add(plane: ControlPlane, arguments: Mapping[str, object]) -> object:
    number = plane.add_port(PortConfig.parse(_text(arguments, "spec")))
    return port_facts(plane.ports.find(str(number)))


def _port_del(plane: ControlPlane, arguments: Mapping[str, object]) -> object:
    plane.ports.remove(_text(arguments, "port"))
    return None


def port_numbers(counters: PortCounters) -> dict[str, object]:
    """The counters of a port."""
    return {
        "rx_packets": counters.rx_packets,
        "rx_bytes": counters.rx_bytes,
        "rx_dropped": counters.rx_dropped,
        "rx_errors": counters.rx_errors,
        "tx_packets": counters.tx_packets,
        "tx_bytes": counters.tx_bytes,
        "tx_dropped": counters.tx_dropped,
        "tx_errors": counters.tx_errors,
        "drops": dict(counters.drops),
    }


def statistics(plane: ControlPlane) -> dict[str, object]:
    """Counters of ports, caches, tables and every drop reason."""
    result: dict[str, Any] = json.loads(plane.datapath.statistics())
    counters = {each.number: each for each in plane.datapath.port_counters()}
    result["ports"] = [
        {"number": port.number, "name": port.name, **port_numbers(counters[port.number])}
        for port in plane.datapath.ports()
        if port.number in counters
    ]
    result["controller"] = {"packet_ins_suppressed": plane.bridge.suppressed}
    result["packet_ins"] = [
        {"peer": plane.bridge.sessions[number].peer, **heard}
        for heard in result["packet_ins"]
        if (number := heard.pop("listener")) in plane.bridge.sessions
    ]
    return result


def _stats(plane: ControlPlane, arguments: Mapping[str, object]) -> object:
    return statistics(plane)


def _stages(plane: ControlPlane, arguments: Mapping[str, object]) -> object:
    """Switches the measuring of stages on or off; answers with what was measured."""
    measure = _text(arguments, "measure")
    if measure not in ("on", "off"):
        raise UsageError(f"'measure' is neither 'on' nor 'off': '{measure}'")
    plane.datapath.configure({"stage_times": measure == "on"})
    return [worker["stages"] for worker in json.loads(plane.datapath.statistics())["workers"]]


def _trace(plane: ControlPlane, arguments: Mapping[str, object]) -> object:
    frame = arguments.get("frame")
    if frame is not None and not isinstance(frame, str):
        raise UsageError("'frame' must be text")
    names = Names({port.number: port.name for port in plane.datapath.ports()})
    data = None
    if frame is not None:
        try:
            data = bytes.fromhex(frame.replace(":", ""))
        except ValueError:
            raise UsageError("the frame must be hexadecimal digits") from None
    return trace(plane.datapath, _text(arguments, "flow"), data, names)


def _macs(plane: ControlPlane, arguments: Mapping[str, object]) -> object:
    # Brings the ages up to date.
    plane.datapath.tick(time.monotonic_ns())
    return [
        {"port": port, "vlan": vlan, "mac": address.hex(":"), "age": age}
        for port, vlan, address, age in plane.datapath.mac_table()
    ]


def _log(plane: ControlPlane, arguments: Mapping[str, object]) -> object:
    level = _text(arguments, "level").lower()
    if level not in LOG_LEVELS:
        raise UsageError(f"unknown level '{level}'; {did_you_mean(level, LOG_LEVELS)}")
    logging.getLogger("ovsflow").setLevel(level.upper())
    return None


_COMMANDS: Final[dict[str, Callable[[ControlPlane, Mapping[str, object]], object]]] = {
    "show": _show,
    "port-list": _port_list,
    "port-add": _port_add,
    "port-del": _port_del,
    "stats": _stats,
    "stages": _stages,
    "trace": _trace,
    "macs": _macs,
    "log": _log,
}
