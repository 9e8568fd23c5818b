"""From a run to a verdict: the public way to ask what PV-GRUB would do with an image."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace

from pvgrub_sim.bootchain import Boot, run, run_auto
from pvgrub_sim.errors import UsageError
from pvgrub_sim.media import AttachedDisk, open_disk, vbd_number
from pvgrub_sim.model import LoadedFile, ProfileInfo, Verdict
from pvgrub_sim.profiles import Profile, find_profile
from pvgrub_sim.profiles.versions import NEWEST_AMAZON

DEFAULT_DEVICE = "/dev/sda1"
ARCHES = ("auto", "x86_64", "i386")


def choose_profile(*, aki: str | None = None, pvgrub: str | None = None, config: str | None = None) -> Profile:
    """The version of PV-GRUB that the arguments of boot() name; the newest of Amazon's when none does.

    Raises UsageError when both are given or one is unknown.
    """
    if aki and pvgrub:
        raise UsageError("an AKI names its PV-GRUB version itself: give either of the two, not both")
    if aki:
        from pvgrub_sim.profiles.catalogue import find_aki

        profile = find_aki(aki)
    else:
        profile = find_profile(pvgrub or NEWEST_AMAZON)
    if config is not None:
        profile = replace(profile, config_paths=(config,))
    return profile


def boot(
    image: str | os.PathLike[str],
    *,
    disks: Mapping[str, str | os.PathLike[str]] | None = None,
    device: str = DEFAULT_DEVICE,
    aki: str | None = None,
    pvgrub: str | None = None,
    arch: str = "auto",
    config: str | None = None,
    unpack: bool = True,
) -> Verdict:
    """Tell what PV-GRUB would do with a disk image.

    image: the raw image of the first disk, attached as `device` (`/dev/sda1`). disks: further images by device
    name; the order of the vbd numbers makes hd0, hd1, … aki: id or name of an Amazon kernel image; pvgrub: a
    version such as `amazon-1.05` or `xen-4.17` (default: the newest of Amazon's). arch: `x86_64`, `i386`, or
    `auto` for that of the kernel. config: the config file's path, as a Xen domain's `extra=` gives it.
    unpack: False checks a kernel's headers only. Raises UsageError and ImageError; images are only read.
    """
    if arch not in ARCHES:
        raise UsageError(f"unknown architecture {arch!r}: one of {', '.join(ARCHES)}")
    profile = choose_profile(aki=aki, pvgrub=pvgrub, config=config)
    if aki:
        if arch not in ("auto", profile.arch):
            raise UsageError(f"{aki} is an AKI for {profile.arch}, not for {arch}")
        arch = profile.arch
    named = [(device, os.fspath(image)), *((name, os.fspath(path)) for name, path in (disks or {}).items())]
    with ExitStack() as stack:
        attached: list[AttachedDisk] = []
        for name, path in named:
            number = vbd_number(name)
            if any(number == other.vbd for other in attached):
                raise UsageError(f"two disks are attached as {name} (vbd {number})")
            disk = open_disk(path)
            stack.callback(disk.close)
            attached.append(AttachedDisk(disk, number, name))
        if arch == "auto":
            result = run_auto(attached, profile, unpack=unpack)
        else:
            result = run(attached, replace(profile, arch=arch), unpack=unpack)
        return judge(result, os.fspath(image))


def judge(result: Boot, image: str) -> Verdict:
    """The verdict on a run; image: the name of the first disk's image, for the report."""
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
        errors=tuple(machine.boot_errors),
        kernel=kernel,
        initrd=initrd,
        cmdline=cmdline,
        console=machine.term.console(),
        writes=tuple(event.number for event in machine.events if event.kind == "write" and event.number is not None),
        events=tuple(machine.events),
        reason=result.reason,
    )
