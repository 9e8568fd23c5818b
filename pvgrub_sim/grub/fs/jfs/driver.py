"""JFS as PV-GRUB reads it (stage2/fsys_jfs.c)."""

from __future__ import annotations

from collections.abc import Iterator

from pvgrub_sim.cint import s32, s64
from pvgrub_sim.grub.disk.raw import SECTOR_SIZE, devread, devread_contents
from pvgrub_sim.grub.errnum import ErrNum, GrubError
from pvgrub_sim.grub.fs.fsys_buf import FsysBuffer
from pvgrub_sim.grub.fs.jfs.tree import FILESET, INODE, Trees
from pvgrub_sim.grub.fs.names import ends, next_name, skip_slashes
from pvgrub_sim.grub.fs.slice_types import EXT2_SLICES, MINIX_SLICES, VSTAFS_SLICES
from pvgrub_sim.grub.machine import Machine
from pvgrub_sim.grub.stop import Stop
from pvgrub_sim.model import Outcome
from pvgrub_sim.ondisk import jfs
from pvgrub_sim.typed import ClassVar, Self

SUPER1 = jfs.SUPERBLOCK_OFFSET // SECTOR_SIZE
FILESYSTEM_INODE = jfs.AGGREGATE_INODES_OFFSET // SECTOR_SIZE + jfs.FILESYSTEM_INO
PATH_MAX = jfs.PAGE_SIZE
MAX_LINK_COUNT = 8
NO_PREVIOUS = (1 << 62) - 1
OVERRUN_MAX = 16 << 20
"""Bytes that may be written behind a caller's buffer before PV-GRUB is taken to die of it."""

OVERRUN = "a hole in a file on JFS is written as more zeros than there was room for"


class Jfs:
    """The jfs driver, mounted on the open partition."""

    name: ClassVar[str] = "jfs"

    def __init__(self, m: Machine, trees: Trees) -> None:
        self.m = m
        self.trees = trees
        self.buf = trees.buf

    @classmethod
    def mount(cls, m: Machine) -> Self | None:
        """As jfs_mount(): size and magic decide. Raises GrubError when superblock or inode map cannot be read."""
        if m.part_length < jfs.MIN_SIZE // SECTOR_SIZE:
            return None
        data = devread(m, SUPER1, 0, jfs.SUPERBLOCK_SIZE)
        magic, _, _, _, l2bsize = jfs.SUPERBLOCK.unpack_from(data)
        if magic != jfs.MAGIC:
            return None
        fileset = devread(m, FILESYSTEM_INODE, 0, jfs.INODE_SIZE)
        buffer = FsysBuffer(m)
        for address, left in _left_by_probes(m):
            buffer.store(address, left)
        buffer.store(FILESET, fileset)
        return cls(m, Trees(m, buffer, l2bsize))

    # --- the open file

    def read(self, length: int) -> bytes:
        """As jfs_read(): the end of the last extent ends the file early, without an error.

        Where jfs_read() returns with errnum set, this raises GrubError; no caller makes use of what was read then.
        """
        data = self._read(length)
        if self.m.errnum:
            raise GrubError(self.m.errnum)
        return data

    def _read(self, length: int) -> bytes:
        """jfs_read(); where a read fails, errnum is set, and what it should have brought is cut short."""
        m, trees = self.m, self.trees
        bits, bits32 = trees.l2bsize & 63, trees.l2bsize & 31
        end = s32(m.filepos + length)
        previous = NO_PREVIOUS
        parts: list[bytes] = []
        # QUIRK: a file without extents is taken to have the one that is left in the first one's place.
        walk = trees.extents(INODE)
        extent = next(walk, None)
        while extent:
            offset, blocks, address = extent
            begin = s64(offset << bits)
            if offset <= m.filepos >> bits32 < offset + blocks:
                extent_end = s64((offset + blocks) << bits)
                size = length if extent_end >= end else s32(extent_end - m.filepos)
                parts.append(self._read_extent(address, s32(m.filepos - begin), size))
                in_hole = False
            else:
                in_hole = offset > previous
                size = 0
            if in_hole:
                # QUIRK: a hole before the place where the read begins counts as well, over and over, so that the
                # whole read is zeros. load_file() begins a read at 1 MiB, 2 MiB, …: a sparse kernel of that size
                # is ruined from there on.
                # QUIRK: who begins to read inside a hole, and goes on behind it, gets zeros for the whole hole.
                size = length if begin >= end else s32((offset - previous) << bits)
                parts.append(self._zeros(size, length))
            length -= size
            m.filepos = s32(m.filepos + size)
            trees.progress = trees.progress or size > 0
            if not in_hole:
                previous = offset + blocks
                # QUIRK: the next extent is looked for even when nothing more is wanted of it.
                extent = next(walk, None)
            if length <= 0:
                break
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _read_extent(self, address: int, offset: int, size: int) -> bytes:
        sector = self.trees.sector(address)
        try:
            return devread_contents(self.m, sector, offset, size, max(size, 1))
        except GrubError:
            return bytes(min(max(size, 0), PATH_MAX))

    def _zeros(self, size: int, room: int) -> bytes:
        """What a hole of `size` bytes writes into memory for `room` bytes."""
        if size == 0:
            raise Stop(Outcome.HANG, "the size of a hole overflows to 0")
        if not 0 < size <= room + OVERRUN_MAX:
            raise Stop(Outcome.CRASH, "the zeros of a hole overrun the memory they are for")
        if size > room and OVERRUN not in self.m.undefined:
            self.m.undefined.append(OVERRUN)
        return bytes(size)

    # --- directories

    def open(self, path: bytes) -> None:
        """As jfs_dir() with print_possibilities 0.

        It returns normally with errnum set where jfs_dir() finds a file by means of what a failed read has left.
        """
        for _ in self._walk(path, listing=False):
            pass

    def list(self, path: bytes) -> Iterator[bytes]:
        """As jfs_dir() with print_possibilities 1: in the order of the directory, without `.` and `..`."""
        return self._walk(path, listing=True)

    def _walk(self, path: bytes, listing: bool) -> Iterator[bytes]:
        m, trees = self.m, self.trees
        line = Line(path)
        parent = number = jfs.ROOT_INO
        links = 0
        while True:
            m.tick()
            trees.read_inode(number)
            size = s64(self.buf.u32(INODE + jfs.DI_SIZE) | self.buf.u32(INODE + jfs.DI_SIZE + 4) << 32)
            mode = self.buf.u32(INODE + jfs.DI_MODE)
            kind = mode & jfs.S_IFMT
            if kind == jfs.S_IFLNK:
                links += 1
                if links > MAX_LINK_COUNT:
                    m.fail(ErrNum.SYMLINK_LOOP)
                line.follow(self._target(size, mode))
                number = jfs.ROOT_INO if line.at_slash() else parent
                continue
            if line.ends():
                if kind != jfs.S_IFREG:
                    m.fail(ErrNum.BAD_FILETYPE)
                m.filepos = 0
                # QUIRK: 2 GiB and more are a negative size, or that of the lower 32 bits.
                m.filemax = s32(size)
                return
            if kind != jfs.S_IFDIR:
                m.fail(ErrNum.BAD_FILETYPE)
            component = line.next_name()
            if listing and not line.at_slash():
                yield from self._complete(component)
                return
            parent, number = number, self._find(component)

    def _target(self, size: int, mode: int) -> bytes:
        """The target of the symlink whose inode is in the buffer. Raises GrubError 14."""
        # QUIRK: a target of 128 to 255 bytes is not in the inode, but is looked for there.
        if size < (256 if mode & jfs.INLINE_EA else 128):
            if size < 0:
                raise Stop(Outcome.CRASH, "a symlink's size is negative")
            return self.buf.load(INODE + jfs.DI_FASTSYMLINK, size)
        if size >= PATH_MAX - 1:
            self.m.fail(ErrNum.FILELENGTH)
        self.m.filepos = 0
        self.m.filemax = size
        return self._read(size)

    def _find(self, component: bytes) -> int:
        """The inode number of a name in the directory whose inode is in the buffer. Raises GrubError 15."""
        for number, name in self.trees.entries():
            # An empty component, behind a trailing slash, is no name, not even that of a nameless entry.
            if name == component and component:
                return number
        self.m.fail(ErrNum.FILE_NOT_FOUND)

    def _complete(self, prefix: bytes) -> Iterator[bytes]:
        """The names of the directory that begin with `prefix`."""
        some = False
        for _, name in self.trees.entries():
            if name.startswith(prefix):
                # `.` and `..` are not printed, but they do count.
                some = True
                if name not in (b".", b".."):
                    yield name
        if not some:
            self.m.fail(ErrNum.FILE_NOT_FOUND)


class Line:
    """The name that is being resolved, in the memory that it is resolved in: the command line, then linkbuf."""

    def __init__(self, path: bytes) -> None:
        self._text = bytearray(path.partition(b"\0")[0] + b"\0")
        self._at = 0
        self._linkbuf = bytearray(PATH_MAX)

    def _byte(self) -> int:
        return self._text[self._at]

    def ends(self) -> bool:
        """True where the name is over."""
        return ends(self._text, self._at)

    def at_slash(self) -> bool:
        return self._byte() == 0x2F

    def next_name(self) -> bytes:
        """The next name, which is passed over, as are the slashes before it."""
        name, self._at = next_name(self._text, skip_slashes(self._text, self._at))
        return name

    def follow(self, target: bytes) -> None:
        """Put a symlink's target before what is left of the name.

        QUIRK: the target is copied first, over a name that may lie in the same memory: where the target is longer
        than what has been used of the one before, its own end is copied behind it over and over.
        """
        linkbuf = self._linkbuf
        count = len(target)
        if count >= PATH_MAX:
            raise Stop(Outcome.CRASH, "a symlink's target overruns the memory it is for")
        linkbuf[:count] = target
        same = self._text is linkbuf
        source, at = self._text, self._at
        if same and at < count:
            while count < PATH_MAX - 1:
                byte = linkbuf[count] = source[at]
                count += 1
                at += 1
                if not byte:
                    break
        else:
            rest = bytes(source[at : source.index(0, at) + 1])[: max(PATH_MAX - 1 - count, 0)]
            linkbuf[count : count + len(rest)] = rest
            count += len(rest)
        linkbuf[count] = 0
        self._text, self._at = linkbuf, 0


def _left_by_probes(m: Machine) -> Iterator[tuple[int, bytes]]:
    """What the drivers that are tried before this one leave in the filesystem buffer, as (address, bytes).

    QUIRK: the page of extents lies there, and is looked at before it is read (Trees.extents()).
    """
    for types, sector, size in ((EXT2_SLICES, 2, 1024), (MINIX_SLICES, 2, 24), (VSTAFS_SLICES, 0, 512)):
        if m.current_slice in types:
            yield 0, devread(m, sector, 0, size)
