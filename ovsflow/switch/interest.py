"""What one session wants to hear unasked: a mask of reasons per message and per role.

Two things decide: the masks, which start as the specification says and which the controller may
set, and whether the session is awake.  A session that the switch did not open itself (an `ofctl`
at the management socket, say) sleeps until it asks: by a SET_CONFIG with a miss_send_len other
than 0, or by setting a mask.

Source: OpenFlow 1.3.5 §7.3.10, 1.4.1 §7.3.10; for sleep, Open vSwitch's service connections.
"""

from collections.abc import Iterable
from enum import IntEnum
from typing import Final

from ovsflow.errors import DecodeError
from ovsflow.openflow.constants import AsyncProperty, ErrorType, PacketInReason, Role, Version
from ovsflow.openflow.handshake import AsyncMask


class Subject(IntEnum):
    """What a message is about: the even `AsyncProperty`, the one for the secondary role."""

    PACKET_IN = AsyncProperty.PACKET_IN_SECONDARY
    PORT_STATUS = AsyncProperty.PORT_STATUS_SECONDARY
    FLOW_REMOVED = AsyncProperty.FLOW_REMOVED_SECONDARY
    ROLE_STATUS = AsyncProperty.ROLE_STATUS_SECONDARY
    TABLE_STATUS = AsyncProperty.TABLE_STATUS_SECONDARY
    REQUESTFORWARD = AsyncProperty.REQUESTFORWARD_SECONDARY
    FLOW_STATS = AsyncProperty.FLOW_STATS_SECONDARY
    CONT_STATUS = AsyncProperty.CONT_STATUS_SECONDARY


_PORT_REASONS: Final = 0b111
_PACKET_IN_BEFORE_14: Final = 0b011
_PACKET_IN: Final = 0b111011
_MISSES: Final = 1 << PacketInReason.EXPLICIT_MISS | 1 << PacketInReason.IMPLICIT_MISS
_KINDS: Final = {Version.OF10: 6, Version.OF13: 6, Version.OF14: 12, Version.OF15: 16}


#: The reasons that exist, by the even `AsyncProperty`.  Source: OpenFlow 1.5.1 §7.3.10.
_REASONS: Final[dict[int, int]] = {
    Subject.PACKET_IN: 0b111111,
    Subject.PORT_STATUS: _PORT_REASONS,
    Subject.FLOW_REMOVED: 0b111111,
    Subject.ROLE_STATUS: 0b111,
    Subject.TABLE_STATUS: 0b11000,
    Subject.REQUESTFORWARD: 0b11,
    Subject.FLOW_STATS: 0b11,
    Subject.CONT_STATUS: 0x3F,
}
#: The properties of experimenters, and what is answered to them.
_EXPERIMENTERS: Final = 0xFFFE
_BAD_EXPERIMENTER: Final = 5
_INVALID: Final = 0
_UNSUPPORTED: Final = 1


def _defaults(version: int) -> dict[int, int]:
    """The masks of a new session, by `AsyncProperty`.

    Every reason of every message for the primary and equal roles but INVALID_TTL and what others
    request, which must be asked for; port status and the loss of one's own role for the secondary
    role.
    """
    packet_in = _PACKET_IN if version >= Version.OF14 else _PACKET_IN_BEFORE_14
    masks = {
        AsyncProperty.PACKET_IN_PRIMARY: packet_in | (_MISSES if version == Version.OF10 else 0),
        AsyncProperty.PORT_STATUS_SECONDARY: _PORT_REASONS,
        AsyncProperty.PORT_STATUS_PRIMARY: _PORT_REASONS,
        AsyncProperty.FLOW_REMOVED_PRIMARY: 0b111111 if version >= Version.OF14 else 0b1111,
    }
    if version >= Version.OF14:
        masks[AsyncProperty.ROLE_STATUS_SECONDARY] = 0b111
        masks[AsyncProperty.ROLE_STATUS_PRIMARY] = 0b111
        masks[AsyncProperty.TABLE_STATUS_PRIMARY] = 0b11000
    if version >= Version.OF15:
        masks[AsyncProperty.CONT_STATUS_PRIMARY] = 0x3F
        masks[AsyncProperty.CONT_STATUS_SECONDARY] = 0x3F
    full = {AsyncProperty(kind): 0 for kind in range(_KINDS[Version(version)])}
    return {int(kind): mask for kind, mask in {**full, **masks}.items()}


def _failed(code: int, message: str) -> DecodeError:
    return DecodeError(message, ErrorType.ASYNC_CONFIG_FAILED, code)


class Interest:
    """The masks of one session, and whether it is awake."""

    def __init__(self, version: int, *, awake: bool) -> None:
        """Starts with the defaults of a version.

        Args:
            version: Wire version of the session; it decides what a reason's bit is.
            awake: Whether the session hears anything before it asks.
        """
        self._version = version
        self._masks = _defaults(version)
        self.awake = awake

    def wants(self, subject: Subject, reason: int, role: Role) -> bool:
        """Whether a message goes to this session.

        Args:
            subject: What the message is about.
            reason: Its reason, in OpenFlow 1.4's numbers.
            role: The session's role now.
        """
        if not self.awake:
            return False
        if subject is Subject.ROLE_STATUS and self._version == Version.OF13:
            # ONF's extension, which has no mask that could be set.
            return True
        mask = self._masks.get(subject + (role is not Role.SECONDARY), 0)
        return bool(mask >> self._own_reason(subject, reason) & 1)

    def packet_in_reasons(self, role: Role) -> int:
        """A bit for each reason of packet-ins that the session wants, in OpenFlow 1.4's numbers."""
        reasons = (reason for reason in PacketInReason if reason <= PacketInReason.PACKET_OUT)
        return sum(1 << reason for reason in reasons if self.wants(Subject.PACKET_IN, reason, role))

    def _own_reason(self, subject: Subject, reason: int) -> int:
        """The reason as this session's version knows it."""
        if self._version >= Version.OF14:
            return reason
        if subject is Subject.PACKET_IN:
            if reason in (PacketInReason.EXPLICIT_MISS, PacketInReason.IMPLICIT_MISS):
                return PacketInReason.NO_MATCH
            return PacketInReason.ACTION if reason > PacketInReason.INVALID_TTL else reason
        # What a version does not know is a deletion: GROUP_DELETE came with 1.1, the rest with 1.4.
        newest = 2 if self._version == Version.OF10 else 3
        return 2 if subject is Subject.FLOW_REMOVED and reason > newest else reason

    def _reasons(self, kind: int) -> int:
        """The reasons of an even `AsyncProperty` that can be asked for in this version."""
        if kind == Subject.PACKET_IN and self._version < Version.OF14:
            return 0b111
        return _REASONS[kind]

    def masks(self) -> tuple[AsyncMask, ...]:
        """All masks, as GET_ASYNC_REPLY lists them."""
        return tuple(AsyncMask(kind, mask) for kind, mask in sorted(self._masks.items()))

    def set_masks(self, masks: Iterable[AsyncMask]) -> None:
        """Replaces the masks that are given; the others stay.

        Raises:
            DecodeError: OpenFlow 1.4 and later: ASYNC_CONFIG_FAILED; nothing has changed.
        """
        after = dict(self._masks)
        for each in masks:
            if each.kind >= _EXPERIMENTERS:
                raise DecodeError(
                    "an experimenter's mask", ErrorType.BAD_PROPERTY, _BAD_EXPERIMENTER
                )
            if each.kind not in after:
                if self._version >= Version.OF14:
                    raise _failed(_UNSUPPORTED, f"messages of kind {each.kind}")
                continue
            if self._version >= Version.OF14 and each.mask & ~_REASONS[each.kind & ~1]:
                raise _failed(_INVALID, f"mask {each.mask:#x} for kind {each.kind}")
            after[each.kind] = each.mask & self._reasons(each.kind & ~1)
        self._masks = after
        self.awake = True

    def set_invalid_ttl(self, wanted: bool) -> None:
        """Sets the bit for packets whose TTL ran out, as SET_CONFIG before 1.3 does."""
        bit = 1 << PacketInReason.INVALID_TTL
        kind = int(AsyncProperty.PACKET_IN_PRIMARY)
        self._masks[kind] = self._masks[kind] & ~bit | (bit if wanted else 0)
