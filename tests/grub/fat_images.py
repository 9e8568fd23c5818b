"""FAT images made with mkfs.fat and mtools, and what mtools reads back from them."""

from __future__ import annotations

import random
import struct
from pathlib import Path

from tests.tools import run

MENU = b"default 0\ntimeout 0\ntitle one\nroot (hd0)\nkernel /boot/vmlinuz\n"


def contents(name: str, size: int) -> bytes:
    """Bytes that look like nothing in particular, the same for the same name."""
    return random.Random(name).randbytes(size)


def make_fat(image: Path, size: int, *options: str) -> Path:
    """An empty FAT filesystem of `size` bytes on the whole image."""
    with image.open("wb") as file:
        file.truncate(size)
    run("mkfs.fat", *options, image)
    return image


def put(image: Path, path: str, data: bytes) -> None:
    """Write a file with mtools; path: absolute in the filesystem."""
    run("mcopy", "-o", "-i", image, "-", f"::{path}", stdin=data)


def get(image: Path, path: str) -> bytes:
    """What mtools reads from a file."""
    return run("mtype", "-i", image, f"::{path}")


def make_folder(image: Path, path: str) -> None:
    """Make a directory with mtools."""
    run("mmd", "-i", image, f"::{path}")


def names(image: Path, folder: str) -> set[bytes]:
    """The long names (short ones where there is none) in a folder, as mtools lists them."""
    lines = run("mdir", "-b", "-i", image, f"::{folder}").split(b"\n")
    return {line.rstrip(b"/").rpartition(b"/")[2] for line in lines if line.startswith(b"::/")}


def fill(image: Path) -> Path:
    """Put in a tree with a menu, a fragmented kernel, empty and odd-sized files, long and awkward names."""
    for folder in ("/boot", "/boot/grub", "/boot/sub folder", "/EFI"):
        make_folder(image, folder)
    put(image, "/boot/grub/menu.lst", MENU)
    for index in range(12):
        put(image, f"/boot/gap{index}", contents(f"gap{index}", 9000))
    for index in range(0, 12, 2):
        run("mdel", "-i", image, f"::/boot/gap{index}")
    put(image, "/boot/vmlinuz", contents("vmlinuz", 204_371))
    put(image, "/boot/empty", b"")
    for size in (1, 511, 512, 513, 2048, 4096, 4097, 32768):
        put(image, f"/boot/s{size}", contents(f"s{size}", size))
    put(image, "/boot/vmlinuz-6.1.0-13-amd64", contents("long", 30_001))
    put(image, "/boot/" + "n" * 196 + ".lst", b"long name")
    put(image, "/boot/MixedCase.Img", b"mixed")
    put(image, "/boot/KERNEL.BIN", b"upper")
    return image


def root_offset(image: Path) -> int:
    """Where the fixed root directory of a FAT12 or FAT16 begins, in bytes."""
    boot = image.read_bytes()[:64]
    reserved, fats = struct.unpack_from("<HB", boot, 14)
    return int(512 * (reserved + fats * struct.unpack_from("<H", boot, 22)[0]))
