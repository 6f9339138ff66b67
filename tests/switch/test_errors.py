"""The error that each bad request gets, in OpenFlow 1.3, from the whole switch.

Each row is bytes as a careless controller might send them and the error's type and code, as
Open vSwitch answers (measured) unless the specification says otherwise.  After each, the tables
are as before and the session goes on.
"""

import struct
from collections.abc import Iterator

import pytest

from ovsflow import Switch
from ovsflow.openflow.failure import ErrorMessage
from tests.session.fake import raw
from tests.switch.test_monitors import Watcher

NO_BUFFER = 0xFFFFFFFF
ANY = 0xFFFFFFFF
NICIRA, ONF = 0x2320, 0x4F4E4600


def oxm(field: int, value: bytes, mask: bytes = b"", *, kind: int = 0x8000) -> bytes:
    """One TLV of a match."""
    body = value + mask
    return struct.pack("!HBB", kind, field << 1 | bool(mask), len(body)) + body


def match(*tlvs: bytes, kind: int = 1, length: int | None = None) -> bytes:
    """An ofp_match with its padding."""
    body = b"".join(tlvs)
    size = 4 + len(body)
    return struct.pack("!HH", kind, size if length is None else length) + body + bytes(-size % 8)


def flow(
    fields: bytes = b"",
    instructions: bytes = b"",
    *,
    command: int = 0,
    table: int = 0,
    flags: int = 0,
    buffer: int = NO_BUFFER,
    priority: int = 5,
) -> bytes:
    """A FLOW_MOD."""
    head = struct.pack(
        "!QQBBHHHIIIHH", 0, 0, table, command, 0, 0, priority, buffer, ANY, ANY, flags, 0
    )
    return raw(4, 14, head + (fields or match()) + instructions)


def apply(*actions: bytes, kind: int = 4) -> bytes:
    """An apply-actions instruction (kind 3: write-actions)."""
    body = b"".join(actions)
    return struct.pack("!HH4x", kind, 8 + len(body)) + body


def action(kind: int, body: bytes, length: int | None = None) -> bytes:
    """An action; `body` is padded to a multiple of eight."""
    size = 4 + len(body)
    padding = bytes(-size % 8)
    return (
        struct.pack("!HH", kind, size + len(padding) if length is None else length) + body + padding
    )


def output(port: int) -> bytes:
    return action(0, struct.pack("!IH6x", port, 0))


def set_field(tlv: bytes) -> bytes:
    return action(25, tlv)


def nicira(subtype: int, body: bytes, vendor: int = NICIRA) -> bytes:
    return action(0xFFFF, struct.pack("!IH", vendor, subtype) + body)


def packet_out(in_port: int, actions: bytes, buffer: int = NO_BUFFER) -> bytes:
    return raw(4, 13, struct.pack("!IIH6x", buffer, in_port, len(actions)) + actions + bytes(60))


def group(number: int, *buckets: bytes, command: int = 0, kind: int = 0) -> bytes:
    return raw(4, 15, struct.pack("!HBxI", command, kind, number) + b"".join(buckets))


def bucket(*actions: bytes, weight: int = 0, watch: int = ANY, length: int | None = None) -> bytes:
    body = b"".join(actions)
    size = 16 + len(body) if length is None else length
    return struct.pack("!HHII4x", size, weight, watch, ANY) + body


def meter(number: int, *bands: bytes, command: int = 0, flags: int = 1) -> bytes:
    return raw(4, 29, struct.pack("!HHI", command, flags, number) + b"".join(bands))


def band(kind: int = 1) -> bytes:
    return struct.pack("!HHII4x", kind, 16, 1000, 0)


IP = oxm(5, b"\x08\x00")
ARP = oxm(5, b"\x08\x06")
MPLS = oxm(5, b"\x88\x47")
PORT_1 = oxm(0, struct.pack("!I", 1))
#: Changes before the request that is refused.
SOME_FLOW = flow(match(PORT_1, IP), apply(output(2)))
SOME_GROUP = group(1, bucket(output(1)))
SOME_METER = meter(1, band())

ROWS: dict[str, tuple[bytes, tuple[int, int]]] = {
    # Matches.
    "unknown field": (flow(match(oxm(60, b"\0\0"))), (4, 6)),
    "unknown class": (flow(match(oxm(0, b"\0\0", kind=0x7777))), (4, 6)),
    "field of a wrong length": (flow(match(oxm(0, b"\0\0\0"))), (4, 6)),
    "prerequisite missing": (flow(match(oxm(14, b"\0\x50"))), (4, 9)),
    "prerequisite after": (flow(match(oxm(10, b"\x06"), IP)), (4, 9)),
    "field twice": (flow(match(PORT_1, PORT_1)), (4, 10)),
    "value outside mask": (flow(match(IP, oxm(12, b"\x0a\0\0\x01", b"\xff\0\0\0"))), (4, 5)),
    "mask where none may be": (flow(match(oxm(0, b"\0\0\0\x01", b"\0\0\0\xff"))), (4, 8)),
    "pcp 9": (flow(match(oxm(6, b"\x10\x05"), oxm(7, b"\x09"))), (4, 7)),
    "vid 0x2005": (flow(match(oxm(6, b"\x20\x05"))), (4, 7)),
    "dscp 64": (flow(match(IP, oxm(8, b"\x40"))), (4, 7)),
    "arp_op 0x100": (flow(match(ARP, oxm(21, b"\x01\x00"))), (4, 7)),
    "label above 20 bits": (flow(match(MPLS, oxm(34, b"\0\x10\0\0"))), (4, 7)),
    "match of type 7": (flow(match(kind=7)), (4, 0)),
    "match longer than the message": (flow(match(length=100)), (4, 1)),
    "dp_hash": (flow(match(oxm(35, bytes(4), kind=1))), (1, 5)),
    "recirc_id": (flow(match(oxm(36, bytes(4), kind=1))), (1, 5)),
    # Flow mods.
    "command 9": (flow(command=9), (5, 6)),
    "flags": (flow(flags=0x8000), (5, 7)),
    "table 255 on add": (flow(table=255), (5, 2)),
    "table 254": (flow(table=254), (1, 5)),
    "overlap": (flow(match(PORT_1), flags=2), (5, 3)),
    "buffer": (flow(buffer=9), (1, 8)),
    "cut short": (raw(4, 14, bytes(20)), (1, 6)),
    "cut short before the match": (flow()[:2] + b"\0\x30" + flow()[4:48], (4, 1)),
    # Instructions.
    "unknown instruction": (flow(instructions=struct.pack("!HH4x", 99, 8)), (3, 0)),
    "experimenter instruction": (flow(instructions=struct.pack("!HHI", 0xFFFF, 8, 1)), (3, 5)),
    "goto the same table": (flow(table=3, instructions=struct.pack("!HHB3x", 1, 8, 3)), (3, 2)),
    "goto a lower table": (flow(table=3, instructions=struct.pack("!HHB3x", 1, 8, 1)), (3, 2)),
    "instruction of 7 bytes": (flow(instructions=struct.pack("!HH4x", 1, 7)), (3, 7)),
    "meter that is missing": (flow(instructions=struct.pack("!HHI", 6, 8, 77)), (12, 2)),
    "meter 0": (flow(instructions=struct.pack("!HHI", 6, 8, 0)), (12, 2)),
    # Actions.
    "unknown action": (flow(instructions=apply(action(99, bytes(4)))), (2, 0)),
    "resubmit in write-actions": (
        flow(instructions=apply(nicira(1, b"\0\x01" + bytes(4)), kind=3)),
        (2, 0),
    ),
    "action of 12 bytes": (flow(instructions=apply(action(0, bytes(12), length=12))), (2, 1)),
    "unknown experimenter": (flow(instructions=apply(nicira(1, bytes(6), vendor=0x12345))), (2, 2)),
    "unknown subtype": (flow(instructions=apply(nicira(9999, bytes(6)))), (2, 3)),
    "output to ANY": (flow(instructions=apply(output(ANY))), (2, 4)),
    "output to UNSET": (flow(instructions=apply(output(0xFFFFFFF7))), (2, 4)),
    "push_vlan 0x9100": (flow(instructions=apply(action(17, b"\x91\x00\0\0"))), (2, 5)),
    "a third tag": (
        flow(match(oxm(6, b"\x10\x01")), apply(*2 * [action(17, b"\x81\x00\0\0")])),
        (2, 12),
    ),
    "push_mpls 0x0800": (flow(instructions=apply(action(19, b"\x08\x00\0\0"))), (2, 5)),
    "group that is missing": (flow(instructions=apply(action(22, struct.pack("!I", 88)))), (2, 9)),
    "pop_vlan without a tag": (flow(instructions=apply(action(18, bytes(4)))), (2, 10)),
    "dec_ttl without IP": (flow(instructions=apply(action(24, bytes(4)))), (2, 10)),
    "set_field without its prerequisite": (
        flow(instructions=apply(set_field(oxm(12, bytes(4))))),
        (2, 10),
    ),
    "set_field in_port": (flow(instructions=apply(set_field(PORT_1))), (2, 15)),
    "load to an unknown field": (
        flow(instructions=apply(nicira(7, struct.pack("!HIQ", 0, 0x0001FE04, 0)))),
        (2, 13),
    ),
    "load past the field": (
        flow(instructions=apply(nicira(7, struct.pack("!HIQ", 0x7C1, 0x00010004, 1)))),
        (2, 14),
    ),
    "load of too much": (
        flow(instructions=apply(nicira(7, struct.pack("!HIQ", 3, 0x00010004, 16)))),
        (2, 5),
    ),
    "move of an unknown field": (
        flow(instructions=apply(nicira(6, struct.pack("!HHHII", 8, 0, 0, 0x0001FE04, 0x00010004)))),
        (4, 6),
    ),
    # The specification has a code of its own; Open vSwitch answers (2, 14).
    "set_field unknown": (flow(instructions=apply(set_field(oxm(60, b"\0\0")))), (2, 13)),
    # Packet-outs.
    "packet_out from TABLE": (packet_out(0xFFFFFFF9, output(1)), (1, 11)),
    "packet_out to UNSET": (packet_out(0xFFFFFFFD, output(0xFFFFFFF7)), (2, 4)),
    "packet_out of a buffer": (packet_out(0xFFFFFFFD, output(1), buffer=9), (1, 8)),
    "packet_out from 0xff00": (packet_out(0xFF00, output(1)), (1, 11)),
    "packet_out from 0xfffffeff": (packet_out(0xFFFFFEFF, output(1)), (1, 11)),
    "packet_out to 0xff00": (packet_out(1, output(0xFF00)), (2, 4)),
    "packet_out to a group that is missing": (
        packet_out(1, action(22, struct.pack("!I", 88))),
        (2, 9),
    ),
    "packet_out that sets what the packet has not": (
        packet_out(1, set_field(oxm(12, bytes(4)))),
        (2, 10),
    ),
    "packet_out with actions that do not end": (
        raw(4, 13, struct.pack("!IIH6x", NO_BUFFER, 1, 32) + output(1)),
        (1, 6),
    ),
    # Which of two faults is told.
    "stray bits of an unknown field": (flow(match(oxm(60, b"\1\0", b"\0\0"))), (4, 5)),
    "buffer and flags": (flow(buffer=9, flags=0x8000), (5, 7)),
    "buffer and a group that is missing": (
        flow(buffer=9, instructions=apply(action(22, struct.pack("!I", 88)))),
        (1, 8),
    ),
    "flags and an unknown action": (
        flow(flags=0x8000, instructions=apply(action(99, bytes(4)))),
        (2, 0),
    ),
    "command and an unknown action": (
        flow(command=9, instructions=apply(action(99, bytes(4)))),
        (5, 6),
    ),
    "goto down and an action without its header": (
        flow(table=3, instructions=struct.pack("!HHB3x", 1, 8, 1) + apply(action(18, bytes(4)))),
        (3, 2),
    ),
    "goto down and a field without its header": (
        flow(
            table=3,
            instructions=struct.pack("!HHB3x", 1, 8, 1) + apply(set_field(oxm(12, bytes(4)))),
        ),
        (2, 10),
    ),
    "table features of no length": (
        raw(4, 18, struct.pack("!HH4x", 12, 0) + bytes(64)),
        (13, 3),
    ),
    # Requests.
    "unknown message": (raw(4, 99), (1, 1)),
    "hello again": (raw(4, 0), (1, 1)),
    "what only a switch says": (raw(4, 10, bytes(40)), (1, 1)),
    "experimenter message without a type": (raw(4, 4, bytes(4)), (1, 6)),
    "unknown experimenter's multipart": (
        raw(4, 18, struct.pack("!HH4xII", 0xFFFF, 0, 0x12345, 1)),
        (1, 3),
    ),
    "unknown multipart of Nicira's": (
        raw(4, 18, struct.pack("!HH4xII", 0xFFFF, 0, NICIRA, 99)),
        (1, 4),
    ),
    "another version": (raw(5, 5), (1, 0)),
    "unknown multipart": (raw(4, 18, struct.pack("!HH4x", 99, 0)), (1, 2)),
    "unknown experimenter message": (raw(4, 4, struct.pack("!II", 0x12345, 1)), (1, 3)),
    "barrier with a body": (raw(4, 20, b"\0"), (1, 6)),
    "set_config flags": (raw(4, 9, struct.pack("!HH", 0x10, 0)), (10, 0)),
    "port_mod of no port": (
        raw(4, 16, struct.pack("!I4x6s2xIII4x", 99, bytes(6), 0, 0, 0)),
        (7, 0),
    ),
    "port_mod of another address": (
        raw(4, 16, struct.pack("!I4x6s2xIII4x", 1, b"\x02" * 6, 0, 0, 0)),
        (7, 1),
    ),
    "queues of no port": (raw(4, 18, struct.pack("!HH4xII", 5, 0, 99, ANY)), (9, 0)),
    "role of no kind": (raw(4, 24, struct.pack("!I4xQ", 9, 1)), (11, 2)),
    "table features that change": (
        raw(4, 18, struct.pack("!HH4xHB61x", 12, 0, 64, 0)),
        (13, 5),
    ),
    # Groups.
    "group reserved": (group(0xFFFFFF01, bucket(output(1))), (6, 1)),
    "weight on all": (group(2, bucket(output(1), weight=3)), (6, 1)),
    "indirect without a bucket": (group(2, kind=2), (6, 1)),
    "indirect with two": (group(2, bucket(output(1)), bucket(output(2)), kind=2), (6, 1)),
    "failover without a watch": (group(2, bucket(output(1)), kind=3), (6, 1)),
    "group that exists": (group(1, bucket(output(1))), (6, 0)),
    "group unknown on modify": (group(9, bucket(output(1)), command=1), (6, 8)),
    "group of type 9": (group(2, bucket(output(1)), kind=9), (6, 10)),
    "group command 9": (group(2, command=9), (6, 11)),
    "bucket of 15 bytes": (group(2, bucket(length=15)), (6, 12)),
    # Meters.
    "meter that exists": (meter(1, band()), (12, 1)),
    "meter unknown on modify": (meter(9, band(), command=1), (12, 3)),
    "meter command 9": (meter(2, band(), command=9), (12, 4)),
    "meter flags": (meter(2, band(), flags=0x80), (12, 5)),
    "band of type 9": (meter(2, band(9)), (12, 8)),
}

#: Errors that 1.3 can only say as an experimenter: request, experimenter, its type.
EXTENDED: dict[str, tuple[bytes, int, int]] = {
    "instruction twice": (flow(instructions=apply(output(1)) + apply(output(2))), ONF, 2600),
    "masked set_field": (
        flow(match(IP), apply(set_field(oxm(12, b"\x0a\0\0\0", b"\xff\0\0\0")))),
        ONF,
        4250,
    ),
    "padding that is not zero": (
        flow(instructions=apply(nicira(37, b"\1" + bytes(5)))),
        NICIRA,
        4,
    ),
    "conjunction with company": (
        flow(instructions=apply(nicira(34, b"\0\x02\0\0\0\x01"), output(1))),
        NICIRA,
        15,
    ),
}


@pytest.fixture(scope="module")
def switch() -> Iterator[Switch]:
    with Switch("e0", ports=["p1:memory", "p2:memory"], workers=0) as switch:
        yield switch


@pytest.fixture(scope="module")
def peer(switch: Switch) -> Iterator[Watcher]:
    peer = Watcher(switch, 4)
    with peer.sock:
        for message in (SOME_FLOW, SOME_GROUP, SOME_METER):
            peer.sock.sendall(message)
        assert peer.settle() == []
        yield peer


def error_of(peer: Watcher, request: bytes) -> ErrorMessage:
    """The one error that a request gets."""
    peer.sock.sendall(request)
    answers = peer.settle()
    assert len(answers) == 1, answers
    (error,) = answers
    assert isinstance(error, ErrorMessage), error
    assert error.data == request
    return error


@pytest.mark.parametrize("name", list(ROWS))
def test_bad_request_gets_its_error(switch: Switch, peer: Watcher, name: str) -> None:
    request, expected = ROWS[name]
    error = error_of(peer, request)
    assert (error.type, error.code) == expected, error.name(4)
    assert len(switch.dump_flows()) == 1


@pytest.mark.parametrize("name", list(EXTENDED))
def test_what_1_3_has_no_number_for_is_an_experimenters(
    switch: Switch, peer: Watcher, name: str
) -> None:
    request, experimenter, number = EXTENDED[name]
    error = error_of(peer, request)
    assert (error.experimenter, error.code) == (experimenter, number), error.name(4)
    assert len(switch.dump_flows()) == 1


@pytest.mark.parametrize(
    "request_",
    [
        flow(instructions=apply(output(4000))),
        flow(instructions=apply(output(0))),
        flow(instructions=apply(output(0xFFFFFFF9))),
        flow(command=3, table=255, priority=9),
        group(77, command=2),
        meter(77, command=2),
    ],
    ids=["port that is not there", "port 0", "TABLE", "all tables", "no group", "no meter"],
)
def test_what_looks_wrong_but_is_allowed(request_: bytes) -> None:
    with Switch("e1", ports=["p1:memory"], workers=0) as switch:
        peer = Watcher(switch, 4)
        with peer.sock:
            peer.sock.sendall(request_)
            assert peer.settle() == []
