"""The folder /boot of a btrfs, taken out with btrfs-progs: PV-GRUB mounts none, and no tool writes one unmounted."""

from __future__ import annotations

import re
from pathlib import Path

from pvgrub_sim.errors import RepairError
from pvgrub_sim.findings.remedies.tool_words import BOOT_NAMES
from pvgrub_sim.repair.excerpt import take_out
from pvgrub_sim.repair.target import Stretch
from pvgrub_sim.repair.tools import Tools, Written
from pvgrub_sim.typed import Final
from pvgrub_sim.values import NamedTuple

_ROOT: Final = re.compile(rb"(?m)^([ \t]*root(?:noverify)?[ \t=]+)\([^)\n]*\)")
_MENUS: Final = ("menu.lst", "grub.conf")
LARGEST_FOLDER: Final = 2 << 30
"""Bytes that /boot may take: a btrfs of few bytes can say that its files are larger than any disk."""
_LARGEST_MENU: Final = 16 << 20


class BootFolder(NamedTuple):
    """What was in /boot: files of the host, and the targets of symbolic links, both by their path on the btrfs."""

    files: dict[str, Path]
    links: dict[str, str]


def boot_folder(where: Stretch, tools: Tools, device: str = "(hd0)") -> BootFolder:
    """Take out /boot, with names of letters, digits and `_+.~-` alone; the menus name one device as their root.

    where: the stretch of the image with the btrfs. tools: run the tools. device: that root. Raises
    RepairError, also where there is no /boot at the top of it.
    """
    alone = tools.fresh(".img")
    tree = tools.fresh()
    tree.mkdir()
    take_out(where, alone)
    try:
        # Links last, so that no file is written through one.
        for more in ((), ("--symlinks",)):
            words = ("restore", *more, "--path-regex", BOOT_NAMES, tools.name_of(alone), tools.name_of(tree))
            tools.run("btrfs", *words, writes=Written(tree, LARGEST_FOLDER))
    finally:
        alone.unlink(missing_ok=True)
    found = BootFolder({}, {})
    for path in sorted(tree.rglob("*")):
        name = f"/{path.relative_to(tree)}"
        if path.is_symlink():
            found.links[name] = str(path.readlink())
        elif path.is_file():
            # Tools take files by name from their folder.
            found.files[name] = path.rename(tools.fresh())
    if not found.files:
        raise RepairError("no files of /boot at the top of the btrfs (in a subvolume, perhaps): copy them by hand")
    for name, path in found.files.items():
        if name.rpartition("/")[2] in _MENUS and path.stat().st_size <= _LARGEST_MENU:
            path.write_bytes(_ROOT.sub(rb"\1" + device.encode(), path.read_bytes()))
    return found
