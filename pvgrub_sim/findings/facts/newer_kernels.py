"""The kernels that lie beside the one that runs by itself, and what the menu knows of them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pvgrub_sim.findings.facts.boot_files import initrd_for, kernel_files
from pvgrub_sim.findings.facts.case import Case
from pvgrub_sim.findings.facts.menufile import Entry, split_device
from pvgrub_sim.findings.facts.release import is_aside, release_key
from pvgrub_sim.findings.facts.starts import Start
from pvgrub_sim.survey.result import BootFile, FileKind
from pvgrub_sim.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pvgrub_sim.findings.facts.place import Place

_RELEASE: Final = r"\d+\.\d+[\w.+~-]*"
_KERNEL: Final = rf"(?:vmlinu[xz]|kernel)-({_RELEASE})"
_INITRD: Final = rf"(?:initrd|initramfs)(?:\.img)?-({_RELEASE}?)(?:\.img|\.gz)?"


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def release_in(path: str, pattern: str = _KERNEL) -> str:
    """The release that a file is called after, "" where it is called after none or kept aside."""
    found = re.fullmatch(pattern, _name(path))
    return found[1] if found and not is_aside(_name(path)) else ""


def entries_with_kernels(case: Case) -> Iterator[tuple[Entry, str]]:
    """All entries of the menu, those included that do not run by themselves, with the path of their kernel."""
    for entry in case.menu.entries if case.menu else ():
        for line, _ in entry.files():
            if line.command == "kernel":
                yield entry, split_device(line.file)[1]


def newest_not_named(case: Case, start: Start) -> tuple[BootFile, str] | None:
    """The newest kernel of the volume, and its release, where it is newer than the one that runs and in no entry."""
    place = start.kernel.place
    if place is None or not start.release:
        return None
    named = {place.links(path)[1] for _, path in entries_with_kernels(case)}
    for file in reversed(kernel_files(place)):
        release = release_in(file.path)
        if not release:
            continue
        if release_key(release) <= release_key(start.release) or place.links(file.path)[1] in named:
            return None
        return file, release
    return None


def half_removed(place: Place) -> Iterator[str]:
    """Kernels without the initrd that all others have, and initrds without their kernel, in words."""
    files = place.filesystem.files if place.filesystem else ()
    kernels = {release: file.path for file in kernel_files(place) if (release := release_in(file.path))}
    if not kernels:
        return
    for file in files:
        release = release_in(file.path, _INITRD) if file.kind is FileKind.INITRD and not file.missing else ""
        if release and release not in kernels and not re.search(r"kdump|rescue", file.path):
            yield f"{file.path} has no kernel of its release beside it"
    without = [release for release, path in kernels.items() if initrd_for(place, path) is None]
    if len(without) == 1 and len(kernels) > 1:
        yield f"{kernels[without[0]]} has no initrd, as the other kernels have"
