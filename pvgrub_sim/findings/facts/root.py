"""The root filesystem: which volume holds an operating system, and what its kernels are told."""

from __future__ import annotations

import re
from typing import Final

from pvgrub_sim.findings.facts.case import Case
from pvgrub_sim.findings.facts.place import Place
from pvgrub_sim.survey.result import FileKind

# Compiled when it is wanted: few runs come to that.
_LINUX: Final = r"(?m)^\s*(?:linux(?:16|efi)?)\s+(\S+)[ \t]*(.*)$"
_OPTIONS: Final = r"(?m)^\s*options\s+(.*)$"
_MOST_CONFIG: Final = 1 << 20
_NO_ROOT: Final = ("vfat",)
"""Filesystems on which no operating system is."""


def root_argument_of(case: Case) -> str | None:
    """`root=LABEL=…` or `root=UUID=…` of the volume that holds an operating system; None when there is none."""
    labels = [content.label for place in case.places for content in place.volume.contents]
    for place in case.places:
        content = place.filesystem
        names = set(place.names("/")) if content else set()
        if content is None or content.type in _NO_ROOT or not ("etc" in names and names & {"sbin", "usr", "lib"}):
            continue
        if content.label and " " not in content.label and labels.count(content.label) == 1:
            return f"root=LABEL={content.label}"
        if content.uuid:
            return f"root=UUID={content.uuid}"
    return None


def kernel_arguments(case: Case, place: Place, kernel: str) -> str | None:
    """What GRUB 2's configuration passes to a kernel, with the root filesystem; None when that is not known."""
    files = place.filesystem.files if place.filesystem else ()
    name = kernel.rpartition("/")[2]
    kept: list[str] = []
    for file in files:
        # A grub.cfg may stand under the name of a menu.
        looked = file.kind in (FileKind.GRUB2, FileKind.MENU)
        text = (place.head(file.path, _MOST_CONFIG) or b"") if looked else b""
        for path, words in re.findall(_LINUX, text.decode("utf-8", "replace")):
            options = re.search(_OPTIONS, text.decode("utf-8", "replace"))
            given = words or (options[1] if options else "")
            if path.rpartition("/")[2] == name and not kept:
                kept = [word for word in given.split() if "$" not in word and not word.startswith("console=")]
    if not any(word.startswith("root=") for word in kept):
        root = root_argument_of(case)
        if root is None:
            return None
        kept = [root, *(kept or ["ro"])]
    return " ".join([*kept, "console=hvc0"])
