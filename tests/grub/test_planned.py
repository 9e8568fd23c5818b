"""Files that are planned: PV-GRUB boots as if they were on the disk, and the disk is as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from pvgrub_sim.bootchain import Boot, run
from pvgrub_sim.media import AttachedDisk, open_disk
from pvgrub_sim.media.overlay import OverlayDisk
from pvgrub_sim.model import Outcome
from pvgrub_sim.profiles import choose_profile
from tests.images import unpack_sparse
from tests.kernel_images import Elf, bzimage, payload

FIXTURES = Path(__file__).parents[2] / "fixtures"


class Files:
    """Planned files of a volume, by their paths; links lead elsewhere."""

    def __init__(self, files: dict[bytes, bytes], links: dict[bytes, bytes] | None = None, anew: str = "") -> None:
        self.files = files
        self.links = links or {}
        self.anew = anew

    def resolve(self, path: bytes) -> bytes:
        return self.links.get(path, path)

    def beneath(self, path: bytes) -> bytes:
        return self.links.get(path, path)

    def content(self, path: bytes) -> bytes | None:
        return self.files.get(path)

    def is_directory(self, path: bytes) -> bool:
        return any(name.startswith(path.rstrip(b"/") + b"/") for name in self.files)


@pytest.fixture(scope="module")
def kernel() -> bytes:
    return bzimage(payload("gzip", Elf(bits=64).build()))


def boot_of(image: Path, files: Files, sector: int = 0) -> Boot:
    disk = open_disk(str(image))
    try:
        profile = choose_profile()._replace(arch="x86_64")
        return run([AttachedDisk(disk, 2049, "/dev/sda1")], profile, planned={(0x80, sector): files})
    finally:
        disk.close()


def test_a_planned_kernel_boots(tmp_path: Path, kernel: bytes) -> None:
    image = unpack_sparse(FIXTURES / "images/demo.img.zst", tmp_path / "disk.img")
    boot = boot_of(image, Files({b"/boot/vmlinuz-4.3": kernel}))
    assert boot.outcome is Outcome.BOOTS and boot.machine.booted_entry == 0
    assert boot.handed_over.kernel_size == len(kernel)
    assert boot.machine.boot_errors == []


def test_a_planned_link_is_followed_to_a_planned_file(tmp_path: Path, kernel: bytes) -> None:
    image = unpack_sparse(FIXTURES / "images/demo.img.zst", tmp_path / "disk.img")
    boot = boot_of(image, Files({b"/k": kernel}, {b"/boot/vmlinuz-4.3": b"/k"}))
    assert boot.machine.booted_entry == 0


def test_a_filesystem_made_anew_has_the_planned_files_only(tmp_path: Path, kernel: bytes) -> None:
    image = tmp_path / "disk.img"
    image.write_bytes(bytes(1 << 20))
    menu = b"timeout 0\ntitle x\nroot (hd0)\nkernel /vmlinuz\ntitle y\nroot (hd0)\nkernel /none\n"
    files = Files({b"/boot/grub/menu.lst": menu, b"/vmlinuz": kernel}, anew="ext2fs")
    boot = boot_of(image, files)
    assert boot.outcome is Outcome.BOOTS
    assert " Filesystem type is ext2fs, using whole disk" in boot.machine.term.console()
    gone = boot_of(image, Files({b"/boot/grub/menu.lst": menu}, anew="ext2fs"))
    assert [error.number for error in gone.machine.boot_errors] == [15]


def test_an_overlay_changes_bytes_across_the_edges_of_a_read(tmp_path: Path) -> None:
    image = tmp_path / "disk.img"
    image.write_bytes(bytes(range(256)) * 8)
    disk = open_disk(str(image))
    over = OverlayDisk(disk, {510: b"abcd", 1000: b"x"})
    assert over.read(508, 8) == bytes([252, 253]) + b"abcd" + bytes([2, 3])
    assert over.read(512, 4) == b"cd" + bytes([2, 3])
    assert over.read(0, 511)[-1:] == b"a"
    assert over.read(0, disk.size)[1000:1001] == b"x"
    assert disk.read(510, 4) == bytes([254, 255, 0, 1])
    disk.close()
