"""The ReiserFS tree as PV-GRUB walks it (stage2/fsys_reiserfs.c:read_tree_node, next_key, search_stat).

Blocks are kept in the filesystem buffer: the root in slot 0, the leaf in slot 1, the other nodes of the path in
the slots of their level; the last slot is shared by the levels above it.
"""

from __future__ import annotations

from collections.abc import Iterator

from pvgrub_sim.cint import u32
from pvgrub_sim.grub.disk.raw import devread
from pvgrub_sim.grub.errnum import ErrNum
from pvgrub_sim.grub.fs.fsys_buf import SCRATCH_LEFT, FsysBuffer
from pvgrub_sim.grub.fs.reiserfs.journal import Journal
from pvgrub_sim.grub.machine import Machine
from pvgrub_sim.grub.stop import Stop
from pvgrub_sim.model import Outcome
from pvgrub_sim.ondisk import reiserfs
from pvgrub_sim.values import NamedTuple

CACHE_SIZE = 24 * 1024
"""FSYSREISER_CACHE_SIZE, in bytes."""
LEAF_COST = 8
"""Steps that a leaf counts for: a path through the tree can lead to one leaf over and over."""


class Item(NamedTuple):
    """An item head. at: the address of the item's body in the buffer. offset: as IH_KEY_OFFSET.

    entries: ih_entry_count. length: of the body in bytes.
    """

    dir_id: int
    objectid: int
    offset: int
    kind: int
    entries: int
    length: int
    at: int
    version: int

    @property
    def is_direct(self) -> bool:
        return self.kind == (reiserfs.V2_DIRECT if self.version else reiserfs.V1_DIRECT)

    @property
    def is_indirect(self) -> bool:
        return self.kind == (reiserfs.V2_INDIRECT if self.version else reiserfs.V1_INDIRECT)


class Tree:
    """The tree, and the item at which a walk through it stands.

    block_bits: of the block size in bytes. journal: None when it is on another device or there is none.
    """

    def __init__(self, m: Machine, buffer: FsysBuffer, block_bits: int, journal: Journal | None) -> None:
        self.m = m
        self.buf = buffer
        self.block_bits = block_bits
        self.block_size = 1 << block_bits
        self.journal = journal
        self.slots = (CACHE_SIZE >> block_bits) - 1
        self.depth = 0
        self.item: Item
        self._blocks = [0] * reiserfs.MAX_HEIGHT
        self._next = [0] * reiserfs.MAX_HEIGHT
        """By level: which child follows, 0 when there is none."""
        self._head = 0
        """Address of the current item's head."""

    def block_read(self, block: int, size: int) -> bytes:
        """The first bytes of a block, from the journal where it has them. Raises GrubError."""
        return devread(self.m, u32(self._translate(block) << (self.block_bits - 9)), 0, size)

    def mount(self, root: int) -> bool:
        """Read the root node; False when the tree is higher than the driver knows. Raises GrubError."""
        self.buf.store(0, self.block_read(root, self.block_size))
        self.depth = self.buf.u16(reiserfs.BLK_LEVEL)
        if self.depth >= reiserfs.MAX_HEIGHT:
            return False
        if self.depth == reiserfs.LEAF_LEVEL:
            self.buf.move(self.block_size, 0, self.block_size)
        return True

    @property
    def leaf_block(self) -> int:
        """Where the leaf was read from, the journal heeded; QUIRK: block 0 when the root is the leaf."""
        return self._translate(self._blocks[reiserfs.LEAF_LEVEL])

    def _translate(self, block: int) -> int:
        return self.journal.translate(block) if self.journal else block

    def _slot(self, level: int) -> int:
        """CACHE(level), the address of a slot."""
        return level << self.block_bits

    def _read_node(self, block: int, level: int) -> int:
        """read_tree_node(): the address where a block lies now. Raises GrubError."""
        slot = self._slot(min(level, self.slots))
        if level < self.slots and block == self._blocks[level]:
            # QUIRK: block 0 counts as read before anything was, and so does one whose slot a failed read has used.
            return slot
        self.buf.store(slot, self.block_read(block, self.block_size))
        if self.buf.u16(slot + reiserfs.BLK_LEVEL) != level:
            self.m.fail(ErrNum.FSYS_CORRUPT)
        self._blocks[level] = block
        return slot

    def _child(self, slot: int, index: int) -> int:
        count = self.buf.u16(slot + reiserfs.BLK_NR_ITEM)
        keys = slot + reiserfs.BLOCK_HEAD_SIZE
        return self.buf.u32(keys + reiserfs.KEY.size * count + reiserfs.DISK_CHILD_SIZE * index)

    def next_key(self) -> None:
        """Go to the item that follows in the tree; behind the last one, to a dummy. Raises GrubError."""
        self.m.tick()
        leaf = self._slot(reiserfs.LEAF_LEVEL)
        head = self._head + reiserfs.ITEM_HEAD.size
        first = leaf + reiserfs.BLOCK_HEAD_SIZE
        if head == first + reiserfs.ITEM_HEAD.size * self.buf.u16(leaf + reiserfs.BLK_NR_ITEM):
            level = reiserfs.LEAF_LEVEL
            while True:
                if level == self.depth:
                    # QUIRK: the right delimiting key stands for the item behind the last one.
                    self._stand_at(leaf + reiserfs.BLK_RIGHT_DELIM_KEY)
                    return
                level += 1
                if level >= reiserfs.MAX_HEIGHT:
                    raise Stop(Outcome.CRASH, "the way through the tree leaves its levels")
                if self._next[level]:
                    break
            self._descend(level)
            head = first
        self._stand_at(head)

    def _descend(self, level: int) -> None:
        """Read the nodes from the next child of a level down to the leaf. Raises GrubError."""
        if level == self.depth:
            slot = 0
        elif level <= self.slots:
            slot = self._slot(level)
        else:
            slot = self._read_node(self._blocks[level], level)
        self.m.tick(LEAF_COST)
        while level > reiserfs.LEAF_LEVEL:
            child = self._next[level]
            # The last child of a node has none that follows.
            self._next[level] = 0 if child == self.buf.u16(slot + reiserfs.BLK_NR_ITEM) else child + 1
            block = self._child(slot, child)
            level -= 1
            slot = self._read_node(block, level)

    def _stand_at(self, head: int) -> None:
        """Make the item head at an address the current one."""
        if head >= SCRATCH_LEFT:
            raise Stop(Outcome.CRASH, "the item heads lead out of GRUB's memory")
        memory = self.buf.memory
        raw = memory[head : head + reiserfs.ITEM_HEAD.size]
        if len(raw) < reiserfs.ITEM_HEAD.size:
            raw = bytearray(self.buf.load(head, reiserfs.ITEM_HEAD.size))
        dir_id, objectid, offset, entries, length, location, version = reiserfs.ITEM_HEAD.unpack(raw)
        if version == reiserfs.ITEM_VERSION_1:
            kind, offset = offset >> 32, u32(offset)
        else:
            kind, offset = offset >> reiserfs.OFFSET_BITS_V2, offset & ((1 << reiserfs.OFFSET_BITS_V2) - 1)
        at = self._slot(reiserfs.LEAF_LEVEL) + location
        self._head = head
        self.item = Item(dir_id, objectid, offset, kind, entries, length, at, version)

    def search_stat(self, dir_id: int, objectid: int) -> None:
        """Go to the stat data of an object. Raises GrubError, 16 when there is none."""
        level = self.depth
        slot = 0
        wanted = (dir_id, objectid)
        while level > reiserfs.LEAF_LEVEL:
            self.m.tick()
            count = self.buf.u16(slot + reiserfs.BLK_NR_ITEM)
            index = count
            for number, key in enumerate(self._keys(slot, count)):
                # The words of offset and type are looked at together: stat data has 0 in both.
                if key[:2] > wanted or (key[:2] == wanted and (key[2] | key[3])):
                    index = number
                    break
            self._next[level] = 0 if index == count else index + 1
            level -= 1
            slot = self._read_node(self._child(slot, index), level)
        leaf = self._slot(reiserfs.LEAF_LEVEL)
        head = leaf + reiserfs.BLOCK_HEAD_SIZE
        for raw in self._heads(head, self.buf.u16(leaf + reiserfs.BLK_NR_ITEM)):
            if raw[0] == dir_id and raw[1] == objectid and not raw[2]:
                self._stand_at(head)
                return
            head += reiserfs.ITEM_HEAD.size
        self.m.fail(ErrNum.FSYS_CORRUPT)

    def _keys(self, slot: int, count: int) -> Iterator[tuple[int, ...]]:
        """The keys of an internal node, as far as they lie in the buffer: behind it there are zeros."""
        start = slot + reiserfs.BLOCK_HEAD_SIZE
        count = min(count, (len(self.buf.memory) - start) // reiserfs.KEY.size)
        return reiserfs.KEY.iter_unpack(self.buf.load(start, count * reiserfs.KEY.size))

    def _heads(self, start: int, count: int) -> Iterator[tuple[int, ...]]:
        """The item heads of the leaf, as far as they lie in the buffer."""
        count = min(count, (len(self.buf.memory) - start) // reiserfs.ITEM_HEAD.size)
        return reiserfs.ITEM_HEAD.iter_unpack(self.buf.load(start, count * reiserfs.ITEM_HEAD.size))
