"""Tables that can do the same are told together, as ovs-ofctl tells them."""

import pytest

from ofctl.__main__ import main
from ovsflow.openflow import codec
from ovsflow.openflow.constants import Version
from ovsflow.openflow.table_stats import TableFeature, TableFeaturesReply
from ovsflow.openflow.wire import Property
from tests.ofctl.oracle import run

ALL_BITS = (1 << 64) - 1
PROPERTIES = tuple(
    Property(kind, bytes.fromhex(data))
    for kind, data in (
        (0, "00040004"),  # instructions: apply_actions
        (2, ""),  # next tables: none
        (4, "00000004"),  # write actions: output
        (6, "00000004"),
        (8, "80000004"),  # match: in_port
        (10, "80000004"),
        (12, "80000a02"),  # set_field: eth_type
        (14, "80000a02"),
    )
)
TABLES = (
    ("first", 10),
    ("second", 10),
    ("", 10),
    ("", 10),
    ("", 20),
    ("", 20),
    ("last", 20),
)


@pytest.mark.system
@pytest.mark.parametrize("version", [Version.OF13, Version.OF14, Version.OF15])
@pytest.mark.parametrize("count", range(1, len(TABLES) + 1))
def test_like_tables_are_told_together(
    version: Version, count: int, capsys: pytest.CaptureFixture[str]
) -> None:
    tables = (
        TableFeature(number, name, ALL_BITS, ALL_BITS, 0, entries, PROPERTIES)
        for number, (name, entries) in enumerate(TABLES[:count])
    )
    message = codec.encode(TableFeaturesReply(tuple(tables)), version).hex()
    assert main(["ofp-print", message]) == 0
    printed = capsys.readouterr().out
    assert "decode error" not in printed
    assert printed == run(version, "ofp-print", message).stdout
