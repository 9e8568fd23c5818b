"""Which drivers a kernel has in itself: as modules.builtin and its configuration say, wherever they lie."""

from __future__ import annotations

import re

from pvgrub_sim.findings.facts.case import Case
from pvgrub_sim.findings.facts.root_spec import root_place
from pvgrub_sim.findings.facts.starts import Start
from pvgrub_sim.typed import TYPE_CHECKING, Final
from pvgrub_sim.values import Enum, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pvgrub_sim.initramfs.contents import Contents

MOST_CONFIG: Final = 1 << 20
BLOCK_FRONT_ENDS: Final = ("xen_blkfront", "xenblk")
"""The driver of Xen's disks: mainline's name, and that of XenSource's old tree."""
OPTION: Final = {
    "xen_blkfront": "CONFIG_XEN_BLKDEV_FRONTEND",
    "xenblk": "CONFIG_XEN_BLKDEV_FRONTEND",
    "ext2": "CONFIG_EXT2_FS",
    "ext3": "CONFIG_EXT3_FS",
    "ext4": "CONFIG_EXT4_FS",
    "xfs": "CONFIG_XFS_FS",
    "btrfs": "CONFIG_BTRFS_FS",
    "jfs": "CONFIG_JFS_FS",
    "reiserfs": "CONFIG_REISERFS_FS",
    "f2fs": "CONFIG_F2FS_FS",
    "dm_mod": "CONFIG_BLK_DEV_DM",
}
"""Module, and the option that it is built by (the Kconfig files beside their sources)."""


_FILESYSTEMS: Final = {"ext2": ("ext2", "ext4"), "ext3": ("ext3", "ext4")}
"""Modules that mount a filesystem, where these are not of its name: Linux's ext4 knows the older ones as well."""
_DISKS: Final = "the driver of Xen's disks"


class Built(Enum):
    """How a kernel has a driver."""

    IN = "built in"
    MODULE = "as a module"
    NOT = "not at all"
    UNKNOWN = "unknown"


class Knowledge(NamedTuple):
    """What is known of how a kernel was built.

    built_in: the modules of its modules.builtin, None where there is none. config: its options with their values, empty
    where there is none. source: the file that was read, with its device; "" for one in the initrd.
    """

    built_in: frozenset[str] | None
    config: Mapping[str, str]
    source: str = ""

    def has(self, module: str) -> Built:
        """How the kernel has a module."""
        option = self.config.get(OPTION.get(module, ""), "")
        if option == "y" or (self.built_in is not None and module in self.built_in):
            return Built.IN
        if option == "m":
            return Built.MODULE
        if self.config and module in OPTION:
            return Built.NOT
        return Built.UNKNOWN if self.built_in is None else Built.MODULE

    def has_any(self, modules: tuple[str, ...]) -> Built:
        """How the kernel has one of several modules that do the same."""
        found = {self.has(module) for module in modules}
        return next(built for built in (Built.IN, Built.UNKNOWN, Built.MODULE, Built.NOT) if built in found)


def knowledge_of(case: Case, start: Start, contents: Contents | None = None) -> Knowledge:
    """What is known of the kernel that is started. contents: of its initrd, which has a modules.builtin as well."""
    release = start.release
    if not release:
        return Knowledge(None, {})
    built_in, source = None, ""
    folder = start.kernel.path.rpartition("/")[0]
    for place in case.places:
        for root in ("/lib/modules", "/usr/lib/modules"):
            text = place.head(f"{root}/{release}/modules.builtin", MOST_CONFIG)
            if text and built_in is None:
                from pvgrub_sim.initramfs.contents import modules_in_list

                built_in, source = modules_in_list(text), f"{place.device}{root}/{release}/modules.builtin"
    if built_in is None and contents is not None:
        built_in = contents.built_in.get(release)
    home = start.kernel.place
    order = [home, *(place for place in case.places if place is not home)] if home else list(case.places)
    for place in order:
        paths = [f"{folder}/config-{release}"] if place is home else []
        for path in (*paths, f"/boot/config-{release}", f"/config-{release}", f"/lib/modules/{release}/config",
                     f"/usr/lib/modules/{release}/config"):  # fmt: skip
            text = place.head(path, MOST_CONFIG)
            if text and (config := _options(text)):
                if re.search(rb'(?m)^CONFIG_INITRAMFS_SOURCE="[^"]', text):
                    # It carries an initramfs in itself, which may hold anything.
                    return Knowledge(None, {})
                return Knowledge(built_in, config, source or f"{place.device}{path}")
    return Knowledge(built_in, {}, source)


def _options(text: bytes) -> dict[str, str]:
    """The options that a configuration sets to y or m."""
    return {name.decode(): value.decode() for name, value in re.findall(rb"(?m)^(CONFIG_\w+)=([ym])\s*$", text)}


def needed(case: Case, start: Start) -> list[tuple[str, tuple[str, ...]]]:
    """What a kernel needs to mount its root: in words, and the modules of which one will do."""
    found: list[tuple[str, tuple[str, ...]]] = [(_DISKS, BLOCK_FRONT_ENDS)]
    place = root_place(case, start)
    if place is not None and place.type in OPTION:
        found.append((f"the filesystem of its root {place.device}", _FILESYSTEMS.get(place.type, (place.type,))))
    return found
