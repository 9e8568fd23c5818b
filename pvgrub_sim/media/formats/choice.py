"""Which file of an archive is the disk image: by what is in it, where a name leaves a doubt; never by guessing."""

from __future__ import annotations

import re
from contextlib import ExitStack

from pvgrub_sim.errors import ImageError
from pvgrub_sim.media import formats
from pvgrub_sim.media.disk import read_upto
from pvgrub_sim.media.formats.detect import HEAD, recognised, seen_by_grub
from pvgrub_sim.media.formats.inside import Inside, Tally
from pvgrub_sim.media.formats.members import shown
from pvgrub_sim.media.formats.table import NoImage
from pvgrub_sim.typed import TYPE_CHECKING, Final
from pvgrub_sim.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pvgrub_sim.media.access import Context
    from pvgrub_sim.media.disk import Disk
    from pvgrub_sim.media.formats.inside import Archive, ArchiveFile

IMAGE_NAME: Final = re.compile(
    r"(?:.*/)?(?:disk\.raw|[^/]+\.(?:img|raw|ima?ge?|dd|bin|iso|qcow2?|vmdk|vhdx?|vdi|ext[234]|xfs|xva)"
    r"(?:\.(?:gz|xz|zst|bz2|lz4))?)",
    re.I | re.S,
)
"""What images are called in archives: a name helps to choose between files, and nothing else."""
NO_DISK: Final = re.compile(r"(?:.*/)?(?:initrd|initramfs|vmlinu[xz]|bzImage)[^/]*", re.S)
"""What is never the disk where an archive has anything else that could be one."""
SMALLEST: Final = 4096
"""Bytes; what is smaller is no disk, unless it is compressed or only describes one."""
_DESCRIPTIONS: Final = ("vmdk", "bundle")
_DISKS: Final = ("qcow2", "vmdk", "vhd", "vhdx", "vdi", "xva", "bundle")
"""Formats of which a file is an image, whatever it is called; a compressed one may be anything."""
MOST_CANDIDATES: Final = 32
"""Files that are opened to choose between them."""
MOST_UNNAMED: Final = 64
"""Files that are not called like images and are looked at, the largest ones."""
_ISO: Final = 32768
"""Where an ISO 9660 filesystem has its mark, in bytes."""
_SHOWN: Final = 4


class _Opened(NamedTuple):
    """A candidate, opened as far as that is possible.

    rank: 0 for one on which PV-GRUB would see something, or which cannot be read; 1 for a CD; 2 for anything else; 3
    for what is known to be no image.
    """

    file: ArchiveFile
    disk: Disk | None
    error: ImageError | None
    rank: int


def choose(archive: Archive, files: Sequence[ArchiveFile], context: Context, looked: str) -> Disk:
    """The disk in an archive, unwrapped; raises ImageError when there is none, or several that could be meant.

    files: what it may be chosen from. looked: how many members were looked at, for the message.
    """
    found = _candidates(archive, files)
    if not found:
        raise ImageError(
            archive.below.name, f"is a {archive.words} archive without a disk image in it" + (looked and f" ({looked})")
        )
    if len(found) > MOST_CANDIDATES:
        raise _several(archive, found)
    asked: set[bytes] = set()
    context = context._replace(tally=context.tally or Tally())
    if len(found) == 1:
        return _unwrapped(archive, found[0], context, asked)
    with ExitStack() as stack:
        opened: list[_Opened] = []
        for file in found:
            one = _look(archive, file, context, asked)
            if one.disk is not None:
                stack.callback(one.disk.close)
            opened.append(one)
        # What another one names is a part of that: its backing file, its parent, an extent.
        left = [one for one in opened if one.file.name not in asked] or opened
        best = min(one.rank for one in left)
        left = [one for one in left if one.rank == best]
        if len(left) > 1:
            raise _several(archive, [one.file for one in left])
        chosen = left[0]
        if chosen.disk is None:
            raise chosen.error or ImageError(archive.below.name, "cannot be read")
        stack.pop_all()
    for one in opened:
        if one.disk is not None and one is not chosen:
            one.disk.close()
    return chosen.disk


def _several(archive: Archive, files: Sequence[ArchiveFile]) -> ImageError:
    names = [repr(shown(file.name[:100])) for file in files[:_SHOWN]] + ["…"] * (len(files) > _SHOWN)
    return ImageError(
        archive.below.name,
        f"is a {archive.words} archive of several disk images ({', '.join(names)}): unpack it, and name the "
        "one that is meant",
    )


def _candidates(archive: Archive, files: Sequence[ArchiveFile]) -> list[ArchiveFile]:
    """The files that may be the disk: those that are called so, else those that look so, else initrds and the like."""
    likely: list[ArchiveFile] = []
    unlikely: list[ArchiveFile] = []
    for file in files:
        (unlikely if NO_DISK.fullmatch(shown(file.name)) else likely).append(file)
    for some in (likely, unlikely):
        named = [file for file in some if IMAGE_NAME.fullmatch(shown(file.name))]
        big = [
            file
            for file in named[: MOST_CANDIDATES + 1]
            if file.size >= SMALLEST or recognised(archive.head(file, HEAD))
        ]
        if found := big or _by_content(archive, some):
            return found
    return []


def _by_content(archive: Archive, files: Sequence[ArchiveFile]) -> list[ArchiveFile]:
    """Files that look like an image: disks, else what is compressed, else what is known and not read."""
    ranked: tuple[list[ArchiveFile], ...] = ([], [], [])
    for file in sorted(files, key=lambda one: -one.size)[:MOST_UNNAMED]:
        head = archive.head(file, HEAD)
        name = recognised(head)
        if (name and not formats.FORMATS[name].image) or (file.size < SMALLEST and name not in _DESCRIPTIONS):
            continue
        if seen_by_grub(head) or name in _DISKS:
            ranked[0].append(file)
        elif name:
            ranked[1 if formats.FORMATS[name].opener else 2].append(file)
    return next(filter(None, ranked), [])


def _unwrapped(archive: Archive, file: ArchiveFile, context: Context, asked: set[bytes]) -> Disk:
    """The disk in a file of the archive."""
    if context.tally is not None:
        context.tally.add(archive.below.name)
    inside = Inside(archive, b"", asked).of(file)
    own = (*context.chain, (-id(archive), file.number))
    below = archive.open([file], archive.words)
    try:
        return formats.unwrap(below, "auto", context._replace(folder=None, inside=inside, chain=own))
    except BaseException:  # Ctrl-C as well; it is passed on
        below.close()
        raise


def _look(archive: Archive, file: ArchiveFile, context: Context, asked: set[bytes]) -> _Opened:
    try:
        disk = _unwrapped(archive, file, context, asked)
    except ImageError as error:
        return _Opened(file, None, error, 3 if isinstance(error, NoImage) else 0)
    try:
        head = read_upto(disk, 0, HEAD)
    except ImageError as error:
        disk.close()
        return _Opened(file, None, error, 0)
    except BaseException:  # Ctrl-C as well; it is passed on
        disk.close()
        raise
    # An ISO may be a disk, and is as a rule what a disk is set up with.
    compact = head.startswith(b"CD001", _ISO + 1) and not seen_by_grub(head[:_ISO])
    seen = seen_by_grub(head) or head.startswith(b"XFSB")
    return _Opened(file, disk, None, 1 if compact else 0 if seen else 2)
