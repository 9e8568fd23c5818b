"""The emulated drives, and how large they are (stage2/disk_io.c, stubdom/grub/mini-os.c)."""

from __future__ import annotations

from pvgrub_sim.grub.errnum import ErrNum
from pvgrub_sim.grub.machine import WHOLE_DISK, Machine
from pvgrub_sim.media.disk import Reckons, known_size

SECTOR_BITS = 9


def get_diskinfo(m: Machine, drive: int) -> int | None:
    """Number of 512-byte sectors of a drive, None when there is no such drive.

    As get_diskinfo() in stubdom/grub/mini-os.c.
    """
    if not drive & 0x80:
        return None
    index = drive - 0x80
    if not 0 <= index < len(m.disks):
        return None
    return known_size(m.disks[index]) >> SECTOR_BITS


def made_sure(m: Machine, drive: int) -> bool:
    """Find out how large a drive is for sure, where that was only likely; True if it is of another size.

    What does not seem to lie on the drive, or cannot be read there, is looked at again then.
    """
    index = drive - 0x80
    if not 0 <= index < len(m.disks) or not isinstance(m.disks[index], Reckons):
        return False
    sure = m.disks[index].size >> SECTOR_BITS
    other = False
    if m.buf_drive == drive:
        other = m.total_sectors != sure
        m.total_sectors = sure
    if m.current_drive == drive and m.current_partition == WHOLE_DISK:
        other = other or m.part_length != sure
        m.part_length = sure
    return other


def select_drive(m: Machine, drive: int) -> None:
    """Make `drive` the one that total_sectors describes; raises GrubError 21 when it does not exist."""
    if m.buf_drive != drive:
        total = get_diskinfo(m, drive)
        if total is None:
            m.fail(ErrNum.NO_DISK)
        m.total_sectors = total
        m.buf_drive = drive
        m.buf_track = -1
