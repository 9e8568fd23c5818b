"""ext2, ext3 and ext4 images made by mke2fs from a folder, read and changed with debugfs."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Mapping
from pathlib import Path

from tests.tools import run

Tree = Mapping[str, "bytes | str | Tree"]
"""Names to contents: bytes are a file, text is a symlink's target, a mapping is a directory."""

OLD_EXT4 = ("-t", "ext4", "-O", "^64bit,^metadata_csum,^has_journal")


def make_ext(image: Path, tree: Tree, *options: str, size: str = "4M", block: int = 1024) -> Path:
    """Make an image file with these contents; options go to mke2fs (default: plain ext2)."""
    folder = image.with_suffix(".folder")
    folder.mkdir()
    _fill(folder, tree)
    run("mke2fs", "-q", "-F", "-b", str(block), *(options or ("-t", "ext2")), "-d", folder, image, size)
    return image


def _fill(folder: Path, tree: Tree) -> None:
    for name, content in tree.items():
        path = folder / name
        if isinstance(content, bytes):
            _write_sparse(path, content)
        elif isinstance(content, str):
            path.symlink_to(content)
        else:
            path.mkdir()
            _fill(path, content)


def _write_sparse(path: Path, content: bytes) -> None:
    """Write a file whose blocks of zeros are holes, which mke2fs keeps."""
    step = 4096
    with path.open("wb") as file:
        for at in range(0, len(content), step):
            part = content[at : at + step]
            if any(part):
                os.pwrite(file.fileno(), part, at)
        file.truncate(len(content))


def debugfs(image: Path, *commands: str) -> str:
    """Run debugfs commands on an image, writing where they do, and return what they print."""
    return "".join(run("debugfs", "-w", "-R", command, image).decode() for command in commands)


def cat(image: Path, name: str) -> bytes:
    """A file's contents as debugfs reads them."""
    return run("debugfs", "-R", f"cat {name}", image)


def names(image: Path, folder: str) -> list[bytes]:
    """The names in a directory as debugfs lists them."""
    lines = run("debugfs", "-R", f"ls -p {folder}", image).splitlines()
    return [line.split(b"/")[5] for line in lines if line.startswith(b"/") and not line.startswith(b"/0/")]


def inode_at(image: Path, name: str, block: int = 1024) -> int:
    """Where a file's inode lies in the image, in bytes."""
    found = re.search(r"located at block (\d+), offset 0x([0-9a-f]+)", debugfs(image, f"imap {name}"))
    assert found
    return int(found[1]) * block + int(found[2], 16)


def blocks_of(image: Path, name: str) -> list[int]:
    """A file's blocks on disk, as debugfs lists them."""
    return [int(word) for word in debugfs(image, f"blocks {name}").split()]


def poke(image: Path, at: int, form: str, *values: int) -> None:
    """Write numbers at a byte of the image."""
    with image.open("r+b") as file:
        file.seek(at)
        file.write(struct.pack(form, *values))


def peek(image: Path, at: int, size: int) -> bytes:
    """Bytes of the image."""
    with image.open("rb") as file:
        file.seek(at)
        return file.read(size)
