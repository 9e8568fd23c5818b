"""Images changed byte by byte, in memory."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

from pvgrub_sim.media import open_disk
from tests.images import unpack_sparse

DISK_CASES = Path(__file__).parents[2] / "fixtures" / "conformance" / "disks"


class PatchedDisk:
    """An image file with other bytes in some places, by offset; `size` cuts it short or makes it longer."""

    def __init__(self, image: Path, patches: Mapping[int, bytes], size: int | None = None) -> None:
        self._disk = open_disk(str(image))
        self._patches = dict(patches)
        self.name = str(image)
        self.size = self._disk.size if size is None else size

    def read(self, offset: int, length: int) -> bytes:
        assert offset + length <= self.size, "the machine reads past the end of a disk"
        there = max(min(length, self._disk.size - offset), 0)
        data = (self._disk.read(offset, there) if there else b"") + bytes(length - there)
        for at, new in self._patches.items():
            if at < offset + length and at + len(new) > offset:
                begin, end = max(at, offset), min(at + len(new), offset + length)
                data = data[: begin - offset] + new[begin - at : end - at] + data[end - offset :]
        return data

    def close(self) -> None:
        """Close the image."""
        self._disk.close()


def recorded_image(case: str, folder: Path) -> Path:
    """The image of one of the recorded cases, unpacked."""
    return unpack_sparse(DISK_CASES / f"{case}.img.zst", folder / f"{case}.img")


def u16(value: int) -> bytes:
    """Two bytes, little-endian."""
    return struct.pack("<H", value)


def u32(value: int) -> bytes:
    """Four bytes, little-endian."""
    return struct.pack("<I", value)
