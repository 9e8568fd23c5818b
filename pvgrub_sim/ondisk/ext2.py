"""ext2, ext3 and ext4: byte layouts (Linux Documentation/filesystems/ext4, e2fsprogs lib/ext2fs/ext2_fs.h)."""

from __future__ import annotations

from struct import Struct

from pvgrub_sim.ondisk.ext2_features import INCOMPAT_64BIT

SUPERBLOCK_OFFSET = 1024
"""In bytes from the start of the filesystem."""
SUPERBLOCK_SIZE = 1024
MAGIC = 0xEF53
ROOT_INO = 2

# struct ext2_super_block: offsets in bytes
S_INODES_COUNT = 0
S_BLOCKS_COUNT = 4
S_FREE_BLOCKS_COUNT = 12
S_FIRST_DATA_BLOCK = 20
S_LOG_BLOCK_SIZE = 24
S_BLOCKS_PER_GROUP = 32
S_INODES_PER_GROUP = 40
S_MAGIC = 56
S_STATE = 58
S_MINOR_REV_LEVEL = 62
S_CREATOR_OS = 72
S_REV_LEVEL = 76
S_INODE_SIZE = 88
S_FEATURE_COMPAT = 92
S_FEATURE_INCOMPAT = 96
S_FEATURE_RO_COMPAT = 100
S_UUID = slice(104, 120)
S_VOLUME_NAME = slice(120, 136)
S_DESC_SIZE = 254
S_FIRST_META_BG = 260
S_BLOCKS_COUNT_HI = 336
S_FREE_BLOCKS_COUNT_HI = 344
S_BACKUP_BGS = 588
"""Two block groups of 4 bytes each."""

VALID_FS = 1
ERROR_FS = 2
"""Bits of s_state."""
DYNAMIC_REV = 1
"""From this revision on, the inode size and the features count."""

# struct ext4_group_desc: offsets in bytes
BG_INODE_TABLE = 8
BG_INODE_TABLE_HI = 40
DESC_SIZE = 32
"""Without the 64bit feature; with it, s_desc_size counts."""
DESC_SIZE_64BIT = 64
"""From this size on, a descriptor has the high halves."""

# struct ext2_inode: offsets in bytes
I_MODE = 0
I_SIZE = 4
I_BLOCKS = 28
I_FLAGS = 32
I_BLOCK = 40
I_BLOCK_SIZE = 60
"""Bytes of i_block: 15 block numbers, the root of an extent tree, a short link's target, or inline data."""
I_FILE_ACL = 104
I_SIZE_HIGH = 108
GOOD_OLD_INODE_SIZE = 128
I_EXTRA_ISIZE = 128

S_IFMT = 0o170000
S_IFLNK = 0o120000
S_IFREG = 0o100000
S_IFDIR = 0o040000

ENCRYPT_FL = 0x00000800
HUGE_FILE_FL = 0x00040000
EXTENTS_FL = 0x00080000
INLINE_DATA_FL = 0x10000000

NDIR_BLOCKS = 12
IND_BLOCK = 12
DIND_BLOCK = 13
TIND_BLOCK = 14

DIR_ENTRY = Struct("<IHBB")
"""inode, rec_len, name_len, file_type; the name follows."""

XATTR_MAGIC = 0xEA020000
XATTR_ENTRY = Struct("<BBHIII")
"""e_name_len, e_name_index, e_value_offs, e_value_inum, e_value_size, e_hash; the name follows (fs/ext4/xattr.h)."""
XATTR_INDEX_SYSTEM = 7

EXT_MAGIC = 0xF30A
EXT_HEADER = Struct("<HHHHI")
"""eh_magic, eh_entries, eh_max, eh_depth, eh_generation."""
EXT_EXTENT = Struct("<IHHI")
"""ee_block, ee_len, ee_start_hi, ee_start_lo."""
EXT_INIT_MAX_LEN = 1 << 15
"""A larger ee_len is that of an unwritten extent, by so much."""
EXT_INDEX = Struct("<IIHH")
"""ei_block, ei_leaf_lo, ei_leaf_hi, ei_unused."""

assert DIR_ENTRY.size == 8
assert XATTR_ENTRY.size == 16
assert EXT_HEADER.size == EXT_EXTENT.size == EXT_INDEX.size == 12


def free_bytes(superblock: bytes) -> int:
    """Bytes that are free in a filesystem by its superblock of 1024 bytes, reserved blocks included."""

    def field(at: int) -> int:
        return int.from_bytes(superblock[at : at + 4], "little")

    wide = field(S_FEATURE_INCOMPAT) & INCOMPAT_64BIT
    blocks = field(S_FREE_BLOCKS_COUNT) | (field(S_FREE_BLOCKS_COUNT_HI) << 32 if wide else 0)
    return blocks << (10 + min(field(S_LOG_BLOCK_SIZE), 6))
