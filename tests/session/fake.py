"""Stands in for the datapath and for the peer, so that conversations can be scripted."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ovsflow.config.switch import DescConfig
from ovsflow.openflow import codec
from ovsflow.openflow.framing import Framer
from ovsflow.openflow.handshake import Hello
from ovsflow.openflow.wire import Body
from ovsflow.switch.bridge import Bridge
from ovsflow.switch.door import Event, Port
from ovsflow.switch.session import Session

ALL_VERSIONS = (0x01, 0x04, 0x05, 0x06)


@dataclass(frozen=True)
class FakePort:
    number: int
    name: str
    kind: str = "memory"
    options: dict[str, str] = field(default_factory=dict)
    hw_addr: bytes = b"\x02\0\0\0\0\x01"
    config: int = 0
    state: int = 0
    speed: int = 10_000_000
    mtu: int = 1500
    backend: str = "memory"
    added_ns: int = 0


@dataclass(frozen=True)
class FakeCounters:
    number: int
    rx_packets: int = 1
    rx_bytes: int = 2
    tx_packets: int = 3
    tx_bytes: int = 4
    rx_dropped: int = 5
    tx_dropped: int = 6
    rx_errors: int = 7
    tx_errors: int = 8
    drops: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class FakeEvent:
    kind: str
    reason: int = 0
    table_id: int = 0
    cookie: int = 0
    controller_id: int = 0
    listeners: Sequence[int] | None = None
    origin: int = 0
    is_miss: bool = False

    def encode(self, version: int, xid: int = 0, *, format: str = "standard") -> bytes:
        """An EXPERIMENTER message whose body says what it stands for."""
        body = f"{self.kind}/{self.reason}/{format}".encode()
        return struct.pack("!BBHI", version, 4, 16 + len(body), xid) + b"\0" * 8 + body


@dataclass
class Applied:
    """One call of `apply`."""

    version: int
    messages: bytes
    atomic: bool
    origin: int
    table_ids: bool


class FakeDatapath:
    """Records what it is told and answers what the test put there."""

    def __init__(self) -> None:
        self.port_list = [FakePort(1, "p1"), FakePort(2, "p2", hw_addr=b"\x02\0\0\0\0\x02")]
        self.applied: list[Applied] = []
        self.errors = b""
        self.checked: list[bytes] = []
        self.refusals = b""
        self.pieces: list[bytes] = [b""]
        self.queries: list[tuple[int, bytes, int]] = []
        self.waiting: list[FakeEvent] = []
        self.settings: dict[str, str | int | bool] = {}
        self.listeners: list[tuple[int, int, int, bool, int | None, int | None]] | None = None

    def ports(self) -> Sequence[Port]:
        return self.port_list

    def set_port(
        self,
        number: int,
        *,
        config: int | None = None,
        state: int | None = None,
        hw_addr: bytes | None = None,
        speed: int | None = None,
        mtu: int | None = None,
    ) -> Port:
        for index, port in enumerate(self.port_list):
            if port.number == number:
                given = {"config": config, "state": state, "hw_addr": hw_addr, "mtu": mtu}
                changes = {key: value for key, value in given.items() if value is not None}
                self.port_list[index] = replace(port, **changes)  # type: ignore[arg-type]
                return self.port_list[index]
        raise KeyError(number)

    def port_counters(self) -> Sequence[FakeCounters]:
        return [FakeCounters(port.number) for port in self.port_list]

    def apply(
        self,
        version: int,
        messages: bytes,
        now_ns: int,
        *,
        atomic: bool = False,
        origin: int = 0,
        table_ids: bool = False,
    ) -> bytes:
        self.applied.append(Applied(version, messages, atomic, origin, table_ids))
        return self.errors

    def check(self, version: int, messages: bytes, *, table_ids: bool = False) -> bytes:
        self.checked.append(messages)
        return self.refusals

    def query(
        self, version: int, request: bytes, now_ns: int, cursor: int = 0
    ) -> tuple[bytes, int | None]:
        self.queries.append((version, request, cursor))
        following = cursor + 1 if cursor + 1 < len(self.pieces) else None
        return self.pieces[cursor], following

    def events(self, limit: int = 64) -> Sequence[Event]:
        taken, self.waiting = self.waiting[:limit], self.waiting[limit:]
        return [self._addressed(event) for event in taken]

    def _addressed(self, event: FakeEvent) -> FakeEvent:
        """A packet-in says who wants it, without a limit."""
        if event.kind != "packet_in" or self.listeners is None:
            return event
        wanting = [
            number
            for number, controller, reasons, misses, _, _ in self.listeners
            if controller == event.controller_id
            and reasons >> event.reason & 1
            and (misses or not event.is_miss)
        ]
        return replace(event, listeners=wanting)

    def configure(self, settings: dict[str, str | int | bool]) -> None:
        self.settings.update(settings)

    def set_listeners(
        self, listeners: list[tuple[int, int, int, bool, int | None, int | None]] | None
    ) -> None:
        self.listeners = listeners


def bridge_of(datapath: FakeDatapath, protocols: tuple[int, ...] = ALL_VERSIONS) -> Bridge:
    """A bridge around a fake."""
    return Bridge("br0", datapath, datapath_id=0xA1, describe=DescConfig(), protocols=protocols)


class Peer:
    """The other end of a session: sends bodies, reads what comes back."""

    def __init__(
        self,
        bridge: Bridge,
        version: int = 0x04,
        *,
        service: bool = False,
        greet: bool = True,
    ) -> None:
        self.wakes = 0
        self.version = version
        self.now_ns = 1_000_000_000
        self.session = Session(bridge, peer="peer", service=service, wake=self._wake)
        self._framer = Framer()
        if greet:
            self.give(codec.encode(Hello((version,)), version, 0))
            self.take()

    def _wake(self) -> None:
        self.wakes += 1

    def give(self, data: bytes) -> None:
        """Sends bytes as they are, in one piece."""
        self.session.receive(data, self.now_ns)

    def take(self) -> list[bytes]:
        """The messages that the session sent since the last time."""
        data = self.session.take_output()
        return self._framer.feed(data) if data else []

    def bodies(self) -> list[Body]:
        """The same, decoded."""
        return [codec.decode(message).body for message in self.take()]

    def ask(self, body: Body, xid: int = 7) -> list[Body]:
        """Sends a message and returns what came back."""
        self.give(codec.encode(body, self.version, xid))
        return self.bodies()

    def say(self, kind: int, payload: bytes = b"", xid: int = 7, version: int = 0) -> list[Body]:
        """Sends a message in raw bytes and returns what came back."""
        self.give(raw(version or self.version, kind, payload, xid))
        return self.bodies()


def raw(version: int, kind: int, payload: bytes = b"", xid: int = 7) -> bytes:
    """A message from its parts."""
    return struct.pack("!BBHI", version, kind, 8 + len(payload), xid) + payload
