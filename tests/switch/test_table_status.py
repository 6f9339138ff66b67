"""TABLE_STATUS: a table that fills up tells those who can hear it."""

import pytest

from ovsflow import Switch
from ovsflow.openflow.constants import TableConfig, TableReason
from ovsflow.openflow.modify import TableMod
from ovsflow.openflow.notices import TableStatus
from tests.switch.test_monitors import Watcher


@pytest.mark.parametrize("version", [5, 6])
def test_vacancy_is_told_when_it_crosses_its_marks(version: int) -> None:
    with Switch("v0", ports=["p1:memory"], workers=0, settings={"table_limit": 10}) as switch:
        newer, older = Watcher(switch, version), Watcher(switch, 4)
        with newer.sock, older.sock:
            # By now each has been told of the other, where its version tells.
            older.settle()
            newer.settle()
            newer.send(TableMod(0, TableConfig.VACANCY_EVENTS, vacancy=(30, 60)))
            assert newer.settle() == []
            for number in range(8):
                switch.add_flow(f"in_port={number},actions=drop")
            (down,) = newer.settle()
            switch.del_flows()
            (up,) = newer.settle()
            assert older.settle() == []
    assert isinstance(down, TableStatus)
    assert isinstance(up, TableStatus)
    assert down.reason == TableReason.VACANCY_DOWN
    assert up.reason == TableReason.VACANCY_UP
    assert down.table.vacancy is not None
    assert down.table.vacancy[:2] == (30, 60)
