"""Commands of an entry that PV-GRUB does not have, or not there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pvgrub_sim.findings import remedies
from pvgrub_sim.findings.facts.case import Case
from pvgrub_sim.findings.facts.foreign import (
    HARMLESS,
    SAME_ELSEWHERE,
    chain_loaded,
    command_names,
    for_illumos,
    lost_root,
    roots,
)
from pvgrub_sim.findings.facts.menufile import Entry, Line, may_stand_in_entry, split_device
from pvgrub_sim.findings.remedies.edits import delete, edit_menu, insert_before, overwrite
from pvgrub_sim.findings.remedies.steps import Edit
from pvgrub_sim.findings.rule import Draft, rule
from pvgrub_sim.model import Severity


@rule(
    "unknown-command-in-entry",
    Severity.ERROR,
    "A command that PV-GRUB does not have, or not there",
    """
A line whose first word is no command of PV-GRUB's is dropped while the menu is read, without a word: `uuid`,
`search`, `quiet`, all that is GRUB 2's (`linux`), and what illumos' GRUB has besides (`findroot`, `bootfs`,
`kernel$`, `module$`). Dropping a `uuid` line leaves the entry without a root device, and its kernel ends in
`Error 21: Selected disk does not exist`; an entry of which nothing is left is dropped as a whole, and those behind
it move up. A command that exists but belongs above the first title (`default`, `timeout`, `fallback`,
`hiddenmenu`) stays, and ends the entry with `Error 27: Unrecognized command`.

**Remedy.** `root (hd0)` in the place of `uuid …`, `kernel` in that of `linux`; the other lines are deleted. The
commands of illumos have none in their place.

**Source.** GRUB 0.97, `stage2/stage2.c:cmain`, `cmdline.c:find_command`; PV-GRUB's table in `builtins.c`;
illumos-gate, `usr/src/grub/grub-0.97/stage2/builtins.c`.
""",
)
def unknown_command(case: Case) -> Iterator[Draft]:
    for entry in case.reachable:
        if chain_loaded(case, entry):
            continue
        for line in entry.lines:
            if line.known and not may_stand_in_entry(line):
                yield Draft(
                    f"'{line.command}' may not stand in an entry: {entry.name} ends there with Error 27.",
                    edit_menu(case, delete(line)),
                    case.at(line),
                    line.text,
                    None if _failed_at(case, entry, line) else Severity.WARNING,
                )
        unknown = [line for line in entry.lines if not line.known]
        if unknown:
            yield _dropped(case, entry, unknown)
    if not case.healthy and case.menu is not None and case.menu.count:
        yield from _dropped_entries(case)


def _failed_at(case: Case, entry: Entry, line: Line) -> bool:
    return any(
        error.entry == entry.number and error.number == 27 and case.line_of(error) is line for error in case.errors
    )


def _dropped(case: Case, entry: Entry, unknown: Sequence[Line]) -> Draft:
    """What becomes of an entry whose unknown lines are dropped: one cause, one finding."""
    instead = {line.command: SAME_ELSEWHERE[line.command] for line in unknown if line.command in SAME_ELSEWHERE}
    kernel = next((line for line in unknown if instead.get(line.command) == "kernel"), None)
    if entry.first("kernel", "configfile") is not None:
        kernel = None
    root = lost_root(entry)
    lost = [*(["a root device"] if root else []), *(["a kernel"] if kernel else [])]
    grave = root or kernel
    then = f", which leaves it without {' and '.join(lost)}" if lost else ""
    named = command_names(unknown)
    what = f"no command{'s' if ', ' in named else ''} {named}" if named else f"no command in '{unknown[0].text}'"
    message = f"PV-GRUB has {what}: it drops the line{'s' if unknown[1:] else ''} from {entry.name}{then}."
    severity = Severity.NOTE if all(line.command in HARMLESS for line in unknown) else Severity.WARNING
    rootless = not roots(entry) and (root is not None or kernel is not None)
    home = _root_for(case, entry, unknown) if rootless else None
    edits = [_edit(line, instead, root, home) for line in unknown]
    if root and home:
        edits += remedies.automagic.device_kept(case, home)
    elif kernel and home:
        # GRUB 2 has set the root above all entries.
        edits.append(insert_before(kernel, f"root {home}"))
    return Draft(
        message,
        edit_menu(case, *edits),
        case.at(grave or unknown[0]),
        "\n".join(line.text for line in unknown[:8]),
        None if grave and not case.healthy else severity,
    )


def _edit(line: Line, instead: dict[str, str], root: Line | None, home: str | None) -> Edit:
    if line is root and home:
        return overwrite(line, f"root {home}")
    if line.command in instead:
        return overwrite(line, f"{instead[line.command]} {line.argument}")
    return delete(line)


def _root_for(case: Case, entry: Entry, unknown: Sequence[Line]) -> str | None:
    """The device on which the first file of an entry is; that of the menu, where there is none of that name."""
    paths = [line.file for line, _ in entry.files()]
    paths += [line.file for line in unknown if line.command in SAME_ELSEWHERE]
    for path in paths:
        if not split_device(path)[0]:
            for place in case.places:
                if not case.viewer.look(place.device, path).error:
                    return place.device
    return case.menu_home[0].device if case.menu_home and paths else None


def _dropped_entries(case: Case) -> Iterator[Draft]:
    """Entries of which nothing is left."""
    for entry in case.menu.entries if case.menu else ():
        if entry.number is None and entry.lines:
            named = command_names(entry.lines[:8]) or "no words at all"
            yield Draft(
                f"PV-GRUB drops the entry '{entry.title.argument}', for it has none of its commands ({named})"
                f"{for_illumos(entry.lines)}; entries behind it move up.",
                (),
                case.at(entry.title),
                "",
                Severity.NOTE,
            )
