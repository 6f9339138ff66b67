"""A run of the benchmark over scenarios that cost nothing: rounds, voids, and taking up again."""

import argparse
import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from ovsflow.errors import HostError
from tools.benchmarks import __main__ as bench
from tools.benchmarks import measure, report
from tools.benchmarks.measure import OURS, Contest, Key, Measure, Plan, Progress
from tools.benchmarks.report import Report, Run

KEYS: tuple[Key, ...] = (("tcp-1", "ovs"), ("tcp-1", "kernel"))
RUN: Run = {"machine": {}, "date": "", "settings": {}}


@pytest.fixture(autouse=True)
def _nothing_is_stolen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy hypervisor decides no test."""
    monkeypatch.setattr(measure, "stolen", lambda: 0.0)


def options(path: Path, pairs: int) -> argparse.Namespace:
    return argparse.Namespace(json=path, pairs=pairs, seconds=1.0)


def plan(ours: Measure, *, most: int = 100, opened: list[bool] | None = None) -> Plan:
    """Both comparisons of one scenario, the peers at half and at a quarter of a unit."""

    @contextlib.contextmanager
    def contest(_: Progress) -> Iterator[Contest]:
        states = opened if opened is not None else []
        states.append(True)
        try:
            sides: Mapping[str, Measure] = {
                OURS: ours,
                "ovs": lambda: {"tcp-1": 0.5},
                "kernel": lambda: {"tcp-1": 0.25},
            }
            yield Contest({"tcp-1": "Gbit/s"}, sides, most, {"ovs": "fast"})
        finally:
            states.append(False)

    return Plan(KEYS, contest)


def fine() -> Mapping[str, float]:
    return {"tcp-1": 1.0}


def wrong() -> Mapping[str, float]:
    raise HostError("7 packets are lost without account\nand more of it")


def test_each_round_gives_a_pair_to_each_peer_and_is_saved(tmp_path: Path) -> None:
    results, path = Report([RUN]), tmp_path / "r.json"
    opened: list[bool] = []
    bench.carry_out(plan(fine, opened=opened), options(path, 3), results, print)
    assert opened == [True, False]
    assert [one.key for one in results.comparisons] == list(KEYS)
    assert [report.ratios(one) for one in results.comparisons] == [[2.0] * 3, [4.0] * 3]
    assert [one.settings for one in results.comparisons] == ["fast", ""]
    assert report.read(path) == results
    bench.carry_out(plan(fine), options(path, 5), results, print)
    assert [len(one.pairs) for one in results.comparisons] == [5, 5], "the rest was measured"
    bench.carry_out(plan(fine, most=4), options(path, 9), results, print)
    assert [len(one.pairs) for one in results.comparisons] == [5, 5], "more would tell nothing"


def test_what_goes_wrong_voids_its_scenario_and_no_other(tmp_path: Path) -> None:
    results, path = Report([RUN]), tmp_path / "r.json"
    bench.carry_out(plan(fine), options(path, 1), results, print)
    opened: list[bool] = []
    bench.carry_out(plan(wrong, opened=opened), options(path, 3), results, print)
    assert opened == [True, False]
    for one in report.read(path).comparisons:
        assert (one.pairs, one.failure) == ([], "7 packets are lost without account")
    assert {row.verdict for row in report.rows(results)} == {
        "void: 7 packets are lost without account"
    }
    bench.carry_out(plan(fine), options(path, 2), results, print)
    assert [(len(one.pairs), one.failure) for one in results.comparisons] == [(2, "")] * 2


def test_pairs_that_do_not_count_are_measured_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each look at the clock of stolen time finds a second more, up to some point.
    looks = iter(range(100))
    monkeypatch.setattr(measure, "stolen", lambda: float(min(next(looks), 2)))
    results = Report([RUN])
    bench.carry_out(plan(fine), options(tmp_path / "r.json", 4), results, print)
    for one in results.comparisons:
        assert (len(one.good), one.dropped, one.void) == (4, 1, False)
    looks = iter(range(100))
    monkeypatch.setattr(measure, "stolen", lambda: float(next(looks)))
    results = Report([RUN])
    bench.carry_out(plan(fine), options(tmp_path / "r.json", 4), results, print)
    assert [(len(one.pairs), one.void) for one in results.comparisons] == [(6, True)] * 2


def test_a_choice_is_checked() -> None:
    assert bench.chosen("", ["a", "b"], "peer") == ["a", "b"]
    assert bench.chosen("b,", ["a", "b"], "peer") == ["b"]
    with pytest.raises(SystemExit, match="no peer 'c'; there are: a, b"):
        bench.chosen("a,c", ["a", "b"], "peer")


def test_every_scenario_is_in_one_plan_of_its_family() -> None:
    for family in bench.FAMILIES:
        keys = [(name, peer) for name in family.SCENARIOS for peer in family.peers_of(name)]
        planned = [key for one in family.plans(keys, 1.0) for key in one.keys]
        assert sorted(planned) == sorted(keys)
        (alone,) = family.plans(keys[:1], 1.0)
        assert alone.keys == (keys[0],)
