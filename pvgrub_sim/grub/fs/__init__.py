"""The filesystem drivers, in the order in which GRUB tries them (stage2/disk_io.c:fsys_table)."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from pvgrub_sim.grub.fs.base import FileSystem
    from pvgrub_sim.profiles import Profile

FSYS_TABLE: tuple[tuple[str, str], ...] = (
    ("fat", "Fat"),
    ("ext2fs", "Ext2fs"),
    ("minix", "Minix"),
    ("reiserfs", "Reiserfs"),
    ("vstafs", "Vstafs"),
    ("jfs", "Jfs"),
    ("xfs", "Xfs"),
    ("ufs2", "Ufs2"),
    ("iso9660", "Iso9660"),
    ("ffs", "Ffs"),
)
"""Module and class of each driver. tftp, first in GRUB's table, mounts the network drive only."""


def fsys_table(profile: Profile) -> Iterator[type[FileSystem]]:
    """The drivers of a version of PV-GRUB in mount order; each is imported when its turn comes."""
    for module, name in FSYS_TABLE:
        if profile.has_driver(module):
            yield cast("type[FileSystem]", getattr(import_module(f"pvgrub_sim.grub.fs.{module}"), name))
