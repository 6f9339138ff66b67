"""The `tools/bench` command."""

import argparse
import contextlib
import datetime
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Protocol, cast

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from ovsflow.errors import HostError, OvsflowError
from ovsflow.testing.lab import termination_as_exit
from tools.benchmarks import (
    control,
    core,
    disturbance,
    dpdk,
    overlay,
    plot,
    publish,
    report,
    scaling,
)
from tools.benchmarks.measure import (
    Comparison,
    Key,
    Plan,
    machine,
    measure_round,
)
from tools.benchmarks.measure import Progress as Tell
from tools.benchmarks.report import Report
from tools.benchmarks.targets import TARGETS

console = Console(stderr=True)
#: Columns of a table that goes to a file.
FILE_WIDTH = 150
#: Characters that are kept of what went wrong.
REASON_LENGTH = 150
RESULTS, README = Path("docs/bench/results.json"), Path("README.md")


class Family(Protocol):
    """What a module of scenarios offers."""

    @property
    def SCENARIOS(self) -> dict[str, object]:  # noqa: N802 - a module's constant.
        """Its scenarios by name."""

    def peers_of(self, scenario: str) -> tuple[str, ...]:
        """Whom a scenario compares with; `""` for nobody."""

    def plans(self, wanted: Sequence[Key], seconds: float) -> list[Plan]:
        """What it takes to compare these scenarios and peers, with rounds of some length."""


def _family(module: ModuleType) -> Family:
    return cast(Family, module)


#: The longest come last: what learns 100,000 flows of many rules.
FAMILIES = tuple(_family(module) for module in (overlay, control, scaling, disturbance, core))
HOME = {name: family for family in FAMILIES for name in family.SCENARIOS}


def arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        prog="tools/bench",
        description="Measures ovsflow against its peers in interleaved rounds.",
        epilog="example: sudo ./tools/bench --peers ovs,kernel --scenarios tcp-1,udp-64",
    )
    parser.add_argument("--scenarios", default="", help="only these (all; see --list)")
    parser.add_argument("--peers", default="", help="only these (all; see --list)")
    parser.add_argument("--pairs", type=int, default=7, help="pairs of rounds (7)")
    parser.add_argument(
        "--seconds",
        type=float,
        default=3,
        help="length of a round (3); half of it on one core, where figures are steadier",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to FILE")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table to FILE")
    parser.add_argument(
        "--publish",
        action="store_true",
        help=f"write {RESULTS}, the pictures beside it, and the README's part",
    )
    parser.add_argument("--plot", type=Path, metavar="DIR", help="draw the pictures into DIR")
    parser.add_argument(
        "--resume",
        action="store_true",
        help="keep what is in the JSON file, and measure only the pairs that are missing there",
    )
    parser.add_argument(
        "--merge",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="measure nothing: join the figures of these JSON files",
    )
    parser.add_argument("--list", action="store_true", help="list scenarios and peers, and stop")
    options = parser.parse_args()
    if options.publish:
        options.json = options.json or RESULTS
        options.plot = options.plot or RESULTS.parent
    if options.resume and not options.json:
        parser.error("--resume needs --json FILE")
    return options


def chosen(text: str, known: Sequence[str], what: str) -> list[str]:
    """Splits a comma-separated choice and checks it; all that is known for none."""
    names = [name for name in text.split(",") if name]
    for name in names:
        if name not in known:
            raise SystemExit(f"no {what} '{name}'; there are: {', '.join(known)}")
    return names or list(known)


def wanted(options: argparse.Namespace) -> list[tuple[str, str]]:
    """The scenarios and peers that the command line asks for."""
    scenarios = chosen(options.scenarios, list(HOME), "scenario")
    everybody = {peer for name in HOME for peer in HOME[name].peers_of(name) if peer}
    peers = chosen(options.peers, sorted(everybody), "peer")
    pairs = [(name, peer) for name in scenarios for peer in HOME[name].peers_of(name)]
    return [(name, peer) for name, peer in pairs if not peer or peer in peers]


def catalogue() -> Table:
    """All scenarios, their peers and their marks."""
    table = Table("scenario", "peer", "gate", "goal")
    marks = {(one.scenario, one.peer): one for one in TARGETS if not one.absolute}
    for name, family in HOME.items():
        for peer in family.peers_of(name):
            mark = marks.get((name, peer))
            sign = ("≤ " if mark.less else "≥ ") if mark else ""
            figures = (f"{sign}{mark.gate:g}", f"{sign}{mark.goal:g}") if mark else ("", "")
            table.add_row(name, peer, *figures)
    return table


def measure(options: argparse.Namespace, results: Report) -> None:
    """Measures what is asked for and not there yet; saves after each round."""
    results.runs.append(
        {
            "machine": machine(),
            "date": datetime.date.today().isoformat(),
            "settings": {"pairs": str(options.pairs), "seconds": f"{options.seconds:g}"},
        }
    )
    done = {one.key: len(one.good) for one in results.comparisons if not one.failure}
    missing = [key for key in wanted(options) if done.get(key, 0) < options.pairs]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with (
        contextlib.ExitStack() as stack,
        Progress(*columns, TimeElapsedColumn(), console=console) as bar,
    ):
        task = bar.add_task("starting", total=len(missing))

        def tell(text: str) -> None:
            bar.update(task, description=text)
            if not console.is_terminal:
                console.print(text, highlight=False)

        if any(peer == dpdk.PEER for _, peer in missing):
            # Later, memory may be in pieces.  Who needs them asks again, and complains.
            with contextlib.suppress(HostError):
                stack.enter_context(dpdk.huge_pages())
        for family in FAMILIES:
            of_family = [key for key in missing if HOME[key[0]] is family]
            for plan in family.plans(of_family, options.seconds) if of_family else ():
                carry_out(plan, options, results, tell)
                bar.advance(task, len(plan.keys))


def carry_out(plan: Plan, options: argparse.Namespace, results: Report, tell: Tell) -> None:
    """Measures one plan's rounds; what goes wrong voids its comparisons alone, and is told."""
    run = len(results.runs) - 1
    mine: dict[Key, Comparison] = {}

    def save() -> None:
        if options.json:
            results.write(options.json)

    try:
        with plan.open(tell) as contest:
            for scenario, peer in plan.keys:
                one = results.comparison(scenario, contest.units[scenario], peer)
                one.unit, one.failure = contest.units[scenario], ""
                one.settings = contest.settings.get(peer, "")
                mine[one.key] = one
            wished = min(options.pairs, contest.most_pairs)
            done = min(len(one.good) for one in mine.values())
            # Some more where pairs were disturbed.
            for number in range(done, wished + wished // 2):
                if all(len(one.good) >= wished for one in mine.values()):
                    break
                for key, pair in measure_round(contest, plan.keys, number, tell).items():
                    mine[key].pairs.append(pair.in_run(run))
                save()
    except (OvsflowError, subprocess.SubprocessError, OSError) as error:
        console.print(f"[red]{plan.keys[0][0]} is void:[/] {error}", highlight=False, markup=True)
        for scenario, peer in plan.keys:
            void = results.comparison(scenario, "", peer)
            void.failure = str(error).strip().split("\n")[0][:REASON_LENGTH]
            void.pairs.clear()
        save()


def show(results: Report) -> None:
    """Prints the table."""
    table = Table("scenario", "ovsflow", "peer", "ratio", "quartiles", "pairs", "gate and goal")
    for row in report.rows(results):
        table.add_row(*row.cells())
    printer = Console()
    if not printer.is_terminal:
        printer = Console(width=FILE_WIDTH)
    printer.print(table)


def main() -> int:
    """Measures, or joins what was measured, and tells."""
    options = arguments()
    if options.list:
        Console().print(catalogue())
        return 0
    results = Report()
    try:
        for path in options.merge or ([options.json] if options.resume else []):
            if options.merge or path.exists():
                results.join(report.read(path))
        if not options.merge:
            with termination_as_exit():
                measure(options, results)
    except OvsflowError as error:
        console.print(f"[red]bench failed:[/] {error}", highlight=False)
        return 1
    except KeyboardInterrupt:
        return 130
    show(results)
    if options.json:
        results.write(options.json)
    if options.plot:
        plot.draw(results, options.plot)
    if options.markdown:
        options.markdown.write_text(publish.markdown(results))
    if options.publish:
        publish.into_readme(results, README)
    return 0


if __name__ == "__main__":
    sys.exit(main())
