"""The seconds until an entry boots by itself, with the menu shown or hidden (stage2/stage2.c:run_menu)."""

from __future__ import annotations

from pvgrub_sim.grub.console.keys import ESCAPE, getkey
from pvgrub_sim.grub.machine import Machine
from pvgrub_sim.grub.menu.menu_screen import WAITING, MenuScreen
from pvgrub_sim.model import Outcome

SHOWN_SECONDS = 60
"""Of a longer timeout only the last seconds are printed when nobody is there to see them."""
CLOCK_SECONDS = 60
"""getrtsecs() in stubdom/grub/mini-os.c tells the seconds of a minute."""


class Countdown:
    """Counts grub_timeout down. One menu has one, so that a second is told only once however often it is drawn."""

    def __init__(self, m: Machine) -> None:
        self._m = m
        self._told: int | None = None

    def _new_second(self) -> bool:
        now = self._m.term.backend.seconds() % CLOCK_SECONDS
        if now == self._told:
            return False
        self._told = now
        return True

    def _begin(self) -> None:
        if not self._m.term.backend.attended:
            self._m.grub_timeout = min(self._m.grub_timeout, SHOWN_SECONDS)

    def hidden(self) -> bool:
        """Count while the menu is hidden; True when the time is over, False when escape asks for the menu.

        Every other key is taken and forgotten.
        """
        m = self._m
        self._begin()
        while True:
            pressed = m.term.checkkey() is not None
            if pressed and getkey(m, Outcome.MENU, WAITING) == ESCAPE:
                m.grub_timeout = -1
                m.show_menu = True
                return False
            if self._new_second():
                if m.grub_timeout <= 0:
                    m.grub_timeout = -1
                    return True
                m.grub_timeout -= 1
                m.term.write(b"\rPress `ESC' to enter the menu... %d   " % m.grub_timeout)
            if not pressed:
                m.term.backend.pause()

    def shown(self, screen: MenuScreen) -> bool:
        """Count below the menu; True when the time is over, False when a key is there or nothing counts."""
        m = self._m
        self._begin()
        while m.grub_timeout >= 0:
            if self._new_second():
                if m.grub_timeout <= 0:
                    m.grub_timeout = -1
                    return True
                seconds = m.grub_timeout
                screen.notice(b" The highlighted entry will be booted automatically in %d seconds.   " % seconds)
                screen.home()
                m.grub_timeout -= 1
            # QUIRK: a NUL counts as no key here.
            if m.term.checkkey():
                return False
            m.term.backend.pause()
        return False
