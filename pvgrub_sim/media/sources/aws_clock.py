"""How long AWS may take for what a thread asks, and what is left of its last answer."""

from __future__ import annotations

import threading
import time

from pvgrub_sim.media.sources.answers import Clock
from pvgrub_sim.typed import Any, Final

PATIENCE = 60.0
"""Seconds until something must be there, however often it is asked for."""
SLOWEST = 4 << 10
"""Bytes a second: for each that has come, a server is given that much more time."""
PIECE: Final = 64 << 10
"""Bytes that are read at once."""


class _Clock(Clock, threading.local):
    """Until when the service must have answered what a thread asks; it goes from the first request of a call on."""

    def __init__(self) -> None:
        super().__init__()
        self._calls = self._runs = False
        self.body: Any = None
        """That of the last answer which is read in pieces: nobody gets it when what stands above makes no sense."""

    def call(self, on: bool) -> None:
        """A call begins or ends."""
        self._calls, self._runs = on, False
        if self.body is not None:
            self.body.close()
            self.body = None

    def start(self) -> None:
        """A request begins: the first of a call, a further one, or one of no call."""
        if not (self._calls and self._runs):
            self.allow(PATIENCE)
            self._runs = True

    def came(self, count: int) -> None:
        """So many bytes have come: there is more time for the next ones."""
        self._until += count / SLOWEST

    def over(self) -> bool:
        """Whether a request was made and the time is over."""
        return self._runs and time.monotonic() > self._until


CLOCK: Final = _Clock()
"""That of the thread which looks at it."""
