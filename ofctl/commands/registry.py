"""All commands by name."""

from ofctl.commands import (
    flow_diff,
    flows,
    groups,
    meters,
    not_offered,
    offline,
    packets,
    switch,
    tables,
)
from ofctl.commands.command import Command

ALL: tuple[Command, ...] = (
    *switch.COMMANDS,
    *flows.COMMANDS,
    *flow_diff.COMMANDS,
    *groups.COMMANDS,
    *meters.COMMANDS,
    *tables.COMMANDS,
    *packets.COMMANDS,
    *offline.COMMANDS,
    *not_offered.COMMANDS,
)

BY_NAME = {command.name: command for command in ALL}
