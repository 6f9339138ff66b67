"""What is made of the pairs: medians and quartiles, a table, and a file that runs can share.

The file is JSON: `runs` tells machine, date and settings of each run, `comparisons` all pairs of
each scenario and peer, those that do not count included, each with the number of its run.  A
run that was cut short is taken up again from its file, and files of several runs can be joined.
"""

import dataclasses
import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from ovsflow.errors import OvsflowError
from tools.benchmarks.measure import Comparison, Pair
from tools.benchmarks.targets import TITLES, targets_of

FORMAT = 1


class Run(TypedDict):
    """Where, when and how pairs were measured."""

    machine: dict[str, str]
    date: str
    settings: dict[str, str]


@dataclass(frozen=True)
class Spread:
    """Lower quartile, median and upper quartile."""

    low: float
    middle: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    """The quartiles of some values; not-a-number for none."""
    if len(values) < 2:
        only = values[0] if values else float("nan")
        return Spread(only, only, only)
    return Spread(*statistics.quantiles(values, n=4, method="inclusive"))


def ratios(comparison: Comparison) -> list[float]:
    """The ratio of each pair that counts."""
    return [pair.ratio for pair in comparison.good if pair.ratio is not None]


@dataclass
class Report:
    """Comparisons of one or more runs."""

    runs: list[Run] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)

    def comparison(self, scenario: str, unit: str, peer: str) -> Comparison:
        """The comparison of a scenario and a peer, made if need be."""
        for one in self.comparisons:
            if one.key == (scenario, peer):
                return one
        made = Comparison(scenario, unit, peer)
        self.comparisons.append(made)
        return made

    def join(self, other: "Report") -> None:
        """Takes in the runs and pairs of another report."""
        first = len(self.runs)
        self.runs += other.runs
        for theirs in other.comparisons:
            mine = self.comparison(theirs.scenario, theirs.unit, theirs.peer)
            if mine.unit != theirs.unit:
                raise OvsflowError(
                    f"{mine.scenario}: figures in {mine.unit} and in {theirs.unit} cannot be joined"
                )
            mine.pairs += [pair.in_run(pair.run + first) for pair in theirs.pairs]
            mine.settings = theirs.settings or mine.settings
            mine.failure = theirs.failure

    def write(self, path: Path) -> None:
        """Writes the file; the old one stays whole until the new one is."""
        document = {
            "format": FORMAT,
            "runs": self.runs,
            "comparisons": [dataclasses.asdict(one) for one in self.comparisons],
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        half = path.with_name(f".{path.name}.new")
        half.write_text(json.dumps(document, indent=1) + "\n")
        half.replace(path)


def read(path: Path) -> Report:
    """Reads a file that `write` wrote.

    Raises:
        OvsflowError: It is no such file.
    """
    try:
        document = json.loads(path.read_text())
        if document["format"] != FORMAT:
            raise OvsflowError(f"{path}: format {document['format']} is not {FORMAT}")
        comparisons = [
            Comparison(
                str(one["scenario"]),
                str(one["unit"]),
                str(one["peer"]),
                [Pair(**pair) for pair in one["pairs"]],
                str(one.get("settings", "")),
                str(one.get("failure", "")),
            )
            for one in document["comparisons"]
        ]
        return Report(list(document["runs"]), comparisons)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OvsflowError(f"{path}: no report of tools/bench: {error}") from error


@dataclass(frozen=True)
class Row:
    """One line of the table, as text."""

    scenario: str
    ours: str
    theirs: str
    ratio: str
    quartiles: str
    pairs: str
    verdict: str
    against: str

    def cells(self) -> tuple[str, ...]:
        """The columns of a table."""
        return tuple(str(cell) for cell in dataclasses.astuple(self)[:-1])


def rows(report: Report) -> list[Row]:
    """The table: a line for each comparison, scenarios in the order of their titles."""
    places = {scenario: place for place, scenario in enumerate(TITLES)}
    ordered = sorted(report.comparisons, key=lambda one: places.get(one.scenario, len(places)))
    return [_row(one) for one in ordered]


def _row(one: Comparison) -> Row:
    ours = spread([pair.ours for pair in one.good])
    theirs = spread([pair.theirs for pair in one.good if pair.theirs is not None])
    ratio = spread(ratios(one))
    alone = not one.peer
    shown = ours if alone else ratio
    return Row(
        one.scenario,
        f"{number(ours.middle)} {one.unit}",
        "" if alone else f"{_peer(one)} {number(theirs.middle)}",
        "" if alone else f"{number(ratio.middle)}x",
        f"{number(shown.low)} to {number(shown.high)}",
        f"{len(one.good)} ({one.dropped} dropped)" if one.dropped else str(len(one.good)),
        _verdicts(one, ours.middle, ratio.middle),
        one.peer,
    )


def _peer(one: Comparison) -> str:
    return f"{one.peer} ({one.settings})" if one.settings else one.peer


def _verdicts(one: Comparison, ours: float, ratio: float) -> str:
    """How the medians stand to the marks."""
    if one.failure:
        return f"void: {one.failure}"
    if one.void or not one.good:
        return "void: too many pairs do not count"
    told = []
    for target in targets_of(one.scenario, one.peer):
        by_figure = target.absolute or not target.peer
        unit = f" {one.unit}" if by_figure else "x"
        sign = "≤" if target.less else "≥"
        verdict = target.verdict(ours if by_figure else ratio)
        told.append(f"{verdict} (gate {sign} {target.gate:g}{unit}, goal {target.goal:g})")
    return "; ".join(told)


def number(value: float) -> str:
    """A figure with three digits that matter."""
    if value != value:
        return "-"
    if abs(value) >= 100:
        return f"{value:.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if abs(value) >= 1 else f"{value:.3g}"
