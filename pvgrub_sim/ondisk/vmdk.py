"""VMDK: sparse extents and the descriptor (VMware, Virtual Disk Format 5.0; qemu, block/vmdk.c for ESX's COWD)."""

from __future__ import annotations

import re
import struct

from pvgrub_sim.typed import Final
from pvgrub_sim.values import NamedTuple

SPARSE_MAGIC: Final = b"KDMV"
COWD_MAGIC: Final = b"COWD"
SPARSE_HEADER: Final = struct.Struct("<4sIIQQQQIQQQB4sH")
"""magic, version, flags, capacity, grain size, descriptor's offset and size, entries of a grain table, redundant grain
directory, grain directory, overhead, unclean shutdown, check bytes, compression; all offsets and sizes in sectors."""
COWD_HEADER: Final = struct.Struct("<4sIIIIII")
"""magic, version, flags, sectors, grain size, grain directory's offset and entries."""
COWD_TABLE: Final = 4096
"""Entries of a COWD grain table."""
HEADER_SIZE: Final = 512
LONGEST_DESCRIPTOR: Final = 1 << 20
LARGEST_TABLE: Final = 512
LARGEST_GRAIN: Final = 0x200000
"""Sectors."""
AT_END: Final = 0xFFFFFFFFFFFFFFFF
"""The grain directory is named by the footer."""
NEWLINE_CHECK: Final = 1
ZEROED_GRAINS: Final = 4
MARKERS: Final = 1 << 17
CHECK_BYTES: Final = b"\n \r\n"
DEFLATE: Final = 1
ZEROED: Final = 1
"""The entry of a grain that reads as zeros, where the header allows for that."""
MARKER: Final = struct.Struct("<QI")
"""First sector and length in bytes of a compressed grain."""
NO_PARENT: Final = 0xFFFFFFFF

_EXTENT: Final = re.compile(r'(?:RW|RDONLY|NOACCESS)[ \t]+(\d+)[ \t]+(\w+)(?:[ \t]+"([^"]*)"(?:[ \t]+(\d+))?)?.*')
_FIELD: Final = re.compile(r'(\w+)[ \t]*=[ \t]*(?:"([^"]*)"|(\S*))[ \t]*')
_CID: Final = re.compile(r"[0-9a-fA-F]{1,8}")


class SparseHeader(NamedTuple):
    """What the header of a sparse extent says; sizes and offsets in sectors."""

    version: int
    flags: int
    capacity: int
    grain: int
    descriptor: int
    descriptor_size: int
    table_entries: int
    directory: int
    check: bytes
    compression: int


class ExtentLine(NamedTuple):
    """A line of the descriptor: sectors, type, the file's name and the first sector in it."""

    sectors: int
    type: str
    file: str
    offset: int


class Descriptor(NamedTuple):
    """What the descriptor says: its fields by name in lower case, and the extents."""

    fields: dict[str, str]
    extents: tuple[ExtentLine, ...]


def parse_sparse(raw: bytes) -> SparseHeader | None:
    """The header or footer of a sparse extent, None where it is none."""
    if len(raw) < SPARSE_HEADER.size or raw[:4] != SPARSE_MAGIC:
        return None
    fields = SPARSE_HEADER.unpack_from(raw)
    _, version, flags, capacity, grain, text, text_size, entries, _, directory, _, _, check, compression = fields
    return SparseHeader(version, flags, capacity, grain, text, text_size, entries, directory, check, compression)


def parse_descriptor(raw: bytes) -> Descriptor:
    """A descriptor, line by line; what is no field and no extent does not count."""
    fields: dict[str, str] = {}
    extents = []
    for line in raw.partition(b"\0")[0].decode("utf-8", "surrogateescape").splitlines():
        text = line.strip()
        if match := _EXTENT.fullmatch(text):
            sectors, kind, file, offset = match.groups()
            if len(sectors) < 20 and len(offset or "") < 20:
                extents.append(ExtentLine(int(sectors), kind.upper(), file or "", int(offset or 0)))
        elif match := _FIELD.fullmatch(text):
            fields.setdefault(match[1].lower(), match[2] if match[2] is not None else match[3])
    return Descriptor(fields, tuple(extents))


def content_id(text: str) -> int | None:
    """A CID as a number, None where it is none: qemu-img writes that of a parent without the zeros before it."""
    return int(text, 16) if _CID.fullmatch(text) else None
