"""ext2, ext3 and ext4 as Linux reads them: extents and block maps, 64-bit block numbers, inline data, meta_bg.

Layouts: Linux, Documentation/filesystems/ext4. Checksums are not verified, the journal is not replayed, hashed
directories are scanned in their linear form, as they may be.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from pvgrub_sim.ondisk import ext2
from pvgrub_sim.ondisk import ext2_features as features
from pvgrub_sim.survey.area import Area, Damaged
from pvgrub_sim.survey.ext_superblock import Superblock
from pvgrub_sim.survey.tree import Node, NodeType, Run, fill, once
from pvgrub_sim.typed import Final

DEEPEST: Final = 5
"""Levels of an extent tree below its root."""
NODES_KEPT: Final = 1024
"""Inodes that are kept for the next path that goes through them."""
LISTINGS_KEPT: Final = 32
LONGEST_KEPT: Final = 16 << 10
"""Directories that are kept for the next look at them, and the bytes that each may have."""

_I_BLOCK: Final = slice(ext2.I_BLOCK, ext2.I_BLOCK + ext2.I_BLOCK_SIZE)
_TYPES: Final = {ext2.S_IFDIR: NodeType.DIRECTORY, ext2.S_IFREG: NodeType.FILE, ext2.S_IFLNK: NodeType.LINK}


class ExtReader:
    """An honest reader of one ext filesystem. area: where it lies. Raises Damaged when it cannot be read."""

    folds = False

    def __init__(self, area: Area, superblock: Superblock) -> None:
        superblock.check()
        self.area = area
        self.sb = superblock
        self._nodes: dict[int, Node] = {}
        self._listings: dict[int, list[tuple[bytes, int]]] = {}

    # --- inodes

    def _descriptor_place(self, group: int) -> int:
        """Byte offset of a group's descriptor, meta_bg included (ext4: fs/ext4/super.c, descriptor_loc)."""
        sb = self.sb
        per_block = sb.block_size // sb.desc_size
        number, index = divmod(group, per_block)
        first = 1 if sb.block_size == 1024 else 0
        if not sb.incompat & features.INCOMPAT_META_BG or number < sb.first_meta_bg:
            block = first + number + 1
        else:
            home = number * per_block
            block = sb.first_data_block + home * sb.blocks_per_group + self._has_superblock(home)
            if first and not sb.first_data_block and number == 0:
                block += 1
        return block * sb.block_size + index * sb.desc_size

    def _has_superblock(self, group: int) -> int:
        sb = self.sb
        if group == 0:
            return 1
        if sb.compat & features.COMPAT_SPARSE_SUPER2:
            return int(group in sb.backup_bgs)
        if group == 1 or not sb.ro_compat & features.RO_COMPAT_SPARSE_SUPER:
            return 1
        if not group & 1:
            return 0
        return int(any(_is_power(group, base) for base in (3, 5, 7)))

    def _record(self, number: int) -> bytes:
        """The bytes of an inode."""
        sb = self.sb
        if not 1 <= number <= sb.inodes_count:
            raise Damaged(f"inode {number} of {sb.inodes_count}")
        group, index = divmod(number - 1, sb.inodes_per_group)
        raw = self.area.read(self._descriptor_place(group), sb.desc_size)
        table = _u32(raw, ext2.BG_INODE_TABLE)
        if sb.desc_size >= ext2.DESC_SIZE_64BIT:
            table |= _u32(raw, ext2.BG_INODE_TABLE_HI) << 32
        return self.area.read(table * sb.block_size + index * sb.inode_size, sb.inode_size)

    def root(self) -> Node:
        """The root directory."""
        node = self.node(ext2.ROOT_INO)
        if node.type is not NodeType.DIRECTORY:
            raise Damaged("the root inode is not a directory")
        return node

    def node(self, number: int) -> Node:
        """The node of an inode number."""
        if number not in self._nodes:
            if len(self._nodes) >= NODES_KEPT:
                self._nodes.clear()
            self._nodes[number] = self._read_node(number)
        return self._nodes[number]

    def _read_node(self, number: int) -> Node:
        raw = self._record(number)
        kind = _TYPES.get(int.from_bytes(raw[ext2.I_MODE : ext2.I_MODE + 2], "little") & ext2.S_IFMT, NodeType.OTHER)
        size = _u32(raw, ext2.I_SIZE)
        if kind is not NodeType.LINK:
            size |= _u32(raw, ext2.I_SIZE_HIGH) << 32
        return Node(number, kind, size, raw)

    @staticmethod
    def flags(node: Node) -> int:
        """i_flags."""
        return _u32(node.record, ext2.I_FLAGS)

    def uses_extents(self, node: Node) -> bool:
        """True for a file that is mapped by extents, not block by block."""
        return bool(self.flags(node) & ext2.EXTENTS_FL)

    def attributes(self, node: Node) -> tuple[str, ...]:
        """The names of a file's extended attributes."""
        from pvgrub_sim.survey.ext_attributes import attribute_names

        return attribute_names(node.record, self.area, self.sb.block_size)

    # --- directories

    def names(self, node: Node) -> Iterator[tuple[bytes, int]]:
        """The names in a directory, `.` and `..` left out."""
        if node.size > LONGEST_KEPT:
            yield from self._read_names(node)
            return
        listing = self._listings.get(node.number)
        if listing is None:
            listing = []
            try:
                listing.extend(self._read_names(node))
            except Damaged:
                # What lies in front of the damage is there.
                yield from listing
                raise
            if len(self._listings) >= LISTINGS_KEPT:
                self._listings.clear()
            self._listings[node.number] = listing
        yield from listing

    def _read_names(self, node: Node) -> Iterator[tuple[bytes, int]]:
        if self.flags(node) & ext2.ENCRYPT_FL:
            raise Damaged("an encrypted directory: its names cannot be read without the key")
        stored = self.inline(node)
        if stored is not None:
            # The number of the parent directory comes first.
            yield from self._scan(stored[4 : ext2.I_BLOCK_SIZE])
            yield from self._scan(stored[ext2.I_BLOCK_SIZE :])
            return
        for run in self.runs(node):
            if run.place is None:
                continue
            for at in range(0, run.length, self.sb.block_size):
                yield from self._scan(self.area.read(run.place + at, min(self.sb.block_size, run.length - at)))

    @staticmethod
    def _scan(block: bytes) -> Iterator[tuple[bytes, int]]:
        at = 0
        while at + ext2.DIR_ENTRY.size <= len(block):
            number, length, name_length, _kind = ext2.DIR_ENTRY.unpack_from(block, at)
            # 64 KiB blocks: the length that does not fit 16 bits is written as 65535 or 0.
            if length in (0, 65535) and len(block) == 65536:
                length = 65536 - at
            if length < ext2.DIR_ENTRY.size:
                raise Damaged(f"a directory entry of length {length}")
            begin = at + ext2.DIR_ENTRY.size
            name = block[begin : begin + name_length]
            if number and name and name not in (b".", b".."):
                yield name, number
            at += length

    # --- content

    def inline(self, node: Node) -> bytes | None:
        """Content kept in the inode: a fast symbolic link, or a file with inline data."""
        raw = node.record
        flags = self.flags(node)
        if flags & ext2.INLINE_DATA_FL:
            return raw[_I_BLOCK] + self._system_data(raw)
        if node.type is NodeType.LINK and node.size < ext2.I_BLOCK_SIZE and not flags & ext2.EXTENTS_FL:
            return raw[_I_BLOCK]
        return None

    @staticmethod
    def _system_data(raw: bytes) -> bytes:
        """The value of the attribute system.data behind the inode's fields (xattr.h: ext4_xattr_ibody_header)."""
        if len(raw) <= ext2.I_EXTRA_ISIZE + 2:
            return b""
        base = ext2.GOOD_OLD_INODE_SIZE + int.from_bytes(raw[ext2.I_EXTRA_ISIZE : ext2.I_EXTRA_ISIZE + 2], "little")
        if _u32(raw, base) != ext2.XATTR_MAGIC:
            return b""
        base += 4
        at = base
        header = ext2.XATTR_ENTRY.size
        while at + header <= len(raw) and raw[at : at + 4] != bytes(4):
            length, index, place, block, size, _hash = ext2.XATTR_ENTRY.unpack_from(raw, at)
            name = raw[at + header : at + header + length]
            if index == ext2.XATTR_INDEX_SYSTEM and name == b"data" and not block:
                return raw[base + place : base + place + size]
            at += (header + length + 3) & ~3
        return b""

    def runs(self, node: Node) -> Iterator[Run]:
        """Where a file's bytes lie."""
        if self.uses_extents(node):
            found = self._extents(node.record[_I_BLOCK], None, set())
        else:
            found = self._block_map(node)
        yield from fill(found, node.size, self.sb.block_size, self.area.size)

    def _extents(self, raw: bytes, depth: int | None, seen: set[int]) -> Iterator[tuple[int, int, int, bool]]:
        """(first block, blocks, block on disk, unwritten) of a node of an extent tree and all below it."""
        magic, count, _most, level, _ = ext2.EXT_HEADER.unpack_from(raw)
        if magic != ext2.EXT_MAGIC:
            raise Damaged("an extent tree's node without its magic number")
        if level > DEEPEST or (depth is not None and level != depth):
            raise Damaged(f"an extent tree's node of depth {level}")
        step = ext2.EXT_EXTENT.size
        for at in range(step, step * min(count + 1, len(raw) // step), step):
            if level == 0:
                first, length, high, low = ext2.EXT_EXTENT.unpack_from(raw, at)
                unwritten = length > ext2.EXT_INIT_MAX_LEN
                yield first, length - ext2.EXT_INIT_MAX_LEN * unwritten, low | high << 32, unwritten
            else:
                _first, low, high, _ = ext2.EXT_INDEX.unpack_from(raw, at)
                size = self.sb.block_size
                block = low | high << 32
                once(seen, block)
                yield from self._extents(self.area.read(block * size, size), level - 1, seen)

    def _block_map(self, node: Node) -> Iterator[tuple[int, int, int, bool]]:
        """As _extents(), for a file with a block map; neighbouring blocks come as one run."""
        blocks = -(-node.size // self.sb.block_size)
        pointers = struct.unpack_from("<15I", node.record, ext2.I_BLOCK)
        per_block = self.sb.block_size // 4
        first = 0
        seen: set[int] = set()
        levels = (*[0] * ext2.NDIR_BLOCKS, 1, 2, 3)
        for level, pointer in zip(levels, pointers, strict=True):
            if first >= blocks:
                return
            yield from self._mapped(pointer, level, first, blocks, seen)
            first += per_block**level

    def _mapped(
        self, pointer: int, level: int, first: int, blocks: int, seen: set[int]
    ) -> Iterator[tuple[int, int, int, bool]]:
        if not pointer or first >= blocks:
            return
        if level == 0:
            yield first, 1, pointer, False
            return
        once(seen, pointer)
        size = self.sb.block_size
        raw = self.area.read(pointer * size, size)
        table = struct.unpack(f"<{size // 4}I", raw)
        if level > 1:
            below = (size // 4) ** (level - 1)
            for index, entry in enumerate(table):
                if not entry:
                    continue
                yield from self._mapped(entry, level - 1, first + index * below, blocks, seen)
            return
        used = -(-len(raw.rstrip(b"\0")) // 4)
        if table[0] and table[:used] == tuple(range(table[0], table[0] + used)):
            # A file lies mostly in one piece.
            yield first, used, table[0], False
            return
        start = 0
        for index in range(1, len(table) + 1):
            if index == len(table) or table[index] != table[index - 1] + 1 or not table[start]:
                if table[start]:
                    yield first + start, index - start, table[start], False
                start = index


def _is_power(number: int, base: int) -> bool:
    while number % base == 0:
        number //= base
    return number == 1


def _u32(raw: bytes, at: int) -> int:
    return int.from_bytes(raw[at : at + 4], "little")
