"""Unpacks the images that are kept zstd-compressed under fixtures/."""

from __future__ import annotations

from pathlib import Path

import zstandard

LONG_WINDOW = 1 << 31
HOLE = 64 * 1024
_ZEROS = bytes(HOLE)
# One for all images: its window is as large as they are, and would be got from the kernel anew for each.
_READER = zstandard.ZstdDecompressor(max_window_size=LONG_WINDOW)


def unpack_sparse(packed: Path, image: Path) -> Path:
    """Unpack a .zst image into a sparse file: blocks of zeros become holes. Returns `image`."""
    size = 0
    block = bytearray(HOLE)
    with packed.open("rb") as source, image.open("wb") as target, _READER.stream_reader(source) as stream:
        while count := stream.readinto(block):
            if not _ZEROS.startswith(block[:count] if count < HOLE else block):
                target.seek(size)
                target.write(memoryview(block)[:count])
            size += count
        target.truncate(size)
    return image
