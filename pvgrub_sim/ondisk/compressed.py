"""The first bytes of compressed data, by format; kernels and their payloads come in these."""

from __future__ import annotations

GZIP = b"\x1f\x8b"
"""RFC 1952."""
GZIP_OLD = b"\x1f\x9e"
"""gzip 0.5, which GRUB and the kernel's own script still take."""
BZIP2 = b"BZh"
XZ = b"\xfd7zXZ\0"
"""The .xz file format 1.1.0, 2.1.1.1."""
XZ_FOOTER = b"YZ"
ZSTD = b"\x28\xb5\x2f\xfd"
"""RFC 8878, 3.1.1."""
LZMA = b"\x5d\0"
"""The properties lc 3, lp 0, pb 2 and the low byte of the dictionary's size: there is no magic of .lzma files."""
LZO = b"\x89LZO\0\r\n\x1a\n"
"""lzop."""
LZ4_LEGACY = b"\x02\x21\x4c\x18"
"""The legacy frame (lz4_Frame_format.md), the only one that kernels have."""

FORMATS = (
    ("gzip", GZIP),
    ("gzip", GZIP_OLD),
    ("bzip2", BZIP2),
    ("xz", XZ),
    ("zstd", ZSTD),
    ("lzma", LZMA),
    ("lzo", LZO),
    ("lz4", LZ4_LEGACY),
)
"""The formats that a kernel's payload may have, under the names of the kernel's CONFIG_KERNEL_… options."""


def is_gzip(data: bytes | bytearray | memoryview) -> bool:
    """True for data that begins as gzip's does, of any age."""
    return data[:2] in (GZIP, GZIP_OLD)
