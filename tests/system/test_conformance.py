"""The Ryu switch tester: every case that is not a stream of 30 seconds, one attempt for each.

The switch tester's own switch is an Open vSwitch; nothing waits between our barrier's reply and
the packet.  `tools/conformance/run` without `-q` runs the streams of meters and groups as well.
"""

import csv
import subprocess
from collections import Counter
from pathlib import Path

import pytest

RUNNER = Path(__file__).parents[2] / "tools/conformance/run"


@pytest.mark.timeout(400)
@pytest.mark.parametrize(("suite", "cases"), [("of10", 192), ("of13", 940), ("of14", 952)])
def test_every_case_of_the_switch_tester_passes(suite: str, cases: int, tmp_path: Path) -> None:
    # A busy machine may be slow to answer (-w); no case is tried again.
    command = [str(RUNNER), "-q", "-w", "15", "-s", suite, "-o", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    with (tmp_path / f"{suite}.tsv").open() as table:
        rows = list(csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert Counter((row["result"], row["detail"]) for row in rows) == {("OK", ""): cases}
