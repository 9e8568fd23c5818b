"""Where the kernel commands take their kernel from: a file, or a file on an image as PV-GRUB reads it."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from pvgrub_sim.errors import KernelFormatError, UsageError

LARGEST = 512 << 20
"""Bytes; a larger file is no kernel."""
_ON_IMAGE = re.compile(r"(?P<image>.+?):(?P<path>\((?:hd|fd)\d.*)", re.S)
HELP = "a kernel file, or one on a disk image as PV-GRUB reads it: disk.img:'(hd0)/boot/vmlinuz'"


def read_kernel(name: str, pvgrub: str | None = None) -> bytes:
    """The kernel of a name as PV-GRUB would get it: gunzipped when it is gzipped.

    pvgrub: version whose filesystem drivers read an image; None takes Amazon's newest. Raises ImageError,
    KernelFormatError or UsageError.
    """
    match = _ON_IMAGE.fullmatch(name)
    if match is not None and not Path(name).exists():
        return _from_image(name, match["image"], os.fsencode(match["path"]), pvgrub)
    from pvgrub_sim.xen.repack import gunzip_file

    try:
        status = Path(name).stat()
        if not stat.S_ISREG(status.st_mode):
            raise KernelFormatError(name, "is a directory" if stat.S_ISDIR(status.st_mode) else "is no regular file")
        if status.st_size > LARGEST:
            hint = f" (a kernel on a disk image is named {name}:'(hd0)/boot/vmlinuz')"
            raise KernelFormatError(name, f"is too large for a kernel{hint}")
        data = Path(name).read_bytes()
    except OSError as error:
        raise KernelFormatError(name, (error.strerror or str(error)).lower()) from None
    except ValueError as error:
        raise KernelFormatError(name, str(error)) from None
    return gunzip_file(name, data)


def _from_image(name: str, image: str, path: bytes, pvgrub: str | None) -> bytes:
    from pvgrub_sim.grub.errnum import GrubError
    from pvgrub_sim.grub.files import grub_open, grub_read
    from pvgrub_sim.grub.machine import Handover, Machine
    from pvgrub_sim.grub.stop import Stop
    from pvgrub_sim.grub.terminal import Terminal
    from pvgrub_sim.media import open_disk
    from pvgrub_sim.profiles import find_profile
    from pvgrub_sim.profiles.versions import NEWEST_AMAZON

    def refuse(_machine: Machine, _handover: Handover) -> None:
        raise UsageError("nothing is started here")

    disk = open_disk(image)
    try:
        machine = Machine(find_profile(pvgrub or NEWEST_AMAZON), [disk], Terminal(), refuse)
        grub_open(machine, path)
        if machine.filemax > LARGEST:
            raise KernelFormatError(name, "is too large for a kernel")
        return bytes(grub_read(machine, max(machine.filemax, 0)))
    except GrubError as error:
        raise KernelFormatError(name, f"PV-GRUB cannot read it: {error}") from None
    except Stop as stop:
        raise KernelFormatError(name, f"PV-GRUB would {stop.outcome} here: {stop.reason}") from None
    finally:
        disk.close()
