"""Errors beyond the table, in OpenFlow 1.3: odd places, messages cut short, which fault is told.

`tests/data/error_table.txt` has what every version can say; here is what takes bytes of its own.
The answers are Open vSwitch's (measured) unless the specification says otherwise.  After each the
tables are as before and the session goes on.
"""

import struct
from collections.abc import Iterator

import pytest

from ovsflow import Switch
from ovsflow.openflow.failure import ErrorMessage
from tests.session.fake import raw
from tests.switch.bad_requests import (
    IP,
    NICIRA,
    NO_BUFFER,
    OF13,
    PORT_1,
    Dialect,
    action,
    apply,
    existing,
    goto,
    nicira,
    oxm,
    set_field,
)
from tests.switch.error_table import EXPERIMENTERS, Number, said
from tests.switch.test_monitors import Watcher

SAY = Dialect(OF13)
OUTPUT = SAY.output(1)
NO_GROUP = action(22, struct.pack("!I", 88))
UNKNOWN_ACTION = action(99, bytes(4))
#: Writes a field that the packet has not.
NO_HEADER = set_field(oxm(12, bytes(4)))
#: What is there before the request that is refused.
SOME_FLOW = SAY.flow(PORT_1, IP, do=(SAY.output(2),))

ROWS: dict[str, tuple[bytes, Number]] = {
    # Matches.
    "dp_hash of 0": (SAY.flow(oxm(35, bytes(4), kind=1)), (1, 5)),
    "recirc_id of 0": (SAY.flow(oxm(36, bytes(4), kind=1)), (1, 5)),
    # Flow mods.
    "buffer": (SAY.flow(buffer=9), (1, 8)),
    "cut short": (SAY.message("flow", bytes(20)), (1, 6)),
    # Instructions and actions.
    "instruction twice": (
        SAY.flow(instructions=apply(OUTPUT) + apply(SAY.output(2))),
        (0xFFFF, 2600, EXPERIMENTERS["ONF"]),
    ),
    "resubmit in write-actions": (
        SAY.flow(instructions=apply(nicira(1, b"\0\x01" + bytes(4)), kind=3)),
        (2, 0),
    ),
    "a third tag": (SAY.flow(oxm(6, b"\x10\x01"), do=2 * (action(17, b"\x81\0\0\0"),)), (2, 12)),
    "load to an unknown field": (
        SAY.flow(do=(nicira(7, struct.pack("!HIQ", 0, 0x0001FE04, 0)),)),
        (2, 13),
    ),
    "move of an unknown field": (
        SAY.flow(do=(nicira(6, struct.pack("!HHHII", 8, 0, 0, 0x0001FE04, 0x00010004)),)),
        (4, 6),
    ),
    "padding that is not zero": (
        SAY.flow(do=(nicira(37, b"\1" + bytes(5)),)),
        (0xFFFF, 4, NICIRA),
    ),
    # Packet-outs.
    "packet_out to UNSET": (SAY.packet_out(0xFFFFFFFD, SAY.output(0xFFFFFFF7)), (2, 4)),
    "packet_out of a buffer, with data": (
        SAY.message("packet_out", struct.pack("!IIH6x", 9, 1, len(OUTPUT)) + OUTPUT + bytes(60)),
        (1, 8),
    ),
    "packet_out from 0xff00": (SAY.packet_out(0xFF00, OUTPUT), (1, 11)),
    "packet_out from 0xfffffeff": (SAY.packet_out(0xFFFFFEFF, OUTPUT), (1, 11)),
    "packet_out to a group that is missing": (SAY.packet_out(1, NO_GROUP), (2, 9)),
    "packet_out that sets what the packet has not": (SAY.packet_out(1, NO_HEADER), (2, 10)),
    "packet_out with actions that do not end": (
        SAY.message("packet_out", struct.pack("!IIH6x", NO_BUFFER, 1, 32) + OUTPUT),
        (1, 6),
    ),
    # Which of two faults is told.
    "stray bits of an unknown field": (SAY.flow(oxm(60, b"\1\0", b"\0\0")), (4, 5)),
    "buffer and flags": (SAY.flow(buffer=9, flags=0x8000), (5, 7)),
    "buffer and a group that is missing": (SAY.flow(buffer=9, do=(NO_GROUP,)), (1, 8)),
    "flags and an unknown action": (SAY.flow(flags=0x8000, do=(UNKNOWN_ACTION,)), (2, 0)),
    "command and an unknown action": (SAY.flow(command=9, do=(UNKNOWN_ACTION,)), (5, 6)),
    "goto down and an action without its header": (
        SAY.flow(table=3, instructions=goto(1) + apply(action(18, bytes(4)))),
        (3, 2),
    ),
    "goto down and a field without its header": (
        SAY.flow(table=3, instructions=goto(1) + apply(NO_HEADER)),
        (2, 10),
    ),
    # Requests.
    "table features of no length": (SAY.stats(12, bytes(64)), (13, 3)),
    "hello again": (raw(OF13, 0), (1, 1)),
    "what only a switch says": (raw(OF13, 10, bytes(40)), (1, 1)),
    "another version": (raw(OF13 + 1, 5), (1, 0)),
    "experimenter message without a type": (raw(OF13, 4, bytes(4)), (1, 6)),
    "unknown experimenter message": (raw(OF13, 4, struct.pack("!II", 0x12345, 1)), (1, 3)),
    "unknown experimenter's multipart": (
        SAY.stats(0xFFFF, struct.pack("!II", 0x12345, 1)),
        (1, 3),
    ),
    "unknown multipart of Nicira's": (SAY.stats(0xFFFF, struct.pack("!II", NICIRA, 99)), (1, 4)),
}


@pytest.fixture(scope="module")
def switch() -> Iterator[Switch]:
    with Switch("e0", ports=["p1:memory", "p2:memory"], workers=0) as switch:
        yield switch


@pytest.fixture(scope="module")
def peer(switch: Switch) -> Iterator[Watcher]:
    peer = Watcher(switch, OF13)
    with peer.sock:
        for message in (SOME_FLOW, *existing(SAY)):
            peer.sock.sendall(message)
        assert peer.settle() == []
        yield peer


@pytest.mark.parametrize("name", list(ROWS))
def test_bad_request_gets_its_error(switch: Switch, peer: Watcher, name: str) -> None:
    request, expected = ROWS[name]
    peer.sock.sendall(request)
    (error,) = peer.settle()
    assert isinstance(error, ErrorMessage)
    assert said(error, OF13) == expected, error.name(OF13)
    assert error.data == request
    assert len(switch.dump_flows()) == 1
