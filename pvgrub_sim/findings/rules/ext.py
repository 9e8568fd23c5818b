"""Traps of ext2, ext3 and ext4, which PV-GRUB reads with one driver of 2003 (GRUB 0.97, stage2/fsys_ext2fs.c)."""

from __future__ import annotations

from collections.abc import Iterator

from pvgrub_sim.findings import remedies
from pvgrub_sim.findings.facts.boot_files import boot_places, needed_paths, read_error
from pvgrub_sim.findings.facts.case import Case
from pvgrub_sim.findings.facts.file_ref import FileRef
from pvgrub_sim.findings.facts.place import Place
from pvgrub_sim.findings.facts.readings import differing
from pvgrub_sim.findings.remedies.steps import EXT, Operand, Run, advice
from pvgrub_sim.findings.rule import Draft, rule
from pvgrub_sim.findings.rules.ext_features import HARMFUL
from pvgrub_sim.model import Severity
from pvgrub_sim.survey.viewer import Gap

FILESYSTEM_ERROR, CORRUPT, SYMLINK_LOOP = 14, 16, 26


@rule(
    "ext4-64bit",
    Severity.ERROR,
    "An ext4 filesystem with the 64bit feature: PV-GRUB reads no file on it",
    """
`mke2fs -t ext4` has set the feature `64bit` since e2fsprogs 1.43 (2016). PV-GRUB's ext2fs driver mounts such a
filesystem, but its test on the high half of an inode table's block number is inverted: every ordinary 64bit
filesystem ends in `Error 14: Filesystem compatibility error, cannot read whole file`. If the menu is on it,
PV-GRUB finds no menu and stays at its `grubdom>` prompt without a word.

**Remedy.** `resize2fs -s` converts an unmounted filesystem; nothing is lost below 16 TiB. The finding's commands do
that on a copy, which takes the filesystem's place when `e2fsck -f -n` finds it clean. New images:
`mke2fs -t ext4 -O ^64bit`, or `features = …,^64bit` in `mke2fs.conf`.

**Source.** GRUB 0.97 with Xen's patches, `stage2/fsys_ext2fs.c:ext2fs_dir`.
""",
)
def ext4_64bit(case: Case) -> Iterator[Draft]:
    for place in boot_places(case):
        content = place.filesystem
        if content is None or content.type not in EXT or "64bit" not in content.features:
            continue
        failed = read_error(case, place)
        if failed is None or failed[1] != FILESYSTEM_ERROR:
            continue
        path, number = failed
        sound = ("e2fsck", "-f", "-n", Operand.VOLUME)
        convert = ("resize2fs", "-s", Operand.VOLUME)
        remedy = (
            Run((("e2fsck", "-f", "-y", Operand.VOLUME), sound, convert, sound), remedies.volumes.target_of(place)),
        )
        yield Draft(
            f"The {content.type} filesystem on {place.device} has the feature 64bit, with which PV-GRUB can "
            "open no file: "
            f"{path} ends in Error {number}.",
            remedy,
            place.where,
            "features: " + " ".join(content.features),
        )


@rule(
    "ext4-extents",
    Severity.ERROR,
    "Files mapped by extents, which PV-GRUB 1.01 and 1.02 do not read",
    """
ext4 maps files and directories by extents. Amazon's PV-GRUB 1.01 and 1.02, and Xen's before 4.2, take an extent
tree for a list of block numbers: the menu or the kernel ends in `Error 16`, in `Error 15` where a folder is mapped
so, or reads as other blocks of the disk. That the filesystem is called ext4 does not matter, only how its files are
mapped.

**Remedy.** An AKI of 1.03 or later. To keep the version: `/boot` on ext2 or ext3, whose files have block maps; the
finding's commands make such a disk, to be attached first.

**Source.** AWS, "User Provided Kernels"; GRUB 0.97, `stage2/fsys_ext2fs.c:ext2fs_block_map`; Xen's
ext4 patch for it (9fcf9e7e34, April 2012).
""",
)
def ext4_extents(case: Case) -> Iterator[Draft]:
    if case.profile.ext4:
        return
    for place in boot_places(case):
        if place.type not in EXT:
            continue
        mapped = next((path for path in needed_paths(case, place) if _through_extents(place, path)), None)
        if mapped is None:
            continue
        error = case.viewer.look(place.device, mapped).error
        ending = f" (opening {mapped} ends in Error {error})" if error else f" ({mapped} is read wrongly)"
        newer = "an AKI of 1.03 or later reads extents" if case.amazon else "Xen's PV-GRUB reads extents from 4.2 on"
        yield Draft(
            f"The files on {place.device} are mapped by ext4's extents, and {case.pvgrub} reads block maps "
            f"only{ending}.",
            (
                *advice(f"{newer}; to keep this one, /boot has to be on ext2 or ext3:"),
                *remedies.boot_disks.boot_disk(case, place),
            ),
            place.where,
            "features: " + " ".join(place.filesystem.features if place.filesystem else ()),
        )


def _through_extents(place: Place, path: str) -> bool:
    """True when a file, or a folder on the way to it, is mapped by extents."""
    parts = place.links(path)[1].split("/")[1:]
    return any(place.uses_extents("/" + "/".join(parts[:count])) for count in range(len(parts) + 1))


def _first(case: Case, ref: FileRef, unwritten: bool) -> Gap | None:
    """The first gap of a kind in a file, when PV-GRUB reads something else there than zeros or fails."""
    if ref.place is None or ref.place.type not in EXT or ref.seen.error not in (0, CORRUPT):
        # Any other error has another cause.
        return None
    if not case.profile.ext4 and ref.place.uses_extents(ref.path):
        # Of a file with extents this version reads nothing right, with gaps or without.
        return None
    gaps = [gap for gap in ref.place.gaps(ref.path) if gap.unwritten is unwritten]
    return gaps[0] if gaps else None


def _consequence(case: Case, ref: FileRef, at: int) -> str:
    if ref.seen.error:
        return f"opening it ends in Error {ref.seen.error}"
    if case.viewer.read(ref.device, ref.path, ref.seen.size, stored=True) is None:
        return "reading it ends in an error"
    return f"from byte {at} on PV-GRUB reads other bytes than are in the file, without an error"


@rule(
    "ext4-holes",
    Severity.ERROR,
    "A hole in a kernel, an initrd or the menu, which PV-GRUB misreads",
    """
Tools that save space leave out blocks of zeros: `mke2fs -d`, `cp --sparse`, `fallocate -d`, `debugfs write`. In
a file mapped by extents PV-GRUB looks such a hole up wrongly, off by one: the first block of a hole comes back
as the next block on the disk (wrong bytes, no error), the second as `Error 16: Inconsistent filesystem
structure`; a hole at the start reads blocks before the extent. In a file with a block map holes read as zeros,
but a hole that covers a whole indirect block takes block 0 for that indirect block. The rule speaks only where
PV-GRUB's reading differs from the file.

**Remedy.** Write the file again without holes: `cp --sparse=never` on a mounted system. On an image the
finding's commands copy it out and write it back with a block map, in which PV-GRUB reads holes correctly.

**Source.** Xen's ext4 patch to GRUB 0.97, `stage2/fsys_ext2fs.c:ext4fs_block_map` (`ee_block + ee_len <
logical_block`).
""",
)
def ext4_holes(case: Case) -> Iterator[Draft]:
    for ref in case.files():
        gap = _first(case, ref, False)
        at = differing(case, ref) if gap and ref.place else None
        if gap is None or at is None or ref.place is None:
            continue
        mapped = "extents" if ref.place.uses_extents(ref.path) else "a block map"
        yield Draft(
            f"{ref.path} on {ref.device} has a hole of {gap.length} bytes at byte {gap.offset} and is mapped by "
            f"{mapped}: {_consequence(case, ref, at)}.",
            remedies.files.rewrite(ref.place, ref.path),
            ref.where(gap.offset),
            f"holes: {_list(ref.place.gaps(ref.path), False)}",
        )


def _list(gaps: list[Gap], unwritten: bool) -> str:
    shown = [f"{gap.offset}+{gap.length}" for gap in gaps if gap.unwritten is unwritten]
    return ", ".join(shown[:8]) + (f" and {len(shown) - 8} more" if len(shown) > 8 else "")


@rule(
    "ext4-unwritten",
    Severity.ERROR,
    "Unwritten extents in a kernel, an initrd or the menu, which PV-GRUB reads as data",
    """
`fallocate` sets blocks aside that count as zeros until they are written. PV-GRUB does not know the mark of an
unwritten extent and reads what lies on the disk in those blocks: an old file's bytes, as a rule. The rule
speaks only where that is not zeros.

**Remedy.** Write the file again, as for `ext4-holes`.

**Source.** Xen's ext4 patch to GRUB 0.97, `stage2/fsys_ext2fs.c:ext4fs_block_map`: the length of an extent is
taken as it is, its mark (lengths above 32768) included.
""",
)
def ext4_unwritten(case: Case) -> Iterator[Draft]:
    for ref in case.files():
        gap = _first(case, ref, True)
        at = differing(case, ref) if gap and ref.place else None
        if gap is None or at is None or ref.place is None:
            continue
        yield Draft(
            f"{ref.path} on {ref.device} has {gap.length} unwritten bytes at byte {gap.offset}, which are zeros for "
            f"Linux: {_consequence(case, ref, at)}.",
            remedies.files.rewrite(ref.place, ref.path),
            ref.where(gap.offset),
            f"unwritten: {_list(ref.place.gaps(ref.path), True)}",
        )


@rule(
    "ext4-feature-unknown",
    Severity.ERROR,
    "An ext filesystem with features that PV-GRUB ignores and that change what it reads",
    """
Linux refuses to mount a filesystem with an incompatible feature that it does not know. PV-GRUB's driver checks
no feature at all: it reads on as if the feature were not there. Most do no harm (`metadata_csum`, `flex_bg`,
`uninit_bg`, `dir_index`, `mmp`). Some do: with `inline_data` small files and directories cannot be read,
`meta_bg` and `bigalloc` put the group descriptors elsewhere, `encrypt` makes noise of names. It is an error
when a file that booting needs cannot be opened, else a warning.

**Remedy.** Make the filesystem again without the feature, or give `/boot` a filesystem of its own. The
finding's commands make `boot.img`, a small ext2 disk with the menu and the files it names: attach it as the
first disk, and the old one behind it.

**Source.** GRUB 0.97 with Xen's patches, `stage2/fsys_ext2fs.c:ext2fs_mount`: the magic number is all that is
looked at.
""",
)
def ext4_feature_unknown(case: Case) -> Iterator[Draft]:
    for place in boot_places(case):
        content = place.filesystem
        if content is None or content.type not in EXT:
            continue
        strange = [name for name in content.features if name in HARMFUL or name.startswith("incompat_")]
        if not strange:
            continue
        failed = None if "64bit" in content.features else read_error(case, place)
        if failed and failed[1] == SYMLINK_LOOP:
            failed = None
        if failed:
            result = f"{failed[0]} is there, but opening it ends in Error {failed[1]}"
        else:
            result = (
                "what booting needs from it is read all the same" if case.config else "PV-GRUB reads it all the same"
            )
        told = "; ".join(f"{name}: {HARMFUL.get(name, 'nothing here knows that feature')}" for name in strange)
        yield Draft(
            f"The {content.type} filesystem on {place.device} has {_words(strange)}, of which PV-GRUB's driver knows "
            f"nothing: {result}.",
            remedies.boot_disks.boot_disk(case, place) if failed else (),
            place.where,
            told,
            Severity.ERROR if failed else Severity.WARNING,
        )


def _words(names: list[str]) -> str:
    return f"the feature {names[0]}" if len(names) == 1 else f"the features {', '.join(names)}"
