"""Waiting for a key, by which a run ends when nobody is there."""

from __future__ import annotations

from pvgrub_sim.grub.machine import Machine
from pvgrub_sim.grub.stop import Stop
from pvgrub_sim.model import EventKind, Outcome

ESCAPE = 27
UP, DOWN, PAGE_UP, PAGE_DOWN, RIGHT = 16, 14, 7, 3, 6
RETURN_KEYS = (0x0A, 0x0D)


def getkey(m: Machine, waiting: Outcome, reason: str) -> int:
    """The next key; when there will be none, raises Stop with what PV-GRUB then waits for, and why."""
    try:
        key = m.term.getkey(waiting, reason)
    except Stop:
        m.emit(EventKind.KEY, reason)
        raise
    # Whoever presses keys is not in an endless loop.
    m.steps = 0
    m.restarts = 0
    return key
