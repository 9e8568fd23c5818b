"""Partition tables, whole filesystems and boot disks, held against sfdisk, sgdisk, e2fsck and debugfs."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from pvgrub_sim import boot
from pvgrub_sim.errors import RepairError
from pvgrub_sim.repair.bootdisk import make_boot_disk
from pvgrub_sim.repair.copy import allocated, copy_image
from pvgrub_sim.repair.excerpt import change_alone, without_feature_64bit
from pvgrub_sim.repair.table import add_hybrid_mbr, gpt_partitions, partitions, set_type
from pvgrub_sim.repair.target import Stretch
from pvgrub_sim.repair.tools import Tools
from tests.kernel_images import Elf, bzimage, payload
from tests.repair.test_writers import ext_file
from tests.tools import run


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture
def tools(work: Path) -> Tools:
    return Tools(work)


def test_a_copy_takes_no_more_room_than_the_image(tmp_path: Path) -> None:
    image = tmp_path / "a.img"
    with image.open("wb") as file:
        file.truncate(1 << 30)
        os.pwrite(file.fileno(), random.Random(1).randbytes(1 << 20), 500 << 20)
    copy_image(image, tmp_path / "b.img")
    assert (tmp_path / "b.img").stat().st_size == 1 << 30
    assert allocated(tmp_path / "b.img") <= allocated(image) + (64 << 10)
    with (tmp_path / "b.img").open("rb") as file:
        assert os.pread(file.fileno(), 1 << 20, 500 << 20) == random.Random(1).randbytes(1 << 20)


def test_a_copy_writes_over_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.img").write_bytes(b"a")
    (tmp_path / "b.img").write_bytes(b"b")
    with pytest.raises(RepairError, match="exists"):
        copy_image(tmp_path / "a.img", tmp_path / "b.img")
    assert (tmp_path / "b.img").read_bytes() == b"b"


def test_a_type_changes_and_nothing_else(tmp_path: Path, work: Path, tools: Tools) -> None:
    image = tmp_path / "disk1.img"
    with image.open("wb") as file:
        file.truncate(64 << 20)
    table = b"label: dos\nstart=2048,size=8192,type=82\nsize=8192,type=5\nstart=12288,type=83\n"
    run("sfdisk", "-q", image, stdin=table)
    before = partitions(image, tools)
    set_type(image, 1, "83", tools)
    after = partitions(image, tools)
    assert [part.type for part in before] == ["82", *(part.type for part in after[1:])]
    assert after[0].type == "83" and [part[:3] for part in after] == [part[:3] for part in before]


def test_a_hybrid_mbr_leaves_the_gpt_as_it_is(tmp_path: Path, work: Path, tools: Tools) -> None:
    image = tmp_path / "disk.img"
    with image.open("wb") as file:
        file.truncate(64 << 20)
    run("sgdisk", *(f"-n{number}:0:+8M" for number in range(1, 6)), str(image))
    before = gpt_partitions(image, tools)
    add_hybrid_mbr(image, (1, 5), tools)
    assert gpt_partitions(image, tools) == before and len(before) == 5
    assert run("sgdisk", "-v", str(image)).count(b"No problems found") == 1
    with pytest.raises(RepairError):
        add_hybrid_mbr(image, (1, 2, 3, 4), tools)


@pytest.mark.parametrize("offset", [0, 1 << 20])
def test_64bit_goes_and_every_file_stays(tmp_path: Path, work: Path, tools: Tools, offset: int) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    data = random.Random(2).randbytes(300_000)
    (tree / "file").write_bytes(data)
    alone = tmp_path / "alone.img"
    run("mke2fs", "-q", "-F", "-t", "ext4", "-O", "64bit", "-d", str(tree), str(alone), "16M")
    image = tmp_path / "disk.img"
    image.write_bytes(bytes(offset) + alone.read_bytes() + bytes(offset))
    where = Stretch(image, offset, 16 << 20)
    change_alone(where, tools, without_feature_64bit)
    device = f"{image}?offset={offset}" if offset else str(image)
    assert "64bit" not in run("dumpe2fs", "-h", device).decode().partition("Filesystem features:")[2].splitlines()[0]
    run("e2fsck", "-fn", device)
    assert ext_file(where, "/file") == data
    assert image.stat().st_size == (16 << 20) + 2 * offset
    assert not list(work.iterdir())


def test_a_boot_disk_boots(tmp_path: Path, work: Path, tools: Tools) -> None:
    menu, kernel = work / "f0", work / "f1"
    menu.write_text("timeout 0\ntitle x\nroot (hd0)\nkernel /boot/vmlinuz console=hvc0\n")
    kernel.write_bytes(bzimage(payload("gzip", Elf(bits=64).build())))
    disk = tmp_path / "boot.img"
    make_boot_disk(disk, {"/boot/grub/menu.lst": menu, "/boot/vmlinuz": kernel}, tools)
    for version in ("amazon-1.01", "amazon-1.05", "xen-4.17"):
        verdict = boot(disk, pvgrub=version, config="(hd0)/boot/grub/menu.lst" if version.startswith("xen") else None)
        assert verdict.boots_default, verdict.console
    assert ext_file(Stretch(disk, 0, 0), "/boot/vmlinuz") == kernel.read_bytes()
