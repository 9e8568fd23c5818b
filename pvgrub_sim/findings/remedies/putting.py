"""Commands that put a file at a path of a filesystem: written, compared, and only then in the place of another."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from pvgrub_sim.findings.remedies.names import host_word, is_plain, plain, word
from pvgrub_sim.findings.remedies.steps import Target
from pvgrub_sim.findings.remedies.tool_words import debugfs, ext_device, fat_device, fat_path, quoted
from pvgrub_sim.typed import Final

NEW: Final = "/pvgrub-sim.new"
"""Where a file is written before it takes its place."""
NEW_ON_FAT: Final = "/PVGRUB.NEW"
NEXT: Final = " &&"
WITHOUT_EXTENTS: Final = (
    "# With the feature extent off the file gets a map of blocks, in which PV-GRUB reads holes rightly; back on, it",
    "# says that other files have extents. Nothing else on the filesystem changes.",
)


class NoRoom(Exception):
    """A filesystem has no room for a file beside the one that it is to replace."""


class Put:
    """A file of the host that is to be put at a path.

    target: the volume. source: the file, a word of a shell. path: there. size: bytes. folders: to be made for it.
    replaces: a file is there. backup: the name that it keeps, or "". attributes: names of its extended attributes.
    """

    def __init__(
        self,
        target: Target,
        source: str,
        path: str,
        *,
        size: int,
        replaces: bool,
        folders: Sequence[str] = (),
        backup: str = "",
        attributes: Sequence[str] = (),
    ) -> None:
        self.target = target
        self.source = source
        self.path = path
        self.size = size
        self.replaces = replaces
        self.folders = folders
        self.backup = backup
        self.attributes = attributes

    def on_ext(self) -> list[str]:
        """The lines for debugfs; raises NoRoom, NotPlain."""
        target = self.target
        if target.room is not None and target.room < self.size + self.size // 64 + (len(self.folders) + 4 << 12):
            raise NoRoom
        # A file that is there is replaced when the new one is whole: its name has room in the folder then.
        first = NEW if self.replaces else plain(self.path)
        write = [*(f"mkdir {quoted(folder)}" for folder in self.folders), f"write {self.source} {quoted(first)}"]
        told: Sequence[str] = ()
        if "extent" in target.features:
            # PV-GRUB misreads holes in extents, and debugfs makes one of every block of zeros.
            write = ["feature -extent", *write, "feature extent"]
            told = WITHOUT_EXTENTS
        compare = f"{self._cat(first)} | cmp - {self.source}"
        remove = f"debugfs -w -R {shlex.quote(f'rm {quoted(first)}')} {ext_device(target)}"
        written = [*told, *debugfs(target, write, NEXT), _or(compare, remove)]
        if not self.replaces:
            return written
        written[-1] += NEXT
        written += self._attributes()
        old = quoted(self.path)
        if not self.backup:
            return [*written, *debugfs(target, [f"rm {old}", f"ln {NEW} {old}", f"unlink {NEW}"])]
        # debugfs ends with 0 where a folder is full: only a second name that is there lets the first one go.
        # Neither `ln` nor `unlink` counts links, so that both together come out right.
        keep = debugfs(target, [f"ln {old} {quoted(self.backup)}"], NEXT)
        there = f"{self._cat(self.backup)} > /dev/null{NEXT}"
        return [*written, *keep, there, *debugfs(target, [f"unlink {old}", f"ln {NEW} {old}", f"unlink {NEW}"])]

    def _cat(self, path: str) -> str:
        return f"pvgrub-sim cat --survey {host_word(self.target.image)} {word(self.target.alone + path)}"

    def _attributes(self) -> list[str]:
        """The new file gets the attributes of the old one, SELinux's label among them."""
        names = [name for name in self.attributes if is_plain(name) and " " not in name]
        lines = []
        for number, name in enumerate(names):
            file = f"{self.source}.ea{number}"
            lines += [f"ea_get -f {file} {quoted(self.path)} {name}", f"ea_set -f {file} {NEW} {name}"]
        lost = [name for name in self.attributes if name not in names]
        told = ["# Not all extended attributes of the file are kept: their names do not belong here."] if lost else []
        return [*told, *(debugfs(self.target, lines, NEXT) if lines else ())]

    def on_fat(self) -> list[str]:
        """The lines for mtools; raises NotPlain."""
        device = fat_device(self.target)
        new = f"'::{NEW_ON_FAT}'"
        path = fat_path(self.path)
        backup = [f"mren -i {device} {path} {fat_path(self.backup)}{NEXT}"] if self.backup else []
        return [
            *(f"mmd -i {device} {fat_path(folder)}{NEXT}" for folder in self.folders),
            f"mcopy -D s -i {device} {self.source} {new}{NEXT}",
            _or(f"mtype -i {device} {new} | cmp - {self.source}", f"mdel -i {device} {new}") + NEXT,
            f"mdel -i {device} {new}{NEXT}",
            *backup,
            f"mcopy -o -i {device} {self.source} {path}",
        ]


def _or(command: str, clear: str) -> str:
    """A command after whose failure something is cleared away, and which has failed all the same."""
    return f"{{ {command} || {{ {clear}; false; }}; }}"
