"""Files on FAT, written with mtools: the new one is there, whole, before the old one's name goes."""

from __future__ import annotations

import re
from pathlib import Path

from pvgrub_sim.errors import RepairError
from pvgrub_sim.repair.target import ORIGINAL, Stretch, folders_of, plain_path, same_bytes
from pvgrub_sim.repair.tools import Tools
from pvgrub_sim.typed import Final

FORBIDDEN: Final = '*?[]\\:"<>|'
"""What mtools take for a pattern, and what no FAT name holds."""
_FREE: Final = re.compile(r"^\s*(?P<count>[\d ]+) bytes free\s*$", re.M)


class FatFilesystem:
    """One FAT filesystem that files are put into.

    where: the stretch of the image. tools: run mtools. Raises RepairError when they cannot do what they are asked.
    """

    def __init__(self, where: Stretch, tools: Tools) -> None:
        self._where = where
        self._tools = tools

    @property
    def device(self) -> str:
        """The filesystem as mtools take it: an image, or an image with the partition's offset in bytes."""
        image = self._tools.name_of(self._where.image)
        if "@" in image:
            raise RepairError(f"{image}: mtools take what is behind an at sign for an offset")
        return image if self._where.whole else f"{image}@@{self._where.offset}"

    def exists(self, path: str) -> bool:
        """True when a file or directory has that name."""
        return self._run("mdir", "-b", _name(path), accepted=(0, 1)) == 0

    def read(self, path: str, to: Path) -> None:
        """Copy a file of the filesystem to a new file of the host."""
        self._run("mcopy", "-n", _name(path), to.name)
        if not to.is_file():
            raise RepairError(f"{path} is no file of the filesystem")

    def put(self, path: str, source: Path) -> str:
        """Put a file of the host under a name; returns the name under which what was there is kept, or ""."""
        if not path.isascii():
            raise RepairError(f"{path}: names beyond ASCII are not written on FAT")
        self._has_room(source.stat().st_size)
        for folder in folders_of(path):
            if not self.exists(folder):
                self._run("mmd", _name(folder))
        fresh = self._free_name(f"{path}.new")
        self._run("mcopy", "-n", source.name, _name(fresh))
        back = self._tools.folder / "back"
        back.unlink(missing_ok=True)
        self.read(fresh, back)
        arrived = same_bytes(source, back)
        back.unlink()
        if not arrived:
            self._run("mdel", _name(fresh))
            raise RepairError(f"mcopy wrote {path} short")
        backup = self.put_aside(path) if self.exists(path) else ""
        self._rename(fresh, path)
        return backup

    def link(self, path: str, target: str) -> str:
        """FAT has no links; raises RepairError."""
        raise RepairError(f"{path}: FAT has no links to {target}")

    def put_aside(self, path: str) -> str:
        """Give what lies under a name another one beside it; returns that."""
        backup = self._free_name(f"{path}{ORIGINAL}")
        self._rename(path, backup)
        return backup

    def move(self, path: str, new: str) -> None:
        """Give a file another name, which must not be taken."""
        if self.exists(new):
            raise RepairError(f"{new} is there already")
        self._rename(path, new)

    def check(self) -> None:
        """Find the filesystem readable: mtools have no check of their own, so all directories are listed."""
        self._run("mdir", "-/", "-b", "::/")

    def _rename(self, path: str, other: str) -> None:
        self._run("mren", _name(path), _name(other))
        if not self.exists(other):
            raise RepairError(f"mren did not make the name {other}")

    def _free_name(self, path: str) -> str:
        for number in range(100):
            name = f"{path}.{number}" if number else path
            if not self.exists(name):
                return name
        raise RepairError(f"{path}: that name is taken, and a hundred like it")

    def _has_room(self, size: int) -> None:
        ran = self._tools.run("mdir", "-i", self.device, "::/", accepted=(0, 1))
        match = _FREE.search(ran.output)
        free = int(match["count"].replace(" ", "")) if match else 0
        # Directories grow by clusters, of 32 KiB at most on these filesystems.
        if free < size + (64 << 10):
            raise RepairError(f"{size} bytes do not fit: {free} are free")

    def _run(self, tool: str, *words: str, accepted: tuple[int, ...] = (0,)) -> int:
        return self._tools.run(tool, "-i", self.device, *words, accepted=accepted).status


def _name(path: str) -> str:
    """A path as mtools take it."""
    return f"::{plain_path(path, forbidden=FORBIDDEN)}"
