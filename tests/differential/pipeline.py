"""What both switches are given: steps of table changes, each followed by packets.

A pipeline has a text form that a person can read and a test can keep.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby

from ovsflow.openflow.codec import encode
from ovsflow.openflow.constants import MeterModCommand, Version
from ovsflow.openflow.text.parse import parse_flow, parse_group, parse_meter
from ovsflow.openflow.wire import Body

VERSIONS = {"1.0": Version.OF10, "1.3": Version.OF13, "1.4": Version.OF14, "1.5": Version.OF15}
METER_COMMANDS = {
    "add": MeterModCommand.ADD,
    "modify": MeterModCommand.MODIFY,
    "delete": MeterModCommand.DELETE,
}
NAMES = {int(version): name for name, version in VERSIONS.items()}


@dataclass(frozen=True, slots=True)
class Change:
    """A FLOW_MOD, GROUP_MOD or METER_MOD, in the words of `ovs-ofctl`, sent in `version`.

    Attributes:
        version: Wire version.
        kind: `flow`, `group` or `meter`.
        text: The line, with the command's word in front (`add`, `modify_strict`, ...).
        bundle: Neighbours with the same number are one bundle; 0 for none.
    """

    version: int
    kind: str
    text: str
    bundle: int = 0

    def body(self) -> Body:
        """The message."""
        version = Version(self.version)
        if self.kind == "flow":
            flow = parse_flow(self.text, None, version)
            return replace(flow, table_in_command=True) if version == Version.OF10 else flow
        if self.kind == "group":
            return parse_group(self.text, None, version)
        word, _, rest = self.text.partition(" ")
        return parse_meter(rest, METER_COMMANDS[word])

    def is_loose(self) -> bool:
        """Whether it changes all flows that its match covers."""
        return self.kind == "flow" and self.text.partition(" ")[0] in ("modify", "delete")

    def message(self, xid: int) -> bytes:
        """The message's bytes."""
        return encode(self.body(), self.version, xid)

    def __str__(self) -> str:
        bundle = f"@{self.bundle}" if self.bundle else ""
        return f"{self.kind}{bundle} {NAMES[self.version]} {self.text}"


def runs(changes: list[Change]) -> Iterator[tuple[Version, int, list[tuple[int, Change]]]]:
    """The changes in runs of one version and bundle: those two numbers, and each with its place."""

    def alike(pair: tuple[int, Change]) -> tuple[int, int]:
        return pair[1].version, pair[1].bundle

    for (version, bundle), run in groupby(enumerate(changes), key=alike):
        yield Version(version), bundle, list(run)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A frame that arrives at a port."""

    port: int
    frame: bytes

    def __str__(self) -> str:
        return f"packet {self.port} {self.frame.hex()}"


@dataclass(slots=True)
class Step:
    """Changes, then packets."""

    changes: list[Change] = field(default_factory=list)
    arrivals: list[Arrival] = field(default_factory=list)


@dataclass(slots=True)
class Pipeline:
    """A whole case.

    `singly` has Open vSwitch forget its cached flows after each packet, for pipelines whose
    packets change the tables.
    """

    steps: list[Step] = field(default_factory=list)
    singly: bool = False

    def lines(self) -> Iterator[str]:
        """The text form."""
        if self.singly:
            yield "singly"
        for step in self.steps:
            yield "step"
            yield from map(str, step.changes)
            yield from map(str, step.arrivals)

    def __str__(self) -> str:
        return "\n".join(self.lines())


def parse_pipeline(text: str) -> Pipeline:
    """Reads the text form; lines that begin with `#` are remarks."""
    pipeline = Pipeline()
    for line in text.splitlines():
        word, _, rest = line.partition(" ")
        if word == "singly":
            pipeline.singly = True
        elif word == "step":
            pipeline.steps.append(Step())
        elif (kind := word.partition("@"))[0] in ("flow", "group", "meter"):
            version, _, words = rest.partition(" ")
            change = Change(VERSIONS[version], kind[0], words, int(kind[2] or 0))
            pipeline.steps[-1].changes.append(change)
        elif word == "packet":
            port, _, frame = rest.partition(" ")
            pipeline.steps[-1].arrivals.append(Arrival(int(port), bytes.fromhex(frame)))
        elif word and not word.startswith("#"):
            raise ValueError(f"pipeline line {line!r}")
    return pipeline
