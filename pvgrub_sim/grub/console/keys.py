"""Waiting for a key, by which a run ends when nobody is there."""

from __future__ import annotations

from pvgrub_sim.grub.machine import Machine
from pvgrub_sim.model import EventKind, Outcome

ESCAPE = 27
UP, DOWN, PAGE_UP, PAGE_DOWN, RIGHT = 16, 14, 7, 3, 6
RETURN_KEYS = (0x0A, 0x0D)


def getkey(m: Machine, waiting: Outcome, reason: str) -> int:
    """The next key; without a keyboard, raises Stop with what PV-GRUB then waits for, and why."""
    if m.term.keyboard is None:
        m.emit(EventKind.KEY, reason)
    key = m.term.getkey(waiting, reason)
    # Whoever presses keys is not in an endless loop.
    m.steps = 0
    m.restarts = 0
    return key


BACKSPACE = 8
_SEQUENCES = {
    b"\x1b[A": UP, b"\x1b[B": DOWN, b"\x1b[C": RIGHT, b"\x1b[D": 2, b"\x1b[F": 5, b"\x1b[H": 1, b"\x1b[4": 4,
    b"\x1b[1~": 1, b"\x1b[3~": 4, b"\x1b[5~": PAGE_UP, b"\x1b[6~": PAGE_DOWN, b"\x1b[7~": 1, b"\x1b[8~": 5,
}  # fmt: skip


def decode_key(typed: bytes) -> tuple[int, int]:
    """GRUB's key at the start of what a vt100 sends, and how many of the bytes it takes.

    As serial_translate_key_sequence() in stage2/serial.c and serial_hw_fetch() in stubdom/grub/mini-os.c. What is
    no sequence is taken byte by byte.
    """
    for length in (3, 4):
        key = _SEQUENCES.get(typed[:length])
        if key is not None and len(typed) >= length:
            return key, length
    return (BACKSPACE if typed[0] == 0x7F else typed[0]), 1
