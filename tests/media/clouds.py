"""Object stores of Google's and Microsoft's clouds, as far as their clients ask for one object: served from memory.

After https://cloud.google.com/storage/docs/json_api/v1/objects/get and
https://learn.microsoft.com/rest/api/storageservices/get-blob (and get-blob-properties).
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

from tests.media.web import running

MODIFIED = "Thu, 01 Jan 2015 00:00:00 GMT"


class ObjectStore(ThreadingHTTPServer):
    """One object. version: grows when it is put anew; failures: so many answers are 503; cut: bytes left out; pause:
    seconds before an answer; forbidden: nobody is let in."""

    daemon_threads = True

    def __init__(self, handler: type[Handler], key: str, content: bytes) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.key = key
        self.content = content
        self.version = 1
        self.failures = 0
        self.cut = 0
        self.pause = 0.0
        self.forbidden = False
        self.asked: list[str | None] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is nothing to tell."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ObjectStore

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is printed."""

    def answer(self, status: int, body: bytes, headers: dict[str, str], *, length: int | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body) if length is None else length), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def fails(self) -> bool:
        time.sleep(self.server.pause)
        if self.server.forbidden:
            self.answer(403, b"", {"x-ms-error-code": "AuthenticationFailed"})
            return True
        if not self.server.failures:
            return False
        self.server.failures -= 1
        self.answer(503, b"", {})
        return True

    def part(self, asked: str | None, headers: dict[str, str]) -> None:
        """The object, or the range that was asked for."""
        content = self.server.content
        match = re.fullmatch(r"bytes=(\d+)-(\d+)", asked or "")
        self.server.asked.append(asked)
        if match is None:
            self.answer(200, content, headers)
            return
        first, last = int(match[1]), min(int(match[2]), len(content) - 1)
        body = content[first : last + 1]
        headers = {**headers, "Content-Range": f"bytes {first}-{last}/{len(content)}"}
        self.answer(206, body[: len(body) - self.server.cut], headers)


class Google(Handler):
    """The JSON API's get of an object: what is known of it, and its bytes."""

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        if self.fails():
            return
        bucket, _, key = self.server.key.partition("/")
        if path == f"/download/storage/v1/b/{bucket}/o/{key}":
            self.part(self.headers.get("Range"), {"Content-Type": "application/octet-stream"})
        elif path == f"/storage/v1/b/{bucket}/o/{key}":
            told = {
                "kind": "storage#object", "bucket": bucket, "name": key, "size": str(len(self.server.content)),
                "generation": str(self.server.version), "etag": f"e{self.server.version}",
                "updated": "2015-01-01T00:00:00Z", "timeCreated": "2015-01-01T00:00:00Z",
            }  # fmt: skip
            self.answer(200, json.dumps(told).encode("ascii"), {"Content-Type": "application/json"})
        else:
            said = {"error": {"code": 404, "message": "No such object"}, "items": []}
            status = 200 if path == f"/storage/v1/b/{bucket}/o" else 404
            self.answer(status, json.dumps(said).encode("ascii"), {"Content-Type": "application/json"})


class Microsoft(Handler):
    """A blob's properties (HEAD), and its bytes (GET)."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        if self.fails():
            return
        path = unquote(urlsplit(self.path).path)
        headers = {
            "ETag": f'"e{self.server.version}"', "Last-Modified": MODIFIED, "x-ms-blob-type": "BlockBlob",
            "x-ms-creation-time": MODIFIED, "x-ms-version": "2021-12-02", "Content-Type": "application/octet-stream",
        }  # fmt: skip
        if path != f"/account/{self.server.key}":
            self.answer(404, b"", {"x-ms-error-code": "BlobNotFound"})
        elif self.command == "HEAD":
            self.answer(200, b"", headers, length=len(self.server.content))
        else:
            self.part(self.headers.get("x-ms-range") or self.headers.get("Range"), headers)


@contextmanager
def store(handler: type[Handler], key: str, content: bytes) -> Iterator[ObjectStore]:
    """A server that has one object."""
    with running(ObjectStore(handler, key, content)) as server:
        yield server
