"""Layouts of public AMIs that boot in reality: nothing of what comes after the handover is warned about."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from pvgrub_sim import boot
from pvgrub_sim.findings import all_rules
from tests.initramfs.archives import initrd
from tests.kernel_images import Elf, bzimage, payload
from tests.tools import run


class Layout(NamedTuple):
    """An image as a distribution made it: names of kernel and initrd by release, the kernel's arguments, the vbd."""

    release: str
    kernel: str
    initrd: str
    arguments: str
    device: str | None
    label: str
    built_in: str
    """Drivers that the kernel has in itself; the others that it needs are in its initrd."""
    modules: tuple[str, ...] = ()
    form: str = "gzip"
    fstab: str = "LABEL={label} / ext4 defaults 1 1\n"


BLKFRONT = "kernel/drivers/block/xen-blkfront.ko\n"
EXT4 = "kernel/fs/ext4/ext4.ko\n"
LAYOUTS = {
    "Amazon Linux 2015.09": Layout(
        "4.1.10-17.31.amzn1.x86_64", "vmlinuz-{}", "initramfs-{}.img", "root=LABEL=/ console=tty1 console=hvc0", None,
        "/", BLKFRONT + EXT4,
    ),
    "Ubuntu 14.04 cloud image": Layout(
        "3.13.0-48-generic", "vmlinuz-{}", "initrd.img-{}", "root=LABEL=cloudimg-rootfs ro console=hvc0", "/dev/sda1",
        "cloudimg-rootfs", BLKFRONT + EXT4,
    ),
    "Ubuntu 10.04 with linux-ec2": Layout(
        "2.6.32-305-ec2", "vmlinuz-{}", "initrd.img-{}", "root=/dev/sda1 ro console=hvc0", "/dev/sda1", "uec-rootfs",
        "kernel/drivers/xen/blkfront/xenblk.ko\n" + EXT4,
    ),
    "Debian 7 AMI": Layout(
        "3.2.0-4-amd64", "vmlinuz-{}", "initrd.img-{}", "root=/dev/xvda1 ro console=hvc0", "/dev/sda1", "root", "",
        ("drivers/block/xen-blkfront", "fs/ext4/ext4"),
    ),
    "Debian 6 AMI": Layout(
        "2.6.32-5-xen-amd64", "vmlinuz-{}", "initrd.img-{}", "root=/dev/xvda1 ro console=hvc0", "/dev/sda1", "root", "",
        ("drivers/block/xen-blkfront", "fs/ext4/ext4"),
    ),
    "CentOS 6 with xvde": Layout(
        "2.6.32-573.el6.x86_64", "vmlinuz-{}", "initramfs-{}.img", "root=/dev/xvde1 ro console=hvc0", "/dev/sda1",
        "centos", "", ("drivers/block/xen-blkfront", "fs/ext4/ext4"), fstab="/dev/xvde1 / ext4 defaults 1 1\n",
    ),
    "CentOS 5": Layout(
        "2.6.18-348.el5xen", "vmlinuz-{}", "initrd-{}.img", "ro root=/dev/sda1 console=xvc0", "/dev/sda1", "centos", "",
        ("drivers/xen/blkfront/xenblk", "fs/ext4/ext4"), fstab="/dev/sda1 / ext4 defaults 1 1\n",
    ),
    "Fedora 8": Layout(
        "2.6.21.7-2.fc8xen", "vmlinuz-{}", "initrd-{}.img", "root=/dev/sda1 ro 4", None, "fedora", "",
        ("drivers/xen/blkfront/xenblk", "fs/ext4/ext4"),
    ),
    "Alpine": Layout(
        "5.15.50-0-virt", "vmlinuz-virt", "initramfs-virt", "root=/dev/xvda modules=ext4 console=hvc0", "/dev/xvda",
        "alpine", "", ("drivers/block/xen-blkfront", "fs/ext4/ext4"), fstab="/dev/xvda / ext4 rw 0 1\n",
    ),
    "Gentoo, everything built in": Layout(
        "5.10.27-gentoo", "kernel-{}", "", "root=/dev/xvda1 ro console=hvc0", "/dev/xvda1", "gentoo", BLKFRONT + EXT4,
    ),
}  # fmt: skip


def image(folder: Path, layout: Layout) -> Path:
    release = layout.release
    kernel, ramdisk = layout.kernel.format(release), layout.initrd.format(release)
    menu = f"default 0\ntimeout 0\ntitle L\nroot (hd0)\nkernel /boot/{kernel} {layout.arguments}\n"
    packed = bzimage(payload(layout.form, Elf().build()), text=f"{release} (made) #1".encode())
    files: dict[str, str | bytes] = {
        "boot/grub/menu.lst": menu + (f"initrd /boot/{ramdisk}\n" if ramdisk else ""),
        f"boot/{kernel}": packed,
        f"lib/modules/{release}/modules.builtin": layout.built_in + "kernel/fs/fuse/fuse.ko\n",
        "etc/fstab": layout.fstab.format(label=layout.label),
        "sbin/init": "x",
    }
    if ramdisk:
        files[f"boot/{ramdisk}"] = initrd(folder, *layout.modules, release=release)
    tree = folder / "tree"
    for path, content in files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_bytes(content.encode() if isinstance(content, str) else content)
    options = ("-t", "ext4", "-O", "^64bit,^metadata_csum,^resize_inode", "-b", "4096", "-L", layout.label)
    run("mke2fs", "-q", "-F", *options, "-d", tree, folder / "disk.img", "12M")
    return folder / "disk.img"


@pytest.mark.parametrize("name", LAYOUTS)
def test_no_word_about_what_works(name: str, tmp_path: Path) -> None:
    layout = LAYOUTS[name]
    options = {"pvgrub": "amazon-1.05", "device": layout.device, "instance_type": "m1.small"}
    verdict = boot(image(tmp_path, layout), **options)
    assert verdict.boots_default, verdict.console
    rules = {rule.id for rule in all_rules().values() if rule.family == "outside"}
    assert [one for one in verdict.findings if one.rule in rules] == []
