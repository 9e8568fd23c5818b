"""Traps in the entries of menu.lst: commands and kernel arguments."""

from __future__ import annotations

from collections.abc import Iterator

from pvgrub_sim.findings import remedies
from pvgrub_sim.findings.facts.case import Case
from pvgrub_sim.findings.facts.foreign import chain_loaded
from pvgrub_sim.findings.facts.guest import HVC0, XVC0, GuestKind, console_of, guest_of
from pvgrub_sim.findings.facts.menufile import Line
from pvgrub_sim.findings.facts.place import Place
from pvgrub_sim.findings.facts.where import Where
from pvgrub_sim.findings.remedies.edits import append, delete, edit_menu, substitute
from pvgrub_sim.findings.remedies.steps import Remedy, advice
from pvgrub_sim.findings.rule import Draft, rule
from pvgrub_sim.model import EventKind, Outcome, Severity
from pvgrub_sim.survey.result import ContentKind
from pvgrub_sim.typed import Final

_NAMED: Final = ("root=LABEL=", "root=UUID=", "root=PARTUUID=", "root=PARTLABEL=")
NOT_FOUND: Final = 15


@rule(
    "no-console-hvc0",
    Severity.WARNING,
    "The kernel is not told to use the Xen console",
    """
A paravirtual guest's console is `hvc0`, and that is all that EC2's get-console-output shows. Mainline Linux prints
its own messages there even when it is not told to; but with `console=ttyS0` or `console=tty0` alone, what the initrd
and init print goes to a device that does not exist, and an initrd that does not find its root says so to nobody.
Without any console argument mainline Linux takes hvc0 by itself, others may not: that is a note. In kernels of
XenSource's old tree (2.6.18 to 2.6.27, `-xen` in their names) the console is `xvc0`, and there is no hvc0. No boot
fails by it. Of kernels that are no Linux the rule says nothing.

**Remedy.** `console=hvc0` (`console=xvc0`) at the end of the kernel line.

**Source.** Linux, `arch/x86/xen/enlighten_pv.c` (`add_preferred_console`); linux-2.6.18-xen,
`drivers/xen/console/console.c` (`xencons_init`); AWS's sample menu.
""",
    outside=True,
)
def no_console(case: Case) -> Iterator[Draft]:
    for ref in case.files("kernel"):
        line, entry = ref.line, ref.entry
        guest = guest_of(case, ref)
        if line is not entry.first("kernel") or chain_loaded(case, entry):
            continue
        if guest is not None and guest.kind is not GuestKind.LINUX:
            continue
        mine = console_of(case, ref)
        consoles = [word for word in line.arguments.split() if word.startswith("console=") and word != "console="]
        given = [word.partition("=")[2].partition(",")[0] for word in consoles]
        if mine in given or XVC0 in given:
            # Which console a kernel of another old tree has is not always to be told.
            continue
        if given:
            named = f"console={', console='.join(given)}"
            shown = "EC2 shows" if case.amazon else "the domain's console is"
            told = f"names {named} only: what init prints goes there, and {shown} {mine} alone"
        elif mine == HVC0:
            told = "names no console: mainline Linux takes hvc0 by itself, others may not"
        else:
            told = f"names no console, and that of a kernel of Xen's old tree is {mine}"
        yield Draft(
            f"The kernel line of {entry.name} {told}.",
            edit_menu(case, append(line, f" console={mine}"), *remedies.automagic.console_kept(case, mine)),
            case.at(line),
            line.text,
            None if given else Severity.NOTE,
        )


@rule(
    "root-argument-mismatch",
    Severity.WARNING,
    "The kernel is told to mount a root filesystem that is on none of the disks",
    """
`root=LABEL=…` and `root=UUID=…` are for the initrd of the kernel, after PV-GRUB's part is done. When no
filesystem, logical volume or swap of the disks that were given has that label or UUID, the kernel stops where
the boot loader can no longer help. (Disks that were not given are not known here.)

**Remedy.** The label or UUID that the root filesystem has; or give the filesystem that label: `tune2fs -L`.

**Source.** What blkid finds on the disks, against the kernel line.
""",
    outside=True,
)
def root_argument(case: Case) -> Iterator[Draft]:
    for entry in case.reachable:
        line = entry.first("kernel")
        words = line.arguments.split() if line else []
        wanted = next((word for word in words if word.startswith(_NAMED) and word not in _NAMED), None)
        if line is None or wanted is None:
            continue
        kind, value = wanted.split("=", 2)[1:]
        value = value.strip('"')
        known = [text if kind in ("LABEL", "PARTLABEL") else text.casefold() for _, text in _labels(case, kind)]
        if (value if kind in ("LABEL", "PARTLABEL") else value.casefold()) in known or any(
            place.has(ContentKind.LVM) for place in case.places
        ):
            continue
        from pvgrub_sim.findings.facts.root import root_argument_of

        right = root_argument_of(case)
        remedy: Remedy = advice(remedies.menus.ROOT_UNKNOWN)
        if right:
            remedy = edit_menu(
                case,
                substitute(line, wanted, right),
                *remedies.automagic.root_argument_kept(case, wanted, right),
            )
        there = ", ".join(f"{place.device} {kind}={text}" for place, text in _labels(case, kind)) or f"no {kind} at all"
        yield Draft(
            f"{entry.opening} tells the kernel root={kind}={value}, which no filesystem of the disks given has.",
            remedy,
            case.at(line),
            f"found: {there}",
        )


def _labels(case: Case, kind: str) -> Iterator[tuple[Place, str]]:
    for place in case.places:
        if kind in ("LABEL", "UUID"):
            for content in place.volume.contents:
                if text := content.label if kind == "LABEL" else content.uuid:
                    yield place, text
        elif text := place.volume.label if kind == "PARTLABEL" else _partuuid(case, place):
            yield place, text


def _partuuid(case: Case, place: Place) -> str:
    """A partition's UUID as the kernel knows it: the GPT's own, or the MBR's signature and the number."""
    if place.volume.guid or place.volume.number is None:
        return place.volume.guid
    signature = case.surveys[place.index].table.id.removeprefix("0x")
    return f"{signature}-{place.volume.number:02x}"


@rule(
    "entry-fails",
    Severity.ERROR,
    "An entry ends in an error",
    """
An error ends an entry; the fallback runs, or PV-GRUB waits for a key. The rule speaks when no other one has a
word for the cause: it says what the error's number means, and at which line it came. `savedefault` writes into
the file `default` beside the menu and makes none: without it the entry ends in `Error 15`.

**Remedy.** Put that line right; delete a `savedefault`, or make its file with `grub-set-default`.

**Source.** GRUB 0.97, `stage2/common.c:err_list`, `cmdline.c:run_script`.
""",
    unless=("filesystem", "machine"),
)
def entry_fails(case: Case) -> Iterator[Draft]:
    for error in case.errors:
        if case.explained(case.entry_of(error)):
            continue
        line = case.line_of(error)
        if line is not None and line.command == "savedefault" and error.number == NOT_FOUND:
            yield _nowhere_to_save(case, error.entry, line)
            continue
        from pvgrub_sim.findings.rules.error_meanings import MEANINGS

        meaning = MEANINGS.get(error.number)
        yield Draft(
            f"Entry {error.entry} ends at '{error.command}' in Error {error.number}: {error.message}"
            + (f" ({meaning})." if meaning else "."),
            (),
            case.at(line) if line else Where(),
        )


def _nowhere_to_save(case: Case, number: int | None, line: Line) -> Draft:
    """What a `savedefault` comes to without the file that it writes into: every entry that has one fails by it."""
    file = case.boot.machine.default_file.decode("utf-8", "surrogateescape")
    entries = case.menu.entries if case.menu else ()
    lines = [line for entry in entries for line in entry.lines if line.known and line.command == "savedefault"]
    return Draft(
        f"Entry {number} ends at '{line.text}', for {file} is not there, in which PV-GRUB saves the entry's number "
        f"(Error {NOT_FOUND}); `grub-set-default` makes that file, and without the line none is needed.",
        edit_menu(case, *map(delete, lines)),
        case.at(line),
    )


@rule(
    "entry-starts-nothing",
    Severity.ERROR,
    "The entry that runs by itself starts no kernel",
    """
An entry that loads no kernel ends without an error, and PV-GRUB is back in its menu; `halt` and `reboot` do
what they say; `pause` and `password` inside an entry wait for a key that nobody can press on EC2. No fallback
runs, for nothing has failed.

**Remedy.** Make an entry that boots the default, or take the line out.

**Source.** GRUB 0.97, `stage2/cmdline.c:run_script`, `builtins.c:pause_func`, `password_func`.
""",
    unless=("filesystem", "menu", "kernel", "aws"),
)
def starts_nothing(case: Case) -> Iterator[Draft]:
    tried = [event for event in case.boot.machine.events if event.kind is EventKind.ENTRY]
    ending = ENDINGS.get(case.boot.outcome)
    if not tried or ending is None:
        return
    entry = case.entry_of(tried[-1])
    line = entry.first("pause", "password", "halt", "reboot") if entry else None
    why = f" ('{line.text}')" if line else ""
    remedy = edit_menu(case, delete(line)) if line and line.command in ("pause", "password") else ()
    yield Draft(
        f"Entry {tried[-1].entry} '{tried[-1].text}' starts no kernel: {ending}{why}.",
        remedy,
        case.at(line or (entry.title if entry else None)),
        case.boot.reason,
    )


ENDINGS: Final = {
    Outcome.MENU: "it ends without an error, and PV-GRUB is back in its menu",
    Outcome.WAITS: "PV-GRUB waits for a key that nobody can press",
    Outcome.HALT: "PV-GRUB halts the instance",
    Outcome.REBOOT: "PV-GRUB reboots the instance, and does so each time",
}
