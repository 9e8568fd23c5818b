"""A small disk of its own for what PV-GRUB reads, where the filesystem with the boot files cannot be mended."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from pvgrub_sim.findings.remedies.boot_disks import boot_disk_size
from pvgrub_sim.findings.remedies.steps import start_of
from pvgrub_sim.repair.ext import ExtFilesystem
from pvgrub_sim.repair.target import Stretch
from pvgrub_sim.repair.tools import Tools
from pvgrub_sim.typed import Final

LABEL: Final = "pvgrub-boot"


def make_boot_disk(
    disk: Path,
    files: Mapping[str, Path],
    tools: Tools,
    links: Mapping[str, str] = MappingProxyType({}),
    *,
    partition: int | None = None,
) -> None:
    """Make a disk with an ext2 filesystem, without a partition table or in a partition, and put files on it.

    disk: must not exist. files: of the host, by their path on the disk. tools: run the tools. links: targets of
    symbolic links, by their path on the disk. partition: that holds the filesystem, from 1, None for the disk itself.
    Raises RepairError.
    """
    size = boot_disk_size(source.stat().st_size for source in files.values())
    start = start_of(partition)
    with disk.open("xb") as made:
        made.truncate(start + size)
    if partition is not None:
        table = f"label: dos\n{partition} : start={start // 512}, type=83\n"
        tools.run("sfdisk", "-q", "--no-tell-kernel", tools.name_of(disk), script=table.encode())
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
        "-E",
        f"offset={start}",
        tools.name_of(disk),
        f"{size >> 10}k",
    )
    filesystem = ExtFilesystem(Stretch(disk, start, size), tools)
    for path, source in files.items():
        filesystem.put(path, source)
    for path, target in links.items():
        filesystem.link(path, target)
    filesystem.check()
