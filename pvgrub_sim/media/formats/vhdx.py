"""VHDX: fixed, dynamic and differencing ([MS-VHDX])."""

from __future__ import annotations

from collections.abc import Iterator

from pvgrub_sim.errors import ImageError
from pvgrub_sim.media.access import Context
from pvgrub_sim.media.disk import Disk
from pvgrub_sim.media.formats.bitmaps import runs
from pvgrub_sim.media.formats.mapped import Mapped, Padded, Piece, Table, Whole, merged
from pvgrub_sim.media.formats.parents import open_named_parent
from pvgrub_sim.media.formats.vhdx_log import replayed
from pvgrub_sim.ondisk import vhdx as layout
from pvgrub_sim.safetext import quoted
from pvgrub_sim.typed import Final

SMALLEST_BLOCK: Final = 1 << 20
LARGEST_BLOCK: Final = 256 << 20
LONGEST_LOCATOR: Final = 64 << 10


def open_vhdx(below: Disk, context: Context) -> Disk:
    """The disk inside a VHDX image; its log is done in memory. Raises ImageError."""
    header = _header(below)
    metadata = _Metadata(replayed(below, header))
    disk = Vhdx(below, header, metadata)
    if disk.has_parent:
        disk.open_parent(context)
    return disk


def _damaged(file: Disk, reason: str, offset: int | None = None) -> ImageError:
    return ImageError(file.name, f"damaged vhdx image: {reason}", offset)


def _read(file: Disk, offset: int, length: int, what: str) -> bytes:
    if offset + length > file.size:
        raise _damaged(file, f"{what} lies outside of the file", offset)
    return file.read(offset, length)


def _header(below: Disk) -> layout.Header:
    """The header in force; raises ImageError when neither is sound."""
    found = [layout.parse_header(_read(below, at, layout.HEADER_SIZE, "a header")) for at in layout.HEADERS_AT]
    sound = [header for header in found if header is not None]
    if not sound:
        raise _damaged(below, "no header with a right checksum", layout.HEADERS_AT[0])
    header = max(sound, key=lambda one: one.sequence)
    if header.version != 1:
        raise ImageError(below.name, f"vhdx image of the unknown version {header.version}, which is not read here")
    return header


class _Metadata:
    """The region table and the metadata of a file.

    file: with its log done. Raises ImageError.
    """

    def __init__(self, file: Disk) -> None:
        self.file = file
        regions = self._regions()
        if layout.BAT not in regions or layout.METADATA not in regions:
            raise _damaged(file, "it has no table of blocks, or no metadata", layout.REGION_TABLES_AT[0])
        self.bat = regions[layout.BAT]
        self._items = self._entries(*regions[layout.METADATA])

    def _regions(self) -> dict[bytes, tuple[int, int]]:
        """Offset and length of each region, in bytes; from the copy where the first table is damaged."""
        for at in layout.REGION_TABLES_AT:
            raw = _read(self.file, at, layout.REGION_TABLE_SIZE, "a region table")
            signature, _, count, _ = layout.REGION_HEADER.unpack_from(raw)
            if signature != b"regi" or count > layout.MOST_ENTRIES or not layout.sound(raw):
                continue
            regions = {}
            for index in range(count):
                place = layout.REGION_HEADER.size + index * layout.REGION.size
                guid, offset, length, flags = layout.REGION.unpack_from(raw, place)
                if guid not in (layout.BAT, layout.METADATA) and flags & layout.REQUIRED_REGION:
                    raise ImageError(
                        self.file.name,
                        f"vhdx image with the unknown region {layout.guid_text(guid)}, which is not read here",
                    )
                regions[guid] = (offset, length)
            return regions
        raise _damaged(self.file, "no region table with a right checksum", layout.REGION_TABLES_AT[0])

    def _entries(self, offset: int, length: int) -> dict[bytes, tuple[int, int]]:
        """Offset in the file and length of each item."""
        raw = _read(self.file, offset, layout.METADATA_TABLE_SIZE, "the metadata")
        signature, _, count, _ = layout.METADATA_HEADER.unpack_from(raw)
        if signature != b"metadata" or count > layout.MOST_ENTRIES:
            raise _damaged(self.file, "a metadata table that is none", offset)
        items = {}
        for index in range(count):
            place = layout.METADATA_HEADER.size + index * layout.METADATA_ENTRY.size
            guid, at, size, flags, _ = layout.METADATA_ENTRY.unpack_from(raw, place)
            if guid not in layout.KNOWN_ITEMS and flags & layout.REQUIRED_ITEM:
                raise ImageError(
                    self.file.name, f"vhdx image with the unknown item {layout.guid_text(guid)}, which is not read here"
                )
            if at + size > length:
                raise _damaged(self.file, "an item lies outside of the metadata", offset + place)
            items[guid] = (offset + at, size)
        return items

    def number(self, guid: bytes, size: int) -> int:
        """An item that is a number of so many bytes."""
        at, length = self._items.get(guid, (0, 0))
        if length < size:
            raise _damaged(self.file, "the metadata lacks an item")
        return int.from_bytes(_read(self.file, at, size, "an item"), "little")

    def parent(self) -> dict[str, str]:
        """The keys and values of the parent locator."""
        at, length = self._items.get(layout.PARENT_LOCATOR, (0, 0))
        if length < 20 or length > LONGEST_LOCATOR:
            raise _damaged(self.file, "it names no parent", at)
        raw = _read(self.file, at, length, "the parent locator")
        found = {}
        for index in range(min(int.from_bytes(raw[18:20], "little"), (length - 20) // 12)):
            entry = raw[20 + index * 12 : 32 + index * 12]
            key, value = int.from_bytes(entry[:4], "little"), int.from_bytes(entry[4:8], "little")
            key_end = key + int.from_bytes(entry[8:10], "little")
            value_end = value + int.from_bytes(entry[10:12], "little")
            name = raw[key:key_end].decode("utf-16-le", "replace")
            found[name] = raw[value:value_end].decode("utf-16-le", "replace").rstrip("\0")
        return found


class Vhdx(Mapped):
    """A VHDX image.

    below: the file. Raises ImageError.
    """

    def __init__(self, below: Disk, header: layout.Header, metadata: _Metadata) -> None:
        super().__init__(below, "vhdx", metadata.number(layout.DISK_SIZE, 8))
        self.header = header
        parameters = metadata.number(layout.FILE_PARAMETERS, 8)
        self.block = block = parameters & 0xFFFFFFFF
        flags = parameters >> 32
        self.has_parent = bool(flags & layout.HAS_PARENT)
        self.sector = metadata.number(layout.LOGICAL_SECTOR, 4)
        if block & (block - 1) or not SMALLEST_BLOCK <= block <= LARGEST_BLOCK or self.sector not in (512, 4096):
            raise self.damaged(f"blocks of {block} bytes, sectors of {self.sector}")
        kind = "differencing" if self.has_parent else "fixed" if flags & layout.LEAVE_ALLOCATED else "dynamic"
        self._file = metadata.file
        self._metadata = metadata
        replay = ", its log done in memory" if self._file is not below else ""
        self.detail = f"{kind}, blocks of {block}{replay}"
        self._chunk = layout.SECTORS_PER_BITMAP * self.sector // block
        blocks = -(-self.size // block)
        needed = blocks + (blocks - 1) // self._chunk if blocks else 0
        if self.has_parent:
            needed = -(-blocks // self._chunk) * (self._chunk + 1)
        offset, length = metadata.bat
        self._bat = Table(self._file, offset, needed, "Q", "little")
        if needed * 8 > length or not self._bat.inside:
            raise self.damaged("the block allocation table is too small, or lies outside of the file", offset)
        self._data = Whole(self._file)
        self._parent: Disk | None = None

    def open_parent(self, context: Context) -> None:
        """Open the disk that this one holds the differences to; raises ImageError when it is not to be had."""
        keys = self._metadata.parent()
        names = [keys[key].replace("\\", "/") for key in ("relative_path",) if keys.get(key)]
        names += [keys[key].replace("\\", "/").rpartition("/")[2] for key in ("absolute_win32_path",) if keys.get(key)]
        self.detail += f", parent {quoted(names[0])}" if names else ""
        name, parent = open_named_parent(self.below, names, "vhdx", context)
        self.others.append(parent)
        linkage = {keys.get(key, "").strip("{}").lower() for key in ("parent_linkage", "parent_linkage2")}
        if isinstance(parent, Vhdx) and layout.guid_text(parent.header.data_write) not in linkage:
            parent.close()
            raise self.damaged(f"the parent {quoted(name)} is not as it was when this was made of it")
        self._parent = Padded(parent)

    def _pieces(self, offset: int, length: int) -> Iterator[Piece]:
        return merged(self._blocks(offset, length))

    def _blocks(self, offset: int, length: int) -> Iterator[Piece]:
        end = offset + length
        while offset < end:
            index, begin = divmod(offset, self.block)
            size = min(end - offset, self.block - begin)
            place = index + index // self._chunk
            entry = self._bat[place]
            state, at = entry & layout.STATE, entry & layout.OFFSET_MASK
            if state in (layout.FULLY_PRESENT, layout.PARTIALLY_PRESENT):
                self._inside(at, place)
            if state == layout.FULLY_PRESENT:
                yield size, self._data, at + begin
            elif state == layout.PARTIALLY_PRESENT and self.has_parent:
                yield from self._sectors(index, at, offset, begin, size)
            elif state == layout.NOT_PRESENT:
                yield size, self._parent, offset
            elif state in (layout.UNDEFINED, layout.ZERO, layout.UNMAPPED, layout.UNMAPPED_V1):
                yield size, None, 0
            else:
                raise self.damaged(f"a block in the state {state}", self._bat.offset + place * 8)
            offset += size

    def _inside(self, at: int, place: int) -> None:
        if not (1 << 20) <= at < self._file.size:
            raise self.damaged(f"a block at {at} lies outside of the file", self._bat.offset + place * 8)

    def _sectors(self, index: int, at: int, offset: int, begin: int, size: int) -> Iterator[Piece]:
        """The sectors of a block: those whose bit is set lie here, the others in the parent."""
        chunk, number = divmod(index, self._chunk)
        place = (chunk + 1) * self._chunk + chunk
        entry = self._bat[place]
        if entry & layout.STATE != layout.FULLY_PRESENT:
            raise self.damaged("a block with sectors here and there has no bitmap", self._bat.offset + place * 8)
        bitmap_at = entry & layout.OFFSET_MASK
        self._inside(bitmap_at, place)
        share = self.block // self.sector // 8
        bitmap = self._data.read(bitmap_at + number * share, share)
        for here, start, length in runs(bitmap, begin, size, first_bit_is_high=False, sector=self.sector):
            yield length, self._data if here else self._parent, (at + begin if here else offset) + start
