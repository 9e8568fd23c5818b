"""XFS version 4: byte layouts (SGI, "XFS Algorithms & Data Structures"; Linux fs/xfs/libxfs/xfs_format.h).

Everything on disk is big-endian.
"""

from __future__ import annotations

from struct import Struct

SB_MAGIC = b"XFSB"
SB_VERSION_NUMBITS = 0x000F
SB_VERSION_4 = 4
SB_SIZE = 200
"""Bytes of the superblock that version 4 defines, padding included."""

# struct xfs_dsb: offsets in bytes
SB_BLOCKSIZE = 4
SB_DBLOCKS = 8
SB_UUID = slice(32, 48)
SB_LOGSTART = 48
SB_ROOTINO = 56
SB_AGBLOCKS = 84
SB_AGCOUNT = 88
SB_LOGBLOCKS = 96
SB_VERSIONNUM = 100
SB_SECTSIZE = 102
SB_INODESIZE = 104
SB_FNAME = slice(108, 120)
SB_BLOCKLOG = 120
SB_INOPBLOG = 123
SB_AGBLKLOG = 124
SB_DIRBLKLOG = 192
SB_LOGSUNIT = 196
SB_FEATURES2 = 200
SB_FEATURES_RO_COMPAT = 212
SB_FEATURES_INCOMPAT = 216

# struct xfs_dinode: offsets in bytes
DI_MAGIC = b"IN"
DI_MODE = 2
DI_FORMAT = 5
DI_SIZE = 56
DI_NEXTENTS = 76
DI_FORKOFF = 82
DI_U = 100
"""The literal area of a version 1 or 2 inode."""

FMT_LOCAL = 1
FMT_EXTENTS = 2
FMT_BTREE = 3

S_IFMT = 0o170000
S_IFDIR = 0o040000
S_IFREG = 0o100000
S_IFLNK = 0o120000

BMDR_HEADER_SIZE = 4
"""struct xfs_bmdr_block, the header of a btree root in an inode."""
BMBT_KEY_SIZE = 8
BMBT_PTR_SIZE = 8
BMBT_REC = Struct(">QQ")
"""l0 and l1: bit 63 of l0 unwritten, then 54 bits file offset, 52 bits start block, 21 bits length."""
BTREE_LBLOCK = Struct(">IHHQQ")
"""bb_magic, bb_level, bb_numrecs, bb_leftsib, bb_rightsib."""
NULLFSBLOCK = (1 << 64) - 1

LEAF_OFFSET = 1 << 35
"""Where a directory's leaf and node blocks begin in its data fork, in bytes (XFS_DIR2_LEAF_OFFSET)."""
DIR2_BLOCK_MAGIC = b"XD2B"
DIR2_DATA_HDR_SIZE = 16
DIR2_LEAF1_MAGIC = 0xD2F1
DIR2_LEAFN_MAGIC = 0xD2FF
DIR2_FREE_TAG = 0xFFFF
DIR2_BLOCK_TAIL = Struct(">II")
"""count, stale."""
DIR2_LEAF_HDR = Struct(">IIHHHH")
"""forw, back, magic, pad, count, stale."""
DA_NODE_BEFORE = 20
"""Offset of btree[0].before in a node block."""
DIR2_DATA_ENTRY = Struct(">QB")
"""inumber, namelen; the name and a 2-byte tag follow, up to a multiple of 8."""

# struct xfs_dir2_sf_hdr: offsets in bytes
SF_COUNT = 0
SF_I8COUNT = 1
SF_PARENT = 2
SF_HDR_SIZE = 10
"""With an 8-byte parent; 6 with a 4-byte one."""
SF_NAME = 3
"""Offset of the name in a short-form entry: length and a 2-byte offset before it."""

assert BTREE_LBLOCK.size == 24
assert BMBT_REC.size == DIR2_LEAF_HDR.size == 16
assert DIR2_DATA_ENTRY.size == 9
