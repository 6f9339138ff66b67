"""What controllers are told of each other: CONTROLLER_STATUS of OpenFlow 1.5.

A controller is a session that the switch keeps for control; those that connected to it, as
`ofctl` does, are not told of.  Each change of one (it came, it went, its role or its short id) is
told to all that want to hear, and the list of all is a multipart reply.

Source: OpenFlow 1.5.1 §7.3.5.20, §7.4.7.
"""

from enum import IntEnum
from typing import TYPE_CHECKING, Final

from ovsflow.openflow.constants import Role, Version
from ovsflow.openflow.notices import ControllerDesc, ControllerStatus
from ovsflow.switch.interest import Subject

if TYPE_CHECKING:
    from ovsflow.switch.bridge import Bridge
    from ovsflow.switch.session import Session

_UP: Final = 0
_DOWN: Final = 1


class StatusReason(IntEnum):
    """OFPCSR_*: why a status is told."""

    REQUEST = 0
    CHANNEL_STATUS = 1
    ROLE = 2
    CONTROLLER_ADDED = 3
    CONTROLLER_REMOVED = 4
    SHORT_ID = 5


def describe(session: "Session", role: Role, reason: StatusReason, *, up: bool) -> ControllerDesc:
    """The status of one controller."""
    return ControllerDesc(
        short_id=session.short_id,
        role=role,
        reason=reason,
        channel_status=_UP if up else _DOWN,
        uris=(session.peer,),
    )


def statuses(bridge: "Bridge") -> tuple[ControllerDesc, ...]:
    """The status of every controller that is connected."""
    return tuple(
        describe(session, session.role, StatusReason.REQUEST, up=True)
        for session in bridge.sessions.values()
        if session.open and not session.service
    )


def tell(session: "Session", role: Role, reason: StatusReason, *, up: bool = True) -> None:
    """Tells all that want to hear of a change of one controller's status."""
    if session.service:
        return
    status = ControllerStatus(describe(session, role, reason, up=up))
    for other in tuple(session.bridge.sessions.values()):
        if other.version >= Version.OF15 and other.hears(Subject.CONT_STATUS, reason):
            other.send(status)
