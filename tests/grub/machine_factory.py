"""Machines on image files, and the few steps that driver tests need: mount, open, read, list."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from pvgrub_sim.grub.console.terminal import Terminal
from pvgrub_sim.grub.disk.raw import SECTOR_SIZE
from pvgrub_sim.grub.errnum import ErrNum, GrubError
from pvgrub_sim.grub.file.open import grub_open, open_device, setup_part
from pvgrub_sim.grub.fs.read import grub_read
from pvgrub_sim.grub.machine import GRUB_INVALID_DRIVE, Handover, Machine
from pvgrub_sim.media import Disk, open_disk
from pvgrub_sim.profiles import find_profile

LOAD_CHUNK = 1 << 20
"""What load_file() in stubdom/grub/mini-os.c asks for first; it doubles its buffer from there."""


class BytesDisk:
    """A disk in memory, for hostile images that are never written to a file."""

    def __init__(self, data: bytes, name: str = "memory") -> None:
        self.name = name
        self.size = len(data)
        self._data = data

    def read(self, offset: int, length: int) -> bytes:
        data = self._data[offset : offset + length]
        assert len(data) == length, "the machine reads past the end of a disk"
        return data

    def close(self) -> None:
        """Nothing to release."""


class CountingDisk:
    """An image file that counts how often it is read, and how many bytes of it."""

    def __init__(self, image: Path) -> None:
        self._below = open_disk(str(image))
        self.name, self.size = self._below.name, self._below.size
        self.calls = self.bytes = 0

    def read(self, offset: int, length: int) -> bytes:
        self.calls += 1
        self.bytes += length
        return self._below.read(offset, length)

    def close(self) -> None:
        self._below.close()


def assert_one_pass(image: Path, entries: int, folder: bytes) -> None:
    """A folder of so many entries is listed, and a name sought in vain, with one step an entry and one read a block."""
    for look in (lambda m: len(list_names(m, folder)) == entries, lambda m: error_of(m, folder + b"none") == 15):
        disk = CountingDisk(image)
        m = machine_on(disk)
        assert look(m)
        assert entries < m.steps < 1.1 * entries
        assert disk.calls < entries / 30
        assert disk.bytes < 32 * entries
        disk.close()


def _no_loader(m: Machine, handover: Handover) -> NoReturn:
    raise AssertionError("no test of a driver boots a kernel")


def machine_on(*images: str | Path | bytes | Disk, profile: str = "xen-4.17", arch: str = "x86_64") -> Machine:
    """A machine whose hd0, hd1, … are these image files (or bytes, or Disks), with nothing opened yet."""
    disks: list[Disk] = []
    for image in images:
        if isinstance(image, bytes):
            assert len(image) >= SECTOR_SIZE
            disks.append(BytesDisk(image))
        elif isinstance(image, str | Path):
            disks.append(open_disk(str(image)))
        else:
            disks.append(image)
    m = Machine(find_profile(profile, arch), disks, Terminal(), _no_loader)
    m.current_drive = GRUB_INVALID_DRIVE
    return m


def mount(m: Machine, device: bytes = b"(hd0)") -> str | None:
    """The name of the filesystem that mounts on a device, None when none does; errnum stays as it was left."""
    m.errnum = ErrNum.NONE
    try:
        setup_part(m, device + b"/")
    except GrubError:
        return None
    return m.fsys.name if m.fsys else None


def open_file(m: Machine, name: bytes) -> int:
    """Open a file by its full name, such as `(hd0)/boot/vmlinuz`; returns filemax. Raises GrubError."""
    m.errnum = ErrNum.NONE
    grub_open(m, name)
    return m.filemax


def read_file(m: Machine, name: bytes) -> bytes:
    """A file's bytes as load_file() in stubdom/grub/mini-os.c gets them. Raises GrubError."""
    open_file(m, name)
    m.errnum = ErrNum.NONE
    parts: list[bytes] = []
    filled, allocated = 0, LOAD_CHUNK
    while True:
        data = grub_read(m, allocated - filled)
        if not data:
            break
        parts.append(data)
        filled += len(data)
        if filled < allocated:
            break
        allocated *= 2
    return b"".join(parts)


def error_of(m: Machine, name: bytes) -> int:
    """The number of the error that opening and reading a file ends with, 0 when it works."""
    try:
        read_file(m, name)
    except GrubError as error:
        return int(error.number)
    return 0


def list_names(m: Machine, name: bytes) -> list[bytes]:
    """The names that a driver lists for `(hd0)/folder/` or a beginning of a name there. Raises GrubError."""
    m.errnum = ErrNum.NONE
    path = setup_part(m, name)
    assert m.fsys is not None
    return list(m.fsys.list(path))


__all__ = [
    "BytesDisk",
    "CountingDisk",
    "assert_one_pass",
    "error_of",
    "list_names",
    "machine_on",
    "mount",
    "open_device",
    "open_file",
    "read_file",
]
