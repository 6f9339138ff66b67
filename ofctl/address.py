"""Where a switch listens: a bridge's name, a path, or `unix:`, `tcp:` and `ssl:`.

Owns the search for a bridge's socket: ovsflow's run directory first, then Open vSwitch's.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ovsflow.errors import UsageError

OPENFLOW_PORT = 6653


@dataclass(frozen=True, slots=True)
class Address:
    """How to reach a switch.

    Attributes:
        kind: `unix`, `tcp` or `ssl`.
        path: Of the socket, for `unix`.
        host: Name or address, for the others.
        port: TCP port.
    """

    kind: str
    path: str = ""
    host: str = ""
    port: int = 0

    def __str__(self) -> str:
        """The address as it can be typed."""
        if self.kind == "unix":
            return f"unix:{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.kind}:{host}:{self.port}"


def find(target: str, suffix: str = "mgmt") -> Address:
    """The address that a person means.

    Args:
        target: `br0`, a path, `unix:PATH`, `tcp:HOST[:PORT]`, `ssl:HOST[:PORT]`.
        suffix: Which of a bridge's sockets: `mgmt` to manage, `snoop` to overhear.

    Raises:
        UsageError: There is nothing of that name.
    """
    kind, colon, rest = target.partition(":")
    if colon and kind in ("tcp", "ssl"):
        return Address(kind, "", *_host_and_port(target, rest))
    if colon and kind == "unix":
        return Address("unix", rest)
    if colon and kind in ("ptcp", "pssl", "punix"):
        raise UsageError(f"{target}: a passive address; give the switch's, such as tcp:HOST:PORT")
    if "/" in target and _is_socket(Path(target)):
        return Address("unix", target)
    for directory in run_directories():
        path = directory / f"{target}.{suffix}"
        if _is_socket(path):
            return Address("unix", str(path))
    there = sorted(path.stem for each in run_directories() for path in each.glob(f"*.{suffix}"))
    running = f"running here: {', '.join(there)}" if there else "none runs here"
    raise UsageError(f"{target} is not a bridge or a socket; {running}")


def run_directories() -> Iterator[Path]:
    """Where bridges keep their sockets, in the order of the search."""
    own = os.environ.get("OVSFLOW_RUNDIR")
    if own:
        yield Path(own)
    else:
        yield Path("/run/ovsflow")
        personal = os.environ.get("XDG_RUNTIME_DIR")
        if personal:
            yield Path(personal) / "ovsflow"
    yield Path(os.environ.get("OVS_RUNDIR") or "/var/run/openvswitch")


def _is_socket(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(path.stat().st_mode)
    except OSError:
        return False


def _host_and_port(target: str, rest: str) -> tuple[str, int]:
    """Splits `HOST[:PORT]`; an IPv6 address stands in brackets when a port follows."""
    if rest.startswith("["):
        host, bracket, tail = rest[1:].partition("]")
        port = tail.removeprefix(":")
        if not bracket or (tail and not tail.startswith(":")):
            raise UsageError(f"{target}: missing ]")
    elif rest.count(":") > 1:
        host, port = rest, ""
    else:
        host, _, port = rest.partition(":")
    if not host:
        raise UsageError(f"{target}: missing host")
    if port and not (port.isdigit() and 0 < int(port) <= 0xFFFF):
        raise UsageError(f"{target}: {port} is not a TCP port")
    return host, int(port) if port else OPENFLOW_PORT
