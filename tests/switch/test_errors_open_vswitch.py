"""The same bad bytes to Open vSwitch and to this switch: the same error, or a reason why not.

Messages of all versions are damaged in a byte or two, cut short or made longer, and sent to both
over the session.  `DAMAGED` says how many; the environment's `OVSFLOW_CASES` makes it more.
"""

import os
import random
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest

from ovsflow import Switch
from ovsflow.openflow import codec
from ovsflow.openflow.framing import Framer
from ovsflow.openflow.handshake import Hello
from tests.ofctl.open_vswitch import open_vswitch
from tests.openflow.corpus import flow_mods, frames
from tests.session.fake import raw
from tests.switch.bad_requests import ALL, CASES, MODERN, Case, Dialect
from tests.switch.error_table import numbers
from tests.switch.test_errors import ROWS, SOME_FLOW

pytestmark = pytest.mark.timeout(600)

DAMAGED = int(os.environ.get("OVSFLOW_CASES", "250"))
VERSIONS = {1: "10", 4: "13", 5: "14", 6: "15"}
ANY = 0xFFFFFFFF
NX = 0x2320
#: Open vSwitches that one script may outlive.
LIVES = 6

T = TypeVar("T")

#: Type, code, and for an experimenter's error its id; in OpenFlow 1.0 its own type and code.
Error = tuple[int, ...] | None


class Asker:
    """A controller that looks at nothing but errors."""

    def __init__(self, connected: socket.socket, version: int) -> None:
        self.sock, self.version = connected, version
        self._framer, self._messages, self._barriers = Framer(), list[bytes](), 0
        connected.settimeout(20)
        connected.sendall(codec.encode(Hello((version,)), version, 1))
        self.ask(b"")

    def ask(self, message: bytes) -> Error:
        """The first error that a message gets."""
        self._barriers += 1
        request, reply = (18, 19) if self.version == 1 else (20, 21)
        xid = 0x4000_0000 + self._barriers
        self.sock.sendall(message + raw(self.version, request, b"", xid))
        error: Error = None
        while True:
            while not self._messages:
                data = self.sock.recv(1 << 16)
                if not data:
                    raise EOFError("the connection was closed")
                self._messages += self._framer.feed(data)
            answer = self._messages.pop(0)
            if answer[1] == reply and answer[4:8] == xid.to_bytes(4, "big"):
                return error
            if answer[1] == 1 and error is None:
                error = self._read(answer)

    def _read(self, answer: bytes) -> Error:
        numbers = struct.unpack("!HH", answer[8:12])
        if numbers[0] == 0xFFFF:
            return (*numbers, int.from_bytes(answer[12:16], "big"))
        if numbers[0] == 0xB0C2:
            return (NX, *struct.unpack("!HH", answer[16:20]))
        return numbers

    def reset(self) -> None:
        """Empties the tables; group 1 and meter 1 are there afterwards."""
        version = self.version
        if version == 1:
            head = struct.pack("!I36xQHHHHIHH", 0x3FFFFF, 0, 3, 0, 0, 0, ANY, 0xFFFF, 0)
            assert self.ask(raw(1, 14, head)) is None
            return
        delete = struct.pack("!QQBBHHHIIIHH", 0, 0, 255, 3, 0, 0, 0, ANY, ANY, ANY, 0, 0)
        self.ask(raw(version, 14, delete + bytes.fromhex("0001000400000000")))
        none, bucket = b"", struct.pack("!HHII4x", 16, 0, ANY, ANY)
        if version == 6:
            bucket = struct.pack("!HHI", 8, 0, 1)
            none = struct.pack("!HxxI", 0, ANY)
        some = bucket if version < 6 else struct.pack("!HxxI", len(bucket), ANY) + bucket
        self.ask(raw(version, 15, struct.pack("!HBxI", 2, 0, 0xFFFFFFFC) + none))
        self.ask(raw(version, 29, struct.pack("!HHI", 2, 0, ANY)))
        assert self.ask(raw(version, 15, struct.pack("!HBxI", 0, 0, 1) + some)) is None
        band = struct.pack("!HHII4x", 1, 16, 1000, 0)
        assert self.ask(raw(version, 29, struct.pack("!HHI", 0, 1, 1) + band)) is None


class Both:
    """The two switches."""

    def __init__(self, directories: Callable[[], Path], switch: Switch, stack: ExitStack) -> None:
        self._directories, self._switch, self._stack = directories, switch, stack
        self._start()

    def _start(self) -> None:
        self._rundir = self._directories()
        self._stack.enter_context(open_vswitch(self._rundir))

    def live_through(self, script: Callable[[], T]) -> T:
        """What a script gives with an Open vSwitch that lives to its end.

        Open vSwitch 3.1 now and then follows a pointer to nowhere in a METER_MOD.  Only if its
        process is gone the whole script runs again, with a new one.
        """
        for _ in range(LIVES):
            try:
                return script()
            except (ConnectionError, EOFError):
                if not self._is_gone():
                    raise
            self._start()
        raise AssertionError(f"Open vSwitch died {LIVES} times")

    def _is_gone(self) -> bool:
        """Whether the process ends; one that crashes closes its connections a little before."""
        process = Path("/proc", (self._rundir / "switch.pid").read_text().strip(), "stat")
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                if process.read_text().rpartition(")")[2].split()[0] == "Z":
                    return True
            except (FileNotFoundError, ProcessLookupError):
                return True
            time.sleep(0.02)
        return False

    @contextmanager
    def connect(self, version: int) -> Iterator[tuple[Asker, Asker]]:
        ours, end = socket.socketpair()
        with socket.socket(socket.AF_UNIX) as theirs, ours:
            theirs.connect(f"{self._rundir}/br0.mgmt")
            self._switch.attach(end)
            pair = Asker(theirs, version), Asker(ours, version)
            for asker in pair:
                asker.reset()
            yield pair


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    with (
        ExitStack() as stack,
        Switch("e9", ports=[f"p{n}:memory" for n in (1, 2, 3)], workers=0) as switch,
    ):
        yield Both(lambda: tmp_path_factory.mktemp("v"), switch, stack)


#: Rows and inputs in which the specification and Open vSwitch differ: what the latter says.
SPECIFICATION: dict[str, Error] = {
    # Chained groups are looked at when they are added, ports of a packet-out as what they are.
    "packet_out from 0xff00": (2, 4),
    "packet_out from 0xfffffeff": (2, 4),
    # Open vSwitch runs a resubmit at the end of an action set.
    "resubmit in write-actions": None,
    # It looks at what is in a match by the value, not by whether it is named.
    "recirc_id of 0": None,
    # The specification has codes for an unknown and for an unreadable field.
    "set_field unknown OXM": (2, 14),
    # Before OpenFlow 1.5 it has no number for this one.
    "table features that change": (0xFFFF, 10, NX),
}


def test_each_row_is_what_open_vswitch_says(both: Both) -> None:
    def answers() -> dict[str, Error]:
        with both.connect(4) as (theirs, _):
            theirs.ask(SOME_FLOW)
            return {name: theirs.ask(request) for name, (request, _) in ROWS.items()}

    told = both.live_through(answers)
    wrong = []
    for name, (_, expected) in ROWS.items():
        if told[name] != SPECIFICATION.get(name, expected):
            wrong.append(f"{name}: {told[name]}, not {expected}")
    assert not wrong, "\n".join(wrong)


#: Inputs of the error table that Open vSwitch answers otherwise, in which versions, and why.
OTHERWISE: dict[str, tuple[tuple[int, ...], str]] = {
    "NSH": (ALL, "no NSH here"),
    "ERSPAN": (ALL, "no ERSPAN here"),
    "connection state": (ALL, "no connection tracking here"),
    "ct": (ALL, "no connection tracking here"),
    "ct that translates and writes": (ALL, "no connection tracking here"),
    "ct without IP": (ALL, "no connection tracking here"),
    "ct_clear": (ALL, "no connection tracking here"),
    "resubmit to the original direction": (ALL, "no connection tracking here"),
    "encap": (MODERN, "every packet has an Ethernet header here"),
    "decap": (MODERN, "every packet has an Ethernet header here"),
    "dec_nsh_ttl": (MODERN, "no NSH here"),
    "delete_field": (ALL, "no tunnel options here"),
    "in_phy_port": (ALL, "in the specification"),
    "PBB": (ALL, "in the specification"),
    "IPv6 extension headers": (ALL, "in the specification"),
    "push_pbb": (MODERN, "in the specification"),
    "copy_ttl_in": (MODERN, "in the specification"),
    "copy_ttl_out": (MODERN, "in the specification"),
    "set_field eth_type": (MODERN, "in the specification"),
    "set_field ip_proto": (MODERN, "in the specification"),
    "set_field mpls_bos": (MODERN, "in the specification"),
    "group that runs itself": (MODERN, "it drops the packets later"),
    "group that runs a missing group": (MODERN, "it drops the packets later"),
    "delete of a chained group": (MODERN, "it drops the packets later"),
    "table_mod of a missing table": (MODERN, "it has such a table, for itself"),
    "table_mod config unknown": (MODERN, "it does not look at bits without a meaning"),
    "table features that change": ((4, 5), "it has no number for this one"),
    "set_field unknown OXM": (MODERN, "the specification has a code of its own"),
}


@pytest.mark.parametrize("version", list(VERSIONS))
def test_each_input_of_the_error_table_is_what_open_vswitch_says(both: Both, version: int) -> None:
    expected, dialect, wrong = numbers(), Dialect(version), []

    def answer_to(case: Case) -> Error:
        with both.connect(version) as (theirs, _):
            for message in case.before(dialect):
                assert theirs.ask(message) is None
            return theirs.ask(case.say(dialect))

    for name, case in CASES.items():
        if version not in case.versions or case.table_limit:
            continue
        answer = both.live_through(partial(answer_to, case))
        wanted = expected[name][version]
        if version in OTHERWISE.get(name, ((), ""))[0]:
            # Where its answer is known it is that; elsewhere any other than ours.
            fine = answer == SPECIFICATION.get(name, answer) != wanted
        else:
            fine = answer == wanted
        if not fine:
            wrong.append(f"{name}: {answer}, not {wanted}")
    assert not wrong, "\n".join(wrong)


def requests(version: int) -> tuple[list[bytes], list[bytes]]:
    """FLOW_MODs, and other messages that a controller sends."""
    flows = [data for name, data, _ in flow_mods() if name == VERSIONS[version]]
    kinds: tuple[int, ...]
    kinds = (4, 7, 9, 13, 14, 15, 16, 20) if version == 1 else (4, 7, 9, 13, 15, 16, 17, 18, 24)
    if version > 1:
        kinds += (14, 26, 28, 29, 33, 34)
    of = f"of{VERSIONS[version]}/"
    others = [
        data
        for name, data in frames().items()
        # Connection tracking is refused here, whatever else is wrong.
        if name.startswith(of) and data[1] in kinds and "action_ct" not in name
    ]
    return flows, others


def damage(chance: random.Random, message: bytes, xid: int) -> bytes:
    data = bytearray(message)
    kind = chance.random()
    if kind < 0.06:
        del data[chance.randrange(8, len(data) + 1) :]
    elif kind < 0.1:
        data += bytes(chance.choice((1, 4, 8)))
    else:
        for _ in range(chance.choice((1, 1, 1, 2))):
            place = chance.randrange(8, len(data)) if len(data) > 8 else 7
            bit, some = 1 << chance.randrange(8), (0, 1, 2, 4, 8, 0x10, 0x20, 0x7F, 0x80, 0xFF)
            flipped = data[place] ^ bit
            data[place] = chance.choice((flipped, chance.choice(some), chance.randrange(256)))
    data[2:4] = len(data).to_bytes(2, "big")
    data[4:8] = xid.to_bytes(4, "big")
    return bytes(data)


#: Differences by what the two say, whatever the message, each with its reason.
EXPLAINED: dict[tuple[Error, Error], str] = {
    ((2, 14), (2, 13)): "set_field of an unknown field: the specification's code",
    ((2, 13), (2, 14)): "set_field of a wrong length: the specification's code",
    ((12, 8), None): "bands that remark the DSCP are there",
    ((1, 2), None): "OFPMP_FLOW_STATS of OpenFlow 1.5 is there",
    ((1, 2), (4, 0)): "OFPMP_FLOW_STATS of OpenFlow 1.5 is there",
    ((14, 0), (13, 5)): "changing table features is refused whatever the change",
}


@pytest.mark.parametrize("version", list(VERSIONS))
def test_damaged_messages_get_the_same_error(both: Both, version: int) -> None:
    found, examples = both.live_through(lambda: differences(both, version))
    told = "\n".join(f"{count}: {pair} {examples[pair]}" for pair, count in found.most_common())
    # What is left are pairs of faults in one message, told in another order.
    assert sum(found.values()) <= DAMAGED * 0.05, told


def differences(
    both: Both, version: int
) -> tuple[Counter[tuple[Error, Error]], dict[tuple[Error, Error], str]]:
    """Pairs of answers to damaged messages that nothing explains, with a message for each."""
    chance = random.Random(version)
    flows, others = requests(version)
    found: Counter[tuple[Error, Error]] = Counter()
    examples: dict[tuple[Error, Error], str] = {}
    with both.connect(version) as (theirs, ours):
        for number in range(DAMAGED):
            base = chance.choice(flows if chance.random() < 0.75 else others)
            message = damage(chance, base, number + 5000)
            pair = theirs.ask(message), ours.ask(message)
            if pair[0] != pair[1] and pair not in EXPLAINED:
                found[pair] += 1
                examples.setdefault(pair, message.hex())
            if None in pair:
                theirs.reset()
                ours.reset()
    return found, examples
