"""Payload decoders as the Mini-OS build has them: gzip, bzip2, xz, lzma, zstd (lz4 and lzo: modules of their own).

Each takes a Packed and returns an Unpacked, or raises Damaged. Except for gzip they follow the stream alone: the
size word and whatever else stands behind the stream do not count. The libraries are imported when they are needed.
"""

from __future__ import annotations

from typing import Any

from pvgrub_sim.xen.packed import OUTPUT_LIMIT, STEP, Damaged, Packed, Unpacked, grow, whole

GZIP_SPARE = 16
"""Bytes by which libxc's buffer is larger than the size word says (xg_dom_core.c:xc_dom_check_gzip)."""
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
    out = bytearray()
    from isal import isal_zlib

    # ISA-L is several times faster; zlib has the last word on what it does not like.
    if not _inflate(isal_zlib.decompressobj(wbits=31), isal_zlib.error, packed.payload, out, room):
        import zlib

        out.clear()
        stream = zlib.decompressobj(wbits=31)
        try:
            out += stream.decompress(packed.payload, min(room, OUTPUT_LIMIT))
        except zlib.error:
            raise Damaged("xc_dom_do_gunzip: inflate failed (rc=-3)") from None
        if not stream.eof:
            raise Damaged("xc_dom_do_gunzip: inflate failed (rc=-5)")
    # QUIRK: the image is taken to be as large as the buffer: zeros behind the kernel, 16 of them or many more.
    return Unpacked(out, room)


def _inflate(stream: Any, error: Any, payload: memoryview, out: bytearray, room: int) -> bool:
    """Unpack one gzip member into out; False when it does not end within payload and room, or on that error."""
    most = min(room, OUTPUT_LIMIT)
    try:
        # Small steps: one of them can unpack to a thousand times its size.
        for at in range(0, len(payload), 1 << 15):
            out += stream.decompress(payload[at : at + (1 << 15)])
            if len(out) > most:
                return False
            if stream.eof:
                return True
    except error:
        return False
    return False


def unpack_bzip2(packed: Packed) -> Unpacked:
    """Unpack the first bzip2 stream (bunzip2.c); what follows it does not count."""
    import bz2

    stream = bz2.BZ2Decompressor()
    out = bytearray()
    try:
        _drain(stream, packed.payload, out)
    except OSError:
        raise Damaged("Data integrity error when decompressing.") from None
    if not stream.eof:
        raise Damaged
    return whole(out)


def _drain(stream: Any, payload: memoryview, out: bytearray, most: int = OUTPUT_LIMIT + 1) -> None:
    """Feed a payload to a decompressor of the standard library, and take at most so many bytes of output from it."""
    for at in range(0, len(payload), 1 << 18):
        chunk: bytes | memoryview = payload[at : at + (1 << 18)]
        while True:
            grow(out, stream.decompress(chunk, min(STEP, most - len(out))))
            if stream.eof or len(out) >= most:
                return
            if stream.needs_input:
                break
            chunk = b""


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
        out = bytearray()
        try:
            _drain(stream, payload, out)
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
    out = bytearray()
    try:
        stream.decompress(header, 0)
        _drain(stream, payload[len(header) :], out, size)
    except (lzma.LZMAError, MemoryError):
        raise Damaged(LZMA_CORRUPT) from None
    if not stream.eof and len(out) < size:
        raise Damaged("unexpected EOF")
    # A kernel that large has matches farther apart than such a window.
    if dictionary < LZMA_SMALLEST < len(out):
        raise Damaged(LZMA_CORRUPT)
    return whole(out)


ZSTD_CORRUPT = "ZSTD-compressed data is corrupt"
ZSTD_PROBABLY = "ZSTD-compressed data is probably corrupt"
ZSTD_TRUNCATED = "ZSTD-compressed data is truncated"
ZSTD_WINDOW_LOG_MAX = 27
ZSTD_BLOCK = 128 << 10
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


def unpack_zstd(packed: Packed) -> Unpacked:
    """Unpack the first zstd frame (unzstd.c, zstd/decompress.c)."""
    import zstandard

    payload = packed.payload
    start, window, checksum = _zstd_header(payload)
    end = _zstd_end(payload, start, checksum)
    if end is None:
        raise Damaged(ZSTD_TRUNCATED)
    decoder = zstandard.ZstdDecompressor(max_window_size=1 << ZSTD_WINDOW_LOG_MAX)
    flags, size = 4 if checksum else 0, packed.size_word
    if len(payload) < size <= OUTPUT_LIMIT:
        # With the size word in the frame's header, where most are right, no window is needed beside the output.
        header = ZSTD_MAGIC + bytes([flags | 0xC0, window]) + size.to_bytes(8, "little")
        try:
            return Unpacked(data := decoder.decompress(header + payload[start:end], max_output_size=size), len(data))
        except zstandard.ZstdError:
            pass
    out = bytearray()
    # QUIRK: the content size in the frame's header is not checked, so it is left out of ours.
    header = ZSTD_MAGIC + bytes([flags, window])
    joined: Any = _Joined(header, payload[start:end])
    buffer = bytearray(STEP)
    view = memoryview(buffer)
    try:
        with decoder.stream_reader(joined, read_size=1 << 17) as reader:
            while count := reader.readinto(buffer):
                grow(out, view[:count])
    except zstandard.ZstdError:
        raise Damaged(ZSTD_CORRUPT) from None
    return whole(out)


class _Joined:
    """A header and a body as one readable file, without joining them in memory."""

    def __init__(self, header: bytes, body: memoryview) -> None:
        self.header = header
        self.body = body
        self.at = 0

    def read(self, size: int) -> bytes | memoryview:
        """Up to size bytes; none at the end."""
        if self.header:
            header, self.header = self.header, b""
            return header
        chunk = self.body[self.at : self.at + size]
        self.at += len(chunk)
        return bytes(chunk)


def _zstd_header(payload: memoryview) -> tuple[int, int, bool]:
    """Where the first block is, a window descriptor to unpack with, and whether a checksum follows; raises Damaged."""
    if len(payload) < 6:
        raise Damaged(ZSTD_TRUNCATED)
    descriptor = payload[4]
    single, dictionary = descriptor >> 5 & 1, descriptor & 3
    size_bytes = (single, 2, 4, 8)[descriptor >> 6]
    start = 5 + (not single) + (0, 1, 2, 4)[dictionary] + size_bytes
    if start > len(payload):
        raise Damaged("ZSTD-compressed data has an incomplete frame header")
    if dictionary and any(payload[start - size_bytes - (0, 1, 2, 4)[dictionary] : start - size_bytes]):
        raise Damaged(ZSTD_PROBABLY)
    if descriptor & 8:
        raise Damaged(ZSTD_PROBABLY)
    if single:
        size = int.from_bytes(payload[start - size_bytes : start], "little") + (256 if size_bytes == 2 else 0)
        window = size & 0xFFFFFFFF
    else:
        unit = 1 << (payload[5] >> 3) + 7
        window = unit * (8 + (payload[5] & 7))
    if window > 1 << ZSTD_WINDOW_LOG_MAX:
        raise Damaged(ZSTD_PROBABLY)
    # QUIRK: blocks may be larger than the window, up to 128 KiB; libzstd has to be given a window for that.
    log = (window + ZSTD_BLOCK - 1).bit_length()
    return start, min(log, ZSTD_WINDOW_LOG_MAX) - 10 << 3, bool(descriptor & 4)


def _zstd_end(payload: memoryview, at: int, checksum: bool) -> int | None:
    """Where the frame ends, found by stepping over its blocks; None when it leaves the payload."""
    last = False
    while not last:
        if at + 3 > len(payload):
            return None
        word = int.from_bytes(payload[at : at + 3], "little")
        last = bool(word & 1)
        kind = word >> 1 & 3
        if kind == 3:
            raise Damaged(ZSTD_CORRUPT)
        at += 3 + (1 if kind == 1 else word >> 3)
    at += 4 if checksum else 0
    return at if at <= len(payload) else None
