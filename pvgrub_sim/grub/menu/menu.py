"""The menu: timeout, keys, and running the chosen entry (stage2/stage2.c:run_menu)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

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
from pvgrub_sim.grub.console.keys import DOWN, ESCAPE, PAGE_DOWN, PAGE_UP, RETURN_KEYS, RIGHT, UP, getkey
from pvgrub_sim.grub.machine import MAX_FALLBACK_ENTRIES, Machine
from pvgrub_sim.grub.menu.config import Menu
from pvgrub_sim.grub.menu.prompt import enter_cmdline, init_page
from pvgrub_sim.grub.menu.script import run_script
from pvgrub_sim.model import EventKind, Outcome

SHOWN_SECONDS = 60
"""Of a longer timeout only the last seconds are printed when nobody is there to see them."""
NOTICE_ROW = 10 + BOX_SIZE


class Lines(Protocol):
    """What a menu's box shows: an entry's titles or, while it is edited, its commands."""

    def __len__(self) -> int: ...

    def titles(self, first: int) -> list[bytes]:
        """The lines from number `first` on, at least 13 if there are so many."""


class MenuScreen:
    """The box, where the highlight stands in it, and the keys that both kinds of menu know."""

    waiting = "PV-GRUB waits in the menu"

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
        key = getkey(m, Outcome.MENU, self.waiting)
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


def run_menu(m: Machine, menu: Menu, entryno: int) -> None:
    """Show a menu and boot what is chosen, or what the timeout chooses; returns when a new config file is wanted."""
    from pvgrub_sim.grub.menu.entry_editor import edit_entry, unlock

    screen = MenuScreen(m, menu, entryno)
    while True:
        screen.fit()
        if m.grub_timeout < 0:
            m.show_menu = True
        booting = not m.show_menu and _wait_hidden(m)
        if not booting:
            if m.show_menu:
                screen.draw()
            while True:
                key = _wait_key(screen)
                if key is None:
                    booting = True
                    break
                screen.move(key)
                if key in RETURN_KEYS or key == RIGHT:
                    booting = True
                    break
                if screen.locked:
                    if key == ord("p"):
                        if unlock(m):
                            return
                        break
                elif key == ord("e"):
                    m.current_entryno = screen.number
                    edit_entry(m, menu.commands(screen.number))
                    break
                elif key == ord("c"):
                    enter_cmdline(m, forever=False)
                    break
        if booting:
            boot_entries(m, menu, screen)


def _wait_hidden(m: Machine) -> bool:
    """The timeout with the menu hidden; False when escape asks for the menu."""
    _shorten(m)
    while True:
        if m.term.checkkey() and getkey(m, Outcome.MENU, MenuScreen.waiting) == ESCAPE:
            m.grub_timeout = -1
            m.show_menu = True
            return False
        if m.grub_timeout <= 0:
            m.grub_timeout = -1
            return True
        m.grub_timeout -= 1
        m.term.write(b"\rPress `ESC' to enter the menu... %d   " % m.grub_timeout)


def _shorten(m: Machine) -> None:
    """Let the seconds of a long timeout pass that nobody watches."""
    if m.term.keyboard is None:
        m.grub_timeout = min(m.grub_timeout, SHOWN_SECONDS)


def _wait_key(screen: MenuScreen) -> int | None:
    """The next key; None when the timeout is over. Each turn stands for one second."""
    m = screen.m
    _shorten(m)
    while m.grub_timeout >= 0:
        if m.grub_timeout == 0:
            m.grub_timeout = -1
            return None
        screen.notice(b" The highlighted entry will be booted automatically in %d seconds.   " % m.grub_timeout)
        screen.home()
        m.grub_timeout -= 1
        if m.term.checkkey():
            break
    return screen.read_key()


def boot_entries(m: Machine, menu: Menu, screen: MenuScreen) -> None:
    """Run the chosen entry and, as long as they fail, the fallback entries behind it."""
    m.term.cls()
    while True:
        number = screen.number
        title = menu.title(number)
        m.term.write(b"  Booting '" + title + b"'\n\n")
        m.emit(EventKind.ENTRY, title.decode("utf-8", "backslashreplace"), entry=number)
        m.current_entryno = number
        if not run_script(m, menu.commands(number)) or m.fallback_entryno < 0:
            break
        screen.first_entry = 0
        screen.entryno = m.fallback_entries[m.fallback_entryno]
        m.emit(EventKind.FALLBACK, entry=screen.entryno)
        use_fallback(m)
    m.show_menu = True


def boot_commands(m: Machine, lines: Iterable[bytes]) -> None:
    """Run the commands of an edited entry."""
    m.term.cls()
    m.term.write(b"  Booting command-list\n\n")
    run_script(m, _copied(lines))
    m.show_menu = True


def _copied(lines: Iterable[bytes]) -> Iterator[bytes]:
    yield from list(lines)


def use_fallback(m: Machine) -> None:
    """Count the fallback entry that was just taken as used."""
    m.fallback_entryno += 1
    if m.fallback_entryno >= MAX_FALLBACK_ENTRIES or m.fallback_entries[m.fallback_entryno] < 0:
        m.fallback_entryno = -1
