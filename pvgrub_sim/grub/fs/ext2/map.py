"""From a file's block to the disk's, by indirect blocks or by extents (stage2/fsys_ext2fs.c:*_block_map)."""

from __future__ import annotations

import struct
from functools import lru_cache

from pvgrub_sim.cint import s32, u32
from pvgrub_sim.grub.errnum import ErrNum, GrubError
from pvgrub_sim.grub.fs.fsys_buf import log2
from pvgrub_sim.ondisk import ext2
from pvgrub_sim.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from pvgrub_sim.grub.fs.ext2.driver import Ext2fs

END = 1 << 31
"""Block numbers from here on are negative in C."""


class MapEnd(Exception):
    """The block number is negative: the file ends here, without an error."""


@lru_cache(maxsize=64)
def _ramp(count: int) -> tuple[int, int]:
    """`count` 32-bit words of 1, and the words 0, 1, 2, …, each as one large number."""
    ones = int.from_bytes(struct.pack(f"<{count}I", *([1] * count)), "little")
    return ones, int.from_bytes(struct.pack(f"<{count}I", *range(count)), "little")


def run_of(table: bytes) -> tuple[int, int]:
    """The first block number of a table, and how many follow one another from there (or are all zero)."""
    count = len(table) // 4
    first = int.from_bytes(table[:4], "little")
    if first >= END:
        raise MapEnd
    ones, ramp = _ramp(count)
    # The whole table at once: a file lies mostly in one piece.
    if first and int.from_bytes(table, "little") == first * ones + ramp:
        return first, count
    following = first
    step = 1 if first else 0
    for index, word in enumerate(struct.unpack(f"<{count}I", table)):
        if word != following:
            return first, index
        following += step
    return first, count


class BlockMap:
    """ext2fs_block_map(): direct, indirect, double and triple indirect blocks."""

    def __init__(self, fs: Ext2fs) -> None:
        self.fs = fs
        self.mapblock1 = -1
        self.mapblock2 = -1
        per_block = fs.sb.block_size // 4
        self.per_block = per_block
        self.bits = log2(per_block)

    def forget(self) -> None:
        """The buffered indirect blocks belong to another inode."""
        self.mapblock1 = self.mapblock2 = -1

    def forget_second(self) -> None:
        """The second buffered block has been overwritten."""
        self.mapblock2 = -1

    def map(self, logical: int, wanted: int) -> tuple[int, int]:
        """The block of a logical one and the length of the run that begins there, `wanted` blocks at most.

        Raises MapEnd, GrubError 16 when an indirect block cannot be read.
        """
        fs, per_block, bits = self.fs, self.per_block, self.bits
        i_block = fs.sb.inode + ext2.I_BLOCK
        if logical < ext2.NDIR_BLOCKS:
            return self._run(i_block, logical, ext2.NDIR_BLOCKS, wanted)
        logical -= ext2.NDIR_BLOCKS
        first, second = fs.sb.datablock1, fs.sb.datablock2
        if logical < per_block:
            # QUIRK: a hole that covers a whole indirect block reads block 0 in its place, here and below.
            self._load_first(1, i_block + 4 * ext2.IND_BLOCK)
            return self._run(first, logical, per_block, wanted)
        logical -= per_block
        if logical < s32(1 << (bits * 2 & 31)):
            self._load_first(2, i_block + 4 * ext2.DIND_BLOCK)
            block = s32(fs.buf.u32(first + 4 * (logical >> bits)))
            if block != self.mapblock2:
                self._read(block, second)
            self.mapblock2 = block
            return self._run(second, logical & (per_block - 1), per_block, wanted)
        self.mapblock2 = -1
        logical -= s32(1 << (bits * 2 & 31))
        self._load_first(3, i_block + 4 * ext2.TIND_BLOCK)
        self._read(fs.buf.u32(first + 4 * (logical >> (bits * 2))), second)
        self._read(fs.buf.u32(second + 4 * ((logical >> bits) & (per_block - 1))), second)
        return self._run(second, logical & (per_block - 1), per_block, wanted)

    def _load_first(self, which: int, pointer: int) -> None:
        if self.mapblock1 != which:
            self._read(self.fs.buf.u32(pointer), self.fs.sb.datablock1)
        self.mapblock1 = which

    def _read(self, block: int, address: int) -> None:
        try:
            self.fs.rdfsb(block, address)
        except GrubError:
            self.fs.m.fail(ErrNum.FSYS_CORRUPT)

    def _run(self, table: int, index: int, end: int, wanted: int) -> tuple[int, int]:
        return run_of(self.fs.buf.load(table + 4 * index, 4 * max(min(end - index, wanted), 1)))


class ExtentMap:
    """ext4fs_block_map(): the extent tree."""

    def __init__(self, fs: Ext2fs) -> None:
        self.fs = fs

    def map(self, logical: int) -> tuple[int, int]:
        """The block of a logical one and how far the same extent is chosen for the blocks behind it.

        Raises MapEnd, GrubError 16 for a damaged tree or a hole, 14 for a block number above 32 bits.
        """
        fs, buf, m = self.fs, self.fs.buf, self.fs.m
        header = fs.sb.inode + ext2.I_BLOCK
        logical = u32(logical)
        if buf.u16(header) != ext2.EXT_MAGIC:
            m.fail(ErrNum.FSYS_CORRUPT)
        limit = 1 << 32
        # QUIRK: a leaf's own magic is not looked at, only an index block's.
        while buf.u16(header + 6) != 0:
            m.tick()
            if buf.u16(header) != ext2.EXT_MAGIC:
                m.fail(ErrNum.FSYS_CORRUPT)
            at, limit = self._search(header, logical, limit)
            if buf.u16(at + 8):
                m.fail(ErrNum.FILELENGTH)
            try:
                fs.rdfsb(buf.u32(at + 4), fs.sb.datablock1)
            except GrubError:
                m.fail(ErrNum.FSYS_CORRUPT)
            header = fs.sb.datablock1
        at, limit = self._search(header, logical, limit)
        first = buf.u32(at)
        # QUIRK: ee_len is taken whole, so the blocks of an unwritten extent (its highest bit set) are read.
        length = buf.u16(at + 4)
        if buf.u16(at + 6):
            m.fail(ErrNum.FILELENGTH)
        end = u32(first + length)
        # QUIRK: off by one: the first block of a hole behind an extent is taken for its continuation.
        if end < logical:
            m.fail(ErrNum.FSYS_CORRUPT)
        # QUIRK: a hole before the first extent reads the blocks in front of it.
        block = u32(buf.u32(at + 8) + logical - first)
        if block >= END:
            raise MapEnd
        if block == 0:
            return 0, 1
        return block, min(end + 1, limit, logical + END - block) - logical

    def _search(self, header: int, logical: int, limit: int) -> tuple[int, int]:
        """ext4_ext_binsearch(): the address of the entry chosen, and the first block for which it may be another.

        QUIRK: eh_entries 0 still chooses the first slot, and more entries than fit are looked for behind the block.
        """
        unsigned32 = self.fs.buf.u32
        base = header + ext2.EXT_HEADER.size
        left, right = 1, self.fs.buf.u16(header + 2) - 1
        while left <= right:
            middle = left + (right - left) // 2
            begins = unsigned32(base + middle * ext2.EXT_EXTENT.size)
            if logical < begins:
                limit = min(limit, begins)
                right = middle - 1
            else:
                left = middle + 1
        return base + (left - 1) * ext2.EXT_EXTENT.size, limit
