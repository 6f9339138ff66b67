"""FLOW_MODs made in bulk, as bytes: the same go to every switch that is measured.

OpenFlow 1.3.5 §7.3.4.1 (OFPT_FLOW_MOD); 1.4 differs in nothing that is used here.  All are made
by writing a few numbers into a template.
"""

import struct
from collections.abc import Callable

from tools.benchmarks.openflow_client import HEADER

FLOW_MOD, BUNDLE_CONTROL, BUNDLE_ADD = 14, 33, 34
OF13, OF14 = 0x04, 0x05
ADD, DELETE, DELETE_STRICT = 0, 3, 4
NO_BUFFER = ANY = 0xFFFFFFFF
#: OXM headers (OpenFlow basic class), without a mask.
IN_PORT, ETH_TYPE, IPV4_DST, TUNNEL_ID = 0x80000004, 0x80000A02, 0x80001804, 0x80004C08
#: The source address with a mask.
IPV4_SRC_MASKED = 0x80001708
#: NXM_NX_TUN_IPV4_DST.
TUN_DST = 0x00014004
OUTPUT, SET_FIELD = 0, 25


def flow_mod(command: int, priority: int, match: bytes, actions: bytes, version: int) -> bytes:
    """One FLOW_MOD of table 0 with an apply-actions instruction, or none without actions."""
    head = struct.pack("!QQBBHHHIIIHH", 0, 0, 0, command, 0, 0, priority, NO_BUFFER, ANY, ANY, 0, 0)
    match = struct.pack("!HH", 1, 4 + len(match)) + match
    match += bytes(-len(match) % 8)
    apply = struct.pack("!HH4x", 4, 8 + len(actions)) + actions if actions else b""
    body = head + match + apply
    return HEADER.pack(version, FLOW_MOD, 8 + len(body), 0) + body


def oxm(header: int, value: bytes) -> bytes:
    """A match field, or the argument of set-field."""
    return struct.pack("!I", header) + value


def output(port: int) -> bytes:
    """An output action."""
    return struct.pack("!HHIH6x", OUTPUT, 16, port, 0xFFFF)


def set_field(field: bytes) -> bytes:
    """A set-field action."""
    length = (4 + len(field) + 7) // 8 * 8
    return struct.pack("!HH", SET_FIELD, length) + field + bytes(length - 4 - len(field))


def as_delete(message: bytes) -> bytes:
    """The FLOW_MOD that deletes just the flow that `message` adds."""
    changed = bytearray(message)
    changed[8 + 17] = DELETE_STRICT
    return bytes(changed)


def delete_all(version: int) -> bytes:
    """A FLOW_MOD that deletes all flows of all tables."""
    message = bytearray(flow_mod(DELETE, 0, b"", b"", version))
    message[8 + 16] = 0xFF
    return bytes(message)


def tunnels(count: int, first: int = 0, version: int = OF13) -> bytearray:
    """Flows to as many hosts, each with its tun_id and its tun_dst: `count` messages."""
    match = oxm(IN_PORT, struct.pack("!I", 1)) + oxm(ETH_TYPE, b"\x08\0") + oxm(IPV4_DST, bytes(4))
    actions = set_field(oxm(TUNNEL_ID, bytes(8))) + set_field(oxm(TUN_DST, bytes(4))) + output(2)
    template = flow_mod(ADD, 100, match, actions, version)
    host_at = template.index(struct.pack("!I", IPV4_DST)) + 4
    vni_at = template.index(struct.pack("!I", TUNNEL_ID)) + 4
    remote_at = template.index(struct.pack("!I", TUN_DST)) + 4

    def number(messages: bytearray, at: int, index: int) -> None:
        struct.pack_into("!I", messages, at + host_at, 0x0A000000 + index)
        struct.pack_into("!Q", messages, at + vni_at, index % 5000)
        struct.pack_into("!I", messages, at + remote_at, 0xAC100000 + index)

    return _numbered(template, range(first, first + count), number)


def hosts(count: int, first: int = 0, version: int = OF13) -> bytearray:
    """Simple flows: an IPv4 destination each, one output."""
    match = oxm(ETH_TYPE, b"\x08\0") + oxm(IPV4_DST, bytes(4))
    template = flow_mod(ADD, 100, match, output(2), version)
    host_at = template.index(struct.pack("!I", IPV4_DST)) + 4

    def number(messages: bytearray, at: int, index: int) -> None:
        struct.pack_into("!I", messages, at + host_at, 0x0A000000 + index)

    return _numbered(template, range(first, first + count), number)


def _numbered(
    template: bytes, indices: range, number: Callable[[bytearray, int, int], None]
) -> bytearray:
    """One copy of a template for each index, its number written in."""
    messages = bytearray(template) * len(indices)
    for place, index in enumerate(indices):
        number(messages, place * len(template), index)
    return messages


def bundle(messages: bytes | bytearray, size: int) -> bytearray:
    """Messages of OpenFlow 1.4, `size` bytes each, in one atomic ordered bundle: open to commit."""
    flags, number = 3, 1
    control = struct.Struct("!IHH")
    together = bytearray(HEADER.pack(OF14, BUNDLE_CONTROL, 16, 2))
    together += control.pack(number, 0, flags)
    prefix = HEADER.pack(OF14, BUNDLE_ADD, 16 + size, 0) + struct.pack("!I2xH", number, flags)
    view = memoryview(messages)
    for at in range(0, len(messages), size):
        together += prefix
        together += view[at : at + size]
    together += HEADER.pack(OF14, BUNDLE_CONTROL, 16, 3) + control.pack(number, 4, flags)
    return together
