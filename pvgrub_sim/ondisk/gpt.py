"""The GUID partition table: header and entries (UEFI 2.10, 5.3 "GUID Partition Table (GPT) Disk Layout")."""

from __future__ import annotations

import struct

from pvgrub_sim.typed import Final

HEADER_SECTOR: Final = 1
MAGIC: Final = b"EFI PART"
REVISION_1_0: Final = 0x00010000

HEADER: Final = struct.Struct("<8sIIII4Q16sQIII")
"""magic, revision, header size, CRC, reserved, this LBA, other LBA, first usable, last usable, disk GUID,
entries' LBA, number of entries, size of an entry in bytes, CRC of the entries."""

ENTRY: Final = struct.Struct("<QQ16sQQ")
"""First and second half of the type GUID, partition GUID, first LBA, last LBA; attributes and name follow."""

FULL_ENTRY: Final = struct.Struct("<16s16sQQQ72s")
"""Type GUID, partition GUID, first LBA, last LBA, attributes, name in UTF-16: all of a 128-byte entry."""
assert FULL_ENTRY.size == 128

ATTRIBUTE_LEGACY_BOOT: Final = 1 << 2
