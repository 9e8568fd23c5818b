"""Answers of web servers, where http.client is too forgiving: what has no end, is cut off, or says two things."""

from __future__ import annotations

import http.client
import io
import re
import ssl
import time
from email import errors

from pvgrub_sim.safetext import one_line
from pvgrub_sim.typed import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from socket import socket

MOST_LINES: Final = 1000
"""Lines of everything that comes before a body: http.client takes 100 of one head, and any number of interim ones."""
MOST_SAID: Final = 200
"""Characters that are shown of what the other side says."""
_LONGEST_LINE: Final = 64 << 10
_CHUNK: Final = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?\r?\n")
_UNREADABLE: Final = (
    errors.MissingHeaderBodySeparatorDefect,
    errors.FirstHeaderLineIsContinuationDefect,
    errors.MisplacedEnvelopeHeaderDefect,
    errors.InvalidHeaderDefect,
)
"""Lines between the headers that are none; those behind them, on which all may depend, have not been looked at."""


class Clock:
    """Until when a server must have sent what is waited for, however often it sends a little: by time.monotonic()."""

    def __init__(self) -> None:
        self._until = 0.0

    def allow(self, seconds: float) -> None:
        """From now on it has so long."""
        self._until = time.monotonic() + seconds

    def check(self) -> None:
        """Raise TimeoutError when the time is over."""
        if time.monotonic() > self._until:
            raise TimeoutError


class Watched(io.RawIOBase):
    """What a socket receives, as long as the clock allows it."""

    def __init__(self, below: io.RawIOBase, clock: Clock) -> None:
        self._below = below
        self._clock = clock

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Receive some bytes; raises TimeoutError, and OSError as sockets do."""
        self._clock.check()
        count: int | None = self._below.readinto(buffer)
        return count

    def close(self) -> None:
        """Close the socket's file."""
        self._below.close()
        super().close()


class _Lines(io.BufferedReader):
    """Where http.client reads an answer from: it would take a line that is cut off for a whole one.

    in_body: whether the head has been read.
    """

    in_body = False
    _count = 0

    def readline(self, size: int | None = -1) -> bytes:
        """The next line; raises HTTPException where it is cut off, or a head has too many of them."""
        line = super().readline(size)
        if not line.endswith(b"\n") and len(line) != size and (line or not self.in_body) and (line or self._count):
            raise http.client.IncompleteRead(line)
        self._count += 1
        if self._count > MOST_LINES and not self.in_body:
            raise http.client.HTTPException(f"the server's answer begins with more than {MOST_LINES} lines")
        return line


class Response(http.client.HTTPResponse):
    """An answer, of a proxy to CONNECT as well: http.client itself has no end of what precedes it, and of its trailers.

    clock: until when it must be there.
    """

    fp: _Lines

    def __init__(self, clock: Clock, sock: socket, *args: Any, **keywords: Any) -> None:
        super().__init__(sock, *args, **keywords)
        self.fp = _Lines(Watched(self.fp.detach(), clock))

    def begin(self) -> None:
        """Read the head, and skip interim ones (RFC 9110, section 15.2)."""
        super().begin()
        while 100 <= self.status < 200 and self.status != http.client.SWITCHING_PROTOCOLS:
            self.headers = self.msg = cast("http.client.HTTPMessage", None)
            super().begin()
        self.fp.in_body = True

    def _get_chunk_left(self) -> int | None:
        """Bytes left of a chunk, None behind the last: http.client takes `-5` for a size, and anything for the end."""
        left = self.chunk_left
        if left:
            return left
        if left is not None and self.fp.read(2) != b"\r\n":
            raise http.client.HTTPException("the server's chunks do not end where they should")
        line = self.fp.readline(_LONGEST_LINE)
        match = _CHUNK.fullmatch(line)
        if match is None and line:
            raise http.client.HTTPException("the server's chunks have no sizes")
        if match is None:
            raise http.client.IncompleteRead(b"")
        self.chunk_left = int(match[1], 16)
        if self.chunk_left:
            return self.chunk_left
        while self.fp.readline(_LONGEST_LINE) not in (b"\r\n", b"\n", b""):
            pass
        self.chunk_left = None
        cast("Any", self)._close_conn()
        return None


def fault(answer: http.client.HTTPResponse, packed: bool) -> str | None:
    """Why the body of an answer cannot be told from what is around it, or is none of the image; None where it is fine.

    packed: whether it is one of gzip's files, which servers like to call an encoding of something else.
    """
    headers = answer.headers
    if any(isinstance(defect, _UNREADABLE) for defect in headers.defects):
        return "the server answers with headers that cannot be read"
    codings = [coding.lower() for coding in headers.get_all("Transfer-Encoding", [])]
    lengths = {length.strip() for length in headers.get_all("Content-Length", [])}
    if codings not in ([], ["chunked"]):
        return _named("the server answers in a Transfer-Encoding that was not asked for", codings)
    if codings and lengths:
        return "the server answers in chunks and with a Content-Length"
    if len(lengths) > 1:
        return "the server answers with more than one Content-Length"
    if any(not length.isdecimal() or len(length) > 18 for length in lengths):
        return _named("the server answers with a Content-Length that is no number", sorted(lengths))
    encodings = [word.strip().lower() for word in ",".join(headers.get_all("Content-Encoding", [])).split(",")]
    encodings = [word for word in encodings if word not in ("", "identity")]
    if encodings and not (packed and encodings in (["gzip"], ["x-gzip"])):
        return _named("the server answers in a Content-Encoding that was not asked for", encodings)
    if headers.get_content_maintype() == "multipart" and answer.status == http.client.PARTIAL_CONTENT:
        return "the server answers with several ranges in one (multipart)"
    return None


def words(error: Exception) -> str:
    """What went wrong, in one line that is not long; what the other side said stays as it is."""
    if isinstance(error, TimeoutError):
        return "the server does not answer in time"
    if isinstance(error, http.client.IncompleteRead):
        return "the connection ends too early"
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError):
        said = (error.strerror or "").lower() or str(error)
        return _short(said[:1].lower() + said[1:]) or type(error).__name__
    if isinstance(error, (http.client.BadStatusLine, http.client.UnknownProtocol)):
        return _named("the server does not answer in HTTP", [str(error)])
    return _short(getattr(error, "strerror", None) or str(error)) or type(error).__name__


def _named(wrong: str, found: list[str]) -> str:
    return f"{wrong}: {_short(', '.join(found))}"


def _short(text: str) -> str:
    """Text of the other side as it may be shown, cut where it is long."""
    text = one_line(text.strip())
    return text if len(text) <= MOST_SAID else text[:MOST_SAID] + "…"
