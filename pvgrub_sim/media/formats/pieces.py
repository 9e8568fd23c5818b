"""PiecesDisk: a disk whose bytes lie in pieces of another one, zeros between them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter

from pvgrub_sim.errors import ImageError
from pvgrub_sim.media.disk import Expects, ForwardOnly, Layer, finish, layers_of
from pvgrub_sim.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pvgrub_sim.media.disk import Disk
    from pvgrub_sim.media.formats.tar import Piece

_start = attrgetter("at")


class PiecesDisk:
    """A member of an archive as a disk.

    below: the archive. size: in bytes. pieces: in order. layer: what it is. closing: what close() calls, the archive's
    own close() where nothing is said.
    """

    def __init__(
        self,
        below: Disk,
        size: int,
        pieces: Sequence[Piece],
        layer: Layer,
        closing: Callable[[], None] | None = None,
    ) -> None:
        self.name = layer.name
        self.size = size
        self.below = below
        self._pieces = pieces
        self._layer = layer
        self._closing = closing or below.close

    @property
    def layers(self) -> tuple[Layer, ...]:
        """This layer and those below."""
        return (self._layer, *layers_of(self.below))

    def read(self, offset: int, length: int) -> bytes:
        """Read exactly `length` bytes at byte `offset`; raises ImageError when they cannot be had."""
        if offset < 0 or length < 0 or offset + length > self.size:
            raise ImageError(
                self.name, f"ends {offset + length - self.size} bytes short of a read", min(offset, self.size)
            )
        parts: list[bytes] = []
        at = offset
        for begin, source, size in self._within(offset, length):
            parts.append(bytes(begin - at))
            parts.append(self.below.read(source, size))
            at = begin + size
        parts.append(bytes(offset + length - at))
        return b"".join(parts)

    def expect(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Tell the archive what will be read, if that makes a difference to it."""
        if isinstance(self.below, Expects):
            self.below.expect([one[1:] for offset, length in ranges for one in self._within(offset, length)])

    def close(self) -> None:
        """Close the archive, or say that it is not needed here any more."""
        self._closing()

    def _within(self, offset: int, length: int) -> Iterator[tuple[int, int, int]]:
        """The parts of pieces that lie in a range: where, where below, and how long."""
        end = offset + length
        index = max(bisect_right(self._pieces, offset, key=_start) - 1, 0)
        while index < len(self._pieces):
            piece = self._pieces[index]
            begin, stop = max(piece.at, offset), min(piece.at + piece.length, end)
            if piece.at >= end:
                return
            if begin < stop:
                yield begin, piece.source + begin - piece.at, stop - begin
            index += 1


class ForwardPieces(PiecesDisk):
    """The same in an archive that can be read forward only.

    With its last byte the archive's stream is read to its end, where a checksum of all stands.
    """

    def read(self, offset: int, length: int) -> bytes:
        """Read exactly `length` bytes at byte `offset`; raises ImageError when they cannot be had."""
        data = super().read(offset, length)
        if length and offset + length == self.size:
            self.finish()
        return data

    def finish(self) -> None:
        """Look at the end of the archive's stream; raises ImageError."""
        finish(self.below)

    def read_upto(self, offset: int, length: int) -> bytes:
        """As read(), but fewer bytes where the member ends before, and the archive is read no further for it.

        It is for looks at what a member is; who takes all that one has in this way calls finish() then.
        """
        return super().read(offset, max(0, min(length, self.size - offset)))

    @property
    def unpacked(self) -> int:
        """Bytes from the start that it costs nothing to read."""
        if not isinstance(self.below, ForwardOnly):
            return self.size
        known = self.below.unpacked
        free = [piece.at for piece in self._pieces if piece.source + piece.length > known]
        return free[0] if free else self.size


def member_disk(
    below: Disk, size: int, pieces: Sequence[Piece], layer: Layer, closing: Callable[[], None] | None = None
) -> PiecesDisk:
    """A member of an archive as a disk; arguments as for PiecesDisk."""
    kind = ForwardPieces if isinstance(below, ForwardOnly) else PiecesDisk
    return kind(below, size, pieces, layer, closing)
