"""Open vSwitch's userspace datapath, driven fast.

One daemon with dummy ports lives as long as the `Peer`.  Frames go in through the daemon's control
socket and come out of the files that the ports write; messages go over one OpenFlow connection
for each version.  A barrier does not wait for the daemon's own cache of flows, so that is emptied
between packets and changes; emptying it also credits the counters.
"""

import json
import socket
import struct
import time
from collections import deque
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Self

from ovsflow.openflow.bundle import BundleAdd, BundleControl
from ovsflow.openflow.codec import decode, encode
from ovsflow.openflow.constants import (
    AsyncProperty,
    BundleControlType,
    BundleFlag,
    MessageType,
    PacketInFormat,
    Version,
)
from ovsflow.openflow.flow_stats import FlowStatsRequest
from ovsflow.openflow.framing import Framer
from ovsflow.openflow.group_stats import GroupStatsRequest
from ovsflow.openflow.handshake import (
    AsyncMask,
    BarrierRequest,
    EchoReply,
    EchoRequest,
    Hello,
    SetAsync,
    SetConfig,
)
from ovsflow.openflow.meter_stats import MeterStatsRequest
from ovsflow.openflow.multipart import StatsRequest
from ovsflow.openflow.nicira import FlowModTableId, SetPacketInFormat
from ovsflow.openflow.port_stats import PortStatsReply, PortStatsRequest
from ovsflow.openflow.wire import Body
from tests.differential.outcome import COMMIT, Happened, Outcome, read_errors
from tests.differential.pipeline import VERSIONS, Arrival, Change, Pipeline, Step, runs
from tests.differential.subject import ALL_METERS, CLEAN, LOCAL
from tests.ofctl.open_vswitch import open_vswitch

BRIDGE = "br0"
PORTS = {1: "p1", 2: "p2", 3: "p3", 4: "p4", LOCAL: BRIDGE}
PATIENCE = 20.0
LAST_WORDS = 2.0
BUNDLE_FLAGS = int(BundleFlag.ATOMIC | BundleFlag.ORDERED)
QUEUE = 60
"""Frames that wait at a port at a time; the daemon's own limit is 100."""

_PCAP_HEADER = 24
_RECORD = struct.Struct("=IIII")


class Control:
    """The daemon's control socket: JSON-RPC, as `ovs-appctl` speaks it."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(str(path))

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


class Peer:
    """Runs pipelines on Open vSwitch."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.stack = ExitStack()
        self.received = dict.fromkeys(PORTS, 0)

    def __enter__(self) -> Self:
        ports = [name for name in PORTS.values() if name != BRIDGE]
        self.stack.enter_context(open_vswitch(self.directory, {BRIDGE: ports}, capture=True))
        self.control = Control(self.directory / "switch.ctl")
        management = self.directory / f"{BRIDGE}.mgmt"
        self.connections = {
            version: Connection(management, version) for version in VERSIONS.values()
        }
        self.connections[Version.OF10].send(FlowModTableId(True))
        self.main = self.connections[Version.OF13]
        every = 0xFF
        self.main.send(SetPacketInFormat(PacketInFormat.NXT_PACKET_IN2))
        self.main.send(SetConfig(0, 0xFFFF))
        self.main.send(
            SetAsync(
                (
                    AsyncMask(AsyncProperty.PACKET_IN_PRIMARY, every),
                    AsyncMask(AsyncProperty.PACKET_IN_SECONDARY, every),
                )
            )
        )
        assert self.main.barrier() == []
        self.captures = {
            number: Capture(self.directory / f"{name}.pcap") for number, name in PORTS.items()
        }
        self.received = self._counts()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for connection in self.connections.values():
            connection.socket.close()
        self.control.socket.close()
        for capture in self.captures.values():
            capture.file.close()
        self.stack.close()

    def last_words(self) -> str | None:
        """The assertion that ended the daemon, once it is gone; `None` if it told of none."""
        log = self.directory / "switch.log"
        deadline = time.monotonic() + LAST_WORDS
        while time.monotonic() < deadline:
            for line in log.read_text(errors="replace").splitlines():
                if "|EMER|" in line and "assertion" in line:
                    return line.partition("|EMER|")[2]
            time.sleep(0.05)
        return None

    def run(self, pipeline: Pipeline) -> Outcome:
        """What Open vSwitch does with a pipeline, from empty tables."""
        self.main.barrier(b"".join(CLEAN))
        self.control.call("fdb/flush", BRIDGE)
        self._forget()
        steps = [self._step(step, pipeline.singly) for step in pipeline.steps]
        requests = FlowStatsRequest(), GroupStatsRequest(), MeterStatsRequest(ALL_METERS)
        return Outcome(steps, *map(self._query, requests))

    def _step(self, step: Step, singly: bool) -> Happened:
        happened = Happened(self._change(step.changes))
        messages: list[bytes] = []
        for port, run in groupby(step.arrivals, key=lambda one: one.port):
            arrivals = list(run)
            size = 1 if singly else QUEUE
            for at in range(0, len(arrivals), size):
                messages += self._arrive(port, arrivals[at : at + size])
                if singly:
                    self._forget()
        self._forget()
        happened.packet_ins = [
            message[16:] for message in messages if message[1] == MessageType.EXPERIMENTER
        ]
        sent = {number: capture.read() for number, capture in self.captures.items()}
        happened.sent = {number: frames for number, frames in sent.items() if frames}
        return happened

    def _forget(self) -> None:
        """Empties the cache, which also credits the counters."""
        self.control.call("revalidator/purge")

    def _change(self, changes: list[Change]) -> dict[int, str]:
        errors: dict[int, str] = {}
        for version, bundle, run in runs(changes):
            messages = [change.message(xid) for xid, change in run]
            if bundle:
                messages = _bundle(version, bundle, messages)
            replies = self.connections[version].barrier(b"".join(messages))
            errors |= read_errors(replies, version)
        return errors

    def _arrive(self, port: int, arrivals: list[Arrival]) -> list[bytes]:
        """Gives frames to a port; returns the messages that came until all were forwarded."""
        self.control.call(
            "netdev-dummy/receive", PORTS[port], *(arrival.frame.hex() for arrival in arrivals)
        )
        self.received[port] += len(arrivals)
        messages: list[bytes] = []
        while self._count(port, messages) < self.received[port]:
            pass
        # Packet-ins of the last round of the daemon's loop are sent before this reply.
        return messages + self.main.barrier()

    def _count(self, port: int, messages: list[bytes]) -> int:
        """Frames that a port has received; other messages that came are added to `messages`."""
        count = 0
        for message in self.main.barrier(encode(PortStatsRequest(port), Version.OF13, 7)):
            if message[1] == MessageType.MULTIPART_REPLY:
                body = decode(message).body
                assert isinstance(body, PortStatsReply)
                count = body.ports[0].rx_packets
            else:
                messages.append(message)
        return count

    def _counts(self) -> dict[int, int]:
        return {port: self._count(port, []) for port in PORTS}

    def _query(self, body: StatsRequest) -> list[bytes]:
        messages = self.main.barrier(encode(body, Version.OF13, 1))
        return [one for one in messages if one[1] == MessageType.MULTIPART_REPLY]


def _bundle(version: int, bundle: int, messages: list[bytes]) -> list[bytes]:
    """The messages in a bundle that is opened and committed."""

    def control(kind: BundleControlType) -> bytes:
        return encode(BundleControl(bundle, kind, BUNDLE_FLAGS), version, COMMIT + bundle)

    wrapped = [
        encode(BundleAdd(bundle, BUNDLE_FLAGS, one), version, int.from_bytes(one[4:8], "big"))
        for one in messages
    ]
    kinds = BundleControlType.OPEN_REQUEST, BundleControlType.COMMIT_REQUEST
    return [control(kinds[0]), *wrapped, control(kinds[1])]
