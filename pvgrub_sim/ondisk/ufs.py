"""UFS superblock, inodes and directory entries (4.4BSD and FreeBSD, sys/ufs/ffs/fs.h, ufs/dinode.h, ufs/dir.h).

Offsets in bytes. The superblock is the same for UFS1 and UFS2 as far as it is used here.
"""

from __future__ import annotations

from pvgrub_sim.typed import Final

SUPERBLOCK_SIZE: Final = 8192
SUPERBLOCK_UFS1: Final = 8192
UFS2_SEARCH: Final = (65536, 8192, 0, 262144)
"""Where a superblock may be, in the order of FreeBSD's SBLOCKSEARCH."""

MAGIC_UFS1: Final = 0x011954
MAGIC_UFS2: Final = 0x19540119
ROOT_INODE: Final = 2
DIRECT_BLOCKS: Final = 12

# Offsets in the superblock, each of an int32 but for the last two (int64).
IBLKNO: Final = 16
OLD_CGOFFSET: Final = 24
OLD_CGMASK: Final = 28
BSIZE: Final = 48
FSIZE: Final = 52
BMASK: Final = 72
FMASK: Final = 76
BSHIFT: Final = 80
FRAGSHIFT: Final = 96
FSBTODB: Final = 100
NINDIR: Final = 116
INOPB: Final = 120
IPG: Final = 184
FPG: Final = 188
MAGIC: Final = 1372
QBMASK: Final = 1336
QFMASK: Final = 1344

# Inodes: size, and offsets of mode (uint16), size, first direct and first indirect block.
INODE1_SIZE: Final = 128
INODE1_FILE_SIZE: Final = 8
INODE1_DIRECT: Final = 40
INODE1_INDIRECT: Final = 88
INODE2_SIZE: Final = 256
INODE2_FILE_SIZE: Final = 16
INODE2_DIRECT: Final = 112
INODE2_INDIRECT: Final = 208

MODE_TYPE: Final = 0xF000
MODE_REGULAR: Final = 0x8000
MODE_DIRECTORY: Final = 0x4000

# Offsets in a directory entry.
ENTRY_LENGTH: Final = 4
ENTRY_NAME: Final = 8
