"""Remedies that could lose something are not offered, and several edits of one menu are one."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

from pvgrub_sim import boot
from tests.findings.cases import FIXTURES, HD00_103
from tests.findings.test_rules import of_rule, paste, unpack
from tests.images import unpack_sparse
from tests.tools import require, run

MENU = """default 0
timeout 5
title A
root (hd0)
kernel /boot/VMLINUZ root=LABEL=/ ro
initrd /boot/INITRD.img
title B
uuid 6f1d3b52-0000-4000-8000-00000000d3e0
kernel /boot/vmlinuz root=LABEL=/ ro
title C
root (hd0)
kernel /boot/vmlinuz root=LABEL=/ ro console=hvc0
"""


def with_menu(folder: Path, text: str) -> Path:
    image = unpack("images/boots", folder)
    (folder / "given").write_text(text)
    run("debugfs", "-w", "-R", "rm /boot/grub/menu.lst", image)
    run("debugfs", "-w", "-R", f"write {folder / 'given'} /boot/grub/menu.lst", image)
    return image


def gpt(folder: Path, count: int, *extra: str) -> Path:
    """A disk with a GPT whose first partition holds images/boots."""
    inner = unpack("images/boots", folder).read_bytes()
    image = folder / "gpt.img"
    image.write_bytes(bytes(48 << 20))
    parts = "".join(f"start={2048 + 8192 * number}, size=4096\n" for number in range(1, count))
    run("sfdisk", "-q", image, stdin=f"label: gpt\nstart=2048, size=8192\n{parts}".encode())
    for option in extra:
        run("sgdisk", option, image)
    data = bytearray(image.read_bytes())
    data[1 << 20 : (1 << 20) + len(inner)] = inner
    image.write_bytes(data)
    return image


def starts(image: Path) -> list[int]:
    table = json.loads(run("sfdisk", "-J", image))["partitiontable"]["partitions"]
    return sorted(part["start"] for part in table)


@pytest.mark.parametrize("count", [1, 2, 4])
def test_a_gpt_becomes_an_mbr_table_with_every_partition(
    count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    image = gpt(tmp_path, count)
    before = starts(image)
    for finding in of_rule(boot(image.name, aki=HD00_103), "gpt-before-1.04"):
        assert "sgdisk" in finding.remedy
        paste(finding.remedy, tmp_path)
    assert starts(image) == before and len(before) == count


@pytest.mark.parametrize(("count", "extra"), [(5, ()), (6, ()), (3, ("--hybrid=1",)), (2, ("--hybrid=1:EE",))])
def test_no_partition_is_dropped(
    count: int, extra: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    image = gpt(tmp_path, count, *extra)
    for finding in boot(image.name, aki=HD00_103).findings:
        assert not re.search("^sgdisk", finding.remedy, re.M)


@pytest.mark.parametrize("name", ["rules/needs-recovery", "images/ext4-today", "rules/type-82", "rules/xz-kernel"])
def test_a_truncated_image_is_not_touched(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    image = unpack(name, tmp_path)
    with image.open("r+b") as file:
        file.truncate(image.stat().st_size * 3 // 4)
    remedies = [finding.remedy for finding in boot(image.name, pvgrub="amazon-1.03").findings]
    assert any("truncated" in remedy for remedy in remedies)
    for remedy in remedies:
        assert not re.search(r"^(e2fsck|resize2fs|debugfs|sfdisk|\{ e2fsck)", remedy, re.M)


def test_a_full_filesystem_keeps_its_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    image = unpack("rules/xz-kernel", tmp_path)
    (tmp_path / "filler").write_bytes(b"\x01" * (4 << 20))
    run("debugfs", "-w", "-R", f"write {tmp_path / 'filler'} /filler", image)
    kernel = run("debugfs", "-R", "cat /boot/vmlinuz", image)
    verdict = boot(image.name, pvgrub="amazon-1.03")
    (finding,) = of_rule(verdict, "payload-unsupported")
    assert "has no room" in finding.remedy and not re.search("^[^#]", finding.remedy, re.M)
    assert run("debugfs", "-R", "cat /boot/vmlinuz", image) == kernel


def test_a_new_file_that_is_not_whole_replaces_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The filesystem fills up between the report and the remedy: debugfs writes a part, and ends with 0."""
    monkeypatch.chdir(tmp_path)
    image = unpack("rules/xz-kernel", tmp_path)
    (finding,) = of_rule(boot(image.name, pvgrub="amazon-1.03"), "payload-unsupported")
    (tmp_path / "filler").write_bytes(b"\x01" * (4 << 20))
    run("debugfs", "-w", "-R", f"write {tmp_path / 'filler'} /filler", image)
    kernel = run("debugfs", "-R", "cat /boot/vmlinuz", image)
    paste(finding.remedy, tmp_path)
    assert run("debugfs", "-R", "cat /boot/vmlinuz", image) == kernel


def test_no_volume_without_an_operating_system_is_named_as_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    image = with_menu(tmp_path, MENU)
    run("debugfs", "-w", "-R", "rm /boot/grub/menu.lst", image)
    (finding,) = of_rule(boot(image.name), "menu-not-found")
    assert "which filesystem is the root?" in finding.remedy and "root=ROOT" in finding.remedy
    assert not re.search("^[^#]", finding.remedy, re.M)


def test_several_edits_of_a_menu_are_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines are numbered in the menu that was seen: the edit is made from the bottom up, and once."""
    monkeypatch.chdir(tmp_path)
    image = with_menu(tmp_path, MENU)
    edits = [finding.remedy for finding in boot(image.name).findings if "sed -i" in finding.remedy]
    assert len(edits) >= 4 and len(set(edits)) == 1
    numbers = [int(number) for number in re.findall(r"-e '(\d+)", edits[0])]
    assert numbers == sorted(numbers, reverse=True) and len(numbers) >= 4
    paste(edits[0], tmp_path)
    once = hashlib.sha256(image.read_bytes()).digest()
    for remedy in edits[1:]:
        paste(remedy, tmp_path)
    assert hashlib.sha256(image.read_bytes()).digest() == once
    after = boot(image.name)
    assert after.boots_default and not [one for one in after.findings if one.severity == "error"]
    text = run("debugfs", "-R", "cat /boot/grub/menu.lst", image).decode()
    assert "fallback 2\ntitle A" in text and "initrd /boot/initrd.img\n" in text


def test_a_menu_that_has_changed_since_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    image = with_menu(tmp_path, MENU)
    remedy = next(finding.remedy for finding in boot(image.name).findings if "sed -i" in finding.remedy)
    again = "# another line\n" + MENU
    (tmp_path / "given").write_text(again)
    run("debugfs", "-w", "-R", "rm /boot/grub/menu.lst", image)
    run("debugfs", "-w", "-R", f"write {tmp_path / 'given'} /boot/grub/menu.lst", image)
    paste(remedy, tmp_path)
    assert run("debugfs", "-R", "cat /boot/grub/menu.lst", image).decode() == again


def test_a_file_beyond_the_folder_is_not_written(tmp_path: Path) -> None:
    require("debugfs")
    image = unpack_sparse(FIXTURES / "hostile" / "inj-tree-escape2.img.zst", tmp_path / "disk.img")
    assert not [one for one in boot(image).findings if re.search(r"^[^#].*\.\.", one.remedy, re.M)]
