"""Flows straight from the bytes of a reply to text, for dumps of very many of them.

Owns no word of the language: what a match or an action reads as is asked of `match_text.py` and
`action_render.py`, once for each *shape*, and remembered.  The shape of a match is its bytes
without the values of fields that are printed by themselves (addresses, ports, registers); flows
of one shape read the same but for these values.  An action reads the same wherever it stands, so
its bytes are the key.

Only OpenFlow 1.3 and later, without colours.  What does not fit goes the long way.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from socket import inet_ntoa
from typing import TypeVar

from ovsflow.openflow import fields
from ovsflow.openflow.action_codec import decode_actions
from ovsflow.openflow.constants import DEFAULT_PRIORITY, Version
from ovsflow.openflow.flow_stats_entry import FLOW, FLOW15, decode_flows, told
from ovsflow.openflow.instruction_codec import decode_instructions
from ovsflow.openflow.match_codec import decode_tlvs
from ovsflow.openflow.text import values
from ovsflow.openflow.text.action_render import ActionRenderer
from ovsflow.openflow.text.flow_text import FlowNumbers, flow_stats_words, stats_words
from ovsflow.openflow.text.instruction_text import instruction_words
from ovsflow.openflow.text.match_text import match_word_list
from ovsflow.openflow.text.names import NUMBERS, Names, render_port, render_table
from ovsflow.openflow.text.paint import PLAIN
from ovsflow.openflow.wire import BAD_REQUEST_LEN, records

_MOST = 20_000
"""Entries that each of the memories keeps."""

_APPLY, _GOTO = 4, 1
_INSTRUCTION = struct.Struct("!HH4x")
_MATCH = struct.Struct("!HH")
_GOTO_TABLE = struct.Struct("!HHB3x")

_SET_FIELD, _WRITE_HEAD = b"\0\x19", 8
"""OFPAT_SET_FIELD, and the bytes of one before the value: type, length, the field's header."""

_COUNTERS = struct.Struct("!IIIIIIIIQIQ4x")
_COUNTER_HEADS = (0x00000034, 0x80020008, 0x80020208, 0x80020808, 0x80020A08)
"""OpenFlow 1.5's counters as our switch and Open vSwitch send them: duration, idle time, packets,
bytes; and the headers in front of each."""

Show = Callable[[bytes], str]
K = TypeVar("K")
V = TypeVar("V")


class _OddError(Exception):
    """A value that is not printed by itself."""


@dataclass(frozen=True, slots=True)
class _Free:
    """A field whose value is printed by itself: its name in the text, and how it is shown."""

    word: str
    show: Show


class FlowDump:
    """Prints the flows of one switch.

    Attributes:
        version: Wire version, 1.3 or later.
        names: Names of ports and tables.
        stats: Whether counters are shown.
    """

    def __init__(self, version: int, names: Names = NUMBERS, stats: bool = True) -> None:
        assert version >= Version.OF13
        self.version = version
        self.names = names
        self.stats = stats
        self._renderer = ActionRenderer(version, names)
        port = _Free("in_port", lambda data: render_port(int.from_bytes(data, "big"), names))
        self._free = _free_headers() | dict.fromkeys(_headers("in_port_oxm"), port)
        self._matches: dict[tuple[bytes | int, ...], str | None] = {}
        self._actions: dict[bytes, str] = {}
        self._lists: dict[bytes, str] = {}
        self._targets: dict[bytes, str] = {}

    def lines(self, data: bytes) -> Iterator[str]:
        """Lines for flows back to back, each as `dump-flows` prints it, without a leading blank.

        Raises:
            DecodeError: They are not valid.
        """
        one = self._since_15 if self.version >= Version.OF15 else self._since_13
        for record in records(data, 8, BAD_REQUEST_LEN, "flow", length_at=0):
            try:
                yield one(record)
            except _OddError:
                (flow,) = decode_flows(record, self.version)
                yield flow_stats_words(flow, self.version, self.names, PLAIN, self.stats)

    def _since_13(self, record: bytes) -> str:
        tlvs, end = _match_of(record, FLOW.size)
        _, table, sec, nsec, priority, idle, hard, flags, importance, cookie, packets, octets = (
            FLOW.unpack_from(record)
        )
        if self.version < Version.OF14:
            importance = 0
        counts = told(packets), told(octets)
        numbers = (table, priority, cookie, sec, nsec, idle, hard, flags, importance, *counts)
        return self._line(FlowNumbers(*numbers), tlvs, record[end:])

    def _since_15(self, record: bytes) -> str:
        tlvs, at = _match_of(record, FLOW15.size)
        if len(record) < at + _COUNTERS.size:
            raise _OddError
        _, table, priority, idle, hard, flags, importance, cookie = FLOW15.unpack_from(record)
        head, one, sec, nsec, two, age, _, three, packets, four, octets = _COUNTERS.unpack_from(
            record, at
        )
        if (head, one, two, three, four) != _COUNTER_HEADS:
            raise _OddError
        counts = packets, octets, age
        numbers = (table, priority, cookie, sec, nsec, idle, hard, flags, importance, *counts)
        return self._line(FlowNumbers(*numbers), tlvs, record[at + _COUNTERS.size :])

    def _line(self, numbers: FlowNumbers, tlvs: bytes, instructions: bytes) -> str:
        match = self._match(tlvs)
        if numbers.priority != DEFAULT_PRIORITY:
            match = (
                f"priority={numbers.priority},{match}" if match else f"priority={numbers.priority}"
            )
        actions = self._lists.get(instructions)
        if actions is None:
            actions = _keep(self._lists, instructions, self._instructions(instructions))
        return stats_words(numbers, match, actions, self.names, PLAIN, self.stats)

    def _match(self, tlvs: bytes) -> str:
        """A match without its priority."""
        shape: list[bytes | int] = []
        shown: list[str] = []
        at, end = 0, len(tlvs)
        while at < end:
            header = int.from_bytes(tlvs[at : at + 4], "big")
            stop = at + 4 + (header & 0xFF)
            if stop > end:
                raise _OddError
            free = self._free.get(header)
            if free is None:
                shape.append(tlvs[at:stop])
            else:
                shape.append(header)
                shown.append(free.show(tlvs[at + 4 : stop]))
            at = stop
        key = tuple(shape)
        if key not in self._matches:
            _keep(self._matches, key, self._mold(tlvs, shape, shown))
        mold = self._matches[key]
        if mold is None:
            raise _OddError
        return mold.format(*shown)

    def _mold(self, tlvs: bytes, shape: list[bytes | int], shown: list[str]) -> str | None:
        """A match with a hole for each free value; `None` if they are not where they should be."""
        match = decode_tlvs(tlvs, strict=False)
        words = list(match_word_list(match, self.names))
        molded = [word.replace("{", "{{").replace("}", "}}") for word in words]
        headers = [header for header in shape if isinstance(header, int)]
        for place, header in enumerate(headers):
            free = self._free[header]
            text = f"{free.word}={shown[place]}"
            if words.count(text) != 1:
                return None
            molded[words.index(text)] = f"{free.word}={{{place}}}"
        mold = ",".join(molded)
        return mold if mold.format(*shown) == ",".join(words) else None

    def _instructions(self, data: bytes) -> str:
        """Instructions as text: actions, each asked for once, and perhaps a goto_table."""
        at, texts = 0, []
        if len(data) >= _INSTRUCTION.size:
            kind, length = _INSTRUCTION.unpack_from(data)
            if kind == _APPLY and _INSTRUCTION.size <= length <= len(data):
                actions = data[_INSTRUCTION.size : length]
                cut = records(actions, 8, BAD_REQUEST_LEN, "action", align=8)
                texts = [self._action(action) for action in cut]
                at = length
        rest = data[at:]
        if len(rest) == _GOTO_TABLE.size and _GOTO_TABLE.unpack(rest)[:2] == (_GOTO, len(rest)):
            texts.append(f"goto_table:{render_table(rest[4], self.names)}")
        elif rest or not texts:
            return instruction_words(decode_instructions(data, self.version), self._renderer)
        return ",".join(texts)

    def _action(self, data: bytes) -> str:
        text = self._actions.get(data)
        if text is not None:
            return text
        target = self._targets.get(data[:_WRITE_HEAD], "")
        if target:
            free = self._free[int.from_bytes(data[4:_WRITE_HEAD], "big")]
            return f"set_field:{free.show(data[_WRITE_HEAD : _WRITE_HEAD + data[7]])}->{target}"
        actions = decode_actions(data, self.version)
        text = ",".join(self._renderer.one(action) for action in actions)
        self._remember_target(data, text)
        return _keep(self._actions, data, text)

    def _remember_target(self, data: bytes, text: str) -> None:
        """If an action writes a free value, the next one that writes another needs no decoding."""
        free = self._free.get(int.from_bytes(data[4:_WRITE_HEAD], "big"))
        if data[:2] == _SET_FIELD and free is not None and not data[6] & 1:
            value = free.show(data[_WRITE_HEAD : _WRITE_HEAD + data[7]])
            arrow = f"set_field:{value}->"
            if text.startswith(arrow):
                _keep(self._targets, data[:_WRITE_HEAD], text.removeprefix(arrow))


def _match_of(record: bytes, at: int) -> tuple[bytes, int]:
    """The TLVs of the ofp_match that begins at `at`, and where it ends with its padding."""
    if len(record) < at + 4:
        raise _OddError
    kind, length = _MATCH.unpack_from(record, at)
    end = at + (length + 7) // 8 * 8
    if kind != 1 or length < 4 or end > len(record):
        raise _OddError
    return record[at + 4 : at + length], end


def _keep(memory: dict[K, V], key: K, value: V) -> V:
    """Puts something in a memory, which begins anew when it is full."""
    if len(memory) >= _MOST:
        memory.clear()
    memory[key] = value
    return value


def _hexadecimal(data: bytes) -> str:
    return values.show_hex(int.from_bytes(data, "big"))


def _decimal(data: bytes) -> str:
    return str(int.from_bytes(data, "big"))


def _ethernet(data: bytes) -> str:
    return data.hex(":")


def _ipv6(data: bytes) -> str:
    return values.show_ipv6(int.from_bytes(data, "big"))


def _masked(show: Callable[[int, int], str]) -> Show:
    """Shows a value with its mask, one behind the other in the bytes."""

    def shown(data: bytes) -> str:
        half = len(data) // 2
        value, mask = int.from_bytes(data[:half], "big"), int.from_bytes(data[half:], "big")
        if not mask or value & ~mask:
            raise _OddError
        return show(value, mask)

    return shown


_EXACT: dict[str, tuple[str, Show]] = {
    "ip_src": ("nw_src", inet_ntoa),
    "ip_dst": ("nw_dst", inet_ntoa),
    "arp_spa": ("arp_spa", inet_ntoa),
    "arp_tpa": ("arp_tpa", inet_ntoa),
    "tun_src": ("tun_src", inet_ntoa),
    "tun_dst": ("tun_dst", inet_ntoa),
    "ipv6_src": ("ipv6_src", _ipv6),
    "ipv6_dst": ("ipv6_dst", _ipv6),
    "eth_src": ("dl_src", _ethernet),
    "eth_dst": ("dl_dst", _ethernet),
    "tun_id": ("tun_id", _hexadecimal),
    "metadata": ("metadata", _hexadecimal),
    **{f"reg{number}": (f"reg{number}", _hexadecimal) for number in range(16)},
    **{f"{name}_src": ("tp_src", _decimal) for name in ("tcp", "udp", "sctp")},
    **{f"{name}_dst": ("tp_dst", _decimal) for name in ("tcp", "udp", "sctp")},
}
_MASKED: dict[str, tuple[str, Show]] = {
    "ip_src": ("nw_src", _masked(values.masked_ipv4)),
    "ip_dst": ("nw_dst", _masked(values.masked_ipv4)),
    "ipv6_src": ("ipv6_src", _masked(values.masked_ipv6)),
    "ipv6_dst": ("ipv6_dst", _masked(values.masked_ipv6)),
}


@cache
def _free_headers() -> dict[int, _Free]:
    """Fields that are printed by themselves, by the four bytes in front of their values."""
    found = {header: _Free(*row) for name, row in _EXACT.items() for header in _headers(name)}
    for name, row in _MASKED.items():
        for header in _headers(name):
            found[header & ~0xFF | 0x100 | 2 * (header & 0xFF)] = _Free(*row)
    return found


def _headers(name: str) -> list[int]:
    """The headers of a field that have four bytes."""
    field = fields.by_name(name)
    assert field is not None, name
    return [header for header in field.decodes if header < 1 << 32]
