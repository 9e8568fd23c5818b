"""Files put into ext and FAT filesystems on images, held against what debugfs, e2fsck and mtools find there."""

from __future__ import annotations

import os
import random
import subprocess
from pathlib import Path

import pytest

from pvgrub_sim.errors import RepairError
from pvgrub_sim.repair.ext import ExtFilesystem
from pvgrub_sim.repair.fat import FatFilesystem
from pvgrub_sim.repair.target import Stretch
from pvgrub_sim.repair.tools import Tools
from tests.tools import require, run

OFFSET = 1 << 20
"""Bytes in front of the partition."""


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture
def tools(work: Path) -> Tools:
    return Tools(work)


@pytest.fixture(params=["ext2", "ext3", "ext4"])
def ext(request: pytest.FixtureRequest, tmp_path: Path) -> Stretch:
    """A filesystem of 4 MiB with /boot/grub/menu.lst, one MiB into an image."""
    tree = tmp_path / "tree"
    (tree / "boot/grub").mkdir(parents=True)
    (tree / "boot/grub/menu.lst").write_text("default 0\n")
    (tree / "boot/grub/menu.lst").chmod(0o640)
    alone = tmp_path / "alone.img"
    run("mke2fs", "-q", "-F", "-t", request.param, "-d", str(tree), str(alone), "4M")
    image = tmp_path / "disk.img"
    image.write_bytes(bytes(OFFSET) + alone.read_bytes())
    return Stretch(image, OFFSET, 4 << 20)


@pytest.fixture
def fat(tmp_path: Path) -> Stretch:
    image = tmp_path / "disk.img"
    image.write_bytes(bytes(OFFSET + (8 << 20)))
    run("mkfs.vfat", "--offset", str(OFFSET // 512), str(image), str(8 << 10))
    return Stretch(image, OFFSET, 8 << 20)


def ext_file(where: Stretch, path: str) -> bytes:
    done = subprocess.run(
        [require("debugfs"), "-R", f'cat "{path}"', f"{where.image}?offset={where.offset}"],
        capture_output=True, check=True,
    )  # fmt: skip
    return done.stdout


def test_a_file_takes_the_place_of_another_which_is_kept(ext: Stretch, work: Path, tools: Tools) -> None:
    source = work / "f0"
    source.write_text("default 1\n")
    kept = ExtFilesystem(ext, tools).put("/boot/grub/menu.lst", source)
    assert kept == "/boot/grub/menu.lst.orig"
    assert ext_file(ext, "/boot/grub/menu.lst") == b"default 1\n"
    assert ext_file(ext, kept) == b"default 0\n"
    listed = run("debugfs", "-R", "ls -l /boot/grub", f"{ext.image}?offset={OFFSET}").decode()
    assert listed.count("100640") == 2 and "menu.lst.new" not in listed
    ExtFilesystem(ext, tools).check()
    assert ext.image.read_bytes()[:OFFSET] == bytes(OFFSET)


def test_what_was_kept_before_stays(ext: Stretch, work: Path, tools: Tools) -> None:
    source = work / "f0"
    for text in ("one", "two"):
        source.write_text(text)
        ExtFilesystem(ext, tools).put("/boot/grub/menu.lst", source)
    assert ext_file(ext, "/boot/grub/menu.lst.orig") == b"default 0\n"
    assert ext_file(ext, "/boot/grub/menu.lst.orig.1") == b"one"


@pytest.mark.parametrize("name", ["/new/deep/kernel", "/a name", '/q"uote', "/$(touch PWNED)", "/!ls", "/-dash"])
def test_names_are_names(ext: Stretch, work: Path, tools: Tools, name: str) -> None:
    source = work / "f0"
    data = random.Random(name).randbytes(70_000) + bytes(20_000)
    source.write_bytes(data)
    filesystem = ExtFilesystem(ext, tools)
    assert filesystem.put(name, source) == ""
    back = work / "read"
    filesystem.read(name, back)
    assert back.read_bytes() == data
    filesystem.check()
    assert not list(work.parent.rglob("PWNED"))


@pytest.mark.parametrize("name", ["/a\nrm /boot", "/../up", "relative", "/a//b", "/a\x1b[2J", "/b\udcff", "/x" * 600])
def test_names_that_no_tool_takes_for_names_are_refused(ext: Stretch, work: Path, tools: Tools, name: str) -> None:
    source = work / "f0"
    source.write_bytes(b"x")
    before = ext.image.read_bytes()
    with pytest.raises(RepairError):
        ExtFilesystem(ext, tools).put(name, source)
    assert ext.image.read_bytes() == before


def test_a_file_that_does_not_fit_leaves_everything_as_it_was(ext: Stretch, work: Path, tools: Tools) -> None:
    source = work / "f0"
    source.write_bytes(os.urandom(5 << 20))
    before = ext.image.read_bytes()
    with pytest.raises(RepairError, match="do not fit"):
        ExtFilesystem(ext, tools).put("/boot/grub/menu.lst", source)
    assert ext.image.read_bytes() == before


def test_no_room_that_only_debugfs_notices_is_an_error(
    ext: Stretch, work: Path, tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    """debugfs ends with 0 behind `Could not allocate block`."""
    source = work / "f0"
    source.write_bytes(os.urandom(5 << 20))
    filesystem = ExtFilesystem(ext, tools)
    monkeypatch.setattr(filesystem, "_has_room", lambda size: None)
    with pytest.raises(RepairError, match="Could not allocate block"):
        filesystem.put("/boot/grub/menu.lst", source)
    assert ext_file(ext, "/boot/grub/menu.lst") == b"default 0\n"
    filesystem.check()


def test_a_link_takes_the_place_of_another(ext: Stretch, work: Path, tools: Tools) -> None:
    filesystem = ExtFilesystem(ext, tools)
    assert filesystem.link("/boot/grub/grub.conf", "menu.lst") == ""
    assert filesystem.link("/boot/grub/grub.conf", "./menu.lst") == "/boot/grub/grub.conf.orig"
    assert (
        'Fast link dest: "./menu.lst"' in run("debugfs", "-R", "stat /boot/grub/grub.conf", filesystem.device).decode()
    )
    filesystem.check()


def test_a_directory_that_is_full_grows(ext: Stretch, work: Path, tools: Tools) -> None:
    filesystem = ExtFilesystem(ext, tools)
    source = work / "f0"
    source.write_bytes(b"")
    for number in range(5):
        filesystem.put(f"/boot/grub/{number}{'n' * 240}", source)
    filesystem.put("/boot/grub/menu.lst", source)
    filesystem.check()


def test_fat_file_takes_the_place_of_another_which_is_kept(fat: Stretch, work: Path, tools: Tools) -> None:
    source = work / "f0"
    filesystem = FatFilesystem(fat, tools)
    for text in ("one", "two", "three"):
        source.write_text(text)
        filesystem.put("/boot/grub/menu.lst", source)
    listed = run("mdir", "-b", "-i", f"{fat.image}@@{OFFSET}", "::/boot/grub").decode().split()
    # A short name has no case of its own.
    names = sorted(name.rpartition("/")[2].lower() for name in listed)
    assert names == ["menu.lst", "menu.lst.orig", "menu.lst.orig.1"]
    assert run("mtype", "-i", f"{fat.image}@@{OFFSET}", "::/boot/grub/menu.lst") == b"three"
    assert run("mtype", "-i", f"{fat.image}@@{OFFSET}", "::/boot/grub/menu.lst.orig") == b"one"
    filesystem.check()


@pytest.mark.parametrize("name", ["/a*", "/[a]", "/a?b", "/a:b", "/a\\b", "/é"])
def test_fat_patterns_are_refused(fat: Stretch, work: Path, tools: Tools, name: str) -> None:
    source = work / "f0"
    source.write_bytes(b"x")
    with pytest.raises(RepairError):
        FatFilesystem(fat, tools).put(name, source)


def test_fat_file_that_does_not_fit(fat: Stretch, work: Path, tools: Tools) -> None:
    source = work / "f0"
    source.write_bytes(bytes(9 << 20))
    before = fat.image.read_bytes()
    with pytest.raises(RepairError, match="do not fit"):
        FatFilesystem(fat, tools).put("/kernel", source)
    assert fat.image.read_bytes() == before
