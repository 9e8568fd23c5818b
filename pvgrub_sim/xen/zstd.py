"""zstd payloads, unpacked as the Mini-OS build does (unzstd.c)."""

from __future__ import annotations

from typing import Any

from pvgrub_sim.xen.kept import Kept
from pvgrub_sim.xen.packed import Damaged, Packed, Unpacked, whole

CORRUPT = "ZSTD-compressed data is corrupt"
PROBABLY = "ZSTD-compressed data is probably corrupt"
TRUNCATED = "ZSTD-compressed data is truncated"
WINDOW_LOG_MAX = 27
BLOCK = 128 << 10
SPARE = 16
MAGIC = b"\x28\xb5\x2f\xfd"


def unpack_zstd(packed: Packed) -> Unpacked:
    """Unpack the first zstd frame (unzstd.c, zstd/decompress.c)."""
    import zstandard

    payload = packed.payload
    start, window, checksum = _header(payload)
    end = _end(payload, start, checksum)
    if end is None:
        raise Damaged(TRUNCATED)
    body = payload[start:end]
    # QUIRK: the content size in the frame's header is not checked, so it is left out of ours.
    header = MAGIC + bytes([4 if checksum else 0])
    decoder = zstandard.ZstdDecompressor(max_window_size=1 << WINDOW_LOG_MAX)
    try:
        return whole(_decode(decoder, header + _descriptor(window), body, packed.output()))
    except zstandard.ZstdError:
        # QUIRK: blocks may be larger than the window, as long as the buffer for both is not used up.
        room = window + min(window, BLOCK) + SPARE
        if window >= BLOCK:
            raise Damaged(CORRUPT) from None
    try:
        out = _decode(decoder, header + _descriptor(BLOCK), body, packed.output())
    except zstandard.ZstdError:
        raise Damaged(CORRUPT) from None
    if len(out) > room:
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


def _header(payload: memoryview) -> tuple[int, int, bool]:
    """Where the first block is, the window's size, and whether a checksum follows; raises Damaged."""
    if len(payload) < 6:
        raise Damaged(TRUNCATED)
    descriptor = payload[4]
    single, dictionary = descriptor >> 5 & 1, descriptor & 3
    size_bytes = (single, 2, 4, 8)[descriptor >> 6]
    start = 5 + (not single) + (0, 1, 2, 4)[dictionary] + size_bytes
    if start > len(payload):
        raise Damaged("ZSTD-compressed data has an incomplete frame header")
    if dictionary and any(payload[start - size_bytes - (0, 1, 2, 4)[dictionary] : start - size_bytes]):
        raise Damaged(PROBABLY)
    if descriptor & 8:
        raise Damaged(PROBABLY)
    if single:
        size = int.from_bytes(payload[start - size_bytes : start], "little") + (256 if size_bytes == 2 else 0)
        window = size & 0xFFFFFFFF
    else:
        unit = 1 << (payload[5] >> 3) + 7
        window = unit * (8 + (payload[5] & 7))
    if window > 1 << WINDOW_LOG_MAX:
        raise Damaged(PROBABLY)
    return start, max(window, 1 << 10), bool(descriptor & 4)


def _end(payload: memoryview, at: int, checksum: bool) -> int | None:
    """Where the frame ends, found by stepping over its blocks; None when it leaves the payload."""
    last = False
    while not last:
        if at + 3 > len(payload):
            return None
        word = int.from_bytes(payload[at : at + 3], "little")
        last = bool(word & 1)
        kind = word >> 1 & 3
        if kind == 3:
            raise Damaged(CORRUPT)
        at += 3 + (1 if kind == 1 else word >> 3)
    at += 4 if checksum else 0
    return at if at <= len(payload) else None
