"""What a second worker brings: two that each have a core, beside one that has a core.

Each worker replays the same trace from memory into one table and to one port, so all that they
share is what a switch's workers share: rules, ports, the processor's memory.  The second one's
core is the machine's other one, where the control thread runs, and who counts.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ovsflow.testing.lab import Lab
from tools.benchmarks import traces
from tools.benchmarks.core import PREFIX
from tools.benchmarks.core_peers import Core, Ovsflow, Place, Shape, awake
from tools.benchmarks.measure import OURS, Contest, Key, Measure, Plan, Progress

ONE_WORKER = "one-worker"
#: A port is received from by the worker of its number, modulo two.
SECOND = 4
FLOWS = 1_000


class TwoWorkers(Ovsflow):
    """Ovsflow with two workers, and something to do for each."""

    def __init__(self, lab: Lab) -> None:
        """Starts it, without ports."""
        super().__init__(lab, Shape.PLAIN, workers=2)
        self.arrives = Place(self.arrives.socket, (*self.arrives.ports, SECOND))

    def open(self, capture: Path, record: Path | None = None) -> None:
        """Opens the ports."""
        super().open(capture, record)
        self.node.ovsflow(
            "port", "add", "br0", f"in{SECOND}={SECOND}:pcap,file={capture},loop=true"
        )


SCENARIOS = {"scaling-2": "Mpps"}


def peers_of(_: str) -> tuple[str, ...]:
    """Whom a scenario compares with."""
    return (ONE_WORKER,)


def plans(wanted: Sequence[Key], seconds: float) -> list[Plan]:
    """One plan, its rounds half as long."""
    return [Plan((key,), lambda progress: contest(seconds / 2, progress)) for key in wanted]


@contextlib.contextmanager
def contest(seconds: float, progress: Progress) -> Iterator[Contest]:
    """Both switches, warm, each stopped until its turn."""
    with Lab() as two, Lab() as one, Lab() as files:
        capture = files.directory / "trace.pcap"
        traces.write_pcap(capture, traces.flow_frames(FLOWS))
        sides: Mapping[str, Core] = {OURS: TwoWorkers(two), ONE_WORKER: Ovsflow(one, Shape.PLAIN)}

        def measure(core: Core) -> Measure:
            return lambda: {"scaling-2": core.turn(seconds)}

        with awake(sides):
            for side, core in sides.items():
                core.set_flows((f"{PREFIX},actions=output:2",))
                core.open(capture)
                progress(f"scaling-2: warming up {side}")
                core.settle(progress)
                core.stop()
            yield Contest(SCENARIOS, {side: measure(core) for side, core in sides.items()})
