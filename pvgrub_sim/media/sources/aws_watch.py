"""What keeps a server from answering boto3 for ever or without end: a clock, and a limit to what is read.

botocore itself reads answers whole, and waits as long as a byte comes now and then.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import closing

from botocore.awsrequest import AWSHTTPConnectionPool, AWSHTTPSConnectionPool
from botocore.exceptions import BotoCoreError, HTTPClientError
from urllib3.exceptions import HTTPError

from pvgrub_sim.media.sources.answers import Watched
from pvgrub_sim.media.sources.aws_clock import CLOCK, PIECE
from pvgrub_sim.typed import Any


class Slow(BotoCoreError):  # type: ignore[misc]  # botocore has no types
    """An answer that does not come in time; asking again is of no use."""

    fmt = "AWS does not answer in time"


class TooLong(BotoCoreError):  # type: ignore[misc]  # botocore has no types
    """An answer that is longer than any that makes sense."""

    fmt = "AWS answers with more than {longest} bytes"


def watch(client: Any, longest: int) -> None:
    """Have all requests of a client take a while at most, and answers that are read whole be so long at most."""
    endpoint = client._endpoint
    # The managers of connections, those to proxies included, all look into this one dictionary.
    endpoint.http_session._pool_classes_by_scheme.update(_POOLS)
    endpoint.http_session = _Session(endpoint.http_session, longest)


class _Session:
    """Sends requests as botocore's own session does, and watches what is answered."""

    def __init__(self, below: Any, longest: int) -> None:
        self._below = below
        self._longest = longest

    def send(self, request: Any) -> Any:
        """The answer; its body is read if botocore wants it whole."""
        CLOCK.start()
        whole = not request.stream_output
        request.stream_output = True
        try:
            CLOCK.check()
            response = self._below.send(request)
            response.raw = _Body(response.raw, self._longest)
            if whole:
                with closing(response.raw):
                    _ = response.content
            else:
                CLOCK.body = response.raw
        except (BotoCoreError, HTTPError, OSError) as error:
            if CLOCK.over():
                raise Slow from None
            if isinstance(error, BotoCoreError):
                raise
            raise HTTPClientError(error=error) from None
        return response

    def close(self) -> None:
        """Let go of the connections."""
        self._below.close()


class _Body:
    """The body of an answer, which is given more time as long as it comes fast enough."""

    def __init__(self, raw: Any, longest: int) -> None:
        self._raw = raw
        self._longest = longest

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)

    def read(self, amount: int | None = None, *_: object, **__: object) -> bytes:
        """The next bytes; raises TooLong where all of them are asked for and these are too many."""
        if amount is None:
            return b"".join(self.stream())
        data: bytes = self._raw.read(amount)
        CLOCK.came(len(data))
        return data

    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        """All of it in pieces."""
        got = 0
        while data := self.read(PIECE):
            got += len(data)
            if got > self._longest:
                raise TooLong(longest=self._longest)
            yield data
        if getattr(self._raw, "length_remaining", 0):
            raise OSError("the answer ends too early")


class _Socket:
    """A socket whose files are watched; for all else it is the socket."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    def makefile(self, *_: object, **__: object) -> io.BufferedReader:
        """What http.client reads an answer from."""
        return io.BufferedReader(Watched(self._socket.makefile("rb", buffering=0), CLOCK))


def _watching(pool: Any) -> Any:
    """A kind of pool whose connections are watched."""
    below = pool.ConnectionCls

    def connect(self: Any) -> None:
        below.connect(self)
        self.sock = _Socket(self.sock)

    kind = type(below.__name__, (below,), {"connect": connect})
    return type(pool.__name__, (pool,), {"ConnectionCls": kind})


_POOLS: dict[str, Any] = {"http": _watching(AWSHTTPConnectionPool), "https": _watching(AWSHTTPSConnectionPool)}
