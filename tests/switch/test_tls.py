"""TLS between switch and controller: both sides show a certificate, or nothing is said."""

import asyncio
import contextlib
import ssl
import subprocess
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path

import pytest

from ovsflow.config import (
    ControllerConfig,
    ListenConfig,
    PortConfig,
    SwitchConfig,
    Target,
    TlsConfig,
)
from ovsflow.errors import ConfigError
from ovsflow.openflow.framing import Framer
from ovsflow.switch.plane import ControlPlane
from tests.session.fake import raw


@dataclass
class Authority:
    """A certificate authority in a directory."""

    directory: Path

    def openssl(self, *args: str) -> None:
        subprocess.run(["openssl", *args], cwd=self.directory, check=True, capture_output=True)

    def make(self) -> "Authority":
        self.openssl(
            *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=authority", "-days", "2"),
        )
        return self

    def issue(self, name: str) -> TlsConfig:
        self.openssl(
            *("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}"),
        )
        self.openssl(
            *("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key"),
            *("-CAcreateserial", "-out", f"{name}.pem", "-days", "2"),
        )
        path = self.directory
        return TlsConfig(f"{path}/{name}.key", f"{path}/{name}.pem", f"{path}/ca.pem")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca")).make()


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("other")).make()


def context(config: TlsConfig, *, server: bool = False) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_REQUIRED
    made.load_cert_chain(config.certificate, config.private_key)
    made.load_verify_locations(config.ca_certificate)
    return made


def run(test: Callable[[], Coroutine[None, None, None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 20))


async def end(writer: asyncio.StreamWriter) -> None:
    """Closes a connection, which the other side may have done already."""
    writer.close()
    with contextlib.suppress(ssl.SSLError, ConnectionError):
        await writer.wait_closed()


def switch_config(tls: TlsConfig, **changes: object) -> SwitchConfig:
    ports = (PortConfig("p1", "memory"),)
    return SwitchConfig(ports=ports, workers=0, tls=tls, **changes)  # type: ignore[arg-type]


def test_listener_serves_those_of_its_authority_only(
    authority: Authority, stranger: Authority
) -> None:
    ours, friend, foe = authority.issue("switch"), authority.issue("friend"), stranger.issue("foe")

    async def test() -> None:
        listen = (ListenConfig(Target("pssl", "127.0.0.1", 0)),)
        plane = ControlPlane(switch_config(ours, listen=listen))
        await plane.start()
        port = plane.listeners[0].port
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context(friend))
        writer.write(raw(4, 0) + raw(4, 2, b"ping"))
        framer, answers = Framer(), list[bytes]()
        while len(answers) < 2:
            data = await reader.read(1000)
            assert data, "the connection was closed"
            answers += framer.feed(data)
        assert [(one[1], b"ping" in one) for one in answers] == [(0, False), (3, True)]
        (session,) = plane.bridge.sessions.values()
        assert session.peer.startswith("ssl:127.0.0.1:")
        # Of another authority, but willing to talk to us.
        other = context(foe)
        other.verify_mode = ssl.CERT_NONE

        async def intrude() -> None:
            far, near = await asyncio.open_connection("127.0.0.1", port, ssl=other)
            try:
                near.write(raw(4, 0))
                await far.readexactly(8)
            finally:
                await end(near)

        with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
            await intrude()
        # No TLS at all.
        far, near = await asyncio.open_connection("127.0.0.1", port)
        near.write(raw(4, 0))
        assert raw(4, 0)[:2] not in await far.read()
        await end(near)
        assert list(plane.bridge.sessions.values()) == [session]
        await end(writer)
        await plane.stop()

    run(test)


@pytest.mark.parametrize("trusted", [True, False])
def test_dialer_trusts_its_authority_only(
    authority: Authority, stranger: Authority, trusted: bool
) -> None:
    ours = authority.issue("switch")
    theirs = (authority if trusted else stranger).issue("controller")

    async def test() -> None:
        heard: asyncio.Queue[bytes] = asyncio.Queue()
        ended = asyncio.Event()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(raw(4, 0))
            await heard.put(await reader.read(100))
            await reader.read()
            await end(writer)
            ended.set()

        made = context(theirs, server=True)
        made.load_verify_locations(ours.ca_certificate)
        server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=made)
        port = server.sockets[0].getsockname()[1]
        target = ControllerConfig(Target("ssl", "127.0.0.1", port))
        plane = ControlPlane(switch_config(ours, controllers=(target,)))
        await plane.start()
        (dialer,) = plane.dialers
        if trusted:
            assert (await heard.get())[1] == 0
            while not dialer.connected:
                await asyncio.sleep(0.001)
        else:
            while dialer.last_error is None:
                await asyncio.sleep(0.001)
            assert "the certificate is refused" in dialer.last_error
        await plane.stop()
        if trusted:
            await ended.wait()
        server.close()

    run(test)


def test_missing_and_unusable_files_are_named(authority: Authority, tmp_path: Path) -> None:
    good = authority.issue("switch")
    (tmp_path / "junk").write_text("junk")

    async def start(tls: TlsConfig) -> None:
        plane = ControlPlane(switch_config(tls))
        try:
            await plane.start()
        finally:
            await plane.stop()

    missing = TlsConfig(good.private_key, "/nosuch.pem", good.ca_certificate)
    with pytest.raises(ConfigError, match=r"tls\.certificate: there is no file /nosuch\.pem"):
        asyncio.run(start(missing))
    junk = TlsConfig(good.private_key, str(tmp_path / "junk"), good.ca_certificate)
    with pytest.raises(ConfigError, match="tls: "):
        asyncio.run(start(junk))
