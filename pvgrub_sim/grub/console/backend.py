"""The far end of the Xen console: who sees what PV-GRUB prints, and may press keys (as lib/xencons_ring.c)."""

from __future__ import annotations

from pvgrub_sim.grub.stop import Stop
from pvgrub_sim.model import Outcome
from pvgrub_sim.typed import Protocol

BOOTED_AFTER = 1
"""Seconds that main() in stubdom/grub/mini-os.c sleeps before GRUB begins."""


class ConsoleBackend(Protocol):
    """Bytes that a terminal sends, a clock, and an eye on what is printed.

    attended: False when no key will ever come, so that long timeouts need not be watched.
    """

    attended: bool

    def printed(self, data: bytes) -> None:
        """Told of everything that PV-GRUB prints, as it goes out on the console."""

    def fetch(self) -> int | None:
        """The next byte that was typed; None when none is there yet."""

    def linger(self) -> bool:
        """Wait for more of a key, as long as 10000 looks at the console take; True when there is more."""

    def pause(self) -> None:
        """Let time pass between two looks at the console, at most up to the next full second."""

    def wait(self, waiting: Outcome, reason: str) -> None:
        """Wait for a byte; raises Stop with `waiting` and `reason` when there will be none."""

    def seconds(self) -> int:
        """Full seconds since the domain was started."""


class Nobody:
    """Nobody is there: timeouts run out at once, and a wait for a key is the end."""

    attended = False

    def __init__(self) -> None:
        self._seconds = BOOTED_AFTER

    def printed(self, data: bytes) -> None:
        """Nobody sees it."""

    def fetch(self) -> int | None:
        """Nothing is typed."""
        return None

    def linger(self) -> bool:
        """Nothing will come."""
        return False

    def pause(self) -> None:
        """A second passes."""
        self._seconds += 1

    def wait(self, waiting: Outcome, reason: str) -> None:
        """There will be no key."""
        raise Stop(waiting, reason)

    def seconds(self) -> int:
        """Full seconds since the domain was started."""
        return self._seconds
