"""Which AKI to use instead, how to change it, and what an AMI's description gives away.

Rules: AWS, "User Provided Kernels" (EC2 User Guide): register with hd0; no ARI with PV-GRUB; HVM has no PV-GRUB.
"""

from __future__ import annotations

from collections.abc import Iterable

from pvgrub_sim.errors import UsageError
from pvgrub_sim.model import Severity
from pvgrub_sim.profiles.ami import AmiDescription
from pvgrub_sim.profiles.catalogue import Aki, by_id, select, version_key
from pvgrub_sim.profiles.versions import profile_of_aki_name
from pvgrub_sim.values import NamedTuple

NINE_PLACES_SINCE = "1.04"
"""From this version on an hd0 AKI finds the menu of both layouts, and hd00 AKIs exist for compatibility only."""


def newest(rows: Iterable[Aki]) -> Aki | None:
    """The newest of some AKIs; of equal versions the hd0 one."""
    return max(rows, key=preference, default=None)


def preference(row: Aki) -> tuple[tuple[int, ...], bool]:
    """What makes an AKI better than another: its version, then the hd0 device."""
    return version_key(row.version), row.device == "hd0"


def newer_than(aki: Aki) -> Aki | None:
    """The AKI to use instead of one: a newer one of the same region and architecture, None when there is none.

    An hd00 AKI is replaced by an hd0 one where that looks at both places.
    """
    best = newest(
        row
        for row in select(region=aki.region, arch=aki.arch)
        if row.device == aki.device or version_key(row.version) >= version_key(NINE_PLACES_SINCE)
    )
    if best is None or version_key(best.version) <= version_key(aki.version):
        return None
    return best


class Upgrade(NamedTuple):
    """How to give an instance another AKI: notes in words, and commands to run one after the other."""

    current: str
    target: Aki
    notes: tuple[str, ...]
    commands: tuple[str, ...]


def upgrade(current: str, region: str, instance: str) -> Upgrade:
    """The steps that move a stopped instance to the newest AKI of its region and architecture.

    current: the AKI that it has now, by id or name. Raises UsageError when it is unknown or of another region.
    """
    row = by_id(current) if current.startswith("aki-") else None
    if row is not None and row.region != region:
        raise UsageError(f"{current} belongs to {row.region}, not to {region}: AKI ids are different in every region")
    if row is None and current.startswith("aki-"):
        raise UsageError(f"{current} is not in the catalogue of PV-GRUB AKIs; give its name, or look at `aki list`")
    profile = profile_of_aki_name(row.name if row is not None else current)
    named = profile.name.removeprefix("amazon-")
    target = newest(select(region=region, arch=profile.arch, device="hd0"))
    if target is None:
        raise UsageError(f"no PV-GRUB AKI for {profile.arch} in {region} is catalogued")
    if version_key(target.version) < version_key(named):
        raise UsageError(f"{current} is {named}, newer than what is catalogued for {region} ({target.version})")
    notes = [f"{current} is PV-GRUB {named} ({profile.device}, {profile.arch}); the newest is {target.version}"]
    if row is not None and row.id == target.id:
        notes = [f"{current} is PV-GRUB {named}, the newest in {region}: an instance that has it needs no upgrade"]
    if profile.device == "hd00":
        notes.append(f"an hd0 AKI finds the menu of both layouts from {NINE_PLACES_SINCE} on")
    notes.append("the instance must boot from EBS: an instance store volume is lost when it stops")
    notes.append("its public address changes unless it is an Elastic IP")
    place = f"--region {region}"
    return Upgrade(
        current,
        target,
        tuple(notes),
        (
            f"aws ec2 stop-instances {place} --instance-ids {instance}",
            f"aws ec2 wait instance-stopped {place} --instance-ids {instance}",
            f"aws ec2 modify-instance-attribute {place} --instance-id {instance} --kernel Value={target.id}",
            f"aws ec2 start-instances {place} --instance-ids {instance}",
        ),
    )


class Remark(NamedTuple):
    """One thing to say of an AMI: a finding rule's id, how much it matters, and a sentence."""

    rule: str
    severity: Severity
    text: str


class AmiReport(NamedTuple):
    """What a description says of PV-GRUB. pvgrub: None where it cannot be told. newer: the AKI to use instead."""

    ami: AmiDescription
    paravirtual: bool | None
    pvgrub: bool | None
    aki: Aki | None
    aki_name: str | None
    newer: Aki | None
    remarks: tuple[Remark, ...]

    @property
    def sound(self) -> bool:
        """True when nothing stands in the way of a boot through PV-GRUB, or none is needed."""
        return not any(remark.severity is Severity.ERROR for remark in self.remarks)


def name_of(image: AmiDescription) -> str | None:
    """A PV-GRUB's name from a kernel image's own description: its Name, else the end of its location."""
    for text in (image.name, (image.location or "").rpartition("/")[2]):
        if text and text.startswith("pv-grub"):
            return text
    return None


def check(images: Iterable[AmiDescription]) -> tuple[AmiReport, ...]:
    """Judge the descriptions of AMIs; kernel images among them tell the names of AKIs that are not catalogued."""
    known = list(images)
    names = {image.image_id: name_of(image) for image in known if image.image_type == "kernel"}
    return tuple(_check(image, names) for image in known)


def _check(image: AmiDescription, names: dict[str, str | None]) -> AmiReport:
    kernel = image.image_id if image.image_type == "kernel" else image.kernel_id
    row = by_id(kernel) if kernel else None
    name = row.name if row is not None else names.get(kernel or "")
    if row is not None and image.region is None:
        image = image._replace(region=row.region)
    paravirtual = {"paravirtual": True, "hvm": False}.get(image.virtualization_type or "")
    pvgrub: bool | None
    if name is not None:
        pvgrub = True
    elif kernel is None or kernel in names:
        pvgrub = False
    else:
        pvgrub = None
    newer = newer_than(row) if row is not None else None
    if row is not None and image.architecture not in (None, row.arch):
        # The AKI is for other kernels: the one to use is that of the image's own architecture.
        newer = newest(select(region=row.region, arch=image.architecture, device="hd0"))
    report = AmiReport(image, paravirtual, pvgrub, row, name, newer, ())
    return report._replace(remarks=tuple(_remarks(report, kernel)))


def _remarks(report: AmiReport, kernel: str | None) -> Iterable[Remark]:
    image, row, pvgrub, newer = report.ami, report.aki, report.pvgrub, report.newer
    if image.image_type == "ramdisk":
        yield Remark("aki-not-pvgrub", Severity.NOTE, "a ramdisk image (ARI), which PV-GRUB has no use for")
        return
    if image.is_hvm:
        extra = f", so its KernelId {kernel} has no effect" if kernel else ""
        yield Remark("hvm-needs-no-pvgrub", Severity.NOTE, f"an HVM image boots without PV-GRUB{extra}")
        return
    if pvgrub is False:
        what = f"{kernel} is a kernel image, but no PV-GRUB" if kernel else "no KernelId: a paravirtual image needs one"
        yield Remark("aki-not-pvgrub", Severity.ERROR if image.image_type == "machine" else Severity.NOTE, what)
    elif pvgrub is None:
        text = f"{kernel} is not in the catalogue: to see its name, run `aws ec2 describe-images --image-ids {kernel}`"
        yield Remark("aki-not-pvgrub", Severity.WARNING, text)
    if image.ramdisk_id and pvgrub is not False:
        text = f"the ARI {image.ramdisk_id} does not go with PV-GRUB, whose initrd is the one that the menu names"
        yield Remark("ari-with-pvgrub", Severity.ERROR, text)
    arch = _arch_of(report.aki_name)
    if arch and image.architecture and image.architecture != arch:
        text = f"the image is {image.architecture}, its PV-GRUB boots {arch} kernels only"
        if newer is not None:
            text += f": take {newer.id} ({newer.name}) in {newer.region}"
        yield Remark("arch-mismatch", Severity.ERROR, text)
    if newer is not None and row is not None and newer.arch == row.arch:
        text = f"PV-GRUB {row.version} is outdated: {newer.version} is {newer.id} ({newer.name}) in {newer.region}"
        yield Remark("aki-outdated", Severity.WARNING, text)


def _arch_of(name: str | None) -> str | None:
    try:
        return profile_of_aki_name(name).arch if name else None
    except UsageError:
        return None
