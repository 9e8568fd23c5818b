"""BlockDisk: bytes that lie far away, fetched in blocks that are kept for a while."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from pvgrub_sim.errors import ImageError
from pvgrub_sim.media.deadline import check_time
from pvgrub_sim.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pvgrub_sim.media.disk import Layer
    from pvgrub_sim.media.sources.block_cache import BlockCache

KEPT: Final = 64 << 20
"""Bytes of blocks that are kept in memory; the least recently used ones go first."""
LONGEST_FETCH: Final = 16 << 20
"""Bytes that are asked for at once."""

AHEAD: Final = 2 << 20
"""Bytes that are fetched at once, at most, of what is read a little at a time from one end to the other."""

Fetch = Callable[[int, int], Sequence[bytes]]
"""From the first block's number and how many there are to their bytes, the last one of the disk as short as it is."""


class BlockDisk:
    """A disk whose blocks are fetched when they are needed; those beside each other at once.

    name: for messages, without any secret. size: in bytes. block: bytes in a block. fetch: gets blocks; it raises
    ImageError and never returns what is not known to be right. layers: what the disk is made of. cache: blocks of
    earlier runs. closing: called when the disk is closed.
    """

    def __init__(
        self,
        name: str,
        size: int,
        block: int,
        fetch: Fetch,
        layers: tuple[Layer, ...],
        *,
        cache: BlockCache | None = None,
        closing: Callable[[], None] | None = None,
    ) -> None:
        self.name = name
        self.size = size
        self.layers = layers
        self._block = block
        self._fetch = fetch
        self._cache = cache
        self._closing = closing
        self._blocks: dict[int, bytes] = {}
        """The most recently used ones last."""
        self._most = max(KEPT // block, 2)
        self._expected: set[int] = set()
        self._next = -1
        """The block behind the ones that were fetched last."""
        self._ahead = 1

    def read(self, offset: int, length: int) -> bytes:
        """Read exactly `length` bytes at byte `offset`; raises ImageError when they cannot be had."""
        at = offset % self._block
        if offset >= 0 and at + length <= self._block:
            block = self._blocks.get(offset // self._block)
            if block is not None and at + length <= len(block):
                return block[at : at + length]
        return b"".join(self._pieces(offset, length))

    def readinto(self, offset: int, buffer: memoryview) -> None:
        """Fill a buffer from byte `offset` on; raises ImageError as read() does."""
        at = 0
        for piece in self._pieces(offset, len(buffer)):
            buffer[at : at + len(piece)] = piece
            at += len(piece)

    def expect(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Be told what will be read next, as (offset, length) in bytes: it is fetched together, once one is missing."""
        self._expected = {
            number
            for offset, length in ranges
            if length > 0
            for number in range(offset // self._block, (offset + length - 1) // self._block + 1)
        }

    def put(self, number: int, data: bytes) -> None:
        """Keep a block that was had on the way."""
        self._blocks.pop(number, None)
        self._blocks[number] = data
        while len(self._blocks) > self._most:
            del self._blocks[next(iter(self._blocks))]

    def close(self) -> None:
        """Forget everything and release what is below; further reads fetch anew, or fail."""
        self._blocks.clear()
        if self._closing is not None:
            self._closing()
            self._closing = None

    def _pieces(self, offset: int, length: int) -> Iterable[memoryview]:
        end = offset + length
        if offset < 0 or length < 0 or end > self.size:
            raise ImageError(self.name, f"ends {end - self.size} bytes short of a read", max(offset, 0))
        size = self._block
        while offset < end:
            number, at = divmod(offset, size)
            block = self._get(number, (end - 1) // size)
            take = min(size - at, end - offset)
            yield memoryview(block)[at : at + take]
            offset += take

    def _get(self, number: int, last: int) -> bytes:
        """A block; where it is missing, so are the missing ones up to `last`, and those that are expected behind it."""
        block = self._blocks.get(number)
        if block is not None:
            # To the end of the line.
            del self._blocks[number]
            self._blocks[number] = block
            return block
        if self._cache is not None:
            block = self._cache.get(number, min(self._block, self.size - number * self._block))
        if block is not None:
            self.put(number, block)
            return block
        most = min(LONGEST_FETCH // self._block, self._most // 2)
        last = max(last, number + self._window(number) - 1)
        count = 1
        while count < most and self._missing(number + count, last):
            count += 1
        self._next = number + count
        check_time()
        for index, data in enumerate(self._fetch(number, count)):
            self.put(number + index, data)
            if self._cache is not None:
                self._cache.put(number + index, data)
        return self._blocks[number]

    def _window(self, number: int) -> int:
        """How many blocks to fetch: more and more of them while one is wanted after the other."""
        in_order = number - 1 in self._blocks and 0 <= number - self._next <= 1
        self._ahead = min(self._ahead * 3, max(AHEAD // self._block, 1)) if in_order else 1
        return self._ahead

    def _missing(self, number: int, last: int) -> bool:
        """Whether a block will be wanted and is not there."""
        if number > last and number not in self._expected:
            return False
        return (
            number not in self._blocks
            and number * self._block < self.size
            and (self._cache is None or number not in self._cache)
        )
