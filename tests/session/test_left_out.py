"""A peer that does not read its flow updates is told what is different when it reads again."""

import pytest

from ovsflow.openflow.actions import Output
from ovsflow.openflow.constants import MonitorEvent, MonitorFlag
from ovsflow.openflow.flow_stats import FlowStats
from ovsflow.openflow.instructions import NO_INSTRUCTIONS, Instructions
from ovsflow.openflow.match import Match
from ovsflow.openflow.monitor import FlowMonitor, FlowMonitorReply, FlowMonitorRequest
from ovsflow.openflow.nicira import FlowMonitorPaused, FlowMonitorResumed
from ovsflow.openflow.wire import Body
from ovsflow.switch import left_out, session
from tests.session.fake import FakeDatapath, Peer, bridge_of

ADDED, REMOVED, MODIFIED = MonitorEvent.ADDED, MonitorEvent.REMOVED, MonitorEvent.MODIFIED
PAUSED, RESUMED = MonitorEvent.PAUSED, MonitorEvent.RESUMED
ALL = MonitorFlag.ADD | MonitorFlag.REMOVED | MonitorFlag.MODIFY | MonitorFlag.INSTRUCTIONS


@pytest.fixture(params=[1, 4, 5, 6])
def peer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Peer:
    monkeypatch.setattr(session, "UPDATES_HIGH", 0)
    peer = Peer(bridge_of(FakeDatapath()), request.param)
    peer.ask(FlowMonitorRequest((FlowMonitor(1, ALL),)))
    peer.session.congested = True
    return peer


def change(peer: Peer, event: MonitorEvent, priority: int, cookie: int = 0) -> None:
    flow = FlowStats(priority=priority, match=Match.of(in_port=1), cookie=cookie)
    peer.session.tell_change(event, flow, 0, own=False)


def told(bodies: list[Body]) -> list[tuple[MonitorEvent, int, int]]:
    found: list[tuple[MonitorEvent, int, int]] = []
    for body in bodies:
        match body:
            case FlowMonitorPaused():
                found.append((PAUSED, 0, 0))
            case FlowMonitorResumed():
                found.append((RESUMED, 0, 0))
            case FlowMonitorReply():
                found += [(MonitorEvent(u.event), u.priority, u.cookie) for u in body.updates]
    return found


#: What happens to one flow while nothing is told, and what is told of it in the end: events, each
#: with the cookie that tells of which change it is.
CHANGES: dict[tuple[MonitorEvent, ...], list[tuple[MonitorEvent, int]]] = {
    (ADDED,): [(ADDED, 0)],
    (MODIFIED,): [(MODIFIED, 0)],
    (REMOVED,): [(REMOVED, 0)],
    (ADDED, MODIFIED): [(ADDED, 1)],
    (ADDED, REMOVED): [],
    (ADDED, MODIFIED, REMOVED): [],
    (MODIFIED, MODIFIED): [(MODIFIED, 1)],
    (MODIFIED, REMOVED): [(REMOVED, 1)],
    (REMOVED, ADDED): [(REMOVED, 0), (ADDED, 1)],
    (REMOVED, ADDED, MODIFIED): [(REMOVED, 0), (ADDED, 2)],
    (REMOVED, ADDED, REMOVED): [(REMOVED, 0)],
}


@pytest.mark.parametrize("events", list(CHANGES))
def test_what_is_different_in_the_end_is_told(peer: Peer, events: tuple[MonitorEvent, ...]) -> None:
    change(peer, ADDED, 1)
    change(peer, ADDED, 2)
    for cookie, event in enumerate(events):
        change(peer, event, 3, cookie)
    peer.session.congested = False
    in_the_end = [(event, 3, cookie) for event, cookie in CHANGES[events]]
    before = [(ADDED, 1, 0), (PAUSED, 0, 0), (ADDED, 2, 0)]
    assert told(peer.bodies()) == [*before, *in_the_end, (RESUMED, 0, 0)]
    change(peer, MODIFIED, 2)
    assert told(peer.bodies()) == [(MODIFIED, 2, 0)]


def test_own_changes_that_are_told_late_are_told_as_others_are(peer: Peer) -> None:
    flow = FlowStats(Match.of(in_port=1), Instructions(apply=(Output(1),)))
    for event in (MODIFIED, MODIFIED, REMOVED):
        peer.session.tell_change(event, flow, 0, own=True)
    peer.session.congested = False
    bodies = [body for body in peer.bodies() if isinstance(body, FlowMonitorReply)]
    updates = [update for body in bodies for update in body.updates]
    (removed,) = [update for update in updates if update.event == REMOVED]
    assert removed.instructions == NO_INSTRUCTIONS
    assert updates[0].event == MonitorEvent.ABBREV


def test_how_much_is_kept_is_limited(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "MAX_FLOWS", 10)
    for priority in range(20):
        change(peer, ADDED, priority)
    assert peer.session.ended == "the peer does not read its flow updates"
    assert left_out.MAX_FLOWS > 10
