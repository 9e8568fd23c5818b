"""What an lz4 file unpacks to, by its frames and blocks.

As https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md has them.
"""

from __future__ import annotations

from collections.abc import Callable

from pvgrub_sim.media.formats.frames import SKIPPABLE
from pvgrub_sim.typed import Final
from pvgrub_sim.values import NamedTuple

LZ4_MAGIC: Final = 0x184D2204
BEGIN: Final = 7
"""Bytes of the shortest frame header."""
_HEAD: Final = 19
"""Bytes of the longest frame header."""
WORD: Final = 4
"""Bytes that tell the length of the block behind them."""
STORED: Final = 1 << 31
"""In that word: the block stands there as it is."""
_VERSION, _INDEPENDENT, _CHECKED, _SIZED, _SUMMED, _DICTIONARY = 0xC0, 0x20, 0x10, 8, 4, 1
_WINDOW: Final = 4096
"""Bytes that are read at once: blocks of zeros have less than 20 KiB, others are passed by."""
MOST_BLOCKS: Final = 1_000_000
MOST_FRAMES: Final = 16
"""Frames of which it is found out what is in them; programs write one, and skippable ones before and behind it."""
TRIED: Final = 3
"""Blocks of a frame that are unpacked, besides the last one, to see whether they are full."""


class Content(NamedTuple):
    """size: bytes that a file unpacks to. told: whether all frames tell it; else it is found out from their blocks."""

    size: int
    told: bool


def lz4_content(size: int, read: Callable[[int, int], bytes]) -> Content | None:
    """What a file of `size` bytes unpacks to; None where that is not to be told so, or something is wrong with it.

    A frame that does not tell it has full blocks and a last one, unless its writer was told to hand out what it had.
    Some blocks are unpacked to see that. read: bytes at an offset. Raises what read() raises.
    """
    walk = _Walk(size, read)
    total, told = 0, True
    for _ in range(MOST_FRAMES):
        head = walk.peek(_HEAD)
        magic = int.from_bytes(head[:4], "little")
        if magic & ~0xF == SKIPPABLE and len(head) >= 8:
            walk.at += 8 + int.from_bytes(head[4:8], "little")
        else:
            content = _frame(walk, head)
            if content is None:
                return None
            total += content.size
            told = told and content.told
        if walk.at == size:
            return Content(total, told)
        if walk.at > size:
            return None
    return None


class FrameHead(NamedTuple):
    """A frame's header. length: its own, in bytes. most: bytes that a block unpacks to at most. behind_block: bytes of
    the checksum there."""

    flags: int
    length: int
    most: int
    behind_block: int


def frame_head(head: bytes) -> FrameHead | None:
    """A frame's header by its first bytes; None where it is another one, or has a version that does not exist."""
    if len(head) < BEGIN or int.from_bytes(head[:4], "little") != LZ4_MAGIC or head[4] & _VERSION != 1 << 6:
        return None
    flags, most = head[4], head[5] >> 4 & 7
    if most < 4:
        return None
    length = BEGIN + (8 if flags & _SIZED else 0) + (4 if flags & _DICTIONARY else 0)
    return FrameHead(flags, length, 1 << 8 + 2 * most, 4 if flags & _CHECKED else 0)


class _Walk:
    """Goes from header to header. at: where the next one lies, in bytes. blocks: how many have been passed by."""

    def __init__(self, size: int, read: Callable[[int, int], bytes]) -> None:
        self.at = self.blocks = 0
        self._size = size
        self._read = read
        self._base = 0
        self._window = b""

    def peek(self, length: int) -> bytes:
        """The next bytes, fewer at the file's end."""
        if not 0 <= self.at - self._base <= len(self._window) - length:
            self._base = self.at
            self._window = self.read(self.at, _WINDOW)
        return self._window[self.at - self._base :][:length]

    def read(self, at: int, length: int) -> bytes:
        """Bytes at an offset, fewer at the file's end."""
        return self._read(at, max(0, min(length, self._size - at)))


class _Block(NamedTuple):
    """A block's data in the file, in bytes, and whether it stands there as it is."""

    at: int
    length: int
    stored: bool


def _frame(walk: _Walk, head: bytes) -> Content | None:
    """The content of the frame at hand, behind which the walk is then."""
    known = frame_head(head)
    if known is None:
        return None
    flags, most = known.flags, known.most
    walk.at += known.length
    count, even, last = 0, True, None
    tried: list[_Block] = []
    while True:
        word = walk.peek(WORD)
        walk.at += WORD
        if word == b"\0\0\0\0":
            break
        block = _Block(walk.at, int.from_bytes(word, "little") & ~STORED, len(word) == WORD and word[3] >> 7 == 1)
        walk.blocks += 1
        if len(word) < WORD or not block.length or block.length > most or walk.blocks > MOST_BLOCKS:
            return None
        even = even and (last is None or not last.stored or last.length == most)
        if count and not count & count - 1 and last is not None and not last.stored:
            tried.append(last)
        last = block
        count += 1
        walk.at += block.length + known.behind_block
    walk.at += 4 if flags & _SUMMED else 0
    if flags & _SIZED:
        return Content(int.from_bytes(head[6:14], "little"), told=True)
    if last is None:
        return Content(0, told=False)
    alone = count == 1 or flags & _INDEPENDENT
    if not even or flags & _DICTIONARY or not (alone or last.stored):
        return None
    if alone and any(_unpacked(walk, block, most) != most for block in tried[-TRIED:]):
        return None
    rest = last.length if last.stored else _unpacked(walk, last, most)
    return None if rest is None else Content((count - 1) * most + rest, told=False)


def _unpacked(walk: _Walk, block: _Block, most: int) -> int | None:
    """Bytes that a block unpacks to which needs no other; None where it cannot be unpacked."""
    import lz4.block

    try:
        return len(lz4.block.decompress(walk.read(block.at, block.length), uncompressed_size=most))
    except (lz4.block.LZ4BlockError, ValueError):
        return None
