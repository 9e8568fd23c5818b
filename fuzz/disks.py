"""Disks in memory: images with changes on top, ones that fail, and ones that are not the same twice."""

from __future__ import annotations

from random import Random

from pvgrub_sim import ImageError


class Image:
    """An image of some bytes with patches on top; the bytes themselves are shared and never change.

    patches: by offset, later ones over earlier ones. size: in bytes; what lies behind the bytes is zeros.
    """

    def __init__(self, name: str, data: bytes, patches: list[tuple[int, bytes]], size: int) -> None:
        self.name = name
        self.size = size
        self._data = data
        self._patches = patches

    def read(self, offset: int, length: int) -> bytes:
        """The bytes; raises ImageError past the end."""
        if offset < 0 or length < 0 or offset + length > self.size:
            raise ImageError(self.name, "ends short of a read", offset)
        raw = self._data[offset : offset + length]
        hits = [(at, new) for at, new in self._patches if at < offset + length and offset < at + len(new)]
        if not hits and len(raw) == length:
            return raw
        plain = bytearray(raw.ljust(length, b"\0"))
        for at, new in hits:
            begin, end = max(at, offset), min(at + len(new), offset + length)
            plain[begin - offset : end - offset] = new[begin - at : end - at]
        return bytes(plain)

    def whole(self) -> bytes:
        """All of it."""
        return self.read(0, self.size)

    def close(self) -> None:
        """Nothing to release."""


class Failing:
    """Another disk of which some stretches cannot be read."""

    def __init__(self, disk: Image, bad: list[range]) -> None:
        self.name, self.size = disk.name, disk.size
        self._disk, self._bad = disk, bad

    def read(self, offset: int, length: int) -> bytes:
        """The bytes, or an ImageError."""
        if any(offset < bad.stop and bad.start < offset + length for bad in self._bad):
            raise ImageError(self.name, "input/output error", offset)
        return self._disk.read(offset, length)

    def close(self) -> None:
        """Nothing to release."""


class Changing:
    """Another disk whose bytes change between reads now and then: somebody else writes to it."""

    def __init__(self, disk: Image, random: Random) -> None:
        self.name, self.size = disk.name, disk.size
        self._disk, self._random = disk, random

    def read(self, offset: int, length: int) -> bytes:
        """The bytes, or something like them."""
        data = self._disk.read(offset, length)
        if length and self._random.random() < 0.05:
            at = self._random.randrange(length)
            return data[:at] + self._random.randbytes(1) + data[at + 1 :]
        return data

    def close(self) -> None:
        """Nothing to release."""
