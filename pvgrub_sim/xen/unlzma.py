"""lzma payloads, unpacked as the small decoder of the Mini-OS build does (unlzma.c)."""

from __future__ import annotations

from pvgrub_sim.xen.kept import OUTPUT_LIMIT
from pvgrub_sim.xen.packed import Damaged, Packed, Unpacked, drain, whole

CORRUPT = "LZMA data is corrupt"
HEADER = 13
SMALLEST = 4096
"""liblzma makes smaller dictionaries this large; the small decoder does not."""


def unpack_lzma(packed: Packed) -> Unpacked:
    """Unpack an lzma file (unlzma.c): its header's size, or an end marker, ends it, whichever comes first."""
    import lzma

    payload = packed.payload
    header = bytes(payload[:HEADER])
    if len(header) < HEADER:
        raise Damaged("unexpected EOF")
    dictionary = int.from_bytes(header[1:5], "little")
    size = int.from_bytes(header[5:], "little")
    # QUIRK: the window's size is a C int: from 2 GiB on there is no memory for it.
    if min(dictionary, size) >= 1 << 31:
        raise Damaged
    # No window needs to be larger than what may come out. Without a size liblzma takes an end marker anywhere.
    window = min(max(dictionary, SMALLEST), OUTPUT_LIMIT)
    # QUIRK: the first byte of the range coder is passed over, whatever it is.
    header = header[:1] + window.to_bytes(4, "little") + b"\xff" * 8 + b"\0"
    stream = lzma.LZMADecompressor(lzma.FORMAT_ALONE)
    out = packed.output()
    try:
        stream.decompress(header, 0)
        if size:
            drain(stream, payload[len(header) :], out, size)
    except (lzma.LZMAError, MemoryError):
        raise Damaged(CORRUPT) from None
    if not stream.eof and len(out) < size:
        raise Damaged("unexpected EOF")
    # A kernel larger than such a window has matches farther apart.
    if dictionary < SMALLEST and len(out) > max(dictionary, 1):
        raise Damaged(CORRUPT)
    return whole(out)
