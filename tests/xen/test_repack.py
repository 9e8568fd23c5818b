"""Kernels taken apart and put together again, checked with the tools that know the formats."""

from __future__ import annotations

import struct
import sys
import zlib
from pathlib import Path

import pexpect
import pytest

from pvgrub_sim import UsageError, extract_kernel, repack_kernel
from pvgrub_sim.errors import KernelFormatError
from pvgrub_sim.ondisk.bzimage import read_setup_header
from pvgrub_sim.xen.repack import extract_elf, gunzip_file, repack
from tests.debian_kernels import debian_kernel
from tests.kernel_images import PACKERS, Elf, bzimage, payload
from tests.tools import run
from tests.xen.loading import load

ELF = Elf(size=30000).build()


def checksum_register(data: bytes) -> int:
    """The CRC-32 register after all of the data: 0 for a whole bzImage (Linux, boot.rst, protocol 2.08)."""
    return zlib.crc32(data) ^ 0xFFFFFFFF


@pytest.mark.parametrize("source", list(PACKERS))
def test_extract(source: str) -> None:
    assert extract_elf("kernel", bzimage(payload(source, ELF))) == ELF


@pytest.mark.parametrize("form", ["gzip", "xz", "none"])
@pytest.mark.parametrize("pv_only", [False, True])
def test_header_sizes_and_checksum(form: str, pv_only: bool) -> None:
    original = bzimage(payload("zstd", ELF), trailing=bytes(123))
    made = repack("kernel", original, form, pv_only=pv_only)
    before, header = read_setup_header(original), read_setup_header(made)
    code = (header.setup_sects + 1) * 512
    assert checksum_register(made) == 0
    assert (len(made) - code) % 16 == 0
    assert struct.unpack_from("<I", made, 0x1F4)[0] * 16 == len(made) - code
    assert header.payload_start + header.payload_length + 4 <= len(made)
    assert header.version == before.version
    if pv_only:
        assert len(made) < len(original) + len(ELF)
    else:
        # The old payload is where it was, for whoever starts the kernel in another way.
        assert made[0x250 : len(original)] == original[0x250:]
    assert extract_elf("kernel", made) == ELF
    assert load(made).guest_type == "xen-3.0-x86_64"


def test_gzip_payload_is_what_gzip_unpacks() -> None:
    made = repack("kernel", bzimage(payload("lz4", ELF)), "gzip")
    header = read_setup_header(made)
    packed = made[header.payload_start : header.payload_start + header.payload_length]
    assert run("gzip", "-dc", stdin=packed) == ELF


def test_xz_payload_is_what_xz_unpacks() -> None:
    made = repack("kernel", bzimage(payload("lz4", ELF)), "xz")
    header = read_setup_header(made)
    packed = made[header.payload_start : header.payload_start + header.payload_length]
    assert run("xz", "-dc", "--format=xz", stdin=packed[:-4]) == ELF
    assert int.from_bytes(packed[-4:], "little") == len(ELF)


def test_gzipped_elf_is_what_gzip_unpacks() -> None:
    made = repack("kernel", bzimage(payload("lz4", ELF)), "elf-gz")
    assert run("gzip", "-dc", stdin=made) == ELF
    assert gunzip_file("kernel", made) == ELF


def test_plain_elf_can_only_become_a_gzipped_one() -> None:
    assert gunzip_file("kernel", repack("kernel", ELF, "elf-gz")) == ELF
    with pytest.raises(KernelFormatError, match="no bzImage"):
        repack("kernel", ELF, "gzip")


@pytest.mark.parametrize(
    ("kernel", "words"),
    [
        (b"", "neither a bzImage nor an ELF file"),
        (bytes(5000), "neither a bzImage nor an ELF file"),
        (bzimage(payload("xz", ELF)[:2000]), "does not unpack"),
        (bzimage(payload("xz", ELF))[:6000], "cut short"),
        (bzimage(b"what is this" * 100), "unknown format"),
        (bzimage(payload("gzip", b"no ELF file" * 100)), "no ELF file"),
        (bzimage(payload("gzip", ELF), version=0x200), "too old"),
    ],
)
def test_bad_kernels(kernel: bytes, words: str) -> None:
    with pytest.raises(KernelFormatError, match=words):
        repack("kernel", kernel, "gzip")


def test_damaged_gzip_files() -> None:
    good = repack("kernel", ELF, "elf-gz")
    with pytest.raises(KernelFormatError, match="cut short"):
        gunzip_file("kernel", good[:-9])
    with pytest.raises(KernelFormatError, match="damaged"):
        gunzip_file("kernel", good[:-1] + b"\x99")


def test_extracted_debian_kernel_is_what_readelf_reads(tmp_path: Path) -> None:
    kernel = debian_kernel("linux-image-cloud-amd64").read_bytes()
    elf = tmp_path / "vmlinux"
    elf.write_bytes(extract_elf("kernel", kernel))
    told = run("readelf", "-n", elf).decode()
    assert "Xen" in told
    image = load(kernel).image
    assert image
    assert image.notes["GUEST_OS"] == "linux"


def test_levels_and_progress() -> None:
    kernel = bzimage(payload("gzip", Elf().build()))
    told: list[tuple[int, int]] = []
    for form, level in (("gzip", 1), ("gzip", 9), ("xz", 0), ("xz", 9), ("elf-gz", 1), ("elf-gz", 9)):
        told.clear()
        made = repack_kernel(kernel, form, level=level, progress=lambda *now: told.append(now))
        assert extract_kernel(gunzip_file("made", made)) == Elf().build()
        assert told and all(0 < done <= total for done, total in told) and told[-1][0] == told[-1][1]
    for form, level in (("gzip", 0), ("xz", 10), ("none", 3), ("elf-gz", -1)):
        with pytest.raises(UsageError, match="level"):
            repack_kernel(kernel, form, level=level)


def test_progress_is_shown_on_a_terminal_and_goes_away(tmp_path: Path) -> None:
    (tmp_path / "vmlinuz").write_bytes(bzimage(payload("gzip", Elf().build())))
    words = f"{sys.executable} -m pvgrub_sim repack --level 1 vmlinuz -o made"
    shown = pexpect.run(words, cwd=str(tmp_path), timeout=60)
    assert b"packing: " in shown and shown.index(b"packing: ") < shown.rindex(b"\r\x1b[K") < shown.index(b"made: gzip")
