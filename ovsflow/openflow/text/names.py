"""Names that stand for numbers: ports and tables of one switch, and the reserved ports.

Owns `Names`, which a program fills from what a switch says of itself, and the rules of spelling
them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from ovsflow.openflow.constants import PortNumber
from ovsflow.openflow.text.scan import Piece, bad

RESERVED = {
    "IN_PORT": PortNumber.IN_PORT,
    "TABLE": PortNumber.TABLE,
    "NORMAL": PortNumber.NORMAL,
    "FLOOD": PortNumber.FLOOD,
    "ALL": PortNumber.ALL,
    "CONTROLLER": PortNumber.CONTROLLER,
    "LOCAL": PortNumber.LOCAL,
    "ANY": PortNumber.ANY,
    "UNSET": PortNumber.UNSET,
}
"""Ports with a name of their own, as they are printed."""

PORT_ALIASES = {"NONE": PortNumber.ANY}

_RESERVED_NAMES = {int(number): name for name, number in RESERVED.items()}

SMALL_MAX = 0xFF00
"""Physical ports have smaller numbers in OpenFlow 1.0 and, with 16-bit ports, in Open vSwitch."""

SMALL_RESERVED = 0xFFF7
"""OpenFlow 1.0's reserved ports start here; they are those of 32 bits without the upper half."""


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one switch's ports and tables; empty maps show and take numbers only."""

    ports: Mapping[int, str] = field(default_factory=dict)
    tables: Mapping[int, str] = field(default_factory=dict)

    def port_number(self, name: str) -> int | None:
        """The port of that name, if exactly one has it."""
        found = [number for number, known in self.ports.items() if known == name]
        return found[0] if len(found) == 1 else None

    def table_number(self, name: str) -> int | None:
        """The table of that name, if exactly one has it."""
        found = [number for number, known in self.tables.items() if known == name]
        return found[0] if len(found) == 1 else None


NUMBERS = Names()
"""No names at all."""


def find_port(text: str, names: Names = NUMBERS) -> int | None:
    """The port that a word means: a number, a reserved name or a port's name; else `None`."""
    if text.isascii() and text.isdigit():
        number = int(text)
        if number < SMALL_MAX or number >= PortNumber.UNSET:
            return number if number <= PortNumber.ANY else None
        return number | 0xFFFF0000 if SMALL_RESERVED <= number <= 0xFFFF else None
    upper = text.upper()
    reserved = RESERVED.get(upper, PORT_ALIASES.get(upper))
    if reserved is not None:
        return int(reserved)
    return names.port_number(unquote(text))


def find_table(text: str, names: Names = NUMBERS) -> int | None:
    """The table that a word means: a number up to 255 or a table's name; else `None`."""
    if text.isascii() and text.isdigit():
        return int(text) if int(text) <= 0xFF else None
    return names.table_number(unquote(text))


def parse_table(piece: Piece, names: Names = NUMBERS) -> int:
    """Reads a table."""
    table = find_table(piece.text, names)
    if table is None:
        raise bad(piece, f'unknown table "{piece.text}"')
    return table


def render_port(port: int, names: Names = NUMBERS) -> str:
    """A port's reserved name, its name on this switch, or its number."""
    reserved = _RESERVED_NAMES.get(port)
    if reserved is not None:
        return reserved
    name = names.ports.get(port)
    return str(port) if name is None else quote(name)


def render_table(table: int, names: Names = NUMBERS) -> str:
    """A table's name, or its number."""
    name = names.tables.get(table)
    return str(table) if name is None else quote(name)


def quote(name: str) -> str:
    """A name as it is printed: in quotes unless it is a letter and then letters and digits."""
    if name.isascii() and name.isalnum() and name[:1].isalpha():
        return name
    return json.dumps(name, ensure_ascii=False)


def unquote(text: str) -> str:
    """A name as it is meant: without quotes."""
    if len(text) >= 2 and text.startswith('"') and text.endswith('"'):
        try:
            plain = json.loads(text)
        except ValueError:
            return text
        if isinstance(plain, str):
            return plain
    return text
