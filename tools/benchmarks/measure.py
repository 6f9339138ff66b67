"""Interleaved rounds and what is said of them.

Two figures are only compared when they come from the same run: rounds go A B B A A B B A …, each
pair of neighbours gives one ratio, and the median and quartiles of the ratios are reported.  Time
that the hypervisor took away (steal) is recorded with each pair, and pairs with too much of it
are dropped and counted.
"""

import os
import platform
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

STEAL_LIMIT = 0.01


@dataclass
class Figure:
    """What one peer scored in one scenario: one number a round."""

    peer: str
    unit: str
    values: list[float] = field(default_factory=list)

    def median(self) -> float:
        """The median of all rounds."""
        return statistics.median(self.values)


@dataclass
class Comparison:
    """Ratios of one scenario: ours over a peer's, pair by pair."""

    scenario: str
    ours: Figure
    theirs: Figure
    ratios: list[float]
    dropped: int

    def quartiles(self) -> tuple[float, float, float]:
        """Lower quartile, median and upper quartile of the ratios."""
        if len(self.ratios) < 2:
            only = self.ratios[0] if self.ratios else float("nan")
            return only, only, only
        low, middle, high = statistics.quantiles(self.ratios, n=4, method="inclusive")
        return low, middle, high


def compare(
    scenario: str,
    unit: str,
    ours: tuple[str, Callable[[], float]],
    theirs: tuple[str, Callable[[], float]],
    pairs: int,
    progress: Callable[[str], None],
) -> Comparison:
    """Measures two peers in interleaved rounds.

    Args:
        scenario: Its name.
        unit: Unit of the figures.
        ours: Name and measurement of the first peer.
        theirs: Name and measurement of the second.
        pairs: How many pairs to measure.
        progress: Called with a line before each round.
    """
    figures = (Figure(ours[0], unit), Figure(theirs[0], unit))
    ratios: list[float] = []
    dropped = 0
    for number in range(pairs):
        order = (0, 1) if number % 2 == 0 else (1, 0)
        score = [0.0, 0.0]
        before = stolen()
        for index in order:
            name, measure = (ours, theirs)[index]
            progress(f"{scenario}: pair {number + 1} of {pairs}, {name}")
            score[index] = measure()
        if stolen() - before > STEAL_LIMIT:
            dropped += 1
            continue
        for figure, value in zip(figures, score, strict=True):
            figure.values.append(value)
        ratios.append(score[0] / score[1] if score[1] else float("inf"))
    return Comparison(scenario, *figures, ratios, dropped)


def stolen() -> float:
    """Share of all processor time that was stolen since boot, in units of total time passed."""
    fields = [int(text) for text in Path("/proc/stat").read_text().split("\n")[0].split()[1:]]
    return fields[7] / (os.sysconf("SC_CLK_TCK") * (os.cpu_count() or 1))


def machine() -> dict[str, str]:
    """What the run was measured on."""
    info = Path("/proc/cpuinfo").read_text()
    models = [line.split(":", 1)[1].strip() for line in info.splitlines() if "model name" in line]
    return {
        "processor": models[0] if models else platform.machine(),
        "cores": str(os.cpu_count()),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def table_rows(comparisons: Sequence[Comparison]) -> list[tuple[str, ...]]:
    """One row a comparison, as text."""
    rows: list[tuple[str, ...]] = []
    for one in comparisons:
        low, middle, high = one.quartiles()
        rows.append(
            (
                one.scenario,
                f"{one.ours.median():.2f} {one.ours.unit}",
                f"{one.theirs.peer} {one.theirs.median():.2f}",
                f"{middle:.2f}x",
                f"{low:.2f} to {high:.2f}",
                f"{len(one.ratios)} ({one.dropped} dropped)",
            )
        )
    return rows
