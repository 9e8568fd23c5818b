"""A plan in words and as one script, to be pasted at once."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from pvgrub_sim.findings.plan.search import Blueprint, PlannedStep
from pvgrub_sim.findings.remedies.commands import as_text
from pvgrub_sim.findings.remedies.steps import (
    BootDisk,
    BtrfsBootDisk,
    EditMenu,
    MakeLink,
    MoveFile,
    PutFile,
    Repack,
    Run,
    Step,
    Target,
    targets_of,
)
from pvgrub_sim.findings.remedies.words import in_words
from pvgrub_sim.model import Plan, PlanStep
from pvgrub_sim.typed import Final

PACKAGES: Final = {
    "debugfs": "e2fsprogs",
    "e2fsck": "e2fsprogs",
    "resize2fs": "e2fsprogs",
    "mke2fs": "e2fsprogs",
    "sfdisk": "fdisk",
    "sgdisk": "gdisk",
    "mcopy": "mtools",
    "btrfs": "btrfs-progs",
}
"""The tools that a script may need, and the Debian package of each."""
KINDS: Final = {
    EditMenu: "edit",
    PutFile: "write",
    MakeLink: "link",
    MoveFile: "run",
    Run: "run",
    Repack: "repack",
    BootDisk: "write",
    BtrfsBootDisk: "write",
}


def told(plan: Blueprint, images: Sequence[str]) -> Plan | None:
    """A plan for a report; None when there is nothing to mend. images: paths of all images of the case."""
    if not plan.steps and not plan.unmended:
        return None
    steps = tuple(_told(planned) for planned in plan.steps)
    script = _script(plan, images) if plan.steps else ""
    return Plan(plan.proven and bool(plan.steps), steps, script, tuple(f"{rule}: {why}" for rule, why in plan.unmended))


def _told(planned: PlannedStep) -> PlanStep:
    step = planned.step
    return PlanStep(
        rules=planned.rules,
        why=planned.why,
        kind=KINDS[type(step)],
        what=" ".join(in_words(step)),
        target=_target(step),
        known_by="run" if planned.was_run else "to be run",
    )


def _target(step: Step) -> str:
    """`(hd0)/boot/grub/menu.lst`, or the volume or disk that the step is about."""
    match step:
        case BootDisk(output=output) | BtrfsBootDisk(output=output):
            return output
        case Run(target=Target() as target):
            return target.device
        case EditMenu() | PutFile() | MakeLink() | MoveFile() | Repack():
            return f"{step.target.device}{step.path}"
    return ""


def _script(plan: Blueprint, images: Sequence[str]) -> str:
    """All steps as one script: it stops at the first command that fails, and changes nothing before its checks."""
    texts = [as_text((planned.step,), images) for planned in plan.steps]
    commands = "\n".join(text for text in texts)
    needed = [tool for tool in PACKAGES if any(f"{tool} " in line for line in commands.splitlines() if line[:1] != "#")]
    lines = ["(", "set -eu"]
    for tool in needed:
        absent = f"{tool} is missing: install {PACKAGES[tool]}"
        lines.append(f"command -v {tool} > /dev/null || {{ echo {shlex.quote(absent)} >&2; exit 2; }}")
    for number, (planned, text) in enumerate(zip(plan.steps, texts, strict=True), 1):
        lines.append(f"# step {number}: {', '.join(planned.rules)}")
        if all(line.startswith("#") for line in text.splitlines()):
            lines += [*text.splitlines(), f"echo 'step {number} is for a person to carry out' >&2; exit 1"]
        else:
            failed = f"step {number} did not work, and nothing was done after it"
            lines += ["{", *text.splitlines(), f"}} || {{ echo '{failed}' >&2; exit 1; }}"]
    return "\n".join([*lines, ")"])


def images_of(plan: Blueprint) -> tuple[str, ...]:
    """The images that a plan changes."""
    return tuple(
        dict.fromkeys(
            target.image
            for planned in plan.steps
            if not isinstance(planned.step, (BootDisk, BtrfsBootDisk))
            for target in targets_of(planned.step)
        )
    )
