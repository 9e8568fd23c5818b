"""OVA: a machine in an archive, which an OVF envelope describes (DMTF DSP0243); in an OVA it is the first file."""

from __future__ import annotations

import re
from contextlib import ExitStack
from xml.etree.ElementTree import Element

from pvgrub_sim.errors import ImageError
from pvgrub_sim.media import formats
from pvgrub_sim.media.formats.inside import Inside, content
from pvgrub_sim.media.formats.members import shown
from pvgrub_sim.media.formats.xml import parse_xml, text_of
from pvgrub_sim.media.machine import MOST_DISKS, Booting, MachineDisk
from pvgrub_sim.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pvgrub_sim.media.access import Context
    from pvgrub_sim.media.disk import Disk
    from pvgrub_sim.media.formats.inside import Archive, ArchiveFile

DISK_DRIVE: Final = "17"
"""CIM's resource type of a disk; controllers are 5 (IDE), 6 (SCSI) and 20 (SATA)."""
_HOST_RESOURCE: Final = re.compile(r"(?:ovf:)?/(disk|file)/(.+)")
_XEN_KEYS: Final = {"PV_bootloader", "PV_kernel", "PV_ramdisk", "PV_args", "HVM_boot_policy"}


def open_ova(archive: Archive, description: ArchiveFile, context: Context) -> Disk:
    """The disks of the machine, in the order of their controllers and places; raises ImageError for what is amiss."""
    below = archive.below
    if context.machine:
        raise ImageError(below.name, "is a machine in another machine: unpack it, and name the disk that is meant")
    root = parse_xml(f"{below.name}:{shown(description.name)}", content(archive, description, 16 << 20))
    folder = description.name.rpartition(b"/")[0]
    files = {one.get("id", ""): one for one in root.iterfind("References/File")}
    names: list[list[bytes]] = []
    for file in _disk_files(below.name, root, files):
        href = file.get("href", "")
        if not href or re.match(r"[A-Za-z][A-Za-z0-9+.-]*:|/", href) or ".." in href.split("/"):
            raise ImageError(below.name, f"the OVF names a disk {href[:200]!r}, which is no file of the archive")
        full = b"/".join(filter(None, (folder, href.encode("utf-8", "surrogateescape"))))
        names.append(_parts(below.name, file, full))
    inner = context._replace(folder=None, inside=Inside(archive, folder, set()), machine=True)
    with ExitStack() as stack:
        disks: list[tuple[str, Disk]] = []
        for number, parts in enumerate(names):
            disk = archive.open([_found(archive, part) for part in parts], "ova")
            stack.callback(disk.close)
            opened = formats.unwrap(disk, "auto", inner)
            stack.callback(opened.close)
            disks.append((f"/dev/xvd{chr(ord('a') + number)}", opened))
        if not disks:
            raise ImageError(below.name, "is an OVA whose machine has no disk")
        stack.pop_all()
    return MachineDisk(below.name, disks, _booting(root))


def _found(archive: Archive, name: bytes) -> ArchiveFile:
    file = archive.find(name)
    if file is None:
        raise ImageError(archive.below.name, f"the OVF names {shown(name)}, which is not in the archive")
    return file


def _parts(archive: str, file: Element, name: bytes) -> list[bytes]:
    """The names of the members that a file is split into: one, or chunks with numbers of nine digits."""
    chunk, size = file.get("chunkSize", ""), file.get("size", "")
    if not chunk:
        return [name]
    if not (chunk.isdecimal() and size.isdecimal() and len(chunk) < 19 and len(size) < 19 and int(chunk)):
        raise ImageError(archive, f"the OVF tells chunks of no size of {shown(name)}")
    count = -(-int(size) // int(chunk))
    if not 0 < count <= 100_000:
        raise ImageError(archive, f"the OVF tells {count} chunks of {shown(name)}")
    return [b"%s.%09d" % (name, number) for number in range(count)]


def _disk_files(name: str, root: Element, files: dict[str, Element]) -> list[Element]:
    """The files of the machine's disks, in the order of their device numbers."""
    systems = list(root.iter("VirtualSystem"))
    if len(systems) != 1:
        raise ImageError(name, f"is an OVA of {len(systems)} machines, and one is wanted")
    disks = {one.get("diskId", ""): one.get("fileRef", "") for one in root.iterfind("DiskSection/Disk")}
    items = list(systems[0].iterfind("VirtualHardwareSection/*"))
    controllers = {text_of(item, "InstanceID"): index for index, item in enumerate(items)}
    found: list[tuple[int, int, int, Element]] = []
    for index, item in enumerate(items):
        match = _HOST_RESOURCE.fullmatch(text_of(item, "HostResource"))
        if text_of(item, "ResourceType") != DISK_DRIVE or match is None:
            continue
        file = files.get(disks.get(match[2], "") if match[1] == "disk" else match[2])
        if file is None:
            raise ImageError(name, f"the OVF has a disk {match[2][:200]!r} without a file")
        place = text_of(item, "AddressOnParent")
        controller = controllers.get(text_of(item, "Parent"), -1)
        found.append((controller, int(place) if place.isdecimal() and len(place) < 9 else 0, index, file))
    if not found:
        found = [(0, 0, index, files[one]) for index, one in enumerate(disks.values()) if one in files]
    if len(found) > MOST_DISKS:
        raise ImageError(name, f"is an OVA of {len(found)} disks; up to {MOST_DISKS} are read")
    return [file for _, _, _, file in sorted(found, key=lambda one: one[:3])]


def _booting(root: Element) -> Booting:
    """What XenCenter writes into an OVF of how the machine boots: VirtualSystemOtherConfigurationData by name."""
    told = {
        one.get("Name", ""): text_of(one, "Value")
        for one in root.iter("VirtualSystemOtherConfigurationData")
        if one.get("Name") in _XEN_KEYS
    }
    return Booting(
        told.get("PV_bootloader") or None,
        told.get("PV_kernel") or None,
        told.get("PV_ramdisk") or None,
        told.get("PV_args") or None,
        bool(told.get("HVM_boot_policy")),
    )
