"""The names of a root: docs/root-names.md says what is said, and here it is asked."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from pvgrub_sim import boot
from pvgrub_sim.findings.facts.devices import disk_names
from pvgrub_sim.findings.facts.file_ref import FileRef
from pvgrub_sim.findings.facts.menufile import parse
from pvgrub_sim.findings.facts.starts import Start
from pvgrub_sim.grub.viewer import Seen
from pvgrub_sim.media.vbd import vbd_number
from pvgrub_sim.model import Finding
from tests.initramfs.archives import cpio
from tests.kernel_images import Elf, bzimage, payload
from tests.tools import run

PAGE = (Path(__file__).parents[2] / "docs" / "root-names.md").read_text("utf-8")
WORDS = {
    "no Xen name": "gives no disk of Xen's",
    "virtio": "is a virtio disk",
    "no partition": "is a partition that the disk does not have",
    "whole disk": "is the whole disk, which has a partition table",
    "not attached": "is on none of the disks given",
}
SYSTEM = {"etc/fstab": "LABEL=cloud / ext3 defaults 0 1\n", "sbin/init": "x"}
UUID = "11111111-2222-3333-4444-555555555555"


def tables() -> list[list[list[str]]]:
    """The page's tables, row by row, without the line below the heading."""
    found = re.findall(r"(?m)(?:^\|.*\n?)+", PAGE)
    cut = [
        [[cell.strip() for cell in line.strip("|").split(" | ")] for line in one.strip().split("\n")] for one in found
    ]
    return [[rows[0], *rows[2:]] for rows in cut]


def spellings() -> list[tuple[str, str, str, str]]:
    """Layout, device, root and what is said."""
    _, whole, partitioned = tables()
    return [
        (layout, device.strip("`"), row[0].strip("`").removeprefix("root="), said)
        for layout, (head, *rows) in (("whole", whole), ("partitioned", partitioned))
        for row in rows
        for device, said in zip(head[1:], row[1:], strict=True)
    ]


def filesystem(folder: Path, arguments: str, root: str, files: dict[str, str], release: str, *options: str) -> bytes:
    tree = folder / "tree"
    everything: dict[str, str | bytes] = {
        "boot/grub/menu.lst": f"default 0\ntimeout 0\ntitle L\nroot {root}\nkernel /boot/vmlinuz {arguments}\n"
        "initrd /boot/initrd\n",
        "boot/vmlinuz": bzimage(payload("gzip", Elf().build()), text=f"{release} #1".encode()),
        "boot/initrd": cpio(folder, {"init": "x"}),
        **files,
    }
    for path, content in everything.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_bytes(content.encode() if isinstance(content, str) else content)
    image = folder / "fs.img"
    run("mke2fs", "-q", "-F", "-t", "ext3", "-O", "^resize_inode", "-U", UUID, *options, "-d", tree, image, "6M")
    return image.read_bytes()


def disk(folder: Path, volume: bytes, *others: bytes) -> Path:
    """An MBR disk of volumes of 6 MiB."""
    image = folder / "disk.img"
    image.write_bytes(bytes(((len(others) + 1) * 6 + 2) << 20))
    table = "".join(f"start={2048 + 12288 * number}, size=12288, type=83\n" for number in range(len(others) + 1))
    run("sfdisk", "-q", image, stdin=f"label: dos\n{table}".encode())
    with image.open("r+b") as file:
        for number, data in enumerate((volume, *others)):
            file.seek((1 << 20) + number * (6 << 20))
            file.write(data)
    return image


def said(image: Path, **options: Any) -> list[Finding]:
    verdict = boot(image, pvgrub="amazon-1.05", **options)
    assert verdict.boots_default, verdict.console
    return [one for one in verdict.findings if one.rule == "root-device-name"]


def asked(folder: Path, arguments: str, *, release: str = "3.10.0", device: str | None = "/dev/xvda1") -> list[Finding]:
    data = filesystem(folder, f"{arguments} console=hvc0", "(hd0)", SYSTEM, release, "-L", "cloud")
    (folder / "disk.img").write_bytes(data)
    return said(folder / "disk.img", device=device)


def test_the_page_has_all_spellings() -> None:
    assert len(spellings()) == 44


@pytest.mark.parametrize(("layout", "device", "root", "words"), spellings())
def test_spelling(layout: str, device: str, root: str, words: str, tmp_path: Path) -> None:
    grub = "(hd0)" if layout == "whole" else "(hd0,0)"
    data = filesystem(tmp_path, f"root={root} ro console=hvc0", grub, {}, "3.10.0")
    image = tmp_path / "disk.img"
    if layout == "whole":
        image.write_bytes(data)
    else:
        disk(tmp_path, data)
    found = said(image, device=device)
    assert [WORDS[words] in one.message for one in found] == [True] * (words != "right")
    assert all(str(one.severity) == "warning" and UUID in one.remedy for one in found)


KERNELS = tables()[0]


@pytest.mark.parametrize("row", KERNELS[1:], ids=lambda row: f"{row[1]}-{row[0][-8:]}")
def test_names_by_kernel(row: list[str]) -> None:
    option = re.search(r"`(xen_blkfront\S+)`", row[0])
    menu = parse(f"title x\nkernel /k {option[1] if option else ''}\n".encode())
    kernel = FileRef(menu.entries[0], menu.entries[0].lines[0], "(hd0)", "/k", None, Seen(0))
    start = Start(kernel, None, row[1].strip("`"))
    for device, names in zip(KERNELS[0][2:], row[2:], strict=True):
        assert list(disk_names(vbd_number(device.strip("`")), start)) == re.findall(r"`(\w+)`", names)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("root=/dev/nvme0n1p1", "is an NVMe disk"),
        ("root=/dev/loop0p1", "host on which the image was made"),
        ("root=/dev/mapper/loop0p1", "host on which the image was made"),
        ("root=/tmp/build.x/root", "is a path of the host"),
        ("root=/dev/mapper/vg-root", "volume of LVM"),
        ("root=/dev/vg/root", "volume of LVM"),
        ("root=/dev/md0", "is a RAID"),
        ("root=/dev/disk/by-uuid/deadbeef-0000-1111-2222-333333333333", "is a UUID that no filesystem"),
        ("root=/dev/disk/by-label/other", "is a LABEL that no filesystem"),
    ],
)
def test_what_no_guest_has(arguments: str, words: str, tmp_path: Path) -> None:
    (found,) = asked(tmp_path, arguments)
    assert words in found.message and "root=LABEL=cloud" in found.remedy


@pytest.mark.parametrize(
    "arguments",
    [
        f"root=/dev/disk/by-uuid/{UUID}", f"root=/dev/disk/by-uuid/{UUID.upper()}", "root=/dev/disk/by-label/cloud",
        "root=LABEL=cloud", f"root=UUID={UUID}", "root=live:/x", "root=/dev/nfs", "root=/dev/root", "root=ZFS=tank/x",
        "root=/dev/disk/by-path/xen-vbd-51713", "root=0xca01", "root=/dev/vda1 root=/dev/xvda1", "ro",
    ],
)  # fmt: skip
def test_what_is_right_or_not_for_us_to_judge(arguments: str, tmp_path: Path) -> None:
    assert not asked(tmp_path, arguments)


@pytest.mark.parametrize(
    ("arguments", "release", "device", "severity"),
    [
        ("root=/dev/xvde", "2.6.32-696.18.7.el6.x86_64", "/dev/sda", None),
        ("root=/dev/xvde1", "2.6.32-431.el6.x86_64", "/dev/sda1", None),
        ("root=/dev/xvda1", "2.6.32-431.el6.x86_64", "/dev/sda1", "note"),
        ("root=/dev/xvda1 xen_blkfront.sda_is_xvda=1", "2.6.32-431.el6.x86_64", "/dev/sda1", None),
        ("root=/dev/xvde1 xen_blkfront.sda_is_xvda=1", "2.6.32-431.el6.x86_64", "/dev/sda1", "warning"),
        ("root=/dev/xvda1", "2.6.32-131.0.15.el6.x86_64", "/dev/sda1", None),
        ("root=/dev/sda1", "2.6.18.8-linode22", "/dev/sda1", None),
        ("root=/dev/xvda1", "3.9.3-x86_64-linode33", "/dev/sda1", None),
        ("root=/dev/sda1", "2.6.18-348.el5xen", "/dev/sda1", None),
        ("root=/dev/sda1", "2.6.21.7-2.fc8xen", None, None),
        ("root=/dev/sda1", "2.6.16.33-xenU", None, None),
        ("root=/dev/sda1", "2.6.32-305-ec2", "/dev/sda1", None),
        ("root=/dev/sda1", "2.6.26-2-xen-amd64", "/dev/sda1", None),
        ("root=/dev/sda1", "2.6.32-5-xen-amd64", "/dev/sda1", "warning"),
        ("root=/dev/xvda1", "2.6.32-5-xen-amd64", "/dev/sda1", None),
        ("root=/dev/xvda1", "3.13.0-48-generic", None, None),
        ("root=/dev/xvda1", "6.1.0-56-cloud-amd64", None, None),
        ("root=/dev/xvdf", "6.1.0-56-cloud-amd64", None, "note"),
        ("root=/dev/xvdf1", "6.1.0-56-cloud-amd64", "/dev/xvda1", "note"),
        ("root=/dev/sda1", "no-release", "/dev/sda1", None),
    ],
)
def test_kernels_of_distributions(
    arguments: str, release: str, device: str | None, severity: str | None, tmp_path: Path
) -> None:
    found = asked(tmp_path, arguments, release=release, device=device)
    assert [str(one.severity) for one in found] == ([severity] if severity else [])


def test_the_volume_with_the_system_is_proposed_and_never_boot(tmp_path: Path) -> None:
    boots = filesystem(tmp_path, "root=/dev/xvda1 ro console=hvc0", "(hd0,0)", {}, "3.10.0", "-L", "boot")
    other = tmp_path / "other"
    other.mkdir()
    system = filesystem(other, "", "(hd0,1)", SYSTEM, "3.10.0", "-L", "system", "-U", "random")
    (found,) = said(disk(tmp_path, boots, system), device="/dev/xvda")
    assert "which holds no operating system, and (hd0,1) does" in found.message
    assert "root=LABEL=system" in found.remedy and "LABEL=boot" not in found.remedy


def test_other_disks_count(tmp_path: Path) -> None:
    data = filesystem(tmp_path, "root=/dev/xvdb ro console=hvc0", "(hd0)", {}, "3.10.0")
    (tmp_path / "disk.img").write_bytes(data)
    (tmp_path / "b.img").write_bytes(data)
    assert not said(tmp_path / "disk.img", device="/dev/xvda", disks={"/dev/sdb": tmp_path / "b.img"})
    assert said(tmp_path / "disk.img", device="/dev/xvda")
