"""XFS version 4 as PV-GRUB reads it (stage2/fsys_xfs.c). Its functions ignore every failing read but the first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from pvgrub_sim.cint import s32, s64, u32, u64
from pvgrub_sim.grub.disk.raw import devread, devread_contents
from pvgrub_sim.grub.errnum import ErrNum, GrubError
from pvgrub_sim.grub.fs.fsys_buf import FsysBuffer
from pvgrub_sim.grub.fs.names import ends, next_name, skip_slashes
from pvgrub_sim.grub.fs.xfs.directory import Directory
from pvgrub_sim.grub.fs.xfs.extents import DI_U, INODE, Extents, Geometry
from pvgrub_sim.grub.machine import Machine
from pvgrub_sim.grub.stop import Stop
from pvgrub_sim.model import Outcome
from pvgrub_sim.ondisk import xfs
from pvgrub_sim.typed import ClassVar, Self

MAX_LINK_COUNT = 8
ALL_ONES = (1 << 64) - 1
WHOLE = 1 << 40
"""An extent is read with one devread, however long it is."""
STACK_LIMIT = 8 << 20
OVERRUN_LIMIT = 1 << 16
"""Bytes that a read may write past its buffer before that is taken for the end of the machine."""

Segment = tuple[int | None, int, int]
"""Sector (None for zeros), offset in bytes from there, length in bytes."""


class Xfs:
    """The xfs driver, mounted on the open partition."""

    name: ClassVar[str] = "xfs"

    def __init__(self, m: Machine, geometry: Geometry) -> None:
        self.m = m
        self.geo = geometry
        self.buf = FsysBuffer(m)
        self.extents = Extents(m, self.buf, geometry)

    @classmethod
    def mount(cls, m: Machine) -> Self | None:
        """As xfs_mount(): the magic, and a version of 4, whatever the partition's type and the feature bits."""
        data = devread(m, 0, 0, xfs.SB_SIZE)
        version = int.from_bytes(data[xfs.SB_VERSIONNUM : xfs.SB_VERSIONNUM + 2], "big")
        if data[:4] != xfs.SB_MAGIC or version & xfs.SB_VERSION_NUMBITS != xfs.SB_VERSION_4:
            return None

        def number(at: int, size: int) -> int:
            return int.from_bytes(data[at : at + size], "big")

        bsize = s32(number(xfs.SB_BLOCKSIZE, 4))
        geometry = Geometry(
            bsize=bsize,
            dirbsize=s32(bsize << (data[xfs.SB_DIRBLKLOG] & 31)),
            isize=number(xfs.SB_INODESIZE, 2),
            agblocks=number(xfs.SB_AGBLOCKS, 4),
            blklog=data[xfs.SB_BLOCKLOG],
            inopblog=data[xfs.SB_INOPBLOG],
            agblklog=data[xfs.SB_AGBLKLOG],
            rootino=number(xfs.SB_ROOTINO, 8),
        )
        return cls(m, geometry)

    # --- inodes and files

    def _read_inode(self, ino: int) -> None:
        """di_read(). QUIRK: when it cannot be read, the inode before it is used once more, with errnum set."""
        geo = self.geo
        aginode_bits = geo.agblklog + geo.inopblog
        agno = u32(ino >> (aginode_bits & 63))
        agino = u32(ino) & u32((1 << (aginode_bits & 63)) - 1)
        index = u32(ino) & u32((1 << (geo.inopblog & 63)) - 1)
        daddr = geo.agb2daddr(agno, agino >> (geo.inopblog & 31))
        with suppress(GrubError):
            self.buf.store(INODE, self.buf.devread(daddr, s32(index * geo.isize), geo.isize))
        self.extents.forget()

    @property
    def _format(self) -> int:
        return self.buf.memory[INODE + xfs.DI_FORMAT]

    def segments(self, length: int) -> Iterator[Segment]:
        """What xfs_read() copies for `length` bytes at filepos, which is moved on with each segment."""
        m = self.m
        shift, wide = self.geo.blklog & 31, self.geo.blklog & 63
        endpos = u64(s32(m.filepos + length))
        endofprev = ALL_ONES
        walk = self.extents.walk()
        while length > 0:
            extent = next(walk, None)
            if extent is None:
                return
            offset, start, blocks = extent
            if offset <= m.filepos >> shift < offset + blocks:
                endofcur = u64((offset + blocks) << wide)
                size = length if endofcur >= endpos else s32(endofcur - m.filepos)
                segment = self.geo.fsb2daddr(start), s32(m.filepos - (offset << wide)), size
                m.filepos += size
                length -= size
                yield segment
            elif offset > endofprev:
                # QUIRK: the extent behind a hole is used up by filling the hole, so that the file comes out short;
                # and the hole is filled anew, as far as it was long, when reading begins further on.
                size = length if u64(offset << wide) >= endpos else s32(u64((offset - endofprev) << wide))
                if size < 0 or size - length > OVERRUN_LIMIT:
                    raise Stop(Outcome.CRASH, "XFS fills a hole with zeros past the end of its buffer")
                m.filepos += size
                length -= size
                yield None, 0, size
                continue
            endofprev = offset + blocks

    def read(self, length: int) -> bytes:
        """As xfs_read(). QUIRK: a failing read still counts its bytes; errnum alone tells."""
        m = self.m
        if self._format == xfs.FMT_LOCAL:
            data = self.buf.load(DI_U + m.filepos, length)
            m.filepos += length
            return data
        parts: list[bytes] = []
        for sector, offset, size in self.segments(length):
            if sector is None:
                parts.append(bytes(size))
                continue
            try:
                parts.append(devread_contents(m, sector, offset, size, WHOLE))
            except GrubError:
                parts.clear()
        if m.errnum:
            raise GrubError(m.errnum)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def read_to(self, address: int, length: int) -> None:
        """xfs_read() into the filesystem buffer; what cannot be read leaves the old bytes there."""
        if self._format == xfs.FMT_LOCAL:
            self.buf.store(address, self.buf.load(DI_U + self.m.filepos, length))
            self.m.filepos += length
            return
        for sector, offset, size in self.segments(length):
            with suppress(GrubError):
                self.buf.store(address, bytes(size) if sector is None else self.buf.devread(sector, offset, size))
            address += size

    # --- directories

    def open(self, path: bytes) -> None:
        """As xfs_dir() with print_possibilities 0."""
        for _ in self._walk(path, listing=False):
            pass

    def list(self, path: bytes) -> Iterator[bytes]:
        """As xfs_dir() with print_possibilities 1, `.` and `..` left out as print_a_completion() does."""
        return self._walk(path, listing=True)

    def _walk(self, path: bytes, listing: bool) -> Iterator[bytes]:
        m = self.m
        if not 0 <= self.geo.bsize <= STACK_LIMIT:
            raise Stop(Outcome.CRASH, "XFS keeps a block of that size on the stack")
        text = bytearray(path + b"\0")
        at = 0
        parent_ino = ino = self.geo.rootino
        links = 0
        linkbuf = bytearray()
        while True:
            m.tick()
            self._read_inode(ino)
            di_size = s64(int.from_bytes(self.buf.load(INODE + xfs.DI_SIZE, 8), "big"))
            mode = int.from_bytes(self.buf.load(INODE + xfs.DI_MODE, 2), "big") & xfs.S_IFMT
            if mode == xfs.S_IFLNK:
                links += 1
                if links > MAX_LINK_COUNT:
                    m.fail(ErrNum.SYMLINK_LOOP)
                self._follow(di_size, linkbuf, text, at)
                text, at = linkbuf, 0
                ino = self.geo.rootino if linkbuf[:1] == b"/" else parent_ino
                continue
            if ends(text, at):
                self._opened(mode, di_size)
                return
            if mode != xfs.S_IFDIR:
                m.fail(ErrNum.BAD_FILETYPE)
            component, at = next_name(text, skip_slashes(text, at))
            if listing and text[at] != 0x2F:
                yield from self._complete(component)
                return
            found = self._find(component)
            parent_ino = ino
            ino = found or ino

    def _opened(self, mode: int, di_size: int) -> None:
        """The path ends at this inode: it must be a regular file."""
        m = self.m
        if mode != xfs.S_IFREG:
            m.fail(ErrNum.BAD_FILETYPE)
        m.filepos = 0
        # QUIRK: the size as a C int: 2 GiB and more is empty, 4 GiB and more is what is left of it.
        m.filemax = s32(di_size)
        if m.errnum:
            # The driver says "found", but reads have failed on the way.
            raise GrubError(m.errnum)

    def _follow(self, di_size: int, linkbuf: bytearray, text: bytearray, at: int) -> None:
        """Read a symlink's target into linkbuf and copy the rest of the path behind it.

        QUIRK: the rest may lie in linkbuf itself, where the target has just been written over it.
        """
        m, bsize = self.m, self.geo.bsize
        if di_size >= bsize - 1:
            m.fail(ErrNum.FILELENGTH)
        m.filepos = 0
        m.filemax = s32(di_size)
        if m.filemax < 0 and self._format == xfs.FMT_LOCAL:
            raise Stop(Outcome.CRASH, "a symlink's size is negative")
        begin = m.filepos
        try:
            target = self.read(m.filemax)
            linkbuf[: len(target)] = target
        except GrubError:
            linkbuf.extend(bytes(max(m.filepos - len(linkbuf), 0)))
        to = m.filepos - begin
        while to < bsize - 1:
            char = text[at] if at < len(text) else 0
            if to == len(linkbuf):
                linkbuf.append(0)
            linkbuf[to] = char
            to += 1
            at += 1
            if not char:
                break
        linkbuf[to : to + 1] = b"\0"

    def _find(self, component: bytes) -> int:
        """The inode number of a name in the directory; 0 is the directory itself. Raises GrubError 15."""
        for ino, name in Directory(self).entries():
            if component and name == component:
                return ino
        self.m.fail(ErrNum.FILE_NOT_FOUND)

    def _complete(self, prefix: bytes) -> Iterator[bytes]:
        some = False
        for _, name in Directory(self).entries():
            if name.startswith(prefix):
                some = True
                if name not in (b"", b".", b".."):
                    yield name
        if not some:
            self.m.fail(ErrNum.FILE_NOT_FOUND)
