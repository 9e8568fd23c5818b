"""The root filesystem that a menu names: from what other boot loaders of the image say, never a guess that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from pvgrub_sim import boot, fix
from tests.kernel_images import Elf, bzimage, payload
from tests.tools import run

ROOT = "aaaaaaaa-1111-2222-3333-bbbbbbbbbbbb"
OTHER = "cccccccc-1111-2222-3333-dddddddddddd"
VERSION = "4.18.0-372.el8.x86_64"
AKI = {"pvgrub": "amazon-1.05", "device": "/dev/xvda"}
SYSTEM = {"sbin/init": "x", "etc/fstab": f"UUID={ROOT} / ext4 defaults 1 1\n"}
SNIPPET = (
    f"title AlmaLinux\nversion {VERSION}\nlinux /vmlinuz-{VERSION}\ninitrd /initramfs-{VERSION}.img $tuned_initrd\n"
    "options $kernelopts $tuned_params\n"
)
GRUB_CFG = f'load_env\nif [ -z "${{kernelopts}}" ]; then set kernelopts="root=UUID={ROOT} ro from=cfg"; fi\nblscfg\n'


def kernel() -> bytes:
    return bzimage(payload("gzip", Elf(bits=64).build()), version=0x20C, text=b"4.18.0 #1")


def filesystem(folder: Path, name: str, files: dict[str, str | bytes], *options: str) -> bytes:
    tree = folder / name
    for path, content in files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_bytes(content.encode() if isinstance(content, str) else content)
    image = folder / f"{name}.img"
    run("mke2fs", "-q", "-F", "-t", "ext3", "-O", "^resize_inode", *options, "-d", tree, image, "8M")
    return image.read_bytes()


def disk(folder: Path, *volumes: bytes) -> Path:
    """An MBR disk with the filesystems one behind the other."""
    image = folder / "disk.img"
    image.write_bytes(bytes((len(volumes) * 8 + 2) << 20))
    table = "".join(f"start={2048 + 16384 * number}, size=16384, type=83\n" for number in range(len(volumes)))
    run("sfdisk", "-q", image, stdin=f"label: dos\n{table}".encode())
    with image.open("r+b") as file:
        for number, volume in enumerate(volumes):
            file.seek((1 << 20) + (number << 23))
            file.write(volume)
    return image


def boot_volume(folder: Path, files: dict[str, str]) -> bytes:
    boots: dict[str, str | bytes] = {f"vmlinuz-{VERSION}": kernel(), f"initramfs-{VERSION}.img": b"x" * 2000}
    return filesystem(folder, "boot", {**boots, **files}, "-L", "boot")


def system(folder: Path, files: dict[str, str] | None = None) -> bytes:
    return filesystem(folder, "system", dict(SYSTEM if files is None else files), "-U", ROOT)


def mended(image: Path, **options: str) -> str:
    """The arguments of the kernel that boots once the image is mended."""
    fixed = fix(image, image.parent / "out.img", **(options or AKI))
    assert fixed.mended, fixed.after.findings
    after = boot(image.parent / "out.img", **(options or AKI))
    assert after.boots_default and after.kernel is not None
    return after.cmdline or ""


SOURCES = {
    "grubenv": (
        {"loader/entries/m.conf": SNIPPET, "grub2/grub.cfg": GRUB_CFG,
         "grub2/grubenv": f"# GRUB Environment Block\nkernelopts=root=UUID={ROOT} ro from=env\n####"},
        f"root=UUID={ROOT} ro from=env console=hvc0",
    ),
    "grub.cfg": (
        {"loader/entries/m.conf": SNIPPET, "grub2/grub.cfg": GRUB_CFG},
        f"root=UUID={ROOT} ro from=cfg console=hvc0",
    ),
    "no variable": (
        {"loader/entries/m.conf": SNIPPET, "grub2/grub.cfg": "blscfg\n"},
        f"root=UUID={ROOT} ro console=hvc0",
    ),
    "menuentry": (
        {"grub2/grub.cfg": f"menuentry x {{ linux /vmlinuz-{VERSION} root=UUID={ROOT} ro quiet\n}}\n"},
        f"root=UUID={ROOT} ro quiet console=hvc0",
    ),
    "extlinux": (
        {"extlinux.conf": f"DEFAULT lts\nLABEL lts\n  LINUX vmlinuz-{VERSION}\n  INITRD initramfs\n"
                          f"  APPEND root=UUID={ROOT} modules=sd-mod,ext4 quiet\n", "grub2/grub.cfg": "x\n"},
        f"root=UUID={ROOT} modules=sd-mod,ext4 quiet console=hvc0",
    ),
    "the boot volume named": (
        {"grub2/grub.cfg": f"linux /vmlinuz-{VERSION} root=LABEL=boot ro\n"},
        f"root=UUID={ROOT} ro console=hvc0",
    ),
    "made on a loop device": (
        {"grub2/grub.cfg": f"linux /vmlinuz-{VERSION} root=/dev/loop0p2 ro\n"},
        f"root=UUID={ROOT} ro console=hvc0",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SOURCES)
def test_the_root_is_what_the_image_itself_says(name: str, tmp_path: Path) -> None:
    files, arguments = SOURCES[name]
    assert mended(disk(tmp_path, boot_volume(tmp_path, files), system(tmp_path))) == arguments


def test_the_command_line_of_kernel_install_is_taken(tmp_path: Path) -> None:
    files = {**SYSTEM, "etc/kernel/cmdline": f"root=UUID={ROOT} rw from=cmdline\n"}
    image = disk(tmp_path, boot_volume(tmp_path, {"grub2/grub.cfg": "blscfg\n"}), system(tmp_path, files))
    assert mended(image) == f"root=UUID={ROOT} rw from=cmdline console=hvc0"


def test_of_two_systems_none_is_guessed(tmp_path: Path) -> None:
    other = filesystem(tmp_path, "other", {**SYSTEM, "etc/fstab": f"UUID={OTHER} / ext4 defaults 1 1\n"}, "-U", OTHER)
    image = disk(tmp_path, boot_volume(tmp_path, {"grub2/grub.cfg": "blscfg\n"}), system(tmp_path), other)
    fixed = fix(image, tmp_path / "out.img", **AKI)
    assert not fixed.mended and not (tmp_path / "out.img").exists()
    (finding,) = [one for one in fixed.before.findings if one.rule == "grub2-only"]
    assert "which filesystem is the root?" in finding.remedy and "root=ROOT" in finding.remedy


DEBIAN = """default 0
timeout 0
# kopt=root=LABEL=gone ro
# groot=(hostdisk//dev/xvda1)
# defoptions=quiet
## groot=not this
title Debian
root (hostdisk//dev/xvda1)
kernel /vmlinuz-{version} root=LABEL=gone ro
initrd /initramfs-{version}.img
"""


def test_the_next_kernel_brings_no_fault_back(tmp_path: Path) -> None:
    menu = DEBIAN.format(version=VERSION)
    image = disk(tmp_path, boot_volume(tmp_path, {"grub/menu.lst": menu}), system(tmp_path))
    (finding,) = [one for one in boot(image, **AKI).findings if one.rule == "root-device-mismatch"]
    assert "inside a chroot" in finding.message
    assert mended(image) == f"root=UUID={ROOT} ro console=hvc0"
    said = run("debugfs", "-R", "cat /grub/menu.lst", f"{tmp_path / 'out.img'}?offset={1 << 20}").decode()
    kept = [line for line in said.splitlines() if line.startswith("#")]
    assert kept == [
        f"# kopt=root=UUID={ROOT} ro console=hvc0", "# groot=(hd0,0)", "# defoptions=quiet", "## groot=not this",
    ]  # fmt: skip
