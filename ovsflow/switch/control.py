"""The management socket: one JSON object a line in, one out.

    {"command": "port-add", "arguments": {"spec": "veth2=3"}}
    {"result": {...}}            or {"error": "port veth2: there is no such device; …"}

The socket is the owner's alone (mode 0600).  Whoever may open it may do everything, so there is
no other check.
"""

import asyncio
import json
import logging
import os
from pathlib import Path
from typing import Final

from ovsflow.errors import OvsflowError, ParseError
from ovsflow.switch.commands import run
from ovsflow.switch.plane import ControlPlane

log = logging.getLogger(__name__)

#: Longest line; a frame to trace has at most 64 KiB, in hexadecimal twice that.
LINE_BYTES: Final = 1 << 20

CLOSING_TURNS = 8


class Control:
    """Answers commands about one switch."""

    def __init__(self, plane: ControlPlane, path: Path) -> None:
        self._plane = plane
        self._path = path
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        """Listens; raises `OSError` when it cannot."""
        before = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(
                self._serve, str(self._path), limit=LINE_BYTES
            )
        finally:
            os.umask(before)

    async def stop(self) -> None:
        """Stops listening and closes what is open."""
        if self._server is None:
            return
        # A server that is closed between accepting a connection and its first turn leaks it:
        # accept no more, let the loop finish what it accepted, and only then close.
        loop = asyncio.get_running_loop()
        for listener in self._server.sockets:
            loop.remove_reader(listener.fileno())
        for _ in range(CLOSING_TURNS):
            for writer in tuple(self._writers):
                writer.close()
            await asyncio.sleep(0)
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while line := await reader.readline():
                writer.write(json.dumps(self._answer(line)).encode() + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError, asyncio.CancelledError):
            # Gone, or a line that is too long: there is nobody to tell.
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    def _answer(self, line: bytes) -> dict[str, object]:
        try:
            request = json.loads(line)
            command, arguments = request["command"], request.get("arguments", {})
        except (ValueError, KeyError, TypeError, AttributeError):
            return {"error": 'a request is {"command": NAME, "arguments": {…}}'}
        if not isinstance(command, str) or not isinstance(arguments, dict):
            return {"error": 'a request is {"command": NAME, "arguments": {…}}'}
        try:
            return {"result": run(self._plane, command, arguments)}
        except ParseError as error:
            return {"error": str(error), "text": error.text, "column": error.column}
        except OvsflowError as error:
            return {"error": str(error)}
        except Exception:
            # The person who asked must get an answer, and the switch must go on.
            log.exception("command %s", command)
            return {"error": f"internal error in '{command}'; the switch's log tells more"}
