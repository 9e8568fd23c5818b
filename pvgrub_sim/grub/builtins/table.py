"""The table of commands, and the decorator that fills it (stage2/builtins.c:builtin_table).

A module of commands is imported when the first of them is looked up: a menu uses those of two or three.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module

from pvgrub_sim.grub.errnum import GrubError
from pvgrub_sim.grub.machine import Machine
from pvgrub_sim.grub.words import end_of
from pvgrub_sim.typed import Final
from pvgrub_sim.values import IntEnum, NamedTuple

NAMES: Final[dict[str, tuple[str, ...]]] = {
    "devices": ("root", "rootnoverify", "map", "find", "geometry"),
    "files": ("cat", "cmp", "blocklist", "fstest", "savedefault"),
    "graphics": ("foreground", "background", "border", "shade", "viewport", "splashimage", "color"),
    "kernels": ("kernel", "initrd", "module", "modulenounzip", "chainloader", "boot"),
    "network": ("bootp", "dhcp", "rarp", "ifconfig", "tftpserver"),
    "partitions": ("hide", "unhide", "parttype", "makeactive", "partnew"),
    "screen": ("print", "pause", "clear", "pager", "help", "terminal", "terminfo"),
    "settings": ("default", "fallback", "timeout", "hiddenmenu", "title", "password", "lock", "configfile"),
    "system": ("halt", "reboot", "debug", "read"),
}
"""Module of this package, and the commands that it holds."""


class Flag(IntEnum):
    """Where a command may stand, and what it was called from; added up (stage2/shared.h:BUILTIN_*)."""

    CMDLINE = 0x1
    """At the prompt and in an entry."""
    MENU = 0x2
    """Above the first title."""
    TITLE = 0x4
    SCRIPT = 0x8
    """Called from an entry."""
    NO_ECHO = 0x10
    HELP_LIST = 0x20


Function = Callable[[Machine, bytes, int], None]
"""Runs a command with its argument and what it was called from; raises GrubError through Machine.fail()."""


class Builtin(NamedTuple):
    """One command: its flags, what it does here in words, and where it comes from."""

    name: str
    flags: int
    function: Function
    does: str
    source: str

    @property
    def is_title(self) -> bool:
        """Whether it begins an entry."""
        return bool(self.flags & Flag.TITLE)

    @property
    def in_head(self) -> bool:
        """Whether it may stand above the first entry."""
        return bool(self.flags & Flag.MENU)


_MODULE_OF: Final = {name.encode(): module for module, names in NAMES.items() for name in names}
_KNOWN: dict[bytes, Builtin] = {}
"""The commands of the modules that have been imported."""


def builtin(name: str, flags: int, does: str, source: str = "") -> Callable[[Function], Function]:
    """Put a function into the table under a command's name, which NAMES has for its module.

    does: what the simulation does, for docs/commands.md. source: where PV-GRUB's own function is; by default
    stage2/builtins.c:NAME_func.
    """

    def add(function: Function) -> Function:
        assert _MODULE_OF[name.encode()] == function.__module__.rpartition(".")[2]
        _KNOWN[name.encode()] = Builtin(name, flags, function, does, source or f"stage2/builtins.c:{name}_func")
        return function

    return add


def all_builtins() -> Mapping[bytes, Builtin]:
    """All commands by name."""
    for name in _MODULE_OF:
        _named(name)
    return _KNOWN


def find_command(line: bytes) -> Builtin | None:
    """The command that a line begins with; its name ends at a blank or `=` (stage2/cmdline.c:find_command)."""
    # What is found in front of the first blank is a command already, unless there is a `=` in it.
    command = _named(line.partition(b" ")[0])
    if command is not None:
        return command
    return _named(line[: end_of(line, b" \t=")])


def _named(name: bytes) -> Builtin | None:
    if name not in _KNOWN and name in _MODULE_OF:
        import_module(f"{__package__}.{_MODULE_OF[name]}")
    return _KNOWN.get(name)


def run_builtin(m: Machine, command: Builtin, arg: bytes, flags: int) -> None:
    """Run a command; whether it failed is told by m.errnum afterwards."""
    try:
        command.function(m, arg, flags)
    except GrubError:
        # errnum holds the error; a function may also have failed without setting it.
        return
