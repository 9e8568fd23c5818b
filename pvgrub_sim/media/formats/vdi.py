"""VDI, dynamic and fixed (VirtualBox, src/VBox/Storage/VDI.cpp; qemu, block/vdi.c)."""

from __future__ import annotations

from collections.abc import Iterator

from pvgrub_sim.errors import ImageError
from pvgrub_sim.media.access import Context
from pvgrub_sim.media.disk import SECTOR_SIZE, Disk
from pvgrub_sim.media.formats.mapped import Mapped, Piece, Table, Whole, merged
from pvgrub_sim.ondisk import vdi as layout
from pvgrub_sim.typed import Final

_CLONE: Final = "`VBoxManage clonemedium disk IMAGE disk.raw --format RAW` makes one of it, if VirtualBox has all of it"


def open_vdi(below: Disk, context: Context) -> Disk:
    """The disk inside a VDI image; raises ImageError. A differencing one names its parent by a UUID only: refused."""
    return Vdi(below)


class Vdi(Mapped):
    """A VDI image.

    below: the file. Raises ImageError.
    """

    def __init__(self, below: Disk) -> None:
        if below.size < layout.HEADER_AT + layout.HEADER.size:
            raise ImageError(below.name, "damaged vdi image: the header is cut short", 0)
        raw = below.read(0, layout.HEADER_AT + layout.HEADER.size)
        _, signature, version = layout.PRE_HEADER.unpack_from(raw)
        _, kind, _, _, map_at, data_at, _, _, _, sector, _, size, block, extra, blocks, *_ = layout.HEADER.unpack_from(
            raw, layout.HEADER_AT
        )
        super().__init__(below, "vdi", -(-size // SECTOR_SIZE) * SECTOR_SIZE)
        if signature != layout.SIGNATURE:
            raise self.damaged("it has not the signature", 64)
        if version >> 16 != 1:
            raise self.refused(f"is of version {version >> 16}.{version & 0xFFFF}", _CLONE)
        if kind not in (layout.DYNAMIC, layout.FIXED):
            raise self.refused(f"is {layout.TYPES.get(kind, f'of type {kind}')}", _CLONE)
        if extra or sector != SECTOR_SIZE:
            raise self.refused(f"has sectors of {sector} bytes and {extra} extra bytes a block", _CLONE)
        if block < SECTOR_SIZE or block & (block - 1):
            raise self.damaged(f"blocks of {block} bytes", layout.HEADER_AT)
        needed = -(-size // block)
        if blocks < needed:
            raise self.damaged(f"a map of {blocks} blocks for {size} bytes", layout.HEADER_AT)
        self.block = block
        self.detail = f"{layout.TYPES[kind]}, blocks of {block}"
        self._data_at = data_at
        self._data = Whole(below)
        self._map = Table(below, map_at, needed, "I", "little")
        if not self._map.inside:
            raise self.damaged("the block map lies outside of the file", map_at)

    def _pieces(self, offset: int, length: int) -> Iterator[Piece]:
        return merged(self._blocks(offset, length))

    def _blocks(self, offset: int, length: int) -> Iterator[Piece]:
        end = offset + length
        while offset < end:
            index, begin = divmod(offset, self.block)
            size = min(end - offset, self.block - begin)
            number = self._map[index]
            if number >= layout.ZERO:
                yield size, None, 0
            else:
                place = self._data_at + number * self.block
                if place >= self.below.size:
                    raise self.damaged(f"a block at {place} lies outside of the file", self._map.offset + index * 4)
                yield size, self._data, place + begin
            offset += size
