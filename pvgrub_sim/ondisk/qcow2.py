"""qcow2: header, header extensions and the bits of table entries (qemu, docs/interop/qcow2.txt)."""

from __future__ import annotations

import struct

from pvgrub_sim.typed import Final
from pvgrub_sim.values import NamedTuple

MAGIC: Final = b"QFI\xfb"
HEADER: Final = struct.Struct(">4sIQIIQIIQQIIQ")
"""magic, version, backing file's offset and size, cluster bits, size, crypt method, L1 size and offset, refcount
table's offset and clusters, snapshots and their offset."""
assert HEADER.size == 72
FEATURES: Final = struct.Struct(">QQQII")
"""Version 3: incompatible, compatible and autoclear features, refcount order, header's length."""
SMALLEST_CLUSTER: Final = 9
LARGEST_CLUSTER: Final = 21
LONGEST_NAME: Final = 1023

DIRTY: Final = 1
CORRUPT: Final = 2
DATA_FILE: Final = 4
COMPRESSION: Final = 8
EXTENDED_L2: Final = 16
KNOWN_INCOMPATIBLE: Final = DIRTY | CORRUPT | DATA_FILE | COMPRESSION | EXTENDED_L2
ZSTD: Final = 1

BACKING_FORMAT: Final = 0xE2792ACA
FEATURE_NAMES: Final = 0x6803F857
DATA_FILE_NAME: Final = 0x44415441

OFFSET_MASK: Final = 0x00FF_FFFF_FFFF_FE00
"""Of an L1 or L2 entry: where the table or cluster lies."""
COPIED: Final = 1 << 63
COMPRESSED: Final = 1 << 62
ZERO: Final = 1
SUBCLUSTERS: Final = 32
ALL_PLACED: Final = (1 << SUBCLUSTERS) - 1
"""The bitmap of a cluster whose subclusters are all in it."""


class Header(NamedTuple):
    """What the header says.

    size: of the disk, in bytes. compression: 0 zlib, 1 zstd. names: of features, by `bit`, of the incompatible ones.
    backing, data_file: names as the image has them, None where there is none.
    """

    version: int
    cluster_bits: int
    size: int
    crypt_method: int
    l1_size: int
    l1_offset: int
    snapshots: int
    incompatible: int = 0
    compression: int = 0
    backing: str | None = None
    backing_format: str | None = None
    data_file: str | None = None
    names: tuple[tuple[int, str], ...] = ()


def parse(raw: bytes) -> Header:
    """The header at the start of a file's first cluster; raises ValueError with what is wrong."""
    if len(raw) < HEADER.size:
        raise ValueError("the header is cut short")
    fields = HEADER.unpack_from(raw)
    _, version, name_at, name_size, cluster_bits, size, crypt, l1_size, l1_offset, _, _, snapshots, _ = fields
    if version not in (2, 3):
        raise ValueError(f"version {version} is unknown")
    incompatible = compression = 0
    length = HEADER.size
    if version == 3:
        if len(raw) < HEADER.size + FEATURES.size:
            raise ValueError("the header is cut short")
        incompatible, _, _, _, length = FEATURES.unpack_from(raw, HEADER.size)
        if length < HEADER.size + FEATURES.size or length > len(raw) or length % 8:
            raise ValueError(f"a header of {length} bytes")
        compression = raw[104] if length > 104 else 0
        if bool(incompatible & COMPRESSION) != bool(compression) or compression > ZSTD:
            raise ValueError(f"compression {compression} is unknown")
    extensions = _extensions(raw, length, name_at or len(raw))
    backing = None
    if name_at:
        if name_size > LONGEST_NAME or name_at + name_size > len(raw):
            raise ValueError("the backing file's name lies outside of the header's cluster")
        backing = _text(raw[name_at : name_at + name_size])
    format_, data = extensions.get(BACKING_FORMAT), extensions.get(DATA_FILE_NAME)
    return Header(
        version,
        cluster_bits,
        size,
        crypt,
        l1_size,
        l1_offset,
        snapshots,
        incompatible,
        compression,
        backing,
        None if format_ is None else _text(format_),
        None if data is None else _text(data),
        _names(extensions.get(FEATURE_NAMES, b"")),
    )


def _extensions(raw: bytes, at: int, end: int) -> dict[int, bytes]:
    """The header extensions by type; what reaches over the end is left out."""
    found: dict[int, bytes] = {}
    end = min(end, len(raw))
    while at + 8 <= end:
        kind, length = struct.unpack_from(">II", raw, at)
        if not kind or at + 8 + length > end:
            break
        found.setdefault(kind, raw[at + 8 : at + 8 + length])
        at += 8 + (length + 7 & ~7)
    return found


def _names(table: bytes) -> tuple[tuple[int, str], ...]:
    rows = [table[at : at + 48] for at in range(0, len(table) - 47, 48)]
    return tuple((row[1], _text(row[2:].rstrip(b"\0"))) for row in rows if row[0] == 0)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def feature_name(header: Header, bits: int) -> str:
    """The name of the lowest of some incompatible features, from the image's own table where that has one."""
    bit = (bits & -bits).bit_length() - 1
    return repr(dict(header.names).get(bit, f"bit {bit}"))
