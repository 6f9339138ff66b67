"""A socket that looks like a switch to ovs-ofctl and keeps what it sends, byte for byte."""

import contextlib
import socket
import struct
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

from ovsflow.openflow.constants import Version
from ovsflow.openflow.framing import Framer
from tests.ofctl.oracle import run

_HEADER = struct.Struct("!BBHI")
_HELLO, _FEATURES = 0, 5
_BARRIER, _STATS = 20, 18
_BARRIER_OF10, _STATS_OF10 = 18, 16
_PATIENCE = 60.0


class Recorder:
    """Says HELLO, answers barriers, knows no ports and no tables, keeps everything else.

    Attributes:
        target: Where ovs-ofctl finds it.
        messages: Every message that has no answer, in the order in which it came.
    """

    def __init__(self, path: Path, version: int) -> None:
        self.target = f"unix:{path}"
        self.version = Version(version)
        self.messages: list[bytes] = []
        self._path = path
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.settimeout(_PATIENCE)
        self._listener.bind(str(path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> "Recorder":
        """Starts to listen."""
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        """Ends, once the peer has gone."""
        with contextlib.suppress(OSError):
            # Whoever waits in accept() is woken by the end of the socket.
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(_PATIENCE)
        self._path.unlink()

    def _serve(self) -> None:
        # It asks for names on a connection of its own, while the first is open.
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._converse, args=(peer,), daemon=True).start()

    def _converse(self, peer: socket.socket) -> None:
        framer = Framer()
        with peer:
            peer.settimeout(_PATIENCE)
            peer.sendall(_HEADER.pack(self.version, _HELLO, _HEADER.size, 1))
            while data := peer.recv(65536):
                for message in framer.feed(data):
                    self._answer(peer, message)

    def _answer(self, peer: socket.socket, message: bytes) -> None:
        _, kind, _, xid = _HEADER.unpack_from(message)
        old = self.version == Version.OF10
        barrier, stats = (_BARRIER_OF10, _STATS_OF10) if old else (_BARRIER, _STATS)
        # The reply to every question about ports and tables is an empty list.
        answers = {barrier: b"", stats: message[8 : 12 if old else 16], _FEATURES: bytes(24)}
        if kind in answers:
            body = answers[kind]
            header = _HEADER.pack(self.version, kind + 1, _HEADER.size + len(body), xid)
            peer.sendall(header + body)
        elif kind != _HELLO:
            self.messages.append(message)


def sent_by_ovs_ofctl(
    version: int, command: str, argument: str, scratch: Path, options: Sequence[str] = ()
) -> tuple[list[bytes], "subprocess.CompletedProcess[str]"]:
    """What ovs-ofctl sends to a switch for one command, and how it ended."""
    with Recorder(scratch / "recorder.sock", version) as recorder:
        done = run(version, "--no-names", *options, command, recorder.target, argument)
    return recorder.messages, done
