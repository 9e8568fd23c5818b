"""XFS, versions 4 and 5, as Linux reads it: short-form, block, leaf, node and btree directories, with ftype.

Layouts: "XFS Algorithms & Data Structures", 3rd edition. Checksums are not verified, the log is not replayed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from pvgrub_sim.ondisk import xfs
from pvgrub_sim.survey.area import Area, Damaged, text_of, uuid_of
from pvgrub_sim.survey.tree import Node, NodeType, Run, fill, once
from pvgrub_sim.typed import Final, Self
from pvgrub_sim.values import NamedTuple

VERSION_DIRV2: Final = 0x2000
VERSION_MOREBITS: Final = 0x8000
FEATURES2_FTYPE: Final = 0x200
INCOMPAT_FTYPE: Final = 0x1
INCOMPAT_META_UUID: Final = 0x4
LEAF_SPACE: Final = 32 << 30
"""Byte offset in a directory from which on it holds its index, not its names (XFS_DIR2_LEAF_OFFSET)."""
FORMAT_LOCAL, FORMAT_EXTENTS, FORMAT_BTREE = 1, 2, 3
FLAGS2_NREXT64: Final = 1 << 4
DEEPEST: Final = 9

_DIR_BLOCK: Final = {b"XD2B": 16, b"XD2D": 16, b"XDB3": 64, b"XDD3": 64}
_TYPES: Final = {0x4: NodeType.DIRECTORY, 0x8: NodeType.FILE, 0xA: NodeType.LINK}
_EXTENT: Final = struct.Struct(">QQ")

VERSION_BITS: Final = {
    0x0010: "attr",
    0x0040: "quota",
    0x0080: "align",
    0x0100: "dalign",
    0x0400: "logv2",
    0x0800: "sector",
    0x1000: "extflg",
    0x2000: "dirv2",
    0x4000: "borg",
}
FEATURES2: Final = {0x02: "lazysbcount", 0x08: "attr2", 0x80: "projid32bit", 0x100: "crc", 0x200: "ftype"}
RO_COMPAT: Final = {0x1: "finobt", 0x2: "rmapbt", 0x4: "reflink", 0x8: "inobtcount"}
INCOMPAT: Final = {
    0x1: "ftype",
    0x2: "sparse",
    0x4: "meta_uuid",
    0x8: "bigtime",
    0x10: "needsrepair",
    0x20: "nrext64",
    0x40: "exchange",
    0x80: "parent",
    0x100: "metadir",
}


class Superblock(NamedTuple):
    """The fields that matter, under the kernel's names without the sb_ prefix; sizes in bytes, places in blocks."""

    blocksize: int
    dblocks: int
    uuid: bytes
    logstart: int
    rootino: int
    agblocks: int
    agcount: int
    logblocks: int
    versionnum: int
    sectsize: int
    inodesize: int
    inopblog: int
    agblklog: int
    fname: bytes
    dirblklog: int
    logsunit: int
    features2: int
    ro_compat: int
    incompat: int

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """From the first 512 bytes."""

        def be(at: int, width: int) -> int:
            return int.from_bytes(raw[at : at + width], "big")

        return cls(
            blocksize=be(xfs.SB_BLOCKSIZE, 4),
            dblocks=be(xfs.SB_DBLOCKS, 8),
            uuid=raw[xfs.SB_UUID],
            logstart=be(xfs.SB_LOGSTART, 8),
            rootino=be(xfs.SB_ROOTINO, 8),
            agblocks=be(xfs.SB_AGBLOCKS, 4),
            agcount=be(xfs.SB_AGCOUNT, 4),
            logblocks=be(xfs.SB_LOGBLOCKS, 4),
            versionnum=be(xfs.SB_VERSIONNUM, 2),
            sectsize=be(xfs.SB_SECTSIZE, 2),
            inodesize=be(xfs.SB_INODESIZE, 2),
            inopblog=raw[xfs.SB_INOPBLOG],
            agblklog=raw[xfs.SB_AGBLKLOG],
            fname=raw[xfs.SB_FNAME],
            dirblklog=raw[xfs.SB_DIRBLKLOG],
            logsunit=be(xfs.SB_LOGSUNIT, 4),
            features2=be(xfs.SB_FEATURES2, 4),
            ro_compat=be(xfs.SB_FEATURES_RO_COMPAT, 4),
            incompat=be(xfs.SB_FEATURES_INCOMPAT, 4),
        )

    @property
    def version(self) -> int:
        """4 or 5."""
        return self.versionnum & 0xF

    @property
    def ftype(self) -> bool:
        """True when directory entries carry the file's type."""
        if self.version >= 5:
            return bool(self.incompat & INCOMPAT_FTYPE)
        return bool(self.versionnum & VERSION_MOREBITS and self.features2 & FEATURES2_FTYPE)

    @property
    def features(self) -> tuple[str, ...]:
        """The features that are set."""
        names = [name for bit, name in VERSION_BITS.items() if self.versionnum & bit]
        if self.versionnum & VERSION_MOREBITS:
            names += [name for bit, name in FEATURES2.items() if self.features2 & bit]
        if self.version >= 5:
            names += [name for bit, name in RO_COMPAT.items() if self.ro_compat & bit]
            bits = (1 << bit for bit in range(32) if self.incompat >> bit & 1)
            names += [INCOMPAT.get(bit, f"incompat_0x{bit:x}") for bit in bits]
        return tuple(dict.fromkeys(names))

    def check(self) -> None:
        """Raise Damaged when the fields do not allow files to be found."""
        for name, size, least, most in (("block", self.blocksize, 512, 65536), ("inode", self.inodesize, 256, 2048)):
            if not least <= size <= most or size & (size - 1):
                raise Damaged(f"a {name} size of {size} bytes")
        if self.blocksize >> self.inopblog != self.inodesize:
            raise Damaged(f"{1 << min(self.inopblog, 32)} inodes of {self.inodesize} bytes a block of {self.blocksize}")
        if not self.agblocks or self.agblocks > 1 << self.agblklog or self.agblklog > 31 or self.dirblklog > 7:
            raise Damaged("allocation groups of impossible sizes")


def describe(block: Superblock) -> dict[str, object]:
    """What an identification takes from the superblock."""
    return {
        "version": str(block.version),
        "label": text_of(block.fname),
        "uuid": uuid_of(block.uuid),
        "size": block.dblocks * block.blocksize,
        "block_size": block.blocksize,
        "features": block.features,
    }


class XfsReader:
    """An honest reader of one XFS. area: where it lies. Raises Damaged when it cannot be read."""

    folds = False

    def __init__(self, area: Area, superblock: Superblock) -> None:
        superblock.check()
        self.area = area
        self.sb = superblock

    def _block(self, number: int) -> int:
        """Byte offset of a filesystem block number (allocation group and block in it)."""
        group, block = number >> self.sb.agblklog, number & ((1 << self.sb.agblklog) - 1)
        return (group * self.sb.agblocks + block) * self.sb.blocksize

    def root(self) -> Node:
        """The root directory."""
        node = self.node(self.sb.rootino)
        if node.type is not NodeType.DIRECTORY:
            raise Damaged("the root inode is not a directory")
        return node

    def node(self, number: int) -> Node:
        """The node of an inode number."""
        sb = self.sb
        place = self._block(number >> sb.inopblog) + (number & ((1 << sb.inopblog) - 1)) * sb.inodesize
        raw = self.area.read(place, sb.inodesize)
        if raw[:2] != xfs.DI_MAGIC:
            raise Damaged(f"inode {number} without its magic number")
        return Node(
            number,
            _TYPES.get(raw[2] >> 4, NodeType.OTHER),
            int.from_bytes(raw[xfs.DI_SIZE : xfs.DI_SIZE + 8], "big"),
            raw,
        )

    @staticmethod
    def _fork(raw: bytes) -> bytes:
        """The data fork: what lies between the inode's core and its attributes."""
        start = 176 if raw[4] >= 3 else 100
        end = start + raw[82] * 8 if raw[82] else len(raw)
        return raw[start:end]

    # --- directories

    def names(self, node: Node) -> Iterator[tuple[bytes, int]]:
        """The names in a directory, `.` and `..` left out."""
        if node.record[5] == FORMAT_LOCAL:
            yield from self._short_form(self._fork(node.record)[: node.size])
            return
        size = self.sb.blocksize << self.sb.dirblklog
        pieces: list[bytes] = []
        for run in self._data_runs(node):
            if run.place is None:
                continue
            for at in range(0, run.length, self.sb.blocksize):
                # A directory block may lie in several places.
                pieces.append(self.area.read(run.place + at, self.sb.blocksize))
                if len(pieces) * self.sb.blocksize == size:
                    yield from self._scan(b"".join(pieces))
                    pieces.clear()

    def _data_runs(self, node: Node) -> Iterator[Run]:
        """The blocks of a directory that hold names."""
        size = self.sb.blocksize
        for first, count, place, _ in self._extents(node):
            begin = first * size
            if begin >= LEAF_SPACE:
                return
            yield Run(begin, min(count * size, LEAF_SPACE - begin), place * size)

    def _short_form(self, raw: bytes) -> Iterator[tuple[bytes, int]]:
        if len(raw) < 6:
            raise Damaged("a short-form directory of less than 6 bytes")
        width = 8 if raw[1] else 4
        at = 2 + width
        for _ in range(raw[0]):
            length = raw[at] if at < len(raw) else 0
            end = at + 3 + length + self.sb.ftype
            if not length or end + width > len(raw):
                raise Damaged("a short-form directory's entry reaches past its end")
            yield raw[at + 3 : at + 3 + length], int.from_bytes(raw[end : end + width], "big")
            at = end + width

    def _scan(self, block: bytes) -> Iterator[tuple[bytes, int]]:
        at = _DIR_BLOCK.get(block[:4], 0)
        if not at:
            raise Damaged("a directory block without its magic number")
        end = len(block)
        if block[:4] in (b"XD2B", b"XDB3"):
            # The block's own index at its end: a count, and 8 bytes an entry.
            end -= 8 + 8 * int.from_bytes(block[-8:-4], "big")
        while at + 11 <= end:
            if block[at : at + 2] == b"\xff\xff":
                length = int.from_bytes(block[at + 2 : at + 4], "big")
                if length < 8:
                    raise Damaged(f"unused space of {length} bytes in a directory block")
                at += length
                continue
            width = block[at + 8]
            name = block[at + 9 : at + 9 + width]
            if width and name not in (b".", b".."):
                yield name, int.from_bytes(block[at : at + 8], "big")
            at += (8 + 1 + width + self.sb.ftype + 2 + 7) & ~7

    # --- content

    def inline(self, node: Node) -> bytes | None:
        """Content kept in the inode (short symbolic links), or in blocks with headers (long ones in version 5)."""
        if node.record[5] == FORMAT_LOCAL:
            return self._fork(node.record)
        if node.type is NodeType.LINK and self.sb.version >= 5:
            target = b""
            for _first, count, place, _ in self._extents(node):
                for at in range(count):
                    if len(target) >= node.size:
                        return target
                    block = self.area.read((place + at) * self.sb.blocksize, self.sb.blocksize)
                    target += block[56 : 56 + int.from_bytes(block[8:12], "big")]
            return target
        return None

    def runs(self, node: Node) -> Iterator[Run]:
        """Where a file's bytes lie."""
        yield from fill(self._extents(node), node.size, self.sb.blocksize, self.area.size)

    def _extents(self, node: Node) -> Iterator[tuple[int, int, int, bool]]:
        """(first block, blocks, linear block on disk, unwritten) of the data fork."""
        raw = node.record
        fork = self._fork(raw)
        if raw[5] == FORMAT_EXTENTS:
            wide = raw[4] >= 3 and int.from_bytes(raw[120:128], "big") & FLAGS2_NREXT64
            count = int.from_bytes(raw[24:32] if wide else raw[76:80], "big")
            yield from self._records(fork, 0, min(count, len(fork) // 16))
        elif raw[5] == FORMAT_BTREE:
            level, count = struct.unpack_from(">HH", fork)
            most = (len(fork) - 4) // 16
            if count > most or level > DEEPEST:
                raise Damaged(f"a btree root of {count} records and level {level}")
            seen: set[int] = set()
            for pointer in struct.unpack_from(f">{count}Q", fork, 4 + 8 * most):
                yield from self._btree(pointer, level - 1, seen)
        else:
            raise Damaged(f"inode {node.number} has data of format {raw[5]}")

    def _records(self, raw: bytes, at: int, count: int) -> Iterator[tuple[int, int, int, bool]]:
        for index in range(count):
            high, low = _EXTENT.unpack_from(raw, at + 16 * index)
            start = (high & 0x1FF) << 43 | low >> 21
            place = self._block(start) // self.sb.blocksize
            yield (high >> 9) & ((1 << 54) - 1), low & 0x1FFFFF, place, bool(high >> 63)

    def _btree(self, pointer: int, level: int, seen: set[int]) -> Iterator[tuple[int, int, int, bool]]:
        once(seen, pointer)
        raw = self.area.read(self._block(pointer), self.sb.blocksize)
        magic, own, count = struct.unpack_from(">4sHH", raw)
        if magic not in (b"BMAP", b"BMA3") or own != level:
            raise Damaged("an extent btree's block without its magic number or of the wrong level")
        header = 72 if magic == b"BMA3" else 24
        most = (len(raw) - header) // 16
        if count > most:
            raise Damaged(f"an extent btree's block of {count} records")
        if level == 0:
            yield from self._records(raw, header, count)
            return
        for below in struct.unpack_from(f">{count}Q", raw, header + 8 * most):
            yield from self._btree(below, level - 1, seen)
