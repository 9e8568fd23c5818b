"""Names of a file's extended attributes on ext2, ext3 and ext4 (Linux, fs/ext4/xattr.h)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from pvgrub_sim.ondisk import ext2
from pvgrub_sim.survey.area import Area, Damaged
from pvgrub_sim.typed import Final

MAGIC: Final = 0xEA020000
MOST: Final = 64
"""Attributes of one file that are told."""
_ENTRY: Final = struct.Struct("<BBHIII")
_HEADER_SIZE: Final = 32
"""Bytes of struct ext4_xattr_header, which is in front of the entries of a block of their own."""
_PREFIXES: Final = {1: "user.", 2: "system.posix_acl_access", 3: "system.posix_acl_default", 4: "trusted.",
                    6: "security.", 7: "system."}  # fmt: skip
_INLINE_DATA: Final = "system.data"
"""Where content is kept that lies in the inode: no attribute to anybody."""


def attribute_names(record: bytes, area: Area, block_size: int) -> tuple[str, ...]:
    """The names of a file's attributes, in the inode and in a block of their own; what is damaged is left out.

    record: the bytes of its inode. area: the filesystem. block_size: in bytes.
    """
    found: list[str] = []
    if len(record) > ext2.I_EXTRA_ISIZE + 2:
        start = ext2.I_EXTRA_ISIZE + int.from_bytes(record[ext2.I_EXTRA_ISIZE : ext2.I_EXTRA_ISIZE + 2], "little")
        if record[start : start + 4] == MAGIC.to_bytes(4, "little"):
            found += _names(record[start + 4 :])
    block = int.from_bytes(record[ext2.I_FILE_ACL : ext2.I_FILE_ACL + 4], "little")
    if block:
        try:
            raw = area.read(block * block_size, block_size)
        except Damaged:
            raw = b""
        if raw[:4] == MAGIC.to_bytes(4, "little"):
            found += _names(raw[_HEADER_SIZE:])
    return tuple(name for name in dict.fromkeys(found) if name != _INLINE_DATA)


def _names(raw: bytes) -> Iterator[str]:
    at = 0
    for _ in range(MOST):
        if at + _ENTRY.size > len(raw) or raw[at : at + 4] == bytes(4):
            return
        length, index = raw[at], raw[at + 1]
        name = raw[at + _ENTRY.size : at + _ENTRY.size + length]
        yield _PREFIXES.get(index, "") + name.decode("utf-8", "surrogateescape")
        at += _ENTRY.size + (length + 3 & ~3)
