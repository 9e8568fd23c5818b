"""Containers with changed structures, cut short or grown: an answer or an ImageError, soon and in little memory."""

from __future__ import annotations

import random
import resource
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest

from pvgrub_sim.errors import ImageError
from pvgrub_sim.media import open_disk
from tests.media.containers import MIB, convert, create, noise, scribble
from tests.media.vmdk_writers import write_cowd, write_stream
from tests.media.writers import (
    into_the_log,
    random_sectors,
    write_differencing_vhd,
    write_differencing_vhdx,
)

SECONDS = 10
MEMORY = 300 << 10
"""KiB that all of this may take more."""
TRIALS = 150
NASTY = (0, 1, 2, 0x7F, 0xFF, 0x1FF, 0x200, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF,
         1 << 55, 1 << 62, 1 << 63, (1 << 63) - 1, (1 << 64) - 512, (1 << 64) - 1)  # fmt: skip
READS = ((0, 4096), (512 << 10, 70_000), (1, 3))


class TooSlow(Exception):
    """An answer took too long."""


@pytest.fixture(autouse=True)
def in_time() -> Iterator[None]:
    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise TooSlow

    old = signal.signal(signal.SIGALRM, stop)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, old)


def qcow2(folder: Path) -> Path:
    image = create(folder / "disk", "qcow2", 3 * MIB)
    scribble(image, "qcow2", 3 * MIB, "hostile", 20)
    return image


def qcow2_small(folder: Path) -> Path:
    image = create(folder / "disk", "qcow2", 3 * MIB, "cluster_size=16k", "extended_l2=on")
    scribble(image, "qcow2", 3 * MIB, "hostile", 20)
    return image


def qcow2_packed(folder: Path) -> Path:
    return convert(noise(folder / "raw", 3 * MIB, "h"), folder / "disk", "qcow2", compress=True)


def qcow2_zstd(folder: Path) -> Path:
    raw = noise(folder / "raw", 3 * MIB, "h")
    return convert(raw, folder / "disk", "qcow2", ("compression_type=zstd",), compress=True)


def qcow2_backed(folder: Path) -> Path:
    noise(folder / "base", MIB, "base")
    return create(folder / "disk", "qcow2", 3 * MIB, backing=("base", "raw"))


def vmdk(folder: Path) -> Path:
    image = create(folder / "disk", "vmdk", 3 * MIB)
    scribble(image, "vmdk", 3 * MIB, "hostile", 20)
    return image


def vmdk_stream(folder: Path) -> Path:
    write_stream(folder / "disk", noise(folder / "raw", 3 * MIB, "h").read_bytes())
    return folder / "disk"


def vmdk_esx(folder: Path) -> Path:
    write_cowd(folder, noise(folder / "raw", 3 * MIB, "h").read_bytes())
    return folder / "disk-delta.vmdk"


def vmdk_descriptor(folder: Path) -> Path:
    return create(folder / "disk", "vmdk", 3 * MIB, "subformat=twoGbMaxExtentSparse")


def vhd(folder: Path) -> Path:
    image = create(folder / "disk", "vhd", 3 * MIB, "force_size=on")
    scribble(image, "vhd", 3 * MIB, "hostile", 5)
    return image


def vhd_fixed(folder: Path) -> Path:
    return create(folder / "disk", "vhd", MIB, "subformat=fixed", "force_size=on")


def vhd_differencing(folder: Path) -> Path:
    base = create(folder / "base", "vhd", 3 * MIB, "force_size=on")
    write_differencing_vhd(folder / "disk", base, random_sectors(3 * MIB, "h", 5), locator=".\\base")
    return folder / "disk"


def vhdx(folder: Path) -> Path:
    image = create(folder / "disk", "vhdx", 3 * MIB, "block_size=1M")
    scribble(image, "vhdx", 3 * MIB, "hostile", 5)
    return image


def vhdx_log(folder: Path) -> Path:
    into_the_log(vhdx(folder), [3 * MIB, 5 * MIB], [])
    return folder / "disk"


def vhdx_differencing(folder: Path) -> Path:
    base = create(folder / "base", "vhdx", 3 * MIB)
    sectors = random_sectors(3 * MIB, "h", 5)
    write_differencing_vhdx(folder / "disk", base, 3 * MIB, sectors, whole=set(), zero={2})
    return folder / "disk"


def vdi(folder: Path) -> Path:
    image = create(folder / "disk", "vdi", 3 * MIB)
    scribble(image, "vdi", 3 * MIB, "hostile", 5)
    return image


MAKERS = (qcow2, qcow2_small, qcow2_packed, qcow2_zstd, qcow2_backed, vmdk, vmdk_stream, vmdk_esx, vmdk_descriptor, vhd,
          vhd_fixed, vhd_differencing, vhdx, vhdx_log, vhdx_differencing, vdi)  # fmt: skip


def structures(raw: bytes) -> list[int]:
    """Offsets of 8 bytes where structures are likely to lie: not zero, not noise."""
    places = []
    for at in range(0, len(raw) - 8, 4):
        word = raw[at : at + 8]
        if any(word) and (word.count(0) >= 2 or word.isascii() or at < 4096 or at > len(raw) - 2048):
            places.append(at)
    return places


def changed(raw: bytes, places: list[int], source: random.Random) -> bytes:
    """One to four numbers replaced, the checksums of VHD mended, and sometimes the file cut or grown."""
    new = bytearray(raw)
    for _ in range(source.randrange(1, 5)):
        at = source.choice(places[:400] if source.random() < 0.6 else places)
        width, order = source.choice((1, 2, 4, 8)), source.choice(("little", "big"))
        value = source.choice(NASTY) if source.random() < 0.7 else source.getrandbits(64)
        new[at : at + width] = (value & (1 << 8 * width) - 1).to_bytes(width, order)  # type: ignore[arg-type]  # one of the two words
    for at, length, place in ((0, 512, 64), (len(new) - 512, 512, 64), (512, 1024, 36)):
        if new[at : at + 8] in (b"conectix", b"cxsparse") and source.random() < 0.8:
            new[at + place : at + place + 4] = bytes(4)
            new[at + place : at + place + 4] = (~sum(new[at : at + length]) & 0xFFFFFFFF).to_bytes(4, "big")
    if source.random() < 0.15:
        del new[source.randrange(len(new)) :]
    elif source.random() < 0.1:
        new += source.randbytes(source.randrange(5000))
    return bytes(new)


def look(image: Path, name: str) -> None:
    """Open the image and read here and there; whatever it is, it ends in time, and only an ImageError is raised."""
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        disk = open_disk(str(image), name)
    except ImageError as error:
        assert "\n" not in str(error)
        return
    try:
        for at, length in (*READS, (max(0, disk.size - 5000), 5000), (disk.size // 2, 65536)):
            try:
                assert len(disk.read(at, max(0, min(length, disk.size - at)))) == max(0, min(length, disk.size - at))
            except ImageError as error:
                assert "\n" not in str(error)
    finally:
        disk.close()
        signal.setitimer(signal.ITIMER_REAL, 0)


@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
def test_changed_structures(make: object, tmp_path: Path) -> None:
    assert callable(make)
    image: Path = make(tmp_path)
    name = make.__name__.partition("_")[0]
    raw = image.read_bytes()
    places = structures(raw)
    source = random.Random(make.__name__)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(TRIALS if len(raw) < 6 * MIB else TRIALS // 3):
        image.write_bytes(changed(raw, places, source))
        look(image, source.choice(("auto", name)))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MEMORY


@pytest.mark.parametrize("name", ["qcow2", "vmdk", "vhd", "vhdx", "vdi"])
def test_noise_behind_a_magic_number(name: str, tmp_path: Path) -> None:
    heads = {
        "qcow2": b"QFI\xfb\0\0\0\3", "vmdk": b"KDMV\1\0\0\0", "vhd": b"conectix", "vhdx": b"vhdxfile",
        "vdi": bytes(64) + b"\x7f\x10\xda\xbe\1\0\1\0",
    }  # fmt: skip
    source = random.Random(name)
    for size in (1, 100, 511, 512, 513, 5000, 300_000):
        for _ in range(10):
            (tmp_path / "disk").write_bytes((heads[name] + source.randbytes(size))[:size])
            look(tmp_path / "disk", name)
            look(tmp_path / "disk", "auto")


def test_tables_of_a_huge_sparse_file_cost_nothing(tmp_path: Path) -> None:
    """What is claimed is in the file, which has 2^61 bytes and no blocks: a few pages of it are read."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    image = create(tmp_path / "disk", "qcow2", MIB, "cluster_size=2M")
    raw = bytearray(image.read_bytes())
    raw[24:32] = (1 << 59).to_bytes(8, "big")
    raw[36:40] = (1 << 22).to_bytes(4, "big")
    image.write_bytes(raw)
    with image.open("r+b") as file:
        file.truncate(1 << 42)
    look(image, "auto")
    image = create(tmp_path / "vdi", "vdi", MIB)
    raw = bytearray(image.read_bytes())
    raw[368:376] = (0xFFFFFFFE << 20).to_bytes(8, "little")
    raw[384:388] = (0xFFFFFFFF).to_bytes(4, "little")
    image.write_bytes(raw)
    with image.open("r+b") as file:
        file.truncate(1 << 42)
    look(image, "auto")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MEMORY


def test_a_cluster_that_unpacks_to_gigabytes_costs_a_cluster(tmp_path: Path) -> None:
    import zlib

    image = convert(noise(tmp_path / "raw", MIB, "bomb"), tmp_path / "disk", "qcow2", compress=True)
    packer = zlib.compressobj(9, zlib.DEFLATED, -12)
    bomb = packer.compress(bytes(64 * MIB)) + packer.flush()
    raw = image.read_bytes()
    table = int.from_bytes(raw[40:48], "big")
    second = int.from_bytes(raw[table : table + 8], "big") & 0x00FF_FFFF_FFFF_FE00
    at = len(raw) + (-len(raw) % 512)
    entry = 1 << 62 | (-(-len(bomb) // 512) - 1) << 54 | at
    entries = entry.to_bytes(8, "big") * 16
    image.write_bytes(
        (raw[:second] + entries + raw[second + len(entries) :]).ljust(at, b"\0") + bomb.ljust(70_000, b"\0")
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    disk = open_disk(str(image))
    assert disk.read(0, MIB) == bytes(MIB)
    disk.close()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60 << 10
