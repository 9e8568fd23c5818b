"""How the disks are attached, where that is not what their names on the command line suggest."""

from __future__ import annotations

from collections.abc import Iterator

from pvgrub_sim.findings.facts.case import Case
from pvgrub_sim.findings.rule import Draft, rule
from pvgrub_sim.media import AttachedDisk
from pvgrub_sim.model import Severity


@rule(
    "disks-attached-otherwise",
    Severity.NOTE,
    "The disks are attached otherwise than somebody may think",
    """
PV-GRUB counts the disks as xenstore lists them, in the order of their vbd numbers: `/dev/sda` (2048) comes before
`/dev/sda1` (2049), all of `/dev/sd…` before all of `/dev/xvd…` (51712 and more). So an image that `--disk` attaches may
be (hd0), where Amazon's versions look for their menu, in the place of the image that was asked about. What is said is
true of a guest with its disks in this order, and says nothing of the other image's own menu.

Of a machine (an OVA, XVA or AMI) that `--disk` names only the first disk is attached.

**Remedy.** Where the image that was asked about is to be the first, give the others device names that come after
its own: `/dev/xvdb` after `/dev/xvda`. Where it is not, ask about the image that is.

**Source.** Xen, `docs/misc/vbd-interface.txt`; `stubdom/grub/mini-os.c:init_disk`.
""",
)
def disks_attached_otherwise(case: Case) -> Iterator[Draft]:
    first, asked = case.disks[0], case.asked
    listed = "\n".join(f"(hd{number}): {_words(one)}" for number, one in enumerate(case.disks))
    if first is not asked:
        place = f"(hd{case.disks.index(asked)})"
        yield Draft(
            f"The disk that PV-GRUB calls (hd0) is {first.disk.name}, attached as {first.device}; {asked.disk.name}, "
            f"which was asked about, is {place}, attached as {asked.device}, which comes after it.",
            evidence=listed,
        )
    for number, one in enumerate(case.disks):
        if one.left_out:
            others = "the other one is" if one.left_out == 1 else f"the {one.left_out} others are"
            yield Draft(
                f"{one.disk.name} is a machine of {one.left_out + 1} disks: its first is (hd{number}), attached as "
                f"{one.device}, and {others} not attached.",
                evidence=listed,
            )


def _words(one: AttachedDisk) -> str:
    assumed = ", as nothing else was said" if one.assumed else ""
    return f"{one.device} (vbd {one.vbd}{assumed}), {one.disk.name}"
