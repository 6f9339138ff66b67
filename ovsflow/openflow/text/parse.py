"""Text to the model: the whole reading side of the flow language.

Every function raises `ParseError`, whose `text` is the whole line and whose `column` is the place,
and gives the model for one OpenFlow version: text that a version spells differently (load and
set_field, meter, goto_table) becomes what that version has.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from ovsflow.errors import ParseError
from ovsflow.openflow.actions import Action
from ovsflow.openflow.constants import FlowModCommand, GroupModCommand, MeterModCommand, Version
from ovsflow.openflow.flow_mod import FlowMod
from ovsflow.openflow.group_mod import GroupMod
from ovsflow.openflow.instructions import Instructions
from ovsflow.openflow.match import Match
from ovsflow.openflow.modify import MeterMod
from ovsflow.openflow.packets import PacketOut
from ovsflow.openflow.text.action_parse import ActionParser
from ovsflow.openflow.text.flow_text import FlowFilter, parse_filter_line, parse_flow_line
from ovsflow.openflow.text.group_text import parse_group_line
from ovsflow.openflow.text.instruction_text import parse_instruction_list
from ovsflow.openflow.text.match_text import parse_match_text
from ovsflow.openflow.text.meter_text import parse_meter_line
from ovsflow.openflow.text.names import NUMBERS, Names
from ovsflow.openflow.text.packet_out_text import parse_packet_out_line
from ovsflow.openflow.text.scan import Piece


@contextmanager
def _whole(text: str) -> Iterator[Piece]:
    """Gives errors inside the block the whole text."""
    try:
        yield Piece(text)
    except ParseError as error:
        error.text = text
        raise


def parse_match(text: str, version: int = Version.OF13, names: Names = NUMBERS) -> Match:
    """Reads a match: `tcp,in_port=1,tp_dst=80`."""
    with _whole(text) as piece:
        return parse_match_text(piece, names, version)


def parse_actions(
    text: str, version: int = Version.OF13, names: Names = NUMBERS
) -> tuple[Action, ...]:
    """Reads a list of actions: `set_field:5->tun_id,output:2`."""
    with _whole(text) as piece:
        return ActionParser(version, names).parse(piece)


def parse_instructions(
    text: str, version: int = Version.OF13, names: Names = NUMBERS
) -> Instructions:
    """Reads actions and instructions: `dec_ttl,write_metadata:5,goto_table:1`."""
    with _whole(text) as piece:
        return parse_instruction_list(piece, ActionParser(version, names))


def parse_flow(
    text: str,
    command: FlowModCommand | None = FlowModCommand.ADD,
    version: int = Version.OF13,
    names: Names = NUMBERS,
) -> FlowMod:
    """Reads a flow: `priority=10,ip,actions=output:1`.

    Args:
        text: The line.
        command: What to do with the flow; `None` lets the line begin with `add`, `modify`,
            `modify_strict`, `delete` or `delete_strict`.
        version: The wire version it is for.
        names: Names of ports and tables that the text may use.
    """
    with _whole(text) as piece:
        return parse_flow_line(piece, command, version, names)


def parse_flow_filter(text: str, version: int = Version.OF13, names: Names = NUMBERS) -> FlowFilter:
    """Reads which flows to show: `table=1,ip,cookie=5/-1`."""
    with _whole(text) as piece:
        return parse_filter_line(piece, version, names)


def parse_group(
    text: str,
    command: GroupModCommand | None = GroupModCommand.ADD,
    version: int = Version.OF13,
    names: Names = NUMBERS,
) -> GroupMod:
    """Reads a group; `command` `None` lets the line begin with the command's word."""
    with _whole(text) as piece:
        return parse_group_line(piece, command, version, names)


def parse_meter(text: str, command: MeterModCommand | None = MeterModCommand.ADD) -> MeterMod:
    """Reads a meter; with `command` `None` only which one is meant."""
    with _whole(text) as piece:
        return parse_meter_line(piece, command)


def parse_packet_out(text: str, version: int = Version.OF13, names: Names = NUMBERS) -> PacketOut:
    """Reads a packet-out: `in_port=1 packet=ffffffffffff... actions=output:2`."""
    with _whole(text) as piece:
        return parse_packet_out_line(piece, version, names)


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines of a flow file with their numbers, without comments and blank lines."""
    for number, line in enumerate(text.splitlines(), 1):
        plain = line.split("#", 1)[0].strip()
        if plain:
            yield number, plain
