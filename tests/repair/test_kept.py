"""What stays as it was: attributes of replaced files, files under other names, and the host's own room."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pvgrub_sim import boot, fix
from pvgrub_sim.errors import RepairError
from pvgrub_sim.media.sources.file import RawDisk
from pvgrub_sim.repair import btrfs, tools
from pvgrub_sim.repair.inventory import inventory, losses
from tests.findings.test_field_cases import ext3, kernel
from tests.findings.test_rules import paste
from tests.tools import require, run

LABEL = b"system_u:object_r:boot_t:s0\0"
MENU = "timeout 0\ntitle x\nroot (hd0)\nkernel /boot/VMLINUZ root=LABEL=x console=hvc0\n"


def labelled(folder: Path) -> Path:
    """An image whose menu has SELinux's label and another attribute."""
    image = ext3(folder / "a.img", {"boot/vmlinuz": kernel(), "boot/grub/menu.lst": MENU})
    (folder / "label").write_bytes(LABEL)
    commands = "ea_set -f label /boot/grub/menu.lst security.selinux\nea_set /boot/grub/menu.lst user.note mine\n"
    subprocess.run([require("debugfs"), "-w", "-f", "-", image], input=commands.encode(), cwd=folder, check=True)
    return image


def attributes(image: Path) -> list[str]:
    said = run("debugfs", "-R", "ea_list /boot/grub/menu.lst", image).decode().splitlines()
    return sorted(line.strip() for line in said if " (" in line)


def test_extended_attributes_of_a_file_that_is_replaced_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    image = labelled(tmp_path)
    before = attributes(image)
    assert len(before) == 2
    assert fix(image.name, "out.img").mended
    assert attributes(tmp_path / "out.img") == before
    verdict = boot(image.name)
    assert verdict.plan is not None
    paste(verdict.plan.script, tmp_path)
    assert boot(image.name).boots_default and attributes(image) == before
    run("e2fsck", "-fn", image)


@pytest.mark.parametrize("shell", ["bash", "dash"])
def test_a_file_that_arrives_wrong_is_taken_away_again(
    shell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    image = labelled(tmp_path)
    verdict = boot(image.name)
    assert verdict.plan is not None
    (tmp_path / "bin").mkdir()
    cmp = tmp_path / "bin/cmp"
    cmp.write_text("#!/bin/sh\nexit 1\n")
    cmp.chmod(0o755)
    folders = [str(cmp.parent), str(Path(sys.executable).parent), os.environ["PATH"], "/usr/sbin", "/sbin"]
    environment = {**os.environ, "PATH": os.pathsep.join(folders)}
    script = verdict.plan.script
    done = subprocess.run([require(shell), "-c", script], env=environment, check=False, capture_output=True)
    assert done.returncode == 1 and b"step 1 did not work" in done.stderr
    assert b"pvgrub-sim.new" not in run("debugfs", "-R", "ls -l /", image)
    assert run("debugfs", "-R", "cat /boot/grub/menu.lst", image).decode() == MENU
    run("e2fsck", "-fn", image)


def lost(image: Path, commands: str) -> list[str]:
    """What an image has lost by commands of debugfs."""
    copy = image.with_name("copy.img")
    shutil.copy(image, copy)
    run("debugfs", "-w", "-f", "-", copy, stdin=commands.encode())
    was, now = RawDisk(str(image)), RawDisk(str(copy))
    try:
        return losses(inventory(image), inventory(copy), was, now)
    finally:
        was.close()
        now.close()


def test_a_name_that_has_gone_is_looked_for_by_content(tmp_path: Path) -> None:
    image = ext3(tmp_path / "a.img", {"a": b"one", "b": b"two", "folder/c": b"six"}, links={"l": "to", "m": "at"})
    assert not lost(image, "ln a d\nunlink a\n")
    assert not lost(image, "ln l k\nunlink l\n")
    assert lost(image, "rm a\n") == ["/a on the volume at byte 0"], "another file of three bytes is not the same"
    assert lost(image, "rm l\n") == ["/l on the volume at byte 0"]
    assert set(lost(image, "rm folder/c\nrmdir folder\n")) == {
        "/folder on the volume at byte 0",
        "/folder/c on the volume at byte 0",
    }


def test_a_btrfs_writes_no_more_than_it_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require("btrfs")
    monkeypatch.chdir(tmp_path)
    tree = tmp_path / "tree"
    (tree / "boot/grub").mkdir(parents=True)
    (tree / "boot/vmlinuz").write_bytes(kernel() + os.urandom(3 << 20))
    (tree / "boot/grub/menu.lst").write_text(MENU)
    run("mkfs.btrfs", "-q", "-r", tree, "a.img")
    monkeypatch.setattr(btrfs, "LARGEST_FOLDER", 1 << 20)
    monkeypatch.setattr(tools, "WATCHED_EVERY", 0.01)
    fixed = fix("a.img", "out.img")
    assert not fixed.mended and [step.ok for step in fixed.steps] == [False]
    assert not list(tmp_path.glob(".pvgrub-sim.*"))
    with pytest.raises(RepairError, match="more than 1 MiB"):
        work = tmp_path / "work"
        work.mkdir()
        tools.Tools(work).run("btrfs", "restore", "../a.img", ".", writes=tools.Written(work, 1 << 20))


def test_a_journal_is_replayed_on_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """e2fsck works on the image itself in no script, and what it leaves unclean does not come back."""
    monkeypatch.chdir(tmp_path)
    image = ext3(Path("a.img"), {"boot/vmlinuz": kernel(), "boot/grub/menu.lst": MENU})
    run("debugfs", "-w", "-R", "feature needs_recovery", image)
    (found,) = [one for one in boot(image).findings if one.rule == "journal-needs-recovery"]
    checks = [line for line in found.remedy.splitlines() if "e2fsck" in line]
    assert checks and all("pvgrub-sim.work/part.img" in line for line in checks)
    assert "-f -n" in checks[-1]
    paste(found.remedy, tmp_path)
    assert "needs_recovery" not in run("dumpe2fs", "-h", image).decode()
    run("e2fsck", "-fn", image)
