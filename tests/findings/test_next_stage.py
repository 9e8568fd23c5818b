"""What PV-GRUB starts that is not Linux, kernels that the menu does not know, and those with a bad name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pvgrub_sim import boot
from pvgrub_sim.findings.facts.newer_kernels import release_in
from pvgrub_sim.model import Finding
from pvgrub_sim.ondisk.grub2_modules import carried
from pvgrub_sim.profiles.kernel_troubles import KERNEL_TROUBLES, trouble_of
from tests.kernel_images import Elf, bzimage, linux_notes, payload
from tests.tools import run


def image(folder: Path, menu: str, files: dict[str, bytes]) -> Path:
    tree = folder / "tree"
    for path, content in {"boot/grub/menu.lst": f"default 0\ntimeout 0\n{menu}".encode(), **files}.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_bytes(content)
    run("mke2fs", "-q", "-F", "-t", "ext2", "-O", "^resize_inode", "-d", tree, folder / "disk.img", "8M")
    return folder / "disk.img"


def said(disk: Path, rule: str) -> list[Finding]:
    verdict = boot(disk, pvgrub="amazon-1.05", device="/dev/xvda")
    assert verdict.boots_default, verdict.console
    return [one for one in verdict.findings if one.rule == rule]


def kernel(release: str) -> bytes:
    return bzimage(payload("gzip", Elf().build()), text=f"{release} #1".encode())


def guest(name: bytes) -> bytes:
    return Elf(notes=linux_notes(GUEST_OS=name + b"\0")).build()


@pytest.mark.parametrize(
    ("name", "words", "severity"),
    [
        (b"GRUB", "GRUB 2, not Linux: none of the disks has the grub.cfg", "warning"),
        (b"Mini-OS", "Mini-OS, not Linux", "note"),
        (b"NetBSD", "NetBSD, not Linux", "note"),
        (b"FreeBSD", "FreeBSD, not Linux", "note"),
        (b"Solaris", "illumos or Solaris, not Linux", "note"),
        (b"plan9", "a system that calls itself 'plan9'", "note"),
    ],
)
def test_other_guests_are_named_and_left_alone(name: bytes, words: str, severity: str, tmp_path: Path) -> None:
    menu = "title X\nroot (hd0)\nkernel /boot/loader root=/dev/vda1\n"
    disk = image(tmp_path, menu, {"boot/loader": guest(name)})
    (found,) = said(disk, "second-boot-loader")
    assert words in found.message and str(found.severity) == severity
    rules = {one.rule for one in boot(disk, pvgrub="amazon-1.05").findings}
    assert not rules & {"root-device-name", "initrd-without-block-front-end", "newer-kernel-not-in-menu"}


@pytest.mark.parametrize("path", ["boot/grub/grub.cfg", "grub2/grub.cfg"])
def test_grub2_finds_its_configuration(path: str, tmp_path: Path) -> None:
    files = {"boot/loader": guest(b"GRUB"), path: b"menuentry x {}\n"}
    (found,) = said(image(tmp_path, "title X\nroot (hd0)\nkernel /boot/loader\n", files), "second-boot-loader")
    assert f"(hd0)/{path}" in found.message and str(found.severity) == "note"


def menu_of(*releases: str) -> str:
    return "".join(f"title {name}\nroot (hd0)\nkernel /boot/vmlinuz-{name} root=/dev/xvda\n" for name in releases)


def kernels(*releases: str) -> dict[str, bytes]:
    return {f"boot/vmlinuz-{name}": kernel(name) for name in releases}


@pytest.mark.parametrize(
    ("named", "there", "newest"),
    [
        (["4.9.0"], ["4.9.0", "4.18.0"], "4.18.0"),
        (["4.18.0"], ["4.9.0", "4.18.0"], None),
        (["4.9.0", "4.18.0"], ["4.9.0", "4.18.0"], None),
        (["4.9.0"], ["4.9.0", "4.18.0.old"], None),
        (["4.9.0-10-amd64"], ["4.9.0-9-amd64", "4.9.0-10-amd64", "4.9.0-11-amd64"], "4.9.0-11-amd64"),
    ],
)
def test_the_newest_kernel_that_no_entry_names(
    named: list[str], there: list[str], newest: str | None, tmp_path: Path
) -> None:
    found = said(image(tmp_path, menu_of(*named), kernels(*there)), "newer-kernel-not-in-menu")
    assert [one.where for one in found] == ([f"(hd0)/boot/vmlinuz-{newest}"] if newest else [])


def test_a_link_is_the_kernel_that_it_leads_to(tmp_path: Path) -> None:
    menu = menu_of("4.9.0") + "title new\nroot (hd0)\nkernel /vmlinuz\n"
    disk = image(tmp_path, menu, kernels("4.9.0", "4.18.0"))
    run("debugfs", "-w", "-R", "symlink /vmlinuz boot/vmlinuz-4.18.0", disk)
    assert not said(disk, "newer-kernel-not-in-menu")


def test_what_a_half_removed_package_leaves(tmp_path: Path) -> None:
    files = {**kernels("4.9.0", "4.8.0"), "boot/initrd.img-4.9.0": b"x", "boot/initrd.img-4.7.0": b"x"}
    first, second = said(image(tmp_path, menu_of("4.9.0"), files), "newer-kernel-not-in-menu")
    assert "/boot/initrd.img-4.7.0 has no kernel of its release" in first.message
    assert "/boot/vmlinuz-4.8.0 has no initrd" in second.message


MENU = "title X\nroot (hd0)\nkernel /boot/grub-xen\n"


def grub2(folder: Path, *words: str, target: str = "x86_64-xen") -> bytes:
    """GRUB 2 for Xen as grub-mkimage makes it."""
    run("grub-mkimage", "-O", target, "-o", folder / "grub.elf", *words, "normal", "ext2", "tar", "memdisk")
    return (folder / "grub.elf").read_bytes()


@pytest.mark.parametrize(
    ("prefix", "config", "told"),
    [
        ("(hd0)/boot/grub", "boot/grub/grub.cfg", "next ((hd0)/boot/grub/grub.cfg), which is not"),
        ("(hd0,msdos1)/xen", "xen/grub.cfg", "next ((hd0)/xen/grub.cfg), which is not"),
        ("/xen", "xen/grub.cfg", "next ((hd0)/xen/grub.cfg), which is not"),
        ("/xen", "grub2/grub.cfg", "next ((hd0)/grub2/grub.cfg), which is not"),
        ("/boot/grub", "xen/grub.cfg", None),
        ("(memdisk)/xen", "xen/grub.cfg", None),
    ],
)
def test_grub2_looks_under_its_prefix(prefix: str, config: str, told: str | None, tmp_path: Path) -> None:
    disk = image(tmp_path, MENU, {"boot/grub-xen": grub2(tmp_path, "-p", prefix), config: b"set timeout=1\n"})
    (found,) = said(disk, "second-boot-loader")
    assert f"prefix {prefix}" in found.evidence
    assert str(found.severity) == ("note" if told else "warning")
    assert (told or "none of the disks has the grub.cfg") in found.message


def test_grub2_has_its_configuration_in_a_memdisk(tmp_path: Path) -> None:
    (tmp_path / "grub.cfg").write_text("echo hello\n")
    run(
        "grub-mkstandalone", "-O", "x86_64-xen", "--install-modules=normal tar", "--locales=", "--fonts=", "--themes=",
        "-o", tmp_path / "grub.elf", f"boot/grub/grub.cfg={tmp_path / 'grub.cfg'}",
    )  # fmt: skip
    (found,) = said(
        image(tmp_path, MENU, {"boot/grub-xen": (tmp_path / "grub.elf").read_bytes()}), "second-boot-loader"
    )
    assert str(found.severity) == "note" and "its memdisk's /boot/grub/grub.cfg" in found.message


def test_grub2_has_a_configuration_in_itself(tmp_path: Path) -> None:
    (tmp_path / "own.cfg").write_text("search -s root -f /xen.cfg\nconfigfile /xen.cfg\n")
    kernel = grub2(tmp_path, "-p", "/boot/grub", "-c", str(tmp_path / "own.cfg"))
    (found,) = said(image(tmp_path, MENU, {"boot/grub-xen": kernel}), "second-boot-loader")
    assert str(found.severity) == "note" and "(what it carries itself)" in found.message


def test_a_memdisk_that_is_no_tar_archive_may_hold_anything(tmp_path: Path) -> None:
    (tmp_path / "memdisk").write_bytes(b"hsqs" + bytes(4092))
    kernel = grub2(tmp_path, "-p", "/boot/grub", "-m", str(tmp_path / "memdisk"))
    (found,) = said(image(tmp_path, MENU, {"boot/grub-xen": kernel}), "second-boot-loader")
    assert str(found.severity) == "note" and "not looked at" in found.message


def test_a_grub2_of_32_bits_is_read_as_well(tmp_path: Path) -> None:
    found = carried(grub2(tmp_path, "-p", "/xen/grub", target="i386-xen"))
    assert found is not None and found.prefix == "/xen/grub" and not found.memdisk


def test_lists_of_modules_that_are_none_end_soon(tmp_path: Path) -> None:
    whole = grub2(tmp_path, "-p", "/xen/grub")
    at = whole.index(b"mimg\0\0\0\0\x18\0")
    assert carried(whole[: at + 1000]) is None
    for size in (0, 7, 1 << 31, (1 << 32) - 1):
        broken = whole[: at + 24] + bytes(4) + size.to_bytes(4, "little") + whole[at + 32 :]
        assert carried(broken) is None
    assert carried(whole[at : at + 32] * 100_000) is None


@pytest.mark.parametrize(
    ("release", "found"),
    [
        ("2.6.32-696.18.7.el6.x86_64", True),
        ("2.6.32-696.16.1.el6.x86_64", False),
        ("2.6.32-696.20.1.el6.x86_64", False),
        ("4.8.4-coreos", True),
        ("4.8.11-coreos", True),
        ("4.8.17-coreos", False),
        ("4.8.4-amd64", False),
        ("4.9.0-coreos", True),
        ("4.9.9-coreos-r1", False),
        ("4.14.19-coreos", False),
        ("4.15.2-coreos", True),
    ],
)
def test_releases_with_a_bad_name(release: str, found: bool, tmp_path: Path) -> None:
    disk = image(tmp_path, menu_of(release, "2.6.32-573.el6.x86_64"), kernels(release, "2.6.32-573.el6.x86_64"))
    findings = said(disk, "kernel-known-trouble")
    assert len(findings) == found
    if found:
        assert "Entry 1 of this menu has another kernel, 2.6.32-573.el6.x86_64" in findings[0].message


def test_every_row_has_a_public_source() -> None:
    for row in KERNEL_TROUBLES:
        assert re.search(r"\.com.* (?:issue|question|pull request) \d+$", row.source)
    assert trouble_of("6.1.0-56-cloud-amd64") is None


def test_names_of_files_and_their_release() -> None:
    assert release_in("/boot/vmlinuz-2.6.32-573.el6.x86_64") == "2.6.32-573.el6.x86_64"
    assert not release_in("/boot/vmlinuz-0-rescue-abc") and not release_in("/boot/vmlinuz")
