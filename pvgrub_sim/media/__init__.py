"""Where bytes come from: files opened as read-only disks, and the order in which a guest sees them."""

from __future__ import annotations

import os
from contextlib import ExitStack

from pvgrub_sim.media.disk import SECTOR_SIZE, Disk
from pvgrub_sim.media.raw import RawDisk
from pvgrub_sim.media.vbd import AttachedDisk, vbd_number

__all__ = ["SECTOR_SIZE", "AttachedDisk", "Disk", "RawDisk", "attach", "open_disk", "vbd_number"]


def open_disk(path: str) -> Disk:
    """Open an image file as a read-only disk; raises ImageError naming the file when that cannot be."""
    return RawDisk(path)


def attach(image: str | os.PathLike[str] | Disk, stack: ExitStack) -> Disk:
    """The disk that an argument names or is; one that is opened here is closed with the stack. Raises ImageError."""
    if not isinstance(image, (str, os.PathLike)):
        return image
    disk = open_disk(os.fspath(image))
    stack.callback(disk.close)
    return disk
