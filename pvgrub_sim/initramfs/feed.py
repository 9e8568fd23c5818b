"""Bytes that come in pieces, read forward, and what ends the reading."""

from __future__ import annotations

from collections.abc import Iterator

from pvgrub_sim.typed import Final

ZEROS_AT_ONCE: Final = 1 << 16


class Broken(Exception):
    """The kernel cannot read on, and str() says why."""


class NotLookedAt(Exception):
    """Reading on would take more than is allowed here; the kernel may well do it. str() says what it would take."""


class Feed:
    """A stream of bytes. pieces: in which it comes, none of them empty for ever.

    at: how many bytes have been taken so far.
    """

    __slots__ = ("_pieces", "_place", "_size", "_taken", "piece")

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self.piece = b""
        self._place = 0
        self._size = 0
        self._taken = 0
        """Bytes of the pieces before this one."""

    @property
    def at(self) -> int:
        """Bytes taken so far."""
        return self._taken + self._place

    def _more(self) -> bool:
        """Go on to the next piece, once all of this one is taken; False at the end."""
        for piece in self._pieces:
            if piece:
                self._taken += self._size
                self.piece, self._place, self._size = piece, 0, len(piece)
                return True
        return False

    def next(self) -> bytes:
        """What is left of the current piece, or the next one; nothing at the end."""
        if self._place == self._size and not self._more():
            return b""
        rest = self.piece[self._place :] if self._place else self.piece
        self._place = self._size
        return rest

    def push_back(self, rest: bytes) -> None:
        """Give back the end of what was taken last."""
        if len(rest) <= self._place and self.piece[self._place - len(rest) : self._place] == rest:
            self._place -= len(rest)
            return
        self._taken -= len(rest) - self._place
        self.piece = rest + self.piece[self._place :]
        self._place, self._size = 0, len(self.piece)

    def take(self, length: int) -> bytes:
        """The next bytes, fewer at the end."""
        end = self._place + length
        if end <= self._size:
            found = self.piece[self._place : end]
            self._place = end
            return found
        parts = []
        while length:
            if self._place == self._size and not self._more():
                break
            part = self.piece[self._place : self._place + length]
            parts.append(part)
            self._place += len(part)
            length -= len(part)
        return b"".join(parts)

    def peek(self, length: int) -> bytes:
        """The next bytes without taking them, fewer at the end."""
        found = self.take(length)
        if found:
            self.push_back(found)
        return found

    def skip(self, length: int) -> int:
        """Pass over bytes; how many there were, fewer at the end."""
        left = length
        while left:
            if self._place == self._size and not self._more():
                break
            step = min(left, self._size - self._place)
            self._place += step
            left -= step
        return length - left

    def skip_zeros(self) -> int:
        """Pass over all zeros that come now; the byte behind them, which is not taken, or -1 at the end."""
        while self._place < self._size or self._more():
            if byte := self.piece[self._place]:
                return byte
            part = self.piece[self._place : self._place + ZEROS_AT_ONCE]
            self._place += len(part) - len(part.lstrip(b"\0"))
        return -1
