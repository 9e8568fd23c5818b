"""What PV-GRUB sees of disks and partitions: tables, types, volumes that are no filesystems to it."""

from __future__ import annotations

from collections.abc import Iterator

from pvgrub_sim.findings import remedies
from pvgrub_sim.findings.facts.boot_files import boot_places, menus
from pvgrub_sim.findings.facts.case import Case
from pvgrub_sim.findings.facts.place import Place
from pvgrub_sim.findings.facts.where import Where
from pvgrub_sim.findings.remedies.steps import Operand, Remedy, Run, advice
from pvgrub_sim.findings.rule import Draft, rule
from pvgrub_sim.grub.viewer import Slot
from pvgrub_sim.model import Severity
from pvgrub_sim.survey.result import ContentKind, FileKind
from pvgrub_sim.typed import Final

RIGHT_TYPES: Final = {"ext2": "83", "ext3": "83", "ext4": "83", "vfat": "c", "minix": "81"}
"""MBR types of the filesystems that PV-GRUB looks for in certain types only, as sfdisk takes them."""
OWN_RULES: Final = ("ext2", "ext3", "ext4", "xfs", "vfat", "minix")
"""Filesystems that PV-GRUB has a driver for, and whose traps have rules of their own."""
NAMES: Final = {"zfs_member": ": a pool of ZFS"}
"""What people call filesystems that blkid has another name for."""
CONTAINERS: Final = {
    ContentKind.RAID: "a member of a software RAID",
    ContentKind.CRYPT: "an encrypted volume",
}


@rule(
    "partition-type-hides-filesystem",
    Severity.ERROR,
    "A partition's type keeps PV-GRUB from seeing the filesystem in it",
    """
PV-GRUB's ext2fs driver looks only into partitions of type 0x83 (Linux) and 0xfd (Linux RAID), its FAT driver
into FAT types, its minix driver into 0x80 and 0x81. The right filesystem in a partition of another type (0x07,
0x0b, 0x82, 0x8e, 0xee …) is ` Filesystem type unknown`; files on it end in `Error 17: Cannot mount selected
partition`. XFS, JFS and ReiserFS are seen in any type.

**Remedy.** Set the type: `sfdisk --part-type disk.img NUMBER 83`.

**Source.** GRUB 0.97, `stage2/fsys_ext2fs.c:ext2fs_mount`, `fsys_fat.c:fat_mount`, `fsys_minix.c:minix_mount`.
""",
)
def partition_type(case: Case) -> Iterator[Draft]:
    for place in boot_places(case):
        volume = place.volume
        right = RIGHT_TYPES.get(place.type)
        if place.whole or volume.table not in ("mbr", "logical") or right is None or not place.seen:
            continue
        if case.viewer.driver(place.device) or int(volume.type, 16) == int(right, 16):
            continue
        yield Draft(
            f"{place.device} holds {place.type}, but its type is {volume.type} ({volume.type_name}), where "
            "PV-GRUB does not "
            "look for that: it sees an unknown filesystem.",
            (
                Run(
                    (("sfdisk", "-q", "--part-type", Operand.IMAGE, str(volume.number), right),),
                    remedies.volumes.target_of(place),
                ),
            ),
            place.where,
            f"partition {volume.number}: type {volume.type}, content {place.type}",
        )


@rule(
    "gpt-before-1.04",
    Severity.ERROR,
    "A GPT disk and a PV-GRUB that reads MBR tables only",
    """
Amazon's PV-GRUB reads GPT from 1.04 on; 1.03 and earlier, and every PV-GRUB of Xen's own, know the MBR's table
only. Of a GPT disk they see one partition of type 0xee, the protective entry, with an unknown filesystem. Where the
partition with the boot files is in a hybrid MBR as well, something else is wrong, and the rule is silent.

**Remedy.** Take an AKI of 1.04 or later (with its hd0 device: it finds both layouts), or turn the table into an
MBR one: `sgdisk --gpttombr`, which keeps the partitions where they are.

**Source.** AWS, "User Provided Kernels": no GPT in PV-GRUB 1.03 and earlier; GRUB 0.97,
`stage2/disk_io.c:next_pc_slice`.
""",
)
def gpt_before_104(case: Case) -> Iterator[Draft]:
    if case.profile.gpt:
        return
    for index, view in enumerate(case.surveys):
        if view.table.kind not in ("gpt", "hybrid"):
            continue
        hidden = [place for place in case.places if place.index == index and not place.whole and not place.seen]
        if not hidden or _sees_what_it_boots_from(case, index):
            continue
        numbers = [str(place.volume.number or 0) for place in hidden]
        one = len(numbers) == 1
        why = remedies.tables.no_mbr(case, index)
        yield Draft(
            f"{view.image} has a GPT, and {case.pvgrub} knows MBR tables only: it does not see "
            f"partition{'' if one else 's'} {', '.join(numbers[:8])}{' and more' if numbers[8:] else ''}.",
            remedies.tables.as_mbr(case, index),
            Where(f"(hd{index})", sector=1, image=view.image),
            f"partition table: {view.table.kind}; types in the MBR that PV-GRUB sees: {_mbr_types(case, index)}"
            + (f"; no MBR table can take the GPT's place: {why}" if why else ""),
            None if case.config is None else Severity.WARNING,
        )


def _sees_what_it_boots_from(case: Case, index: int) -> bool:
    """True where the partition with the menu, or with kernels, is in the MBR as well, and so are the menu's files."""
    if case.config is not None:
        return not any(ref.place and ref.place.index == index and not ref.place.seen for ref in case.files())
    needed = [place for place in boot_places(case) if place.index == index and not place.whole]
    homes = [place for place, _ in menus(case) if place in needed]
    return any(place.seen for place in homes or needed)


def _mbr_types(case: Case, index: int) -> str:
    slots = [case.viewer.slot(f"(hd{index},{number})") for number in range(4)]
    return ", ".join(f"0x{slot.type & 0xFF:02x}" for slot in slots if isinstance(slot, Slot) and slot.type) or "none"


@rule(
    "fat-on-gpt",
    Severity.ERROR,
    "FAT in a partition of a GPT, which PV-GRUB takes for Linux's",
    """
PV-GRUB gives every partition of a GPT the type 0x83, whatever its GUID says, and its FAT driver looks only into FAT's
own types: an EFI system partition with the kernels (systemd-boot, CoreOS) is ` Filesystem type unknown, partition type
0x83`, and files on it end in `Error 17`. ext2, ext3 and ext4 are mounted, for 0x83 is their type.

**Remedy.** `/boot` on ext2: on another partition, or on a small disk that is attached first. Or a hybrid MBR whose
first entry is that partition, with type 0x0c: then PV-GRUB reads the MBR in place of the GPT, and Linux goes on reading
the GPT. The finding's commands do that where all that booting needs has room in the MBR, and no partition changes.

**Source.** GRUB 0.97, `stage2/fsys_fat.c:fat_mount`; the GPT patch of the distributions, `next_gpt_slice`, which
Amazon's most likely is (docs/versions.md).
""",
)
def fat_on_gpt(case: Case) -> Iterator[Draft]:
    for place in boot_places(case):
        volume = place.volume
        if place.type != "vfat" or volume.table != "gpt" or not place.seen or case.viewer.driver(place.device):
            continue
        yield Draft(
            f"{place.device} holds FAT in a partition of a GPT, to all of which PV-GRUB gives the type 0x83, where it "
            "looks for no FAT: it sees an unknown filesystem.",
            remedies.tables.hybrid(case, place) or remedies.boot_disks.boot_disk(case, place),
            place.where,
            f"partition {volume.number}: {volume.type_name or volume.type}; menu and files on it cannot be opened",
        )


def boot_files_are_outside(case: Case) -> bool:
    """True when a menu or a kernel is on a filesystem that can be read, found by PV-GRUB or not."""
    found = any(any(case.boot_files(kind)) for kind in (FileKind.MENU, FileKind.KERNEL))
    return case.config is not None or case.menu_home is not None or found


@rule(
    "lvm-needs-boot-partition",
    Severity.ERROR,
    "The boot files are inside LVM, which PV-GRUB does not read",
    """
A physical volume of LVM is an unknown filesystem to PV-GRUB: `Error 17`, or no menu. The root filesystem may be
a logical volume; the menu, the kernels and the initrds may not.

**Remedy.** A separate `/boot`, outside LVM: a partition of its own, or a small disk that is attached first. On
the running system copy `/boot` to it and write its menu with that device as root.

**Source.** AWS, "User Provided Kernels": with LVM a separate boot partition is needed.
""",
)
def lvm(case: Case) -> Iterator[Draft]:
    files = [ref for ref in case.files() if ref.place and ref.place.has(ContentKind.LVM) and ref.seen.error]
    if not files and boot_files_are_outside(case):
        return
    for place in case.places:
        content = next((content for content in place.volume.contents if content.kind is ContentKind.LVM), None)
        if content is None:
            continue
        volumes = ", ".join(str(volume.get("name")) for volume in content.detail.get("logical_volumes", ()))
        group = f"volume group {content.label}" if content.label else "without a volume group"
        then = f"and {files[0].path} is to come from it" if files else "and no menu is outside it"
        yield Draft(
            f"{place.device} is a physical volume of LVM ({group}), in which PV-GRUB sees no files, {then}.",
            advice(
                "on the running system, with a new disk or partition for /boot that is outside LVM (here /dev/xvdb1):",
                "mke2fs -t ext2 -L boot /dev/xvdb1 && mount /dev/xvdb1 /mnt && cp -a /boot/. /mnt/",
                "ln -s . /mnt/boot        # so that /boot/grub/menu.lst is found there as well",
                "then write /mnt/grub/menu.lst with that device as root, and attach the disk first",
            ),
            place.where,
            f"LVM2, {group}; logical volumes: {volumes or 'none'}",
        )


@rule(
    "raid-or-encrypted",
    Severity.ERROR,
    "The boot files are in a RAID member or an encrypted volume that PV-GRUB does not read",
    """
A LUKS volume, and a member of a software RAID with its metadata at the start (versions 1.1 and 1.2), are
unknown filesystems to PV-GRUB. Metadata at the end (0.90, 1.0) leaves the filesystem where PV-GRUB finds it.

**Remedy.** A separate `/boot` outside of it, as with LVM; for RAID 1 also `mdadm --create --metadata=1.0`.

**Source.** GRUB 0.97 knows neither; Linux `drivers/md/md.c` for where each version keeps its superblock.
""",
)
def raid_or_encrypted(case: Case) -> Iterator[Draft]:
    if boot_files_are_outside(case):
        return
    for place in case.places:
        content = next((content for content in place.volume.contents if content.kind in CONTAINERS), None)
        if content is None or content.detail.get("metadata_at") == "end":
            continue
        yield Draft(
            f"{place.device} is {CONTAINERS[content.kind]} ({content.type} {content.version}), in which "
            "PV-GRUB sees no "
            "files, and no menu is outside it.",
            advice("give /boot a partition or disk of its own that is neither RAID nor encrypted (ext2, say)"),
            place.where,
            f"{content.type} {content.version} {content.uuid}".strip(),
        )


@rule(
    "filesystem-unreadable",
    Severity.ERROR,
    "A filesystem that no driver of PV-GRUB mounts",
    """
btrfs, NTFS, exFAT, F2FS, squashfs and others are unknown filesystems to PV-GRUB. The rule speaks when no menu
is elsewhere. (A patch for btrfs was sent to Xen by Amazon in 2012; whether Amazon's own builds have it no
source says, and no profile here does.)

**Remedy.** `/boot` on ext2, on a partition or disk of its own; for btrfs the finding's commands make such a
disk, `boot.img`, to be attached as the first one.

**Source.** GRUB 0.97, `stage2/disk_io.c:fsys_table`.
""",
)
def filesystem_unreadable(case: Case) -> Iterator[Draft]:
    if boot_files_are_outside(case):
        return
    for place in case.places:
        content = place.filesystem
        if content is None or not place.seen or content.type in OWN_RULES or case.viewer.driver(place.device):
            continue
        yield Draft(
            f"{place.device} is {place.type}, which no driver of PV-GRUB mounts{NAMES.get(place.type, '')}.",
            _copy_of_boot(case, place),
            place.where,
            f"{place.type} {content.version} {content.uuid}".strip(),
        )


def _copy_of_boot(case: Case, place: Place) -> Remedy:
    """A disk of its own with /boot of a filesystem that PV-GRUB does not read."""
    if place.type == "btrfs":
        return remedies.boot_disks.btrfs_boot_disk(case, place)
    if place.type == "zfs_member":
        return advice(*remedies.menus.ILLUMOS_OWN)
    return advice("copy /boot to a partition or disk of its own, made with: mke2fs -t ext2 -L boot boot.img 256M")
