"""Disk: the read-only bytes of one virtual block device."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

SECTOR_SIZE = 512


@runtime_checkable
class Disk(Protocol):
    """What every medium offers; the only seam to storage."""

    @property
    def name(self) -> str:
        """What to call it in messages: the path as the caller gave it."""

    @property
    def size(self) -> int:
        """Size in bytes, of which only whole sectors of 512 bytes are seen by a guest."""

    def read(self, offset: int, length: int) -> bytes:
        """Read exactly `length` bytes at byte `offset`; raises ImageError when they cannot be had."""

    def close(self) -> None:
        """Release the file."""
