"""What happens to packets while no controller is connected.

In `secure` mode nothing: flows stay, and none is made up.  In `standalone` mode the switch
becomes a learning switch: without any controller configured, by a lowest flow that anybody may
replace; with controllers of which none has been connected for three probe intervals, by a highest
flow that goes when one is back.  The flows of the controllers stay in both.

Times are in seconds on any monotonic clock; nothing is sent or applied here.
"""

from enum import Enum, auto
from typing import Final

from ovsflow.config.switch import FailMode
from ovsflow.openflow.actions import Output
from ovsflow.openflow.constants import FlowModCommand, PortNumber
from ovsflow.openflow.instructions import Instructions
from ovsflow.openflow.match import Match
from ovsflow.openflow.modify import FlowMod

#: Marks the flow that takes over, so that people know it when they see it.
STANDALONE_COOKIE: Final = 0x5374616E64416C6E
_HIGHEST: Final = 0xFFFF
#: Probe interval that counts where a controller is not probed, in seconds.
_DEFAULT_PROBE: Final = 5.0


class Turn(Enum):
    """What changes now."""

    TAKE_OVER = auto()
    HAND_BACK = auto()


class FailModeMachine:
    """Decides when the switch stands alone."""

    def __init__(self, mode: FailMode, *, controllers: int, probe: float, now: float) -> None:
        """Makes a machine for a switch whose controllers are not connected yet.

        Args:
            mode: The fail mode.
            controllers: How many are configured.
            probe: Their longest probe interval, in seconds; 0 for none.
            now: The time.
        """
        self._active = mode is FailMode.STANDALONE and controllers > 0
        self._patience = 3 * (probe or _DEFAULT_PROBE)
        self._alone_since: float | None = now if self._active else None
        self.standalone = False

    def update(self, connected: bool, now: float) -> Turn | None:
        """Takes in whether any controller is connected; says what changes now."""
        if not self._active:
            return None
        if connected:
            self._alone_since = None
            if self.standalone:
                self.standalone = False
                return Turn.HAND_BACK
            return None
        if self._alone_since is None:
            self._alone_since = now
        if not self.standalone and now >= self._alone_since + self._patience:
            self.standalone = True
            return Turn.TAKE_OVER
        return None

    @property
    def deadline(self) -> float | None:
        """When to call `update` again if nothing happens; `None` for never."""
        if self._alone_since is None or self.standalone:
            return None
        return self._alone_since + self._patience


_NORMAL: Final = Instructions(apply=(Output(PortNumber.NORMAL),))


def lowest_flow() -> FlowMod:
    """The flow of a standalone switch without controllers."""
    return FlowMod(FlowModCommand.ADD, Match(), _NORMAL, priority=0)


def takeover_flow(turn: Turn) -> FlowMod:
    """The change that makes the switch stand alone, or ends that."""
    adding = turn is Turn.TAKE_OVER
    return FlowMod(
        FlowModCommand.ADD if adding else FlowModCommand.DELETE_STRICT,
        Match(),
        _NORMAL if adding else Instructions(),
        priority=_HIGHEST,
        cookie=STANDALONE_COOKIE,
        cookie_mask=0 if adding else (1 << 64) - 1,
    )
