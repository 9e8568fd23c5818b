"""minix version 1 as PV-GRUB reads it (stage2/fsys_minix.c)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from pvgrub_sim.cint import s32
from pvgrub_sim.grub.disk.raw import SECTOR_SIZE, devread
from pvgrub_sim.grub.errnum import ErrNum, GrubError
from pvgrub_sim.grub.fs.block_runs import BlockRuns
from pvgrub_sim.grub.fs.fsys_buf import FsysBuffer
from pvgrub_sim.grub.fs.names import c_string, ends, next_name, rest_of, skip_slashes
from pvgrub_sim.grub.fs.read import grub_read
from pvgrub_sim.grub.fs.slice_types import MINIX_SLICES
from pvgrub_sim.grub.machine import Machine
from pvgrub_sim.grub.stop import Stop
from pvgrub_sim.model import Outcome
from pvgrub_sim.ondisk import minix
from pvgrub_sim.typed import ClassVar, Self

SBLOCK = minix.SUPERBLOCK_OFFSET // SECTOR_SIZE
BLOCK_SECTORS = minix.BLOCK_SIZE // SECTOR_SIZE
PATH_MAX = 1024
MAX_LINK_COUNT = 5

# Places in the filesystem buffer, in bytes.
INODE = minix.BLOCK_SIZE
DATABLOCK1 = INODE + minix.INODE_SIZE
DATABLOCK2 = DATABLOCK1 + minix.BLOCK_SIZE

NOTHING = -1
SINGLE = 1
DOUBLE = 2


class Minix:
    """The minix driver, mounted on the open partition."""

    name: ClassVar[str] = "minix"

    def __init__(self, m: Machine, buffer: FsysBuffer, superblock: bytes, name_length: int) -> None:
        self.m = m
        self.buf = buffer
        _, _, imap_blocks, zmap_blocks, *_ = minix.SUPERBLOCK.unpack(superblock)
        self.inode_blocks = 2 + imap_blocks + zmap_blocks
        """The first block of the inode table."""
        self.name_length = name_length
        self._map1 = NOTHING
        """mapblock1: which indirect block of the inode DATABLOCK1 holds."""
        self._map2 = NOTHING
        """mapblock2: the number of the block that DATABLOCK2 holds."""

    @classmethod
    def mount(cls, m: Machine) -> Self | None:
        """As minix_mount(): slice type and magic decide. Raises GrubError when the superblock cannot be read."""
        if m.current_slice not in MINIX_SLICES or m.part_length < SBLOCK:
            return None
        superblock = devread(m, SBLOCK, 0, minix.SUPERBLOCK.size)
        # QUIRK: versions 2 and 3 are unknown.
        name_length = minix.NAME_LENGTHS.get(minix.SUPERBLOCK.unpack(superblock)[7])
        if name_length is None:
            return None
        buffer = FsysBuffer(m)
        buffer.store(0, superblock)
        return cls(m, buffer, superblock, name_length)

    @property
    def _size(self) -> int:
        return self.buf.u32(INODE + minix.I_SIZE)

    def _zone(self, index: int) -> int:
        return self.buf.u16(INODE + minix.I_ZONE + 2 * index)

    def _zones(self, address: int, count: int) -> tuple[int, ...]:
        """`count` block numbers of 16 bits at an address of the buffer."""
        return struct.unpack(f"<{count}H", self.buf.load(address, 2 * count))

    def _load_zones(self, block: int, address: int) -> None:
        """Read an indirect block; every failure is Error 16."""
        try:
            if not block:
                # QUIRK: a hole that covers a whole indirect block is an error.
                self.m.fail(ErrNum.FSYS_CORRUPT)
            self.buf.read(block * BLOCK_SECTORS, minix.BLOCK_SIZE, address)
        except GrubError:
            self.m.fail(ErrNum.FSYS_CORRUPT)

    def _map(self, logical: int) -> tuple[int, ...]:
        """The numbers of the inode's blocks from a logical one on, as far as one look at them goes.

        As minix_block_map(). Raises GrubError 16.
        """
        if logical < minix.DIRECT_ZONES:
            return self._zones(INODE + minix.I_ZONE + 2 * logical, minix.DIRECT_ZONES - logical)
        logical -= minix.DIRECT_ZONES
        if logical < minix.ZONES_PER_BLOCK:
            if self._map1 != SINGLE or not self._zone(7):
                self._load_zones(self._zone(7), DATABLOCK1)
                self._map1 = SINGLE
            return self._zones(DATABLOCK1 + 2 * logical, minix.ZONES_PER_BLOCK - logical)
        logical -= minix.ZONES_PER_BLOCK
        if self._map1 != DOUBLE or not self._zone(8):
            self._load_zones(self._zone(8), DATABLOCK1)
            self._map1 = DOUBLE
        high, low = divmod(logical, minix.ZONES_PER_BLOCK)
        # QUIRK: behind the last block that two levels reach, DATABLOCK2 is taken for more of DATABLOCK1.
        block = self.buf.u16(DATABLOCK1 + 2 * high)
        if not block or self._map2 != block:
            self._load_zones(block, DATABLOCK2)
            self._map2 = block
        return self._zones(DATABLOCK2 + 2 * low, minix.ZONES_PER_BLOCK - low)

    def read(self, length: int) -> bytes:
        """As minix_read(): a failing block does not end the loop, but leaves its error behind."""
        m, start = self.m, self.m.filepos
        if length > minix.BLOCK_SIZE and not m.errnum:
            runs = BlockRuns(m, minix.BLOCK_BITS)
            self._gather(runs, length, None)
            data = None if m.errnum else runs.read_at_once()
            if data is not None:
                return data
            m.errnum, m.filepos = ErrNum.NONE, start
            self._map1 = self._map2 = NOTHING
        parts: list[bytes] = []
        self._gather(BlockRuns(m, minix.BLOCK_BITS), length, parts)
        if m.errnum:
            raise GrubError(m.errnum)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _gather(self, runs: BlockRuns, length: int, parts: list[bytes] | None) -> None:
        """minix_read()'s loop: the blocks of `length` bytes from filepos on, which is moved on.

        parts: where to put what the blocks hold; None to gather the blocks only.
        """
        m = self.m
        while length > 0:
            m.tick()
            logical, offset = divmod(m.filepos, minix.BLOCK_SIZE)
            wanted = (offset + length + minix.BLOCK_SIZE - 1) >> minix.BLOCK_BITS
            try:
                numbers = self._map(logical)[:wanted]
            except GrubError:
                break
            size = min(len(numbers) * minix.BLOCK_SIZE - offset, length)
            # QUIRK: a hole reads block 0, the boot block.
            runs.add(numbers, offset, size)
            if parts is not None:
                parts += runs.read()
            m.filepos += size
            length -= size

    def open(self, path: bytes) -> None:
        """As minix_dir() with print_possibilities 0."""
        for _ in self._walk(path, listing=False):
            pass

    def list(self, path: bytes) -> Iterator[bytes]:
        """As minix_dir() with print_possibilities 1: linear, without `.` and `..`."""
        return self._walk(path, listing=True)

    def _walk(self, path: bytes, listing: bool) -> Iterator[bytes]:
        m = self.m
        at = links = 0
        current = parent = minix.ROOT_INO
        while True:
            self._load_inode(current)
            mode = self.buf.u16(INODE + minix.I_MODE) & minix.S_IFMT
            if mode == minix.S_IFLNK:
                links += 1
                if links > MAX_LINK_COUNT:
                    m.fail(ErrNum.SYMLINK_LOOP)
                path, at = self._follow(path, at), 0
                if path[:1] == b"/":
                    parent = minix.ROOT_INO
                current = parent
                continue
            if ends(path, at):
                if mode != minix.S_IFREG:
                    m.fail(ErrNum.BAD_FILETYPE)
                m.filemax = s32(self._size)
                return
            parent = current
            if not self._size or mode != minix.S_IFDIR:
                m.fail(ErrNum.BAD_FILETYPE)
            component, at = next_name(path, skip_slashes(path, at))
            if listing and path[at : at + 1] != b"/":
                yield from self._complete(component)
                return
            current = self._find(component)

    def _load_inode(self, ino: int) -> None:
        """Read an inode to its fixed place. Raises GrubError."""
        block, index = divmod(ino - 1, minix.INODES_PER_BLOCK)
        self.buf.read((self.inode_blocks + block) * BLOCK_SECTORS, minix.BLOCK_SIZE, INODE)
        self._map1 = self._map2 = NOTHING
        self.buf.move(INODE, INODE + index * minix.INODE_SIZE, minix.INODE_SIZE)

    def _follow(self, path: bytes, at: int) -> bytes:
        """The symlink's target with the rest of the name behind it. Raises GrubError."""
        m = self.m
        rest = rest_of(path, at)
        m.filemax = s32(self._size)
        if not 0 <= s32(m.filemax + len(rest)) <= PATH_MAX - 2:
            m.fail(ErrNum.FILELENGTH)
        if m.filemax < 0:
            raise Stop(Outcome.CRASH, "a symlink's size is negative")
        try:
            # QUIRK: filepos is not set to 0 before, which shows after an open file when names are completed.
            target = grub_read(m, m.filemax)
        finally:
            m.filepos = 0
        if not target:
            # QUIRK: an empty symlink is a failure without an error.
            raise GrubError(m.errnum)
        return target + rest

    def _entries(self) -> Iterator[tuple[int, bytes]]:
        """Inode number and name of each used entry of the directory, in order; then Error 15."""
        m, size = self.m, self._size
        entry_size = 2 + self.name_length
        for start in range(0, size, minix.BLOCK_SIZE):
            m.tick()
            number = self._dir_block(start >> minix.BLOCK_BITS)
            try:
                # QUIRK: a hole in a directory reads block 0.
                self.buf.read(number * BLOCK_SECTORS, minix.BLOCK_SIZE, DATABLOCK2)
            except GrubError:
                m.fail(ErrNum.FSYS_CORRUPT)
            block = self.buf.load(DATABLOCK2, minix.BLOCK_SIZE)
            for at in range(0, min(size - start, minix.BLOCK_SIZE), entry_size):
                ino = block[at] | block[at + 1] << 8
                if ino:
                    yield ino, c_string(block[at + 2 : at + entry_size])
        m.fail(ErrNum.FILE_NOT_FOUND)

    def _dir_block(self, logical: int) -> int:
        """The number of one of the directory's blocks; DATABLOCK2 is then free for its contents."""
        number = self._map(logical)[0]
        self._map2 = NOTHING
        return number

    def _find(self, component: bytes) -> int:
        """The inode number of a name in the directory that the inode is. Raises GrubError."""
        for ino, name in self._entries():
            if name == component:
                return ino
        raise AssertionError("the entries end with an error")

    def _complete(self, prefix: bytes) -> Iterator[bytes]:
        """The names of the directory that begin with `prefix`; Error 15 when there is none."""
        some = False
        try:
            for _, name in self._entries():
                if name.startswith(prefix):
                    some = True
                    if name not in (b".", b".."):
                        yield name
        except GrubError as error:
            if not some or error.number != ErrNum.FILE_NOT_FOUND:
                raise
            self.m.errnum = ErrNum.NONE
