"""Where the survey gives up, or cannot follow a path: what it did not see is no reason to write anything."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest

from fuzz.invariants import sound
from fuzz.starving import budgets
from pvgrub_sim import boot, inspect_image, list_directory
from tests.images import unpack_sparse
from tests.kernel_images import Elf
from tests.tools import run

RULES = Path(__file__).parents[2] / "fixtures" / "rules"
MENDED = ("menu-at-grub", "initrd-gone", "fat-grub2", "ext4-holes")


@pytest.mark.parametrize("name", MENDED)
def test_a_plan_or_none(name: str, tmp_path: Path) -> None:
    image = unpack_sparse(RULES / f"{name}.img.zst", tmp_path / "image")
    full = boot(image)
    assert full.plan is not None and full.plan.proven
    plans = set()
    for units in (1, 2, 5, 9, 14, 20, 28, 40, 60, 100, 300, 40_000):
        with budgets(units=units):
            told = boot(image)
        sound(told, full)
        plans.add(told.plan)
    for kept in (100, 120, 150, 200):
        with budgets(kept=kept, names=kept // 8):
            sound(boot(image), full)
    assert plans == {None, full.plan}


def test_a_survey_says_that_it_gave_up(tmp_path: Path) -> None:
    image = unpack_sparse(RULES / "menu-at-grub.img.zst", tmp_path / "image")
    assert not inspect_image(image).given_up
    with budgets(units=5):
        assert inspect_image(image).given_up


@pytest.fixture
def folder_damaged(tmp_path: Path) -> Path:
    """An ext2 image whose /boot/grub, with a menu in it, has a first entry of length 0."""
    tree = tmp_path / "tree" / "boot"
    (tree / "grub").mkdir(parents=True)
    (tree / "vmlinuz-6.1").write_bytes(Elf().build())
    (tree / "grub" / "menu.lst").write_text("title theirs\nkernel /boot/vmlinuz-6.1\n")
    (tmp_path / "tree" / "etc").mkdir()
    (tmp_path / "tree" / "sbin").mkdir()
    image = tmp_path / "ext.img"
    run("mke2fs", "-q", "-t", "ext2", "-b", "1024", "-L", "root", "-d", tmp_path / "tree", image, "8M")
    block = int(re.findall(r"\d+", run("debugfs", "-R", "blocks /boot/grub", image).decode())[0])
    with image.open("r+b") as file:
        file.seek(block * 1024 + 4)
        file.write(struct.pack("<H", 0))
    return image


def test_nothing_is_put_where_something_may_be(folder_damaged: Path) -> None:
    told = boot(folder_damaged)
    texts = [finding.remedy for finding in told.findings] + [told.plan.script if told.plan else ""]
    assert not any("menu.lst" in line and line[0] != "#" for text in texts for line in text.splitlines())
    assert any("/boot/grub/menu.lst" in finding.remedy for finding in told.findings)


def test_a_directory_that_is_longer_than_one_may_be_is_not_half_of_one(tmp_path: Path) -> None:
    """What lies behind the 65536 entries that the specification allows is there, and PV-GRUB reads it."""
    image = tmp_path / "fat.img"
    run("mkfs.fat", "-F", "32", "-s", "8", "-C", image, str(288 << 10))
    data = image.read_bytes()[:512]
    (reserved,), (fat_size,) = struct.unpack_from("<H", data, 14), struct.unpack_from("<I", data, 36)
    clusters = (5 << 20) // 4096
    chain = struct.pack(f"<{clusters}I", *range(3, clusters + 2), 0x0FFFFFFF)
    with image.open("r+b") as file:
        file.seek(reserved * 512 + 8)
        file.write(chain)
        file.seek((reserved + 2 * fat_size) * 512)
        file.write(b"\xe5".ljust(32, b"\0") * (clusters * 128 - 1) + b"MENU    LST\x20".ljust(32, b"\0"))
    assert "MENU.LST" in [entry.name.upper() for entry in list_directory(image, "(hd0)/", details=False)]
    survey = inspect_image(image)
    assert survey.given_up and "a larger directory" in str(survey.whole.contents)
