"""Talk with an Open vSwitch: its control socket, OpenFlow, and what its ports write."""

import json
import socket
import struct
from collections import deque
from pathlib import Path

from ovsflow.openflow.codec import decode, encode
from ovsflow.openflow.constants import MessageType, Version
from ovsflow.openflow.framing import Framer
from ovsflow.openflow.handshake import BarrierRequest, EchoReply, EchoRequest, Hello
from ovsflow.openflow.port_stats import PortStatsReply, PortStatsRequest
from ovsflow.openflow.wire import Body

PATIENCE = 20.0

_PCAP_HEADER = 24
_RECORD = struct.Struct("=IIII")


class Control:
    """The daemon's control socket: JSON-RPC, as `ovs-appctl` speaks it."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(str(path))

    def close(self) -> None:
        """Hangs up."""
        self.socket.close()

    def call(self, method: str, *words: str) -> str:
        """Runs a command and gives what it says."""
        request = {"method": method, "params": words, "id": 0}
        self.socket.sendall(json.dumps(request).encode())
        text = ""
        while True:
            data = self.socket.recv(1 << 16)
            if not data:
                raise ConnectionResetError("Open vSwitch hung up")
            text += data.decode()
            try:
                reply = json.loads(text)
            except ValueError:
                continue
            assert reply["error"] is None, (method, reply["error"])
            return str(reply["result"])


class Connection:
    """An OpenFlow connection of one version."""

    def __init__(self, path: Path, version: int) -> None:
        self.version = version
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(str(path))
        self.framer = Framer()
        self.waiting: deque[bytes] = deque()
        self.socket.sendall(encode(Hello((version,)), version))
        self.barrier()

    def close(self) -> None:
        """Hangs up."""
        self.socket.close()

    def send(self, body: Body) -> None:
        """Sends a message."""
        self.socket.sendall(encode(body, self.version))

    def barrier(self, messages: bytes = b"") -> list[bytes]:
        """Sends messages and a barrier; gives what came until its reply."""
        self.socket.sendall(messages + encode(BarrierRequest(), self.version))
        end = int(MessageType.BARRIER_REPLY) if self.version > Version.OF10 else 19
        found: list[bytes] = []
        while True:
            while self.waiting:
                message = self.waiting.popleft()
                if message[1] == end:
                    return found
                if message[1] == MessageType.ECHO_REQUEST:
                    self._echo(message)
                elif message[1] != MessageType.HELLO:
                    found.append(message)
            data = self.socket.recv(1 << 18)
            if not data:
                raise ConnectionResetError("Open vSwitch hung up")
            self.waiting += self.framer.feed(data)

    def received(self, port: int) -> tuple[int, list[bytes]]:
        """How many frames a port has received, and other messages that came meanwhile."""
        count, others = 0, []
        for message in self.barrier(encode(PortStatsRequest(port), self.version, 7)):
            if message[1] == MessageType.MULTIPART_REPLY:
                body = decode(message).body
                assert isinstance(body, PortStatsReply)
                count = body.ports[0].rx_packets
            else:
                others.append(message)
        return count, others

    def _echo(self, message: bytes) -> None:
        request = decode(message)
        assert isinstance(request.body, EchoRequest)
        self.socket.sendall(encode(EchoReply(request.body.data), self.version, request.xid))


class Capture:
    """What a port sends, read from the file that it writes."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("rb")
        self.file.read(_PCAP_HEADER)
        self.rest = b""

    def close(self) -> None:
        """Closes the file."""
        self.file.close()

    def read(self) -> list[bytes]:
        """Frames since the last time."""
        data = self.rest + self.file.read()
        frames = []
        at = 0
        while len(data) - at >= _RECORD.size:
            length = _RECORD.unpack_from(data, at)[2]
            if len(data) - at - _RECORD.size < length:
                break
            at += _RECORD.size
            frames.append(data[at : at + length])
            at += length
        self.rest = data[at:]
        return frames
