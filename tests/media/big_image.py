"""The image that remote sources are measured with: ext3 of 2 GiB, a kernel of 8 MiB, an initrd of 20 MiB."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

from tests.kernel_images import Elf
from tests.tools import run

KERNEL = 8 << 20
INITRD = 20 << 20
MENU = """\
default 0
timeout 0
title Linux
root (hd0)
kernel /boot/vmlinuz-3.2.0-virtual root=/dev/xvda1 ro console=hvc0
initrd /boot/initrd.img-3.2.0-virtual
"""


def initrd(gzipped: bool) -> bytes:
    """20 MiB that do not get smaller, as an initrd is, which GRUB unpacks when it is gzipped."""
    archive = b"070701" + os.urandom(INITRD - 16384)
    return gzip.compress(archive, 1) if gzipped else archive


def write_big_image(folder: Path, gzipped: bool = True, size: str = "2G") -> Path:
    """The image, sparse; nothing in it depends on chance but the content of the initrd."""
    tree = folder / "tree"
    (tree / "boot/grub").mkdir(parents=True)
    for name in ("bin", "dev", "etc", "home", "lib", "proc", "root", "sbin", "sys", "usr", "var"):
        (tree / name).mkdir()
    (tree / "boot/vmlinuz-3.2.0-virtual").write_bytes(Elf(size=KERNEL - 4096).build())
    (tree / "boot/initrd.img-3.2.0-virtual").write_bytes(initrd(gzipped))
    (tree / "boot/grub/menu.lst").write_text(MENU)
    (tree / "sbin/init").write_bytes(b"\x7fELF")
    (tree / "etc/fstab").write_text("/dev/xvda1 / ext3 defaults 0 1\n")
    image = folder / "big.img"
    run("mke2fs", "-q", "-F", "-t", "ext3", "-b", "4096", "-E", "root_owner=0:0", "-d", tree, image, size)
    return image
