"""The decoder of lz4 frames: liblz4, given its blocks one by one, so that it need not put parts of them together.

Where blocks begin and end decides only how much it is given at once. Whether they are right is liblz4's word alone. As
https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md has them.
"""

from __future__ import annotations

import lz4.frame

from pvgrub_sim.media.formats.lz4_frames import BEGIN, STORED, WORD, FrameHead, frame_head
from pvgrub_sim.typed import Final

LARGE: Final = 1 << 20
"""Bytes of the blocks that are given one by one. Of smaller ones several lie in what is read at once, as it comes."""


class Lz4Decoder:
    """A decompressor as Python's own are, for one frame.

    eof: whether the frame has ended. unused_data: what was given of what is behind it. wanted: bytes of the file that
    are best given next, 0 where it does not matter.
    """

    def __init__(self) -> None:
        self._context = lz4.frame.create_decompression_context()
        self._held = b""
        self._begun = False
        self._blocks: _Blocks | None = None
        self.eof = False
        self.unused_data = b""
        self.wanted = BEGIN

    @property
    def needs_input(self) -> bool:
        """Whether nothing more is unpacked before more is given."""
        return not self._held or not self._begun

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """What comes of these bytes and what is left of those before: so many, or a large block.

        Raises RuntimeError for what is damaged.
        """
        given = self._held + data
        if not self._begun:
            if len(given) < BEGIN:
                self._held = given
                self.wanted = BEGIN - len(given)
                return b""
            self._begun = True
            head = frame_head(given)
            self._blocks = _Blocks(head) if head is not None and head.most >= LARGE else None
        blocks = self._blocks
        part, most = (given, max_length) if blocks is None else (given[: blocks.left], blocks.most)
        content: bytes
        content, used, self.eof = lz4.frame.decompress_chunk(self._context, part, max_length=most)
        self._held = given[used:]
        if self.eof:
            self.unused_data, self._held = self._held, b""
        elif blocks is not None and not blocks.follow(part[:used]):
            self._blocks = None
        self.wanted = 0 if self._blocks is None else self._blocks.left
        return content


class _Blocks:
    """Where the next block of a frame begins. left: bytes up to behind the word that tells its length."""

    def __init__(self, head: FrameHead) -> None:
        self.most = head.most
        self.left = head.length + WORD
        self._behind = head.behind_block + WORD
        self._word = b""

    def follow(self, data: bytes) -> bool:
        """Go on behind these bytes; False when the blocks are at their end, or something is wrong with them."""
        self._word = (self._word + data[-WORD:])[-WORD:]
        self.left -= len(data)
        if self.left:
            return True
        length = int.from_bytes(self._word, "little") & ~STORED
        self.left = length + self._behind
        return 0 < length <= self.most
