"""Unpacks the images that are kept zstd-compressed under fixtures/."""

from __future__ import annotations

from pathlib import Path

import zstandard

LONG_WINDOW = 1 << 31
HOLE = 64 * 1024


def unpack_sparse(packed: Path, image: Path) -> Path:
    """Unpack a .zst image into a sparse file: blocks of zeros become holes. Returns `image`."""
    zeros = bytes(HOLE)
    reader = zstandard.ZstdDecompressor(max_window_size=LONG_WINDOW)
    size = 0
    with packed.open("rb") as source, image.open("wb") as target, reader.stream_reader(source) as stream:
        while block := stream.read(HOLE):
            if block != zeros[: len(block)]:
                target.seek(size)
                target.write(block)
            size += len(block)
        target.truncate(size)
    return image
