"""Connection tracking actions as text: `ct(commit,zone=5,nat(src=10.0.0.1:80),exec(...))`."""

import re
from collections.abc import Callable
from typing import TypeVar

from ovsflow.openflow.actions import Action, Ct, Nat, Subfield
from ovsflow.openflow.text.names import NUMBERS, Names, find_table, render_table
from ovsflow.openflow.text.paint import PLAIN, Paint
from ovsflow.openflow.text.scan import Piece, bad, pairs
from ovsflow.openflow.text.subfields import parse_subfield, render_subfield
from ovsflow.openflow.text.values import ipv4, ipv6, number, show_ipv4, show_ipv6

COMMIT, FORCE = 1, 2
SOURCE, DESTINATION, PERSISTENT, HASH, RANDOM = 1, 2, 4, 8, 16

T = TypeVar("T")

_HELPERS = {"ftp": 21, "tftp": 69}
_HELPER_NAMES = {port: name for name, port in _HELPERS.items()}
_NAT_FLAGS = {"persistent": PERSISTENT, "hash": HASH, "random": RANDOM}


def parse_ct(piece: Piece, names: Names, nested: Callable[[Piece], tuple[Action, ...]]) -> Ct:
    """Reads the arguments of ct; `nested` reads the list in exec()."""
    flags, alg = 0, 0
    zone: int | Subfield = 0
    table: int | None = None
    inside: tuple[Action, ...] = ()
    for pair in pairs(piece):
        match pair.name:
            case "commit":
                flags |= COMMIT
            case "force":
                flags |= FORCE
            case "table":
                table = _table(pair.value, names)
            case "zone":
                plain = number(pair.value.text)
                in_range = plain is not None and 0 <= plain <= 0xFFFF
                zone = plain if plain is not None and in_range else parse_subfield(pair.value)
            case "alg":
                if pair.value.text not in _HELPERS:
                    raise bad(pair.value, f'invalid conntrack helper "{pair.value.text}"')
                alg = _HELPERS[pair.value.text]
            case "nat":
                inside = (*inside, parse_nat(pair.value))
            case "exec":
                inside = (*inside, *nested(pair.value))
            case _:
                raise bad(pair.key, f'invalid argument to "ct" action: `{pair.name}\'')
    if flags & FORCE and not flags & COMMIT:
        raise bad(piece, '"force" flag requires "commit" flag.')
    return Ct(flags, zone, table, alg, inside)


def _table(piece: Piece, names: Names) -> int:
    table = find_table(piece.text, names)
    if table is None:
        raise bad(piece, f"unknown table {piece.text}")
    if table == 0xFF:
        raise bad(piece, "invalid table 0xff")
    return table


def parse_nat(piece: Piece) -> Nat:
    """Reads the arguments of nat."""
    flags = 0
    addresses: tuple[bytes, ...] = ()
    ports: tuple[int, ...] = ()
    for pair in pairs(piece):
        if pair.name in ("src", "dst"):
            flags |= SOURCE if pair.name == "src" else DESTINATION
            addresses, ports = _range(pair.value)
        elif pair.name in _NAT_FLAGS:
            flags |= _NAT_FLAGS[pair.name]
        else:
            raise bad(pair.key, f'invalid key "{pair.name}" in "nat" argument')
    if flags & SOURCE and flags & DESTINATION:
        raise bad(piece, 'May only specify one of "src" or "dst".')
    if flags and not flags & (SOURCE | DESTINATION):
        raise bad(piece, 'Flags allowed only with "src" or "dst".')
    if flags & HASH and flags & RANDOM:
        raise bad(piece, 'Both "hash" and "random" are not allowed.')
    return Nat(flags, addresses, ports)


_RANGE = re.compile(
    r"(?P<first>[0-9.]+|\[[0-9a-fA-F:.]+\]|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*)"
    r"(?:-(?P<last>[0-9.]+|\[[0-9a-fA-F:.]+\]|[0-9a-fA-F:.]+))?"
    r"(?::(?P<low>\d+)(?:-(?P<high>\d+))?)?"
)


def _range(piece: Piece) -> tuple[tuple[bytes, ...], tuple[int, ...]]:
    if not piece.text:
        return (), ()
    found = _RANGE.fullmatch(piece.text)
    if found is None:
        raise bad(piece, f'invalid nat range "{piece.text}"')
    addresses = tuple(
        _address(piece, text) for text in (found["first"], found["last"]) if text is not None
    )
    ports = tuple(int(text) for text in (found["low"], found["high"]) if text is not None)
    ordered = list(addresses) == sorted(addresses) and list(ports) == sorted(ports)
    if (
        not ordered
        or len({len(address) for address in addresses}) > 1
        or max(ports, default=0) > 0xFFFF
    ):
        raise bad(piece, f'invalid nat range "{piece.text}"')
    return _shortened(addresses), _shortened(ports)


def _shortened(ends: tuple[T, ...]) -> tuple[T, ...]:
    """A range of one is that one."""
    return ends[:1] if len(ends) == 2 and ends[0] == ends[1] else ends


def _address(piece: Piece, text: str) -> bytes:
    as_four = ipv4(text)
    if as_four is not None:
        return as_four.to_bytes(4, "big")
    as_six = ipv6(text.strip("[]"))
    if as_six is None:
        raise bad(piece, f'invalid nat range "{piece.text}"')
    return as_six.to_bytes(16, "big")


def render_ct(
    action: Ct,
    names: Names = NUMBERS,
    paint: Paint = PLAIN,
    nested: Callable[[tuple[Action, ...]], str] = str,
) -> str:
    """A ct action."""
    words = []
    if action.flags & COMMIT:
        words.append(paint.value("commit"))
    if action.flags & FORCE:
        words.append(paint.value("force"))
    if action.table is not None:
        words.append(paint.special("table=") + render_table(action.table, names))
    if isinstance(action.zone, Subfield):
        words.append(paint.param("zone=") + render_subfield(action.zone))
    elif action.zone:
        words.append(paint.param("zone=") + str(action.zone))
    inside = action.actions
    if inside and isinstance(inside[0], Nat):
        words.append(render_nat(inside[0], paint))
        inside = inside[1:]
    if inside:
        words.append(f"{paint.paren('exec(')}{nested(inside)}{paint.paren(')')}")
    if action.alg:
        helper = _HELPER_NAMES.get(action.alg, str(action.alg))
        words.append(paint.param("alg=") + helper)
    return paint.paren("ct(") + ",".join(words) + paint.paren(")")


def render_nat(action: Nat, paint: Paint = PLAIN) -> str:
    """A nat action."""
    text = paint.paren("nat")
    if not action.flags & (SOURCE | DESTINATION):
        return text
    side = paint.param("src" if action.flags & SOURCE else "dst")
    if action.addresses:
        side += paint.param("=") + _range_text(action)
    words = [side]
    if action.addresses:
        words += [paint.value(word) for word, flag in _NAT_FLAGS.items() if action.flags & flag]
    return text + paint.paren("(") + ",".join(words) + paint.paren(")")


def _range_text(action: Nat) -> str:
    bracket = bool(action.ports)
    text = "-".join(_show(address, bracket) for address in _shortened(action.addresses))
    if action.ports:
        text += ":" + "-".join(str(port) for port in _shortened(action.ports))
    return text


def _show(address: bytes, bracket: bool) -> str:
    value = int.from_bytes(address, "big")
    if len(address) == 4:
        return show_ipv4(value)
    return f"[{show_ipv6(value)}]" if bracket else show_ipv6(value)
