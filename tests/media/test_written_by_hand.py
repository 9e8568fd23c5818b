"""What qemu-img does not write is read as its description says, and as others read it: libvhdi, qemu."""

from __future__ import annotations

import random
import uuid
from pathlib import Path

import pytest

from pvgrub_sim.errors import ImageError
from pvgrub_sim.media import layers_of, open_disk
from tests.media.containers import MIB, SECTOR, as_raw, create, noise, scribble
from tests.media.vmdk_writers import write_cowd, write_mixed, write_stream, write_vmfs
from tests.media.writers import (
    data_write_guid,
    into_the_log,
    laid_over,
    random_sectors,
    write_differencing_vhd,
    write_differencing_vhdx,
)
from tests.tools import run

SIZE = 16 * MIB
LIBVHDI = """
import sys, pyvhdi
files = []
for name in sys.argv[1:]:
    file = pyvhdi.file()
    file.open(name)
    if files:
        file.set_parent(files[-1])
    files.append(file)
sys.stdout.buffer.write(files[-1].read_buffer_at_offset(files[-1].get_media_size(), 0))
"""


def libvhdi_agrees(content: bytes, *chain: tuple[Path, dict[int, bytes]]) -> None:
    """libvhdi reads the same from the last of a chain of files, the parents first, each with the sectors it has.

    It takes a sector for written when one of the same byte of the bitmap before it is: those are left out.
    """
    told = run("/usr/bin/python3", "-c", LIBVHDI, *(image for image, _ in chain))
    assert len(told) == len(content)
    doubtful = {
        sector
        for _, sectors in chain
        for begin in {at // 8 * 8 for at in sectors}
        for sector in range(begin, begin + 8)
        if sector not in sectors
    }
    assert len(doubtful) < len(content) // SECTOR // 10
    for at in range(0, len(content), SECTOR):
        assert at // SECTOR in doubtful or told[at : at + SECTOR] == content[at : at + SECTOR]


def check(image: Path, expected: bytes, detail: str = "") -> None:
    """The whole content, and 2000 random reads."""
    disk = open_disk(str(image))
    assert detail in layers_of(disk)[0].detail
    assert disk.read(0, disk.size) == expected
    source = random.Random(image.name)
    for _ in range(2000):
        at = source.randrange(disk.size)
        length = min(disk.size - at, source.choice((1, 511, 512, 5000, 300_000)))
        assert disk.read(at, length) == expected[at : at + length]
    disk.close()


# --- VHD


def vhd(path: Path) -> bytes:
    create(path, "vhd", SIZE, "force_size=on")
    scribble(path, "vhd", SIZE, path.name)
    return as_raw(path, "vhd")


@pytest.mark.parametrize("block", [2 * MIB, 64 << 10])
def test_a_chain_of_differencing_vhds(block: int, tmp_path: Path) -> None:
    base, mid, top = (tmp_path / name for name in ("base.vhd", "mid.vhd", "top.vhd"))
    content = vhd(base)
    chain: list[tuple[Path, dict[int, bytes]]] = [(base, {})]
    for image, parent in ((mid, base), (top, mid)):
        sectors = random_sectors(SIZE, image.name)
        write_differencing_vhd(image, parent, sectors, locator=f".\\{parent.name}", block=block)
        content = laid_over(content, sectors)
        chain.append((image, sectors))
    if block == 2 * MIB:
        # Of blocks of other sizes libvhdi loses sectors.
        libvhdi_agrees(content, *chain)
    check(top, content, "differencing")


def test_a_vhd_that_names_its_parent_in_the_header_only(tmp_path: Path) -> None:
    content = vhd(tmp_path / "base.vhd")
    sectors = random_sectors(SIZE, "header")
    write_differencing_vhd(tmp_path / "top.vhd", tmp_path / "base.vhd", sectors, locator=None)
    check(tmp_path / "top.vhd", laid_over(content, sectors))


def test_the_wrong_parent_of_a_vhd_is_refused(tmp_path: Path) -> None:
    vhd(tmp_path / "base.vhd")
    write_differencing_vhd(tmp_path / "top.vhd", tmp_path / "base.vhd", {3: bytes(512)}, locator=".\\base.vhd")
    (tmp_path / "base.vhd").unlink()
    vhd(tmp_path / "base.vhd")
    with pytest.raises(ImageError, match=r"parent 'base\.vhd' is another disk|parent '\./base\.vhd' is another disk"):
        open_disk(str(tmp_path / "top.vhd"))


@pytest.mark.parametrize("wrapped", [False, True], ids=["raw", "a-vhd-as-it-lies"])
def test_a_vhd_whose_parent_has_no_number_is_over_raw_bytes(wrapped: bool, tmp_path: Path) -> None:
    """As Xen's `vhd-util snapshot -m` writes it; a parent that is a VHD itself is not unwrapped then."""
    content = vhd(tmp_path / "base.vhd")
    parent = tmp_path / ("base.vhd" if wrapped else "base.raw")
    if not wrapped:
        parent.write_bytes(content)
    sectors = random_sectors(SIZE, "raw parent")
    # The footer, which tells the size, is that of a VHD all the same.
    write_differencing_vhd(
        tmp_path / "top.vhd", tmp_path / "base.vhd", sectors, locator=f".\\{parent.name}", numbered=False
    )
    expected = laid_over(parent.read_bytes()[:SIZE].ljust(SIZE, b"\0"), sectors)
    check(tmp_path / "top.vhd", expected, "differencing")
    assert [layer.format for layer in layers_of(open_disk(str(tmp_path / "top.vhd")))] == ["vhd", "raw"]
    write_differencing_vhd(tmp_path / "over.vhd", tmp_path / "top.vhd", {5: b"5" * SECTOR}, locator=".\\top.vhd")
    check(tmp_path / "over.vhd", laid_over(expected, {5: b"5" * SECTOR}))


# --- VHDX


def vhdx(path: Path, *options: str) -> bytes:
    create(path, "vhdx", SIZE, *options)
    scribble(path, "vhdx", SIZE, path.name)
    return as_raw(path, "vhdx")


@pytest.mark.parametrize("zero", [set(), {5, 11}], ids=["", "zero blocks"])
def test_a_chain_of_differencing_vhdxs(zero: set[int], tmp_path: Path) -> None:
    base, mid, top = (tmp_path / name for name in ("base.vhdx", "mid.vhdx", "top.vhdx"))
    content = vhdx(base)
    chain: list[tuple[Path, dict[int, bytes]]] = [(base, {})]
    for image, parent in ((mid, base), (top, mid)):
        sectors = random_sectors(SIZE, image.name, 30)
        whole = {3, 9}
        for number in whole:
            sectors |= {at: bytes([number]) * SECTOR for at in range(number * 2048, (number + 1) * 2048)}
        for number in zero:
            sectors = {at: part for at, part in sectors.items() if at // 2048 != number}
        write_differencing_vhdx(image, parent, SIZE, sectors, whole=whole, zero=zero)
        content = laid_over(content, sectors)
        for number in zero:
            content = content[: number * MIB] + bytes(MIB) + content[(number + 1) * MIB :]
        chain.append((image, sectors))
    if not zero:
        # libvhdi takes a block of zeros for one that is not there.
        libvhdi_agrees(content, *chain)
    check(top, content, "differencing")


def test_the_wrong_parent_of_a_vhdx_is_refused(tmp_path: Path) -> None:
    vhdx(tmp_path / "base.vhdx")
    write_differencing_vhdx(
        tmp_path / "top.vhdx", tmp_path / "base.vhdx", SIZE, {}, whole=set(), zero=set(), linkage=uuid.uuid4()
    )
    with pytest.raises(ImageError, match=r"'\./base\.vhdx' is not as it was"):
        open_disk(str(tmp_path / "top.vhdx"))


@pytest.mark.parametrize("wrap", [False, True])
def test_the_log_of_a_vhdx_is_done_in_memory(wrap: bool, tmp_path: Path) -> None:
    image = tmp_path / "disk.vhdx"
    content = vhdx(image, "block_size=1M")
    whole = image.read_bytes()
    zeros = [(at, 8192) for at in range(4 * MIB, len(whole) - 8192, 4096) if not any(whole[at : at + 8192])][:1]
    # The whole table of blocks (qemu puts it at 3 MiB), metadata at 2 MiB, and data.
    into_the_log(image, [3 * MIB, 2 * MIB, 2 * MIB + (64 << 10), 5 * MIB + 4096, 6 * MIB], zeros, wrap=wrap)
    dirty = image.read_bytes()
    assert dirty != whole
    check(image, content, "its log done in memory")
    assert image.read_bytes() == dirty
    if not wrap:
        # qemu gives up on an entry that goes over the log's end.
        run("qemu-img", "check", "-q", "-r", "all", "-f", "vhdx", image)
        assert as_raw(image, "vhdx") == content


def test_a_log_that_belongs_to_an_older_state_is_left_alone(tmp_path: Path) -> None:
    image = tmp_path / "disk.vhdx"
    vhdx(image, "block_size=1M")
    into_the_log(image, [6 * MIB], [])
    raw = bytearray(image.read_bytes())
    log = raw.find(b"loge", MIB)
    assert log > 0
    raw[log + 64] ^= 1
    image.write_bytes(raw)
    disk = open_disk(str(image))
    assert "log" not in layers_of(disk)[0].detail
    disk.close()


def test_the_guid_of_a_change_is_read_as_libvhdi_does(tmp_path: Path) -> None:
    vhdx(tmp_path / "base.vhdx")
    code = "import sys, pyvhdi; f = pyvhdi.file(); f.open(sys.argv[1]); print(f.get_identifier())"
    told = run("/usr/bin/python3", "-c", code, tmp_path / "base.vhdx").decode().strip()
    assert told.lower() == str(data_write_guid(tmp_path / "base.vhdx"))


# --- VMDK


def test_a_sparse_disk_of_esx(tmp_path: Path) -> None:
    content = noise(tmp_path / "raw", 5 * MIB + SECTOR, "esx").read_bytes()
    image = write_cowd(tmp_path, content)
    assert as_raw(image, "vmdk") == content
    check(image, content, "vmfsSparse, ESX sparse, grains of 512")


def test_a_flat_disk_of_esx(tmp_path: Path) -> None:
    content = noise(tmp_path / "raw", 5 * MIB + SECTOR, "esx").read_bytes()
    image = write_vmfs(tmp_path, content)
    assert as_raw(image, "vmdk") == content
    check(image, content, "vmfs, flat")


@pytest.mark.parametrize("entries", [128, 512])
def test_a_stream_whose_directory_is_named_by_the_footer(entries: int, tmp_path: Path) -> None:
    content = noise(tmp_path / "raw", 19 * MIB + 3 * SECTOR, "stream").read_bytes()
    image = tmp_path / "disk.vmdk"
    write_stream(image, content, entries=entries)
    assert as_raw(image, "vmdk") == content
    check(image, content, "streamOptimized, stream-optimised")


def test_a_stream_that_is_cut_short_is_told(tmp_path: Path) -> None:
    image = tmp_path / "disk.vmdk"
    write_stream(image, noise(tmp_path / "raw", MIB, "stream").read_bytes())
    image.write_bytes(image.read_bytes()[:-2048])
    with pytest.raises(ImageError, match="footer is missing: it is cut short"):
        open_disk(str(image))


def test_flat_parts_of_one_file_and_zeros(tmp_path: Path) -> None:
    source = random.Random(5)
    parts: list[bytes | int] = [source.randbytes(7 * SECTOR), 100, source.randbytes(300 * SECTOR), 1]
    image = write_mixed(tmp_path, parts)
    check(image, b"".join(bytes(part * SECTOR) if isinstance(part, int) else part for part in parts), "zeros")
