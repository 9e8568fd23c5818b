"""Amazon's PV-GRUB kernel images (AKIs): which there are, which one an image needs, and how AMIs boot.

    from pvgrub_sim import akis
    choice = akis.recommend("disk.img", region="eu-west-1")
    for report in akis.check(akis.read_descriptions("describe-images.json")):
        print(report.ami.image_id, report.sound)

The catalogue is data with a source for each row; nothing is asked of AWS.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from pvgrub_sim.errors import UsageError
from pvgrub_sim.profiles.advice import AmiReport, Remark, Upgrade, check, newer_than, preference, upgrade
from pvgrub_sim.profiles.ami import LARGEST_ANSWER, AmiDescription, parse_describe_images, read_describe_images
from pvgrub_sim.profiles.catalogue import Aki, by_id, find_aki, regions, select, version_key
from pvgrub_sim.profiles.versions import NEWEST_VERSION
from pvgrub_sim.typed import TYPE_CHECKING
from pvgrub_sim.values import NamedTuple

if TYPE_CHECKING:
    from pvgrub_sim.media import Access, Disk
    from pvgrub_sim.model import Outcome, Verdict

__all__ = [
    "LARGEST_ANSWER",
    "Aki",
    "AmiDescription",
    "AmiReport",
    "Recommendation",
    "Remark",
    "Upgrade",
    "by_id",
    "check",
    "find_aki",
    "find_akis",
    "newer_than",
    "parse_descriptions",
    "read_descriptions",
    "recommend",
    "regions",
    "upgrade_steps",
]

ARCHITECTURES = ("x86_64", "i386")
"""What an AMI says of an image that PV-GRUB may boot."""
_INSTANCE = re.compile(r"i-(?:[0-9a-f]{8}|[0-9a-f]{17})")
_VERSION = re.compile(r"1\.\d\d")


class Recommendation(NamedTuple):
    """Which AKI boots an image, region by region.

    image: its name. arch: of the AMI, or of the kernel that the menu loads. first: the verdict with the newest
    PV-GRUB. choices: by region the newest AKI whose PV-GRUB boots the default entry, None where none does. outcomes:
    what each version on each device that was tried came to, by `1.05 hd0` and so on.
    """

    image: str
    arch: str
    first: Verdict
    choices: dict[str, Aki | None]
    outcomes: dict[str, Outcome]

    @property
    def boots(self) -> bool:
        """True when an AKI of some region boots the image."""
        return any(self.choices.values())


def find_akis(
    *, region: str | None = None, arch: str | None = None, version: str | None = None, device: str | None = None
) -> tuple[Aki, ...]:
    """The AKIs of the catalogue that match all that is given, by region and version.

    arch: `x86_64` or `i386`. version: `1.01` to `1.05`. device: `hd0` or `hd00`. Raises UsageError for a region of
    which none is known, and for what is no version.
    """
    if version is not None and not _VERSION.fullmatch(version):
        raise UsageError(f"{version!r} is no version of Amazon's PV-GRUB: 1.01 to {NEWEST_VERSION}")
    rows = select(region=region, arch=arch, version=version, device=device)
    return tuple(sorted(rows, key=lambda row: (row.region, version_key(row.version), row.device, row.arch)))


def recommend(
    image: str | os.PathLike[str] | Disk,
    *,
    region: str | None = None,
    image_format: str = "auto",
    access: Access | None = None,
    ami: AmiDescription | str | os.PathLike[str] | None = None,
    ami_id: str | None = None,
) -> Recommendation:
    """Find for each region, or for one, the newest AKI that boots an image, by trying each kind of AKI once.

    image, image_format, access, ami, ami_id: as for boot(). An AMI that is registered has an architecture, and only
    AKIs of that one go with it; without an AMI it is that of the kernel. Raises UsageError for an unknown region, and
    ImageError.
    """
    # Only here: a look at the catalogue needs no machine and no image.
    from pvgrub_sim.media import attach
    from pvgrub_sim.request import the_ami

    wanted = (region,) if region is not None else regions()
    by_region = {name: select(region=name) for name in wanted}
    if ami is None and ami_id is not None:
        raise UsageError(f"{ami_id}: which AMI of which file? Its description is missing (--ami)")
    described = the_ami(ami, ami_id) if ami is not None else None
    with ExitStack() as stack:
        return _tried(attach(image, stack, image_format, access), by_region, described)


def _tried(image: Disk, by_region: Mapping[str, Sequence[Aki]], ami: AmiDescription | None = None) -> Recommendation:
    """The recommendation on a disk, by trying each kind of AKI of some regions; ami: that has the disk's image."""
    from pvgrub_sim.verdict import boot
    from pvgrub_sim.xen.memory import LoaderMemory

    memory = LoaderMemory()
    first = boot(image, findings=False, loader_memory=memory)
    arch = ami.architecture if ami and ami.architecture in ARCHITECTURES else first.profile.arch
    tried: dict[str, Verdict] = {}
    choices: dict[str, Aki | None] = {}
    for name, rows in by_region.items():
        choices[name] = None
        for row in sorted((row for row in rows if row.arch == arch), key=preference, reverse=True):
            kind = f"{row.version} {row.device}"
            if kind not in tried:
                tried[kind] = boot(image, aki=row.id, findings=False, loader_memory=memory)
            if tried[kind].boots_default:
                choices[name] = row
                break
    outcomes = {kind: verdict.outcome for kind, verdict in tried.items()}
    return Recommendation(first.image, arch, first, choices, outcomes)


def upgrade_steps(current: str, *, region: str, instance: str) -> Upgrade:
    """The steps that move an instance to the newest AKI of its region and architecture.

    current: the AKI that it has now, by id or name. instance: its id. Raises UsageError when the AKI is unknown or of
    another region, or when one of the others makes no sense.
    """
    if not _INSTANCE.fullmatch(instance):
        raise UsageError(f"{instance!r} is no instance id, such as i-0123456789abcdef0")
    select(region=region)
    return upgrade(current, region, instance)


def read_descriptions(path: str | os.PathLike[str]) -> tuple[AmiDescription, ...]:
    """The images of a file with the JSON of `aws ec2 describe-images`; raises ImageError and UsageError."""
    return read_describe_images(path)


def parse_descriptions(raw: bytes, name: str = "describe-images") -> tuple[AmiDescription, ...]:
    """The images of what `aws ec2 describe-images` prints; name: for messages. Raises UsageError."""
    return parse_describe_images(raw, name)
