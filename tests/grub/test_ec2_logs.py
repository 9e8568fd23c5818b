"""Console logs of real PV-GRUB boots that users and AWS published: each situation built anew, the same lines come out.

Blank lines vary with how a log was copied; where an older libxc words a message otherwise, the test says so.
"""

from __future__ import annotations

import re
import struct
from pathlib import Path

from pvgrub_sim.bootchain import Boot, run
from pvgrub_sim.media import AttachedDisk, open_disk, vbd_number
from pvgrub_sim.model import Outcome
from pvgrub_sim.profiles import find_profile
from pvgrub_sim.profiles.catalogue import find_aki
from tests import tools
from tests.grub.machine_factory import BytesDisk
from tests.kernel_images import Elf, bzimage, linux_notes, payload

SECTOR = 512
MIB = 1 << 20


def ext2(folder: Path, files: dict[str, bytes], mebibytes: int = 8) -> bytes:
    """An ext2 filesystem with these files, without anything around it."""
    tree = folder / "tree"
    for name, data in files.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    image = folder / "ext2.img"
    tools.run("mke2fs", "-q", "-t", "ext2", "-d", tree, image, f"{mebibytes}M")
    return image.read_bytes()


def lines(boot: Boot) -> list[str]:
    """The console's lines behind the first title, without blank ones and without the numbers of source lines."""
    found = boot.machine.term.console().split("\n")[1:]
    return [re.sub(r"\.c:\d+: ", ".c: ", line) for line in found if line.strip()]


def test_ubuntu_on_ec2_boots(tmp_path: Path) -> None:
    """PV-GRUB 1.04, root volume at /dev/sda1; menu.lst separates command and argument with two spaces."""
    release = "3.13.0-48-generic"
    menu = f"""default\t\t0
timeout\t\t0
hiddenmenu
title\t\tUbuntu 14.04.2 LTS, kernel {release}
root\t\t(hd0)
kernel\t\t/boot/vmlinuz-{release} root=LABEL=cloudimg-rootfs ro console=hvc0
initrd\t\t/boot/initrd.img-{release}
"""
    files = {
        "boot/grub/menu.lst": menu.encode(),
        f"boot/vmlinuz-{release}": bzimage(payload("gzip", Elf().build())),
        f"boot/initrd.img-{release}": b"initrd" * 1000,
    }
    image = tmp_path / "disk.img"
    image.write_bytes(ext2(tmp_path, files))
    disks = [
        AttachedDisk(BytesDisk(bytes(MIB)), vbd_number("/dev/sdf"), "/dev/sdf"),
        AttachedDisk(open_disk(str(image)), vbd_number("/dev/sda1"), "/dev/sda1"),
    ]
    boot = run(disks, find_aki("pv-grub-hd0_1.04-x86_64.gz"))
    assert boot.outcome is Outcome.BOOTS
    assert boot.machine.term.raw().startswith(b"vbd 2049 is hd0\r\nvbd 2128 is hd1\r\n")
    assert boot.machine.term.console() == (
        "  Booting 'Ubuntu 14.04.2 LTS, kernel 3.13.0-48-generic'\n\n"
        "root  (hd0)\n"
        " Filesystem type is ext2fs, using whole disk\n"
        "kernel  /boot/vmlinuz-3.13.0-48-generic root=LABEL=cloudimg-rootfs ro console=h\n"
        "vc0\n"
        "initrd  /boot/initrd.img-3.13.0-48-generic"
    )


def test_incompatible_kernel_then_fallback_without_a_file(tmp_path: Path) -> None:
    """From AWS's troubleshooting page; newer libxc adds what it found to the message."""
    menu = b"""default 0
fallback 1
timeout 0
title Default
root (hd0)
kernel /vmlinuz root=/dev/sda1 ro
initrd /initrd.img
title Fallback
root (hd0)
kernel /vmlinuz.old root=/dev/sda1 ro
"""
    notes = linux_notes(GUEST_OS=b"other\0", LOADER=b"other\0")
    kernel = bzimage(payload("gzip", Elf(notes=notes).build()))
    files = {"boot/grub/menu.lst": menu, "vmlinuz": kernel, "initrd.img": b"initrd"}
    disk = AttachedDisk(BytesDisk(ext2(tmp_path, files)), 2049, "/dev/sda1")
    boot = run([disk], find_aki("pv-grub-hd0_1.02-x86_64.gz"))
    assert boot.outcome is Outcome.FAILS
    found = lines(boot)
    note_check = (
        "ERROR Invalid kernel: elf_xen_note_check: ERROR: Will only load images built for the generic loader or Linux"
        " images"
    )
    wrapped = [line for line in found if line.startswith(note_check)]
    assert len(wrapped) == 1
    assert [note_check if line in wrapped else line for line in found] == [
        "root (hd0)",
        " Filesystem type is ext2fs, using whole disk",
        "kernel /vmlinuz root=/dev/sda1 ro",
        "initrd /initrd.img",
        note_check,
        "xc_dom_parse_image returned -1",
        "Error 9: Unknown boot failure",
        "  Booting 'Fallback'",
        "root (hd0)",
        " Filesystem type is ext2fs, using whole disk",
        "kernel /vmlinuz.old root=/dev/sda1 ro",
        "Error 15: File not found",
        "Press any key to continue...",
    ]


def test_zstd_kernel_of_2023(tmp_path: Path) -> None:
    """From a VPS host whose PV-GRUB names its sources xc_dom_*, so from before Xen 4.15."""
    menu = b"timeout 0\ntitle Debian\nroot (hd0)\nkernel /vmlinuz ro\n"
    files = {"boot/grub/menu.lst": menu, "vmlinuz": bzimage(payload("zstd", Elf().build()))}
    disk = AttachedDisk(BytesDisk(ext2(tmp_path, files)), 51712, "/dev/xvda")
    profile = find_profile("xen-4.4")._replace(config_paths=("(hd0)/boot/grub/menu.lst",))
    boot = run([disk], profile)
    assert boot.outcome is Outcome.FAILS
    found = lines(boot)
    assert found[3:6] == [
        "xc: error: panic: xc_dom_bzimageloader.c: xc_dom_probe_bzimage_kernel: unknown compression format: "
        "Invalid kernel",
        "xc: error: panic: xc_dom_core.c: xc_dom_find_loader: no loader found: Invalid kernel",
        "xc_dom_parse_image returned -1",
    ]


def bsd_label(start: int, length: int) -> bytes:
    """A BSD label sector with one UFS partition, a; start and length in sectors of the disk."""
    label = bytearray(SECTOR)
    struct.pack_into("<I", label, 0, 0x82564557)
    struct.pack_into("<I", label, 132, 0x82564557)
    struct.pack_into("<H", label, 138, 1)
    struct.pack_into("<IIIBBH", label, 148, length, start, 4096, 7, 8, 0)
    return bytes(label)


def test_freebsd_loader_as_kernel(tmp_path: Path) -> None:
    """FreeBSD's loader given to PV-GRUB on EC2 in 2010: neither a bzImage nor an ELF file."""
    menu = b"timeout 0\ntitle FreeBSD\nroot (hd0,1,a)\nkernel /boot/loader\n"
    first = ext2(tmp_path, {"boot/grub/menu.lst": menu}, 4)
    tree = tmp_path / "ufs"
    (tree / "boot").mkdir(parents=True)
    (tree / "boot" / "loader").write_bytes(b"\xeb\x0e boot loader" * 5000)
    ufs = tmp_path / "ufs.img"
    tools.run("makefs", "-t", "ffs", "-o", "version=2,bsize=8192,fsize=1024", "-s", str(8 * MIB), ufs, tree)
    second = ufs.read_bytes()
    starts = [63, 63 + len(first) // SECTOR]
    disk = bytearray((starts[1] + len(second) // SECTOR) * SECTOR + MIB)
    for index, (start, kind, data) in enumerate(zip(starts, (0x83, 0xA5), (first, second), strict=True)):
        size = len(data) // SECTOR
        struct.pack_into("<B3sB3sII", disk, 446 + 16 * index, 0, b"", kind, b"", start, size)
        disk[start * SECTOR : start * SECTOR + len(data)] = data
    disk[510:512] = b"\x55\xaa"
    label = (starts[1] + 1) * SECTOR
    disk[label : label + SECTOR] = bsd_label(starts[1], len(second) // SECTOR)
    boot = run([AttachedDisk(BytesDisk(bytes(disk)), 2048, "/dev/sda")], find_aki("pv-grub-hd00_1.01-x86_64.gz"))
    assert boot.outcome is Outcome.FAILS
    found = lines(boot)
    assert found == [
        "root (hd0,1,a)",
        " Filesystem type is ufs2, partition type 0xa5",
        "kernel /boot/loader",
        "xc_dom_probe_bzimage_kernel: kernel is not a bzImage",
        "ERROR Invalid kernel: xc_dom_find_loader: no loader found",
        "xc_dom_core.c: panic: xc_dom_find_loader: no loader found",
        "xc_dom_parse_image returned -1",
        "Error 9: Unknown boot failure",
        "Press any key to continue...",
    ]
