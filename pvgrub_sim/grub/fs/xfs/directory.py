"""XFS directories as PV-GRUB reads them: entry by entry in the order of the data (stage2/fsys_xfs.c:next_dentry)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from pvgrub_sim.cint import s32, u32
from pvgrub_sim.grub.errnum import ErrNum, GrubError
from pvgrub_sim.grub.fs.xfs.extents import DI_U, DIRBUF, INODE
from pvgrub_sim.ondisk import xfs
from pvgrub_sim.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from pvgrub_sim.grub.fs.xfs.driver import Xfs

DABREAD_SIZE = 100
WINDOW = 1 << 16
"""Bytes of a directory that are read at a time where nothing but speed depends on it."""
CIRCLE_STEPS = 20_000
"""What a block that was seen before counts for in the step budget."""
MAX_ENTRY = 9 + 255 + 16


def _roundup8(value: int) -> int:
    return (value + 7) & ~7


class Directory:
    """One pass over the directory whose inode is in the buffer."""

    def __init__(self, fs: Xfs) -> None:
        self.fs = fs
        self.m = fs.m
        self.buf = fs.buf
        self.forw = 0
        self.dirmax = 0
        self.dablk = 0
        self.blkoff = 0
        self.window = b""
        self.window_start = 0
        self._flat: list[tuple[int, int, int]] | None = None

    def entries(self) -> Iterator[tuple[int, bytes]]:
        """Inode number (0 for the directory itself) and name, in order.

        QUIRK: in a short-form directory `..` comes out with an empty name, so it is never found.
        """
        kind = self.buf.memory[INODE + xfs.DI_FORMAT]
        if kind == xfs.FMT_LOCAL:
            return self._short_form()
        if kind in (xfs.FMT_EXTENTS, xfs.FMT_BTREE):
            return self._blocks()
        # Neither: the name stays ".", as often as the directory before had entries.
        return iter([(0, b".")])

    def _short_form(self) -> Iterator[tuple[int, bytes]]:
        buf = self.buf
        header = DI_U
        count = buf.load(header + xfs.SF_COUNT, 1)[0]
        width = 8 if buf.load(header + xfs.SF_I8COUNT, 1)[0] else 4
        yield 0, b"."
        at = header + xfs.SF_HDR_SIZE - 8 + width
        yield int.from_bytes(buf.load(header + xfs.SF_PARENT, width), "big"), b""
        for _ in range(count):
            self.m.tick()
            length = buf.load(at, 1)[0]
            end = at + xfs.SF_NAME + length
            ino = int.from_bytes(buf.load(end, width), "big")
            # The name's end is marked in place, over the first byte of the inode number.
            buf.store(end, b"\0")
            yield ino, buf.load(at + xfs.SF_NAME, length).split(b"\0", 1)[0]
            at = end + width

    def _blocks(self) -> Iterator[tuple[int, bytes]]:
        """Block, leaf, node and btree directories: as many entries as the leaves count, from the data's start.

        QUIRK: the entries of the data blocks are taken in order, and the leaves serve to count them only.
        """
        m = self.m
        m.filepos = 0
        self._flat = self._flat_extents()
        self._begin()
        self.blkoff = xfs.DIR2_DATA_HDR_SIZE
        m.filepos = self.blkoff
        dirpos = 0
        while True:
            if dirpos >= self.dirmax:
                if self.forw == 0:
                    return
                self.dablk = self.forw
                self._dabread()
                self._leaf()
                dirpos = 0
            m.tick()
            yield self._entry()
            dirpos += 1

    def _begin(self) -> None:
        """first_dentry(): the number of entries, from the block's tail or the first leaf."""
        fs, buf = self.fs, self.buf
        fs.read_to(DIRBUF, xfs.DIR2_DATA_HDR_SIZE)
        if buf.load(DIRBUF, 4) == xfs.DIR2_BLOCK_MAGIC:
            self.m.filepos = fs.geo.dirbsize - xfs.DIR2_BLOCK_TAIL.size
            fs.read_to(DIRBUF, xfs.DIR2_BLOCK_TAIL.size)
            count, stale = xfs.DIR2_BLOCK_TAIL.unpack(buf.load(DIRBUF, xfs.DIR2_BLOCK_TAIL.size))
            self.dirmax = s32(count - stale)
            return
        self.dablk = u32(xfs.LEAF_OFFSET >> (fs.geo.blklog & 63))
        seen: set[int] = set()
        while True:
            # QUIRK: a tree of nodes in a circle is followed for ever.
            self.m.tick(CIRCLE_STEPS if self.dablk in seen else 1)
            seen.add(self.dablk)
            self._dabread()
            if xfs.DIR2_LEAF_HDR.unpack(buf.load(DIRBUF, 16))[2] in (xfs.DIR2_LEAFN_MAGIC, xfs.DIR2_LEAF1_MAGIC):
                self._leaf()
                return
            self.dablk = buf.be32(DIRBUF + xfs.DA_NODE_BEFORE)

    def _leaf(self) -> None:
        forw, _, _, _, count, stale = xfs.DIR2_LEAF_HDR.unpack(self.buf.load(DIRBUF, 16))
        self.dirmax = count - stale
        self.forw = forw

    def _dabread(self) -> None:
        """xfs_dabread(): the first 100 bytes of a leaf or node block; what is not found leaves the old ones."""
        fs = self.fs
        for offset, start, blocks in fs.extents.walk():
            if offset <= self.dablk < offset + blocks:
                daddr = fs.geo.fsb2daddr(start + self.dablk - offset)
                with suppress(GrubError):
                    self.buf.store(DIRBUF, self.buf.devread(daddr, 0, DABREAD_SIZE))
                return

    def _entry(self) -> tuple[int, bytes]:
        """next_dentry(): the next used entry of the data blocks."""
        m, buf = self.m, self.buf
        dirbsize = self.fs.geo.dirbsize
        while True:
            if self.blkoff >= dirbsize:
                self.blkoff = xfs.DIR2_DATA_HDR_SIZE
                m.filepos = s32(m.filepos & ~(dirbsize - 1) | self.blkoff)
            at = m.filepos - self.window_start
            if 0 <= at <= len(self.window) - MAX_ENTRY or self._fill():
                at = m.filepos - self.window_start
                tag = self.window[at : at + 4]
                buf.memory[DIRBUF : DIRBUF + 4] = tag
                fast = True
                m.filepos += 4
            else:
                self.fs.read_to(DIRBUF, 4)
                tag = buf.load(DIRBUF, 4)
                fast = False
            self.blkoff += 4
            if tag[:2] != b"\xff\xff":
                break
            m.tick()
            # QUIRK: a free entry of length 0 is read for ever.
            skip = _roundup8(int.from_bytes(tag[2:], "big")) - 4
            self.blkoff += skip
            m.filepos = s32(m.filepos + skip)
        if fast:
            ino, length = xfs.DIR2_DATA_ENTRY.unpack_from(self.window, at)
            rest = _roundup8(length + 11) - 9
            m.filepos += 5 + rest
            buf.memory[DIRBUF + 4 : DIRBUF + 9] = self.window[at + 4 : at + 9]
            buf.memory[DIRBUF : DIRBUF + rest] = self.window[at + 9 : at + 9 + rest]
        else:
            self.fs.read_to(DIRBUF + 4, 5)
            ino, length = xfs.DIR2_DATA_ENTRY.unpack(buf.load(DIRBUF, 9))
            rest = _roundup8(length + 11) - 9
            self.fs.read_to(DIRBUF, rest)
        self.blkoff += rest + 5
        buf.memory[DIRBUF + length] = 0
        return ino, bytes(buf.memory[DIRBUF : buf.memory.index(0, DIRBUF)])

    # --- the same data, read ahead where that makes no difference

    def _flat_extents(self) -> list[tuple[int, int, int]]:
        """The extents from the start up to the first gap: first and last byte in the file, and the sector."""
        flat: list[tuple[int, int, int]] = []
        geo = self.fs.geo
        if geo.blklog > 31 or self.m.errnum:
            return flat
        here = 0
        for offset, start, blocks in self.fs.extents.walk():
            if offset << geo.blklog != here:
                break
            end = (offset + blocks) << geo.blklog
            flat.append((here, end, geo.fsb2daddr(start)))
            here = end
        return flat

    def _fill(self) -> bool:
        """Read ahead at filepos; False when the next entry has to be read piece by piece."""
        m = self.m
        here = m.filepos
        if m.errnum or self._flat is None:
            return False
        parts: list[bytes] = []
        at = here
        for first, end, sector in self._flat:
            if at >= here + WINDOW:
                break
            if first <= at < end:
                size = min(end, here + WINDOW) - at
                if at - first > 1 << 30:
                    return False
                try:
                    parts.append(self.buf.devread(sector, at - first, size))
                except GrubError:
                    # Past the end of the partition, perhaps far behind what is wanted.
                    m.errnum = ErrNum.NONE
                    self._flat = None
                    return False
                at += size
        self.window = b"".join(parts)
        self.window_start = here
        return len(self.window) >= MAX_ENTRY
