"""Makes a failing pipeline small: drops steps, packets, changes, as long as it still fails."""

from collections.abc import Callable
from copy import copy

from tests.differential.pipeline import Arrival, Change, Pipeline, Step

TRIES = 600


def shrink(pipeline: Pipeline, fails: Callable[[Pipeline], bool]) -> Pipeline:
    """The smallest pipeline that was found to fail still."""
    # Copies, since a step may hold one packet twice.
    flat: list[tuple[int, Change | Arrival]] = []
    for number, step in enumerate(pipeline.steps):
        flat += [(number, copy(item)) for item in step.changes]
        flat += [(number, copy(item)) for item in step.arrivals]
    tries = TRIES
    size = max(1, len(flat) // 2)
    while tries > 0:
        at, smaller = 0, False
        while at < len(flat) and tries > 0:
            candidate = flat[:at] + flat[at + size :]
            tries -= 1
            if fails(_assemble(candidate, pipeline)):
                flat, smaller = candidate, True
            else:
                at += size
        if size == 1 and not smaller:
            break
        size = max(1, size // 2)
    return _assemble(flat, pipeline)


def _assemble(flat: list[tuple[int, Change | Arrival]], pipeline: Pipeline) -> Pipeline:
    """Puts the pieces back into steps; steps without pieces are gone."""
    steps = [Step() for _ in pipeline.steps]
    for number, item in flat:
        if isinstance(item, Change):
            steps[number].changes.append(item)
        else:
            steps[number].arrivals.append(item)
    return Pipeline([one for one in steps if one.changes or one.arrivals], pipeline.singly)
