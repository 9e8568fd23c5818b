"""The types of slices on which a driver looks for its filesystem at all; 0 stands for the whole disk.

Some drivers that are tried later depend on it as well: what an earlier one has read is still in the filesystem buffer.
"""

from __future__ import annotations

from pvgrub_sim.ondisk import bsd, mbr
from pvgrub_sim.typed import Final

EXT2_SLICES: Final = frozenset(
    {0, mbr.TYPE_EXT2FS, mbr.TYPE_LINUX_RAID} | bsd.slices_with_fs(bsd.FS_EXT2FS) | bsd.slices_with_fs(bsd.FS_OTHER)
)
"""As ext2fs_mount() in stage2/fsys_ext2fs.c."""
MINIX_SLICES: Final = frozenset({0, *mbr.MINIX_TYPES} | bsd.slices_with_fs(bsd.FS_OTHER))
"""As minix_mount() in stage2/fsys_minix.c."""
VSTAFS_SLICES: Final = frozenset({0, mbr.TYPE_VSTAFS})
"""As vstafs_mount() in stage2/fsys_vstafs.c."""
