"""The trees of JFS as PV-GRUB walks them (stage2/fsys_jfs.c:first_extent, next_extent, first_dentry, next_dentry)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

from pvgrub_sim.cint import u32
from pvgrub_sim.grub.disk.raw import devread
from pvgrub_sim.grub.errnum import GrubError
from pvgrub_sim.grub.fs.fsys_buf import FsysBuffer
from pvgrub_sim.grub.fs.names import c_string
from pvgrub_sim.grub.machine import Machine
from pvgrub_sim.grub.stop import Stop
from pvgrub_sim.model import Outcome
from pvgrub_sim.ondisk import jfs
from pvgrub_sim.values import NamedTuple

# Places in the filesystem buffer, in bytes.
XTPAGE = 0
DTPAGE = 4096
FILESET = 8192
DINODE_SIZE = 4320
"""sizeof (dinode_t): its xtree root is declared with as many extents as a whole page has."""
INODE = FILESET + DINODE_SIZE


class Extent(NamedTuple):
    """All in blocks."""

    offset: int
    length: int
    address: int


class Entry(NamedTuple):
    """inumber: the inode's number. name: as the driver spells it."""

    inumber: int
    name: bytes


def s8(value: int) -> int:
    """The value of a byte as a C `signed char`."""
    return value - 256 if value & 0x80 else value


class Trees:
    """The buffer's pages and inodes, and the walks through them.

    l2bsize: s_l2bsize, the base-2 logarithm of the block size in bytes, as found on the disk.
    """

    def __init__(self, m: Machine, buffer: FsysBuffer, l2bsize: int) -> None:
        self.m = m
        self.buf = buffer
        self.l2bsize = l2bsize
        self.progress = False
        """Set by who walks through extents when the walk has brought him forward: it may then go in circles."""
        self._block_shift = (l2bsize - 9) & 63

    def sector(self, block: int) -> int:
        """The first sector of a block; C's shift takes its count modulo 64, devread() 32 bits of the result."""
        return u32(block << self._block_shift)

    def load(self, block: int, offset: int, size: int, address: int) -> bool:
        """devread() to an address of the buffer, which stays as it was when this fails; False then."""
        try:
            self.buf.store(address, devread(self.m, self.sector(block), offset, size))
        except GrubError:
            return False
        return True

    def _pxd(self, address: int) -> int:
        return _address(self.buf.load(address, jfs.PXD.size))

    # --- extents

    def _extent(self, address: int) -> Extent:
        flags, offset, word, low = jfs.XAD.unpack(self.buf.load(address, jfs.XAD.size))
        return Extent((flags >> 24) << 32 | offset, word & 0xFFFFFF, (word >> 24) << 32 | low)

    def _nextindex(self, header: int) -> int:
        value = self.buf.u16(header + jfs.XT_NEXTINDEX)
        return value - 0x10000 if value & 0x8000 else value

    def _descend(self, start: int, address: int, flag: int, first_child: Callable[[], int]) -> None:
        """Read pages into an address of the buffer from a block on, down to a leaf.

        flag: where in a page its flags are. first_child: the block of the first child of the page in the buffer.
        """
        seen = set()
        block = start
        while True:
            self.m.tick()
            if not self.load(block, 0, jfs.PAGE_SIZE, address):
                # QUIRK: a page that cannot be read is read again for ever, unless a leaf was there before.
                if not self.buf.memory[address + flag] & jfs.BT_LEAF:
                    raise Stop(Outcome.HANG, "PV-GRUB reads a page of a JFS tree that cannot be read over and over")
            elif block in seen:
                raise Stop(Outcome.HANG, "a tree of JFS leads back to itself")
            if self.buf.memory[address + flag] & jfs.BT_LEAF:
                return
            seen.add(block)
            block = first_child()

    def extents(self, inode: int) -> Iterator[Extent]:
        """The extents of an inode in the buffer, as first_extent() and next_extent() give them.

        There is always a first one, whatever the root says. A failing read leaves errnum set, and what was in the
        buffer before is looked at again.
        """
        m, memory = self.m, self.buf.memory
        root = inode + jfs.DI_BTROOT
        first = jfs.XT_START * jfs.XAD.size
        header, at = root, root + first
        if not memory[root + jfs.XT_FLAG] & jfs.BT_LEAF:
            header, at = XTPAGE, XTPAGE + first
            self._descend(
                self._extent(root + first).address, XTPAGE, jfs.XT_FLAG, lambda: self._extent(XTPAGE + first).address
            )
        last = self._nextindex(header)
        index = jfs.XT_START
        seen: set[int] = set()
        yield self._extent(at)
        while True:
            index += 1
            if index >= last:
                # QUIRK: behind the last extent of a root in the inode, the page that was read last, for whatever
                # file or by whatever probe, is asked for its successor.
                block = int.from_bytes(memory[XTPAGE : XTPAGE + 8], "little")
                if not block:
                    return
                if self.progress:
                    self.progress = False
                    seen.clear()
                elif block in seen:
                    raise Stop(Outcome.HANG, "the pages of an extent tree of JFS lead back to themselves")
                seen.add(block)
                self.load(block, 0, jfs.PAGE_SIZE, XTPAGE)
                last = self._nextindex(XTPAGE)
                m.tick(1 + min(max(last, 0), jfs.PAGE_SIZE) // 4)
                index = jfs.XT_START
                # QUIRK: the first extent of every page but the first is left out, one too many is looked at.
                at = XTPAGE + first
            at += jfs.XAD.size
            if at >= len(memory):
                # Zeros from here on: extents of no length.
                index = max(index, last)
            yield self._extent(at)

    def read_inode(self, number: int) -> None:
        """di_read(): an inode of the fileset into the buffer; a failing read leaves errnum set.

        QUIRK: when it fails, or when no extent of the inode map has it, the inode that was read before stands
        for it.
        """
        group = number >> jfs.INODES_PER_IAG_BITS
        inside = number & ((1 << jfs.INODES_PER_IAG_BITS) - 1)
        key = u32((group << jfs.INODES_PER_IAG_BITS) + jfs.PAGE_SIZE) >> (self.l2bsize & 31)
        at_pxd = jfs.IAG_INOEXT + (inside >> jfs.INODES_PER_EXTENT_BITS) * jfs.PXD.size
        index = inside & ((1 << jfs.INODES_PER_EXTENT_BITS) - 1)
        for extent in self.extents(FILESET):
            if extent.offset <= key < extent.offset + extent.length:
                sector = self.sector(extent.address + key - extent.offset)
                pxd = bytes(jfs.PXD.size)
                # When this fails, the other read fails as well, wherever it goes.
                with suppress(GrubError):
                    pxd = devread(self.m, sector, at_pxd, jfs.PXD.size)
                self.load(_address(pxd), index * jfs.INODE_SIZE, jfs.INODE_SIZE, INODE)
                return

    # --- directory entries

    def entries(self) -> Iterator[Entry]:
        """The entries of the directory whose inode is in the buffer, `..` and `.` last.

        As first_dentry() and next_dentry().
        """
        memory = self.buf.memory
        root = INODE + jfs.DI_BTROOT
        parent = self.buf.u32(INODE + jfs.DI_PARENT)
        number = self.buf.u32(INODE + jfs.DI_NUMBER)
        if memory[root + jfs.DT_FLAG] & jfs.BT_LEAF:
            table = root + jfs.DTROOT_STBL
            for index in range(s8(memory[root + jfs.DT_NEXTINDEX])):
                yield self._entry(root, s8(memory[table + index]))
        else:
            start = self._pxd(root + jfs.SLOT_SIZE * s8(memory[root + jfs.DTROOT_STBL]))
            self._descend(start, DTPAGE, jfs.DT_FLAG, lambda: self._pxd(DTPAGE + jfs.SLOT_SIZE * self._slot(0)))
            yield from self._page_entries()
        # QUIRK: both are made up, and so work even where the directory has its own.
        yield Entry(parent, b"..")
        yield Entry(number, b".")

    def _page_entries(self) -> Iterator[Entry]:
        """The entries of the leaf in the buffer and of those behind it."""
        memory = self.buf.memory
        seen: set[int] = set()
        count = s8(memory[DTPAGE + jfs.DT_NEXTINDEX])
        while True:
            for index in range(count):
                yield self._entry(DTPAGE, self._slot(index))
            block = int.from_bytes(memory[DTPAGE : DTPAGE + 8], "little")
            if not block:
                return
            self.m.tick()
            if block in seen:
                raise Stop(Outcome.HANG, "the pages of a JFS directory never end")
            seen.add(block)
            # QUIRK: where this fails, the page that was there before is gone through again and again.
            self.load(block, 0, jfs.PAGE_SIZE, DTPAGE)
            # QUIRK: every page but the first is taken to have an entry.
            count = max(s8(memory[DTPAGE + jfs.DT_NEXTINDEX]), 1)

    def _slot(self, index: int) -> int:
        """An entry of the slot table of the page in the buffer."""
        memory = self.buf.memory
        return s8(memory[DTPAGE + jfs.SLOT_SIZE * s8(memory[DTPAGE + jfs.DT_STBLINDEX]) + index])

    def _entry(self, base: int, slot: int) -> Entry:
        """A leaf entry: base is the address of the page or of the root in the inode."""
        memory = self.buf.memory
        at = base + jfs.SLOT_SIZE * slot
        inumber, following, length = jfs.LDTENTRY.unpack_from(memory, at)
        if following == -1:
            return Entry(inumber, _spell(memory[at + jfs.LDTENTRY_NAME : at + jfs.LDTENTRY_NAME + 2 * length]))
        # QUIRK: a filesystem without directory indices has 13 characters here, two of which are lost.
        count, start = jfs.LDTENTRY_NAME_CHARS, at + jfs.LDTENTRY_NAME
        name = bytearray()
        while True:
            name += memory[start : start + 2 * count]
            length -= count
            if length < 0:
                raise Stop(Outcome.CRASH, "a name in a JFS directory has more slots than its length has characters")
            if following == -1:
                return Entry(inumber, _spell(name))
            at = base + jfs.SLOT_SIZE * following
            following = s8(memory[at])
            start = at + jfs.DTSLOT_NAME
            count = jfs.DTSLOT_NAME_CHARS if following != -1 else length


def _address(pxd: bytes) -> int:
    """addressPXD()."""
    word, low = jfs.PXD.unpack(pxd)
    return int((word >> 24) << 32 | low)


def _spell(name: bytearray) -> bytes:
    """uni2ansi(), up to the first NUL. QUIRK: a character that is not ASCII becomes a question mark."""
    low, high = name[::2], name[1::2]
    if any(high) or not low.isascii():
        low = bytearray(c if c < 0x80 and not h else ord("?") for c, h in zip(low, high, strict=True))
    return c_string(bytes(low))
