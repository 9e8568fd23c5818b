"""FAT boot sector and directory entries (Microsoft, "FAT32 File System Specification" 1.03, 2000)."""

from __future__ import annotations

import struct

from pvgrub_sim.typed import Final
from pvgrub_sim.values import NamedTuple

BPB_SIZE: Final = 64
_BPB: Final = struct.Struct("<11xHBHBHHBHHHIIIHHIHH12x")


class Bpb(NamedTuple):
    """The BIOS parameter block, FAT32's fields included, under the specification's names in words."""

    bytes_per_sector: int
    sectors_per_cluster: int
    reserved_sectors: int
    fats: int
    root_entries: int
    sectors_16: int
    media: int
    fat_sectors_16: int
    sectors_per_track: int
    heads: int
    hidden_sectors: int
    sectors_32: int
    fat_sectors_32: int
    flags: int
    version: int
    root_cluster: int
    info_sector: int
    backup_sector: int


def parse_bpb(data: bytes) -> Bpb:
    """The parameter block in the first 64 bytes of a boot sector."""
    return Bpb(*_BPB.unpack(data))


FLAG_NO_MIRRORING: Final = 0x0080
ACTIVE_FAT_MASK: Final = 0x000F

ENTRY_SIZE: Final = 32
ENTRY_FREE: Final = 0xE5
ATTR_DIRECTORY: Final = 0x10
ATTR_LONG_NAME: Final = 0x0F
ATTR_NOT_A_FILE: Final = 0xC8
"""Volume label and the two reserved bits."""
LAST_LONG_ENTRY: Final = 0x40
LONG_NAME_ENTRY_CHARACTERS: Final = 13

ENTRY: Final = struct.Struct("<11sB8xH4xHI")
"""Short name, attributes, high and low half of the first cluster, size in bytes."""


def short_name_checksum(short_name: bytes) -> int:
    """The sum over the 11 bytes of a short name that its long name's entries carry."""
    total = 0
    for byte in short_name:
        total = ((total >> 1 | total << 7) + byte) & 0xFF
    return total
