"""The size of an xz file from its indexes: those that lie cost little, and zeros behind the streams have an end."""

from __future__ import annotations

import lzma
import struct
from collections.abc import Callable
from zlib import crc32

import pytest

from pvgrub_sim.errors import ImageError
from pvgrub_sim.media.formats import frames

GOOD = lzma.compress(b"x" * 100_000, check=lzma.CHECK_CRC32)
FLAGS = b"\0\1"


class Reader:
    """Bytes with as many zeros behind them as are wanted; counts what is read."""

    def __init__(self, data: bytes, zeros: int = 0) -> None:
        self.data = data
        self.size = len(data) + zeros
        self.reads = self.bytes = 0

    def __call__(self, offset: int, length: int) -> bytes:
        self.reads += 1
        self.bytes += length
        return self.data[offset : offset + length].ljust(min(length, self.size - offset), b"\0")

    def told(self) -> int:
        return frames.xz_size("x.xz", self.size, self)


def number(value: int) -> bytes:
    made = bytearray()
    while value >= 0x80:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*made, value))


def stream(records: list[tuple[int, int]], count: int | None = None, behind: bytes = b"") -> bytes:
    """A stream whose blocks are zeros, and whose index says this of them."""
    body = b"\0" + number(len(records) if count is None else count)
    body += b"".join(number(packed) + number(unpacked) for packed, unpacked in records) + behind
    body += bytes(-len(body) % 4)
    index = body + crc32(body).to_bytes(4, "little")
    back = struct.pack("<I", len(index) // 4 - 1) + FLAGS
    head = b"\xfd7zXZ\0" + FLAGS + crc32(FLAGS).to_bytes(4, "little")
    blocks = bytes(sum(packed + 3 & ~3 for packed, _ in records))
    return head + blocks + index + crc32(back).to_bytes(4, "little") + back + b"YZ"


def test_streams_with_padding_between_and_behind_them() -> None:
    assert Reader(GOOD + bytes(8) + GOOD, zeros=4).told() == 200_000
    assert Reader(stream([(8, 70_000), (5, 3)])).told() == 70_003


@pytest.mark.parametrize(
    "made", [lambda: stream([(0, 0)] * 9), lambda: stream([(8, 1), (4, 1)]), lambda: stream([(8, 1)], behind=bytes(8))]
)
def test_an_index_that_the_format_forbids(made: Callable[[], bytes]) -> None:
    with pytest.raises(ImageError, match="xz: its index"):
        Reader(GOOD + made()).told()


def test_records_of_nothing_are_not_gone_through(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    looked = frames._XzIndex._number
    monkeypatch.setattr(frames._XzIndex, "_number", lambda index: seen.append(1) or looked(index))
    with pytest.raises(ImageError, match="xz: its index"):
        Reader(GOOD + stream([], count=100_000, behind=bytes(200_000))).told()
    assert len(seen) == 2


def test_all_indexes_together_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "MOST_RECORDS", 100)
    assert Reader(stream([(8, 1)] * 50) * 2).told() == 100
    with pytest.raises(ImageError, match="more than 100 xz blocks"):
        Reader(stream([(8, 1)] * 50) * 2 + stream([(8, 1)])).told()


def test_zeros_behind_the_streams_have_an_end() -> None:
    assert Reader(GOOD, zeros=frames.MOST_PADDING).told() == 100_000
    far = Reader(GOOD, zeros=10**17)
    with pytest.raises(ImageError, match=r"more than 64 MiB of zeros behind its xz stream"):
        far.told()
    assert far.reads < 100 and far.bytes < frames.MOST_PADDING + (2 << 20)
    between = Reader(GOOD + bytes(40 << 20) + GOOD, zeros=40 << 20)
    with pytest.raises(ImageError, match="zeros behind its xz stream"):
        between.told()
