"""Mapped: a disk whose bytes lie in pieces elsewhere, as all formats of virtual disks have it."""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from itertools import chain
from sys import byteorder

from pvgrub_sim.errors import ImageError
from pvgrub_sim.media.disk import Disk, Expects, Layer, finish, layers_of, read_into
from pvgrub_sim.media.formats.packed import Packed, fill
from pvgrub_sim.typed import Final, Literal

Source = Disk | Packed | bytes | None
Piece = tuple[int, Source, int]
"""Length in bytes, where these bytes lie (None: they are zeros), and from which byte on there."""

LARGEST_DISK: Final = 1 << 60
"""Bytes; a header that claims more is not believed."""
PAGE: Final = 4096
"""Entries of a table that are read at once."""
PAGES_KEPT: Final = 512


class Mapped:
    """The disk inside a format.

    below: the file that everything is in. format: its name, for the layers. size: of the disk, in bytes.
    """

    def __init__(self, below: Disk, format_: str, size: int) -> None:
        if not 0 <= size <= LARGEST_DISK:
            raise ImageError(below.name, f"claims a disk of {size} bytes, which no disk has")
        self.name = below.name
        self.size = size
        self.below = below
        self.format = format_
        self.detail = ""
        self.others: list[Disk] = []
        """Further files that were opened for this one: backing files, extents."""
        if isinstance(below, Expects):
            self.expect = self._expect

    def _pieces(self, offset: int, length: int) -> Iterator[Piece]:
        """Where a stretch of the disk lies, in order; not more than it."""
        raise NotImplementedError

    def read(self, offset: int, length: int) -> bytes:
        """Read exactly `length` bytes at byte `offset`; raises ImageError when they are not there."""
        data = self._read(offset, length)
        if length and offset + length == self.size:
            self.finish()
        return data

    def _read(self, offset: int, length: int) -> bytes:
        self._check(offset, length)
        pieces = self._pieces(offset, length)
        size, source, at = next(pieces, (0, None, 0))
        if size == length:
            if source is None:
                return bytes(length)
            if isinstance(source, Packed):
                return source.part(at, size)
            return source[at : at + size] if isinstance(source, bytes) else source.read(at, size)
        # BytesIO hands its memory out as bytes without a copy.
        memory = BytesIO()
        memory.seek(length - 1)
        memory.write(b"\0")
        with memory.getbuffer() as view:
            self._fill_all(chain(((size, source, at),), pieces), view)
        return memory.getvalue()

    def readinto(self, offset: int, buffer: memoryview) -> None:
        """Fill a buffer from byte `offset` on; raises ImageError as read() does."""
        self._check(offset, len(buffer))
        self._fill_all(self._pieces(offset, len(buffer)), buffer)
        if len(buffer) and offset + len(buffer) == self.size:
            self.finish()

    def finish(self) -> None:
        """Look at the end of the streams below. Raises ImageError.

        That goes with the guest's last byte, behind which the file has more: a footer, the rest of a block.
        """
        for disk in (self.below, *self.others):
            finish(disk)

    def _fill_all(self, pieces: Iterator[Piece], view: memoryview) -> None:
        done = 0
        packed: list[tuple[memoryview, Packed, int]] = []
        for size, source, at in pieces:
            place = view[done : done + size]
            if isinstance(source, Packed):
                packed.append((place, source, at))
            elif isinstance(source, bytes):
                place[:] = source[at : at + size]
            elif source is None:
                place[:] = bytes(size)
            else:
                read_into(source, at, place)
            done += size
        if packed:
            fill(packed)

    def _check(self, offset: int, length: int) -> None:
        if offset < 0 or length < 0 or offset + length > self.size:
            raise ImageError(self.name, f"ends {offset + length - self.size} bytes short of a read", offset)

    def _expect(self, ranges: Iterable[tuple[int, int]]) -> None:
        """What Expects says, for a container that is far away: packed clusters are fetched when they are read."""
        wanted = [
            (at, size)
            for offset, length in ranges
            for size, source, at in self._pieces(offset, length)
            if isinstance(source, Padded) and source.below is self.below
        ]
        if isinstance(self.below, Expects):
            self.below.expect(wanted)

    def damaged(self, reason: str, offset: int | None = None) -> ImageError:
        """The error that says what is wrong with the container; offset: in the file, in bytes."""
        return ImageError(self.name, f"damaged {self.format} image: {reason}", offset)

    def refused(self, reason: str, remedy: str = "") -> ImageError:
        """The error for what is recognised and not read. remedy: how to get a raw image of it."""
        then = remedy and f": {remedy}"
        return ImageError(self.name, f"{self.format} image that {reason}, which is not read here{then}")

    @property
    def layers(self) -> tuple[Layer, ...]:
        """This format, then what is below, then the other files."""
        found = [Layer(self.format, self.below.name, self.size, self.detail), *(layers_of(self.below) or ())]
        for other in self.others:
            found += layers_of(other) or (Layer("raw", other.name, other.size),)
        return tuple(found)

    def close(self) -> None:
        """Close the file and the others."""
        for disk in (self.below, *self.others):
            disk.close()


class Padded:
    """A disk with zeros behind its end: a file's last cluster may be cut short, a backing file may be smaller."""

    def __init__(self, below: Disk) -> None:
        self.below = below
        self.name = below.name
        self.size = LARGEST_DISK

    def read(self, offset: int, length: int) -> bytes:
        """Read exactly `length` bytes."""
        there = max(0, min(length, self.below.size - offset))
        return (self.below.read(offset, there) if there else b"") + bytes(length - there)

    def readinto(self, offset: int, buffer: memoryview) -> None:
        """Fill a buffer."""
        there = max(0, min(len(buffer), self.below.size - offset))
        if there:
            read_into(self.below, offset, buffer[:there])
        if there < len(buffer):
            buffer[there:] = bytes(len(buffer) - there)

    def close(self) -> None:
        """Leave that to the owner."""


class Whole(Padded):
    """A file whose blocks are written whole, as VHD, VHDX and VDI have it: where one ends early, the file was cut."""

    def read(self, offset: int, length: int) -> bytes:
        """Read exactly `length` bytes; raises ImageError where the file ends before."""
        self._hold(offset, length)
        return super().read(offset, length)

    def readinto(self, offset: int, buffer: memoryview) -> None:
        """Fill a buffer; raises ImageError where the file ends before."""
        self._hold(offset, len(buffer))
        super().readinto(offset, buffer)

    def _hold(self, offset: int, length: int) -> None:
        end = self.below.size
        if offset + length > end:
            raise ImageError(self.name, "is truncated: it ends in the middle of a block, so copy it anew", end)


class Table:
    """A table of numbers in a file, read a page at a time: what an image claims costs nothing before it is used.

    disk: the file. offset: of the table, in bytes. entries: how many. code: `I` or `Q`, of 4 or 8 bytes. order: of the
    bytes. A table must lie inside the file: `inside` tells.
    """

    def __init__(self, disk: Disk, offset: int, entries: int, code: Literal["I", "Q"], order: str) -> None:
        self.disk = disk
        self.offset = offset
        self.entries = entries
        self._code = code
        self._width = array(code).itemsize
        self._swap = order != byteorder
        self._pages: OrderedDict[int, Sequence[int]] = OrderedDict()

    @property
    def inside(self) -> bool:
        """True when the whole table lies inside the file."""
        return self.offset >= 0 and self.offset + self.entries * self._width <= self.disk.size

    def page(self, index: int) -> tuple[Sequence[int], int]:
        """The page that an entry is in, and where in it; raises ImageError when it cannot be read."""
        number, place = divmod(index, PAGE)
        page = self._pages.get(number)
        if page is None:
            first = number * PAGE
            count = min(PAGE, self.entries - first)
            raw = self.disk.read(self.offset + first * self._width, count * self._width)
            page = numbers(raw, self._code, self._swap)
            self._pages[number] = page
            if len(self._pages) > PAGES_KEPT:
                self._pages.popitem(last=False)
        return page, place

    def __getitem__(self, index: int) -> int:
        page, place = self.page(index)
        return page[place]


def numbers(raw: bytes, code: str, swap: bool) -> Sequence[int]:
    """Bytes as numbers."""
    found = array(code)
    found.frombytes(raw)
    if swap:
        found.byteswap()
    return found


def merged(pieces: Iterator[Piece]) -> Iterator[Piece]:
    """The same pieces, those that lie behind each other in one disk taken together."""
    size = 0
    source: Source = None
    at = 0
    for length, where, begin in pieces:
        if size and where is source and (where is None or begin == at + size):
            size += length
            continue
        if size:
            yield size, source, at
        size, source, at = length, where, begin
    if size:
        yield size, source, at
