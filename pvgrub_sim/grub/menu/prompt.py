"""The grubdom> prompt (stage2/cmdline.c:enter_cmdline)."""

from __future__ import annotations

from collections.abc import Callable

from pvgrub_sim.grub.builtins.table import Flag, find_command, run_builtin
from pvgrub_sim.grub.console.line_editor import get_cmdline
from pvgrub_sim.grub.console.print_error import print_error
from pvgrub_sim.grub.errnum import ErrNum
from pvgrub_sim.grub.machine import Machine
from pvgrub_sim.grub.menu.completion import complete
from pvgrub_sim.grub.menu.menu_screen import init_page
from pvgrub_sim.grub.menu.script import init_cmdline
from pvgrub_sim.grub.stop import RestartCmdline
from pvgrub_sim.grub.words import skip_to
from pvgrub_sim.model import Outcome

PROMPT = b"grubdom> "
CMDLINE_LENGTH = 2048


def print_cmdline_message(m: Machine, *, forever: bool) -> None:
    """Print the lines above a prompt."""
    m.term.write(
        b"       [ Minimal BASH-like line editing is supported.   For\n"
        b"         the   first   word,  TAB  lists  possible  command\n"
        b"         completions.  Anywhere else TAB lists the possible\n"
        b"         completions of a device/filename."
        + (b"" if forever else b"  ESC at any time\n         exits.")
        + b" ]\n"
    )


def _no_heap(line: bytes) -> None:
    """The heap does not matter."""


def enter_cmdline(m: Machine, *, forever: bool, use_heap: Callable[[bytes], None] = _no_heap) -> None:
    """Read commands and run them until escape is pressed.

    forever: there is no menu to go back to. use_heap: told of what the command-line buffer holds.
    """
    init_cmdline(m)
    m.in_entry = False
    while True:
        try:
            init_page(m)
            print_cmdline_message(m, forever=forever)
            while True:
                print_error(m)
                m.errnum = ErrNum.NONE
                m.script_line = b""
                use_heap(b"")
                line = get_cmdline(m, PROMPT, b"", CMDLINE_LENGTH, Outcome.PROMPT, complete=complete)
                if line is None:
                    return
                use_heap(line)
                if line:
                    run_line(m, line)
        except RestartCmdline:
            continue


def run_line(m: Machine, line: bytes) -> None:
    """Run one command line as given at the prompt; whether it failed is told by m.errnum afterwards."""
    m.script_line = line
    command = find_command(line)
    if command is None or not command.flags & Flag.CMDLINE:
        m.errnum = ErrNum.UNRECOGNIZED
        return
    m.buf_drive = -1
    if m.term.use_pager:
        m.term.count_lines = 0
    run_builtin(m, command, skip_to(line, after_equal=True), Flag.CMDLINE)
    m.term.count_lines = -1
