"""A disk with some bytes of it in another state than they are, in memory."""

from __future__ import annotations

from collections.abc import Mapping

from pvgrub_sim.media.disk import Disk, Layer, known_size, layers_of


class OverlayDisk:
    """What a disk would be with patches applied; the disk itself is only read, and not closed with this one.

    disk: what is beneath. patches: bytes by the byte offset at which they begin; they may not overlap each other.
    """

    def __init__(self, disk: Disk, patches: Mapping[int, bytes]) -> None:
        self._disk = disk
        self._patches = sorted(patches.items())
        self.name = disk.name

    @property
    def size(self) -> int:
        """Of the disk beneath, in bytes; raises ImageError as it does."""
        return self._disk.size

    def known_size(self) -> int:
        """The same as far as it is known."""
        return known_size(self._disk)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Those of the disk beneath: what is wrapped stays so, whatever is planned for it."""
        return layers_of(self._disk)

    def read(self, offset: int, length: int) -> bytes:
        """Read exactly `length` bytes at byte `offset`; raises ImageError as the disk beneath does."""
        data = self._disk.read(offset, length)
        for at, patch in self._patches:
            start, end = max(at, offset), min(at + len(patch), offset + length)
            if start < end:
                data = data[: start - offset] + patch[start - at : end - at] + data[end - offset :]
        return data

    def close(self) -> None:
        """Nothing to release: the disk beneath belongs to whoever opened it."""
