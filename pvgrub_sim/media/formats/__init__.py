"""Formats: what wraps an image. Each is a function `open_…(below, context) -> Disk`, and they fit into each other."""

from __future__ import annotations

from importlib import import_module

from pvgrub_sim.errors import ImageError, UsageError
from pvgrub_sim.media.access import DEEPEST, Context
from pvgrub_sim.media.disk import Disk, Machine, read_upto
from pvgrub_sim.media.formats.detect import HEAD, contested, detect, recognised, seen_by_grub
from pvgrub_sim.media.formats.table import FORMATS, Format, NoImage

__all__ = ["FORMATS", "Format", "detect", "unwrap"]


def unwrap(below: Disk, image_format: str, context: Context) -> Disk:
    """The disk inside, layer by layer; what is closed then closes `below` too.

    image_format: of the outermost layer, `auto` for what its content says; of what lies inside that is always found out
    by content. Raises ImageError for what cannot be read, and for what is recognised and not read: the reason says what
    it is and how to get a raw image.
    """
    disk = below
    try:
        for depth in range(context.depth, DEEPEST):
            context = context._replace(depth=depth + 1)
            asked = disk is below and image_format != "auto"
            name = image_format if asked else detect(disk)
            if name == "raw" and image_format != "raw":
                return _contested(disk, context)
            if name == "raw":
                return disk
            row = FORMATS.get(name)
            if row is None:
                raise UsageError(f"unknown image format {name!r}: auto, raw, {', '.join(readable())}")
            try:
                disk = _open(row, disk, context)
            except ImageError as error:
                if not asked or error.path != disk.name:
                    raise
                raise _asked_for(name, disk, error) from None
            if not row.wraps or isinstance(disk, Machine):
                return disk
        raise ImageError(below.name, f"is wrapped more than {DEEPEST} times")
    except BaseException:  # Ctrl-C as well; it is passed on
        if disk is not below:
            disk.close()
        raise


def _asked_for(name: str, disk: Disk, error: ImageError) -> ImageError:
    """The error of a format that the caller asked for, with what the content says where that is another one."""
    found = recognised(read_upto(disk, 0, HEAD))
    if found in ("", name):
        return error
    return ImageError(error.path, f"{error.reason}; by its content it is {FORMATS[found].words}", error.offset)


def _contested(disk: Disk, context: Context) -> Disk:
    """A disk as it lies, or what is in it where that is what PV-GRUB would see something on; see detect.py."""
    name, surely = contested(disk)
    if not name:
        return disk
    if surely:
        return _open(FORMATS[name], disk, context)
    try:
        # What it has opened besides goes with it, where it is not taken; to close it would close the disk below.
        inside = _open(FORMATS[name], disk, context)
        return inside if seen_by_grub(read_upto(inside, 0, HEAD)) else disk
    except ImageError:
        return disk


def readable() -> list[str]:
    """The names of all formats that can be read, for --image-format."""
    return [name for name, row in FORMATS.items() if row.opener]


def _open(row: Format, below: Disk, context: Context) -> Disk:
    if not row.opener:
        kind = ImageError if row.image else NoImage
        raise kind(below.name, f"is {row.words}, which is not read here: {row.remedy}; --image-format raw insists")
    module, _, function = row.opener.partition(":")
    disk: Disk = getattr(import_module(f"{__name__}.{module}"), function)(below, context)
    return disk
