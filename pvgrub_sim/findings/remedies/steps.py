"""The kinds of step that a remedy is made of: values that say what is to be done where, and no text of a shell.

A step names its volume, the file there, and what is to be in it, so that it can be carried out without a shell, and
brought together with the steps of other findings.
"""

from __future__ import annotations

from pvgrub_sim.typed import Final
from pvgrub_sim.values import Enum, NamedTuple


class Target(NamedTuple):
    """A volume of a disk image that a step works on.

    image: path of the image as it was named. disk: its number, 0 for hd0. device: by which PV-GRUB reaches the volume,
    `(hd1,0)`. alone: the same when the image is the only disk. number: the partition's, from 1, or None for the whole
    disk. offset, size: of the volume, in bytes. filesystem: its type as blkid names it, or "". features: of that.
    room: bytes that are free in it, None where that is not known. short: bytes that its filesystem lies beyond the end
    of the image, 0 as it should be. wrapped: the format that the image is in, which no tool of a remedy knows; empty
    for a raw image.
    """

    image: str
    disk: int
    device: str
    alone: str
    number: int | None
    offset: int
    size: int
    filesystem: str
    features: tuple[str, ...] = ()
    room: int | None = None
    short: int = 0
    wrapped: str = ""


class Change(Enum):
    """What happens to a line of a menu."""

    REPLACE = "replace"
    """`old` in the line becomes `new`."""
    DELETE = "delete"
    OVERWRITE = "overwrite"
    """The line becomes `new`."""
    BEFORE = "before"
    """`new` becomes a line before it."""
    AFTER = "after"
    """`new` becomes a line behind it."""
    APPEND = "append"
    """`new` is put at the end of the line."""


class Edit(NamedTuple):
    """A change of one line of a menu.

    number: of its first physical line, from 1. span: how many physical lines it has. text: what it says, as PV-GRUB
    reads it: by number and text a line is found again.
    """

    change: Change
    number: int
    span: int
    text: str
    new: str = ""
    old: str = ""


class EditMenu(NamedTuple):
    """Change lines of a menu.

    path: of the file, without links on the way. seen: SHA-256 of the text that the lines are numbered in, in
    hexadecimal digits. packed: the file is that text gzipped. size: of the text, in bytes. shared: the edit is that of
    several findings. then: further passes, each of edits of what the one before it has made. backup: the name
    under which the file as it was stays beside the new one, "" where it does not. attributes: names of the file's
    extended attributes, which the new one is to have as well.
    """

    target: Target
    path: str
    edits: tuple[Edit, ...]
    seen: str
    size: int
    packed: bool = False
    shared: bool = False
    then: tuple[tuple[Edit, ...], ...] = ()
    backup: str = ""
    attributes: tuple[str, ...] = ()

    @property
    def passes(self) -> tuple[tuple[Edit, ...], ...]:
        """All passes in their order."""
        return (self.edits, *self.then)


class Source(NamedTuple):
    """The content of a file that is there: its path without links, and its size in bytes."""

    target: Target
    path: str
    size: int


class PutFile(NamedTuple):
    """Put a file at a path: given bytes, or what another file holds (the same one: written anew, without holes).

    folders: that have to be made for it, outermost first. replaces: there is a file of that name. backup, attributes:
    as in EditMenu. in_the_way: a symbolic link to nowhere that has the file's name or a folder's, else ""; aside: the
    name that it keeps, "" where it goes.
    """

    target: Target
    path: str
    content: bytes | Source
    folders: tuple[str, ...] = ()
    replaces: bool = True
    backup: str = ""
    attributes: tuple[str, ...] = ()
    in_the_way: str = ""
    aside: str = ""


class Repack(NamedTuple):
    """Put a kernel in its own place with another payload.

    path: without links on the way. size: of the kernel as it is, in bytes. backup, attributes: as in EditMenu.
    """

    target: Target
    path: str
    size: int
    payload: str = "gzip"
    backup: str = ""
    attributes: tuple[str, ...] = ()


class MakeLink(NamedTuple):
    """Make a symbolic link at a path, to a target.

    dangling: where a link of that name leads to nothing, else ""; aside: the name that it keeps, "" where it goes.
    """

    target: Target
    path: str
    to: str
    dangling: str = ""
    aside: str = ""


class MoveFile(NamedTuple):
    """Give a file another path."""

    target: Target
    path: str
    new: str


class Operand(Enum):
    """A word of a command that depends on where the step is carried out."""

    IMAGE = "image"
    """The disk image."""
    VOLUME = "volume"
    """A copy of the filesystem, in a file of its own."""


class Run(NamedTuple):
    """Run commands, each a list of words: those that name the volume on a copy of it, which then takes its place."""

    commands: tuple[tuple[str | Operand, ...], ...]
    target: Target | None = None


class BootDisk(NamedTuple):
    """Make a disk of its own that PV-GRUB reads: ext2, without a partition table or in a partition.

    files: path on the new disk, and what goes there. edits: of the menu, which is the first file. size: of the
    filesystem, in bytes. output: name of its image. packed: the menu is gzipped, and is unpacked for its edits.
    partition: the one that holds the filesystem, from 1, None for the disk itself.
    """

    files: tuple[tuple[str, Source], ...]
    edits: tuple[Edit, ...]
    size: int
    output: str
    packed: bool = False
    partition: int | None = None


class BtrfsBootDisk(NamedTuple):
    """Make such a disk of the folder /boot of a btrfs, whose files the survey does not read."""

    target: Target
    output: str
    partition: int | None = None


class Advice(NamedTuple):
    """What a person has to do or to decide, in lines."""

    lines: tuple[str, ...]


Step = EditMenu | PutFile | Repack | MakeLink | MoveFile | Run | BootDisk | BtrfsBootDisk | Advice
Remedy = tuple[Step, ...]

BOOT_DISK_START: Final = 1 << 20
"""Bytes before the filesystem of a boot disk, where that is in a partition."""
EXT: Final = ("ext2", "ext3", "ext4")
"""Filesystems that debugfs writes."""
FAT: Final = "vfat"
"""The filesystem that mtools write."""


def device_of(partition: int | None) -> str:
    """What PV-GRUB calls the filesystem of a boot disk. partition: that holds it, from 1, None for the disk itself."""
    return "(hd0)" if partition is None else f"(hd0,{partition - 1})"


def start_of(partition: int | None) -> int:
    """Where the filesystem of a boot disk begins, in bytes. partition: as for device_of()."""
    return 0 if partition is None else BOOT_DISK_START


def writable(target: Target) -> bool:
    """True for a filesystem that can be written without being mounted."""
    return target.filesystem in EXT or target.filesystem == FAT


def targets_of(step: Step) -> tuple[Target, ...]:
    """The volumes that a step reads or writes."""
    match step:
        case BootDisk():
            return tuple(dict.fromkeys(source.target for _, source in step.files))
        case PutFile(target=target, content=Source(target=source)):
            return (target, source)
        case Advice():
            return ()
        case Run():
            return (step.target,) if step.target else ()
        case _:
            return (step.target,)


def advice(*lines: str) -> Remedy:
    """A remedy that is advice alone."""
    return (Advice(lines),)
