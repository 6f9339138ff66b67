"""A raw OpenFlow connection for benchmarks: bytes that were made beforehand, one barrier, a clock.

Nothing is decoded but headers, errors and the one count of flows that proves that all arrived.
"""

import socket
import struct
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from ovsflow.errors import HostError

HEADER = struct.Struct("!BBHI")
HELLO, ERROR, ECHO_REQUEST, ECHO_REPLY = 0, 1, 2, 3
MULTIPART_REQUEST, MULTIPART_REPLY = 18, 19
BARRIER_REQUEST, BARRIER_REPLY = 20, 21
OFPMP_AGGREGATE, OFPMP_PORT_STATS = 2, 4
PORT_STATS_BYTES = 112
ALL_PORTS = 0xFFFFFFFF
TIMEOUT_SECONDS = 300.0


class Counters(NamedTuple):
    """Packets that ports received, sent, and dropped of either."""

    received: int = 0
    sent: int = 0
    lost: int = 0
    unsent: int = 0


class Client(AbstractContextManager["Client"]):
    """One connection to a switch's unix socket."""

    def __init__(self, path: Path, version: int) -> None:
        """Connects and says HELLO.

        Args:
            path: The switch's management socket.
            version: The OpenFlow version to speak, as in headers (0x04 for 1.3).

        Raises:
            HostError: The switch does not speak it.
        """
        self.version = version
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(TIMEOUT_SECONDS)
        self._socket.connect(str(path))
        self._pending = bytearray()
        self._xid = 0x7000_0000
        self._socket.sendall(HEADER.pack(version, HELLO, 8, 1))
        kind, body = self._message()
        if kind != HELLO:
            raise HostError(f"the switch began with message type {kind}, {body.hex()}")

    def __exit__(self, *exception: object) -> None:
        """Closes the connection."""
        self._socket.close()

    def request(self, messages: bytes | bytearray | memoryview) -> float:
        """Sends messages and a barrier; returns the seconds until the barrier's reply.

        Raises:
            HostError: The switch answered with an error.
        """
        started = time.monotonic()
        self._socket.sendall(messages)
        self.barrier()
        return time.monotonic() - started

    def send(self, messages: bytes) -> None:
        """Sends messages and waits for nothing."""
        self._socket.sendall(messages)

    def barrier(self) -> None:
        """Waits until the switch has done all that it was sent."""
        self._ask(BARRIER_REQUEST, b"", BARRIER_REPLY)

    def flows(self) -> int:
        """How many flows the switch has in all tables (OpenFlow 1.3 to 1.5)."""
        everything = struct.pack("!B3xII4xQQHH4x", 0xFF, 0xFFFFFFFF, 0xFFFFFFFF, 0, 0, 1, 4)
        body = struct.pack("!HH4x", OFPMP_AGGREGATE, 0) + everything
        reply = self._ask(MULTIPART_REQUEST, body, MULTIPART_REPLY)
        return int(struct.unpack_from("!I", reply, 8 + 16)[0])

    def port(self, *numbers: int) -> Counters:
        """What some ports together count, at one moment; all ports for none.

        Raises:
            HostError: There is no such port.
        """
        found = self._ports(numbers[0] if len(numbers) == 1 else ALL_PORTS)
        if missing := set(numbers) - found.keys():
            raise HostError(f"the switch tells nothing of ports {sorted(missing)}")
        told = [counters for number, counters in found.items() if not numbers or number in numbers]
        return Counters(*map(sum, zip(*told, strict=True))) if told else Counters()

    def _ports(self, number: int) -> dict[int, Counters]:
        """Asks for port statistics (OpenFlow 1.3.5 §7.3.5.6), which fit in one reply."""
        body = struct.pack("!HH4xI4x", OFPMP_PORT_STATS, 0, number)
        reply = self._ask(MULTIPART_REQUEST, body, MULTIPART_REPLY)[8:]
        found = {}
        for at in range(0, len(reply), PORT_STATS_BYTES):
            (port,) = struct.unpack_from("!I", reply, at)
            received, sent, _, _, lost, unsent = struct.unpack_from("!6Q", reply, at + 8)
            found[port] = Counters(received, sent, lost, unsent)
        return found

    def _ask(self, kind: int, body: bytes, wanted: int) -> bytes:
        """Sends one request and returns the body of its reply."""
        self._xid += 1
        self._socket.sendall(HEADER.pack(self.version, kind, 8 + len(body), self._xid) + body)
        while True:
            found, reply = self._message()
            if found == ERROR:
                error, code = struct.unpack_from("!HH", reply)
                raise HostError(f"the switch refused a request: error type {error}, code {code}")
            if found == wanted:
                return reply

    def _message(self) -> tuple[int, bytes]:
        """The next message that is no ECHO_REQUEST: its type and its body."""
        while True:
            _, kind, length, xid = HEADER.unpack(self._take(8))
            body = self._take(length - 8)
            if kind != ECHO_REQUEST:
                return int(kind), body
            self._socket.sendall(HEADER.pack(self.version, ECHO_REPLY, length, xid) + body)

    def _take(self, count: int) -> bytes:
        while len(self._pending) < count:
            data = self._socket.recv(65536)
            if not data:
                raise HostError("the switch closed the connection")
            self._pending += data
        taken = bytes(self._pending[:count])
        del self._pending[:count]
        return taken
