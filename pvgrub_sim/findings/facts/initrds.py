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
    """What an initrd holds for the kernel that gets it; None where it is too large, or other bytes than there are.

    Raises GivenUp when the time is over.
    """
    if ref.seen.error or not 0 <= ref.seen.size <= LARGEST:
        return None
    place = ref.place
    node = place.node(ref.path) if place else None
    if node is not None and node.size > LARGEST:
        return None
    known = case.boot.memory.others
    name = place.attached.disk.name if place else ""
    key = ("initrd", name, place.volume.offset if place else 0, node or (ref.device, ref.path, ref.seen))
    if key not in known:
        known[key] = _looked_through(case, ref, stored=node is not None)
    found: Contents | None = known[key]
    return found


def _looked_through(case: Case, ref: FileRef, *, stored: bool) -> Contents | None:
    """What is in it. stored: the survey reads it, else PV-GRUB itself does."""
    from pvgrub_sim.grub.viewer import Unreadable
    from pvgrub_sim.initramfs.look import look

    budget = case.boot.memory.budget
    if stored and ref.place is not None:
        try:
            contents = look(ref.place.pieces(ref.path), lambda _: budget.check())
        except Damaged:
            return None
        if len(contents.segments) < 2 or not _unpacked_by_grub(ref):
            return contents
    elif ref.role == "modulenounzip":
        return None
    # Of what is packed with gzip PV-GRUB hands over what it makes of it: the first part, as long as the last one says.
    name = f"{ref.device}{ref.path}".encode("utf-8", "surrogateescape")
    try:
        return look(case.viewer.pieces(name), lambda _: budget.check())
    except Unreadable:
        return None


def _unpacked_by_grub(ref: FileRef) -> bool:
    return ref.seen.packed and ref.role != "modulenounzip"


def given_formats(ref: FileRef, contents: Contents) -> frozenset[str]:
    """The compressions in which the kernel gets its initrd: gzip is undone by PV-GRUB where it begins the file."""
    return contents.formats - {"gzip"} if _unpacked_by_grub(ref) else contents.formats


def is_for(contents: Contents, release: str) -> bool:
    """False for an initrd whose modules are all those of other kernels."""
    return not contents.versions or release in contents.versions
