"""Both switches side by side, and the judgement of one pipeline."""

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.differential.compare import differences
from tests.differential.explained import without_explained
from tests.differential.peer import Peer
from tests.differential.pipeline import Pipeline
from tests.differential.subject import Subject

CACHE = "cache of Open vSwitch"
"""Its answer differs from what it says itself when it forgets each packet."""


class PeerEndedError(Exception):
    """Open vSwitch ended by an assertion of its own; another one has been started."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What differs and is not explained, a line for each thing, and what is explained by what."""

    differences: list[str]
    explanations: list[str] = field(default_factory=list)


class Both:
    """The switch under test and Open vSwitch."""

    def __init__(self, compat: str = "ovs") -> None:
        self.subject = Subject(compat)
        self.stack = ExitStack()

    def __enter__(self) -> Self:
        self._start_peer()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stack.close()
        self.subject.datapath.close()

    def _start_peer(self) -> None:
        directory = self.stack.enter_context(tempfile.TemporaryDirectory(prefix="differential"))
        self.peer = self.stack.enter_context(Peer(Path(directory)))

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
            if not differences(self.subject.run(pipeline), self.peer.run(pipeline)):
                return Judgement([])
            kept, names = without_explained(pipeline, self.subject)
            ours = self.subject.run(kept, closely=True)
            found = differences(ours, self.peer.run(kept))
            if found and not kept.singly:
                cold = Pipeline(kept.steps, singly=True)
                if not differences(ours, self.peer.run(cold)):
                    return Judgement([], [*names, CACHE])
            return Judgement(found, names)
        except OSError as error:
            why = self.peer.last_words()
            self.stack.close()
            self._start_peer()
            if why is None:
                raise
            raise PeerEndedError(why) from error
