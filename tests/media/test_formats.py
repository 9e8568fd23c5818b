"""Every byte of an image is what `qemu-img convert -O raw` says it is, in every format and sub-format."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest

from pvgrub_sim.media import layers_of, open_disk
from tests.media.containers import MIB, SECTOR, as_raw, convert, create, noise, scribble
from tests.tools import run

READS = 2000
LENGTHS = (1, 3, 511, 512, 4096, 65536, 70_000, 300_000)


def check(image: Path, format_: str, detail: str = "") -> None:
    """Every byte, at once and in random reads, into memory of the caller's as well."""
    expected = as_raw(image, format_)
    disk = open_disk(str(image))
    try:
        assert layers_of(disk)[0].format == format_
        assert detail in layers_of(disk)[0].detail
        assert disk.size == len(expected)
        assert disk.read(0, disk.size) == expected
        source = random.Random(str(image.name))
        for number in range(READS):
            at = source.randrange(disk.size)
            length = min(disk.size - at, source.choice(LENGTHS))
            if number % 2:
                got = bytearray(b"\xee" * length)
                disk.readinto(at, memoryview(got))  # type: ignore[attr-defined]  # a power that not every disk has
                assert got == expected[at : at + length]
            else:
                assert disk.read(at, length) == expected[at : at + length]
    finally:
        disk.close()


ODD = 16 * MIB + 7 * SECTOR

WRITTEN: dict[str, tuple[str, int, tuple[str, ...], str]] = {
    "qcow2-v2": ("qcow2", ODD, ("compat=0.10",), "v2"),
    "qcow2-v3": ("qcow2", ODD, (), "v3, clusters of 65536"),
    "qcow2-512": ("qcow2", 3 * MIB + SECTOR, ("cluster_size=512",), "clusters of 512"),
    "qcow2-4k": ("qcow2", ODD, ("cluster_size=4096",), "clusters of 4096"),
    "qcow2-2m": ("qcow2", ODD, ("cluster_size=2M",), "clusters of 2097152"),
    "qcow2-extended-16k": ("qcow2", ODD, ("extended_l2=on", "cluster_size=16k"), "subclusters"),
    "qcow2-extended-128k": ("qcow2", ODD, ("extended_l2=on", "cluster_size=128k"), "subclusters"),
    "qcow2-lazy": ("qcow2", ODD, ("lazy_refcounts=on",), "v3"),
    "qcow2-preallocated": ("qcow2", ODD, ("preallocation=metadata",), "v3"),
    "qcow2-data-file": ("qcow2", ODD, ("data_file=DIR/data.raw",), "v3"),
    "qcow2-data-file-raw": ("qcow2", ODD, ("data_file=DIR/data.raw", "data_file_raw=on"), "v3"),
    "vmdk-sparse": ("vmdk", ODD, ("subformat=monolithicSparse",), "monolithicSparse, sparse"),
    "vmdk-sparse-zeroed": ("vmdk", ODD, ("subformat=monolithicSparse", "zeroed_grain=on"), "sparse"),
    "vmdk-flat": ("vmdk", ODD, ("subformat=monolithicFlat",), "monolithicFlat, flat"),
    "vmdk-split-sparse": ("vmdk", ODD, ("subformat=twoGbMaxExtentSparse",), "twoGbMaxExtentSparse, sparse"),
    "vmdk-split-flat": ("vmdk", ODD, ("subformat=twoGbMaxExtentFlat",), "twoGbMaxExtentFlat, flat"),
    "vhd-dynamic": ("vhd", ODD, ("subformat=dynamic",), "dynamic, blocks of 2097152"),
    "vhd-dynamic-exact": ("vhd", ODD, ("subformat=dynamic", "force_size=on"), "dynamic"),
    "vhd-fixed": ("vhd", ODD, ("subformat=fixed",), "fixed"),
    "vhd-fixed-exact": ("vhd", ODD, ("subformat=fixed", "force_size=on"), "fixed"),
    "vhdx-dynamic": ("vhdx", ODD, ("subformat=dynamic",), "dynamic, blocks of 8388608"),
    "vhdx-1m": ("vhdx", ODD, ("block_size=1M", "block_state_zero=off"), "dynamic, blocks of 1048576"),
    "vhdx-256m": ("vhdx", ODD, ("block_size=256M",), "dynamic, blocks of 268435456"),
    "vhdx-fixed": ("vhdx", ODD, ("subformat=fixed",), "fixed"),
    "vdi-dynamic": ("vdi", ODD, (), "dynamic, blocks of 1048576"),
    "vdi-fixed": ("vdi", ODD, ("static=on",), "fixed"),
}
"""Name: the format, the disk's size, how the image is made, and what its layer says."""


@pytest.mark.parametrize("name", WRITTEN)
def test_written_zeroed_and_discarded(name: str, tmp_path: Path) -> None:
    format_, size, options, detail = WRITTEN[name]
    given = [option.replace("DIR", str(tmp_path)) for option in options]
    image = create(tmp_path / "disk", format_, size, *given)
    scribble(image, format_, size, name)
    check(image, format_, detail)


CONVERTED: dict[str, tuple[str, tuple[str, ...], str]] = {
    "qcow2-zlib": ("qcow2", (), "v3"),
    "qcow2-zlib-512": ("qcow2", ("cluster_size=512",), "v3"),
    "qcow2-zlib-2m": ("qcow2", ("cluster_size=2M",), "v3"),
    "qcow2-zlib-v2": ("qcow2", ("compat=0.10", "cluster_size=32k"), "v2"),
    "qcow2-zstd": ("qcow2", ("compression_type=zstd",), "zstd"),
    "qcow2-zstd-extended": ("qcow2", ("compression_type=zstd", "extended_l2=on"), "zstd, subclusters"),
    "vmdk-stream": ("vmdk", ("subformat=streamOptimized",), "streamOptimized, stream-optimised"),
}


@pytest.mark.parametrize("name", CONVERTED)
def test_compressed(name: str, tmp_path: Path) -> None:
    format_, options, detail = CONVERTED[name]
    raw = noise(tmp_path / "raw", 3 * MIB + 5 * SECTOR if "512" in name else ODD, name)
    image = convert(raw, tmp_path / "disk", format_, options, compress=format_ == "qcow2")
    if format_ == "qcow2":
        # Some clusters are written over afterwards.
        scribble(image, format_, raw.stat().st_size, name, count=6)
    check(image, format_, detail)


def test_a_chain_of_three_backing_files_of_other_sizes(tmp_path: Path) -> None:
    sizes = (16 * MIB, 21 * MIB, 13 * MIB, 24 * MIB)
    create(tmp_path / "base", "vmdk", sizes[0])
    scribble(tmp_path / "base", "vmdk", sizes[0], "base")
    create(tmp_path / "low", "qcow2", sizes[1], "cluster_size=4k", backing=("base", "vmdk"))
    scribble(tmp_path / "low", "qcow2", sizes[1], "low", 20)
    create(tmp_path / "mid", "qcow2", sizes[2], backing=("low", "qcow2"))
    scribble(tmp_path / "mid", "qcow2", sizes[2], "mid", 20)
    create(tmp_path / "top", "qcow2", sizes[3], "extended_l2=on", backing=("mid", "qcow2"))
    scribble(tmp_path / "top", "qcow2", sizes[3], "top", 20)
    check(tmp_path / "top", "qcow2", "backing file 'mid'")


def test_a_raw_backing_file_and_compressed_clusters_over_it(tmp_path: Path) -> None:
    raw = noise(tmp_path / "base.raw", ODD, "raw")
    create(tmp_path / "top", "qcow2", ODD + 5 * MIB, backing=("base.raw", "raw"))
    scribble(tmp_path / "top", "qcow2", ODD, "over", 30)
    check(tmp_path / "top", "qcow2")
    assert raw.exists()


def test_a_vmdk_with_parents(tmp_path: Path) -> None:
    create(tmp_path / "base", "vmdk", 16 * MIB)
    scribble(tmp_path / "base", "vmdk", 16 * MIB, "base")
    for over, under in (("mid", "base"), ("top", "mid")):
        create(tmp_path / over, "vmdk", 16 * MIB, "zeroed_grain=on", backing=(under, "vmdk"))
        scribble(tmp_path / over, "vmdk", 16 * MIB, over, 20)
    check(tmp_path / "top", "vmdk", "parent 'mid'")


def _give_content_id(image: Path, digits: bytes) -> None:
    """Write a sparse VMDK's CID, which qemu itself gives at random and in one of sixteen with fewer digits."""
    data = image.read_bytes()
    old = re.search(rb"\nCID=[0-9a-f]+(?=\n)", data)
    assert old
    end = data.index(b"\0", old.end())
    room = b"\nCID=" + digits + data[old.end() : end]
    longer = len(room) - (end - old.start())
    assert not any(data[end : end + longer])
    image.write_bytes(data[: old.start()] + room + data[end + longer :])


def test_a_parent_whose_number_begins_with_a_zero(tmp_path: Path) -> None:
    """qemu-img names it without that zero, in one of sixteen."""
    base = create(tmp_path / "base", "vmdk", MIB)
    scribble(base, "vmdk", MIB, "base")
    _give_content_id(base, b"00abc123")
    top = create(tmp_path / "top", "vmdk", MIB, backing=("base", "vmdk"))
    assert b"\nparentCID=abc123\n" in top.read_bytes()
    scribble(top, "vmdk", MIB, "top", 5)
    check(top, "vmdk", "parent 'base'")


@pytest.mark.parametrize(
    "head", [b"", b"# disk descriptorfile\n", b"# made by hand\n \n# Disk DescriptorFile\n", b"#\n  \n"]
)
def test_a_descriptor_with_other_comments_or_none(head: bytes, tmp_path: Path) -> None:
    """It is told by its version, as by qemu-img, which is not told the format here."""
    image = create(tmp_path / "disk", "vmdk", MIB, "subformat=monolithicFlat")
    scribble(image, "vmdk", MIB, "comments", 10)
    _, first, rest = image.read_bytes().partition(b"# Disk DescriptorFile\n")
    assert first
    image.write_bytes(head + rest)
    assert json.loads(run("qemu-img", "info", "--output=json", image))["format"] == "vmdk"
    check(image, "vmdk", "monolithicFlat, flat")


def test_snapshots_are_left_alone(tmp_path: Path) -> None:
    image = create(tmp_path / "disk", "qcow2", ODD)
    for number in range(3):
        scribble(image, "qcow2", ODD, f"state {number}", 20)
        run("qemu-img", "snapshot", "-c", f"s{number}", image)
    scribble(image, "qcow2", ODD, "now", 20)
    check(image, "qcow2", "3 snapshots")


@pytest.mark.parametrize("kind", ["Sparse", "Flat"])
def test_a_disk_in_several_extents(kind: str, tmp_path: Path) -> None:
    """4.5 GiB in three files; looked at where these meet."""
    size = 4608 * MIB
    image = create(tmp_path / "disk.vmdk", "vmdk", size, f"subformat=twoGbMaxExtent{kind}")
    assert len(list(tmp_path.glob("disk-*.vmdk"))) == 3
    edges = [0, 2048 * MIB - 65536, 4096 * MIB - 100 * SECTOR, size - MIB]
    words = [word for at in edges for word in ("-c", f"write -P {at % 251 + 1} {at} 1M")]
    run("qemu-io", "-f", "vmdk", *words, image)
    disk = open_disk(str(image))
    assert disk.size == size
    for at in edges:
        run("qemu-img", "dd", "-f", "vmdk", "-O", "raw", f"if={image}", f"of={tmp_path}/part", "bs=1M",
            f"skip={max(0, at // MIB - 1)}", f"count={at // MIB + 3}")  # fmt: skip
        expected = (tmp_path / "part").read_bytes()
        begin = max(0, at // MIB - 1) * MIB
        length = min(len(expected), 4 * MIB, size - begin)
        assert disk.read(begin, length) == expected[:length]
    disk.close()
