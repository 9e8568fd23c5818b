"""Printing GRUB's errors (stage2/char_io.c:print_error)."""

from __future__ import annotations

from pvgrub_sim.grub.errnum import ERR_LIST
from pvgrub_sim.grub.machine import Machine
from pvgrub_sim.model import BootError, EventKind


def print_error(m: Machine) -> None:
    """Print the error that errnum holds, if any; it stays there."""
    if not m.errnum:
        return
    number, words = int(m.errnum), ERR_LIST[m.errnum]
    m.term.write(b"\nError %d: %s\n" % (number, words.encode()))
    command = m.script_line.decode("utf-8", "backslashreplace")
    entry = m.current_entryno if m.in_entry else None
    menu = m.menu_path if entry is not None else None
    m.boot_errors.append(BootError(entry, number, words, command, menu=menu))
    m.emit(EventKind.ERROR, words, number=number, entry=entry)
