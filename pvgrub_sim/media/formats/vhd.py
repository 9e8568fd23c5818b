"""VHD: fixed, dynamic and differencing (Microsoft, Virtual Hard Disk Image Format Specification 1.0)."""

from __future__ import annotations

from collections.abc import Iterator

from pvgrub_sim.errors import ImageError
from pvgrub_sim.media.access import Context
from pvgrub_sim.media.disk import SECTOR_SIZE, Disk
from pvgrub_sim.media.formats.bitmaps import runs
from pvgrub_sim.media.formats.mapped import Mapped, Padded, Piece, Table, Whole, merged
from pvgrub_sim.media.formats.parents import open_named_parent
from pvgrub_sim.ondisk import vhd as layout
from pvgrub_sim.safetext import quoted
from pvgrub_sim.typed import Final

LARGEST_BLOCK: Final = 256 << 20
LONGEST_LOCATOR: Final = 4096
_ENCODINGS: Final = {b"W2ru": "utf-16-le", b"W2ku": "utf-16-le", b"MacX": "utf-8"}


def open_vhd(below: Disk, context: Context) -> Disk:
    """The disk inside a VHD image; raises ImageError."""
    footer = _footer(below)
    if footer.type == layout.FIXED:
        return FixedVhd(below, footer)
    if footer.type not in (layout.DYNAMIC, layout.DIFFERENCING):
        raise ImageError(below.name, f"vhd image of the unknown type {footer.type}, which is not read here")
    disk = DynamicVhd(below, footer)
    if footer.type == layout.DIFFERENCING:
        disk.open_parent(context)
    return disk


def _footer(below: Disk) -> layout.Footer:
    """The footer, or its copy at the start; raises ImageError when neither is sound."""
    if below.size >= layout.FOOTER_SIZE:
        for at in (0, below.size - layout.FOOTER_SIZE):
            footer = layout.parse_footer(below.read(at, layout.FOOTER_SIZE))
            if footer is not None:
                return footer
    raise ImageError(below.name, "damaged vhd image: no footer with a right checksum", max(0, below.size - 512))


class FixedVhd(Mapped):
    """A fixed VHD: the disk from byte 0 on, with a footer behind it."""

    def __init__(self, below: Disk, footer: layout.Footer) -> None:
        super().__init__(below, "vhd", footer.size // SECTOR_SIZE * SECTOR_SIZE)
        self.detail = "fixed"
        if self.size > below.size:
            raise self.damaged(f"a fixed disk of {self.size} bytes in a file of {below.size}")

    def _pieces(self, offset: int, length: int) -> Iterator[Piece]:
        yield length, self.below, offset


class DynamicVhd(Mapped):
    """A dynamic VHD, or a differencing one once its parent is open.

    QUIRK: a dynamic disk's sector bitmaps are not looked at, as in qemu and Hyper-V, whose blocks are whole.
    """

    def __init__(self, below: Disk, footer: layout.Footer) -> None:
        super().__init__(below, "vhd", footer.size // SECTOR_SIZE * SECTOR_SIZE)
        self.id = footer.id
        at = footer.data_offset
        try:
            there = at + layout.DYNAMIC_SIZE <= below.size
            self.header = layout.parse_dynamic(below.read(at, layout.DYNAMIC_SIZE) if there else b"")
        except ValueError as error:
            raise self.damaged(str(error), at) from None
        self.block = block = self.header.block_size
        if block < SECTOR_SIZE or block & (block - 1) or block > LARGEST_BLOCK:
            raise self.damaged(f"blocks of {block} bytes", at)
        self.detail = f"dynamic, blocks of {block}"
        self._bitmap = -(-block // SECTOR_SIZE // 8 // SECTOR_SIZE) * SECTOR_SIZE
        needed = -(-self.size // block)
        if self.header.entries < needed:
            raise self.damaged(f"a table of {self.header.entries} blocks for {self.size} bytes", at)
        self._table = Table(below, self.header.table_offset, needed, "I", "big")
        if not self._table.inside:
            raise self.damaged("the block allocation table lies outside of the file", self.header.table_offset)
        self._data = Whole(below)
        self._parent: Disk | None = None

    def open_parent(self, context: Context) -> None:
        """Open the disk that this one holds the differences to; raises ImageError when it is not to be had."""
        self.detail = f"differencing, blocks of {self.block}, parent {quoted(self.header.parent_name)}"
        # As libvhd of Xen's blktap (vhd_parent_raw): the bytes of a parent without a number are the disk's, whatever
        # they are; `vhd-util snapshot -m` takes a VHD so as well.
        kind = "vhd" if any(self.header.parent_id) else "raw"
        name, parent = open_named_parent(self.below, self._parent_names(), kind, context)
        self.others.append(parent)
        if isinstance(parent, FixedVhd | DynamicVhd) and _footer(parent.below).id != self.header.parent_id:
            parent.close()
            raise self.damaged(f"the parent {quoted(name)} is another disk than the one that this was made of")
        self._parent = Padded(parent)

    def _parent_names(self) -> Iterator[str]:
        """The parent's names as the image has them, the relative ones first; of an absolute one only the last part."""
        found: dict[bytes, str] = {}
        for platform, length, at in self.header.locators:
            encoding = _ENCODINGS.get(platform)
            if encoding and 0 < length <= LONGEST_LOCATOR and at + length <= self.below.size:
                found.setdefault(platform, layout.utf16(self.below.read(at, length), encoding))
        for platform in (b"W2ru", b"MacX"):
            if platform in found:
                yield found[platform].removeprefix("file://").replace("\\", "/")
        for name in (found.get(b"W2ku", ""), self.header.parent_name):
            if name:
                yield name.replace("\\", "/").rpartition("/")[2]

    def _pieces(self, offset: int, length: int) -> Iterator[Piece]:
        return merged(self._blocks(offset, length))

    def _blocks(self, offset: int, length: int) -> Iterator[Piece]:
        end = offset + length
        while offset < end:
            index, begin = divmod(offset, self.block)
            size = min(end - offset, self.block - begin)
            sector = self._table[index]
            if sector == layout.UNALLOCATED:
                yield size, self._parent, offset
            else:
                place = sector * SECTOR_SIZE
                if place + self._bitmap >= self.below.size:
                    raise self.damaged(f"a block at {place} lies outside of the file", self._table.offset + index * 4)
                data = place + self._bitmap + begin
                if self._parent is None:
                    yield size, self._data, data
                else:
                    yield from self._sectors(place, data, offset, begin, size)
            offset += size

    def _sectors(self, place: int, data: int, offset: int, begin: int, size: int) -> Iterator[Piece]:
        """The sectors of a block: those whose bit is set lie here, the others in the parent."""
        bitmap = self.below.read(place, self._bitmap)
        for here, start, length in runs(bitmap, begin, size, first_bit_is_high=True):
            yield length, self._data if here else self._parent, (data if here else offset) + start
