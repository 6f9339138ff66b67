"""What all sessions of one switch share: the datapath, the roles, and each other.

A session tells the bridge what the others must hear (a port changed, a role was lost); the
bridge brings what the datapath has to tell to the sessions that want it.  No sockets, no clock:
whoever owns the time calls `deliver` when events wait.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import ovsflow.openflow.codec as codec
from ovsflow.config.switch import DescConfig
from ovsflow.openflow.constants import (
    MonitorEvent,
    PortReason,
    RoleReason,
    Version,
)
from ovsflow.openflow.flow_stats import FlowStatsReply
from ovsflow.openflow.notices import TableStatus
from ovsflow.openflow.port import PortDesc
from ovsflow.openflow.table_stats import TableDescReply, TableDescRequest
from ovsflow.switch.door import Door, Event, Port
from ovsflow.switch.features import port_desc
from ovsflow.switch.forwarding import messages_of
from ovsflow.switch.interest import Subject
from ovsflow.switch.roles import Roles

if TYPE_CHECKING:
    from ovsflow.switch.session import Session

#: Events that one call of `deliver` takes, so that a storm of them does not stop the rest.
EVENTS_AT_ONCE: Final = 512

_CHANGES: Final = {
    "flow_added": MonitorEvent.ADDED,
    "flow_modified": MonitorEvent.MODIFIED,
    "flow_deleted": MonitorEvent.REMOVED,
}
_SUBJECTS: Final = {
    "packet_in": Subject.PACKET_IN,
    "flow_removed": Subject.FLOW_REMOVED,
}


#: Number, controller id, reasons, whether misses, rate, burst.
_Listener = tuple[int, int, int, bool, int | None, int | None]


def _nothing() -> None:
    """Stands where nobody listens."""


class Bridge:
    """One switch, as its sessions see it.

    Attributes:
        name: Name of the bridge.
        datapath: Tables, ports and packets.
        datapath_id: The 64-bit datapath id.
        describe: What OFPMP_DESC tells.
        protocols: Wire versions that may be negotiated.
        misses: Where packets without a flow go, `None` for what each version says.
        as_ovs: Whether Open vSwitch's way is taken where it differs from the specification.
        roles: Who may write.
        sessions: Those that are open, by number.
        fragments: OFPC_FRAG_* in force.
        suppressed: Packet-ins that were not sent because the peer does not read.
        snoopers: Sessions that see what the controllers' sessions send and receive.
        set_port_config: Changes a port's OFPPC_* bits; whoever owns devices puts itself here.
        on_change: Called after tables or ports may have changed, so that a timer can be set anew.
    """

    def __init__(
        self,
        name: str,
        datapath: Door,
        *,
        datapath_id: int,
        describe: DescConfig,
        protocols: tuple[int, ...],
        misses: str | None = None,
        as_ovs: bool = False,
    ) -> None:
        """Makes a bridge without sessions.

        Args:
            name: Name of the bridge.
            datapath: Tables, ports and packets.
            datapath_id: The 64-bit datapath id.
            describe: What OFPMP_DESC tells.
            protocols: Wire versions that may be negotiated.
            misses: Where packets without a flow go for everybody: `drop`, `controller`, or
                `None` for what each session's version says.
            as_ovs: Where the specification and Open vSwitch differ, do as the latter.
        """
        self.name = name
        self.datapath = datapath
        self.datapath_id = datapath_id
        self.describe = replace(describe, datapath=describe.datapath or name)
        self.protocols = protocols
        self.misses = misses
        self.as_ovs = as_ovs
        self.roles = Roles()
        self.sessions: dict[int, Session] = {}
        self.fragments = 0
        self.suppressed = 0
        self.snoopers: set[Session] = set()
        self.set_port_config: Callable[[int, int], Port] = self._set_port_config
        self.on_change: Callable[[], None] = _nothing
        self._last_session = 0
        self._audience: dict[str, str | int | bool] = {}
        self._listeners: list[_Listener] | None = None
        self.audience_changed()

    def join(self, session: "Session") -> int:
        """Takes a session in; returns its number, which is never used again."""
        self._last_session += 1
        self.sessions[self._last_session] = session
        self.roles.join(self._last_session)
        return self._last_session

    def leave(self, number: int) -> None:
        """A session is over."""
        session = self.sessions.pop(number, None)
        if session is not None:
            self.snoopers.discard(session)
        self.roles.leave(number)
        self.audience_changed()

    def audience_changed(self) -> None:
        """Somebody came, went or wants other things: tells the datapath who listens.

        To OpenFlow 1.0 a packet that no flow matches is the controller's; later versions drop
        it.  Sessions of both may be open, so such packets are only made for those of 1.0.
        """
        versions = {s.version for s in self.sessions.values() if s.open and s.interest.awake}
        audience: dict[str, str | int | bool] = {}
        if self.misses is None:
            audience["miss"] = "controller" if Version.OF10 in versions else "drop"
        audience["flow_monitors"] = any(s.monitors for s in self.sessions.values())
        if audience != self._audience:
            self._audience = audience
            self.datapath.configure(audience)
        listeners = [self._listener(s) for s in self.sessions.values() if s.open]
        if listeners != self._listeners:
            self._listeners = listeners
            self.datapath.set_listeners(listeners)

    def _listener(self, session: "Session") -> _Listener:
        """Which packet-ins a session gets, as the datapath is told it.

        Packets that no flow matches are for OpenFlow 1.0, unless they are for everybody.
        """
        return (
            session.number,
            session.controller_id,
            session.interest.packet_in_reasons(session.role),
            self.misses is not None or session.version == Version.OF10,
            session.packet_ins.rate,
            session.packet_ins.burst,
        )

    def _set_port_config(self, number: int, config: int) -> Port:
        return self.datapath.set_port(number, config=config)

    # -- What the datapath tells ---------------------------------------------------------------

    def deliver(self) -> bool:
        """Brings waiting events to the sessions; returns whether there may be more."""
        taken = 0
        while taken < EVENTS_AT_ONCE:
            events = self.datapath.events()
            if not events:
                return False
            for event in events:
                self._spread(event)
            taken += len(events)
        return True

    def _spread(self, event: Event) -> None:
        change = _CHANGES.get(event.kind)
        if change is not None:
            self._tell_monitors(change, event)
        if event.kind == "table_status":
            self._tell_table(event)
            return
        subject = _SUBJECTS.get(event.kind)
        if subject is None:
            return
        encoded: dict[tuple[int, str], bytes] = {}
        numbers = self.sessions if event.listeners is None else event.listeners
        for session in [self.sessions[number] for number in numbers if number in self.sessions]:
            if not session.hears(subject, event.reason):
                continue
            form = "nxt_packet_in" if session.removed_in_nxm else "standard"
            if subject is Subject.PACKET_IN:
                if session.congested:
                    self.suppressed += 1
                    continue
                form = session.packet_in_format
            shape = (session.version, form)
            if shape not in encoded:
                encoded[shape] = event.encode(session.version, format=form)
            if encoded[shape]:
                session.write(encoded[shape])

    def mirror(self, messages: bytes) -> None:
        """Shows whole messages of a controller's session to those who snoop."""
        for session in self.snoopers:
            if session.open and not session.congested:
                session.write(messages)

    def _tell_table(self, event: Event) -> None:
        """Sends TABLE_STATUS, which came with OpenFlow 1.4, about a table's vacancy."""
        listeners = [
            session
            for session in self.sessions.values()
            if session.version >= Version.OF14 and session.hears(Subject.TABLE_STATUS, event.reason)
        ]
        if not listeners:
            return
        request = codec.encode(TableDescRequest(), Version.OF14)
        data, _ = self.datapath.query(Version.OF14, request, 0)
        replies = (codec.decode(message).body for message in messages_of(data))
        tables = [t for r in replies if isinstance(r, TableDescReply) for t in r.tables]
        for table in tables:
            if table.table_id == event.table_id:
                for session in listeners:
                    session.send(TableStatus(event.reason, table))

    def _tell_monitors(self, change: MonitorEvent, event: Event) -> None:
        """Tells those who watch a flow that it changed."""
        watching = [session for session in self.sessions.values() if session.monitors]
        if not watching:
            return
        reply = codec.decode(event.encode(Version.OF15)).body
        assert isinstance(reply, FlowStatsReply)
        for flow in reply.flows:
            for session in watching:
                session.tell_change(change, flow, event.reason, own=event.origin == session.number)

    # -- What sessions and the rim tell ----------------------------------------------------------

    def port_changed(self, reason: PortReason, port: Port) -> None:
        """Sends PORT_STATUS to every session that wants it."""
        self.describe_port(reason, port_desc(port))

    def describe_port(self, reason: PortReason, description: PortDesc) -> None:
        """Sends PORT_STATUS about a port that may be gone."""
        for session in tuple(self.sessions.values()):
            if session.hears(Subject.PORT_STATUS, reason):
                session.tell_port(reason, description)
        self.on_change()

    def roles_lost(self, numbers: list[int], reason: RoleReason) -> None:
        """Tells sessions that they are not primary any more, where their version can say it."""
        for number in numbers:
            session = self.sessions.get(number)
            if session is not None and session.hears(Subject.ROLE_STATUS, reason):
                session.tell_role(reason)
