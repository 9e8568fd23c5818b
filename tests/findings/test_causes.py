"""The cause that is named is the one that it is: GPT, extents, a menu on another disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from pvgrub_sim import boot, fix
from tests.findings.test_roots import boot_volume, disk, filesystem, kernel
from tests.findings.test_rules import paste
from tests.tools import run

MENU = "timeout 0\ntitle x\nroot {root}\nkernel /vmlinuz root=LABEL=x console=hvc0\n"


def rules(image: Path, **options: object) -> dict[str, str]:
    verdict = boot(image, **options)  # type: ignore[arg-type]  # options by name
    return {finding.rule: f"{finding.message} {finding.remedy}" for finding in verdict.findings}


@pytest.mark.parametrize("aki", ["pv-grub-hd0_1.03-x86_64", "pv-grub-hd00_1.03-x86_64"])
def test_a_boot_partition_of_a_hybrid_table_is_seen(aki: str, tmp_path: Path) -> None:
    """What hinders an hd0 build of 1.03 is that it looks at the whole disk alone."""
    files: dict[str, str | bytes] = {"vmlinuz": kernel(), "boot/grub/menu.lst": MENU.format(root="(hd0,0)")}
    volume = filesystem(tmp_path, "boot", files)
    image = tmp_path / "disk.img"
    image.write_bytes(bytes(24 << 20))
    run("sgdisk", "-n", "1:2048:+8M", "-n", "2:0:+4M", "--hybrid=1", image)
    with image.open("r+b") as file:
        file.seek(1 << 20)
        file.write(volume)
    found = rules(image, aki=aki)
    assert "gpt-before-1.04" not in found and ("hd00" in aki or "menu-not-found" in found)


def test_five_partitions_are_named_and_kept(tmp_path: Path) -> None:
    image = tmp_path / "disk.img"
    image.write_bytes(bytes(32 << 20))
    run("sgdisk", *(f"--new={number}:0:+4M" for number in range(1, 6)), image)
    found = rules(image, aki="pv-grub-hd00_1.03-x86_64")["gpt-before-1.04"]
    assert "partitions 1, 2, 3, 4, 5" in found and "sgdisk" not in found and "1.04" in found


@pytest.mark.parametrize("version", ["amazon-1.01", "amazon-1.02"])
def test_no_hole_is_blamed_where_no_extents_are_read(version: str, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "boot/grub").mkdir(parents=True)
    (tree / "boot/vmlinuz").write_bytes(kernel()[:1024] + bytes(16384) + kernel()[1024:])
    (tree / "boot/grub/menu.lst").write_text("title x\nroot (hd0)\nkernel /boot/vmlinuz console=hvc0\n")
    image = tmp_path / "disk.img"
    run("mke2fs", "-q", "-F", "-t", "ext4", "-O", "^64bit,^metadata_csum", "-d", tree, image, "16M")
    found = rules(image, pvgrub=version)
    assert "ext4-holes" not in found and "ext4's extents" in found["aki-outdated"]
    assert "reads block maps only" in found["ext4-extents"] and "1.03 or later" in found["ext4-extents"]
    fixed = fix(image, tmp_path / "out.img", pvgrub=version)
    assert not fixed.mended and not (tmp_path / "out.img").exists()


def test_a_menu_on_the_second_disk_is_named_by_extra(tmp_path: Path) -> None:
    second = disk(tmp_path, boot_volume(tmp_path, {"grub/menu.lst": MENU.format(root="(hd1,0)")}))
    first = tmp_path / "first.img"
    first.write_bytes(filesystem(tmp_path, "data", {"readme": "x"}))
    options = {"pvgrub": "xen-4.1", "disks": {"/dev/xvdb": second}, "device": "/dev/xvda"}
    found = rules(first, config="(hd0)/boot/grub/menu.lst", **options)
    assert 'extra = "(hd1,0)/grub/menu.lst"' in found["menu-not-found"] and "must come first" not in str(found)


def test_a_dangling_link_gives_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """boxgrinder: menu.lst leads to /boot/grub/grub.conf, which is /grub/grub.conf on a boot partition."""
    monkeypatch.chdir(tmp_path)
    files: dict[str, str | bytes] = {"vmlinuz": kernel(), "grub/grub.conf": MENU.format(root="(hd0,0)")}
    (tmp_path / "boot/grub").mkdir(parents=True)
    (tmp_path / "boot/grub/menu.lst").symlink_to("/boot/grub/grub.conf")
    image = disk(tmp_path, filesystem(tmp_path, "boot", files))
    options = {"pvgrub": "amazon-1.05", "device": "/dev/xvda"}
    found = rules(image, **options)["menu-not-found"]
    assert "/grub/menu.lst -> /boot/grub/grub.conf leads nowhere" in found
    assert fix(image, tmp_path / "out.img", **options).mended
    (finding,) = [one for one in boot(image.name, **options).findings if one.rule == "menu-not-found"]
    paste(finding.remedy, tmp_path)
    assert boot(image, **options).boots_default
    run("e2fsck", "-fn", f"{image}?offset={1 << 20}")
