"""Wakes the control plane when the datapath has something to tell, or something falls due.

The datapath's events come through a descriptor that is readable while some wait; its timeouts
through `tick`, which says when it wants to be called again.  Where it wants nothing there is no
timer: an idle switch does not wake up.
"""

import asyncio
import time
from typing import Protocol

from ovsflow.switch.bridge import Bridge


class Clockwork(Protocol):
    """The part of `ovsflow.datapath.Datapath` that wakes the control plane."""

    def event_fd(self) -> int:
        """A descriptor that is readable while events wait."""

    def tick(self, now_ns: int) -> int | None:
        """Does what is due; returns when to call again, `None` for never."""


class Pump:
    """Carries events to sessions, and calls `tick` when it is time."""

    def __init__(self, datapath: Clockwork, bridge: Bridge) -> None:
        self._datapath = datapath
        self._bridge = bridge
        self._loop = asyncio.get_running_loop()
        self._fd = datapath.event_fd()
        self._timer: asyncio.TimerHandle | None = None
        self._tick_due = False

    def start(self) -> None:
        """Begins to listen and to keep time."""
        self._loop.add_reader(self._fd, self._readable)
        self._bridge.on_change = self.look_again
        self.look_again()

    def stop(self) -> None:
        """Stops; the descriptor stays the datapath's."""
        self._loop.remove_reader(self._fd)
        self._bridge.on_change = lambda: None
        if self._timer is not None:
            self._timer.cancel()

    def _readable(self) -> None:
        self._bridge.deliver()
        # Packets may have taught what has a time of its own to go.
        self.look_again()

    def look_again(self) -> None:
        """Something changed that may fall due sooner: asks the datapath once this turn is over."""
        if not self._tick_due:
            self._tick_due = True
            self._loop.call_soon(self._tick)

    def _tick(self) -> None:
        self._tick_due = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now_ns = time.monotonic_ns()
        due_ns = self._datapath.tick(now_ns)
        if due_ns is not None:
            # The loop's clock is the same monotonic one, in seconds.
            delay = max((due_ns - now_ns) / 1e9, 0.001)
            self._timer = self._loop.call_later(delay, self._tick)
