"""The library for deflate and CRC-32: ISA-L's, which is several times faster, or Python's own where it is missing."""

from __future__ import annotations

from types import ModuleType

SMALL = 128 << 10
"""Bytes of compressed data that zlib is done with before ISA-L is loaded."""


def deflate_library(size: int | None = None) -> ModuleType:
    """isal.isal_zlib or zlib: both have decompressobj(), crc32() and error.

    size: bytes of compressed data that it is for, None where there may be much.
    """
    if size is not None and size <= SMALL:
        import zlib

        return zlib
    try:
        from isal import isal_zlib
    except ImportError:
        import zlib

        return zlib
    return isal_zlib
