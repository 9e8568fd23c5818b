"""A disk that is read to its last byte out of a damaged stream is an error, wherever the stream's checksum stands.

The formats of virtual disks and archives have more in their files behind that byte: a footer, the rest of a block.
"""

from __future__ import annotations

import io
import random
import subprocess
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

from pvgrub_sim.errors import ImageError
from pvgrub_sim.media import Disk, open_disk
from pvgrub_sim.media.disk import ForwardOnly
from pvgrub_sim.media.formats.mapped import Mapped
from pvgrub_sim.media.formats.pieces import PiecesDisk
from tests.media.containers import MIB, convert
from tests.tools import run

PACKERS = {
    "gzip": ["gzip", "-c"], "xz": ["xz", "-c"], "zstd": ["zstd", "-c"], "bzip2": ["bzip2", "-c"],
    "lz4": ["lz4", "-c"], "zip": ["zip", "-q", "-"],
}  # fmt: skip
FORMATS = ["vhd", "vhd fixed", "vhdx", "vmdk", "qcow2", "vdi", "tar", "raw"]


def wrapped(raw: Path, format_: str) -> Path:
    """A raw image in a file of another format, beside it."""
    if format_ == "raw":
        return raw
    made = raw.with_name(f"disk.{format_.partition(' ')[0]}")
    if format_ == "tar":
        with tarfile.open(made, "w") as archive:
            archive.add(raw, "disk.raw")
            rest = tarfile.TarInfo("readme")
            rest.size = 30_000
            archive.addfile(rest, io.BytesIO(bytes(30_000)))
        return made
    options = ["force_size=on"] if format_.startswith("vhd ") or format_ == "vhd" else []
    options += ["subformat=fixed"] if format_ == "vhd fixed" else []
    return convert(raw, made, format_.partition(" ")[0], options)


def in_pieces(disk: Disk) -> bytes:
    return b"".join(disk.read(at, min(MIB, disk.size - at)) for at in range(0, disk.size, MIB))


def into_memory(disk: Disk) -> bytes:
    memory = bytearray(disk.size)
    if isinstance(disk, Mapped):
        disk.readinto(0, memoryview(memory))
    else:
        memory[:] = disk.read(0, disk.size)
    return bytes(memory)


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("packer", PACKERS)
def test_no_wrong_byte_is_believed(packer: str, format_: str, tmp_path: Path) -> None:
    content = bytes(range(256)) * 1024 + random.Random(1).randbytes(MIB)
    raw = tmp_path / "disk.raw"
    raw.write_bytes(content)
    image = wrapped(raw, format_)
    # A fixed VHD in a stream is looked for where the name says so.
    made = tmp_path / f"{image.name}.packed"
    sound = run(*PACKERS[packer], image)
    spoiled = bytearray(sound)
    spoiled[len(sound) // 2] ^= 1
    for read_all in (in_pieces, into_memory):
        made.write_bytes(sound)
        disk = open_disk(str(made))
        assert read_all(disk) == content
        disk.close()
        made.write_bytes(spoiled)
        with pytest.raises(ImageError), closing(open_disk(str(made))) as disk:
            read_all(disk)


@pytest.mark.parametrize("inner", ["gzip", "xz", "zstd", "bzip2", "lz4"])
@pytest.mark.parametrize("outer", ["xz", "zstd"])
def test_a_stream_that_ends_before_the_one_around_it(outer: str, inner: str, tmp_path: Path) -> None:
    """What stands there is left out by gzip and bzip2, and zeros by most: the outer checksum counts all the same."""
    (tmp_path / "raw").write_bytes(random.Random(1).randbytes(MIB))
    packed = run(inner, "-c", tmp_path / "raw")
    (tmp_path / "inner").write_bytes(packed + (bytes(3 * MIB) if inner != "zstd" else b""))
    made = tmp_path / "outer"
    made.write_bytes(run(outer, "-c", tmp_path / "inner"))
    disk = open_disk(str(made))
    assert disk.read(0, disk.size) == (tmp_path / "raw").read_bytes()
    disk.close()
    spoiled = bytearray(made.read_bytes())
    # The checksum at the end of zstd's frame, and of the check of xz's block, behind which its index and footer stand.
    spoiled[-1 if outer == "zstd" else spoiled.rfind(b"\0\1", 0, -12) - 1] ^= 1
    made.write_bytes(spoiled)
    assert subprocess.run([outer, "-tq", made], capture_output=True, check=False).returncode
    with pytest.raises(ImageError), closing(open_disk(str(made))) as disk:
        in_pieces(disk)


@pytest.mark.parametrize("format_", ["qcow2", "vhdx", "tar"])
def test_what_is_not_read_to_its_end_is_unpacked_no_further(format_: str, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.write_bytes(random.Random(1).randbytes(24 * MIB))
    made = tmp_path / "packed"
    made.write_bytes(run("xz", "-0", "-c", wrapped(raw, format_)))
    disk = open_disk(str(made))
    assert isinstance(disk, (Mapped, PiecesDisk))
    assert disk.read(0, MIB) == raw.read_bytes()[:MIB]
    disk.read(disk.size // 2, 512)
    assert isinstance(disk.below, ForwardOnly)
    assert disk.below.unpacked < 22 * MIB
    disk.read(disk.size - 512, 512)
    assert disk.below.unpacked == wrapped(raw, format_).stat().st_size
    disk.close()


@pytest.mark.parametrize("options", [["-B7"], ["-B6"], ["-B4"], ["-B7", "--content-size"]])
@pytest.mark.parametrize("size", [700_416, MIB, MIB + 512])
def test_a_checksum_counts_when_all_came_with_the_first_piece(options: list[str], size: int, tmp_path: Path) -> None:
    """liblz4 gives the content before it has seen the end mark and the checksum behind it."""
    raw = tmp_path / "raw"
    raw.write_bytes(random.Random(size).randbytes(size))
    packed = bytearray(run("lz4", "-qc", *options, raw))
    packed[300_000] ^= 1
    image = tmp_path / "disk.lz4"
    image.write_bytes(packed)
    with closing(open_disk(str(image))) as disk, pytest.raises(ImageError, match="is damaged"):
        disk.read(0, disk.size)


@pytest.mark.parametrize("packer", ["gzip", "xz", "bzip2", "lz4"])
def test_a_hole_behind_a_stream_has_an_end(packer: str, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.write_bytes(random.Random(packer).randbytes(100_352))
    image = tmp_path / "disk"
    image.write_bytes(run(packer, "-c", raw))
    with image.open("r+b") as file:
        file.truncate(8 << 40)
    if packer in ("xz", "lz4"):
        with pytest.raises(ImageError, match="more than 64 MiB of zeros behind its"):
            open_disk(str(image)).read(0, 512)
    else:
        with closing(open_disk(str(image))) as disk:
            assert disk.read(0, disk.size) == raw.read_bytes()
