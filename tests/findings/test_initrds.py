"""What the kernel makes of its initrd: initrds of Debian's own programs, and others made to order, on images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pvgrub_sim import boot, fix, read_file
from pvgrub_sim.model import Finding, Verdict
from tests.debian_initrds import debian_initrd, debian_kernel_tree
from tests.images import unpack_sparse
from tests.initramfs.archives import RELEASE, cpio, initrd, packed
from tests.kernel_images import Elf, bzimage, payload
from tests.tools import run

DISKS = Path(__file__).parents[2] / "fixtures" / "conformance" / "disks"
RULES = ("initrd-unreadable", "initrd-not-for-this-kernel", "initrd-without-block-front-end")
MENU = "default 0\ntimeout 0\ntitle L\nroot (hd0)\nkernel /boot/vmlinuz-{release} root=LABEL=root ro console=hvc0\n"
INITRD = "initrd /boot/initrd.img-{release}\n"
SYSTEM: dict[str, bytes | str] = {"sbin/init": "x", "etc/fstab": "LABEL=root / ext4 defaults 0 1\n"}
MODULE_LIST = "kernel/fs/ext4/ext4.ko\nkernel/fs/fuse/fuse.ko\n"
"""A modules.builtin without the driver of Xen's disks."""
XEN: dict[str, Any] = {"pvgrub": "xen-4.17", "config": "(hd0)/boot/grub/menu.lst", "device": "/dev/xvda"}


def kernel(release: str = RELEASE) -> bytes:
    return bzimage(payload("gzip", Elf().build()), text=f"{release} (made) #1 SMP".encode())


def image(
    folder: Path, files: dict[str, bytes | str], *, menu: str | None = None, release: str = RELEASE, size: str = "12M"
) -> Path:
    """An ext4 root with a system, a menu and its files."""
    tree = folder / "tree"
    everything = {**SYSTEM, "boot/grub/menu.lst": (menu or MENU + INITRD).format(release=release), **files}
    everything.setdefault(f"boot/vmlinuz-{release}", kernel(release))
    for path, content in everything.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_bytes(content if isinstance(content, bytes) else content.encode())
    options = ("-t", "ext4", "-O", "^64bit,^metadata_csum,^resize_inode,^has_journal", "-b", "4096", "-L", "root")
    run("mke2fs", "-q", "-F", *options, "-d", tree, folder / "disk.img", size)
    return folder / "disk.img"


def said(verdict: Verdict) -> list[Finding]:
    assert verdict.boots_default, verdict.console
    return [one for one in verdict.findings if one.rule in RULES]


def modules(text: str = MODULE_LIST) -> dict[str, bytes | str]:
    return {f"lib/modules/{RELEASE}/modules.builtin": text}


def named(data: bytes) -> dict[str, bytes | str]:
    return {f"boot/initrd.img-{RELEASE}": data}


def debian(folder: Path, kind: str | None, config: bool = True) -> Path:
    """An image with Debian's kernel and an initrd of a kind; config: with what Debian puts beside it."""
    tree = debian_kernel_tree()
    release = tree.release
    files: dict[str, bytes | str] = {f"boot/vmlinuz-{release}": tree.file("vmlinuz")}
    if config:
        files[f"boot/config-{release}"] = tree.file("config")
        files[f"lib/modules/{release}/modules.builtin"] = tree.file("modules.builtin")
    if kind:
        files[f"boot/initrd.img-{release}"] = debian_initrd(kind)
    return image(folder, files, menu=MENU + INITRD if kind else MENU, release=release, size="64M")


@pytest.mark.parametrize("config", [True, False], ids=["config", "initrd-alone"])
@pytest.mark.parametrize("kind", ["most", "dracut"])
def test_what_debian_makes_is_in_order(kind: str, config: bool, tmp_path: Path) -> None:
    assert not said(boot(debian(tmp_path, kind, config), **XEN))


@pytest.mark.parametrize("config", [True, False], ids=["config", "initrd-alone"])
def test_debian_without_xen_blkfront(config: bool, tmp_path: Path) -> None:
    """MODULES=list, with a list that is empty: the initrd's own modules.builtin tells that the kernel needs more."""
    (found,) = said(boot(debian(tmp_path, "list", config), **XEN))
    assert (found.rule, str(found.severity)) == ("initrd-without-block-front-end", "warning")
    assert "has no xen-blkfront" in found.message and debian_kernel_tree().release in found.message
    assert "/etc/initramfs-tools/modules" in found.remedy


def test_debian_without_an_initrd(tmp_path: Path) -> None:
    (found,) = said(boot(debian(tmp_path, None), **XEN))
    assert found.rule == "initrd-without-block-front-end" and "has no initrd" in found.message


def test_silent_where_nothing_tells_how_the_kernel_was_built(tmp_path: Path) -> None:
    assert not said(boot(image(tmp_path, named(initrd(tmp_path, "drivers/block/virtio_blk"))), **XEN))


@pytest.mark.parametrize(
    ("lists", "found"),
    [
        (modules(MODULE_LIST + "kernel/drivers/block/xen-blkfront.ko\n"), False),
        (modules(), True),
        ({f"boot/config-{RELEASE}": "CONFIG_XEN_BLKDEV_FRONTEND=y\nCONFIG_EXT4_FS=y\n"}, False),
        ({f"boot/config-{RELEASE}": "CONFIG_XEN_BLKDEV_FRONTEND=m\nCONFIG_EXT4_FS=y\n"}, True),
        ({f"usr/lib/modules/{RELEASE}/config": "CONFIG_XEN_BLKDEV_FRONTEND=m\nCONFIG_EXT4_FS=y\n"}, True),
        ({f"boot/config-{RELEASE}": 'CONFIG_EXT4_FS=y\nCONFIG_INITRAMFS_SOURCE="/usr/src/initrd"\n'}, False),
        ({"lib/modules/5.9.0/modules.builtin": MODULE_LIST}, False),
    ],
)
def test_lists_and_configurations(lists: dict[str, bytes | str], found: bool, tmp_path: Path) -> None:
    files = {**named(initrd(tmp_path, "drivers/block/virtio_blk")), **lists}
    assert [one.rule for one in said(boot(image(tmp_path, files), **XEN))] == [RULES[2]] * found


@pytest.mark.parametrize(
    "name", ["drivers/block/xen-blkfront", "drivers/block/xen_blkfront", "drivers/xen/blkfront/xenblk"]
)
def test_the_module_by_each_of_its_names(name: str, tmp_path: Path) -> None:
    assert not said(boot(image(tmp_path, {**named(initrd(tmp_path, name)), **modules()}), **XEN))


def test_the_filesystem_of_the_root(tmp_path: Path) -> None:
    files = {**named(initrd(tmp_path, "drivers/block/xen-blkfront")), **modules("kernel/fs/xfs/xfs.ko\n")}
    (found,) = said(boot(image(tmp_path, files), **XEN))
    assert "has no ext4, the filesystem of its root (hd0)" in found.message


def test_the_initrd_that_is_there_is_named(tmp_path: Path) -> None:
    """The remedy is an edit, and with it nothing is left to say."""
    files = {**named(initrd(tmp_path, "drivers/block/xen-blkfront")), **modules()}
    disk = image(tmp_path, files, menu=MENU)
    (found,) = said(boot(disk, **XEN))
    assert f"initrd /boot/initrd.img-{RELEASE}" in found.remedy
    fix(disk, tmp_path / "out.img", **XEN)
    after = boot(tmp_path / "out.img", **XEN)
    assert not said(after) and after.initrd is not None


@pytest.mark.parametrize(("sure", "severity"), [(True, "warning"), (False, "note")])
def test_the_initrd_of_another_kernel(sure: bool, severity: str, tmp_path: Path) -> None:
    files = {
        "boot/initrd.img-old": initrd(tmp_path, "drivers/block/xen-blkfront", release="4.19.0-old"),
        **named(initrd(tmp_path, "drivers/block/xen-blkfront")),
        **(modules() if sure else {}),
    }
    disk = image(tmp_path, files, menu=MENU + "initrd /boot/initrd.img-old\n")
    (found,) = said(boot(disk, **XEN))
    assert (found.rule, str(found.severity)) == ("initrd-not-for-this-kernel", severity)
    assert "4.19.0-old" in found.message and f"/boot/initrd.img-{RELEASE}" in found.remedy


def test_the_initrd_of_another_kernel_where_all_is_built_in(tmp_path: Path) -> None:
    files = {
        **named(initrd(tmp_path, "drivers/block/xen-blkfront", release="4.19.0-old")),
        **modules(MODULE_LIST + "kernel/drivers/block/xen-blkfront.ko\n"),
    }
    assert not said(boot(image(tmp_path, files), **XEN))


def test_a_compression_that_the_kernel_is_built_without(tmp_path: Path) -> None:
    config = "CONFIG_XEN_BLKDEV_FRONTEND=y\nCONFIG_EXT4_FS=y\nCONFIG_RD_GZIP=y\n# CONFIG_RD_ZSTD is not set\n"
    files = {**named(initrd(tmp_path, form="zstd")), f"boot/config-{RELEASE}": config}
    (found,) = said(boot(image(tmp_path, files), **XEN))
    assert (found.rule, str(found.severity)) == ("initrd-unreadable", "warning")
    assert "CONFIG_RD_ZSTD is not set" in found.message


@pytest.mark.parametrize(("release", "found"), [("5.8.0-1-amd64", 1), ("5.9.0-1-amd64", 0)])
def test_a_compression_younger_than_the_kernel(release: str, found: int, tmp_path: Path) -> None:
    files: dict[str, bytes | str] = {f"boot/initrd.img-{release}": initrd(tmp_path, form="zstd", release=release)}
    findings = said(boot(image(tmp_path, files, release=release), **XEN))
    assert [(one.rule, str(one.severity)) for one in findings] == [("initrd-unreadable", "note")] * found


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (lambda archive: packed("zstd", archive)[:-200], "ends in the middle of its zstd data"),
        (lambda archive: run("xz", stdin=archive), "--check=crc32"),
        (lambda archive: archive[:500], "ends in the middle of an archive"),
        (lambda archive: bytes(4096), "nothing but zeros"),
    ],
)
def test_what_the_kernel_cannot_unpack(data: Any, words: str, tmp_path: Path) -> None:
    archive = cpio(tmp_path, {"init": "x" * 999, "lib/random": Path("/bin/true").read_bytes()})
    (found,) = said(boot(image(tmp_path, named(data(archive))), **XEN))
    assert found.rule == "initrd-unreadable" and words in found.message


def test_of_several_gzip_parts_the_kernel_gets_the_first(tmp_path: Path) -> None:
    """As the recorded case menus/initrd-gz-two: PV-GRUB unpacks one, in the length of the last."""
    first, last = initrd(tmp_path), initrd(tmp_path, "drivers/block/xen-blkfront")
    assert first.startswith(b"\x1f\x8b") and last.startswith(b"\x1f\x8b")
    files = {**named(first + last), **modules()}
    (found,) = said(boot(image(tmp_path, files), **XEN))
    assert found.rule in {"initrd-without-block-front-end", "initrd-unreadable"}
    files = {**named(last), **modules()}
    assert not said(boot(image(tmp_path, files), **XEN))


def test_gzip_wants_nothing_of_the_kernel(tmp_path: Path) -> None:
    config = "CONFIG_XEN_BLKDEV_FRONTEND=y\nCONFIG_EXT4_FS=y\n# CONFIG_RD_GZIP is not set\nCONFIG_RD_XZ=y\n"
    for menu, found in ((MENU + INITRD, 0), (MENU + "modulenounzip /boot/initrd.img-{release}\n", 1)):
        files = {**named(initrd(tmp_path, form="gzip")), f"boot/config-{RELEASE}": config}
        verdict = boot(image(tmp_path, files, menu=menu), **XEN)
        assert [one.rule for one in said(verdict)] == ["initrd-unreadable"] * found


@pytest.mark.parametrize("name", ["jfs-plain", "reiserfs-36"])
def test_initrds_that_only_pvgrub_reads(name: str, tmp_path: Path) -> None:
    """A recorded disk, whose initrd is no initramfs, with other bytes in the place of its initrd."""
    disk = unpack_sparse(DISKS / f"{name}.img.zst", tmp_path / "disk.img")
    options = {**XEN, "device": None}
    verdict = boot(disk, **options)
    assert verdict.initrd is not None and not said(verdict)
    whole = disk.read_bytes()
    old = read_file(disk, "(hd0)/boot/initrd.img", pvgrub="xen-4.17")
    assert len(old) == verdict.initrd.size and old in whole
    archive = cpio(tmp_path, {"init": "x" * 999}).rstrip(b"\0")
    for new, rules in ((archive.ljust(len(old), b"\0"), []), (archive * 9, ["initrd-unreadable"])):
        disk.write_bytes(whole.replace(old, new[: len(old)]))
        assert [one.rule for one in said(boot(disk, **options))] == rules


def test_other_guests_are_left_alone(tmp_path: Path) -> None:
    from tests.kernel_images import linux_notes

    other = Elf(notes=linux_notes(GUEST_OS=b"NetBSD\0")).build()
    files = {**named(b"\x1f\x8b broken"), **modules(), f"boot/vmlinuz-{RELEASE}": other}
    assert not said(boot(image(tmp_path, files), **XEN))
