"""Which packets of a pipeline are left out of the comparison, and why."""

from collections import Counter

from tests.differential.compare import happened_differences
from tests.differential.explained import EXPLANATIONS, Fate
from tests.differential.outcome import Happened, Outcome
from tests.differential.pipeline import Pipeline, Step
from tests.differential.story import Story


def fates_of(stories: list[list[Story]], ours: Outcome, theirs: Outcome) -> list[list[Fate]]:
    """The fate of each packet of each step, of runs that looked at each packet by itself."""
    steps = zip(stories, ours.steps, theirs.steps, strict=True)
    return [
        [Fate(*one) for one in zip(told, mine.emitted, other.emitted, strict=True)]
        for told, mine, other in steps
    ]


def without_explained(pipeline: Pipeline, fates: list[list[Fate]]) -> tuple[Pipeline, Counter[str]]:
    """The pipeline without the packets whose difference is explained, and what explained how many.

    If what was done with every packet is the same, those are left out that tables count otherwise.
    """
    differ = [[_differs(fate) for fate in step] for step in fates]
    in_tables = not any(map(any, differ))
    names: Counter[str] = Counter()
    steps = []
    for step, marks, known in zip(pipeline.steps, differ, fates, strict=True):
        arrivals = []
        for fate, differs in zip(known, marks, strict=True):
            name = _explanation(fate, in_tables) if differs or in_tables else None
            if name is None:
                arrivals.append(fate.story.arrival)
            else:
                names[name] += 1
        steps.append(Step(step.changes, arrivals))
    return Pipeline(steps, pipeline.singly), names


def _explanation(fate: Fate, in_tables: bool) -> str | None:
    fitting = (one for one in EXPLANATIONS if (one.in_tables if in_tables else one.sent))
    return next((one.name for one in fitting if one.explains(fate)), None)


def _differs(fate: Fate) -> bool:
    ours, theirs = Happened(emitted=[fate.ours]), Happened(emitted=[fate.theirs])
    return any(True for _ in happened_differences(ours, theirs))
