"""Pictures of a report, as SVG: what each scenario reaches, and speed as flows grow.

One picture has a bar for each scenario with a mark: how far ovsflow is ahead of its peer, drawn so
that longer is always better, with a line at the gate and one at the goal.  The other has, for the
scenarios that come with several numbers of flows, a curve for ovsflow and one for its peer.
The same report gives the same file, byte by byte.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tools.benchmarks.measure import Comparison
from tools.benchmarks.report import Report, Spread, number, ratios, spread
from tools.benchmarks.targets import Target, targets_of

COLOURS = {"goal": "#2a7f62", "gate": "#4c78a8", "missed": "#c8553d"}
#: Longest bar for figures that are better when smaller.
MOST = 10
PEER_COLOUR = "#8a8a8a"
OURS_COLOUR = "#2a7f62"


@dataclass(frozen=True)
class Bar:
    """One bar: a median and its quartiles, in units of the gate.

    Attributes:
        label: Scenario and peer.
        reached: How many times the gate was reached; more is better.
        goal: Where the goal is, in the same units.
        verdict: `goal`, `gate` or `missed`.
        told: The figure as people read it.
    """

    label: str
    reached: Spread
    goal: float
    verdict: str
    told: str


@dataclass(frozen=True)
class Curve:
    """Speed over the number of flows: (flows, ovsflow, peer), by rising flows."""

    name: str
    unit: str
    peer: str
    points: tuple[tuple[int, Spread, Spread], ...]


def bars(report: Report) -> list[Bar]:
    """A bar for each comparison and mark."""
    found = []
    for one in report.comparisons:
        for target in targets_of(one.scenario, one.peer):
            by_figure = target.absolute or not target.peer
            values = [pair.ours for pair in one.good] if by_figure else ratios(one)
            if values:
                found.append(_bar(one, target, spread(values), by_figure=by_figure))
    return found


def _bar(one: Comparison, target: Target, values: Spread, *, by_figure: bool) -> Bar:
    unit = f" {one.unit}" if by_figure else "x"
    against = "" if by_figure else f" / {one.peer}"
    if target.less:
        # Nothing at all would be infinitely good: the picture ends somewhere.
        least = target.gate / MOST
        reach = [target.gate / max(value, least) for value in _low_first(values)]
        reached, goal = Spread(*sorted(reach)), target.gate / max(target.goal, least)
    else:
        reached = Spread(*(value / target.gate for value in _low_first(values)))
        goal = target.goal / target.gate
    return Bar(
        f"{one.scenario}{against}",
        reached,
        goal,
        target.verdict(values.middle),
        f"{number(values.middle)}{unit}",
    )


def _low_first(values: Spread) -> tuple[float, float, float]:
    return values.low, values.middle, values.high


def curves(report: Report) -> list[Curve]:
    """The scenarios that end in a number of flows (`-1`, `-1k`, `-100k`), two or more of a kind."""
    kinds: dict[tuple[str, str, str], list[tuple[int, Spread, Spread]]] = {}
    for one in report.comparisons:
        match = re.fullmatch(r"((?:core|classbench)(?:-[a-z]+)?)-(\d+)(k?)", one.scenario)
        theirs = [pair.theirs for pair in one.good if pair.theirs is not None]
        if match is None or not theirs:
            continue
        flows = int(match[2]) * (1000 if match[3] else 1)
        point = (flows, spread([pair.ours for pair in one.good]), spread(theirs))
        kinds.setdefault((match[1], one.unit, one.peer), []).append(point)
    return [
        Curve(name, unit, peer, tuple(sorted(points, key=lambda point: point[0])))
        for (name, unit, peer), points in kinds.items()
        if len(points) > 1
    ]


def draw(report: Report, directory: Path) -> list[Path]:
    """Writes `marks.svg` and, where there are curves, `flows.svg`; returns their paths."""
    directory.mkdir(parents=True, exist_ok=True)
    # Names inside the file must not differ from run to run.
    with mpl.rc_context({"svg.hashsalt": "ovsflow", "svg.fonttype": "none", "font.size": 9}):
        written = []
        if found := bars(report):
            written.append(_save(_draw_bars(found), directory / "marks.svg"))
        if lines := curves(report):
            written.append(_save(_draw_curves(lines), directory / "flows.svg"))
    return written


def _save(figure: Figure, path: Path) -> Path:
    figure.savefig(path, metadata={"Date": None})
    return path


def _draw_bars(found: Sequence[Bar]) -> Figure:
    figure = Figure(figsize=(8.5, 1.0 + 0.28 * len(found)), layout="constrained")
    axes = figure.subplots()
    places = range(len(found))
    middles = [bar.reached.middle for bar in found]
    axes.barh(places, middles, height=0.62, color=[COLOURS[bar.verdict] for bar in found])
    for place, bar in zip(places, found, strict=True):
        axes.plot([bar.reached.low, bar.reached.high], [place, place], color="black", lw=1)
        axes.plot([bar.goal, bar.goal], [place - 0.4, place + 0.4], color="black", lw=2)
        end = max(bar.reached.high, bar.goal)
        axes.text(end * 1.05, place, bar.told, va="center", fontsize=8)
    axes.axvline(1, color="black", lw=1, ls="--")
    axes.set_xscale("log")
    most = max(max(bar.reached.high, bar.goal) for bar in found)
    axes.set_xlim(min(0.5, *middles) * 0.8, most * 2.5)
    axes.set_yticks(list(places), [bar.label for bar in found])
    axes.invert_yaxis()
    axes.set_xlabel("times the gate (dashed); the thick mark is the goal; longer is better")
    _plain(axes)
    return figure


def _draw_curves(lines: Sequence[Curve]) -> Figure:
    columns = min(3, len(lines))
    rows = -(-len(lines) // columns)
    figure = Figure(figsize=(3.2 * columns, 2.6 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes, curve in zip(grid.flat, lines, strict=False):
        _draw_curve(axes, curve)
    for axes in grid.flat[len(lines) :]:
        axes.set_axis_off()
    return figure


def _draw_curve(axes: Axes, curve: Curve) -> None:
    flows = [point[0] for point in curve.points]
    sides = (("ovsflow", OURS_COLOUR, 1), (curve.peer, PEER_COLOUR, 2))
    for name, colour, column in sides:
        values = [point[column] for point in curve.points]
        assert all(isinstance(value, Spread) for value in values)
        spreads = [value for value in values if isinstance(value, Spread)]
        axes.plot(flows, [s.middle for s in spreads], "o-", color=colour, label=name, ms=4)
        low, high = [s.low for s in spreads], [s.high for s in spreads]
        axes.fill_between(flows, low, high, color=colour, alpha=0.2, lw=0)
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    what = "rules" if curve.name == "classbench" else "flows"
    axes.set_title(curve.name, fontsize=9)
    axes.set_xlabel(what)
    axes.set_ylabel(curve.unit)
    axes.legend(frameon=False, fontsize=7)
    _plain(axes)


def _plain(axes: Axes) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
