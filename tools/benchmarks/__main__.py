"""The `tools/bench` command."""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ovsflow.errors import OvsflowError
from ovsflow.testing.lab import termination_as_exit
from tools.benchmarks import core, overlay, overlay_peers
from tools.benchmarks.measure import Comparison, machine, table_rows

console = Console(stderr=True)


def arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        prog="tools/bench",
        description="Measures ovsflow against its peers in interleaved rounds.",
        epilog="example: sudo ./tools/bench --peers ovs,kernel --scenarios tcp-1,udp-64",
    )
    names = ", ".join((*overlay.SCENARIOS, *core.SCENARIOS))
    default = "tcp-1,tcp-4,udp-64,core-port-1k"
    parser.add_argument("--scenarios", default=default, help=f"of: {names}")
    peers = ", ".join(peer for peer in overlay_peers.PEERS if peer != "ovsflow")
    parser.add_argument(
        "--peers", default="ovs,kernel", help=f"of: {peers} (core scenarios have ovs-dpdk only)"
    )
    parser.add_argument("--pairs", type=int, default=7, help="pairs of rounds (7)")
    parser.add_argument("--seconds", type=float, default=4, help="length of a round (4)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to FILE")
    return parser.parse_args()


def chosen(text: str, known: dict[str, object], what: str) -> list[str]:
    """Splits a comma-separated choice and checks it."""
    names = [name for name in text.split(",") if name]
    for name in names:
        if name not in known:
            raise SystemExit(f"no {what} '{name}'; there are: {', '.join(known)}")
    return names


def measured(
    scenarios: list[str],
    peers: list[str],
    options: argparse.Namespace,
    progress: Callable[[str], None],
) -> list[Comparison]:
    """Runs the scenarios of both kinds."""
    results: list[Comparison] = []
    if on_overlay := [name for name in scenarios if name in overlay.SCENARIOS]:
        results += overlay.run(on_overlay, peers, options.pairs, options.seconds, progress)
    if on_core := [name for name in scenarios if name in core.SCENARIOS]:
        results += core.run(on_core, options.pairs, options.seconds, progress)
    return results


def show(results: list[Comparison]) -> None:
    """Prints the table."""
    table = Table("scenario", "ovsflow", "peer", "ratio", "quartiles", "pairs")
    for row in table_rows(results):
        table.add_row(*row)
    Console().print(table)


def main() -> int:
    """Measures and tells."""
    options = arguments()
    known = {**overlay.SCENARIOS, **core.SCENARIOS}
    scenarios = chosen(options.scenarios, known, "scenario")
    peers = chosen(options.peers, dict(overlay_peers.PEERS), "peer")
    try:
        with termination_as_exit(), console.status("starting") as status:
            results = measured(scenarios, peers, options, status.update)
    except OvsflowError as error:
        console.print(f"[red]bench failed:[/] {error}")
        return 1
    except KeyboardInterrupt:
        return 130
    show(results)
    if options.json:
        report = {"machine": machine(), "results": [asdict(result) for result in results]}
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
