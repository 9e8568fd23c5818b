"""Editing an entry before it boots (stage2/stage2.c:run_menu)."""

from __future__ import annotations

from pvgrub_sim.grub.console.box import BOX_SIZE, KEYS_HELP_EDIT, KEYS_HELP_LOCKED
from pvgrub_sim.grub.console.keys import ESCAPE
from pvgrub_sim.grub.console.line_editor import get_cmdline
from pvgrub_sim.grub.machine import GRUB_INVALID_DRIVE, Machine
from pvgrub_sim.grub.menu.booting import boot_commands
from pvgrub_sim.grub.menu.completion import complete
from pvgrub_sim.grub.menu.config import NEW_HEAPSIZE
from pvgrub_sim.grub.menu.edit_buffer import EditBuffer
from pvgrub_sim.grub.menu.menu_screen import MenuScreen
from pvgrub_sim.grub.menu.prompt import enter_cmdline, print_cmdline_message
from pvgrub_sim.model import Outcome

EDIT_PROMPT = b"grubdom edit> "


class _EditScreen(MenuScreen):
    def keys_help(self) -> bytes:
        return KEYS_HELP_LOCKED if self.locked else KEYS_HELP_EDIT


def edit_entry(m: Machine, lines: EditBuffer) -> None:
    """The menu of an entry's commands; returns to the menu of entries when escape is pressed."""
    screen = _EditScreen(m, lines, 0)
    while True:
        screen.fit()
        screen.draw()
        if not _handle_keys(m, screen, lines):
            return


def _handle_keys(m: Machine, screen: MenuScreen, lines: EditBuffer) -> bool:
    """Keys until the screen has to be drawn anew; False when escape is pressed."""
    while True:
        key = screen.read_key()
        screen.move(key)
        if key in b"doO":
            _change_lines(screen, lines, key)
        elif key == ESCAPE:
            return False
        elif key == ord("b"):
            boot_commands(m, lines.commands())
            return True
        elif screen.locked:
            continue
        elif key == ord("e"):
            _edit_line(m, screen, lines)
            return True
        elif key == ord("c"):
            enter_cmdline(m, forever=False, use_heap=lines.use_heap)
            return True


def _change_lines(screen: MenuScreen, lines: EditBuffer, key: int) -> None:
    """Open a line below (`o`) or above (`O`) the highlighted one, or remove it (`d`)."""
    screen.redraw_entry(highlight=False)
    if key == ord("o"):
        if screen.entryno < BOX_SIZE - 1:
            screen.entryno += 1
        else:
            screen.first_entry += 1
    if key != ord("d"):
        lines.insert(screen.number)
    elif len(lines) > 0:
        lines.remove(screen.number)
        # QUIRK: with no line left the highlight stands above the box.
        if screen.entryno >= len(lines):
            screen.entryno -= 1
        if screen.first_entry and len(lines) < BOX_SIZE + screen.first_entry:
            screen.first_entry -= 1
    screen.draw_entries()


def _edit_line(m: Machine, screen: MenuScreen, lines: EditBuffer) -> None:
    m.term.cls()
    print_cmdline_message(m, forever=False)
    m.saved_drive = m.boot_drive
    m.saved_partition = m.install_partition
    m.current_drive = GRUB_INVALID_DRIVE
    text = get_cmdline(m, EDIT_PROMPT, lines.text(screen.number), NEW_HEAPSIZE + 1, Outcome.EDIT, complete=complete)
    if text is not None:
        lines.replace(screen.number, text or b" ")
