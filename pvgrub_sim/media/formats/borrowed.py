"""One archive under several disks: it is closed when the last of them is."""

from __future__ import annotations

from collections.abc import Callable

from pvgrub_sim.media.disk import Disk
from pvgrub_sim.values import NamedTuple


class Borrowed(NamedTuple):
    """A disk that others use as well, and what says that this user does not need it any more."""

    disk: Disk
    close: Callable[[], None]


class Shared:
    """Counts who uses a disk.

    disk: closed when nobody does any more.
    """

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._users = 0

    def borrow(self) -> Borrowed:
        """Use it; the returned `close` may be called more than once."""
        self._users += 1
        done = False

        def close() -> None:
            nonlocal done
            if not done:
                done = True
                self._users -= 1
                if self._users == 0:
                    self._disk.close()

        return Borrowed(self._disk, close)
