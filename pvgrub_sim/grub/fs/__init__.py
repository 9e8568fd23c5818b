"""The filesystem drivers, in the order in which GRUB tries them (stage2/disk_io.c:fsys_table).

A family has a folder: its driver, and what it needs of maps, trees and directories. Beside them is what several share:
the filesystem buffer, names in paths, runs of blocks, reading. Not here: opening a file by its name (`file/`).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import import_module

from pvgrub_sim.typed import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from pvgrub_sim.grub.fs.base import FileSystem
    from pvgrub_sim.profiles import Profile

FSYS_TABLE: tuple[tuple[str, str, str], ...] = (
    ("fat", "fat.driver", "Fat"),
    ("ext2fs", "ext2.driver", "Ext2fs"),
    ("minix", "minix.driver", "Minix"),
    ("reiserfs", "reiserfs.driver", "Reiserfs"),
    ("vstafs", "vstafs.driver", "Vstafs"),
    ("jfs", "jfs.driver", "Jfs"),
    ("xfs", "xfs.driver", "Xfs"),
    ("ufs2", "ufs.ufs2", "Ufs2"),
    ("iso9660", "iso9660.driver", "Iso9660"),
    ("ffs", "ufs.ffs", "Ffs"),
)
"""GRUB's name, module and class of each driver. tftp, first in GRUB's table, mounts the network drive only."""


def fsys_table(profile: Profile) -> Iterator[type[FileSystem]]:
    """The drivers of a version of PV-GRUB in mount order; each is imported when its turn comes."""
    for name, module, driver in FSYS_TABLE:
        if profile.has_driver(name):
            yield _driver(module, driver)


@cache
def _driver(module: str, name: str) -> type[FileSystem]:
    return cast("type[FileSystem]", getattr(import_module(f"pvgrub_sim.grub.fs.{module}"), name))
