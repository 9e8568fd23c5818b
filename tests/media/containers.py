"""Images in the formats of virtual disks, written by qemu-img and qemu-io, and what qemu-img says is in them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from tests.tools import run

SECTOR = 512
MIB = 1 << 20
QEMU_NAMES = {"vhd": "vpc"}
"""What qemu calls a format, where that is another name."""


def create(image: Path, format_: str, size: int, *options: str, backing: tuple[str, str] | None = None) -> Path:
    """An empty image. options: as -o takes them. backing: the file's name and format."""
    words = ["-o", ",".join(options)] if options else []
    if backing is not None:
        words += ["-b", backing[0], "-F", QEMU_NAMES.get(backing[1], backing[1])]
    run("qemu-img", "create", "-q", "-f", QEMU_NAMES.get(format_, format_), *words, image, str(size))
    return image


def scribble(image: Path, format_: str, size: int, seed: str, count: int = 60) -> None:
    """Random writes, zeroes and discards, by qemu-io: odd lengths, some large, some over each other."""
    source = random.Random(seed)
    words: list[str] = []
    for _ in range(count):
        at = source.randrange(size // SECTOR) * SECTOR
        length = min(size - at, source.choice((1, 7, 64, 400, 3000)) * SECTOR)
        what = source.choice("wwwzd")
        pattern = source.randrange(1, 256)
        line = {"w": f"write -P {pattern} {at} {length}", "z": f"write -z {at} {length}", "d": f"discard {at} {length}"}
        words += ["-c", line[what]]
    run("qemu-io", "-f", QEMU_NAMES.get(format_, format_), "-d", "unmap", *words, image)


def noise(path: Path, size: int, seed: str) -> Path:
    """A raw image of text, noise and holes."""
    source = random.Random(seed)
    with path.open("wb") as file:
        for _ in range(40):
            file.seek(source.randrange(size // SECTOR) * SECTOR)
            length = source.choice((512, 5000, 70_000, 300_000))
            content = source.choice((source.randbytes(length), b"lorem ipsum " * (length // 12)))
            file.write(content[: size - file.tell()])
        file.truncate(size)
    return path


def convert(raw: Path, image: Path, format_: str, options: Sequence[str] = (), *, compress: bool = False) -> Path:
    """A raw image in another format."""
    words = [*(["-c"] if compress else []), *(["-o", ",".join(options)] if options else [])]
    run("qemu-img", "convert", "-f", "raw", "-O", QEMU_NAMES.get(format_, format_), *words, raw, image)
    return image


def as_raw(image: Path, format_: str) -> bytes:
    """What qemu-img says is in an image."""
    raw = image.with_name(image.name + ".raw")
    run("qemu-img", "convert", "-f", QEMU_NAMES.get(format_, format_), "-O", "raw", image, raw)
    content = raw.read_bytes()
    raw.unlink()
    return content
