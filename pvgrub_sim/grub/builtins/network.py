"""Commands about the network, of which there is none: bootp, dhcp, rarp, ifconfig, tftpserver."""

from __future__ import annotations

import re

from pvgrub_sim.grub.builtins.table import Flag, builtin
from pvgrub_sim.grub.errnum import ErrNum
from pvgrub_sim.grub.machine import Machine

ANYWHERE = Flag.CMDLINE | Flag.MENU | Flag.HELP_LIST
NO_CARD = b"No ethernet card found.\n"

_ADDRESS = rb"(\d+)\.(\d+)\.(\d+)\.(\d+)"


@builtin("bootp", ANYWHERE, "Error 12: there is no network card.")
def bootp(m: Machine, arg: bytes, flags: int) -> None:
    """Raises GrubError 12."""
    m.fail(ErrNum.DEV_VALUES)


@builtin("dhcp", ANYWHERE, "Error 12: there is no network card.")
def dhcp(m: Machine, arg: bytes, flags: int) -> None:
    """Raises GrubError 12."""
    bootp(m, arg, flags)


@builtin("rarp", ANYWHERE, "Error 12: there is no network card.")
def rarp(m: Machine, arg: bytes, flags: int) -> None:
    """Raises GrubError 12."""
    m.fail(ErrNum.DEV_VALUES)


@builtin("ifconfig", ANYWHERE, "Prints that there is no network card; Error 12.")
def ifconfig(m: Machine, arg: bytes, flags: int) -> None:
    """Raises GrubError 12."""
    m.term.write(NO_CARD)
    m.fail(ErrNum.DEV_VALUES)


@builtin("tftpserver", ANYWHERE, "Takes an address and prints that there is no network card; Error 30 for no address.")
def tftpserver(m: Machine, arg: bytes, flags: int) -> None:
    """Set a server's address; raises GrubError 30 when it is none."""
    found = re.match(_ADDRESS, arg)
    if found is None or any(int(number[-10:]) > 255 for number in found.groups()):
        m.fail(ErrNum.BAD_ARGUMENT)
    m.term.write(NO_CARD)
