"""FAT12, FAT16 and FAT32 with long names (Microsoft, "FAT32 File System Specification" 1.03)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from pvgrub_sim.survey.area import Area, Damaged
from pvgrub_sim.survey.tree import Node, NodeType, Run
from pvgrub_sim.typed import Final, Self
from pvgrub_sim.values import NamedTuple

ENTRY: Final = 32
WINDOW: Final = 4096
LARGEST_DIRECTORY: Final = 4 << 20
"""Bytes; 65536 entries of 32 bytes are what the specification allows."""
ATTR_VOLUME, ATTR_DIRECTORY, ATTR_LONG = 0x08, 0x10, 0x0F
ROOT: Final = 0
"""The root directory's number; other entries are numbered by the byte offset of their directory entry."""


class BootSector(NamedTuple):
    """A FAT's geometry, in bytes where not said otherwise.

    width: bits of a FAT entry. fat, root, data: offsets. root_size: 0 in FAT32, whose root is a chain that begins at
    root_cluster. clusters: how many there are.
    """

    width: int
    sector: int
    cluster: int
    fat: int
    root: int
    root_size: int
    root_cluster: int
    data: int
    clusters: int
    size: int
    label: bytes
    serial: int
    dirty: bool

    @classmethod
    def parse(cls, raw: bytes) -> Self | None:
        """From the first 512 bytes; None when it is no FAT."""
        if len(raw) < 512 or raw[0] not in (0xE9, 0xEB):
            return None
        sector, per_cluster, reserved, fats, roots, short, media, fat16 = struct.unpack_from("<HBHBHHBH", raw, 11)
        if sector not in (512, 1024, 2048, 4096) or not per_cluster or per_cluster & (per_cluster - 1):
            return None
        if not reserved or fats not in (1, 2) or media < 0xF0:
            return None
        total = short or int.from_bytes(raw[32:36], "little")
        fat_size = fat16 or int.from_bytes(raw[36:40], "little")
        root_sectors = -(-roots * ENTRY // sector)
        data = reserved + fats * fat_size + root_sectors
        if not fat_size or total <= data:
            return None
        clusters = (total - data) // per_cluster
        wide = not fat16
        width = 32 if wide else 12 if clusters < 4085 else 16
        at = 64 if wide else 36
        signed = raw[at + 2] in (0x28, 0x29)
        return cls(
            width=width,
            sector=sector,
            cluster=per_cluster * sector,
            fat=reserved * sector,
            root=(reserved + fats * fat_size) * sector,
            root_size=0 if wide else roots * ENTRY,
            root_cluster=int.from_bytes(raw[44:48], "little") if wide else 0,
            data=data * sector,
            clusters=clusters,
            size=total * sector,
            label=raw[at + 7 : at + 18] if raw[at + 2] == 0x29 else b"",
            serial=int.from_bytes(raw[at + 3 : at + 7], "little") if signed else 0,
            dirty=bool(raw[at + 1] & 1),
        )


class FatReader:
    """An honest reader of one FAT filesystem. area: where it lies."""

    folds = True

    def __init__(self, area: Area, boot: BootSector) -> None:
        self.area = area
        self.boot = boot
        self._window_at = -1
        self._window = b""

    def root(self) -> Node:
        """The root directory."""
        return Node(ROOT, NodeType.DIRECTORY, 0)

    def node(self, number: int) -> Node:
        """The node whose directory entry is at that byte offset."""
        if number == ROOT:
            return self.root()
        raw = self.area.read(number, ENTRY)
        directory = bool(raw[11] & ATTR_DIRECTORY)
        size = 0 if directory else int.from_bytes(raw[28:32], "little")
        return Node(number, NodeType.DIRECTORY if directory else NodeType.FILE, size, raw)

    def inline(self, node: Node) -> bytes | None:
        """FAT keeps nothing in an entry, but an empty file has no cluster."""
        return b"" if node.type is NodeType.FILE and not node.size else None

    def _first(self, node: Node) -> int:
        if node.number == ROOT:
            return self.boot.root_cluster
        high = int.from_bytes(node.record[20:22], "little") if self.boot.width == 32 else 0
        return int.from_bytes(node.record[26:28], "little") | high << 16

    def _next(self, cluster: int) -> int:
        width = self.boot.width
        if width == 12:
            pair = self._fat(cluster * 3 // 2, 2)
            return pair >> 4 if cluster & 1 else pair & 0xFFF
        return self._fat(cluster * (width // 8), width // 8) & 0x0FFFFFFF

    def _fat(self, at: int, width: int) -> int:
        """A number in the FAT at a byte offset; the table is read in stretches, since chains mostly run on."""
        begin = at - at % WINDOW
        if begin != self._window_at:
            # One byte more than the window: a 12-bit entry may lie across its end.
            self._window = self.area.peek(self.boot.fat + begin, WINDOW + 1)
            self._window_at = begin
        raw = self._window[at - begin : at - begin + width]
        if len(raw) < width:
            raise Damaged(f"the FAT ends before byte {at + width}")
        return int.from_bytes(raw, "little")

    def _chain(self, first: int, most: int) -> Iterator[tuple[int, int]]:
        """(byte offset, length) of the clusters of a chain, neighbours joined; raises Damaged when it is not sound.

        most: bytes that it may have, over which it ends.
        """
        boot = self.boot
        end = {12: 0xFF8, 16: 0xFFF8, 32: 0x0FFFFFF8}[boot.width]
        begin = cluster = first
        for _ in range(min(boot.clusters, most // boot.cluster) + 1):
            if not 2 <= cluster < boot.clusters + 2:
                raise Damaged(f"a chain of clusters leads to {cluster} of {boot.clusters}")
            following = self._next(cluster)
            if following != cluster + 1:
                yield boot.data + (begin - 2) * boot.cluster, (cluster - begin + 1) * boot.cluster
                begin = following
            if following >= end:
                return
            cluster = following
        yield boot.data + (begin - 2) * boot.cluster, (cluster - begin) * boot.cluster

    def runs(self, node: Node) -> Iterator[Run]:
        """Where a file's bytes lie."""
        at = 0
        for place, length in self._chain(self._first(node), min(node.size, self.area.size)):
            take = min(length, node.size - at)
            if take <= 0:
                return
            yield Run(at, take, place)
            at += take
        if at < node.size:
            raise Damaged(f"a chain of clusters ends after {at} of {node.size} bytes")

    def _entries(self, node: Node) -> Iterator[tuple[int, bytes]]:
        """(byte offset, 32 bytes) of a directory's entries up to its end mark."""
        if node.number == ROOT and self.boot.root_size:
            stretches = iter([(self.boot.root, self.boot.root_size)])
        else:
            stretches = self._chain(self._first(node), LARGEST_DIRECTORY)
        passed = 0
        for place, length in stretches:
            passed += length
            for at in range(place, place + length, self.boot.sector):
                block = self.area.read(at, min(self.boot.sector, place + length - at))
                for within in range(0, len(block) - ENTRY + 1, ENTRY):
                    if not block[within]:
                        return
                    yield at + within, block[within : within + ENTRY]
        if passed > LARGEST_DIRECTORY:
            raise self.area.budget.give_up("a larger directory")

    def names(self, node: Node) -> Iterator[tuple[bytes, int]]:
        """The names in a directory: the long one where there is one, else 8.3 as mtools and Linux show it."""
        long: dict[int, bytes] = {}
        for at, raw in self._entries(node):
            if raw[0] == 0xE5:
                long.clear()
            elif raw[11] & 0x3F == ATTR_LONG:
                if raw[0] & 0x40:
                    long.clear()
                long[raw[0] & 0x3F] = raw[1:11] + raw[14:26] + raw[28:32]
            else:
                name = _long_name(long) or _short_name(raw)
                long.clear()
                if not raw[11] & ATTR_VOLUME and name not in (b".", b".."):
                    yield name, at

    def label(self) -> str:
        """The volume's label from the root directory, else from the boot sector."""
        for _, raw in self._entries(self.root()):
            if raw[0] != 0xE5 and raw[11] & ATTR_VOLUME and raw[11] & 0x3F != ATTR_LONG:
                return raw[:11].decode("cp437").rstrip()
        text = self.boot.label.decode("cp437").rstrip(" \0")
        return "" if text == "NO NAME" else text


def _long_name(parts: dict[int, bytes]) -> bytes:
    if not parts or set(parts) != set(range(1, len(parts) + 1)):
        return b""
    units = b"".join(parts[index] for index in sorted(parts)).decode("utf-16-le", "replace")
    return units.split("\0", 1)[0].encode("utf-8", "replace")


def _short_name(raw: bytes) -> bytes:
    """8.3 with the lower-case flags of byte 12 that Windows NT sets."""
    base, extension = (part.rstrip(b" ").decode("cp437") for part in (raw[:8], raw[8:11]))
    if raw[0] == 0x05:
        base = "\xe5" + base[1:]
    base = base.lower() if raw[12] & 0x08 else base
    extension = extension.lower() if raw[12] & 0x10 else extension
    return (f"{base}.{extension}" if extension else base).encode()
