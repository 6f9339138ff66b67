"""Tens of thousands of random flows, groups and meters, compared with ovs-ofctl.

    .venv/bin/python -m tests.ofctl.campaign                # 20,000 flows in every version
    .venv/bin/python -m tests.ofctl.campaign --flows 100000 --seed 7 --live

For each line: what ovs-ofctl sends for it is what we send, byte for byte; what it prints of the
message is what we print; what it refuses we refuse.  With `--live` all messages also go to our
switch and to an Open vSwitch with a dummy datapath, which must answer and dump the same.  The exit
status is 1 if anything differs.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ovsflow.openflow.constants import Version
from tests.ofctl.compare import (
    Tally,
    compare_flows,
    compare_groups,
    compare_meters,
    is_flow_mod,
)
from tests.ofctl.flow_maker import FlowMaker
from tests.ofctl.group_maker import GroupMaker
from tests.ofctl.live import Pair, compare_live, pair
from tests.ofctl.oracle import VERSIONS

_BATCH = 1000
_SHOWN = 20

Step = Callable[[int, int], None]


def run_campaign(
    flows: int,
    groups: int,
    seed: int,
    scratch: Path,
    live: Pair | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> Tally:
    """Compares `flows` flows and `groups` groups and meters in every version.

    Args:
        flows: Flows for each version.
        groups: Groups and meters for each version; OpenFlow 1.0 has no meters.
        seed: First seed.
        scratch: A directory for files.
        live: Two switches to tell everything to.
        progress: Is told how many more lines are done.
    """
    tally = Tally()
    for version in VERSIONS:
        for seeds in _batches(seed, flows):
            _flows(version, seeds, scratch, tally, live)
            progress(len(seeds))
        for seeds in _batches(seed, groups):
            _groups(version, seeds, scratch, tally, live)
            progress(len(seeds))
    return tally


def _batches(first: int, count: int) -> Iterator[range]:
    for start in range(first, first + count, _BATCH):
        yield range(start, min(start + _BATCH, first + count))


def _flows(version: int, seeds: range, scratch: Path, tally: Tally, live: Pair | None) -> None:
    lines = [FlowMaker(seed, version).flow() for seed in seeds]
    taken, sent = compare_flows(version, lines, scratch, tally)
    if live is not None:
        mods = [message for message in sent if is_flow_mod(message)]
        setup = [message for message in sent if not is_flow_mod(message)]
        compare_live(live, version, setup, taken, mods, tally)


def _groups(version: int, seeds: range, scratch: Path, tally: Tally, live: Pair | None) -> None:
    makers = [GroupMaker(seed, version) for seed in seeds]
    lines = [maker.group() for maker in makers]
    taken, sent = compare_groups(version, lines, scratch, tally)
    if live is not None:
        compare_live(live, version, (), taken, sent, tally, "dump-groups", "del-groups")
    if version == Version.OF10:
        return
    lines = [maker.meter() for maker in makers]
    taken, sent = compare_meters(version, lines, scratch, tally)
    if live is not None:
        compare_live(live, version, (), taken, sent, tally, "dump-meters", "del-meters")


def main() -> int:
    """Runs the command."""
    parser = argparse.ArgumentParser(prog="tests.ofctl.campaign", description=__doc__)
    parser.add_argument("--flows", type=int, default=20_000, help="flows a version (20000)")
    parser.add_argument("--groups", type=int, default=1000, help="groups and meters (1000)")
    parser.add_argument("--seed", type=int, default=0, help="first seed (0)")
    parser.add_argument("--live", action="store_true", help="tell two living switches too")
    found = parser.parse_args()
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    total = found.flows * len(VERSIONS) + found.groups * len(VERSIONS)
    with (
        tempfile.TemporaryDirectory() as directory,
        Progress(*columns, TimeElapsedColumn(), console=console) as bar,
        pair(Path(directory)) if found.live else nullcontext() as live,
    ):
        task = bar.add_task("comparing", total=total)
        tally = run_campaign(
            found.flows,
            found.groups,
            found.seed,
            Path(directory),
            live,
            lambda done: bar.advance(task, done),
        )
    return report(tally)


def report(tally: Tally) -> int:
    """Prints what was found; the exit status."""
    for what, count in tally.compared.items():
        different = sum(difference.what == what for difference in tally.differences)
        print(f"{what:<18} {count:>8} compared, {different} different")
    for difference in tally.differences[:_SHOWN]:
        print(f"\n{difference}")
    if len(tally.differences) > _SHOWN:
        print(f"\n... and {len(tally.differences) - _SHOWN} more")
    return 1 if tally.differences else 0


if __name__ == "__main__":
    sys.exit(main())
