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
from dataclasses import dataclass, replace
from socket import AF_INET, AF_INET6, inet_pton

from ovsflow.openflow import codec, fields
from ovsflow.openflow.constants import NICIRA, MessageType, Version
from ovsflow.openflow.flow_mod import FlowMod
from ovsflow.openflow.text.flow_places import LOAD, REG_LOAD

_MOST = 10_000
"""Shapes that are remembered."""

_COOKIE_MASK, _MATCH = slice(16, 24), 48
_WRITE_METADATA, _APPLY = 2, 4
_OUTPUT, _SET_QUEUE, _GROUP, _SET_FIELD, _EXPERIMENTER = 0, 21, 22, 25, 0xFFFF
_PAIR = struct.Struct("!HH")

Convert = Callable[[str, int], bytes]


def _plain(text: str) -> int:
    """Decimal or hexadecimal; a leading zero means octal and goes the long way."""
    if text[1:2] in ("b", "B"):
        raise ValueError("binary, which the language does not have")
    return int(text, 0)


def _number(text: str, size: int) -> bytes:
    return _plain(text).to_bytes(size, "big")


def _port(text: str, size: int) -> bytes:
    port = _plain(text)
    if port >= 0xFF00:
        raise ValueError("a reserved port, or none")
    return port.to_bytes(size, "big")


def _vlan(text: str, size: int) -> bytes:
    vid = _plain(text)
    if vid >= 0xFFF:
        raise ValueError("no VLAN, or none that there can be")
    return (0x1000 | vid).to_bytes(size, "big")


def _tagged(text: str, size: int) -> bytes:
    vid = _plain(text)
    if vid >> 12 != 1:
        raise ValueError("not the VLAN of a tagged packet")
    return vid.to_bytes(size, "big")


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
    "dl_vlan": (("vlan_vid",), _vlan),
    "vlan_vid": (("vlan_vid",), _tagged),
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

_KEYS: dict[str, tuple[int, int]] = {
    "cookie": (8, 8),
    "idle_timeout": (26, 2),
    "hard_timeout": (28, 2),
    "priority": (30, 2),
}
"""Where the numbers of a flow stand that are not fields, and their sizes."""

_WRITES: dict[str, tuple[tuple[str, ...], Convert]] = {
    "mod_dl_src": _WORDS["eth_src"],
    "mod_dl_dst": _WORDS["eth_dst"],
    "mod_nw_src": _WORDS["ip_src"],
    "mod_nw_dst": _WORDS["ip_dst"],
    "mod_tp_src": _WORDS["tp_src"],
    "mod_tp_dst": _WORDS["tp_dst"],
    "mod_vlan_vid": _WORDS["dl_vlan"],
    "set_vlan_vid": _WORDS["dl_vlan"],
    "set_tunnel": _WORDS["tun_id"],
    "set_tunnel64": _WORDS["tun_id"],
}
"""Actions with the name of a field that they write."""

_NUMBERED: dict[str, tuple[int, Convert]] = {
    "output": (_OUTPUT, _port),
    "group": (_GROUP, _number),
    "set_queue": (_SET_QUEUE, _number),
}
"""Actions of one number of 32 bits, and their types."""

_NAMES = "|".join(_WORDS)
_VALUE = "[0-9a-fA-F:][0-9a-fA-Fx:.]*"
_ACTION = (
    rf"({'|'.join((*_WRITES, *_NUMBERED))}|set_field|load|write_metadata)"
    rf":({_VALUE})((?:->\w+(?:\[[0-9.]*\])?)?)(?=[,\s]|$)"
)
_FREE_ACTION = re.compile(_ACTION)
_FREE = re.compile(
    rf"(?<![^,\s])({_NAMES}|{'|'.join(_KEYS)})=({_VALUE})(?=[,\s/]|$)"
    rf"|(?:(?<=actions=)|(?<=,)){_ACTION}"
)
_WORD_END = re.compile(r",(?![^()]*\))")
_IGNORED = re.compile(
    r"(?<![^,\s])(duration|n_packets|n_bytes|idle_age|hard_age)=[0-9.]+s?(?=[,\s])"
)
"""What a dump tells and a flow to add does not heed."""

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
        self._molds: dict[tuple[str, ...], _Mold] = {}

    def encode(self, line: str, parse: Callable[[str], FlowMod]) -> bytes:
        """The FLOW_MOD that a line means, with transaction id 0.

        Args:
            line: One flow.
            parse: The long way; raises for what is wrong.
        """
        told = _IGNORED.sub("\\1=0", line) if "n_packets" in line else line
        parts = _FREE.split(told)
        written = [one or other for one, other in zip(parts[2::6], parts[4::6], strict=True)]
        parts[2::6] = parts[4::6] = [""] * len(written)
        shape = tuple(parts)
        mold = self._molds.get(shape)
        if mold is None:
            whole = codec.encode(parse(line), self.version)
            if len(self._molds) >= _MOST:
                self._molds.clear()
            free = list(zip(parts[1::6], parts[3::6], parts[5::6], strict=True))
            self._molds[shape] = _Mold(whole, _holes(whole, line, free), set(range(len(free))))
            return whole
        message = None if mold.holes is None else _filled(mold, written)
        doubts = mold.doubts(message) if message is not None and mold.doubtful else set()
        if message is not None and not doubts:
            return message
        whole = codec.encode(parse(line), self.version)
        if message == whole:
            mold.doubtful -= doubts
        elif message is not None:
            mold.holes = None
        return whole


Free = tuple[str | None, str | None, str | None]
"""What a value is written to: name in a match; or name and target (`->reg0`) of an action."""


def _filled(mold: _Mold, written: list[str]) -> bytes | None:
    assert mold.holes is not None
    message = bytearray(mold.message)
    try:
        for hole, value in zip(mold.holes, written, strict=True):
            hole.fill(message, value)
    except (ValueError, OSError, OverflowError):
        return None
    return bytes(message)


def _holes(message: bytes, line: str, free: list[Free]) -> list[_Hole] | None:
    """Where each value stands; `None` if that cannot be told for one of them."""
    if message[1] != MessageType.FLOW_MOD or any(message[_COOKIE_MASK]):
        return None
    fields_at = dict(_match_holes(message))
    actions = _action_places(message, line)
    holes: list[_Hole] = []
    for key, name, target in free:
        hole = None
        if key in _KEYS:
            hole = _Hole(*_KEYS[key], _number)
        elif key is not None:
            meant, convert = _WORDS[key]
            known = [fields_at[field] for field in meant if field in fields_at]
            if len(known) == 1:
                hole = replace(known[0], convert=convert)
        elif name == "write_metadata":
            at = dict(_instructions(message)).get(_WRITE_METADATA)
            hole = None if at is None else _Hole(at + 8, 8, _number)
        else:
            at = next(actions, None)
            hole = None if at is None else _action_hole(message, at, name or "", (target or "")[2:])
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


def _instructions(message: bytes) -> Iterator[tuple[int, int]]:
    """The kinds of the instructions, and where they begin."""
    _, length = _PAIR.unpack_from(message, _MATCH)
    at = _MATCH + (length + 7) // 8 * 8
    while at < len(message):
        kind, length = _PAIR.unpack_from(message, at)
        yield kind, at
        at += length


def _action_places(message: bytes, line: str) -> Iterator[int]:
    """Where each action begins that is written as a free value.

    Nothing unless each word of the line is one action of apply-actions.
    """
    words = _WORD_END.split(line[line.find("actions=") + len("actions=") :])
    words = [word for word in words if not word.startswith(_INSTRUCTIONS)]
    places = []
    apply = dict(_instructions(message)).get(_APPLY)
    if apply is not None:
        at, end = apply + 8, apply + _PAIR.unpack_from(message, apply)[1]
        while at < end:
            places.append(at)
            at += _PAIR.unpack_from(message, at)[1]
    if len(words) == len(places):
        yield from (at for at, word in zip(places, words, strict=True) if _FREE_ACTION.match(word))


def _action_hole(message: bytes, at: int, name: str, target: str) -> _Hole | None:
    """Where the value of an action stands."""
    kind, length = _PAIR.unpack_from(message, at)
    if name in _NUMBERED:
        expected, convert = _NUMBERED[name]
        return _Hole(at + 4, 4, convert) if kind == expected else None
    if name == "load":
        return _load_hole(message, at) if kind == _EXPERIMENTER and length == 24 else None
    if kind != _SET_FIELD or message[at + 6] & 1:
        return None
    meant, convert = _WRITES.get(name) or _WORDS.get(target) or ((), _number)
    field = fields.by_header(int.from_bytes(message[at + 4 : at + 8], "big"))
    if field is None or field.name not in meant:
        return None
    return _Hole(at + 8, message[at + 7], convert)


def _load_hole(message: bytes, at: int) -> _Hole | None:
    """Where the value of a reg_load stands that writes whole bytes."""
    _, _, vendor, subtype, bits, _ = REG_LOAD.unpack_from(message, at)
    size, rest = divmod((bits & 0x3F) + 1, 8)
    if (vendor, subtype, rest) != (NICIRA, LOAD, 0):
        return None
    return _Hole(at + 24 - size, size, _number)
