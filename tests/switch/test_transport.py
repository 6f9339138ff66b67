"""Sockets of the control plane, over real loopback and unix sockets."""

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from ovsflow.config.target import ControllerConfig, Target
from ovsflow.openflow.framing import Framer
from ovsflow.switch import transport
from ovsflow.switch.bridge import Bridge
from ovsflow.switch.reconnect import State
from ovsflow.switch.transport import Dialer, Gate, Listener
from tests.session.fake import FakeDatapath, FakeEvent, bridge_of, raw

HELLO = raw(4, 0)
ECHO = raw(4, 2, b"ping")


class Client:
    """The other side of a connection, reading whole messages."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self._framer = Framer()
        self._messages: list[bytes] = []

    async def message(self) -> bytes:
        while not self._messages:
            data = await self.reader.read(65536)
            if not data:
                raise EOFError
            self._messages += self._framer.feed(data)
        return self._messages.pop(0)

    async def greet(self) -> None:
        self.writer.write(HELLO)
        assert (await self.message())[1] == 0

    async def echo(self) -> None:
        self.writer.write(ECHO)
        assert (await self.message())[1] == 3

    async def at_end(self) -> bool:
        with contextlib.suppress(EOFError, ConnectionError):
            while True:
                await self.message()
        return True

    async def close(self) -> None:
        self.writer.transport.abort()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(test(), 20)

    asyncio.run(bounded())


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.001)


@contextlib.asynccontextmanager
async def listening(
    bridge: Bridge, target: str = "ptcp:0", gate: Gate | None = None
) -> AsyncIterator[tuple[Listener, Callable[[], Awaitable[Client]]]]:
    listener = Listener(bridge, Target.parse(target), gate or Gate(256, 16), None)
    await listener.start()
    clients: list[Client] = []

    async def connect() -> Client:
        if listener.target.path:
            streams = await asyncio.open_unix_connection(listener.target.path)
        else:
            streams = await asyncio.open_connection(listener.target.host, listener.port)
        clients.append(Client(*streams))
        return clients[-1]

    try:
        yield listener, connect
    finally:
        listener.stop()
        for client in clients:
            await client.close()


@pytest.fixture
def bridge() -> Bridge:
    return bridge_of(FakeDatapath())


def test_tcp_client_shakes_hands_and_is_gone_when_it_leaves(bridge: Bridge) -> None:
    async def test() -> None:
        async with listening(bridge) as (listener, connect):
            client = await connect()
            await client.greet()
            await client.echo()
            (session,) = bridge.sessions.values()
            assert session.peer.startswith("tcp:127.0.0.1:")
            assert session.service
            await client.close()
            await until(lambda: not bridge.sessions and not listener.links)

    run(test)


def test_ipv6_client_is_served(bridge: Bridge) -> None:
    async def test() -> None:
        async with listening(bridge, "ptcp:0:[::1]") as (_, connect):
            client = await connect()
            await client.greet()
            (session,) = bridge.sessions.values()
            assert session.peer.startswith("tcp:[::1]:")

    run(test)


def test_unix_socket_is_the_owners_alone(bridge: Bridge, tmp_path: Path) -> None:
    async def test() -> None:
        path = tmp_path / "br0.mgmt"
        async with listening(bridge, f"punix:{path}") as (_, connect):
            assert path.stat().st_mode & 0o777 == 0o600
            client = await connect()
            await client.greet()
            await client.echo()

    run(test)


def test_messages_may_come_a_byte_at_a_time(bridge: Bridge) -> None:
    async def test() -> None:
        async with listening(bridge) as (_, connect):
            client = await connect()
            for byte in HELLO + ECHO:
                client.writer.write(bytes([byte]))
                await client.writer.drain()
            assert [(await client.message())[1] for _ in range(2)] == [0, 3]

    run(test)


def test_a_peer_without_hello_is_closed(bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "HELLO_SECONDS", 0.3)

    async def test() -> None:
        async with listening(bridge) as (_, connect):
            silent, halting, web = await connect(), await connect(), await connect()
            halting.writer.write(HELLO[:5])
            web.writer.write(b"GET / HTTP/1.1\r\n\r\n")
            for client in (silent, halting, web):
                assert await client.at_end()
            await until(lambda: not bridge.sessions)

    run(test)


def test_connections_are_capped_in_all_and_by_peer(bridge: Bridge) -> None:
    async def test() -> None:
        gate = Gate(3, 2)
        async with listening(bridge, gate=gate) as (_, connect):
            first, second = await connect(), await connect()
            await first.greet()
            await second.greet()
            assert await (await connect()).at_end()
            assert gate.refused == 1
            await first.close()
            await until(lambda: len(bridge.sessions) == 1)
            third = await connect()
            await third.greet()
            await second.echo()

    run(test)


def test_gate_counts_all_and_each() -> None:
    gate = Gate(3, 2)
    assert [gate.enter(each) for each in ("a", "a", "a", "b", "c")] == [
        True,
        True,
        False,
        True,
        False,
    ]
    gate.leave("a")
    assert gate.enter("c")
    assert gate.refused == 2


def test_header_of_seven_bytes_closes_and_others_stay(bridge: Bridge) -> None:
    async def test() -> None:
        async with listening(bridge) as (_, connect):
            good, bad = await connect(), await connect()
            await good.greet()
            await bad.greet()
            bad.writer.write(bytes([4, 2, 0, 7, 0, 0, 0, 0]))
            assert await bad.at_end()
            await good.echo()

    run(test)


#: A HELLO of a version that nobody speaks; a header of seven bytes behind good messages.
STRANGE = raw(2, 0, struct.pack("!HHI", 1, 8, 1 << 2))
FAULTY = HELLO + ECHO + bytes([4, 2, 0, 7, 0, 0, 0, 0])


@pytest.mark.parametrize("target", ["ptcp:0", "punix"])
@pytest.mark.parametrize(
    ("first", "kinds"), [(STRANGE, [1]), (FAULTY, [3])], ids=["strange", "faulty"]
)
@pytest.mark.parametrize("at_once", [0, 1 << 20])
def test_last_words_reach_a_peer_that_goes_on_talking(
    bridge: Bridge,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    target: str,
    first: bytes,
    kinds: list[int],
    at_once: int,
) -> None:
    monkeypatch.setattr(transport, "LINGER_SECONDS", 1000.0)
    target += f":{tmp_path}/s" if target == "punix" else ""

    async def test() -> None:
        async with listening(bridge, target) as (listener, connect):
            client = await connect()
            assert (await client.message())[1] == 0
            # What is not read when a TCP socket is closed, or comes then, makes the kernel reset
            # the connection, and what the peer did not read yet may be lost with it.
            client.writer.write(first + bytes(at_once))
            await until(lambda: not bridge.sessions)
            for _ in range(8):
                client.writer.write(ECHO)
                await asyncio.sleep(0)
            await client.writer.drain()
            assert [(await client.message())[1] for _ in kinds] == kinds
            with pytest.raises(EOFError):
                await client.message()
            assert listener.links
            await client.close()
            await until(lambda: not listener.links)

    run(test)


@pytest.mark.parametrize("stop", [False, True])
def test_nobody_is_waited_for_long_after_the_last_words(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch, stop: bool
) -> None:
    monkeypatch.setattr(transport, "LINGER_SECONDS", 1000.0 if stop else 0.05)

    async def test() -> None:
        async with listening(bridge) as (listener, connect):
            client = await connect()
            assert (await client.message())[1] == 0
            client.writer.write(STRANGE)
            await until(lambda: not bridge.sessions)
            if stop:
                listener.stop()
            await until(lambda: not listener.links)

    run(test)


def test_a_peer_that_does_not_read_is_held_and_then_given_up(bridge: Bridge) -> None:
    async def test() -> None:
        datapath = bridge.datapath
        assert isinstance(datapath, FakeDatapath)
        async with listening(bridge) as (_, connect):
            slow, good = await connect(), await connect()
            await slow.greet()
            await good.greet()
            slow.writer.write(raw(4, 9, struct.pack("!HH", 0, 128)))
            await until(lambda: any(s.interest.awake for s in bridge.sessions.values()))
            session = next(s for s in bridge.sessions.values() if s.interest.awake)
            # Packet-ins are dropped while the peer does not read, the rest is kept up to a limit.
            filler = raw(4, 3, bytes(60_000))
            while session.ended is None:
                session.write(filler)
                datapath.waiting = [FakeEvent("packet_in", 0)]
                bridge.deliver()
                assert session.waiting <= transport.BACKLOG_LIMIT + len(filler)
                await asyncio.sleep(0)
            assert session.ended == "the peer does not read"
            assert bridge.suppressed > 0
            await good.echo()

    run(test)


def test_a_client_that_only_writes_is_not_read_any_more(bridge: Bridge) -> None:
    async def test() -> None:
        async with listening(bridge) as (_, connect):
            slow, good = await connect(), await connect()
            await slow.greet()
            await good.greet()
            (session, _) = bridge.sessions.values()
            echo = raw(4, 2, bytes(60_000))
            for _ in range(400):
                slow.writer.write(echo)
            await until(lambda: session.congested)
            await good.echo()
            assert session.waiting < 4 << 20
            assert session.open

    run(test)


def test_a_long_dump_leaves_others_their_turn(bridge: Bridge) -> None:
    async def test() -> None:
        datapath = bridge.datapath
        assert isinstance(datapath, FakeDatapath)
        datapath.pieces = [raw(4, 19, bytes(60_000)) * 4] * 200
        async with listening(bridge) as (_, connect):
            dumper, other = await connect(), await connect()
            await dumper.greet()
            await other.greet()
            dumper.writer.write(raw(4, 18, struct.pack("!HHI", 1, 0, 0)))
            assert (await dumper.message())[1] == 19
            await other.echo()
            assert len(datapath.queries) < 150
            dumper.writer.write(ECHO)
            count = 1
            while (await dumper.message())[1] == 19:
                count += 1
            assert count == 800

    run(test)


def test_internal_errors_cost_one_connection_only(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        async with listening(bridge) as (_, connect):
            bad, good = await connect(), await connect()
            await bad.greet()
            await good.greet()

            def broken(*args: object, **kwargs: object) -> bytes:
                raise RuntimeError("no")

            monkeypatch.setattr(bridge.datapath, "apply", broken)
            bad.writer.write(raw(4, 14, bytes(48)))
            assert await bad.at_end()
            await good.echo()

    run(test)


# -- The other way round -------------------------------------------------------------------------


class ControllerSide:
    """A listening controller whose conduct the test chooses."""

    def __init__(self) -> None:
        self.clients: asyncio.Queue[Client] = asyncio.Queue()
        self.server: asyncio.Server | None = None
        # The port is its own from now on; until it listens, whoever connects is refused.
        self._sock = socket.socket()
        self._sock.bind(("127.0.0.1", 0))
        self.port = int(self._sock.getsockname()[1])

    async def start(self) -> None:
        self.server = await asyncio.start_server(self._accept, sock=self._sock)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self.clients.put(Client(reader, writer))

    async def stop(self) -> None:
        assert self.server is not None
        self.server.close()
        while not self.clients.empty():
            await self.clients.get_nowait().close()


def test_dialer_connects_reconnects_and_stops(bridge: Bridge) -> None:
    async def test() -> None:
        controller = ControllerSide()
        await controller.start()
        changes: list[bool] = []
        config = ControllerConfig(Target("tcp", "127.0.0.1", controller.port), max_backoff=0.1)
        dialer = Dialer(bridge, config, None, lambda: changes.append(dialer.connected))
        dialer.start()
        first = await controller.clients.get()
        await first.greet()
        await first.echo()
        await until(lambda: dialer.connected)
        (session,) = bridge.sessions.values()
        assert not session.service
        assert session.interest.awake
        await first.close()
        await until(lambda: not dialer.connected)
        second = await controller.clients.get()
        await second.greet()
        await until(lambda: dialer.connected)
        assert changes == [True, False, True]
        dialer.stop()
        assert await second.at_end()
        assert dialer.state is State.VOID
        await second.close()
        await controller.stop()

    run(test)


def test_dialer_says_why_it_cannot_connect_and_goes_on(bridge: Bridge) -> None:
    async def test() -> None:
        controller = ControllerSide()
        config = ControllerConfig(Target("tcp", "127.0.0.1", controller.port), max_backoff=0.1)
        dialer = Dialer(bridge, config, None, lambda: None)
        dialer.start()
        await until(lambda: dialer.last_error is not None)
        assert dialer.last_error == "connection refused"
        await controller.start()
        client = await controller.clients.get()
        await client.greet()
        await until(lambda: dialer.connected)
        assert dialer.last_error is None
        dialer.stop()
        await client.close()
        await controller.stop()

    run(test)


def test_dialer_probes_a_silent_controller_and_gives_it_up(bridge: Bridge) -> None:
    async def test() -> None:
        controller = ControllerSide()
        await controller.start()
        target = Target("tcp", "127.0.0.1", controller.port)
        # Long enough for a HELLO on a busy machine: before it nothing is probed.
        config = ControllerConfig(target, probe=0.4, max_backoff=0.1)
        dialer = Dialer(bridge, config, None, lambda: None)
        dialer.start()
        client = await controller.clients.get()
        await client.greet()
        assert (await client.message())[1] == 2
        begun = time.monotonic()
        assert await client.at_end()
        assert time.monotonic() - begun < 5
        assert dialer.last_error == "no answer to the inactivity probe"
        dialer.stop()
        await client.close()
        await controller.stop()

    run(test)


def test_dialer_reaches_unix_sockets(bridge: Bridge, tmp_path: Path) -> None:
    async def test() -> None:
        path = str(tmp_path / "controller")
        clients: asyncio.Queue[Client] = asyncio.Queue()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await clients.put(Client(reader, writer))

        server = await asyncio.start_unix_server(accept, path)
        dialer = Dialer(bridge, ControllerConfig(Target("unix", path=path)), None, lambda: None)
        dialer.start()
        client = await clients.get()
        await client.greet()
        await until(lambda: dialer.connected)
        dialer.stop()
        assert await client.at_end()
        await client.close()
        server.close()

    run(test)
