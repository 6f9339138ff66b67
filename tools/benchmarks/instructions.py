"""Instructions per packet: the same traces every time, counted by valgrind's callgrind.

Unlike a speed, the count hardly depends on the machine or on who else uses it, so it shows a change
of a hundredth.  It knows nothing of waiting for memory: a trend to compare, not a speed.
The program is run for N and for 2N batches, and the difference counts.
"""

import argparse
import datetime
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ovsflow.errors import HostError, OvsflowError

COUNTS = Path("docs/bench/instructions.json")
PROGRAM = Path("target/release/examples/memory")
BATCHES = 500

# Those of the program's scenarios that are small enough to be counted.
TRACES = (
    "port-1k",
    "prefix-1",
    "prefix-1k",
    "rewrite-1k",
    "acl-1k",
    "tuple-1k",
    "encap-1k",
    "decap-1k",
    "first-packets",
)


@dataclass(frozen=True)
class Count:
    """What was counted once.

    Attributes:
        commit: The newest commit that was in it, short.
        date: The day.
        figures: Instructions per packet of each trace.
    """

    commit: str
    date: str
    figures: Mapping[str, float]


def build() -> None:
    """Builds the program that runs the traces."""
    cargo = ("cargo", "build", "--release", "--quiet", "-p", "ovsflow-datapath")
    subprocess.run([*cargo, "--example", PROGRAM.name], check=True)


def executed(trace: str, batches: int) -> tuple[int, int]:
    """Instructions that a run of so many batches takes, and the packets in them."""
    done = subprocess.run(
        [
            *("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"),
            *(str(PROGRAM), trace, "--batches", str(batches)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"Collected\s*:\s*(\d+)", done.stderr)
    packets = re.search(r"(\d+) packets", done.stdout)
    if done.returncode or found is None or packets is None:
        raise HostError(f"valgrind ended with {done.returncode}:\n{done.stderr}")
    return int(found[1]), int(packets[1])


def per_packet(trace: str) -> float:
    """Instructions for each packet of a trace."""
    (more, packets), (less, fewer) = executed(trace, 2 * BATCHES), executed(trace, BATCHES)
    return (more - less) / (packets - fewer)


def difference(now: float, before: float | None) -> str:
    """How a figure stands to an older one."""
    return "" if not before else f"{(now / before - 1) * 100:+.1f} %"


def read_counts(path: Path) -> list[Count]:
    """What was counted so far, oldest first.

    Raises:
        OvsflowError: The file holds something else.
    """
    if not path.exists():
        return []
    try:
        return [
            Count(
                str(one["commit"]),
                str(one["date"]),
                {str(k): float(v) for k, v in one["instructions_per_packet"].items()},
            )
            for one in json.loads(path.read_text())["counts"]
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise OvsflowError(f"{path}: no figures of tools/callgrind: {error}") from error


def write_counts(path: Path, counts: Sequence[Count]) -> None:
    """Keeps counts."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        {
            "commit": one.commit,
            "date": one.date,
            "instructions_per_packet": {k: round(v, 1) for k, v in one.figures.items()},
        }
        for one in counts
    ]
    path.write_text(json.dumps({"counts": rows}, indent=1) + "\n")


def show(counts: Sequence[Count], last: int) -> None:
    """Prints the newest counts side by side, and how the last two differ."""
    shown = counts[-last:]
    table = Table("trace", *(f"{one.commit}\n{one.date}" for one in shown), "difference")
    for trace, now in shown[-1].figures.items():
        olds = [one.figures.get(trace) for one in shown[:-1]]
        cells = ["" if old is None else f"{old:.1f}" for old in olds]
        table.add_row(trace, *cells, f"{now:.1f}", difference(now, olds[-1] if olds else None))
    Console().print(table)


def present() -> tuple[str, str]:
    """The commit that is checked out, short, with + if it was changed; and the day."""
    git = ("git", "describe", "--always", "--exclude=*", "--dirty=+")
    done = subprocess.run(git, check=False, capture_output=True, text=True)
    return done.stdout.strip() or "unknown", datetime.datetime.now(datetime.UTC).date().isoformat()


def main() -> int:
    """Counts and compares."""
    parser = argparse.ArgumentParser(prog="tools/callgrind", description=__doc__)
    parser.add_argument("--save", action="store_true", help=f"keep the figures in {COUNTS}")
    parser.add_argument(
        "--last", type=int, default=4, metavar="N", help="counts to show (%(default)s)"
    )
    parser.add_argument("--show", action="store_true", help="count nothing, show what was kept")
    parser.add_argument("trace", nargs="*", help="traces to count (all)")
    options = parser.parse_args()
    if shutil.which("valgrind") is None:
        print("missing: valgrind; install it with: sudo apt-get install valgrind", file=sys.stderr)
        return 1
    try:
        counts = read_counts(COUNTS)
        if not options.show:
            build()
            traces = options.trace or TRACES
            figures = {trace: per_packet(trace) for trace in traces}
            counts.append(Count(*present(), figures))
    except OvsflowError as error:
        print(f"callgrind failed: {error}", file=sys.stderr)
        return 1
    if counts:
        show(counts, max(1, options.last))
    if options.save:
        write_counts(COUNTS, counts)
    return 0


if __name__ == "__main__":
    sys.exit(main())
