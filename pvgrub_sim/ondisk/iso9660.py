"""ISO 9660 volume descriptors and directory records, and Rock Ridge entries.

ECMA-119, 8.4 "Primary Volume Descriptor" and 9.1 "Format of a Directory Record"; IEEE P1281 (SUSP) 1.12 and
P1282 (Rock Ridge) 1.12.
"""

from __future__ import annotations

from pvgrub_sim.typed import Final

SECTOR_SIZE: Final = 2048
SECTOR_BITS: Final = 11
FIRST_DESCRIPTOR: Final = 16
DESCRIPTOR_SIZE: Final = 2048
TYPE_PRIMARY: Final = 1
STANDARD_ID: Final = b"CD001"

# Offsets in a primary volume descriptor; numbers are stored in both byte orders, the little one first.
VOLUME_SPACE_SIZE: Final = 80
ROOT_RECORD: Final = 156

# Offsets in a directory record.
RECORD_EXTENT: Final = 2
RECORD_SIZE: Final = 10
RECORD_FLAGS: Final = 25
RECORD_NAME_LENGTH: Final = 32
RECORD_NAME: Final = 33
FLAG_DIRECTORY: Final = 0x02

# Offsets in a system use entry, and the least length at which each is taken.
SUSP_LENGTH: Final = 2
SUSP_VERSION: Final = 3
SUSP_DATA: Final = 4
NM_NAME: Final = 5
CE_EXTENT: Final = 4
CE_OFFSET: Final = 12
CE_SIZE: Final = 20
RR_MINIMUM: Final = 5
PX_MINIMUM: Final = 36
CE_MINIMUM: Final = 28

RR_HAS_PX: Final = 0x01
RR_HAS_NM: Final = 0x08

MODE_TYPE: Final = 0xF000
MODE_REGULAR: Final = 0x8000
MODE_DIRECTORY: Final = 0x4000
