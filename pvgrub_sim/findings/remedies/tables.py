"""Makers of steps that change partition tables."""

from __future__ import annotations

from pvgrub_sim.findings.facts.boot_files import boot_places
from pvgrub_sim.findings.facts.case import Case
from pvgrub_sim.findings.facts.place import Place
from pvgrub_sim.findings.remedies.steps import FAT, Operand, Remedy, Run, advice
from pvgrub_sim.findings.remedies.volumes import image_of
from pvgrub_sim.typed import Final

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


def hybrid(case: Case, place: Place) -> Remedy:
    """Put a FAT partition of a GPT first into its MBR, with what else booting needs; () where that is no way.

    Every partition of the GPT keeps its place and its number: PV-GRUB alone takes the MBR then, whose first entry is
    no longer of type 0xee.
    """
    view = case.surveys[place.index]
    needed = [other for other in boot_places(case) if other.index == place.index and other is not place]
    parts = [place, *needed]
    sound = view.table.kind == "gpt" and view.table.usable == "both" and not view.table.problems
    if not sound or len(parts) >= MBR_ENTRIES or any(_unfit(part) for part in parts):
        return ()
    numbers = ":".join(str(part.volume.number) for part in parts)
    image = Operand.IMAGE
    mark = [
        ("sfdisk", "-q", "--label-nested", "dos", "--part-type", image, str(slot), "c")
        for slot, part in enumerate(parts, 1)
        if part.type == FAT
    ]
    commands = (("sgdisk", f"--hybrid={numbers}:EE", image), *mark)
    return (Run(commands, image_of(case.disks[place.index], place.index)),)


def _unfit(place: Place) -> bool:
    volume = place.volume
    return place.whole or volume.table != "gpt" or volume.offset + volume.size > MBR_REACH
