"""XFS version 4 images made by mkfs.xfs from a protofile, and changed with xfs_db."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.tools import run

Tree = Mapping[str, "bytes | str | Tree"]
"""Names to contents: bytes are a file, text is a symlink's target, a mapping is a directory."""

SIZE = 300 << 20
"""Bytes: what mkfs.xfs takes without complaint; the image is sparse."""


def make_xfs(image: Path, tree: Tree, *options: str) -> Path:
    """Make an image file with these contents; options go to mkfs.xfs (default: version 4, no ftype)."""
    store = image.with_suffix(".files")
    store.mkdir()
    proto = image.with_suffix(".proto")
    lines = ["/dev/null", "0 0", "d--755 0 0", *_lines(tree, store, itertools.count()), "$", ""]
    proto.write_text("\n".join(lines))
    with image.open("wb") as file:
        file.truncate(SIZE)
    if "-m" not in options:
        options += ("-m", "crc=0")
        options += () if "-n" in options else ("-n", "ftype=0")
    run("mkfs.xfs", "-q", "-f", *options, "-p", proto, image)
    return image


def _lines(tree: Tree, store: Path, number: Iterator[int]) -> list[str]:
    lines: list[str] = []
    for name, content in tree.items():
        if isinstance(content, bytes):
            file = store / f"{next(number)}"
            file.write_bytes(content)
            lines.append(f"{name} ---644 0 0 {file}")
        elif isinstance(content, str):
            lines.append(f"{name} l--777 0 0 {content}")
        else:
            lines += [f"{name} d--755 0 0", *_lines(content, store, number), "$"]
    return lines


def xfs_db(image: Path, *commands: str, write: bool = False) -> str:
    """Run xfs_db commands on an image and return what they print."""
    mode = "-x" if write else "-r"
    options = [part for command in commands for part in ("-c", command)]
    return run("xfs_db", mode, *options, image).decode()
