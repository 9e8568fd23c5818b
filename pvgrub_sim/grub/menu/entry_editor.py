"""Editing an entry before it boots, and the menu's password (stage2/stage2.c:run_menu)."""

from __future__ import annotations

from collections.abc import Iterable

from pvgrub_sim.grub.console.box import BOX_SIZE, KEYS_HELP_EDIT, KEYS_HELP_LOCKED
from pvgrub_sim.grub.console.keys import ESCAPE, getkey
from pvgrub_sim.grub.machine import GRUB_INVALID_DRIVE, Machine
from pvgrub_sim.grub.menu.config import NEW_HEAPSIZE
from pvgrub_sim.grub.menu.line_editor import get_cmdline
from pvgrub_sim.grub.menu.menu import MenuScreen, boot_commands
from pvgrub_sim.grub.menu.passwords import check_password
from pvgrub_sim.grub.menu.prompt import enter_cmdline, print_cmdline_message
from pvgrub_sim.grub.words import first_word
from pvgrub_sim.model import Outcome

EDIT_PROMPT = b"grubdom edit> "


class _Commands:
    """An entry's commands as the lines of a box."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self.texts = list(lines)

    def __len__(self) -> int:
        return len(self.texts)

    def titles(self, first: int) -> list[bytes]:
        return self.texts[first : first + BOX_SIZE + 1]


class _EditScreen(MenuScreen):
    def keys_help(self) -> bytes:
        return KEYS_HELP_LOCKED if self.locked else KEYS_HELP_EDIT


def edit_entry(m: Machine, commands: Iterable[bytes]) -> None:
    """The menu of an entry's commands; returns to the menu of entries when escape is pressed."""
    lines = _Commands(commands)
    screen = _EditScreen(m, lines, 0)
    while True:
        screen.fit()
        screen.draw()
        if not _handle_keys(m, screen, lines):
            return


def _handle_keys(m: Machine, screen: MenuScreen, lines: _Commands) -> bool:
    """Keys until the screen has to be drawn anew; False when escape is pressed."""
    while True:
        key = screen.read_key()
        screen.move(key)
        if key in b"doO":
            _change_lines(screen, lines, key)
        elif key == ESCAPE:
            return False
        elif key == ord("b"):
            boot_commands(m, lines.texts)
            return True
        elif screen.locked:
            continue
        elif key == ord("e") and lines.texts:
            _edit_line(m, screen, lines)
            return True
        elif key == ord("c"):
            enter_cmdline(m, forever=False)
            return True


def _change_lines(screen: MenuScreen, lines: _Commands, key: int) -> None:
    """Open a line below (`o`) or above (`O`) the highlighted one, or remove it (`d`)."""
    screen.redraw_entry(highlight=False)
    if key == ord("o"):
        if screen.entryno < BOX_SIZE - 1:
            screen.entryno += 1
        else:
            screen.first_entry += 1
    if key != ord("d"):
        lines.texts.insert(screen.number, b" ")
    elif lines.texts:
        del lines.texts[screen.number]
        if screen.entryno >= len(lines):
            screen.entryno = max(screen.entryno - 1, 0)
        if screen.first_entry and len(lines) < BOX_SIZE + screen.first_entry:
            screen.first_entry -= 1
    screen.draw_entries()


def _edit_line(m: Machine, screen: MenuScreen, lines: _Commands) -> None:
    m.term.cls()
    print_cmdline_message(m, forever=False)
    m.saved_drive = m.boot_drive
    m.saved_partition = m.install_partition
    m.current_drive = GRUB_INVALID_DRIVE
    text = get_cmdline(m, EDIT_PROMPT, lines.texts[screen.number], NEW_HEAPSIZE + 1, Outcome.MENU)
    if text is not None:
        lines.texts[screen.number] = text or b" "


def unlock(m: Machine) -> bool:
    """Ask for the menu's password; True when it names another config file, which is to be read now."""
    assert m.password is not None
    m.term.gotoxy(1, 9 + BOX_SIZE)
    entered = get_cmdline(m, b" Password: ", b"", 31, Outcome.MENU, echo=ord("*"), readline=False) or b""
    expected = first_word(m.password)
    config = m.password[len(expected) + 1 :].lstrip(b" \t\n\v\f\r")
    if not check_password(entered, expected, m.password_type):
        m.term.write(b"Failed!\n      Press any key to continue...")
        getkey(m, Outcome.MENU, "the password was wrong")
        return False
    if config:
        m.config_file = config
        m.auth = False
        return True
    m.auth = True
    return False
