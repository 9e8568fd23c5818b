"""What a web server, a proxy or a folder of kept blocks says is believed only where it can be meant in one way."""

from __future__ import annotations

import gzip
import os
import time
import zlib
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from pvgrub_sim import Access, open_image
from pvgrub_sim.errors import ImageError
from pvgrub_sim.media.sources import http, transport
from tests.cli.running import Run
from tests.media.web import Fault, WebServer, before, endless, literal, serving

BLOCK = http.BLOCK
RAW = bytes(range(256)) * 4096 + b"end" * 1000
SIZE = len(RAW)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    """A server, and pauses that a test can wait for."""
    monkeypatch.setattr(http, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(http, "LONGEST_PAUSE", 0.05)
    monkeypatch.setattr(http, "TRIES", 2)
    (tmp_path / "disk.img").write_bytes(RAW)
    with serving(tmp_path) as server:
        yield server


def whole(*headers: bytes, body: bytes = RAW) -> bytes:
    return b"\r\n".join((b"HTTP/1.1 200 OK", *headers, b"", body))


def part(*headers: bytes, told: bytes = b"Content-Range: bytes 0-%d/%d" % (BLOCK - 1, SIZE)) -> bytes:
    length = b"Content-Length: %d" % BLOCK
    return b"\r\n".join((b"HTTP/1.1 206 Partial Content", told, length, *headers, b"", RAW[:BLOCK]))


def chunks(*sizes: bytes, end: bytes = b"\r\n") -> bytes:
    """The image in chunks that are called so."""
    return b"".join(size + b"\r\n" + RAW + end for size in sizes) + b"0\r\n\r\n"


LENGTH = b"Content-Length: %d" % SIZE
CHUNKED = b"Transfer-Encoding: chunked"
ONE = chunks(b"%x" % SIZE)
DEFLATED = zlib.compress(RAW)
EMPTY = "is empty, not a disk image"
CODING = "Transfer-Encoding that was not asked for"
ENCODING = "Content-Encoding that was not asked for"
NO_NUMBER = "Content-Length that is no number"
NO_SIZE = "does not tell of what size"
REFUSED = {
    "no bytes": (whole(b"Content-Length: 0", body=b""), EMPTY),
    "no chunks": (whole(CHUNKED, body=b"0\r\n\r\n"), EMPTY),
    "nothing and the end": (whole(body=b""), EMPTY),
    "no bytes of many": (whole(LENGTH, body=b""), f"no bytes instead of {SIZE} (2 tries)"),
    "a status line": (b"HTTP/1.1 200 OK\r\n", "the connection ends too early (2 tries)"),
    "half a header": (b"HTTP/1.1 200 OK\r\nX: y", "the connection ends too early (2 tries)"),
    "half a range": (b"HTTP/1.1 206 x\r\nContent-Range: bytes 0-9/1", "the connection ends too early (2 tries)"),
    "half a size of a chunk": (whole(CHUNKED, body=b"0"), "the connection ends too early (2 tries)"),
    "less than no length": (whole(b"Content-Length: -1", body=b""), NO_NUMBER),
    "a length with a sign": (whole(b"Content-Length: +%d" % SIZE), NO_NUMBER),
    "a length of digits without end": (whole(b"Content-Length: " + b"9" * 5000), NO_NUMBER),
    "packed chunks": (whole(b"Transfer-Encoding: gzip, chunked", body=ONE), CODING),
    "two codings": (whole(b"Transfer-Encoding: identity", CHUNKED, body=ONE), CODING),
    "chunks in quotes": (whole(b'Transfer-Encoding: "chunked"', body=ONE), CODING),
    "a blank before the colon": (whole(b"Transfer-Encoding : chunked", body=ONE), "headers that cannot be read"),
    "deflated": (whole(b"Content-Encoding: deflate", b"Content-Length: %d" % len(DEFLATED), body=DEFLATED), ENCODING),
    "two encodings": (whole(b"Content-Encoding: gzip", b"Content-Encoding: br", LENGTH), ENCODING),
    "a range in gzip": (part(b"Content-Encoding: gzip"), ENCODING),
    "a long encoding": (part(b"Content-Encoding: " + b"x" * 60000), ENCODING),
    "chunks and a length": (whole(b"Content-Length: 512", CHUNKED, body=ONE), "in chunks and with a Content-Length"),
    "two lengths": (whole(b"Content-Length: 512", LENGTH), "more than one Content-Length"),
    "two lengths of a range": (part(LENGTH), "more than one Content-Length"),
    "a negative chunk": (whole(CHUNKED, body=chunks(b"-5")), "chunks have no sizes"),
    "a chunk with underscores": (whole(CHUNKED, body=chunks(b"1_0")), "chunks have no sizes"),
    "several ranges": (part(b"Content-Type: Multipart/ByteRanges; boundary=x"), "several ranges"),
    "two places": (part(b"Content-Range: bytes 5-6/7"), NO_SIZE),
    "no HTTP": (b"\x1b[2JEvil\r\n\r\n", r"not answer in HTTP: \x1b[2JEvil (2 tries)"),
    "a long status": (b"A" * 60000 + b"\r\n\r\n", "A" * 200 + "… (2 tries)"),
    "early hints without end": (b"HTTP/1.1 103 x\r\nLink: x\r\n\r\n" * 5000, "more than 1000 lines (2 tries)"),
    "another protocol": (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "101 Switching Protocols"),
}
ACCEPTED = {
    "length": whole(LENGTH),
    "length twice": whole(LENGTH, LENGTH),
    "chunks": whole(b"transfer-encoding: CHUNKED", body=ONE),
    "chunks with more to say": whole(CHUNKED, body=b"%x;\x1b[2J=1\r\n" % SIZE + RAW + b"\r\n0\r\na: b\r\n\r\n"),
    "chunks without a last line": whole(CHUNKED, body=ONE[:-2]),
    "until the end": whole(),
    "identity": whole(b"Content-Encoding: Identity", LENGTH),
    "packed as a whole": whole(b"Content-Encoding: gzip", body=gzip.compress(RAW)),
}


@pytest.mark.parametrize(("said", "words"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_an_image_for_sure_is_one_line(
    server: WebServer, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes], said: bytes, words: str
) -> None:
    server.faults = [literal(said)] * 2
    command = Run(tmp_path, tmp_path, capfdbinary)
    assert command(["boot", "{}"], server.url("disk.img")) == 2
    command.refused()
    assert words in command.err.decode()
    assert server.url("disk.img") in command.err.decode()
    assert len(command.err) < 500


@pytest.mark.parametrize("said", ACCEPTED.values(), ids=ACCEPTED)
def test_what_can_be_meant_in_one_way_is_read(server: WebServer, said: bytes) -> None:
    server.faults = [literal(said)]
    disk = open_image(server.url("disk.img"))
    assert disk.read(0, SIZE) == RAW
    assert disk.size == SIZE
    disk.close()


def test_chunks_that_do_not_end_are_no_image(server: WebServer) -> None:
    server.faults = [literal(whole(CHUNKED, body=chunks(b"%x" % SIZE, b"%x" % SIZE, end=b"XX")))]
    disk = open_image(server.url("disk.img"))
    assert disk.read(0, 512) == RAW[:512]
    with pytest.raises(ImageError, match="chunks do not end where they should"):
        disk.read(SIZE, 512)
    disk.close()


@pytest.mark.parametrize("word", [b"gzip", b"X-Gzip"])
@pytest.mark.parametrize("ranges", [True, False])
def test_a_stored_gzip_file_that_is_called_an_encoding(
    server: WebServer, tmp_path: Path, word: bytes, ranges: bool
) -> None:
    packed = gzip.compress(os.urandom(3 * BLOCK))
    (tmp_path / "disk.img.gz").write_bytes(packed)
    server.ranges = ranges
    server.always["Content-Encoding"] = word.decode()
    disk = open_image(server.url("disk.img.gz"))
    assert disk.read(0, 3 * BLOCK) == gzip.decompress(packed)
    assert [layer.format for layer in disk.layers] == ["gzip", "http"]
    disk.close()


def test_a_reader_that_takes_its_time_does_not_make_a_server_slow(
    server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "PATIENCE", 2)
    monkeypatch.setattr(http, "SLOWEST", 1 << 30)
    server.ranges = False
    disk = open_image(server.url("disk.img"))
    time.sleep(2.1)
    assert disk.read(0, SIZE) == RAW
    disk.close()


def test_an_encoding_is_not_asked_for(server: WebServer) -> None:
    open_image(server.url("disk.img")).close()
    assert server.headers_seen[0]["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("early", [b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_interim_answers_are_skipped(server: WebServer, early: bytes) -> None:
    server.faults = [before(early), before(early * 9)]
    disk = open_image(server.url("disk.img"))
    assert disk.read(0, SIZE) == RAW
    assert not server.faults
    disk.close()


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (literal(b"HTTP/1.1 403 \x1b[2JEvil\x07\r\n\r\n"), r"tunnel connection failed: 403 \x1b[2JEvil\x07 (2 tries)"),
        (literal(b"HTTP/1.1 403 " + b"A" * 60000 + b"\r\n\r\n"), "AAA… (2 tries)"),
        (literal(b"HTTP/1.1 200 OK\r\nX: "), "ends too early (2 tries)"),
        (endless(b"HTTP/1.1 200 OK\r\n", b"a: b\r\n" * 1000), "(2 tries)"),
        (endless(b"HTTP/1.1 200 OK\r\n", b"a: b\r\n", 0.02), "does not answer in time (2 tries)"),
        (endless(b"HTTP/1.1 200 OK\r\n", b"a", 0.02), "does not answer in time (2 tries)"),
    ],
    ids=["escapes", "long", "cut off", "endless", "line by line", "byte by byte"],
)
def test_a_proxy_that_makes_no_tunnel_is_one_line(
    server: WebServer, monkeypatch: pytest.MonkeyPatch, fault: Fault, words: str
) -> None:
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{server.server_port}")
    if "in time" in words:
        monkeypatch.setattr(transport, "PATIENCE", 2)
    server.faults = [fault] * 2
    with pytest.raises(ImageError) as error:
        open_image("https://images.example/disk.img")
    assert words in str(error.value)
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 500
    assert server.asked[0] == ("images.example:443", None)


def _sparse(path: Path, _: Path) -> None:
    with path.open("wb") as file:
        file.truncate(3 << 30)


def _digested(path: Path, _: Path) -> None:
    path.write_bytes(sha256(bytes(BLOCK)).digest() + bytes(BLOCK))


PLANTED: dict[str, Callable[[Path, Path], object]] = {
    "another block": lambda path, other: path.write_bytes(other.read_bytes()),
    "another block, linked": lambda path, other: path.symlink_to(other),
    "a digest of zeros": _digested,
    "a pipe": lambda path, _: os.mkfifo(path),
    "a large file": _sparse,
    "a folder": lambda path, _: path.mkdir(),
    "a link to itself": lambda path, _: path.symlink_to(path),
    "no bytes": lambda path, _: path.touch(),
}


@pytest.mark.parametrize("plant", PLANTED.values(), ids=PLANTED)
def test_a_kept_block_is_of_its_own_place_or_not_used(
    server: WebServer, tmp_path: Path, plant: Callable[[Path, Path], object]
) -> None:
    access = Access(cache=str(tmp_path / "cache"))
    fill = open_image(server.url("disk.img"), access=access)
    fill.read(0, SIZE)
    fill.close()
    [folder] = (tmp_path / "cache").iterdir()
    kept = {path.name: path for path in folder.iterdir()}
    assert set(kept) == {"1", "2", "3", "4"}
    kept["2"].unlink()
    plant(kept["2"], kept["3"])
    disk = open_image(server.url("disk.img"), access=access)
    assert disk.read(0, SIZE) == RAW
    disk.close()


def test_a_kept_block_is_of_its_own_image(server: WebServer, tmp_path: Path) -> None:
    other = RAW[::-1]
    (tmp_path / "other.img").write_bytes(other)
    access = Access(cache=str(tmp_path / "cache"))
    folders: list[Path] = []
    for name in ("disk.img", "other.img"):
        disk = open_image(server.url(name), access=access)
        disk.read(0, SIZE)
        disk.close()
        folders += [folder for folder in (tmp_path / "cache").iterdir() if folder not in folders]
    for path in folders[0].iterdir():
        (folders[1] / path.name).write_bytes(path.read_bytes())
    disk = open_image(server.url("other.img"), access=access)
    assert disk.read(0, SIZE) == other
    disk.close()
