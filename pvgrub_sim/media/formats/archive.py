"""tar archives: the disk image in them; one with an OVF among its files is a machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pvgrub_sim.errors import ImageError
from pvgrub_sim.media.disk import Holds, Layer, read_upto
from pvgrub_sim.media.formats.borrowed import Shared
from pvgrub_sim.media.formats.choice import choose
from pvgrub_sim.media.formats.inside import ArchiveFile
from pvgrub_sim.media.formats.members import shown
from pvgrub_sim.media.formats.pieces import member_disk
from pvgrub_sim.media.formats.tar import BLOCK, Member, Piece, TarReader
from pvgrub_sim.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pvgrub_sim.media.access import Context
    from pvgrub_sim.media.disk import Disk

MOST_MEMBERS: Final = 20_000
"""Members among which an image is looked for: a small packed archive may have millions."""
_ROOT_FOLDERS: Final = frozenset(b"bin boot dev etc lib proc root sbin sys usr var".split())
_RECORD: Final = 20 * BLOCK
"""Bytes that most programs round an archive up to."""
_GCE: Final = b"disk.raw"
"""The one file of an image for Google's cloud: nothing else is looked for."""
_OF_MACHINES: Final = (b".vmdk", b".vhd")
"""Suffixes of disks that have a small description beside them, which is not seen in an archive's size."""


def open_tar(below: Disk, context: Context) -> Disk:
    """The disk image in a tar archive, or the machine that an OVF in it describes. Raises ImageError."""
    archive = TarArchive(below)
    disk = _opened(archive, context)
    # Not where that fails: who gave the archive closes it then.
    archive.release()
    return disk


def _opened(archive: TarArchive, context: Context) -> Disk:
    below = archive.below
    files: list[ArchiveFile] = []
    folders: set[bytes] = set()
    seen = 0
    for member, file in archive.walk():
        seen += 1
        if file is not None and file.name.lower().endswith(b".ovf"):
            from pvgrub_sim.media.formats.ova import open_ova

            return open_ova(archive, file, context)
        if seen > MOST_MEMBERS:
            break
        if file is not None:
            files.append(file)
            if file.name == _GCE or (not file.name.lower().endswith(_OF_MACHINES) and _ends_there(below, member.end)):
                break
        top = member.name.removeprefix(b"./").split(b"/", 1)[0]
        if top in _ROOT_FOLDERS:
            folders.add(top)
        if len(folders) >= 3:
            raise ImageError(
                below.name,
                "is a tar archive of a root filesystem, not of a disk image: unpack it into a filesystem made for it "
                "(mke2fs -d FOLDER disk.img SIZE)",
            )
    looked = f"{MOST_MEMBERS} members" if seen > MOST_MEMBERS else f"{seen} members"
    if files and files[-1].name == _GCE:
        files = files[-1:]
    return choose(archive, files, context, looked)


def _ends_there(below: Disk, end: int) -> bool:
    """Whether a compressed archive is known to end behind a member, or so near that no other image is there.

    What is not needed need not be unpacked then.
    """
    sizes = {end + 2 * BLOCK, -(-(end + 2 * BLOCK) // _RECORD) * _RECORD}
    return isinstance(below, Holds) and any(below.holds(size) for size in sizes)


class TarArchive:
    """The files of a tar archive, found as far as is needed.

    below: the archive, which is closed when none of its files is open any more, and release() was called.
    """

    words = "tar"

    def __init__(self, below: Disk) -> None:
        self.below = below
        self._shared = Shared(below)
        self.release = self._shared.borrow().close
        """Say that no more files will be opened."""
        self._reader = iter(TarReader(below))
        self._members: list[Member] = []
        self._files: dict[bytes, ArchiveFile] = {}

    def walk(self) -> Iterator[tuple[Member, ArchiveFile | None]]:
        """The members that were not seen before, and what each is, if it is a file; raises ImageError."""
        for member in self._reader:
            if not member.is_file:
                yield member, None
                continue
            file = ArchiveFile(member.name.removeprefix(b"./"), member.size, len(self._members))
            self._members.append(member)
            self._files.setdefault(file.name, file)
            yield member, file

    def find(self, name: bytes) -> ArchiveFile | None:
        """The first file of that name."""
        walk = self.walk()
        while name not in self._files and next(walk, None) is not None:
            pass
        return self._files.get(name)

    def open(self, files: Sequence[ArchiveFile], words: str) -> Disk:
        """Files one after another as one disk. words: the layer's name."""
        size = 0
        pieces: Sequence[Piece] = self._members[files[0].number].pieces
        if len(files) > 1:
            joined: list[Piece] = []
            for file in files:
                joined += [piece._replace(at=piece.at + size) for piece in self._members[file.number].pieces]
                size += file.size
            pieces = joined
        size = sum(file.size for file in files)
        layer = Layer(words, f"{self.below.name}:{shown(files[0].name)}", size)
        borrowed = self._shared.borrow()
        return member_disk(borrowed.disk, size, pieces, layer, borrowed.close)

    def head(self, file: ArchiveFile, length: int) -> bytes:
        """The first bytes of a file."""
        disk = self.open([file], self.words)
        try:
            return read_upto(disk, 0, length)
        finally:
            disk.close()
