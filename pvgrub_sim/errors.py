"""Host-side exceptions: what goes wrong outside the emulated machine.

PvgrubSimError
├── UsageError          the caller asked for something that makes no sense
├── ImageError          an image cannot be opened or read (names the file and, where there is one, the offset)
└── KernelFormatError   a file is not a kernel this tool can unpack, inspect or repack

What PV-GRUB itself does with a bad image is no exception of this tree: it is an outcome.
"""

from __future__ import annotations


class PvgrubSimError(Exception):
    """Base of every error that a caller may want to catch."""


class UsageError(PvgrubSimError):
    """The request itself is wrong: an unknown profile, a bad device name, options that exclude each other."""


class ImageError(PvgrubSimError):
    """An image cannot be opened or read.

    path: the file, as the caller named it. reason: what is wrong, in words.
    offset: where in the file, in bytes, or None when the file cannot be opened at all.
    """

    def __init__(self, path: str, reason: str, offset: int | None = None) -> None:
        self.path = path
        self.reason = reason
        self.offset = offset
        where = "" if offset is None else f" at offset {offset}"
        super().__init__(f"{path}{where}: {reason}")


class KernelFormatError(PvgrubSimError):
    """A file is not a kernel that can be unpacked, inspected or repacked."""

    def __init__(self, path: str, reason: str, offset: int | None = None) -> None:
        self.path = path
        self.reason = reason
        self.offset = offset
        where = "" if offset is None else f" at offset {offset}"
        super().__init__(f"{path}{where}: {reason}")
