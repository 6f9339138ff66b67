"""Sends broken OpenFlow 1.3 messages to a switch, each followed by an echo that must be answered.

Usage: mutate.py HOST PORT COUNT.  Prints `answered COUNT reconnected N`.  Messages are damaged
copies of harmless ones (seeded, so a failure repeats); header lengths stay right, for a wrong one
may rightly end the connection.
"""

import random
import socket
import struct
import sys

OF13 = 4


def message(kind: int, body: bytes) -> bytes:
    """A whole message."""
    return struct.pack("!BBHI", OF13, kind, 8 + len(body), 0x5EED) + body


def harmless() -> list[bytes]:
    """Messages that would change nothing even if they were taken."""
    # FLOW_MOD, command DELETE_STRICT of a priority nobody has, with in_port, eth_type, ip_proto.
    match = struct.pack("!HH", 1, 23) + bytes.fromhex("800000040000006380000a0208008000140106")
    match += bytes(-len(match) % 8)
    flow_mod = struct.pack("!QQBBHHHIIIHH", 1, 0xFFFFFFFFFFFFFFFF, 200, 4, 0, 0, 4242,
        0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0, 0)  # fmt: skip
    output = struct.pack("!HHIH6x", 0, 16, 99, 0)
    instruction = struct.pack("!HHI", 4, 8 + len(output), 0) + output
    flow_stats = struct.pack("!HHI", 1, 0, 0) + struct.pack(
        "!B3xII4xQQ", 0xFF, 0xFFFFFFFF, 0xFFFFFFFF, 0, 0
    )
    return [
        message(14, flow_mod + match + instruction),
        message(18, flow_stats + struct.pack("!HH4x", 1, 4)),
        message(13, struct.pack("!IIH6x", 0xFFFFFFFF, 0xFFFFFFFD, 0)),
        message(15, struct.pack("!HBBI", 2, 0, 0, 4242)),
        message(29, struct.pack("!HHI", 2, 1, 4242)),
        message(24, struct.pack("!I4xQ", 0, 0)),
        message(7, b""),
        message(20, b""),
    ]


def mutated(base: bytes, chance: random.Random) -> bytes:
    """A damaged copy whose header tells its true length."""
    body = bytearray(base[8:])
    for _ in range(chance.randint(1, 4)):
        if body:
            body[chance.randrange(len(body))] = chance.randrange(256)
    if chance.random() < 0.2:
        del body[chance.randrange(len(body) + 1) :]
    kind = base[1] if chance.random() < 0.9 else chance.randrange(40, 256)
    return message(kind, bytes(body))


class Client:
    """A connection that has said HELLO."""

    def __init__(self, host: str, port: int) -> None:
        self.socket = socket.create_connection((host, port), 10)
        self.buffer = b""
        self.socket.sendall(struct.pack("!BBHI", OF13, 0, 8, 1))

    def receive(self) -> tuple[int, int]:
        """Type and xid of the next message."""
        while (
            len(self.buffer) < 8 or len(self.buffer) < struct.unpack_from("!H", self.buffer, 2)[0]
        ):
            data = self.socket.recv(65536)
            if not data:
                raise ConnectionError
            self.buffer += data
        _, kind, length, xid = struct.unpack_from("!BBHI", self.buffer)
        self.buffer = self.buffer[length:]
        return kind, xid

    def echo(self, xid: int) -> None:
        """Waits for the answer to an ECHO_REQUEST."""
        self.socket.sendall(struct.pack("!BBHI", OF13, 2, 8, xid))
        while self.receive() != (3, xid):
            pass


def main() -> None:
    """Runs the mutations."""
    host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    chance = random.Random(20)
    bases = harmless()
    client = Client(host, port)
    answered = reconnected = 0
    for number in range(count):
        client.socket.sendall(mutated(chance.choice(bases), chance))
        try:
            client.echo(1000 + number)
        except ConnectionError:
            reconnected += 1
            client = Client(host, port)
            client.echo(1000 + number)
        answered += 1
    print("answered", answered, "reconnected", reconnected)


if __name__ == "__main__":
    main()
