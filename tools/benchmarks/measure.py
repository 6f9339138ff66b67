"""Interleaved rounds, and what each of them found.

Two figures are only compared when they come from the same run: rounds go A B B A A B B A, and
each pair of neighbours gives one ratio.  Time that the hypervisor took away (steal) is recorded
with each pair, and pairs with too much of it count for nothing; how many is told.  What is made
of the pairs is `report`'s business.
"""

import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

#: Share of the machine's time that may be stolen while a pair is measured.
STEAL_LIMIT = 0.01

Measure = Callable[[], float]
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Contest:
    """One scenario against one peer: how each side is measured.

    Attributes:
        scenario: Its name.
        unit: Unit of the figures.
        peer: Who is compared with; empty when the figure stands for itself.
        ours: Measures ovsflow once.
        theirs: Measures the peer once; `None` with no peer.
        most_pairs: More pairs than this would tell nothing new, or take too long.
    """

    scenario: str
    unit: str
    peer: str
    ours: Measure
    theirs: Measure | None = None
    most_pairs: int = 1000


@dataclass(frozen=True)
class Pair:
    """Two neighbouring rounds.

    Attributes:
        ours: What ovsflow scored.
        theirs: What the peer scored; `None` with no peer.
        stolen: Share of the machine's time that the hypervisor took meanwhile.
        run: Which run of the report it belongs to.
    """

    ours: float
    theirs: float | None
    stolen: float
    run: int = 0

    @property
    def counts(self) -> bool:
        """Whether the machine was ours alone."""
        return self.stolen <= STEAL_LIMIT

    @property
    def ratio(self) -> float | None:
        """Ours over theirs."""
        if self.theirs is None:
            return None
        return self.ours / self.theirs if self.theirs else float("inf")

    def in_run(self, run: int) -> "Pair":
        """The same, as part of a run."""
        return replace(self, run=run)


@dataclass
class Comparison:
    """All pairs of one contest."""

    scenario: str
    unit: str
    peer: str
    pairs: list[Pair] = field(default_factory=list)

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from others: scenario and peer."""
        return self.scenario, self.peer

    @property
    def good(self) -> list[Pair]:
        """The pairs that count."""
        return [pair for pair in self.pairs if pair.counts]

    @property
    def dropped(self) -> int:
        """How many pairs do not count."""
        return len(self.pairs) - len(self.good)


def measure_pair(contest: Contest, number: int, progress: Progress) -> Pair:
    """Measures one pair; even ones begin with ovsflow, odd ones with the peer."""
    sides: list[tuple[str, Measure]] = [("ovsflow", contest.ours)]
    if contest.theirs is not None:
        sides.append((contest.peer, contest.theirs))
    if number % 2:
        sides.reverse()
    started, stolen_before = time.monotonic(), stolen()
    scores = {}
    for name, measure in sides:
        progress(f"{contest.scenario}: pair {number + 1}, {name}")
        scores[name] = measure()
    lasted = max(time.monotonic() - started, 0.001)
    share = (stolen() - stolen_before) / lasted
    theirs = scores[contest.peer] if contest.theirs is not None else None
    return Pair(scores["ovsflow"], theirs, share)


def stolen() -> float:
    """Seconds that were stolen since boot, of each processor on average."""
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
