"""The directory in which running switches are found, and one switch's files in it.

    br0.mgmt   OpenFlow, for `ofctl` and `ovs-ofctl`
    br0.ctl    management, for `ovsflow show|port|trace|…`
    br0.snoop  OpenFlow, what the controllers' sessions say (`ofctl snoop`)
    br0.pid    the process

A socket that nobody listens on any more is replaced; one that somebody does listen on means that
a switch of this name is running.
"""

import contextlib
import os
import socket
from pathlib import Path
from typing import Final

from ovsflow.errors import HostError

_SYSTEM: Final = Path("/run/ovsflow")


def candidates() -> list[Path]:
    """The places to look, best first."""
    given = os.environ.get("OVSFLOW_RUNDIR")
    if given:
        return [Path(given)]
    own = os.environ.get("XDG_RUNTIME_DIR")
    return [_SYSTEM, Path(own) / "ovsflow"] if own else [_SYSTEM]


def prepare() -> Path:
    """Makes the directory, in the first place that allows it.

    Raises:
        HostError: None does.
    """
    refusals = []
    for path in candidates():
        try:
            path.mkdir(mode=0o755, parents=True, exist_ok=True)
        except OSError as error:
            refusals.append(f"{path} ({(error.strerror or str(error)).lower()})")
            continue
        if os.access(path, os.W_OK | os.X_OK):
            return path
        refusals.append(f"{path} (not writable)")
    raise HostError(
        f"no directory for sockets: {', '.join(refusals)}; set OVSFLOW_RUNDIR to one that you own"
    )


def is_alive(path: Path) -> bool:
    """Whether somebody listens on a unix socket."""
    probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with contextlib.closing(probe):
        probe.settimeout(2)
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True


def running() -> dict[str, Path]:
    """The switches that can be managed: name and management socket."""
    found: dict[str, Path] = {}
    for directory in candidates():
        with contextlib.suppress(OSError):
            for path in sorted(directory.glob("*.ctl")):
                if path.stem not in found and is_alive(path):
                    found[path.stem] = path
    return found


class Rundir:
    """The files of one switch."""

    def __init__(self, directory: Path, name: str) -> None:
        self.directory = directory
        self.management = directory / f"{name}.ctl"
        self.openflow = directory / f"{name}.mgmt"
        self.snoop = directory / f"{name}.snoop"
        self.pid = directory / f"{name}.pid"
        self._name = name

    def claim(self) -> None:
        """Clears what a switch that ended badly left behind, and writes the pid.

        Raises:
            HostError: A switch of this name is running.
        """
        for path in (self.management, self.openflow):
            if path.is_socket() and is_alive(path):
                raise HostError(
                    f"a switch named {self._name} is running already ({path}); "
                    "choose another --bridge or stop it first"
                )
            path.unlink(missing_ok=True)
        self.snoop.unlink(missing_ok=True)
        self.pid.unlink(missing_ok=True)
        self.pid.write_text(f"{os.getpid()}\n")

    def release(self) -> None:
        """Removes the files."""
        for path in (self.management, self.openflow, self.snoop, self.pid):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
