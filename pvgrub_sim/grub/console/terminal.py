"""The console that PV-GRUB draws on: GRUB's serial terminal on the Xen console (stage2/char_io.c, stage2/serial.c)."""

from __future__ import annotations

import re

from pvgrub_sim.grub.console.backend import ConsoleBackend, Nobody
from pvgrub_sim.grub.console.serial_input import SerialInput
from pvgrub_sim.grub.stop import Stop
from pvgrub_sim.model import Outcome
from pvgrub_sim.values import Enum, NamedTuple

LAST_COLUMN = 79
"""serial_putchar() starts a new line before a character in this column."""
MAX_LINES = 24
RAW_LIMIT = 16 << 20
"""Bytes of transcript after which printing is taken to go on for ever; no boot prints nearly as much."""

NEWLINE = b"\r\r\n"
"""GRUB puts a CR before LF, and console_print() in Mini-OS's lib/console.c another."""

_CONTROL = bytes((*range(0x20), 0x7F))

# The VGA characters that menus are drawn with, and what serial_putchar() makes of them.
DISP_UL, DISP_UR, DISP_LL, DISP_LR, DISP_HORIZ, DISP_VERT = 218, 191, 192, 217, 196, 179
DISP_LEFT, DISP_RIGHT, DISP_UP, DISP_DOWN = 0x1B, 0x1A, 0x18, 0x19
_ACS = {
    DISP_UL: b"+", DISP_UR: b"+", DISP_LL: b"+", DISP_LR: b"+", DISP_HORIZ: b"-", DISP_VERT: b"|",
    DISP_LEFT: b"<", DISP_RIGHT: b">", DISP_UP: b"^", DISP_DOWN: b"v",
}  # fmt: skip


class TermKind(Enum):
    """The terminals of PV-GRUB's term_table, with the names that `terminal` knows."""

    SERIAL = "serial"
    GRAPHICS = "graphics"


class Terminfo(NamedTuple):
    """The capabilities in use; vt100's to begin with (stage2/terminfo.c:term)."""

    name: bytes = b"vt100"
    cursor_address: bytes = b"\x1b[%i%p1%d;%p2%dH"
    clear_screen: bytes = b"\x1b[H\x1b[J"
    enter_standout_mode: bytes = b"\x1b[7m"
    exit_standout_mode: bytes = b"\x1b[m"


class Terminal:
    """Collects what PV-GRUB prints, as bytes, and asks for keys; by default nobody presses one.

    backend: the far end of the console. The state that behaviour depends on bears GRUB's names.
    """

    def __init__(self, backend: ConsoleBackend | None = None) -> None:
        self.backend = Nobody() if backend is None else backend
        self._input = SerialInput(self.backend)
        self.kind = TermKind.SERIAL
        self.need_init = {TermKind.SERIAL: True, TermKind.GRAPHICS: True}
        self.terminfo = Terminfo()
        self.max_lines = MAX_LINES
        self.count_lines = -1
        self.use_pager = True
        self.history: list[bytes] = []
        self.kill = b""
        self.completion = bytearray()
        self._x = 0
        self._y = 0
        self._out = bytearray()

    # what comes out

    def raw(self) -> bytes:
        """The whole transcript, control codes, menus and prompts included."""
        return bytes(self._out)

    def console(self) -> str:
        """The transcript from the first entry on, as fixtures/conformance/README.md describes it."""
        return clean(bytes(self._out))

    # printing

    def write(self, text: bytes) -> None:
        """Print a string through GRUB's terminal (grub_putstr())."""
        for number, line in enumerate(text.split(b"\n")):
            if number:
                self.put(0x0A)
            if line == line.translate(None, _CONTROL):
                if line:
                    self._put_plain(line)
                continue
            # Few texts have others: the expression is compiled when there is one.
            for run in re.findall(rb"[^\x00-\x1f\x7f]+|[\x00-\x1f\x7f]", line):
                if run[0] in _CONTROL:
                    self.put(run[0])
                else:
                    self._put_plain(run)

    def put(self, code: int) -> None:
        """Print one character (grub_putchar()); above 127 it is one of the DISP_ characters, not text."""
        if code == 0x0A:
            self._put_serial(0x0D)
            if not self._more():
                self._put_serial(0x0A)
        elif code == 0x09:
            self._put_plain(b" " * (8 - ((self._x | self._y >> 8) & 3)))
        elif code >= 0x20 and code != 0x7F and code not in _ACS:
            self._put_plain(bytes((code & 0xFF,)))
        else:
            self._put_serial(code)

    def printk(self, text: bytes) -> None:
        """Print through Mini-OS's console, past GRUB's terminal, which does not see the cursor move."""
        self._emit(text.replace(b"\n", b"\r\n"))

    def _emit(self, data: bytes) -> None:
        self._out += data
        self.backend.printed(data)
        if len(self._out) > RAW_LIMIT:
            raise Stop(Outcome.HANG, f"PV-GRUB prints more than {RAW_LIMIT >> 20} MiB on the console")

    def _need_serial(self) -> None:
        """QUIRK: graphics_putchar() draws into memory that is only there once graphics_init() has worked."""
        if self.kind is not TermKind.SERIAL:
            raise Stop(Outcome.CRASH, "PV-GRUB prints on the graphics terminal, which was never started")

    def _put_plain(self, run: bytes) -> None:
        """Printable characters, with a new line before the 80th of a line."""
        self._need_serial()
        room = LAST_COLUMN - self._x
        while len(run) > room:
            if room > 0:
                self._emit(run[:room])
                run = run[room:]
            self._emit(NEWLINE)
            self._x = 0
            self._y += 1
            room = LAST_COLUMN
        self._emit(run)
        self._x += len(run)

    def _put_serial(self, code: int) -> None:
        """A control or DISP_ character (serial_putchar())."""
        self._need_serial()
        if code in _ACS:
            # QUIRK: so an escape character in a title becomes `<`.
            self._put_plain(_ACS[code])
            return
        if code == 0x0D:
            self._x = 0
        elif code == 0x0A:
            self._y += 1
        elif code in (0x08, 0x7F):
            self._x = max(self._x - 1, 0)
        elif code != 0x07:
            if self._x >= LAST_COLUMN:
                self._emit(NEWLINE)
                self._x = 0
                self._y += 1
            self._x += 1
        self._emit(b"\r\n" if code == 0x0A else bytes((code,)))

    def _more(self) -> bool:
        """The pager (do_more()): counts lines of a command given at the prompt."""
        if self.count_lines < 0:
            return False
        self.count_lines += 1
        if self.count_lines < self.max_lines - 2:
            return False
        self.count_lines = -1
        self.write(b"\n")
        self.highlight(True)
        self.write(b"[Hit return to continue]")
        self.highlight(False)
        while self.getkey(Outcome.PAGER, "the pager waits for return") not in (0x0A, 0x0D):
            pass
        self.write(b"\r                        \r")
        self.count_lines = 0
        return True

    # the cursor

    @property
    def row(self) -> int:
        """The low byte of getxy()."""
        return self._y & 0xFF

    def gotoxy(self, x: int, y: int) -> None:
        """Move the cursor (serial_gotoxy())."""
        from pvgrub_sim.grub.console.terminfo import tparm

        self._capability(tparm(self.terminfo.cursor_address, y, x))
        self._x, self._y = x, y

    def cls(self) -> None:
        """Clear the terminal itself (serial_cls())."""
        self._capability(self.terminfo.clear_screen)
        self._x = self._y = 0

    def highlight(self, on: bool) -> None:
        """Standout mode on or off (serial_setcolorstate())."""
        from pvgrub_sim.grub.console.terminfo import tparm

        self._capability(tparm(self.terminfo.enter_standout_mode if on else self.terminfo.exit_standout_mode))

    def _capability(self, sequence: bytes) -> None:
        self._need_serial()
        self._emit(sequence.replace(b"\n", b"\r\n"))

    # keys

    def checkkey(self) -> int | None:
        """The key that was pressed, which stays to be read; None when there is none (checkkey())."""
        return self._input.checkkey()

    def getkey(self, waiting: Outcome, reason: str) -> int:
        """The next key (getkey()); raises Stop with `waiting` and `reason` when nobody is there to press one."""
        return self._input.getkey(waiting, reason)


_DROPPED = bytes(code for code in range(0x20) if code not in b"\n\r\x1b")
_CLEARED = b"\x01"
_SCREEN = b"    GNU GRUB  version"


def clean(raw: bytes) -> str:
    """A transcript as a log would show it: from the first `  Booting` on, without control codes and menus.

    A redrawn menu or prompt reaches up to the next `  Booting` that begins a line. Trailing blanks go,
    bytes that are not UTF-8 become \\xNN.
    """
    start = raw.find(b"  Booting ")
    if start < 0:
        return ""
    text = raw[start:].translate(None, _DROPPED)
    # A boot with nobody at the keys has none of these as a rule: the expressions are compiled when they are needed.
    if b"\x1b" in text:
        text = re.sub(rb"\x1b\[[0-9;]*([A-Za-z])", lambda found: _CLEARED if found[1] == b"J" else b"", text)
        text = text.replace(b"\x1b", b"")
    plain = text.replace(NEWLINE, b"\n").replace(b"\r\n", b"\n")
    text = re.sub(rb"\r+\n|\r", b"\n", text) if b"\r" in plain else plain
    if _SCREEN in text:
        text = re.sub(rb"(?s)\x01*\n?" + _SCREEN + rb".*?(?=\n\x01*  Booting |\Z)", b"", text)
    text = text.replace(_CLEARED, b"")
    lines = text.decode("utf-8", "backslashreplace").split("\n")
    return "\n".join(line.rstrip() for line in lines).rstrip()
