"""Kernel releases in the order in which they came: 4.9 before 4.18, 6.1.0-rc5 before 6.1.0."""

from __future__ import annotations

import re

from pvgrub_sim.typed import Final

_PARTS: Final = r"\d+|[A-Za-z]+|~"
_BEFORE: Final = ("~", "rc", "pre", "alpha", "beta", "experimental")
"""What stands in the name of a release that is still to come."""
_FOR_A_BAD_DAY: Final = ("rescue", "failsafe", "recovery", "memtest", "kdump")
_OF_COPIES: Final = (".old", ".orig", ".bak", ".new", ".save")

ReleaseKey = tuple[tuple[int, int, str], ...]


def release_key(text: str) -> ReleaseKey:
    """A release as a value that sorts as releases follow each other; numbers count as numbers.

    text: such as `4.18.0-372.el8.x86_64`. As rpmvercmp() in RPM's rpmio/rpmvercmp.c and dpkg's version order agree:
    the end of a release comes before a number more, and what is to come before the end.
    """
    key: list[tuple[int, int, str]] = []
    for part in re.findall(_PARTS, text):
        if part.isdigit():
            # Longer numbers than any release has are no numbers to Python, either.
            key.append((3, int(part[:18]), ""))
        elif part.lower() in _BEFORE:
            key.append((0, 0, part.lower()))
        else:
            key.append((2, 0, part))
    return (*key, (1, 0, ""))


def is_aside(name: str) -> bool:
    """Whether a kernel's file name is that of one kept for a bad day, or of a copy: `vmlinuz-4.9.old.1`."""
    name = name.lower()
    first, dot, number = name.rpartition(".")
    stem = first if dot and number.isdecimal() else name
    return name.endswith("~") or stem.endswith(_OF_COPIES) or any(word in name for word in _FOR_A_BAD_DAY)
