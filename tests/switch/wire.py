"""OpenFlow messages written out byte by byte, for tests that trust no codec."""

import struct

from ovsflow.datapath import Datapath

VERSIONS = (1, 4, 5, 6)
NICIRA = 0x2320
_NO_BUFFER = _ANY = 0xFFFFFFFF


def tlv(header: int, value: int, mask: int | None = None) -> bytes:
    """A field of a match.

    Args:
        header: The 32 bits before the value of an unmasked field; an experimenter's id is in the
            low half of 64.
        value: Its value, right-aligned.
        mask: The bits that count, or `None` for all.
    """
    experimenter = b""
    if header >> 32:
        header, experimenter = header >> 32, (header & 0xFFFFFFFF).to_bytes(4, "big")
    size = (header & 0xFF) - len(experimenter)
    body = experimenter + value.to_bytes(size, "big")
    if mask is not None:
        header, body = header | 0x100, body + mask.to_bytes(size, "big")
    return (header & ~0xFF | len(body)).to_bytes(4, "big") + body


def output(version: int, port: int) -> bytes:
    """An output action."""
    if version == 1:
        return struct.pack("!HHHH", 0, 8, port & 0xFFFF, 0xFFFF)
    return struct.pack("!HHIH6x", 0, 16, port, 0xFFFF)


def flow_mod(
    version: int,
    match: bytes,
    actions: bytes,
    *,
    command: int = 0,
    table: int = 0,
    priority: int = 100,
    xid: int = 7,
) -> bytes:
    """A change of flows with TLVs as the match; on 1.0 Nicira's, with the table in the command."""
    if version == 1:
        body = struct.pack(
            "!IIQHHHHIHHH6x",
            NICIRA,
            13,
            0,
            table << 8 | command,
            0,
            0,
            priority,
            _NO_BUFFER,
            0xFFFF,
            0,
            len(match),
        )
        body += match + bytes(-len(match) % 8) + actions
        return struct.pack("!BBHI", version, 4, 8 + len(body), xid) + body
    body = struct.pack(
        "!QQBBHHHIIIHH", 0, 0, table, command, 0, 0, priority, _NO_BUFFER, _ANY, _ANY, 0, 0
    )
    size = 4 + len(match)
    body += struct.pack("!HH", 1, size) + match + bytes(-size % 8)
    if actions:
        body += struct.pack("!HH4x", 4, 8 + len(actions)) + actions
    return struct.pack("!BBHI", version, 14, 8 + len(body), xid) + body


def error(reply: bytes) -> tuple[int, int] | None:
    """Type and code of the error in a reply; `None` where there is none."""
    if not reply:
        return None
    kind, code = struct.unpack_from("!HH", reply, 8)
    assert reply[1] == 1, reply.hex()
    if kind == 0xB0C2:
        # Nicira's errors of OpenFlow 1.0 name the newer version's type and code.
        kind, code = struct.unpack_from("!HH", reply, 16)
    return kind, code


def apply(datapath: Datapath, version: int, message: bytes) -> tuple[int, int] | None:
    """Gives the switch a message; the error's type and code, if it is refused."""
    return error(datapath.apply(version, message, 0, table_ids=True))


def flow_replies(datapath: Datapath, version: int, table: int = 0xFF) -> bytes:
    """All replies to a request for the flows of a table, back to back."""
    if version == 1:
        body = struct.pack("!HHIIIHHB3x", 0xFFFF, 0, NICIRA, 0, 0, 0xFFFF, 0, table)
    else:
        body = struct.pack("!HH4xB3xII4xQQHH4x", 1, 0, table, _ANY, _ANY, 0, 0, 1, 4)
    kind = 16 if version == 1 else 18
    request = struct.pack("!BBHI", version, kind, 8 + len(body), 9) + body
    found = b""
    cursor: int | None = 0
    while cursor is not None:
        data, cursor = datapath.query(version, request, 0, cursor)
        found += data
    return found
