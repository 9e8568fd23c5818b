"""Where PV-GRUB looks for its menu, and for the files that the menu names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from pvgrub_sim.findings.facts.case import Case, FileRef, split_device
from pvgrub_sim.findings.facts.place import Place
from pvgrub_sim.findings.remedies.edits import delete, edit_menu, insert_before, substitute
from pvgrub_sim.findings.remedies.files import install, link, replace
from pvgrub_sim.findings.remedies.names import shown_word
from pvgrub_sim.findings.remedies.steps import FAT, Edit, Remedy, advice
from pvgrub_sim.findings.remedies.volumes import source_of
from pvgrub_sim.findings.rule import Draft, rule
from pvgrub_sim.model import Outcome, Severity
from pvgrub_sim.profiles.versions import NEWEST_AMAZON, NEWEST_VERSION
from pvgrub_sim.survey.result import BootFile, FileKind

# Compiled when it is wanted: few runs come to that.
_LINUX: Final = r"(?m)^\s*(?:linux(?:16|efi)?)\s+(\S+)[ \t]*(.*)$"
_OPTIONS: Final = r"(?m)^\s*options\s+(.*)$"
_MOST_CONFIG: Final = 1 << 20
ROOT_UNKNOWN: Final = (
    "which filesystem is the root? No volume of these disks holds an operating system and has a label or UUID."
)


def menus(case: Case) -> list[tuple[Place, BootFile]]:
    """The files that look like a menu of GRUB legacy, wherever they are."""
    return list(case.boot_files(FileKind.MENU))


def looked_at(case: Case) -> str:
    """The places of the lookup, in words."""
    paths = case.profile.config_paths
    return ", ".join(paths[:3]) + (f" and {len(paths) - 3} more places" if len(paths) > 3 else "")


@rule(
    "grub2-only",
    Severity.ERROR,
    "GRUB 2's configuration is there, but no menu.lst",
    """
PV-GRUB is GRUB 0.97 and reads `menu.lst` only. An image that boots with GRUB 2 elsewhere has `grub.cfg` and
nothing for PV-GRUB: no menu is found, and it stays at its `grubdom>` prompt.

**Remedy.** Write a `menu.lst` (the finding's commands do, from what `grub.cfg` passes to the kernel), and let
each kernel upgrade update it: Ubuntu had `grub-legacy-ec2` for that, others have `grubby`.

**Source.** AWS, "User Provided Kernels"; GRUB 0.97, `stage2/stage2.c:cmain`.
""",
)
def grub2_only(case: Case) -> Iterator[Draft]:
    if case.config is not None or menus(case):
        return
    for place, file in case.boot_files(FileKind.GRUB2):
        yield Draft(
            f"{place.device}{file.path} is GRUB 2's configuration, and there is no menu.lst: PV-GRUB reads that only.",
            new_menu(case, place),
            f"{place.device}{file.path}",
            f"looked for {looked_at(case)}",
        )
        return


@rule(
    "menu-not-found",
    Severity.ERROR,
    "PV-GRUB finds no menu where it looks",
    """
Without a menu PV-GRUB stays at its `grubdom>` prompt, and says nothing on the console about where it has
looked. An hd0 AKI up to 1.03 looks at `(hd0)/boot/grub/menu.lst` only, an hd00 AKI at
`(hd0,0)/boot/grub/menu.lst` only; from 1.04 on both look at nine places: these, and `/boot/grub/menu.lst` and
`/grub/menu.lst` of the first four partitions. Xen's PV-GRUB takes the path from the domain's `extra=`.
`grub.conf` is not looked for.

**Remedy.** A separate boot partition holds `/grub/menu.lst`: the link `boot -> .` on it makes
`/boot/grub/menu.lst` of that. A `grub.conf` gets a link `menu.lst -> grub.conf`. A menu on another device wants
the AKI of that device, or 1.04 and later.

**Source.** AWS, "User Provided Kernels"; Xen, `stubdom/grub/mini-os.c:main`.
""",
    unless=("filesystem", "menu"),
)
def menu_not_found(case: Case) -> Iterator[Draft]:
    if case.config is not None:
        return
    found = menus(case)
    if case.menu_home:
        place, path = case.menu_home
        error = case.eyes.look(place.device, path).error
        yield Draft(
            f"{place.device}{path} is there, but PV-GRUB cannot open it (Error {error}).", (), f"{place.device}{path}"
        )
        return
    if not found:
        yield Draft(
            f"{case.pvgrub} finds no menu: it looked for {looked_at(case)}.",
            _new_menu_somewhere(case),
            "",
            "no menu.lst or grub.conf on any volume that can be read",
        )
        return
    place, file = found[0]
    yield Draft(
        f"{case.pvgrub} looked for {looked_at(case)}, and the menu is {place.device}{file.path}.",
        _bring_menu(case, place, file.path),
        f"{place.device}{file.path}",
        "found: " + ", ".join(f"{home.device}{entry.path}" for home, entry in found),
    )


def _targets(case: Case, place: Place) -> list[str]:
    """The paths at which PV-GRUB looks on a volume."""
    found = []
    for text in case.profile.config_paths:
        device, path = split_device(text)
        if place.seen and case.place(device) is place:
            found.append(path)
    return found


def _bring_menu(case: Case, place: Place, path: str) -> Remedy:
    """Commands that make a menu found where it is looked for, or advice to take another PV-GRUB."""
    targets = _targets(case, place)
    if not targets or not case.eyes.driver(place.device):
        lines = [f"{case.pvgrub} looks at {looked_at(case)}"]
        if place.index:
            order = "disks are hd0, hd1, ... in the order of their device names"
            lines.append(f"{order}: {place.attached.disk.name} must come first")
            return advice(*lines)
        if case.amazon:
            newest = f"pv-grub-hd0_{NEWEST_VERSION}-{case.profile.arch}"
            lines.append(f"AKIs from 1.04 on look at the first four partitions too: {newest}, or")
            lines.append("an hd00 AKI for a menu on (hd0,0); see `pvgrub-sim aki recommend`:")
            lines.append(f"pvgrub-sim boot --pvgrub {NEWEST_AMAZON} {shown_word(place.attached.disk.name)}")
        else:
            lines.append(f'start the domain with extra = "{place.device}{path}"')
        return advice(*lines)
    folder, _, name = path.rpartition("/")
    for target in targets:
        if target.rpartition("/")[0] == folder:
            return link(place, target, name)
    target = targets[0]
    if target == "/boot" + path and not place.node("/boot"):
        return link(place, "/boot", ".")
    return install(place, target, source_of(place, path))


def kernel_files(place: Place) -> list[BootFile]:
    """The kernels on a volume, the newest version last by name."""
    files = place.filesystem.files if place.filesystem else ()
    return [file for file in files if file.kind is FileKind.KERNEL and not file.missing and file.size]


def initrd_for(place: Place, kernel: str) -> str | None:
    """The initrd that goes with a kernel by its name."""
    folder, _, name = kernel.rpartition("/")
    version = name.partition("-")[2]
    for file in place.filesystem.files if place.filesystem else ():
        if file.kind is FileKind.INITRD and not file.missing and file.path.rpartition("/")[0] == folder:
            rest = file.path.rpartition("/")[2]
            if (version and version in rest) or (not version and "-" not in rest):
                return file.path
    return None


def kernel_arguments(case: Case, place: Place, kernel: str) -> str | None:
    """What GRUB 2's configuration passes to a kernel, with the root filesystem; None when that is not known."""
    files = place.filesystem.files if place.filesystem else ()
    name = kernel.rpartition("/")[2]
    kept: list[str] = []
    for file in files:
        # A grub.cfg may stand under the name of a menu.
        looked = file.kind in (FileKind.GRUB2, FileKind.MENU)
        text = (place.head(file.path, _MOST_CONFIG) or b"") if looked else b""
        for path, words in re.findall(_LINUX, text.decode("utf-8", "replace")):
            options = re.search(_OPTIONS, text.decode("utf-8", "replace"))
            given = words or (options[1] if options else "")
            if path.rpartition("/")[2] == name and not kept:
                kept = [word for word in given.split() if "$" not in word and not word.startswith("console=")]
    if not any(word.startswith("root=") for word in kept):
        root = root_argument_of(case)
        if root is None:
            return None
        kept = [root, *(kept or ["ro"])]
    return " ".join([*kept, "console=hvc0"])


def root_argument_of(case: Case) -> str | None:
    """`root=LABEL=…` or `root=UUID=…` of the volume that holds an operating system; None when there is none."""
    labels = [content.label for place in case.places for content in place.volume.contents]
    for place in case.places:
        content = place.filesystem
        names = set(place.names("/")) if content else set()
        if content is None or content.type == FAT or not ("etc" in names and names & {"sbin", "usr", "lib"}):
            continue
        if content.label and " " not in content.label and labels.count(content.label) == 1:
            return f"root=LABEL={content.label}"
        if content.uuid:
            return f"root=UUID={content.uuid}"
    return None


def new_menu(case: Case, place: Place, path: str | None = None) -> Remedy:
    """Write a menu for the kernels of a volume. path: of a menu whose place it takes."""
    targets = _targets(case, place)
    kernels = kernel_files(place)
    if not kernels:
        return advice("install a kernel with CONFIG_XEN_PV, then write a menu.lst for it")
    if not targets and path is None:
        return advice(f"{case.pvgrub} does not look at {place.device} for a menu: take an AKI of 1.04 or later")
    kernel = kernels[-1].path
    arguments = kernel_arguments(case, place, kernel)
    entry = [f"title Linux {kernel.rpartition('/')[2]}", f"root {place.device}"]
    entry.append(f"kernel {kernel} {arguments or 'root=ROOT ro console=hvc0'}")
    if initrd := initrd_for(place, kernel):
        entry.append(f"initrd {initrd}")
    lines = ["default 0", "timeout 3", "", *entry]
    target = path or next((path for path in targets if place.node(path.rpartition("/")[0])), targets[0])
    if arguments is None:
        return advice(
            ROOT_UNKNOWN,
            f"With its name in the place of ROOT, write {place.device}{target}:",
            *lines,
        )
    text = "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")
    return replace(place, path, text) if path is not None else install(place, target, text)


def _new_menu_somewhere(case: Case) -> Remedy:
    for place in case.places:
        if kernel_files(place) and _targets(case, place):
            return new_menu(case, place)
    return ()


@rule(
    "menu-without-entries",
    Severity.ERROR,
    "The menu has no entry that PV-GRUB understands",
    """
A menu that opens but in which no `title` with a known command follows leaves PV-GRUB at its `grubdom>` prompt,
without a word: a `grub.cfg` under the name of `menu.lst`, a file in UTF-16, lines that end in CR alone, an
empty file.

**Remedy.** Write a `menu.lst`; the finding's commands do.

**Source.** GRUB 0.97, `stage2/stage2.c:cmain`.
""",
)
def menu_without_entries(case: Case) -> Iterator[Draft]:
    if case.config is None or case.menu is None or case.menu_home is None:
        return
    if case.menu.count:
        line = case.menu.setting("unhide") or case.menu.setting("hide")
        if case.boot.outcome is Outcome.PROMPT and line is not None:
            yield Draft(
                f"'{line.text}' above the first title makes PV-GRUB read the rest of {case.config} from another disk.",
                edit_menu(case, delete(line)),
                case.at(line),
            )
        return
    place, path = case.menu_home
    raw = place.head(path, 4) or b""
    form = "UTF-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else ""
    titles = len(case.menu.entries)
    why = f"it is {form}" if form else f"it has {titles} titles, none with a command that PV-GRUB knows"
    yield Draft(
        f"{case.config} opens, but has no entry for PV-GRUB: {why}.",
        new_menu(case, place, path),
        case.config,
        f"first bytes: {raw.hex(' ')}" if raw else "",
    )


@rule(
    "root-device-mismatch",
    Severity.ERROR,
    "An entry's root is not the device that its files are on",
    """
`root (hd0)` means the whole disk: right for a volume without a partition table, which is what an AMI's root
volume usually is. `root (hd0,0)` means its first partition. The wrong one ends in `Error 5`, `17` or `22`.
Without a `root` line there is no root at all: `Error 21`. Which disk is hd0 follows from the order of the vbd
numbers, not from the order in which they were attached.

**Remedy.** Write the device on which the files are; PV-GRUB prints what it finds: `vbd 2049 is hd0`, `
Filesystem type is ext2fs, using whole disk`.

**Source.** GRUB 0.97, `stage2/disk_io.c:real_open_partition`; Xen, `stubdom/grub/mini-os.c:init_disk`.
""",
)
def root_device_mismatch(case: Case) -> Iterator[Draft]:
    told: set[int] = set()
    for ref in case.files():
        home = case.elsewhere(ref)
        if home is None or ref.entry.title.number in told:
            continue
        told.add(ref.entry.title.number)
        here = ref.device or "no device, for the entry has no root"
        yield Draft(
            f"{ref.entry.name} takes {ref.path} from {here}, where opening it ends in Error {ref.seen.error}; "
            "the file is "
            f"on {home.device}.",
            edit_menu(case, _new_root(ref, home.device)),
            case.at(ref.line),
            f"{home.where}: {home.type} with {ref.path}",
        )


def _new_root(ref: FileRef, device: str) -> Edit:
    if ref.line.file.startswith("("):
        return substitute(ref.line, ref.device, device)
    before = [line for line in ref.entry.lines if line.known and line.number < ref.line.number]
    root = next((line for line in reversed(before) if line.command in ("root", "rootnoverify")), None)
    if root is None:
        return insert_before(ref.line, f"root {device}")
    return substitute(root, root.device, device)
