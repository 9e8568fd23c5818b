"""Where PV-GRUB looks for its menu, and for the files that the menu names."""

from __future__ import annotations

from collections.abc import Iterator

from pvgrub_sim.findings import remedies
from pvgrub_sim.findings.facts.boot_files import kernel_files, looked_at, menus, places_looked_at
from pvgrub_sim.findings.facts.case import Case
from pvgrub_sim.findings.facts.foreign import chain_loaded, command_names, for_illumos, lost_root
from pvgrub_sim.findings.facts.misnamed import nearly_elsewhere
from pvgrub_sim.findings.facts.place import Place
from pvgrub_sim.findings.facts.where import Where
from pvgrub_sim.findings.remedies.edits import delete, edit_menu
from pvgrub_sim.findings.remedies.steps import Advice, advice
from pvgrub_sim.findings.rule import Draft, rule
from pvgrub_sim.media.disk import Disk, known_size, read_upto
from pvgrub_sim.model import Outcome, Severity
from pvgrub_sim.survey.result import BootFile, FileKind
from pvgrub_sim.typed import Final

SHOWN_EMPTY: Final = 64 << 10
"""Bytes at the start of a disk that are looked at before it is called empty."""


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
            remedies.menus.new_menu(case, place),
            Where(place.device, file.path),
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
        error = case.viewer.look(place.device, path).error
        yield Draft(
            f"{place.device}{path} is there, but PV-GRUB cannot open it (Error {error}).", (), Where(place.device, path)
        )
        return
    raw = _taken_as_raw(case.disks[0].disk)
    if not found:
        why = raw or _nothing_there(case)
        yield Draft(
            f"{why}{case.pvgrub} finds no menu: it looked for {looked_at(case)}{_kernels(case)}.",
            remedies.menus.new_menu_somewhere(case),
            Where(),
            "no menu.lst or grub.conf on any volume that can be read",
        )
        return
    place, file = min(found, key=_likeliest)
    links = [(path, remedies.files.dangling(place, path)) for path in places_looked_at(case, place)]
    broken = "".join(f"; the link {path} -> {to} leads nowhere" for path, to in links if to)
    yield Draft(
        f"{raw}{case.pvgrub} looked for {looked_at(case)}, and the menu is {place.device}{file.path}{broken}.",
        remedies.menus.bring_menu(case, place, file.path),
        Where(place.device, file.path),
        "found: " + ", ".join(f"{home.device}{entry.path}" for home, entry in found),
    )


def _likeliest(found: tuple[Place, BootFile]) -> tuple[bool, int, bool]:
    """Which of several menus is meant: one that PV-GRUB reaches, on an early disk, under GRUB legacy's own name."""
    place, file = found
    return not place.seen, place.index, not file.path.endswith("/menu.lst")


def _kernels(case: Case) -> str:
    """Where kernels are, without any menu."""
    homes = [(place, kernel_files(place)) for place in case.places]
    found = [f"{place.device}{files[-1].path}" for place, files in homes if files]
    return f"; no menu names the kernel{'s' if found[1:] else ''} {', '.join(found[:4])}" if found else ""


@rule(
    "menu-on-another-disk",
    Severity.WARNING,
    "A menu is on another disk than the one that PV-GRUB starts from",
    """
PV-GRUB takes one menu: the first that it finds where it looks, which is on hd0 in Amazon's versions and where the
domain's `extra=` says in Xen's. When the default entry does not boot, or there is no menu, the one on another disk
may be the one that is meant, whatever else is wrong.

**Remedy.** Xen: `extra = "(hd1,0)/grub/menu.lst"` and its like. On EC2 attach the disk under a name that comes first.

**Source.** Xen, `stubdom/grub/mini-os.c:main`; AWS, "User Provided Kernels".
""",
)
def menu_on_another_disk(case: Case) -> Iterator[Draft]:
    if case.healthy or len(case.disks) < 2:
        return
    alone = case.config is None and case.menu_home is None
    if alone and not any(told.severity is Severity.ERROR for told in case.told):
        # Then that is the one thing that is wrong, and menu-not-found says so.
        return
    mine = case.menu_home[0].index if case.menu_home else 0
    found = sorted((one for one in menus(case) if one[0].index != mine), key=_likeliest)
    if not found:
        return
    place, file = found[0]
    path = f"{place.device}{file.path}"
    error = case.viewer.look(place.device, file.path).error if place.seen else 0
    cannot = (
        f", which PV-GRUB cannot open (Error {error})" if error else "" if place.seen else ", which it does not see"
    )
    remedy = remedies.menus.bring_menu(case, place, file.path)
    yield Draft(
        f"Another disk, {place.attached.disk.name}, has a menu: {path}{cannot}.",
        remedy if all(isinstance(step, Advice) for step in remedy) else (),
        Where(place.device, file.path),
        "found: " + ", ".join(f"{home.device}{entry.path}" for home, entry in found[:8]),
        None if case.config is None else Severity.NOTE,
    )


def _taken_as_raw(disk: Disk) -> str:
    """What a disk's bytes are where they are an image's in a format, and nobody has unwrapped it."""
    from pvgrub_sim.media.formats.detect import HEAD, recognised
    from pvgrub_sim.media.formats.table import FORMATS

    found = recognised(read_upto(disk, 0, HEAD))
    if not found:
        return ""
    return (
        f"{disk.name} begins as {FORMATS[found].words} does, and its bytes are taken as raw ones, as --image-format "
        "or the domain's configuration says. "
    )


def _nothing_there(case: Case) -> str:
    """What is wanting besides a menu, as a sentence: any filesystem, or any kernel."""
    known = [place for place in case.places if place.volume.contents]
    if not known:
        disks = [place.attached.disk for place in case.places if place.whole]
        zeros = all(known_size(disk) >= SHOWN_EMPTY and not any(disk.read(0, SHOWN_EMPTY)) for disk in disks)
        what = f", and the first {SHOWN_EMPTY} bytes are zeros" if zeros else ""
        return f"Nothing is recognised on the disk: no filesystem that is known by its marks{what}. "
    readable = [place for place in known if place.reader is not None]
    if readable and not any(case.boot_files(FileKind.KERNEL)):
        return f"There is no kernel on {', '.join(place.device for place in readable)}: install one first. "
    return ""


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
    lines = [line for entry in case.menu.entries for line in entry.lines]
    named = f" ({command_names(lines[:12])})" if lines else ""
    count = f"{titles} title{'' if titles == 1 else 's'}"
    whose = for_illumos(lines)
    why = f"it is {form}" if form else f"it has {count}, none with a command that PV-GRUB knows{named}{whose}"
    yield Draft(
        f"{case.config} opens, but has no entry for PV-GRUB: {why}.",
        advice(*remedies.menus.ILLUMOS_OWN) if whose else remedies.menus.new_menu(case, place, path),
        case.at(None),
        "\n".join(line.text for line in lines[:12]) if lines else f"first bytes: {raw.hex(' ')}" if raw else "",
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
        if chain_loaded(case, ref.entry) or (lost_root(ref.entry) and not ref.device):
            continue
        found = case.elsewhere(ref)
        home = found or nearly_elsewhere(case, ref)
        if home is None or ref.entry.title.number in told:
            continue
        told.add(ref.entry.title.number)
        here = ref.device or "no device, for the entry has no root"
        if ref.device.startswith("(hostdisk/"):
            here += " (a tool inside a chroot has guessed that, and it is no device of PV-GRUB's)"
        yield Draft(
            f"{ref.entry.opening} takes {ref.path} from {here}, where opening it ends in Error {ref.seen.error}; "
            + (f"the file is on {home.device}." if found else f"the volume with boot files is {home.device}."),
            edit_menu(
                case, remedies.menus.new_root(ref, home.device), *remedies.automagic.device_kept(case, home.device)
            ),
            case.at(ref.line),
            f"{home.where.text}: {home.type}" + (f" with {ref.path}" if found else ""),
        )
