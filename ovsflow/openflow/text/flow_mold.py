"""Lines of a flow file straight to FLOW_MODs, for files of very many of them.

Owns no word of the language: the first line of a *shape* is read by `flow_text.py` and encoded, and
its bytes become the mold for every other line that differs in nothing but the values of fields
that stand in the message by themselves (addresses, ports, registers, priority).  What is not
written plainly, and what is wrong, is not molded: the caller goes the long way, which also has
the words for mistakes.

Only OpenFlow 1.3 and later.
"""

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from socket import AF_INET, AF_INET6, inet_pton

from ovsflow.openflow import codec, fields
from ovsflow.openflow.constants import MessageType, Version
from ovsflow.openflow.flow_mod import FlowMod

_MOST = 10_000
"""Shapes that are remembered."""

_COOKIE, _COOKIE_MASK, _PRIORITY, _MATCH = 8, slice(16, 24), 30, 48
_APPLY, _OUTPUT, _SET_FIELD = 4, 0, 25
_PAIR = struct.Struct("!HH")

Convert = Callable[[str, int], bytes]


def _number(text: str, size: int) -> bytes:
    """Decimal or hexadecimal; a leading zero means octal and goes the long way."""
    if text[1:2] in ("b", "B"):
        raise ValueError("binary, which the language does not have")
    return int(text, 0).to_bytes(size, "big")


def _port(text: str, size: int) -> bytes:
    port = int(text, 0)
    if port >= 0xFF00:
        raise ValueError("a reserved port, or none")
    return port.to_bytes(size, "big")


def _ethernet(text: str, size: int) -> bytes:
    if text.count(":") != 5 or len(text) != 17:
        raise ValueError("not written plainly")
    return bytes.fromhex(text.replace(":", ""))


def _ipv4(text: str, size: int) -> bytes:
    return inet_pton(AF_INET, text)


def _ipv6(text: str, size: int) -> bytes:
    return inet_pton(AF_INET6, text)


_WORDS: dict[str, tuple[tuple[str, ...], Convert]] = {
    "in_port": (("in_port_oxm",), _port),
    "nw_src": (("ip_src", "arp_spa"), _ipv4),
    "nw_dst": (("ip_dst", "arp_tpa"), _ipv4),
    "ip_src": (("ip_src",), _ipv4),
    "ip_dst": (("ip_dst",), _ipv4),
    "arp_spa": (("arp_spa",), _ipv4),
    "arp_tpa": (("arp_tpa",), _ipv4),
    "tun_src": (("tun_src",), _ipv4),
    "tun_dst": (("tun_dst",), _ipv4),
    "ipv6_src": (("ipv6_src",), _ipv6),
    "ipv6_dst": (("ipv6_dst",), _ipv6),
    "eth_src": (("eth_src",), _ethernet),
    "eth_dst": (("eth_dst",), _ethernet),
    "dl_src": (("eth_src",), _ethernet),
    "dl_dst": (("eth_dst",), _ethernet),
    "tun_id": (("tun_id",), _number),
    "metadata": (("metadata",), _number),
    "tp_src": (("tcp_src", "udp_src", "sctp_src"), _number),
    "tp_dst": (("tcp_dst", "udp_dst", "sctp_dst"), _number),
    **{
        f"{protocol}_{end}": ((f"{protocol}_{end}",), _number)
        for protocol in ("tcp", "udp", "sctp")
        for end in ("src", "dst")
    },
    **{f"reg{number}": ((f"reg{number}",), _number) for number in range(16)},
}
"""Names that may stand in a line, the fields that they can mean, and how a value is read."""

_NAMES = "|".join(_WORDS)
_VALUE = "[0-9a-fA-F:][0-9a-fA-Fx:.]*"
_ACTION = rf"(?:set_field:({_VALUE})->({_NAMES})|output:([0-9]+))(?=[,\s]|$)"
_FREE_ACTION = re.compile(_ACTION)
_FREE = re.compile(
    rf"(?<![^,\s])({_NAMES}|priority|cookie)=({_VALUE})(?=[,\s/]|$)"
    rf"|(?:(?<=actions=)|(?<=,)){_ACTION}"
)
_INSTRUCTIONS = ("goto_table:", "meter:", "write_metadata:", "clear_actions")


@dataclass(frozen=True, slots=True)
class _Hole:
    """Where a value stands in a message."""

    at: int
    size: int
    convert: Convert
    mask: int | None = None

    def fill(self, message: bytearray, text: str) -> None:
        """Writes a value; raises `ValueError` or `OSError` for one that is not written plainly."""
        value = self.convert(text, self.size)
        if self.mask is not None:
            value = (int.from_bytes(value, "big") & self.mask).to_bytes(self.size, "big")
        message[self.at : self.at + self.size] = value


@dataclass(slots=True)
class _Mold:
    """A message and its holes; `None` for a shape that has to go the long way.

    Attributes:
        message: The first message of the shape.
        holes: In the order of the values in the line.
        doubtful: Holes into which no value but the first has been seen to belong.
    """

    message: bytes
    holes: list[_Hole] | None
    doubtful: set[int]

    def doubts(self, message: bytes) -> set[int]:
        """Holes that are filled otherwise than in the first message, and not yet seen to be."""
        assert self.holes is not None
        return {
            place
            for place in self.doubtful
            if (hole := self.holes[place])
            and message[hole.at : hole.at + hole.size]
            != self.message[hole.at : hole.at + hole.size]
        }


class FlowMolds:
    """The shapes of one file.

    Attributes:
        version: Wire version, 1.3 or later.
    """

    def __init__(self, version: int) -> None:
        assert version >= Version.OF13
        self.version = version
        self._molds: dict[str, _Mold] = {}

    def encode(self, line: str, parse: Callable[[str], FlowMod]) -> bytes:
        """The FLOW_MOD that a line means, with transaction id 0.

        Args:
            line: One flow.
            parse: The long way; raises for what is wrong.
        """
        found = _FREE.findall(line)
        shape = _FREE.sub("\\1\0\\4", line)
        mold = self._molds.get(shape)
        if mold is None:
            whole = codec.encode(parse(line), self.version)
            if len(self._molds) >= _MOST:
                self._molds.clear()
            holes = _holes(whole, line, found)
            self._molds[shape] = _Mold(whole, holes, set(range(len(found))))
            return whole
        message = None if mold.holes is None else _filled(mold, found)
        doubts = mold.doubts(message) if message is not None and mold.doubtful else set()
        if message is not None and not doubts:
            return message
        whole = codec.encode(parse(line), self.version)
        if message == whole:
            mold.doubtful -= doubts
        elif message is not None:
            mold.holes = None
        return whole


Found = tuple[str, str, str, str, str]
"""A free value: name and value of a match, value and name of a set_field, port of an output."""


def _filled(mold: _Mold, found: list[Found]) -> bytes | None:
    assert mold.holes is not None
    message = bytearray(mold.message)
    try:
        for hole, (_, value, written, _, port) in zip(mold.holes, found, strict=True):
            hole.fill(message, value or written or port)
    except (ValueError, OSError, OverflowError):
        return None
    return bytes(message)


def _holes(message: bytes, line: str, found: list[Found]) -> list[_Hole] | None:
    """Where each value stands; `None` if that cannot be told for one of them."""
    if message[1] != MessageType.FLOW_MOD or any(message[_COOKIE_MASK]):
        return None
    fields_at = dict(_match_holes(message))
    actions = _action_places(message, line)
    holes: list[_Hole] = []
    for name, _, _, written, port in found:
        hole = None
        if name == "priority":
            hole = _Hole(_PRIORITY, 2, _number)
        elif name == "cookie":
            hole = _Hole(_COOKIE, 8, _number)
        elif name:
            meant, convert = _WORDS[name]
            known = [fields_at[field] for field in meant if field in fields_at]
            if len(known) == 1:
                hole = _Hole(known[0].at, known[0].size, convert, known[0].mask)
        else:
            at = next(actions, None)
            hole = None if at is None else _action_hole(message, at, written, port)
        if hole is None or any(hole.at == other.at for other in holes):
            return None
        holes.append(hole)
    return holes


def _match_holes(message: bytes) -> Iterator[tuple[str, _Hole]]:
    """Fields of the match, and where their values stand."""
    _, length = _PAIR.unpack_from(message, _MATCH)
    at, end = _MATCH + 4, _MATCH + length
    while at < end:
        header, size = int.from_bytes(message[at : at + 4], "big"), message[at + 3]
        masked = bool(header & 0x100)
        width = size // 2 if masked else size
        field = fields.by_header(header & ~0x1FF | width)
        if field is not None:
            mask = None
            if masked:
                mask = int.from_bytes(message[at + 4 + width : at + 4 + size], "big")
            yield field.name, _Hole(at + 4, width, _number, mask)
        at += 4 + size


def _action_places(message: bytes, line: str) -> Iterator[int]:
    """Where each action begins that is written as a free value.

    Nothing unless each word of the line is one action of an apply-actions that comes first.
    """
    words = line[line.find("actions=") + len("actions=") :].split(",")
    words = [word for word in words if not word.startswith(_INSTRUCTIONS)]
    _, length = _PAIR.unpack_from(message, _MATCH)
    at = _MATCH + (length + 7) // 8 * 8
    places = []
    if at < len(message):
        kind, length = _PAIR.unpack_from(message, at)
        end, at = at + length, at + 8
        while kind == _APPLY and at < end:
            places.append(at)
            at += _PAIR.unpack_from(message, at)[1]
    if "(" not in line and len(words) == len(places):
        yield from (at for at, word in zip(places, words, strict=True) if _FREE_ACTION.match(word))


def _action_hole(message: bytes, at: int, written: str, port: str) -> _Hole | None:
    """Where the value of an action stands."""
    kind, _ = _PAIR.unpack_from(message, at)
    if port and kind == _OUTPUT:
        return _Hole(at + 4, 4, _port)
    if written and kind == _SET_FIELD and not message[at + 6] & 1:
        field = fields.by_header(int.from_bytes(message[at + 4 : at + 8], "big"))
        meant, convert = _WORDS[written]
        if field is not None and field.name in meant:
            return _Hole(at + 8, message[at + 7], convert)
    return None
