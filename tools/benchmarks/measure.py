"""Interleaved rounds, and what each of them found.

Two figures are only compared when they come from the same round: in each round every side is
measured once, and every second round goes backwards (A B B A A B B A), so that what drifts hits
all sides alike.  Each round gives one pair of figures, and one ratio, for each peer.  Time that the
hypervisor took away (steal) is recorded with each pair, and pairs with too much of it count for
nothing; how many is told.  What is made of the pairs is `report`'s business.
"""

import contextlib
import os
import platform
import re
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path

#: Share of the machine's time that may be stolen while a pair is measured.
STEAL_LIMIT = 0.01
#: A contest of which more than this share of the pairs does not count tells nothing.
DROPPED_LIMIT = 1 / 3

OURS = "ovsflow"
NAMES = {"ovs-vswitchd": "Open vSwitch"}
#: Scenario and peer of a comparison; no peer where a figure stands for itself.
Key = tuple[str, str]
#: Measures one side once: a figure for each scenario of the contest.
Measure = Callable[[], Mapping[str, float]]
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Contest:
    """Sides that are measured in turn, for one scenario or for some that one measurement tells.

    Attributes:
        units: The unit of each scenario's figure.
        sides: How each side is measured; ovsflow is the first.  Alone, its figures stand for
            themselves.
        most_pairs: More pairs than this would tell nothing new, or take too long.
        settings: What was chosen for a peer, in words; empty for its defaults.
    """

    units: Mapping[str, str]
    sides: Mapping[str, Measure]
    most_pairs: int = 1000
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """What it takes to make some comparisons.

    Attributes:
        keys: The comparisons.
        open: Brings up all sides for as long as the contest is in use.
    """

    keys: tuple[Key, ...]
    open: Callable[[Progress], AbstractContextManager[Contest]]


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
    """All pairs of a scenario and a peer.

    Attributes:
        scenario: Its name.
        unit: Unit of the figures.
        peer: Who is compared with; empty when the figures stand for themselves.
        pairs: In the order in which they were measured.
        settings: What was chosen for the peer, in words.
        failure: Why there is no figure, in words.
    """

    scenario: str
    unit: str
    peer: str
    pairs: list[Pair] = field(default_factory=list)
    settings: str = ""
    failure: str = ""

    @property
    def key(self) -> Key:
        """What tells it from others: scenario and peer."""
        return self.scenario, self.peer

    @property
    def good(self) -> list[Pair]:
        """The pairs that count."""
        return [pair for pair in self.pairs if pair.counts]

    @property
    def void(self) -> bool:
        """Whether so many pairs do not count that the rest tell nothing."""
        return self.dropped > DROPPED_LIMIT * len(self.pairs)

    @property
    def dropped(self) -> int:
        """How many pairs do not count."""
        return len(self.pairs) - len(self.good)


def measure_round(
    contest: Contest, keys: Sequence[Key], number: int, progress: Progress
) -> dict[Key, Pair]:
    """Measures each side once, odd rounds from the last to the first; a pair for each of `keys`."""
    sides = list(contest.sides.items())
    if number % 2:
        sides.reverse()
    started, stolen_before = time.monotonic(), stolen()
    scores = {}
    for name, measure in sides:
        progress(f"{'/'.join(contest.units)}: round {number + 1}, {name}")
        scores[name] = measure()
    lasted = max(time.monotonic() - started, 0.001)
    share = (stolen() - stolen_before) / lasted
    return {
        (scenario, peer): Pair(
            scores[OURS][scenario], scores[peer][scenario] if peer else None, share
        )
        for scenario, peer in keys
    }


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
        "peers": _peers(),
    }


def _peers() -> str:
    """The peers' versions, as they tell them."""
    told = []
    for program in ("ovs-vswitchd", "iperf3", "sockperf"):
        with contextlib.suppress(OSError):
            done = subprocess.run(
                [program, "--version"], capture_output=True, text=True, check=False
            )
            found = re.search(r"\d+\.\d+[\w.]*", done.stdout + done.stderr)
            told.append(f"{NAMES.get(program, program)} {found[0]}" if found else program)
    return ", ".join(told)
