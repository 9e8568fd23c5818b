"""What the survey tells: frozen values, each of which turns into JSON field by field."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from pvgrub_sim.media.disk import Layer
from pvgrub_sim.typed import Any
from pvgrub_sim.values import NamedTuple


class ContentKind(StrEnum):
    """What a stretch of disk is used for."""

    FILESYSTEM = "filesystem"
    LVM = "lvm"
    RAID = "raid"
    CRYPT = "crypt"
    SWAP = "swap"
    JOURNAL = "journal"
    """A journal of another filesystem, kept on its own device."""


class FileKind(StrEnum):
    """What a file near the boot loader is, by name and, for kernels, by content."""

    KERNEL = "kernel"
    INITRD = "initrd"
    MENU = "menu"
    """A config file of GRUB legacy: menu.lst, grub.conf."""
    GRUB2 = "grub2"
    """A config file of GRUB 2: grub.cfg, or a boot loader specification entry."""
    KERNEL_CONFIG = "config"
    """A kernel's configuration: config-6.1.0."""
    DEFAULT = "default"
    """GRUB legacy's saved default entry."""
    OTHER = "other"


class BootFile(NamedTuple):
    """A file at the root, in /boot or in a GRUB folder.

    path: absolute, as bytes decoded with surrogateescape. size: bytes. link: a symbolic link's target, or None;
    the size and the rest are then those of the file that it leads to. missing: the link leads nowhere.
    holes, unwritten: bytes of the file that have no block, or a block that was never written (both read as zeros).
    first_hole: byte offset of the first of either, or None. facts: what the content says (a kernel's version,
    boot protocol and payload; a kernel configuration's options).
    """

    path: str
    kind: FileKind
    size: int = 0
    link: str | None = None
    missing: bool = False
    holes: int = 0
    unwritten: int = 0
    first_hole: int | None = None
    facts: Mapping[str, str] = MappingProxyType({})


class Content(NamedTuple):
    """One thing found on a disk or partition.

    type: as blkid names it (ext4, xfs, vfat, LVM2_member, linux_raid_member, crypto_LUKS, swap …). version: of the
    format. size: bytes that its superblock claims, or None. state: `clean`, `needs recovery` (a journal to replay),
    `not clean`, `errors`, or empty where the format keeps none. features: under the names that the format's own
    tools print. detail: what only this format has (volume group, logical volumes, RAID level …).
    files: what lies at the root, in /boot and in GRUB's folders; empty when `readable` is False.
    readable: the survey can read its files.
    """

    kind: ContentKind
    type: str
    version: str = ""
    label: str = ""
    uuid: str = ""
    size: int | None = None
    block_size: int | None = None
    state: str = ""
    features: tuple[str, ...] = ()
    detail: Mapping[str, Any] = MappingProxyType({})
    readable: bool = False
    files: tuple[BootFile, ...] = ()
    problems: tuple[str, ...] = ()

    def file(self, path: str) -> BootFile | None:
        """The boot file of that path, None when there is none."""
        return next((entry for entry in self.files if entry.path == path), None)


class Volume(NamedTuple):
    """The whole disk, or one partition of it.

    number: as Linux counts (1 for the first), None for the whole disk. grub: the name that fits it in a menu.lst.
    offset, size: bytes. table: `mbr`, `logical`, `gpt`, `bsd`, or empty for the whole disk. type: `0x83` or a GPT
    type GUID; type_name: its name. label, guid: a GPT partition's own.
    """

    number: int | None
    grub: str
    offset: int
    size: int
    table: str = ""
    type: str = ""
    type_name: str = ""
    active: bool = False
    label: str = ""
    guid: str = ""
    contents: tuple[Content, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def filesystem(self) -> Content | None:
        """The filesystem, if there is one."""
        return next((content for content in self.contents if content.kind is ContentKind.FILESYSTEM), None)

    def has(self, kind: ContentKind) -> bool:
        """True when something of that kind was found."""
        return any(content.kind is kind for content in self.contents)


class PartitionTable(NamedTuple):
    """The partition table: `none`, `mbr`, `gpt`, or `hybrid` (a GPT whose MBR shows partitions as well).

    id: the disk's signature or GUID. usable: for a GPT, `both`, `primary` or `backup`: which of its copies are sound.
    """

    kind: str = "none"
    id: str = ""
    usable: str = ""
    problems: tuple[str, ...] = ()


class Survey(NamedTuple):
    """An honest reader's view of one disk image: it explains what PV-GRUB does and never decides it.

    image: the name of the disk. size: bytes. whole: the disk without a look at its table.
    layers: what the disk is made of, from the outermost down to where its bytes lie; empty for a raw image.
    given_up: there is more on it than is looked at, so that what is not told may be there all the same.
    """

    image: str
    size: int
    table: PartitionTable
    whole: Volume
    partitions: tuple[Volume, ...] = ()
    problems: tuple[str, ...] = ()
    layers: tuple[Layer, ...] = ()
    given_up: bool = False

    @property
    def volumes(self) -> tuple[Volume, ...]:
        """The whole disk and its partitions."""
        return (self.whole, *self.partitions)

    def volume(self, grub: str) -> Volume | None:
        """The volume of a GRUB name such as `(hd0,0)`, None when there is none."""
        return next((volume for volume in self.volumes if volume.grub == grub), None)

    def contents(self, kind: ContentKind) -> tuple[tuple[Volume, Content], ...]:
        """Everything of one kind, with where it is."""
        return tuple(
            (volume, content) for volume in self.volumes for content in volume.contents if content.kind is kind
        )

    def files(self, kind: FileKind) -> tuple[tuple[Volume, BootFile], ...]:
        """All boot files of one kind, with where they are."""
        return tuple(
            (volume, file)
            for volume in self.volumes
            for content in volume.contents
            for file in content.files
            if file.kind is kind
        )

    def to_json(self) -> dict[str, Any]:
        """The survey as JSON values, with `format_version` 1; fields may be added, never changed."""
        return {"format_version": 1, **_plain(self)}


def _plain(value: Any) -> Any:
    """Named tuples, tuples and enums as dicts, lists and strings."""
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, StrEnum):
        return str(value)
    return value
