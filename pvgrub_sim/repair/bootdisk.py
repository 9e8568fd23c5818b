"""A small disk of its own for what PV-GRUB reads, where the filesystem with the boot files cannot be mended."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from pvgrub_sim.findings.remedies.files import boot_disk_size
from pvgrub_sim.repair.ext import ExtFilesystem
from pvgrub_sim.repair.target import Stretch
from pvgrub_sim.repair.tools import Tools
from pvgrub_sim.typed import Final

LABEL: Final = "pvgrub-boot"


def make_boot_disk(
    disk: Path, files: Mapping[str, Path], tools: Tools, links: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Make a disk with an ext2 filesystem, without a partition table, and put files on it.

    disk: must not exist. files: of the host, by their path on the disk. tools: run the tools. links: targets of
    symbolic links, by their path on the disk. Raises RepairError.
    """
    size = boot_disk_size(source.stat().st_size for source in files.values())
    with disk.open("xb") as made:
        made.truncate(size)
    # 128-byte inodes and no features beyond those of 1995: every version of PV-GRUB reads that.
    tools.run(
        "mke2fs",
        "-q",
        "-F",
        "-t",
        "ext2",
        "-I",
        "128",
        "-O",
        "^resize_inode,^dir_index",
        "-L",
        LABEL,
        tools.name_of(disk),
    )
    filesystem = ExtFilesystem(Stretch(disk, 0, size), tools)
    for path, source in files.items():
        filesystem.put(path, source)
    for path, target in links.items():
        filesystem.link(path, target)
    filesystem.check()
