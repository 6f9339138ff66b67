"""Speaks with a running switch over its management socket."""

import json
import socket
from pathlib import Path
from typing import Final

from ovsflow.errors import HostError, OvsflowError, ParseError, UsageError
from ovsflow.switch.rundir import candidates, running

_TIMEOUT_SECONDS: Final = 30.0


def find(bridge: str | None) -> Path:
    """The management socket of a bridge; of the only one that runs if none is named.

    Raises:
        HostError: It is not running.
        UsageError: None is named and several run.
    """
    if bridge is None:
        switches = running()
        if len(switches) == 1:
            return next(iter(switches.values()))
        if not switches:
            raise HostError("no switch is running; start one with 'ovsflow run'")
        raise UsageError(f"several switches are running, name one of: {', '.join(switches)}")
    for directory in candidates():
        path = directory / f"{bridge}.ctl"
        if path.exists():
            return path
    switches = running()
    others = f"running: {', '.join(switches)}" if switches else "start one with 'ovsflow run'"
    raise HostError(f"no switch named '{bridge}' is running; {others}")


def ask(path: Path, command: str, **arguments: str | None) -> object:
    """Sends one command and returns the result.

    Raises:
        HostError: The switch cannot be reached.
        OvsflowError: What the switch says is wrong.
    """
    given = {key: value for key, value in arguments.items() if value is not None}
    request = json.dumps({"command": command, "arguments": given}).encode() + b"\n"
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_TIMEOUT_SECONDS)
            connection.connect(str(path))
            connection.sendall(request)
            with connection.makefile("rb") as stream:
                line = stream.readline()
    except PermissionError:
        raise HostError(f"{path}: permission denied; only the user who runs it may") from None
    except ConnectionRefusedError:
        raise HostError(f"{path}: the switch is not running any more; start it again") from None
    except OSError as error:
        raise HostError(f"{path}: {(error.strerror or str(error)).lower()}") from error
    if not line:
        raise HostError(f"{path}: the switch closed the connection; its log may tell why")
    answer = json.loads(line)
    if "error" not in answer:
        return answer.get("result")
    if answer.get("column") is not None:
        raise ParseError(answer["error"], answer["text"], answer["column"])
    raise OvsflowError(answer["error"])
