"""Where bytes come from: images opened as read-only disks, and the order in which a guest sees them.

What a user names becomes a disk by layers: a source (where the bytes lie) under formats (what wraps them).
"""

from __future__ import annotations

import os
from contextlib import ExitStack

from pvgrub_sim.media.access import Access, Context
from pvgrub_sim.media.disk import SECTOR_SIZE, Disk, ForwardOnly, Layer, layers_of, read_upto
from pvgrub_sim.media.sources import open_source
from pvgrub_sim.media.sources.file import RawDisk
from pvgrub_sim.media.vbd import AttachedDisk, guest_disks, vbd_number

__all__ = [
    "SECTOR_SIZE",
    "Access",
    "AttachedDisk",
    "Disk",
    "Layer",
    "RawDisk",
    "attach",
    "guest_disks",
    "layers_of",
    "open_disk",
    "vbd_number",
]

_WRAPPED_HEAD = (
    b"QFI\xfb", b"QED\0", b"KDMV", b"COWD", b"\xbe\xba\xfe\xca", b"#", b"version=", b"conectix", b"vhdxfile",
    b"\x1f\x8b", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"BZh", b"\x04\x22\x4d\x18", b"\x02\x21\x4c\x18", b"\x89LZO",
    b"LZIP", b"7z\xbc\xaf", b"Rar!", b"PK\x03", b"PK\x05", b"PK\x07", b"LUKS\xba\xbe", b"Witho", b"EVF", b"LVF", b"LEF",
    b"VMA\0", b"\x5d\0\0", b"07070", b"\xc7\x71", b"\x71\xc7", b"\x1f\x9d", b"MSWIM", b"\x3a\xff\x26\xed",
    b"LRZI", b"!<arch>", b"\xed\xab\xee\xdb", b"\x7fELF", b"Bochs ", b"ova.xml\0", b"<?xml", b"<manifest",
)  # fmt: skip
"""What the first sector of anything in the formats' table begins with, white space aside: a look that costs a plain
image nothing, and no regular expression that every start would pay for."""
_WRAPPED_LATER = ((64, b"\x7f\x10\xda\xbe"), (257, b"ustar"), (1, b"\x2a\x4d\x18"), (514, b"HdrS"))
"""The same of those that have their magic number further on: VDI, tar, a frame that zstd and lz4 skip, and kernels."""
_WRAPPED_TAIL = (b"conectix", b"koly")
"""The same of the last sector, which may also end with the end record of a zip archive."""


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
        disk = unwrap(source, image_format, context)
        # What is printed of it is a name that can be opened again: the layers say which member of an archive it is.
        disk.name = source.name  # type: ignore[misc]  # only disks that callers bring are read-only
        return disk
    except BaseException:  # Ctrl-C as well; it is passed on
        source.close()
        raise


def _may_be_wrapped(source: Disk) -> bool:
    """True when it is worth looking closer: see formats/detect.py, which decides."""
    head = read_upto(source, 0, 2 * SECTOR_SIZE)
    if head.lstrip().startswith(_WRAPPED_HEAD) or any(head.startswith(magic, at) for at, magic in _WRAPPED_LATER):
        return True
    if head[148:156].strip(b" \0").isdigit() or b"\0" not in head[:SECTOR_SIZE]:
        # The checksum of a tar header that has no magic number; and what may be a text.
        return True
    if isinstance(source, ForwardOnly):
        return ".vhd" in source.name.lower()
    if source.size <= SECTOR_SIZE:
        return False
    tail = source.read(source.size - SECTOR_SIZE, SECTOR_SIZE)
    return tail.startswith(_WRAPPED_TAIL) or tail.startswith(b"PK\x05\x06", SECTOR_SIZE - 22)


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
