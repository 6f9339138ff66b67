"""Conversations to put to two switches: roles, what is told unasked, and what nobody may ask.

A conversation is a list of steps; a step is one session's number and its bytes.  Each is made for
the versions that its sessions speak.
"""

import struct
from collections.abc import Iterator

from tests.switch.talker import (
    ANY,
    NICIRA,
    ONF,
    VERSIONS,
    flow_mod,
    in_port,
    message,
    output,
)

CONTROLLER = 0xFFFFFFFD
FRAME = bytes.fromhex("020000000001020000000002") + b"\x12\x34" + bytes(46)

#: One session's number and its bytes.
Step = tuple[int, bytes]


def clean(who: int, version: int) -> Iterator[Step]:
    """Empties the tables."""
    if version == 1:
        yield who, flow_mod(1, command=3)
        group = struct.pack("!IIHBxIHxxI", NICIRA, 31, 2, 0, 0xFFFFFFFC, 0, ANY)
        yield who, message(1, 4, group)
        return
    yield who, flow_mod(version, command=3, table=0xFF)
    tail = struct.pack("!HxxI", 0, ANY) if version == 6 else b""
    yield who, message(version, 15, struct.pack("!HBxI", 2, 0, 0xFFFFFFFC) + tail)
    yield who, message(version, 29, struct.pack("!HHI", 2, 0, ANY))


# -- Roles -----------------------------------------------------------------------------------------


def role(version: int, number: int, generation: int = 0) -> bytes:
    """A role request; 0 asks, 1 equal, 2 primary, 3 secondary."""
    if version == 1:
        return nicira_role(1, {2: 1, 3: 2}.get(number, 0))
    short = struct.pack("!H", 0xFFFF) if version == 6 else bytes(2)
    body = struct.pack("!I", number) + short + bytes(2) + struct.pack("!Q", generation)
    return message(version, 24, body)


def nicira_role(version: int, number: int) -> bytes:
    """Nicira's: 0 other, 1 primary, 2 secondary."""
    return message(version, 4, struct.pack("!III", NICIRA, 10, number))


def roles(versions: tuple[int, ...]) -> Iterator[Step]:
    half = 6 + (1 << 63)
    requests = [
        *((0, 0, 0), (0, 2, 5), (1, 2, 6), (0, 2, 5), (0, 3, 4), (2, 3, 6), (2, 1, 0), (2, 4, 9)),
        *((2, 77, 9), (2, 0, 0), (0, 2, 6), (1, 0, 0), (2, 2, half - 1), (0, 2, half - 2)),
        *((0, 3, half - 1), (2, 3, half - 1), (1, 2, half + 5)),
    ]
    for who, number, generation in requests:
        yield who, role(versions[who], number, generation)
    # Sessions 0 and 2 are secondary: they may read, and write nothing.
    version = versions[2]
    head = flow_mod(version, actions=output(version, 1))
    yield 2, head
    yield 2, message(version, 13, packet_out_body(version, output(version, 1)))
    yield 2, port_mod(version, 1, 0x20, 0x20)
    if version > 1:
        tail = struct.pack("!HxxI", 0, ANY) if version == 6 else b""
        yield 2, message(version, 15, struct.pack("!HBxI", 0, 0, 1) + tail)
        yield 2, message(version, 17, bytes(8))
        yield 2, message(version, 29, struct.pack("!HHI", 0, 1, 1))
    if version >= 5:
        yield 2, message(version, 33, struct.pack("!IHH", 1, 0, 1))
        yield 2, message(version, 34, struct.pack("!IHH", 1, 0, 1) + head)
    # What others change of ports, all hear; of the others' groups nobody who did not ask.
    yield 1, nicira_role(versions[1], 1)
    yield 1, nicira_role(versions[1], 0)
    yield 0, nicira_role(versions[0], 1)
    yield 0, nicira_role(versions[0], 9)


def packet_out_body(version: int, actions: bytes, port: int = 1) -> bytes:
    """A packet-out of one frame that came in at `port`."""
    if version == 1:
        return struct.pack("!IHH", ANY, port, len(actions)) + actions + FRAME
    if version == 6:
        match = in_port(6, port)
        head = struct.pack("!IHxx", ANY, len(actions))
        return head + struct.pack("!HH", 1, 4 + len(match)) + match + bytes(4) + actions + FRAME
    return struct.pack("!IIH6x", ANY, port, len(actions)) + actions + FRAME


def port_mod(version: int, port: int, config: int, mask: int) -> bytes:
    """A port-mod with an address that no port has."""
    if version == 1:
        return message(1, 15, struct.pack("!H6sIII4x", port, bytes(6), config, mask, 0))
    body = struct.pack("!I4x6s2xII", port, bytes(6), config, mask)
    return message(version, 16, body + (bytes(8) if version == 4 else b""))


# -- Asynchronous messages -------------------------------------------------------------------------


def events(version: int, who: int) -> Iterator[Step]:
    """What makes one of each asynchronous message."""
    yield who, message(version, 13, packet_out_body(version, output(version, CONTROLLER)))
    flow = flow_mod(version, match=in_port(version, 2), flags=1, cookie=9)
    yield who, flow
    yield who, flow_mod(version, command=3)


def async_before_14(versions: tuple[int, ...]) -> Iterator[Step]:
    """Masks as OpenFlow 1.3 and, in the same form, Nicira say them."""
    rounds = [
        (0, 0, 0, 0, 0, 0),
        (3, 3, 7, 7, 15, 15),
        (0, 7, 0, 7, 0, 15),
        (7, 0, 7, 0, 15, 0),
        (2, 1, 4, 2, 4, 4),
        (0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF),
        (3, 0, 7, 7, 15, 0),
    ]
    for number, masks in enumerate(rounds):
        primary, secondary = masks[0::2], masks[1::2]
        pairs = [pair for both in zip(primary, secondary, strict=True) for pair in both]
        body = struct.pack("!6I", *pairs)
        version = versions[0]
        head = struct.pack("!II", NICIRA, 19)
        if version == 4 and number % 2:
            yield 0, message(4, 28, body)
        else:
            yield 0, message(version, 4, head + body)
        if version == 4:
            yield 0, message(4, 26)
        for number in (1, 2, 3):
            yield 0, role(version, number, 1)
            yield from events(versions[1], 1)


def async_properties(versions: tuple[int, ...]) -> Iterator[Step]:
    """Masks as OpenFlow 1.4 and 1.5 say them, one property for each."""
    version = versions[0]

    def masks(*properties: tuple[int, int]) -> bytes:
        data = b"".join(struct.pack("!HHI", kind, 8, mask) for kind, mask in properties)
        return message(version, 28, data)

    for chosen in (
        [(0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (5, 0)],
        [(1, 0b111011)],
        [(1, 0b100001), (5, 0b100)],
        [(0, 0b100000), (4, 0b100)],
        [(kind, 0) for kind in range(6)],
        [(kind, 0x3F if kind in (0, 1, 4, 5) else 7) for kind in range(6)],
    ):
        yield 0, masks(*chosen)
        for number in (1, 2, 3):
            yield 0, role(version, number, 1)
            yield from events(versions[1], 1)
    for wrong in ([(1, 1 << 20)], [(40, 1)], [(5, 1 << 9)], [(11, 1 << 4)]):
        yield 0, masks(*wrong)
    yield 0, message(version, 28, struct.pack("!HHI", 1, 4, 0))
    yield 0, message(version, 28, struct.pack("!HHI", 1, 12, 0))


def set_config(versions: tuple[int, ...]) -> Iterator[Step]:
    """What SET_CONFIG says, and refuses; each session's own miss_send_len."""
    for who, version in enumerate(versions):
        for flags, size in ((0, 0), (0, 128), (1, 5), (3, 0xFFFF), (0, 0xFFFF), (8, 1), (0x40, 1)):
            yield who, message(version, 9, struct.pack("!HH", flags, size))
            yield from ((other, message(v, 7)) for other, v in enumerate(versions))
        yield who, message(version, 9, b"\0")
        yield who, message(version, 9, struct.pack("!HH", 0, 0xFFFF))


# -- Requests that nobody may make -----------------------------------------------------------------


def from_switches(versions: tuple[int, ...]) -> Iterator[Step]:
    """What only a switch says, what no version has, and answers to nothing."""
    version = versions[0]
    barrier = 19 if version == 1 else 21
    for kind, size in ((6, 24), (8, 4), (barrier, 0), (99, 0), (99, 40), (255, 8)):
        yield 0, message(version, kind, bytes(size))
    if version > 1:
        yield 0, message(version, 25, bytes(16))
    yield 0, message(version, 3, b"an echo that nobody asked for")
    yield 0, message(version, 2, b"still there?", 77)
    yield 0, message(version, 4, struct.pack("!II", 0x123456, 1))
    yield 0, message(version, 4, struct.pack("!II", NICIRA, 999))
    yield 0, message(version, 4, struct.pack("!II", ONF, 999))
    for other in VERSIONS:
        if other != version:
            yield 0, message(other, 5)
