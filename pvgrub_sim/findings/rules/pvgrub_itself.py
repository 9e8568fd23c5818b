"""Images on which PV-GRUB itself hangs, dies, or does what nobody can foresee."""

from __future__ import annotations

from collections.abc import Iterator

from pvgrub_sim.findings.facts.case import Case
from pvgrub_sim.findings.rule import Draft, rule
from pvgrub_sim.model import Outcome, Severity


@rule(
    "pvgrub-crash",
    Severity.ERROR,
    "PV-GRUB itself dies",
    """
GRUB 0.97 trusts what it reads: a zero where it divides, a size that its buffers do not hold. The domain dies
before any kernel runs. Damaged filesystems do that, and a few configurations.

**Remedy.** Repair the filesystem (`e2fsck -f`, `xfs_repair`); the reason names the field.

**Source.** The reason names it.
""",
)
def crash(case: Case) -> Iterator[Draft]:
    if case.boot.outcome is Outcome.CRASH:
        yield Draft(f"PV-GRUB dies: {case.boot.reason}.")


@rule(
    "pvgrub-hang",
    Severity.ERROR,
    "PV-GRUB itself never ends",
    """
A directory entry of length 0, a chain of partition tables that comes back to itself, a menu whose `configfile`
names itself: PV-GRUB follows them for ever. The instance runs, and nothing comes up.

**Remedy.** Repair the filesystem or the partition table; take the loop out of the menu.

**Source.** The reason names it.
""",
)
def hang(case: Case) -> Iterator[Draft]:
    if case.boot.outcome is Outcome.HANG:
        yield Draft(f"PV-GRUB never ends: {case.boot.reason}.")


@rule(
    "undefined-behaviour",
    Severity.WARNING,
    "What PV-GRUB does here depends on memory that nothing defines",
    """
PV-GRUB reads or writes behind the end of one of its buffers. What follows depends on what happens to lie there:
this simulation's verdict is one of several that are possible.

**Remedy.** Avoid what the finding names: a shorter line, a smaller menu, blocks of 4 KiB.

**Source.** The finding names it.
""",
)
def undefined(case: Case) -> Iterator[Draft]:
    for reason in case.boot.machine.undefined:
        yield Draft(f"The verdict is not certain: {reason}.")
