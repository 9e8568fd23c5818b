"""What a repair writes to: a stretch of an image with a filesystem on it, and paths that are nothing but names."""

from __future__ import annotations

from pathlib import Path

from pvgrub_sim.errors import RepairError
from pvgrub_sim.typed import Final, Protocol
from pvgrub_sim.values import NamedTuple

LONGEST_PATH: Final = 1024
"""Bytes of a path that a tool is given."""
ORIGINAL: Final = ".orig"
"""What is put behind the name of a file of which the original is kept."""


class Stretch(NamedTuple):
    """Where a filesystem lies: the image, and offset and size in bytes."""

    image: Path
    offset: int
    size: int

    @property
    def whole(self) -> bool:
        """True when it begins with the image, so that a tool needs no offset."""
        return self.offset == 0


class Writer(Protocol):
    """A filesystem that files are put into; every method raises RepairError when that cannot be done."""

    def read(self, path: str, to: Path) -> None:
        """Copy a file of the filesystem to a new file of the host."""

    def put(self, path: str, source: Path) -> str:
        """Put a file of the host under a name; returns the name under which what was there is kept, or ""."""

    def link(self, path: str, target: str) -> str:
        """Put a symbolic link under a name; returns the name under which what was there is kept, or ""."""

    def put_aside(self, path: str) -> str:
        """Give what lies under a name another one beside it; returns that."""

    def move(self, path: str, new: str) -> None:
        """Give a file another name, which must not be taken."""

    def check(self) -> None:
        """Find the filesystem sound."""


def plain_path(path: str, *, forbidden: str = "") -> str:
    """A path that every tool takes for a name and nothing else; raises RepairError for any other.

    forbidden: further characters that a tool gives a meaning to.
    """
    parts = path.split("/")
    if not path.startswith("/") or len(path.encode("utf-8", "surrogateescape")) > LONGEST_PATH:
        raise RepairError(f"{ascii(path)[:80]} is no path from the root of a filesystem")
    if any(part in ("", ".", "..") for part in parts[1:]):
        raise RepairError(f"{ascii(path)[:80]} is not written plainly")
    if not path.isprintable() or any(char in forbidden for char in path):
        raise RepairError(f"{ascii(path)[:80]} holds a character that is not written by a tool")
    return path


def folders_of(path: str) -> tuple[str, ...]:
    """The folders above a path, from the top on: `/boot/grub/menu.lst` has `/boot` and `/boot/grub`."""
    parts = path.split("/")[1:-1]
    return tuple("/" + "/".join(parts[: count + 1]) for count in range(len(parts)))


def same_bytes(one: Path, other: Path) -> bool:
    """True when two files of the host hold the same, byte by byte."""
    if one.stat().st_size != other.stat().st_size:
        return False
    with one.open("rb") as left, other.open("rb") as right:
        while True:
            part = left.read(1 << 20)
            if part != right.read(1 << 20):
                return False
            if not part:
                return True
