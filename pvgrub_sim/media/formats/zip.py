"""zip archives: the disk image in them (PKWARE's APPNOTE.TXT; stored and deflated members, also larger than 4 GiB)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from zlib import crc32

from pvgrub_sim.errors import ImageError
from pvgrub_sim.media.disk import Expects, Layer, read_upto
from pvgrub_sim.media.formats.ahead import ahead
from pvgrub_sim.media.formats.borrowed import Shared
from pvgrub_sim.media.formats.choice import choose
from pvgrub_sim.media.formats.decoders import PIECE, Input, Members, deflate_stream
from pvgrub_sim.media.formats.inside import ArchiveFile
from pvgrub_sim.media.formats.members import shown
from pvgrub_sim.media.formats.pieces import member_disk
from pvgrub_sim.media.formats.spool import Spool
from pvgrub_sim.media.formats.tar import Piece
from pvgrub_sim.typed import TYPE_CHECKING, Final
from pvgrub_sim.values import NamedTuple

if TYPE_CHECKING:
    from pvgrub_sim.media.access import Context
    from pvgrub_sim.media.disk import Disk
    from pvgrub_sim.media.formats.borrowed import Borrowed

_END: Final = struct.Struct("<4s4H2IH")
_END_MAGIC: Final = b"PK\x05\x06"
_END64: Final = struct.Struct("<4sQ2H2I4Q")
_ENTRY: Final = struct.Struct("<4s6H3I5H2I")
_LOCAL: Final = struct.Struct("<4s5H3I2H")
LONGEST_DIRECTORY: Final = 16 << 20
"""Bytes of the central directory."""
CHECKED: Final = 64 << 20
"""Bytes of a stored member up to which its CRC is checked; of a larger one only what is wanted is read."""
STORED, DEFLATED = 0, 8


class Entry(NamedTuple):
    """An entry of the central directory; sizes and the place of the local header in bytes."""

    name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    place: int


def open_zip(below: Disk, context: Context) -> Disk:
    """The disk image in a zip archive, or the machine that an OVF in it describes. Raises ImageError."""
    archive = ZipArchive(below, context)
    described = [file for file in archive.files if file.name.lower().endswith(b".ovf")]
    if described:
        from pvgrub_sim.media.formats.ova import open_ova

        disk = open_ova(archive, described[0], context)
    else:
        disk = choose(archive, archive.files, context, "")
    # Not where that fails: who gave the archive closes it then.
    archive.release()
    return disk


class ZipArchive:
    """The files of a zip archive.

    below: the archive, which is closed when none of its files is open any more, and release() was called. context: for
    what is unpacked. Raises ImageError when the directory is damaged.
    """

    words = "zip"

    def __init__(self, below: Disk, context: Context) -> None:
        self.below = below
        self._context = context
        self._shared = Shared(below)
        self.release = self._shared.borrow().close
        """Say that no more files will be opened."""
        self._entries = [one for one in read_directory(below) if not one.name.endswith(b"/")]
        self.files = [
            ArchiveFile(entry.name.removeprefix(b"./"), entry.size, number)
            for number, entry in enumerate(self._entries)
        ]
        self._by_name = {file.name: file for file in reversed(self.files)}

    def find(self, name: bytes) -> ArchiveFile | None:
        """The first file of that name."""
        return self._by_name.get(name)

    def open(self, files: Sequence[ArchiveFile], words: str) -> Disk:
        """A file as a disk. words: the layer's name. Raises ImageError for several, which no zip of a machine has."""
        if len(files) != 1:
            raise ImageError(self.below.name, "has a disk in several files: unpack it, and name the disk that is meant")
        entry = self._entries[files[0].number]
        borrowed = self._shared.borrow()
        try:
            return self._opened(entry, words, borrowed)
        except BaseException:  # Ctrl-C as well; it is passed on
            borrowed.close()
            raise

    def head(self, file: ArchiveFile, length: int) -> bytes:
        """The first bytes of a file; none of one that cannot be read."""
        entry = self._entries[file.number]
        try:
            begin = _begin(self.below, entry)
        except ImageError:
            return b""
        if entry.method == STORED:
            return read_upto(self.below, begin, min(length, entry.size))
        stream = deflate_stream(Input(self.below, begin, begin + entry.packed))
        found = b""
        with suppress(ImageError):
            while len(found) < length and (piece := stream.read()):
                found += piece
        return found[:length]

    def _opened(self, entry: Entry, words: str, borrowed: Borrowed) -> Disk:
        below, name = borrowed.disk, f"{self.below.name}:{shown(entry.name)}"
        begin = _begin(below, entry)
        layer = Layer(words, name, entry.size)
        if entry.method == STORED:
            # From far away that would fetch all of it.
            near = entry.size <= CHECKED and not isinstance(below, Expects)
            if near and _crc_of(below, begin, entry.size) != entry.crc:
                raise ImageError(name, "is damaged (zip: its CRC)", begin)
            return member_disk(below, entry.size, (Piece(0, begin, entry.size),), layer, borrowed.close)
        stream = _Checked(deflate_stream(Input(below, begin, begin + entry.packed)), name, entry.crc, borrowed.close)
        return Spool(name, ahead(stream, below), layer, self._context, below=below, size=entry.size)


def _begin(below: Disk, entry: Entry) -> int:
    """Where the bytes of a file begin; raises ImageError for what cannot be read."""
    name = f"{below.name}:{shown(entry.name)}"
    if entry.flags & 1:
        raise ImageError(name, "is encrypted: unpack it with its password")
    if entry.method not in (STORED, DEFLATED):
        raise ImageError(
            name, f"is packed by method {entry.method}, which is not read here: unpack it with unzip or 7z"
        )
    if entry.place + _LOCAL.size > below.size:
        raise ImageError(name, "is damaged (zip: its local header)", below.size)
    header = below.read(entry.place, _LOCAL.size)
    magic, *_, name_length, extra_length = _LOCAL.unpack(header)
    begin = entry.place + _LOCAL.size + int(name_length) + int(extra_length)
    if magic != b"PK\x03\x04" or begin + entry.packed > below.size:
        raise ImageError(name, "is damaged (zip: its local header)", entry.place)
    if entry.method == STORED and entry.packed != entry.size:
        raise ImageError(name, "is damaged (zip: its sizes)", entry.place)
    return begin


def _crc_of(below: Disk, begin: int, size: int) -> int:
    found = 0
    for at in range(begin, begin + size, PIECE):
        found = crc32(below.read(at, min(PIECE, begin + size - at)), found)
    return found


class _Checked:
    """A stream whose CRC-32 must come out at its end."""

    def __init__(self, stream: Members, name: str, crc: int, closing: Callable[[], None]) -> None:
        self._stream = stream
        self._closing = closing
        self._name = name
        self._wanted = crc
        self._crc = 0

    def read(self) -> bytes | memoryview:
        """The next bytes; raises ImageError at the end when the CRC is another one."""
        data = self._stream.read()
        self._crc = crc32(data, self._crc)
        if not data and self._crc != self._wanted:
            raise ImageError(self._name, "is damaged (zip: its CRC)")
        return data

    def close(self) -> None:
        """Close the archive, or say that it is not needed here any more."""
        self._closing()


def read_directory(below: Disk) -> Iterator[Entry]:
    """The entries of the central directory; raises ImageError when it is damaged."""
    count, size, offset = _end(below)
    if size > LONGEST_DIRECTORY or offset + size > below.size:
        raise ImageError(below.name, "is damaged (zip: its directory)", min(offset, below.size))
    raw = below.read(offset, size)
    at = 0
    for _ in range(count):
        if at + _ENTRY.size > len(raw) or raw[at : at + 4] != b"PK\x01\x02":
            raise ImageError(below.name, "is damaged (zip: its directory)", offset + at)
        (_, _, _, flags, method, _, _, crc, packed, full, names, extras, comments, _, _, _, place) = _ENTRY.unpack_from(
            raw, at
        )
        at += _ENTRY.size
        name, extra = raw[at : at + names], raw[at + names : at + names + extras]
        at += names + extras + comments
        full, packed, place = _wide(extra, (full, packed, place))
        yield Entry(name, flags, method, crc, packed, full, place)


def _wide(extra: bytes, values: tuple[int, int, int]) -> tuple[int, int, int]:
    """Sizes and place, from the ZIP64 field where they do not fit 32 bits."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == 1:
            field = extra[at + 4 : at + 4 + length]
            found: list[int] = []
            for value in values:
                if value == 0xFFFFFFFF and len(field) >= 8:
                    value, field = int.from_bytes(field[:8], "little"), field[8:]  # noqa: PLW2901  (what is left of it)
                found.append(value)
            return found[0], found[1], found[2]
        at += 4 + length
    return values


def _ends_at(tail: bytes, at: int) -> bool:
    """Whether an end record and its comment reach to the end of the file."""
    end = at + _END.size
    return end <= len(tail) and end + int.from_bytes(tail[end - 2 : end], "little") == len(tail)


def _end(below: Disk) -> tuple[int, int, int]:
    """Number of entries, size and place of the central directory."""
    begin = max(0, below.size - _END.size - 0xFFFF)
    tail = below.read(begin, below.size - begin)
    at = tail.rfind(_END_MAGIC)
    # The comment behind it may hold the same four bytes.
    found = at
    while found >= 0 and not _ends_at(tail, found):
        found = tail.rfind(_END_MAGIC, 0, found)
    at = found if found >= 0 else at
    if at < 0 or at + _END.size > len(tail):
        raise ImageError(below.name, "is damaged (zip: it has no directory)", begin)
    _, _, _, _, count, size, offset, _ = _END.unpack_from(tail, at)
    if (count == 0xFFFF or 0xFFFFFFFF in (size, offset)) and at >= 20 and tail[at - 20 : at - 16] == b"PK\x06\x07":
        place = int.from_bytes(tail[at - 12 : at - 4], "little")
        if place + _END64.size <= below.size:
            header = _END64.unpack(below.read(place, _END64.size))
            if header[0] == b"PK\x06\x06":
                return header[7], header[8], header[9]
        raise ImageError(below.name, "is damaged (zip: its directory)", min(place, below.size))
    return count, size, offset
