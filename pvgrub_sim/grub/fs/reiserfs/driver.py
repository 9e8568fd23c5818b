"""ReiserFS 3.5 and 3.6 as PV-GRUB reads them (stage2/fsys_reiserfs.c)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress

from pvgrub_sim.cint import s32, u32
from pvgrub_sim.grub.disk.raw import SECTOR_SIZE, devread, devread_contents
from pvgrub_sim.grub.errnum import ErrNum, GrubError
from pvgrub_sim.grub.fs.block_runs import BlockRuns
from pvgrub_sim.grub.fs.fsys_buf import FsysBuffer, log2
from pvgrub_sim.grub.fs.names import c_string, ends, next_name, rest_of, skip_slashes
from pvgrub_sim.grub.fs.reiserfs.journal import Journal
from pvgrub_sim.grub.fs.reiserfs.tree import CACHE_SIZE, Tree
from pvgrub_sim.grub.machine import Machine
from pvgrub_sim.grub.stop import Stop
from pvgrub_sim.model import Outcome
from pvgrub_sim.ondisk import reiserfs
from pvgrub_sim.typed import ClassVar, Self

MAX_VERSION = 2
MAX_BLOCKSIZE = CACHE_SIZE // 3
PATH_MAX = 1024
MAX_LINK_COUNT = 5
OVERRUN = "a ReiserFS directory item counts more entries than the filesystem buffer holds"

ROOT = (reiserfs.ROOT_PARENT_OBJECTID, reiserfs.ROOT_OBJECTID)


class Reiserfs:
    """The reiserfs driver, mounted on the open partition."""

    name: ClassVar[str] = "reiserfs"

    def __init__(self, m: Machine, tree: Tree) -> None:
        self.m = m
        self.tree = tree
        self._file = (0, 0)
        """dir_id and objectid of the open file."""

    @classmethod
    def mount(cls, m: Machine) -> Self | None:
        """As reiserfs_mount(): the magic in either place decides, and the journal is looked through.

        Raises GrubError when a superblock or the root block cannot be read.
        """
        place, superblock = _find_superblock(m)
        if superblock is None or superblock.version > MAX_VERSION:
            return None
        size = superblock.blocksize
        bits = log2(size)
        if not SECTOR_SIZE <= size <= MAX_BLOCKSIZE or 1 << bits != size:
            return None
        journal = None
        if superblock.journal_block and not superblock.journal_dev:
            journal = Journal(m, superblock.journal_block, superblock.journal_size, bits - 9)
        tree = Tree(m, FsysBuffer(m), bits, journal)
        if journal:
            journal.replay()
            # When this fails, errnum is set and the root block cannot be read either.
            with suppress(GrubError):
                superblock = reiserfs.Superblock.unpack(tree.block_read(place >> bits, reiserfs.SUPERBLOCK_SIZE))
        return cls(m, tree) if tree.mount(superblock.root_block) else None

    # --- the open file

    def read(self, length: int) -> bytes:
        """As reiserfs_read(): items in the order of the tree, from the current one on or from the stat data."""
        m, tree = self.m, self.tree
        parts: list[bytes] = []
        runs = BlockRuns(m, tree.block_bits)
        try:
            if tree.item.objectid != self._file[1] or tree.item.offset > m.filepos + 1:
                try:
                    tree.search_stat(*self._file)
                finally:
                    # QUIRK: the next item is gone to even if there was no stat data.
                    tree.next_key()
            # QUIRK: the object's number alone tells whose item it is, not the directory's.
            while not m.errnum and tree.item.objectid == self._file[1]:
                size = self._read_item(parts, runs, length)
                if size is not None:
                    length -= size
                    if length == 0:
                        break
                tree.next_key()
        except GrubError:
            pass
        # Blocks are gathered across items. Where both a block and a later item fail, the block did so first.
        later, m.errnum = m.errnum, ErrNum.NONE
        parts += runs.read()
        m.errnum = m.errnum or later
        if m.errnum:
            raise GrubError(m.errnum)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _read_item(self, parts: list[bytes], runs: BlockRuns, length: int) -> int | None:
        """Add what the current item has of the file from filepos on; returns how many bytes, None when it has none."""
        m, tree, item = self.m, self.tree, self.tree.item
        offset = u32(m.filepos - item.offset + 1)
        if item.is_direct and offset < item.length:
            size = min(item.length - offset, length)
            parts += runs.read()
            parts.append(self._read_direct(item.at + offset, size))
        elif item.is_indirect:
            bits = tree.block_bits
            end = (item.length >> 2) << bits
            if offset >= end:
                return None
            size = min(end - offset, length)
            first = offset >> bits
            inside = offset & (tree.block_size - 1)
            # QUIRK: a hole reads block 0.
            # QUIRK: the journal's newer version of a data block is not looked for.
            count = (inside + size + tree.block_size - 1) >> bits
            runs.add(struct.unpack(f"<{count}I", tree.buf.load(item.at + 4 * first, 4 * count)), inside, size)
        else:
            return None
        m.filepos += size
        return size

    def _read_direct(self, address: int, size: int) -> bytes:
        """A tail's bytes: from the leaf in the buffer, or from the disk when somebody wants to know the sectors."""
        m, tree = self.m, self.tree
        if m.disk_read_hook is None:
            return tree.buf.load(address, size)
        sector = u32(tree.leaf_block << (tree.block_bits - 9))
        return devread_contents(m, sector, address - tree.block_size, size, size)

    # --- directories

    def open(self, path: bytes) -> None:
        """As reiserfs_dir() with print_possibilities 0."""
        for _ in self._walk(path, listing=False):
            pass

    def list(self, path: bytes) -> Iterator[bytes]:
        """As reiserfs_dir() with print_possibilities 1: in the order of the tree, without `.` and `..`."""
        return self._walk(path, listing=True)

    def _walk(self, path: bytes, listing: bool) -> Iterator[bytes]:
        m, tree = self.m, self.tree
        at = links = 0
        here, parent = ROOT, (0, 0)
        while True:
            m.tick()
            tree.search_stat(*here)
            mode, size, size_high = reiserfs.STAT_DATA.unpack(tree.buf.load(tree.item.at, reiserfs.STAT_DATA.size))
            mode &= reiserfs.S_IFMT
            if mode == reiserfs.S_IFLNK:
                links += 1
                if links > MAX_LINK_COUNT:
                    m.fail(ErrNum.SYMLINK_LOOP)
                path, at = self._follow(path, at, here, s32(size)), 0
                here = ROOT if path[:1] == b"/" else parent
                continue
            if ends(path, at):
                if mode != reiserfs.S_IFREG:
                    m.fail(ErrNum.BAD_FILETYPE)
                m.filepos = 0
                # QUIRK: 2 GiB and more are a negative size, which reads as an empty file.
                huge = tree.item.version == reiserfs.ITEM_VERSION_2 and size_high
                m.filemax = -1 if huge else s32(size)
                self._file = here
                tree.next_key()
                return
            at = skip_slashes(path, at)
            if mode != reiserfs.S_IFDIR:
                m.fail(ErrNum.BAD_FILETYPE)
            component, at = next_name(path, at)
            if listing and path[at : at + 1] != b"/":
                yield from self._complete(here[1], component)
                return
            here, parent = self._find(here[1], component), here

    def _follow(self, path: bytes, at: int, link: tuple[int, int], size: int) -> bytes:
        """The symlink's target with the rest of the name behind it. Raises GrubError."""
        m = self.m
        m.filemax = size
        rest = rest_of(path, at)
        if not 0 <= s32(size + len(rest)) <= PATH_MAX - 1:
            m.fail(ErrNum.FILELENGTH)
        if size < 0:
            raise Stop(Outcome.CRASH, "a symlink's size is negative")
        self._file = link
        m.filepos = 0
        self.tree.next_key()
        target = self.read(size)
        if len(target) != size:
            m.fail(ErrNum.FSYS_CORRUPT)
        return target + rest

    def _entries(self, objectid: int) -> Iterator[tuple[int, int, bytes]]:
        """The visible entries of the directory whose stat data is current, then Error 15.

        Yields dir_id and objectid of what is named, and the name.
        """
        m, tree = self.m, self.tree
        while True:
            tree.next_key()
            item = tree.item
            if item.objectid != objectid:
                m.fail(ErrNum.FILE_NOT_FOUND)
            # QUIRK: whatever kind of item it is, its body is taken for entries.
            m.tick(1 + (item.entries >> 4))
            memory, base = tree.buf.memory, item.at
            end = base + reiserfs.DIR_ENTRY.size * item.entries
            if end > len(memory) and OVERRUN not in m.undefined:
                m.undefined.append(OVERRUN)
            heads = bytes(memory[base:end])
            heads = heads[: len(heads) - len(heads) % reiserfs.DIR_ENTRY.size]
            name_end = base + item.length
            for _, dir_id, named, location, state in reiserfs.DIR_ENTRY.iter_unpack(heads):
                start = base + location
                if state & reiserfs.DEH_VISIBLE:
                    if start > name_end:
                        # No end is marked: the name goes on to the first NUL.
                        name = c_string(bytes(memory[start:]))
                    else:
                        name = bytes(memory[start:name_end])
                        if 0 in name:
                            name = c_string(name)
                    yield dir_id, named, name
                # Names are stored from the item's end down: one begins where the one before it ends.
                name_end = start

    def _find(self, objectid: int, component: bytes) -> tuple[int, int]:
        """dir_id and objectid of a name in the directory whose stat data is current. Raises GrubError."""
        for dir_id, named, name in self._entries(objectid):
            if name == component:
                return dir_id, named
        raise AssertionError("the entries end with an error")

    def _complete(self, objectid: int, prefix: bytes) -> Iterator[bytes]:
        """The names of the directory that begin with `prefix`; Error 15 when there is none."""
        some = False
        try:
            for _, _, name in self._entries(objectid):
                if name.startswith(prefix):
                    some = True
                    if name not in (b".", b".."):
                        yield name
        except GrubError as error:
            if not some or error.number != ErrNum.FILE_NOT_FOUND:
                raise
            self.m.errnum = ErrNum.NONE


def _has_magic(magic: bytes) -> bool:
    return magic.startswith(reiserfs.MAGICS)


def _find_superblock(m: Machine) -> tuple[int, reiserfs.Superblock | None]:
    """The superblock, and where in the filesystem it is, in bytes; None when there is none. Raises GrubError."""
    place = reiserfs.SUPERBLOCK_OFFSET
    if m.part_length >= place // SECTOR_SIZE:
        try:
            superblock = _read_superblock(m, place)
        except GrubError:
            # QUIRK: the other place is tried all the same, which fails, errnum being set.
            superblock = None
        # A journal that begins before the superblock would contain it: then it is a copy.
        if superblock and _has_magic(superblock.magic) and u32(superblock.journal_block * superblock.blocksize) > place:
            return place, superblock
    place = reiserfs.OLD_SUPERBLOCK_OFFSET
    if m.part_length < place // SECTOR_SIZE:
        return place, None
    data = devread(m, place // SECTOR_SIZE, 0, reiserfs.SUPERBLOCK_SIZE)
    superblock = reiserfs.Superblock.unpack(data)
    if not _has_magic(superblock.magic):
        # The time before the journal had another layout, of which the root block is in the same place.
        if not data.startswith(reiserfs.MAGICS[0], reiserfs.OLD_MAGIC_OFFSET):
            return place, None
        superblock = superblock._replace(blocksize=reiserfs.OLD_BLOCKSIZE, journal_block=0, version=0)
    return place, superblock


def _read_superblock(m: Machine, place: int) -> reiserfs.Superblock:
    return reiserfs.Superblock.unpack(devread(m, place // SECTOR_SIZE, 0, reiserfs.SUPERBLOCK_SIZE))
