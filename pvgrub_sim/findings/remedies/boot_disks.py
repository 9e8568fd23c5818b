"""Makers of steps that make a boot disk: a small disk that PV-GRUB reads, with the menu and what it names."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pvgrub_sim.findings.facts import menufile
from pvgrub_sim.findings.facts.boot_files import menus
from pvgrub_sim.findings.facts.case import FILE_COMMANDS, Case
from pvgrub_sim.findings.facts.menufile import MenuFile, parse_number, split_device
from pvgrub_sim.findings.facts.place import Place, gunzip
from pvgrub_sim.findings.remedies.edits import menu_text, merged, substitute
from pvgrub_sim.findings.remedies.steps import BootDisk, BtrfsBootDisk, Edit, Remedy, Source, advice, device_of
from pvgrub_sim.findings.remedies.volumes import source_of, target_of
from pvgrub_sim.ondisk.compressed import is_gzip
from pvgrub_sim.survey.result import FileKind
from pvgrub_sim.typed import Final

MIB: Final = 1 << 20
SMALLEST_DISK: Final = 8 * MIB
"""Bytes: less is no use to anybody, and mke2fs makes odd filesystems."""
BOOT_IMAGE: Final = "boot.img"
NEEDED: Final = (FileKind.KERNEL, FileKind.INITRD, FileKind.GRUB2)
"""Kinds of files from which a menu is written."""


def boot_image(case: Case) -> str:
    """Name of the image of a boot disk: never that of an image that is there already."""
    taken = {attached.disk.name.rpartition("/")[2] for attached in case.disks}
    name = BOOT_IMAGE
    while name in taken:
        name = f"new-{name}"
    return name


def partition_looked_at(case: Case) -> int | None:
    """The partition of the first disk at which PV-GRUB looks for a menu, from 1; None where it takes the disk itself.

    That is where a boot disk has its filesystem: builds before 1.04 look at one place.
    """
    devices = [split_device(text)[0] for text in case.profile.config_paths]
    found = [match for device in devices if (match := re.fullmatch(r"\(hd0,([0-3])\)", device))]
    return None if "(hd0)" in devices or not found else int(found[0][1]) + 1


def boot_disk(case: Case, place: Place) -> Remedy:
    """Make a disk that PV-GRUB reads, with the menu and the files that it names. place: where they are."""
    partition = partition_looked_at(case)
    home, menu = _menu_of(case, place)
    wanted = _wanted(case, place, home, menu)
    if not wanted or place.reader is None:
        return advice(
            f"PV-GRUB needs the menu, kernel and initrd on a filesystem that it reads: copy /boot from {place.device}",
            f"to a disk or partition of its own, made with: mke2fs -t ext2 -L boot {BOOT_IMAGE} 256M",
        )
    edits = _all_on(menu, device_of(partition))
    if edits and (home is None or (home == case.menu_home and menu_text(case) is None)):
        return advice(
            f"copy /boot from {place.device} to a disk or partition of its own on ext2, whose menu names "
            f"{device_of(partition)} only",
        )
    size = boot_disk_size(source.size for source in wanted.values())
    packed = home is not None and is_gzip(home[0].head(home[1], 4) or b"")
    return (BootDisk(tuple(wanted.items()), edits, size, boot_image(case), packed, partition),)


def _menu_of(case: Case, place: Place) -> tuple[tuple[Place, str] | None, MenuFile | None]:
    """The menu that is meant, and what is in it: the one that PV-GRUB looks for, else the likeliest of the volume."""
    if case.menu_home is not None:
        return case.menu_home, case.menu
    found = [file.path for home, file in menus(case) if home is place]
    path = next((path for path in found if path.endswith("/menu.lst")), found[0] if found else None)
    raw = place.head(path, menufile.MOST_BYTES + 1) if path else None
    if raw is not None and is_gzip(raw):
        raw = gunzip(raw, menufile.MOST_BYTES + 1)
    if path is None or raw is None or len(raw) > menufile.MOST_BYTES:
        return None, None
    return (place, path), menufile.parse(raw)


def _wanted(case: Case, place: Place, home: tuple[Place, str] | None, menu: MenuFile | None) -> dict[str, Source]:
    """What goes to a boot disk, by its path there: the menu first."""
    wanted: dict[str, Source] = {}
    if home is not None:
        wanted[_menu_path(case, home[1])] = source_of(*home)
    known = home == case.menu_home
    named = [(ref.device, ref.path) for ref in case.files()] if known else _named(menu)
    found = [(_holder(case, place, device, path), path) for device, path in named]
    files = place.filesystem.files if place.filesystem else ()
    kernels = {file.path for file in files if file.kind is FileKind.KERNEL}
    if home is None and not kernels:
        return {}
    if not kernels & {path for _, path in found} or not all(holder.is_file(path) for holder, path in found):
        # What is meant is looked for on the boot disk then: a kernel of another name, or one to write a menu for.
        kinds = (FileKind.KERNEL, FileKind.INITRD) if home is not None else NEEDED
        found += [(place, file.path) for file in files if file.kind in kinds and not file.missing]
    if not all(holder.knows(path) for holder, path in found):
        # A boot disk without a file that may be there would boot into nothing.
        return {}
    for holder, path in found:
        if path.startswith("/") and holder.is_file(path):
            plain = "/" + "/".join(part for part in path.split("/") if part)
            wanted.setdefault(plain, source_of(holder, path))
    return wanted


def _named(menu: MenuFile | None) -> list[tuple[str, str]]:
    """Device and path of the files that the default entry and the fallbacks of a menu name."""
    if menu is None:
        return []
    lines = [menu.setting("default"), menu.setting("fallback")]
    numbers = [parse_number(word) or 0 for line in lines if line for word in line.argument.split()] or [0]
    entries = [entry for number in dict.fromkeys(numbers) if (entry := menu.entry(number))]
    files = [one for entry in entries for one in entry.files() if one[0].command in FILE_COMMANDS]
    named = [(*split_device(line.file), root) for line, root in files]
    return [(device or root, path) for device, path, root in named]


def _holder(case: Case, place: Place, device: str, path: str) -> Place:
    """The volume that has a file: the one that is named, else the menu's own."""
    named = case.place(device) if device.startswith("(") else None
    return named if named is not None and named.is_file(path) else place


def _menu_path(case: Case, path: str) -> str:
    """Where PV-GRUB looks for a menu on a boot disk."""
    device = device_of(partition_looked_at(case))
    found = [text.removeprefix(device) for text in case.profile.config_paths if text.startswith(f"{device}/")]
    return found[0] if found else path


def _all_on(menu: MenuFile | None, home: str) -> tuple[Edit, ...]:
    """Edits that make a menu name one device wherever it names another."""
    edits = []
    for entry in menu.entries if menu else ():
        for line in entry.lines:
            device = line.device if line.command in ("root", "rootnoverify") else line.file.partition("/")[0]
            if line.known and device.startswith("(") and device != home:
                edits.append(substitute(line, device, home))
    return merged(edits)


def boot_disk_size(sizes: Iterable[int]) -> int:
    """Bytes of a boot disk for files of these sizes, with room for a kernel that is packed anew beside the old one."""
    wanted = sum(sizes) * 23 // 10 + 2 * MIB
    return max(SMALLEST_DISK, -(-wanted // MIB) * MIB)


def btrfs_boot_disk(case: Case, place: Place) -> Remedy:
    """Make such a disk of the folder /boot of a btrfs."""
    return (BtrfsBootDisk(target_of(place), boot_image(case), partition_looked_at(case)),)
