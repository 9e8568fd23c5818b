"""VSTa filesystem (GRUB 0.97, stage2/vstafs.h); its numbers are C's `long`, so its layout depends on the build."""

from __future__ import annotations

from pvgrub_sim.typed import Final
from pvgrub_sim.values import NamedTuple

MAGIC: Final = 0xDEADFACE
BLOCK_SIZE: Final = 512
START_OF_DATA: Final = 320
"""Bytes of a file's first block that its header takes."""
ROOT_SECTOR: Final = 1
TYPE_DIRECTORY: Final = 2
NAME_SIZE: Final = 28
FIRST_ENTRY: Final = 10
"""Index of the first entry in a directory's first block, behind the header."""
ENTRIES_PER_BLOCK: Final = 16


class Layout(NamedTuple):
    """Offsets in bytes for a build whose `long` has `word` bytes."""

    word: int
    length: int
    type: int
    extents: int
    blocks: int
    entry_size: int
    entry_start: int


LAYOUT_32: Final = Layout(word=4, length=8, type=12, extents=36, blocks=40, entry_size=32, entry_start=28)
LAYOUT_64: Final = Layout(word=8, length=16, type=24, extents=48, blocks=56, entry_size=40, entry_start=32)
