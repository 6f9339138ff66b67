"""Open vSwitch's userspace datapath, driven fast.

One daemon with dummy ports lives as long as the `Peer`.  Frames go in through the daemon's control
socket and come out of the files that the ports write; messages go over one OpenFlow connection
for each version.  A barrier does not wait for the daemon's own cache of flows, so that is emptied
between packets and changes; emptying it also credits the counters.
"""

import time
from contextlib import ExitStack, closing
from itertools import groupby
from pathlib import Path

from ovsflow.openflow.bundle import BundleAdd, BundleControl
from ovsflow.openflow.codec import encode
from ovsflow.openflow.constants import (
    AsyncProperty,
    BundleControlType,
    BundleFlag,
    MessageType,
    PacketInFormat,
    Version,
)
from ovsflow.openflow.flow_stats import FlowStatsRequest
from ovsflow.openflow.group_stats import GroupStatsRequest
from ovsflow.openflow.handshake import AsyncMask, SetAsync, SetConfig
from ovsflow.openflow.meter_stats import MeterStatsRequest
from ovsflow.openflow.multipart import StatsRequest
from ovsflow.openflow.nicira import FlowModTableId, SetPacketInFormat
from tests.differential.outcome import COMMIT, Emitted, Happened, Outcome, read_errors
from tests.differential.pipeline import VERSIONS, Arrival, Change, Pipeline, Step, runs
from tests.differential.subject import ALL_METERS, CLEAN, LOCAL
from tests.differential.talk import Capture, Connection, Control
from tests.differential.tunnels_of_peer import BRIDGES, TunnelsOfPeer
from tests.differential.underlay import TUNNEL
from tests.ofctl.open_vswitch import open_vswitch

BRIDGE = "br0"
PORTS = {1: "p1", 2: "p2", 3: "p3", 4: "p4", LOCAL: BRIDGE}
LAST_WORDS = 10.0
BUNDLE_FLAGS = int(BundleFlag.ATOMIC | BundleFlag.ORDERED)
QUEUE = 60
"""Frames that wait at a port at a time; the daemon's own limit is 100."""


class Peer:
    """Runs pipelines on Open vSwitch."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.received = dict.fromkeys((*PORTS, TUNNEL), 0)
        with ExitStack() as stack:
            self._start(stack)
            self.stack = stack.pop_all()

    def _start(self, stack: ExitStack) -> None:
        """Starts the daemon, and opens what leads to it."""
        ports = [name for name in PORTS.values() if name != BRIDGE]
        bridges = {BRIDGE: ports} | BRIDGES
        environment = stack.enter_context(
            open_vswitch(self.directory, bridges, capture=True, routed=True)
        )
        self.pid = int((self.directory / "switch.pid").read_text())
        self.control = stack.enter_context(closing(Control(self.directory / "switch.ctl")))
        self.tunnels = TunnelsOfPeer(self.directory, environment, self.control, BRIDGE, stack)
        management = self.directory / f"{BRIDGE}.mgmt"
        self.connections = {
            version: stack.enter_context(closing(Connection(management, version)))
            for version in VERSIONS.values()
        }
        self.connections[Version.OF10].send(FlowModTableId(True))
        self.main = self.connections[Version.OF13]
        self._hear_everything()
        self.captures = {
            number: stack.enter_context(closing(Capture(self.directory / f"{name}.pcap")))
            for number, name in PORTS.items()
        }
        self.received = self._counts()

    def _hear_everything(self) -> None:
        """Asks for all packet-ins, whole."""
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

    def close(self) -> None:
        """Ends the daemon."""
        self.stack.close()

    def last_words(self) -> str | None:
        """What ended the daemon, once it is gone; `None` if it is still there."""
        deadline = time.monotonic() + LAST_WORDS
        while time.monotonic() < deadline:
            if self._is_gone():
                log = (self.directory / "switch.log").read_text(errors="replace")
                said = [line.partition("|EMER|")[2] for line in log.splitlines()]
                return next(filter(None, said), "no word: a signal, as after a broken heap")
            time.sleep(0.05)
        return None

    def _is_gone(self) -> bool:
        """Whether the daemon has ended, also if nobody has asked yet how."""
        try:
            facts = Path(f"/proc/{self.pid}/stat").read_text()
        except OSError:
            return True
        return facts.rpartition(")")[2].split()[0] in "ZX"

    def run(self, pipeline: Pipeline, closely: bool = False) -> Outcome:
        """What Open vSwitch does with a pipeline, from empty tables.

        With `closely` packets come one at a time, so that what followed each of them is known.
        """
        self.main.barrier(b"".join(CLEAN))
        self.control.call("fdb/flush", BRIDGE)
        self._forget()
        steps = [self._step(step, pipeline.singly, closely) for step in pipeline.steps]
        requests = FlowStatsRequest(), GroupStatsRequest(), MeterStatsRequest(ALL_METERS)
        return Outcome(steps, *map(self._query, requests))

    def _step(self, step: Step, singly: bool, closely: bool) -> Happened:
        happened = Happened(self._change(step.changes))
        messages: list[bytes] = []
        size = 1 if singly or closely else QUEUE
        for port, run in groupby(step.arrivals, key=lambda one: one.port):
            arrivals = list(run)
            for at in range(0, len(arrivals), size):
                messages += self._arrive(port, arrivals[at : at + size])
                if singly:
                    self._forget()
                if closely:
                    happened.emitted.append(self._emitted(messages))
                    messages = []
        self._forget()
        if not closely:
            happened.emitted.append(self._emitted(messages))
        return happened

    def _emitted(self, messages: list[bytes]) -> Emitted:
        """What was sent since the last time, and the packet-ins among the messages."""
        sent = {number: capture.read() for number, capture in self.captures.items()}
        sent |= self.tunnels.sent()
        return Emitted(
            {number: frames for number, frames in sent.items() if frames},
            [message[16:] for message in messages if message[1] == MessageType.EXPERIMENTER],
        )

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
        wire = self.tunnels.WIRE if port == TUNNEL else PORTS[port]
        frames = (arrival.frame.hex() for arrival in arrivals)
        self.control.call("netdev-dummy/receive", wire, *frames)
        self.received[port] += len(arrivals)
        messages: list[bytes] = []
        while self._count(port, messages) < self.received[port]:
            pass
        # Packet-ins of the last round of the daemon's loop are sent before this reply.
        return messages + self.main.barrier()

    def _count(self, port: int, messages: list[bytes]) -> int:
        """Frames that a port has received; other messages that came are added to `messages`."""
        if port == TUNNEL:
            return self.tunnels.count()
        count, others = self.main.received(port)
        messages += others
        return count

    def _counts(self) -> dict[int, int]:
        return {port: self._count(port, []) for port in self.received}

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
