"""Where bytes come from: images opened as read-only disks, and the order in which a guest sees them.

What a user names becomes a disk by layers: a source (where the bytes lie) under formats (what wraps them).
"""

from __future__ import annotations

import os
import re
from contextlib import ExitStack

from pvgrub_sim.media.access import Access, Context
from pvgrub_sim.media.disk import SECTOR_SIZE, Disk, ForwardOnly, Layer, layers_of, read_upto
from pvgrub_sim.media.sources import open_source
from pvgrub_sim.media.sources.file import RawDisk
from pvgrub_sim.media.vbd import AttachedDisk, vbd_number

__all__ = [
    "SECTOR_SIZE",
    "Access",
    "AttachedDisk",
    "Disk",
    "Layer",
    "RawDisk",
    "attach",
    "layers_of",
    "open_disk",
    "vbd_number",
]

_WRAPPED_HEAD = re.compile(
    rb"QFI\xfb|QED\0|KDMV|COWD|\xbe\xba\xfe\xca\0|\s*#\s*Disk\ Descriptor|conectix|vhdxfile|.{64}\x7f\x10\xda\xbe"
    rb"|\x1f\x8b|\xfd7zXZ\0|\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18|BZh|\x04\x22\x4d\x18|\x02\x21\x4c\x18|\x89LZO|LZIP"
    rb"|7z\xbc\xaf|Rar!|PK[\x03\x05]|LUKS\xba\xbe|Witho|[EL][VE]F|VMA\0|MSWIM|\x3a\xff\x26\xed|Bochs\ "
    rb"|.{257}ustar|ova\.xml\0|\s*<\?xml|\s*<manifest",
    re.S,
)
"""What the first sector of anything in the formats' table begins with: a look that costs a plain image nothing."""
_WRAPPED_TAIL = (b"conectix", b"koly")
"""The same of the last sector."""


def open_disk(name: str, image_format: str = "auto", access: Access | None = None) -> Disk:
    """Open what a name stands for as a read-only disk.

    image_format: the format to read it in; `auto` looks at the content, `raw` takes the bytes as they are. access: what
    may be done on the way. Raises ImageError naming the file when it cannot be, UsageError for an unknown format.
    """
    context = Context(access or Access())
    source = open_source(name, context)
    try:
        if image_format == "raw" or (image_format == "auto" and not _may_be_wrapped(source)):
            return source
        from pvgrub_sim.media.formats import unwrap

        if isinstance(source, RawDisk):
            context = context._replace(folder=source.folder, chain=(source.identity,))
        return unwrap(source, image_format, context)
    except BaseException:
        source.close()
        raise


def _may_be_wrapped(source: Disk) -> bool:
    """True when it is worth looking closer: see formats/detect.py, which decides."""
    if _WRAPPED_HEAD.match(read_upto(source, 0, SECTOR_SIZE)):
        return True
    if isinstance(source, ForwardOnly):
        return ".vhd" in source.name.lower()
    return source.size > SECTOR_SIZE and source.read(source.size - SECTOR_SIZE, 8).startswith(_WRAPPED_TAIL)


def attach(
    image: str | os.PathLike[str] | Disk,
    stack: ExitStack,
    image_format: str = "auto",
    access: Access | None = None,
) -> Disk:
    """The disk that an argument names or is; one that is opened here is closed with the stack.

    image_format, access: as for open_disk(); a disk is taken as it is. Raises ImageError and UsageError.
    """
    if not isinstance(image, (str, os.PathLike)):
        return image
    disk = open_disk(os.fspath(image), image_format, access)
    stack.callback(disk.close)
    return disk
