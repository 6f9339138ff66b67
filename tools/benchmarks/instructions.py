"""Instructions per packet: the same traces every time, counted by valgrind's callgrind.

Unlike a speed, the count hardly depends on the machine or on who else uses it, so it shows a change
of a hundredth.  It knows nothing of waiting for memory: a trend to compare, not a speed.
The program is run for N and for 2N packets, and the difference counts.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ovsflow.errors import HostError, OvsflowError

BASELINE = Path("docs/bench/instructions.json")
PROGRAM = Path("target/release/examples/instructions")
PACKETS = 32_000


def build() -> None:
    """Builds the program that runs the traces."""
    cargo = ("cargo", "build", "--release", "--quiet", "-p", "ovsflow-datapath")
    subprocess.run([*cargo, "--example", "instructions"], check=True)


def traces() -> list[str]:
    """The names of the traces."""
    done = subprocess.run([PROGRAM], check=True, capture_output=True, text=True)
    return done.stdout.split()


def executed(trace: str, packets: int) -> int:
    """Instructions that a run of so many packets takes."""
    done = subprocess.run(
        [
            *("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"),
            *(str(PROGRAM), trace, str(packets)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"Collected\s*:\s*(\d+)", done.stderr)
    if done.returncode or found is None:
        raise HostError(f"valgrind ended with {done.returncode}:\n{done.stderr}")
    return int(found[1])


def per_packet(trace: str) -> float:
    """Instructions for each packet of a trace."""
    return (executed(trace, 2 * PACKETS) - executed(trace, PACKETS)) / PACKETS


def difference(now: float, before: float | None) -> str:
    """How a figure stands to an older one."""
    return "" if not before else f"{(now / before - 1) * 100:+.1f} %"


def read_baseline(path: Path) -> dict[str, float]:
    """The figures that were kept last; none if there are none."""
    if not path.exists():
        return {}
    try:
        figures = json.loads(path.read_text())["instructions_per_packet"]
        return {str(name): float(value) for name, value in figures.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise OvsflowError(f"{path}: no figures of tools/callgrind: {error}") from error


def write_baseline(path: Path, figures: dict[str, float]) -> None:
    """Keeps figures."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rounded = {name: round(value, 1) for name, value in figures.items()}
    path.write_text(json.dumps({"instructions_per_packet": rounded}, indent=1) + "\n")


def main() -> int:
    """Counts and compares."""
    parser = argparse.ArgumentParser(prog="tools/callgrind", description=__doc__)
    parser.add_argument("--save", action="store_true", help=f"keep the figures in {BASELINE}")
    options = parser.parse_args()
    if shutil.which("valgrind") is None:
        print("missing: valgrind; install it with: sudo apt-get install valgrind", file=sys.stderr)
        return 1
    try:
        before = read_baseline(BASELINE)
        build()
        figures = {trace: per_packet(trace) for trace in traces()}
    except OvsflowError as error:
        print(f"callgrind failed: {error}", file=sys.stderr)
        return 1
    table = Table("trace", "instructions per packet", "before", "difference")
    for name, now in figures.items():
        old = before.get(name)
        table.add_row(name, f"{now:.1f}", f"{old:.1f}" if old else "", difference(now, old))
    Console().print(table)
    if options.save:
        write_baseline(BASELINE, figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
