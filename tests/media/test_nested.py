"""Formats inside of each other: a virtual disk in a compressed file, and files beside that."""

from __future__ import annotations

from pathlib import Path

import pytest

from pvgrub_sim.errors import ImageError
from pvgrub_sim.media import layers_of, open_disk
from tests.media.containers import MIB, as_raw, convert, create, noise, scribble
from tests.tools import run

PACKERS = {"gzip": "gzip", "xz": "xz", "zstd": "zstd", "bzip2": "bzip2", "lz4": "lz4"}


def packed(image: Path, packer: str) -> Path:
    made = image.with_name("packed")
    made.write_bytes(run(packer, "-c", stdin=image.read_bytes()))
    return made


@pytest.mark.parametrize("packer", PACKERS)
@pytest.mark.parametrize("format_", ["qcow2", "vmdk", "vhd", "vhdx", "vdi"])
def test_a_virtual_disk_in_a_compressed_file(packer: str, format_: str, tmp_path: Path) -> None:
    raw = noise(tmp_path / "raw", 4 * MIB, packer)
    image = convert(raw, tmp_path / "disk", format_, ("force_size=on",) if format_ == "vhd" else ())
    disk = open_disk(str(packed(image, packer)))
    assert [layer.format for layer in layers_of(disk)] == [format_, packer]
    assert disk.read(0, disk.size) == raw.read_bytes()
    disk.close()


def test_compressed_twice(tmp_path: Path) -> None:
    raw = noise(tmp_path / "raw", 2 * MIB, "twice")
    image = convert(raw, tmp_path / "disk", "qcow2")
    inner = packed(image, "xz").rename(tmp_path / "inner")
    disk = open_disk(str(packed(inner, "gzip")))
    assert [layer.format for layer in layers_of(disk)] == ["qcow2", "xz", "gzip"]
    assert disk.read(0, disk.size) == raw.read_bytes()
    disk.close()


def test_the_backing_file_of_what_is_in_a_compressed_file_lies_beside_that(tmp_path: Path) -> None:
    noise(tmp_path / "base", 2 * MIB, "base")
    image = create(tmp_path / "disk", "qcow2", 2 * MIB, backing=("base", "raw"))
    scribble(image, "qcow2", 2 * MIB, "top", 10)
    expected = as_raw(image, "qcow2")
    disk = open_disk(str(packed(image, "xz")))
    assert disk.read(0, disk.size) == expected
    disk.close()


def test_a_compressed_backing_file(tmp_path: Path) -> None:
    raw = noise(tmp_path / "raw", 2 * MIB, "base")
    packed(raw, "xz")
    image = create(tmp_path / "disk", "qcow2", 2 * MIB, backing=("raw", "raw"))
    scribble(image, "qcow2", 2 * MIB, "top", 10)
    expected = as_raw(image, "qcow2")
    content = bytearray(image.read_bytes())
    at = content.index(b"\xe2\x79\x2a\xca")
    content[at : at + 4] = b"none"  # the format's name becomes an extension that nobody knows
    (at, size) = (int.from_bytes(content[8:16], "big"), int.from_bytes(content[16:20], "big"))
    content[at : at + size] = b"raw"
    image.write_bytes(content)
    (tmp_path / "packed").replace(raw)
    disk = open_disk(str(image))
    assert [layer.format for layer in layers_of(disk)] == ["qcow2", "xz"]
    assert disk.read(0, disk.size) == expected
    disk.close()


def test_strong_compression_twice(tmp_path: Path) -> None:
    raw = noise(tmp_path / "raw", 2 * MIB, "strong")
    inner = run("xz", "-9", "-c", stdin=raw.read_bytes())
    outer = tmp_path / "outer"
    outer.write_bytes(run("xz", "-9", "-c", stdin=inner))
    disk = open_disk(str(outer))
    assert disk.read(0, disk.size) == raw.read_bytes()
    disk.close()


@pytest.mark.parametrize(
    ("packer", "least"), [(("zstd", "--long=27", "-c"), 64), (("xz", "--lzma2=dict=192MiB", "-c"), 128)]
)
def test_files_in_files_do_not_want_memory_for_each(packer: tuple[str, ...], least: int, tmp_path: Path) -> None:
    raw = noise(tmp_path / "raw", 2 * MIB, "each")
    once = tmp_path / "once"
    # From a pipe: zstd does not know how little it is then.
    once.write_bytes(run(*packer, stdin=raw.read_bytes()))
    disk = open_disk(str(once))
    assert disk.read(0, disk.size) == raw.read_bytes()
    disk.close()
    twice = tmp_path / "twice"
    twice.write_bytes(run(*packer, stdin=once.read_bytes()))
    with pytest.raises(ImageError, match=f"needs more than {least} MiB of memory"):
        open_disk(str(twice)).read(0, 512)
