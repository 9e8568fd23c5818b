"""Debian's real kernels on filesystems by the real mke2fs: what the reference says PV-GRUB does with them."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest

from pvgrub_sim.model import Outcome, Verdict
from pvgrub_sim.verdict import boot
from tests.debian_kernels import debian_kernel
from tests.tools import run

MIB = 1 << 20
SIZE = 48 * MIB
CMDLINE = "root=LABEL=/ ro console=hvc0"
XZ, LZ4 = "linux-image-amd64", "linux-image-cloud-amd64"
FILESYSTEMS = {
    "ext2": ("-t", "ext2"),
    "ext3": ("-t", "ext3"),
    # A hole in the kernel would be misread; blocks of 4 KiB leave none in Debian's kernels made with mke2fs -d.
    "ext4-no-64bit": ("-t", "ext4", "-O", "^64bit", "-b", "4096"),
}
LAYOUTS = {
    "whole-disk": ("(hd0)", 0, ""),
    "primary": ("(hd0,0)", 2048, f"start=2048, size={SIZE // 512}, type=83\n"),
    "logical": (
        "(hd0,4)",
        4096,
        f"start=2048, size={SIZE // 512 + 4096}, type=5\nstart=4096, size={SIZE // 512}, type=83\n",
    ),
}


def make_image(tmp_path: Path, kernel: Path, options: tuple[str, ...], layout: str) -> Path:
    """An image whose one entry boots the kernel, with initrd, in the layout's partition."""
    root, start, table = LAYOUTS[layout]
    tree = tmp_path / "tree"
    (tree / "boot/grub").mkdir(parents=True)
    (tree / "boot/vmlinuz").write_bytes(kernel.read_bytes())
    (tree / "boot/initrd.img").write_bytes(b"070701" * 5000)
    (tree / "boot/grub/menu.lst").write_text(
        f"default 0\ntimeout 0\ntitle Debian\nroot {root}\nkernel /boot/vmlinuz {CMDLINE}\ninitrd /boot/initrd.img\n"
    )
    image = tmp_path / "disk.img"
    with image.open("wb") as file:
        file.truncate(start * 512 + SIZE + (MIB if start else 0))
    if table:
        run("sfdisk", "-q", image, stdin=f"label: dos\n{table}".encode())
    run("mke2fs", "-q", "-F", *options, "-E", f"offset={start * 512}", "-d", tree, image, f"{SIZE // 1024}k")
    return image


def simulate(image: Path, layout: str, pvgrub: str, arch: str = "auto") -> Verdict:
    root = LAYOUTS[layout][0]
    return boot(image, pvgrub=pvgrub, arch=arch, config=f"{root}/boot/grub/menu.lst")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("filesystem", FILESYSTEMS)
@pytest.mark.parametrize("package", [XZ, LZ4])
def test_boots_where_the_payload_is_known(tmp_path: Path, package: str, filesystem: str, layout: str) -> None:
    kernel = debian_kernel(package)
    verdict = simulate(make_image(tmp_path, kernel, FILESYSTEMS[filesystem], layout), layout, "xen-4.17")
    assert verdict.outcome is Outcome.BOOTS, verdict.console
    data = kernel.read_bytes()
    assert verdict.kernel
    assert (verdict.kernel.size, verdict.kernel.crc32) == (len(data), zlib.crc32(data))
    assert verdict.kernel.detail["payload"] == {XZ: "xz", LZ4: "lz4"}[package]
    assert verdict.kernel.detail["guest_type"] == "xen-3.0-x86_64"
    assert verdict.initrd and verdict.initrd.size == 30000
    assert verdict.cmdline == CMDLINE


@pytest.mark.parametrize("layout", LAYOUTS)
def test_ext4_as_mke2fs_makes_it_today_ends_at_the_prompt(tmp_path: Path, layout: str) -> None:
    image = make_image(tmp_path, debian_kernel(XZ), ("-t", "ext4", "-O", "64bit,metadata_csum", "-b", "4096"), layout)
    verdict = simulate(image, layout, "xen-4.17")
    assert verdict.outcome is Outcome.PROMPT
    assert verdict.kernel is None


def test_amazon_unpacks_xz_from_1_04_on(tmp_path: Path) -> None:
    image = make_image(tmp_path, debian_kernel(XZ), FILESYSTEMS["ext3"], "whole-disk")
    assert boot(image, pvgrub="amazon-1.05").outcome is Outcome.BOOTS
    assert boot(image, pvgrub="amazon-1.04").outcome is Outcome.BOOTS
    old = boot(image, pvgrub="amazon-1.03")
    assert old.outcome is Outcome.FAILS
    assert [error.number for error in old.errors] == [9]


def test_amazon_does_not_unpack_lz4(tmp_path: Path) -> None:
    image = make_image(tmp_path, debian_kernel(LZ4), FILESYSTEMS["ext2"], "whole-disk")
    verdict = boot(image, pvgrub="amazon-1.05")
    assert verdict.outcome is Outcome.FAILS
    assert "unknown compression format" in verdict.console


def test_the_32_bit_build_refuses_a_64_bit_kernel(tmp_path: Path) -> None:
    image = make_image(tmp_path, debian_kernel(XZ), FILESYSTEMS["ext2"], "whole-disk")
    verdict = boot(image, pvgrub="amazon-1.05", arch="i386")
    assert [error.number for error in verdict.errors] == [13]
    assert "can only boot x86 32 PAE kernels, not xen-3.0-x86_64" in verdict.console
