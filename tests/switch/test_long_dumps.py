"""A dump of many flows stops neither forwarding nor anybody else.

Progress is counted, never timed: between two pieces of the dump another session is answered and
packets pass, and a peer that does not read its dump holds up nobody but itself.  The environment's
`OVSFLOW_FLOWS` makes it a million.
"""

import os
import socket
import struct
from collections.abc import Iterator

import pytest

from ovsflow import Switch
from ovsflow.openflow import codec
from ovsflow.openflow.flow_stats import FlowStatsReply, FlowStatsRequest
from ovsflow.openflow.framing import Framer
from ovsflow.openflow.handshake import EchoReply, EchoRequest
from tests.session.fake import raw
from tests.switch.test_monitors import Watcher

FLOWS = int(os.environ.get("OVSFLOW_FLOWS", "100000"))
FRAME = bytes(12) + b"\x08\x06" + bytes(46)
ANY = 0xFFFFFFFF


def many_flows(count: int) -> Iterator[bytes]:
    """FLOW_MODs of OpenFlow 1.3 that match metadata, in pieces."""
    for start in range(0, count, 1000):
        yield b"".join(
            raw(
                4,
                14,
                struct.pack("!QQBBHHHIIIHH", 0, 0, 1, 0, 0, 0, 5, ANY, ANY, ANY, 0, 0)
                + struct.pack("!HHHBBQ", 1, 16, 0x8000, 4, 8, number),
            )
            for number in range(start, min(start + 1000, count))
        )


@pytest.fixture(scope="module")
def switch() -> Iterator[Switch]:
    with Switch("d0", ports=["p1:memory", "p2:memory"], workers=0) as switch:
        loader = Watcher(switch, 4)
        with loader.sock:
            for piece in many_flows(FLOWS):
                loader.sock.sendall(piece)
                assert loader.settle() == []
        switch.add_flow("in_port=1,actions=output:2")
        yield switch


class Reader:
    """Reads one dump as slowly as the test wants."""

    def __init__(self, switch: Switch) -> None:
        self.peer = Watcher(switch, 4)
        self.peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        self._framer = Framer()
        self.flows, self.messages, self.done = 0, 0, False

    def ask(self) -> None:
        self.peer.send(FlowStatsRequest(), 5)

    def step(self) -> None:
        """Reads once."""
        for data in self._framer.feed(self.peer.sock.recv(1 << 16)):
            reply = codec.decode(data).body
            assert isinstance(reply, FlowStatsReply)
            assert not self.done
            self.flows += len(reply.flows)
            self.messages += 1
            self.done = not reply.more


def test_others_are_served_between_two_pieces_of_a_dump(switch: Switch) -> None:
    reader, other = Reader(switch), Watcher(switch, 5)
    with reader.peer.sock, other.sock:
        reader.ask()
        answered = passed = 0
        while not reader.done:
            reader.step()
            if reader.done:
                break
            # The dump is not over, and yet:
            other.send(EchoRequest(b"there?"))
            assert isinstance(other.next(), EchoReply)
            answered += 1
            switch.inject(1, FRAME)
            passed += len(switch.receive(2))
        assert reader.flows == FLOWS + 1
        assert reader.messages > 10
        assert answered == passed
        assert answered >= 20, (answered, reader.messages)


def test_changes_are_made_while_a_dump_waits(switch: Switch) -> None:
    """The peer reads nothing: what others change takes effect, and the dump ends in the end."""
    reader, other = Reader(switch), Watcher(switch, 4)
    with reader.peer.sock, other.sock:
        reader.ask()
        for number in range(50):
            switch.add_flow(f"table=2,priority={number},actions=drop")
            assert other.settle() == []
        assert len(switch.dump_flows("table=2")) == 50
        while not reader.done:
            reader.step()
        assert reader.flows >= FLOWS + 1
        switch.del_flows("table=2")


def test_what_waits_behind_a_dump_is_answered_after_it(switch: Switch) -> None:
    peer = Watcher(switch, 4)
    with peer.sock:
        peer.send(FlowStatsRequest(), 5)
        peer.send(EchoRequest(b"behind"), 6)
        flows, more = 0, True
        while more:
            reply = peer.next()
            assert isinstance(reply, FlowStatsReply)
            flows, more = flows + len(reply.flows), reply.more
        assert flows == FLOWS + 1
        assert isinstance(peer.next(), EchoReply)
        assert peer.settle() == []
