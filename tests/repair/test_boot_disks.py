"""Boot disks where the build of PV-GRUB looks: with a table of one partition where it takes no whole disk."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from pvgrub_sim import boot, fix
from pvgrub_sim.cli import main
from pvgrub_sim.report.json_reader import parse
from tests.findings.hostile_names import SHELLS
from tests.findings.test_field_cases import UUID, kernel
from tests.repair.test_as_people_make_them import in_partition, tree
from tests.repair.test_on_copy import pasted
from tests.tools import require, run

MIB = 1 << 20
MENU = "default 0\ntimeout 3\ntitle Slackware\nroot {}\nkernel /boot/vmlinuz root=LABEL=slack ro console=hvc0\n"
HD0 = {"aki": "pv-grub-hd0_1.03-x86_64", "device": "/dev/sda"}
HD00 = {"aki": "pv-grub-hd00_1.03-x86_64", "device": "/dev/sda"}
EARLY = {"aki": "pv-grub-hd00_1.01-x86_64", "device": "/dev/sda"}
LATE = {"aki": "pv-grub-hd0_1.05-x86_64", "device": "/dev/sda"}


def files(root: str) -> dict[str, bytes | str]:
    return {"boot/vmlinuz": kernel(), "boot/grub/menu.lst": MENU.format(root)}


def whole(folder: Path, kind: str) -> Path:
    """A filesystem without a partition table, as most AMIs had it."""
    words = {"ext3": ["mke2fs", "-q", "-t", "ext3"], "ext4": ["mke2fs", "-q", "-t", "ext4", "-O", "^64bit"]}
    run(*words[kind], "-L", "slack", "-U", UUID, "-d", tree(folder, files("(hd0)")), folder / "disk.img", "8M")
    return folder / "disk.img"


def five_partitions(folder: Path) -> Path:
    run("mke2fs", "-q", "-t", "ext3", "-L", "slack", "-d", tree(folder, files("(hd0,0)")), folder / "v.img", "8M")
    image = folder / "disk.img"
    image.write_bytes(b"")
    os.truncate(image, 32 * MIB)
    run("sgdisk", "-n", "1:2048:+8M", *(f"-n{number}:0:+4M" for number in range(2, 6)), str(image))
    with image.open("r+b") as file:
        file.seek(MIB)
        file.write((folder / "v.img").read_bytes())
    return image


def logical(folder: Path) -> Path:
    """A menu on a partition behind the fourth, where no version of Amazon's looks for one."""
    run("mke2fs", "-q", "-t", "ext3", "-L", "slack", "-d", tree(folder, files("(hd0,4)")), folder / "v.img", "8M")
    table = "label: dos\nstart=2048,size=8192,type=83\nstart=10240,type=5\nstart=12288,size=16384,type=83\n"
    return in_partition(folder / "disk.img", folder / "v.img", 20 * MIB, start=12288, table=table)


def xfs(folder: Path) -> Path:
    """XFS 5 in a partition, filled by xfs_db's protofile."""
    from tests.findings.test_rules import unpack

    volume = unpack("rules/xfs-v5", folder).rename(folder / "v.img")
    return in_partition(folder / "disk.img", volume, volume.stat().st_size + 2 * MIB)


def btrfs(folder: Path) -> Path:
    home = tree(folder, files("(hd0,0)"))
    run("mkfs.btrfs", "-q", "-L", "slack", "-r", home, folder / "v.img")
    return in_partition(folder / "disk.img", folder / "v.img", (folder / "v.img").stat().st_size + 2 * MIB)


CASES = {
    "hd00-whole-disk": (lambda folder: whole(folder, "ext3"), HD00, 1),
    "hd00-extents": (lambda folder: whole(folder, "ext4"), EARLY, 1),
    "hd0-five-partitions": (five_partitions, HD0, None),
    "hd00-five-partitions": (five_partitions, HD00, 1),
    "logical": (logical, LATE, None),
    "hd00-xfs": (xfs, HD00, 1),
    "hd00-btrfs": (btrfs, HD00, 1),
}


@pytest.mark.parametrize("name", CASES)
def test_a_boot_disk_lies_where_the_build_looks(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require("sfdisk")
    monkeypatch.chdir(tmp_path)
    make, options, partition = CASES[name]
    image = make(tmp_path)
    before = image.read_bytes()
    fixed = fix(image.name, "out.img", **options)  # type: ignore[arg-type]  # options by name
    assert fixed.mended and len(fixed.output) == 2, [step.result for step in fixed.steps]
    assert Path("out.img").read_bytes() == before, "the image itself needs no change"
    _boots(Path("out.img.boot.img"), image, options, partition)
    plan = boot(image.name, **options).plan  # type: ignore[arg-type]  # options by name
    assert plan is not None and (plan.proven or "btrfs" in name)
    for shell in SHELLS:
        Path("boot.img").unlink(missing_ok=True)
        done = pasted(plan.script, tmp_path, shell)
        assert done.returncode == 0, done.stderr
        _boots(Path("boot.img"), image, options, partition)
    assert image.read_bytes() == before


@pytest.mark.parametrize("words", [["--pvgrub", "xen-4.4"], ["--aki", HD00["aki"]], ["--aki", "aki-ee5df7ef"], []])
def test_how_both_are_booted_is_shown_with_the_version_that_was_asked(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    image = xfs(tmp_path)
    assert main(["fix", image.name, "-o", "out.img", *words]) == 0
    (shown,) = [line for line in capsys.readouterr().out.splitlines() if line.strip().startswith("pvgrub-sim boot")]
    assert main(["boot", "--quiet", *words, "out.img.boot.img", "--disk", "/dev/sdf=out.img"]) == 0
    expected = boot("out.img.boot.img", disks={"/dev/sdf": "out.img"}, **{words[0][2:]: words[1]} if words else {})
    capsys.readouterr()
    assert main([*shown.split()[1:], "--format", "json"]) == 0
    told = parse(capsys.readouterr().out)
    assert told.boots_default and (told.profile, told.console) == (expected.profile, expected.console)


def _boots(disk: Path, image: Path, options: dict[str, Any], partition: int | None) -> None:
    """A boot disk and the image behind it boot; sfdisk and e2fsck find the disk as it should be."""
    assert boot(disk, disks={"/dev/sdf": image}, **options).boots_default
    offset = 0
    if partition is not None:
        (row,) = json.loads(run("sfdisk", "-J", disk))["partitiontable"]["partitions"]
        assert row["node"].endswith(str(partition)) and row["type"] == "83"
        offset = row["start"] * 512
    run("e2fsck", "-fn", f"{disk}?offset={offset}" if offset else disk)


@pytest.mark.parametrize("aki", [HD0, HD00])
def test_why_no_mbr_table_takes_the_place_of_five_partitions(aki: dict[str, str], tmp_path: Path) -> None:
    verdict = boot(five_partitions(tmp_path), **aki)  # type: ignore[arg-type]  # options by name
    (found,) = [one for one in verdict.findings if one.rule == "gpt-before-1.04"]
    why = "do not fit into the 4 entries" if aki is HD00 else "looks for a menu on (hd0)/boot/grub/menu.lst alone"
    assert why in found.evidence and why in found.remedy and "1.04" in found.remedy


def unwritable(folder: Path, name: str, entry: bytes) -> Path:
    """XFS 4, which PV-GRUB reads and no tool writes, with another entry of the same length in its menu."""
    from tests.findings.test_rules import unpack

    image = unpack("rules/xfs-v4", folder)
    at = image.read_bytes().index(b"root (hd0)")
    with image.open("r+b") as file:
        file.seek(at)
        file.write(entry)
    return image.rename(folder / name)


def test_a_menu_that_cannot_be_written_goes_to_a_disk_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    image = unwritable(tmp_path, "disk.img", b"root (hd1)")
    before = image.read_bytes()
    plan = boot(image.name, device="/dev/sda").plan
    assert plan is not None and plan.proven and plan.steps[0].target == "boot.img"
    assert fix(image.name, "out.img", device="/dev/sda").mended
    for shell in SHELLS:
        Path("boot.img").unlink(missing_ok=True)
        assert pasted(plan.script, tmp_path, shell).returncode == 0
        _boots(Path("boot.img"), image, {"device": "/dev/sda"}, None)
    assert image.read_bytes() == before


def test_a_disk_of_its_own_that_would_not_boot_is_not_proposed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    plan = boot(unwritable(tmp_path, "disk.img", b"halt      ").name, device="/dev/sda").plan
    assert plan is None or (not plan.proven and not [step for step in plan.steps if step.target == "boot.img"])


@pytest.mark.parametrize("shell", SHELLS)
def test_a_dangling_link_is_kept_under_another_name(
    shell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    home = tree(tmp_path, {"boot/vmlinuz": kernel(), "boot/grub/grub.conf": MENU.format("(hd0)")})
    (home / "boot/grub/menu.lst").symlink_to("../../etc/nowhere")
    run("mke2fs", "-q", "-t", "ext3", "-L", "slack", "-d", home, "disk.img", "8M")
    plan = boot("disk.img").plan
    assert plan is not None and plan.proven
    assert pasted(plan.script, tmp_path, shell).returncode == 0
    assert boot("disk.img").boots_default
    assert b"../../etc/nowhere" in run("debugfs", "-R", "stat /boot/grub/menu.lst.orig", "disk.img")
    run("e2fsck", "-fn", "disk.img")
