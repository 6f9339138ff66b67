"""Commands about tables, and about the table of tunnel options."""

from collections.abc import Sequence
from dataclasses import replace

from ofctl import jsonform
from ofctl.commands.command import Command, with_session
from ofctl.commands.switch import show_parts
from ofctl.errors import CommandError
from ofctl.printing.table_features import features_text, read_table
from ofctl.session import Session
from ovsflow.openflow import codec
from ovsflow.openflow.constants import ALL_TABLES, Version
from ovsflow.openflow.modify import TableMod
from ovsflow.openflow.multipart import StatsRequest
from ovsflow.openflow.nicira import TlvTableReply, TlvTableRequest
from ovsflow.openflow.notices import TableDesc
from ovsflow.openflow.table_stats import (
    TableDescReply,
    TableDescRequest,
    TableFeature,
    TableFeaturesReply,
    TableFeaturesRequest,
    TableStatsRequest,
)
from ovsflow.openflow.text.names import NUMBERS, find_table

_GROUP = "Tables"
_EVICTION, _VACANCY = 1 << 2, 1 << 3

_MOST_FEATURE = 8192
"""Bytes that one table's features are taken to need at most."""


def _stats(session: Session, arguments: Sequence[str]) -> None:
    _whole(session, TableStatsRequest())


def _whole(session: Session, request: StatsRequest) -> None:
    show_parts(session, request, "tables")


def _features(session: Session, arguments: Sequence[str]) -> None:
    session.needs(Version.OF13, "dump-table-features")
    if session.settings.json:
        _whole(session, TableFeaturesRequest())
        return
    parts = session.connection.collect(TableFeaturesRequest(), TableFeaturesReply)
    since_14 = session.version >= Version.OF14
    tables = [read_table(table, since_14) for part in parts for table in part.tables]
    print(features_text(tables))


def _desc(session: Session, arguments: Sequence[str]) -> None:
    session.needs(Version.OF14, "dump-table-desc")
    _whole(session, TableDescRequest())


_SETTINGS = "evict, noevict, vacancy:LOW,HIGH, novacancy or name:NAME"
_OLD_MISSES = ("drop", "continue", "controller")
_NAME_BYTES, _MOST_BYTES = 31, 60_000


def _mod_table(session: Session, arguments: Sequence[str]) -> None:
    word, setting = arguments[0], arguments[1]
    table = ALL_TABLES if word.lower() == "all" else find_table(word, NUMBERS)
    if table is None:
        table = find_table(word, session.names())
    if table is None:
        raise CommandError(f'unknown table "{word}"')
    if setting.startswith("name:") and table != ALL_TABLES:
        _rename(session, table, setting.removeprefix("name:"))
        return
    session.change([_setting(session, table, setting.lower())])


def _setting(session: Session, table: int, setting: str) -> TableMod:
    if setting in _OLD_MISSES:
        raise CommandError(
            f"table_mod '{setting}' requires one of the OpenFlow versions OpenFlow11, OpenFlow12"
        )
    if setting in ("evict", "noevict", "novacancy"):
        _needs(session, setting)
        old = _old(session, table)
        bit = _VACANCY if setting == "novacancy" else _EVICTION
        config = old.config | bit if setting == "evict" else old.config & ~bit
        kept = old.vacancy if config & _VACANCY else None
        return TableMod(table, config, vacancy=None if kept is None else kept[:2])
    marks = setting.removeprefix("vacancy:").split(",")
    if not setting.startswith("vacancy:") or len(marks) != 2 or not all(m.isdigit() for m in marks):
        raise CommandError(f"invalid table_mod setting {setting}: want {_SETTINGS}")
    low, high = int(marks[0]), int(marks[1])
    if not low <= high <= 100:
        raise CommandError(f"invalid vacancy {setting}: want two percentages, low and high")
    _needs(session, setting)
    return TableMod(table, _old(session, table).config | _VACANCY, vacancy=(low, high))


def _needs(session: Session, setting: str, version: Version = Version.OF14) -> None:
    session.needs(version, f"mod-table {setting}")


def _rename(session: Session, table: int, name: str) -> None:
    """Names a table: the switch is told again what all its tables can do, and this one's name."""
    _needs(session, "name:", Version.OF13)
    if len(name.encode()) > _NAME_BYTES:
        raise CommandError(f"{name}: a table's name has at most {_NAME_BYTES} bytes")
    connection = session.connection
    known = connection.collect(TableFeaturesRequest(), TableFeaturesReply)
    tables = [each for part in known for each in part.tables]
    if table not in [each.table_id for each in tables]:
        raise CommandError(f"{session.target}: no table {table}")
    renamed = [replace(each, name=name) if each.table_id == table else each for each in tables]
    xid = connection.reserve_xid()
    piece: list[TableFeature] = []
    for at, each in enumerate(renamed, 1):
        piece.append(each)
        size = sum(len(item.data) + 4 for one in piece for item in one.properties)
        if at == len(renamed) or size > _MOST_BYTES - _MOST_FEATURE:
            request = TableFeaturesRequest(tuple(piece), more=at < len(renamed))
            connection.write(codec.encode(request, session.version, xid))
            piece = []
    session.settle({xid: TableFeaturesRequest()})


def _old(session: Session, table: int) -> TableDesc:
    """What is set for the table now: a change of one thing must say the other again."""
    parts = session.connection.collect(TableDescRequest(), TableDescReply)
    known: list[TableDesc] = [each for part in parts for each in part.tables]
    return next((each for each in known if each.table_id == table), TableDesc(table))


def _dump_tlv(session: Session, arguments: Sequence[str]) -> None:
    reply = session.connection.request(TlvTableRequest())
    if session.settings.json and isinstance(reply.body, TlvTableReply):
        print(jsonform.dump(jsonform.plain(reply.body, session.version)), end="")
    else:
        session.show([reply])


def _mod_tlv(session: Session, arguments: Sequence[str]) -> None:
    raise CommandError(
        "tunnel options (tun_metadata) are Geneve's, and ofctl does not change their table; "
        "use ovs-ofctl add-tlv-map or del-tlv-map with an Open vSwitch"
    )


COMMANDS = (
    Command(
        "dump-tables",
        "SWITCH",
        "show counters of tables",
        with_session(_stats),
        1,
        1,
        ("ofctl dump-tables br0",),
        _GROUP,
    ),
    Command(
        "dump-table-features",
        "SWITCH",
        "show what tables can do (OpenFlow 1.3 and later)",
        with_session(_features),
        1,
        1,
        ("ofctl dump-table-features br0",),
        _GROUP,
    ),
    Command(
        "dump-table-desc",
        "SWITCH",
        "show eviction and vacancy of tables (OpenFlow 1.4 and later)",
        with_session(_desc),
        1,
        1,
        ("ofctl dump-table-desc br0",),
        _GROUP,
    ),
    Command(
        "mod-table",
        "SWITCH TABLE evict|noevict|vacancy:LOW,HIGH|novacancy|name:NAME",
        "change eviction and vacancy of a table (OpenFlow 1.4 and later), or name it (1.3)",
        with_session(_mod_table),
        3,
        3,
        ("ofctl mod-table br0 0 evict", "ofctl mod-table br0 all vacancy:20,80"),
        _GROUP,
    ),
    Command(
        "dump-tlv-map",
        "SWITCH",
        "show which tunnel options are mapped to fields",
        with_session(_dump_tlv),
        1,
        1,
        ("ofctl dump-tlv-map br0",),
        _GROUP,
    ),
    Command(
        "add-tlv-map",
        "SWITCH MAP",
        "not offered: maps tunnel options to fields",
        with_session(_mod_tlv),
        2,
        2,
        (),
        _GROUP,
    ),
    Command(
        "del-tlv-map",
        "SWITCH [MAP]",
        "not offered: unmaps tunnel options",
        with_session(_mod_tlv),
        1,
        2,
        (),
        _GROUP,
    ),
)
