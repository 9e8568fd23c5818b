"""rawread() byte for byte, in GRUB's own memory: for filesystems whose blocks overrun the filesystem buffer.

FSYS_BUF (stage2/shared.h) has 32 KiB, and the track buffer lies right behind it. A filesystem of larger blocks
writes over the track buffer from which it is being read, and later reads find there what it wrote.
"""

from __future__ import annotations

from pvgrub_sim.errors import ImageError
from pvgrub_sim.grub.disk.drives import SECTOR_BITS, made_sure, select_drive
from pvgrub_sim.grub.disk.raw import SECTOR_SIZE, SECTORS_PER_VTRACK, biosdisk_read, is_ezd
from pvgrub_sim.grub.errnum import ErrNum, GrubError
from pvgrub_sim.grub.machine import Machine

BUFFERADDR = 0x8000
"""The track buffer, counted from FSYS_BUF, in bytes."""
BUFFERLEN = SECTORS_PER_VTRACK << SECTOR_BITS


class TrackBuffer:
    """The track buffer inside a driver's memory.

    memory: bytes from FSYS_BUF on, made to reach to the buffer's end.
    """

    def __init__(self, m: Machine, memory: bytearray) -> None:
        self.m = m
        self.memory = memory
        self.drive = m.buf_drive
        self.track = -1
        if len(memory) < BUFFERADDR + BUFFERLEN:
            memory.extend(bytes(BUFFERADDR + BUFFERLEN - len(memory)))

    def rawread(self, drive: int, sector: int, byte_offset: int, target: bytearray, place: slice) -> None:
        """As rawread() in stage2/disk_io.c, to a place in `target`, which may be this memory itself.

        Raises GrubError 18, 21 or 25; what was read before stays.
        """
        m = self.m
        m.tick()
        at, byte_len = place.start, place.stop - place.start
        while byte_len > 0 and not m.errnum:
            select_drive(m, drive)
            if self.drive != drive:
                self.drive, self.track = drive, -1
            if sector >= m.total_sectors:
                made_sure(m, drive)
            if sector >= m.total_sectors:
                m.fail(ErrNum.GEOM)
            source, usable = self._load(drive, sector, (byte_offset + byte_len + SECTOR_SIZE - 1) >> SECTOR_BITS)
            size = min(byte_len, usable * SECTOR_SIZE - byte_offset)
            source += byte_offset
            target[at : at + size] = self.memory[source : source + size]
            at += size
            byte_len -= size
            sector += usable
            byte_offset = 0
        if m.errnum:
            raise GrubError(m.errnum)

    def _load(self, drive: int, sector: int, wanted: int) -> tuple[int, int]:
        """Get a sector's track into the buffer: the sector's address, and how many can be taken from there."""
        m = self.m
        offset = sector % SECTORS_PER_VTRACK
        track = sector - offset
        usable = SECTORS_PER_VTRACK - offset
        address = BUFFERADDR + (offset << SECTOR_BITS)
        if track == self.track:
            return address, usable
        start, count = track, SECTORS_PER_VTRACK
        if wanted > usable:
            start, count, address = sector, usable, BUFFERADDR
        if self._bios(drive, start, count):
            self.track = track
        else:
            self.track = -1
            if wanted > usable or not self._bios(drive, sector, wanted):
                m.errnum = ErrNum.READ
            address = BUFFERADDR
        memory = self.memory
        if (self.track == 0 or sector == 0) and is_ezd(memory[BUFFERADDR : BUFFERADDR + SECTOR_SIZE]):
            if self.track == 0 or wanted >= 2:
                second = memory[BUFFERADDR + SECTOR_SIZE : BUFFERADDR + 2 * SECTOR_SIZE]
                memory[BUFFERADDR : BUFFERADDR + SECTOR_SIZE] = second
            elif not self._bios(drive, 1, 1):
                m.errnum = ErrNum.READ
        return address, usable

    def _bios(self, drive: int, sector: int, count: int) -> bool:
        if sector + count > self.m.total_sectors:
            made_sure(self.m, drive)
        if sector + count > self.m.total_sectors:
            return False
        try:
            data = biosdisk_read(self.m, drive, sector, count)
        except ImageError:
            if not made_sure(self.m, drive):
                raise
            return self._bios(drive, sector, count)
        self.memory[BUFFERADDR : BUFFERADDR + len(data)] = data
        return True
