"""Makers of steps that change partition tables."""

from __future__ import annotations

from typing import Final

from pvgrub_sim.findings.facts.boot_files import boot_places
from pvgrub_sim.findings.facts.case import Case
from pvgrub_sim.findings.remedies.steps import Operand, Remedy, Run, advice
from pvgrub_sim.findings.remedies.volumes import image_of

MBR_ENTRIES: Final = 4
MBR_REACH: Final = 1 << 41
"""Bytes: where the 32-bit sector numbers of an MBR end."""


def as_mbr(case: Case, index: int) -> Remedy:
    """Turn a GPT into an MBR table, where every partition keeps its place and PV-GRUB does not see /boot already."""
    view = case.surveys[index]
    partitions = view.partitions
    kept = (
        view.table.kind == "gpt"
        and not view.table.problems
        and len(partitions) <= MBR_ENTRIES
        and all(part.table == "gpt" and part.offset + part.size <= MBR_REACH for part in partitions)
    )
    seen = any(place.index == index and place.seen and not place.whole for place in boot_places(case))
    newer = "an AKI of 1.04 or later reads GPT" if case.amazon else "Amazon's PV-GRUB 1.04 and 1.05 read GPT"
    if not kept or seen:
        why = "PV-GRUB sees its boot partition already" if seen else "not all of its partitions fit into one"
        return advice(f"{newer}; an MBR table in its place is no way here: {why}")
    numbers = ":".join(str(part.number) for part in partitions)
    command = ("sgdisk", f"--gpttombr={numbers}", Operand.IMAGE)
    return (
        *(advice(f"{newer}; or, to keep this one:") if case.amazon else ()),
        Run((command,), image_of(case.disks[index], index)),
    )
