"""ext2, ext3 and ext4 as PV-GRUB reads them (stage2/fsys_ext2fs.c with Xen's patches 40ext3_256byte_inode, 60ext4)."""

from __future__ import annotations

from collections.abc import Iterator

from pvgrub_sim.cint import s32, u32
from pvgrub_sim.grub.disk.drives import SECTOR_BITS
from pvgrub_sim.grub.disk.raw import SECTOR_SIZE, devread, devread_all, devread_run
from pvgrub_sim.grub.errnum import ErrNum, GrubError
from pvgrub_sim.grub.fs.ext2.directory import Directory
from pvgrub_sim.grub.fs.ext2.map import BlockMap, ExtentMap, MapEnd
from pvgrub_sim.grub.fs.fsys_buf import FSYS_BUFLEN, FsysBuffer, log2
from pvgrub_sim.grub.fs.names import ends, next_name, rest_of, skip_slashes
from pvgrub_sim.grub.fs.read import grub_read
from pvgrub_sim.grub.fs.slice_types import EXT2_SLICES
from pvgrub_sim.grub.machine import Machine
from pvgrub_sim.grub.stop import Stop
from pvgrub_sim.model import Outcome
from pvgrub_sim.ondisk import ext2
from pvgrub_sim.ondisk.ext2_features import INCOMPAT_64BIT, INCOMPAT_EXTENTS
from pvgrub_sim.typed import ClassVar, Self
from pvgrub_sim.values import NamedTuple

SBLOCK = ext2.SUPERBLOCK_OFFSET // SECTOR_SIZE
PATH_MAX = 1024
MAX_LINK_COUNT = 5
INODE_BYTES = 156
"""sizeof (struct ext2_inode) with the ext4 fields."""


class Layout(NamedTuple):
    """The superblock's numbers and where the driver keeps its blocks in the filesystem buffer (byte addresses)."""

    block_bits: int
    block_size: int
    first_data_block: int
    inodes_per_group: int
    inode_size: int
    incompat: int
    desc_size: int
    ext4: bool
    group_desc: int
    inode: int
    datablock1: int
    datablock2: int


class Ext2fs:
    """The ext2fs driver, mounted on the open partition."""

    name: ClassVar[str] = "ext2fs"

    def __init__(self, m: Machine, buffer: FsysBuffer, layout: Layout) -> None:
        self.m = m
        self.buf = buffer
        self.sb = layout
        self.block_sectors = s32(layout.block_size) // SECTOR_SIZE
        self.blocks = BlockMap(self)
        self.extents = ExtentMap(self)

    @classmethod
    def mount(cls, m: Machine) -> Self | None:
        """As ext2fs_mount(): slice type and magic decide, no feature flag is looked at."""
        # QUIRK: a type other than Linux, RAID or none hides the filesystem.
        if m.current_slice not in EXT2_SLICES:
            return None
        if m.part_length < SBLOCK + ext2.SUPERBLOCK_SIZE // SECTOR_SIZE:
            return None
        buffer = FsysBuffer(m)
        data = devread(m, SBLOCK, 0, ext2.SUPERBLOCK_SIZE)
        buffer.store(0, data)
        if buffer.u16(ext2.S_MAGIC) != ext2.MAGIC:
            return None
        # C's shift takes its count modulo 32.
        bits = u32(buffer.u32(ext2.S_LOG_BLOCK_SIZE) + 10) & 31
        ext4 = m.profile.ext4
        incompat = buffer.u32(ext2.S_FEATURE_INCOMPAT) if ext4 else 0
        block_size = 1 << bits
        inode = ext2.SUPERBLOCK_SIZE + block_size
        datablock1 = inode + (INODE_BYTES if ext4 else ext2.GOOD_OLD_INODE_SIZE)
        layout = Layout(
            block_bits=bits,
            block_size=block_size,
            first_data_block=buffer.u32(ext2.S_FIRST_DATA_BLOCK),
            inodes_per_group=buffer.u32(ext2.S_INODES_PER_GROUP),
            inode_size=buffer.u16(ext2.S_INODE_SIZE),
            incompat=incompat,
            desc_size=buffer.u16(ext2.S_DESC_SIZE) if incompat & INCOMPAT_64BIT else ext2.DESC_SIZE,
            ext4=ext4,
            group_desc=ext2.SUPERBLOCK_SIZE,
            inode=inode,
            datablock1=datablock1,
            datablock2=datablock1 + block_size,
        )
        if layout.datablock2 + layout.block_size > FSYS_BUFLEN:
            # QUIRK: blocks above 8 KiB do not fit into the filesystem buffer.
            buffer.overrun()
        return cls(m, buffer, layout)

    def rdfsb(self, block: int, address: int) -> None:
        """ext2_rdfsb(): read a filesystem block into the buffer. Raises GrubError."""
        sector = u32(s32(block) * self.block_sectors)
        self.buf.read(sector, self.sb.block_size, address)

    # --- the open file

    def inode_u32(self, offset: int) -> int:
        return self.buf.u32(self.sb.inode + offset)

    def map(self, logical_block: int, wanted: int = 1) -> tuple[int, int]:
        """The physical block of a logical one of the inode, and how many go on from there.

        wanted: blocks that are of use; a run is not followed further. Physical block 0 is a hole. Raises MapEnd for a
        negative block number, GrubError.
        """
        if self.sb.incompat & INCOMPAT_EXTENTS and self.inode_u32(ext2.I_FLAGS) & ext2.EXTENTS_FL:
            return self.extents.map(logical_block)
        return self.blocks.map(logical_block, wanted)

    def read(self, length: int) -> bytes:
        """As ext2fs_read(): a failing block does not end the loop, but leaves its error behind."""
        m = self.m
        begin = m.filepos
        if length > self.sb.block_size and not m.errnum:
            data = self._read_ahead(length)
            if data is not None:
                return data
            # Something cannot be read: find out block by block which error is left in the end.
            m.filepos, m.errnum = begin, ErrNum.NONE
            self.blocks.forget()
        parts: list[bytes] = []
        for block, offset, size in self._runs(length):
            if block == 0:
                parts.append(bytes(size))
                continue
            try:
                parts.append(self._read_run(block, offset, size))
            except GrubError:
                parts.clear()
        if m.errnum:
            raise GrubError(m.errnum)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def read_at_once(self, length: int) -> bytes | None:
        """The next bytes of the open file; None, and nothing has changed, where not all of them can be had at once."""
        m, blocks = self.m, self.blocks
        if m.errnum or m.track_buffer or m.overlay or m.disk_read_hook:
            return None
        memory = bytes(self.buf.memory)
        before = m.filepos, blocks.mapblock1, blocks.mapblock2, m.buf_track
        data = self._read_ahead(length)
        if data is not None and len(data) == length:
            return data
        self.buf.memory[:], m.errnum = memory, ErrNum.NONE
        m.filepos, blocks.mapblock1, blocks.mapblock2, m.buf_track = before
        return None

    def _runs(self, length: int) -> Iterator[tuple[int, int, int]]:
        """First block (0 for a hole), offset and length in bytes of each run of a read; filepos goes with them."""
        m, block_size = self.m, self.sb.block_size
        while length > 0:
            offset = m.filepos & (block_size - 1)
            wanted = offset + length + block_size - 1 >> self.sb.block_bits
            try:
                block, count = self.map(m.filepos >> self.sb.block_bits, wanted)
            except (MapEnd, GrubError):
                # QUIRK: a block number with its highest bit set ends the file early, without an error.
                return
            size = min(count * block_size - offset, length)
            m.filepos += size
            length -= size
            yield block, offset, size

    def _read_ahead(self, length: int) -> bytes | None:
        """All runs of a read together, None when one of them cannot be read."""
        extents: list[tuple[int | None, int]] = []
        for block, offset, size in self._runs(length):
            sector = u32(block * self.block_sectors)
            extents.append(((sector << SECTOR_BITS) + offset if block else None, size))
        return None if self.m.errnum else devread_all(self.m, extents)

    def _read_run(self, block: int, offset: int, size: int) -> bytes:
        sector = u32(block * self.block_sectors)
        if self.sb.block_size % SECTOR_SIZE:
            return devread(self.m, sector, offset, size)
        return devread_run(self.m, sector, offset, size, self.sb.block_size)

    # --- directories

    def open(self, path: bytes) -> None:
        """As ext2fs_dir() with print_possibilities 0."""
        for _ in self._walk(path, listing=False):
            pass

    def list(self, path: bytes) -> Iterator[bytes]:
        """As ext2fs_dir() with print_possibilities 1: linear, `.` and `..` left out as print_a_completion() does."""
        return self._walk(path, listing=True)

    def _walk(self, path: bytes, listing: bool) -> Iterator[bytes]:
        m, sb = self.m, self.sb
        name = path.split(b"\0", 1)[0]
        current_ino = updir_ino = ext2.ROOT_INO
        links = 0
        linkbuf = bytearray(PATH_MAX)
        while True:
            m.tick()
            if not self._load_inode(current_ino):
                # QUIRK: the driver returns "found" (-1) with errnum set, so grub_open() reads on from there.
                return
            mode = self.buf.u16(sb.inode + ext2.I_MODE) & ext2.S_IFMT
            if mode == ext2.S_IFLNK:
                links += 1
                if links > MAX_LINK_COUNT:
                    m.fail(ErrNum.SYMLINK_LOOP)
                name = self._follow(name, linkbuf)
                if name[:1] == b"/":
                    updir_ino = ext2.ROOT_INO
                current_ino = updir_ino
                continue
            if ends(name, 0):
                self._opened(mode)
                return
            updir_ino = current_ino
            if mode != ext2.S_IFDIR or not self.inode_u32(ext2.I_SIZE):
                m.fail(ErrNum.BAD_FILETYPE)
            component, end = next_name(name, skip_slashes(name, 0))
            name = name[end:]
            if listing and name[:1] != b"/":
                yield from Directory(self).complete(component)
                return
            current_ino = self._find(updir_ino, component)

    def _find(self, folder: int, component: bytes) -> int:
        """The inode number of a name in the directory that was loaded, whose inode number is given."""
        m = self.m
        if m.directories is None:
            return Directory(self).find(component)
        place = m.current_drive, m.part_start, folder
        if place not in m.directories:
            m.directories[place] = Directory(self).index()
        known = m.directories[place].get(component)
        return Directory(self).find(component) if known is None else known

    def _load_inode(self, ino: int) -> bool:
        """Read an inode to its fixed place; False when the 64bit test refuses it."""
        m, sb, buf = self.m, self.sb, self.buf
        if not sb.inodes_per_group:
            raise Stop(Outcome.CRASH, "division by zero: s_inodes_per_group is 0")
        if not sb.desc_size:
            raise Stop(Outcome.CRASH, "division by zero: s_desc_size is 0 on a 64bit filesystem")
        if not sb.inode_size:
            raise Stop(Outcome.CRASH, "division by zero: s_inode_size is 0")
        group, index = divmod(u32(ino - 1), sb.inodes_per_group)
        group = s32(group)
        per_block = sb.block_size // sb.desc_size
        # QUIRK: meta_bg is not known: the descriptors are always behind the first superblock.
        self.rdfsb(1 + (group >> log2(per_block)) + sb.first_data_block, sb.group_desc)
        desc = sb.group_desc + (group & (per_block - 1)) * sb.desc_size
        # QUIRK: the test is inverted: it refuses inode tables whose block number fits into 32 bits.
        if sb.incompat & INCOMPAT_64BIT and not buf.u32(desc + ext2.BG_INODE_TABLE_HI):
            m.errnum = ErrNum.FILELENGTH
            return False
        inodes_per_block = sb.block_size // sb.inode_size
        self.rdfsb(buf.u32(desc + ext2.BG_INODE_TABLE) + (index >> log2(inodes_per_block)), sb.inode)
        self.blocks.forget()
        raw = sb.inode + (s32(ino - 1) & (inodes_per_block - 1)) * sb.inode_size
        buf.move(sb.inode, raw, sb.datablock1 - sb.inode)
        return True

    def _opened(self, mode: int) -> None:
        """The path ends at this inode: it must be a regular file."""
        if mode != ext2.S_IFREG:
            self.m.fail(ErrNum.BAD_FILETYPE)
        if self.sb.ext4 and self.inode_u32(ext2.I_FLAGS) & ext2.HUGE_FILE_FL and not self.inode_u32(ext2.I_SIZE_HIGH):
            # QUIRK: inverted as well: only a huge file below 4 GiB is refused.
            self.m.fail(ErrNum.FILELENGTH)
        # QUIRK: i_size_high does not count; 2 GiB and more are a negative size, which reads as an empty file.
        self.m.filemax = s32(self.inode_u32(ext2.I_SIZE))

    def _follow(self, name: bytes, linkbuf: bytearray) -> bytes:
        """The symlink's target with the rest of the path behind it."""
        m = self.m
        rest = rest_of(name)
        m.filemax = s32(self.inode_u32(ext2.I_SIZE))
        end = s32(m.filemax + len(rest))
        if not 0 <= end <= PATH_MAX - 2:
            m.fail(ErrNum.FILELENGTH)
        if m.filemax < 0:
            raise Stop(Outcome.CRASH, "a symlink's size is negative")
        linkbuf[m.filemax : end] = rest
        linkbuf[end] = 0
        acl_blocks = self.block_sectors if self.inode_u32(ext2.I_FILE_ACL) else 0
        if self.inode_u32(ext2.I_BLOCKS) != acl_blocks:
            try:
                target = grub_read(m, m.filemax)
            finally:
                m.filepos = 0
            if not target:
                # Nothing read and no error: the name is not found, and nothing is said about it.
                raise GrubError(m.errnum)
        else:
            # QUIRK: a target longer than i_block takes whatever lies behind it.
            target = self.buf.load(self.sb.inode + ext2.I_BLOCK, m.filemax)
        linkbuf[: len(target)] = target
        return bytes(linkbuf[: linkbuf.index(0)])
