"""http(s) sources against a real server: how little is fetched, and what happens when the server misbehaves."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pvgrub_sim import Access, boot, inspect_image, open_image, read_file
from pvgrub_sim.errors import ImageError, UsageError
from pvgrub_sim.media.sources import http
from pvgrub_sim.model import Outcome
from tests.cli.running import Run
from tests.images import unpack_sparse
from tests.media.big_image import INITRD, KERNEL, write_big_image
from tests.media.web import Fault, WebServer, cut, dripping, endless, serving, short, stalled, status

FIXTURES = Path(__file__).parents[2] / "fixtures"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[WebServer]:
    (tmp_path / "disk.img").write_bytes(os.urandom(3 << 20) + b"end" * 1000)
    with serving(tmp_path) as server:
        yield server


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses and patience that a test can wait for."""
    monkeypatch.setattr(http, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(http, "LONGEST_PAUSE", 0.05)
    monkeypatch.setattr(http, "PATIENCE", 0.5)
    monkeypatch.setattr("pvgrub_sim.media.sources.transport.TIMEOUT", 0.5)
    monkeypatch.setattr("pvgrub_sim.media.sources.transport.PATIENCE", 0.5)


@pytest.mark.parametrize("gzipped", [True, False], ids=["gzipped initrd", "plain initrd"])
def test_a_boot_fetches_little_more_than_the_files_it_reads(gzipped: bool, big_image: Path, tmp_path: Path) -> None:
    image = big_image if gzipped else write_big_image(tmp_path, gzipped=False)
    local = boot(image)
    assert local.outcome is Outcome.BOOTS
    with serving(image.parent) as server:
        far = boot(server.url("big.img"))
    assert far == local._replace(image=far.image)
    assert len(server.asked) <= 25
    assert server.sent <= 1.1 * (KERNEL + INITRD)


def test_reads_are_those_of_the_file(server: WebServer, tmp_path: Path) -> None:
    raw = (tmp_path / "disk.img").read_bytes()
    disk = open_image(server.url("disk.img"))
    assert disk.size == len(raw)
    for offset, length in ((0, 1), (262143, 2), (1 << 20, 1 << 20), (len(raw) - 5, 5), (0, len(raw)), (100, 0)):
        assert disk.read(offset, length) == raw[offset : offset + length]
    asked = len(server.asked)
    assert disk.read(0, len(raw)) == raw
    assert len(server.asked) == asked, "what has been fetched is kept"
    with pytest.raises(ImageError, match="short of a read"):
        disk.read(len(raw) - 1, 2)
    disk.close()


def test_adjacent_blocks_are_one_request(server: WebServer) -> None:
    disk = open_image(server.url("disk.img"))
    before = len(server.asked)
    disk.read(300 << 10, 2 << 20)
    assert len(server.asked) == before + 1
    disk.close()


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "faults",
    [[status(503)], [status(503, Retry_After="1")] * 3, [status(429)], [cut(1000)], [short(7)], [stalled(1)],
     [cut(0), status(500), short(1), cut(200_000)]],
    ids=["503", "503 thrice", "429", "cut", "short", "stalled", "one after another"],
)  # fmt: skip
def test_what_may_pass_is_tried_again(server: WebServer, tmp_path: Path, faults: list[Fault]) -> None:
    raw = (tmp_path / "disk.img").read_bytes()
    server.faults = list(faults)
    disk = open_image(server.url("disk.img"))
    assert not server.faults
    server.faults = list(faults)
    assert disk.read(1 << 20, 1 << 20) == raw[1 << 20 : 2 << 20]
    assert not server.faults
    assert disk.read(0, len(raw)) == raw
    disk.close()


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("faults", "words"),
    [
        ([status(503)] * 9, "503 Service Unavailable (5 tries)"),
        ([status(404)], "404 Not Found"),
        ([status(403)], "403 Forbidden"),
        ([cut(1000)] * 9, "1000 bytes instead of 1048576 (5 tries)"),
        ([short(7)] * 9, "(5 tries)"),
        ([stalled(1)] * 5, "does not answer in time (5 tries)"),
        ([dripping(0.1)] * 5, "in 1 seconds (5 tries)"),
    ],
    ids=["503", "404", "403", "cut", "short", "stalled", "dripping"],
)
def test_what_does_not_pass_is_one_line(server: WebServer, faults: list[Fault], words: str) -> None:
    disk = open_image(server.url("disk.img"))
    server.faults = list(faults)
    with pytest.raises(ImageError) as caught:
        disk.read(1 << 20, 1 << 20)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    disk.close()


@pytest.mark.parametrize("change", ["etag", "size", "no ranges any more"])
def test_an_image_that_changes_is_no_image(server: WebServer, tmp_path: Path, change: str) -> None:
    disk = open_image(server.url("disk.img"))
    if change == "etag":
        server.etag = '"two"'
    elif change == "size":
        (tmp_path / "disk.img").write_bytes(bytes(4 << 20))
    else:
        server.ranges = False
    with pytest.raises(ImageError, match="changed while it was read"):
        disk.read(1 << 20, 1 << 20)
    disk.close()


@pytest.mark.parametrize("content_length", [True, False])
def test_without_ranges_it_is_read_forward(server: WebServer, tmp_path: Path, content_length: bool) -> None:
    raw = (tmp_path / "disk.img").read_bytes()
    server.ranges, server.content_length = False, content_length
    disk = open_image(server.url("disk.img"))
    assert disk.read(1 << 20, 1000) == raw[1 << 20 : (1 << 20) + 1000]
    assert disk.size == len(raw)
    assert disk.read(0, len(raw)) == raw
    assert len(server.asked) == 1
    disk.close()


def test_without_ranges_an_early_end_is_an_error(server: WebServer) -> None:
    server.ranges = False

    def early(handler: object) -> bool:
        from tests.media.web import Handler

        assert isinstance(handler, Handler)
        path = handler.server.folder / "disk.img"
        handler.size = handler.end = path.stat().st_size
        handler.head(False)
        handler.body(path, 1 << 20)
        handler.close_connection = True
        return True

    server.faults = [early]
    disk = open_image(server.url("disk.img"))
    with pytest.raises(ImageError, match="too early"):
        disk.read(2 << 20, 512)
    disk.close()


def test_redirections_are_followed_and_found_anew(server: WebServer, tmp_path: Path) -> None:
    raw = (tmp_path / "disk.img").read_bytes()
    where = server.url("disk.img?signature=1")
    server.faults = [status(302, Location=where)]
    disk = open_image(server.url("elsewhere"))
    assert disk.read(0, 100) == raw[:100]
    # The signature has run out: from the beginning, with a new one.
    server.faults = [status(403), status(307, Location="/disk.img?signature=2")]
    assert disk.read(1 << 20, 100) == raw[1 << 20 : (1 << 20) + 100]
    assert [path for path, _ in server.asked][-2:] == ["/elsewhere", "/disk.img?signature=2"]
    disk.close()


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "http://[", "/elsewhere"])
def test_redirections_lead_to_no_other_place(server: WebServer, target: str) -> None:
    server.faults = [status(302, Location=target)] * 20
    with pytest.raises(ImageError, match=r"redirect"):
        open_image(server.url("elsewhere"))


def test_secrets_are_not_told(server: WebServer, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    url = server.url("disk.img?X-Amz-Signature=topsecret").replace("//", "//user:hunter2@")
    command = Run(tmp_path, tmp_path, capfdbinary)
    fixes = [["fix", "--dry-run", "{}"], ["fix", "--dry-run", "--format", "json", "{}"], ["fix", "--script", "-", "{}"]]
    for words in (["boot", "{}"], ["inspect", "{}"], ["inspect", "--format", "json", "{}"], *fixes):
        assert command(words, url) in ((0, 1) if words[0] != "fix" else (0, 1, 2)), command.err
        assert b"127.0.0.1" in command.out + command.err
        assert not any(secret in command.out + command.err for secret in (b"topsecret", b"hunter2", b"user:"))
    assert server.headers_seen[0]["Authorization"] == "Basic dXNlcjpodW50ZXIy"
    server.etag = None
    server.faults = [status(404)]
    assert command(["boot", "{}"], url) == 2
    assert not any(secret in command.out + command.err for secret in (b"topsecret", b"hunter2", b"user:"))


def test_kept_blocks_are_not_fetched_again(server: WebServer, tmp_path: Path) -> None:
    raw = (tmp_path / "disk.img").read_bytes()
    access = Access(cache=str(tmp_path / "cache"))
    with_cache = open_image(server.url("disk.img"), access=access)
    assert with_cache.read(0, len(raw)) == raw
    with_cache.close()
    server.asked.clear()
    again = open_image(server.url("disk.img"), access=access)
    assert again.read(0, len(raw)) == raw
    again.close()
    assert len(server.asked) == 1, "the version is asked for, and the first block comes with it"
    files = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert len(files) >= 10
    for path in files:
        path.write_bytes(path.read_bytes()[:-1] + b"!")
    damaged = open_image(server.url("disk.img"), access=access)
    assert damaged.read(0, len(raw)) == raw, "what is not what was kept is fetched again"
    damaged.close()
    server.etag = '"two"'
    (tmp_path / "disk.img").write_bytes(raw[::-1])
    other = open_image(server.url("disk.img"), access=access)
    assert other.read(0, len(raw)) == raw[::-1]
    other.close()


def test_every_command_takes_a_url(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    good = unpack_sparse(FIXTURES / "images" / "boots.img.zst", tmp_path / "disk.img")
    command = Run(good, tmp_path, capfdbinary)
    commands = (
        ["boot", "{}"], ["inspect", "{}"], ["ls", "{}", "(hd0)/boot/"], ["cat", "{}", "(hd0)/boot/grub/menu.lst"],
        ["kernel", "{}:(hd0)/boot/vmlinuz"], ["aki", "recommend", "--region", "eu-west-1", "{}"],
        ["boot", "{good}", "--disk", "/dev/sdb={}"],
    )  # fmt: skip
    with serving(tmp_path) as server:
        url = server.url("disk.img")
        for words in commands:
            local = command(words, good), command.out
            far = command(words, url), command.out.replace(url.encode(), str(good).encode())
            lines = [line for line in far[1].splitlines(keepends=True) if b"http " not in line]
            assert (far[0], b"".join(lines)) == local, words
        assert read_file(url, "(hd0)/boot/grub/menu.lst") == read_file(good, "(hd0)/boot/grub/menu.lst")
        assert inspect_image(url)._replace(image="", layers=()) == inspect_image(good)._replace(image="")


def test_what_is_no_url_is_one_line(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    command = Run(tmp_path, tmp_path, capfdbinary)
    for url in ("http://", "http:///x", "https:x", "http://h:99999/x", "http://127.0.0.1:1/x\n", "http://[/x"):
        assert command(["boot", "{}"], url) == 2, url
        command.refused()


@pytest.mark.usefixtures("impatient")
def test_nobody_there_is_one_line(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    command = Run(tmp_path, tmp_path, capfdbinary)
    assert command(["boot", "{}"], "http://127.0.0.1:9/disk.img") == 2
    command.refused()
    assert b"connection refused" in command.err


def test_digest_of_a_whole_image_over_the_wire(server: WebServer, tmp_path: Path) -> None:
    disk = open_image(server.url("disk.img"))
    digest = hashlib.sha256()
    for at in range(0, disk.size, 100_000):
        digest.update(disk.read(at, min(100_000, disk.size - at)))
    assert digest.digest() == hashlib.sha256((tmp_path / "disk.img").read_bytes()).digest()
    disk.close()


_CHUNKED = b"HTTP/1.1 206 x\r\nContent-Range: bytes 0-9/10\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "fault",
    [
        endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        endless(b"HTTP/1.1 206 x\r\n", b"x", 0.01),
        endless(b"HTTP/1.1 206 x\r\n", b"a: b\r\n"),
        endless(_CHUNKED + b"a\r\n0123456789\r\n0\r\n", b"a: b\r\n"),
        endless(_CHUNKED, b"1", 0.01),
        endless(_CHUNKED + b"-5\r\n", b"x" * 4096),
        endless(_CHUNKED + b"f" * 30 + b"\r\n", b"x" * 4096),
        endless(b"", b"\0" * 4096),
        endless(b"HTTP/1.1 206 x\r\nContent-Range: bytes 0-9/999999999999999999\r\n\r\n", b"x" * 4096),
    ],
    ids=["continue", "head byte by byte", "headers", "trailers", "chunk size", "negative chunk", "huge chunk", "zeros",
         "more than told"],
)  # fmt: skip
def test_an_answer_without_an_end_is_one_line(server: WebServer, fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "TRIES", 2)
    server.faults = [fault] * 2
    with pytest.raises(ImageError) as error:
        open_image(server.url("disk.img"))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "place",
    ["file:///etc/passwd", "ftp://127.0.0.1/", f"http://{'a' * 70}.example/", "http://a..b/", "//[::1",
     "http://a:0/", "http://x\tb:-1/", "gopher:x"],
)  # fmt: skip
def test_redirections_to_what_is_no_address(server: WebServer, place: str) -> None:
    server.faults = [status(302, Location=place)]
    with pytest.raises(ImageError) as error:
        open_image(server.url("disk.img"))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "url", [f"http://{'a' * 70}.example/", "http://a..b/x", "http://\u65e5\u672c/x", "http://a\x9b/", "http://a:70000/"]
)
def test_what_is_no_address_is_a_usage_error(url: str) -> None:
    with pytest.raises(UsageError, match="not a URL"):
        open_image(url)
