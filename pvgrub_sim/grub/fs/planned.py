"""A filesystem as it will be: files that somebody plans to write, in front of a driver or in the place of one.

No part of PV-GRUB: it answers what PV-GRUB would do with an image once the planned files are on it.
"""

from __future__ import annotations

from collections.abc import Iterator

from pvgrub_sim.grub.errnum import ErrNum
from pvgrub_sim.grub.fs.names import rest_of
from pvgrub_sim.typed import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pvgrub_sim.grub.fs.base import MountedFileSystem
    from pvgrub_sim.grub.machine import Machine


class Contents(Protocol):
    """The bytes of a file, of which a stretch costs that stretch: bytes themselves, or what reads them."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> bytes:
        """A stretch; what cannot be read makes it shorter."""
        ...


class PlannedFiles(Protocol):
    """The files of one volume after a plan has been carried out.

    anew: the name of the driver that will mount it, where the filesystem is to be made anew; "" where it stays.
    """

    anew: str

    def resolve(self, path: bytes) -> bytes:
        """A path without the links on its way, those that are planned included."""

    def beneath(self, path: bytes) -> bytes:
        """The path that leads to the same without planned links, of which no driver knows."""

    def content(self, path: bytes) -> Contents | None:
        """The bytes of a file by its path without links; None for what the driver reads, or for what is not there."""

    def is_directory(self, path: bytes) -> bool:
        """True when the path without links leads to a directory."""


class PlannedFileSystem:
    """A driver that opens planned files itself and leaves all else to the one beneath it.

    beneath: the driver that mounted, None when the filesystem is to be made anew.
    """

    def __init__(self, m: Machine, beneath: MountedFileSystem | None, files: PlannedFiles) -> None:
        self.m = m
        self.name = files.anew or (beneath.name if beneath else "")
        self._beneath = None if files.anew else beneath
        self._files = files
        self._data: Contents | None = None

    def open(self, path: bytes) -> None:
        """Open a planned file, else what the driver beneath finds under the name to which planned links lead."""
        name = rest_of(path)
        real = self._files.resolve(name)
        self._data = self._files.content(real)
        if self._data is not None:
            self.m.filemax = len(self._data)
        elif self._beneath is not None:
            self._beneath.open(self._files.beneath(name) + path[len(name) :])
        elif self._files.is_directory(real):
            self.m.fail(ErrNum.BAD_FILETYPE)
        else:
            self.m.fail(ErrNum.FILE_NOT_FOUND)

    def read(self, length: int) -> bytes:
        """Up to `length` bytes at m.filepos of the file that was opened last."""
        if self._data is None:
            assert self._beneath is not None
            return self._beneath.read(length)
        piece = self._data[self.m.filepos : self.m.filepos + length]
        if not piece and length > 0 and self.m.filepos < len(self._data):
            self.m.fail(ErrNum.READ)
        self.m.filepos += len(piece)
        return piece

    def list(self, path: bytes) -> Iterator[bytes]:
        """The names that the driver beneath lists; planned ones are not completed."""
        return iter(()) if self._beneath is None else self._beneath.list(path)
