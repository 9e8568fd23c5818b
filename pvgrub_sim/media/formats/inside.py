"""Files in an archive, and what lies beside one of them: found by name within the archive, never outside of it."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from pvgrub_sim.errors import ImageError
from pvgrub_sim.media.disk import read_upto
from pvgrub_sim.media.formats.members import shown
from pvgrub_sim.typed import TYPE_CHECKING, Final, Protocol
from pvgrub_sim.values import NamedTuple

if TYPE_CHECKING:
    from pvgrub_sim.media.disk import Disk


MOST_OPENED: Final = 100
"""Files of archives, and of archives in them, that are opened as images on the way to one disk."""


class Tally:
    """Counts the files that are opened as images, however archives lie in each other."""

    def __init__(self) -> None:
        self._count = 0

    def add(self, name: str) -> None:
        """Count one more; raises ImageError naming the archive when there are too many."""
        self._count += 1
        if self._count > MOST_OPENED:
            raise ImageError(name, f"has more than {MOST_OPENED} images in it, and in archives in it")


class ArchiveFile(NamedTuple):
    """A file of an archive: its name, without `./` before it, its size in bytes, and its number among the files."""

    name: bytes
    size: int
    number: int


class Archive(Protocol):
    """What tar and zip archives have in common."""

    @property
    def below(self) -> Disk:
        """The archive's own bytes."""

    @property
    def words(self) -> str:
        """What it is: `tar` or `zip`."""

    def find(self, name: bytes) -> ArchiveFile | None:
        """The first file of that name; raises ImageError when the archive is damaged before it."""

    def open(self, files: Sequence[ArchiveFile], words: str) -> Disk:
        """Files one after another as one disk, which is closed on its own. words: the layer's name."""

    def head(self, file: ArchiveFile, length: int) -> bytes:
        """The first bytes of a file."""


class Inside:
    """A folder of an archive.

    archive: which. folder: its name, empty for the top. asked: takes the names of files that somebody asked for here.
    """

    def __init__(self, archive: Archive, folder: bytes, asked: set[bytes]) -> None:
        self.archive = archive
        self.folder = folder
        self.asked = asked

    def open(self, named: str) -> tuple[Disk, Inside, tuple[int, int]] | None:
        """What a name stands for that a file of this folder has in it: the file, its folder, and what it is known by.

        None when it would lie outside of the archive, or is not there. Raises ImageError as the archive does.
        """
        path = posixpath.normpath(posixpath.join(self.folder, named.encode("utf-8", "surrogateescape")))
        self.asked.add(path)
        file = None if path.startswith((b"/", b"../")) else self.archive.find(path)
        if file is None:
            return None
        disk = self.archive.open([file], self.archive.words)
        return disk, self.of(file), (-id(self.archive), file.number)

    def of(self, file: ArchiveFile) -> Inside:
        """The folder that a file of the same archive lies in."""
        return Inside(self.archive, posixpath.dirname(file.name), self.asked)


def content(archive: Archive, file: ArchiveFile, longest: int) -> bytes:
    """All of a small file; raises ImageError when it is larger than `longest` bytes."""
    if file.size > longest:
        raise ImageError(archive.below.name, f"{shown(file.name)} has {file.size} bytes, more than any such file")
    disk = archive.open([file], archive.words)
    try:
        # With read() a compressed archive would be unpacked to its end as well.
        data = read_upto(disk, 0, file.size)
    finally:
        disk.close()
    if len(data) < file.size:
        raise ImageError(disk.name, f"ends {file.size - len(data)} bytes short of a read", len(data))
    return data
