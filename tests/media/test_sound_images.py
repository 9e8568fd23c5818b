"""Sound files that other programs write, and a reader may stumble over: every one as its own program reads it."""

from __future__ import annotations

import gzip
import random
import struct
import zipfile
from pathlib import Path

import pytest

from pvgrub_sim import Access, ImageError, boot, open_image
from pvgrub_sim.media import layers_of
from tests.images import unpack_sparse
from tests.media.containers import MIB, convert, create
from tests.tools import run

FIXTURES = Path(__file__).parents[2] / "fixtures" / "images"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack_sparse(FIXTURES / "boots.img.zst", tmp_path_factory.mktemp("good") / "boots.img")


def content(image: Path) -> bytes:
    disk = open_image(image)
    try:
        return disk.read(0, disk.size)
    finally:
        disk.close()


@pytest.mark.parametrize("size", [512, 4096, 65536, 201_216, 3 * MIB + 512, 34 * MIB + 3584])
def test_a_vmdk_stream_whose_last_grain_is_short(size: int, tmp_path: Path) -> None:
    raw, image = tmp_path / "raw", tmp_path / "disk.vmdk"
    raw.write_bytes(random.Random(size).randbytes(size))
    convert(raw, image, "vmdk", ("subformat=streamOptimized",))
    assert content(image) == raw.read_bytes()


def test_a_short_grain_elsewhere_is_an_error(tmp_path: Path) -> None:
    raw, image = tmp_path / "raw", tmp_path / "disk.vmdk"
    raw.write_bytes(random.Random(1).randbytes(65_536 + 512))
    convert(raw, image, "vmdk", ("subformat=streamOptimized",))
    data = bytearray(image.read_bytes())
    # A capacity in which both grains are whole ones.
    struct.pack_into("<Q", data, 12, 256)
    struct.pack_into("<Q", data, len(data) - 1024 + 12, 256)
    image.write_bytes(data)
    with pytest.raises(ImageError, match="a grain unpacks to 512 bytes of 65536"):
        content(image)


@pytest.mark.parametrize("padding", [4, 4096, 400_000, 5 * MIB])
def test_xz_on_a_larger_device(padding: int, good: Path, tmp_path: Path) -> None:
    image = tmp_path / "packed"
    image.write_bytes(run("xz", "-1", "-c", good) + bytes(padding))
    run("xz", "-t", "--format=xz", image)
    assert content(image) == good.read_bytes()


def test_gzip_with_zeros_behind_it_tells_no_size(tmp_path: Path) -> None:
    """Four zeros at the end would stand for 4 GiB; this disk ends a little before, with its only partition."""
    size = (4 << 30) - 10 * MIB
    raw, image = tmp_path / "raw", tmp_path / "packed"
    entry = struct.pack("<4B4BII", 0, 0, 0, 0, 0x83, 0, 0, 0, 2048, size // 512 - 2048)
    raw.write_bytes(bytes(446) + entry + bytes(48) + b"\x55\xaa" + bytes(16 * MIB - 512))
    with gzip.open(image, "wb", 1) as file:
        file.write(raw.read_bytes())
        for _ in range(size // MIB - 16):
            file.write(bytes(MIB))
    with image.open("ab") as file:
        file.write(bytes(4096))
    disk = open_image(image, access=Access(spool_limit=5 << 30))
    assert disk.size == size
    disk.close()


@pytest.mark.parametrize("packer", ["lz4", "zstd"])
def test_frames_that_are_skipped_everywhere(packer: str, good: Path, tmp_path: Path) -> None:
    frame = struct.pack("<II", 0x184D2A53, 5) + b"hello"
    half = tmp_path / "half"
    data = good.read_bytes()
    parts = [frame]
    for piece in (data[:MIB], data[MIB:]):
        half.write_bytes(piece)
        parts += [run(packer, "-qc", half), frame]
    image = tmp_path / "packed"
    image.write_bytes(b"".join(parts))
    assert run(packer, "-dc", image) == data
    assert content(image) == data


@pytest.mark.parametrize("kind", ["jfs", "iso", "reiserfs"])
def test_a_superblock_of_the_guest_behind_the_header_of_its_container(kind: str, tmp_path: Path) -> None:
    """Its place in the file happens to be one where PV-GRUB would look on a raw disk."""
    raw, image = tmp_path / "raw", tmp_path / "disk.img"
    options: tuple[str, ...] = ("cluster_size=4k",)
    if kind == "iso":
        (tmp_path / "tree").mkdir()
        (tmp_path / "tree" / "file").write_bytes(b"x" * 5000)
        run("genisoimage", "-quiet", "-R", "-o", raw, tmp_path / "tree")
    with raw.open("ab") as file:
        file.truncate(64 * MIB if kind == "reiserfs" else 3600 * MIB)
    if kind == "jfs":
        run("mkfs.jfs", "-q", raw)
    if kind == "reiserfs":
        run("mkreiserfs", "-q", "-f", "-f", "--format", "3.6", raw)
        options = ()
    format_ = "vmdk" if kind == "reiserfs" else "qcow2"
    convert(raw, image, format_, options)
    head = image.read_bytes()[: 68 << 10]
    marks = {"jfs": (32768, b"JFS1"), "iso": (32769, b"CD001"), "reiserfs": (65588, b"ReIsEr")}
    assert head.startswith(marks[kind][1], marks[kind][0]), "this is what the test is about"
    disk = open_image(image)
    assert [layer.format for layer in layers_of(disk)] == [format_]
    assert disk.size == raw.stat().st_size
    disk.close()


@pytest.mark.parametrize("archive", ["tar", "zip"])
def test_an_initrd_beside_the_disk_is_not_the_disk(archive: str, good: Path, tmp_path: Path) -> None:
    (tmp_path / "initrd.img").write_bytes(random.Random(1).randbytes(6 * MIB))
    (tmp_path / "root.img").write_bytes(good.read_bytes())
    image = tmp_path / "all"
    names = ("initrd.img", "root.img")
    if archive == "tar":
        run("tar", "-cf", image, "-C", tmp_path, *names)
    else:
        with zipfile.ZipFile(image, "w") as file:
            for name in names:
                file.write(tmp_path / name, name)
    assert content(image) == good.read_bytes()
    assert boot(image).boots_default


def test_a_stored_member_of_a_zip_has_its_crc(good: Path, tmp_path: Path) -> None:
    image = tmp_path / "all.zip"
    with zipfile.ZipFile(image, "w") as file:
        file.write(good, "disk.img")
    assert content(image) == good.read_bytes()
    data = bytearray(image.read_bytes())
    data[3 * MIB] ^= 1
    image.write_bytes(data)
    with pytest.raises(ImageError, match="its CRC"):
        open_image(image)


def test_a_comment_of_a_zip_may_hold_anything(good: Path, tmp_path: Path) -> None:
    image = tmp_path / "all.zip"
    with zipfile.ZipFile(image, "w", zipfile.ZIP_DEFLATED) as file:
        file.write(good, "disk.img")
        file.comment = b"PK\5\6" + b"c" * 50
    assert content(image) == good.read_bytes()


@pytest.mark.parametrize(
    "words", [["bzip2", "-c"], ["zstd", "-qc", "--no-content-size"], ["lz4", "-qc"], ["gzip", "-c"]]
)
def test_the_limit_may_be_the_size(words: list[str], good: Path, tmp_path: Path) -> None:
    image = tmp_path / "packed"
    image.write_bytes(run(words[0], *words[1:], good))
    size = good.stat().st_size
    disk = open_image(image, access=Access(spool_limit=size))
    assert disk.read(0, disk.size) == good.read_bytes()
    disk.close()
    disk = open_image(image, access=Access(spool_limit=size - 1))
    with pytest.raises(ImageError, match=f"unpacks to more than {size - 1} bytes"):
        disk.read(0, size)
    disk.close()


def test_xz_and_zstd_that_want_much_memory_are_not_called_damaged(good: Path, tmp_path: Path) -> None:
    image = tmp_path / "packed"
    image.write_bytes(run("xz", "--lzma2=preset=0,dict=257MiB", "-c", good))
    with pytest.raises(ImageError, match="needs more than 256 MiB of memory to be unpacked"):
        content(image)
    image.write_bytes(run("zstd", "-qc", "--long=28", stdin=good.read_bytes()))
    with pytest.raises(ImageError, match="needs more than 128 MiB of memory to be unpacked"):
        content(image)


def test_an_overlay_with_a_superblock_at_an_unlucky_place_is_not_raw_for_want_of_its_parent(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    with raw.open("wb") as file:
        file.truncate(64 * MIB)
    run("mkreiserfs", "-q", "-f", "-f", raw)
    (tmp_path / "block").write_bytes(raw.read_bytes()[65536:131072])
    create(tmp_path / "base", "vmdk", 64 * MIB)
    over = create(tmp_path / "over", "vmdk", 64 * MIB, backing=("base", "vmdk"))
    run("qemu-io", "-f", "vmdk", "-c", f"write -s {tmp_path / 'block'} 65536 65536", over)
    assert over.read_bytes()[65588:].startswith(b"ReIsEr")
    disk = open_image(over)
    assert disk.size == 64 * MIB
    disk.close()
    (tmp_path / "base").unlink()
    with pytest.raises(ImageError, match="parent 'base': no such file"):
        open_image(over)
