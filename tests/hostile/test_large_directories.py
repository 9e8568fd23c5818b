"""Directories of thousands of names, partitions that are all the same: seconds, not minutes."""

from __future__ import annotations

import json
import os
import random
import re
import struct
import subprocess
from pathlib import Path

import pytest

from pvgrub_sim import inspect_image, list_directory
from tests.hostile.conftest import Unpack
from tests.hostile.limits import limited
from tests.tools import run

NAMES = 2500


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ext2 image with 2500 files and a folder in one folder."""
    root = tmp_path_factory.mktemp("crowd")
    folder = root / "tree" / "crowd"
    (folder / "below").mkdir(parents=True)
    for number in range(NAMES):
        (folder / f"file-{number:05}").write_bytes(b"x" * (number % 7))
    image = root / "crowd.img"
    command = [
        "mke2fs",
        "-q",
        "-t",
        "ext2",
        "-b",
        "1024",
        "-I",
        "128",
        "-N",
        "3000",
        "-d",
        str(root / "tree"),
        str(image),
    ]
    subprocess.run([*command, "8M"], check=True)
    return image


def test_every_name_is_opened(crowd: Path) -> None:
    entries = {entry.name: entry for entry in list_directory(crowd, "(hd0)/crowd/")}
    assert len(entries) == NAMES + 1
    assert entries["below"].kind == "directory"
    for number in range(NAMES):
        entry = entries[f"file-{number:05}"]
        assert (entry.kind, entry.size, entry.error) == ("file", number % 7, "")


def test_one_listing_is_as_many_single_ones(crowd: Path) -> None:
    """A name that is opened by itself gives what it gives among the others."""
    entries = {entry.name: entry for entry in list_directory(crowd, "(hd0)/crowd/")}
    for name in ("file-00000", "file-00006", "file-02499"):
        assert list_directory(crowd, f"(hd0)/crowd/{name}") == [entries[name]]


def test_listing_takes_seconds(crowd: Path) -> None:
    assert limited(["ls", "-l", str(crowd), "(hd0)/crowd/"], seconds=5).out.count(b"\n") == NAMES + 1


def test_the_same_partition_128_times(hostile: Unpack) -> None:
    image = hostile("res-gpt128-bigdir.img")
    told = json.loads(limited(["boot", "--format", "json", str(image)]).out)
    assert told["findings"]
    assert limited(["inspect", str(image)], seconds=10).status == 0
    limited(["aki", "recommend", str(image)])
    limited(["ls", "-l", str(image), "(hd0,0)/boot/"])
    survey = inspect_image(image)
    assert len(survey.partitions) == 128
    assert all(volume.contents == survey.partitions[0].contents for volume in survey.partitions)
    assert survey.partitions[0].contents[0].files


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ext2 image with one kernel that no loader takes, under 400 names, no two blocks of it side by side."""
    root = tmp_path_factory.mktemp("kernels")
    boot = root / "tree" / "boot"
    (boot / "grub").mkdir(parents=True)
    (boot / "grub" / "menu.lst").write_text("default 0\ntimeout 0\ntitle x\nroot (hd0)\nkernel /boot/vmlinuz-1 ro\n")
    (boot / "vmlinuz-0").write_bytes(b"\x7fELF" + b"k" * (12 << 20))
    for number in range(1, 400):
        os.link(boot / "vmlinuz-0", boot / f"vmlinuz-{number}")
    image = root / "kernels.img"
    run("mke2fs", "-q", "-t", "ext2", "-b", "1024", "-I", "128", "-d", str(root / "tree"), str(image), "24M")
    told = run("debugfs", "-R", "imap /boot/vmlinuz-0", str(image)).decode()
    block, offset = re.findall(r"block (\d+), offset 0x([0-9a-f]+)", told)[0]
    data = bytearray(image.read_bytes())
    (double,) = struct.unpack_from("<I", data, int(block) * 1024 + int(offset, 16) + 40 + 13 * 4)
    for indirect in filter(None, struct.unpack_from("<256I", data, double * 1024)):
        pointers = struct.unpack_from("<256I", data, indirect * 1024)
        struct.pack_into("<256I", data, indirect * 1024, *(pointers[at ^ 1] for at in range(256)))
    image.write_bytes(data)
    return image


@pytest.mark.parametrize("words", [["boot"], ["inspect"], ["aki", "recommend"]], ids=" ".join)
def test_a_kernel_of_many_names_and_pieces(words: list[str], kernels: Path) -> None:
    limited([*words, str(kernels)], seconds=15, mib=250)


def test_an_entry_with_a_kernel_under_thousands_of_paths(tmp_path: Path) -> None:
    """Each path is looked at, and what was read of each is not kept: 2,500 times 64 KiB."""
    grub = tmp_path / "tree" / "boot" / "grub"
    grub.mkdir(parents=True)
    (grub.parent / "k").write_bytes(random.Random(1).randbytes(70_000))
    paths = ("/" * (1 + number % 50) + "boot" + "/" * (1 + number // 50) + "k" for number in range(2500))
    menu = ["default 0", "timeout 0", "title x", "root (hd0)", *(f"kernel {path} ro" for path in paths)]
    (grub / "menu.lst").write_text("\n".join(menu) + "\n")
    image = tmp_path / "disk.img"
    run("mke2fs", "-q", "-t", "ext2", "-d", str(tmp_path / "tree"), str(image), "4M")
    limited(["boot", str(image)], mib=150)
