"""Traps of the other filesystems, and journals that nobody has replayed."""

from __future__ import annotations

from collections.abc import Iterator

from pvgrub_sim.findings import remedies
from pvgrub_sim.findings.facts.boot_files import boot_places, read_error
from pvgrub_sim.findings.facts.case import Case
from pvgrub_sim.findings.facts.place import Place
from pvgrub_sim.findings.facts.readings import differing
from pvgrub_sim.findings.remedies.names import shown_word
from pvgrub_sim.findings.remedies.steps import EXT, Operand, Remedy, Run, advice
from pvgrub_sim.findings.rule import Draft, rule
from pvgrub_sim.model import Severity


def check_on_copy(place: Place) -> Remedy:
    """Replay an ext filesystem's journal and repair it, on a copy that takes its place only when it is clean then."""
    look = ("e2fsck", "-f", "-y", Operand.VOLUME), ("e2fsck", "-f", "-n", Operand.VOLUME)
    return (Run(look, remedies.volumes.target_of(place)),)


def xfs_places(case: Case) -> Iterator[Place]:
    """The XFS volumes that booting needs."""
    for place in boot_places(case):
        if place.type == "xfs":
            yield place


@rule(
    "xfs-v5",
    Severity.ERROR,
    "XFS version 5 (crc=1), which PV-GRUB does not mount",
    """
`mkfs.xfs` has made version 5 since xfsprogs 3.2.3 (2015). PV-GRUB's driver takes version 4 only; anything else
is an unknown filesystem: ` Filesystem type unknown`, then `Error 17: Cannot mount selected partition`, or no
menu at all.

**Remedy.** There is no conversion. Put `/boot` on ext2 (the finding's commands make such a disk, `boot.img`, to
be attached as the first one), or make the filesystem again with `mkfs.xfs -m crc=0 -n ftype=0`, which Linux
calls deprecated.

**Source.** GRUB 0.97, `stage2/fsys_xfs.c:xfs_mount` (`XFS_SB_VERSION_4`).
""",
)
def xfs_v5(case: Case) -> Iterator[Draft]:
    for place in xfs_places(case):
        content = place.filesystem
        if content is None or content.version != "5" or case.viewer.driver(place.device):
            continue
        yield Draft(
            f"The filesystem on {place.device} is XFS version 5, and PV-GRUB mounts version 4 only.",
            remedies.boot_disks.boot_disk(case, place),
            place.where,
            "features: " + " ".join(content.features),
        )


@rule(
    "xfs-ftype",
    Severity.ERROR,
    "XFS with ftype=1, whose directories PV-GRUB misreads",
    """
With `ftype=1` (the default of `mkfs.xfs` since 2015, and possible in version 4 too) each directory entry has
one byte more. PV-GRUB's driver does not know that byte: it mounts the filesystem and then finds the wrong
names, so that no file opens.

**Remedy.** As for `xfs-v5`: `/boot` on ext2, or `mkfs.xfs -m crc=0 -n ftype=0`.

**Source.** GRUB 0.97, `stage2/fsys_xfs.c:next_dentry`, `xfs_dir2_sf_nextentry`.
""",
)
def xfs_ftype(case: Case) -> Iterator[Draft]:
    for place in xfs_places(case):
        content = place.filesystem
        if content is None or content.version != "4" or "ftype" not in content.features:
            continue
        failed = read_error(case, place)
        if failed is None:
            continue
        path, number = failed
        yield Draft(
            f"The XFS on {place.device} keeps file types in its directories (ftype=1), which PV-GRUB misreads: "
            f"{path} is "
            f"there, but opening it ends in Error {number}.",
            remedies.boot_disks.boot_disk(case, place),
            place.where,
            "features: " + " ".join(content.features),
        )


@rule(
    "xfs-holes",
    Severity.ERROR,
    "A hole in a file on XFS, behind which PV-GRUB loses data",
    """
PV-GRUB's XFS driver fills a hole with zeros and then drops the extent behind it: the file comes out short,
without an error, and a kernel or initrd is damaged.

**Remedy.** Write the file again without holes: `cp --sparse=never`.

**Source.** GRUB 0.97, `stage2/fsys_xfs.c:xfs_read`.
""",
)
def xfs_holes(case: Case) -> Iterator[Draft]:
    for ref in case.files():
        if ref.place is None or ref.place.type != "xfs" or ref.seen.error:
            continue
        gaps = ref.place.gaps(ref.path)
        at = differing(case, ref) if gaps else None
        if at is None:
            continue
        yield Draft(
            f"{ref.path} on {ref.device} has a hole of {gaps[0].length} bytes at byte {gaps[0].offset}, behind which "
            f"PV-GRUB's XFS driver goes wrong: what it reads departs from the file at byte {at}.",
            advice(
                "on the running system:",
                f"cp --sparse=never {shown_word(ref.path)} {shown_word(ref.path + '.new')}",
                f"mv {shown_word(ref.path + '.new')} {shown_word(ref.path)}",
            ),
            ref.where(gaps[0].offset),
            "holes: " + ", ".join(f"{gap.offset}+{gap.length}" for gap in gaps[:8]),
        )


@rule(
    "journal-needs-recovery",
    Severity.WARNING,
    "A journal that nobody has replayed: PV-GRUB may read files as they were before",
    """
The filesystem was not unmounted, or the image was taken from a running system. Linux replays the journal when
it mounts; PV-GRUB reads what lies on the disk. It may find the menu and kernel of before the last upgrade, or a
directory half written. Of its drivers only ReiserFS replays, in memory.

**Remedy.** Replay the journal before the image is used: `e2fsck -f -y` on a copy, which takes the filesystem's place
when `e2fsck -f -n` then finds it clean; an XFS or JFS has to be mounted and
unmounted once.

**Source.** GRUB 0.97, `stage2/fsys_ext2fs.c`, `fsys_xfs.c`, `fsys_jfs.c` know no journal;
`fsys_reiserfs.c:journal_init` does.
""",
)
def journal_needs_recovery(case: Case) -> Iterator[Draft]:
    # Where no menu was found it may be in the journal.
    for place in boot_places(case) if case.config is not None else case.places:
        content = place.filesystem
        if content is None or content.state != "needs recovery" or content.type == "btrfs":
            continue
        if content.type == "reiserfs":
            if case.config is not None:
                continue
            done = "which PV-GRUB does in memory, but not for a filesystem's first mount or a journal of odd size"
        else:
            done = "which PV-GRUB does not do"
        if content.type in EXT:
            remedy = check_on_copy(place)
        else:
            remedy = advice(
                f"mount {place.device} of the image once and unmount it: that replays the journal",
                *(["(JFS: after jfs_fsck, on a copy)"] if content.type == "jfs" else []),
            )
        yield Draft(
            f"The {content.type} filesystem on {place.device} has a journal to replay, {done}: it reads "
            "files as they were when they last reached their place on the disk.",
            remedy,
            place.where,
            f"state: {content.state}",
        )


@rule(
    "filesystem-damaged",
    Severity.WARNING,
    "A damaged filesystem",
    """
What was found on a volume is not what its format says: a magic number without a sound superblock, a structure
outside of the volume, a directory that cannot be followed, or the mark that the last check or mount left
errors. PV-GRUB checks little and goes wrong in its own ways, from `Error 16` to an endless loop.

**Remedy.** Check a copy of the filesystem: `e2fsck -f -y`, and use it when `e2fsck -f -n` then finds it clean;
`xfs_repair`, `fsck.vfat -a`. An image that ends before its filesystem does is truncated: nothing repairs that, it
has to be copied anew.

**Source.** The survey's reading of the volume; it does not take part in the verdict.
""",
)
def damaged(case: Case) -> Iterator[Draft]:
    if case.healthy:
        return
    for place in case.places:
        content = place.filesystem
        if content is None or not (content.problems or content.state == "errors"):
            continue
        problems = content.problems or (f"its state is: {content.state}",)
        if short := remedies.volumes.target_of(place).short:
            yield Draft(
                f"The {content.type} filesystem on {place.device} is truncated: the image lacks {short} bytes of it.",
                advice(f"copy {place.attached.disk.name} anew from where it came from; no tool may repair it as it is"),
                place.where,
                "\n".join(problems[:6]),
            )
            continue
        remedy = check_on_copy(place) if content.type in EXT else ()
        yield Draft(
            f"The {content.type} filesystem on {place.device} is damaged: {problems[0]}.",
            remedy,
            place.where,
            "\n".join(problems[1:6]),
        )
