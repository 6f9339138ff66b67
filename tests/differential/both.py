"""Both switches side by side, and the judgement of one pipeline."""

import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.differential.compare import differences
from tests.differential.explained import counts_bytes_alike, without_explained
from tests.differential.peer import Peer
from tests.differential.pipeline import Pipeline
from tests.differential.subject import Subject


class PeerFailedError(Exception):
    """Open vSwitch ended while it ran a pipeline; another one has been started."""


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
        """What differs and is not explained, a line for each thing.

        Raises:
            PeerFailedError: Open vSwitch ended.
        """
        try:
            if not differences(self.subject.run(pipeline), self.peer.run(pipeline)):
                return []
            kept = without_explained(pipeline, self.subject)
            ours, theirs = self.subject.run(kept), self.peer.run(kept)
            return differences(ours, theirs, counts_bytes_alike(kept))
        except OSError as error:
            self.stack.close()
            self._start_peer()
            raise PeerFailedError(str(error)) from error
