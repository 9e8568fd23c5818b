"""FAT12, FAT16 and FAT32 as stage2/fsys_fat.c reads them."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator

from pvgrub_sim.cint import MAXINT, s32
from pvgrub_sim.grub.disk.drives import SECTOR_BITS
from pvgrub_sim.grub.disk.raw import SECTOR_SIZE, devread, devread_contents, devread_run
from pvgrub_sim.grub.errnum import ErrNum, GrubError
from pvgrub_sim.grub.fs.fat.superblock import Super, read_super
from pvgrub_sim.grub.fs.names import DOTS, ends, next_name, skip_slashes
from pvgrub_sim.grub.machine import Machine
from pvgrub_sim.grub.stop import Stop
from pvgrub_sim.model import Outcome
from pvgrub_sim.ondisk import fat, mbr
from pvgrub_sim.ondisk.bsd import FS_MSDOS, is_bsd_slice_with_fs
from pvgrub_sim.typed import ClassVar, Self

FAT_CACHE_SIZE = 2048
"""Bytes of the table that are kept; positions in it are counted in half bytes."""
_ENTRY_CODES = {3: "B", 4: "H", 8: "I"}
"""array's codes for the units in which the table is looked at, by entry size in half bytes."""
MAX_RUN = 1 << 29
"""Bytes that are read at once, so that C's int does not overflow where GRUB's reads are smaller."""


def _is_fat_slice(slice_type: int) -> bool:
    """IS_PC_SLICE_TYPE_FAT() in stage2/pc_slice.h, or a BSD partition of type MSDOS."""
    # QUIRK: Dell's 0xde is in GRUB's list, but it contains the hidden bit that is cleared first: never seen.
    return slice_type & ~mbr.HIDDEN_FLAG in mbr.FAT_TYPES or is_bsd_slice_with_fs(slice_type, FS_MSDOS)


class Fat:
    """A mounted FAT filesystem and its open file."""

    name: ClassVar[str] = "fat"

    def __init__(self, m: Machine, sb: Super) -> None:
        self.m = m
        self.sb = sb
        self.file_cluster = sb.root_cluster
        self._number = MAXINT
        """current_cluster_num: which cluster of the file the chain has been followed to."""
        self._cluster = 0
        self._cached_fat = -2 * FAT_CACHE_SIZE
        """First half byte of the table that the window holds."""
        # What the window holds is not cleared when it cannot be filled.
        self._window: array[int] = array(_ENTRY_CODES[sb.fat_size], bytes(FAT_CACHE_SIZE))

    @classmethod
    def mount(cls, m: Machine) -> Self | None:
        """fat_mount(): raises GrubError when the boot sector or the table's start cannot be read."""
        if m.current_slice != 0 and not _is_fat_slice(m.current_slice):
            return None
        bpb = fat.parse_bpb(devread(m, 0, 0, fat.BPB_SIZE))
        sb = read_super(bpb)
        if sb is None:
            return None
        first = int.from_bytes(devread(m, sb.fat_offset, 0, 4), "little")
        mask = {8: 0x0FFFFFFF, 4: 0xFFFF, 3: 0xFFF}[sb.fat_size]
        # QUIRK: the table must begin with the media byte, bit 3 aside; other drivers do not look.
        if (first & mask | 0x8) != (mask & ~0xFF | bpb.media | 0x8):
            return None
        return cls(m, sb)

    # --- names

    def open(self, path: bytes) -> None:
        """fat_dir(): raises GrubError 2, 15, or what reading a directory raises."""
        attributes = fat.ATTR_DIRECTORY
        at = 0
        self._rewind(self.sb.root_cluster)
        while not ends(path, at):
            name, at = self._next_name(path, at, attributes)
            attributes = self._enter(name)
        if attributes & fat.ATTR_DIRECTORY:
            self.m.fail(ErrNum.BAD_FILETYPE)

    def list(self, path: bytes) -> Iterator[bytes]:
        """fat_dir() for completion: long names where there are, else short ones; GrubError 15 when none fits."""
        from pvgrub_sim.grub.fs.fat.directory import shown_names

        self._rewind(self.sb.root_cluster)
        prefix, at = self._next_name(path, 0, fat.ATTR_DIRECTORY)
        while path[at : at + 1] == b"/":
            prefix, at = self._next_name(path, at, self._enter(prefix))
        self.m.filemax = MAXINT
        found = False
        for name in shown_names(self._entries()):
            if name.startswith(prefix):
                found = True
                if name not in DOTS:
                    yield name
        if not found:
            self.m.fail(ErrNum.FILE_NOT_FOUND)

    def _next_name(self, path: bytes, at: int, attributes: int) -> tuple[bytes, int]:
        """The next name of a path, to be looked up in what has these attributes, and the index behind it."""
        if not attributes & fat.ATTR_DIRECTORY:
            self.m.fail(ErrNum.BAD_FILETYPE)
        return next_name(path, skip_slashes(path, at))

    def _enter(self, name: bytes) -> int:
        """Make an entry of the current directory the current file; returns its attributes."""
        # Every mount asks this driver first, and hardly a filesystem is FAT.
        from pvgrub_sim.grub.fs.fat.directory import find_entry

        m = self.m
        m.filemax = MAXINT
        entry = find_entry(self._entries(), name)
        if entry is None:
            m.fail(ErrNum.FILE_NOT_FOUND)
        _, attributes, high, low, size = fat.ENTRY.unpack(entry)
        # QUIRK: `..` of a first-level directory leads to cluster 0, which is not the root but what lies two
        # clusters before the data: usually nothing is found there.
        # QUIRK: FAT12 and FAT16 take the high half of the cluster number as well.
        self._rewind(s32(low + (high << 16)))
        m.filemax = s32(size)
        return int(attributes)

    def _rewind(self, cluster: int) -> None:
        self.file_cluster = cluster
        self.m.filepos = 0
        self._number = MAXINT

    def _entries(self) -> Iterator[bytes]:
        """The 32-byte entries of the current directory up to where fat_read() gives no more."""
        m, sb = self.m, self.sb
        visits: dict[int, int] = {}
        while True:
            if self.file_cluster < 0:
                wanted = max(sb.root_max - m.filepos, fat.ENTRY_SIZE)
            else:
                wanted = (1 << sb.cluster_bits) - (m.filepos & ((1 << sb.cluster_bits) - 1))
            state = self._number, self._cluster, m.filepos
            try:
                chunk = self.read(wanted)
            except GrubError:
                # GRUB reads entry by entry: those before the place that cannot be read are still seen.
                self._number, self._cluster, m.filepos = state
                m.errnum = ErrNum.NONE
                for _ in range(wanted // fat.ENTRY_SIZE):
                    yield self.read(fat.ENTRY_SIZE)
                continue
            if len(chunk) < fat.ENTRY_SIZE:
                return
            m.tick(len(chunk) // fat.ENTRY_SIZE)
            for at in range(0, len(chunk), fat.ENTRY_SIZE):
                yield chunk[at : at + fat.ENTRY_SIZE]
            if self.file_cluster >= 0:
                turns = visits[self._cluster] = visits.get(self._cluster, 0) + 1
                if turns > 2:
                    # Twice, because a long name may begin before the loop's end and go on behind its start.
                    raise Stop(Outcome.HANG, "the cluster chain of a FAT directory is a loop")

    # --- contents

    def read(self, length: int) -> bytes:
        """fat_read(): short where the chain ends; raises GrubError 16 where it leads nowhere."""
        m = self.m
        if self.file_cluster < 0:
            size = min(self.sb.root_max - m.filepos, length)
            data = devread(m, self.sb.root_offset, m.filepos, size)
            m.filepos += size
            return data
        if not m.errnum:
            state = self._number, self._cluster, self._cached_fat, self._window, m.filepos
            try:
                return self._read_runs(length)
            except GrubError:
                # Where something cannot be read, its place in GRUB's sequence of reads decides the error.
                self._number, self._cluster, self._cached_fat, self._window, m.filepos = state
                m.errnum = ErrNum.NONE
        return self._read_clusters(length)

    def _seek(self) -> int:
        """The index in the file of the cluster wanted; the chain starts over when that has been passed."""
        wanted = self.m.filepos >> self.sb.cluster_bits
        if wanted < self._number:
            self._number = 0
            self._cluster = self.file_cluster
        return wanted

    def _read_runs(self, length: int) -> bytes:
        """As _read_clusters(), with neighbouring clusters read at once; raises GrubError where anything fails."""
        m, bits = self.m, self.sb.cluster_bits
        wanted = self._seek()
        if length <= 0:
            return b""
        last = (m.filepos + length - 1) >> bits
        for _ in self._runs(wanted):
            pass
        if self._number < wanted:
            return b""
        offset = m.filepos & ((1 << bits) - 1)
        parts: list[bytes] = []
        for cluster, count in self._runs(last):
            size = min((count << bits) - offset, length)
            sector = self.sb.data_offset + ((cluster - 2) << (bits - SECTOR_BITS))
            if sector < 0 or sector + (size >> SECTOR_BITS) > 0xFFFFFFFF:
                m.fail(ErrNum.OUTSIDE_PART)
            parts.append(devread_run(m, sector, offset, size, 1 << bits))
            m.filepos += size
            length -= size
            offset = 0
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _runs(self, last: int) -> Iterator[tuple[int, int]]:
        """Neighbouring clusters as (first, count), from the current one up to index `last` or the chain's end."""
        first, count, most = self._cluster, 1, MAX_RUN >> self.sb.cluster_bits
        while self._number < last:
            following = self._neighbours(min(last - self._number, most - count))
            if not following:
                cluster = self._next_cluster()
                if cluster is None:
                    break
                if cluster != self._cluster + 1 or count >= most:
                    yield first, count
                    first, count = cluster, 0
                following = 1
                self._cluster = cluster - 1
            self._cluster += following
            self._number += following
            count += following
        yield first, count

    def _neighbours(self, limit: int) -> int:
        """How many clusters, at most `limit`, follow the current one in chain and on disk, as the window tells."""
        sb, window = self.sb, self._window
        at = (self._cluster * sb.fat_size - self._cached_fat) // sb.fat_size
        limit = min(limit, len(window) - at, min(sb.clusters, sb.eof) - 1 - self._cluster)
        if sb.fat_size == 3 or at < 0 or limit <= 0 or self._cluster < 2:
            return 0
        found, step, growing = 0, 4, True
        while found < limit and step:
            step = min(step, limit - found)
            begin = self._cluster + 1 + found
            if window[at + found : at + found + step] == array(window.typecode, range(begin, begin + step)):
                found += step
                step = step * 4 if growing else step // 2
            else:
                growing = False
                step //= 2
        return found

    def _next_cluster(self) -> int | None:
        """The cluster behind the current one, None at the chain's end; raises GrubError 16 for one that is none."""
        m, sb = self.m, self.sb
        entry = s32(self._cluster * sb.fat_size)
        at = s32(entry - self._cached_fat)
        if at < 0 or at + sb.fat_size > 2 * FAT_CACHE_SIZE:
            self._cached_fat = entry & ~(2 * SECTOR_SIZE - 1)
            at = entry - self._cached_fat
            # QUIRK: four sectors are read whatever the table's size, so that the end of a partition may be near.
            data = devread(m, sb.fat_offset + self._cached_fat // (2 * SECTOR_SIZE), 0, FAT_CACHE_SIZE)
            self._window = array(_ENTRY_CODES[sb.fat_size], data)
            if sys.byteorder == "big":
                self._window.byteswap()
        if sb.fat_size == 3:
            both = self._window[at >> 1] | self._window[(at >> 1) + 1] << 8
            cluster = (both >> 4 if at & 1 else both) & 0xFFF
        else:
            # QUIRK: the high four bits of a FAT32 entry are not masked: where they are set, the chain ends.
            cluster = s32(self._window[at // sb.fat_size])
        if cluster >= sb.eof:
            return None
        if cluster < 2 or cluster >= sb.clusters:
            m.fail(ErrNum.FSYS_CORRUPT)
        return cluster

    def _read_clusters(self, length: int) -> bytes:
        """fat_read() cluster by cluster, which is what it does: a failed read does not end the loop at once."""
        m, bits = self.m, self.sb.cluster_bits
        wanted = self._seek()
        offset = m.filepos & ((1 << bits) - 1)
        parts: list[bytes] = []
        while length > 0:
            while wanted > self._number:
                cluster = self._next_cluster()
                if cluster is None:
                    # With an error set, GRUB returns what it has nevertheless; nobody uses it.
                    length = 0
                    break
                self._cluster = cluster
                self._number += 1
            size = min((1 << bits) - offset, length)
            if size > 0:
                try:
                    sector = self.sb.data_offset + ((self._cluster - 2) << (bits - SECTOR_BITS))
                    parts.append(devread_contents(m, sector, offset, size, 1 << bits))
                except GrubError:
                    parts.clear()
            length -= size
            m.filepos += size
            wanted += 1
            offset = 0
        if m.errnum:
            raise GrubError(m.errnum)
        return b"".join(parts)
