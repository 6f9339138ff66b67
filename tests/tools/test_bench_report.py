"""What the benchmark makes of figures: statistics, the file, the table, the pictures."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovsflow.errors import OvsflowError
from tools.benchmarks import plot, publish, report
from tools.benchmarks.measure import (
    OURS,
    STEAL_LIMIT,
    Comparison,
    Contest,
    Measure,
    Pair,
    measure_round,
)
from tools.benchmarks.report import Report, Run
from tools.benchmarks.targets import TARGETS, TITLES, Target

RUN: Run = {
    "machine": {"processor": "EPYC", "cores": "2", "kernel": "6.18", "python": "3.11"},
    "date": "2026-01-02",
    "settings": {"pairs": "2", "seconds": "1"},
}


def comparison(
    scenario: str, peer: str, *scores: tuple[float, float | None], unit: str = "Mpps"
) -> Comparison:
    return Comparison(scenario, unit, peer, [Pair(ours, theirs, 0.0) for ours, theirs in scores])


def sample() -> Report:
    return Report(
        [RUN],
        [
            comparison("core-port-1k", "ovs-dpdk", (40, 20), (60, 20), (50, 20)),
            comparison("core-acl-1k", "ovs-dpdk", (10, 10)),
            comparison("core-acl-100k", "ovs-dpdk", (30, 5), (32, 5)),
            comparison("idle-cpu", "", (0, None), unit="%"),
            comparison("rtt-p50", "ovs", (50, 100), unit="µs"),
        ],
    )


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([3.0], (3, 3, 3)),
        ([1.0, 2.0], (1.25, 1.5, 1.75)),
        ([4.0, 1.0, 3.0, 2.0, 5.0], (2, 3, 4)),
    ],
)
def test_quartiles(values: list[float], expected: tuple[float, float, float]) -> None:
    found = report.spread(values)
    assert (found.low, found.middle, found.high) == expected


def test_no_values_have_no_quartiles() -> None:
    assert math.isnan(report.spread([]).middle)


def test_rounds_alternate_and_keep_who_is_who() -> None:
    order: list[str] = []

    def side(name: str, score: float) -> Measure:
        def measure() -> dict[str, float]:
            order.append(name)
            return {"p50": score, "p99": score * 2}

        return measure

    sides = {OURS: side(OURS, 6.0), "them": side("them", 2.0), "more": side("more", 3.0)}
    contest = Contest({"p50": "µs", "p99": "µs"}, sides)
    keys = [("p50", "them"), ("p99", "them"), ("p50", "more")]
    rounds = [measure_round(contest, keys, number, lambda _: None) for number in range(4)]
    assert order == [OURS, "them", "more", "more", "them", OURS] * 2
    assert [list(one) for one in rounds] == [keys] * 4
    assert [one["p50", "them"].ratio for one in rounds] == [3.0] * 4
    assert [one["p99", "them"].ours for one in rounds] == [12.0] * 4
    assert [one["p50", "more"].ratio for one in rounds] == [2.0] * 4


def test_a_figure_may_stand_for_itself() -> None:
    contest = Contest({"idle": "%"}, {OURS: lambda: {"idle": 0.5}})
    pair = measure_round(contest, [("idle", "")], 0, lambda _: None)["idle", ""]
    assert (pair.ours, pair.theirs, pair.ratio) == (0.5, None, None)


def test_pairs_with_stolen_time_count_for_nothing() -> None:
    one = comparison("s", "them", (6, 2))
    one.pairs.append(Pair(100.0, 1.0, STEAL_LIMIT * 2))
    assert report.ratios(one) == [3.0]
    assert one.dropped == 1
    (row,) = report.rows(Report([], [one]))
    assert row.pairs == "1 (1 dropped)"
    assert row.verdict.startswith("void"), "more than a third do not count"


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b"]),
            st.sampled_from(["", "x"]),
            st.lists(st.floats(0, 1e9), max_size=4),
        ),
        max_size=4,
        unique_by=lambda one: one[:2],
    )
)
def test_a_report_is_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, given: list[tuple[str, str, list[float]]]
) -> None:
    path = tmp_path_factory.mktemp("report") / "r.json"
    made = Report([RUN], [comparison(s, p, *((v, None) for v in vs)) for s, p, vs in given])
    made.write(path)
    assert report.read(path) == made


def test_joined_reports_have_all_pairs_with_their_runs() -> None:
    together = sample()
    together.join(sample())
    assert len(together.runs) == 2
    port = together.comparison("core-port-1k", "Mpps", "ovs-dpdk")
    assert [pair.run for pair in port.pairs] == [0, 0, 0, 1, 1, 1]
    other = Report([RUN], [comparison("core-port-1k", "ovs-dpdk", (1, 1), unit="kpps")])
    with pytest.raises(OvsflowError, match="Mpps and in kpps"):
        together.join(other)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 2}', '{"format": 1, "runs": []}'])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "r.json"
    path.write_text(text)
    with pytest.raises(OvsflowError):
        report.read(path)


def test_the_table_tells_marks_missed_and_reached() -> None:
    told = {row.scenario: row for row in report.rows(sample())}
    assert told["core-port-1k"].cells() == (
        "core-port-1k",
        "50.0 Mpps",
        "ovs-dpdk 20.0",
        "2.50x",
        "2.25 to 2.75",
        "3",
        "gate (gate ≥ 1.5x, goal 3)",
    )
    assert told["core-acl-1k"].verdict.startswith("missed")
    assert told["core-acl-100k"].verdict.startswith("goal")
    assert told["idle-cpu"].verdict.startswith("goal (gate ≤ 1 %")
    assert told["rtt-p50"].verdict.startswith("goal (gate ≤ 0.9x")


@pytest.mark.parametrize("target", TARGETS, ids=lambda one: f"{one.scenario}-{one.peer}")
def test_a_goal_lies_beyond_its_gate(target: Target) -> None:
    assert target.verdict(target.goal) == "goal"
    assert target.verdict(target.gate) == "gate"


def test_every_mark_has_its_scenario() -> None:
    from tools.benchmarks.__main__ import HOME

    for target in TARGETS:
        assert target.peer in HOME[target.scenario].peers_of(target.scenario), target


def test_pictures_show_marks_and_curves(tmp_path: Path) -> None:
    bars = {bar.label: bar for bar in plot.bars(sample())}
    assert bars["core-port-1k / ovs-dpdk"].reached.middle == pytest.approx(2.5 / 1.5)
    assert bars["core-acl-1k / ovs-dpdk"].verdict == "missed"
    assert bars["idle-cpu"].reached.middle == bars["idle-cpu"].goal == plot.MOST
    assert bars["rtt-p50 / ovs"].reached.middle == pytest.approx(0.9 / 0.5)
    (curve,) = plot.curves(sample())
    assert (curve.name, [point[0] for point in curve.points]) == ("core-acl", [1_000, 100_000])
    marks, flows = plot.draw(sample(), tmp_path / "docs")
    for path in (marks, flows):
        assert path.read_text().rstrip().endswith("</svg>")
    assert "core-port-1k" in marks.read_text()
    before = marks.read_bytes()
    plot.draw(sample(), tmp_path / "docs")
    assert marks.read_bytes() == before


def test_the_readme_has_the_table_between_its_marks(tmp_path: Path) -> None:
    made = sample()
    made.comparisons[0].settings = "smc"
    made.comparisons.append(comparison("classbench-1k", "ovs-dpdk"))
    made.comparisons[-1].failure = "it never settles"
    readme = tmp_path / "README.md"
    readme.write_text(f"above\n{publish.BEGIN}\nold\n{publish.END}\nbelow\n")
    for _ in range(2):
        publish.into_readme(made, readme)
        text = readme.read_text()
        assert text.startswith(f"above\n{publish.BEGIN}\n| scenario")
        assert text.endswith(f"{publish.END}\nbelow\n")
        assert "old" not in text
    assert "| ovs-dpdk (smc) 20.0 | 2.50x |" in text
    assert "**missed** (gate ≥ 1.2x" in text
    assert "Gates missed: `core-acl-1k` against ovs-dpdk: 1.00x." in text
    assert "Without a valid figure: `classbench-1k` against ovs-dpdk (it never settles)." in text
    assert "Measured on 2026-01-02: EPYC, 2 cores, Linux 6.18" in text
    assert "2 pairs of rounds of 1 s" in text
    readme.write_text("no marks")
    with pytest.raises(OvsflowError, match="no lines"):
        publish.into_readme(made, readme)


def test_each_scenario_has_a_title() -> None:
    from tools.benchmarks.__main__ import HOME

    assert set(TITLES) == set(HOME)


def test_an_empty_report_has_no_picture(tmp_path: Path) -> None:
    assert plot.draw(Report(), tmp_path) == []
