"""What was found out about the last few kernels, for as long as its owner keeps it: no kernel is unpacked twice."""

from __future__ import annotations

from pvgrub_sim.budget import Budget
from pvgrub_sim.typed import Any

MOST = 3
"""Kernels that are remembered."""
MOST_BYTES = 96 << 20
"""Bytes of kernels that are remembered; the one in hand always is."""


class KernelMemory:
    """One kernel's bytes, and what was found out by key: `images` of the loader, `unpacked` payloads."""

    __slots__ = ("budget", "images", "kernel", "unpacked")

    def __init__(self, kernel: bytes, budget: Budget) -> None:
        self.kernel = kernel
        self.budget = budget
        self.images: dict[tuple[object, ...], Any] = {}
        self.unpacked: dict[tuple[object, ...], Any] = {}


class LoaderMemory:
    """The kernels of one question, or of several about one image: two entries with one kernel unpack it once.

    Whoever asks makes one and lets it go with the answer.
    """

    __slots__ = ("_kernels", "budget", "others")

    def __init__(self, budget: Budget | None = None) -> None:
        self._kernels: list[KernelMemory] = []
        self.budget = budget or Budget()
        """What the runs and the loader may take together."""
        self.others: dict[tuple[object, ...], Any] = {}
        """What whoever asks has found out about other files, by a key of its own."""

    def of(self, kernel: bytes) -> KernelMemory:
        """The memory of a kernel with these bytes, empty for a new one; those longest unused are forgotten for it."""
        for index, known in enumerate(self._kernels):
            if known.kernel is kernel or known.kernel == kernel:
                self._kernels.append(self._kernels.pop(index))
                known.budget = self.budget
                return known
        self._kernels.append(KernelMemory(kernel, self.budget))
        del self._kernels[:-MOST]
        while len(self._kernels) > 1 and sum(len(known.kernel) for known in self._kernels) > MOST_BYTES:
            del self._kernels[0]
        return self._kernels[-1]
