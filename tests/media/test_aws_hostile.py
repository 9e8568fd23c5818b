"""EBS snapshots, AMIs and S3 whose servers answer what no AWS does: the right bytes or one line, and soon."""

from __future__ import annotations

import itertools
import resource
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from pvgrub_sim import open_image
from pvgrub_sim.errors import ImageError
from pvgrub_sim.media.sources import aws_clock
from tests.cli.running import Run
from tests.media import test_aws
from tests.media.aws_server import BLOCK, AwsServer, Handler, image_xml
from tests.media.test_aws import AMI, OTHER, SNAPSHOT, sparse

descriptions = test_aws.descriptions
credentials = test_aws.credentials
server = test_aws.server

EBS = f"ebs:{SNAPSHOT}"
S3 = "s3://bucket/folder/disk.img"
Answer = Callable[[Handler], bool]
SENSELESS = "makes no sense"


def refused(source: str, words: str, read: int | None = None) -> str:
    """What is said of a source that cannot be opened, or read there: one line of reasonable length, which names it."""
    with pytest.raises(ImageError, match=words) as caught:
        disk = open_image(source)
        try:
            assert read is not None
            disk.read(read, BLOCK)
        finally:
            disk.close()
    told = str(caught.value)
    assert caught.value.path == source and told.startswith(source) and "\n" not in told and len(told) < 500
    assert caught.value.offset is None or caught.value.offset >= 0
    return told


@pytest.fixture
def volume(server: AwsServer, tmp_path: Path) -> Path:
    server.snapshots[SNAPSHOT] = sparse(tmp_path / "volume")
    return server.snapshots[SNAPSHOT]


def first(server: AwsServer) -> int:
    """The place of the first block that is there."""
    return server.present(SNAPSHOT)[0] * BLOCK


# --- lists of blocks


def block(number: object = 0, token: object = "t") -> list[dict[str, object]]:
    return [{"BlockIndex": number, "BlockToken": token}]


@pytest.mark.parametrize(
    ("fields", "words"),
    [({"VolumeSize": size}, f"{SENSELESS}|how large") for size in ("abc", [1], {}, None, float("inf"), "9" * 5000)]
    + [({"VolumeSize": 10**300}, "tells sizes")]
    + [({"ExpiryTime": when}, SENSELESS) for when in (1e300, "never", -1e18, [], float("nan"))]
    + [({"Blocks": blocks}, f"{SENSELESS}|without its number")
       for blocks in ("abc", 5, {"a": 1}, ["a"], [None], [{"BlockToken": "t"}], [{"BlockIndex": 0}], block("zz"))]
    + [({"Blocks": block(0, token)}, "without a token") for token in ("", None, 5, "t" * 1000)]
    + [({"Blocks": blocks}, "out of order") for blocks in (block(-1), block(10**4000), block(3) + block(), block() * 2)]
    + [({"Blocks": None}, "no list of blocks")]
    + [({"Blocks": [], "NextToken": token}, "no token") for token in (5, "t" * 1000)],
)  # fmt: skip
def test_fields_of_a_list_that_make_no_sense_are_one_line(
    server: AwsServer, volume: Path, fields: dict[str, object], words: str
) -> None:
    server.alter = lambda told: {**told, **fields}
    assert "-524288" not in refused(EBS, words)


@pytest.mark.parametrize(
    "body",
    [b"", b"{{{", b"[1]", b'"x"', b"null", b"\xff\xfe{", b"[" * 200_000, b'{"Blocks":' * 100_000,
     b'{"BlockSize":524288,"VolumeSize":' + b"9" * 10_000 + b"}"],
    ids=lambda body: body[:9].decode("latin-1"),
)  # fmt: skip
def test_lists_that_are_none_are_one_line_and_status_2(
    server: AwsServer, volume: Path, body: bytes, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    server.alter = lambda _: body
    refused(EBS, f"{SENSELESS}|does not tell how large")
    command = Run(tmp_path, tmp_path, capfdbinary)
    assert command(["boot", "{}"], EBS) == 2
    command.refused()


@pytest.mark.parametrize("body", [b"[1]", b"\xff\xfe"])
def test_errors_that_are_none_are_one_line(server: AwsServer, volume: Path, body: bytes) -> None:
    server.instead = lambda handler: handler.answer(400, body) is None
    refused(EBS, SENSELESS)


@pytest.mark.parametrize(
    ("tokens", "words"),
    [(itertools.count(), "without a block, and no end"), (itertools.cycle("AB"), "again and again")],
)
def test_pages_without_an_end_have_one(server: AwsServer, volume: Path, tokens: Any, words: str) -> None:
    server.alter = lambda told: {**told, "Blocks": [], "NextToken": str(next(tokens))}
    server.instead = lambda handler: handler.list_blocks(SNAPSHOT, {}) is None
    refused(EBS, words)


def test_more_blocks_on_a_page_than_were_asked_for_are_listed_again(server: AwsServer, volume: Path) -> None:
    with volume.open("r+b") as file:
        file.truncate(1 << 30)
        for number in range(2048):
            file.seek(number * BLOCK)
            file.write(b"%d" % number)
    server.page = 10_000
    server.alter = lambda told: (
        {**told, "Blocks": [*told["Blocks"], {}], "NextToken": None} if len(told["Blocks"]) == 1000 else told
    )
    disk = open_image(EBS)
    for number in (0, 999, 1000, 1700, 2047):
        assert disk.read(number * BLOCK, 4) == (b"%d" % number).ljust(4, b"\0")
    disk.close()


# --- blocks


@pytest.mark.parametrize(
    ("fields", "words"),
    [({"x_amz_Data_Length": "abc"}, SENSELESS),
     ({"x_amz_Data_Length": "-1"}, "told to have -1 bytes instead of 524288"),
     ({"x_amz_Checksum": "junk"}, "does not have its checksum")],
)  # fmt: skip
def test_headers_of_a_block_that_make_no_sense_are_one_line(
    server: AwsServer, volume: Path, fields: dict[str, str], words: str
) -> None:
    server.faults = [lambda handler, headers, data: handler.answer(200, data, **{**headers, **fields}) is None] * 9
    refused(EBS, words, first(server))


def test_a_long_name_of_an_error_is_cut(server: AwsServer, volume: Path) -> None:
    server.faults = [lambda handler, *_: handler.refuse(400, "E" * 60_000, "x" * 60_000) is None]
    refused(EBS, "AWS answers EEE", first(server))


# --- answers that are long, or slow


def flood(handler: Handler) -> bool:
    """As much as anybody takes, up to 2 GiB."""
    handler.send_response(200)
    handler.send_header("ETag", '"1"')
    handler.send_header("Content-Length", str(2 << 30))
    handler.end_headers()
    with suppress(OSError):
        for _ in range(2 << 10):
            handler.wfile.write(b" " * (1 << 20))
    handler.close_connection = True
    return True


def drip(handler: Handler) -> bool:
    """A byte now and then, for ever."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(BLOCK))
    handler.end_headers()
    return dripping(handler, b" ")


def drip_head(handler: Handler) -> bool:
    """The head of an answer, likewise."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
    return dripping(handler, b"x")


def continues(handler: Handler) -> bool:
    """The beginning of an answer again and again."""
    return dripping(handler, b"HTTP/1.1 100 Continue\r\n\r\n")


def dripping(handler: Handler, piece: bytes) -> bool:
    end = time.monotonic() + 30
    with suppress(OSError):
        while time.monotonic() < end:
            handler.wfile.write(piece)
            time.sleep(0.05)
    handler.close_connection = True
    return True


def of_object(answer: Answer) -> Answer:
    """Answers for an object, after its head."""

    def instead(handler: Handler) -> bool:
        if handler.command != "HEAD":
            return answer(handler)
        handler.answer(200, bytes(BLOCK), ETag='"1"')
        return True

    return instead


def of_block(answer: Answer) -> Answer:
    """Answers for a block, after the list."""
    return lambda handler: "blockToken" in handler.path and answer(handler)


@pytest.mark.parametrize("source", [EBS, "block", f"ami:{AMI}", S3])
@pytest.mark.parametrize("answer", [flood, drip, drip_head, continues], ids=lambda answer: answer.__name__)
def test_answers_without_an_end_are_given_up(
    server: AwsServer, volume: Path, source: str, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{server.server_port}")
    if answer is not flood:
        monkeypatch.setattr(aws_clock, "PATIENCE", 0.5)
    server.instead = of_object(answer) if source == S3 else of_block(answer) if source == "block" else answer
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    refused(EBS if source == "block" else source, "more than|in time", first(server) if source == "block" else 0)
    assert time.monotonic() - began < 15
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10


# --- S3


@pytest.mark.parametrize(
    ("fields", "words"),
    [({"Content-Length": "5000"}, "ETag"), ({"ETag": '"1"'}, "its size"),
     ({"ETag": '"1"', "Content-Length": "abc"}, SENSELESS), ({"ETag": '"1"', "Content-Length": "-5"}, "makes sense"),
     ({"ETag": '"1"', "Content-Length": "9" * 30}, "makes sense"),
     ({"ETag": '"1"', "Content-Length": "5", "Last-Modified": "never"}, SENSELESS)],
)  # fmt: skip
def test_heads_of_objects_that_make_no_sense_are_one_line(
    server: AwsServer, monkeypatch: pytest.MonkeyPatch, fields: dict[str, str], words: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{server.server_port}")

    def head(handler: Handler) -> bool:
        handler.send_response(200)
        for name, value in fields.items():
            handler.send_header(name, value)
        handler.end_headers()
        return True

    server.instead = head
    refused(S3, words)


# --- AMIs


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, b""), (200, b"junk<"), (200, b"<a>" * 100_000), (400, b"")],
    ids=["empty", "junk", "deep", "error"],
)
def test_descriptions_that_are_none_are_one_line_without_them(server: AwsServer, status: int, body: bytes) -> None:
    server.instead = lambda handler: handler.answer(status, body) is None
    assert "<" not in refused(f"ami:{AMI}", SENSELESS)


def mapping(device: str, snapshot: str = SNAPSHOT, more: str = "") -> str:
    return f"<item><deviceName>{device}</deviceName><ebs><snapshotId>{snapshot}</snapshotId>{more}</ebs></item>"


@pytest.mark.parametrize(
    ("more", "words"),
    [(mapping("/dev/sda1", OTHER), "device /dev/sda1 twice"),
     (mapping("sdzzz"), "cannot be, 'sdzzz'"),
     (mapping("/dev/" + "s" * 9000), "cannot be"),
     (mapping("sda1"), "/dev/sda1 and sda1 are the same"),
     (mapping("/dev/sdb", "../../etc"), "snapshot that is none"),
     (mapping("/dev/sdb", more="<volumeSize>abc</volumeSize>"), SENSELESS),
     (mapping("/dev/sdb", OTHER), f"/dev/sdb \\({OTHER}\\): AWS answers ResourceNotFoundException"),
     ("".join(mapping(f"/dev/sda{number}") for number in range(2, 16)) + mapping("/dev/sdb") + mapping("/dev/sdc"),
      "an AMI of 17 disks; up to 16 are read"),
     ("</blockDeviceMapping><rootDeviceName>/dev/sdb</rootDeviceName><blockDeviceMapping>", "no text")],
)  # fmt: skip
def test_devices_that_make_no_sense_are_one_line(server: AwsServer, volume: Path, more: str, words: str) -> None:
    image = image_xml("/dev/sda1", {"/dev/sda1": SNAPSHOT})
    server.images[AMI] = image.replace("</blockDeviceMapping>", more + "</blockDeviceMapping>", 1)
    refused(f"ami:{AMI}", words)
