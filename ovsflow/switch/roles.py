"""Which controller may write: the roles of all sessions and the generation they agree on.

At most one session is PRIMARY; making one primary makes the former one SECONDARY.  A generation
id orders takeovers between controllers: a request with an older one is stale.  "Older" is a
signed distance, so that the 64-bit number may wrap.

Source: OpenFlow 1.3.5 §6.3.6 and §7.3.9.
"""

from typing import Final

from ovsflow.errors import DecodeError
from ovsflow.openflow.constants import ErrorType, Role

#: What a role reply carries while no generation id was ever given.
UNDEFINED_GENERATION: Final = (1 << 64) - 1

_STALE: Final = 0
_BAD_ROLE: Final = 2


class Roles:
    """The roles of the sessions of one switch, by session number."""

    def __init__(self) -> None:
        self._roles: dict[int, Role] = {}
        self._generation: int | None = None

    @property
    def generation(self) -> int:
        """The newest generation id, or `UNDEFINED_GENERATION`."""
        return UNDEFINED_GENERATION if self._generation is None else self._generation

    def join(self, session: int) -> None:
        """A session begins, as EQUAL."""
        self._roles[session] = Role.EQUAL

    def leave(self, session: int) -> None:
        """A session ended; nobody takes its place by itself."""
        self._roles.pop(session, None)

    def role(self, session: int) -> Role:
        """The role of a session."""
        return self._roles.get(session, Role.EQUAL)

    def request(self, session: int, role: int, generation: int | None) -> list[int]:
        """Gives a session another role.

        Args:
            session: Its number.
            role: OFPCR_ROLE_*; NOCHANGE only asks.
            generation: The generation id, or `None` where the message has none (Nicira).

        Returns:
            The sessions that lost the primary role by it.

        Raises:
            DecodeError: ROLE_REQUEST_FAILED, STALE or BAD_ROLE; nothing has changed.
        """
        if role not in tuple(Role):
            raise DecodeError(f"role {role} is unknown", ErrorType.ROLE_REQUEST_FAILED, _BAD_ROLE)
        if role == Role.NOCHANGE:
            return []
        if role in (Role.PRIMARY, Role.SECONDARY) and generation is not None:
            self._advance(generation)
        demoted = []
        if role == Role.PRIMARY:
            demoted = [
                other
                for other, held in self._roles.items()
                if held is Role.PRIMARY and other != session
            ]
            for other in demoted:
                self._roles[other] = Role.SECONDARY
        self._roles[session] = Role(role)
        return demoted

    def _advance(self, generation: int) -> None:
        if self._generation is not None:
            distance = (generation - self._generation) & ((1 << 64) - 1)
            if distance >= 1 << 63:
                raise DecodeError(
                    f"generation id {generation:#x} is older than {self._generation:#x}",
                    ErrorType.ROLE_REQUEST_FAILED,
                    _STALE,
                )
        self._generation = generation
