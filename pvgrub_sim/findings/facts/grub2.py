"""The configuration that a GRUB 2 for Xen reads once PV-GRUB has started it."""

from __future__ import annotations

from pvgrub_sim.findings.facts.case import Case
from pvgrub_sim.findings.facts.file_ref import FileRef
from pvgrub_sim.ondisk.grub2_modules import Carried, carried
from pvgrub_sim.typed import Final
from pvgrub_sim.values import NamedTuple

LARGEST: Final = 64 << 20
"""Bytes of a GRUB 2 that is looked into; with all modules it has 9 MiB."""
_USUAL: Final = tuple(
    f"{folder}/grub.cfg" for folder in ("/boot/grub", "/grub", "/boot/grub2", "/grub2", "/EFI/debian", "")
)
MOST_SHOWN: Final = 4
_MEMDISK: Final = "(memdisk)"


class NextConfig(NamedTuple):
    """Where its configuration is.

    there: the files, or `its memdisk's /boot/grub/grub.cfg`, or what is in the image itself. prefix: where it was made
    to look for its files, "" where that is not known. sure: where there is none, there is none.
    """

    there: tuple[str, ...]
    prefix: str
    sure: bool


def next_config(case: Case, ref: FileRef) -> NextConfig:
    """The configuration that the GRUB 2 of a kernel line reads, as far as it is on a disk or in the image."""
    image = case.viewer.read(ref.device, ref.path, LARGEST)
    found = (carried(image) if image else None) or Carried()
    there = ["what it carries itself"] if found.config else []
    there += [f"its memdisk's /{name}" for name in found.memdisk if name.rpartition("/")[2] == "grub.cfg"]
    device, _, folder = found.prefix.rpartition(")")
    paths = _USUAL
    if folder and f"{device})" != _MEMDISK:
        paths = tuple(dict.fromkeys((f"/{folder.strip('/')}/grub.cfg", *paths)))
    there += [f"{place.device}{path}" for place in case.places for path in paths if place.is_file(path)]
    sure = not found.other_memdisk and all(place.reader or not place.filesystem for place in case.places)
    return NextConfig(tuple(there[:MOST_SHOWN]), found.prefix, sure)
