"""Where bytes come from: files opened as read-only disks, and the order in which a guest sees them."""

from __future__ import annotations

from pvgrub_sim.media.disk import SECTOR_SIZE, Disk
from pvgrub_sim.media.raw import RawDisk
from pvgrub_sim.media.vbd import AttachedDisk, vbd_number

__all__ = ["SECTOR_SIZE", "AttachedDisk", "Disk", "RawDisk", "open_disk", "vbd_number"]


def open_disk(path: str) -> Disk:
    """Open an image file as a read-only disk; raises ImageError naming the file when that cannot be."""
    return RawDisk(path)
