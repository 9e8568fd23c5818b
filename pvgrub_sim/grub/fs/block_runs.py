"""File contents by block number: consecutive blocks are read in one go (minix, ReiserFS)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pvgrub_sim.grub.disk.drives import SECTOR_BITS
from pvgrub_sim.grub.disk.raw import devread_all, devread_run
from pvgrub_sim.grub.errnum import GrubError
from pvgrub_sim.grub.machine import Machine


def consecutive(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Runs of consecutive numbers as (first number, how many)."""
    start, total = 0, len(numbers)
    while start < total:
        first = numbers[start]
        left = total - start
        if numbers[-1] - first == left - 1 and tuple(numbers[start:]) == tuple(range(first, first + left)):
            yield first, left
            return
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


class BlockRuns:
    """Contents by block number, gathered first and then read in as few reads as possible.

    block_bits: of the block size in bytes, 512 at least.
    """

    def __init__(self, m: Machine, block_bits: int) -> None:
        self.m = m
        self.block_bits = block_bits
        self._runs: list[tuple[int, int, int]] = []
        """First block, bytes to leave out, bytes to read."""

    def add(self, numbers: Sequence[int], offset: int, length: int) -> None:
        """Gather `length` bytes of the blocks with these numbers, from `offset` bytes behind the first one's start."""
        bits = self.block_bits
        # The sector number wraps at 32 bits, so a block number has that many bits fewer.
        limit = 1 << (32 - bits + SECTOR_BITS)
        if numbers and max(numbers) >= limit:
            numbers = [number & (limit - 1) for number in numbers]
        for first, count in consecutive(numbers):
            if length <= 0:
                break
            size = min((count << bits) - offset, length)
            if self._runs and not offset:
                before, skipped, taken = self._runs[-1]
                if first << bits == (before << bits) + skipped + taken:
                    self._runs[-1] = (before, skipped, taken + size)
                    length -= size
                    continue
            self._runs.append((first, offset, size))
            length -= size
            offset = 0

    def read(self) -> list[bytes]:
        """What has been gathered, which is then forgotten.

        An error does not end the loop that this stands for: it stays in m.errnum, the result is then of no use.
        """
        if len(self._runs) > 1 and (whole := self.read_at_once()) is not None:
            return [whole]
        runs, bits = self._runs, self.block_bits
        parts: list[bytes] = []
        for first, offset, size in runs:
            try:
                parts.append(devread_run(self.m, first << (bits - SECTOR_BITS), offset, size, 1 << bits))
            except GrubError:
                parts.clear()
        self._runs = []
        return parts

    def read_at_once(self) -> bytes | None:
        """What has been gathered in one piece, which is then forgotten; None when each run must be read by itself."""
        bits = self.block_bits
        whole = devread_all(self.m, [((first << bits) + offset, size) for first, offset, size in self._runs])
        if whole is not None:
            self._runs = []
        return whole
