"""A web server for one file, which counts what it is asked for and can be told to misbehave."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import BaseServer
from typing import TypeVar

Server = TypeVar("Server", bound=BaseServer)
Fault = Callable[["Handler"], bool]
"""Does something to a request in place of the answer, and tells whether it has."""


class WebServer(ThreadingHTTPServer):
    """Serves files of a folder. ranges: whether it has ranges. always: headers. faults: each is used once, in order."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder = folder
        self.ranges = True
        self.etag = '"one"'
        self.content_length = True
        self.always: dict[str, str] = {}
        self.faults: list[Fault] = []
        self.asked: list[tuple[str, str | None]] = []
        self.headers_seen: list[dict[str, str]] = []
        self.sent = 0

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{name}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is nothing to tell."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: WebServer
    begin = end = size = 0

    def setup(self) -> None:
        super().setup()
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is printed."""

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Range")))
        self.server.headers_seen.append(dict(self.headers))
        path = self.server.folder / self.path.partition("?")[0].lstrip("/")
        if self.server.faults and self.server.faults.pop(0)(self):
            return
        if not path.is_file():
            self.fail(404)
            return
        self.size = path.stat().st_size
        self.begin, self.end = 0, self.size
        match = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        partial = self.server.ranges and match is not None
        if partial and match:
            self.begin, self.end = int(match[1]), min(int(match[2]) + 1, self.size)
            if self.begin >= self.size:
                self.fail(416)
                return
        self.head(partial)
        self.body(path, self.end - self.begin)

    def do_CONNECT(self) -> None:
        self.server.asked.append((self.path, None))
        if not (self.server.faults and self.server.faults.pop(0)(self)):
            self.fail(403)

    def head(self, partial: bool) -> None:
        self.send_response(206 if partial else 200)
        for name, value in self.server.always.items():
            self.send_header(name, value)
        if self.server.etag:
            self.send_header("ETag", self.server.etag)
        if partial:
            self.send_header("Content-Range", f"bytes {self.begin}-{self.end - 1}/{self.size}")
        if self.server.content_length:
            self.send_header("Content-Length", str(self.end - self.begin))
        else:
            self.close_connection = True
        self.end_headers()

    def body(self, path: Path, length: int) -> None:
        with path.open("rb") as file:
            file.seek(self.begin)
            while length > 0:
                data = file.read(min(length, 1 << 20))
                self.wfile.write(data)
                self.server.sent += len(data)
                length -= len(data)

    def fail(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", "0")
        self.end_headers()


@contextmanager
def running(server: Server) -> Iterator[Server]:
    """A server that runs as long as the block does."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def serving(folder: Path) -> Iterator[WebServer]:
    """A server of a folder's files that runs as long as the block does."""
    with running(WebServer(folder)) as server:
        yield server


def status(number: int, **headers: str) -> Fault:
    """An answer of that status."""

    def fault(handler: Handler) -> bool:
        handler.fail(number, **headers)
        return True

    return fault


def cut(after: int) -> Fault:
    """The connection is cut after so many bytes of the body, which was announced as a whole."""

    def fault(handler: Handler) -> bool:
        path = handler.server.folder / handler.path.lstrip("/")
        _ranged(handler, path)
        handler.body(path, min(after, handler.end - handler.begin))
        handler.wfile.flush()
        handler.close_connection = True
        return True

    return fault


def short(by: int) -> Fault:
    """The body is shorter than what was asked for, and is announced so."""

    def fault(handler: Handler) -> bool:
        path = handler.server.folder / handler.path.lstrip("/")
        match = re.fullmatch(r"bytes=(\d+)-(\d+)", handler.headers.get("Range", ""))
        assert match is not None
        handler.size = path.stat().st_size
        handler.begin, handler.end = int(match[1]), min(int(match[2]) + 1, handler.size) - by
        handler.head(True)
        handler.body(path, handler.end - handler.begin)
        return True

    return fault


def stalled(seconds: float) -> Fault:
    """The head of the answer comes, and then nothing for a while."""

    def fault(handler: Handler) -> bool:
        path = handler.server.folder / handler.path.lstrip("/")
        _ranged(handler, path)
        handler.wfile.flush()
        time.sleep(seconds)
        handler.close_connection = True
        return True

    return fault


def dripping(pause: float) -> Fault:
    """A byte comes now and then, so that no wait is long and the end is far."""

    def fault(handler: Handler) -> bool:
        path = handler.server.folder / handler.path.lstrip("/")
        _ranged(handler, path)
        for _ in range(200):
            handler.wfile.write(b"x")
            handler.wfile.flush()
            time.sleep(pause)
        handler.close_connection = True
        return True

    return fault


def literal(said: bytes) -> Fault:
    """These very bytes, and the end of the connection."""

    def fault(handler: Handler) -> bool:
        handler.wfile.write(said)
        handler.close_connection = True
        return True

    return fault


def before(said: bytes) -> Fault:
    """These bytes, and the answer behind them."""

    def fault(handler: Handler) -> bool:
        handler.wfile.write(said)
        return False

    return fault


def endless(head: bytes, piece: bytes, pause: float = 0.0) -> Fault:
    """An answer that begins somehow and then says the same over and over, until the client hangs up."""

    def fault(handler: Handler) -> bool:
        handler.close_connection = True
        handler.wfile.write(head)
        try:
            while True:
                handler.wfile.write(piece)
                handler.wfile.flush()
                time.sleep(pause)
        except OSError:
            return True

    return fault


def _ranged(handler: Handler, path: Path) -> None:
    match = re.fullmatch(r"bytes=(\d+)-(\d+)", handler.headers.get("Range", ""))
    assert match is not None
    handler.size = path.stat().st_size
    handler.begin, handler.end = int(match[1]), min(int(match[2]) + 1, handler.size)
    handler.head(True)
