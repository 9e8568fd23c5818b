"""Makers of steps that give PV-GRUB a menu, and its entries another root or kernel."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from pvgrub_sim.findings import remedies
from pvgrub_sim.findings.facts.boot_files import initrd_for, kernel_files, looked_at, places_looked_at
from pvgrub_sim.findings.facts.case import Case
from pvgrub_sim.findings.facts.file_ref import FileRef
from pvgrub_sim.findings.facts.kernels import ask_loader, whole
from pvgrub_sim.findings.facts.menufile import Entry, Line, split_device
from pvgrub_sim.findings.facts.place import Place
from pvgrub_sim.findings.remedies.edits import delete, edit_menu, insert_before, overwrite, set_header, substitute
from pvgrub_sim.findings.remedies.names import shown_word
from pvgrub_sim.findings.remedies.steps import EXT, FAT, Edit, MoveFile, Remedy, advice
from pvgrub_sim.findings.remedies.volumes import source_of, target_of
from pvgrub_sim.model import Outcome
from pvgrub_sim.profiles.versions import NEWEST_AMAZON, NEWEST_VERSION
from pvgrub_sim.typed import Final

LOOKED_AT: Final = 4
"""Partitions at which Amazon's versions look from 1.04 on."""
MOST_KERNELS: Final = 12
"""Kernels that are tried in the place of one that is refused, the newest first."""
MOST_ENTRIES: Final = 8
"""Entries that are tried before one is proposed."""
ROOT_UNKNOWN: Final = (
    "which filesystem is the root? No volume of these disks holds an operating system and has a label or UUID."
)
ILLUMOS_OWN: Final = (
    "illumos (OmniOS, SmartOS) starts from ZFS by a pv-grub of its own, which knows these commands: give the instance",
    "or domain that one as its kernel; with PV-GRUB only Linux's kernels and Xen's own formats start.",
)


def bring_menu(case: Case, place: Place, path: str) -> Remedy:
    """Commands that make a menu found where it is looked for, or advice to take another PV-GRUB."""
    targets = places_looked_at(case, place)
    if not targets or not case.viewer.driver(place.device):
        return _another_pvgrub(case, place, path)
    folder, _, name = path.rpartition("/")
    for target in targets:
        if target.rpartition("/")[0] == folder and place.type == FAT:
            return remedies.files.install(place, target, source_of(place, path))
        if target.rpartition("/")[0] == folder:
            return remedies.files.link(place, target, name)
    target = targets[0]
    if target == "/boot" + path and place.is_free("/boot"):
        return remedies.files.link(place, "/boot", ".")
    return remedies.files.install(place, target, source_of(place, path))


def _another_pvgrub(case: Case, place: Place, path: str) -> Remedy:
    """Advice to take another PV-GRUB for a menu; where that is Amazon's, a boot disk with which this one does."""
    lines = [f"{case.pvgrub} looks at {looked_at(case)}"]
    if place.index:
        if not case.amazon and place.seen and case.viewer.driver(place.device):
            return advice(*lines, f'start the domain with extra = "{place.device}{path}"')
        order = "disks are hd0, hd1, ... in the order of their device names"
        first = f"(hd0{place.device[4:]}" if place.device[4:5] in (",", ")") else ""
        lines.append(f"{order}: {place.attached.disk.name} must come first")
        if not any(text == f"{first}{path}" for text in case.profile.config_paths):
            lines.append(f"and its menu must lie where PV-GRUB looks: it would be {first}{path}")
        return advice(*lines)
    if not case.amazon:
        return advice(*lines, f'start the domain with extra = "{place.device}{path}"')
    newest = f"pv-grub-hd0_{NEWEST_VERSION}-{case.profile.arch}"
    if place.whole:
        lines.append(f"an hd0 AKI looks at the disk itself, (hd0): {newest}; see `pvgrub-sim aki recommend`:")
    elif len(case.profile.config_paths) == 1:
        lines.append(f"AKIs from 1.04 on look at the first four partitions too: {newest}, or")
        lines.append("an hd00 AKI for a menu on (hd0,0); see `pvgrub-sim aki recommend`:")
    if case.profile.name != NEWEST_AMAZON:
        lines.append(f"pvgrub-sim boot --pvgrub {NEWEST_AMAZON} {shown_word(place.attached.disk.name)}")
    return (
        *advice(*lines, "to keep this one, a small disk that is attached first:"),
        *remedies.boot_disks.boot_disk(case, place),
    )


def new_menu(case: Case, place: Place, path: str | None = None, *, home: Place | None = None) -> Remedy:
    """Write a menu for the kernels of a volume.

    path: of a menu whose place it takes. home: the volume that the menu is for, where it is another one.
    """
    home = home or place
    targets = places_looked_at(case, home)
    kernels = kernel_files(place)
    if not kernels:
        return advice("install a kernel with CONFIG_XEN_PV, then write a menu.lst for it")
    if not targets and path is None:
        return _menu_elsewhere(case, place)
    from pvgrub_sim.findings.facts.root import kernel_arguments

    kernel = kernels[-1].path
    arguments = kernel_arguments(case, place, kernel)
    entry = [f"title Linux {kernel.rpartition('/')[2]}", f"root {place.device}"]
    entry.append(f"kernel {kernel} {arguments or 'root=ROOT ro console=hvc0'}")
    if initrd := initrd_for(place, kernel):
        entry.append(f"initrd {initrd}")
    lines = ["default 0", "timeout 3", "", *entry]
    target = path or next((path for path in targets if home.node(path.rpartition("/")[0])), targets[0])
    if arguments is None:
        return advice(
            ROOT_UNKNOWN,
            f"With its name in the place of ROOT, write {home.device}{target}:",
            *lines,
        )
    text = "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")
    return remedies.files.replace(home, path, text) if path is not None else remedies.files.install(home, target, text)


def _menu_elsewhere(case: Case, place: Place) -> Remedy:
    """A menu for kernels of a volume at which PV-GRUB does not look for one: on another one, or advice."""
    reads = place.seen and case.viewer.driver(place.device)
    for home in case.places:
        if reads and home is not place and places_looked_at(case, home) and case.viewer.driver(home.device):
            return new_menu(case, place, home=home)
    lines = [f"{case.pvgrub} does not look at {place.device} for a menu, but at {looked_at(case)}:"]
    if not case.amazon:
        return advice(*lines, f'start the domain with extra = "{place.device}/boot/grub/menu.lst", and write that menu')
    first = place.index == 0 and place.volume.table in ("mbr", "gpt") and (place.volume.number or 9) <= LOOKED_AT
    if first and len(case.profile.config_paths) == 1:
        lines.append("an AKI of 1.04 or later looks there as well; with this one, a small disk that is attached first")
    else:
        lines.append("put /boot on one of the first four partitions, or on a small disk that is attached first")
    return (*advice(*lines), *remedies.boot_disks.boot_disk(case, place))


def new_menu_somewhere(case: Case) -> Remedy:
    """Write a menu where PV-GRUB looks for one, for kernels on the same volume or else on any that it reads."""
    homes = [place for place in case.places if places_looked_at(case, place) and case.viewer.driver(place.device)]
    kernels = [place for place in case.places if kernel_files(place) and place.seen]
    for place in kernels:
        if places_looked_at(case, place):
            return new_menu(case, place)
    for place in kernels:
        if homes and case.viewer.driver(place.device):
            return new_menu(case, place, home=homes[0])
    return ()


def new_root(ref: FileRef, device: str) -> Edit:
    if ref.line.file.startswith("("):
        return substitute(ref.line, ref.device, device)
    before = [line for line in ref.entry.lines if line.known and line.number < ref.line.number]
    root = next((line for line in reversed(before) if line.command in ("root", "rootnoverify")), None)
    if root is None:
        return insert_before(ref.line, f"root {device}")
    return substitute(root, root.device, device)


def use_other_kernel(case: Case, ref: FileRef) -> Remedy:
    """Commands that make the entry boot another kernel of its device that the loader takes, or advice."""
    place = ref.place
    others = [file for file in reversed(kernel_files(place) if place else []) if file.path != ref.path]
    for file in others[:MOST_KERNELS]:
        if place is None or not _is_taken(case, place, file.path):
            continue
        edits = [substitute(ref.line, ref.path, file.path)]
        initrd = ref.entry.first("initrd")
        right = initrd_for(place, file.path)
        if initrd is not None and right and right != initrd.file:
            edits.append(substitute(initrd, initrd.file, right))
        return edit_menu(case, *edits)
    return advice(
        "install a kernel that is built for Xen's paravirtual mode (CONFIG_XEN_PV=y, 64-bit: Debian's "
        "linux-image-amd64,",
        "say), repack it if its payload asks for it, and name it in the menu",
    )


def _is_taken(case: Case, place: Place, path: str) -> bool:
    """True for a kernel that PV-GRUB opens and its loader takes; one that has several names is asked for once."""
    node = place.node(path)
    if node is None or case.viewer.look(place.device, path).error:
        return False
    if node.number not in place.taken:
        kernel = whole(place, path)
        place.taken[node.number] = kernel is not None and not ask_loader(case, kernel).error
    return place.taken[node.number]


def use_other_entry(case: Case, entry: Entry) -> Remedy:
    """Make another entry the default: one that boots by itself, else one with a kernel that the loader takes."""
    others = [other for other in (case.menu.entries if case.menu else ()) if other.number not in (None, entry.number)]
    sound = (other for other in others[:MOST_ENTRIES] if _boots(case, other))
    kernels = (other for other in others[:MOST_ENTRIES] if _has_kernel(case, other))
    best = next(itertools.chain(sound, kernels), None)
    return edit_menu(case, set_header(case, "default", str(best.number))) if best else ()


def guest_entry(case: Case, entry: Entry, modules: Sequence[Line]) -> Remedy:
    """Make a guest's entry of one for a dom0. modules: of its hypervisor, the kernel first."""
    hypervisor = entry.first("kernel")
    assert hypervisor is not None
    kernel, *others = modules
    edits = [overwrite(hypervisor, f"kernel {kernel.file} {kernel.arguments}".rstrip()), delete(kernel)]
    edits += [delete(line) if n else overwrite(line, f"initrd {line.file}") for n, line in enumerate(others)]
    return edit_menu(case, *edits)


def _boots(case: Case, entry: Entry) -> bool:
    result = case.entry_run(entry.number) if entry.number is not None else None
    return result is not None and result.outcome is Outcome.BOOTS


def _has_kernel(case: Case, entry: Entry) -> bool:
    """True when the file of an entry's kernel line is on some volume, and the loader takes it."""
    line = entry.first("kernel")
    path = split_device(line.file)[1] if line else ""
    for place in case.places:
        kernel = whole(place, path) if path and place.is_file(path) else None
        if kernel is not None:
            return not ask_loader(case, kernel).error
    return False


def rename_file(case: Case, ref: FileRef, full: str) -> Remedy:
    """Give a file whose name has a blank another one, and name that in the menu."""
    assert ref.place is not None
    new = full.replace(" ", "-")
    edit = edit_menu(case, substitute(ref.line, full, new))
    if not ref.place.is_free(new):
        return advice(f"{new} is taken: give {full} a name without a blank, and name that in the menu")
    if ref.place.type not in EXT:
        old = shown_word("/mnt" + full)
        move = advice(f"with {ref.device} mounted at /mnt:", f"mv {old} {shown_word('/mnt' + new)}")
    else:
        move = (MoveFile(target_of(ref.place), full, new),)
    return (*move, *edit)


def other_folder(ref: FileRef, other: str) -> list[Edit]:
    """Edits that put the kernel's and the initrd's path right alike."""
    edits = [substitute(ref.line, ref.path, other)]
    initrd = ref.entry.first("initrd")
    if initrd is not None and initrd.file:
        path = initrd.file.removeprefix("/boot") if ref.path.startswith("/boot/") else f"/boot{initrd.file}"
        edits.append(substitute(initrd, initrd.file, path))
    return edits


def other_kernel(ref: FileRef, place: Place, kernel: str) -> list[Edit]:
    """Edits that make an entry boot another kernel, with its initrd or without one."""
    edits = [substitute(ref.line, ref.path, kernel)]
    initrd = ref.entry.first("initrd")
    if initrd is not None and place.knows(initrd.file) and not place.is_file(initrd.file):
        right = initrd_for(place, kernel)
        edits.append(substitute(initrd, initrd.file, right) if right else delete(initrd))
    return edits
