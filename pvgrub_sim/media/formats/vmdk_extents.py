"""The extents of a VMDK: flat files, sparse ones of hosted products and of ESX, and stream-optimised ones."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from pvgrub_sim.errors import ImageError
from pvgrub_sim.media.disk import SECTOR_SIZE, Disk
from pvgrub_sim.media.formats.deflate import inflate
from pvgrub_sim.media.formats.mapped import Padded, Piece, Table
from pvgrub_sim.media.formats.packed import Packed, Unpacker
from pvgrub_sim.ondisk import vmdk as layout
from pvgrub_sim.typed import Final, Protocol

TABLES_KEPT: Final = 256


class Extent(Protocol):
    """A stretch of a disk. size: in bytes. detail: what is worth telling."""

    size: int
    detail: str

    def pieces(self, offset: int, length: int, parent: Disk | None, before: int) -> Iterator[Piece]:
        """Where a stretch of it lies; what is not here lies in the parent, at `before` bytes more."""


class ZeroExtent:
    """An extent of zeros, which has no file."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.detail = "zeros"

    def pieces(self, offset: int, length: int, parent: Disk | None, before: int) -> Iterator[Piece]:
        """Zeros."""
        yield length, None, 0


class FlatExtent:
    """An extent whose bytes lie in a file as they are.

    file: where. begin, size: in bytes. Raises ImageError when the file is too short.
    """

    def __init__(self, file: Disk, begin: int, size: int) -> None:
        if begin + size > file.size:
            raise ImageError(file.name, f"is too short for a flat extent of {size} bytes at {begin}", file.size)
        self.size = size
        self.detail = "flat"
        self._file = file
        self._begin = begin

    def pieces(self, offset: int, length: int, parent: Disk | None, before: int) -> Iterator[Piece]:
        """One piece."""
        yield length, self._file, self._begin + offset


class SparseExtent:
    """An extent of grains that lie where a directory and its tables say.

    file: where. header: of it. Raises ImageError.
    """

    def __init__(self, file: Disk, header: layout.SparseHeader) -> None:
        self._file = file
        self._data = Padded(file)
        if header.flags & layout.NEWLINE_CHECK and header.check != layout.CHECK_BYTES:
            raise self._damaged("its line ends were changed, as a transfer of text does", 0)
        if header.directory == layout.AT_END:
            header = self._footer()
        if not 1 <= header.version <= 3:
            raise ImageError(file.name, f"vmdk image of the unknown version {header.version}, which is not read here")
        if header.compression not in (0, layout.DEFLATE):
            raise ImageError(
                file.name, f"vmdk image with the unknown compression {header.compression}, which is not read here"
            )
        entries = header.table_entries
        if not 0 < entries <= layout.LARGEST_TABLE or not 0 < header.grain <= layout.LARGEST_GRAIN:
            raise self._damaged(f"grains of {header.grain} sectors, tables of {entries}", 0)
        self.detail = "stream-optimised" if header.compression else "sparse"
        self._packed = bool(header.compression)
        self._markers = bool(header.flags & layout.MARKERS)
        self._zeroed = bool(header.flags & layout.ZEROED_GRAINS)
        self._unpacker = Unpacker(self._fetch, self._unpack)
        self._last_unpacker = Unpacker(self._fetch, self._unpack_last)
        self._set_up(header.capacity, header.grain, entries, header.directory)

    def _set_up(self, capacity: int, grain: int, entries: int, directory: int) -> None:
        """The directory; all in sectors."""
        self.size = capacity * SECTOR_SIZE
        self.detail += f", grains of {grain * SECTOR_SIZE}"
        self._grain = grain * SECTOR_SIZE
        self._entries = entries
        needed = -(-self.size // (self._grain * entries))
        self._directory = Table(self._file, directory * SECTOR_SIZE, needed, "I", "little")
        if not self._directory.inside:
            raise self._damaged("the grain directory lies outside of the file", directory * SECTOR_SIZE)
        self._tables: OrderedDict[int, Table] = OrderedDict()

    def _damaged(self, reason: str, offset: int) -> ImageError:
        return ImageError(self._file.name, f"damaged vmdk image: {reason}", offset)

    def _footer(self) -> layout.SparseHeader:
        """The footer of a stream, which stands before the marker of its end."""
        at = self._file.size // SECTOR_SIZE * SECTOR_SIZE - 2 * SECTOR_SIZE
        footer = layout.parse_sparse(self._file.read(at, SECTOR_SIZE)) if at > 0 else None
        if footer is None or footer.directory == layout.AT_END:
            raise self._damaged("its footer is missing: it is cut short", max(at, 0))
        return footer

    def pieces(self, offset: int, length: int, parent: Disk | None, before: int) -> Iterator[Piece]:
        """Grain by grain."""
        end = offset + length
        grain, entries = self._grain, self._entries
        while offset < end:
            number, begin = divmod(offset, grain)
            index, place = divmod(number, entries)
            table = self._table(index)
            if table is None:
                size = min(end, (index + 1) * entries * grain) - offset
                yield size, parent, before + offset
                offset += size
                continue
            size = min(end - offset, grain - begin)
            sector = table[place]
            if not sector:
                yield size, parent, before + offset
            elif sector == layout.ZEROED and self._zeroed:
                yield size, None, 0
            else:
                is_last = (number + 1) * grain > self.size
                yield self._grain_piece(sector * SECTOR_SIZE, begin, size, table.offset + place * 4, is_last)
            offset += size

    def _grain_piece(self, at: int, begin: int, size: int, entry_at: int, is_last: bool) -> Piece:
        if at >= self._file.size:
            raise self._damaged(f"a grain at {at} lies outside of the file", entry_at)
        if not self._packed:
            return size, self._data, at + begin
        return size, Packed(self._last_unpacker if is_last else self._unpacker, at, self._grain), begin

    def _table(self, index: int) -> Table | None:
        table = self._tables.get(index)
        if table is None:
            at = self._directory[index] * SECTOR_SIZE
            if not at:
                return None
            table = Table(self._file, at, self._entries, "I", "little")
            if not table.inside:
                raise self._damaged("a grain table lies outside of the file", at)
            self._tables[index] = table
            if len(self._tables) > TABLES_KEPT:
                self._tables.popitem(last=False)
        return table

    def _fetch(self, at: int, size: int) -> bytes:
        """The packed bytes of a grain, which a marker tells the length of."""
        if self._markers:
            _, length = layout.MARKER.unpack(self._data.read(at, layout.MARKER.size))
            at += layout.MARKER.size
        else:
            length = 2 * size
        if length > 2 * size + SECTOR_SIZE:
            raise self._damaged(f"a grain of {length} packed bytes", at)
        return self._data.read(at, length)

    def _unpack(self, packed: bytes, at: int, least: int | None = None) -> bytes:
        try:
            grain = inflate(packed, self._grain, window=15)
        except ValueError as error:
            raise self._damaged(f"a grain does not unpack: {error}", at) from None
        if len(grain) < (self._grain if least is None else least):
            raise self._damaged(f"a grain unpacks to {len(grain)} bytes of {self._grain}", at)
        return grain

    def _unpack_last(self, packed: bytes, at: int) -> bytes:
        """The last grain, where the disk ends in it: some writers stop there."""
        return self._unpack(packed, at, self.size % self._grain)


class CowdExtent(SparseExtent):
    """A sparse extent of ESX (vmfsSparse)."""

    def __init__(self, file: Disk) -> None:
        self._file = file
        self._data = Padded(file)
        raw = file.read(0, min(layout.HEADER_SIZE, file.size))
        if len(raw) < layout.COWD_HEADER.size:
            raise self._damaged("the header is cut short", 0)
        _, version, _, sectors, grain, directory, _ = layout.COWD_HEADER.unpack_from(raw)
        if version != 1 or not 0 < grain <= layout.LARGEST_GRAIN:
            raise self._damaged(f"version {version}, grains of {grain} sectors", 0)
        self.detail = "ESX sparse"
        self._packed = self._markers = self._zeroed = False
        self._set_up(sectors, grain, layout.COWD_TABLE, directory)


def open_sparse(file: Disk) -> SparseExtent | None:
    """The sparse extent that a file is, None where it is none; raises ImageError."""
    head = file.read(0, min(layout.HEADER_SIZE, file.size))
    if head[:4] == layout.COWD_MAGIC:
        return CowdExtent(file)
    header = layout.parse_sparse(head)
    return None if header is None else SparseExtent(file, header)
