"""C integer widths, for the places where PV-GRUB's arithmetic wraps."""

from __future__ import annotations

MAXINT = 0x7FFFFFFF
"""GRUB's MAXINT (stage2/shared.h): the largest C int."""


def u16(value: int) -> int:
    """The value as a C `unsigned short`."""
    return value & 0xFFFF


def u32(value: int) -> int:
    """The value as a C `unsigned int`."""
    return value & 0xFFFFFFFF


def u64(value: int) -> int:
    """The value as a 64-bit `unsigned long`."""
    return value & 0xFFFFFFFFFFFFFFFF


def s32(value: int) -> int:
    """The value as a C `int`."""
    return (value & 0xFFFFFFFF ^ 0x80000000) - 0x80000000


def s64(value: int) -> int:
    """The value as a C `long long`."""
    return (value & 0xFFFFFFFFFFFFFFFF ^ 0x8000000000000000) - 0x8000000000000000
