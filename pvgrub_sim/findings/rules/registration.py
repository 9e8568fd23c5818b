"""Limits that AWS's page "User Provided Kernels" sets, as far as they are about image, AMI and AKI together."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pvgrub_sim.findings import remedies
from pvgrub_sim.findings.facts.akis import aki_of, akis_like
from pvgrub_sim.findings.facts.boot_files import boot_places
from pvgrub_sim.findings.facts.case import Case
from pvgrub_sim.findings.facts.where import Where
from pvgrub_sim.findings.remedies.steps import Operand, Run, advice
from pvgrub_sim.findings.rule import Draft, rule
from pvgrub_sim.model import Severity
from pvgrub_sim.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    pass

TESTED: Final = ("ext2fs", "jfs", "xfs", "reiserfs")
"""The drivers of the filesystems that AWS names as tested."""
OTHER_ARCH: Final = {"x86_64": "i386", "i386": "x86_64"}


@rule(
    "arch-mismatch",
    Severity.ERROR,
    "A 32-bit kernel and a 64-bit PV-GRUB, or the other way round",
    """
PV-GRUB hands over in the mode in which it runs itself: the 64-bit AKIs boot 64-bit kernels only, the 32-bit
ones 32-bit PAE kernels only. The wrong one ends in `can only boot x86 64 kernels, not xen-3.0-x86_32p` and
`Error 13: Invalid or unsupported executable format`. The AMI's architecture must be that of the AKI.

**Remedy.** The AKI of the kernel's architecture; the commands name it.

**Source.** AWS, "User Provided Kernels"; Xen, `stubdom/grub/kexec.c:kexec`.
""",
)
def arch_mismatch(case: Case) -> Iterator[Draft]:
    from pvgrub_sim.xen.refusal import Cause

    mine = case.profile.arch
    other = OTHER_ARCH[mine]
    for ref in case.files("kernel"):
        tried = case.tried(ref)
        if tried is None or tried.cause is not Cause.WRONG_WIDTH:
            continue
        words = ("pvgrub-sim", "boot", "--pvgrub", case.profile.name, "--arch", other, Operand.IMAGE)
        yield Draft(
            f"The kernel {ref.path} is for {other}, and {case.pvgrub} for {mine} boots {mine} kernels only.",
            (
                *advice(f"register with an AKI for {other}:", akis_like(case, other), "and to see it boot:"),
                Run((words,), remedies.volumes.image_of(case.disks[0], 0)),
            ),
            case.at(ref.line),
            tried.reason,
        )
    if (
        case.ami
        and case.ami.architecture in OTHER_ARCH
        and case.ami.architecture != mine
        and (case.aki_named or aki_of(case))
    ):
        yield Draft(
            f"{case.ami.image_id} is registered for {case.ami.architecture}, and its PV-GRUB boots {mine} "
            "kernels only.",
            advice(f"register the AMI with {akis_like(case, case.ami.architecture)}"),
            Where(subject=case.ami.image_id),
        )


@rule(
    "ari-with-pvgrub",
    Severity.ERROR,
    "A ramdisk image (ARI) together with PV-GRUB",
    """
PV-GRUB takes the initrd that its menu names. AWS says not to give a ramdisk image with a PV-GRUB AKI, neither
at registration nor at launch.

**Remedy.** Register the AMI again without `--ramdisk-id`.

**Source.** AWS, "User Provided Kernels": no ARI with a PV-GRUB AKI.
""",
    outside=True,
)
def ari(case: Case) -> Iterator[Draft]:
    given = case.ari or (case.ami.ramdisk_id if case.ami else None)
    if not given or not case.amazon or (case.ami and case.ami.is_hvm):
        return
    what = case.ami.image_id if case.ami else "The image"
    yield Draft(
        f"{what} comes with the ramdisk image {given}, which does not go with PV-GRUB: its initrd is the one "
        "that menu.lst "
        "names.",
        advice(
            "register without a ramdisk image:",
            f"aws ec2 register-image --kernel-id {_kernel(case)} --virtualization-type paravirtual "
            f"--architecture {case.profile.arch} --root-device-name {_root_device(case)} --name NAME "
            "--block-device-mappings ...",
        ),
        Where(subject=case.ami.image_id) if case.ami else Where(),
    )


def _root_device(case: Case) -> str:
    """The device name that the AMI is registered with, else that of the image as it was attached."""
    given = case.ami.root_device_name if case.ami else None
    name = given or case.disks[0].device
    # It is shown in a command, and an answer of AWS may come from anybody.
    return name if re.fullmatch(r"/dev/[a-z]+\d*", name, re.ASCII) else "/dev/sda1"


def _kernel(case: Case) -> str:
    row = aki_of(case)
    return row.id if row else "AKI"


@rule(
    "hvm-needs-no-pvgrub",
    Severity.WARNING,
    "An HVM image, which PV-GRUB never sees",
    """
HVM images (all cluster types, and every current instance type) boot from the disk's own boot sector with GRUB 2
or whatever is there. They neither support nor need PV-GRUB, and what this tool says about the image does not
apply to them.

**Remedy.** None is needed; to boot through PV-GRUB the AMI has to be registered with `--virtualization-type
paravirtual` and an AKI.

**Source.** AWS, "User Provided Kernels" on cluster AMIs, which are HVM; "Linux AMI virtualization types".
""",
    outside=True,
)
def hvm(case: Case) -> Iterator[Draft]:
    if case.ami and case.ami.is_hvm:
        yield Draft(
            f"{case.ami.image_id} is an HVM image: its instances boot without PV-GRUB, and this verdict does "
            "not apply.",
            (),
            Where(subject=case.ami.image_id),
        )


@rule(
    "filesystem-untested",
    Severity.WARNING,
    "Booting from a filesystem that AWS does not name as tested",
    """
AWS names ext2, ext3, ext4, JFS, XFS and ReiserFS as tested with PV-GRUB; others "might not work". GRUB 0.97
also has drivers for FAT, minix, ISO 9660 and UFS2, which this tool simulates.

**Remedy.** `/boot` on ext2, on a partition or disk of its own.

**Source.** AWS, "User Provided Kernels"; GRUB 0.97, `stage2/disk_io.c:fsys_table`.
""",
)
def filesystem_untested(case: Case) -> Iterator[Draft]:
    for place in boot_places(case) if case.amazon else ():
        driver = case.viewer.driver(place.device)
        if driver and driver not in TESTED and place.seen:
            yield Draft(
                f"{place.device} is {place.type or driver}, which AWS does not name among the filesystems tested with "
                "PV-GRUB (ext2, ext3, ext4, JFS, XFS, ReiserFS).",
                advice("put /boot on ext2, on a partition or disk of its own: mke2fs -t ext2 -L boot boot.img 256M"),
                place.where,
            )
