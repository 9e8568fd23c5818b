"""The far end of the Xen console where a person sits: keys from a file descriptor, in real time."""

from __future__ import annotations

import os
import select
import time
from collections import deque
from collections.abc import Callable

from pvgrub_sim.grub.console.backend import BOOTED_AFTER
from pvgrub_sim.grub.stop import Stop
from pvgrub_sim.model import Outcome

LEAVE = 0x1D
"""Ctrl-], by which `xl console` and `virsh console` are left as well."""
LINGER = 0.02
"""Seconds that getkey() waits for the rest of a key's sequence."""
_BURST = 4096


class LiveConsole:
    """Keys of a person, and what PV-GRUB prints shown at once.

    keyboard: a file descriptor. show: takes what is printed. wake: called when wake_fd can be read.
    """

    attended = True

    def __init__(
        self, keyboard: int, show: Callable[[bytes], None], wake: Callable[[], None] | None, wake_fd: int | None
    ) -> None:
        self._keyboard = keyboard
        self._show = show
        self._wake = wake
        self._wake_fd = wake_fd
        self._ready: deque[int] = deque()
        self._left = False
        self._start = time.monotonic() - BOOTED_AFTER

    def printed(self, data: bytes) -> None:
        """Show it."""
        self._show(data)

    def fetch(self) -> int | None:
        """The next byte that was typed."""
        if not self._ready:
            self._read(0)
        return self._ready.popleft() if self._ready else None

    def linger(self) -> bool:
        """Wait a moment for the rest of a sequence."""
        return self._read(LINGER)

    def pause(self) -> None:
        """Wait for a key, up to the next full second."""
        if self._left:
            raise Stop(Outcome.MENU, "PV-GRUB counts down in its menu")
        self._read(1 - (time.monotonic() - self._start) % 1)

    def wait(self, waiting: Outcome, reason: str) -> None:
        """Wait for a key; raises Stop when the person has left."""
        while not self._read(None):
            if self._left:
                raise Stop(waiting, reason)

    def seconds(self) -> int:
        """Full seconds since the domain was started."""
        return int(time.monotonic() - self._start)

    def _read(self, timeout: float | None) -> bool:
        """Read what is typed within `timeout` seconds (None: whenever it comes); False when nothing is."""
        if self._left:
            return False
        # poll(), since select() knows no descriptor above 1023.
        poll = select.poll()
        for watched in (self._keyboard, self._wake_fd):
            if watched is not None:
                poll.register(watched, select.POLLIN)
        readable = {number for number, _ in poll.poll(None if timeout is None else max(0, timeout) * 1000)}
        if self._wake_fd in readable and self._wake is not None:
            self._wake()
        if self._keyboard not in readable:
            return False
        try:
            data = os.read(self._keyboard, _BURST)
        except OSError:
            # A terminal that was closed.
            data = b""
        end = data.find(LEAVE)
        self._left = end >= 0 or not data
        self._ready.extend(data[: end if end >= 0 else len(data)])
        return bool(self._ready)
