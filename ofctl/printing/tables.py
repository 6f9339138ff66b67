"""Tables: counters and configuration."""

from collections.abc import Callable, Sequence

from ofctl.printing.table_features import braced
from ofctl.printing.words import bit_words
from ovsflow.openflow.notices import TableDesc
from ovsflow.openflow.table_stats import TableStats
from ovsflow.openflow.text.names import Names, render_table

EVICTION_FLAGS = ("OTHER", "IMPORTANCE", "LIFETIME")
_EVICTION, _VACANCY = 1 << 2, 1 << 3

# OpenFlow 1.0's wildcards, in the order of the line; addresses are six bits each.
_WILDCARDS = (
    ("in_port", 1 << 0),
    ("eth_src", 1 << 2),
    ("eth_dst", 1 << 3),
    ("eth_type", 1 << 4),
    ("vlan_vid", 1 << 1),
    ("vlan_pcp", 1 << 20),
    ("ip_src", 0x3F << 8),
    ("ip_dst", 0x3F << 14),
    ("nw_proto", 1 << 5),
    ("nw_tos", 1 << 21),
    ("tcp_src", 1 << 6),
    ("tcp_dst", 1 << 7),
)


def table_stats_text(tables: Sequence[TableStats], old: bool) -> str:
    """Counters of tables; tables that look like the one before are told together."""
    lines: list[str] = []
    before: TableStats | None = None
    for first, last in _runs(tables, _same_stats):
        table = tables[first]
        if first == last or before is None or not _same_stats(before, table):
            lines.append(_one_table(table, before, old))
            before = table
            first += 1
        rest = tables[first : last + 1]
        if any(table.name for table in rest):
            # Names have to be told one by one.
            lines += [f'  table {table.table_id} ("{table.name}"): ditto' for table in rest]
        elif rest:
            ids = (rest[0].table_id, rest[-1].table_id)
            span = f"table {ids[0]}" if ids[0] == ids[1] else f"tables {ids[0]}...{ids[1]}"
            lines.append(f"  {span}: ditto\n")
    return "\n".join(lines)


def _runs(
    tables: Sequence[TableStats], same: Callable[[TableStats, TableStats], bool]
) -> list[tuple[int, int]]:
    """First and last index of each run of tables that look the same."""
    runs: list[tuple[int, int]] = []
    for at, table in enumerate(tables):
        if runs and same(tables[runs[-1][0]], table):
            runs[-1] = (runs[-1][0], at)
        else:
            runs.append((at, at))
    return runs


def _same_stats(one: TableStats, other: TableStats) -> bool:
    return _numbers(one) == _numbers(other) and _features(one) == _features(other)


def _numbers(table: TableStats) -> tuple[int, int, int]:
    return table.active_count, table.lookup_count, table.matched_count


def _features(table: TableStats) -> tuple[int, int]:
    return table.wildcards, table.max_entries


def _one_table(table: TableStats, before: TableStats | None, old: bool) -> str:
    name = f' ("{table.name}")' if table.name else ""
    lines = [
        f"  table {table.table_id}{name}:",
        f"    active={table.active_count}, lookup={table.lookup_count}, "
        f"matched={table.matched_count}",
    ]
    if old:
        if before is not None and _features(before) == _features(table):
            lines.append("    (same features)")
        else:
            lines += _of10_features(table)
    return "".join(line + "\n" for line in lines)


def _of10_features(table: TableStats) -> list[str]:
    lines = []
    if table.max_entries:
        lines.append(f"    max_entries={table.max_entries}")
    groups: dict[bool, list[str]] = {True: [], False: []}
    for name, bits in _WILDCARDS:
        groups[bool(table.wildcards & bits)].append(name)
    lines.append("    matching:")
    for wild, title in ((True, "exact match or wildcard"), (False, "must exact match")):
        if groups[wild]:
            lines.append(f"      {title}: {braced(groups[wild])}")
    return lines


def table_desc_text(table: TableDesc, names: Names) -> str:
    """A table's configuration."""
    eviction = "on" if table.config & _EVICTION else "off"
    flags = bit_words(table.eviction or 0, EVICTION_FLAGS, "|")
    text = f"  table {render_table(table.table_id, names)}:\n"
    text += f"   eviction={eviction} eviction_flags={flags}\n"
    text += f"   vacancy={'on' if table.config & _VACANCY else 'off'}"
    if table.config & _VACANCY and table.vacancy is not None:
        down, up, now = table.vacancy
        text += f" vacancy_down={down}% vacancy_up={up}% vacancy={now}%"
    return text + "\n"
