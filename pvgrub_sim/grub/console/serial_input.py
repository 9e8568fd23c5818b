"""GRUB's keys out of the bytes that a vt100 sends (stage2/serial.c, stubdom/grub/mini-os.c:serial_hw_fetch)."""

from __future__ import annotations

from pvgrub_sim.grub.console.backend import ConsoleBackend
from pvgrub_sim.model import Outcome

INPUT_BUF = 8
"""Bytes of the buffer in which sequences are recognised (stage2/serial.c:input_buf)."""
BACKSPACE = 8
DELETE = 0x7F

_SEQUENCES = {
    b"\x1b[A": 16, b"\x1b[B": 14, b"\x1b[C": 6, b"\x1b[D": 2, b"\x1b[F": 5, b"\x1b[H": 1, b"\x1b[4": 4,
    b"\x1b[1~": 1, b"\x1b[3~": 4, b"\x1b[5~": 7, b"\x1b[6~": 3, b"\x1b[7~": 1, b"\x1b[8~": 5,
}  # fmt: skip
"""QUIRK: what looks like the start of ESC [ 4 ~ is a key of three bytes, so its `~` is typed."""


class SerialInput:
    """The bytes that are read and not yet taken as keys."""

    def __init__(self, backend: ConsoleBackend) -> None:
        self._backend = backend
        self._pending = bytearray()

    def checkkey(self) -> int | None:
        """The next key, left where it is; None when there is none (serial_checkkey())."""
        if len(self._pending) < INPUT_BUF:
            self._take(self._backend.fetch())
        return self._first()

    def getkey(self, waiting: Outcome, reason: str) -> int:
        """The next key (serial_getkey()); raises Stop with `waiting` and `reason` when there will be none."""
        while True:
            while len(self._pending) < INPUT_BUF:
                byte = self._backend.fetch()
                self._take(byte)
                if byte is None and not self._backend.linger():
                    break
            key = self._first()
            if key is not None:
                del self._pending[0]
                return key
            self._backend.wait(waiting, reason)

    def _take(self, byte: int | None) -> None:
        # QUIRK: a char is signed, so bytes above 127 count as none.
        if byte is not None and byte < 0x80:
            self._pending.append(BACKSPACE if byte == DELETE else byte)

    def _first(self) -> int | None:
        """The key that the buffer begins with, of which it keeps one byte (serial_translate_key_sequence())."""
        for length in (3, 4):
            key = _SEQUENCES.get(bytes(self._pending[:length]))
            if key is not None:
                self._pending[:length] = bytes((key,))
                break
        return self._pending[0] if self._pending else None
