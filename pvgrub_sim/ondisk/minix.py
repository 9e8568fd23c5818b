"""minix version 1: byte layouts (Linux include/uapi/linux/minix_fs.h, fs/minix)."""

from __future__ import annotations

from struct import Struct

BLOCK_BITS = 10
BLOCK_SIZE = 1 << BLOCK_BITS
SUPERBLOCK_OFFSET = 1024
"""In bytes from the start of the filesystem."""

SUPERBLOCK = Struct("<6HI2HI")
"""s_ninodes, s_nzones, s_imap_blocks, s_zmap_blocks, s_firstdatazone, s_log_zone_size, s_max_size, s_magic,
s_state, s_zones."""
assert SUPERBLOCK.size == 24

NAME_LENGTHS = {0x137F: 14, 0x138F: 30}
"""Bytes of a name in a directory entry, by magic; version 2 has 0x2468 and 0x2478, version 3 0x4D5A."""

ROOT_INO = 1
INODE_SIZE = 32
INODES_PER_BLOCK = BLOCK_SIZE // INODE_SIZE
I_MODE = 0
I_SIZE = 4
I_ZONE = 14
"""Nine block numbers of 16 bits: seven direct, one indirect, one double indirect."""
DIRECT_ZONES = 7
ZONES_PER_BLOCK = BLOCK_SIZE // 2

S_IFMT = 0o170000
S_IFLNK = 0o120000
S_IFREG = 0o100000
S_IFDIR = 0o040000
