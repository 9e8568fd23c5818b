"""Deflate as the formats of virtual disks use it: one cluster at a time, never more than a cluster."""

from __future__ import annotations


def inflate(packed: bytes, size: int, *, window: int) -> bytes:
    """At most `size` bytes of a stream.

    window: as zlib takes it: negative for a raw stream, positive for one with zlib's header. Raises ValueError.
    """
    from isal import isal_zlib

    try:
        unpacked: bytes = isal_zlib.decompressobj(window).decompress(packed, size)
    except isal_zlib.error as error:  # type: ignore[misc]  # its stub gives an instance
        raise ValueError(str(error)) from None
    return unpacked
