"""The names that a kernel gives the disks that are attached, and what is on them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pvgrub_sim.findings.facts.case import Case
from pvgrub_sim.findings.facts.place import Place
from pvgrub_sim.findings.facts.starts import Start, version_of
from pvgrub_sim.media.vbd import vbd_number
from pvgrub_sim.typed import Final
from pvgrub_sim.values import Enum

_IDE: Final = (3, 22, 33, 34, 56, 57, 88, 89, 90, 91)
_SCSI: Final = (8, *range(65, 72), *range(128, 136))
_XVD: Final = 202
_EXTENDED: Final = 1 << 28
_SHIFT: Final = 4
"""Disks by which RHEL 6 and Linux 2.6.37 to 3.0 shift SCSI names: room for the emulated IDE disks of an HVM guest."""
_TRANSLATED: Final = (2, 6, 37)
"""Commit c80a420995e7, "xen-blkfront: handle Xen major numbers other than XENVBD"."""
_UNSHIFTED: Final = (3, 1, 0)
"""Commit 196cfe2ae8fc, "xen-blkfront: Drop name and minor adjustments for emulated scsi devices", which Ubuntu took
into its 3.0 already (Launchpad bug 784937)."""
_RHEL_SHIFTED: Final = 220
"""Build of RHEL 6.2's kernel: the changelog of 2.6.32-220.19.1 has the same change, made conditional (bug 729586). What
kernels before do is not known here, so that both are taken."""
_CLASSIC: Final = r"(?i)(?:xenU|xen0|-xen|el[45]xen|fc[5-8]xen|-ec2)$|-xen-(?:686|amd64|vserver)|^2\.6\.16\.33"
"""XenSource's tree and what distributions made of it: Xen's linux-2.6.18-xen (drivers/xen/blkfront/vbd.c for names);
wiki.ubuntu.com/KernelTeam/EC2Kernel on -ec2; RightScale's "Recompiling kernel modules for EC2 instances" on 2.6.16."""
_EITHER: Final = r"(?:-linode\d*|-rscloud)$"
"""Hosts' own kernels, which were of the one kind first and of the other later."""
_PVOPS_OF_DEBIAN: Final = (2, 6, 32)
"""Debian 6's kernels are called -xen-amd64 as those of Debian 5 and are mainline's."""


class Naming(Enum):
    """By which rules a kernel names Xen's disks."""

    MAINLINE = "mainline since 3.1"
    SHIFTED = "mainline 2.6.37 to 3.0, where distributions differ"
    EARLY = "mainline before 2.6.37"
    RHEL6 = "RHEL 6"
    CLASSIC = "XenSource's old tree"
    UNKNOWN = "unknown"


def naming_of(start: Start) -> Naming:
    """The rules of a kernel, by its release (Linux, drivers/block/xen-blkfront.c:xen_translate_vdev)."""
    version = version_of(start.release)
    if not version or re.search(_EITHER, start.release):
        return Naming.UNKNOWN
    if re.search(_CLASSIC, start.release) and not ("-xen-" in start.release and version >= _PVOPS_OF_DEBIAN):
        return Naming.CLASSIC
    if ".el6" in start.release and version == (2, 6, 32):
        return Naming.RHEL6
    if version < _TRANSLATED:
        return Naming.EARLY
    return Naming.SHIFTED if version < _UNSHIFTED else Naming.MAINLINE


def disk_names(vbd: int, start: Start) -> tuple[str, ...]:
    """The names that a kernel may give a disk of a vbd number, the likeliest first; none for what it does not take."""
    naming = naming_of(start)
    if naming is Naming.UNKNOWN:
        return ()
    if vbd >= _EXTENDED:
        disk, part = (vbd & ~_EXTENDED) >> 8, vbd & 0xFF
        return (_name("xvd", disk, part),)
    major, minor = vbd >> 8, vbd & 0xFF
    if major == _XVD:
        return (_name("xvd", minor // 16, minor % 16),)
    if major in _IDE:
        return _ide_names(major, minor, naming)
    if major not in _SCSI:
        return ()
    disk, part = _SCSI.index(major) * 16 + minor // 16, minor % 16
    match naming:
        case Naming.CLASSIC:
            return (_name("sd", disk, part),)
        case Naming.EARLY:
            # The major does not count.
            return (_name("xvd", minor // 16, part),)
        case Naming.SHIFTED:
            return _name("xvd", disk, part), _name("xvd", disk + _SHIFT, part)
        case Naming.RHEL6:
            return _rhel_names(disk, part, start)
    return (_name("xvd", disk, part),)


def _ide_names(major: int, minor: int, naming: Naming) -> tuple[str, ...]:
    disk, part = _IDE.index(major) * 2 + minor // 64, minor % 64
    if naming is Naming.CLASSIC:
        return (_name("hd", disk, part),)
    if naming is Naming.EARLY:
        return (_name("xvd", minor // 16, minor % 16),)
    # Of the first two IDE channels only, and without the partition: hda1 becomes the disk xvda.
    return (_name("xvd", disk, 0),) if disk < 4 else ()


def _rhel_names(disk: int, part: int, start: Start) -> tuple[str, ...]:
    """RHEL 6 (its xen-blkfront has the parameter sda_is_xvda)."""
    plain, shifted = _name("xvd", disk, part), _name("xvd", disk + _SHIFT, part)
    given = start.argument("xen_blkfront.sda_is_xvda") or start.argument("xen-blkfront.sda_is_xvda")
    if given is not None:
        return (plain,) if given[:1] in ("1", "y", "Y") else (shifted,)
    build = re.match(r"2\.6\.32-(\d+)", start.release)
    return (shifted,) if build and int(build[1]) >= _RHEL_SHIFTED else (shifted, plain)


def _name(kind: str, disk: int, part: int) -> str:
    letters = ""
    disk += 1
    while disk:
        disk, letter = divmod(disk - 1, 26)
        letters = chr(ord("a") + letter) + letters
    return f"{kind}{letters}{part or ''}"


def named_places(case: Case, start: Start) -> Iterator[tuple[str, Place]]:
    """All names under which the kernel may know the volumes, without `/dev/`."""
    for place in case.places:
        for disk in _attached_names(case, place, start):
            if place.whole:
                yield disk, place
            elif place.volume.number is not None and place.volume.table != "bsd":
                yield f"{disk}{'p' if disk[-1].isdigit() else ''}{place.volume.number}", place


def _attached_names(case: Case, place: Place, start: Start) -> tuple[str, ...]:
    """The names of a place's disk: for one that nobody said how it is attached, those of the usual ways."""
    if not place.attached.assumed:
        return disk_names(place.attached.vbd, start)
    usual = ("/dev/sda1", "/dev/xvda1", "/dev/sda", "/dev/xvda")
    devices = usual[2:] if case.surveys[place.index].partitions else usual
    return tuple(dict.fromkeys(name for device in devices for name in disk_names(vbd_number(device), start)))


def name_of(case: Case, start: Start, place: Place) -> str | None:
    """The name under which the kernel knows a volume, the likeliest one."""
    return next((name for name, other in named_places(case, start) if other is place), None)
