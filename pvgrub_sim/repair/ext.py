"""Files on ext2, ext3 and ext4, written with debugfs: the new one is there, whole, before the old one's name goes."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from pvgrub_sim.errors import RepairError
from pvgrub_sim.repair.target import ORIGINAL, Stretch, folders_of, plain_path, same_bytes
from pvgrub_sim.repair.tools import Ran, Tools
from pvgrub_sim.typed import Final
from pvgrub_sim.values import NamedTuple

_STAT: Final = re.compile(
    r"^Inode: (?P<inode>\d+)\s+Type: (?P<type>\S+(?: \S+)?)\s+Mode:\s+(?P<mode>\d+).*?^User:\s+(?P<user>\d+)\s+"
    r"Group:\s+(?P<group>\d+).*?Size: (?P<size>\d+)",
    re.M | re.S,
)
_HEADER: Final = re.compile(
    r"^(?P<name>Free blocks|Block size|Free inodes|Filesystem features):\s+(?P<value>.*)$", re.M
)
_ATTRIBUTE: Final = re.compile(r"^  (?P<name>[a-z]+\.\S+) \((?P<value>.*)$", re.M)
_VERSION: Final = re.compile(r"^debugfs \d\S* \(.*\)\s*$")
_FULL_DIRECTORY: Final = "No free space in the directory"
REGULAR: Final = 0o100644


class Inode(NamedTuple):
    """What debugfs says of a name: its kind (`regular`, `directory`, `symlink`, …), mode, owner, size in bytes."""

    kind: str
    mode: int
    user: int
    group: int
    size: int


class ExtFilesystem:
    """One ext2, ext3 or ext4 filesystem that files are put into.

    where: the stretch of the image. tools: run the tools, in a folder where only files that this class names itself are
    written. Raises RepairError when debugfs cannot do what it is asked.
    """

    def __init__(self, where: Stretch, tools: Tools) -> None:
        self._where = where
        self._tools = tools

    @property
    def device(self) -> str:
        """The filesystem as e2fsprogs takes it: an image, or an image with the partition's offset in bytes."""
        image = self._tools.name_of(self._where.image)
        if "?" in image:
            raise RepairError(f"{image}: e2fsprogs take what is behind a question mark for options")
        return image if self._where.whole else f"{image}?offset={self._where.offset}"

    def header(self) -> dict[str, str]:
        """`Free blocks`, `Free inodes`, `Block size` and `Filesystem features` as dumpe2fs says them."""
        said = self._tools.run("dumpe2fs", "-h", self.device).output
        return {match["name"]: match["value"] for match in _HEADER.finditer(said)}

    def stat(self, path: str) -> Inode | None:
        """What lies under a name, None when there is nothing."""
        ran = self._debugfs([f"stat {_word(path)}"], write=False, failing=False)
        match = _STAT.search(ran.output)
        if match is None:
            return None
        return Inode(match["type"], int(match["mode"], 8), int(match["user"]), int(match["group"]), int(match["size"]))

    def read(self, path: str, to: Path) -> None:
        """Copy a file of the filesystem to a new file of the host."""
        before = self.stat(path)
        if before is None or before.kind != "regular":
            raise RepairError(f"{path} is no file of the filesystem")
        self._debugfs([f"dump {_word(path)} {to.name}"], write=False)
        if not to.exists() or to.stat().st_size != before.size:
            raise RepairError(f"debugfs did not read all of {path}")

    def put(self, path: str, source: Path) -> str:
        """Put a file of the host under a name; returns the name under which what was there is kept, or "".

        The bytes that arrive are compared before the name is given to them.
        """
        plain_path(path)
        self._has_room(source.stat().st_size)
        old = self.stat(path)
        if old is not None and old.kind == "directory":
            raise RepairError(f"{path} is a directory")
        self._make_folders(path)
        fresh = self._free_name(f"{path}.new")
        self._write(source, fresh)
        back = self._tools.folder / "back"
        back.unlink(missing_ok=True)
        self.read(fresh, back)
        arrived = same_bytes(source, back)
        back.unlink()
        if not arrived:
            self._debugfs([f"rm {_word(fresh)}"])
            raise RepairError(f"debugfs wrote {path} short")
        regular = old is not None and old.kind == "regular"
        mode = old.mode | 0o100000 if old is not None and regular else REGULAR
        attributes = [f"set_inode_field {_word(fresh)} mode 0{mode:o}"]
        if old is not None:
            attributes += [
                f"set_inode_field {_word(fresh)} {field} {value}"
                for field, value in (("uid", old.user), ("gid", old.group))
            ]
        self._debugfs(attributes)
        lost = self._keep_attributes(path, fresh) if regular else ""
        backup = self._keep(path) if old is not None else ""
        self._name(fresh, path)
        return f"{backup}; the new one lacks {lost}" if lost else backup

    def _keep_attributes(self, old: str, new: str) -> str:
        """Give a new file the extended attributes of another, SELinux's label among them; what it lacks, in words."""
        names = self._attributes(old)
        for name in names:
            value = self._tools.fresh()
            with suppress(RepairError):
                self._debugfs([f"ea_get -f {value.name} {_word(old)} {_quoted(name)}"], write=False)
                self._debugfs([f"ea_set -f {value.name} {_word(new)} {_quoted(name)}"])
        lost = sorted(set(names.items()) - set(self._attributes(new).items()))
        return "the extended attributes " + ", ".join(name for name, _ in lost) if lost else ""

    def _attributes(self, path: str) -> dict[str, str]:
        """The extended attributes of a file: name, and value as debugfs shows it."""
        said = self._debugfs([f"ea_list {_word(path)}"], write=False).output
        return {match["name"]: match["value"] for match in _ATTRIBUTE.finditer(said)}

    def link(self, path: str, target: str) -> str:
        """Put a symbolic link under a name; returns the name under which what was there is kept, or ""."""
        plain_path(path)
        if not target or not target.isprintable() or len(target) > 255:
            raise RepairError(f"{ascii(target)[:80]} is no target for a link")
        self._make_folders(path)
        backup = self._keep(path) if self.stat(path) is not None else ""
        self._changing_directory(path, f"symlink {_word(path)} {_quoted(target)}")
        made = self.stat(path)
        if made is None or made.kind != "symlink":
            raise RepairError(f"debugfs did not make the link {path}")
        return backup

    def put_aside(self, path: str) -> str:
        """Give what lies under a name another one beside it; returns that."""
        return self._keep(plain_path(path))

    def move(self, path: str, new: str) -> None:
        """Give a file another name, which must not be taken."""
        if self.stat(plain_path(new)) is not None:
            raise RepairError(f"{new} is there already")
        self._make_folders(new)
        self._name(path, new)

    def check(self) -> None:
        """Find the filesystem sound with e2fsck, which changes nothing; raises RepairError when it is not."""
        self._tools.run("e2fsck", "-fn", self.device)

    def _write(self, source: Path, path: str) -> None:
        """Write a file so that PV-GRUB reads it, which misreads the holes that debugfs makes of blocks of zeros."""
        commands = [f"write {source.name} {_word(path)}"]
        if "extent" in self.header().get("Filesystem features", "").split():
            # A file that is made while the feature is off has a block map, whose holes PV-GRUB reads rightly.
            commands = ["feature -extent", *commands, "feature extent"]
        ran = self._debugfs(commands, failing=False)
        words = _complaints(ran)
        if words:
            if self.stat(path) is not None:
                self._debugfs([f"rm {_word(path)}"], failing=False)
            raise RepairError(f"debugfs cannot write {path}: {words}", ran=ran)

    def _keep(self, path: str) -> str:
        """Give what lies under a name another one beside it."""
        backup = self._free_name(f"{path}{ORIGINAL}")
        self._name(path, backup)
        return backup

    def _name(self, path: str, other: str) -> None:
        """Rename: debugfs's `ln` and `unlink` leave the count of links alone, so that both together are right."""
        self._changing_directory(other, f"ln {_word(path)} {_word(other)}")
        if self.stat(other) is None:
            raise RepairError(f"debugfs did not make the name {other}")
        self._debugfs([f"unlink {_word(path)}"])

    def _changing_directory(self, path: str, command: str) -> None:
        """Run a command that makes a name, in a directory that may have to grow for it."""
        ran = self._debugfs([command], failing=False)
        if _FULL_DIRECTORY in ran.errors:
            self._debugfs([f"expand_dir {_word(path.rpartition('/')[0] or '/')}", command])
        elif words := _complaints(ran):
            raise RepairError(f"debugfs: {words}", ran=ran)

    def _make_folders(self, path: str) -> None:
        for folder in folders_of(path):
            there = self.stat(folder)
            if there is None:
                self._debugfs([f"mkdir {_word(folder)}"])
            elif there.kind != "directory":
                raise RepairError(f"{folder} is no directory")

    def _free_name(self, path: str) -> str:
        """The path, or with a number behind it, whichever is not taken."""
        for number in range(100):
            name = f"{path}.{number}" if number else path
            if self.stat(name) is None:
                return name
        raise RepairError(f"{path}: that name is taken, and a hundred like it")

    def _has_room(self, size: int) -> None:
        header = self.header()
        block = int(header["Block size"])
        # A block map takes an entry of four bytes a block, and a name may need a block more in its directory.
        needed = -(-size // block) + -(-size // block) * 4 // block + 8
        if int(header["Free blocks"]) < needed or int(header["Free inodes"]) < 4:
            raise RepairError(f"{size} bytes do not fit: {int(header['Free blocks']) * block} are free")

    def _debugfs(self, commands: list[str], *, write: bool = True, failing: bool = True) -> Ran:
        """Run debugfs commands; it ends with 0 whatever happened, so that what it says is what counts.

        failing: a complaint is an error.
        """
        options = ["-w"] if write else []
        script = "".join(f"{command}\n" for command in commands).encode()
        ran = self._tools.run("debugfs", *options, "-f", "-", self.device, script=script)
        if failing and (words := _complaints(ran)):
            raise RepairError(f"debugfs: {words}", ran=ran)
        return ran


def _word(path: str) -> str:
    """A path as a word of a debugfs command."""
    return _quoted(plain_path(path) if path != "/" else path)


def _quoted(text: str) -> str:
    """Text as one word of a command, as lib/ss/parse.c takes it: a quotation mark within quotes is doubled."""
    return '"' + text.replace('"', '""') + '"'


def _complaints(ran: Ran) -> str:
    """What debugfs complained about, on one line; empty when it did not."""
    lines = (line.strip() for line in ran.errors.splitlines() if not _VERSION.match(line))
    return "; ".join(line for line in lines if line)
