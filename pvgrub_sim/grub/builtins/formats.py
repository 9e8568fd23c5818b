"""Numbers as grub_printf() prints them (stage2/char_io.c:convert_to_ascii)."""

from __future__ import annotations

from pvgrub_sim.cint import s32, u32, u64
from pvgrub_sim.grub.machine import Machine


def decimal(value: int) -> bytes:
    """`%d`: a C int."""
    return b"%d" % s32(value)


def hexadecimal(m: Machine, value: int) -> bytes:
    """`%x`: a C int, which the 64-bit build extends by its sign. QUIRK: -128 prints as 0xffffffffffffff80 there."""
    number = s32(value)
    return b"%x" % (u64(number) if m.is_64bit else u32(number))
