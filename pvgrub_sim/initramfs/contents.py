"""What is looked for in an initrd, gathered name by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from pvgrub_sim.typed import Final
from pvgrub_sim.values import NamedTuple

MOST_MODULES: Final = 20_000
"""Names of modules that are kept; distributions have some 5,000 in all."""
LONGEST_MODULE: Final = 64
MOST_VERSIONS: Final = 64
LONGEST_VERSION: Final = 128
LARGEST_LIST: Final = 1 << 20
"""Bytes of all modules.builtin of one initrd; Debian's has 12,000."""

_VERSION: Final = re.compile(rb"(?:^|/)lib/modules/([^/]+)(?:/|$)")
PROGRAMS: Final = frozenset(
    (b"lvm", b"lvm.static", b"vgchange", b"dmsetup", b"mdadm", b"mdassemble", b"dmraid", b"nash", b"cryptsetup",
     b"systemd-cryptsetup", b"zpool", b"init", b"linuxrc", b"systemd", b"busybox")
)  # fmt: skip
"""Programs by which an initrd gets at a root that is no plain partition."""
_LISTS: Final = b"modules.builtin"


class Segment(NamedTuple):
    """One stretch of an initrd: the byte where it begins, its compression (`none` for a bare cpio), and how many bytes
    it unpacks to."""

    offset: int
    format: str
    unpacked: int


class Contents(NamedTuple):
    """What an initrd holds.

    segments: its stretches in order. entries: how many names are in them. versions: kernel versions that it has
    modules or their folder for, with how many of them. modules: their names, with `_` for `-` and without what stands
    behind. built_in: kernel version, and the modules that its modules.builtin names. programs: those of PROGRAMS.
    has_init: there is a /init. trouble: why the kernel cannot read all of it, and at: the byte of the initrd before
    which that is. beyond: why it was not looked at to the end. known: False for what does not begin as an initramfs
    does.
    """

    segments: tuple[Segment, ...] = ()
    entries: int = 0
    versions: Mapping[str, int] = MappingProxyType({})
    modules: frozenset[str] = frozenset()
    built_in: Mapping[str, frozenset[str]] = MappingProxyType({})
    programs: frozenset[str] = frozenset()
    has_init: bool = False
    trouble: str = ""
    at: int = 0
    beyond: str = ""
    known: bool = True

    @property
    def formats(self) -> frozenset[str]:
        """The compressions that the kernel has to know for it."""
        return frozenset(segment.format for segment in self.segments) - {"none"}


def module_name(name: str) -> str:
    """A module's name as modprobe compares it: `xen-blkfront` is `xen_blkfront`."""
    return name.replace("-", "_")


def modules_in_list(text: bytes) -> frozenset[str]:
    """The modules that a modules.builtin names, a path to a line."""
    names = (line.rpartition(b"/")[2].partition(b".ko")[0] for line in text[:LARGEST_LIST].split(b"\n"))
    return frozenset(module_name(name.decode("utf-8", "replace")) for name in names if 0 < len(name) <= LONGEST_MODULE)


class Gathered:
    """What has been found so far."""

    def __init__(self) -> None:
        self.entries = 0
        self.versions: dict[bytes, int] = {}
        self.modules: set[bytes] = set()
        self.built_in: dict[str, frozenset[str]] = {}
        self.programs: set[bytes] = set()
        self.has_init = False
        self.segments: list[Segment] = []
        self._list_room = LARGEST_LIST

    def see(self, name: bytes) -> bool:
        """Take note of a name of the archive; True when the content is of interest as well."""
        self.entries += 1
        base = name[name.rfind(b"/") + 1 :]
        if base in PROGRAMS:
            self.programs.add(base)
            self.has_init = self.has_init or name in (b"init", b"./init", b"/init")
        at = base.find(b".ko")
        if b"lib/modules/" in name and (found := _VERSION.search(name)) is not None:
            self._see_version(found[1], at > 0)
        if at > 0 and at <= LONGEST_MODULE and len(self.modules) < MOST_MODULES:
            self.modules.add(base[:at])
        return base == _LISTS

    def _see_version(self, version: bytes, module: bool) -> None:
        if version in self.versions:
            self.versions[version] += module
        elif len(self.versions) < MOST_VERSIONS and len(version) <= LONGEST_VERSION:
            self.versions[version] = int(module)

    def has_room_for(self, size: int) -> bool:
        """True when a modules.builtin of this size may be taken in, besides those that were."""
        return size <= self._list_room

    def take_list(self, name: bytes, content: bytes) -> None:
        """Take in a modules.builtin."""
        self._list_room -= len(content)
        found = _VERSION.search(name)
        if found is not None and len(self.built_in) < MOST_VERSIONS and len(found[1]) <= LONGEST_VERSION:
            self.built_in[found[1].decode("utf-8", "surrogateescape")] = modules_in_list(content)

    def contents(self, *, trouble: str = "", at: int = 0, beyond: str = "", known: bool = True) -> Contents:
        """All of it, and how the reading ended."""
        return Contents(
            tuple(self.segments),
            self.entries,
            MappingProxyType({name.decode("utf-8", "surrogateescape"): n for name, n in self.versions.items()}),
            frozenset(module_name(name.decode("utf-8", "surrogateescape")) for name in self.modules),
            MappingProxyType(self.built_in),
            frozenset(name.decode() for name in self.programs),
            self.has_init,
            trouble,
            at,
            beyond,
            known,
        )
