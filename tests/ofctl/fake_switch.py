"""A switch that answers as a test tells it to, on a unix socket in a thread of its own."""

import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

from ovsflow.openflow import codec
from ovsflow.openflow.constants import SPOKEN
from ovsflow.openflow.framing import Framer
from ovsflow.openflow.handshake import BarrierReply, BarrierRequest, Hello
from ovsflow.openflow.wire import Body

Answer = Callable[[Body], Sequence[Body]]


class FakeSwitch:
    """Speaks HELLO and BARRIER by itself; `answer` says what follows every other message.

    Attributes:
        received: Every message but HELLO, in the order in which it came.
    """

    def __init__(
        self,
        path: Path,
        answer: Answer = lambda body: (),
        versions: tuple[int, ...] = tuple(SPOKEN),
    ) -> None:
        self.path = path
        self.answer = answer
        self.versions = versions
        self.received: list[Body] = []
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> "FakeSwitch":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Whoever waits in accept() is woken by the end of the socket.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    def of(self, kind: type[Body]) -> list[Body]:
        """The messages of a class that came."""
        return [body for body in self.received if isinstance(body, kind)]

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            with peer:
                self._converse(peer)

    def _converse(self, peer: socket.socket) -> None:
        highest = max(self.versions)
        peer.sendall(codec.encode(Hello(self.versions), highest, 1))
        framer = Framer()
        version = highest
        while data := peer.recv(65536):
            for message in framer.feed(data):
                got = codec.decode(message)
                if isinstance(got.body, Hello):
                    version = max(set(got.body.versions) & set(self.versions), default=highest)
                    continue
                self.received.append(got.body)
                answers: Sequence[Body] = (BarrierReply(),)
                if not isinstance(got.body, BarrierRequest):
                    answers = self.answer(got.body)
                for body in answers:
                    peer.sendall(codec.encode(body, version, got.xid))
