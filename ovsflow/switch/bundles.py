"""Bundles of one session: messages that wait to be applied together.

A bundle only keeps bytes; whether they make sense is found when it is committed, all or
nothing.  Messages that are no table change (PORT_MOD) may be in a bundle and are done after the
tables took theirs.  What a peer can pile up is limited: bundles, messages and bytes.

Source: OpenFlow 1.4.1 §7.3.9; for 1.3, ONF extension 230.
"""

from dataclasses import dataclass, field
from typing import Final

from ovsflow.errors import DecodeError
from ovsflow.openflow.constants import BundleFlag, ErrorType

MAX_BUNDLES: Final = 16
MAX_MESSAGES: Final = 200_000
MAX_BYTES: Final = 256 << 20
#: A bundle that nothing was added to for so long is given up.
IDLE_NS: Final = 10 * 1_000_000_000

# A plain number: the complement of an enumeration's flags has its own bits only.
_KNOWN_FLAGS: Final = int(BundleFlag.ATOMIC | BundleFlag.ORDERED)

_BAD_ID: Final = 2
_EXIST: Final = 3
_CLOSED: Final = 4
_OUT_OF_BUNDLES: Final = 5
BAD_TYPE: Final = 6
_BAD_FLAGS: Final = 7
MSG_BAD_XID: Final = 9
MSG_UNSUPPORTED: Final = 10
_TOO_MANY: Final = 12
MSG_FAILED: Final = 13
_TIMEOUT: Final = 14
SCHED_NOT_SUPPORTED: Final = 16


def bundle_error(code: int, message: str) -> DecodeError:
    """A BUNDLE_FAILED error."""
    return DecodeError(message, ErrorType.BUNDLE_FAILED, code)


@dataclass(slots=True)
class Bundle:
    """One open bundle.

    Attributes:
        flags: `BundleFlag` bits, the same in every message about it.
        closed: Whether nothing may be added any more.
        tables: Table changes, back to back.
        ports: Whole PORT_MOD messages.
        messages: How many there are.
        used_ns: When it was last added to.
    """

    flags: int
    used_ns: int
    closed: bool = False
    tables: bytearray = field(default_factory=bytearray)
    ports: list[bytes] = field(default_factory=list)
    messages: int = 0


class Bundles:
    """The bundles of one session, by id."""

    def __init__(self) -> None:
        self._open: dict[int, Bundle] = {}
        self._given_up: set[int] = set()

    def __bool__(self) -> bool:
        """Whether any is open."""
        return bool(self._open)

    def expire(self, now_ns: int) -> None:
        """Gives up what nothing was added to for too long; to be called before all the others."""
        for number, bundle in tuple(self._open.items()):
            if now_ns - bundle.used_ns > IDLE_NS:
                del self._open[number]
                if len(self._given_up) < MAX_BUNDLES:
                    self._given_up.add(number)

    def open(self, number: int, flags: int, now_ns: int) -> None:
        """Begins a bundle.

        Raises:
            DecodeError: BUNDLE_EXIST (the old one is gone too), OUT_OF_BUNDLES or BAD_FLAGS.
        """
        self._given_up.discard(number)
        if self._open.pop(number, None) is not None:
            raise bundle_error(_EXIST, f"bundle {number} is open")
        if flags & ~_KNOWN_FLAGS:
            raise bundle_error(_BAD_FLAGS, f"flags {flags:#x}")
        if len(self._open) >= MAX_BUNDLES:
            raise bundle_error(_OUT_OF_BUNDLES, f"{MAX_BUNDLES} bundles are open")
        self._open[number] = Bundle(flags, now_ns)

    def close(self, number: int, flags: int) -> None:
        """Ends the adding."""
        bundle = self._find(number, flags)
        if bundle.closed:
            del self._open[number]
            raise bundle_error(_CLOSED, f"bundle {number} is closed")
        bundle.closed = True

    def add(self, number: int, flags: int, message: bytes, now_ns: int, *, tables: bool) -> None:
        """Adds one message, opening the bundle if there is none.

        Args:
            number: The bundle's id.
            flags: The bundle's flags.
            message: A whole message.
            now_ns: The time.
            tables: Whether it is a table change.

        Raises:
            DecodeError: Closed, other flags, or a limit is reached.
        """
        if number not in self._open and number not in self._given_up:
            self.open(number, flags, now_ns)
        bundle = self._find(number, flags)
        if bundle.closed:
            raise bundle_error(_CLOSED, f"bundle {number} is closed")
        size = sum(len(each.tables) for each in self._open.values()) + len(message)
        if bundle.messages >= MAX_MESSAGES or size > MAX_BYTES:
            raise bundle_error(_TOO_MANY, "the bundle is full")
        if tables:
            bundle.tables += message
        else:
            bundle.ports.append(message)
        bundle.messages += 1
        bundle.used_ns = now_ns

    def add_many(self, number: int, flags: int, messages: bytes, count: int, now_ns: int) -> bool:
        """Adds table changes to an open bundle, or none of them if `add` would refuse one.

        Args:
            number: The bundle's id.
            flags: The bundle's flags.
            messages: Whole messages, back to back; their transaction ids are those outside.
            count: How many there are.
            now_ns: The time.
        """
        bundle = self._open.get(number)
        if bundle is None or bundle.closed or bundle.flags != flags:
            return False
        size = sum(len(each.tables) for each in self._open.values()) + len(messages)
        if bundle.messages + count > MAX_MESSAGES or size > MAX_BYTES:
            return False
        bundle.tables += messages
        bundle.messages += count
        bundle.used_ns = now_ns
        return True

    def take(self, number: int, flags: int) -> Bundle:
        """Takes a bundle out, to commit it."""
        bundle = self._find(number, flags)
        del self._open[number]
        return bundle

    def discard(self, number: int) -> None:
        """Forgets a bundle."""
        if self._open.pop(number, None) is None:
            raise self._missing(number)

    def clear(self) -> None:
        """Forgets all."""
        self._open.clear()
        self._given_up.clear()

    def _find(self, number: int, flags: int) -> Bundle:
        bundle = self._open.get(number)
        if bundle is None:
            raise self._missing(number)
        if bundle.flags != flags:
            del self._open[number]
            raise bundle_error(_BAD_FLAGS, f"bundle {number} has other flags")
        return bundle

    def _missing(self, number: int) -> DecodeError:
        if number in self._given_up:
            self._given_up.remove(number)
            return bundle_error(_TIMEOUT, f"bundle {number} was given up")
        return bundle_error(_BAD_ID, f"bundle {number} does not exist")
