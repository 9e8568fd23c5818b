"""Findings on the AKI itself: outdated, or none of PV-GRUB's."""

from __future__ import annotations

from collections.abc import Iterator

from pvgrub_sim.bootchain import run
from pvgrub_sim.findings.facts.akis import aki_of, akis_like
from pvgrub_sim.findings.facts.case import Case
from pvgrub_sim.findings.facts.where import Where
from pvgrub_sim.findings.remedies.steps import Remedy, Run, advice
from pvgrub_sim.findings.rule import Draft, rule
from pvgrub_sim.model import Outcome, Severity
from pvgrub_sim.profiles.versions import NEWEST_AMAZON, NEWEST_VERSION, find_profile
from pvgrub_sim.typed import Final

# The catalogue and what reads it are imported where they are used: most boots name no AKI.

WHAT_CHANGED: Final = {
    "1.01": "it also fails to start 32-bit kernels on t1.micro (fixed in 1.02), and reads neither ext4's "
    "extents nor GPT",
    "1.02": "it reads neither ext4's extents nor GPT, and unpacks gzip kernels only",
    "1.03": "it knows no GPT, looks for the menu in one place, and unpacks gzip kernels only",
}


@rule(
    "aki-outdated",
    Severity.WARNING,
    "A PV-GRUB of Amazon's that has a successor",
    """
Amazon's PV-GRUB 1.05 is of 2016. Before 1.04 there is no GPT, one place for the menu, and gzip kernels only:
distributions that went over to xz stopped booting on such instances after an upgrade. 1.01 cannot start 32-bit
kernels on t1.micro. The rule speaks when a version or AKI was named, on the command line or by the AMI's
description; it is an error when the image boots with 1.05 and not with the one named.

**Remedy.** Another AKI, on a stopped instance: the ids differ from region to region, `pvgrub-sim aki upgrade`
prints the steps.

**Source.** AWS, "User Provided Kernels": the release notes of PV-GRUB; the AKI catalogue.
""",
)
def outdated(case: Case) -> Iterator[Draft]:
    if not case.amazon or not case.aki_named or (case.ami and case.ami.is_hvm):
        return
    from pvgrub_sim.profiles.advice import newer_than
    from pvgrub_sim.profiles.catalogue import version_key

    version = case.profile.name.removeprefix("amazon-")
    if version_key(version) >= version_key(NEWEST_VERSION):
        return
    row = aki_of(case)
    newer = newer_than(row) if row else None
    helps = not case.healthy and newest_boots(case)
    name = f"{row.id} ({row.name})" if row else f"PV-GRUB {version}"
    then = f"{newer.version} exists in {newer.region}: {newer.id}" if newer else f"{NEWEST_VERSION} exists"
    then += f"; {WHAT_CHANGED[version]}." if version in WHAT_CHANGED else "."
    then += f" With {NEWEST_VERSION} this image boots." if helps else ""
    yield Draft(
        f"{name} is outdated: {then}",
        _steps(case),
        Where(subject=row.id) if row else Where(),
        f"simulated with PV-GRUB {NEWEST_VERSION}: boots" if helps else "",
        Severity.ERROR if helps else None,
    )


def newest_boots(case: Case) -> bool:
    """True when the newest of Amazon's versions boots the default entry, of the files as they are planned too."""
    profile = find_profile(NEWEST_AMAZON, case.profile.arch)
    result = run(case.disks, profile, memory=case.boot.memory, planned=case.planned)
    return result.outcome is Outcome.BOOTS and not result.machine.boot_errors


def _steps(case: Case) -> Remedy:
    from pvgrub_sim.profiles.advice import newer_than

    row = aki_of(case)
    newer = newer_than(row) if row else None
    if row is None or newer is None:
        return advice(f"take {akis_like(case, case.profile.arch)}")
    place = ("--region", newer.region)
    instance = ("--instance-ids", "i-INSTANCE")
    return (
        *advice("with the instance's id for i-INSTANCE (its volumes must be EBS):"),
        Run(
            (
                ("aws", "ec2", "stop-instances", *place, *instance),
                ("aws", "ec2", "wait", "instance-stopped", *place, *instance),
                ("aws", "ec2", "modify-instance-attribute", *place, "--instance-id", "i-INSTANCE", "--kernel",
                 f"Value={newer.id}"),
                ("aws", "ec2", "start-instances", *place, *instance),
            )
        ),
    )  # fmt: skip


@rule(
    "aki-not-pvgrub",
    Severity.ERROR,
    "The AMI's kernel image is no PV-GRUB",
    """
A paravirtual AMI names a kernel image (AKI). When it is one of the old kernels that Amazon or a distribution
provided, EC2 starts that kernel and no boot loader: the menu and kernels on the disk play no part. Which AKIs
are PV-GRUB is told by their names (`pv-grub-hd0_1.05-x86_64.gz`); more than a hundred ids are catalogued here.

**Remedy.** Give the AMI or the stopped instance a PV-GRUB AKI of its region and architecture.

**Source.** AWS, "User Provided Kernels"; the AKI catalogue.
""",
    outside=True,
)
def not_pvgrub(case: Case) -> Iterator[Draft]:
    if case.ami is None:
        return
    from pvgrub_sim.profiles.advice import check

    for report in check([case.ami]):
        for remark in report.remarks:
            if remark.rule == "aki-not-pvgrub":
                yield Draft(
                    f"{case.ami.image_id}: {remark.text}.",
                    advice(f"a PV-GRUB of its own: {akis_like(case, case.ami.architecture or case.profile.arch)}"),
                    Where(subject=case.ami.image_id),
                    "",
                    remark.severity,
                )
