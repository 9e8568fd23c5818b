"""ISO 9660 with Rock Ridge names as stage2/fsys_iso9660.c reads it."""

from __future__ import annotations

from collections.abc import Iterator

from pvgrub_sim.cint import MAXINT, s32, u32
from pvgrub_sim.grub.disk.drives import SECTOR_BITS, select_drive
from pvgrub_sim.grub.disk.raw import SECTOR_SIZE, SECTORS_PER_VTRACK, rawread
from pvgrub_sim.grub.errnum import ErrNum, GrubError
from pvgrub_sim.grub.fs.iso9660.directory import DIRECTORY, REGULAR, IsoBuffer, Record
from pvgrub_sim.grub.fs.names import next_name, skip_slashes
from pvgrub_sim.grub.machine import WHOLE_DISK, Machine
from pvgrub_sim.ondisk import iso9660 as iso
from pvgrub_sim.ondisk.bsd import FS_ISO9660, is_bsd_slice_with_fs
from pvgrub_sim.typed import ClassVar, Self

_SHIFT = iso.SECTOR_BITS - SECTOR_BITS


def iso_devread(m: Machine, sector: int, byte_offset: int, byte_len: int) -> bytes:
    """Read from a sector of 2048 bytes of the open partition (iso9660_devread()).

    QUIRK: the partition's end is no limit, the disk's is. Raises GrubError 24 for a negative sector, else what
    rawread raises.
    """
    sector = s32(sector)
    if sector < 0:
        m.fail(ErrNum.OUTSIDE_PART)
    if m.disk_read_hook and m.debug:
        at = s32(sector << _SHIFT) + (byte_offset >> SECTOR_BITS)
        m.term.write(b"<%d, %d, %d>" % (at, byte_offset & (SECTOR_SIZE - 1), byte_len))
    start = u32(m.part_start + s32(sector << _SHIFT) + (byte_offset >> SECTOR_BITS))
    return rawread(m, m.current_drive, start, byte_offset & (SECTOR_SIZE - 1), byte_len)


class Iso9660:
    """A mounted ISO 9660 filesystem and its open file."""

    name: ClassVar[str] = "iso9660"

    def __init__(self, m: Machine, descriptor: bytes) -> None:
        self.m = m
        self._root = int.from_bytes(descriptor[iso.ROOT_RECORD + 2 : iso.ROOT_RECORD + 6], "little")
        self._root_size = int.from_bytes(descriptor[iso.ROOT_RECORD + 10 : iso.ROOT_RECORD + 14], "little")
        self._file_start = 0
        self._buffer = IsoBuffer(lambda sector: iso_devread(m, sector, 0, iso.SECTOR_SIZE))

    @classmethod
    def mount(cls, m: Machine) -> Self | None:
        """iso9660_mount(): raises GrubError when the disk ends before a primary descriptor is found."""
        # QUIRK: a PC partition is never looked at, whatever its type.
        if m.current_partition != WHOLE_DISK and not is_bsd_slice_with_fs(m.current_slice, FS_ISO9660):
            return None
        for sector in range(iso.FIRST_DESCRIPTOR, 2 * iso.FIRST_DESCRIPTOR):
            data = iso_devread(m, sector, 0, iso.DESCRIPTOR_SIZE)
            # QUIRK: the terminator (type 255) does not end the search.
            if data[0] == iso.TYPE_PRIMARY and data[1:6] == iso.STANDARD_ID:
                m.fsmax = s32(int.from_bytes(data[iso.VOLUME_SPACE_SIZE : iso.VOLUME_SPACE_SIZE + 4], "little"))
                return cls(m, data)
        return None

    def open(self, path: bytes) -> None:
        """iso9660_dir(): raises GrubError 2, 15, 16 or what reading a directory raises."""
        m = self.m
        self._file_start = 0
        extent, size = self._root, self._root_size
        at = 0
        while True:
            name, at = next_name(path, skip_slashes(path, at))
            record = self._find(extent, size, name)
            if path[at : at + 1] != b"/":
                break
            if record.kind != DIRECTORY:
                m.fail(ErrNum.BAD_FILETYPE)
            extent, size = record.extent, record.size
        # QUIRK: Rock Ridge symlinks are neither files nor directories.
        if record.kind != REGULAR:
            m.fail(ErrNum.BAD_FILETYPE)
        self._file_start = record.extent
        m.filepos = 0
        # QUIRK: a file of several extents ends with the first.
        m.filemax = s32(record.size)

    def list(self, path: bytes) -> Iterator[bytes]:
        """iso9660_dir() for completion; raises GrubError 15 when no name fits."""
        extent, size = self._root, self._root_size
        prefix, at = next_name(path, skip_slashes(path, 0))
        while path[at : at + 1] == b"/":
            record = self._find(extent, size, prefix)
            if record.kind != DIRECTORY:
                self.m.fail(ErrNum.BAD_FILETYPE)
            extent, size = record.extent, record.size
            prefix, at = next_name(path, skip_slashes(path, at))
        found = False
        for record in self._records(extent, size):
            if record.name.startswith(prefix):
                found = True
                yield record.name
        if not found:
            self.m.fail(ErrNum.FILE_NOT_FOUND)

    def _find(self, extent: int, size: int, name: bytes) -> Record:
        for record in self._records(extent, size):
            if record.name == name:
                return record
        self.m.fail(ErrNum.FILE_NOT_FOUND)

    def _records(self, extent: int, size: int) -> Iterator[Record]:
        """The records of a directory of `size` bytes; raises GrubError 16 where it cannot be read."""
        m = self.m
        m.filemax = MAXINT
        size = s32(size)
        while size > 0:
            try:
                sector = iso_devread(m, extent, 0, iso.SECTOR_SIZE)
            except GrubError:
                m.fail(ErrNum.FSYS_CORRUPT)
            extent = u32(extent + 1)
            yield from self._buffer.records(m, sector)
            size -= iso.SECTOR_SIZE

    def read(self, length: int) -> bytes:
        """iso9660_read(): raises GrubError where the disk ends."""
        m = self.m
        # QUIRK: extent 0, as some writers give an empty file, reads as nothing whatever the size.
        if self._file_start == 0 or length <= 0:
            return b""
        parts: list[bytes] = []
        while length > 0:
            block = s32(self._file_start + (m.filepos >> iso.SECTOR_BITS))
            offset = m.filepos & (iso.SECTOR_SIZE - 1)
            # GRUB reads block by block, so the first block that is not there decides the error.
            most = max(self._room(block), iso.SECTOR_SIZE) - offset
            m.disk_read_func = m.disk_read_hook
            # QUIRK: where this fails, the hook stays in place for every later read.
            parts.append(iso_devread(m, block, offset, min(length, most)))
            m.disk_read_func = None
            m.filepos += len(parts[-1])
            length -= len(parts[-1])
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _room(self, block: int) -> int:
        """Bytes in whole blocks from `block` up to the disk's end, as far as C's arithmetic does not wrap."""
        m = self.m
        start = m.part_start + (block << _SHIFT)
        if m.errnum or m.disk_read_hook or m.track_buffer or start < SECTORS_PER_VTRACK:
            return 0
        select_drive(m, m.current_drive)
        end = min(m.total_sectors, 1 << 32, m.part_start + (1 << 31))
        return (end - start) >> _SHIFT << iso.SECTOR_BITS
