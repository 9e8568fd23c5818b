"""From the arguments of boot() to what is run: the disks, the version of PV-GRUB, and what AWS says of the image."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack

from pvgrub_sim.budget import Budget
from pvgrub_sim.errors import UsageError
from pvgrub_sim.media import Access, AttachedDisk, Disk, attach, vbd_number
from pvgrub_sim.media.disk import Machine
from pvgrub_sim.typed import TYPE_CHECKING
from pvgrub_sim.values import NamedTuple

if TYPE_CHECKING:
    from pvgrub_sim.profiles import Profile
    from pvgrub_sim.profiles.ami import AmiDescription

DEFAULT_DEVICE = "/dev/sda1"
LEAST_MEMORY = 16
MOST_MEMORY = (1 << 21) - 1
"""MiB: PV-GRUB has the KiB in an int."""
ARCHES = ("auto", "x86_64", "i386")


class Request(NamedTuple):
    """What is to be run.

    disks: as attached, the image itself first. profile: the PV-GRUB. any_arch: its width is that of the kernel.
    ami: what AWS says of the image, or None. version_named: somebody has chosen this very version of PV-GRUB.
    instance_types: on which it is to run, as far as somebody says, with `*` for anything. memory_named: the domain's
    memory is that of a real one.
    """

    disks: tuple[AttachedDisk, ...]
    profile: Profile
    any_arch: bool
    ami: AmiDescription | None
    version_named: bool
    instance_types: tuple[str, ...] = ()
    memory_named: bool = False


def read_request(
    image: str | os.PathLike[str] | Disk,
    stack: ExitStack,
    *,
    disks: Mapping[str, str | os.PathLike[str] | Disk] | None,
    device: str | None,
    aki: str | None,
    pvgrub: str | None,
    arch: str,
    config: str | None,
    ami: AmiDescription | str | os.PathLike[str] | None,
    image_format: str,
    access: Access | None,
    memory: int | None = None,
    ami_id: str | None = None,
    instance_type: str | None = None,
    budget: Budget | None = None,
) -> Request:
    """What the arguments of boot() come to; an AMI's description stands in for what no argument says.

    stack: closes the disks that are opened here. budget: whose time, if it has an end, the disks end with. Raises
    UsageError and ImageError.
    """
    if arch not in ARCHES:
        raise UsageError(f"unknown architecture {arch!r}: one of {', '.join(ARCHES)}")
    first = attach(image, stack, image_format, access)
    # Not before: an image may be unpacked meanwhile.
    from pvgrub_sim.profiles import choose_profile

    if ami_id is not None and ami is None:
        raise UsageError(f"{ami_id}: which AMI of which file? Its description is missing (--ami)")
    described = the_ami(ami, ami_id) if ami is not None else None
    further: dict[str, str | os.PathLike[str] | Disk] = {}
    if isinstance(first, Machine):
        further = dict(first.disks[1:])
        config = config if config is not None else first.booting.config
        described = described or _described(first, first.name)
    version_named = aki is not None or pvgrub is not None
    device = first_device(first, device, described)
    if described is not None and not version_named and (aki := _catalogued(described.kernel_id)):
        version_named = True
    profile = choose_profile(aki=aki, pvgrub=pvgrub, arch=None if arch == "auto" else arch, config=config)
    if aki is not None:
        arch = profile.arch
    elif described is not None and arch == "auto" and described.architecture in ARCHES:
        arch = described.architecture
    if arch != "auto":
        profile = profile._replace(arch=arch)
    types = (instance_type,) if instance_type else described.instance_types if described else ()
    if types:
        memory = _memory_of(types, checked=instance_type is not None) if memory is None else memory
    if memory is not None:
        if not LEAST_MEMORY <= memory <= MOST_MEMORY:
            raise UsageError(f"{memory} MiB of memory: a domain has {LEAST_MEMORY} to {MOST_MEMORY}")
        profile = profile._replace(memory=memory)
    sources = ((DEFAULT_DEVICE if device is None else device, first), *further.items(), *(disks or {}).items())
    attached = _attached(sources, stack, image_format, access)
    attached = (attached[0]._replace(assumed=device is None), *attached[1:])
    if budget is not None and budget.timed:
        from pvgrub_sim.media.timed import TimedDisk

        attached = tuple(one._replace(disk=TimedDisk(one.disk, budget)) for one in attached)
    return Request(attached, profile, arch == "auto", described, version_named, types, memory is not None)


def first_device(first: Disk, device: str | None, described: AmiDescription | None) -> str | None:
    """The device name of the first disk, as far as anybody says it: the caller, its machine, what AWS says."""
    if device is None and isinstance(first, Machine):
        return first.disks[0][0]
    return device if device is not None or described is None else described.root_device_name


def _memory_of(types: tuple[str, ...], *, checked: bool) -> int | None:
    """MiB of the one type that is meant, None where there are several, or none that PV-GRUB runs on.

    checked: raise UsageError for a name that is none.
    """
    from pvgrub_sim.profiles.instance_types import check_instance_type, that_run

    if checked:
        check_instance_type(types[0])
    found = that_run(types)
    return found[0].memory if len(found) == 1 else None


def _described(machine: Machine, name: str) -> AmiDescription | None:
    """What AWS says of a machine that is an AMI."""
    if machine.described is None:
        return None
    from pvgrub_sim.profiles.ami import describe

    return describe(machine.described, name)._replace(region=machine.region)


def _attached(
    sources: tuple[tuple[str, str | os.PathLike[str] | Disk], ...],
    stack: ExitStack,
    image_format: str,
    access: Access | None,
) -> tuple[AttachedDisk, ...]:
    """The disks under their device names; raises UsageError when two have one vbd number."""
    attached: list[AttachedDisk] = []
    for place, (name, source) in enumerate(sources):
        number = vbd_number(name)
        if any(number == other.vbd for other in attached):
            raise UsageError(f"two disks are attached as {name} (vbd {number})")
        disk = attach(source, stack, image_format, access)
        # The first one's other disks are among the sources.
        left_out = len(disk.disks) - 1 if place and isinstance(disk, Machine) else 0
        attached.append(AttachedDisk(disk, number, name, left_out=left_out))
    return tuple(attached)


def the_ami(ami: AmiDescription | str | os.PathLike[str], ami_id: str | None = None) -> AmiDescription:
    """The description of one AMI of a file with the JSON of `aws ec2 describe-images`.

    ami: the file, or a description, which is returned as it is. ami_id: which one; None when there is but one. Raises
    UsageError when it is not there, or there are several, and ImageError when the file cannot be read.
    """
    from pvgrub_sim.profiles.ami import AmiDescription, read_describe_images

    if isinstance(ami, AmiDescription):
        return ami
    images = [image for image in read_describe_images(ami) if image.image_type == "machine"]
    if ami_id is not None:
        images = [image for image in images if image.image_id == ami_id]
        if not images:
            raise UsageError(f"{os.fspath(ami)}: describes no machine image {ami_id}")
    if len(images) != 1:
        which = ": say which (--ami-id)" if images and ami_id is None else ""
        raise UsageError(f"{os.fspath(ami)}: describes {len(images)} machine images, and one is wanted{which}")
    return images[0]


def _catalogued(aki: str | None) -> str | None:
    """The id when it is that of a PV-GRUB that is catalogued."""
    from pvgrub_sim.profiles.catalogue import by_id

    return aki if aki and by_id(aki) else None
