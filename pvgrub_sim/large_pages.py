"""Memory in large pages: in pages of 4 KiB a buffer of many MiB costs more time to get than to fill."""

from __future__ import annotations

from contextlib import suppress
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, mmap

from pvgrub_sim.typed import Final

LARGE: Final = 2 << 20
"""Bytes of a large page, on the machines that most have."""
_NOTED: Final = 31 << 20
"""Bytes of the largest buffer from which glibc learns, within a MiB."""
MOST_EXPECTED: Final = 64 << 20
"""Bytes that are set aside at most for what is only said to come."""


def large_pages(size: int) -> mmap:
    """`size` bytes of zeros that can be written, in pages as large as the system gives; raises MemoryError."""
    try:
        memory = mmap(-1, size, MAP_PRIVATE | MAP_ANONYMOUS)
    except OSError:
        raise MemoryError from None
    try:
        # Linux's name for what is else left to each program (`madvise` in …/transparent_hugepage/enabled).
        from mmap import MADV_HUGEPAGE

        memory.madvise(MADV_HUGEPAGE)
    except (ImportError, OSError):
        # Small ones do as well.
        pass
    return memory


def keep_freed_memory() -> None:
    """Let what is freed in large buffers be used again by the next ones, instead of going to the system and back.

    glibc gives back what lies free at the end of its memory where that is more than twice the largest buffer that was
    freed so far, and takes buffers larger than that from the system each time (mallopt(3), M_MMAP_THRESHOLD). So one
    is freed that is nearly as large as it takes note of; nothing of it is ever written.
    """
    with suppress(MemoryError):
        bytes(_NOTED)


class Growing:
    """Bytes that are put one behind another; those that are there are not copied when there are more.

    expected: how many bytes there will be, as far as somebody says so.
    """

    def __init__(self, expected: int) -> None:
        self._memory = large_pages(_whole_pages(min(expected, MOST_EXPECTED)))
        self._filled = 0

    def append(self, data: bytes) -> None:
        """Put bytes at the end; raises MemoryError."""
        end = self._filled + len(data)
        if end > len(self._memory):
            self._grow(_whole_pages(end + end // 4))
        self._memory[self._filled : end] = data
        self._filled = end

    def content(self) -> memoryview:
        """The bytes; no more can be put behind them from then on."""
        return memoryview(self._memory)[: self._filled]

    def _grow(self, size: int) -> None:
        try:
            self._memory.resize(size)
        except SystemError:
            # Only Linux moves pages instead of what is in them.
            larger = large_pages(size)
            larger[: self._filled] = self._memory[: self._filled]
            self._memory = larger
        except OSError:
            raise MemoryError from None


def _whole_pages(size: int) -> int:
    return max(1, (size + LARGE - 1) // LARGE) * LARGE
