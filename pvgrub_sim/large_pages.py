"""Memory in large pages: in pages of 4 KiB a buffer of many MiB costs more time to get than to fill."""

from __future__ import annotations

from mmap import MAP_ANONYMOUS, MAP_PRIVATE, mmap


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
