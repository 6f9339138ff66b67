"""`--json` on every command that reads: valid JSON, with everything that the text tells."""

import io
import json
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from ofctl.__main__ import main
from ofctl.commands.registry import ALL as COMMANDS
from ovsflow import Switch
from ovsflow.openflow.constants import Version
from tests.ofctl.oracle import VERSIONS
from tests.ofctl.scripts import APART

PORTS = ("p1=1:memory", "p2=2:memory", "p3=3:memory")

# What each form must have, by the command: attributes of one of its things, or of it.
COLUMNS: dict[str, tuple[str, ...]] = {
    "show": ("datapath_id", "n_tables", "capabilities", "ports", "config"),
    "dump-desc": ("manufacturer", "hardware", "software", "serial_number", "datapath"),
    "dump-tables": ("table_id", "active_count", "lookup_count", "matched_count"),
    "dump-table-features": ("table_id", "name", "max_entries", "config"),
    "dump-table-desc": ("table_id", "config", "eviction", "vacancy"),
    "dump-ports": ("port", "rx_packets", "tx_packets", "rx_bytes", "tx_bytes", "rx_dropped"),
    "dump-ports-desc": ("number", "name", "hw_addr", "config", "state", "current", "current_speed"),
    "dump-flows": (
        *("match", "instructions", "table_id", "priority", "cookie", "duration_sec", "flags"),
        *("idle_timeout", "hard_timeout", "importance", "packet_count", "byte_count"),
    ),
    "dump-aggregate": ("packet_count", "byte_count", "flow_count"),
    "dump-groups": ("group_id", "type", "buckets", "selection"),
    "dump-group-stats": ("group_id", "ref_count", "packet_count", "byte_count", "buckets"),
    "dump-group-features": ("types", "capabilities", "max_groups", "actions"),
    "dump-meters": ("meter_id", "flags", "bands"),
    "dump-meter": ("meter_id", "flags", "bands"),
    "meter-stats": ("meter_id", "flow_count", "packet_in_count", "byte_in_count", "bands"),
    "meter-features": ("max_meter", "band_types", "capabilities", "max_bands", "max_color"),
    "diff-flows": ("sign", "flow"),
    "ping": ("bytes", "xid", "time_us"),
    "benchmark": ("packets", "bytes", "time_us"),
    "parse-flow": ("message", "body"),
    "parse-flows": ("message", "body"),
    "parse-group": ("message", "body"),
    "parse-meter": ("message", "body"),
    "ofp-print": ("message", "body"),
    "ofp-parse": ("message", "body"),
    "queue-stats": (),
    "queue-get-config": (),
    "get-frags": (),
    "parse-actions": (),
    "dump-tlv-map": (),
}

ARGUMENTS = {
    "dump-meter": ["meter=1"],
    "diff-flows": ["flows.txt"],
    "benchmark": ["10", "10"],
    "parse-flow": ["in_port=1,actions=2"],
    "parse-flows": ["flows.txt"],
    "parse-group": ["group_id=1,type=all,bucket=output:1"],
    "parse-meter": ["meter=1,pktps,bands=type=drop,rate=100"],
    "parse-actions": ["output:1"],
    "ofp-print": ["0402000800000001"],
    "ofp-parse": ["message.bin"],
}

SINCE = {
    "dump-table-features": Version.OF13,
    "dump-table-desc": Version.OF14,
    **dict.fromkeys(
        ("dump-meters", "dump-meter", "meter-stats", "meter-features", "parse-meter"), Version.OF13
    ),
}

CHANGING = {
    *("add-flow", "add-flows", "mod-flows", "del-flows", "replace-flows", "bundle", "packet-out"),
    *("add-group", "add-groups", "mod-group", "del-groups", "insert-buckets", "remove-buckets"),
    *("add-meter", "mod-meter", "del-meter", "del-meters", "mod-port", "mod-table", "set-frags"),
    "probe",
}
"""Commands that print nothing when all is well."""

ENDLESS = {"monitor", "snoop"}
"""Commands whose JSON is one line for each message: test_command.py."""


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory = tmp_path_factory.mktemp("json")
    with Switch("br0", ports=PORTS, workers=0, rundir=directory):
        where = f"unix:{directory}/br0.mgmt"
        for words in (
            ["add-meter", where, "meter=1,kbps,burst,bands=type=drop,rate=5,burst_size=7"],
            ["add-group", where, "group_id=1,type=select,bucket=weight:3,1,bucket=2"],
            ["add-flow", where, "table=1,cookie=7,tcp,tun_id=5,tp_dst=80,actions=group:1"],
        ):
            assert main(words) == 0
        yield where


def run(words: list[str]) -> tuple[int, str]:
    out = io.StringIO()
    with redirect_stdout(out):
        status = main(words)
    return status, out.getvalue()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("command", COLUMNS)
def test_every_column_is_there(
    target: str, command: str, version: Version, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("flows.txt").write_text("in_port=1,actions=2\n")
    Path("message.bin").write_bytes(bytes.fromhex("0402000800000001"))
    offline = command.startswith(("parse-", "ofp-"))
    place = [] if offline else [target]
    arguments = [f"./{word}" if "." in word else word for word in ARGUMENTS.get(command, ())]
    status, text = run(["-O", VERSIONS[version], "--json", command, *place, *arguments])
    if version < SINCE.get(command, Version.OF10):
        assert (status, text) == (1, "")
        return
    assert status == (2 if command == "diff-flows" else 0)
    form = json.loads(text.splitlines()[0] if offline and text.count("\n") == 1 else text)
    thing = form[0] if isinstance(form, list) and form else form
    if COLUMNS[command]:
        assert set(COLUMNS[command]) <= thing.keys(), thing


def test_every_command_that_reads_is_asked() -> None:
    refused = {name for name, where in APART.items() if where == "not offered"}
    known = COLUMNS.keys() | CHANGING | ENDLESS | refused
    assert {command.name for command in COMMANDS} == known
