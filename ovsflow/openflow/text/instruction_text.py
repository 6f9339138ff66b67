"""Instructions as text: they follow the actions, in the order in which a switch runs them."""

from dataclasses import dataclass, field, replace

from ovsflow.openflow import actions as model
from ovsflow.openflow.actions import Action
from ovsflow.openflow.constants import Version
from ovsflow.openflow.instructions import Instructions
from ovsflow.openflow.text.action_parse import DROP_ALONE, ActionParser, check_conjunctions
from ovsflow.openflow.text.action_render import ActionRenderer
from ovsflow.openflow.text.names import parse_table, render_table
from ovsflow.openflow.text.scan import Pair, Piece, bad, pairs
from ovsflow.openflow.text.values import show_hex, wide

ORDER = ("meter", "apply_actions", "clear_actions", "write_actions", "write_metadata", "goto_table")
"""The instructions as they run, and as they must be written."""

_ALL_ONES = (1 << 64) - 1


@dataclass
class _Reading:
    """What has been read so far of one line of actions."""

    actions: list[Action] = field(default_factory=list)
    done: Instructions = field(default_factory=Instructions)
    last: int = -1
    dropped: Piece | None = None

    def step(self, pair: Pair, version: int) -> str:
        """Which instruction a word belongs to; checks that it may stand here."""
        name = pair.name.lower()
        if name not in ORDER or (name == "meter" and version >= Version.OF15):
            name = "apply_actions"
        place = ORDER.index(name)
        compatibility = "for OpenFlow 1.1+ compatibility"
        if place == self.last and name != "apply_actions":
            message = f"duplicate {name} instruction not allowed, {compatibility}"
            raise bad(pair.key, message)
        if place < self.last:
            later = ORDER[self.last]
            message = f"{name} must appear before {later}, {compatibility}"
            raise bad(pair.key, f"invalid instruction ordering: {message}")
        self.last = place
        return name


def parse_instruction_list(piece: Piece, parser: ActionParser) -> Instructions:
    """Reads actions and the instructions behind them."""
    reading = _Reading()
    for pair in pairs(piece):
        if pair.name.lower() == "drop":
            reading.dropped = pair.key
            continue
        if pair.name.lower() == "apply_actions":
            raise bad(pair.key, "apply_actions is the default instruction")
        _read(reading, pair, parser)
    if reading.dropped is not None and reading.last >= 0:
        raise bad(reading.dropped, DROP_ALONE)
    check_conjunctions(piece, reading.actions)
    return replace(reading.done, apply=tuple(reading.actions))


def _read(reading: _Reading, pair: Pair, parser: ActionParser) -> None:
    name = reading.step(pair, parser.version)
    old = parser.version == Version.OF10
    done = reading.done
    if name == "apply_actions":
        reading.actions += parser.one(pair)
    elif name == "goto_table":
        table = parse_table(pair.value, parser.names)
        if old:
            reading.actions.append(model.Resubmit(None, table))
        else:
            reading.done = replace(done, goto=table)
    elif name == "write_metadata":
        value, mask = pair.value.partition("/")
        bits = _ALL_ONES if mask is None else wide(mask, 64)
        reading.done = replace(done, metadata=(wide(value, 64), bits))
    elif old:
        raise bad(pair.key, f"{name} needs a later version of OpenFlow than 1.0")
    elif name == "meter":
        reading.done = replace(done, meter=wide(pair.value, 32))
    elif name == "clear_actions":
        reading.done = replace(done, clear=True)
    else:
        reading.done = replace(done, write=parser.nested(pair.value, "write_actions"))


def instruction_words(instructions: Instructions, renderer: ActionRenderer) -> str:
    """Instructions as text; none at all is `drop`."""
    paint = renderer.paint
    words = []
    if instructions.meter is not None:
        words.append(paint.param("meter:") + str(instructions.meter))
    actions = instructions.apply
    jump: tuple[Action, ...] = ()
    if renderer.version == Version.OF10 and instructions.metadata is not None and actions:
        # OpenFlow 1.0's goto_table is a resubmit; what is written goes before it.
        last = actions[-1]
        if isinstance(last, model.Resubmit) and last.in_port is None:
            actions, jump = actions[:-1], (last,)
    words += [renderer.one(action) for action in actions]
    if instructions.clear:
        words.append(paint.value("clear_actions"))
    if instructions.write:
        inner = renderer.list(instructions.write)
        words.append(paint.paren("write_actions(") + inner + paint.paren(")"))
    if instructions.metadata is not None:
        value, mask = instructions.metadata
        text = show_hex(value) if mask == _ALL_ONES else f"{show_hex(value)}/{show_hex(mask)}"
        words.append(paint.param("write_metadata:") + text)
    words += [renderer.one(action) for action in jump]
    if instructions.goto is not None:
        words.append(paint.param("goto_table:") + render_table(instructions.goto, renderer.names))
    return ",".join(words) if words else paint.drop("drop")
