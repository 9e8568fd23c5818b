"""The BSD disk label in the second sector of a slice (GRUB 0.97, stage2/pc_slice.h; 4.4BSD, sys/disklabel.h)."""

from __future__ import annotations

from pvgrub_sim.ondisk.mbr import BSD_TYPES
from pvgrub_sim.typed import Final

LABEL_SECTOR: Final = 1
MAGIC: Final = 0x82564557
PARTITION_COUNT_OFFSET: Final = 138
TABLE_OFFSET: Final = 148
ENTRY_SIZE: Final = 16

# Offsets in an entry.
ENTRY_LENGTH: Final = 0
ENTRY_START: Final = 4
ENTRY_TYPE: Final = 12

FS_BSDFFS: Final = 7
FS_MSDOS: Final = 8
FS_OTHER: Final = 10
FS_ISO9660: Final = 12
FS_EXT2FS: Final = 17


def is_bsd_slice_with_fs(slice_type: int, fs_type: int) -> bool:
    """True for a slice type 0xa5, 0xa6 or 0xa9 that carries this BSD filesystem type in bits 8 to 15.

    As IS_PC_SLICE_TYPE_BSD_WITH_FS() in stage2/pc_slice.h.
    """
    return slice_type >> 8 == fs_type and slice_type & 0xFF in BSD_TYPES


def slices_with_fs(fs_type: int) -> frozenset[int]:
    """The slice types for which is_bsd_slice_with_fs() is true."""
    return frozenset(bsd | fs_type << 8 for bsd in BSD_TYPES)
