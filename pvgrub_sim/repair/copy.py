"""Copies of images: by reflink where the filesystem can, else with the holes left holes."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable
from pathlib import Path

from pvgrub_sim.errors import ImageError, RepairError
from pvgrub_sim.media.disk import Disk
from pvgrub_sim.typed import Final

FICLONE: Final = 0x40049409
"""The ioctl that makes one file share another's blocks (Linux, include/uapi/linux/fs.h)."""
BLOCK: Final = 8 << 20
"""Bytes that are copied at once."""
_NO_REFLINK: Final = (errno.EOPNOTSUPP, errno.EINVAL, errno.EXDEV, errno.ENOTTY, errno.ENOSYS, errno.EPERM, errno.EBADF)

Progress = Callable[[int, int], None]
"""Told of the bytes copied so far, and of how many there are."""


def copy_image(source: str | Path, target: str | Path, progress: Progress | None = None) -> None:
    """Copy an image into a new file that takes no more room than the image does.

    target: must not exist. progress: called after each stretch. Raises ImageError when the image cannot be read, and
    RepairError when the copy cannot be written.
    """
    try:
        reading = os.open(source, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise ImageError(str(source), (error.strerror or str(error)).lower()) from None
    try:
        writing = os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        os.close(reading)
        raise RepairError(f"{target}: {(error.strerror or str(error)).lower()}") from None
    try:
        size = os.lseek(reading, 0, os.SEEK_END)
        if not _reflink(reading, writing):
            os.ftruncate(writing, size)
            for start, end in _stretches(reading, size):
                _copy(reading, writing, start, end)
                if progress is not None:
                    progress(end, size)
    except OSError as error:
        Path(target).unlink(missing_ok=True)
        raise RepairError(f"{target}: copying {source}: {(error.strerror or str(error)).lower()}") from None
    finally:
        os.close(reading)
        os.close(writing)


def _reflink(reading: int, writing: int) -> bool:
    """Let the new file share the blocks of the image; False where the filesystem cannot."""
    try:
        fcntl.ioctl(writing, FICLONE, reading)
    except OSError as error:
        if error.errno in _NO_REFLINK:
            return False
        raise
    return True


def _stretches(reading: int, size: int) -> list[tuple[int, int]]:
    """Where a file has data, as (start, end) in bytes; all of it where the filesystem does not tell."""
    found = []
    end = 0
    while end < size:
        try:
            start = os.lseek(reading, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                break
            return [(0, size)]
        end = min(os.lseek(reading, start, os.SEEK_HOLE), size)
        found += [(at, min(at + BLOCK, end)) for at in range(start, end, BLOCK)]
    return found


def _copy(reading: int, writing: int, start: int, end: int) -> None:
    """Copy one stretch within the kernel where that works, else through a buffer."""
    at = start
    while at < end:
        try:
            done = os.copy_file_range(reading, writing, end - at, at, at)
        except OSError:
            data = os.pread(reading, end - at, at)
            done = os.pwrite(writing, data, at) if data else 0
        if done == 0:
            # The image became shorter meanwhile: the rest stays a hole, and the boot of the copy will tell.
            return
        at += done


def copy_disk(disk: Disk, target: Path, progress: Progress | None = None) -> None:
    """Copy what a disk reads as into a new raw file, blocks of zeros left out; arguments and errors as copy_image().

    disk: of any format.
    """
    zeros = bytes(BLOCK)
    try:
        with target.open("xb") as out:
            for at in range(0, disk.size, BLOCK):
                data = disk.read(at, min(BLOCK, disk.size - at))
                if data != zeros[: len(data)]:
                    os.pwrite(out.fileno(), data, at)
                if progress is not None:
                    progress(at + len(data), disk.size)
            out.truncate(disk.size)
    except OSError as error:
        target.unlink(missing_ok=True)
        raise RepairError(f"{target}: {(error.strerror or str(error)).lower()}") from None


def allocated(path: str | Path) -> int:
    """Bytes of storage that a file takes."""
    return Path(path).stat().st_blocks * 512
