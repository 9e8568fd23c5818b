"""Opening files: device, filesystem or block list, and gunzip (stage2/disk_io.c)."""

from __future__ import annotations

from pvgrub_sim.cint import MAXINT, s32
from pvgrub_sim.grub.disk.device import safe_parse_maxint, set_device
from pvgrub_sim.grub.disk.partitions import open_partition, sane_partition
from pvgrub_sim.grub.disk.raw import SECTOR_SIZE
from pvgrub_sim.grub.errnum import ErrNum, GrubError
from pvgrub_sim.grub.file.gunzip_header import gunzip_test_header
from pvgrub_sim.grub.fs import fsys_table
from pvgrub_sim.grub.fs.names import WHITE_SPACE
from pvgrub_sim.grub.machine import GRUB_INVALID_DRIVE, Machine

BLOCK_LIST_MAX = (0x7FF9 - 12 + 7) // 8
"""Runs that fit into the filesystem buffer (stage2/filesys.h:BLK_MAX_ADDR)."""


def attempt_mount(m: Machine) -> None:
    """Try each driver on the open partition; sets m.fsys, and errnum when none mounts.

    As attempt_mount() in stage2/disk_io.c: a probe that fails to read leaves errnum set, and the later
    probes are still called, each of whose reads then fails.
    """
    m.fsys = None
    m.track_buffer = None
    # QUIRK: the network drive too, whose first read fails with 21, or with 24 when it is outside of the partition
    # that was open before.
    for driver in fsys_table(m.profile):
        try:
            m.fsys = driver.mount(m)
        except GrubError:
            continue
        if m.fsys:
            break
    if m.planned and (planned := m.planned.get((m.current_drive, m.part_start))):
        from pvgrub_sim.grub.fs.planned import PlannedFileSystem

        m.fsys = PlannedFileSystem(m, m.fsys, planned)
        m.errnum = ErrNum.NONE
    if m.fsys is None and not m.errnum:
        m.errnum = ErrNum.FSYS_MOUNT


def open_device(m: Machine) -> None:
    """Open and mount the current device; raises GrubError when errnum is set afterwards (open_device())."""
    open_partition(m)
    attempt_mount(m)
    if m.errnum:
        raise GrubError(m.errnum)


def setup_part(m: Machine, filename: bytes) -> bytes:
    """Make the device of a file name current and mounted; returns the name without its device.

    As setup_part() in stage2/disk_io.c: an unknown filesystem is no error for a block list.
    """
    if filename[:1] == b"(":
        try:
            filename = set_device(m, filename)
        except GrubError:
            m.current_drive = GRUB_INVALID_DRIVE
            raise
        _open_for(m, filename)
    elif (
        m.saved_drive != m.current_drive
        or m.saved_partition != m.current_partition
        or (filename[:1] == b"/" and m.fsys is None)
        or m.buf_drive == -1
    ):
        m.current_drive = m.saved_drive
        m.current_partition = m.saved_partition
        _open_for(m, filename)
    if m.errnum and (filename[:1] == b"/" or m.errnum != ErrNum.FSYS_MOUNT):
        raise GrubError(m.errnum)
    m.errnum = ErrNum.NONE
    sane_partition(m)
    return filename


def _open_for(m: Machine, filename: bytes) -> None:
    """Open the partition, and mount it when the name is a path; a failure stays in errnum."""
    try:
        if filename[:1] == b"/":
            open_device(m)
        else:
            open_partition(m)
    except GrubError:
        # QUIRK: the caller looks at errnum only, and a walk may fail without setting it (network drive).
        return


def grub_open(m: Machine, filename: bytes) -> None:
    """Open a file by name or block list, through gunzip when it is compressed.

    filename: bytes up to the end of the command line; the name ends at white space. Raises GrubError.
    As grub_open() in stage2/disk_io.c.
    """
    m.compressed_file = None
    m.filepos = 0
    filename = setup_part(m, filename)
    m.block_list = None
    m.fsmax = MAXINT
    if filename[:1] != b"/":
        runs = _parse_block_list(m, filename)
        if runs is not None:
            m.block_list = runs
            gunzip_test_header(m)
            return
    if m.errnum:
        raise GrubError(m.errnum)
    if m.fsys is None:
        m.fail(ErrNum.FSYS_MOUNT)
    m.fsys.open(filename)
    gunzip_test_header(m)


def _parse_block_list(m: Machine, text: bytes) -> list[tuple[int, int]] | None:
    """`start+length,…[,bytes]` as runs of sectors, with filemax set; None (and errnum) when it is not one."""
    runs: list[tuple[int, int]] = []
    m.filemax = 0
    at = 0
    while len(runs) < BLOCK_LIST_MAX:
        m.errnum = ErrNum.NONE
        number = 0
        try:
            number, at = safe_parse_maxint(m, text, at)
        except GrubError:
            m.errnum = ErrNum.NONE
        if text[at : at + 1] != b"+":
            if (not _ends(text, at, b"/")) or number == 0 or number > m.filemax:
                m.errnum = ErrNum.BAD_FILENAME
            else:
                m.filemax = number
            break
        m.fsys = None
        start = number
        try:
            number, at = safe_parse_maxint(m, text, at + 1)
        except GrubError:
            number = 0
        if number == 0 or not _ends(text, at, b",/"):
            m.errnum = ErrNum.BAD_FILENAME
            break
        # QUIRK: 4194304 sectors, 2 GiB, overflow a C int: the size is negative and nothing is read.
        m.filemax = s32(m.filemax + number * SECTOR_SIZE)
        runs.append((start, number))
        if text[at : at + 1] != b",":
            break
        at += 1
    if len(runs) < BLOCK_LIST_MAX and at > 0 and not m.errnum:
        return runs
    return None


def _ends(text: bytes, at: int, others: bytes) -> bool:
    return at >= len(text) or text[at] in WHITE_SPACE or text[at] in others or text[at] == 0


def grub_close(m: Machine) -> None:
    """Close the open file (grub_close()); only tftp has anything to do."""
