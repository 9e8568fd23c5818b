"""What the frames of compressed files tell of their sizes: zstd's (RFC 8878), and the index of xz."""

from __future__ import annotations

import struct
from collections.abc import Callable
from zlib import crc32

from pvgrub_sim.errors import ImageError
from pvgrub_sim.typed import Final

ZSTD_MAGIC: Final = 0xFD2FB528
SKIPPABLE: Final = 0x184D2A50
"""With the last four bits anything."""
ZSTD_HEAD: Final = 18
"""Bytes of the longest frame header."""
_XZ_MAGIC: Final = b"\xfd7zXZ\0"
_XZ_FOOTER: Final = struct.Struct("<II2s2s")
MOST_STREAMS: Final = 100_000
_PADDING: Final = 64 << 10
_LONG_PADDING: Final = 1 << 20
"""Bytes that are looked at together for zeros behind an xz stream: at first, and where there are many."""
MOST_PADDING: Final = 64 << 20
"""Bytes of zeros behind the streams of a file, together. Programs pad to a block of tar or a sector."""
_LEAST_UNPADDED: Final = 5
"""Bytes of a block of xz without its padding; liblzma refuses less."""
MOST_RECORDS: Final = 1 << 20
"""Blocks in all indexes of an xz file: as many of 64 KiB are 64 GiB."""
SMALL_BLOCK: Final = 8
MOST_SMALL_BLOCKS: Final = 1_000_000
"""Blocks of a zstd file that are that short or hold as little; a program writes one now and then."""


class ZstdWalk:
    """Goes from header to header of a zstd file: of frames, and of the blocks in them.

    name: for messages. inside: whether a frame has begun that has not ended. size: of the content of all frames so
    far, None when one does not tell. at: where the next header lies.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.at = 0
        self.inside = False
        self.size: int | None = 0
        self.frames = 0
        self._checksum = 0
        self._carried = b""
        self._small = 0

    def wants(self) -> int:
        """Bytes of the next header, at the most."""
        return 3 if self.inside else ZSTD_HEAD

    def follow(self, at: int, data: bytes) -> None:
        """Let a part of the file pass by; the parts follow one another, and the last one is empty."""
        seen = self._carried + data
        base = at - len(self._carried)
        self._carried = b""
        while (offset := self.at - base) < len(seen):
            head = seen[offset : offset + self.wants()]
            if len(head) < self.wants() and data:
                self._carried = head
                return
            self.step(head)
            self.pass_blocks(seen, base)

    def pass_blocks(self, data: bytes, base: int) -> None:
        """Go from block to block of a frame, as far as a part of the file at `base` has headers.

        What is large and empty has thousands of short ones. step() sees the last block, and those that are counted.
        """
        if not self.inside:
            return
        at, end = self.at - base, len(data) - 3
        while at <= end:
            word = data[at] | data[at + 1] << 8 | data[at + 2] << 16
            if word & 1 or word & 6 == 6 or word >> 3 < SMALL_BLOCK:
                break
            at += 4 if word & 6 == 2 else 3 + (word >> 3)
        self.at = base + at

    def step(self, head: bytes) -> None:
        """Read the header at `at`, and go to the next one; raises ImageError when it is none."""
        if self.inside:
            word = int.from_bytes(head[:3], "little")
            size, kind, last = word >> 3, word >> 1 & 3, word & 1
            if len(head) < 3 or kind == 3:
                raise ImageError(self.name, "is damaged (zstd: a block of no known kind)", self.at)
            if size < SMALL_BLOCK:
                self._count_small()
            self.at += 3 + (1 if kind == 1 else size)
            if last:
                self.at += self._checksum
                self.inside = False
            return
        magic = int.from_bytes(head[:4], "little")
        if magic & ~0xF == SKIPPABLE and len(head) >= 8:
            self._count_small()
            self.at += 8 + int.from_bytes(head[4:8], "little")
            return
        if magic != ZSTD_MAGIC or len(head) < 6:
            raise ImageError(self.name, "is damaged (zstd: no frame where one should begin)", self.at)
        flags = head[4]
        single = flags >> 5 & 1
        dictionary = (0, 1, 2, 4)[flags & 3]
        width = (single, 2, 4, 8)[flags >> 6]
        begin = 5 + (1 - single) + dictionary
        content = int.from_bytes(head[begin : begin + width], "little") + (256 if width == 2 else 0)
        self.size = None if not width or self.size is None else self.size + content
        self._checksum = 4 if flags & 4 else 0
        self.inside = True
        self.frames += 1
        self.at += begin + width

    def _count_small(self) -> None:
        self._small += 1
        if self._small > MOST_SMALL_BLOCKS:
            raise ImageError(self.name, "is damaged (zstd: endless blocks of next to nothing)", self.at)


def zstd_size(name: str, size: int, read: Callable[[int, int], bytes]) -> int | None:
    """The size of what a zstd file unpacks to, None when a frame does not tell; goes through all block headers.

    read: bytes at an offset. Raises ImageError when the file ends in a frame, or is none.
    """
    walk = ZstdWalk(name)
    window, base = b"", 0
    while walk.at < size:
        at = walk.at - base
        if not (at >= 0 and at + ZSTD_HEAD <= len(window)):
            base = walk.at
            window, at = read(base, min(64 << 10, size - base)), 0
        walk.step(window[at : at + walk.wants()])
        if walk.size is None:
            return None
        walk.pass_blocks(window, base)
    if walk.inside or walk.at > size:
        raise ImageError(name, "ends in the middle of its zstd stream", size)
    return walk.size


def xz_size(name: str, size: int, read: Callable[[int, int], bytes]) -> int:
    """The size of what an xz file unpacks to, by the indexes of its streams, from the last one on.

    As the .xz file format says (https://tukaani.org/xz/xz-file-format.txt, sections 2.1.2 and 4). Raises ImageError
    when there is no such thing.
    """
    total = records = padding = 0
    for _ in range(MOST_STREAMS):
        end = size
        size = _without_padding(name, size, read, MOST_PADDING - padding)
        padding += end - size
        if size < 32:
            raise ImageError(name, "is damaged (xz: ends too early)", size)
        footer = read(size - 12, 12)
        check, words, flags, magic = _XZ_FOOTER.unpack(footer)
        length = (words + 1) * 4
        if magic != b"YZ" or crc32(footer[4:10]) != check or length + 24 > size:
            raise ImageError(name, "ends in the middle of its xz stream", size)
        if length > 64 << 20:
            raise ImageError(name, "is damaged (xz: an index of more than 64 MiB)", size)
        index = _XzIndex(name, read(size - 12 - length, length), size)
        records += index.records
        if records > MOST_RECORDS:
            raise ImageError(name, f"is made of more than {MOST_RECORDS} xz blocks")
        unpacked, packed = index.sums()
        total += unpacked
        size -= 12 + length + packed + 12
        if size < 0 or read(size, 8) != _XZ_MAGIC + flags:
            raise ImageError(name, "is damaged (xz: the index does not lead to the stream's beginning)", max(size, 0))
        if size == 0:
            return total
    raise ImageError(name, f"is made of more than {MOST_STREAMS} xz streams")


def too_much_padding(name: str, words: str, offset: int) -> ImageError:
    """The error for more zeros behind a compressed stream than are looked through; words: the format's name."""
    return ImageError(name, f"has more than {MOST_PADDING >> 20} MiB of zeros behind its {words} stream", offset)


def _without_padding(name: str, size: int, read: Callable[[int, int], bytes], most: int) -> int:
    """Where a stream ends that zeros stand behind, four by four; raises ImageError where they are more than `most`."""
    end, step = size, _PADDING
    while end:
        window = read(max(0, end - step), min(end, step))
        left = len(window.rstrip(b"\0"))
        if left:
            return size - (size - (end - len(window) + left)) // 4 * 4
        end -= len(window)
        if size - end > most:
            raise too_much_padding(name, "xz", end)
        step = _LONG_PADDING
    return 0


class _XzIndex:
    """The index of an xz stream.

    name, offset: for messages. records: blocks that it tells of, of which none was looked at yet. Raises ImageError.
    """

    def __init__(self, name: str, raw: bytes, offset: int) -> None:
        self._name = name
        self._raw = raw
        self._offset = offset
        if raw[0] != 0 or crc32(raw[:-4]) != int.from_bytes(raw[-4:], "little"):
            raise self._damaged()
        self._at = 1
        self.records = self._number()

    def sums(self) -> tuple[int, int]:
        """Bytes of all blocks, unpacked and packed with their padding."""
        unpacked = packed = 0
        for _ in range(self.records):
            size = self._number()
            if size < _LEAST_UNPADDED or packed > self._offset:
                raise self._damaged()
            packed += size + 3 & ~3
            unpacked += self._number()
        if len(self._raw) - 4 - self._at > 3:
            raise self._damaged()
        return unpacked, packed

    def _number(self) -> int:
        value = shift = 0
        while self._at < len(self._raw) - 4 and shift < 63:
            byte = self._raw[self._at]
            self._at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value
        raise self._damaged()

    def _damaged(self) -> ImageError:
        return ImageError(self._name, "is damaged (xz: its index)", self._offset)
