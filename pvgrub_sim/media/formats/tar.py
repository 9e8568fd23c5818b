"""tar archives: their members one after another, sparse ones as they were (POSIX ustar and pax, GNU tar's formats).

https://www.gnu.org/software/tar/manual/html_node/Tar-Internals.html
"""

from __future__ import annotations

from collections.abc import Iterator

from pvgrub_sim.errors import ImageError
from pvgrub_sim.media.deadline import check_time
from pvgrub_sim.media.disk import Disk, read_upto
from pvgrub_sim.typed import Final
from pvgrub_sim.values import NamedTuple

BLOCK: Final = 512
MOST_MEMBERS: Final = 1 << 24
"""As many as 8 TiB in an XVA have, two for each MiB."""
FEW_MEMBERS: Final = 50_000
LEAST_IN_MEMBERS: Final = 64 << 10
"""Bytes that a member takes on the average, its header included, where there are more members than that. An archive of
disks has few members, or an XVA's, where chunks that keep a connection open may come between two of 1 MiB."""
MOST_EXTENDED: Final = 8
"""Extended headers of one member; programs write up to four, each of another kind."""
LONGEST_HEADER: Final = 1 << 20
"""Bytes of a long name, or of a pax header."""
MOST_IN_HEADERS: Final = 16 << 20
"""Bytes of all of these in an archive; a program writes a few dozen for a member."""
MOST_PIECES: Final = 1_000_000
"""Pieces of all sparse files in an archive."""
_OLD_SPARSE: Final = (386, 4, 482)
_EXTENDED: Final = (0, 21, 504)
"""GNU's old sparse format, in a header and in the blocks behind it: offset of the pieces, how many, and of the flag."""


_OFFSETS: Final = (b"GNU.sparse.offset", b"GNU.sparse.numbytes")


class Piece(NamedTuple):
    """A stretch of a file: where in it, where in the archive, and its length, in bytes."""

    at: int
    source: int
    length: int


class Member(NamedTuple):
    """One member.

    name: as it stands there. kind: its type flag, `0` for a file. size: of the file, in bytes. pieces: where its bytes
    lie; what no piece has is zeros. end: of its data in the archive.
    """

    name: bytes
    kind: bytes
    size: int
    pieces: tuple[Piece, ...]
    end: int

    @property
    def is_file(self) -> bool:
        """True for a regular file."""
        return self.kind in (b"0", b"\0", b"7", b"S")


class _Extended(NamedTuple):
    """What extended headers say of the member behind them: pax records, those of sparse pieces, a long name."""

    pax: dict[bytes, bytes]
    offsets: list[bytes]
    name: bytes | None


class TarReader:
    """The members of an archive, each found when it is asked for.

    below: the archive. offset: of the first header.
    """

    def __init__(self, below: Disk, offset: int = 0) -> None:
        self.below = below
        self._start = self._at = offset
        self._in_headers = self._pieces_seen = 0

    def __iter__(self) -> Iterator[Member]:
        for number in range(MOST_MEMBERS):
            check_time()
            member = self._next()
            if member is None:
                return
            if number >= FEW_MEMBERS and self._at - self._start < number * LEAST_IN_MEMBERS:
                raise self._fail(f"is a tar archive of {number} members with next to nothing in them")
            yield member
        raise self._fail(f"more than {MOST_MEMBERS} members in a tar archive")

    def _fail(self, reason: str) -> ImageError:
        return ImageError(self.below.name, reason, self._at)

    def _next(self) -> Member | None:
        """The next member that is one, with what extended headers before it say."""
        extended = _Extended({}, [], None)
        for _ in range(MOST_EXTENDED):
            header = read_upto(self.below, self._at, BLOCK)
            if len(header) < BLOCK or not any(header):
                if len(header) % BLOCK:
                    raise self._fail("ends in the middle of a tar header")
                return None
            kind, size = header[156:157], self._number(header[124:136])
            self._check(header)
            data = self._at + BLOCK
            if kind in (b"x", b"L", b"K", b"g"):
                self._in_headers += size
                if self._in_headers > MOST_IN_HEADERS:
                    raise self._fail(f"more than {MOST_IN_HEADERS >> 20} MiB of extended headers in a tar archive")
                content = self._content(data, size)
                if kind == b"x":
                    records = list(_pax_records(content))
                    extended.pax.update(records)
                    extended.offsets.extend(value for key, value in records if key in _OFFSETS)
                elif kind == b"L":
                    extended = extended._replace(name=content.rstrip(b"\0"))
                self._at = data + _padded(size)
                continue
            return self._member(header, kind, size, extended)
        raise self._fail("too many extended tar headers before a member")

    def _content(self, offset: int, size: int) -> bytes:
        if size > LONGEST_HEADER:
            raise self._fail(f"an extended tar header of {size} bytes")
        content = read_upto(self.below, offset, size)
        if len(content) < size:
            raise self._fail("ends in the middle of a tar header")
        return content

    def _member(self, header: bytes, kind: bytes, size: int, extended: _Extended) -> Member:
        pax = extended.pax
        data = self._at + BLOCK
        name = header[:100].split(b"\0", 1)[0]
        if header[257:263] == b"ustar\0" and (prefix := header[345:500].split(b"\0", 1)[0]):
            name = prefix + b"/" + name
        name = pax.get(b"GNU.sparse.name") or pax.get(b"path") or extended.name or name
        if b"size" in pax:
            size = self._decimal(pax[b"size"])
        if kind in (b"1", b"2", b"3", b"4", b"5", b"6"):
            size = 0
        real = size
        pairs: list[tuple[int, int]] | None = None
        end = data + _padded(size)
        if kind == b"S":
            real = self._number(header[483:495])
            pairs, data = self._old_sparse(header, data)
            end = data + _padded(size)
        elif pax.get(b"GNU.sparse.major") == b"1" and pax.get(b"GNU.sparse.minor") == b"0":
            real = self._decimal(pax.get(b"GNU.sparse.realsize", b""))
            pairs, data = self._map_in_data(data, size)
        elif b"GNU.sparse.map" in pax:
            real = self._decimal(pax.get(b"GNU.sparse.size", b""))
            numbers = [self._decimal(word) for word in pax[b"GNU.sparse.map"].split(b",")]
            pairs = list(zip(numbers[::2], numbers[1::2], strict=False))
        elif extended.offsets:
            real = self._decimal(pax.get(b"GNU.sparse.size", b""))
            numbers = [self._decimal(value) for value in extended.offsets]
            pairs = list(zip(numbers[::2], numbers[1::2], strict=False))
        if pairs is None:
            pieces: tuple[Piece, ...] = (Piece(0, data, size),)
        else:
            self._count_pieces(len(pairs))
            pieces = self._pieces(pairs, data, real, end)
        self._at = end
        return Member(name, kind, real, pieces, end)

    def _pieces(self, pairs: list[tuple[int, int]], data: int, size: int, end: int) -> tuple[Piece, ...]:
        """The pieces of a sparse file; raises ImageError when they overlap or leave it."""
        pieces: list[Piece] = []
        last = 0
        for at, length in pairs:
            if length == 0:
                continue
            if at < last or at + length > size or data + length > end:
                raise self._fail("a sparse tar member whose pieces are not in order")
            pieces.append(Piece(at, data, length))
            data += length
            last = at + length
        return tuple(pieces)

    def _count_pieces(self, more: int) -> None:
        self._check_pieces(more)
        self._pieces_seen += more

    def _check_pieces(self, more: int) -> None:
        """All sparse members together have so many pieces only; raises ImageError."""
        if self._pieces_seen + more > MOST_PIECES:
            raise self._fail(f"sparse tar members of more than {MOST_PIECES} pieces")

    def _old_sparse(self, header: bytes, data: int) -> tuple[list[tuple[int, int]], int]:
        """The map of GNU's old sparse format, and where the data begins behind its extension blocks."""
        pairs: list[tuple[int, int]] = []
        block, (begin, count, flag) = header, _OLD_SPARSE
        while True:
            for at in range(begin, begin + count * 24, 24):
                if block[at : at + 1] != b"\0":
                    pairs.append((self._number(block[at : at + 12]), self._number(block[at + 12 : at + 24])))
            if not block[flag]:
                return pairs, data
            self._check_pieces(len(pairs))
            block, (begin, count, flag) = self._content(data, BLOCK), _EXTENDED
            data += BLOCK

    def _map_in_data(self, data: int, size: int) -> tuple[list[tuple[int, int]], int]:
        """The map of GNU's sparse format 1.0, which stands before the data as decimal lines."""
        text = b""
        numbers: list[int] = []
        wanted = 1
        end = data + size
        while len(numbers) < wanted:
            if data >= end:
                raise self._fail("a sparse tar member without a whole map")
            text += self._content(data, BLOCK)
            data += BLOCK
            *lines, text = text.split(b"\n")
            if len(text) > BLOCK:
                raise self._fail("is damaged (a tar header with a bad number)")
            for line in lines:
                numbers.append(self._decimal(line))
                if len(numbers) == 1:
                    wanted = 1 + 2 * numbers[0]
                    self._check_pieces(numbers[0])
                if len(numbers) == wanted:
                    break
        return list(zip(numbers[1::2], numbers[2::2], strict=False)), data

    def _check(self, header: bytes) -> None:
        """The checksum: the sum of all bytes, its own field counting as blanks; some programs summed signed ones."""
        told = self._number(header[148:156])
        rest = header[:148] + header[156:]
        total = sum(rest) + 8 * 32
        if told != total and told != total - 256 * sum(byte > 127 for byte in rest):
            raise self._fail("is damaged (a tar header whose checksum is wrong)")

    def _number(self, field: bytes) -> int:
        """An octal number, or one in base 256 where it would not fit."""
        if field[0] == 0x80:
            value = int.from_bytes(field[1:], "big")
        else:
            text = field.strip(b" \0")
            if text and not all(0x30 <= byte <= 0x37 for byte in text):
                raise self._fail("is damaged (a tar header with a bad number)")
            value = int(text or b"0", 8)
        if value >= 1 << 62:
            raise self._fail("is damaged (a tar header with a number that is too large)")
        return value

    def _decimal(self, text: bytes) -> int:
        if not text.isdigit() or len(text) > 18:
            raise self._fail("is damaged (a tar header with a bad number)")
        return int(text)


def _padded(size: int) -> int:
    return size + BLOCK - 1 & ~(BLOCK - 1)


def _pax_records(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """`LENGTH KEY=VALUE` lines; what is not one ends them."""
    at = 0
    while at < len(content):
        blank = content.find(b" ", at, at + 10)
        word = content[at:blank]
        if blank < 0 or not word.isdigit() or int(word) <= blank - at + 1:
            return
        key, _, value = content[blank + 1 : at + int(word) - 1].partition(b"=")
        yield key, value
        at += int(word)
