"""lzma payloads, unpacked as the small decoder of the Mini-OS build does (unlzma.c)."""

from __future__ import annotations

from contextlib import suppress

from pvgrub_sim.xen.excerpt import OUTPUT_LIMIT, Excerpt
from pvgrub_sim.xen.lzmadecoder import CORRUPT, HEADER, decode
from pvgrub_sim.xen.packed import Packed, PayloadDamaged, Unpacked, drain, whole

SMALLEST_WINDOW = 4096
"""liblzma makes smaller windows this large; the small decoder does not."""
EXACT_LIMIT = 512 << 10
"""Bytes of a payload up to which what liblzma refuses is decoded again, slowly and as unlzma.c does."""
EXACT_OUTPUT = 64 << 20
"""Bytes that may come out of that."""
NO_SIZE = b"\xff" * 8


def unpack_lzma(packed: Packed) -> Unpacked:
    """Unpack an lzma file (unlzma.c): its header's size, or an end marker, ends it, whichever comes first."""
    payload = packed.payload
    if len(payload) < HEADER:
        raise PayloadDamaged("unexpected EOF")
    dictionary = int.from_bytes(payload[1:5], "little")
    size = int.from_bytes(payload[5:HEADER], "little")
    # QUIRK: the window's size is a C int: from 2 GiB on there is no memory for it.
    if min(dictionary, size) >= 1 << 31:
        raise PayloadDamaged
    if dictionary >= SMALLEST_WINDOW and (out := _by_liblzma(packed, bytes(payload[5:HEADER]))) is not None:
        return whole(out)
    if len(payload) <= EXACT_LIMIT:
        out = packed.output()
        out.append(decode(bytes(payload), EXACT_OUTPUT))
        return whole(out)
    # Too much for the slow way. Without a size liblzma takes an end marker anywhere; the size is seen to here.
    out = _by_liblzma(packed, NO_SIZE, size)
    if out is None or (dictionary < SMALLEST_WINDOW and len(out) > max(dictionary, 1)):
        raise PayloadDamaged(CORRUPT)
    return whole(out)


def _by_liblzma(packed: Packed, size: bytes, most: int = OUTPUT_LIMIT + 1) -> Excerpt | None:
    """What liblzma unpacks, None when it finds fault with the stream, or no end before so many bytes.

    size: as in the header.
    """
    import lzma

    payload = packed.payload
    # No window needs to be larger than what may come out.
    window = min(max(int.from_bytes(payload[1:5], "little"), SMALLEST_WINDOW), OUTPUT_LIMIT)
    # QUIRK: the first byte of the range coder is passed over, whatever it is.
    header = bytes(payload[:1]) + window.to_bytes(4, "little") + size + b"\0"
    stream = lzma.LZMADecompressor(lzma.FORMAT_ALONE)
    out = packed.output()
    with suppress(lzma.LZMAError, MemoryError):
        stream.decompress(header, 0)
        drain(stream, payload[len(header) :], out, most)
        if stream.eof or len(out) == most:
            return out
    return None
