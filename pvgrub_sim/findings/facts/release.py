"""Kernel releases in the order in which they came: 4.9 before 4.18, 6.1.0-rc5 before 6.1.0."""

from __future__ import annotations

import re

from pvgrub_sim.typed import Final

_PARTS: Final = re.compile(r"\d+|[A-Za-z]+|~")
_BEFORE: Final = ("~", "rc", "pre", "alpha", "beta", "experimental")
"""What stands in the name of a release that is still to come."""
ASIDE: Final = re.compile(r"(?i)rescue|failsafe|recovery|memtest|kdump|\.(?:old|orig|bak|new|save)(?:\.\d+)?$|~$")
"""Names of kernels that are kept for a bad day, and of copies."""

ReleaseKey = tuple[tuple[int, int, str], ...]


def release_key(text: str) -> ReleaseKey:
    """A release as a value that sorts as releases follow each other; numbers count as numbers.

    text: such as `4.18.0-372.el8.x86_64`. As rpmvercmp() in RPM's rpmio/rpmvercmp.c and dpkg's version order agree:
    the end of a release comes before a number more, and what is to come before the end.
    """
    key: list[tuple[int, int, str]] = []
    for part in _PARTS.findall(text):
        if part.isdigit():
            # Longer numbers than any release has are no numbers to Python, either.
            key.append((3, int(part[:18]), ""))
        elif part.lower() in _BEFORE:
            key.append((0, 0, part.lower()))
        else:
            key.append((2, 0, part))
    return (*key, (1, 0, ""))
