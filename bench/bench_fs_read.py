"""Reading a large file and a large directory from each filesystem, beside a plain read of the same image.

Builds each image with public tools at run time, checks that the driver reads what was written, and prints the
driver's rate as a share of what a plain sequential read of as many bytes through the same Disk reaches. Both are
measured in turns within one run; the median of the turns counts.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import kernel_images
from pvgrub_sim.grub.fs.read import grub_read
from pvgrub_sim.media import open_disk
from tests.grub.machine_factory import list_names, machine_on, open_file

MIB = 1 << 20
CHUNK = MIB
Builder = Callable[[Path, Path, list[str], int], None]
"""Makes an image (first) of the files in a folder, with a folder of these names, of at least so many bytes."""
FILE = "big"
FOLDER = "many"


def make_ext(kind: str, block: int, features: str) -> Builder:
    """A builder of ext images: mke2fs copies the files.

    It would take hours to link 100 000 names, so the large folder is written as a file and made a folder by debugfs.
    """

    def build(image: Path, folder: Path, names: list[str], size: int) -> None:
        many = folder / FOLDER
        many.write_bytes(ext_directory(names, block))
        options = ["-O", features] if features else []
        command = ["mke2fs", "-q", "-F", "-t", kind, "-b", str(block), "-d", str(folder), *options, str(image)]
        subprocess.run([*command, f"{size // 1024}k"], check=True, capture_output=True)
        change = ["debugfs", "-w", "-R", f"sif /{FOLDER} mode 040755", str(image)]
        subprocess.run(change, check=True, capture_output=True)
        many.unlink()

    return build


def ext_directory(names: list[str], block: int) -> bytes:
    """A linear directory of names that all stand for inode 12, the first file of a new filesystem."""
    blocks: list[bytes] = []
    here = bytearray()
    last = 0
    for name in names:
        entry = struct.pack("<IHBB", 12, (8 + len(name) + 3) & ~3, len(name), 1) + name.encode()
        entry += bytes(-len(entry) % 4)
        if len(here) + len(entry) > block:
            struct.pack_into("<H", here, last + 4, block - last)
            blocks.append(bytes(here).ljust(block, b"\0"))
            here.clear()
        last = len(here)
        here += entry
    struct.pack_into("<H", here, last + 4, block - last)
    blocks.append(bytes(here).ljust(block, b"\0"))
    return b"".join(blocks)


def make_xfs(image: Path, folder: Path, names: list[str], size: int) -> None:
    """A builder of XFS version 4 images: mkfs.xfs copies the folder as a protofile lists it."""
    lines = ["/dev/null", "0 0", "d--755 0 0", f"{FILE} ---644 0 0 {folder / FILE}"]
    lines.append(f"{FOLDER} d--755 0 0")
    lines += [f"{name} ---644 0 0 /dev/null" for name in names]
    proto = image.with_suffix(".proto")
    proto.write_text("\n".join([*lines, "$", "$", ""]))
    with image.open("wb") as file:
        # mkfs.xfs cuts a file to the room in one of the four allocation groups.
        file.truncate(5 * max(size, 100 * MIB))
    options = ["-m", "crc=0", "-n", "ftype=0"]
    subprocess.run(["mkfs.xfs", "-q", "-f", *options, "-p", str(proto), str(image)], check=True, capture_output=True)


def make_fat32(image: Path, folder: Path, names: list[str], size: int) -> None:
    """A builder of FAT32 images: mtools copies the file, and a file that is made the large folder afterwards.

    mtools takes hours for a folder of this size; FAT allows 65,536 entries, of which a name takes two here.
    """
    with image.open("wb") as file:
        file.truncate(size)
    subprocess.run(["mkfs.fat", "-F", "32", str(image)], check=True, capture_output=True)
    entries = b"".join(fat_entries(name, f"E{index:07d}   ".encode()) for index, name in enumerate(names))
    subprocess.run(["mcopy", "-i", str(image), str(folder / FILE), f"::/{FILE}"], check=True)
    subprocess.run(["mcopy", "-i", str(image), "-", f"::/{FOLDER}"], input=entries, check=True)
    with image.open("r+b") as file:
        reserved, tables, length = struct.unpack("<14xHB19xI", file.read(40))
        root = 512 * (reserved + tables * length)
        file.seek(root)
        at = root + file.read(4096).index(FOLDER.upper().encode().ljust(11))
        file.seek(at + 11)
        file.write(b"\x10")
        file.seek(at + 28)
        file.write(bytes(4))


def fat_entries(name: str, short: bytes) -> bytes:
    """A long name of up to 13 characters and its short one, as in a FAT directory."""
    units = (name.encode("utf-16-le") + b"\0\0").ljust(26, b"\xff")[:26]
    total = 0
    for byte in short:
        total = ((total >> 1 | total << 7) + byte) & 0xFF
    long = b"\x41" + units[:10] + bytes([0x0F, 0, total]) + units[10:22] + b"\0\0" + units[22:]
    return long + short + b"\x20" + bytes(20)


def make_iso9660(image: Path, folder: Path, names: list[str], size: int) -> None:
    """A builder of ISO 9660 images with Rock Ridge names; level 4 spares it making 8.3 names unique."""
    many = folder / FOLDER
    many.mkdir()
    for name in names:
        (many / name).touch()
    command = ["genisoimage", "-quiet", "-iso-level", "4", "-R", "-o", str(image), str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    shutil.rmtree(many)


BUILDERS: dict[str, Builder] = {
    "ext2-1k": make_ext("ext2", 1024, ""),
    "ext2-4k": make_ext("ext2", 4096, ""),
    "ext4-4k": make_ext("ext4", 4096, "^64bit"),
    "xfs-v4": make_xfs,
    "fat32": make_fat32,
    "iso9660": make_iso9660,
    **kernel_images.BUILDERS,
}
"""Filesystems by name: how to make an image."""


def make_file(folder: Path, size: int) -> str:
    """A file of random bytes; returns their MD5."""
    digest = hashlib.md5(usedforsecurity=False)
    source = random.Random(1)
    with (folder / FILE).open("wb") as file:
        for _ in range(size // MIB):
            block = source.randbytes(MIB)
            digest.update(block)
            file.write(block)
    return digest.hexdigest()


def read_driver(image: Path, check: str | None = None) -> float:
    """Seconds that the driver takes to read the file, open included; checks the bytes when told their MD5."""
    m = machine_on(image)
    digest = hashlib.md5(usedforsecurity=False)
    started = time.perf_counter()
    open_file(m, b"(hd0)/" + FILE.encode())
    while True:
        data = grub_read(m, CHUNK)
        if not data:
            break
        if check:
            digest.update(data)
    seconds = time.perf_counter() - started
    if check and digest.hexdigest() != check:
        raise SystemExit(f"{image}: the driver reads other bytes than were written")
    return seconds


def first_byte(image: Path) -> int:
    """Where the file begins in the image, in bytes: the alignment to pages matters to the speed of any read."""
    m = machine_on(image)
    sectors: list[int] = []
    m.disk_read_hook = lambda sector, offset, length: sectors.append(sector)
    open_file(m, b"(hd0)/" + FILE.encode())
    return 512 * sectors[0]


def read_plain(image: Path, begin: int, size: int) -> float:
    """Seconds that as many bytes take from the file's first one on, in chunks of the same size."""
    disk = open_disk(str(image))
    started = time.perf_counter()
    for offset in range(begin, begin + size, CHUNK):
        disk.read(offset, CHUNK)
    seconds = time.perf_counter() - started
    disk.close()
    return seconds


def read_folder(image: Path, entries: int) -> tuple[float, float]:
    """Seconds to look up the last entry of the large folder, and to list it."""
    m = machine_on(image)
    started = time.perf_counter()
    open_file(m, f"(hd0)/{FOLDER}/entry-{entries - 1:06d}".encode())
    lookup = time.perf_counter() - started
    started = time.perf_counter()
    names = list_names(machine_on(image), f"(hd0)/{FOLDER}/".encode())
    listing = time.perf_counter() - started
    if len(names) != entries:
        raise SystemExit(f"{image}: {len(names)} names listed of {entries}")
    return lookup, listing


def measure(image: Path, args: argparse.Namespace, digest: str) -> dict[str, float]:
    """One filesystem's row: MiB/s of both, their ratio, seconds for the folder."""
    size = args.size * MIB
    read_driver(image, digest)
    begin = first_byte(image)
    driver: list[float] = []
    plain: list[float] = []
    for _ in range(args.turns):
        plain.append(read_plain(image, begin, size))
        driver.append(read_driver(image))
    lookup, listing = read_folder(image, args.entries)
    row = {
        "driver_mib_s": args.size / statistics.median(driver),
        "plain_mib_s": args.size / statistics.median(plain),
        "ratio": statistics.median(p / d for p, d in zip(plain, driver, strict=True)),
        "lookup_s": lookup,
        "list_s": listing,
    }
    return {key: round(value, 3) for key, value in row.items()}


def main(argv: list[str] | None = None) -> int:
    """Build, measure, print; returns 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("filesystems", nargs="*", metavar="FS", help=f"of {', '.join(BUILDERS)}; default: all")
    parser.add_argument("--size", type=int, default=100, help="the file's size in MiB")
    parser.add_argument("--entries", type=int, default=100_000, help="entries of the large folder")
    parser.add_argument("--turns", type=int, default=9, help="how often each is measured")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    args = parser.parse_args(argv)
    unknown = set(args.filesystems) - set(BUILDERS)
    if unknown:
        parser.error(f"no builder for {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        folder = root / "folder"
        folder.mkdir()
        names = [f"entry-{index:06d}" for index in range(args.entries)]
        digest = make_file(folder, args.size * MIB)
        for filesystem in args.filesystems or BUILDERS:
            image = root / f"{filesystem}.img"
            BUILDERS[filesystem](image, folder, names, (args.size + args.entries // 1000 + 100) * MIB)
            row = measure(image, args, digest)
            if args.json:
                print(json.dumps({"filesystem": filesystem, **row}))
            else:
                print(f"{filesystem:10}", "  ".join(f"{key} {value:>9}" for key, value in row.items()))
            image.unlink()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
