"""How much an lz4 file unpacks to, where its frames do not tell it: found out without unpacking it, or not believed."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import lz4.frame
import pytest

from pvgrub_sim import ImageError, boot, open_image
from pvgrub_sim.media.disk import ForwardOnly
from pvgrub_sim.media.formats.lz4_frames import Content, lz4_content
from tests.media.big_image import write_big_image
from tests.media.containers import MIB, noise
from tests.media.web import serving
from tests.rounds import rounds
from tests.tools import run

SIZES = (1, 65536, 65537, 4 * MIB, 4 * MIB + 1, 9 * MIB + 512)
OPTIONS: tuple[list[str], ...] = ([], ["-B4"], ["-B5", "-BX"], ["-B6", "--no-frame-crc"], ["-9", "-B4", "-BX"])
SKIPPED = struct.pack("<II", 0x184D2A5E, 5) + b"skip!"


def lz4_of(data: bytes, folder: Path, *options: str) -> bytes:
    (folder / "data").write_bytes(data)
    return run("lz4", "-q", "-c", *options, folder / "data")


def content_of(packed: bytes) -> Content | None:
    return lz4_content(len(packed), lambda at, length: packed[at : at + length])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Noise, text and zeros: blocks of all kinds, some stored as they are."""
    return noise(tmp_path_factory.mktemp("raw") / "raw", 10 * MIB, "lz4").read_bytes()


@pytest.fixture(scope="module")
def bootable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_big_image(tmp_path_factory.mktemp("bootable"), size="256M")


@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
@pytest.mark.parametrize("size", SIZES)
def test_blocks_tell_the_size(options: list[str], size: int, data: bytes, tmp_path: Path) -> None:
    assert content_of(lz4_of(data[:size], tmp_path, *options)) == Content(size, told=False)
    assert content_of(lz4_of(data[:size], tmp_path, *options, "--content-size")) == Content(size, told=True)


def test_an_empty_file_and_frames_that_are_skipped(data: bytes, tmp_path: Path) -> None:
    one, none = lz4_of(data[:100], tmp_path), lz4_of(b"", tmp_path)
    assert content_of(none) == Content(0, told=False)
    assert content_of(SKIPPED + one + SKIPPED + none + SKIPPED) == Content(100, told=False)
    assert content_of(one * 3) == Content(300, told=False)
    assert content_of(one * 17) is None, "no program writes as many"
    sized = lz4_of(data, tmp_path, "--content-size", "-BD")
    assert content_of(sized + sized) == Content(20 * MIB, told=True)


def test_blocks_that_hang_on_those_before_do_not_tell_it(data: bytes, tmp_path: Path) -> None:
    """The last one cannot be unpacked alone, unless it is the only one or stands there as it is."""
    assert content_of(lz4_of(bytes(MIB), tmp_path, "-B4", "-BD")) is None
    assert content_of(lz4_of(bytes(1000), tmp_path, "-B4", "-BD")) == Content(1000, told=False)
    uneven = random.Random(1).randbytes(3 * 65536 + 7)
    assert content_of(lz4_of(uneven, tmp_path, "-B4", "-BD")) == Content(len(uneven), told=False)


@pytest.mark.parametrize("noisy", [False, True])
@pytest.mark.parametrize("linked", [False, True])
def test_a_writer_that_hands_out_what_it_has_is_found_out(noisy: bool, linked: bool) -> None:
    """Its blocks are not full: what they seem to come to would be too much."""
    made = lz4.frame.LZ4FrameCompressor(block_size=lz4.frame.BLOCKSIZE_MAX64KB, block_linked=linked, auto_flush=True)
    piece = random.Random(1).randbytes(40_000) if noisy else bytes(40_000)
    packed = made.begin() + b"".join(made.compress(piece) for _ in range(20)) + made.flush()
    assert lz4.frame.decompress(packed) == piece * 20
    assert content_of(packed) is None


def test_whatever_is_cut_or_changed_gives_a_size_or_none(data: bytes, tmp_path: Path) -> None:
    packed = lz4_of(data[: 9 * MIB], tmp_path, "-B5", "-BX")
    rng = random.Random(3)
    for length in [*range(40), *(rng.randrange(len(packed)) for _ in range(rounds(300, otherwise=40)))]:
        assert content_of(packed[:length]) is None
    for _ in range(rounds(2000, otherwise=200)):
        spoiled = bytearray(packed)
        for _ in range(rng.choice([1, 1, 3])):
            spoiled[rng.choice([rng.randrange(40), rng.randrange(len(packed))])] = rng.randrange(256)
        found = content_of(bytes(spoiled))
        assert found is None or found.size >= 0


def test_headers_of_other_versions_and_endless_blocks_are_no_size() -> None:
    def frame(flags: int, most: int, *words: int) -> bytes:
        return struct.pack("<IBBx", 0x184D2204, flags, most << 4) + struct.pack(f"<{len(words)}I", *words)

    assert content_of(frame(0x60, 4, 0)) == Content(0, told=False)
    assert content_of(frame(0x20, 4, 0)) is None
    assert content_of(frame(0x60, 3, 0)) is None
    assert content_of(frame(0x60, 4, 65537) + bytes(65537) + bytes(4)) is None
    endless = frame(0x60, 4) + struct.pack("<IB", 1 << 31 | 1, 0) * 1_000_001 + bytes(4)
    assert content_of(endless) is None


@pytest.mark.parametrize("options", [[], ["-B4"], ["--content-size"]], ids=" ".join)
def test_a_boot_unpacks_the_first_part_alone(options: list[str], bootable: Path, tmp_path: Path) -> None:
    made = tmp_path / "packed.lz4"
    made.write_bytes(run("lz4", "-q", "-c", *options, bootable))
    disk = open_image(made)
    verdict, local = boot(disk), boot(bootable)
    assert verdict._replace(image="", layout=()) == local._replace(image="", layout=())
    assert isinstance(disk, ForwardOnly)
    assert disk.unpacked < 128 * MIB
    assert disk.size == bootable.stat().st_size
    disk.close()


def test_a_size_that_nothing_on_the_disk_agrees_with_is_not_believed(bootable: Path, tmp_path: Path) -> None:
    """A file that goes on far behind its filesystem, or has none, is unpacked to its end."""
    raw = bootable.read_bytes()
    for content in (raw + bytes(65 * MIB), raw[MIB : 9 * MIB], raw[: 200 * MIB], raw + bytes(100)):
        made = tmp_path / "packed.lz4"
        made.write_bytes(lz4_of(content, tmp_path))
        disk = open_image(made)
        assert isinstance(disk, ForwardOnly)
        assert disk.size == disk.unpacked == len(content)
        disk.close()


def test_a_truncated_file_is_an_error(bootable: Path, tmp_path: Path) -> None:
    made = tmp_path / "packed.lz4"
    made.write_bytes(run("lz4", "-q", "-c", bootable)[:-100_000])
    with pytest.raises(ImageError, match="ends in the middle of its lz4 stream"):
        boot(made)


@pytest.mark.parametrize("words", [["lz4", "-q", "-c"], ["lz4", "-q", "--content-size", "-c"], ["zstd", "-q", "-c"]])
def test_from_far_away_nothing_is_taken_for_the_size(words: list[str], bootable: Path, tmp_path: Path) -> None:
    """To look at all frames or blocks would fetch everything as well, and one that is cut off would not be noticed."""
    made = tmp_path / "packed"
    made.write_bytes(run(words[0], *words[1:], bootable))
    with serving(tmp_path) as server:
        far = boot(server.url("packed"))
        assert far._replace(image="", layout=()) == boot(bootable)._replace(image="", layout=())
        made.write_bytes(made.read_bytes()[:-50_000])
        with pytest.raises(ImageError, match=f"ends in the middle of its {words[0]} stream"):
            boot(server.url("packed"))
