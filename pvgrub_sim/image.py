"""What can be asked of an image besides how it boots: what is on it, and its files as PV-GRUB or as a modern system
reads them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from io import BytesIO

from pvgrub_sim.budget import GivenUp
from pvgrub_sim.errors import ImageFileError, UsageError
from pvgrub_sim.grub.errnum import ErrNum
from pvgrub_sim.grub.viewer import Unreadable, Viewer
from pvgrub_sim.media import Access, Disk, attach, guest_disks, open_disk
from pvgrub_sim.model import DeviceEntry, DirectoryEntry
from pvgrub_sim.profiles import Profile, choose_profile
from pvgrub_sim.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from pvgrub_sim.survey import Survey

SECTOR = 512
LARGEST = 256 << 20
"""Bytes of a file that read_file() returns."""


def open_image(path: str | os.PathLike[str], *, image_format: str = "auto", access: Access | None = None) -> Disk:
    """Open a disk image, read-only: to look at its bytes, or to pass it to several functions in place of its path.

    path: an image file or a block device. image_format: `raw`, `qcow2` …, or `auto` for what its content says.
    access: what may be opened besides. Its close() releases it. Raises ImageError when it cannot be opened, and
    UsageError for a format that is none.
    """
    return open_disk(os.fspath(path), image_format, access)


def inspect_image(
    image: str | os.PathLike[str] | Disk, *, image_format: str = "auto", access: Access | None = None
) -> Survey:
    """Tell what is really on an image: partitions, filesystems, the files of /boot, operating systems.

    image: a path, or what open_image() returned. image_format, access: as for open_image(). What is damaged is told in
    `problems`; raises ImageError only when the image cannot be opened, and UsageError.
    """
    from pvgrub_sim.survey import survey

    with ExitStack() as stack:
        return survey(attach(image, stack, image_format, access), systems=True)


def list_devices(
    image: str | os.PathLike[str] | Disk,
    *,
    aki: str | None = None,
    pvgrub: str | None = None,
    arch: str | None = None,
    image_format: str = "auto",
    access: Access | None = None,
) -> list[DeviceEntry]:
    """List the devices of an image by the names that PV-GRUB has for them: the whole disk, then its partitions.

    Of a machine (an OVA, XVA or AMI) all disks are listed, as boot() attaches them. Arguments and errors as for
    list_directory().
    """
    with ExitStack() as stack:
        disk = attach(image, stack, image_format, access)
        return _devices(disk, choose_profile(aki=aki, pvgrub=pvgrub, arch=arch))


def _devices(disk: Disk, profile: Profile) -> list[DeviceEntry]:
    disks = guest_disks(disk)
    viewer = Viewer(disks, profile)
    found = []
    try:
        for number in range(len(disks)):
            for name in (f"(hd{number})", *viewer.partitions(number).values()):
                slot = viewer.slot(name)
                if not isinstance(slot, int):
                    filesystem = viewer.driver(name)
                    found.append(DeviceEntry(name, slot.start * SECTOR, slot.length * SECTOR, filesystem))
    except GivenUp as error:
        raise ImageFileError(disk.name, "(hd0)", f"given up: {error}") from None
    return found


def list_directory(
    image: str | os.PathLike[str] | Disk,
    path: str | bytes,
    *,
    aki: str | None = None,
    pvgrub: str | None = None,
    arch: str | None = None,
    survey: bool = False,
    details: bool = True,
    image_format: str = "auto",
    access: Access | None = None,
) -> list[DirectoryEntry]:
    """List a directory of an image with PV-GRUB's own drivers, bugs included, or honestly.

    image: a path, or what open_image() returned; PV-GRUB knows it as hd0, and a machine's disks as hd0, hd1 and so on,
    as boot() attaches them. path: device and path as in a menu.lst, `(hd0,0)/boot/`; of a file, that file is listed.
    aki, pvgrub: which PV-GRUB, as for boot(); arch: `x86_64` (default) or `i386`. survey: read as a modern system does,
    instead. details: False gives names only, which is faster. image_format, access: as for open_image(). Names are in
    the directory's order, in the survey sorted. Raises ImageError, ImageFileError where the directory cannot be read,
    and UsageError.
    """
    raw = _bytes(path)
    with ExitStack() as stack:
        disk = attach(image, stack, image_format, access)
        if survey:
            from pvgrub_sim.survey.viewer import entries_at

            return entries_at(guest_disks(disk), raw, details)
        return _list(disk, choose_profile(aki=aki, pvgrub=pvgrub, arch=arch), raw, details)


def read_file(
    image: str | os.PathLike[str] | Disk,
    path: str | bytes,
    *,
    aki: str | None = None,
    pvgrub: str | None = None,
    arch: str | None = None,
    survey: bool = False,
    image_format: str = "auto",
    access: Access | None = None,
) -> bytes:
    """Read a file of an image with PV-GRUB's own drivers, bugs included, or honestly.

    Arguments and errors as for list_directory(). As in PV-GRUB, a gzipped file comes out unpacked; in the survey not.
    Of more than 256 MiB, which a file of a few bytes may claim to unpack to, ImageFileError is raised.
    """
    content = BytesIO()
    pieces = iter_file(
        image, path, aki=aki, pvgrub=pvgrub, arch=arch, survey=survey, image_format=image_format, access=access
    )
    for piece in pieces:
        content.write(piece)
        if content.tell() > LARGEST:
            name = image.name if isinstance(image, Disk) else os.fspath(image)
            raise ImageFileError(
                name, _text(_bytes(path)), f"has more than {LARGEST >> 20} MiB: read it piece by piece"
            )
    return content.getvalue()


def iter_file(
    image: str | os.PathLike[str] | Disk,
    path: str | bytes,
    *,
    aki: str | None = None,
    pvgrub: str | None = None,
    arch: str | None = None,
    survey: bool = False,
    image_format: str = "auto",
    access: Access | None = None,
) -> Iterator[bytes]:
    """Read a file of an image in pieces of at most 1 MiB; arguments and errors as for read_file().

    What is wrong is raised when the first piece is asked for, or a later one.
    """
    raw = _bytes(path)
    with ExitStack() as stack:
        disk = attach(image, stack, image_format, access)
        if survey:
            from pvgrub_sim.survey.viewer import pieces_at

            yield from pieces_at(guest_disks(disk), raw)
        else:
            yield from _content(disk, choose_profile(aki=aki, pvgrub=pvgrub, arch=arch), raw)


def _bytes(path: str | bytes) -> bytes:
    return path if isinstance(path, bytes) else path.encode("utf-8", "surrogateescape")


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _viewer(disk: Disk, profile: Profile, path: bytes) -> Viewer:
    """A viewer with this disk, or all of this machine's.

    Raises UsageError for a path that names no device, and says which there are.
    """
    if not path.startswith(b"("):
        raise UsageError(
            f"{disk.name}: {_text(path)!r} is no name that PV-GRUB knows: it has no device{_hint(disk, profile, path)}"
        )
    return Viewer(guest_disks(disk), profile)


def _hint(disk: Disk, profile: Profile, path: bytes) -> str:
    """Where a path without a device may be meant to be."""
    tail = "/" + _text(path).lstrip("/")
    viewer = Viewer(guest_disks(disk), profile)
    try:
        devices = [device for device in _devices(disk, profile) if device.filesystem]
        for device in devices:
            if viewer.look(device.name, tail).error in (ErrNum.NONE, ErrNum.BAD_FILETYPE):
                return f", and a menu would have set one with `root`: write '{device.name}{tail}'"
    except (GivenUp, ImageFileError):
        devices = []
    known = ", ".join(device.name for device in devices)
    return f"; PV-GRUB mounts {known}" if known else "; PV-GRUB mounts none of this image"


def _content(disk: Disk, profile: Profile, path: bytes) -> Iterator[bytes]:
    try:
        yield from _viewer(disk, profile, path).pieces(path)
    except Unreadable as error:
        raise ImageFileError(disk.name, _text(path), str(error), error.number) from None
    except GivenUp as error:
        raise ImageFileError(disk.name, _text(path), f"given up: {error}") from None


def _list(disk: Disk, profile: Profile, path: bytes, details: bool) -> list[DirectoryEntry]:
    try:
        return _viewer(disk, profile, path).entries(path, details)
    except Unreadable as error:
        raise ImageFileError(disk.name, _text(path), str(error), error.number) from None
    except GivenUp as error:
        raise ImageFileError(disk.name, _text(path), f"given up: {error}") from None
