"""The rules applied to a run: drafts become findings, remedies become text."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from importlib import import_module

from pvgrub_sim.bootchain import Boot
from pvgrub_sim.budget import GivenUp
from pvgrub_sim.findings.facts.case import Case, Told
from pvgrub_sim.findings.facts.place import not_all
from pvgrub_sim.findings.remedies.edits import bring_together
from pvgrub_sim.findings.remedies.steps import Advice, Remedy
from pvgrub_sim.findings.rule import FAMILIES, NEEDS, RULES, Draft, Rule
from pvgrub_sim.media import AttachedDisk
from pvgrub_sim.model import Finding, Severity
from pvgrub_sim.typed import Any, Final
from pvgrub_sim.values import NamedTuple

_MODULES: Final = [module for modules in FAMILIES.values() for module in modules]


class Found(NamedTuple):
    """What a rule has found: its finding, still without a remedy's text, and the remedy."""

    finding: Finding
    remedy: Remedy


def all_rules() -> dict[str, Rule]:
    """All rules by id, in the order in which they are applied."""
    entries = [entry for module in _MODULES for entry in _rules_of(module)]
    return {entry.id: entry for entry in sorted(entries, key=_speaks_last)}


def _rules_of(module: str) -> list[Rule]:
    name = import_module(f"{__package__}.rules.{module}").__name__
    return [entry for entry in RULES.values() if entry.check.__module__ == name]


def _speaks_last(entry: Rule) -> int:
    return len(entry.unless)


def examine(boot: Boot, disks: Sequence[AttachedDisk], **circumstances: Any) -> tuple[Finding, ...]:
    """What the rules have to say about a run, as far as its budget goes: boot.left_out is why it ended before.

    disks: as for bootchain.run(). circumstances: as for Case. Raises ImageError when the host cannot read an image.
    """
    return worded(diagnose(Case(boot, disks, **circumstances)), [attached.disk.name for attached in disks])


def worded(found: Sequence[Found], images: Sequence[str]) -> tuple[Finding, ...]:
    """The findings with their remedies as text. images: paths of all images of the case."""
    if in_words_alone(found):
        return tuple(one.finding._replace(remedy=_advice(one.remedy)) if one.remedy else one.finding for one in found)
    # Only now: most images that boot want no mending.
    from pvgrub_sim.findings.remedies.commands import as_text

    return tuple(one.finding._replace(remedy=as_text(one.remedy, images)) for one in found)


def _advice(remedy: Remedy) -> str:
    from pvgrub_sim.findings.remedies.names import comment

    return "\n".join(comment(step.lines) for step in remedy if isinstance(step, Advice))


def in_words_alone(found: Sequence[Found]) -> bool:
    """Whether all remedies are advice to a person, or none at all: nothing is to be done with the image here."""
    return all(isinstance(step, Advice) for one in found for step in one.remedy)


def diagnose(case: Case, ignore: Collection[str] = ()) -> tuple[Found, ...]:
    """What the rules have to say about a case, with remedies as steps, in which all edits of one menu are one.

    ignore: rules whose findings have no remedies, and no part in those of others. Every step's finding says which rule
    wants it, and why. Errors as for examine().
    """
    found: list[Found] = []
    try:
        _apply(case, found)
    except GivenUp as error:
        case.boot.left_out = str(error)
    remedies = bring_together([() if one.finding.rule in ignore else one.remedy for one in found])
    if case.given_up:
        # What was looked for in vain may be there: no step may stand on that.
        case.boot.left_out = case.boot.left_out or not_all(case.given_up)
        remedies = [_for_a_person(remedy) for remedy in remedies]
    return tuple(one._replace(remedy=remedy) for one, remedy in zip(found, remedies, strict=True))


def _for_a_person(remedy: Remedy) -> Remedy:
    """A remedy in words alone."""
    from pvgrub_sim.findings.remedies.words import in_words

    told = "no commands, for not all of the image was looked at. If that is what is wrong with it, by hand:"
    return tuple(step if isinstance(step, Advice) else Advice((told, *in_words(step))) for step in remedy)


def _apply(case: Case, found: list[Found]) -> None:
    """Add what each rule has to say, in the order of all_rules(); raises GivenUp."""
    last: list[Rule] = []
    for module in _MODULES:
        if module not in NEEDS or NEEDS[module](case):
            for entry in _rules_of(module):
                if entry.unless:
                    last.append(entry)
                else:
                    _apply_one(entry, case, found)
    for entry in sorted(last, key=_speaks_last):
        if not any(told.severity is Severity.ERROR and RULES[told.rule].family in entry.unless for told in case.told):
            _apply_one(entry, case, found)


def _apply_one(entry: Rule, case: Case, found: list[Found]) -> None:
    for draft in entry.check(case):
        one = Found(_finding(entry, draft, case.healthy), draft.remedy)
        if one not in found:
            found.append(one)
            case.told.append(Told(entry.id, one.finding.severity, draft.where))


def _finding(entry: Rule, draft: Draft, healthy: bool) -> Finding:
    severity = draft.severity or entry.severity
    if healthy and severity is Severity.ERROR and not entry.outside:
        # The machine has the last word: what boots is not in error.
        severity = Severity.WARNING
    message, where, evidence = map(_shown, (draft.message, draft.where.text, draft.evidence))
    return Finding(entry.id, severity, message, "", where, evidence)


def _shown(text: str) -> str:
    """Text of an image for a report: bytes that are not UTF-8 as \\xNN."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
