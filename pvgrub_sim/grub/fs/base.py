"""What every filesystem driver offers."""

from __future__ import annotations

from collections.abc import Iterator

from pvgrub_sim.typed import TYPE_CHECKING, Protocol, Self, runtime_checkable

if TYPE_CHECKING:
    from pvgrub_sim.grub.machine import Machine


class MountedFileSystem(Protocol):
    """A filesystem that files are opened on: a driver's, or one that does not exist yet (planned.py)."""

    @property
    def name(self) -> str:
        """As `root` prints it."""

    def open(self, path: bytes) -> None:
        """The driver's *_dir() with print_possibilities == 0: open a file and set m.filemax.

        path: from the leading slash on, with whatever follows it on the command line: the name ends at
        white space or NUL. Raises GrubError.
        """

    def read(self, length: int) -> bytes:
        """The driver's *_read(): up to `length` bytes at m.filepos, which is moved on.

        Shorter results are what GRUB's function would have returned. Raises GrubError when it fails.
        """

    def list(self, path: bytes) -> Iterator[bytes]:
        """The driver's *_dir() with print_possibilities == 1: the names that it would print as completions.

        path: a directory with a trailing slash, or with the beginning of a name behind it.
        """


class FileSystem(MountedFileSystem, Protocol):
    """One driver of GRUB's fsys_table (stage2/filesys.h:struct fsys_entry), mounted on the open partition.

    A driver keeps its own superblock and its own open file; position and size of that file live in the
    machine (filepos, filemax, fsmax), as in GRUB. Disk reads go through disk.devread only. A driver of which several
    reads surely come to the same as one may be a ReadsAtOnce besides.
    """

    @classmethod
    def mount(cls, m: Machine) -> Self | None:
        """The driver's *_mount(): None when it is not this filesystem.

        Raises GrubError when a read fails (errnum then stays set, and the search goes on with it).
        """


@runtime_checkable
class ReadsAtOnce(Protocol):
    """An optional power of a driver: what GRUB reads in many steps, in one read (fs/read.py)."""

    def read_at_once(self, length: int) -> bytes | None:
        """The next bytes of the open file, which has as many; None, and nothing has changed, where that may differ."""
