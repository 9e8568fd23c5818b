"""What lies in an area: every signature that is there, with its label, UUID, state and features."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pvgrub_sim.media.disk import ForwardOnly
from pvgrub_sim.ondisk import ext2
from pvgrub_sim.ondisk.xfs import SB_MAGIC
from pvgrub_sim.survey import containers, superblocks
from pvgrub_sim.survey.area import Area, Damaged, text_of, uuid_of
from pvgrub_sim.survey.result import Content, ContentKind
from pvgrub_sim.survey.tree import Reader
from pvgrub_sim.typed import Any, Final

Found = tuple[Content, Reader | None]


def identify(area: Area) -> list[Found]:
    """Everything found in an area, with a reader for those whose files can be read.

    More than one is usual: a RAID member whose metadata is at the end holds its filesystem as well.
    """
    found = list(readable(area))
    for simple in _SIMPLE:
        if simple is containers.probe_raid and isinstance(area.disk, ForwardOnly):
            # The end costs all that lies before it, and where something else lies there is no superblock.
            content = containers.probe_raid(area, end=not _covered(area))
        else:
            content = simple(area)
        if content is not None:
            found.append((content, None))
    return found


def readable(area: Area) -> Iterator[Found]:
    """Those filesystems in an area whose files can be read, as long as they are not damaged; as for identify()."""
    for probe in _READABLE:
        try:
            one = probe(area)
        except Damaged:
            continue
        if one is not None:
            yield one


def _covered(area: Area) -> bool:
    """Whether a filesystem or a partition reaches over the place at an area's end where RAID superblocks lie."""
    from pvgrub_sim.media.extent import used_bytes

    return used_bytes(area.peek(0, 4096)) > area.size - 8192


def _filesystem(kind: str, open_reader: Callable[[], Reader] | None, problems: list[str], **fields: Any) -> Found:
    """A filesystem with its reader, or with the reason why it has none."""
    reader = None
    if open_reader is not None:
        try:
            reader = open_reader()
        except Damaged as error:
            problems.append(f"{kind}: {error}")
    content = Content(ContentKind.FILESYSTEM, kind, readable=reader is not None, problems=tuple(problems), **fields)
    return content, reader


def probe_ext(area: Area) -> Found | None:
    """ext2, ext3, ext4, or an external journal of theirs; told apart as blkid does."""
    raw = area.peek(ext2.SUPERBLOCK_OFFSET, ext2.SUPERBLOCK_SIZE)
    magic = raw[ext2.S_MAGIC : ext2.S_MAGIC + 2]
    if len(raw) < ext2.SUPERBLOCK_SIZE or magic != ext2.MAGIC.to_bytes(2, "little"):
        return None
    from pvgrub_sim.ondisk import ext2_features as features
    from pvgrub_sim.survey import ext, ext_superblock

    problems: list[str] = []
    fields: dict[str, Any] = {"label": text_of(raw[ext2.S_VOLUME_NAME]), "uuid": uuid_of(raw[ext2.S_UUID])}
    try:
        block = ext_superblock.Superblock.parse(raw)
    except Damaged as error:
        return _filesystem("ext4", None, [f"ext4: {error}"], **fields)
    fields |= {
        "version": f"{block.rev_level}.{block.minor_rev_level}",
        "size": block.blocks_count * block.block_size,
        "block_size": block.block_size,
        "features": block.features,
    }
    if block.incompat & features.INCOMPAT_JOURNAL_DEV:
        return Content(ContentKind.JOURNAL, "jbd", **fields), None
    journal = bool(block.compat & features.COMPAT_HAS_JOURNAL)
    simple = not block.incompat & ~features.EXT3_INCOMPAT and not block.ro_compat & ~features.EXT3_RO_COMPAT
    kind = ("ext3" if journal else "ext2") if simple else "ext4"
    if block.incompat & features.INCOMPAT_RECOVER:
        state = "needs recovery"
    elif block.state & ext2.ERROR_FS:
        state = "errors"
    else:
        state = "clean" if block.state & ext2.VALID_FS else "not clean"
    if block.blocks_count * block.block_size > area.size:
        problems.append(
            f"{kind}: the filesystem has {block.blocks_count * block.block_size} bytes, its place only {area.size}"
        )
    return _filesystem(kind, lambda: ext.ExtReader(area, block), problems, state=state, **fields)


def probe_xfs(area: Area) -> Found | None:
    """XFS, version 4 or 5."""
    raw = area.peek(0, 512)
    if len(raw) < 512 or raw[:4] != SB_MAGIC:
        return None
    from pvgrub_sim.survey import xfs, xfs_log

    block = xfs.Superblock.parse(raw)
    problems: list[str] = []
    fields = xfs.describe(block)
    if block.version not in (4, 5):
        return _filesystem("xfs", None, [f"xfs: version {block.version} is unknown"], **fields)
    size = block.dblocks * block.blocksize
    if size > area.size:
        problems.append(f"xfs: the filesystem has {size} bytes, its place only {area.size}")
    return _filesystem(
        "xfs", lambda: xfs.XfsReader(area, block), problems, state=xfs_log.log_state(area, block), **fields
    )


def probe_fat(area: Area) -> Found | None:
    """FAT12, FAT16 or FAT32."""
    raw = area.peek(0, 512)
    if raw[:1] not in (b"\xe9", b"\xeb"):
        return None
    from pvgrub_sim.survey import fat

    boot = fat.BootSector.parse(raw)
    if boot is None:
        return None
    reader = fat.FatReader(area, boot)
    problems: list[str] = []
    label = ""
    try:
        label = reader.label()
    except Damaged as error:
        problems.append(f"vfat: {error}")
    return _filesystem(
        "vfat",
        lambda: reader,
        problems,
        version=f"FAT{boot.width}",
        label=label,
        uuid=f"{boot.serial >> 16:04X}-{boot.serial & 0xFFFF:04X}" if boot.serial else "",
        size=boot.size,
        block_size=boot.sector,
        state="not clean" if boot.dirty else "clean",
        detail={"cluster_size": boot.cluster},
    )


def probe_iso(area: Area) -> Found | None:
    """ISO 9660."""
    raw = area.peek(32768, 2048)
    if len(raw) < 2048 or raw[:7] != b"\x01CD001\x01":
        return None
    from pvgrub_sim.survey import iso

    reader: iso.IsoReader | None = None
    problems: list[str] = []
    try:
        reader = iso.IsoReader(area, raw)
    except Damaged as error:
        problems.append(f"iso9660: {error}")
    content = Content(
        ContentKind.FILESYSTEM,
        "iso9660",
        "Rock Ridge" if reader is not None and reader.rock_ridge else "",
        raw[40:72].decode("ascii", "replace").rstrip(" \0"),
        _iso_uuid(raw),
        int.from_bytes(raw[80:84], "little") * int.from_bytes(raw[128:130], "little"),
        int.from_bytes(raw[128:130], "little"),
        readable=reader is not None,
        problems=tuple(problems),
    )
    return content, reader


def _iso_uuid(raw: bytes) -> str:
    """The date of the last change, or of creation, which tools take for a UUID."""
    for at in (830, 813):
        digits = raw[at : at + 16]
        if digits.isdigit() and digits.strip(b"0"):
            text = digits.decode()
            return "-".join((text[:4], *(text[where : where + 2] for where in range(4, 16, 2))))
    return ""


_READABLE: Final = (probe_ext, probe_xfs, probe_fat, probe_iso)
_SIMPLE: Final = (
    containers.probe_lvm,
    containers.probe_raid,
    containers.probe_luks,
    containers.probe_swap,
    superblocks.probe_jfs,
    superblocks.probe_reiserfs,
    superblocks.probe_btrfs,
    superblocks.probe_ufs,
    superblocks.probe_minix,
    superblocks.probe_others,
)
