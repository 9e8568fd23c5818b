"""xz and lzma payloads, unpacked as the small decoders of the Mini-OS build do (unxz.c, unlzma.c)."""

from __future__ import annotations

from pvgrub_sim.xen.kept import OUTPUT_LIMIT
from pvgrub_sim.xen.packed import Damaged, Packed, Unpacked, drain, whole

XZ_CORRUPT = "XZ-compressed data is corrupt"
XZ_UNSUPPORTED = "Input was encoded with settings that are not supported by this XZ decoder"
XZ_LARGEST_DICTIONARY = 39
"""The coded dictionary size of 3 GiB."""
BCJ_X86 = 4
LZMA2 = 0x21


def unpack_xz(packed: Packed) -> Unpacked:
    """Unpack the first xz stream (unxz.c, xz/dec_stream.c).

    Only what the small decoder knows: CRC32 or no check, LZMA2 alone or behind the x86 filter.
    """
    import lzma

    if not _xz_is_supported(packed.payload):
        raise Damaged(XZ_UNSUPPORTED)
    payload = packed.payload
    mended = False
    while True:
        stream = lzma.LZMADecompressor(lzma.FORMAT_XZ)
        out = packed.output()
        try:
            drain(stream, payload, out)
        except (lzma.LZMAError, MemoryError):
            # Once more without what only liblzma looks at.
            if mended or (again := _xz_without_first_bytes(payload)) is None:
                raise Damaged(XZ_CORRUPT) from None
            payload, mended = again, True
            continue
        if not stream.eof:
            raise Damaged(XZ_CORRUPT)
        return whole(out)


def _xz_without_first_bytes(payload: memoryview) -> memoryview | None:
    """The first block with the first byte of each chunk's range coder zeroed, or None when all are zero already.

    QUIRK: the small decoder passes over that byte, whatever it is (xz/dec_lzma2.c:rc_read_init).
    """
    copy = bytearray(payload)
    at = 12 + (copy[12] + 1) * 4 if len(copy) > 12 else len(copy)
    changed = False
    while at + 6 < len(copy) and (control := copy[at]):
        length = int.from_bytes(copy[at + 1 : at + 3], "big") + 1
        if control < 0x80:
            at += 3 + length
            continue
        start = at + 5 + (control >= 0xC0)
        at = start + int.from_bytes(copy[at + 3 : at + 5], "big") + 1
        if copy[start]:
            copy[start] = 0
            changed = True
    return memoryview(copy) if changed else None


def _xz_is_supported(payload: memoryview) -> bool:
    """False for a stream whose headers are intact but ask for what the small decoder lacks."""
    from zlib import crc32

    head = bytes(payload[:12])
    if len(head) < 12 or crc32(head[6:8]) != int.from_bytes(head[8:12], "little"):
        return True  # damaged: not for us to judge
    # QUIRK: CRC64, which xz itself uses by default, and SHA-256 are refused, not passed over.
    if head[6] or head[7] > 1:
        return False
    block = bytes(payload[12 : 12 + (payload[12] + 1) * 4]) if len(payload) > 12 and payload[12] else b""
    if len(block) < 8 or crc32(block[:-4]) != int.from_bytes(block[-4:], "little"):
        return True
    flags, at = block[1], 2
    if flags & 0x3E:
        return False
    for present in (flags & 0x40, flags & 0x80):
        while present and at < len(block) - 4 and block[at] & 0x80:
            at += 1
        at += 1 if present else 0
    fields = block[at:-4]
    if flags & 1:
        if fields[:2] != bytes([BCJ_X86, 0]):
            return False
        fields = fields[2:]
    if len(fields) < 3:
        return len(fields) < 2
    return fields[:2] == bytes([LZMA2, 1]) and fields[2] <= XZ_LARGEST_DICTIONARY and not any(fields[3:])


LZMA_CORRUPT = "LZMA data is corrupt"
LZMA_HEADER = 13
LZMA_SMALLEST = 4096
"""liblzma makes smaller dictionaries this large; the small decoder does not."""


def unpack_lzma(packed: Packed) -> Unpacked:
    """Unpack an lzma file (unlzma.c): its header's size, or an end marker, ends it, whichever comes first."""
    import lzma

    payload = packed.payload
    header = bytes(payload[:LZMA_HEADER])
    if len(header) < LZMA_HEADER:
        raise Damaged("unexpected EOF")
    dictionary = int.from_bytes(header[1:5], "little")
    size = int.from_bytes(header[5:], "little")
    # QUIRK: the window's size is a C int: from 2 GiB on there is no memory for it.
    if min(dictionary, size) >= 1 << 31:
        raise Damaged
    # No window needs to be larger than what may come out. Without a size liblzma takes an end marker anywhere.
    window = min(max(dictionary, LZMA_SMALLEST), OUTPUT_LIMIT)
    # QUIRK: the first byte of the range coder is passed over, whatever it is.
    header = header[:1] + window.to_bytes(4, "little") + b"\xff" * 8 + b"\0"
    stream = lzma.LZMADecompressor(lzma.FORMAT_ALONE)
    out = packed.output()
    try:
        stream.decompress(header, 0)
        if size:
            drain(stream, payload[len(header) :], out, size)
    except (lzma.LZMAError, MemoryError):
        raise Damaged(LZMA_CORRUPT) from None
    if not stream.eof and len(out) < size:
        raise Damaged("unexpected EOF")
    # A kernel larger than such a window has matches farther apart.
    if dictionary < LZMA_SMALLEST and len(out) > max(dictionary, 1):
        raise Damaged(LZMA_CORRUPT)
    return whole(out)
