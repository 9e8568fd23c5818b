"""The library for deflate and CRC-32: ISA-L's, which is several times faster, or Python's own where it is missing."""

from __future__ import annotations

from types import ModuleType


def deflate_library() -> ModuleType:
    """isal.isal_zlib or zlib: both have decompressobj(), crc32() and error."""
    try:
        from isal import isal_zlib
    except ImportError:
        import zlib

        return zlib
    return isal_zlib
