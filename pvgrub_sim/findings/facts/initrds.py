"""What is in the initrd that goes with a kernel, found out once."""

from __future__ import annotations

from pvgrub_sim.findings.facts.case import Case
from pvgrub_sim.findings.facts.file_ref import FileRef
from pvgrub_sim.survey.area import Damaged
from pvgrub_sim.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pvgrub_sim.initramfs.contents import Contents

LARGEST: Final = 512 << 20
"""Bytes of an initrd that is looked through; PV-GRUB hands over no larger one to a small instance."""


def contents_of(case: Case, ref: FileRef) -> Contents | None:
    """What an initrd holds; None where the survey does not read it, or reads other bytes than there are.

    Raises GivenUp when the time is over.
    """
    place = ref.place
    node = place.node(ref.path) if place else None
    if place is None or node is None or node.size > LARGEST or ref.seen.error:
        return None
    known = case.boot.memory.others
    key = ("initrd", place.attached.disk.name, place.volume.offset, node)
    if key not in known:
        from pvgrub_sim.initramfs.look import look

        budget = case.boot.memory.budget
        try:
            known[key] = look(place.pieces(ref.path), lambda _: budget.check())
        except Damaged:
            known[key] = None
    found: Contents | None = known[key]
    return found


def is_for(contents: Contents, release: str) -> bool:
    """False for an initrd whose modules are all those of other kernels."""
    return not contents.versions or release in contents.versions
