"""What the configuration of a Xen domain says of PV-GRUB: its build, its argument, its memory and its disks."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from pvgrub_sim.errors import UsageError
from pvgrub_sim.inputs import read_input
from pvgrub_sim.media import vbd_number
from pvgrub_sim.typed import Final
from pvgrub_sim.values import NamedTuple
from pvgrub_sim.xl.disks import XlDisk, parse_disk
from pvgrub_sim.xl.syntax import Value, parse

LARGEST: Final = 1 << 20
"""Bytes of a configuration."""
MOST_DISKS: Final = 256
DEFAULT_MEMORY: Final = 32
"""MiB of a domain whose configuration says nothing of it (libxl_create.c:libxl__domain_build_info_setdefault)."""
VTPM_LABEL: Final = "--vtpm-label="
_PV_GRUB: Final = re.compile(r"pv-?grub(?!2|32|64)")
_GRUB_XEN: Final = re.compile(r"pv-?grub(?:2|32|64)|grub.*xen|xen.*grub")


class XlDomain(NamedTuple):
    """What a domain's configuration says of PV-GRUB.

    name: the domain's. disks: in the order of the file; the vbd numbers decide which is hd0. argument: PV-GRUB's, the
    config file that it opens; None for its own choice. memory: in MiB. arch: `x86_64` or `i386` by the name of the
    kernel, else `auto`.
    """

    name: str
    disks: tuple[XlDisk, ...]
    argument: str | None
    memory: int
    arch: str

    def placed(self, elsewhere: Mapping[str, str]) -> dict[str, tuple[str, str]]:
        """The image and its format of each device, in the order of the file; `auto` for one that lies elsewhere.

        elsewhere: where images lie here, by their devices; those that are none of the domain's come last. Raises
        UsageError for a disk that a script makes, and that is nowhere else.
        """
        left = {vbd_number(device): (device, path) for device, path in elsewhere.items()}
        images: dict[str, tuple[str, str]] = {}
        for disk in self.disks:
            moved = left.pop(vbd_number(disk.device), None)
            if moved is not None:
                images[disk.device] = moved[1], "auto"
            elif disk.script:
                raise UsageError(
                    f"{disk.script} makes {disk.device} of {disk.target!r}: say where its image lies here "
                    f"(--disk {disk.device}=IMAGE)"
                )
            else:
                images[disk.device] = disk.target, disk.format
        return images | {device: (path, "auto") for device, path in left.values()}


def read_xl_config(path: str | os.PathLike[str], *, any_kernel: bool = False) -> XlDomain:
    """Read the configuration of a Xen domain whose kernel is PV-GRUB, as xl does.

    path: `guest.cfg`. any_kernel: take the kernel for PV-GRUB whatever it is called. Keys that PV-GRUB has nothing to
    do with, such as `vif`, are passed over. Raises ImageError when the file cannot be read, and UsageError when it is
    not one of xl's, or the domain boots in another way.
    """
    name = os.fspath(path)
    raw = read_input(path, LARGEST + 1)
    if len(raw) > LARGEST:
        raise UsageError(f"{name}: more than {LARGEST} bytes, no configuration of a domain")
    values = parse(raw.decode("utf-8", "surrogateescape"), name)
    try:
        return _domain(values, any_kernel)
    except UsageError as error:
        raise UsageError(f"{name}: {error}") from None


def _domain(values: dict[str, Value], any_kernel: bool) -> XlDomain:
    _check_type(values)
    kernel = _kernel(values, any_kernel)
    argument = _argument(values)
    if argument is None and _text(values, "ramdisk"):
        raise UsageError("ramdisk= hands PV-GRUB a menu of its own, which is not simulated")
    memory = _number(values, "memory") or _number(values, "maxmem") or DEFAULT_MEMORY
    base = os.path.basename(kernel)  # noqa: PTH119  (pathlib would slow down every start)
    arch = "i386" if "x86_32" in base or "i386" in base else "x86_64" if "x86_64" in base else "auto"
    return XlDomain(_text(values, "name") or "", _disks(values), argument, memory, arch)


def _check_type(values: dict[str, Value]) -> None:
    """A PV domain, which it is when nothing else is said (tools/xl/xl_parse.c:parse_config_data)."""
    kind = _text(values, "type") or {"hvm": "hvm"}.get(_text(values, "builder") or "", "pv")
    if kind != "pv":
        raise UsageError(f"the domain is {kind.upper()}: PV-GRUB boots PV domains only")


def _kernel(values: dict[str, Value], any_kernel: bool) -> str:
    """The path of PV-GRUB, which is the domain's kernel; raises UsageError for another way to boot."""
    kernel, loader = _text(values, "kernel") or "", _text(values, "bootloader")
    if loader:
        # As libxl_bootloader.c: with a bootloader, kernel= is not what the domain starts.
        raise UsageError(f"bootloader={loader!r} reads the disk in dom0 and starts no PV-GRUB (docs/xen-hosts.md)")
    if firmware := _text(values, "firmware"):
        kernel = f"{firmware}.bin"
    base = os.path.basename(kernel).lower()  # noqa: PTH119  (pathlib would slow down every start)
    if any_kernel or _PV_GRUB.match(base):
        return kernel
    if not kernel:
        raise UsageError("neither kernel= nor bootloader= is there: xl starts no such PV domain")
    if _GRUB_XEN.search(base):
        raise UsageError(f"{kernel!r} is GRUB 2 for Xen (grub-xen), not PV-GRUB; it reads grub.cfg (docs/xen-hosts.md)")
    raise UsageError(f"{kernel!r} is no PV-GRUB by its name; --pvgrub VERSION takes it for one")


def _argument(values: dict[str, Value]) -> str | None:
    """The first word of the command line (tools/xl/xl_parse.c:parse_cmdline, stubdom/grub/mini-os.c:main).

    `root=` comes first there, so that it is what PV-GRUB takes for the name of its config file.
    """
    line, root, extra = (_text(values, key) for key in ("cmdline", "root", "extra"))
    if line is None:
        line = " ".join(part for part in (f"root={root}" if root is not None else None, extra) if part is not None)
    words = [word for word in line.split(" ") if word]
    if words and words[0].startswith(VTPM_LABEL):
        del words[0]
    return words[0] if words else None


def _disks(values: dict[str, Value]) -> tuple[XlDisk, ...]:
    """The disks with something in them; raises UsageError for what is no image or block device here."""
    specs = values.get("disk", [])
    if not isinstance(specs, list):
        raise UsageError("disk= wants a list")
    if len(specs) > MOST_DISKS:
        raise UsageError(f"disk= has {len(specs)} disks, and more than {MOST_DISKS} are not looked at")
    disks = []
    for spec in specs:
        if not isinstance(spec, str):
            raise UsageError("disk= wants a list of texts")
        disk = parse_disk(spec)
        device = _device(disk.device)
        vbd_number(device)
        if not disk.target and disk.format != "empty":
            raise UsageError(f"disk {spec!r}: no target is given")
        if disk.format != "empty":
            disks.append(disk._replace(target=_absolute(disk), device=device))
    if not disks:
        raise UsageError("the domain has no disk")
    return tuple(disks)


def _absolute(disk: XlDisk) -> str:
    """The path; one that does not begin with a slash lies in /dev (xl-disk-configuration.5)."""
    return disk.target if disk.target.startswith("/") or disk.script else f"/dev/{disk.target}"


def _device(vdev: str) -> str:
    """The guest's device by a name or number that vbd_number() knows (libxl_device.c:libxl__device_disk_dev_number)."""
    if plain := re.fullmatch(r"d([0-9]{1,7})p([0-9]{1,3})", vdev):
        disk, partition = int(plain[1]), int(plain[2])
        if disk < 1 << 20 and partition < 256:
            few = disk <= 15 and partition <= 15
            return str(202 << 8 | disk << 4 | partition if few else 1 << 28 | disk << 8 | partition)
    if re.fullmatch(r"0x[0-9a-f]{1,7}", vdev):
        return str(int(vdev, 16))
    if "/" in vdev:
        raise UsageError(f"{vdev!r} is no device of a guest: xvda, sda1, hda, d0p1 or a vbd number")
    return vdev


def _text(values: dict[str, Value], key: str) -> str | None:
    value = values.get(key)
    if isinstance(value, list):
        raise UsageError(f"{key}= wants a single value, not a list")
    return value


def _number(values: dict[str, Value], key: str) -> int:
    text = _text(values, key)
    if text is None:
        return 0
    try:
        # As strtol() with base 0.
        number = int(text, 8) if re.fullmatch("0[0-7]+", text) else int(text, 0)
    except ValueError:
        raise UsageError(f"{key}= wants a number, not {text!r}") from None
    if not 0 < number < 1 << 31:
        raise UsageError(f"{key}= {text} is no number of MiB")
    return number
