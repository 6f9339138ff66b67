"""Sockets: carries bytes between peers and sessions, over TCP, TLS and unix sockets.

A `Link` joins one connection with one session.  It sends what the session has, stops reading
while the peer does not read or the session is busy with a dump, and takes one step of a dump at
a time so that other connections get their turn.  `Dialer` keeps a connection to a controller up,
`Listener` accepts them.

A conversation that the session ends is closed in order: the peer reads the last words before the
connection is gone, whatever it still says itself.

Limits: 256 KiB are handed to the kernel's side of a connection, 2 MiB may wait behind it before
the peer is given up; a peer that said no HELLO within five seconds is given up too; accepted
connections are capped in all and by peer address.
"""

import asyncio
import logging
import os
import random
import socket
import ssl
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

from ovsflow.config.target import ControllerConfig, PacketInLimit, Target
from ovsflow.openflow.constants import VERSION_NAMES, Version
from ovsflow.switch.bridge import Bridge
from ovsflow.switch.reconnect import Action, Reconnect, State
from ovsflow.switch.session import Session

log = logging.getLogger(__name__)

HELLO_SECONDS: Final = 5.0
#: How long a peer that was told the last words may take to read them.
LINGER_SECONDS: Final = 2.0
#: Bytes that asyncio may hold for a connection before the link stops giving it more.
WRITE_HIGH: Final = 1 << 18
#: Bytes that a session may hold for a peer that does not read.
BACKLOG_LIMIT: Final = 2 << 20


class Link(asyncio.Protocol):
    """One connection: a socket on one side, a session on the other."""

    def __init__(
        self,
        bridge: Bridge,
        peer: str,
        *,
        service: bool,
        packet_ins: PacketInLimit | None = None,
        on_heard: Callable[[], None] | None = None,
        on_open: Callable[[], None] | None = None,
        on_lost: Callable[["Link", str], None] | None = None,
    ) -> None:
        """Makes a link for a connection that is about to be made.

        Args:
            bridge: The switch.
            peer: Who is at the other end, for people.
            service: The peer connected to the switch.
            packet_ins: How many packet-ins the peer is sent at most.
            on_heard: Called when the peer said something.
            on_open: Called once when a version was agreed on.
            on_lost: Called once when the connection is over, with the reason.
        """
        self.peer = peer
        self.session: Session | None = None
        self._bridge = bridge
        self._service = service
        self._packet_ins = packet_ins
        self._on_heard = on_heard
        self._on_open = on_open
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._hello_timer: asyncio.TimerHandle | None = None
        self._linger_timer: asyncio.TimerHandle | None = None
        self._work_due = False
        self._announced = False

    # -- Called by asyncio -----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands: the session says HELLO."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(WRITE_HIGH)
        self.session = Session(
            self._bridge,
            peer=self.peer,
            service=self._service,
            wake=self._flush,
            packet_ins=self._packet_ins,
        )
        self._hello_timer = self._loop.call_later(HELLO_SECONDS, self._check_hello)
        self._flush()

    def data_received(self, data: bytes) -> None:
        """The peer said something."""
        session = self.session
        if session is None or session.ended is not None:
            return
        if self._on_heard is not None:
            self._on_heard()
        try:
            session.receive(data, time.monotonic_ns())
        except Exception:
            # One peer must not take the others down with it, whatever it found in us.
            log.exception("%s: internal error; the connection is closed", self.peer)
            session.end("internal error")
        if session.open and not self._announced:
            self._announced = True
            name = VERSION_NAMES[Version(session.version)]
            log.log(
                logging.DEBUG if self._service else logging.INFO,
                "%s: connected, %s",
                self.peer,
                name,
            )
            if self._on_open is not None:
                self._on_open()
        self._flush()

    def pause_writing(self) -> None:
        """The peer does not read as fast as the session writes."""
        if self.session is not None:
            self.session.congested = True
            self._pace_reading()

    def resume_writing(self) -> None:
        """The peer reads again."""
        if self.session is not None:
            self.session.congested = False
            self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is over."""
        for timer in (self._hello_timer, self._linger_timer):
            if timer is not None:
                timer.cancel()
        session, self.session = self.session, None
        reason = "closed by the peer"
        if exc is not None:
            reason = _sentence(exc)
        if session is not None:
            reason = session.ended or reason
            session.end(reason)
        self._transport = None
        if self._on_lost is not None:
            self._on_lost(self, reason)

    # -- For owners ------------------------------------------------------------------------------

    def probe(self) -> None:
        """Asks whether the peer is alive."""
        if self.session is not None:
            self.session.probe()

    def close(self, reason: str) -> None:
        """Ends the conversation and the connection."""
        if self._linger_timer is not None and self._transport is not None:
            self._transport.abort()
        elif self.session is not None:
            self.session.end(reason)
            self._flush()

    # -- Inside ----------------------------------------------------------------------------------

    def _check_hello(self) -> None:
        if self.session is not None and self.session.version == 0:
            self.close(f"no HELLO within {HELLO_SECONDS:.0f} seconds")

    def _flush(self) -> None:
        session, transport = self.session, self._transport
        if session is None or transport is None or transport.is_closing():
            return
        if self._linger_timer is not None:
            return
        words = session.waiting
        if session.congested and session.ended is None:
            if words > BACKLOG_LIMIT:
                session.end("the peer does not read")
                transport.abort()
                return
        elif words:
            transport.write(session.take_output())
        if session.ended is not None:
            if words or transport.get_write_buffer_size():
                self._linger(transport)
            else:
                transport.close()
            return
        self._pace_reading()
        if session.busy and not session.congested and not self._work_due:
            self._work_due = True
            self._loop.call_soon(self._work)

    def _linger(self, transport: asyncio.Transport) -> None:
        """Closes once the peer has read what was said, which is not waited for long.

        Until then what the peer says is read and thrown away: a TCP socket that is closed with
        bytes unread, or is sent more, resets the connection, and the last words can be lost.
        """
        self._linger_timer = self._loop.call_later(LINGER_SECONDS, transport.abort)
        if not transport.can_write_eof():
            # TLS says goodbye, and waits for the peer's, in its own way.
            transport.close()
            return
        transport.write_eof()
        if not transport.is_reading():
            transport.resume_reading()

    def _work(self) -> None:
        self._work_due = False
        session = self.session
        if session is None or session.congested:
            return
        session.work(time.monotonic_ns())
        self._flush()

    def _pace_reading(self) -> None:
        session, transport = self.session, self._transport
        if session is None or transport is None or transport.is_closing():
            return
        wanted = not (session.busy or session.congested)
        if wanted and not transport.is_reading():
            transport.resume_reading()
        elif not wanted and transport.is_reading():
            transport.pause_reading()


def _sentence(error: BaseException) -> str:
    """What went wrong, for people, in lower case."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is refused: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason or error}"
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        # asyncio puts a tuple into the text; the number says it better.
        return os.strerror(error.errno).lower()
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__


class Dialer:
    """Keeps up the connection to one controller."""

    def __init__(
        self,
        bridge: Bridge,
        config: ControllerConfig,
        tls: ssl.SSLContext | None,
        on_change: Callable[[], None],
    ) -> None:
        """Makes a dialer that is not started.

        Args:
            bridge: The switch.
            config: Which controller, and how patient to be.
            tls: For `ssl:`.
            on_change: Called when the connection came or went.
        """
        self.config = config
        self.last_error: str | None = None
        self.link: Link | None = None
        self._bridge = bridge
        self._tls = tls
        self._on_change = on_change
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._attempt: asyncio.Task[None] | None = None
        self._machine = Reconnect(
            probe=config.probe_seconds,
            max_backoff=config.max_backoff,
            jitter=random.Random(),
        )

    @property
    def connected(self) -> bool:
        """Whether the handshake is done."""
        link = self.link
        return link is not None and link.session is not None and link.session.open

    @property
    def state(self) -> State:
        """Where the connection stands."""
        return self._machine.state

    def seconds_in_state(self) -> float:
        """How long it has stood there."""
        return self._machine.seconds_in_state(self._loop.time())

    def start(self) -> None:
        """Begins to connect."""
        self._machine.enable(self._loop.time())
        self._run()

    def stop(self) -> None:
        """Gives up for good."""
        self._machine.disable(self._loop.time())
        if self._timer is not None:
            self._timer.cancel()
        if self._attempt is not None:
            self._attempt.cancel()
        if self.link is not None:
            self.link.close("the switch stops")

    def _run(self) -> None:
        """Does what the machine wants now and sleeps until it wants something else."""
        action = self._machine.step(self._loop.time())
        if action is Action.CONNECT:
            self._attempt = self._loop.create_task(self._connect())
        elif action is Action.PROBE and self.link is not None:
            self.link.probe()
        elif action is Action.DISCONNECT:
            self._give_up()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._machine.deadline is not None:
            self._timer = self._loop.call_at(self._machine.deadline, self._run)

    def _give_up(self) -> None:
        if self.link is not None:
            self.link.close("no answer to the inactivity probe")
        elif self._attempt is not None:
            self._attempt.cancel()

    async def _connect(self) -> None:
        target = self.config.target
        try:
            link = await self._open(target)
        except (OSError, ssl.SSLError) as error:
            self._failed(_sentence(error))
        except asyncio.CancelledError:
            if self._machine.state is State.VOID:
                raise
            self._failed("timed out")
        else:
            self.link = link
            self._machine.connected(self._loop.time())
            self._run()
        finally:
            self._attempt = None

    async def _open(self, target: Target) -> Link:
        def make() -> Link:
            return Link(
                self._bridge,
                str(target),
                service=False,
                packet_ins=self.config.packet_ins,
                on_heard=self._heard,
                on_open=self._opened,
                on_lost=self._lost,
            )

        if target.path:
            _, link = await self._loop.create_unix_connection(make, target.path)
            return link
        transport, link = await self._loop.create_connection(
            make,
            target.host,
            target.port,
            ssl=self._tls if target.secure else None,
        )
        quicken(transport.get_extra_info("socket"))
        return link

    def _heard(self) -> None:
        # The timer runs to the old deadline and is set anew there: no work per message.
        self._machine.received(self._loop.time())

    def _opened(self) -> None:
        self.last_error = None
        self._on_change()

    def _failed(self, reason: str) -> None:
        # Said once for each different reason, not at every attempt.
        level = logging.DEBUG if reason == self.last_error else logging.WARNING
        log.log(level, "%s: %s; trying again", self.config.target, reason)
        self.last_error = reason
        self._machine.disconnected(self._loop.time())
        self._run()

    def _lost(self, link: Link, reason: str) -> None:
        if self._machine.state is not State.VOID:
            log.warning("%s: connection lost: %s", self.config.target, reason)
        self.last_error = reason
        self.link = None
        self._machine.disconnected(self._loop.time())
        self._run()
        self._on_change()


def quicken(sock: socket.socket | None) -> None:
    """Sends small messages at once, and notices a peer that vanished."""
    if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


class Gate:
    """Counts accepted connections of one switch, in all and by peer address."""

    def __init__(self, limit: int, limit_per_peer: int) -> None:
        self._limit = limit
        self._limit_per_peer = limit_per_peer
        self._open: Counter[str] = Counter()
        self.refused = 0

    def enter(self, address: str) -> bool:
        """Whether one more from this address may come in; an empty address has no own limit."""
        if self._open.total() >= self._limit or (
            address and self._open[address] >= self._limit_per_peer
        ):
            self.refused += 1
            return False
        self._open[address] += 1
        return True

    def leave(self, address: str) -> None:
        """One is gone."""
        self._open[address] -= 1
        if self._open[address] <= 0:
            del self._open[address]


class _Accepted(Link):
    """A link that a peer opened, let in by the gate."""

    def __init__(self, listener: "Listener") -> None:
        super().__init__(listener.bridge, str(listener.target), service=True, on_lost=self._gone)
        self._listener = listener
        self._address: str | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Lets the peer in, or not."""
        assert isinstance(transport, asyncio.Transport)
        name = transport.get_extra_info("peername")
        address = name[0] if isinstance(name, tuple) else ""
        if isinstance(name, tuple):
            host = f"[{address}]" if ":" in address else address
            self.peer = f"{'ssl' if self._listener.target.secure else 'tcp'}:{host}:{name[1]}"
        if not self._listener.gate.enter(address):
            log.warning("%s: refused, too many connections", self.peer)
            transport.abort()
            return
        self._address = address
        self._listener.links.add(self)
        quicken(transport.get_extra_info("socket"))
        super().connection_made(transport)
        if self._listener.snoop and self.session is not None:
            self.session.bridge.snoopers.add(self.session)

    def _gone(self, link: Link, reason: str) -> None:
        log.debug("%s: closed: %s", self.peer, reason)
        if self._address is not None:
            self._listener.gate.leave(self._address)
            self._listener.links.discard(self)


class Listener:
    """Accepts connections at one address."""

    def __init__(
        self,
        bridge: Bridge,
        target: Target,
        gate: Gate,
        tls: ssl.SSLContext | None,
        *,
        snoop: bool = False,
    ) -> None:
        """Makes a listener that is not started.

        Args:
            bridge: The switch.
            target: Where to listen.
            gate: Counts the connections.
            tls: For `pssl:`.
            snoop: Whether those who connect see what the controllers' sessions say.
        """
        self.bridge = bridge
        self.snoop = snoop
        self.target = target
        self.gate = gate
        self.links: set[Link] = set()
        self._tls = tls
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listens; raises `OSError` when the address cannot be had."""
        loop = asyncio.get_running_loop()
        if self.target.path:
            # Only the owner may connect: the mask holds while the socket is made.
            before = os.umask(0o177)
            try:
                self._server = await loop.create_unix_server(self._make, self.target.path)
            finally:
                os.umask(before)
            return
        if not self.target.local and not self.target.secure:
            log.warning("%s: reachable from other machines without authentication", self.target)
        self._server = await loop.create_server(
            self._make,
            self.target.host,
            self.target.port,
            ssl=self._tls if self.target.secure else None,
            backlog=256,
        )

    def _make(self) -> Link:
        return _Accepted(self)

    @property
    def port(self) -> int:
        """The TCP port that it got; 0 for unix sockets."""
        if self._server is None or self.target.path:
            return 0
        return int(self._server.sockets[0].getsockname()[1])

    def stop(self) -> None:
        """Stops listening and closes what was accepted."""
        if self._server is not None:
            self._server.close()
        for link in tuple(self.links):
            link.close("the switch stops")
