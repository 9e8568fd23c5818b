"""VMDK: monolithic, split, stream-optimised and ESX images, with parents (VMware, Virtual Disk Format 5.0)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

from pvgrub_sim.errors import ImageError
from pvgrub_sim.media.access import Context
from pvgrub_sim.media.disk import SECTOR_SIZE, Disk
from pvgrub_sim.media.formats.beside import open_beside
from pvgrub_sim.media.formats.mapped import Mapped, Padded, Piece, merged
from pvgrub_sim.media.formats.vmdk_extents import Extent, FlatExtent, ZeroExtent, open_sparse
from pvgrub_sim.ondisk import vmdk as layout
from pvgrub_sim.safetext import cut, quoted
from pvgrub_sim.typed import Final

MOST_EXTENTS: Final = 1024
_FLAT: Final = ("FLAT", "VMFS")
_SPARSE: Final = ("SPARSE", "VMFSSPARSE")
_REFUSED: Final = {
    "SESPARSE": "an SEsparse extent of ESXi",
    "VMFSRDM": "a raw device of ESX",
    "VMFSRAW": "a raw device of ESX",
}


def open_vmdk(below: Disk, context: Context) -> Disk:
    """The disk inside a VMDK image: of a sparse file, or of the files that a descriptor names. Raises ImageError."""
    files: list[Disk] = []
    try:
        descriptor = _descriptor(below)
        extents = _extents(below, descriptor, context, files)
        disk = Vmdk(below, descriptor, extents, files)
        disk.open_parent(context)
    except BaseException:  # Ctrl-C as well; it is passed on
        for file in files:
            file.close()
        raise
    return disk


def _descriptor(below: Disk) -> layout.Descriptor:
    """The descriptor: the file itself, or a part of a sparse extent; empty where that has none."""
    head = below.read(0, min(layout.HEADER_SIZE, below.size))
    at, size = 0, below.size
    if (header := layout.parse_sparse(head)) is not None:
        at, size = header.descriptor * SECTOR_SIZE, header.descriptor_size * SECTOR_SIZE
        if not at:
            return layout.Descriptor({}, ())
    elif head[:4] == layout.COWD_MAGIC:
        return layout.Descriptor({}, ())
    if at >= below.size or size > layout.LONGEST_DESCRIPTOR:
        raise ImageError(below.name, "damaged vmdk image: the descriptor lies outside of the file, or is too long", at)
    return layout.parse_descriptor(below.read(at, min(size, below.size - at)))


def _extents(below: Disk, descriptor: layout.Descriptor, context: Context, files: list[Disk]) -> list[Extent]:
    """The extents in order; files: takes those that are opened."""
    head = below.read(0, min(layout.HEADER_SIZE, below.size))
    header = layout.parse_sparse(head)
    if head[:4] == layout.COWD_MAGIC or (header is not None and (header.capacity or not descriptor.extents)):
        one = open_sparse(below)
        return [] if one is None else [one]
    if len(descriptor.extents) > MOST_EXTENTS:
        raise ImageError(below.name, f"damaged vmdk image: {len(descriptor.extents)} extents")
    return [_extent(below, line, context, files) for line in descriptor.extents]


def _extent(below: Disk, line: layout.ExtentLine, context: Context, files: list[Disk]) -> Extent:
    if line.type in _REFUSED:
        raise ImageError(below.name, f"vmdk image of {_REFUSED[line.type]}, which is not read here")
    if line.type == "ZERO":
        return ZeroExtent(line.sectors * SECTOR_SIZE)
    if line.type not in _FLAT + _SPARSE:
        raise ImageError(below.name, f"vmdk image with an extent of the unknown type {quoted(line.type)}")
    file = open_beside(below, line.file, "raw", context, "extent")
    files.append(file)
    if line.type in _FLAT:
        return FlatExtent(file, line.offset * SECTOR_SIZE, line.sectors * SECTOR_SIZE)
    extent = open_sparse(file)
    if extent is None:
        raise ImageError(below.name, f"damaged vmdk image: the extent {quoted(line.file)} is no sparse extent")
    return extent


class Vmdk(Mapped):
    """A VMDK image.

    below: the file, of which the extents may be others. files: those, to be closed. Raises ImageError.
    """

    def __init__(self, below: Disk, descriptor: layout.Descriptor, extents: list[Extent], files: list[Disk]) -> None:
        super().__init__(below, "vmdk", sum(extent.size for extent in extents))
        if not extents:
            raise self.damaged("it has no extents")
        self.content_id = layout.content_id(descriptor.fields.get("cid", ""))
        self._fields = descriptor.fields
        self._extents = extents
        self._starts = [sum(extent.size for extent in extents[:index]) for index in range(len(extents))]
        self._parent: Disk | None = None
        self.others = files
        kinds = dict.fromkeys(extent.detail for extent in extents)
        self.detail = ", ".join(word for word in (cut(descriptor.fields.get("createtype", "")), *kinds) if word)

    def open_parent(self, context: Context) -> None:
        """Open the disk that this one holds the differences to, where there is one; raises ImageError."""
        named = self._fields.get("parentcid")
        parent_id = layout.NO_PARENT if named is None else layout.content_id(named)
        if parent_id == layout.NO_PARENT:
            return
        name = self._fields.get("parentfilenamehint", "")
        if not name:
            raise self.damaged("it names no parent")
        parent = open_beside(self.below, name, "vmdk", context, "parent")
        self.others.append(parent)
        self.detail += f", parent {quoted(name)}"
        if isinstance(parent, Vmdk) and (parent_id is None or parent.content_id != parent_id):
            raise self.damaged(f"the parent {quoted(name)} is not as it was when this was made of it")
        self._parent = Padded(parent)

    def _pieces(self, offset: int, length: int) -> Iterator[Piece]:
        return merged(self._all(offset, length))

    def _all(self, offset: int, length: int) -> Iterator[Piece]:
        end = offset + length
        index = bisect_right(self._starts, offset) - 1
        while offset < end:
            extent, start = self._extents[index], self._starts[index]
            size = min(end, start + extent.size) - offset
            yield from extent.pieces(offset - start, size, self._parent, start)
            offset += size
            index += 1
