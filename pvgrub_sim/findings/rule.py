"""What a rule is, the table of all rules, and how they are applied to a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pvgrub_sim.budget import GivenUp
from pvgrub_sim.findings.remedies.commands import as_text
from pvgrub_sim.findings.remedies.edits import bring_together
from pvgrub_sim.findings.remedies.steps import Remedy
from pvgrub_sim.model import Finding, Severity

if TYPE_CHECKING:
    from pvgrub_sim.bootchain import Boot
    from pvgrub_sim.findings.facts.case import Case
    from pvgrub_sim.media import AttachedDisk

FAMILIES: Final[dict[str, tuple[str, ...]]] = {
    "filesystem": ("partitions", "ext", "filesystems"),
    "menu": ("lookup", "menu_head", "entries", "paths"),
    "kernel": ("kernels", "kernel_config"),
    "aws": ("registration", "akis"),
    "machine": ("pvgrub_itself",),
}
"""Family and the modules of rules/ that hold its rules, in the order of the report."""

_FAMILY_OF: Final = {module: family for family, modules in FAMILIES.items() for module in modules}


class Draft(NamedTuple):
    """A finding before it knows its rule; severity None stands for the rule's own."""

    message: str
    remedy: Remedy = ()
    where: str = ""
    evidence: str = ""
    severity: Severity | None = None


Check = Callable[["Case"], Iterator[Draft]]


class Rule(NamedTuple):
    """One rule.

    id: stable, never reused. severity: the worst it can have. title: one line. family: a key of FAMILIES. doc: the
    body of its page, Markdown. outside: it is about what happens outside PV-GRUB (EC2's own checks, the kernel after
    the handover), so that an image which boots does not soften it. unless: families; it speaks last, and only when no
    rule of theirs has found an error.
    """

    id: str
    severity: Severity
    title: str
    family: str
    doc: str
    check: Check
    outside: bool = False
    unless: tuple[str, ...] = ()


_RULES: dict[str, Rule] = {}


def rule(
    name: str, severity: Severity, title: str, doc: str, *, outside: bool = False, unless: tuple[str, ...] = ()
) -> Callable[[Check], Check]:
    """Enter a function into the table of rules; arguments as the fields of Rule."""

    def enter(check: Check) -> Check:
        if name in _RULES:
            raise ValueError(f"two rules are called {name}")
        family = _FAMILY_OF[check.__module__.rpartition(".")[2]]
        _RULES[name] = Rule(name, severity, title, family, doc.strip() + "\n", check, outside, unless)
        return check

    return enter


def all_rules() -> dict[str, Rule]:
    """All rules by id, in the order in which they are applied."""
    for module in _FAMILY_OF:
        import_module(f"{__package__}.rules.{module}")
    return dict(sorted(_RULES.items(), key=lambda item: len(item[1].unless)))


def examine(boot: Boot, disks: Sequence[AttachedDisk], **circumstances: Any) -> tuple[Finding, ...]:
    """What the rules have to say about a run, as far as its budget goes: boot.left_out is why it ended before.

    disks: as for bootchain.run(). circumstances: as for Case. Raises ImageError when the host cannot read an image.
    """
    from pvgrub_sim.findings.facts.case import Case

    case = Case(boot, disks, **circumstances)
    findings: list[tuple[Finding, Remedy]] = []
    try:
        _apply(all_rules(), case, findings)
    except GivenUp as error:
        boot.left_out = str(error)
    images = [attached.disk.name for attached in disks]
    remedies = bring_together([remedy for _, remedy in findings])
    return tuple(
        finding._replace(remedy=as_text(remedy, images))
        for (finding, _), remedy in zip(findings, remedies, strict=True)
    )


def _apply(rules: dict[str, Rule], case: Case, findings: list[tuple[Finding, Remedy]]) -> None:
    """Add what each rule has to say to the findings; raises GivenUp."""
    for entry in rules.values():
        if any(one.severity is Severity.ERROR and rules[one.rule].family in entry.unless for one, _ in findings):
            continue
        for draft in entry.check(case):
            finding = _finding(entry, draft, case.healthy)
            if (finding, draft.remedy) not in findings:
                findings.append((finding, draft.remedy))
                case.told.append(finding)


def _finding(entry: Rule, draft: Draft, healthy: bool) -> Finding:
    severity = draft.severity or entry.severity
    if healthy and severity is Severity.ERROR and not entry.outside:
        # The machine has the last word: what boots is not in error.
        severity = Severity.WARNING
    message = draft.message[:1].upper() + draft.message[1:] if draft.message.startswith("entry ") else draft.message
    message, where, evidence = map(_shown, (message, draft.where, draft.evidence))
    return Finding(entry.id, severity, message, "", where, evidence)


def _shown(text: str) -> str:
    """Text of an image for a report: bytes that are not UTF-8 as \\xNN."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
