"""From a run to a verdict: the public way to ask what PV-GRUB would do with an image."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING

from pvgrub_sim.bootchain import Boot, run, run_auto
from pvgrub_sim.errors import ImageError, UsageError
from pvgrub_sim.media import AttachedDisk, Disk, attach, vbd_number
from pvgrub_sim.model import BootError, LoadedFile, ProfileInfo, Verdict
from pvgrub_sim.profiles import choose_profile

if TYPE_CHECKING:
    from pvgrub_sim.profiles.ami import AmiDescription

DEFAULT_DEVICE = "/dev/sda1"
LARGEST_DESCRIPTION = 16 << 20
"""Bytes of a describe-images answer that are read."""
ARCHES = ("auto", "x86_64", "i386")


def boot(
    image: str | os.PathLike[str] | Disk,
    *,
    disks: Mapping[str, str | os.PathLike[str] | Disk] | None = None,
    device: str | None = None,
    aki: str | None = None,
    pvgrub: str | None = None,
    arch: str = "auto",
    config: str | None = None,
    ami: AmiDescription | str | os.PathLike[str] | None = None,
    ari: str | None = None,
    unpack: bool = True,
    findings: bool = True,
) -> Verdict:
    """Tell what PV-GRUB would do with a disk image.

    image: the raw image of the first disk (a path, or what open_image() returned), attached as `device` (`/dev/sda1`
    unless the AMI says otherwise). disks: further images by device name; the order of the vbd numbers makes hd0, hd1,
    … aki: id or name of an Amazon kernel image; pvgrub: a version such as `amazon-1.05` or `xen-4.17` (default: the
    newest of Amazon's). arch: `x86_64`, `i386`, or `auto` for that of the kernel. config: the config file's path, as a
    Xen domain's `extra=` gives it. ami: a description, or a file with the JSON of `aws ec2 describe-images`: AKI, ARI,
    architecture and root device are taken from there where no argument says otherwise. ari: the id of a ramdisk image
    that goes with the image. unpack: False checks a kernel's headers only, and looks for causes and
    remedies only when that does not boot. findings: False never looks for them, which is faster. Raises UsageError and
    ImageError; images are only read.
    """
    if arch not in ARCHES:
        raise UsageError(f"unknown architecture {arch!r}: one of {', '.join(ARCHES)}")
    described = ami_description(ami) if ami is not None else None
    named_version = aki is not None or pvgrub is not None
    if described is not None:
        device = device if device is not None else described.root_device_name
        if not named_version and (aki := _catalogued(described.kernel_id)):
            named_version = True
    device = DEFAULT_DEVICE if device is None else device
    profile = choose_profile(aki=aki, pvgrub=pvgrub, arch=None if arch == "auto" else arch, config=config)
    if aki is not None:
        arch = profile.arch
    elif described is not None and arch == "auto" and described.architecture in ARCHES:
        arch = described.architecture
    with ExitStack() as stack:
        attached: list[AttachedDisk] = []
        for name, source in ((device, image), *(disks or {}).items()):
            number = vbd_number(name)
            if any(number == other.vbd for other in attached):
                raise UsageError(f"two disks are attached as {name} (vbd {number})")
            attached.append(AttachedDisk(attach(source, stack), number, name))
        if arch == "auto":
            result = run_auto(attached, profile, unpack=unpack)
        else:
            result = run(attached, profile._replace(arch=arch), unpack=unpack)
        verdict = judge(result, attached[0].disk.name)
        if not findings or (not unpack and verdict.boots_default):
            return verdict
        from pvgrub_sim.findings import examine
        from pvgrub_sim.survey.picture import layout, survey_disks

        surveys = survey_disks(attached)
        found = examine(result, attached, ami=described, ari=ari, aki_named=named_version, surveys=surveys)
        return verdict._replace(findings=found, layout=layout(surveys))


def ami_description(ami: AmiDescription | str | os.PathLike[str]) -> AmiDescription:
    """The description of the one AMI that a file with the JSON of `aws ec2 describe-images` holds.

    ami: the file, or a description, which is returned as it is. Raises UsageError when there is none or more than
    one, ImageError when the file cannot be read.
    """
    from pvgrub_sim.profiles.ami import AmiDescription, parse_describe_images

    if isinstance(ami, AmiDescription):
        return ami
    name = os.fspath(ami)
    try:
        with open(name, "rb") as file:  # noqa: PTH123  (pathlib would slow down every start)
            raw = file.read(LARGEST_DESCRIPTION + 1)
    except (OSError, ValueError) as error:
        raise ImageError(name, (getattr(error, "strerror", None) or str(error)).lower()) from None
    if len(raw) > LARGEST_DESCRIPTION:
        raise UsageError(f"{name}: more than {LARGEST_DESCRIPTION} bytes, no answer of `aws ec2 describe-images`")
    images = [image for image in parse_describe_images(raw, name) if image.image_type == "machine"]
    if len(images) != 1:
        raise UsageError(f"{name}: describes {len(images)} machine images, and one is wanted")
    return images[0]


def _catalogued(aki: str | None) -> str | None:
    """The id when it is that of a PV-GRUB that is catalogued."""
    from pvgrub_sim.profiles.catalogue import by_id

    return aki if aki and by_id(aki) else None


def _with_details(errors: Iterable[BootError], result: Boot) -> Iterator[BootError]:
    """The errors, those of the kernel loader with what it had against the kernel."""
    refused = [tried for tried in result.tries if tried.error]
    for error in errors:
        if refused and (error.entry, error.number) == (refused[0].entry, refused[0].error):
            yield error._replace(detail=refused.pop(0).reason)
        else:
            yield error


def judge(result: Boot, image: str) -> Verdict:
    """The verdict on a run, without findings; image: the name of the first disk's image, for the report."""
    machine = result.machine
    profile = machine.profile
    kernel = initrd = None
    cmdline = None
    given = result.handed_over
    if given:
        kernel = LoadedFile(machine.kernel_path or "", given.kernel_size, given.kernel_crc32, result.kernel_detail)
        if given.module_size:
            initrd = LoadedFile(machine.initrd_path or "", given.module_size, given.module_crc32)
        cmdline = given.cmdline.decode("utf-8", "backslashreplace")
    return Verdict(
        image=image,
        profile=ProfileInfo(profile.name, profile.arch, profile.aki, profile.device),
        outcome=result.outcome,
        entry=machine.booted_entry,
        default_entry=machine.first_default_entry,
        config=machine.config_opened,
        errors=tuple(_with_details(machine.boot_errors, result)),
        kernel=kernel,
        initrd=initrd,
        cmdline=cmdline,
        console=machine.term.console(),
        writes=tuple(event.number for event in machine.events if event.kind == "write" and event.number is not None),
        events=tuple(machine.events),
        reason=result.reason,
    )
