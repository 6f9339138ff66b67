"""Changes a flow, waits for the barrier's reply, sends one frame, and looks where it comes out.

Usage: barrier_probe.py SOCKET ROUNDS.  SOCKET is a switch's management socket; eth1, eth2 and
eth3 of this namespace are the other ends of its ports 1 to 3.  Between the changes frames of the
same kind keep the switch's cache warm.  Each frame is followed by another that always leaves by
port 3: what has not come before that one was dropped.  Prints `held ROUNDS`.
"""

import random
import select
import socket
import sys

from ovsflow.openflow.codec import encode
from ovsflow.openflow.constants import FlowModCommand
from ovsflow.openflow.text.parse import parse_flow

OF13 = 4
BARRIER_REQUEST, BARRIER_REPLY, ECHO_REQUEST = 20, 21, 2
ETH_P_ALL = 0x0003

#: Ways to match the frame: each change of way changes what the cache must look at.
MATCHES = (
    "in_port=1",
    "dl_dst=02:00:00:00:00:0b",
    "ip,nw_dst=10.0.0.2",
    "ip,nw_dst=10.0.0.0/24",
    "udp,tp_dst=53",
    "ip,nw_src=10.0.0.1,nw_tos=0",
)
FENCE = bytes.fromhex("0200000000ff 02000000000a 88b5")
FRAME = bytes.fromhex(
    "02000000000b 02000000000a 0800"
    "4500 0020 0000 4000 4011 26cb 0a000001 0a000002"
    "03e8 0035 000c 0000"
)


class Switch:
    """An OpenFlow 1.3 connection that knows nothing but barriers."""

    def __init__(self, path: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(10)
        self.socket.connect(path)
        self.socket.sendall(bytes([OF13, 0, 0, 8, 0, 0, 0, 0]))
        self.buffer = b""
        self.xid = 0

    def change(self, text: str, command: FlowModCommand) -> None:
        """A FLOW_MOD, and the barrier behind it."""
        self.xid += 1
        barrier = bytes([OF13, BARRIER_REQUEST, 0, 8]) + self.xid.to_bytes(4)
        self.socket.sendall(encode(parse_flow(text, command, OF13), OF13, self.xid) + barrier)
        while (message := self.next())[1] != BARRIER_REPLY:
            assert message[1] in (0, ECHO_REQUEST), message.hex()
        assert int.from_bytes(message[4:8]) == self.xid

    def next(self) -> bytes:
        """The next message."""
        while len(self.buffer) < 8 or len(self.buffer) < int.from_bytes(self.buffer[2:4]):
            data = self.socket.recv(65536)
            assert data, "the switch has closed the connection"
            self.buffer += data
        end = int.from_bytes(self.buffer[2:4])
        message, self.buffer = self.buffer[:end], self.buffer[end:]
        return message


class Wires:
    """The devices on the other side of the switch's ports."""

    def __init__(self) -> None:
        self.sockets = {}
        for number in (1, 2, 3):
            device = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            device.bind((f"eth{number}", 0))
            device.setblocking(False)
            self.sockets[device] = number
        self.sender = next(iter(self.sockets))

    def send(self, frame: bytes, mark: int) -> None:
        self.sender.send((frame + mark.to_bytes(4)).ljust(60, b"\0"))

    def came_out(self, mark: int, wanted: int) -> list[int]:
        """Ports by which the frame `mark` left, once its fence and `wanted` frames are there.

        Ports are flushed one by one, so the frame may come out of its port after the fence of
        another; one that comes out later still is caught as a frame of an earlier round.
        """
        found: list[int] = []
        fence = (FENCE + mark.to_bytes(4)).ljust(60, b"\0")
        frame = (FRAME + mark.to_bytes(4)).ljust(60, b"\0")
        unmarked = (FRAME + bytes(4)).ljust(60, b"\0")
        fenced = False
        while not fenced or len(found) < wanted:
            ready, _, _ = select.select(list(self.sockets), [], [], 10)
            assert ready, f"nothing more came out for mark {mark}: {fenced=} {found=}"
            for device in ready:
                number = self.sockets[device]
                for data in self.waiting(device):
                    if number == 1 or not data.startswith((FRAME, FENCE)) or data == unmarked:
                        continue
                    assert data in (frame, fence), f"mark {mark}: {data.hex()} is of another round"
                    fenced |= data == fence
                    if data == frame:
                        found.append(number)
        return found

    @staticmethod
    def waiting(device: socket.socket) -> list[bytes]:
        """Frames that wait at a device."""
        frames = []
        try:
            while True:
                frames.append(device.recv(2048))
        except BlockingIOError:
            return frames


def main(path: str, rounds: int) -> None:
    chance = random.Random(3)
    switch, wires = Switch(path), Wires()
    switch.change("priority=9,dl_type=0x88b5,actions=output:3", FlowModCommand.ADD)
    installed: dict[str, int] = {}
    for mark in range(1, rounds + 1):
        match = chance.choice(MATCHES)
        port = chance.choice((2, 3))
        if match in installed and chance.random() < 0.5:
            del installed[match]
            switch.change(f"priority=5,{match}", FlowModCommand.DELETE_STRICT)
        else:
            # One at a time: which of two of the same priority wins is nobody's promise.
            for other in list(installed):
                del installed[other]
                switch.change(f"priority=5,{other}", FlowModCommand.DELETE_STRICT)
            installed[match] = port
            switch.change(f"priority=5,{match},actions=output:{port}", FlowModCommand.ADD)
        wires.send(FRAME, mark)
        wires.send(FENCE, mark)
        wanted = list(installed.values())
        assert (left := wires.came_out(mark, len(wanted))) == wanted, (
            mark,
            left,
            wanted,
            installed,
        )
        for _ in range(chance.randrange(3)):
            wires.send(FRAME, 0)
    print("held", rounds)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
