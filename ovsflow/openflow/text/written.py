"""Flows as they are written, whatever a version makes of them: for comparing one file with another.

Owns the names of actions that mean the same as others (`strip_vlan` and `pop_vlan`, `load` and
`set_field`).  Everywhere else a flow is read for one version, and such names are lost with that;
`ovs-ofctl` keeps them, and two files differ for it if one of them differs.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from ovsflow.errors import ParseError
from ovsflow.openflow import actions as model
from ovsflow.openflow.actions import Action
from ovsflow.openflow.constants import FlowModCommand, Version
from ovsflow.openflow.flow_mod import FlowMod
from ovsflow.openflow.text import rare_actions, values
from ovsflow.openflow.text.action_parse import ActionParser
from ovsflow.openflow.text.action_render import ActionRenderer
from ovsflow.openflow.text.flow_text import parse_head
from ovsflow.openflow.text.instruction_text import instruction_words, parse_instruction_list
from ovsflow.openflow.text.parse import parse_flow
from ovsflow.openflow.text.scan import Pair, Piece
from ovsflow.openflow.text.write_parse import Actions

_VERSION = Version.OF14
"""The version that can do nearly all that a file can say; 1.5's forms are its own."""


@dataclass(frozen=True, slots=True)
class Written(Action):
    """An action by its text."""

    text: str


def parse_written(line: str) -> tuple[FlowMod, str]:
    """Reads a flow that some version takes.

    Returns:
        The flow, and its actions and instructions as they are written, in one way of writing
        numbers, names and blanks.

    Raises:
        ParseError: No version takes it.
    """
    try:
        flow = parse_flow(line, FlowModCommand.ADD, _VERSION)
    except ParseError as error:
        try:
            # OpenFlow 1.0 asks less of a match.
            flow = parse_flow(line, FlowModCommand.ADD, Version.OF10)
        except ParseError:
            raise error from None
    keys, actions = parse_head(Piece(line))
    instructions = parse_instruction_list(actions, _Parser(_VERSION))
    # Nicira's match, OpenFlow 1.0's, has all bits of a VLAN tag.
    flow = replace(flow, match=keys.match(Version.OF10))
    return flow, instruction_words(instructions, _Renderer(_VERSION))


class _Parser(ActionParser):
    """Keeps the names that are lost otherwise."""

    def one(self, pair: Pair, around: str = "") -> Actions:
        found = super().one(pair, around)
        name = pair.name.lower()
        if name == "note":
            data = rare_actions.hexadecimal(pair.value, "note", "argument")
            return [model.Note(data)]
        show = _SHOWN.get(name)
        return found if show is None else [Written(show(name, found))]

    def write(self, name: str, value: int, mask: int | None, size: int = 0) -> Actions:
        return [model.SetField(name, value, mask, size)]


class _Renderer(ActionRenderer):
    """Prints them."""

    def one(self, action: Action) -> str:
        return action.text if isinstance(action, Written) else super().one(action)


Show = Callable[[str, Actions], str]


def _value(show: Callable[[int], object]) -> Show:
    """A name with the value that it writes; other actions may have come to stand before that."""

    def text(name: str, found: Actions) -> str:
        last = found[-1]
        assert isinstance(last, model.SetField)
        return f"{name}:{show(last.value)}"

    return text


def _in_brackets(name: str, found: Actions) -> str:
    last = found[-1]
    assert isinstance(last, model.SetField)
    return f"{name}({last.value})"


def _tunnel(name: str, found: Actions) -> str:
    last = found[-1]
    assert isinstance(last, model.SetField)
    wide = name == "set_tunnel64" or last.value > 0xFFFFFFFF
    return f"set_tunnel{'64' if wide else ''}:{values.show_hex(last.value)}"


def _enqueue(name: str, found: Actions) -> str:
    queue, output = found[:2]
    assert isinstance(queue, model.SetQueue)
    assert isinstance(output, model.Output)
    return f"{name}:{_Renderer(_VERSION).port(output.port)}:{queue.queue}"


def _name(name: str, found: Actions) -> str:
    return name


_SHOWN: dict[str, Show] = {
    **{f"{verb}_vlan_vid": _value(lambda value: value & 0xFFF) for verb in ("mod", "set")},
    **{f"{verb}_vlan_pcp": _value(str) for verb in ("mod", "set")},
    **dict.fromkeys(("mod_dl_src", "mod_dl_dst"), _value(values.show_ethernet)),
    **dict.fromkeys(("mod_nw_src", "mod_nw_dst"), _value(values.show_ipv4)),
    **dict.fromkeys(("mod_tp_src", "mod_tp_dst", "mod_nw_ecn"), _value(str)),
    "mod_nw_tos": _value(lambda value: value << 2),
    **dict.fromkeys(("set_mpls_label", "set_mpls_tc"), _in_brackets),
    **dict.fromkeys(("set_tunnel", "set_tunnel64"), _tunnel),
    "enqueue": _enqueue,
    "strip_vlan": _name,
    "pop_vlan": _name,
}
"""Actions for which there is another word, and how they are shown."""
