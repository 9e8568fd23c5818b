"""Image files and block devices, read with pread: a sparse 2 TiB file costs what a small one costs."""

from __future__ import annotations

import os
import stat

from pvgrub_sim.errors import ImageError
from pvgrub_sim.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class RawDisk:
    """An image file or block device, opened read-only: its bytes as they lie there.

    path: the file. Raises ImageError when it is no file, cannot be opened, or is empty.
    """

    _fd = -1

    def __init__(self, path: str | Path) -> None:
        self.name = str(path)
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise ImageError(self.name, (error.strerror or str(error)).lower()) from None
        except ValueError as error:
            raise ImageError(self.name, str(error)) from None
        try:
            self.size = self._measure()
        except ImageError:
            self.close()
            raise

    def _measure(self) -> int:
        status = os.fstat(self._fd)
        if stat.S_ISDIR(status.st_mode):
            raise ImageError(self.name, "is a directory, not a disk image")
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISBLK(status.st_mode)):
            what = "a pipe" if stat.S_ISFIFO(status.st_mode) else "neither a regular file nor a block device"
            raise ImageError(self.name, f"is {what}: write it to a file first, compressed or not, and name that")
        size = os.lseek(self._fd, 0, os.SEEK_END)
        if size == 0:
            raise ImageError(self.name, "is empty, not a disk image", 0)
        return size

    @property
    def folder(self) -> str:
        """The folder that the file was named in."""
        return os.path.dirname(self.name) or "."  # noqa: PTH120  (pathlib would slow down every start)

    @property
    def identity(self) -> tuple[int, int]:
        """Device and inode: the same for all names of a file."""
        status = os.fstat(self._fd)
        return status.st_dev, status.st_ino

    def read(self, offset: int, length: int) -> bytes:
        """Read exactly `length` bytes at byte `offset`; raises ImageError on a short or failed read."""
        try:
            data = os.pread(self._fd, length, offset)
            if len(data) < length:
                parts = [data]
                got = len(data)
                while got < length:
                    part = os.pread(self._fd, length - got, offset + got)
                    if not part:
                        raise ImageError(self.name, f"ends {length - got} bytes short of a read", offset + got)
                    parts.append(part)
                    got += len(part)
                data = b"".join(parts)
        except OSError as error:
            raise ImageError(self.name, (error.strerror or str(error)).lower(), offset) from None
        return data

    def readinto(self, offset: int, buffer: memoryview) -> None:
        """Fill a buffer from byte `offset` on, without a copy in between; raises ImageError as read() does."""
        got = 0
        try:
            while got < len(buffer):
                part = os.preadv(self._fd, [buffer[got:]], offset + got)
                if not part:
                    raise ImageError(self.name, f"ends {len(buffer) - got} bytes short of a read", offset + got)
                got += part
        except OSError as error:
            raise ImageError(self.name, (error.strerror or str(error)).lower(), offset) from None

    def close(self) -> None:
        """Close the file; further reads fail."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __del__(self) -> None:
        # A disk that nobody closed takes its descriptor along, as a file object of Python's does.
        self.close()
