"""zstd payloads, unpacked as the Mini-OS build does (unzstd.c, zstd/decompress.c)."""

from __future__ import annotations

from typing import Any, NamedTuple

from pvgrub_sim.xen.kept import Kept
from pvgrub_sim.xen.packed import Damaged, Packed, Unpacked, whole

CORRUPT = "ZSTD-compressed data is corrupt"
PROBABLY = "ZSTD-compressed data is probably corrupt"
TRUNCATED = "ZSTD-compressed data is truncated"
INCOMPLETE = "ZSTD-compressed data has an incomplete frame header"
WINDOW_LOG_MAX = 27
SMALLEST_WINDOW = 1 << 10
BLOCK = 128 << 10
"""Bytes that a block may unpack to, by the format."""
MAGIC = b"\x28\xb5\x2f\xfd"
COMPRESSED, RESERVED = 2, 3
"""Kinds of blocks."""


class Frame(NamedTuple):
    """A frame: where its first block is, the window's size, whether a checksum follows, and the size it announces.

    window, content: bytes, 0 where the header has none.
    """

    start: int
    window: int
    checksum: bool
    content: int

    @property
    def at_once(self) -> bool:
        """QUIRK: a frame that announces up to 128 KiB is unpacked without a window, and must not have more than that.

        Source: ZSTD_decompressStream(), "single-pass mode opportunity". The size itself is not checked.
        """
        return 1 <= self.content <= BLOCK and self.window > 0

    def header(self, window: int) -> bytes:
        """A header of the frame for the library: with another window, and without a size that it would check."""
        return MAGIC + bytes([4 if self.checksum else 0]) + _descriptor(window)


def unpack_zstd(packed: Packed) -> Unpacked:
    """Unpack the first zstd frame (unzstd.c, zstd/decompress.c)."""
    import zstandard

    payload = packed.payload
    frame = _header(payload)
    end = _end(payload, frame)
    if not frame.at_once and frame.window < SMALLEST_WINDOW:
        raise Damaged(PROBABLY)
    header = frame.header(BLOCK if frame.at_once else frame.window)
    decoder = zstandard.ZstdDecompressor(max_window_size=1 << WINDOW_LOG_MAX)
    try:
        out = _decode(decoder, header, payload[frame.start : end], packed.output())
    except zstandard.ZstdError:
        from pvgrub_sim.xen.zstdblocks import unpack_blocks

        return whole(unpack_blocks(packed, frame))
    if frame.at_once and len(out) > BLOCK:
        raise Damaged(CORRUPT)
    return whole(out)


def _decode(decoder: Any, header: bytes, body: memoryview, out: Kept) -> Kept:
    """Unpack the frame of a header and a body."""
    buffer = bytearray(BLOCK)
    view = memoryview(buffer)
    with decoder.stream_reader(_Joined(header, body), read_size=BLOCK) as reader:
        while count := reader.readinto(buffer):
            out.append(view[:count])
    return out


def _descriptor(window: int) -> bytes:
    """The byte that asks for a window of at least so many bytes."""
    for code in range((WINDOW_LOG_MAX - 10 << 3) + 1):
        if (1 << (code >> 3) + 7) * (8 + (code & 7)) >= window:
            return bytes([code])
    return bytes([WINDOW_LOG_MAX - 10 << 3])


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


def _header(payload: memoryview) -> Frame:
    """The frame's header (ZSTD_getFrameHeader()); raises Damaged."""
    if len(payload) < 6:
        raise Damaged(TRUNCATED)
    descriptor = payload[4]
    single, dictionary = descriptor >> 5 & 1, descriptor & 3
    size_bytes = (single, 2, 4, 8)[descriptor >> 6]
    start = 5 + (not single) + (0, 1, 2, 4)[dictionary] + size_bytes
    if start > len(payload):
        raise Damaged(INCOMPLETE)
    if dictionary and any(payload[start - size_bytes - (0, 1, 2, 4)[dictionary] : start - size_bytes]):
        raise Damaged(PROBABLY)
    if descriptor & 8:
        raise Damaged(PROBABLY)
    content = int.from_bytes(payload[start - size_bytes : start], "little") + (256 if size_bytes == 2 else 0)
    if single:
        window = content & 0xFFFFFFFF
    else:
        unit = 1 << (payload[5] >> 3) + 7
        window = unit * (8 + (payload[5] & 7))
    if window > 1 << WINDOW_LOG_MAX:
        raise Damaged(PROBABLY)
    return Frame(start, window, bool(descriptor & 4), content)


def _end(payload: memoryview, frame: Frame) -> int:
    """Where the frame ends, found by stepping over its blocks; raises Damaged."""
    at, last = frame.start, False
    while not last:
        if at + 3 > len(payload):
            raise Damaged(TRUNCATED)
        word = int.from_bytes(payload[at : at + 3], "little")
        last = bool(word & 1)
        kind, size = word >> 1 & 3, word >> 3
        # QUIRK: an empty compressed block is passed over, but not where the frame is unpacked at once.
        if kind == RESERVED or (kind == COMPRESSED and not size and frame.at_once):
            raise Damaged(CORRUPT)
        at += 3 + (1 if kind == 1 else size)
    at += 4 if frame.checksum else 0
    if at > len(payload):
        raise Damaged(TRUNCATED)
    return at
