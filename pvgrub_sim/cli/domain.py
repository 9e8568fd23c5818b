"""`boot --xl-config`: the options that the configuration of a Xen domain comes to."""

from __future__ import annotations

import argparse
from contextlib import ExitStack

from pvgrub_sim import PROFILES, UsageError, open_image, read_xl_config
from pvgrub_sim.cli.machine import machine_options
from pvgrub_sim.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from pvgrub_sim import Disk, MachineOptions


def domain_options(args: argparse.Namespace, stack: ExitStack) -> tuple[str | Disk, MachineOptions, list[str]]:
    """The image of the domain's first disk, the options for boot(), and the paths of all images.

    What is typed goes before what the file says.
    stack: closes images that are opened here. Raises UsageError and ImageError.
    """
    if args.images:
        raise UsageError("--xl-config names the disks of its domain: there is no IMAGE beside it")
    for name in ("device", "ami", "ari", "instance_type"):
        if getattr(args, name) is not None:
            raise UsageError(f"--{name.replace('_', '-')} says what --xl-config says already")
    options = machine_options(args)
    named = options["aki"] is not None or options["pvgrub"] is not None
    domain = read_xl_config(args.xl_config, any_kernel=named)
    if not named:
        # No configuration tells of which Xen its PV-GRUB is.
        options["pvgrub"] = next(reversed(PROFILES))
    if options["arch"] == "auto" and options["aki"] is None:
        options["arch"] = domain.arch
    if options["config"] is None:
        options["config"] = domain.argument
    if options["memory"] is None:
        options["memory"] = domain.memory
    placed = domain.placed({device: str(path) for device, path in (options["disks"] or {}).items()})
    return _attach(args, placed, options, stack), options, [path for path, _ in placed.values()]


def _attach(
    args: argparse.Namespace, placed: dict[str, tuple[str, str]], options: MachineOptions, stack: ExitStack
) -> str | Disk:
    """Enter the disks, paths with their formats by device, into the options; returns the first one.

    What xl is told of an image's format holds, whatever is in it, unless --image-format or --disk speaks of it.
    """
    formats = {image_format for _, image_format in placed.values()}
    images: dict[str, str | Disk] = {device: path for device, (path, _) in placed.items()}
    if options["image_format"] == "auto" and len(formats) == 1:
        options["image_format"] = formats.pop()
    elif options["image_format"] == "auto":
        if args.isolate:
            raise UsageError("--isolate takes the disks of a domain in one format; --image-format says which")
        for device, (path, image_format) in placed.items():
            images[device] = open_image(path, image_format=image_format, access=options["access"])
            stack.callback(images[device].close)  # type: ignore[union-attr]  # what open_image() returns
    device, image = next(iter(images.items()))
    options["device"] = device
    options["disks"] = {name: one for name, one in images.items() if name != device}
    return image
