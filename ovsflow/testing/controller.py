"""An os-ken application in the same process as the switch, with no listening port and no root.

os-ken normally opens a TCP port and waits for switches.  Here each connection is made by hand: one
end of a private pair of sockets goes to the switch, the other to os-ken's own reader, in a thread
that ends with the test.
"""

import contextlib
import itertools
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, Self

from ovsflow.errors import HostError
from ovsflow.switch.switch import Switch

WAIT_SECONDS: Final = 10.0


def eventually(condition: Callable[[], bool], what: str = "the condition") -> None:
    """Waits until something holds, for the little while that other threads need.

    Raises:
        HostError: It did not within ten seconds.
    """
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise HostError(f"{what} did not come true within {WAIT_SECONDS:.0f} seconds")
        time.sleep(0.001)


def connected_pair() -> tuple[socket.socket, socket.socket]:
    """Two ends of a TCP connection that nobody else can reach: os-ken sets TCP options."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        one = socket.create_connection(server.getsockname())
        other, _ = server.accept()
    return one, other


class Controller:
    """Runs os-ken applications; the first one is `app`.

    Attributes:
        app: The instance of the first application.
        datapaths: os-ken's end of each connection, newest last.
    """

    def __init__(self, *applications: type[Any], **settings: object) -> None:
        """Starts applications.

        Args:
            applications: Subclasses of os-ken's `OSKenApp`.
            settings: Keyword arguments of every application.

        Raises:
            HostError: os-ken is not installed.
        """
        try:
            from os_ken.base.app_manager import AppManager, OSKenApp
            from os_ken.controller.ofp_handler import OFPHandler
            from os_ken.ofproto import ofproto_protocol
        except ImportError as error:
            raise HostError("controllers need os-ken: pip install 'ovsflow[controller]'") from error
        self._manager = AppManager.get_instance()
        self.datapaths: list[Any] = []
        self._threads: list[threading.Thread] = []
        # os-ken narrows this set for good to what an application speaks.
        self._versions = ofproto_protocol.ProtocolDesc().supported_ofp_version
        self._all_versions = set(self._versions)
        handler = self._manager.instantiate(OFPHandler)
        for cls in applications:
            self._manager.contexts_cls.update(cls.context_iteritems())
        settings.update(self._manager.create_contexts())
        apps = [self._manager.instantiate(cls, **settings) for cls in applications]
        for app in self._manager.applications.values():
            if app is handler:
                # Only the base's start: its own would open a TCP port.
                OSKenApp.start(app)
            else:
                app.start()
        self.app: Any = apps[0] if apps else None

    def connect(self, switch: Switch) -> None:
        """Connects a switch; when it returns, the handshake is done on both sides.

        Raises:
            HostError: The handshake did not end.
        """
        from os_ken.controller.controller import Datapath
        from os_ken.controller.handler import MAIN_DISPATCHER

        ours, theirs = connected_pair()
        datapath = Datapath(theirs, theirs.getpeername())
        # No echo requests of its own: that thread would sleep long after the test.
        datapath.max_unreplied_echo_requests = 0
        thread = threading.Thread(target=self._serve, args=(datapath,), daemon=True)
        thread.start()
        self._threads.append(thread)
        self.datapaths.append(datapath)
        switch.attach(ours)
        eventually(lambda: datapath.state == MAIN_DISPATCHER, "the handshake")
        eventually(switch.connected, "the handshake")

    @staticmethod
    def _serve(datapath: Any) -> None:
        with contextlib.closing(datapath):
            datapath.serve()

    def close(self) -> None:
        """Disconnects all switches and ends the applications."""
        for datapath in self.datapaths:
            queue = datapath.send_q
            if queue is not None:
                # Ends os-ken's sending thread, which waits for something to send.
                queue.put((b"", True))
            with contextlib.suppress(OSError):
                datapath.socket.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(WAIT_SECONDS)
        for datapath in self.datapaths:
            datapath.socket.close()
        self._manager.close()
        self._manager.contexts_cls.clear()
        self._versions.update(self._all_versions)

    def __enter__(self) -> Self:
        """The controller itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace_back: TracebackType | None,
    ) -> None:
        """Ends it."""
        self.close()


_names = itertools.count(1)


def memory_switch(ports: int = 2, **options: Any) -> Switch:
    """A switch with memory ports `p1`, `p2`, … that moves packets when told to.

    Args:
        ports: How many ports.
        options: Arguments of `Switch`.
    """
    names = [f"p{number}={number}:memory" for number in range(1, ports + 1)]
    options.setdefault("workers", 0)
    return Switch(f"test{next(_names)}", ports=names, **options)
