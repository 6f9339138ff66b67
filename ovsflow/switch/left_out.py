"""Flow updates that a peer who does not read is spared, and what it is told afterwards.

While updates are left out, only what is different in the end is kept, by flow: a flow that came
and went is nothing, one that changed often is told once.  How many flows that may be is limited.

Source: OpenFlow 1.4.1 §7.4.5 (OFPFME_PAUSED, OFPFME_RESUMED); Open vSwitch does the same before it.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from ovsflow.openflow.constants import MonitorEvent, Version
from ovsflow.openflow.flow_stats import FlowStats
from ovsflow.openflow.match import Match
from ovsflow.openflow.monitor import FlowMonitorReply, FlowUpdate
from ovsflow.openflow.nicira import FlowMonitorPaused, FlowMonitorResumed
from ovsflow.openflow.wire import Body

#: Bytes that wait for a peer above which it is told no updates.
UPDATES_HIGH: Final = 1 << 18
#: Flows whose changes are kept for a peer.
MAX_FLOWS: Final = 65_536

_Key = tuple[int, int, Match]


class LeftOut:
    """Changes that a peer was not told."""

    def __init__(self) -> None:
        self._changes: dict[_Key, list[FlowUpdate]] = {}

    def __len__(self) -> int:
        """Flows about which something is left to tell."""
        return len(self._changes)

    def add(self, flow: FlowStats, update: FlowUpdate) -> None:
        """Keeps one change, told in full."""
        key = (flow.table_id, flow.priority, flow.match)
        earlier = self._changes.pop(key, [])
        last = earlier[-1].event if earlier else None
        if update.event == MonitorEvent.REMOVED and last == MonitorEvent.ADDED:
            # It came and went; what was there before it stays removed.
            kept = earlier[:-1]
        elif update.event == MonitorEvent.MODIFIED and last == MonitorEvent.ADDED:
            kept = [*earlier[:-1], replace(update, event=MonitorEvent.ADDED)]
        elif last in (MonitorEvent.MODIFIED, MonitorEvent.ADDED):
            kept = [*earlier[:-1], update]
        else:
            kept = [*earlier, update]
        if kept:
            self._changes[key] = kept

    def tell(self, version: int) -> Iterator[Body]:
        """What to tell the peer when it reads again, and that updates are complete from now on."""
        for updates in self._changes.values():
            yield FlowMonitorReply(tuple(updates))
        yield resumed(version)


def paused(version: int) -> Body:
    """Says that updates are left out from now on."""
    if version >= Version.OF14:
        return FlowMonitorReply((FlowUpdate(MonitorEvent.PAUSED),))
    return FlowMonitorPaused()


def resumed(version: int) -> Body:
    """Says that updates are complete from now on."""
    if version >= Version.OF14:
        return FlowMonitorReply((FlowUpdate(MonitorEvent.RESUMED),))
    return FlowMonitorResumed()
