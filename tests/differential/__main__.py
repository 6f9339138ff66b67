"""`python -m tests.differential`: runs pipelines on both switches and tells what differs."""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from tests.differential.both import Both, Judgement, PeerEndedError
from tests.differential.generate import random_pipeline
from tests.differential.pipeline import Pipeline, parse_pipeline
from tests.differential.shrink import shrink
from tests.differential.underlay import TUNNEL


def main(words: list[str]) -> int:
    """Runs what the words ask for; 1 if anything differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.differential", description=__doc__)
    parser.add_argument("--pipelines", type=int, default=5000, metavar="N")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first pipeline")
    parser.add_argument("--failures", type=int, default=5, help="stop after so many")
    parser.add_argument("--tunnels", action="store_true", help="every pipeline is about tunnels")
    parser.add_argument("--whole", action="store_true", help="do not make failures smaller")
    parser.add_argument("--compat", choices=("ovs", "spec"), default="ovs")
    parser.add_argument("--file", type=Path, help="run one pipeline that was written down")
    args = parser.parse_args(words)
    with closing(Both(args.compat)) as both:
        if args.file:
            found = both.differences(parse_pipeline(args.file.read_text()))
            print("\n".join(found) or "no difference")
            return int(bool(found))
        return _run(args, both)


@dataclass(slots=True)
class Totals:
    """What was run, and what came of it.

    Attributes:
        counts: Of pipelines, changes, packets and so on, by their names.
        packets: How many packets each explanation left out.
        pipelines: In how many pipelines it did.
    """

    counts: Counter[str] = field(default_factory=Counter)
    packets: Counter[str] = field(default_factory=Counter)
    pipelines: Counter[str] = field(default_factory=Counter)

    def add(self, pipeline: Pipeline) -> None:
        """Counts a pipeline."""
        arrivals = [one for step in pipeline.steps for one in step.arrivals]
        tunnelled = sum(one.port == TUNNEL for one in arrivals)
        self.counts["pipelines"] += 1
        self.counts["tunnels"] += tunnelled > 0
        self.counts["changes"] += sum(len(step.changes) for step in pipeline.steps)
        self.counts["packets"] += len(arrivals)
        self.counts["datagrams"] += tunnelled

    def judge(self, judgement: Judgement) -> None:
        """Counts what was found."""
        self.packets.update(judgement.explanations)
        self.pipelines.update(judgement.explanations.keys())
        self.counts["left out"] += judgement.explanations.total()
        self.counts["with left out"] += bool(judgement.explanations)
        self.counts["encapsulated"] += judgement.encapsulated
        self.counts["failures"] += bool(judgement.differences)

    def lines(self, seconds: float) -> Iterator[str]:
        """The totals, and a line for each explanation."""
        counts = self.counts
        yield (
            f"{counts['pipelines']} pipelines ({counts['tunnels']} with tunnels),"
            f" {counts['changes']} changes, {counts['packets']} packets"
            f" ({counts['datagrams']} arrived in tunnels, {counts['encapsulated']} frames left"
            f" in tunnels): {counts['failures']} pipelines differ without explanation;"
            f" Open vSwitch ended {counts['ends']} times; {seconds:.0f} s"
        )
        yield self._share("left out", counts["left out"], counts["with left out"])
        for name, count in self.packets.most_common():
            yield self._share(f"  {name}", count, self.pipelines[name])

    def _share(self, what: str, packets: int, pipelines: int) -> str:
        in_packets = packets / max(1, self.counts["packets"])
        in_pipelines = pipelines / max(1, self.counts["pipelines"])
        return (
            f"{what}: {packets} packets ({in_packets:.3%}) of {pipelines} pipelines"
            f" ({in_pipelines:.2%})"
        )


def _run(args: argparse.Namespace, both: Both) -> int:
    started = time.monotonic()
    totals = Totals()
    counts = totals.counts
    for seed in range(args.seed, args.seed + args.pipelines):
        pipeline = random_pipeline(seed, tunnels=args.tunnels)
        totals.add(pipeline)
        try:
            judgement = both.judge(pipeline)
            totals.judge(judgement)
            if judgement.differences:
                _report(seed, pipeline if args.whole else smallest(pipeline, both), both)
        except PeerEndedError as error:
            counts["ends"] += 1
            print(f"\n# seed {seed}: Open vSwitch ended: {error}", flush=True)
        if counts["failures"] >= args.failures:
            break
        if sys.stderr.isatty() or counts["pipelines"] % 500 == 0:
            print(*totals.lines(time.monotonic() - started), sep="\n", file=sys.stderr, flush=True)
    print(*totals.lines(time.monotonic() - started), sep="\n")
    return int(counts["failures"] > 0 or counts["ends"] > bound(counts["pipelines"]))


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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
