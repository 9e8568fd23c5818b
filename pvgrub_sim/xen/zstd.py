"""zstd payloads, unpacked as the Mini-OS build does (unzstd.c)."""

from __future__ import annotations

from typing import Any

from pvgrub_sim.xen.packed import Damaged, Packed, Unpacked, whole

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
    out = packed.output()
    # QUIRK: the content size in the frame's header is not checked, so it is left out of ours.
    header = ZSTD_MAGIC + bytes([4 if checksum else 0, window])
    joined: Any = _Joined(header, payload[start:end])
    buffer = bytearray(ZSTD_BLOCK)
    view = memoryview(buffer)
    try:
        with decoder.stream_reader(joined, read_size=1 << 17) as reader:
            while count := reader.readinto(buffer):
                out.append(view[:count])
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
