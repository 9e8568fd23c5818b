"""Sparse files that no folder lists, for what is unpacked."""

from __future__ import annotations

import errno
import os

from pvgrub_sim.errors import ImageError
from pvgrub_sim.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from threading import Thread

STRIPE: Final = 16 << 20
"""Bytes of one file that stand before as many of the other: to give back the pages of hundreds of MiB takes the kernel
some time, and two processors half of it."""


class UnlinkedFile:
    """A sparse temporary file that is gone when it is closed.

    Its stripes lie in two files by turns, each at its own offset; a short one has only the first. name: of the image,
    for messages.
    """

    _first = _second = -1

    def __init__(self, name: str) -> None:
        try:
            self._folder = spool_folder()
            self._first = _unlinked(self._folder)
        except OSError as error:
            raise ImageError(name, f"no temporary file can be made: {_reason(error)}") from None
        self._name = name

    @property
    def free(self) -> int:
        """Bytes that are free on the filesystem that it lies on; 0 where that cannot be told."""
        try:
            there = os.fstatvfs(self._first)
        except OSError:
            return 0
        return there.f_bavail * there.f_frsize

    def write(self, piece: bytes | memoryview, offset: int) -> None:
        """Write bytes at a byte offset, however many calls that takes; raises ImageError."""
        # A slice of bytes would be a copy.
        left = piece if len(piece) <= STRIPE - offset % STRIPE else memoryview(piece)
        at = offset
        try:
            while left:
                written = os.pwrite(self._of(at), left[: STRIPE - at % STRIPE], at)
                at += written
                left = memoryview(left)[written:] if written < len(left) else b""
        except OSError as error:
            hint = "; TMPDIR names another folder" if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
            raise ImageError(
                self._name, f"cannot be unpacked into {self._folder}: {_reason(error)}{hint}", offset
            ) from None

    def read(self, offset: int, length: int) -> bytes:
        """Read bytes at a byte offset, zeros where none were written; raises ImageError."""
        if length <= STRIPE - offset % STRIPE:
            return self._read(offset, length)
        ends = [*range(offset - offset % STRIPE + STRIPE, offset + length, STRIPE), offset + length]
        return b"".join(self._read(at, end - at) for at, end in zip([offset, *ends], ends, strict=False))

    def close(self) -> None:
        """Give its bytes back; a second call does nothing."""
        first, second = self._first, self._second
        self._first = self._second = -1
        helper = None
        if second not in (first, -1):
            helper = _closed_beside(second)
        if first >= 0:
            os.close(first)
        if helper is not None:
            helper.join()

    def __del__(self) -> None:
        # It would stay as long as the process. Without another thread: garbage is collected in the middle of anything.
        for fd in {self._first, self._second} - {-1}:
            os.close(fd)

    def _of(self, offset: int) -> int:
        """The file that is written at an offset."""
        if offset // STRIPE % 2 and self._second < 0:
            try:
                self._second = _unlinked(self._folder)
            except OSError:
                # One does it as well.
                self._second = self._first
        return self._second if offset // STRIPE % 2 else self._first

    def _read(self, offset: int, length: int) -> bytes:
        fd = self._second if offset // STRIPE % 2 else self._first
        if fd < 0 <= self._first:
            # No such stripe has been written.
            return bytes(length)
        try:
            data = os.pread(fd, length, offset)
        except OSError as error:
            raise ImageError(self._name, f"cannot be read in {self._folder}: {_reason(error)}", offset) from None
        # Holes at its end are not part of a file.
        return data if len(data) == length else data + bytes(length - len(data))


def spool_folder() -> str:
    """Where temporary files go: not into memory, as /tmp often is, unless TMPDIR says so; raises OSError."""
    if not os.environ.get("TMPDIR") and os.access("/var/tmp", os.W_OK | os.X_OK):
        return "/var/tmp"
    # Only here: it brings along much that an image unpacked into /var/tmp does without.
    import tempfile

    return tempfile.gettempdir()


def _unlinked(folder: str) -> int:
    """A file that no folder lists, open for reading and writing; raises OSError."""
    try:
        return os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError:
        # A filesystem that does not have such files; or the reason is one that is found again here.
        pass
    import tempfile

    with tempfile.TemporaryFile(prefix="pvgrub-sim-", dir=folder, buffering=0) as file:
        return os.dup(file.fileno())


def _closed_beside(fd: int) -> Thread | None:
    """A thread that closes a file; None where there is none to be had, and it is closed."""
    from threading import Thread

    thread = Thread(target=os.close, args=(fd,), daemon=True)
    try:
        thread.start()
    except RuntimeError:
        os.close(fd)
        return None
    return thread


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
