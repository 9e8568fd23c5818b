"""Linux software RAID superblocks (Linux, include/uapi/linux/raid/md_p.h)."""

from __future__ import annotations

from construct import Bytes, Int32sl, Int32ul, Int64ul, Padding, Struct

MAGIC = 0xA92B4EFC

SUPERBLOCK_090 = Struct(
    "magic" / Int32ul,
    "major_version" / Int32ul,
    "minor_version" / Int32ul,
    "patch_version" / Int32ul,
    "gvalid_words" / Int32ul,
    "set_uuid0" / Bytes(4),
    "ctime" / Int32ul,
    "level" / Int32sl,
    "size" / Int32ul,
    "nr_disks" / Int32ul,
    "raid_disks" / Int32ul,
    "md_minor" / Int32ul,
    "not_persistent" / Int32ul,
    "set_uuid123" / Bytes(12),
)
"""mdp_superblock_t, its first 64 bytes; in the byte order of the machine that made it (little-endian here)."""
assert SUPERBLOCK_090.sizeof() == 64

SUPERBLOCK_1 = Struct(
    "magic" / Int32ul,
    "major_version" / Int32ul,
    "feature_map" / Int32ul,
    Padding(4),
    "set_uuid" / Bytes(16),
    "set_name" / Bytes(32),
    "ctime" / Int64ul,
    "level" / Int32sl,
    "layout" / Int32ul,
    "size" / Int64ul,
    "chunksize" / Int32ul,
    "raid_disks" / Int32ul,
    Padding(32),
    "data_offset" / Int64ul,
    "data_size" / Int64ul,
    "super_offset" / Int64ul,
)
"""struct mdp_superblock_1 up to super_offset; sizes and offsets in sectors of 512 bytes."""
assert SUPERBLOCK_1.sizeof() == 152
