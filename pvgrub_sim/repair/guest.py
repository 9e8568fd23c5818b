"""The guest that an image belongs to: what comes out of a repair is booted as that guest, with its other disks."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from contextlib import closing
from pathlib import Path

from pvgrub_sim.errors import UsageError
from pvgrub_sim.findings.plan.search import Blueprint
from pvgrub_sim.media import Disk, vbd_number
from pvgrub_sim.media.disk import Machine
from pvgrub_sim.media.machine import with_first
from pvgrub_sim.media.sources import shown_source
from pvgrub_sim.media.sources.file import RawDisk
from pvgrub_sim.model import FixedDisk, Verdict
from pvgrub_sim.request import DEFAULT_DEVICE, first_device, the_ami
from pvgrub_sim.typed import Any
from pvgrub_sim.verdict import boot_and_plan


class Guest:
    """Boots what came out so far as the image was booted.

    original: the image, which stays open as long as the guest is booted: of a machine it has the other disks, the
    device names, the config file and what AWS says. options: those of boot() that the caller gave for the image.
    """

    def __init__(self, original: Disk, options: Mapping[str, Any]) -> None:
        self._machine = original if isinstance(original, Machine) else None
        ami = options.get("ami")
        described = the_ami(ami, options.get("ami_id")) if ami is not None else None
        self._options = {**options, "ami": described}
        self._further: dict[str, Any] = dict(options.get("disks") or {})
        self._device = first_device(original, options.get("device"), described) or DEFAULT_DEVICE

    @property
    def config(self) -> str | None:
        """The config file that PV-GRUB is given, as a domain's `extra=` names it."""
        given: str | None = self._options.get("config")
        return self._machine.booting.config if given is None and self._machine is not None else given

    def boot(self, copy: Path, boot_disk: Path | None = None) -> tuple[Verdict, Blueprint | None]:
        """The verdict and plan for a copy of the image, behind its boot disk where it has one."""
        with closing(RawDisk(str(copy))) as image:
            if boot_disk is None:
                return self._boot(image, self._further)
            with closing(RawDisk(str(boot_disk))) as first:
                return self._boot(first, {**self._further, self._behind(): image})

    def _boot(self, first: Disk, further: Mapping[str, Any]) -> tuple[Verdict, Blueprint | None]:
        if self._machine is not None:
            first = with_first(self._machine, first)
        # An open disk is taken as it is: a format that is named is that of the other images.
        return boot_and_plan(first, **{**self._options, "disks": further})

    def disks(self, image: str, boot_disk: str | None = None) -> tuple[FixedDisk, ...]:
        """All disks as they are attached, with these names for the image and its boot disk."""
        if boot_disk is None:
            own = [FixedDisk(self._device, image, "image")]
        else:
            own = [FixedDisk(self._device, boot_disk, "boot disk"), FixedDisk(self._behind(), image, "image")]
        others = [FixedDisk(name, disk.name, "machine") for name, disk in self._others()]
        given = [FixedDisk(name, _named(disk), "option") for name, disk in self._further.items()]
        return (*own, *others, *given)

    def _others(self) -> list[tuple[str, Disk]]:
        return list(self._machine.disks[1:]) if self._machine is not None else []

    def _behind(self) -> str:
        """The device name that the image has behind its boot disk."""
        return free_device(self._device, [*self._further, *(name for name, _ in self._others())])


def _named(disk: Disk | str | os.PathLike[str]) -> str:
    """What to call one of the caller's disks."""
    return shown_source(os.fspath(disk)) if isinstance(disk, (str, os.PathLike)) else disk.name


def free_device(device: str, taken: Collection[str]) -> str:
    """A device name behind `device` for the disk that was there; raises UsageError when there is none."""
    numbers = {vbd_number(name) for name in taken}
    stem = device.rstrip("0123456789")[:-1] or "/dev/sd"
    for letter in "fghijklmnop":
        number = vbd_number(f"{stem}{letter}")
        if number not in numbers and number > vbd_number(device):
            return f"{stem}{letter}"
    raise UsageError(f"there is no device name left behind {device}")
