"""Sector bitmaps of differencing disks: which sectors of a block lie here, and which in the parent."""

from __future__ import annotations

from collections.abc import Iterator

from pvgrub_sim.media.disk import SECTOR_SIZE


def runs(
    bitmap: bytes, begin: int, size: int, *, first_bit_is_high: bool, sector: int = SECTOR_SIZE
) -> Iterator[tuple[bool, int, int]]:
    """The runs of equal bits over a stretch of bytes: the bit, where the run starts from `begin` on, and its length.

    begin, size: in bytes from where the bitmap begins. first_bit_is_high: of each byte the highest bit is the first
    sector (VHD), else the lowest (VHDX). sector: the bytes that a bit stands for.
    """
    first = begin // sector
    last = -(-(begin + size) // sector)
    low, high = first // 8, -(-last // 8)
    part = bitmap[low:high]
    bits = int.from_bytes(part, "big" if first_bit_is_high else "little")
    text = f"{bits:0{len(part) * 8}b}"
    if not first_bit_is_high:
        text = text[::-1]
    text = text[first - low * 8 : last - low * 8]
    at = done = 0
    while at < len(text):
        other = text.find("1" if text[at] == "0" else "0", at)
        stop = len(text) if other < 0 else other
        length = min((first + stop) * sector - begin, size) - done
        yield text[at] == "1", done, length
        done += length
        at = stop
