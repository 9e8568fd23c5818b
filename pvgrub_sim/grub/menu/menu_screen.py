"""The menu's screen, where the highlight stands in it, and the keys that move it (stage2/stage2.c:run_menu)."""

from __future__ import annotations

from pvgrub_sim.grub.console.box import (
    BOX_SIZE,
    BOX_TOP,
    COL_END,
    KEYS_HELP_LOCKED,
    KEYS_HELP_MENU,
    print_border,
    print_entries,
    print_entry,
    print_keys_help,
)
from pvgrub_sim.grub.console.keys import DOWN, PAGE_DOWN, PAGE_UP, UP, getkey
from pvgrub_sim.grub.machine import Machine
from pvgrub_sim.model import Outcome
from pvgrub_sim.typed import Protocol

NOTICE_ROW = 10 + BOX_SIZE
WAITING = "PV-GRUB waits in the menu"


def init_page(m: Machine) -> None:
    """Clear the screen and print GRUB's title (stage2/char_io.c:init_page)."""
    m.term.cls()
    m.term.write(b"\n    GNU GRUB  version 0.97  (%dK lower / 0K upper memory)\n\n" % m.mem_lower)


class Lines(Protocol):
    """What a menu's box shows: an entry's titles or, while it is edited, its commands."""

    def __len__(self) -> int: ...

    def titles(self, first: int) -> list[bytes]:
        """The lines from number `first` on, at least 13 if there are so many."""


class MenuScreen:
    """The box, where the highlight stands in it, and the keys that both kinds of menu know."""

    def __init__(self, m: Machine, lines: Lines, entryno: int) -> None:
        self.m = m
        self.lines = lines
        self.first_entry = 0
        self.entryno = entryno

    @property
    def number(self) -> int:
        """The number of the highlighted entry."""
        return self.first_entry + self.entryno

    @property
    def locked(self) -> bool:
        """True while a password keeps editing and the prompt away."""
        return not self.m.auth and self.m.password is not None

    def keys_help(self) -> bytes:
        """What stands below the box."""
        return KEYS_HELP_LOCKED if self.locked else KEYS_HELP_MENU

    def fit(self) -> None:
        """Scroll so that the highlight is inside the box."""
        if self.entryno >= BOX_SIZE:
            self.first_entry += self.entryno - (BOX_SIZE - 1)
            self.entryno = BOX_SIZE - 1

    def draw(self) -> None:
        """The whole screen."""
        term = self.m.term
        init_page(self.m)
        print_border(term)
        print_keys_help(term, self.keys_help())
        self.draw_entries()

    def draw_entries(self) -> None:
        """The box's contents."""
        print_entries(self.m.term, self.first_entry, self.entryno, self.lines.titles(self.first_entry))

    def home(self) -> None:
        """The cursor to the end of the highlighted line."""
        self.m.term.gotoxy(COL_END - 6, BOX_TOP + 1 + self.entryno)

    def notice(self, text: bytes) -> None:
        """A line below the box."""
        self.m.term.gotoxy(3, NOTICE_ROW)
        self.m.term.write(text)

    def read_key(self) -> int:
        """A key; any key ends the timeout, and the unattended boot with it."""
        m = self.m
        key = getkey(m, Outcome.MENU, WAITING)
        if m.grub_timeout >= 0:
            self.notice(b" " * 68)
            m.grub_timeout = -1
            m.fallback_entryno = -1
            self.home()
        return key

    def move(self, key: int) -> None:
        """The cursor keys, of which `^` and `v` are two."""
        if key in (UP, ord("^")):
            self._up()
        elif key in (DOWN, ord("v")) and self.number + 1 < len(self.lines):
            self._down()
        elif key == PAGE_UP:
            self.first_entry -= BOX_SIZE
            if self.first_entry < 0:
                self.entryno = max(self.entryno + self.first_entry, 0)
                self.first_entry = 0
            self.draw_entries()
        elif key == PAGE_DOWN:
            self.first_entry += BOX_SIZE
            if self.number + 1 >= len(self.lines):
                self.first_entry = max(len(self.lines) - BOX_SIZE, 0)
                self.entryno = len(self.lines) - self.first_entry - 1
            self.draw_entries()

    def _up(self) -> None:
        if self.entryno > 0:
            self._step(-1)
        elif self.first_entry > 0:
            self.first_entry -= 1
            self.draw_entries()

    def _down(self) -> None:
        if self.entryno < BOX_SIZE - 1:
            self._step(1)
        elif len(self.lines) > BOX_SIZE + self.first_entry:
            self.first_entry += 1
            self.draw_entries()

    def _step(self, by: int) -> None:
        self.redraw_entry(highlight=False)
        self.entryno += by
        self.redraw_entry(highlight=True)

    def redraw_entry(self, *, highlight: bool) -> None:
        """The highlighted line alone."""
        text = self.lines.titles(self.number)[:1]
        print_entry(self.m.term, self.entryno, highlight, text[0] if text else b"")
