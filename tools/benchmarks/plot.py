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
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from tools.benchmarks.measure import Comparison
from tools.benchmarks.report import Report, Spread, number, ratios, spread
from tools.benchmarks.targets import Target, targets_of

COLOURS = {"goal": "#2a7f62", "gate": "#4c78a8", "missed": "#c8553d"}
#: Longest bar for figures that are better when smaller.
MOST = 10
TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
LEGEND = {"frameon": False, "fontsize": 8, "handlelength": 1.2, "columnspacing": 1.2}
PEER_COLOUR = "#8a8a8a"
OURS_COLOUR = "#2a7f62"
#: What the scenarios of a curve have in common.
CURVES = {
    "core-port": "rule on in_port",
    "core-prefix": "rule on an nw_dst prefix",
    "core-acl": "six-rule ACL",
    "core-encap": "VXLAN encapsulation",
    "core-decap": "VXLAN decapsulation",
    "classbench": "like ClassBench, 100k flows",
}


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
    figure = Figure(figsize=(8.5, 1.3 + 0.27 * len(found)), layout="constrained")
    axes = figure.subplots()
    places = range(len(found))
    middles = [bar.reached.middle for bar in found]
    axes.barh(places, middles, height=0.66, color=[COLOURS[bar.verdict] for bar in found])
    for place, bar in zip(places, found, strict=True):
        axes.plot([bar.reached.low, bar.reached.high], [place, place], color="black", lw=1)
        axes.plot([bar.goal, bar.goal], [place - 0.4, place + 0.4], color="black", lw=2)
        end = max(bar.reached.high, bar.goal)
        axes.text(end * 1.05, place, bar.told, va="center", fontsize=8)
    axes.axvline(1, color="black", lw=1, ls="--")
    axes.set_xscale("log")
    most = max(max(bar.reached.high, bar.goal) for bar in found)
    limits = min(0.5, *middles) * 0.8, most * 2
    axes.set_xlim(*limits)
    ticks = [tick for tick in TICKS if limits[0] <= tick <= limits[1]]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_yticks(list(places), [bar.label for bar in found])
    axes.set_ylim(len(found) - 0.4, -0.6)
    axes.set_xlabel("times the gate: longer is better")
    axes.legend(handles=_bar_legend(), loc="lower left", bbox_to_anchor=(0, 1), ncols=5, **LEGEND)
    _plain(axes)
    axes.grid(axis="x", color="#dddddd", lw=0.6)
    return figure


def _bar_legend() -> list[Artist]:
    names = {"goal": "goal reached", "gate": "gate reached", "missed": "gate missed"}
    bars: list[Artist] = [
        Patch(color=COLOURS[verdict], label=name) for verdict, name in names.items()
    ]
    gate = Line2D([], [], color="black", lw=1, ls="--", label="gate")
    goal = Line2D([], [], color="black", lw=0, marker="|", ms=9, mew=2, label="goal")
    return [*bars, gate, goal]


def _draw_curves(lines: Sequence[Curve]) -> Figure:
    columns = min(3, len(lines))
    rows = -(-len(lines) // columns)
    figure = Figure(figsize=(2.9 * columns, 2.4 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes, curve in zip(grid.flat, lines, strict=False):
        _draw_curve(axes, curve)
    for axes in grid.flat[len(lines) :]:
        axes.set_axis_off()
    return figure


def _draw_curve(axes: Axes, curve: Curve) -> None:
    flows = [point[0] for point in curve.points]
    for name, colour, column in (("ovsflow", OURS_COLOUR, 1), (curve.peer, PEER_COLOUR, 2)):
        spreads = [one for point in curve.points if isinstance(one := point[column], Spread)]
        axes.plot(flows, [one.middle for one in spreads], "o-", color=colour, label=name, ms=4)
        low, high = [one.low for one in spreads], [one.high for one in spreads]
        axes.fill_between(flows, low, high, color=colour, alpha=0.2, lw=0)
    axes.set_xscale("log")
    axes.set_xticks(flows, [_thousands(number) for number in flows])
    axes.minorticks_off()
    axes.margins(x=0.08)
    most = max(one.high for point in curve.points for one in point[1:])
    axes.set_ylim(0, most * 1.3)
    axes.set_title(CURVES.get(curve.name, curve.name), fontsize=9)
    axes.set_xlabel("rules" if curve.name == "classbench" else "flows")
    axes.set_ylabel(curve.unit)
    axes.legend(loc="upper right", ncols=2, **LEGEND)
    _plain(axes)
    axes.grid(axis="y", color="#dddddd", lw=0.6)


def _thousands(number: int) -> str:
    return f"{number // 1000}k" if number >= 1000 else str(number)


def _plain(axes: Axes) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.set_axisbelow(True)
