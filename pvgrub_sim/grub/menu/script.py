"""Running the commands of an entry (stage2/cmdline.c:run_script, init_cmdline)."""

from __future__ import annotations

from collections.abc import Iterable

from pvgrub_sim.grub.builtins.table import Flag, find_command, run_builtin
from pvgrub_sim.grub.console.keys import getkey
from pvgrub_sim.grub.console.print_error import print_error
from pvgrub_sim.grub.errnum import ErrNum
from pvgrub_sim.grub.machine import GRUB_INVALID_DRIVE, KernelType, Machine
from pvgrub_sim.grub.words import skip_to
from pvgrub_sim.model import EventKind, Outcome

COMMAND_STEPS = 10


def init_cmdline(m: Machine) -> None:
    """Forget root device and kernel, as before every entry; an initrd or modules are kept."""
    m.saved_drive = m.boot_drive
    m.saved_partition = m.install_partition
    m.current_drive = GRUB_INVALID_DRIVE
    m.errnum = ErrNum.NONE
    m.term.count_lines = -1
    # QUIRK: module_area is not touched, so a fallback entry inherits the initrd of the one that failed.
    m.kernel_type = KernelType.NONE
    m.mb_cmdline = 0


def run_script(m: Machine, lines: Iterable[bytes]) -> bool:
    """Run an entry's lines, `boot` behind them when a kernel was loaded; True when an error ended it."""
    init_cmdline(m)
    m.in_entry = True
    for line in lines:
        _run_line(m, line, line)
        if m.errnum:
            return _failed(m)
    if m.kernel_type is KernelType.NONE:
        return False
    _run_line(m, b"boot", b"")
    return _failed(m) if m.errnum else False


def _run_line(m: Machine, line: bytes, shown: bytes) -> None:
    m.tick(COMMAND_STEPS)
    m.script_line = line
    m.emit(EventKind.COMMAND, line.decode("utf-8", "backslashreplace"))
    command = find_command(line)
    if command is None or not command.flags & Flag.NO_ECHO:
        m.term.write(shown + b"\n")
    if command is None or not command.flags & Flag.CMDLINE:
        m.errnum = ErrNum.UNRECOGNIZED
        return
    m.buf_drive = -1
    run_builtin(m, command, skip_to(line, after_equal=True), Flag.SCRIPT)


def _failed(m: Machine) -> bool:
    print_error(m)
    m.errnum = ErrNum.NONE
    if m.fallback_entryno < 0:
        m.term.write(b"\nPress any key to continue...")
        getkey(m, Outcome.FAILS, "an entry failed and no fallback is left")
    return True
