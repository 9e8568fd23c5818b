"""zstd frames that libzstd refuses and the decoder of the Mini-OS build may take: fed block by block, rewritten.

QUIRK: that decoder's checks are older. Blocks may be larger than the window, and raw ones than 128 KiB, while its
buffer has room for them; reserved bits, and what follows "no sequences", do not count.
Source: zstd/decompress.c:ZSTD_decompressStream, ZSTD_decompressContinue, ZSTD_decodeSeqHeaders.
"""

from __future__ import annotations

from collections.abc import Iterator

from pvgrub_sim.xen.excerpt import Excerpt
from pvgrub_sim.xen.packed import Packed, PayloadDamaged
from pvgrub_sim.xen.zstdframe import BLOCK, COMPRESSED, CORRUPT, WINDOW_LOG_MAX, Frame
from pvgrub_sim.zstd import zstd_library

SPARE = 16
"""Bytes by which the buffer is larger than window and block (WILDCOPY_OVERLENGTH * 2)."""
SMALLEST_COMPRESSED = 3
RAW = 0


class _Room:
    """The decoder's ring buffer: how much of it is used.

    size: bytes. keep: how many must be free behind a block, else it begins anew; 0 for a buffer that is no ring.
    """

    def __init__(self, size: int, keep: int) -> None:
        self.size = size
        self.keep = keep
        self.used = 0

    def take(self, count: int) -> None:
        """Put a block of so many bytes there; raises PayloadDamaged."""
        if count > self.size - self.used:
            raise PayloadDamaged(CORRUPT)
        self.used += count
        if self.keep and self.used + self.keep > self.size:
            self.used = 0


def unpack_blocks(packed: Packed, frame: Frame) -> Excerpt:
    """Unpack a frame that ends within the payload; raises PayloadDamaged."""
    if frame.at_once:
        return _unpack(packed, frame, BLOCK, _Room(BLOCK, 0))
    most = min(frame.window, BLOCK)
    size = frame.window + most + SPARE
    try:
        return _unpack(packed, frame, frame.window, _Room(size, most))
    except PayloadDamaged:
        if frame.window >= BLOCK:
            raise
    # The library wants a larger window for such blocks. What the ring would hold where it begins anew is not known.
    return _unpack(packed, frame, BLOCK, _Room(size, 0))


def _unpack(packed: Packed, frame: Frame, window: int, room: _Room) -> Excerpt:
    zstandard = zstd_library()

    payload, at, out = packed.payload, frame.start, packed.output()
    decoder = zstandard.ZstdDecompressor(max_window_size=1 << WINDOW_LOG_MAX).decompressobj()
    try:
        decoder.decompress(frame.header(window))
        last = 0
        while not last:
            word = int.from_bytes(payload[at : at + 3], "little")
            last, kind, size = word & 1, word >> 1 & 3, word >> 3
            at += 3
            if kind == COMPRESSED:
                body = payload[at : at + size]
                blocks = _compressed(body, last)
            else:
                body = payload[at : at + (size if kind == RAW else 1)]
                room.take(size)
                blocks = _stored(body, kind, size, last)
            for block in blocks:
                chunk = decoder.decompress(block)
                out.append(chunk)
                if kind == COMPRESSED:
                    room.take(len(chunk))
            at += len(body)
        if frame.checksum:
            decoder.decompress(bytes(payload[at : at + 4]))
    except zstandard.ZstdError:
        raise PayloadDamaged(CORRUPT) from None
    return out


def _block(kind: int, size: int, last: int, body: bytes | memoryview) -> bytes:
    return (size << 3 | kind << 1 | last).to_bytes(3, "little") + body


def _stored(body: memoryview, kind: int, size: int, last: int) -> Iterator[bytes]:
    """A raw block, or one byte that is repeated, as blocks that are not too large."""
    left = size
    while left > BLOCK:
        yield _block(kind, BLOCK, 0, body[size - left : size - left + BLOCK] if kind == RAW else body)
        left -= BLOCK
    yield _block(kind, left, last, body[size - left :] if kind == RAW else body)


def _compressed(body: memoryview, last: int) -> Iterator[bytes]:
    """A compressed block as the library takes it."""
    if body and not SMALLEST_COMPRESSED <= len(body) < BLOCK:
        raise PayloadDamaged(CORRUPT)
    mended = _mended(body) if body else body
    yield _block(COMPRESSED, len(mended), last, mended)


def _literals_end(block: memoryview) -> int:
    """Where the literals of a compressed block end (RFC 8878, 3.1.1.3.1)."""
    kind, form = block[0] & 3, block[0] >> 2 & 3
    word = int.from_bytes(block[:5], "little")
    if kind < COMPRESSED:
        header = (1, 2, 1, 3)[form]
        size = (word & 0xFF) >> 3 if form in (0, 2) else (word & 0xFFFF) >> 4 if form == 1 else (word & 0xFFFFFF) >> 4
        return header + (size if kind == RAW else 1)
    if form < 2:
        return 3 + (word >> 14 & 0x3FF)
    return 4 + (word >> 18 & 0x3FFF) if form == 2 else 5 + (word >> 22 & 0x3FFFF)


def _mended(block: memoryview) -> bytes | memoryview:
    """A compressed block as the library takes it: nothing behind "no sequences", reserved bits cleared."""
    at = _literals_end(block)
    if at >= len(block):
        return block
    count = block[at]
    if not count:
        return block[: at + 1]
    at += 1 if count < 0x80 else 2 if count < 0xFF else 3
    if at >= len(block) or not block[at] & 3:
        return block
    return bytes(block[:at]) + bytes([block[at] & 0xFC]) + block[at + 1 :]
