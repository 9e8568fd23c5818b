"""The search for a plan: apply what the findings advise, run PV-GRUB on what comes out, and look again."""

from __future__ import annotations

from collections.abc import Sequence

from pvgrub_sim.bootchain import run
from pvgrub_sim.budget import GivenUp
from pvgrub_sim.findings.examine import Found, diagnose
from pvgrub_sim.findings.facts.case import Case
from pvgrub_sim.findings.facts.place import Place, not_all
from pvgrub_sim.findings.plan.future import CannotTell, Future
from pvgrub_sim.findings.remedies.steps import (
    Advice,
    BootDisk,
    BtrfsBootDisk,
    EditMenu,
    MakeLink,
    MoveFile,
    PutFile,
    Repack,
    Run,
    Step,
    targets_of,
    writable,
)
from pvgrub_sim.findings.remedies.volumes import target_of
from pvgrub_sim.model import Finding, Outcome, Severity
from pvgrub_sim.survey.area import Damaged
from pvgrub_sim.typed import Final
from pvgrub_sim.values import NamedTuple

MOST_ROUNDS: Final = 10
"""Times that PV-GRUB is run on what the steps so far come to."""
IMAGE_TOOLS: Final = ("e2fsck", "resize2fs", "sfdisk", "sgdisk", "tune2fs", "jfs_fsck", "xfs_repair")
"""Tools that change an image; any other command is for a person."""


class PlannedStep(NamedTuple):
    """A step of a plan: for which rules, why, and whether what it comes to was run (or is seen when it is done)."""

    step: Step
    rules: tuple[str, ...]
    why: str
    was_run: bool


class Blueprint(NamedTuple):
    """What came of a search.

    steps: in the order in which they are to be carried out. proven: with them the default entry boots, which was seen
    by running PV-GRUB on the image as it will be. unmended: what is wrong and nobody here can mend, in words, with
    the rule.
    """

    steps: tuple[PlannedStep, ...]
    proven: bool
    unmended: tuple[tuple[str, str], ...]


def find_plan(case: Case, found: Sequence[Found]) -> Blueprint:
    """The plan for a case. found: what the rules say of it.

    Raises ImageError, and GivenUp where not all could be looked at: what stands on that is no plan.
    """
    future = Future(case.disks, case.surveys, _repacked)
    steps: list[PlannedStep] = []
    memory = case.boot.memory
    without: tuple[int, Sequence[Found]] | None = None
    for _ in range(MOST_ROUNDS):
        chosen = _next_steps(case, found, steps)
        if not chosen and without is None:
            without = len(steps), found
            chosen = _on_a_disk_of_its_own(case, found, steps)
        if not chosen:
            break
        for planned in chosen:
            steps.append(planned if _applied(future, planned.step) else planned._replace(was_run=False))
        before = case
        boot = run(future.disks, case.profile, planned=future.planned, memory=memory)
        case = Case(
            boot,
            future.disks,
            ami=case.ami,
            ari=case.ari,
            aki_named=case.aki_named,
            instance_types=case.instance_types,
            memory_named=case.memory_named,
            surveys=future.surveys,
            make_reader=future.reader,
            planned=future.planned,
        )
        found = diagnose(case)
        _seen_whole(case, future, before)
    _seen_whole(case, future)
    booting = case.boot.outcome is Outcome.BOOTS and case.healthy and not case.errors
    if without is not None and not booting:
        # A disk of its own that does not boot either is no step of anybody's.
        steps, found = steps[: without[0]], without[1]
    errors = ((one.finding.rule, one.finding.message) for one in found if one.finding.severity is Severity.ERROR)
    unmended = tuple(dict.fromkeys(errors))
    cut_off = _cut_off(steps)
    proven = booting and not cut_off
    unmended += cut_off
    return Blueprint(tuple(_joined(steps)), proven, () if proven else unmended)


def _seen_whole(case: Case, future: Future, before: Case | None = None) -> None:
    """Raise GivenUp unless all that was asked for could be looked at; before: the case that the steps are from."""
    images = (*case.given_up, *future.given_up, *(before.given_up if before else ()))
    if left_out := case.boot.left_out or not_all(images):
        raise GivenUp(left_out)


def _repacked(kernel: bytes, payload: str) -> bytes:
    """A kernel with another payload; raises KernelFormatError."""
    # Few plans want it, and it is a good deal to import.
    from pvgrub_sim.xen.repack import repack

    return repack("kernel", kernel, payload)


def _cut_off(steps: Sequence[PlannedStep]) -> tuple[tuple[str, str], ...]:
    """Steps on a filesystem that lies beyond the end of its image, which no tool may touch: their rules, and why."""
    short = {
        target: planned.rules[0]
        for planned in steps
        if not isinstance(planned.step, (BootDisk, BtrfsBootDisk))
        for target in targets_of(planned.step)
        if target.short
    }
    return tuple(
        (rule, f"{target.device} ends {target.short} bytes before its filesystem does: the image is truncated.")
        for target, rule in short.items()
    )


def _applied(future: Future, step: Step) -> bool:
    """Let a step have been carried out; False when what it comes to is seen only then."""
    try:
        future.apply(step)
    except CannotTell:
        return False
    return True


def _next_steps(case: Case, found: Sequence[Found], done: Sequence[PlannedStep]) -> list[PlannedStep]:
    """The steps of the remedies that come next in the order of need: the others are looked for again behind them."""
    waiting: list[tuple[int, Finding, list[Step]]] = []
    for finding, remedy in found:
        # What is cut off does not come back by a tool: no step touches a truncated filesystem.
        steps = [
            step
            for step in remedy
            if not any(_same_work(step, other.step) for other in done)
            and not any(target.short for target in targets_of(step))
        ]
        ranks = [rank for step in steps if (rank := _rank(step)) is not None]
        if ranks and finding.severity is not Severity.NOTE:
            waiting.append((min(ranks), finding, [step for step in steps if _rank(step) is not None]))
    first = min((rank for rank, _, _ in waiting), default=None)
    chosen: list[PlannedStep] = []
    for rank, finding, steps in waiting:
        for step in steps if rank == first else ():
            kept = _keeping(case, step, done)
            if kept is not None:
                _choose(chosen, kept, finding)
    return sorted(chosen, key=lambda planned: _rank(planned.step) or 0)


def _on_a_disk_of_its_own(case: Case, found: Sequence[Found], done: Sequence[PlannedStep]) -> list[PlannedStep]:
    """A boot disk, where nothing else is left to do and the filesystem with the menu can be read and not written."""
    home = case.menu_home[0] if case.menu_home else None
    errors = [one.finding for one in found if one.finding.severity is Severity.ERROR]
    if home is None or case.healthy or not errors or home.reader is None or writable(target_of(home)):
        return []
    if any(isinstance(planned.step, (BootDisk, BtrfsBootDisk)) for planned in done):
        return []
    rules = tuple(dict.fromkeys(one.rule for one in errors))
    why = " ".join(one.message for one in errors)
    from pvgrub_sim.findings.remedies.boot_disks import boot_disk

    return [PlannedStep(step, rules, why, True) for step in boot_disk(case, home) if isinstance(step, BootDisk)]


def _keeping(case: Case, step: Step, done: Sequence[PlannedStep]) -> Step | None:
    """The step with a name under which it keeps the file or the link that it replaces; None where there is no name."""
    if not isinstance(step, (EditMenu, PutFile, Repack, MakeLink)):
        return step
    target = step.target
    place = next((one for one in case.places if (one.index, one.volume.offset) == (target.disk, target.offset)), None)
    if place is None or any(_edits_same_file(other.step, step) for other in done):
        return step
    if isinstance(step, MakeLink) or (isinstance(step, PutFile) and not step.replaces):
        old = step.in_the_way if isinstance(step, PutFile) else step.path if step.dangling else ""
        if not old:
            return step
        aside = _free_name(place, old)
        return step._replace(aside=aside) if aside else None
    backup = _free_name(place, step.path)
    return step._replace(attributes=place.attributes(step.path), backup=backup) if backup else None


def _free_name(place: Place, path: str) -> str:
    """A name beside a path under which what was there is kept; "" where a hundred are taken, or nobody can say."""
    folder, _, name = path.rpartition("/")
    try:
        there = {other.casefold() for other in place.read_names(folder or "/")}
    except Damaged:
        return ""
    names = (f"{name}.orig{suffix}" for suffix in ("", *(f".{number}" for number in range(1, 100))))
    free = next((other for other in names if other.casefold() not in there), "")
    return f"{folder}/{free}" if free else ""


def _choose(chosen: list[PlannedStep], step: Step, finding: Finding) -> None:
    """Take a step, or note at the one that stands for it that another finding wants it too."""
    for at, other in enumerate(chosen):
        if _written_anew(other.step, step):
            # A kernel that is packed anew has no holes, either.
            step = step if isinstance(step, Repack) else other.step
            rules = tuple(dict.fromkeys((*other.rules, finding.rule)))
            chosen[at] = PlannedStep(step, rules, f"{other.why} {finding.message}", other.was_run)
            return
        if _same_work(step, other.step):
            if finding.rule not in other.rules:
                why = f"{other.why} {finding.message}"
                chosen[at] = other._replace(rules=(*other.rules, finding.rule), why=why)
            return
    chosen.append(PlannedStep(step, (finding.rule,), finding.message, _is_run(step)))


def _written_anew(one: Step, other: Step) -> bool:
    """True for a kernel that is to be written as it is, without holes, and to be packed anew."""
    first, second = (one, other) if isinstance(other, Repack) else (other, one)
    return isinstance(first, PutFile) and isinstance(second, Repack) and _edits_same_file(first, second)


def _rank(step: Step) -> int | None:
    """Where a step stands in the order of need; None for what only a person can do."""
    match step:
        case Run(target=target) if target is not None and str(step.commands[0][0]) in IMAGE_TOOLS:
            return 0 if str(step.commands[0][0]) in ("sfdisk", "sgdisk") else 1
        case BootDisk() | BtrfsBootDisk():
            return 2
        case MoveFile() | MakeLink() | PutFile() | Repack():
            return 3
        case EditMenu():
            return 4
        case Run() | Advice():
            return None


def _is_run(step: Step) -> bool:
    """True for a step that is simulated as a whole; what tools make of a filesystem is seen when they have run."""
    return not isinstance(step, Run) or str(step.commands[0][0]) in ("sfdisk", "sgdisk")


def _same_work(step: Step, other: Step) -> bool:
    """True when one step stands for the other as well, or was tried before."""
    if step == other:
        return True
    if isinstance(step, EditMenu) and isinstance(other, EditMenu):
        return (step.target.image, step.path, step.edits) == (other.target.image, other.path, other.edits)
    if isinstance(step, (PutFile, Repack, MakeLink)) and type(step) is type(other):
        return (step.target.image, step.target.offset, step.path) == (
            other.target.image,
            other.target.offset,
            other.path,
        )
    if isinstance(step, Run) and isinstance(other, Run):
        return step.target == other.target and step.commands == other.commands
    return isinstance(step, BootDisk) and isinstance(other, BootDisk)


def _joined(steps: Sequence[PlannedStep]) -> list[PlannedStep]:
    """Steps with all edits of one menu made at once, each pass behind the one before it."""
    joined: list[PlannedStep] = []
    for planned in steps:
        step = planned.step
        at = None
        if isinstance(step, EditMenu):
            at = next((n for n, other in enumerate(joined) if _edited_before(other.step, step)), None)
        if at is None or not isinstance(step, EditMenu):
            joined.append(planned)
            continue
        first = joined[at]
        assert isinstance(first.step, EditMenu)
        both = first.step._replace(then=(*first.step.then, step.edits, *step.then))
        rules = tuple(dict.fromkeys((*first.rules, *planned.rules)))
        joined[at] = PlannedStep(both, rules, f"{first.why} {planned.why}", first.was_run and planned.was_run)
    return joined


def _edits_same_file(one: Step, other: EditMenu | PutFile | Repack | MakeLink) -> bool:
    return isinstance(one, (EditMenu, PutFile, Repack)) and (one.target.image, one.target.offset, one.path) == (
        other.target.image,
        other.target.offset,
        other.path,
    )


def _edited_before(one: Step, other: EditMenu) -> bool:
    return isinstance(one, EditMenu) and _edits_same_file(one, other)
