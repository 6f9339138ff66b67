"""Both switches side by side, and the judgement of one pipeline."""

import tempfile
from collections import Counter
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

from tests.differential.compare import differences
from tests.differential.left_out import fates_of, without_explained
from tests.differential.outcome import Outcome
from tests.differential.peer import Peer
from tests.differential.pipeline import Pipeline
from tests.differential.subject import Subject
from tests.differential.underlay import WIRES

CACHE = "cache of Open vSwitch"
"""Its answer differs from what it says itself when it forgets each packet."""


class PeerEndedError(Exception):
    """Open vSwitch ended by itself; another one has been started."""


ROUNDS = 6
"""How often packets are left out at most; each time others come to be judged."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What differs and is not explained, a line for each thing, and what is explained by what.

    Attributes:
        differences: Lines.
        explanations: How many packets each explanation left out.
        encapsulated: How many frames were compared that left in tunnels.
    """

    differences: list[str]
    explanations: Counter[str] = field(default_factory=Counter)
    encapsulated: int = 0


class Both:
    """The switch under test and Open vSwitch."""

    def __init__(self, compat: str = "ovs") -> None:
        self.subject = Subject(compat)
        self.stack = ExitStack()

        self._start_peer()

    def close(self) -> None:
        """Ends both."""
        self.stack.close()
        self.subject.datapath.close()

    def _start_peer(self) -> None:
        directory = self.stack.enter_context(tempfile.TemporaryDirectory(prefix="differential"))
        self.peer = self.stack.enter_context(closing(Peer(Path(directory))))

    def differences(self, pipeline: Pipeline) -> list[str]:
        """What differs and is not explained.

        Raises:
            PeerEndedError: Open vSwitch ended.
        """
        return self.judge(pipeline).differences

    def judge(self, pipeline: Pipeline) -> Judgement:
        """What differs, and what explains the rest.

        Raises:
            PeerEndedError: Open vSwitch ended.
        """
        try:
            ours = self.subject.run(pipeline)
            if not differences(ours, self.peer.run(pipeline)):
                return Judgement([], encapsulated=_encapsulated(ours))
            return self._explain(pipeline)
        except OSError as error:
            why = self.peer.last_words()
            self.stack.close()
            self._start_peer()
            if why is None:
                raise
            raise PeerEndedError(why) from error

    def _explain(self, kept: Pipeline) -> Judgement:
        """Leaves out what is explained, until nothing more is."""
        left_out: Counter[str] = Counter()
        for _ in range(ROUNDS):
            ours = self.subject.run(kept, closely=True)
            theirs = self.peer.run(kept, closely=True)
            found = differences(ours, theirs)
            if not found:
                break
            fates = fates_of(self.subject.stories(kept), ours, theirs)
            kept, names = without_explained(kept, fates)
            if not names:
                break
            left_out += names
        if found and not kept.singly:
            cold = Pipeline(kept.steps, singly=True)
            if not differences(ours, self.peer.run(cold)):
                found, left_out = [], left_out + Counter([CACHE])
        return Judgement(found, left_out, _encapsulated(ours))


def _encapsulated(outcome: Outcome) -> int:
    """Frames that left in tunnels."""
    return sum(len(step.sent.get(port, [])) for step in outcome.steps for port in WIRES)
