"""`Switch`: a whole switch as a Python object.

    with Switch("br0", ports=["p1:memory", "p2:memory"], workers=0) as switch:
        switch.add_flow("in_port=1,actions=output:2")
        switch.inject("p1", frame)
        assert switch.receive("p2") == [frame]

A switch that talks to anybody (controllers, listeners, sockets for commands) or has threads for
packets runs its control plane in a thread of its own.  With `workers=0` and nobody to talk to
there is no thread at all: what a call causes has happened when it returns, which is what tests
want.
"""

import asyncio
import concurrent.futures
import contextlib
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

from ovsflow.config.port import PortConfig
from ovsflow.config.switch import PROTOCOLS, FailMode, SwitchConfig, parse_protocols
from ovsflow.config.target import ControllerConfig, ListenConfig, Target
from ovsflow.datapath import Port
from ovsflow.errors import RefusedError, UsageError
from ovsflow.openflow import codec
from ovsflow.openflow.constants import FlowModCommand, Version
from ovsflow.openflow.failure import ErrorMessage
from ovsflow.openflow.flow_stats import FlowStats, FlowStatsReply, FlowStatsRequest
from ovsflow.openflow.modify import FlowMod
from ovsflow.openflow.text.names import Names
from ovsflow.openflow.text.parse import parse_flow, parse_flow_filter
from ovsflow.openflow.wire import Body
from ovsflow.switch.commands import statistics
from ovsflow.switch.control import Control
from ovsflow.switch.intake import Intake
from ovsflow.switch.plane import ControlPlane
from ovsflow.switch.rundir import Rundir
from ovsflow.switch.tracing import Trace, trace

_VERSION: Final = Version.OF13
_Result = TypeVar("_Result")


class Switch:
    """A userspace OpenFlow switch.

    Use it as a context manager, or call `start` and `stop`.  Methods may be called from any
    thread.
    """

    def __init__(
        self,
        name: str = "br0",
        *,
        ports: Iterable[str | PortConfig] = (),
        controllers: Iterable[str | ControllerConfig] = (),
        listen: Iterable[str] = (),
        dpid: int | None = None,
        fail_mode: str = "secure",
        protocols: Iterable[str] | None = None,
        workers: int = 1,
        settings: Mapping[str, str | int | bool] | None = None,
        rundir: Path | str | None = None,
    ) -> None:
        """Describes a switch; nothing is opened before it is started.

        Args:
            name: Name of the bridge.
            ports: What `ovsflow run --port` takes (`veth1=1`, `p1:memory`), or objects.
            controllers: Controllers to connect to (`tcp:127.0.0.1:6653`).
            listen: Where controllers may connect (`ptcp:6654`, `punix:/tmp/sock`).
            dpid: The 64-bit datapath id; `None` makes one.
            fail_mode: `secure` or `standalone`.
            protocols: OpenFlow versions to speak (`OpenFlow13`); all that are known by default.
            workers: Threads that move packets; 0 moves them in the caller's thread.
            settings: Settings of the datapath, as in the TOML file.
            rundir: A directory for the sockets that `ofctl` and `ovsflow` use; none by default.

        Raises:
            UsageError: Something cannot be understood; the text says what and where.
        """
        self._config = SwitchConfig(
            name=name,
            dpid=dpid,
            ports=tuple(PortConfig.parse(p) if isinstance(p, str) else p for p in ports),
            controllers=tuple(
                ControllerConfig(Target.parse(c)) if isinstance(c, str) else c for c in controllers
            ),
            listen=tuple(ListenConfig(Target.parse(text)) for text in listen),
            fail_mode=_fail_mode(fail_mode),
            protocols=parse_protocols(PROTOCOLS if protocols is None else protocols),
            workers=workers,
            settings=dict(settings or {}),
        )
        self._rundir = Rundir(Path(rundir), name) if rundir is not None else None
        self._plane: ControlPlane | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stopping: asyncio.Event | None = None
        self._owner = 0
        self._claimed = False

    @classmethod
    def from_config(cls, config: SwitchConfig, rundir: Rundir | None = None) -> Self:
        """A switch from a configuration that was read elsewhere."""
        switch = cls(config.name)
        switch._config = config
        switch._rundir = rundir
        return switch

    # -- Life ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Opens ports and sockets.  When it returns, the switch forwards.

        Raises:
            HostError: The host refused; the text names what and says what to do.
            ConfigError: A port cannot be what it was told.
        """
        if self._plane is not None:
            raise UsageError("the switch is started already")
        try:
            self._claim()
            self._plane = ControlPlane(self._config, self._rundir)
            config = self._config
            if config.workers or config.controllers or config.listen or self._rundir:
                self._start_thread()
        except BaseException:
            self._close()
            raise

    def stop(self) -> None:
        """Ends sessions, closes ports and sockets.  Safe to call twice."""
        if self._thread is not None:
            if self._loop is not None and self._stopping is not None:
                with contextlib.suppress(RuntimeError):
                    self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join()
            self._thread = None
        self._close()

    def _claim(self) -> None:
        if self._rundir is not None:
            self._rundir.claim()
            self._claimed = True

    def _close(self) -> None:
        if self._plane is not None:
            self._plane.close()
        self._plane = None
        if self._rundir is not None and self._claimed:
            self._rundir.release()
        self._claimed = False

    def __enter__(self) -> Self:
        """Starts the switch."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace_back: TracebackType | None,
    ) -> None:
        """Stops the switch."""
        self.stop()

    def _start_thread(self) -> None:
        """Runs the control plane in a thread of its own; returns when it serves."""
        started: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._thread = threading.Thread(
            target=self._run, args=(started,), name=f"ovsflow-{self._config.name}", daemon=True
        )
        self._thread.start()
        try:
            started.result()
        except BaseException:
            self._thread.join()
            self._thread = None
            raise

    def _run(self, started: "concurrent.futures.Future[None]") -> None:
        asyncio.run(self._main(started))

    async def _main(self, started: "concurrent.futures.Future[None]") -> None:
        self._stopping = asyncio.Event()
        try:
            async with self._in_this_loop():
                started.set_result(None)
                await self._stopping.wait()
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Runs the switch in the caller's loop, as `ovsflow run` does; it stops at the end."""
        try:
            self._claim()
            self._plane = ControlPlane(self._config, self._rundir)
            async with self._in_this_loop():
                yield
        finally:
            self._close()

    @contextlib.asynccontextmanager
    async def _in_this_loop(self) -> AsyncIterator[None]:
        plane, control = self.plane, None
        self._loop, self._owner = asyncio.get_running_loop(), threading.get_ident()
        try:
            if self._rundir is not None:
                control = Control(plane, self._rundir.management)
                await control.start()
            await plane.start()
            yield
        finally:
            self._loop = None
            if control is not None:
                await control.stop()
            await plane.stop()

    # -- Ports -----------------------------------------------------------------------------------

    def ports(self) -> list[Port]:
        """The ports, by number."""
        return self.plane.datapath.ports()

    def add_port(self, port: str | PortConfig) -> Port:
        """Opens a port (`veth2=3`, `vxlan0:vxlan`) and tells the controllers."""
        config = PortConfig.parse(port) if isinstance(port, str) else port
        number = self._in_loop(lambda: self.plane.add_port(config))
        return self._port(str(number))

    def remove_port(self, port: str | int) -> None:
        """Closes a port, by name or number, and tells the controllers."""
        self._in_loop(lambda: self.plane.ports.remove(str(port)))

    def inject(self, port: str | int, frame: bytes) -> None:
        """Lets a frame arrive at a port, as if its device had received it."""
        self.plane.datapath.execute(self._port(str(port)).number, frame, time.monotonic_ns())

    def receive(self, port: str | int) -> list[bytes]:
        """Takes the frames that a `memory` port was given to send."""
        return self.plane.datapath.receive(self._port(str(port)).number)

    def _port(self, name: str) -> Port:
        return next(p for p in self.ports() if p.number == self.plane.ports.find(name).number)

    # -- Flows -----------------------------------------------------------------------------------

    def add_flow(self, flow: str | FlowMod) -> None:
        """Adds a flow, written as for `ofctl add-flow`, or as an object.

        Raises:
            ParseError: The text is not a flow; carries the column.
            RefusedError: The switch refuses it, as it would refuse a controller.
        """
        self._change(flow, FlowModCommand.ADD)

    def mod_flows(self, flow: str | FlowMod, *, strict: bool = False) -> None:
        """Gives flows that match other actions; none that matches is no error."""
        self._change(flow, FlowModCommand.MODIFY_STRICT if strict else FlowModCommand.MODIFY)

    def del_flows(self, flow: str | FlowMod = "", *, strict: bool = False) -> None:
        """Deletes the flows that match; all by default."""
        self._change(flow, FlowModCommand.DELETE_STRICT if strict else FlowModCommand.DELETE)

    def dump_flows(self, flow: str = "") -> list[FlowStats]:
        """The flows that match, as they are now."""
        wanted = parse_flow_filter(flow, _VERSION, self._names())
        request = FlowStatsRequest(
            match=wanted.match,
            table_id=wanted.table_id,
            out_port=wanted.out_port,
            out_group=wanted.out_group,
            cookie=wanted.cookie,
            cookie_mask=wanted.cookie_mask,
        )
        return [
            each
            for reply in self.query(request)
            if isinstance(reply, FlowStatsReply)
            for each in reply.flows
        ]

    def send(self, *messages: Body) -> None:
        """Applies table changes and packet-outs as objects, in order.

        Raises:
            RefusedError: The first that the switch refuses; the others are done nevertheless.
        """
        data = b"".join(
            codec.encode(message, _VERSION, xid) for xid, message in enumerate(messages)
        )
        errors = self.plane.datapath.apply(_VERSION, data, time.monotonic_ns())
        self._in_loop(self.plane.bridge.on_change)
        _raise_first(errors)

    def query(self, request: Body) -> Iterator[Body]:
        """Asks about tables, flows, groups or meters; gives the replies one by one.

        Raises:
            RefusedError: The switch refuses the request.
        """
        encoded = codec.encode(request, _VERSION, 0)
        cursor: int | None = 0
        while cursor is not None:
            data, cursor = self.plane.datapath.query(_VERSION, encoded, time.monotonic_ns(), cursor)
            for message in _messages(data):
                body = codec.decode(message).body
                if isinstance(body, ErrorMessage):
                    raise _refused(body)
                yield body

    def _change(self, flow: str | FlowMod, command: FlowModCommand) -> None:
        if isinstance(flow, str):
            self.send(parse_flow(flow, command, _VERSION, self._names()))
        else:
            self.send(flow)

    def _names(self) -> Names:
        return Names({port.number: port.name for port in self.ports()})

    # -- Looking at it -----------------------------------------------------------------------------

    def trace(self, flow: str, frame: bytes | None = None) -> Trace:
        """Tells what would become of a packet: rules hit, then what the datapath does.

        Args:
            flow: The packet's fields, written as a match (`in_port=1,tcp,tp_dst=80`).
            frame: The packet itself, or `None` for one made up from the fields.
        """
        return trace(self.plane.datapath, flow, frame, self._names())

    def stats(self) -> dict[str, object]:
        """Counters of ports, caches, tables and every drop reason."""
        return dict(statistics(self.plane))

    def connected(self) -> bool:
        """Whether any controller has finished its handshake."""
        return self._in_loop(lambda: self.plane.connected())

    def listening(self) -> list[str]:
        """Where controllers may connect, with the TCP ports that the host chose."""
        return [
            str(Target(each.target.scheme, each.target.host, each.port, each.target.path))
            for each in self.plane.listeners
        ]

    def attach(self, controller: socket.socket) -> None:
        """Takes one end of a connected pair of sockets as the connection to a controller.

        A switch that had no thread until now gets one, for it has somebody to talk to.
        """
        if self._loop is None:
            self._start_thread()
        loop = self._loop
        assert loop is not None
        asyncio.run_coroutine_threadsafe(self.plane.attach(controller), loop).result()

    @property
    def plane(self) -> ControlPlane:
        """The control plane; for those who know what they do."""
        if self._plane is None:
            raise UsageError("the switch is not started")
        return self._plane

    def _in_loop(self, call: Callable[[], _Result]) -> _Result:
        """Calls in the control plane's thread, if there is one, and waits."""
        loop = self._loop
        if loop is None or threading.get_ident() == self._owner:
            return call()
        done: concurrent.futures.Future[_Result] = concurrent.futures.Future()

        def step() -> None:
            try:
                done.set_result(call())
            except BaseException as error:
                done.set_exception(error)

        loop.call_soon_threadsafe(step)
        return done.result()


def _fail_mode(text: str) -> FailMode:
    try:
        return FailMode(text)
    except ValueError:
        raise UsageError(f"fail mode '{text}' is neither 'secure' nor 'standalone'") from None


def _messages(data: bytes) -> Iterator[bytes]:
    """Cuts what the datapath answers into messages."""
    intake = Intake()
    intake.feed(data)
    while (piece := intake.take(_VERSION, b"")) is not None:
        yield piece.data


def _raise_first(errors: bytes) -> None:
    for message in _messages(errors):
        body = codec.decode(message).body
        if isinstance(body, ErrorMessage):
            raise _refused(body)


def _refused(error: ErrorMessage) -> RefusedError:
    return RefusedError(error.name(_VERSION), error.type, error.code, error.experimenter)
