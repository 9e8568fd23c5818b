"""What a GRUB 2 image carries behind its own code (GRUB 2.06, include/grub/kernel.h; util/mkimage.c writes it)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from pvgrub_sim.typed import Final
from pvgrub_sim.values import NamedTuple

_INFO_64: Final = b"mimg" + bytes(4) + (24).to_bytes(8, "little")
"""struct grub_module_info64 up to its size: GRUB_MODULE_MAGIC, padding, the offset of the first object."""
_INFO_32: Final = b"mimg" + (12).to_bytes(4, "little")
_HEADER: Final = struct.Struct("<II")
"""struct grub_module_header: the object's type, and its size with this header."""
_MEMDISK, _CONFIG, _PREFIX = 1, 2, 3
MOST_OBJECTS: Final = 4096
MOST_TRIES: Final = 64
"""Places that look like the head of the list."""
_BLOCK: Final = 512
_USTAR: Final = b"ustar"
"""POSIX.1-1988, at byte 257 of a header."""
MOST_NAMES: Final = 20_000
LONGEST_PREFIX: Final = 256


class Carried(NamedTuple):
    """What an image carries: the prefix under which it looks for its files, or "", whether a configuration is in it,
    the names in its memdisk, and whether there is a memdisk of which these are not known."""

    prefix: str = ""
    config: bool = False
    memdisk: tuple[str, ...] = ()
    other_memdisk: bool = False


def carried(image: bytes) -> Carried | None:
    """What a GRUB 2 image carries; None where there is nothing of the kind. image: the whole file, unpacked."""
    found = None
    for kind, start, end in _objects(image):
        found = found or Carried()
        if kind == _CONFIG:
            found = found._replace(config=True)
        elif kind == _PREFIX:
            text = image[start : min(end, start + LONGEST_PREFIX)].split(b"\0")[0]
            found = found._replace(prefix=text.decode("utf-8", "surrogateescape"))
        elif kind == _MEMDISK:
            names = tuple(_tar_names(image, start, end))
            found = found._replace(memdisk=names, other_memdisk=not names)
    return found


def _objects(image: bytes) -> Iterator[tuple[int, int, int]]:
    """Type, first byte and end of each object: those of the first list that is one from its head to its end."""
    for magic, width in ((_INFO_64, 8), (_INFO_32, 4)):
        at = image.find(magic)
        for _ in range(MOST_TRIES):
            if at < 0:
                break
            head = at + len(magic)
            size = int.from_bytes(image[head : head + width], "little")
            objects = _list(image, head + width, at + size) if at + size <= len(image) else []
            if objects:
                yield from objects
                return
            at = image.find(magic, at + 1)


def _list(image: bytes, at: int, end: int) -> list[tuple[int, int, int]]:
    found: list[tuple[int, int, int]] = []
    while at + _HEADER.size <= end and len(found) < MOST_OBJECTS:
        kind, size = _HEADER.unpack_from(image, at)
        if size < _HEADER.size or at + size > end:
            return []
        found.append((kind, at + _HEADER.size, at + size))
        at += size
    return found


def _tar_names(image: bytes, at: int, end: int) -> Iterator[str]:
    """The files in a tar archive."""
    for _ in range(MOST_NAMES):
        if at + _BLOCK > end or image[at + 257 : at + 262] != _USTAR:
            return
        folder, name = (image[at + s : at + e].split(b"\0")[0] for s, e in ((345, 500), (0, 100)))
        try:
            size = int(image[at + 124 : at + 136].strip(b" \0") or b"0", 8)
        except ValueError:
            return
        yield (folder + b"/" + name if folder else name).decode("utf-8", "surrogateescape").removeprefix("./")
        at += _BLOCK + -(-max(size, 0) // _BLOCK) * _BLOCK
