"""The header of a zstd frame, and where the frame ends (zstd/decompress.c:ZSTD_getFrameHeader)."""

from __future__ import annotations

from pvgrub_sim.ondisk.compressed import ZSTD
from pvgrub_sim.values import NamedTuple
from pvgrub_sim.xen.packed import PayloadDamaged

CORRUPT = "ZSTD-compressed data is corrupt"
PROBABLY = "ZSTD-compressed data is probably corrupt"
TRUNCATED = "ZSTD-compressed data is truncated"
INCOMPLETE = "ZSTD-compressed data has an incomplete frame header"
WINDOW_LOG_MAX = 27
BLOCK = 128 << 10
"""Bytes that a block may unpack to, by the format."""
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
        return ZSTD + bytes([4 if self.checksum else 0]) + _descriptor(window)


def _descriptor(window: int) -> bytes:
    """The byte that asks for a window of at least so many bytes."""
    for code in range((WINDOW_LOG_MAX - 10 << 3) + 1):
        if (1 << (code >> 3) + 7) * (8 + (code & 7)) >= window:
            return bytes([code])
    return bytes([WINDOW_LOG_MAX - 10 << 3])


def read_frame(payload: memoryview) -> Frame:
    """The frame's header (ZSTD_getFrameHeader()); raises PayloadDamaged."""
    if len(payload) < 6:
        raise PayloadDamaged(TRUNCATED)
    descriptor = payload[4]
    single, dictionary = descriptor >> 5 & 1, descriptor & 3
    size_bytes = (single, 2, 4, 8)[descriptor >> 6]
    start = 5 + (not single) + (0, 1, 2, 4)[dictionary] + size_bytes
    if start > len(payload):
        raise PayloadDamaged(INCOMPLETE)
    if dictionary and any(payload[start - size_bytes - (0, 1, 2, 4)[dictionary] : start - size_bytes]):
        raise PayloadDamaged(PROBABLY)
    if descriptor & 8:
        raise PayloadDamaged(PROBABLY)
    content = int.from_bytes(payload[start - size_bytes : start], "little") + (256 if size_bytes == 2 else 0)
    if single:
        window = content & 0xFFFFFFFF
    else:
        unit = 1 << (payload[5] >> 3) + 7
        window = unit * (8 + (payload[5] & 7))
    if window > 1 << WINDOW_LOG_MAX:
        raise PayloadDamaged(PROBABLY)
    return Frame(start, window, bool(descriptor & 4), content)


def frame_end(payload: memoryview, frame: Frame) -> int:
    """Where the frame ends, found by stepping over its blocks; raises PayloadDamaged."""
    at, last = frame.start, False
    while not last:
        if at + 3 > len(payload):
            raise PayloadDamaged(TRUNCATED)
        word = int.from_bytes(payload[at : at + 3], "little")
        last = bool(word & 1)
        kind, size = word >> 1 & 3, word >> 3
        # QUIRK: an empty compressed block is passed over, but not where the frame is unpacked at once.
        if kind == RESERVED or (kind == COMPRESSED and not size and frame.at_once):
            raise PayloadDamaged(CORRUPT)
        at += 3 + (1 if kind == 1 else size)
    at += 4 if frame.checksum else 0
    if at > len(payload):
        raise PayloadDamaged(TRUNCATED)
    return at
