"""A disk that is read for so long only."""

from __future__ import annotations

from pvgrub_sim.budget import Budget
from pvgrub_sim.media.disk import Disk, Layer, known_size, layers_of


class TimedDisk:
    """Another disk, until the time of a budget is over: then a read raises GivenUp."""

    def __init__(self, disk: Disk, budget: Budget) -> None:
        self.name = disk.name
        self._disk = disk
        self._budget = budget

    @property
    def size(self) -> int:
        """Of the other disk, in bytes; raises ImageError as it does."""
        return self._disk.size

    def known_size(self) -> int:
        """The same as far as it is known."""
        return known_size(self._disk)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """What the other disk is made of."""
        return layers_of(self._disk)

    def read(self, offset: int, length: int) -> bytes:
        """As the other disk's read()."""
        self._budget.check()
        return self._disk.read(offset, length)

    def close(self) -> None:
        """Release the other disk."""
        self._disk.close()
