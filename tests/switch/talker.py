"""A peer that speaks and hears raw bytes, for tests that trust no codec.

It works with this switch and with Open vSwitch alike, so that one script can be put to both.
"""

import socket
import struct

from ovsflow import Switch
from ovsflow.openflow.framing import Framer

VERSIONS = (1, 4, 5, 6)
ANY = 0xFFFFFFFF
NICIRA, ONF = 0x2320, 0x4F4E4600
ERROR, EXPERIMENTER, PACKET_IN, FLOW_REMOVED, PORT_STATUS = 1, 4, 10, 11, 12
CONTROLLER_STATUS = 35


def message(version: int, kind: int, payload: bytes = b"", xid: int = 7) -> bytes:
    """A message from its parts."""
    return struct.pack("!BBHI", version, kind, 8 + len(payload), xid) + payload


class Talker:
    """One session."""

    def __init__(self, connected: socket.socket, version: int) -> None:
        self.sock, self.version = connected, version
        self._framer, self._messages, self._barriers = Framer(), list[bytes](), 0
        self.ignored: frozenset[int] = frozenset()
        connected.settimeout(20)
        bitmap = struct.pack("!HHI", 1, 8, 1 << version)
        connected.sendall(message(version, 0, bitmap, 1))
        assert self.next()[1] == 0
        self.hear()

    def next(self) -> bytes:
        """The next message."""
        while not self._messages:
            data = self.sock.recv(1 << 16)
            assert data, "the connection was closed"
            self._messages += [m for m in self._framer.feed(data) if m[1] not in self.ignored]
        return self._messages.pop(0)

    def say(self, kind: int, payload: bytes = b"", xid: int = 7) -> list[bytes]:
        """Sends one message; all that came until it was done."""
        return self.ask(message(self.version, kind, payload, xid))

    def ask(self, data: bytes) -> list[bytes]:
        """Sends bytes; all messages that came until they were done."""
        self._barriers += 1
        request, reply = (18, 19) if self.version == 1 else (20, 21)
        xid = 0x4000_0000 + self._barriers
        self.sock.sendall(data + message(self.version, request, b"", xid))
        found = []
        while not ((one := self.next())[1] == reply and one[4:8] == xid.to_bytes(4, "big")):
            found.append(one)
        return found

    def hear(self) -> list[bytes]:
        """What came since the last time."""
        return self.ask(b"")

    def multipart(self, kind: int, body: bytes = b"", flags: int = 0) -> list[bytes]:
        """Sends a multipart request."""
        if self.version == 1:
            return self.say(16, struct.pack("!HH", kind, flags) + body)
        return self.say(18, struct.pack("!HH4x", kind, flags) + body)

    def vendor(self, experimenter: int, subtype: int, body: bytes = b"") -> list[bytes]:
        """Sends an experimenter's message."""
        return self.say(EXPERIMENTER, struct.pack("!II", experimenter, subtype) + body)


def attach(switch: Switch, version: int) -> Talker:
    """A controller of this switch; what it is told of other controllers it does not hear."""
    ours, theirs = socket.socketpair()
    switch.attach(theirs)
    talker = Talker(ours, version)
    talker.ignored = frozenset({CONTROLLER_STATUS})
    return talker


def error(answers: list[bytes]) -> tuple[int, ...]:
    """Type and code of the one error that came; with Nicira's of OpenFlow 1.0 turned round."""
    (answer,) = answers
    assert answer[1] == ERROR, answer.hex()
    kind, code = struct.unpack_from("!HH", answer, 8)
    if kind == 0xB0C2:
        return struct.unpack_from("!HH", answer, 16)
    if kind == 0xFFFF:
        return kind, code, int.from_bytes(answer[12:16], "big")
    return kind, code


def output(version: int, port: int) -> bytes:
    """An output action."""
    if version == 1:
        return struct.pack("!HHHH", 0, 8, port & 0xFFFF, 0xFFFF)
    return struct.pack("!HHIH6x", 0, 16, port, 0xFFFF)


def apply(version: int, actions: bytes) -> bytes:
    """An apply-actions instruction; on OpenFlow 1.0 the actions themselves."""
    return actions if version == 1 else struct.pack("!HH4x", 4, 8 + len(actions)) + actions


def in_port(version: int, port: int) -> bytes:
    """A match for a port: the fixed one of OpenFlow 1.0, or a TLV."""
    if version == 1:
        return struct.pack("!IH34x", 0x3FFFFF & ~1, port)
    return bytes.fromhex("80000004") + port.to_bytes(4, "big")


def flow_mod(
    version: int,
    *,
    command: int = 0,
    match: bytes = b"",
    actions: bytes = b"",
    table: int = 0,
    priority: int = 100,
    cookie: int = 0,
    cookie_mask: int = 0,
    idle: int = 0,
    hard: int = 0,
    importance: int = 0,
    flags: int = 0,
    out_port: int = ANY,
    out_group: int = ANY,
    xid: int = 7,
) -> bytes:
    """A FLOW_MOD in the version's own form; `match` as `in_port` makes it."""
    if version == 1:
        wide = match or struct.pack("!I36x", 0x3FFFFF)
        numbers = (cookie, command, idle, hard, priority, ANY, out_port & 0xFFFF, flags)
        return message(1, 14, wide + struct.pack("!QHHHHIHH", *numbers) + actions, xid)
    body = struct.pack(
        "!QQBBHHHIIIHH",
        *(cookie, cookie_mask, table, command, idle, hard, priority),
        *(ANY, out_port, out_group, flags, importance),
    )
    size = 4 + len(match)
    body += struct.pack("!HH", 1, size) + match + bytes(-size % 8)
    return message(version, 14, body + (apply(version, actions) if actions else b""), xid)


def flow_request(version: int, kind: int = 1, table: int = 0xFF) -> bytes:
    """The body of a request for all flows of a table."""
    if version == 1:
        return struct.pack("!I36xBxH", 0x3FFFFF, table, 0xFFFF)
    return struct.pack("!B3xII4xQQHH4x", table, ANY, ANY, 0, 0, 1, 4)
