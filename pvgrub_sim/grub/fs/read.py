"""Reading the open file: from its block list, with its driver, or through gunzip (stage2/disk_io.c:grub_read).

This lies below the drivers, as some of them read symbolic links in this way.
"""

from __future__ import annotations

from pvgrub_sim.grub.disk.raw import SECTOR_SIZE, devread_contents
from pvgrub_sim.grub.errnum import ErrNum
from pvgrub_sim.grub.fs.base import ReadsAtOnce
from pvgrub_sim.grub.machine import Machine


def grub_read(m: Machine, length: int) -> bytes:
    """Up to `length` bytes at m.filepos of the open file, which is moved on; -1 reads to the end.

    As grub_read() in stage2/disk_io.c. Raises GrubError when the driver fails.
    """
    if m.filepos < 0 or m.filepos > m.filemax:
        m.filepos = m.filemax
    if length < 0 or length > m.filemax - m.filepos:
        length = m.filemax - m.filepos
    if m.filepos + length > m.fsmax:
        m.fail(ErrNum.FILELENGTH)
    if m.compressed_file:
        return m.compressed_file.read(length)
    return read_stored(m, length)


def read_stored(m: Machine, length: int) -> bytes:
    """The bytes as stored, not gunzipped: from the block list or the filesystem."""
    if m.block_list is not None:
        return _read_block_list(m, length)
    if m.fsys is None:
        m.fail(ErrNum.FSYS_MOUNT)
    return m.fsys.read(length)


def read_at_once(m: Machine, length: int) -> bytes | None:
    """The next `length` stored bytes of a file that GRUB reads in smaller steps, which comes to the same.

    None, and nothing has changed, where it may not, or where the file does not have as many.
    """
    driver: object = m.fsys
    end = m.filepos + length
    if (
        m.block_list is not None
        or m.filepos < 0
        or end > min(m.filemax, m.fsmax)
        or not isinstance(driver, ReadsAtOnce)
    ):
        return None
    return driver.read_at_once(length)


def _read_block_list(m: Machine, length: int) -> bytes:
    assert m.block_list is not None
    parts: list[bytes] = []
    skip = m.filepos
    for start, count in m.block_list:
        size = count * SECTOR_SIZE
        if skip >= size:
            skip -= size
            continue
        take = min(size - skip, length)
        if take <= 0:
            break
        parts.append(devread_contents(m, start + skip // SECTOR_SIZE, skip % SECTOR_SIZE, take, size))
        m.filepos += take
        length -= take
        skip = 0
    return b"".join(parts)
