"""The menu of entries: timeout, keys, and running the chosen entry (stage2/stage2.c:run_menu)."""

from __future__ import annotations

from pvgrub_sim.grub.console.keys import RETURN_KEYS, RIGHT
from pvgrub_sim.grub.machine import Machine
from pvgrub_sim.grub.menu.booting import boot_entries
from pvgrub_sim.grub.menu.config import Menu
from pvgrub_sim.grub.menu.countdown import Countdown
from pvgrub_sim.grub.menu.menu_screen import MenuScreen


class _NewConfig(Exception):
    """The menu's password names another config file, which is to be read now."""


def run_menu(m: Machine, menu: Menu, entryno: int) -> None:
    """Show a menu and boot what is chosen, or what the timeout chooses; returns when a new config file is wanted."""
    screen = MenuScreen(m, menu, entryno)
    countdown = Countdown(m)
    heap = bytearray()
    while True:
        screen.fit()
        if m.grub_timeout < 0:
            m.show_menu = True
        booting = not m.show_menu and countdown.hidden()
        if not booting:
            if m.show_menu:
                screen.draw()
            try:
                booting = _choose(m, menu, screen, countdown, heap)
            except _NewConfig:
                return
        if booting:
            boot_entries(m, menu, screen)


def _choose(m: Machine, menu: Menu, screen: MenuScreen, countdown: Countdown, heap: bytearray) -> bool:
    """Keys up to a choice (True) or until the menu has to be drawn anew (False)."""
    while not countdown.shown(screen):
        key = screen.read_key()
        screen.move(key)
        if key in RETURN_KEYS or key == RIGHT:
            return True
        # What only a person asks for is imported when one does: an unattended boot starts faster.
        if screen.locked:
            if key == ord("p"):
                from pvgrub_sim.grub.menu.unlock import unlock

                if unlock(m):
                    raise _NewConfig
                return False
        elif key == ord("e"):
            from pvgrub_sim.grub.menu.edit_buffer import EditBuffer
            from pvgrub_sim.grub.menu.entry_editor import edit_entry

            m.current_entryno = screen.number
            edit_entry(m, EditBuffer(menu.commands(screen.number), heap))
            return False
        elif key == ord("c"):
            from pvgrub_sim.grub.menu.prompt import enter_cmdline

            enter_cmdline(m, forever=False)
            return False
    return True
