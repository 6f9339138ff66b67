"""Flow monitors of one session: the peer hears of every change of the flows it watches.

A change that the peer made itself is told in short (its request's transaction id), unless the
monitor wants it in full.

Source: OpenFlow 1.4.1 §7.3.5.18; before it, Nicira's NXST_FLOW_MONITOR.
"""

from collections.abc import Iterable
from functools import cache
from typing import Final

from ovsflow.errors import DecodeError
from ovsflow.openflow import fields
from ovsflow.openflow.actions import Action, Group, Output
from ovsflow.openflow.constants import (
    ALL_TABLES,
    ErrorType,
    GroupNumber,
    MonitorCommand,
    MonitorEvent,
    MonitorFlag,
    PortNumber,
)
from ovsflow.openflow.flow_stats import FlowStats
from ovsflow.openflow.instructions import NO_INSTRUCTIONS
from ovsflow.openflow.match import Match
from ovsflow.openflow.monitor import FlowMonitor, FlowUpdate

#: Monitors that one session may have.
MAX_MONITORS: Final = 1024

_UNKNOWN: Final = 0
_EXISTS: Final = 1
_UNKNOWN_MONITOR: Final = 3
_BAD_COMMAND: Final = 4

_WANTED: Final = {
    MonitorEvent.INITIAL: MonitorFlag.INITIAL,
    MonitorEvent.ADDED: MonitorFlag.ADD,
    MonitorEvent.REMOVED: MonitorFlag.REMOVED,
    MonitorEvent.MODIFIED: MonitorFlag.MODIFY,
}


def monitor_error(code: int, message: str) -> DecodeError:
    """A FLOW_MONITOR_FAILED error."""
    return DecodeError(message, ErrorType.FLOW_MONITOR_FAILED, code)


class Monitors:
    """The monitors of one session, by id."""

    def __init__(self, *, as_ovs: bool = False) -> None:
        """Makes an empty set.

        Args:
            as_ovs: Open vSwitch's way: its clients mean by OFPFMF_ONLY_OWN of OpenFlow 1.4 that
                their own changes are told in full too, not that others' are left out; and a flow
                that went is told with its instructions.
        """
        self._monitors: dict[int, FlowMonitor] = {}
        self._as_ovs = as_ovs

    def __len__(self) -> int:
        """How many there are."""
        return len(self._monitors)

    def request(self, monitors: Iterable[FlowMonitor]) -> list[FlowMonitor]:
        """Adds, changes and deletes monitors, in order.

        Returns:
            Those that are new or changed, whose flows are to be told first.

        Raises:
            DecodeError: FLOW_MONITOR_FAILED; nothing has changed.
        """
        after = dict(self._monitors)
        fresh: list[FlowMonitor] = []
        for monitor in monitors:
            number = monitor.monitor_id
            if monitor.command == MonitorCommand.ADD:
                if number in after:
                    raise monitor_error(_EXISTS, f"monitor {number} exists")
            elif monitor.command not in (MonitorCommand.MODIFY, MonitorCommand.DELETE):
                raise monitor_error(_BAD_COMMAND, f"monitor command {monitor.command}")
            elif number not in after:
                raise monitor_error(_UNKNOWN_MONITOR, f"monitor {number} does not exist")
            if monitor.command == MonitorCommand.DELETE:
                del after[number]
                continue
            after[number] = monitor
            fresh.append(monitor)
        if len(after) > MAX_MONITORS:
            raise monitor_error(_UNKNOWN, f"more than {MAX_MONITORS} monitors")
        self._monitors = after
        return fresh

    def cancel(self, number: int) -> None:
        """Deletes one monitor."""
        if self._monitors.pop(number, None) is None:
            raise monitor_error(_UNKNOWN_MONITOR, f"monitor {number} does not exist")

    def clear(self) -> None:
        """Deletes all."""
        self._monitors.clear()

    def update(
        self,
        event: MonitorEvent,
        flow: FlowStats,
        *,
        reason: int,
        cause: int | None,
        in_full: bool = False,
    ) -> FlowUpdate | None:
        """What to tell of one change.

        Args:
            event: What happened to the flow.
            flow: The flow, as it is after the change, or was before it went.
            reason: A `FlowRemovedReason`, for REMOVED.
            cause: Transaction id of the session's own request that caused it, else `None`.
            in_full: Whether the session's own changes are not to be told in short.

        Returns:
            `None` if no monitor wants it.
        """
        flags = 0
        bare = False
        for monitor in self._monitors.values():
            if monitor.flags & _WANTED[event] and watches(monitor, flow):
                only_own = monitor.flags & MonitorFlag.ONLY_OWN
                if only_own and cause is None and not self._as_ovs:
                    continue
                flags |= monitor.flags
                bare |= monitor.bare
                if only_own and self._as_ovs:
                    flags |= MonitorFlag.NO_ABBREV
        if not flags:
            return None
        if cause is not None and not in_full and not flags & MonitorFlag.NO_ABBREV:
            return FlowUpdate(MonitorEvent.ABBREV, xid=cause)
        wanted = bool(flags & MonitorFlag.INSTRUCTIONS)
        if event == MonitorEvent.REMOVED and not self._as_ovs:
            # An ofp_flow_update_full of OFPFME_REMOVED has no instructions, asked for or not.
            wanted = False
        return flow_update(event, flow, reason=reason, instructions=wanted, bare=bare)


def flow_update(
    event: MonitorEvent, flow: FlowStats, *, reason: int = 0, instructions: bool, bare: bool
) -> FlowUpdate:
    """One change in full; the instructions only where they are wanted."""
    return FlowUpdate(
        event,
        match=flow.match,
        instructions=flow.instructions if instructions else NO_INSTRUCTIONS,
        table_id=flow.table_id,
        reason=reason,
        priority=flow.priority,
        idle_timeout=flow.idle_timeout,
        hard_timeout=flow.hard_timeout,
        cookie=flow.cookie,
        bare=bare,
    )


def watches(monitor: FlowMonitor, flow: FlowStats) -> bool:
    """Whether a flow is one of those that a monitor is about."""
    if monitor.table_id not in (ALL_TABLES, flow.table_id):
        return False
    if not is_within(flow.match, monitor.match):
        return False
    actions = flow.instructions.apply + flow.instructions.write
    if monitor.out_port not in (PortNumber.ANY, *_outputs(actions)):
        return False
    return monitor.out_group in (GroupNumber.ANY, *_groups(actions))


def is_within(inner: Match, outer: Match) -> bool:
    """Whether every packet that `inner` matches is matched by `outer` too."""
    for field in outer:
        known = inner.find(field.name)
        if known is None:
            return False
        full = _full_mask(field.name)
        mask = full if field.mask is None else field.mask
        inner_mask = full if known.mask is None else known.mask
        if inner_mask & mask != mask or known.value & mask != field.value:
            return False
    return True


@cache
def _full_mask(name: str) -> int:
    field = fields.by_name(name)
    return (1 << field.bits) - 1 if field is not None else -1


def _outputs(actions: Iterable[Action]) -> set[int]:
    return {action.port for action in actions if isinstance(action, Output)}


def _groups(actions: Iterable[Action]) -> set[int]:
    return {action.group for action in actions if isinstance(action, Group)}
