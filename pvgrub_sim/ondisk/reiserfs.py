"""ReiserFS 3.5 and 3.6: byte layouts (Linux fs/reiserfs/reiserfs.h, reiserfsprogs include/reiserfs_fs.h)."""

from __future__ import annotations

from struct import Struct

from pvgrub_sim.values import NamedTuple

SUPERBLOCK_OFFSET = 64 * 1024
"""In bytes from the start of the filesystem."""
OLD_SUPERBLOCK_OFFSET = 8 * 1024
"""Where 3.5 up to 3.5.11 has it."""
MAGICS = (b"ReIsErFs", b"ReIsEr2Fs", b"ReIsEr3Fs")
"""3.5; 3.6; either with a journal elsewhere or of another size."""

SUPERBLOCK = Struct("<11I4H16s3H")
SUPERBLOCK_SIZE = 204
assert SUPERBLOCK.size + 128 + 2 == SUPERBLOCK_SIZE


class Superblock(NamedTuple):
    """struct reiserfs_super_block as of 3.5.12 and later."""

    block_count: int
    free_blocks: int
    root_block: int
    journal_block: int
    journal_dev: int
    journal_size: int
    journal_trans_max: int
    journal_magic: int
    journal_max_batch: int
    journal_max_commit_age: int
    journal_max_trans_age: int
    blocksize: int
    oid_maxsize: int
    oid_cursize: int
    state: int
    magic: bytes
    tree_height: int
    bmap_nr: int
    version: int

    @classmethod
    def unpack(cls, data: bytes) -> Superblock:
        return cls(*SUPERBLOCK.unpack_from(data))


OLD_MAGIC_OFFSET = 20
"""Where the superblock of the time before the journal has its magic."""
OLD_BLOCKSIZE = 4096

# The journal: description and commit blocks as they are with blocks of 4096 bytes.
JOURNAL_BLOCK_SIZE = 4096
TRANS_HALF = 1018
"""Block numbers in a description block; the rest is in the commit block."""
JOURNAL_HEADER = Struct("<3I")
"""j_last_flush_trans_id, j_first_unflushed_offset, j_mount_id."""
JOURNAL_DESC = Struct(f"<3I{TRANS_HALF}I12s")
"""j_trans_id, j_len, j_mount_id, j_realblock, j_magic."""
JOURNAL_COMMIT = Struct(f"<2I{TRANS_HALF}I16s")
"""j_trans_id, j_len, j_realblock, j_digest."""
JOURNAL_DESC_MAGIC = b"ReIsErLB"
assert JOURNAL_DESC.size == JOURNAL_COMMIT.size == JOURNAL_BLOCK_SIZE

# The tree: offsets in bytes from the start of a block.
BLOCK_HEAD_SIZE = 24
BLK_LEVEL = 0
BLK_NR_ITEM = 2
BLK_RIGHT_DELIM_KEY = 8
LEAF_LEVEL = 1
MAX_HEIGHT = 7

KEY = Struct("<4I")
"""k_dir_id, k_objectid, and as two words either k_offset and k_uniqueness (3.5) or, as one number of 64 bits,
60 bits of offset with 4 bits of type above (3.6)."""
DISK_CHILD_SIZE = 8

ITEM_HEAD = Struct("<2IQ4H")
"""k_dir_id, k_objectid, offset with type, ih_free_space or ih_entry_count, ih_item_len, ih_item_location,
ih_version."""
assert ITEM_HEAD.size == 24
OFFSET_BITS_V2 = 60

V1_DIRECT = 0xFFFFFFFF
V1_INDIRECT = 0xFFFFFFFE
V2_INDIRECT = 1
V2_DIRECT = 2

ITEM_VERSION_1 = 0
ITEM_VERSION_2 = 1

STAT_DATA = Struct("<H6xII")
"""sd_mode, sd_size, and for 3.6 the upper half of sd_size; the same place in both versions."""

DIR_ENTRY = Struct("<3I2H")
"""deh_offset, deh_dir_id, deh_objectid, deh_location, deh_state."""
assert DIR_ENTRY.size == 16
DEH_VISIBLE = 1 << 2

ROOT_PARENT_OBJECTID = 1
ROOT_OBJECTID = 2

S_IFMT = 0o170000
S_IFLNK = 0o120000
S_IFREG = 0o100000
S_IFDIR = 0o040000
