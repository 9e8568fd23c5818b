"""What scripts do to whole filesystems: on a copy, in place only when it is sound, and what was there is kept."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pvgrub_sim import boot
from pvgrub_sim.findings.remedies import on_copy
from pvgrub_sim.repair.copy import allocated
from tests.findings.hostile_names import SHELLS
from tests.findings.test_field_cases import UUID, kernel
from tests.repair.test_as_people_make_them import in_partition, tree
from tests.tools import require, run

MIB = 1 << 20
MENU = "timeout 0\ntitle x\nroot {}\nkernel /boot/vmlinuz root=LABEL=x console=hvc0\n"
SLACK = random.Random(7).randbytes(700)
"""Bytes behind the end of a filesystem, within its partition."""


def todays(folder: Path, *, partitioned: bool) -> Path:
    """A disk with ext4 as it is made today, 32 MiB with holes, and with something behind the filesystem's end."""
    files = {"boot/vmlinuz": kernel(), "boot/grub/menu.lst": MENU.format("(hd0,0)" if partitioned else "(hd0)")}
    volume = folder / "v.img"
    run("mkfs.ext4", "-q", "-b", "1024", "-U", UUID, "-d", tree(folder, files), volume, "28M")
    image = folder / "disk.img"
    if partitioned:
        in_partition(image, volume, 32 * MIB, start=63, table="label: dos\nstart=63,size=61440,type=83\n")
    else:
        image.write_bytes(b"")
        os.truncate(image, 32 * MIB)
        with image.open("r+b") as file:
            file.write(volume.read_bytes())
    with image.open("r+b") as file:
        file.seek(29 * MIB)
        file.write(SLACK)
    volume.unlink()
    run("fallocate", "-d", image)
    return image


def pasted(script: str, folder: Path, shell: str, stub: tuple[str, str] = ("", "")) -> subprocess.CompletedProcess[str]:
    """Run a script as if it was pasted. stub: a tool, and the shell script that stands for it."""
    places = [str(Path(sys.executable).parent), os.environ["PATH"], "/usr/sbin", "/sbin"]
    if stub[0]:
        (folder / "bin").mkdir()
        (folder / "bin" / stub[0]).write_text(f"#!/bin/sh\n{stub[1]}\n")
        (folder / "bin" / stub[0]).chmod(0o755)
        places.insert(0, str(folder / "bin"))
    environment = {**os.environ, "PATH": os.pathsep.join(places)}
    command = [require(shell), "-c", script]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


SCRIBBLE = 'for last; do :; done; printf garbage | dd of="$last" bs=1 seek=1024 conv=notrunc status=none; '
BREAKING = {
    "e2fsck-fails": ("e2fsck", f"{SCRIBBLE}exit 8"),
    "e2fsck-killed": ("e2fsck", f"{SCRIBBLE}kill -9 $$"),
    "not-clean-behind-it": ("e2fsck", 'case "$*" in *-n*) exit 4 ;; esac; exit 1'),
    "resize2fs-fails": ("resize2fs", f"{SCRIBBLE}exit 1"),
    "resize2fs-lies": ("resize2fs", f"{SCRIBBLE}exit 0"),
}


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(("partitioned", "how"), [(bool(number % 2), how) for number, how in enumerate(BREAKING)])
def test_a_tool_that_fails_half_way_leaves_the_image_as_it_was(
    partitioned: bool, how: str, shell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    image = todays(tmp_path, partitioned=partitioned)
    plan = boot(image.name).plan
    assert plan is not None and plan.proven and plan.steps[0].rules == ("ext4-64bit",)
    before, modified = image.read_bytes(), image.stat().st_mtime_ns
    done = pasted(plan.script, tmp_path, shell, BREAKING[how])
    assert done.returncode == 1 and "step 1 did not work, and nothing was done after it" in done.stderr
    assert image.read_bytes() == before and image.stat().st_mtime_ns == modified


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("partitioned", [False, True])
def test_the_original_is_kept_and_holes_stay_holes(
    partitioned: bool, shell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    image = todays(tmp_path, partitioned=partitioned)
    before, room = image.read_bytes(), allocated(image)
    plan = boot(image.name).plan
    assert plan is not None
    done = pasted(plan.script, tmp_path, shell)
    assert done.returncode == 0, done.stderr
    assert boot(image.name).boots_default
    after = image.read_bytes()
    assert len(after) == len(before) and after[28 * MIB + 63 * 512 :] == before[28 * MIB + 63 * 512 :]
    start = 63 * 512 if partitioned else 0
    kept = (tmp_path / "pvgrub-sim.work/part.orig.img").read_bytes()
    assert kept == before[start:][: len(kept)] and len(kept) >= 28 * MIB
    assert after[:start] == before[:start]
    assert allocated(image) <= room * 1.05 + MIB
    run("e2fsck", "-fn", f"{image}?offset={start}")
    assert not (tmp_path / "pvgrub-sim.work/part.img").exists()


@pytest.mark.parametrize("shell", SHELLS)
def test_what_cannot_be_written_back_is_said(shell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The image is another one than dd was told to write: the copy beside is the new one, and what was is kept."""
    monkeypatch.chdir(tmp_path)
    image = todays(tmp_path, partitioned=True)
    before = image.read_bytes()
    plan = boot(image.name).plan
    assert plan is not None
    real = shutil.which("dd")
    done = pasted(plan.script, tmp_path, shell, ("dd", f'case "$*" in *of=disk.img*) exit 1 ;; esac; exec {real} "$@"'))
    assert done.returncode == 1
    assert (tmp_path / "pvgrub-sim.work/part.orig.img").read_bytes() == before[63 * 512 : 63 * 512 + 61440 * 512]
    run("e2fsck", "-fn", "pvgrub-sim.work/part.img")


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("how", ["many", "large"])
def test_what_comes_out_of_a_btrfs_is_bounded(
    how: str, shell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stub of btrfs that writes on for ever, one file without end or files without end."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(on_copy, "LARGEST_FOLDER", 3000)
    home = tree(tmp_path, {"boot/vmlinuz": kernel(), "boot/grub/menu.lst": MENU.format("(hd0)")})
    run("mkfs.btrfs", "-q", "-r", home, "a.img")
    plan = boot("a.img").plan
    assert plan is not None and "btrfs restore" in plan.script
    one = 'for last; do :; done; n=0; while :; do n=$((n+1)); head -c 100000 /dev/zero > "$last/$n"; done'
    writes = {"many": one, "large": 'for last; do :; done; exec cat /dev/zero > "$last/all"'}[how]
    done = pasted(plan.script, tmp_path, shell, ("btrfs", writes))
    assert done.returncode == 1 and "step 1 did not work" in done.stderr
    assert how == "large" or "comes out of the image" in done.stderr
    taken = sum(path.lstat().st_size for path in (tmp_path / "pvgrub-sim.work/tree").iterdir())
    assert taken < 2000 << 20 if how == "many" else taken <= 3000 << 10
    assert not (tmp_path / "boot.img").exists()


@pytest.mark.parametrize("shell", SHELLS)
def test_a_partition_table_is_kept(shell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    files = {"boot/vmlinuz": kernel(), "boot/grub/menu.lst": MENU.format("(hd0,0)")}
    run("mke2fs", "-q", "-F", "-t", "ext3", "-d", tree(tmp_path, files), "v.img", "8M")
    image = in_partition(tmp_path / "disk.img", Path("v.img"), 12 * MIB, table="label: dos\nstart=2048,type=82\n")
    before = image.read_bytes()
    plan = boot(image.name).plan
    assert plan is not None and plan.proven
    done = pasted(plan.script, tmp_path, shell)
    assert done.returncode == 0 and boot(image.name).boots_default, done.stderr
    run("sfdisk", "-q", image, stdin=Path("pvgrub-sim.work/table.orig").read_bytes())
    assert image.read_bytes()[:512] == before[:512]
