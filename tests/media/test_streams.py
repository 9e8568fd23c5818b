"""Compressed images: every byte as the format's own program unpacks it, read no further than is asked for."""

from __future__ import annotations

import functools
import gzip
import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pvgrub_sim import Access, boot, open_image
from pvgrub_sim.cli import main
from pvgrub_sim.errors import ImageError
from pvgrub_sim.media import open_disk
from pvgrub_sim.media.disk import ForwardOnly
from pvgrub_sim.media.formats.decoders import Input, bzip2_stream, gzip_stream, lz4_stream, xz_stream
from pvgrub_sim.media.formats.spool import USUAL_LIMIT, USUAL_RATIO, USUAL_STORED
from pvgrub_sim.media.sources.file import RawDisk
from tests.cli.running import Run
from tests.media.big_image import write_big_image
from tests.media.containers import convert, noise
from tests.rounds import rounds
from tests.tools import require, run

MIB = 1 << 20
PACKERS = {
    "gzip": ["gzip", "-c"], "gzip -1": ["gzip", "-1", "-c"], "xz": ["xz", "-c"],
    "xz blocks": ["xz", "--block-size=300KiB", "-c"],
    "xz crc64": ["xz", "-0", "--check=sha256", "-c"], "zstd": ["zstd", "-c"],
    "zstd no size": ["zstd", "--no-content-size", "-c"],
    "zstd no check": ["zstd", "--no-check", "-c"], "bzip2": ["bzip2", "-1", "-c"], "lz4": ["lz4", "-c"],
    "lz4 size": ["lz4", "--content-size", "-BD", "-c"],
}  # fmt: skip
"""Name: what packs a file to standard output."""


@functools.cache
def output(words: tuple[str | Path, ...]) -> bytes:
    """What a packer makes of a file that stays as it is: once for all tests that want it."""
    return run(str(words[0]), *words[1:])


def packed(raw: Path, words: list[str], made: Path) -> Path:
    made.write_bytes(output((*words, raw)))
    return made


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return noise(tmp_path_factory.mktemp("raw") / "raw", 24 * MIB, "streams")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For what is packed once and read again and again; more than one block of each format all the same."""
    return noise(tmp_path_factory.mktemp("small") / "raw", 9 * MIB, "damage")


@pytest.fixture(scope="module")
def bootable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_big_image(tmp_path_factory.mktemp("bootable"), size="256M")


@pytest.mark.parametrize("words", PACKERS.values(), ids=PACKERS)
def test_every_byte(words: list[str], raw: Path, tmp_path: Path) -> None:
    content = raw.read_bytes()
    made = packed(raw, words, tmp_path / "packed")
    unpacked = run(words[0], "-d", "-c", made)
    assert unpacked == content
    source = random.Random(1)
    disk = open_image(made)
    for _ in range(100):
        offset = source.randrange(len(content) // 2)
        length = source.choice((1, 512, 70_000, 2 * MIB))
        assert disk.read(offset, length) == content[offset : offset + length]
    assert disk.size == len(content)
    assert disk.read(0, disk.size) == content
    disk.close()


@pytest.mark.parametrize("packer", ["gzip", "xz", "zstd", "bzip2", "lz4"])
def test_members_one_after_another(packer: str, raw: Path, tmp_path: Path) -> None:
    content = raw.read_bytes()
    half = tmp_path / "half"
    parts = []
    for piece in (content[: 7 * MIB], content[7 * MIB :]):
        half.write_bytes(piece)
        parts.append(run(packer, "-c", half))
    made = tmp_path / "packed"
    made.write_bytes(b"".join(parts))
    assert run(packer, "-d", "-c", made) == content
    disk = open_image(made)
    assert disk.read(0, disk.size) == content
    disk.close()


@pytest.mark.parametrize("zeros", [1, 3, 4, 100, 300_000])
@pytest.mark.parametrize("packer", ["gzip", "xz", "zstd", "bzip2", "lz4"])
def test_zeros_behind_a_member_mean_what_the_program_takes_them_for(packer: str, zeros: int, tmp_path: Path) -> None:
    """Another member behind zeros: only xz goes on there, gzip and bzip2 stop, others refuse. Zeros alone: an end."""
    parts = []
    for length in (MIB, 4096):
        parts.append(run(packer, "-c", noise(tmp_path / "part", length, packer)))
    made = tmp_path / "packed"
    for tail in (parts[1], b""):
        made.write_bytes(parts[0] + bytes(zeros) + tail)
        done = subprocess.run([packer, "-dc"], input=made.read_bytes(), capture_output=True, check=False)
        # gzip warns of what it leaves out.
        refused = done.returncode not in ((0, 2) if packer == "gzip" else (0,))
        try:
            disk = open_image(made)
            content = disk.read(0, disk.size)
        except ImageError:
            assert refused
        else:
            assert content == done.stdout
            assert not refused or not tail
            disk.close()


@pytest.mark.parametrize("cut", [1, 3, 5])
@pytest.mark.parametrize("packer", ["gzip", "xz", "bzip2", "lz4"])
def test_another_member_whose_first_bytes_are_read_apart(packer: str, cut: int, tmp_path: Path) -> None:
    """What is read at once may end in the middle of what tells that it is one."""
    part = run(packer, "-c", noise(tmp_path / "part", 4096, packer))
    stream = {"gzip": gzip_stream, "xz": xz_stream, "bzip2": bzip2_stream, "lz4": lz4_stream}[packer]
    made = tmp_path / "packed"
    made.write_bytes(part + part)
    source = Input(RawDisk(made))
    whole = source.next
    first = len(part) + cut
    source.next = lambda length=0: whole(first if not source.at else length or 4096)  # type: ignore[method-assign]  # in two reads
    unpacked = stream(source)
    assert b"".join(iter(lambda: bytes(unpacked.read()), b"")) == (tmp_path / "part").read_bytes() * 2
    unpacked.close()


@pytest.mark.parametrize("words", PACKERS.values(), ids=PACKERS)
@pytest.mark.parametrize("keep", [0.02, 0.5, 0.97])
def test_a_truncated_stream_is_an_error(words: list[str], keep: float, small: Path, tmp_path: Path) -> None:
    made = packed(small, words, tmp_path / "packed")
    made.write_bytes(made.read_bytes()[: int(made.stat().st_size * keep)])
    with pytest.raises(ImageError) as caught:
        disk = open_image(made)
        disk.read(0, disk.size)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("words", PACKERS.values(), ids=PACKERS)
def test_a_damaged_stream_is_never_believed(words: list[str], small: Path, tmp_path: Path) -> None:
    content = small.read_bytes()
    data = packed(small, words, tmp_path / "packed").read_bytes()
    source = random.Random(2)
    for number in range(rounds(12, otherwise=4)):
        spoiled = bytearray(data)
        spoiled[source.randrange(len(data) // 20, len(data))] ^= 1 << number % 8
        (tmp_path / "spoiled").write_bytes(spoiled)
        try:
            disk = open_image(tmp_path / "spoiled")
            read = disk.read(0, disk.size)
        except ImageError:
            continue
        if "no check" in " ".join(words) or "--no-check" in words:
            continue
        assert read == content


@pytest.mark.parametrize(
    "words", [["gzip", "-1", "-c"], ["zstd", "-c"], ["xz", "-0", "-c"]], ids=lambda words: words[0]
)
def test_a_boot_unpacks_the_first_part_alone(words: list[str], bootable: Path, tmp_path: Path) -> None:
    made = packed(bootable, words, tmp_path / "packed")
    disk = open_image(made)
    verdict = boot(disk)
    local = boot(bootable)
    assert verdict._replace(image="", layout=()) == local._replace(image="", layout=())
    assert isinstance(disk, ForwardOnly)
    assert disk.unpacked < 128 * MIB
    disk.close()


def test_a_compressed_qcow2_and_a_fixed_vhd(raw: Path, tmp_path: Path) -> None:
    for format_, name, options in (
        ("qcow2", "d.img.xz", ()),
        ("vhd", "d.vhd.gz", ("subformat=fixed", "force_size=on")),
    ):
        convert(raw, tmp_path / "d", format_, options)
        made = tmp_path / name
        made.write_bytes(run("xz" if name.endswith("xz") else "gzip", "-c", tmp_path / "d"))
        disk = open_image(made)
        assert disk.read(0, disk.size) == raw.read_bytes()
        disk.close()


def test_the_limit_holds_and_says_so(raw: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    made = packed(raw, ["bzip2", "-c"], tmp_path / "packed")
    disk = open_image(made, access=Access(spool_limit=5 * MIB))
    with pytest.raises(ImageError, match="--spool-limit"):
        disk.read(20 * MIB, 512)
    disk.close()
    command = Run(raw, tmp_path, capfdbinary)
    assert command(["boot", "--spool-limit", "1M", "{}"], made) == 2
    command.refused()
    assert b"--spool-limit" in command.err
    for words in ("x", "1Q", "-1", "1.5G", ""):
        assert command(["boot", "--spool-limit", words, "{}"], made) == 2


def test_a_small_file_does_not_fill_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pvgrub_sim.media.formats.spool.USUAL_STORED", MIB)
    made = tmp_path / "disk.img.gz"
    made.write_bytes(gzip.compress(bytes(16 * MIB) + b"x" * 16 * MIB))
    disk = open_image(made)
    assert disk.read(15 * MIB, MIB) == bytes(MIB), "zeros take no room"
    with pytest.raises(ImageError, match="100 times its size"):
        disk.read(31 * MIB, MIB)
    disk.close()
    disk = open_image(made, access=Access(spool_limit=64 * MIB))
    assert disk.read(31 * MIB, MIB) == b"x" * MIB
    disk.close()


def test_the_pages_tell_the_limits_that_hold(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["boot", "--help"])
    docs = Path(__file__).parents[2] / "docs"
    for text, unit in (
        (capsys.readouterr().out, "G"),
        ((docs / "sources.md").read_text("utf-8"), " GiB"),
        ((docs / "security.md").read_text("utf-8"), " GiB"),
    ):
        for limit in (USUAL_LIMIT, USUAL_STORED):
            assert f"{limit >> 30}{unit}" in text
        assert USUAL_RATIO == 100 and "a hundred times the compressed size" in " ".join(text.split())


def test_the_spool_is_sparse_and_in_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "spool"))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "spool").mkdir()
    image = tmp_path / "image"
    with image.open("wb") as file:
        file.write(b"first" * 1000)
        file.truncate(256 * MIB)
    made = packed(image, ["gzip", "-1", "-c"], tmp_path / "packed")
    before = os.statvfs(tmp_path).f_bfree * os.statvfs(tmp_path).f_frsize
    disk = open_image(made)
    assert disk.read(200 * MIB, 512) == bytes(512)
    assert list((tmp_path / "spool").iterdir()) == []
    assert before - os.statvfs(tmp_path).f_bfree * os.statvfs(tmp_path).f_frsize < 128 * MIB
    disk.close()


READ_ALL = """
import sys
from pvgrub_sim.errors import ImageError
from pvgrub_sim.media import open_disk
disk = open_disk(sys.argv[1])
try:
    disk.read(0, 24 << 20)
except ImageError as error:
    print(error)
"""


@pytest.mark.parametrize("mebibytes", [1, 12, 20])
def test_a_temporary_folder_that_is_full(mebibytes: int, raw: Path, tmp_path: Path) -> None:
    image = packed(raw, PACKERS["zstd"], tmp_path / "image")
    # A limit in the place of a small disk; sh counts in sectors.
    words = ["sh", "-c", f'ulimit -f {mebibytes << 11}; exec "$@"', "sh", sys.executable, "-c", READ_ALL, image]
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(words, check=True, capture_output=True, text=True, env=env)
    assert not done.stderr
    assert f"cannot be unpacked into {tmp_path}: file too large" in done.stdout
    assert list(tmp_path.iterdir()) == [image]


@pytest.mark.parametrize("size", [1 * MIB, 20 * MIB])
def test_without_a_thread_that_writes(size: int, raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", no)
    disk = open_disk(str(packed(raw, PACKERS["zstd"], tmp_path / "image")))
    assert disk.read(0, size) == raw.read_bytes()[:size]
    disk.close()


def test_progress_is_told(raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pvgrub_sim.media.formats.spool.PROGRESS_EVERY", 0.0)
    made = packed(raw, ["gzip", "-c"], tmp_path / "packed")
    told: list[tuple[int, int | None]] = []
    disk = open_image(made, access=Access(progress=lambda done, total: told.append((done, total))))
    disk.read(0, disk.size)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1][0] == told[-1][1] == disk.size
    disk.close()


def test_sizes_that_gzip_does_not_tell_are_found_out(tmp_path: Path) -> None:
    """The end of a gzip file tells a size modulo 4 GiB, and of the last member: it is not taken for the disk's."""
    require("gzip")
    for last in (b"x" * 1024, bytes(512)):
        (tmp_path / "a").write_bytes(b"\xeb" * MIB)
        (tmp_path / "b").write_bytes(last)
        made = tmp_path / "packed"
        made.write_bytes(run("gzip", "-c", tmp_path / "a") + run("gzip", "-c", tmp_path / "b"))
        disk = open_image(made)
        assert disk.size == MIB + len(last)
        disk.close()
