"""What a verdict means, in plain words, for every format that people read."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from pvgrub_sim.model import BootError, EventKind, Finding, LoadedFile, Outcome, Severity, Verdict
from pvgrub_sim.safetext import one_line

HANDED_OVER_ONLY = (
    '"Handed over to the kernel" is all that is claimed: what the kernel does then with its initrd, its root device '
    "and its console is not simulated."
)

_SHORT = 72
"""Characters of a title or a command that a sentence has room for."""


class Status(StrEnum):
    """A verdict in one word: what a traffic light would show."""

    BOOTS = "boots"
    FALLBACK = "boots only by fallback"
    DOWN = "does not come up"
    OPEN = "no answer"


def status(verdict: Verdict) -> Status:
    """How the verdict is to be taken."""
    if verdict.outcome is not Outcome.BOOTS:
        return Status.OPEN if verdict.outcome is Outcome.TIMEOUT else Status.DOWN
    return Status.BOOTS if verdict.boots_default else Status.FALLBACK


def is_failure(verdict: Verdict, *, allow_fallback: bool, fail_on: Severity | None = None) -> bool:
    """True when a pipeline should stop.

    allow_fallback: any entry that boots will do. fail_on: so should a finding that is as bad as this, or worse.
    """
    if failing_findings(verdict, fail_on):
        return True
    return status(verdict) in (Status.DOWN, Status.OPEN) or (status(verdict) is Status.FALLBACK and not allow_fallback)


def failing_findings(verdict: Verdict, fail_on: Severity | None) -> list[Finding]:
    """The findings that are as bad as `fail_on`, or worse; none when that is None."""
    return [] if fail_on is None else [one for one in verdict.findings if one.severity.rank <= fail_on.rank]


def failure(verdict: Verdict, fail_on: Severity | None = None) -> str:
    """Why a pipeline should stop, in one sentence: the headline, and what else counts."""
    rules = ", ".join(dict.fromkeys(one.rule for one in failing_findings(verdict, fail_on)))
    if not rules or status(verdict) is not Status.BOOTS:
        return headline(verdict)
    return f"{headline(verdict)} What was found counts as a failure here: {rules}."


def headline(verdict: Verdict) -> str:
    """The verdict in one sentence."""
    if verdict.attended and verdict.outcome in _WAITING:
        return one_line(_attended(verdict))
    return one_line(_SENTENCES[verdict.outcome](verdict))


def caveat(verdict: Verdict) -> str:
    """What a verdict that boots does not say, and the reason where the headline of another one leaves it out."""
    reason = f"{verdict.reason[:1].upper()}{verdict.reason[1:]}." if verdict.reason else ""
    if verdict.outcome is Outcome.BOOTS:
        return f"{HANDED_OVER_ONLY} {reason}".rstrip()
    return "" if one_line(verdict.reason.rstrip(".:")) in headline(verdict) else one_line(reason)


def simulated(verdict: Verdict) -> str:
    """Which PV-GRUB was simulated: `PV-GRUB amazon-1.05, x86_64, hd0, AKI aki-1234`."""
    profile = verdict.profile
    words = [f"PV-GRUB {profile.name}", profile.arch]
    if profile.device:
        words.append(profile.device)
    if profile.aki:
        words.append(f"AKI {profile.aki}")
    return one_line(", ".join(words))


def entry_name(verdict: Verdict, entry: int | None) -> str:
    """`entry 0 'Amazon Linux'`, or `entry 0` when its title is not known; a very long title is cut."""
    if entry is None:
        return "no entry"
    titles = {event.entry: event.text for event in verdict.events if event.kind is EventKind.ENTRY}
    title = _short(titles.get(entry, ""))
    return f"entry {entry} '{title}'" if title else f"entry {entry}"


def error_words(error: BootError) -> str:
    """`Error 15: File not found`, as PV-GRUB prints it."""
    return f"Error {error.number}: {error.message}"


def file_words(loaded: LoadedFile) -> str:
    """`/boot/vmlinuz, 4,136 bytes, CRC-32 7a1c794e, xz payload, xen-3.0-x86_64`."""
    words = [loaded.path, f"{loaded.size:,} bytes", f"CRC-32 {loaded.crc32:08x}"]
    if payload := loaded.detail.get("payload"):
        words.append(f"{payload} payload")
    if guest := loaded.detail.get("guest_type"):
        words.append(str(guest))
    return one_line(", ".join(words))


def facts(verdict: Verdict) -> list[tuple[str, str]]:
    """What was read and handed over, as (name, value), in the order a reader wants it."""
    rows = [("menu", verdict.config or "none found")]
    if verdict.entry is not None:
        by_itself = verdict.boots_default and not verdict.attended
        default = " (the default)" if by_itself and len(_menus(verdict)) <= 1 else ""
        rows.append(("boots", entry_name(verdict, verdict.entry) + default))
    elif verdict.default_entry is not None:
        rows.append(("default", entry_name(verdict, verdict.default_entry)))
    rows += handed_over(verdict)
    if verdict.writes:
        rows.append(("writes", "sectors " + ", ".join(map(str, verdict.writes))))
    return [(name, one_line(value)) for name, value in rows]


def checksums(verdict: Verdict) -> list[tuple[str, str]]:
    """The SHA-256 of what was handed over, as (`kernel` or `initrd`, 64 hexadecimal digits), where it is known."""
    files = (("kernel", verdict.kernel), ("initrd", verdict.initrd))
    return [(name, one.sha256) for name, one in files if one and one.sha256]


def handed_over(verdict: Verdict) -> list[tuple[str, str]]:
    """What `boot` gave to the kernel loader last, as (name, value): kernel, initrd, arguments; empty when nothing."""
    rows: list[tuple[str, str]] = []
    if verdict.kernel:
        refused = "" if verdict.outcome is Outcome.BOOTS else ", not accepted"
        rows.append(("kernel", file_words(verdict.kernel) + refused))
    if verdict.initrd:
        rows.append(("initrd", file_words(verdict.initrd)))
    if verdict.cmdline is not None:
        rows.append(("arguments", verdict.cmdline or "(none)"))
    return [(name, one_line(value)) for name, value in rows]


def by_severity(findings: Sequence[Finding]) -> list[Finding]:
    """Errors first, notes last; otherwise in the order given."""
    return sorted(findings, key=lambda finding: finding.severity.rank)


def summary(verdicts: Sequence[Verdict]) -> str:
    """`3 images: 1 boots, 2 do not come up.`"""
    counts = [(sum(status(verdict) is wanted for verdict in verdicts), wanted) for wanted in Status]
    words = [f"{count} {_PLURALS[wanted] if count > 1 else wanted}" for count, wanted in counts if count]
    return f"{len(verdicts)} image{'' if len(verdicts) == 1 else 's'}: {', '.join(words)}."


_PLURALS = {
    Status.BOOTS: "boot",
    Status.FALLBACK: "boot only by fallback",
    Status.DOWN: "do not come up",
    Status.OPEN: "have no answer",
}


def _short(text: str) -> str:
    return text if len(text) <= _SHORT else text[: _SHORT - 1] + "…"


def _failures(verdict: Verdict) -> str:
    """`entry 0 'A' failed: Error 15: File not found (kernel /x); entry 2 failed: …`, the last error of each entry."""
    last = {error.entry: error for error in verdict.errors if error.entry is not None}
    words = []
    for entry, error in last.items():
        where = ": ".join(filter(None, [_short(error.command), error.detail]))
        words.append(f"{entry_name(verdict, entry)} failed: {error_words(error)}{f' ({where})' if where else ''}")
    return "; ".join(words)


def _because(verdict: Verdict, otherwise: str) -> str:
    return verdict.reason.rstrip(".") or otherwise


def _boots(verdict: Verdict) -> str:
    kernel = f"the kernel {verdict.kernel.path}" if verdict.kernel else "its kernel"
    if verdict.entry is None:
        return f"PV-GRUB hands over to {kernel}, as it was told at its prompt."
    name = entry_name(verdict, verdict.entry)
    if not verdict.boots_default:
        return f"PV-GRUB boots {name} because {_failures(verdict) or 'another entry failed'}."
    menus = _menus(verdict)
    default = "" if verdict.attended else ", the default,"
    which = f" of {menus[-1]}" if len(menus) > 1 else default
    return f"PV-GRUB boots {name}{which} and hands over to {kernel}."


def _menus(verdict: Verdict) -> list[str]:
    """The config files that PV-GRUB opened; entries of a later one have numbers of their own."""
    return [event.path or "another menu" for event in verdict.events if event.kind is EventKind.CONFIG]


def _fails(verdict: Verdict) -> str:
    why = _failures(verdict) or _because(verdict, "no entry boots")
    return f"The instance never comes up: {why}, and PV-GRUB waits for a key that nobody can press."


def _prompt(verdict: Verdict) -> str:
    if verdict.config is None:
        why = "PV-GRUB finds no config file"
    else:
        why = f"PV-GRUB finds no menu entry in {verdict.config}"
    return f"The instance never comes up: {why} and stays at its grubdom> prompt."


def _menu(verdict: Verdict) -> str:
    last = next((e for e in reversed(verdict.events) if e.kind in (EventKind.ENTRY, EventKind.CONFIG)), None)
    if last and last.kind is EventKind.ENTRY:
        why = f"{entry_name(verdict, last.entry)} ends without booting a kernel, and PV-GRUB is back in its menu"
    else:
        why = "no timeout is set, so PV-GRUB waits in its menu"
    return f"The instance never comes up: {why}, where nobody chooses."


def _waits(verdict: Verdict) -> str:
    why = verdict.reason.rstrip(".:") or "PV-GRUB waits for a key or a password"
    return f"The instance never comes up: {why}{_in_entry(verdict)}, and nobody is there."


def _halt(verdict: Verdict) -> str:
    return f"The instance stops: PV-GRUB halts it{_in_entry(verdict)} and no kernel runs."


def _reboot(verdict: Verdict) -> str:
    return f"The instance never comes up: PV-GRUB reboots it{_in_entry(verdict)}, every time it gets there."


def _in_entry(verdict: Verdict) -> str:
    tried = [event.entry for event in verdict.events if event.kind is EventKind.ENTRY]
    return f" in {entry_name(verdict, tried[-1])}" if tried else ""


def _hang(verdict: Verdict) -> str:
    return f"The instance never comes up: PV-GRUB itself never ends: {_because(verdict, 'it loops for ever')}."


def _crash(verdict: Verdict) -> str:
    return f"The instance never comes up: PV-GRUB itself dies: {_because(verdict, 'the cause is not known')}."


def _timeout(verdict: Verdict) -> str:
    return f"Whether the instance comes up is not known: {_because(verdict, 'the time was over')}."


_WAITING = (Outcome.MENU, Outcome.EDIT, Outcome.PROMPT, Outcome.PAGER, Outcome.WAITS, Outcome.FAILS)


def _attended(verdict: Verdict) -> str:
    """Where PV-GRUB waits when all keys are pressed."""
    why = _because(verdict, "PV-GRUB waits for a key")
    if verdict.outcome is Outcome.FAILS and (failures := _failures(verdict)):
        why = f"{failures}, and PV-GRUB waits for a key"
    return f"No kernel is booted: {why}."


_SENTENCES = {
    Outcome.BOOTS: _boots,
    Outcome.FAILS: _fails,
    Outcome.PROMPT: _prompt,
    Outcome.MENU: _menu,
    Outcome.EDIT: _waits,
    Outcome.PAGER: _waits,
    Outcome.WAITS: _waits,
    Outcome.HALT: _halt,
    Outcome.REBOOT: _reboot,
    Outcome.HANG: _hang,
    Outcome.CRASH: _crash,
    Outcome.TIMEOUT: _timeout,
}
