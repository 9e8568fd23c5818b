"""A partition taken out of its image for tools that know no offsets, and put back in its place."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from pvgrub_sim.errors import RepairError
from pvgrub_sim.repair.copy import copy_image
from pvgrub_sim.repair.target import Stretch
from pvgrub_sim.repair.tools import Tools
from pvgrub_sim.typed import Final

BLOCK: Final = 4 << 20
"""Bytes that are compared and written back at once."""


def change_alone(where: Stretch, tools: Tools, change: Callable[[Path, Tools], None]) -> None:
    """Change a filesystem as a file of its own, and put what came out back where it was.

    where: the stretch of the image. change: is given the file, which must keep its size, and the tools. Raises
    RepairError, after which the image is as it was.
    """
    if where.whole and where.image.stat().st_size == where.size:
        alone = tools.folder / "whole.img"
        copy_image(where.image, alone)
    else:
        alone = tools.folder / "part.img"
        take_out(where, alone)
    try:
        change(alone, tools)
        size = alone.stat().st_size
        if size > where.size:
            raise RepairError(f"the filesystem grew from {where.size} to {size} bytes")
        _put_back(alone, where)
    finally:
        alone.unlink(missing_ok=True)


def without_feature_64bit(alone: Path, tools: Tools) -> None:
    """Rewrite an ext4 filesystem in the 32-bit form that PV-GRUB reads: `resize2fs -s`, which wants it checked first.

    Raises RepairError when e2fsck finds anything that it cannot put right, or when the result is not sound.
    """
    # 1: errors were put right. Anything above is no filesystem to go on with.
    tools.run("e2fsck", "-f", "-y", alone.name, accepted=(0, 1))
    tools.run(
        "e2fsck",
        "-fn",
        alone.name,
    )
    tools.run(
        "resize2fs",
        "-s",
        alone.name,
    )
    tools.run(
        "e2fsck",
        "-fn",
        alone.name,
    )


def checked(alone: Path, tools: Tools) -> None:
    """Put an ext filesystem right, its journal replayed; raises RepairError unless it is sound afterwards."""
    tools.run("e2fsck", "-f", "-y", alone.name, accepted=(0, 1))
    tools.run(
        "e2fsck",
        "-fn",
        alone.name,
    )


def take_out(where: Stretch, alone: Path) -> None:
    """Copy a stretch of an image to a file, blocks of zeros left out."""
    zeros = bytes(BLOCK)
    with where.image.open("rb") as image, alone.open("xb") as file:
        for at in range(0, where.size, BLOCK):
            data = os.pread(image.fileno(), min(BLOCK, where.size - at), where.offset + at)
            if data != zeros[: len(data)]:
                os.pwrite(file.fileno(), data, at)
        file.truncate(where.size)


def _put_back(alone: Path, where: Stretch) -> None:
    """Write what differs back into the image, so that its holes stay holes."""
    with where.image.open("r+b") as image, alone.open("rb") as file:
        for at in range(0, where.size, BLOCK):
            length = min(BLOCK, where.size - at)
            new = os.pread(file.fileno(), length, at).ljust(length, b"\0")
            old = os.pread(image.fileno(), length, where.offset + at)
            if new != old:
                _write_changes(image.fileno(), old, new, where.offset + at)
        os.fsync(image.fileno())


def _write_changes(image: int, old: bytes, new: bytes, at: int) -> None:
    """Write the pages of a block that differ."""
    page = 4096
    for start in range(0, len(new), page):
        piece = new[start : start + page]
        if piece != old[start : start + page]:
            os.pwrite(image, piece, at + start)
