"""What tables can do: OFPMP_TABLE_FEATURES in words.

Most tables of a switch can do the same, and a table's misses the same as its flows: each thing is
told once, and what repeats the table before is told as `same` or `ditto`.
"""

import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from ofctl.printing.words import action_words
from ovsflow.openflow.fields import by_header, fields
from ovsflow.openflow.table_stats import TableFeature
from ovsflow.openflow.text.field_order import in_order
from ovsflow.openflow.text.instruction_text import ORDER

_EXPERIMENTER_CLASS = 0xFFFF
_HEADER = struct.Struct("!HH")
# OFPIT_* of each word in the order of the line.
_INSTRUCTIONS = dict(zip((6, 4, 5, 3, 2, 1), ORDER, strict=True))
_LAST_TABLE = 255

# Properties: instructions, next tables, write and apply actions, matches, wildcards, fields to set.
_INSTRUCTION, _NEXT, _WRITE, _APPLY, _MATCH, _WILDCARDS = 0, 2, 4, 6, 8, 10
_WRITE_FIELDS, _APPLY_FIELDS = 12, 14
_MISSES = frozenset({1, 3, 5, 7, 13, 15})


@dataclass(frozen=True)
class Abilities:
    """What flows of a table, or its misses, can do.

    Attributes:
        instructions: OFPIT_* numbers.
        following: Tables to go to.
        write: Bitmap of actions to write.
        apply: Bitmap of actions to apply.
        write_fields: Fields that written actions can set.
        apply_fields: Fields that applied actions can set.
    """

    instructions: frozenset[int] = frozenset()
    following: frozenset[int] = frozenset()
    write: int = 0
    apply: int = 0
    write_fields: frozenset[str] = frozenset()
    apply_fields: frozenset[str] = frozenset()

    def same_actions(self, other: "Abilities") -> bool:
        """Whether both can do the same actions."""
        return (self.write, self.apply, self.write_fields, self.apply_fields) == (
            other.write,
            other.apply,
            other.write_fields,
            other.apply_fields,
        )


@dataclass(frozen=True)
class Table:
    """A table's features, read.

    Attributes:
        number: The table.
        flows: What its flows can do.
        misses: What happens to packets without a flow.
        match: Fields that can be matched.
        masked: Of these, those with any mask.
        wild: Of these, those that can be left out.
        head: Lines about the table itself.
        name: Its name.
    """

    number: int
    flows: Abilities = field(default_factory=Abilities)
    misses: Abilities = field(default_factory=Abilities)
    match: frozenset[str] = frozenset()
    masked: frozenset[str] = frozenset()
    wild: frozenset[str] = frozenset()
    head: tuple[str, ...] = ()
    name: str = ""


def read_table(table: TableFeature, since_14: bool) -> Table:
    """Reads a table's properties; what is unknown is left out.

    Args:
        table: The table.
        since_14: Whether the version tells of eviction and vacancy.
    """
    found = {prop.kind: prop.data for prop in table.properties}
    flows = _abilities(found, 0)
    # What is not said of misses is as it is for flows.
    merged = {kind + 1: data for kind, data in found.items() if kind + 1 in _MISSES} | found
    misses = _abilities(merged, 1) if _MISSES & found.keys() else flows
    match, masked = _names(found.get(_MATCH, b""))
    wild, _ = _names(found.get(_WILDCARDS, b""))
    return Table(
        table.table_id,
        flows,
        misses,
        match | masked,
        masked,
        (wild | masked) & (match | masked),
        tuple(_head(table, since_14)),
        table.name,
    )


def _head(table: TableFeature, since_14: bool) -> Iterator[str]:
    if table.metadata_match or table.metadata_write:
        both = f"match={table.metadata_match:#x} write={table.metadata_write:#x}"
        yield f"    metadata: {both}\n"
    if since_14:
        for bit, name in ((1 << 2, "eviction"), (1 << 3, "vacancy events")):
            yield f"    {name}: {'' if table.config & bit else 'not '}supported\n"
    if table.max_entries:
        yield f"    max_entries={table.max_entries}\n"


def _abilities(found: dict[int, bytes], miss: int) -> Abilities:
    return Abilities(
        frozenset(_identities(found.get(_INSTRUCTION + miss, b""))),
        frozenset(found.get(_NEXT + miss, b"")),
        sum(1 << number for number in _identities(found.get(_WRITE + miss, b"")) if number < 32),
        sum(1 << number for number in _identities(found.get(_APPLY + miss, b"")) if number < 32),
        _names(found.get(_WRITE_FIELDS + miss, b""))[0],
        _names(found.get(_APPLY_FIELDS + miss, b""))[0],
    )


def _identities(data: bytes) -> Iterator[int]:
    """Numbers of instructions or actions: headers with a type and a length each."""
    while len(data) >= _HEADER.size:
        kind, length = _HEADER.unpack_from(data)
        yield kind
        data = data[max(length, _HEADER.size) :]


def _names(data: bytes) -> tuple[frozenset[str], frozenset[str]]:
    """Fields named by their TLV headers: without a mask, and with one."""
    plain: set[str] = set()
    masked: set[str] = set()
    while len(data) >= 4:
        header = int.from_bytes(data[:4], "big")
        has_mask = bool(header & 0x100)
        length = header & 0xFF
        size = 8 if header >> 16 == _EXPERIMENTER_CLASS else 4
        extra = size - 4
        value = (length - extra) // 2 + extra if has_mask else length
        key = header & ~0x1FF | value
        if extra:
            key = key << 32 | int.from_bytes(data[4:8], "big")
        known = by_header(key)
        name = known.name if known is not None else _variable(key)
        if name is not None:
            (masked if has_mask else plain).add(name)
        data = data[size:]
    return frozenset(plain), frozenset(masked)


def _variable(header: int) -> str | None:
    """The field of variable length that has this header, whatever the length."""
    for known in fields():
        if known.variable and any(header & ~0xFF == one & ~0xFF for one in known.decodes):
            return known.name
    return None


def features_text(tables: Sequence[Table]) -> str:
    """All tables, those like the one before told together."""
    blocks: list[str] = []
    ditto: list[int] = []
    before: Table | None = None
    for table in tables:
        same = before is not None and _same(before, table)
        if same and not table.name:
            ditto.append(table.number)
        else:
            blocks += [_span(ditto)] if ditto else []
            ditto = []
            again = f'  table {table.number} ("{table.name}"): ditto'
            blocks.append(again if same else _one(table, before))
        before = table
    blocks += [_span(ditto)] if ditto else []
    return "\n".join(blocks)


def _span(numbers: Sequence[int]) -> str:
    if len(numbers) == 1:
        return f"  table {numbers[0]}: ditto\n"
    return f"  tables {numbers[0]}...{numbers[-1]}: ditto\n"


def _same(one: Table, other: Table) -> bool:
    """Whether two tables can do the same; each may go to all tables behind itself."""
    return (
        one.head == other.head
        and one.match == other.match
        and _same_abilities(one, other, one.flows, other.flows)
        and _same_abilities(one, other, one.misses, other.misses)
    )


def _same_abilities(one: Table, other: Table, a: Abilities, b: Abilities) -> bool:
    if other.number == one.number + 1:
        a = replace(a, following=a.following - {other.number} | (b.following & {other.number}))
    return a == b


def _one(table: Table, before: Table | None) -> str:
    name = f' ("{table.name}")' if table.name else ""
    text = f"  table {table.number}{name}:\n" + "".join(table.head)
    text += "".join(_instructions(table, before))
    if not table.match:
        return text
    if before is not None and before.match == table.match:
        return f"{text}    (same matching)\n"
    text += "    matching:\n"
    for title, chosen in (
        ("arbitrary mask", table.masked),
        ("exact match or wildcard", table.wild - table.masked),
        ("must exact match", table.match - table.wild),
    ):
        if chosen:
            text += f"      {title}: {braced(in_order(chosen))}\n"
    return text


def _instructions(table: Table, before: Table | None) -> Iterator[str]:
    nothing = Abilities()
    old_flows = before.flows if before else None
    old_misses = before.misses if before else None
    if table.flows != table.misses:
        yield "    instructions (other than table miss):\n"
        yield from _abilities_text(table.flows, old_flows)
        yield "    instructions (table miss):\n"
        yield from _abilities_text(table.misses, old_misses)
    elif table.flows != nothing:
        if before and before.flows == before.misses == table.flows:
            yield "    (same instructions)\n"
            return
        yield "    instructions (table miss and others):\n"
        yield from _abilities_text(table.flows, old_flows)


def _abilities_text(now: Abilities, before: Abilities | None) -> Iterator[str]:
    if now.following:
        yield f"      next tables: {_ranges(now.following)}\n"
    if now.instructions:
        if before is not None and before.instructions == now.instructions:
            yield "      (same instructions)\n"
        else:
            words = [name for number, name in _INSTRUCTIONS.items() if number in now.instructions]
            yield f"      instructions: {' '.join(words)}\n"
    if before is not None and before.same_actions(now) and now.write_fields:
        yield "      (same actions)\n"
    elif (now.write, now.write_fields) != (now.apply, now.apply_fields):
        yield "      Write-Actions features:\n"
        yield from _actions_text(now.write, now.write_fields)
        yield "      Apply-Actions features:\n"
        yield from _actions_text(now.apply, now.apply_fields)
    elif now.write or now.write_fields:
        yield "      Write-Actions and Apply-Actions features:\n"
        yield from _actions_text(now.write, now.write_fields)


def _actions_text(actions: int, writable: frozenset[str]) -> Iterator[str]:
    if actions:
        yield f"        actions: {action_words(actions, old=False)}\n"
    if writable:
        yield f"        supported on Set-Field: {braced(in_order(writable))}\n"


def _ranges(numbers: frozenset[int]) -> str:
    """Numbers, runs of them as `1-253`."""
    words = []
    start = None
    for number in range(_LAST_TABLE + 1):
        if number in numbers and start is None:
            start = number
        if number not in numbers and start is not None:
            words.append(str(start) if number == start + 1 else f"{start}-{number - 1}")
            start = None
    return ",".join(words) or "none"


def braced(names: Sequence[str], prefix: str = "") -> str:
    """Names with shared beginnings told once (`tun_{id,src}`) and runs of numbers cut short."""
    words = []
    at = 0
    while at < len(names):
        shared = _shared(names, at, prefix)
        run = _run(names, at)
        together = _together(names, at, prefix, shared)
        if run >= together:
            word = names[at][len(prefix) :]
            words.append(f"{word}...{names[at + run - 1][len(prefix) :]}" if run > 1 else word)
            at += run
        else:
            inner = braced(names[at : at + together], prefix + shared)
            words.append(f"{shared}{{{inner}}}")
            at += together
    return ("," if prefix else " ").join(words)


def _shared(names: Sequence[str], at: int, prefix: str) -> str:
    """What a name and the next begin with, up to an underscore, behind `prefix`."""
    if at + 1 >= len(names) or not names[at + 1].startswith(prefix):
        return ""
    one, other = names[at][len(prefix) :], names[at + 1][len(prefix) :]
    length = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
    common = one[: min(len(one), len(other)) if length is None else length]
    return common[: common.rfind("_") + 1]


def _together(names: Sequence[str], at: int, prefix: str, shared: str) -> int:
    """How many names from here on share that beginning."""
    if not shared:
        return 1
    return next(
        (
            number
            for number in range(1, len(names) - at)
            if not names[at + number].startswith(prefix + shared)
        ),
        len(names) - at,
    )


def _run(names: Sequence[str], at: int) -> int:
    """How many names from here on differ only in a number that counts up; two do not count."""
    first = re.fullmatch(r"(.*?)(\d+)", names[at])
    if first is None:
        return 1
    length = 1
    while at + length < len(names) and names[at + length] == f"{first[1]}{int(first[2]) + length}":
        length += 1
    return 1 if length == 2 else length
