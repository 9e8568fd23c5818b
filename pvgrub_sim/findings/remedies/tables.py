"""Makers of steps that change partition tables."""

from __future__ import annotations

from pvgrub_sim.findings.facts.boot_files import boot_places, looked_at
from pvgrub_sim.findings.facts.case import Case
from pvgrub_sim.findings.facts.place import Place
from pvgrub_sim.findings.remedies.boot_disks import boot_disk, partition_looked_at
from pvgrub_sim.findings.remedies.steps import FAT, Operand, Remedy, Run, advice
from pvgrub_sim.findings.remedies.volumes import image_of
from pvgrub_sim.typed import Final

MBR_ENTRIES: Final = 4
MBR_REACH: Final = 1 << 41
"""Bytes: where the 32-bit sector numbers of an MBR end."""


def as_mbr(case: Case, index: int) -> Remedy:
    """Turn a GPT into an MBR table, where every partition keeps its place and PV-GRUB does not see /boot already."""
    partitions = case.surveys[index].partitions
    seen = any(place.index == index and place.seen and not place.whole for place in boot_places(case))
    newer = "an AKI of 1.04 or later reads GPT" if case.amazon else "Amazon's PV-GRUB 1.04 and 1.05 read GPT"
    if seen:
        return advice(f"{newer}; an MBR table in its place is no way here: PV-GRUB sees its boot partition already")
    if why := no_mbr(case, index):
        told = f"{newer}; an MBR table in its place is no way here: {why}"
        home = next((place for place in boot_places(case) if place.index == index and place.reader is not None), None)
        if home is None:
            return advice(told)
        return (*advice(f"{told}. To keep this one, a small disk that is attached first:"), *boot_disk(case, home))
    numbers = ":".join(str(part.number) for part in partitions)
    command = ("sgdisk", f"--gpttombr={numbers}", Operand.IMAGE)
    return (
        *(advice(f"{newer}; or, to keep this one:") if case.amazon else ()),
        Run((command,), image_of(case.disks[index], index)),
    )


def no_mbr(case: Case, index: int) -> str:
    """Why an MBR table in the place of a GPT is no way, "" where it is one: every partition keeps its place then."""
    if partition_looked_at(case) is None:
        return f"{case.pvgrub} looks for a menu on {looked_at(case)} alone"
    view = case.surveys[index]
    if len(view.partitions) > MBR_ENTRIES:
        return f"its {len(view.partitions)} partitions do not fit into the {MBR_ENTRIES} entries of one"
    if any(part.offset + part.size > MBR_REACH for part in view.partitions):
        return "a partition reaches beyond 2 TiB, where the numbers of one end"
    if view.table.kind != "gpt" or view.table.problems or any(part.table != "gpt" for part in view.partitions):
        return "the GPT is not sound, or hybrid already"
    return ""


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
