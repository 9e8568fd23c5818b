"""VHDX: headers, regions, metadata, table entries and log (Microsoft, [MS-VHDX]: Virtual Hard Disk v2 File Format)."""

from __future__ import annotations

import struct

from pvgrub_sim.ondisk.crc32c import crc32c
from pvgrub_sim.typed import Final
from pvgrub_sim.values import NamedTuple

FILE_MAGIC: Final = b"vhdxfile"
HEADERS_AT: Final = (64 << 10, 128 << 10)
HEADER_SIZE: Final = 4096
HEADER: Final = struct.Struct("<4sIQ16s16s16sHHIQ")
"""signature, checksum, sequence number, file write, data write and log GUIDs, log version, version, log length and
offset."""
REGION_TABLES_AT: Final = (192 << 10, 256 << 10)
REGION_TABLE_SIZE: Final = 64 << 10
REGION_HEADER: Final = struct.Struct("<4sIII")
REGION: Final = struct.Struct("<16sQII")
"""GUID, file offset, length, flags (bit 0: required)."""
METADATA_HEADER: Final = struct.Struct("<8sHH20s")
METADATA_ENTRY: Final = struct.Struct("<16sIIII")
"""GUID, offset in the region, length, flags (bit 2: required), reserved."""
METADATA_TABLE_SIZE: Final = 64 << 10
MOST_ENTRIES: Final = 2047
REQUIRED_REGION: Final = 1
REQUIRED_ITEM: Final = 4
CHECKSUM_AT: Final = 4


def _guid(text: str) -> bytes:
    parts = text.split("-")
    first = b"".join(bytes.fromhex(part)[::-1] for part in parts[:3])
    return first + bytes.fromhex("".join(parts[3:]))


BAT: Final = _guid("2DC27766-F623-4200-9D64-115E9BFD4A08")
METADATA: Final = _guid("8B7CA206-4790-4B9A-B8FE-575F050F886E")
FILE_PARAMETERS: Final = _guid("CAA16737-FA36-4D43-B3B6-33F0AA44E76B")
DISK_SIZE: Final = _guid("2FA54224-CD1B-4876-B211-5DBED83BF4B8")
DISK_ID: Final = _guid("BECA12AB-B2E6-4523-93EF-C309E000C746")
LOGICAL_SECTOR: Final = _guid("8141BF1D-A96F-4709-BA47-F233A8FAAB5F")
PHYSICAL_SECTOR: Final = _guid("CDA348C7-445D-4471-9CC9-E9885251C556")
PARENT_LOCATOR: Final = _guid("A8D35F2D-B30B-454D-ABF7-D3D84834AB0C")
KNOWN_ITEMS: Final = frozenset({FILE_PARAMETERS, DISK_SIZE, DISK_ID, LOGICAL_SECTOR, PHYSICAL_SECTOR, PARENT_LOCATOR})
VHDX_PARENT: Final = _guid("B04AEFB7-D19E-4A81-B789-25B8E9445913")
LEAVE_ALLOCATED: Final = 1
HAS_PARENT: Final = 2

NOT_PRESENT, UNDEFINED, ZERO, UNMAPPED_V1, UNMAPPED, FULLY_PRESENT, PARTIALLY_PRESENT = 0, 1, 2, 3, 5, 6, 7
"""States of a block, the low three bits of its entry in the block allocation table."""
STATE: Final = 7
OFFSET_MASK: Final = ~0xFFFFF
SECTORS_PER_BITMAP: Final = 1 << 23
BITMAP_SIZE: Final = 1 << 20

LOG_SECTOR: Final = 4096
LOG_ENTRY: Final = struct.Struct("<4sIIIQII16sQQ")
"""signature, checksum, length, tail, sequence number, descriptors, reserved, log GUID, flushed and last file offset."""
assert LOG_ENTRY.size == 64
DESCRIPTOR: Final = struct.Struct("<4s4s8sQQ")
"""signature, the data sector's last 4 and first 8 bytes (or the length of zeros), file offset, sequence number."""


class Header(NamedTuple):
    """The header with the highest sequence number: what it says of the log and of the disk's last change."""

    sequence: int
    data_write: bytes
    log: bytes
    log_version: int
    version: int
    log_length: int
    log_offset: int


def parse_header(raw: bytes) -> Header | None:
    """A header, None when it is none or its checksum is wrong."""
    signature, _, sequence, _, data_write, log, log_version, version, length, offset = HEADER.unpack_from(raw)
    if signature != b"head" or not sound(raw):
        return None
    return Header(sequence, data_write, log, log_version, version, length, offset)


def guid_text(guid: bytes) -> str:
    """A GUID as it is written."""
    digits = (guid[3::-1] + guid[5:3:-1] + guid[7:5:-1] + guid[8:]).hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def sound(raw: bytes) -> bool:
    """True when the checksum of a structure, at byte 4, is that of its bytes with zeros in its place."""
    zeroed = raw[:CHECKSUM_AT] + bytes(4) + raw[CHECKSUM_AT + 4 :]
    return int.from_bytes(raw[CHECKSUM_AT : CHECKSUM_AT + 4], "little") == crc32c(zeroed)
