"""The model to text: the whole printing side of the flow language.

`render_*` prints what `ovs-ofctl` prints in a dump, and what `parse.py` reads back to the same
thing.
"""

from collections.abc import Iterable

from ovsflow.openflow.actions import Action
from ovsflow.openflow.constants import DEFAULT_PRIORITY, Version
from ovsflow.openflow.flow_mod import FlowMod
from ovsflow.openflow.flow_stats_entry import FlowStats
from ovsflow.openflow.group_mod import GroupMod
from ovsflow.openflow.group_stats import GroupDesc
from ovsflow.openflow.instructions import Instructions
from ovsflow.openflow.match import Match
from ovsflow.openflow.meter_stats import MeterConfig
from ovsflow.openflow.modify import MeterMod
from ovsflow.openflow.packets import PacketOut
from ovsflow.openflow.text.action_render import ActionRenderer
from ovsflow.openflow.text.flow_text import flow_line, flow_stats_words
from ovsflow.openflow.text.group_text import group_line, group_words
from ovsflow.openflow.text.instruction_text import instruction_words
from ovsflow.openflow.text.match_text import match_words
from ovsflow.openflow.text.meter_text import meter_line
from ovsflow.openflow.text.names import NUMBERS, Names
from ovsflow.openflow.text.packet_out_text import packet_out_words
from ovsflow.openflow.text.paint import PLAIN, Paint


def render_match(
    match: Match,
    priority: int = DEFAULT_PRIORITY,
    names: Names = NUMBERS,
    paint: Paint = PLAIN,
) -> str:
    """A match, with the priority in front when it is not the default; empty for all packets."""
    return match_words(match, priority, names, paint)


def render_actions(
    actions: Iterable[Action],
    version: int = Version.OF13,
    names: Names = NUMBERS,
    paint: Paint = PLAIN,
) -> str:
    """A list of actions; `drop` for none."""
    return ActionRenderer(version, names, paint).list(actions)


def render_instructions(
    instructions: Instructions,
    version: int = Version.OF13,
    names: Names = NUMBERS,
    paint: Paint = PLAIN,
) -> str:
    """Actions and instructions; `drop` for none."""
    return instruction_words(instructions, ActionRenderer(version, names, paint))


def render_flow(flow: FlowMod, version: int = Version.OF13, names: Names = NUMBERS) -> str:
    """A flow as `add-flow` takes it (`del-flows` for a delete)."""
    return flow_line(flow, version, names)


def render_flow_stats(
    flow: FlowStats,
    version: int = Version.OF13,
    names: Names = NUMBERS,
    paint: Paint = PLAIN,
    stats: bool = True,
) -> str:
    """A flow as `dump-flows` prints it, without the leading blank; `stats` says with counters."""
    return flow_stats_words(flow, version, names, paint, stats)


def render_group(
    group: GroupMod | GroupDesc, version: int = Version.OF13, names: Names = NUMBERS
) -> str:
    """A group as `add-group` takes it and `dump-groups` prints it."""
    if isinstance(group, GroupMod):
        return group_line(group, version, names)
    return group_words(group.group_id, group.type, group.buckets, group.selection, version, names)


def render_meter(meter: MeterMod | MeterConfig) -> str:
    """A meter as `add-meter` takes it."""
    return meter_line(meter)


def render_packet_out(body: PacketOut, version: int = Version.OF13, names: Names = NUMBERS) -> str:
    """A packet-out as the command takes it."""
    return packet_out_words(body, version, names)
