"""Sizes that are only likely: a boot goes by them, and nothing that it says hangs on one that turns out to be wrong."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import lz4.frame
import pytest

from pvgrub_sim import boot, inspect_image
from pvgrub_sim.errors import ImageError
from pvgrub_sim.grub.disk.drives import made_sure, select_drive
from pvgrub_sim.grub.disk.partitions import open_partition
from pvgrub_sim.grub.disk.raw import devread, rawread
from pvgrub_sim.grub.errnum import ErrNum, GrubError
from pvgrub_sim.grub.machine import WHOLE_DISK, Machine
from pvgrub_sim.media import Disk, open_disk
from pvgrub_sim.media.disk import ForwardOnly, known_size
from tests.grub.machine_factory import machine_on
from tests.media.big_image import write_big_image
from tests.media.containers import MIB
from tests.tools import run

LIKELY, REAL = 44 * MIB, 104 * MIB


def table(end: int) -> bytes:
    """A boot sector with one partition, from the first MiB on to a byte."""
    entry = struct.pack("<B3xB3xII", 0x80, 0x83, 2048, end // 512 - 2048)
    return (bytes(446) + entry).ljust(510, b"\0") + b"\x55\xaa"


@pytest.fixture(scope="module")
def content() -> bytes:
    """104 MiB whose partition ends at 40 MiB."""
    made = bytearray(REAL)
    made[:512] = table(40 * MIB)
    for at in range(MIB, REAL, MIB):
        made[at : at + 16] = b"at %13d" % at
    return bytes(made)


@pytest.fixture(scope="module")
def members(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two members, of which the last one tells a size at which a disk of that partition may end."""
    folder = tmp_path_factory.mktemp("members")
    made = folder / "disk.gz"
    parts = (content[:-LIKELY], content[-LIKELY:])
    made.write_bytes(b"".join(run("gzip", "-1", "-c", stdin=part) for part in parts))
    assert run("gzip", "-dc", made) == content
    return made


@pytest.fixture(scope="module")
def short(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """An lz4 file that seems to have more in it: some of its blocks are not full. And what is in it."""
    begin, blocks = 0, []
    for number in range(LIKELY >> 16):
        length = 40_000 if number in (9, 11, 13) else 65536
        blocks.append(content[begin : begin + length])
        begin += length
    blocks[0] = table(LIKELY - MIB // 2) + blocks[0][512:]
    made = lz4.frame.LZ4FrameCompressor(block_size=lz4.frame.BLOCKSIZE_MAX64KB, block_linked=False, auto_flush=True)
    path = tmp_path_factory.mktemp("short") / "disk.lz4"
    path.write_bytes(made.begin() + b"".join(map(made.compress, blocks)) + made.flush())
    assert run("lz4", "-dc", path) == b"".join(blocks)
    return path, b"".join(blocks)


def unpacked(disk: Disk) -> int:
    assert isinstance(disk, ForwardOnly)
    return disk.unpacked


@pytest.fixture
def likely(members: Path) -> Disk:
    """That file with its likely size told, and no more unpacked than that needs."""
    disk = open_disk(str(members))
    assert known_size(disk) == LIKELY
    assert unpacked(disk) < LIKELY
    return disk


def test_every_byte_of_two_members(content: bytes, likely: Disk) -> None:
    for at in (0, LIKELY - 512, LIKELY, 90 * MIB, REAL - 512):
        assert likely.read(at, 512) == content[at : at + 512]
        if at + 512 >= LIKELY:
            assert known_size(likely) == REAL
    assert likely.size == REAL
    assert likely.read(0, likely.size) == content
    likely.close()


def test_the_size_is_never_one_that_is_only_likely(likely: Disk) -> None:
    assert likely.size == known_size(likely) == unpacked(likely) == REAL
    likely.close()


def whole(disk: Disk) -> Machine:
    m = machine_on(disk)
    m.current_drive, m.current_partition = 0x80, WHOLE_DISK
    open_partition(m)
    return m


def test_pv_grub_reads_behind_it(content: bytes, likely: Disk) -> None:
    m = whole(likely)
    assert m.total_sectors == m.part_length == LIKELY >> 9
    for at in (MIB, LIKELY - 512, LIKELY - 1024, 90 * MIB):
        assert rawread(m, 0x80, at >> 9, 0, 2048) == content[at : at + 2048]
    assert m.total_sectors == m.part_length == REAL >> 9
    with pytest.raises(GrubError) as caught:
        rawread(m, 0x80, REAL >> 9, 0, 512)
    assert caught.value.number == ErrNum.GEOM
    likely.close()


def test_pv_grub_reads_in_a_partition_that_is_the_whole_disk(content: bytes, likely: Disk) -> None:
    m = whole(likely)
    assert devread(m, 60 * 2048, 0, 512) == content[60 * MIB : 60 * MIB + 512]
    with pytest.raises(GrubError) as caught:
        devread(m, REAL >> 9, 0, 512)
    assert caught.value.number == ErrNum.OUTSIDE_PART
    likely.close()


def test_a_size_that_is_too_large_is_the_end_of_the_disk(short: tuple[Path, bytes]) -> None:
    path, real = short
    disk = open_disk(str(path))
    assert known_size(disk) == LIKELY
    m = whole(disk)
    with pytest.raises(GrubError) as caught:
        rawread(m, 0x80, (LIKELY >> 9) - 1, 0, 512)
    assert caught.value.number == ErrNum.GEOM
    assert m.total_sectors == len(real) >> 9
    assert disk.size == known_size(disk) == len(real)
    assert disk.read(0, disk.size) == real
    disk.close()
    disk = open_disk(str(path))
    with pytest.raises(ImageError, match="short of a read"):
        disk.read(LIKELY - 512, 512)
    assert disk.read(len(real) - 512, 512) == real[-512:]
    disk.close()


def test_nothing_is_made_sure_of_that_is_known(tmp_path: Path) -> None:
    (tmp_path / "raw").write_bytes(bytes(MIB))
    m = machine_on(tmp_path / "raw")
    select_drive(m, 0x80)
    assert not made_sure(m, 0x80)
    assert not made_sure(m, 0x81)


def test_a_survey_that_shows_another_size_tells_that(members: Path, likely: Disk) -> None:
    assert inspect_image(likely).size == known_size(likely)
    likely.read(LIKELY - 512, 512)
    assert inspect_image(likely).size == REAL
    likely.close()
    disk = open_disk(str(members))
    verdict = boot(disk)
    assert verdict.layout[0].length == known_size(disk)
    disk.close()


@pytest.mark.parametrize(
    "words", [["gzip", "-1"], ["lz4", "-q"], ["xz", "-0"], ["zstd", "-q", "-1"]], ids=lambda w: w[0]
)
def test_a_usual_image_is_not_unpacked_for_its_size(words: list[str], tmp_path: Path) -> None:
    """A boot and a survey of one member whose filesystem ends where the disk does."""
    image = write_big_image(tmp_path, size="256M")
    made = tmp_path / "packed"
    made.write_bytes(run(*words, "-c", image))
    disk = open_disk(str(made))
    assert boot(disk).layout[0].length == known_size(disk) == image.stat().st_size
    assert unpacked(disk) < 128 * MIB
    disk.close()


def test_a_stream_that_is_damaged_behind_the_likely_size(members: Path, tmp_path: Path) -> None:
    data = members.read_bytes()
    made = tmp_path / "packed"
    source = random.Random(1)
    for _ in range(3):
        spoiled = bytearray(data)
        spoiled[source.randrange(len(data) * 9 // 10, len(data) - 8)] ^= 0x10
        made.write_bytes(spoiled)
        disk = open_disk(str(made))
        with pytest.raises(ImageError):
            disk.read(0, disk.size)
        disk.close()
