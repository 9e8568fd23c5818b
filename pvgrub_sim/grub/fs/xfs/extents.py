"""The extents of an XFS inode, as PV-GRUB walks them (stage2/fsys_xfs.c:init_extents, next_extent)."""

from __future__ import annotations

from collections.abc import Iterator

from pvgrub_sim.cint import s32, u32, u64
from pvgrub_sim.grub.errnum import ErrNum, GrubError
from pvgrub_sim.grub.fs.fsys_buf import SCRATCH_LEFT, FsysBuffer
from pvgrub_sim.grub.machine import Machine
from pvgrub_sim.grub.stop import Stop
from pvgrub_sim.model import Outcome
from pvgrub_sim.ondisk import xfs
from pvgrub_sim.values import NamedTuple

DIRBUF = 0
FILEBUF = 4096
INODE = 8192
"""Where the driver keeps things in the filesystem buffer, in bytes."""
DI_U = INODE + xfs.DI_U


class Extent(NamedTuple):
    """A run of blocks: where in the file, where on disk (agno and agbno together), how many."""

    offset: int
    start: int
    length: int


def unpack_extent(l0: int, l1: int) -> Extent:
    """xt_offset(), xt_start() and xt_len().

    QUIRK: the highest bit, which marks an unwritten extent, is dropped: its old contents are read.
    """
    return Extent(l0 >> 9 & (1 << 54) - 1, (l0 & 0x1FF) << 43 | l1 >> 21, l1 & 0x1FFFFF)


class Geometry(NamedTuple):
    """The superblock's numbers, in C's types: sizes in bytes, logarithms to base 2."""

    bsize: int
    dirbsize: int
    isize: int
    agblocks: int
    blklog: int
    inopblog: int
    agblklog: int
    rootino: int

    def agb2daddr(self, agno: int, agbno: int) -> int:
        """The sector of a block of an allocation group."""
        return u64((agno * self.agblocks + agbno) << ((self.blklog - 9) & 63))

    def fsb2daddr(self, fsbno: int) -> int:
        """The sector of a filesystem block."""
        return self.agb2daddr(u32(fsbno >> (self.agblklog & 63)), fsbno & u32((1 << (self.agblklog & 31)) - 1))

    @property
    def btnode_ptr0_off(self) -> int:
        """Offset of the first pointer in a btree node, in bytes."""
        pair = xfs.BMBT_KEY_SIZE + xfs.BMBT_PTR_SIZE
        header = xfs.BTREE_LBLOCK.size
        return s32(u64(self.bsize - header) // pair * xfs.BMBT_KEY_SIZE + header)


class Extents:
    """The data fork of the inode in the buffer.

    What has been read of a btree is kept while the inode stays; the state is the driver's own otherwise.
    """

    def __init__(self, m: Machine, buffer: FsysBuffer, geometry: Geometry) -> None:
        self.m = m
        self.buf = buffer
        self.geo = geometry
        self.header: tuple[int, ...] = (0, 0, 0, 0, 0)
        """The btree header last read: it stays on the stack when the next one cannot be read."""
        self.nextents = 0
        self.xt = DI_U
        self.ptr0 = 0
        self._leaves: dict[int, list[Extent]] = {}

    def forget(self) -> None:
        """Another inode has been read: note its btree root's first pointer."""
        self._leaves.clear()
        forkoff = self.buf.load(INODE + xfs.DI_FORKOFF, 1)[0]
        # QUIRK: di_forkoff counts from the literal area; here it is taken from the inode's start, so that a btree
        # root beside an attribute fork is misread.
        size = forkoff << 3 or self.geo.isize
        pair = xfs.BMBT_KEY_SIZE + xfs.BMBT_PTR_SIZE
        records = s32(u64(size - xfs.BMDR_HEADER_SIZE - xfs.DI_U) // pair)
        at = DI_U + xfs.BMDR_HEADER_SIZE + records * xfs.BMBT_KEY_SIZE
        self.ptr0 = int.from_bytes(self.buf.load(at, 8), "big")

    def walk(self) -> Iterator[Extent]:
        """The extents in the order of the list or of the btree's leaves."""
        kind = self.buf.load(INODE + xfs.DI_FORMAT, 1)[0]
        if kind == xfs.FMT_BTREE:
            return self._walk_btree()
        if kind == xfs.FMT_EXTENTS:
            self.xt = DI_U
            self.nextents = self.buf.be32(INODE + xfs.DI_NEXTENTS)
            return self._walk_list()
        # QUIRK: any other format goes on where the walk before it stopped.
        return self._walk_stale()

    def _walk_list(self) -> Iterator[Extent]:
        while self.nextents:
            yield self._next_in_memory()

    def _walk_stale(self) -> Iterator[Extent]:
        while True:
            self.m.tick()
            yield self._next_in_memory()

    def _next_in_memory(self) -> Extent:
        # QUIRK: di_nextents is trusted: records behind the inode are whatever lies in memory.
        if self.xt > SCRATCH_LEFT:
            raise Stop(Outcome.CRASH, "XFS reads extents behind the end of memory")
        if self.xt > len(self.buf.memory):
            self.m.tick()
        record = xfs.BMBT_REC.unpack(self.buf.load(self.xt, xfs.BMBT_REC.size))
        self.xt += xfs.BMBT_REC.size
        self.nextents = u32(self.nextents - 1)
        return unpack_extent(*record)

    def _walk_btree(self) -> Iterator[Extent]:
        geo, m = self.geo, self.m
        ptr0 = self.ptr0
        while True:
            m.tick()
            daddr = geo.fsb2daddr(ptr0)
            self._read_header(daddr)
            if not self.header[1]:
                break
            pointer = self._read(daddr, geo.btnode_ptr0_off, 8)
            ptr0 = int.from_bytes(pointer, "big") if pointer else ptr0
        while True:
            m.tick()
            self.nextents = self.header[2]
            following = geo.fsb2daddr(self.header[4])
            yield from self._leaf(daddr)
            # QUIRK: the last leaf's "none" (all ones) is not 0, so a walk to the end goes on to a senseless sector.
            if following == 0:
                return
            daddr = following
            self._read_header(daddr)
            if not self.header[2]:
                # QUIRK: the count is decreased before it is looked at.
                raise Stop(Outcome.HANG, "XFS walks 4294967296 extents of an empty btree leaf")

    def _leaf(self, daddr: int) -> Iterator[Extent]:
        """The records of the leaf at a sector, read in one go when all of it can be read."""
        count = self.nextents
        size = xfs.BMBT_REC.size
        if daddr not in self._leaves and not self.m.errnum:
            data = self._read(daddr, xfs.BTREE_LBLOCK.size, count * size)
            if data:
                self._leaves[daddr] = [unpack_extent(*record) for record in xfs.BMBT_REC.iter_unpack(data)]
                self.buf.store(FILEBUF, data[-size:])
            elif count > 1:
                # The error belongs to the record that cannot be read.
                self.m.errnum = ErrNum.NONE
        if daddr in self._leaves and not self.m.errnum:
            yield from self._leaves[daddr]
            return
        for index in range(count):
            self.m.tick()
            data = self._read(daddr, xfs.BTREE_LBLOCK.size + index * size, size)
            if data:
                self.buf.store(FILEBUF, data)
            yield unpack_extent(*xfs.BMBT_REC.unpack(self.buf.load(FILEBUF, size)))

    def _read_header(self, daddr: int) -> None:
        data = self._read(daddr, 0, xfs.BTREE_LBLOCK.size)
        if data:
            self.header = xfs.BTREE_LBLOCK.unpack(data)

    def _read(self, daddr: int, offset: int, size: int) -> bytes:
        """Bytes at a sector, nothing when they cannot be read: errnum is left set, and the driver goes on."""
        try:
            return self.buf.devread(daddr, offset, size)
        except GrubError:
            return b""
