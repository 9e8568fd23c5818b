"""Where PV-GRUB's reading of a file departs from what the file holds."""

from __future__ import annotations

from pvgrub_sim.findings.facts.case import Case
from pvgrub_sim.findings.facts.file_ref import FileRef
from pvgrub_sim.survey.area import Damaged
from pvgrub_sim.typed import Final

LARGEST_COMPARED: Final = 256 << 20
"""Bytes of a file up to which both readings of it are compared."""


def differing(case: Case, ref: FileRef) -> int | None:
    """Byte offset at which PV-GRUB's reading of a file departs from what it holds; None when it does not."""
    node = ref.place.node(ref.path) if ref.place else None
    if ref.place is None or node is None or node.size > LARGEST_COMPARED:
        return None
    seen = case.viewer.read(ref.device, ref.path, node.size, stored=True)
    if seen is None:
        return 0
    at = 0
    try:
        for piece in ref.place.pieces(ref.path):
            here = seen[at : at + len(piece)]
            if here != piece:
                same = next((n for n, (a, b) in enumerate(zip(here, piece, strict=False)) if a != b), len(here))
                return at + same
            at += len(piece)
    except Damaged:
        return None
    return None
