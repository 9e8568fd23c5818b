"""Raw reads and writes of the emulated disks, with GRUB's bounds errors (stage2/disk_io.c, stubdom/grub/mini-os.c)."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

from pvgrub_sim.cint import s32, u32
from pvgrub_sim.errors import ImageError
from pvgrub_sim.grub.disk.drives import SECTOR_BITS, get_diskinfo, made_sure, select_drive
from pvgrub_sim.grub.errnum import ErrNum, GrubError
from pvgrub_sim.grub.machine import WHOLE_DISK, DiskReadHook, Machine
from pvgrub_sim.media.disk import Expects, ReadsInto
from pvgrub_sim.model import EventKind

SECTOR_SIZE = 1 << SECTOR_BITS
SECTORS_PER_VTRACK = 63
"""BUFFERLEN (0x7e00) in sectors, which equals the bogus geometry's sectors per track (get_diskinfo())."""

FIRST_TRACK_SIZE = SECTORS_PER_VTRACK << SECTOR_BITS
ADDRESSABLE = 1 << 32 + SECTOR_BITS
"""Bytes that 32-bit sector numbers reach."""

PC_SLICE_TYPE_EZD = 0x55


def biosdisk_read(m: Machine, drive: int, sector: int, count: int) -> bytes:
    """The bytes of `count` sectors, written ones included; the range must lie on the disk."""
    data = m.disks[drive - 0x80].read(sector << SECTOR_BITS, count << SECTOR_BITS)
    written = m.overlay.get(drive)
    if written:
        hits = [number for number in written if sector <= number < sector + count]
        if hits:
            patched = bytearray(data)
            for number in hits:
                at = (number - sector) << SECTOR_BITS
                patched[at : at + SECTOR_SIZE] = written[number]
            data = bytes(patched)
    return data


def rawread(m: Machine, drive: int, sector: int, byte_offset: int, byte_len: int) -> bytes:
    """Read `byte_len` bytes from a drive, `byte_offset` bytes behind the start of a 512-byte sector.

    As rawread() in stage2/disk_io.c: it reads track by track, so what fails is the first track that is not
    there: Error 18 when it begins past the end of the disk, Error 25 when it only ends there. Nothing is
    read while errnum is set. Raises GrubError 18, 21 or 25.
    """
    if byte_len <= 0:
        return b""
    if m.track_buffer:
        copy = bytearray(byte_len)
        m.track_buffer.rawread(drive, u32(sector), byte_offset, copy, slice(0, byte_len))
        return bytes(copy)
    m.tick(1 + (byte_len >> 14))
    if m.errnum:
        m.fail(m.errnum)
    select_drive(m, drive)
    sector = u32(sector)
    sectors = (byte_offset + byte_len + SECTOR_SIZE - 1) >> SECTOR_BITS
    if sector + sectors > m.total_sectors:
        made_sure(m, drive)
    if sector + sectors > m.total_sectors:
        _fail_past_end(m, sector, sectors)
    try:
        data = biosdisk_read(m, drive, sector, sectors)
    except ImageError:
        if not made_sure(m, drive):
            raise
        return rawread(m, drive, sector, byte_offset, byte_len)
    if sector < SECTORS_PER_VTRACK:
        data = _map_ezd(m, drive, sector, sectors, data)
    last = sector + sectors - 1
    last -= last % SECTORS_PER_VTRACK
    m.buf_track = last if last + SECTORS_PER_VTRACK <= m.total_sectors else -1
    if m.disk_read_func:
        _tell_sectors(m.disk_read_func, sector, byte_offset, byte_len)
    if byte_offset == 0 and len(data) == byte_len:
        return data
    return data[byte_offset : byte_offset + byte_len]


def _tell_sectors(tell: DiskReadHook, sector: int, byte_offset: int, byte_len: int) -> None:
    """Tell the hook of each sector of a read, as the instrumentation in rawread() does."""
    while byte_len > 0:
        length = min(SECTOR_SIZE - byte_offset, byte_len)
        tell(sector, byte_offset, length)
        sector += 1
        byte_offset = 0
        byte_len -= length


def _fail_past_end(m: Machine, sector: int, sectors: int) -> None:
    """Set the error that reading `sectors` sectors at `sector` meets, some of them being past the end."""
    total = m.total_sectors
    if sector >= total:
        m.fail(ErrNum.GEOM)
    track_end = total - total % SECTORS_PER_VTRACK
    # The last track is read only as far as it is wanted, so it fails as soon as it is reached; when the disk
    # ends with a full track, the next one begins past the end.
    if track_end == total and sector + sectors > total:
        m.fail(ErrNum.GEOM)
    m.fail(ErrNum.READ)


def is_ezd(table: bytes | bytearray) -> bool:
    """Whether a partition table is EZ-Drive's. QUIRK: any entry of type 0x55 makes it one, not the first alone."""
    return any(table[446 + 16 * entry + 4] == PC_SLICE_TYPE_EZD for entry in range(4))


def _map_ezd(m: Machine, drive: int, sector: int, sectors: int, data: bytes) -> bytes:
    """Put sector 1 in the place of sector 0 when the disk has an EZ-Drive table.

    As rawread() in stage2/disk_io.c, which looks at the first sector in its buffer when it fills that from the
    first track.
    """
    if sector != 0:
        # QUIRK: when a read begins in the first track and ends behind it, the buffer begins with that read's first
        # sector: the same byte of a file's contents then makes the sector behind it stand twice.
        if sectors <= SECTORS_PER_VTRACK - sector or m.buf_track == 0 or sector == SECTORS_PER_VTRACK - 1:
            return data
        return data[SECTOR_SIZE : 2 * SECTOR_SIZE] + data[SECTOR_SIZE:] if is_ezd(data) else data
    if not is_ezd(data):
        return data
    if m.total_sectors < 2:
        m.fail(ErrNum.READ)
    first = data[SECTOR_SIZE : 2 * SECTOR_SIZE] if sectors > 1 else biosdisk_read(m, drive, 1, 1)
    return first + data[SECTOR_SIZE:]


def devread(m: Machine, sector: int, byte_offset: int, byte_len: int) -> bytes:
    """Read `byte_len` bytes from the open partition, `byte_offset` bytes (any number) behind a sector.

    As devread() in stage2/disk_io.c, C's 32-bit arithmetic included. Raises GrubError 24 when the read leaves
    the partition, even while errnum is set to something else; else what rawread raises.
    """
    begin = (m.part_start + sector << SECTOR_BITS) + byte_offset
    if (
        begin >= FIRST_TRACK_SIZE
        and byte_offset >= 0 < byte_len
        and m.buf_drive == m.current_drive
        and (sector << SECTOR_BITS) + byte_offset + byte_len <= m.part_length << SECTOR_BITS
        and begin + byte_len <= min(m.total_sectors << SECTOR_BITS, ADDRESSABLE)
        and not (m.errnum or m.disk_read_hook or m.overlay or m.track_buffer)
    ):
        # The common case, which needs none of the care that rawread() takes.
        m.tick(1 + (byte_len >> 14))
        m.buf_track = -1
        try:
            return m.disks[m.current_drive - 0x80].read(begin, byte_len)
        except ImageError:
            if not made_sure(m, m.current_drive):
                raise
    start = disk_sector(m, sector, byte_offset, byte_len)
    byte_offset &= SECTOR_SIZE - 1
    if m.disk_read_hook and m.debug:
        m.term.write(b"<%d, %d, %d>" % (s32(start - m.part_start), byte_offset, byte_len))
    return rawread(m, m.current_drive, start, byte_offset, byte_len)


def disk_sector(m: Machine, sector: int, byte_offset: int, byte_len: int) -> int:
    """The sector of the disk at which a read in the partition begins; raises GrubError 24 when it leaves it."""
    sector = u32(sector)
    last = u32(sector + (s32(byte_offset + byte_len - 1) >> SECTOR_BITS))
    if last >= m.part_length and m.current_partition == WHOLE_DISK:
        made_sure(m, m.current_drive)
    if last >= m.part_length:
        m.tick()
        m.fail(ErrNum.OUTSIDE_PART)
    return m.part_start + u32(sector + (byte_offset >> SECTOR_BITS))


def devread_contents(m: Machine, sector: int, byte_offset: int, byte_len: int, unit: int) -> bytes:
    """devread() for a file's contents: the one kind of read that disk_read_hook is told of.

    unit: bytes that the driver's C code reads at a time, counted from `sector`; it matters only to the hook.
    """
    if m.disk_read_hook is None:
        return devread(m, sector, byte_offset, byte_len)
    parts: list[bytes] = []
    m.disk_read_func = m.disk_read_hook
    try:
        while byte_len > 0:
            take = min(unit - byte_offset % unit, byte_len)
            parts.append(devread(m, sector, byte_offset, take))
            byte_offset += take
            byte_len -= take
    finally:
        m.disk_read_func = None
    return b"".join(parts)


def devread_run(m: Machine, sector: int, byte_offset: int, byte_len: int, unit: int) -> bytes:
    """What a loop of devreads of one block each reads, done in one go.

    sector: where the run's first block starts, in sectors of the partition. byte_offset: where in that block
    to begin. byte_len: bytes in all. unit: the block's size in bytes, a multiple of 512. The loop that this
    stands for ignores what devread returns, so an error does not end it: a later block outside the partition
    still makes it Error 24. Raises GrubError with the errnum that is left at the end.
    """
    if m.disk_read_hook:
        return devread_contents(m, sector, byte_offset, byte_len, unit)
    sector = u32(sector)
    count = (byte_offset + byte_len + SECTOR_SIZE - 1) >> SECTOR_BITS
    good = _sectors_from(m, sector) if not m.errnum else 0
    if count > good and not m.errnum and made_sure(m, m.current_drive):
        good = _sectors_from(m, sector)
    if count <= good:
        start = u32(m.part_start + sector)
        if m.track_buffer or 0 < start < SECTORS_PER_VTRACK < start + count:
            return _devread_units(m, sector, byte_offset, byte_len, unit)
        return rawread(m, m.current_drive, m.part_start + sector, byte_offset, byte_len)
    step = unit >> SECTOR_BITS
    bad = good // step
    total = byte_offset + byte_len
    for index in (bad, (total - 1) // unit):
        begin = max(index * unit, byte_offset)
        try:
            devread(m, sector + index * step, begin - index * unit, min((index + 1) * unit, total) - begin)
        except GrubError:
            continue
    raise GrubError(m.errnum)


def devread_all(m: Machine, extents: Sequence[tuple[int | None, int]]) -> bytes | None:
    """All pieces of a file at once, None when they must be read one by one.

    extents: where each begins in the partition in bytes (None: zeros instead), and its length in bytes. Nothing is
    read where it makes a difference how: when a piece is not all there, on the first track, under written sectors.
    """
    if m.disk_read_hook or m.track_buffer or m.overlay:
        return None
    places: list[tuple[int, int, int]] = []
    total = 0
    for begin, size in extents:
        m.tick(1 + (size >> 14))
        if begin is not None:
            sector = begin >> SECTOR_BITS
            count = (begin + size + SECTOR_SIZE - 1 >> SECTOR_BITS) - sector
            start = u32(m.part_start + sector)
            if count > _sectors_from(m, sector) or start < SECTORS_PER_VTRACK:
                return None
            places.append((total, (start << SECTOR_BITS) + begin % SECTOR_SIZE, size))
        total += size
    m.buf_track = -1
    if not places:
        return bytes(total)
    disk = m.disks[m.current_drive - 0x80]
    if places[0][2] == total:
        return disk.read(places[0][1], total)
    if isinstance(disk, Expects):
        disk.expect([(offset, size) for _, offset, size in places])
    # BytesIO hands its memory out as bytes without a copy.
    memory = BytesIO()
    memory.seek(total - 1)
    memory.write(b"\0")
    with memory.getbuffer() as view:
        for at, offset, size in places:
            if isinstance(disk, ReadsInto):
                disk.readinto(offset, view[at : at + size])
            else:
                view[at : at + size] = disk.read(offset, size)
    return memory.getvalue()


def _devread_units(m: Machine, sector: int, byte_offset: int, byte_len: int, unit: int) -> bytes:
    """A run read block by block, as far as that makes a difference: on the first track, or in real memory."""
    parts: list[bytes] = []
    while byte_len > 0:
        start = u32(m.part_start + sector)
        if start >= SECTORS_PER_VTRACK and not m.track_buffer:
            parts.append(rawread(m, m.current_drive, start, byte_offset, byte_len))
            break
        size = min(unit - byte_offset, byte_len)
        parts.append(rawread(m, m.current_drive, start, byte_offset, size))
        sector += unit >> SECTOR_BITS
        byte_len -= size
        byte_offset = 0
    return b"".join(parts)


def _sectors_from(m: Machine, sector: int) -> int:
    """How many sectors can be read from a sector of the partition on."""
    try:
        select_drive(m, m.current_drive)
    except GrubError:
        return 0
    start = u32(m.part_start + sector)
    return max(min(m.part_length - sector, m.total_sectors - start, (1 << 32) - start), 0)


def rawwrite(m: Machine, drive: int, sector: int, data: bytes) -> None:
    """Write one sector of 512 bytes into the overlay; raises GrubError 29 when it cannot be.

    As rawwrite() in stage2/disk_io.c: with an EZ-Drive table, sector 0 is written to sector 1.
    """
    sector = u32(sector)
    total = get_diskinfo(m, drive)
    if total is not None and sector >= total:
        made_sure(m, drive)
        total = get_diskinfo(m, drive)
    if total is None or sector >= total:
        m.fail(ErrNum.WRITE)
    if sector == 0 and is_ezd(biosdisk_read(m, drive, 0, 1)):
        sector = 1
        if total < 2:
            m.fail(ErrNum.WRITE)
    m.overlay.setdefault(drive, {})[sector] = bytes(data[:SECTOR_SIZE])
    if sector - sector % SECTORS_PER_VTRACK == m.buf_track:
        m.buf_track = -1
    m.emit(EventKind.WRITE, number=sector, path=f"hd{drive - 0x80}")
