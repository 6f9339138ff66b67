"""The life of one connection that the switch keeps up, as a machine that does no networking.

    VOID ──enable──► BACKOFF ──wait over──► CONNECTING ──connected──► ACTIVE ⇄ IDLE
                        ▲                        │                      │       │
                        └────── failed ──────────┴─── disconnected ─────┴───────┘

- BACKOFF waits: one second after the first failure, doubled at each further one up to a
  maximum, each time up to 20 % less, so that many switches do not knock together.  The wait
  starts anew at one second once a connection has carried a message.
- ACTIVE hears from the peer.  After `probe` seconds of silence the machine asks for an echo
  request and is IDLE; after as much silence again it gives the connection up.

Whoever owns the socket calls `step` with the time and does what it answers, tells what happened
(`connected`, `received`, `disconnected`), and sleeps until `deadline`.  Times are in seconds on
any monotonic clock.
"""

import random
from enum import Enum, auto
from typing import Final

#: The first wait, in seconds.
MIN_BACKOFF: Final = 1.0
#: Seconds that an attempt to connect may take, at least; the current wait where it is longer.
MIN_CONNECT_TIME: Final = 2.0
_JITTER: Final = 0.2


class State(Enum):
    """Where the connection stands."""

    VOID = auto()
    BACKOFF = auto()
    CONNECTING = auto()
    ACTIVE = auto()
    IDLE = auto()


class Action(Enum):
    """What the owner of the socket has to do now."""

    CONNECT = auto()
    PROBE = auto()
    DISCONNECT = auto()


class Reconnect:
    """Decides when to connect, probe and give up."""

    def __init__(
        self,
        *,
        probe: float,
        max_backoff: float,
        jitter: random.Random | None = None,
    ) -> None:
        """Makes a machine in VOID.

        Args:
            probe: Seconds of silence before an echo request; 0 for none.
            max_backoff: The longest wait between two attempts, in seconds, before jitter.
            jitter: Where the up to 20 % come from; `None` for none.
        """
        self._probe = probe
        self._max_backoff = max_backoff
        self._jitter = jitter
        self._wait = 0.0
        self._since = 0.0
        self._until: float | None = None
        self.state = State.VOID
        self.attempts = 0

    def enable(self, now: float) -> None:
        """Starts to connect, at once."""
        if self.state is State.VOID:
            self._wait = 0.0
            self._enter(State.BACKOFF, now, 0.0)

    def disable(self, now: float) -> None:
        """Stops for good; the owner closes what is open."""
        self._enter(State.VOID, now, None)

    def connected(self, now: float) -> None:
        """The connection stands."""
        self.attempts = 0
        self._enter(State.ACTIVE, now, self._probe or None)

    def received(self, now: float) -> None:
        """The peer said something."""
        if self.state in (State.ACTIVE, State.IDLE):
            self._wait = 0.0
            self._enter(State.ACTIVE, now, self._probe or None)

    def disconnected(self, now: float) -> None:
        """The connection, or the attempt at one, ended."""
        if self.state is State.VOID:
            return
        self._wait = min(max(MIN_BACKOFF, self._wait * 2), self._max_backoff)
        wait = self._wait
        if self._jitter is not None:
            wait *= 1 - self._jitter.uniform(0, _JITTER)
        self._enter(State.BACKOFF, now, wait)

    def step(self, now: float) -> Action | None:
        """What to do now, if anything; called at `deadline` or later."""
        if self._until is None or now < self._until:
            return None
        if self.state is State.BACKOFF:
            self.attempts += 1
            self._enter(State.CONNECTING, now, max(MIN_CONNECT_TIME, self._wait))
            return Action.CONNECT
        if self.state is State.ACTIVE:
            self._enter(State.IDLE, now, self._probe)
            return Action.PROBE
        # CONNECTING took too long, or no answer came to the probe.
        self._until = None
        return Action.DISCONNECT

    @property
    def deadline(self) -> float | None:
        """When `step` has something to say, unless something happens before; `None` for never."""
        return self._until

    def _enter(self, state: State, now: float, seconds: float | None) -> None:
        self.state = state
        self._since = now
        self._until = None if seconds is None else now + seconds

    def seconds_in_state(self, now: float) -> float:
        """How long the machine has been in `state`."""
        return now - self._since
