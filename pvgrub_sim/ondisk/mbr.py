"""The PC partition table in sector 0 and in extended boot records (GRUB 0.97, stage2/pc_slice.h).

Layout as in "Partition Types" by Andries Brouwer and UEFI 2.10, 5.2.1 "Legacy Master Boot Record".
"""

from __future__ import annotations

from pvgrub_sim.typed import Final

TABLE_OFFSET: Final = 446
ENTRY_SIZE: Final = 16
ENTRIES: Final = 4
SIGNATURE_OFFSET: Final = 510
SIGNATURE: Final = b"\x55\xaa"

# Offsets in an entry.
ENTRY_TYPE: Final = 4
ENTRY_START: Final = 8
ENTRY_LENGTH: Final = 12

ACTIVE: Final = 0x80
"""The flag of the partition to boot from."""
HIDDEN_FLAG: Final = 0x10
EXTENDED_TYPES: Final = frozenset({0x05, 0x0F, 0x85})
FAT_TYPES: Final = frozenset({0x01, 0x04, 0x06, 0x0B, 0x0C, 0x0E})
TYPE_EZD: Final = 0x55
MINIX_TYPES: Final = frozenset({0x80, 0x81})
TYPE_EXT2FS: Final = 0x83
TYPE_VSTAFS: Final = 0x9E
TYPE_GPT: Final = 0xEE
TYPE_LINUX_RAID: Final = 0xFD
BSD_TYPES: Final = frozenset({0xA5, 0xA6, 0xA9})


def entry_offset(index: int) -> int:
    """Where entry `index` (0 to 3) begins in its sector, in bytes."""
    return TABLE_OFFSET + ENTRY_SIZE * index
