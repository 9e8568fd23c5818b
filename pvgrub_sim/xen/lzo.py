"""lzo payloads: files of lzop, unpacked as the Mini-OS build does (unlzo.c)."""

from __future__ import annotations

from collections.abc import Callable

from pvgrub_sim.errors import UsageError
from pvgrub_sim.ondisk.compressed import LZO
from pvgrub_sim.xen.packed import Packed, PayloadDamaged, Unpacked, whole

SMALLEST_HEADER = 33
BLOCK = 256 << 10
"""Bytes that a block may unpack to."""
HAS_FILTER = 0x800
VERSION_WITH_LEVEL = 0x0940
CORRUPTED = "file corrupted"


def unpack_lzo(packed: Packed) -> Unpacked:
    """Unpack block after block up to the block of length 0; no checksum is looked at.

    QUIRK: one checksum a block is passed over, of whatever kind the header announces.
    """
    payload = packed.payload
    at = _header_size(payload)
    if at is None:
        raise PayloadDamaged("invalid header")
    decompress = _decompressor()
    out = packed.output()
    while True:
        if at + 4 > len(payload):
            raise PayloadDamaged(CORRUPTED)
        size = int.from_bytes(payload[at : at + 4], "big")
        at += 4
        if not size:
            return whole(out)
        if size > BLOCK:
            raise PayloadDamaged("dest len longer than block size")
        if at + 8 > len(payload):
            raise PayloadDamaged(CORRUPTED)
        length = int.from_bytes(payload[at : at + 4], "big")
        at += 8
        if not 0 < length <= min(size, len(payload) - at):
            raise PayloadDamaged(CORRUPTED)
        block = payload[at : at + length]
        at += length
        if length == size:
            out.append(block)
            continue
        chunk = decompress(block, size)
        if chunk is None or len(chunk) != size:
            raise PayloadDamaged("Compressed data violation")
        out.append(chunk)


def _header_size(payload: memoryview) -> int | None:
    """Bytes of lzop's header, or None when it is not one (unlzo.c:parse_header)."""
    if len(payload) < SMALLEST_HEADER or payload[: len(LZO)] != LZO:
        return None
    with_level = int.from_bytes(payload[9:11], "big") >= VERSION_WITH_LEVEL
    at = 9 + 7 + with_level
    at += 8 if int.from_bytes(payload[at : at + 4], "big") & HAS_FILTER else 4
    if len(payload) - at < 8 + 1 + 4:
        return None
    at += 8 + 4 * with_level
    if at >= len(payload):
        return None
    name = payload[at]
    at += 1
    return at + name + 4 if len(payload) - at >= name + 4 else None


def _decompressor() -> Callable[[memoryview, int], bytes | None]:
    """A function that unpacks one LZO1X block to at most so many bytes, or returns None."""
    try:
        from lzallright import LZOCompressor, LZOError
    except ImportError:
        try:
            import lzo
        except ImportError:
            raise UsageError(
                "an lzo payload is unpacked by lzallright or python-lzo, and neither is installed"
            ) from None

        def by_lzo(block: memoryview, size: int) -> bytes | None:
            try:
                result: bytes = lzo.decompress(bytes(block), False, size)
            except lzo.error:
                return None
            return result

        return by_lzo

    codec = LZOCompressor()

    def by_lzallright(block: memoryview, size: int) -> bytes | None:
        try:
            result: bytes = codec.decompress(bytes(block), size)
        except LZOError:
            return None
        return result

    return by_lzallright
