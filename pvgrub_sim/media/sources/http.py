"""http(s)://: images on web servers, read in ranges where the server has them (RFC 9110, section 14)."""

from __future__ import annotations

import http.client
import random
import re
import time
from collections.abc import Callable, Iterator
from itertools import chain

from pvgrub_sim.errors import ImageError, UsageError
from pvgrub_sim.media.disk import Layer
from pvgrub_sim.media.sources.answers import fault, words
from pvgrub_sim.media.sources.blocks import BlockDisk
from pvgrub_sim.media.sources.transport import Answer, Connection
from pvgrub_sim.typed import TYPE_CHECKING, Final, TypeVar
from pvgrub_sim.values import NamedTuple

if TYPE_CHECKING:
    from pvgrub_sim.media.access import Context
    from pvgrub_sim.media.disk import Disk

BLOCK: Final = 256 << 10
"""Bytes in a block."""
TRIES: Final = 5
"""How often a request is made before it is given up."""
FIRST_PAUSE = 0.25
"""Seconds before the second try; each further pause is twice as long."""
LONGEST_PAUSE: Final = 8.0
SLOWEST = 4 << 10
"""Bytes a second: a transfer that has taken a minute and is slower is given up."""
PATIENCE = 60.0
"""Seconds that any transfer may take."""
_PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses that may be others the next time."""
_RANGE: Final = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})")
_PIECE: Final = 1 << 20

_T = TypeVar("_T")


class _Again(Exception):
    """What went wrong may go right the next time; the text says what it was. after: seconds the server wants."""

    def __init__(self, reason: str, after: float = 0.0) -> None:
        super().__init__(reason)
        self.after = after


class _Version(NamedTuple):
    """What tells one version of an image from another one: it must stay as it was at first."""

    etag: str | None
    modified: str | None
    size: int


def open_http(url: str, context: Context) -> Disk:
    """The bytes behind a URL, fetched in ranges as they are needed, or spooled where the server has none.

    Raises ImageError in one line when they cannot be had after several tries, UsageError for what is no URL.
    """
    try:
        connection = Connection(url)
    except UsageError as error:
        from pvgrub_sim.media.sources import shown_source

        raise UsageError(f"{shown_source(url)}: {error}") from None
    source = _Ranges(connection)
    first = source.first_block()
    if not isinstance(first, bytes):
        from pvgrub_sim.media.formats.spool import Spool

        layer = Layer("http", source.name, source.version.size, "no ranges: spooled")
        return Spool(source.name, first, layer, context, size=source.version.size or None)
    version = source.version
    cache = None
    if context.access.cache is not None and (version.etag or version.modified):
        from pvgrub_sim.media.sources.block_cache import BlockCache

        cache = BlockCache(context.access.cache, ("http", url, *version, BLOCK))
    layer = Layer("http", source.name, version.size, "in ranges")
    disk = BlockDisk(source.name, version.size, BLOCK, source.fetch, (layer,), cache=cache, closing=source.close)
    disk.put(0, first)
    return disk


class _Ranges:
    """Ranges of one version of what lies behind a URL."""

    def __init__(self, connection: Connection) -> None:
        self.name = connection.name
        self.version = _Version(None, None, 0)
        self._connection = connection

    def close(self) -> None:
        self._connection.reset()

    def first_block(self) -> bytes | _Whole:
        """The first block; or all of it, as a stream, from a server that has no ranges."""

        def ask() -> bytes | _Whole:
            answer = self._ask(0, BLOCK)
            if answer.status == 200:
                size = int(answer.headers.get("Content-Length", 0))
                self.version = _version(answer, size)
                return self._whole(answer, size)
            begin, end, size = self._range(answer, 0)
            if begin or end != min(BLOCK, size):
                raise _Again(f"bytes {begin} to {end} instead of the first {BLOCK}")
            self.version = _version(answer, size)
            return self._body(answer, end)

        return self.repeat(ask, 0)

    def fetch(self, first: int, count: int) -> list[bytes]:
        """Blocks, in one request."""
        offset = first * BLOCK
        length = min(count * BLOCK, self.version.size - offset)

        def ask() -> bytes:
            answer = self._ask(offset, length)
            if answer.status == 200:
                # Servers do that when what was asked for has changed, or all of a sudden.
                self._connection.reset()
                raise ImageError(self.name, "changed while it was read (the server answers with all of it)", offset)
            begin, end, size = self._range(answer, offset)
            if _version(answer, size) != self.version:
                raise ImageError(self.name, "changed while it was read", offset)
            if (begin, end) != (offset, offset + length):
                raise _Again(f"bytes {begin} to {end} instead of {offset} to {offset + length}")
            return self._body(answer, length)

        data = self.repeat(ask, offset)
        return [data[at : at + BLOCK] for at in range(0, length, BLOCK)]

    def _whole(self, answer: Answer, size: int) -> _Whole:
        """All of it, of which some has come; size: 0 where that is not told."""
        rest = pieces(answer, size or (1 << 62))
        first = next(rest, b"")
        if not first and size:
            raise _Again(f"no bytes instead of {size}")
        if not first:
            raise ImageError(self.name, "is empty, not a disk image", 0)
        return _Whole(self, first, rest)

    def repeat(self, ask: Callable[[], _T], offset: int) -> _T:
        """Do something until it works; raises ImageError with what was wrong the last time."""
        pause = FIRST_PAUSE
        for number in range(1, TRIES + 1):
            try:
                return ask()
            except ImageError:
                self._connection.reset()
                raise
            except (OSError, http.client.HTTPException, _Again) as error:
                self._connection.reset()
                if number == TRIES:
                    raise ImageError(self.name, f"{words(error)} ({TRIES} tries)", offset) from None
                after = error.after if isinstance(error, _Again) else 0.0
            time.sleep(min(max(pause * random.uniform(0.75, 1.25), after), LONGEST_PAUSE))
            pause *= 2
        raise AssertionError

    def _ask(self, offset: int, length: int) -> Answer:
        """Ask for a range; the answer is 200 or 206. Raises _Again and ImageError for all else."""
        answer = self._connection.get({"Range": f"bytes={offset}-{offset + length - 1}"})
        if answer.status in (200, 206):
            wrong = fault(answer.body, answer.packed or answer.status == 200)
            if wrong is not None:
                raise ImageError(self.name, wrong, offset)
            return answer
        phrase = f"{answer.status} {http.client.responses.get(answer.status, '')}".rstrip()
        if answer.status in _PASSING:
            wait = answer.headers.get("Retry-After", "")
            raise _Again(f"the server answers {phrase}", float(wait) if wait.isdecimal() and len(wait) < 6 else 0.0)
        if answer.status == 416 and self.version.size == 0:
            raise ImageError(self.name, "is empty, not a disk image", 0)
        if answer.status == 416:
            raise ImageError(self.name, "changed while it was read", offset)
        raise ImageError(self.name, f"the server answers {phrase}", offset if self.version.size else None)

    def _range(self, answer: Answer, offset: int) -> tuple[int, int, int]:
        """Begin, end and whole size that a 206 tells."""
        told = answer.headers.get_all("Content-Range", [])
        match = _RANGE.fullmatch(told[0].strip()) if len(told) == 1 else None
        if match is None:
            raise ImageError(self.name, "the server answers with a range but does not tell of what size", offset)
        begin, last, size = map(int, match.groups())
        if not begin <= last < size:
            raise _Again(f"the server answers with bytes {begin} to {last} of {size}")
        return begin, last + 1, size

    def _body(self, answer: Answer, length: int) -> bytes:
        data = b"".join(pieces(answer, length + 1))
        if len(data) != length:
            raise _Again(f"{len(data)} bytes instead of {length}")
        return data


class _Whole:
    """The body of an answer to which there are no ranges, as a stream."""

    def __init__(self, source: _Ranges, first: bytes, rest: Iterator[bytes]) -> None:
        self._source = source
        self._pieces = chain((first,), rest)
        self._got = 0

    def read(self) -> bytes:
        """The next bytes, none at the end; raises ImageError when the connection breaks before."""
        try:
            data = next(self._pieces, b"")
        except (OSError, http.client.HTTPException, _Again) as error:
            raise ImageError(self._source.name, f"{words(error)} (no ranges to go on with)", self._got) from None
        self._got += len(data)
        if not data and self._got < self._source.version.size:
            missing = self._source.version.size - self._got
            raise ImageError(self._source.name, f"the connection ends {missing} bytes too early", self._got)
        return data

    def close(self) -> None:
        """Hang up."""
        self._source.close()


def pieces(answer: Answer, length: int) -> Iterator[bytes]:
    """The body in pieces, at most `length` bytes; raises _Again when the server takes far too long for it."""
    took = 0.0
    got = 0
    while got < length:
        answer.clock.allow(PATIENCE)
        began = time.monotonic()
        data = answer.body.read1(min(_PIECE, length - got))
        took += time.monotonic() - began
        if not data:
            # With this the connection can be used again, or the body turns out to be short.
            answer.body.read()
            return
        got += len(data)
        yield data
        if took > PATIENCE and got < took * SLOWEST:
            raise _Again(f"the server sent {got} bytes in {took:.0f} seconds")


def _version(answer: Answer, size: int) -> _Version:
    return _Version(answer.headers.get("ETag"), answer.headers.get("Last-Modified"), size)
