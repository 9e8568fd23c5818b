"""Commands about the machine: halt, reboot, read, debug."""

from __future__ import annotations

from pvgrub_sim.grub.builtins.formats import hexadecimal
from pvgrub_sim.grub.builtins.table import Flag, builtin
from pvgrub_sim.grub.disk.device import safe_parse_maxint
from pvgrub_sim.grub.machine import Machine
from pvgrub_sim.grub.stop import Stop
from pvgrub_sim.model import Outcome

MEMORY_END = 64 << 20
"""No address behind this is taken for memory that PV-GRUB has mapped."""


@builtin("halt", Flag.CMDLINE | Flag.HELP_LIST, "Ends the run: the domain shuts down.")
def halt(m: Machine, arg: bytes, flags: int) -> None:
    """Raises Stop."""
    raise Stop(Outcome.HALT)


@builtin("reboot", Flag.CMDLINE | Flag.HELP_LIST, "Ends the run: the domain reboots.")
def reboot(m: Machine, arg: bytes, flags: int) -> None:
    """Raises Stop."""
    raise Stop(Outcome.REBOOT)


@builtin("debug", Flag.CMDLINE, "Switches debug messages on or off; they only show together with fstest.")
def debug(m: Machine, arg: bytes, flags: int) -> None:
    """Toggle debug."""
    m.debug = not m.debug
    m.term.write(b" Debug mode is turned %s\n" % (b"on" if m.debug else b"off"))


@builtin("read", Flag.CMDLINE, "Prints a word of memory, here always 0; far behind GRUB's memory it dies of it.")
def read(m: Machine, arg: bytes, flags: int) -> None:
    """Print a word of memory; raises GrubError 23 or 35 for what is no number, Stop where there is no memory."""
    address = safe_parse_maxint(m, arg)[0]
    if address >= MEMORY_END:
        raise Stop(Outcome.CRASH, f"read looks at address {address:#x}, where PV-GRUB has no memory")
    m.undefined.append("read prints a word of PV-GRUB's memory")
    m.term.write(b"Address 0x%s: Value 0x0\n" % hexadecimal(m, address))
