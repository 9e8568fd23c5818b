"""The features of ext2, ext3 and ext4 under the names of e2fsprogs (lib/e2p/feature.c)."""

from __future__ import annotations

COMPAT: dict[int, str] = {
    0x1: "dir_prealloc",
    0x2: "imagic_inodes",
    0x4: "has_journal",
    0x8: "ext_attr",
    0x10: "resize_inode",
    0x20: "dir_index",
    0x40: "lazy_bg",
    0x80: "exclude_inode",
    0x100: "snapshot_bitmap",
    0x200: "sparse_super2",
    0x400: "fast_commit",
    0x800: "stable_inodes",
    0x1000: "orphan_file",
}

INCOMPAT: dict[int, str] = {
    0x1: "compression",
    0x2: "filetype",
    0x4: "needs_recovery",
    0x8: "journal_dev",
    0x10: "meta_bg",
    0x40: "extent",
    0x80: "64bit",
    0x100: "mmp",
    0x200: "flex_bg",
    0x400: "ea_inode",
    0x1000: "dirdata",
    0x2000: "metadata_csum_seed",
    0x4000: "large_dir",
    0x8000: "inline_data",
    0x10000: "encrypt",
    0x20000: "casefold",
}

RO_COMPAT: dict[int, str] = {
    0x1: "sparse_super",
    0x2: "large_file",
    0x4: "btree_dir",
    0x8: "huge_file",
    0x10: "uninit_bg",
    0x20: "dir_nlink",
    0x40: "extra_isize",
    0x80: "has_snapshot",
    0x100: "quota",
    0x200: "bigalloc",
    0x400: "metadata_csum",
    0x800: "replica",
    0x1000: "read-only",
    0x2000: "project",
    0x4000: "shared_blocks",
    0x8000: "verity",
    0x10000: "orphan_present",
}

EXT3_INCOMPAT = 0x2 | 0x4 | 0x10
"""What an ext2 or ext3 driver understands (Linux: EXT3_FEATURE_INCOMPAT_SUPP)."""
EXT3_RO_COMPAT = 0x1 | 0x2 | 0x4


# Single features, for those who look for them.
COMPAT_HAS_JOURNAL = 0x4
COMPAT_SPARSE_SUPER2 = 0x200
INCOMPAT_RECOVER = 0x4
INCOMPAT_JOURNAL_DEV = 0x8
INCOMPAT_META_BG = 0x10
INCOMPAT_EXTENTS = 0x40
INCOMPAT_64BIT = 0x80
RO_COMPAT_SPARSE_SUPER = 0x1


def feature_names(compat: int, incompat: int, ro_compat: int) -> tuple[str, ...]:
    """The names of all features that are set; unknown bits as `incompat_0x40000`, say."""
    names = []
    words = ((compat, COMPAT, "compat"), (incompat, INCOMPAT, "incompat"), (ro_compat, RO_COMPAT, "ro_compat"))
    for word, table, group in words:
        for bit in range(32):
            if word >> bit & 1:
                names.append(table.get(1 << bit, f"{group}_0x{1 << bit:x}"))
    return tuple(names)
