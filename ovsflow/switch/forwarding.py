"""Tells other controllers of one controller's group and meter changes (REQUESTFORWARD).

Only changes that took effect are forwarded, each in the version of the one who hears it.

Source: OpenFlow 1.4.1 §7.4.6.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import ovsflow.openflow.codec as codec
from ovsflow.errors import DecodeError, EncodeError
from ovsflow.openflow.constants import (
    HEADER_BYTES,
    MessageType,
    RequestForwardReason,
    Version,
    type_number,
)
from ovsflow.openflow.notices import RequestForward
from ovsflow.switch.interest import Subject

if TYPE_CHECKING:
    from ovsflow.switch.session import Session

_REASONS: Final = {
    MessageType.GROUP_MOD: RequestForwardReason.GROUP_MOD,
    MessageType.METER_MOD: RequestForwardReason.METER_MOD,
}


def messages_of(data: bytes) -> Iterator[bytes]:
    """Cuts whole messages that stand back to back."""
    position = 0
    while position + HEADER_BYTES <= len(data):
        length = int.from_bytes(data[position + 2 : position + 4], "big")
        if length < HEADER_BYTES:
            return
        yield data[position : position + length]
        position += length


def forward(origin: "Session", changes: bytes, errors: bytes) -> None:
    """Forwards the group and meter changes among `changes`.

    Args:
        origin: Whose changes they are.
        changes: Whole messages, as the datapath applied them.
        errors: What it answered; a change with an error's transaction id did not happen.
    """
    listeners = [
        session
        for session in origin.bridge.sessions.values()
        if session is not origin
        and session.version >= Version.OF14
        and any(session.hears(Subject.REQUESTFORWARD, reason) for reason in _REASONS.values())
    ]
    if not listeners:
        return
    numbers = {type_number(origin.version, kind): reason for kind, reason in _REASONS.items()}
    failed = {message[4:8] for message in messages_of(errors)}
    for message in messages_of(changes):
        reason = numbers.get(message[1])
        if reason is None or message[4:8] in failed:
            continue
        for session in listeners:
            if session.hears(Subject.REQUESTFORWARD, reason):
                _forward_one(session, message)


def _forward_one(session: "Session", message: bytes) -> None:
    try:
        received = codec.decode(message)
        inner = codec.encode(received.body, session.version, received.xid)
        session.send(RequestForward(inner))
    except (DecodeError, EncodeError):
        # The listener's version cannot say it, or it does not fit into a message.
        return
