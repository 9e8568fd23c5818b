"""Makers of steps that write files: a file anew, another payload, a new menu, a boot disk."""

from __future__ import annotations

from collections.abc import Iterable

from pvgrub_sim.findings.facts.case import Case
from pvgrub_sim.findings.facts.place import Place
from pvgrub_sim.findings.remedies.edits import menu_text, merged, substitute
from pvgrub_sim.findings.remedies.names import shown_word
from pvgrub_sim.findings.remedies.steps import (
    EXT,
    Advice,
    BootDisk,
    BtrfsBootDisk,
    Edit,
    MakeLink,
    PutFile,
    Remedy,
    Repack,
    Source,
    advice,
    writable,
)
from pvgrub_sim.findings.remedies.volumes import source_of, target_of
from pvgrub_sim.ondisk.compressed import is_gzip
from pvgrub_sim.typed import Final

MIB: Final = 1 << 20
SMALLEST_DISK: Final = 8 * MIB
"""Bytes: less is no use to anybody, and mke2fs makes odd filesystems."""
WHOLE: Final = "(hd0)"
BOOT_IMAGE: Final = "boot.img"


def rewrite(place: Place, path: str) -> Remedy:
    """Write a file anew, without holes or unwritten blocks as PV-GRUB sees them."""
    source = source_of(place, path)
    if not writable(source.target):
        told = f"{place.type} cannot be written without being mounted: on the running system, or with {place.device}"
        return advice(f"{told} mounted, write {path} anew without holes (cp --sparse=never)")
    return (PutFile(source.target, source.path, source),)


def repack(place: Place | None, path: str) -> Remedy:
    """Put a kernel with a gzip payload in the place of one."""
    if place is None or place.reader is None or not writable(target_of(place)):
        new = shown_word(f"{path}.gzip")
        return advice(
            "on the running system, or with the image mounted:",
            f"pvgrub-sim repack --payload gzip {shown_word(path)} -o {new}",
            f"mv {new} {shown_word(path)}",
        )
    source = source_of(place, path)
    return (Repack(source.target, source.path, source.size),)


def link(place: Place, path: str, to: str) -> Remedy:
    """Make a symbolic link."""
    if place.type in EXT:
        return (MakeLink(target_of(place), path, to, dangling(place, path)),)
    return advice(f"with {place.device} mounted at /mnt:", f"ln -s {shown_word(to)} {shown_word('/mnt' + path)}")


def dangling(place: Place, path: str) -> str:
    """Where a symbolic link at a path leads, when nothing is there; "" for anything else."""
    passed = place.links(path)[0]
    name, _, to = passed[0].partition(" -> ") if passed else ("", "", "")
    return to if name == path and place.node(path) is None else ""


def install(place: Place, path: str, content: bytes | Source) -> Remedy:
    """Put a file at a path whose folders may be missing."""
    parts = path.split("/")[1:-1]
    folders = ["/" + "/".join(parts[:count]) for count in range(1, len(parts) + 1)]
    missing = tuple(folder for folder in folders if not place.node(folder))
    target = target_of(place)
    if writable(target):
        in_the_way = next((name for name in (*folders, path) if dangling(place, name)), "")
        return (PutFile(target, path, content, missing, place.is_file(path), in_the_way=in_the_way),)
    what = content.decode("utf-8", "backslashreplace") if isinstance(content, bytes) else f"a copy of {content.path}"
    return (Advice((f"with {place.device} mounted at /mnt, as {shown_word('/mnt' + path)}:", *what.splitlines())),)


def replace(place: Place, path: str, content: bytes) -> Remedy:
    """Put other content in the place of a file that is there."""
    return install(place, place.links(path)[1], content)


def boot_image(case: Case) -> str:
    """Name of the image of a boot disk: never that of an image that is there already."""
    taken = {attached.disk.name.rpartition("/")[2] for attached in case.disks}
    name = BOOT_IMAGE
    while name in taken:
        name = f"new-{name}"
    return name


def boot_disk(case: Case, place: Place) -> Remedy:
    """Make a disk that PV-GRUB reads, with the menu and the files that it names."""
    wanted: dict[str, Source] = {}
    if case.menu_home is not None:
        wanted[_menu_path(case)] = source_of(*case.menu_home)
    for ref in case.files():
        if ref.place is not None and ref.path.startswith("/") and ref.place.is_file(ref.path):
            path = "/" + "/".join(part for part in ref.path.split("/") if part)
            wanted.setdefault(path, source_of(ref.place, ref.path))
    if not wanted or place.reader is None:
        return advice(
            f"PV-GRUB needs the menu, kernel and initrd on a filesystem that it reads: copy /boot from {place.device}",
            f"to a disk or partition of its own, made with: mke2fs -t ext2 -L boot {BOOT_IMAGE} 256M",
        )
    edits = _all_on_whole_disk(case)
    if edits and (case.menu_home is None or menu_text(case) is None):
        return advice(
            f"copy /boot from {place.device} to a disk or partition of its own on ext2, whose menu names {WHOLE} only",
        )
    size = boot_disk_size(source.size for source in wanted.values())
    packed = case.menu_home is not None and is_gzip(case.menu_home[0].head(case.menu_home[1], 4) or b"")
    return (BootDisk(tuple(wanted.items()), edits, size, boot_image(case), packed),)


def boot_disk_size(sizes: Iterable[int]) -> int:
    """Bytes of a boot disk for files of these sizes, with room for a kernel that is packed anew beside the old one."""
    wanted = sum(sizes) * 23 // 10 + 2 * MIB
    return max(SMALLEST_DISK, -(-wanted // MIB) * MIB)


def btrfs_boot_disk(case: Case, place: Place) -> Remedy:
    """Make such a disk of the folder /boot of a btrfs."""
    return (BtrfsBootDisk(target_of(place), boot_image(case)),)


def _menu_path(case: Case) -> str:
    """Where PV-GRUB looks for a menu on a disk without a partition table."""
    assert case.menu_home is not None
    found = [text.removeprefix(WHOLE) for text in case.profile.config_paths if text.startswith(f"{WHOLE}/")]
    return found[0] if found else case.menu_home[1]


def _all_on_whole_disk(case: Case) -> tuple[Edit, ...]:
    """Edits that make the menu name the whole disk wherever it names another device."""
    edits = []
    for entry in case.menu.entries if case.menu else ():
        for line in entry.lines:
            device = line.device if line.command in ("root", "rootnoverify") else line.file.partition("/")[0]
            if line.known and device.startswith("(") and device != WHOLE:
                edits.append(substitute(line, device, WHOLE))
    return merged(edits)
