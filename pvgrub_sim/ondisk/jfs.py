"""JFS: byte layouts (Linux fs/jfs/jfs_superblock.h, jfs_dinode.h, jfs_imap.h, jfs_xtree.h, jfs_dtree.h)."""

from __future__ import annotations

from struct import Struct

SUPERBLOCK_OFFSET = 0x8000
"""In bytes from the start of the filesystem."""
SUPERBLOCK_SIZE = 168
MAGIC = 0x3153464A
"""JFS1"""
SUPERBLOCK = Struct("<IIqih")
"""s_magic, s_version, s_size, s_bsize, s_l2bsize."""

MIN_SIZE = 0x1000000
"""The smallest filesystem in bytes."""
PAGE_SIZE = 4096
INODE_SIZE = 512
AGGREGATE_INODES_OFFSET = SUPERBLOCK_OFFSET + 3 * PAGE_SIZE
FILESYSTEM_INO = 16
"""The fileset's inode map, among the aggregate's inodes."""
ROOT_INO = 2

# struct dinode: offsets in bytes
DI_NUMBER = 8
DI_SIZE = 24
DI_MODE = 52
DI_BTROOT = 224
"""The root of an xtree (files) or dtree (directories)."""
DI_FASTSYMLINK = 256
DI_PARENT = DI_BTROOT + 20

S_IFMT = 0xF000
S_IFDIR = 0x4000
S_IFREG = 0x8000
S_IFLNK = 0xA000
INLINE_EA = 0x00040000
"""The inode's area for extended attributes is free."""

# iag_t: an inode allocation group page, for 4096 inodes in 128 extents of 32
INODES_PER_IAG_BITS = 12
INODES_PER_EXTENT_BITS = 5
IAG_INOEXT = 3072
PXD = Struct("<II")
"""Length in the low 24 bits with the address's upper 8 above, the address's lower 32."""
assert PXD.size == 8

# xtree: a header of 32 bytes, then extents; the first two places are the header's
BT_LEAF = 0x02
XT_HEADER_SIZE = 32
XT_NEXT = 0
XT_FLAG = 16
XT_NEXTINDEX = 18
XT_START = 2
XAD = Struct("<4I")
"""Flags in the low 8 bits with the offset's upper 8 in the highest, the offset's lower 32, then as PXD;
offset, length and address in blocks."""
assert XAD.size == 16

# dtree: slots of 32 bytes, the first of which is the header
SLOT_SIZE = 32
DT_NEXT = 0
DT_FLAG = 16
DT_NEXTINDEX = 17
DT_STBLINDEX = 21
"""In a page; the root in the inode has its table in DTROOT_STBL."""
DTROOT_STBL = 24

LDTENTRY = Struct("<IbB")
"""inumber, next, namlen of a leaf entry; 11 characters of 16 bits follow, and an index."""
LDTENTRY_NAME = 6
LDTENTRY_NAME_CHARS = 11
"""13 in filesystems of OS/2, which have no index."""
DTSLOT_NAME = 2
DTSLOT_NAME_CHARS = 15
NAME_MAX = 255
