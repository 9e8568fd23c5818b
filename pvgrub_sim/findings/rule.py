"""What a rule is, what it says, and the table into which the rules enter themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pvgrub_sim.findings.facts.case import Case
from pvgrub_sim.findings.facts.starts import the_start
from pvgrub_sim.findings.facts.where import Where
from pvgrub_sim.findings.remedies.steps import Remedy
from pvgrub_sim.model import Outcome, Severity
from pvgrub_sim.typed import Final
from pvgrub_sim.values import NamedTuple

FAMILIES: Final[dict[str, tuple[str, ...]]] = {
    "filesystem": ("ext", "partitions", "filesystems"),
    "menu": ("lookup", "menu_head", "commands", "entries", "paths"),
    "kernel": ("kernels", "kernel_config", "inferred"),
    "aws": ("registration", "akis"),
    "outside": ("instances", "initrds", "root_device", "next_stage", "root_volume"),
    "machine": ("attached", "pvgrub_itself"),
}
"""Family and the modules of rules/ that hold its rules, in the order of the report."""

NEEDS: Final[dict[str, Callable[[Case], bool]]] = {
    "akis": lambda case: case.aki_named or case.ami is not None,
    "attached": lambda case: len(case.disks) > 1,
    "instances": lambda case: bool(case.instance_types) or case.memory_named,
    "initrds": lambda case: the_start(case) is not None,
    "root_device": lambda case: the_start(case) is not None,
    "root_volume": lambda case: the_start(case) is not None,
    "next_stage": lambda case: case.booted is not None or the_start(case) is not None,
    "pvgrub_itself": lambda case: (
        case.boot.outcome in (Outcome.CRASH, Outcome.HANG) or bool(case.boot.machine.undefined)
    ),
}
"""Modules whose rules have nothing to say of a case that is not like this: they are not even imported for it."""

_FAMILY_OF: Final = {module: family for family, modules in FAMILIES.items() for module in modules}


class Draft(NamedTuple):
    """A finding before it knows its rule; severity None stands for the rule's own."""

    message: str
    remedy: Remedy = ()
    where: Where = Where()
    evidence: str = ""
    severity: Severity | None = None


Check = Callable[[Case], Iterator[Draft]]


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


RULES: Final[dict[str, Rule]] = {}
"""All rules whose modules have been imported, by id."""


def rule(
    name: str, severity: Severity, title: str, doc: str, *, outside: bool = False, unless: tuple[str, ...] = ()
) -> Callable[[Check], Check]:
    """Enter a function into the table of rules; arguments as the fields of Rule."""

    def enter(check: Check) -> Check:
        known = RULES.get(name)
        # The same function again is its module imported anew, as test runners do.
        if known and (known.check.__module__, known.check.__qualname__) != (check.__module__, check.__qualname__):
            raise ValueError(f"two rules are called {name}")
        family = _FAMILY_OF[check.__module__.rpartition(".")[2]]
        RULES[name] = Rule(name, severity, title, family, doc.strip() + "\n", check, outside, unless)
        return check

    return enter
