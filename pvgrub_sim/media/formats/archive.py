"""tar and zip archives: the disk image in them, told by its content; an OVA among them is a machine."""

from __future__ import annotations

import re

from pvgrub_sim.errors import ImageError
from pvgrub_sim.media.disk import Layer, read_upto
from pvgrub_sim.media.formats.detect import HEAD, recognised, seen_by_grub
from pvgrub_sim.media.formats.members import shown
from pvgrub_sim.media.formats.pieces import member_disk
from pvgrub_sim.media.formats.tar import Member, TarReader
from pvgrub_sim.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pvgrub_sim.media.access import Context
    from pvgrub_sim.media.disk import Disk

IMAGE_NAME: Final = re.compile(
    r"(?:.*/)?(?:disk\.raw|[^/]+\.(?:img|raw|ima?ge?|dd|bin|iso|qcow2?|vmdk|vhdx?|vdi|ext[234]|xfs|xva)"
    r"(?:\.(?:gz|xz|zst|bz2|lz4))?)",
    re.I | re.S,
)
"""What images are called in archives: a name helps to choose between members, and nothing else."""
NO_DISK: Final = re.compile(r"(?:.*/)?(?:initrd|initramfs|vmlinu[xz]|bzImage)[^/]*", re.S)
"""What is never the disk where an archive has anything else that could be one."""
MOST_MEMBERS: Final = 20_000
"""Members among which an image is looked for: a small packed archive may have millions."""
_ROOT_FOLDERS: Final = frozenset(b"bin boot dev etc lib proc root sbin sys usr var".split())
_SMALLEST: Final = 4096
"""Bytes; what is smaller is no disk."""


def open_tar(below: Disk, context: Context) -> Disk:
    """The disk image in a tar archive, or the machine that an OVA is. Raises ImageError when there is none."""
    folders: set[bytes] = set()
    seen = 0
    unlikely: Disk | None = None
    for member in TarReader(below):
        seen += 1
        if member.is_file and member.name.lower().endswith(b".ovf"):
            from pvgrub_sim.media.formats.ova import open_ova

            return open_ova(below, member, context)
        if seen > MOST_MEMBERS:
            break
        disk = _candidate(below, member)
        if disk is not None and NO_DISK.fullmatch(shown(member.name)):
            unlikely = unlikely or disk
        elif disk is not None:
            return disk
        top = member.name.removeprefix(b"./").split(b"/", 1)[0]
        if top in _ROOT_FOLDERS:
            folders.add(top)
        if len(folders) >= 3:
            raise ImageError(
                below.name,
                "is a tar archive of a root filesystem, not of a disk image: unpack it into a filesystem made for it "
                "(mke2fs -d FOLDER disk.img SIZE)",
            )
    if unlikely is not None:
        return unlikely
    looked = f"{MOST_MEMBERS} members" if seen > MOST_MEMBERS else f"{seen} members"
    raise ImageError(below.name, f"is a tar archive without a disk image in it ({looked})")


def _candidate(below: Disk, member: Member) -> Disk | None:
    """A member as a disk, if it looks like an image."""
    if not member.is_file or member.size < _SMALLEST:
        return None
    name = shown(member.name)
    disk = member_disk(below, member.size, member.pieces, Layer("tar", f"{below.name}:{name}", member.size))
    if IMAGE_NAME.fullmatch(name):
        return disk
    head = read_upto(disk, 0, HEAD)
    return disk if seen_by_grub(head) or recognised(head) else None
