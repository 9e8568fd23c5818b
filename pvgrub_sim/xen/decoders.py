"""Payload decoders as the Mini-OS build has them: gzip and bzip2 (the others have modules of their own).

Each takes a Packed and returns an Unpacked, or raises PayloadDamaged. Except for gzip they follow the stream alone: the
size word and whatever else stands behind the stream do not count. The libraries are imported when they are needed.
"""

from __future__ import annotations

from pvgrub_sim.typed import Any
from pvgrub_sim.xen.excerpt import Excerpt
from pvgrub_sim.xen.packed import Packed, PayloadDamaged, PayloadTooLarge, Unpacked, drain, whole

GZIP_SPARE = 16
"""Bytes by which libxc's buffer is larger than the size word says (xg_dom_core.c:xc_dom_check_gzip)."""
GZIP_STEP = 1 << 14
GZIP_PIECE = 1 << 16
GZIP_RESERVED = 0xE0
"""Header flags that zlib refuses, and ISA-L passes over."""
GZIP_INSANE = 1 << 30
"""A size word above this is not believed, and the payload left as it is."""


def unpack_gzip(packed: Packed) -> Unpacked | None:
    """Unpack with zlib, into a buffer as large as the size word says; None when the payload is left as it is.

    CRC and length are checked. Source: xg_dom_core.c:xc_dom_try_gunzip, xc_dom_do_gunzip.
    """
    room = packed.size_word + GZIP_SPARE
    # QUIRK: too short, or too large to be believed: left packed, without a word.
    if packed.length < 6 or packed.size_word > GZIP_INSANE:
        return None
    if room > packed.most:
        raise PayloadTooLarge
    if packed.payload[3] & GZIP_RESERVED:
        raise PayloadDamaged("xc_dom_do_gunzip: inflate failed (rc=-3)")
    out = packed.output()
    from pvgrub_sim.deflate import deflate_library

    # The faster one; zlib has the last word on what it does not like.
    fast = deflate_library(len(packed.payload))
    if not _inflate(fast.decompressobj(wbits=31), fast.error, packed.payload, out, room):
        import zlib

        out = packed.output()
        stream = zlib.decompressobj(wbits=31)
        try:
            ended = _whole_member(stream, packed.payload, out, room)
        except zlib.error:
            raise PayloadDamaged("xc_dom_do_gunzip: inflate failed (rc=-3)") from None
        if not ended:
            raise PayloadDamaged("xc_dom_do_gunzip: inflate failed (rc=-5)")
    # QUIRK: the image is taken to be as large as the buffer: zeros behind the kernel, 16 of them or many more.
    return Unpacked(out, room)


def _whole_member(stream: Any, payload: memoryview, out: Excerpt, room: int) -> bool:
    """Unpack one gzip member into out; False when it does not end within payload and room. Raises zlib.error."""
    for at in range(0, len(payload), GZIP_STEP):
        chunk: bytes | memoryview = payload[at : at + GZIP_STEP]
        while True:
            left = room - len(out)
            # The end of the data may still be to come when there is no room left.
            piece = stream.decompress(chunk, min(GZIP_PIECE, left) or 1)
            if len(piece) > left:
                return False
            out.append(piece)
            if stream.eof:
                return True
            chunk = stream.unconsumed_tail
            if not chunk and len(piece) < GZIP_PIECE:
                break
    return False


def _inflate(stream: Any, error: Any, payload: memoryview, out: Excerpt, room: int) -> bool:
    """Unpack one gzip member into out; False when it does not end within payload and room, or on that error."""
    try:
        for at in range(0, len(payload), GZIP_STEP):
            chunk: bytes | memoryview = payload[at : at + GZIP_STEP]
            while True:
                # In small pieces, whose memory is used again, and of which a bomb makes no large ones.
                piece = stream.decompress(chunk, GZIP_PIECE)
                out.append(piece)
                if len(out) > room:
                    return False
                if stream.eof:
                    return True
                chunk = stream.unconsumed_tail
                if not chunk and len(piece) < GZIP_PIECE:
                    break
    except error:
        return False
    return False


BZIP2_BLOCK = b"1AY&SY"
BZIP2_RANDOMISED = 0x80


def unpack_bzip2(packed: Packed) -> Unpacked:
    """Unpack the first bzip2 stream (bunzip2.c); what follows it does not count."""
    import bz2

    # QUIRK: blocks as only bzip2 0.9.0 made them are refused; any but the first is found by its CRC, at the latest.
    head = bytes(packed.payload[4:15])
    if head[:6] == BZIP2_BLOCK and head[10:] and head[10] & BZIP2_RANDOMISED:
        raise PayloadDamaged
    stream = bz2.BZ2Decompressor()
    out = packed.output()
    try:
        drain(stream, packed.payload, out)
    except OSError:
        raise PayloadDamaged("Data integrity error when decompressing.") from None
    if not stream.eof:
        raise PayloadDamaged
    return whole(out)
