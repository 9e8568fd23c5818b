"""The btrfs superblock (Linux, include/uapi/linux/btrfs_tree.h: struct btrfs_super_block)."""

from __future__ import annotations

from construct import Bytes, Const, Int16ul, Int32ul, Int64ul, Padding, Struct

OFFSET = 0x10000

SUPERBLOCK = Struct(
    "csum" / Bytes(32),
    "fsid" / Bytes(16),
    "bytenr" / Int64ul,
    "flags" / Int64ul,
    "magic" / Const(b"_BHRfS_M"),
    "generation" / Int64ul,
    "root" / Int64ul,
    "chunk_root" / Int64ul,
    "log_root" / Int64ul,
    "log_root_transid" / Int64ul,
    "total_bytes" / Int64ul,
    "bytes_used" / Int64ul,
    "root_dir_objectid" / Int64ul,
    "num_devices" / Int64ul,
    "sectorsize" / Int32ul,
    "nodesize" / Int32ul,
    "leafsize" / Int32ul,
    "stripesize" / Int32ul,
    "sys_chunk_array_size" / Int32ul,
    "chunk_root_generation" / Int64ul,
    "compat_flags" / Int64ul,
    "compat_ro_flags" / Int64ul,
    "incompat_flags" / Int64ul,
    "csum_type" / Int16ul,
    "levels" / Bytes(3),
    Padding(98),
    "label" / Bytes(256),
)
assert SUPERBLOCK.sizeof() == 555

INCOMPAT: dict[int, str] = {
    0x1: "MIXED_BACKREF",
    0x2: "DEFAULT_SUBVOL",
    0x4: "MIXED_GROUPS",
    0x8: "COMPRESS_LZO",
    0x10: "COMPRESS_ZSTD",
    0x20: "BIG_METADATA",
    0x40: "EXTENDED_IREF",
    0x80: "RAID56",
    0x100: "SKINNY_METADATA",
    0x200: "NO_HOLES",
    0x400: "METADATA_UUID",
    0x800: "RAID1C34",
    0x1000: "ZONED",
    0x2000: "EXTENT_TREE_V2",
}
"""Under the names of `btrfs inspect-internal dump-super`."""
