"""What is mutated: the images, kernels and descriptions of fixtures/, unpacked once."""

from __future__ import annotations

import struct
from functools import cached_property
from pathlib import Path
from random import Random
from typing import NamedTuple

import zstandard

from tests.kernel_images import Elf, bzimage, linux_notes, payload

FIXTURES = Path(__file__).parents[1] / "fixtures"
LARGEST = 12 << 20
SECTOR = 512
FOLDERS = ("images", "rules", "hostile", "survey", "conformance/disks")
SLOW = ("res-gpt128-bigdir",)
"""Images that take seconds each; tests/hostile has them."""


class Base(NamedTuple):
    """An image to mutate; used: its sectors that are not zeros, by offset in bytes."""

    name: str
    data: bytes
    used: list[int]


class Slot(NamedTuple):
    """Where a menu lies in an image: its block, how large that is, and where its size is written."""

    base: Base
    block: int
    room: int
    size_at: int


class World:
    """Everything that the targets take from; few: only some of the images, for a quick start."""

    def __init__(self, few: bool = False) -> None:
        self._few = few

    @cached_property
    def images(self) -> list[Base]:
        """Images of at most 12 MiB."""
        found = [path for folder in FOLDERS for path in sorted((FIXTURES / folder).glob("*.img.zst"))]
        if self._few:
            found = found[:: max(1, len(found) // 24)]
        return [base for path in found if (base := _unpacked(path)) is not None]

    @cached_property
    def kernels(self) -> list[bytes]:
        """Kernels of every format, small ones."""
        elf = Elf(size=6000).build()
        made = [bzimage(payload(form, elf)) for form in ("gzip", "bzip2", "xz", "lzma", "lzo", "lz4", "zstd")]
        narrow = Elf(bits=32, size=3000).build()
        guest = Elf(notes=b"", in_segment=False, guest=b"GUEST_OS=linux,XEN_VER=xen-3.0,LOADER=generic", size=3000)
        return [*made, elf, narrow, guest.build(), bzimage(elf), Elf(notes=linux_notes() * 3, size=900).build()]

    @cached_property
    def slot(self) -> Slot:
        """A place in an image that boots where any menu of up to a block can be put."""
        base = _unpacked(FIXTURES / "images" / "boots.img.zst")
        assert base is not None
        text_at = base.data.index(b"title ")
        for size in (1024, 2048, 4096):
            block = text_at - text_at % size
            text = base.data[block : block + size].partition(b"\0")[0]
            inode = base.data.find(struct.pack("<I", block // size))
            while inode >= 0:
                if base.data[inode - 36 : inode - 32] == struct.pack("<I", len(text)):
                    return Slot(base, block, size, inode - 36)
                inode = base.data.find(struct.pack("<I", block // size), inode + 1)
        raise AssertionError("no menu in boots.img")

    def image(self, random: Random) -> Base:
        """One of the images."""
        return random.choice(self.images)


def _unpacked(path: Path) -> Base | None:
    if path.name.startswith(SLOW):
        return None
    reader = zstandard.ZstdDecompressor(max_window_size=1 << 31)
    with path.open("rb") as file, reader.stream_reader(file) as stream:
        data = stream.read(LARGEST + 1)
    if len(data) > LARGEST or len(data) < SECTOR:
        return None
    zeros = bytes(SECTOR)
    used = [at for at in range(0, len(data) - SECTOR + 1, SECTOR) if data[at : at + SECTOR] != zeros]
    return Base(path.name.removesuffix(".img.zst"), data, used or [0])
