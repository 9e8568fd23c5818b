"""What stage2/fsys_ffs.c and stage2/fsys_ufs2.c have in common: one buffer, inodes, block maps, directories."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

from pvgrub_sim.cint import s32, u32
from pvgrub_sim.grub.disk.drives import SECTOR_BITS
from pvgrub_sim.grub.disk.raw import SECTOR_SIZE, devread, devread_contents, devread_run
from pvgrub_sim.grub.errnum import ErrNum, GrubError
from pvgrub_sim.grub.fs.names import DOTS, c_string, ends, next_name, skip_slashes
from pvgrub_sim.grub.machine import Machine
from pvgrub_sim.grub.stop import Stop
from pvgrub_sim.model import Outcome
from pvgrub_sim.ondisk import ufs

BUFFER_SIZE = 0x8000
# Where GRUB keeps what in its filesystem buffer: directory blocks from 0 on.
SUPERBLOCK = 8192
INODE = 16384
MAP = 24576
MAP_SIZE = 8192
_ENTRY_MAX = ufs.ENTRY_NAME + 256


class UfsFile(ABC):
    """The mounted filesystem and its open file: everything but widths and the superblock's place.

    Superblock, inode, block map and directory blocks lie in one buffer of 32 KiB, as in GRUB, so that a long
    directory block overwrites the superblock.
    """

    pointer_size: int
    inode_size: int
    file_size_at: int
    direct_at: int
    indirect_at: int

    def __init__(self, m: Machine, superblock: bytes) -> None:
        self.m = m
        self._memory = bytearray(BUFFER_SIZE)
        self._memory[SUPERBLOCK : SUPERBLOCK + len(superblock)] = superblock
        self._map_block = -1
        self._map_offset = -1
        self._map_size = 0

    # --- numbers in the buffer

    def _number(self, at: int, size: int = 4) -> int:
        return int.from_bytes(self._memory[at : at + size], "little", signed=True)

    def _sb(self, at: int) -> int:
        """An int32 of the superblock as it is in the buffer now."""
        return self._number(SUPERBLOCK + at)

    def _divisor(self, at: int) -> int:
        """A number of the superblock that is divided by; zero kills PV-GRUB."""
        value = self._sb(at)
        if not value:
            raise Stop(Outcome.CRASH, "division by zero: a count in the UFS superblock is 0")
        return value

    @staticmethod
    def _divide(dividend: int, divisor: int) -> tuple[int, int]:
        """C's quotient and remainder, truncated towards zero."""
        quotient = abs(dividend) // abs(divisor)
        if (dividend < 0) != (divisor < 0):
            quotient = -quotient
        return quotient, dividend - quotient * divisor

    @property
    def _file_size(self) -> int:
        at = INODE + self.file_size_at
        return int.from_bytes(self._memory[at : at + self.pointer_size], "little")

    @property
    def _kind(self) -> int:
        return self._number(INODE, 2) & ufs.MODE_TYPE

    @abstractmethod
    def _inode_block(self, inode: int) -> int:
        """The fragment that an inode is in."""

    @abstractmethod
    def _block_offset(self, position: int) -> int:
        """blkoff(): what of a position lies in its block."""

    @abstractmethod
    def _round_up(self, size: int) -> int:
        """fragroundup(): a size rounded up to fragments."""

    def _sector(self, fragment: int) -> int:
        """fsbtodb(): the sector of 512 bytes that a fragment begins at."""
        return u32(fragment << (self._sb(ufs.FSBTODB) & (8 * self.pointer_size - 1)))

    def _shifted(self, value: int) -> int:
        """A block number times the block size, as a C int."""
        return s32(value << (self._sb(ufs.BSHIFT) & 31))

    def _block_index(self, position: int) -> int:
        """lblkno(): the block that a position is in."""
        return position >> (self._sb(ufs.BSHIFT) & 31)

    def _block_size(self, block: int) -> int:
        """blksize(): bytes of a block of the open inode; only among the first twelve the last is short."""
        end = self._shifted(block + 1) & ((1 << 8 * self.pointer_size) - 1)
        if block >= ufs.DIRECT_BLOCKS or self._file_size >= end:
            return self._sb(ufs.BSIZE)
        return s32(self._round_up(self._block_offset(self._file_size)))

    # --- inodes and blocks

    def _load_inode(self, inode: int) -> None:
        sector = self._sector(self._inode_block(inode))
        offset = s32(self._divide(inode, self._divisor(ufs.INOPB))[1] * self.inode_size)
        self._memory[INODE : INODE + self.inode_size] = devread(self.m, sector, offset, self.inode_size)

    def _block(self, index: int) -> int:
        """block_map(): the fragment of a block of the open inode, negative for one that cannot be found."""
        size = self.pointer_size
        if index < ufs.DIRECT_BLOCKS:
            return self._number(INODE + self.direct_at + size * index, size)
        wanted = s32(self._sector(self._number(INODE + self.indirect_at, size)))
        # QUIRK: double and triple indirect blocks are not known: the index wraps (fsmax forbids such files).
        within = (index - ufs.DIRECT_BLOCKS) % abs(self._divisor(ufs.NINDIR))
        # QUIRK: a sector number is compared with an index in the map, so a map near the start is read again for
        # every block.
        if wanted != self._map_block or self._map_offset <= wanted <= self._map_offset + self._map_size:
            self._load_map(wanted, within)
        # QUIRK: where a block is larger than the map's buffer, what was loaded last is not checked to hold the
        # number, which is then taken from the memory around it.
        at = MAP + size * (within - self._map_offset)
        if not 0 <= at <= BUFFER_SIZE - size:
            raise Stop(Outcome.CRASH, "overrun: a UFS block number is taken from behind the buffer")
        return self._number(at, size)

    def _load_map(self, sector: int, within: int) -> None:
        block_size = self._sb(ufs.BSIZE)
        size, offset = block_size, 0
        if block_size > MAP_SIZE:
            size, offset = MAP_SIZE, within
            if offset + MAP_SIZE > block_size:
                offset = (block_size - MAP_SIZE) // 4
        try:
            # QUIRK: offsets in the map are those of 4-byte numbers, UFS2's have 8.
            data = devread(self.m, sector, offset * 4, size)
        except GrubError:
            self._map_block = self._map_size = self._map_offset = -1
            self.m.fail(ErrNum.FSYS_CORRUPT)
        self._memory[MAP : MAP + len(data)] = data
        self._map_block, self._map_offset, self._map_size = sector, offset, size

    # --- names

    def open(self, path: bytes) -> None:
        """ffs_dir(), ufs2_dir(): raises GrubError 2, 15, 16 or what reading an inode raises."""
        m = self.m
        at = 0
        self._load_inode(ufs.ROOT_INODE)
        while not ends(path, at):
            at = skip_slashes(path, at)
            self._need_directory()
            name, at = next_name(path, at)
            self._load_inode(self._find(name))
        # QUIRK: symlinks are not followed.
        if self._kind != ufs.MODE_REGULAR:
            m.fail(ErrNum.BAD_FILETYPE)
        m.filemax = s32(self._file_size)
        # QUIRK: what double indirect blocks hold cannot be read.
        m.fsmax = s32((ufs.DIRECT_BLOCKS + self._sb(ufs.NINDIR)) * self._sb(ufs.BSIZE))

    def list(self, path: bytes) -> Iterator[bytes]:
        """ffs_dir(), ufs2_dir() for completion; raises GrubError 15 when no name fits."""
        self._load_inode(ufs.ROOT_INODE)
        at = skip_slashes(path, 0)
        self._need_directory()
        prefix, at = next_name(path, at)
        while path[at : at + 1] == b"/":
            self._load_inode(self._find(prefix))
            at = skip_slashes(path, at)
            self._need_directory()
            prefix, at = next_name(path, at)
        found = False
        for inode, name in self._entries():
            if inode and name.startswith(prefix):
                found = True
                if name not in DOTS:
                    yield name
        if not found:
            self.m.fail(ErrNum.FILE_NOT_FOUND)

    def _need_directory(self) -> None:
        if not self._file_size or self._kind != ufs.MODE_DIRECTORY:
            self.m.fail(ErrNum.BAD_FILETYPE)

    def _find(self, name: bytes) -> int:
        for inode, entry in self._entries():
            if inode and entry == name:
                return inode
        self.m.fail(ErrNum.FILE_NOT_FOUND)

    def _entries(self) -> Iterator[tuple[int, bytes]]:
        """Inode number (0 for none) and name of each entry of the open directory."""
        m, memory = self.m, self._memory
        position = count = 0
        mask = (1 << 8 * self.pointer_size) - 1
        # The size lies in the buffer as well, where a large directory block reaches it.
        while position & mask < self._file_size:
            offset = self._block_offset(position)
            if not offset:
                self._load_directory_block(position)
            if not 0 <= offset <= BUFFER_SIZE - ufs.ENTRY_NAME:
                raise Stop(Outcome.CRASH, "overrun: a UFS directory entry lies behind the buffer")
            length = self._number(offset + ufs.ENTRY_LENGTH, 2) & 0xFFFF
            yield self._number(offset), c_string(bytes(memory[offset + ufs.ENTRY_NAME : offset + _ENTRY_MAX]))
            if not length:
                # QUIRK: GRUB looks at such an entry for ever, unless it is the one.
                raise Stop(Outcome.HANG, "a UFS directory entry of length 0")
            position = s32(position + length)
            count += 1
            if not count & 15:
                m.tick()

    def _load_directory_block(self, position: int) -> None:
        m = self.m
        index = self._block_index(position)
        fragment = self._block(index)
        if fragment < 0:
            m.fail(ErrNum.FSYS_CORRUPT)
        size = self._block_size(index)
        try:
            data = devread(m, self._sector(fragment), 0, size)
        except GrubError:
            m.fail(ErrNum.FSYS_CORRUPT)
        if len(data) > BUFFER_SIZE:
            raise Stop(Outcome.CRASH, "overrun: a UFS directory block is larger than the buffer")
        # QUIRK: a directory block of more than 8 KiB overwrites the superblock.
        self._memory[0 : len(data)] = data

    # --- contents

    def read(self, length: int) -> bytes:
        """ffs_read(), ufs2_read(): short where a block number is negative; raises GrubError.

        QUIRK: a hole (block 0) reads as the partition's first block.
        """
        m = self.m
        if m.errnum:
            raise GrubError(m.errnum)
        parts: list[bytes] = []
        first = offset = size = 0  # the run being put together: its sector, the offset there, bytes so far
        while length > 0:
            within = self._block_offset(m.filepos)
            index = self._block_index(m.filepos)
            block_size = self._block_size(index)
            try:
                fragment = self._block(index)
            except GrubError as error:
                m.errnum = ErrNum.NONE
                self._read_run(first, offset, size)
                m.fail(error.number)
            if fragment < 0:
                break
            more = min(block_size - within, length)
            if more == 0:
                raise Stop(Outcome.HANG, "a UFS block without room in it")
            if more < 0:
                raise Stop(Outcome.CRASH, "overrun: a UFS block ends before its middle")
            sector = self._sector(fragment)
            reached = offset + size
            if size and (within or reached & (SECTOR_SIZE - 1) or sector != first + (reached >> SECTOR_BITS)):
                parts.append(self._read_run(first, offset, size))
                size = 0
            if not size:
                first, offset = sector, within
            size += more
            length -= more
            m.filepos += more
        parts.append(self._read_run(first, offset, size))
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _read_run(self, sector: int, offset: int, size: int) -> bytes:
        """Blocks that follow each other; where they cannot be read, the first of them decides the error."""
        m = self.m
        if not size:
            return b""
        block_size = self._sb(ufs.BSIZE)
        if block_size > 0 and not block_size % SECTOR_SIZE:
            try:
                return devread_run(m, sector, offset, size, block_size)
            except GrubError:
                m.errnum = ErrNum.NONE
        parts: list[bytes] = []
        while size > 0:
            more = min(max(block_size - offset, 1), size)
            parts.append(devread_contents(m, sector, offset, more, more))
            sector += (offset + more) >> SECTOR_BITS
            size -= more
            offset = 0
        return b"".join(parts)
