"""What one question about an image may take, over all the runs that answer it: nothing here has no end."""

from __future__ import annotations

import time

TOTAL_STEPS = 4_000_000
"""Steps of all runs together; one run ends sooner (grub/machine.py:STEP_BUDGET)."""
TOTAL_BYTES = 2 << 30
"""Bytes that all runs together load, unpack or print. A PV-GRUB that boots takes a hundredth of it."""


class GivenUp(Exception):
    """The budget is used up: str() says of what there was too much. timeout: it was the time that was given."""

    def __init__(self, reason: str, *, timeout: bool = False) -> None:
        super().__init__(reason)
        self.timeout = timeout


class Budget:
    """What is left. seconds: of wall-clock time, from now on; None for any time."""

    __slots__ = ("_deadline", "_seconds", "bytes", "steps")

    def __init__(self, *, steps: int = TOTAL_STEPS, size: int = TOTAL_BYTES, seconds: float | None = None) -> None:
        self.steps = steps
        self.bytes = size
        self._seconds = seconds
        self._deadline = None if seconds is None else time.monotonic() + seconds

    @property
    def timed(self) -> bool:
        """True when there is an end of time."""
        return self._deadline is not None

    def renewed(self) -> Budget:
        """The whole of it once more, but for the time, which goes on."""
        other = Budget()
        other._seconds, other._deadline = self._seconds, self._deadline
        return other

    def step(self, steps: int) -> None:
        """Count steps; raises GivenUp when none are left, or no time."""
        self.steps -= steps
        if self.steps < 0:
            raise GivenUp(f"the image takes more than {TOTAL_STEPS:,} steps")
        self.check()

    def take(self, size: int) -> None:
        """Count bytes that are loaded, unpacked or printed; raises GivenUp when none are left, or no time."""
        self.bytes -= size
        if self.bytes < 0:
            raise GivenUp(f"more than {TOTAL_BYTES >> 20} MiB are loaded, unpacked or printed")
        self.check()

    def check(self) -> None:
        """Raise GivenUp when the time is over."""
        if self._deadline is not None and time.monotonic() > self._deadline:
            raise GivenUp(f"no answer within {self._seconds:g} seconds", timeout=True)
