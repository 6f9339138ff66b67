"""`python -m tests.differential`: runs pipelines on both switches and tells what differs."""

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

from tests.differential.both import Both, PeerEndedError
from tests.differential.generate import random_pipeline
from tests.differential.pipeline import Pipeline, parse_pipeline
from tests.differential.shrink import shrink


def main(words: list[str]) -> int:
    """Runs what the words ask for; 1 if anything differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.differential", description=__doc__)
    parser.add_argument("--pipelines", type=int, default=5000, metavar="N")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first pipeline")
    parser.add_argument("--failures", type=int, default=5, help="stop after so many")
    parser.add_argument("--whole", action="store_true", help="do not make failures smaller")
    parser.add_argument("--compat", choices=("ovs", "spec"), default="ovs")
    parser.add_argument("--file", type=Path, help="run one pipeline that was written down")
    args = parser.parse_args(words)
    with Both(args.compat) as both:
        if args.file:
            found = both.differences(parse_pipeline(args.file.read_text()))
            print("\n".join(found) or "no difference")
            return int(bool(found))
        return _run(args, both)


def _run(args: argparse.Namespace, both: Both) -> int:
    started = time.monotonic()
    totals: Counter[str] = Counter()
    explained: Counter[str] = Counter()
    for seed in range(args.seed, args.seed + args.pipelines):
        pipeline = random_pipeline(seed)
        totals["pipelines"] += 1
        totals["changes"] += sum(len(step.changes) for step in pipeline.steps)
        totals["packets"] += sum(len(step.arrivals) for step in pipeline.steps)
        try:
            judgement = both.judge(pipeline)
            explained.update(judgement.explanations)
            if judgement.differences:
                totals["failures"] += 1
                _report(seed, pipeline if args.whole else smallest(pipeline, both), both)
        except PeerEndedError as error:
            totals["ends"] += 1
            print(f"\n# seed {seed}: Open vSwitch ended: {error}", flush=True)
        if totals["failures"] >= args.failures:
            break
        if sys.stderr.isatty() or totals["pipelines"] % 500 == 0:
            print(_summary(totals, explained, started), file=sys.stderr, flush=True)
    print(_summary(totals, explained, started))
    return int(totals["failures"] > 0 or totals["ends"] > bound(totals["pipelines"]))


def bound(pipelines: int) -> int:
    """How often Open vSwitch may end by itself in so many pipelines."""
    return 2 + pipelines // 150


def smallest(pipeline: Pipeline, both: Both) -> Pipeline:
    """The smallest pipeline found that still differs."""

    def fails(candidate: Pipeline) -> bool:
        try:
            return bool(both.differences(candidate))
        except PeerEndedError:
            return False

    return shrink(pipeline, fails)


def _report(seed: int, pipeline: Pipeline, both: Both) -> None:
    print(f"\n# seed {seed}\n{pipeline}", *both.differences(pipeline), sep="\n", flush=True)


def _summary(totals: Counter[str], explained: Counter[str], started: float) -> str:
    reasons = ", ".join(f"{name} {count}" for name, count in explained.most_common())
    return (
        f"{totals['pipelines']} pipelines, {totals['changes']} changes,"
        f" {totals['packets']} packets: {totals['failures']} pipelines differ;"
        f" explained: {reasons or 'none'}; Open vSwitch ended {totals['ends']} times;"
        f" {time.monotonic() - started:.0f} s"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
