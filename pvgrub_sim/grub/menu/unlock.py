"""The menu's password (stage2/stage2.c:run_menu)."""

from __future__ import annotations

from pvgrub_sim.grub.builtins.passwords import check_password
from pvgrub_sim.grub.console.box import BOX_SIZE
from pvgrub_sim.grub.console.keys import getkey
from pvgrub_sim.grub.console.line_editor import get_cmdline
from pvgrub_sim.grub.machine import Machine
from pvgrub_sim.grub.words import first_word
from pvgrub_sim.model import Outcome

PASSWORD_LENGTH = 31
"""Bytes, the final NUL included, of what is typed."""


def unlock(m: Machine) -> bool:
    """Ask for the menu's password; True when it names another config file, which is to be read now."""
    assert m.password is not None
    m.term.gotoxy(1, 9 + BOX_SIZE)
    entered = get_cmdline(m, b" Password: ", b"", PASSWORD_LENGTH, Outcome.WAITS, echo=ord("*")) or b""
    expected = first_word(m.password)
    config = m.password[len(expected) + 1 :].lstrip(b" \t\n\v\f\r")
    if not check_password(entered, expected, m.password_type):
        m.term.write(b"Failed!\n      Press any key to continue...")
        getkey(m, Outcome.FAILS, "the password was wrong")
        return False
    if config:
        m.config_file = config
        m.auth = False
        return True
    m.auth = True
    return False
