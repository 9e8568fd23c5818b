"""Causes that end in an error's number alone unless somebody names them: images made with mke2fs and mtools."""

from __future__ import annotations

from pathlib import Path

import pytest

from pvgrub_sim import boot, fix
from pvgrub_sim.model import Finding, Verdict
from pvgrub_sim.profiles.ami import AmiDescription
from tests.findings.cases import XEN
from tests.kernel_images import Elf, bzimage, payload
from tests.tools import run

KERNEL = bzimage(payload("gzip", Elf().build()), version=0x20C, text=b"3.10.0-made #1")


def finding(verdict: Verdict, rule: str) -> Finding:
    found = [one for one in verdict.findings if one.rule == rule]
    assert found, [one.rule for one in verdict.findings]
    return found[0]


def ext3(folder: Path, files: dict[str, bytes]) -> Path:
    tree = folder / "tree"
    for name, data in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(data)
    run("mke2fs", "-q", "-F", "-t", "ext3", "-O", "^resize_inode", "-d", str(tree), str(folder / "a.img"), "8M")
    return folder / "a.img"


SAVED = b"default saved\ntimeout 0\n" + b"".join(
    b"title %s\nroot (hd0)\nkernel /boot/vmlinuz root=LABEL=x ro console=hvc0\nsavedefault%s\n" % (name, to)
    for name, to in ((b"one", b""), (b"two", b" 0"))
)


def test_savedefault_without_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ubuntu-smoser.blogspot.com, January 2011: `default saved` on an image that has no /boot/grub/default."""
    monkeypatch.chdir(tmp_path)
    image = ext3(tmp_path, {"boot/vmlinuz": KERNEL, "boot/grub/menu.lst": SAVED})
    verdict = boot(image.name)
    found = finding(verdict, "entry-fails")
    assert "(hd0)/boot/grub/default is not there" in found.message and "grub-set-default" in found.message
    assert not finding(verdict, "fallback-missing").remedy, "entry 1 fails in the same way"
    assert fix(image.name, "out.img").mended
    after = boot("out.img")
    assert after.boots_default and not [one for one in after.findings if one.rule == "entry-fails"]
    assert "entry 1" not in finding(after, "fallback-missing").message
    assert "fallback 1" in finding(after, "fallback-missing").remedy


def test_a_fallback_is_proposed_only_when_it_boots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    entry = b"title %d\nroot (hd0)\nkernel /boot/%s root=LABEL=x ro console=hvc0\n"
    menu = b"timeout 0\n" + b"".join(entry % one for one in ((0, b"vmlinuz"), (1, b"gone"), (2, b"vmlinuz")))
    image = ext3(tmp_path, {"boot/vmlinuz": KERNEL, "boot/grub/menu.lst": menu})
    assert "fallback 2" in finding(boot(image.name), "fallback-missing").remedy


@pytest.mark.parametrize("menu", ["/vmlinuz.A", "/boot/VMLINUZ.B"])
def test_short_names_with_lower_case_flags(menu: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """mtools write `vmlinuz.A` as a short name with a flag; PV-GRUB's FAT driver makes all of it lower case."""
    monkeypatch.chdir(tmp_path)
    Path("e.img").write_bytes(bytes(16 << 20))
    run("mkfs.vfat", "-F", "16", "e.img")
    text = f"timeout 0\ntitle x\nroot (hd0)\nkernel {menu} root=LABEL=x console=hvc0\n"
    Path("kernel").write_bytes(KERNEL)
    Path("menu.lst").write_text(text)
    run("mmd", "-i", "e.img", "::boot", "::boot/grub")
    run("mcopy", "-i", "e.img", "menu.lst", "::boot/grub/menu.lst")
    run("mcopy", "-i", "e.img", "kernel", f"::{menu}")
    verdict = boot("e.img", **XEN)
    assert f"names {menu}, and the file on (hd0) is {menu.lower()}" in finding(verdict, "case-or-space-in-path").message
    assert fix("e.img", "out.img", **XEN).mended
    assert boot("out.img", **XEN).boots_default


def test_no_kernel_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """kali-cloud-build 9: no kernel package was installed."""
    monkeypatch.chdir(tmp_path)
    image = ext3(tmp_path, {"boot/grub/nothing": b"x", "sbin/init": b"x"})
    assert finding(boot(image.name), "menu-not-found").message.startswith("There is no kernel on (hd0)")


def test_nothing_is_recognised_on_a_disk_of_zeros(tmp_path: Path) -> None:
    image = tmp_path / "a.img"
    image.write_bytes(bytes(4 << 20))
    message = finding(boot(image), "menu-not-found").message
    assert message.startswith("Nothing is recognised") and "are zeros" in message


@pytest.mark.parametrize("start", [0, 1 << 20])
def test_zfs_has_its_name(start: int, tmp_path: Path) -> None:
    """omniosorg's "Creating an EC2 AMI": a pool of ZFS, by the first of its uberblocks."""
    image = tmp_path / "a.img"
    data = bytearray(8 << 20)
    at = start + (128 << 10)
    data[at : at + 16] = (0x00BAB10C).to_bytes(8, "little") + (5000).to_bytes(8, "little")
    image.write_bytes(data)
    if start:
        run("sfdisk", "-q", str(image), stdin=b"label: dos\nstart=2048,type=bf\n")
    assert "is zfs_member, which no driver" in finding(boot(image), "filesystem-unreadable").message


def test_a_truncated_image_is_not_repaired(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    image = ext3(tmp_path, {"boot/vmlinuz": KERNEL, "boot/grub/menu.lst": SAVED})
    with image.open("r+b") as file:
        file.truncate(3 << 20)
    verdict = boot(image.name)
    assert not any("e2fsck" in one.remedy for one in verdict.findings)
    assert verdict.plan is None or "e2fsck" not in verdict.plan.script
    if not verdict.boots_default:
        assert not fix(image.name, "out.img").mended


@pytest.mark.parametrize(
    ("root", "device", "named"),
    [("/dev/sda", None, "/dev/sda"), ("/dev/sda1", "/dev/sda", "/dev/sda1"), (None, "/dev/xvda", "/dev/xvda"),
     (None, None, "/dev/sda1"), ("/dev/sda1; reboot", "/dev/sda", "/dev/sda1")],
)  # fmt: skip
def test_an_ami_is_registered_anew_with_its_own_root_device(
    root: str | None, device: str | None, named: str, tmp_path: Path
) -> None:
    described = AmiDescription(
        "ami-983231f6", kernel_id="aki-176bf516", ramdisk_id="ari-12345678", root_device_name=root
    )
    verdict = boot(ext3(tmp_path, {"boot/vmlinuz": KERNEL}), ami=described, device=device)
    assert f"--root-device-name {named} --name" in finding(verdict, "ari-with-pvgrub").remedy
