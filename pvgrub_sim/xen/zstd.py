"""zstd payloads, unpacked as the Mini-OS build does (unzstd.c, zstd/decompress.c)."""

from __future__ import annotations

from pvgrub_sim.typed import Any
from pvgrub_sim.xen.excerpt import Excerpt
from pvgrub_sim.xen.packed import Packed, PayloadDamaged, Unpacked, whole
from pvgrub_sim.xen.zstdblocks import unpack_blocks
from pvgrub_sim.xen.zstdframe import BLOCK, CORRUPT, PROBABLY, WINDOW_LOG_MAX, frame_end, read_frame
from pvgrub_sim.zstd import zstd_library

SMALLEST_WINDOW = 1 << 10


def unpack_zstd(packed: Packed) -> Unpacked:
    """Unpack the first zstd frame (unzstd.c, zstd/decompress.c)."""
    zstandard = zstd_library()

    payload = packed.payload
    frame = read_frame(payload)
    end = frame_end(payload, frame)
    if not frame.at_once and frame.window < SMALLEST_WINDOW:
        raise PayloadDamaged(PROBABLY)
    header = frame.header(BLOCK if frame.at_once else frame.window)
    decoder = zstandard.ZstdDecompressor(max_window_size=1 << WINDOW_LOG_MAX)
    try:
        out = _decode(decoder, header, payload[frame.start : end], packed.output())
    except zstandard.ZstdError:
        return whole(unpack_blocks(packed, frame))
    if frame.at_once and len(out) > BLOCK:
        raise PayloadDamaged(CORRUPT)
    return whole(out)


def _decode(decoder: Any, header: bytes, body: memoryview, out: Excerpt) -> Excerpt:
    """Unpack the frame of a header and a body."""
    buffer = bytearray(BLOCK)
    view = memoryview(buffer)
    with decoder.stream_reader(_Joined(header, body), read_size=BLOCK) as reader:
        while count := reader.readinto(buffer):
            out.append(view[:count])
    return out


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
