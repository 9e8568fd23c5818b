"""Deflate as the formats of virtual disks use it: one cluster at a time, never more than a cluster."""

from __future__ import annotations


def inflate(packed: bytes, size: int, *, window: int) -> bytes:
    """At most `size` bytes of a stream.

    window: as zlib takes it: negative for a raw stream, positive for one with zlib's header. Raises ValueError.
    """
    from pvgrub_sim.deflate import deflate_library

    library = deflate_library()
    try:
        unpacked: bytes = library.decompressobj(window).decompress(packed, size)
    except library.error as error:
        raise ValueError(str(error)) from None
    return unpacked
