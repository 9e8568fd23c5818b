"""Booting the chosen entry, its fallbacks, or an edited entry (stage2/stage2.c:run_menu, from boot_entry on)."""

from __future__ import annotations

from collections.abc import Iterable

from pvgrub_sim.grub.machine import MAX_FALLBACK_ENTRIES, Machine
from pvgrub_sim.grub.menu.config import Menu
from pvgrub_sim.grub.menu.menu_screen import MenuScreen
from pvgrub_sim.grub.menu.script import run_script
from pvgrub_sim.grub.stop import Stop
from pvgrub_sim.model import EventKind, Outcome


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
    """Run the commands of an edited entry; raises Stop(CRASH) when they fail while a fallback is set."""
    heading = b"  Booting command-list\n\n"
    m.term.cls()
    m.term.write(heading)
    if run_script(m, lines) and m.fallback_entryno >= 0:
        # QUIRK: the fallback entry is looked for in the config entries, of which an edited entry has none.
        m.term.write(heading)
        raise Stop(Outcome.CRASH, "an edited entry failed while a fallback is set: PV-GRUB reads through null")
    m.show_menu = True


def use_fallback(m: Machine) -> None:
    """Count the fallback entry that was just taken as used."""
    m.fallback_entryno += 1
    if m.fallback_entryno >= MAX_FALLBACK_ENTRIES or m.fallback_entries[m.fallback_entryno] < 0:
        m.fallback_entryno = -1
