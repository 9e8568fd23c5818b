"""Editing a command line on the screen (stage2/char_io.c:get_cmdline, real_get_cmdline)."""

from __future__ import annotations

from collections.abc import Callable

from pvgrub_sim.grub.console.keys import ESCAPE, RETURN_KEYS, getkey
from pvgrub_sim.grub.errnum import ErrNum
from pvgrub_sim.grub.machine import Machine
from pvgrub_sim.grub.words import c_string, copy_string
from pvgrub_sim.model import Outcome

MAX_CMDLINE = 1600
WIDTH = 78
MARGIN = 10
"""Columns that one section of a long line shares with the next."""
HISTORY_SIZE = 5

_TAB, _START, _END, _FORWARD, _BACK, _KILL_START, _KILL_END, _YANK = 9, 1, 5, 6, 2, 21, 11, 25
_DELETE, _BACKSPACE, _PREVIOUS, _NEXT = 4, 8, 16, 14

Complete = Callable[[Machine, bytearray, bool, bool], int]
"""Completes the string in a buffer: takes whether it is a file's name, and whether to print the candidates instead.

Returns how many there are besides the first, -1 when there is none or an error was printed.
"""


def get_cmdline(
    m: Machine,
    prompt: bytes,
    text: bytes,
    maxlen: int,
    waiting: Outcome,
    *,
    echo: int | None = None,
    complete: Complete | None = None,
) -> bytes | None:
    """A line that somebody types; None when escape is pressed.

    text: what the line holds to begin with. maxlen: its limit in bytes, NUL included. waiting: how the run ends
    when nobody is there. echo: printed instead of what is typed. complete: for the TAB key, which
    comes with the other keys of readline; None for a line without them.
    """
    maxlen = min(maxlen, MAX_CMDLINE)
    return _Editor(m, prompt, text[: MAX_CMDLINE - 1], maxlen=maxlen, echo=echo, complete=complete).run(waiting)


def _reason(prompt: bytes) -> str:
    return f"PV-GRUB waits at the prompt {prompt.decode().strip()}"


class _Editor:
    """One line while it is edited. Shown in sections of up to 77 columns, one at a time."""

    def __init__(
        self, m: Machine, prompt: bytes, text: bytes, *, maxlen: int, echo: int | None, complete: Complete | None
    ) -> None:
        self.m = m
        self.prompt = prompt
        self.maxlen = maxlen
        self.echo = echo
        self.complete = complete
        self.line = bytearray(text)
        self.at = len(text)
        self.x = 0
        self.section = 0
        self.history = -1
        self.saved = text

    def run(self, waiting: Outcome) -> bytes | None:
        """Handle keys up to return or escape."""
        self.show()
        while (key := getkey(self.m, waiting, _reason(self.prompt))) not in RETURN_KEYS:
            if self.complete:
                self._readline_key(key, self.complete)
            if key == ESCAPE:
                return None
            if key == _DELETE and self.at < len(self.line):
                self._delete(1)
            elif key == _BACKSPACE and self.at > 0:
                self._back(1)
                self._delete(1)
            elif ord(" ") <= key <= ord("~"):
                self._insert(bytes((key,)))
        self.m.term.write(b"\n")
        line = bytes(self.line) if self.echo is not None else bytes(self.line).lstrip(b" ")
        if self.complete and line:
            self._add_history(line, 0)
        return line

    # drawing

    def show(self) -> None:
        """The line on a new row."""
        self.m.term.write(b"\n")
        self._refresh_all()

    def _start_of_section(self) -> int:
        """Index of the first character that the section shows."""
        if self.section == 0:
            return 0
        return (self.section - 1) * (WIDTH - 1 - MARGIN) + WIDTH - len(self.prompt) - MARGIN

    def _refresh_all(self) -> None:
        """Draw the section that the cursor is in."""
        column = self.at + len(self.prompt)
        self.section = 0 if column < WIDTH else (column - WIDTH) // (WIDTH - 1 - MARGIN) + 1
        lead = self.prompt if self.section == 0 else b"<"
        self.m.term.write(b"\r" + lead)
        self._draw(self._start_of_section(), WIDTH - len(lead), len(lead))

    def _refresh(self, count: int) -> None:
        """Draw `count` columns from the cursor on."""
        lead = len(self.prompt) if self.section == 0 else 1
        self._draw(self._start_of_section() + self.x - lead, count, self.x)

    def _draw(self, start: int, count: int, column: int) -> None:
        shown = bytes(self.line[start : start + count])
        if self.echo is not None:
            shown = bytes((self.echo,)) * len(shown)
        self.m.term.write(shown.ljust(count))
        if column + count == WIDTH:
            self.m.term.write(b">" if start + count < len(self.line) else b" ")
        lead = len(self.prompt) if self.section == 0 else 1
        self.x = self.at - self._start_of_section() + lead
        self.m.term.gotoxy(self.x, self.m.term.row)

    # the cursor and the text

    def _back(self, count: int) -> None:
        self.at -= count
        if (self.section == 1 and len(self.prompt) + self.at < WIDTH) or self.x - count < 1:
            self._refresh_all()
            return
        self.x -= count
        self.m.term.gotoxy(self.x, self.m.term.row)

    def _forward(self, count: int) -> None:
        self.at += count
        if self.x + count >= WIDTH:
            self._refresh_all()
            return
        self.x += count
        self.m.term.gotoxy(self.x, self.m.term.row)

    def _insert(self, text: bytes) -> None:
        if len(self.line) + len(text) >= self.maxlen:
            return
        self.line[self.at : self.at] = text
        self.at += len(text)
        rest = len(self.line) - self.at
        if self.x + len(text) >= WIDTH:
            self._refresh_all()
        elif self.x + len(text) + rest > WIDTH:
            self._refresh(WIDTH - self.x)
        else:
            self._refresh(len(text) + rest)

    def _delete(self, count: int) -> None:
        del self.line[self.at : self.at + count]
        rest = len(self.line) + count - self.at
        self._refresh(min(rest, WIDTH - self.x))

    def _replace(self, text: bytes) -> None:
        self.line[:] = text
        self.at = len(text)
        self._refresh_all()

    # keys of readline

    def _readline_key(self, key: int, complete: Complete) -> None:
        term = self.m.term
        if key == _TAB:
            self._complete_word(complete)
        elif key == _START:
            self._back(self.at)
        elif key == _END:
            self._forward(len(self.line) - self.at)
        elif key == _FORWARD and self.at < len(self.line):
            self._forward(1)
        elif key == _BACK and self.at > 0:
            self._back(1)
        elif key == _KILL_START and self.at > 0:
            count = self.at
            term.kill = bytes(self.line[:count])
            self._back(count)
            self._delete(count)
        elif key == _KILL_END and self.at < len(self.line):
            term.kill = bytes(self.line[self.at :])
            self._delete(len(self.line) - self.at)
        elif key == _YANK:
            self._insert(term.kill)
        elif key == _PREVIOUS:
            self._turn_history(1)
        elif key == _NEXT and self.history >= 0:
            self._turn_history(-1)

    def _turn_history(self, by: int) -> None:
        lines = self.m.term.history
        if self.history < 0:
            self.saved = bytes(self.line)
        elif lines[self.history] != self.line:
            self._add_history(bytes(self.line), self.history)
        wanted = self.history + by
        if wanted >= len(lines):
            return
        self.history = wanted
        self._replace(lines[wanted] if wanted >= 0 else self.saved)

    def _add_history(self, line: bytes, number: int) -> None:
        lines = self.m.term.history
        lines.insert(number, line)
        del lines[HISTORY_SIZE:]

    def _complete_word(self, complete: Complete) -> None:
        # The first word is a command's name; what follows it, behind `=` as well, a file's.
        line, m = self.line, self.m
        stop = 0
        while line[stop : stop + 1] == b" ":
            stop += 1
        while stop < len(line) and line[stop] not in b"= ":
            stop += 1
        is_filename = self.at > stop
        equal = stop if line[stop : stop + 1] == b"=" else -1
        if equal >= 0:
            line[equal] = ord(" ")
        begin = line.rfind(b" ", 0, self.at) + 1
        length = self.at - begin
        copy_string(m.term.completion, 0, bytes(line[begin : self.at]))
        m.buf_drive = -1
        more = complete(m, m.term.completion, is_filename, False)
        m.errnum = ErrNum.NONE
        if more >= 0:
            self._insert(c_string(m.term.completion, length))
            if more > 0:
                m.term.write(b"\n")
                complete(m, m.term.completion, is_filename, True)
                m.errnum = ErrNum.NONE
        if equal >= 0:
            # QUIRK: put back where it was, though the line may have grown in front of it.
            line[equal] = ord("=")
        if more:
            self.show()
