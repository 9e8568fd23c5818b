"""Files that GRUB gunzips while it reads them."""

from __future__ import annotations


def gunzip(raw: bytes, most: int) -> bytes:
    """Up to `most` bytes of what gzip'd bytes unpack to; the bytes as they are when they do not."""
    import zlib

    try:
        return zlib.decompressobj(31).decompress(raw, most)
    except zlib.error:
        return raw
