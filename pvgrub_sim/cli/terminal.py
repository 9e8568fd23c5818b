"""The terminal while PV-GRUB has it: raw, given back on every way out, shown nothing that could steer it."""

from __future__ import annotations

import os
import re
import signal
import sys
import termios
from types import FrameType

from pvgrub_sim import UsageError
from pvgrub_sim.typed import Any, Self

COLUMNS, LINES = 80, 24
"""What PV-GRUB draws on."""
CLEARED = b"\x1b[H\x1b[J"
_TOKENS = re.compile(rb"(?P<safe>\x1b\[(?:[0-9;]{0,12}H|J|[07]?m)|[\r\n\b]+)|(?P<text>[^\x00-\x1f\x7f]+)|.", re.S)
_KEPT = 1 << 16
"""Bytes since the screen was cleared that are drawn anew when the window changes."""
_INPUT, _OUTPUT, _LOCAL, _CHARACTERS = 0, 1, 3, 6
"""Places in what termios.tcgetattr() returns."""
_DISABLED = b"\x00"
HINT = "Ctrl-] leaves PV-GRUB where it is, Ctrl-C ends the program.\n"
_BOTTOM = b"\x1b[m\x1b[9999;1H\r\n"
_LEAVING = (signal.SIGTERM, signal.SIGHUP)


def safe(data: bytes, encoding: str) -> bytes:
    """What of PV-GRUB's output may reach a terminal: text, and the few sequences that the menu is drawn with.

    data: bytes for the Xen console, in which an image's own bytes may be anything. encoding: the terminal's.
    """
    out = bytearray()
    for token in _TOKENS.finditer(data):
        if token["safe"]:
            out += token["safe"]
        elif token["text"]:
            text = token["text"].decode("utf-8", "replace")
            shown = text if text.isprintable() else "".join(char if char.isprintable() else "?" for char in text)
            out += shown.encode(encoding, "replace")
    return bytes(out)


class RawTerminal:
    """Standard input and output as a terminal in raw mode, as long as the `with` block lasts.

    keyboard: the file descriptor to read keys from. wake_fd: can be read when the window's size has changed.
    """

    def __init__(self) -> None:
        """Raises UsageError when there is no terminal, or one too small."""
        try:
            both = os.isatty(sys.stdin.fileno()) and os.isatty(sys.stdout.fileno())
        except (OSError, ValueError):
            both = False
        if not both:
            raise UsageError("the console needs a terminal on standard input and output, or --keys FILE")
        self.keyboard = sys.stdin.fileno()
        self._screen = sys.stdout.fileno()
        columns, lines = os.get_terminal_size(self._screen)
        if 0 < columns < COLUMNS or 0 < lines < LINES:
            raise UsageError(f"the window has {columns}x{lines}, and PV-GRUB draws on {COLUMNS}x{LINES}")
        self._encoding = sys.stdout.encoding or "ascii"
        self._since_cleared = bytearray()

    def __enter__(self) -> Self:
        print(HINT, end="", flush=True)
        self._before = termios.tcgetattr(self.keyboard)
        self.wake_fd, self._waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._old_waker = signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        self._handlers = {number: signal.signal(number, self._leave) for number in _LEAVING}
        self._handlers[signal.SIGWINCH] = signal.signal(signal.SIGWINCH, self._resized)
        try:
            termios.tcsetattr(self.keyboard, termios.TCSADRAIN, raw(self._before))
        except BaseException:  # Ctrl-C as well; it is passed on
            self._give_back()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self._write(_BOTTOM)
        finally:
            self._give_back()

    def _give_back(self) -> None:
        """The terminal and the signals as they were."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._old_waker)
        os.close(self.wake_fd)
        os.close(self._waker)
        try:
            termios.tcsetattr(self.keyboard, termios.TCSAFLUSH, self._before)
        except termios.error:
            # It was closed: there is nothing left to give back.
            return

    def show(self, data: bytes) -> None:
        """Show what PV-GRUB prints."""
        if data.startswith(CLEARED):
            self._since_cleared.clear()
        shown = safe(data, self._encoding)
        if len(self._since_cleared) < _KEPT:
            self._since_cleared += shown
        self._write(shown)

    def wake(self) -> None:
        """Draw the screen anew when the window has another size."""
        if signal.SIGWINCH in os.read(self.wake_fd, 512):
            self._write(CLEARED + b"\x1b[m" + self._since_cleared)

    def _write(self, data: bytes) -> None:
        while data:
            try:
                data = data[os.write(self._screen, data) :]
            except OSError:
                # The terminal was closed: whoever reads keys finds that out as well.
                return

    def _leave(self, number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    def _resized(self, number: int, frame: FrameType | None) -> None:
        """What is to be done is done by wake(), between two keys."""


def raw(before: list[Any]) -> list[Any]:
    """Terminal settings under which every key arrives as it is pressed, and output goes out as it is.

    before: what termios.tcgetattr() returned. Ctrl-C stays the way out.
    """
    flags, characters = before[:_CHARACTERS], list(before[_CHARACTERS])
    flags[_INPUT] &= ~(termios.BRKINT | termios.ICRNL | termios.INPCK | termios.ISTRIP | termios.IXON)
    flags[_OUTPUT] &= ~termios.OPOST
    flags[_LOCAL] &= ~(termios.ECHO | termios.ICANON | termios.IEXTEN)
    flags[_LOCAL] |= termios.ISIG
    characters[termios.VMIN], characters[termios.VTIME] = 1, 0
    characters[termios.VQUIT] = characters[termios.VSUSP] = _DISABLED
    return [*flags, characters]
