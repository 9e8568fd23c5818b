"""File contents by block number: consecutive blocks are read in one go (minix, ReiserFS)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pvgrub_sim.grub.disk import SECTOR_BITS, devread_run
from pvgrub_sim.grub.errnum import GrubError
from pvgrub_sim.grub.machine import Machine


def consecutive(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Runs of consecutive numbers as (first number, how many)."""
    start, total = 0, len(numbers)
    while start < total:
        first = numbers[start]
        good, step = 1, 1
        # Gallop: whole slices are compared at once, twice as long each time, then ever shorter ones.
        while step:
            begin, end = start + good, min(start + good + step, total)
            if begin < end and tuple(numbers[begin:end]) == tuple(range(first + good, first + good + end - begin)):
                good += end - begin
                step *= 2
            else:
                step //= 2
        yield first, good
        start += good


def read_blocks(m: Machine, numbers: Sequence[int], block_bits: int, offset: int, length: int) -> list[bytes]:
    """Contents of the blocks with these numbers, from `offset` bytes behind the first one's start on.

    numbers: C's 32-bit block numbers, each 1 << block_bits bytes, at least 512. length: bytes, at most what the
    blocks hold. An error does not end the loop that this stands for: it stays in m.errnum, the result is then
    of no use.
    """
    shift = block_bits - SECTOR_BITS
    # The sector number wraps at 32 bits, so a block number has that many bits fewer.
    limit = 1 << (32 - shift)
    if numbers and max(numbers) >= limit:
        numbers = [number & (limit - 1) for number in numbers]
    parts: list[bytes] = []
    for first, count in consecutive(numbers):
        if length <= 0:
            break
        size = min((count << block_bits) - offset, length)
        try:
            parts.append(devread_run(m, first << shift, offset, size, 1 << block_bits))
        except GrubError:
            parts.clear()
        length -= size
        offset = 0
    return parts
