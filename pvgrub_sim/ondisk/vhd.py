"""VHD: footer and dynamic disk header (Microsoft, Virtual Hard Disk Image Format Specification 1.0)."""

from __future__ import annotations

import struct

from pvgrub_sim.typed import Final
from pvgrub_sim.values import NamedTuple

COOKIE: Final = b"conectix"
FOOTER_SIZE: Final = 512
FOOTER: Final = struct.Struct(">8sIIQI4sHH4sQQHBBII16sB")
"""cookie, features, version, data offset, time, creator's application, version and system, original and current size,
cylinders, heads, sectors, type, checksum, unique id, saved state."""
CHECKSUM_AT: Final = 64
FIXED, DYNAMIC, DIFFERENCING = 2, 3, 4

DYNAMIC_COOKIE: Final = b"cxsparse"
DYNAMIC_SIZE: Final = 1024
DYNAMIC_HEADER: Final = struct.Struct(">8sQQIIII16sII512s")
"""cookie, data offset, table offset, version, table entries, block size, checksum, parent's id and time, reserved,
parent's name in UTF-16; eight parent locators follow."""
DYNAMIC_CHECKSUM_AT: Final = 36
LOCATORS_AT: Final = 576
LOCATOR: Final = struct.Struct(">4sIIIQ")
"""platform, data space, data length, reserved, data offset in bytes."""
LOCATORS: Final = 8
UNALLOCATED: Final = 0xFFFFFFFF

LARGEST_GEOMETRY: Final = 65535 * 16 * 255
"""Sectors: a disk of this geometry may be larger."""
BY_GEOMETRY: Final = (b"vpc ", b"qemu")
BY_SIZE: Final = (b"qem2", b"win ", b"d2v ", b"CTXS", b"tap\0", b"wa\0\0")
"""Creators whose disks are as large as the footer says; those of all others have the size of their geometry."""


class Footer(NamedTuple):
    """What a footer says: data_offset and size in bytes."""

    data_offset: int
    size: int
    type: int
    id: bytes


class DynamicHeader(NamedTuple):
    """What the header of a dynamic disk says: where its table is, and of a differencing one whose child it is."""

    table_offset: int
    entries: int
    block_size: int
    parent_id: bytes
    parent_name: str
    locators: tuple[tuple[bytes, int, int], ...]
    """Platform, length and offset in bytes of each parent locator."""


def parse_footer(raw: bytes) -> Footer | None:
    """A footer, None when it is none or its checksum is wrong."""
    if len(raw) != FOOTER_SIZE or raw[:8] != COOKIE or not _sound(raw, CHECKSUM_AT):
        return None
    fields = FOOTER.unpack_from(raw)
    data_offset, creator, size, cylinders, heads, sectors, kind, id_ = (
        fields[at] for at in (3, 5, 10, 11, 12, 13, 14, 16)
    )
    geometry = cylinders * heads * sectors
    # As qemu (block/vpc.c, vpc_open): Virtual PC goes by the geometry, Hyper-V and others by the size.
    if creator not in BY_SIZE and geometry != LARGEST_GEOMETRY:
        size = geometry * 512
    return Footer(data_offset, size, kind, id_)


def parse_dynamic(raw: bytes) -> DynamicHeader:
    """The header of a dynamic or differencing disk; raises ValueError with what is wrong."""
    if len(raw) != DYNAMIC_SIZE or raw[:8] != DYNAMIC_COOKIE:
        raise ValueError("there is no dynamic disk header")
    if not _sound(raw, DYNAMIC_CHECKSUM_AT):
        raise ValueError("the checksum of the dynamic disk header is wrong")
    _, _, table, _, entries, block, _, parent, _, _, name = DYNAMIC_HEADER.unpack_from(raw)
    places = range(LOCATORS_AT, LOCATORS_AT + LOCATORS * LOCATOR.size, LOCATOR.size)
    locators = tuple((code, length, at) for code, _, length, _, at in (LOCATOR.unpack_from(raw, at) for at in places))
    return DynamicHeader(table, entries, block, parent, utf16(name, "utf-16-be"), locators)


def utf16(raw: bytes, encoding: str) -> str:
    """A name in UTF-16 up to the first NUL; bytes that are none become question marks."""
    return raw.decode(encoding, "replace").partition("\0")[0].replace("\ufffd", "?")


def _sound(raw: bytes, at: int) -> bool:
    """True when a structure's checksum is the complement of the sum of its other bytes."""
    return int.from_bytes(raw[at : at + 4], "big") == ~(sum(raw) - sum(raw[at : at + 4])) & 0xFFFFFFFF
