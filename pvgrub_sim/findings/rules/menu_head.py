"""Traps in the head of menu.lst: timeout, default, fallback."""

from __future__ import annotations

from collections.abc import Iterator

from pvgrub_sim.findings.facts.case import Case
from pvgrub_sim.findings.facts.menufile import Entry, parse_number
from pvgrub_sim.findings.remedies.edits import delete, edit_menu, set_header
from pvgrub_sim.findings.rule import Draft, rule
from pvgrub_sim.model import BootError, EventKind, Outcome, Severity


@rule(
    "no-timeout",
    Severity.ERROR,
    "No timeout: PV-GRUB waits in its menu for ever",
    """
Without a valid `timeout` line above the first `title` the menu waits for a key that nobody can press on EC2;
`hiddenmenu` makes no difference. `timeout -1`, an empty one, and a `timeout` below the first title set nothing.

**Remedy.** `timeout 0`, or a few seconds, above the first title.

**Source.** GRUB 0.97, `stage2/stage2.c:run_menu` (`grub_timeout < 0`), `builtins.c:timeout_func`.
""",
)
def no_timeout(case: Case) -> Iterator[Draft]:
    menu = case.menu
    if menu is None or not menu.count:
        return
    line = menu.setting("timeout")
    if case.config is not None:
        tried = any(event.kind is EventKind.ENTRY for event in case.boot.machine.events)
        if case.boot.outcome is not Outcome.MENU or tried or case.boot.machine.grub_timeout >= 0:
            return
    elif line is not None:
        return
    late = [line for entry in menu.entries for line in entry.lines if line.command == "timeout"]
    if late:
        why = f"its timeout in line {late[0].number} stands below the first title and sets nothing"
    elif line is not None:
        why = f"'{line.text}' sets no timeout"
    else:
        why = "it has no timeout line"
    message = "PV-GRUB waits in the menu for ever" if case.config else "In this menu PV-GRUB would wait for ever"
    yield Draft(
        f"{message}: {why}.",
        edit_menu(case, *[delete(found) for found in late], set_header(case, "timeout", "3")),
        case.at(late[0] if late else line),
    )


@rule(
    "default-out-of-range",
    Severity.WARNING,
    "The default entry does not exist",
    """
`default` counts from 0, and counts only entries that PV-GRUB keeps: a title without any command that it knows
is dropped, and the numbers close up. Beyond the last entry PV-GRUB takes the first fallback that exists, else
entry 0, without a word.

**Remedy.** Write the number of the entry that is meant.

**Source.** GRUB 0.97, `stage2/stage2.c:cmain`.
""",
)
def default_out_of_range(case: Case) -> Iterator[Draft]:
    menu = case.menu
    line = menu.setting("default") if menu else None
    if menu is None or line is None or not menu.count:
        return
    number = parse_number(line.argument)
    if number is None or number < menu.count:
        return
    dropped = len(menu.entries) - menu.count
    more = f" ({dropped} more without a command that it knows are dropped)" if dropped else ""
    yield Draft(
        f"default {number} is beyond the last of PV-GRUB's {menu.count} entries{more}: it takes entry "
        f"{case.default} instead.",
        edit_menu(case, set_header(case, "default", str(case.default or 0))),
        case.at(line),
    )


@rule(
    "fallback-missing",
    Severity.WARNING,
    "No fallback: when the default entry fails, PV-GRUB waits for a key for ever",
    """
An entry that fails prints its error and, without a valid `fallback`, PV-GRUB waits at `Press any key to
continue...`. With one, the next kernel is tried: the instance comes up, and can be mended from inside.

**Remedy.** `fallback 1` above the first title, and an older kernel as entry 1. One bad word in the line makes
it void.

**Source.** GRUB 0.97, `stage2/builtins.c:fallback_func`, `cmdline.c:run_script`.
""",
)
def fallback_missing(case: Case) -> Iterator[Draft]:
    menu = case.menu
    if (
        menu is None
        or menu.count < 2
        or case.fallbacks
        or case.default is None
        or leads_elsewhere(menu.entry(case.default))
    ):
        return
    line = menu.setting("fallback")
    others = [number for number in range(menu.count) if number != case.default]
    failed = not case.healthy and case.boot.outcome is Outcome.FAILS
    # An entry is proposed only when it was tried.
    works = next((number for number in others[:8] if entry_boots(case, number)), None)
    helps = f"; entry {works} would boot" if failed and works is not None else ""
    if works is None and case.config is not None:
        helps = "; no other entry boots by itself"
    why = f"'{line.text}' names no entry" if line else "there is no fallback line"
    yield Draft(
        f"{why[0].upper()}{why[1:]}: when entry {case.default} fails, PV-GRUB waits for a key for ever{helps}.",
        edit_menu(case, set_header(case, "fallback", str(works))) if works is not None else (),
        case.at(line),
        "",
        None if failed and works is not None else Severity.NOTE,
    )


def leads_elsewhere(entry: Entry | None) -> bool:
    """True for an entry that goes on with another menu, whose own entries then count."""
    return entry is not None and entry.first("configfile") is not None


def entry_boots(case: Case, number: int) -> bool:
    """True when an entry boots by itself."""
    result = case.entry_run(number)
    return result is not None and result.outcome is Outcome.BOOTS


@rule(
    "fallback-broken",
    Severity.WARNING,
    "A fallback entry that fails as well",
    """
A fallback is there for the day on which the default entry fails; one that fails itself is found out that day.
Each fallback entry is run here by itself, as if it were the default: the file that is gone (`vmlinuz.old`), the
kernel without Xen's notes.

**Remedy.** Name an entry that boots, or mend the entry: the other findings say what is wrong with it.

**Source.** GRUB 0.97, `stage2/cmdline.c:run_script`; AWS's troubleshooting page shows such a log.
""",
)
def fallback_broken(case: Case) -> Iterator[Draft]:
    if case.menu is None:
        return
    line = case.menu.setting("fallback")
    for number in dict.fromkeys(case.fallbacks):
        entry = case.menu.entry(number)
        # What the run itself has shown is not put in doubt.
        if number == case.default or entry is None or leads_elsewhere(entry) or entry is case.booted:
            continue
        result = case.entry_run(number)
        if result is None or result.outcome is Outcome.BOOTS:
            continue
        errors = result.machine.boot_errors
        good = next((other for other in range(min(case.menu.count, 8)) if _better(case, other)), None)
        remedy = edit_menu(case, set_header(case, "fallback", str(good))) if good is not None else ()
        yield Draft(
            f"The fallback, {entry.name}, does not boot: {_why(errors) if errors else f'it ends in {result.outcome}'}.",
            remedy,
            case.at(line),
            result.machine.term.console().strip(),
        )


def _better(case: Case, number: int) -> bool:
    return number != case.default and number not in case.fallbacks and entry_boots(case, number)


def _why(errors: list[BootError]) -> str:
    last = errors[-1]
    return f"Error {last.number}: {last.message} ({last.command})"
