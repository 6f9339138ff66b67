"""What a second worker brings: one switch with two of them, which both work or one alone, by turns.

Each worker replays the same trace from memory into one table and to one port, so all that they
share is what a switch's workers share: rules, ports, the processor's memory.  The second one's
core is the machine's other one, where the control thread runs, and who counts.
"""

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ovsflow.testing.lab import Lab
from tools.benchmarks import traces
from tools.benchmarks.core import PREFIX
from tools.benchmarks.core_peers import WARM_SECONDS, Core, Ovsflow, Place, Shape, awake
from tools.benchmarks.measure import OURS, Contest, Key, Plan, Progress

ONE_WORKER = "one-worker"
#: A port is received from by the worker of its number, modulo two.
SECOND = 4
FLOWS = 1_000


@contextlib.contextmanager
def both(core: Core, capture: Path) -> Iterator[None]:
    """Gives the second worker something to do while the block lasts."""
    first = core.arrives
    port = f"in{SECOND}={SECOND}:pcap,file={capture},loop=true"
    core.node.ovsflow("port", "add", "br0", port)
    core.arrives = Place(first.socket, (*first.ports, SECOND))
    try:
        yield
    finally:
        core.arrives = first
        core.node.ovsflow("port", "del", "br0", f"in{SECOND}")


SCENARIOS = {"scaling-2": "Mpps"}


def peers_of(_: str) -> tuple[str, ...]:
    """Whom a scenario compares with."""
    return (ONE_WORKER,)


def plans(wanted: Sequence[Key], seconds: float) -> list[Plan]:
    """One plan, its rounds half as long."""
    return [Plan((key,), lambda progress: contest(seconds / 2, progress)) for key in wanted]


@contextlib.contextmanager
def contest(seconds: float, progress: Progress) -> Iterator[Contest]:
    """A warm switch, stopped between the turns of one worker and of two."""
    with Lab() as lab, Lab() as files:
        capture = files.directory / "trace.pcap"
        traces.write_pcap(capture, traces.flow_frames(FLOWS))
        core = Ovsflow(lab, Shape.PLAIN, workers=2)

        def two() -> Mapping[str, float]:
            with core.awake(), both(core, capture):
                time.sleep(WARM_SECONDS)
                return {"scaling-2": core.rate(seconds)}

        with awake({OURS: core}):
            core.set_flows((f"{PREFIX},actions=output:2",))
            core.open(capture)
            core.settle(progress)
            core.stop()
            yield Contest(
                SCENARIOS, {OURS: two, ONE_WORKER: lambda: {"scaling-2": core.turn(seconds)}}
            )
