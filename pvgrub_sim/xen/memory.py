"""What was found out about the last few kernels: two entries with one kernel unpack it once."""

from __future__ import annotations

from typing import Any

MOST = 3
"""Kernels that are remembered, with their bytes."""


class KernelMemory:
    """One kernel's bytes, and what was found out by key: `images` of the loader, `unpacked` payloads."""

    __slots__ = ("images", "kernel", "unpacked")

    def __init__(self, kernel: bytes) -> None:
        self.kernel = kernel
        self.images: dict[tuple[object, ...], Any] = {}
        self.unpacked: dict[tuple[object, ...], Any] = {}


_kernels: list[KernelMemory] = []


def recall(kernel: bytes) -> KernelMemory:
    """The memory of a kernel with these bytes, empty for a new one; the one longest unused is forgotten for it."""
    for index, known in enumerate(_kernels):
        if known.kernel is kernel or known.kernel == kernel:
            _kernels.append(_kernels.pop(index))
            return known
    _kernels.append(KernelMemory(kernel))
    del _kernels[:-MOST]
    return _kernels[-1]


def forget() -> None:
    """Forget all kernels."""
    _kernels.clear()
