"""The table of commands, and the decorator that fills it (stage2/builtins.c:builtin_table)."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import IntFlag

from pvgrub_sim.grub.errnum import GrubError
from pvgrub_sim.grub.machine import Machine
from pvgrub_sim.values import NamedTuple


class Flag(IntFlag):
    """Where a command may stand, and what it was called from (stage2/shared.h:BUILTIN_*)."""

    CMDLINE = 0x1
    """At the prompt and in an entry."""
    MENU = 0x2
    """Above the first title."""
    TITLE = 0x4
    SCRIPT = 0x8
    """Called from an entry."""
    NO_ECHO = 0x10
    HELP_LIST = 0x20


Function = Callable[[Machine, bytes, Flag], None]
"""Runs a command with its argument and what it was called from; raises GrubError through Machine.fail()."""


class Builtin(NamedTuple):
    """One command: its flags, what it does here in words, and where it comes from."""

    name: str
    flags: Flag
    function: Function
    does: str
    source: str
    is_title: bool = False
    in_head: bool = False
    """The two flags that every line of a menu is asked for; an IntFlag is slow."""


BUILTINS: dict[bytes, Builtin] = {}
"""All commands by name."""


def builtin(name: str, flags: Flag, does: str, source: str = "") -> Callable[[Function], Function]:
    """Put a function into the table under a command's name.

    does: what the simulation does, for docs/commands.md. source: where PV-GRUB's own function is; by default
    stage2/builtins.c:NAME_func.
    """

    def add(function: Function) -> Function:
        where = source or f"stage2/builtins.c:{name}_func"
        BUILTINS[name.encode()] = Builtin(name, flags, function, does, where, Flag.TITLE in flags, Flag.MENU in flags)
        return function

    return add


_COMMAND = re.compile(rb"[^ \t=]*")


def find_command(line: bytes) -> Builtin | None:
    """The command that a line begins with; its name ends at a blank or `=` (stage2/cmdline.c:find_command)."""
    # What is found in front of the first blank is a command already, unless there is a `=` in it.
    command = BUILTINS.get(line.partition(b" ")[0])
    if command is not None:
        return command
    found = _COMMAND.match(line)
    return BUILTINS.get(found[0]) if found else None


def run_builtin(m: Machine, command: Builtin, arg: bytes, flags: Flag) -> None:
    """Run a command; whether it failed is told by m.errnum afterwards."""
    try:
        command.function(m, arg, flags)
    except GrubError:
        # errnum holds the error; a function may also have failed without setting it.
        return
