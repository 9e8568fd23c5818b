"""Files that are there under another name than the menu has for them: in letters, quotes, blanks or folders."""

from __future__ import annotations

from pvgrub_sim.findings.facts.boot_files import kernel_files
from pvgrub_sim.findings.facts.case import Case
from pvgrub_sim.findings.facts.file_ref import FileRef
from pvgrub_sim.findings.facts.place import Place
from pvgrub_sim.typed import Final

NOT_FOUND: Final = 15
LINKS_FOLLOWED: Final = 5
"""Symbolic links that PV-GRUB follows on the way to a file (stage2/fsys_ext2fs.c:MAX_LINK_COUNT)."""
QUOTES: Final = "\"'"


def other_case(case: Case, place: Place | None, path: str) -> str | None:
    """A path that is there, that PV-GRUB opens, and that differs in upper and lower case alone."""
    if place is not None and place.reader is not None and place.reader.folds:
        return _other_case_on_fat(case, place, path)
    if place is None or place.reader is None:
        return None
    found = ""
    for part in [part for part in path.split("/") if part]:
        names = place.names(found or "/")
        name = part if part in names else next((name for name in names if name.casefold() == part.casefold()), None)
        if name is None:
            return None
        found += f"/{name}"
    return found if found != path and place.is_file(found) else None


def _other_case_on_fat(case: Case, place: Place, path: str) -> str | None:
    """The same on FAT, whose short names PV-GRUB knows in lower case only, whatever their flags say."""
    if not place.is_file(path):
        return None
    found = ""
    for part in [part for part in path.split("/") if part]:
        stored = next((name for name in place.names(found or "/") if name.casefold() == part.casefold()), part)
        tried = (f"{found}/{name}" for name in dict.fromkeys((part, stored, part.lower())))
        found = next((other for other in tried if case.viewer.look(place.device, other).error != NOT_FOUND), "")
        if not found:
            return None
    return found if found != path and not case.viewer.look(place.device, found).error else None


def with_space(ref: FileRef) -> str | None:
    """A file whose name has a blank, of which the menu's path is the part before it."""
    if ref.place is None:
        return None
    folder, _, start = ref.path.rpartition("/")
    told = ref.line.argument[ref.line.argument.find(ref.path) :]
    for name in ref.place.names(folder or "/"):
        full = f"{folder}/{name}"
        if name.startswith(start + " ") and told.startswith(full) and ref.place.is_file(full):
            return full
    return None


def unquoted(ref: FileRef) -> str | None:
    """The path without the quotes that the menu has around it."""
    if ref.path[:1] not in QUOTES or not ref.path.rstrip(QUOTES)[1:].startswith(("/", "(")):
        return None
    return ref.path.strip(QUOTES)


def missing(case: Case, ref: FileRef) -> bool:
    """True for a file that is not there, and for whose absence no other rule has a better word."""
    if not ref.seen.error or case.elsewhere(ref) or not ref.device or unquoted(ref) or with_space(ref):
        return False
    if ref.place is None or ref.place.reader is None:
        return ref.seen.error == NOT_FOUND
    if ref.place.is_file(ref.path) or other_case(case, ref.place, ref.path):
        return False
    passed, _ = ref.place.links(ref.path)
    return len(passed) <= LINKS_FOLLOWED


def nearly_elsewhere(case: Case, ref: FileRef) -> Place | None:
    """The volume that is meant by a device that does not exist, or holds nothing, where the path is wrong as well.

    One with the path as it is with or without /boot; else the menu's own, when it has kernels.
    """
    there = ref.place is not None and (ref.place.whole or ref.place.volume.contents)
    if there or not ref.seen.error or not ref.path.startswith("/"):
        return None
    other = ref.path.removeprefix("/boot") if ref.path.startswith("/boot/") else f"/boot{ref.path}"
    for place in case.places:
        if place.seen and place.is_file(other) and case.viewer.driver(place.device):
            return place
    home = case.menu_home[0] if case.menu_home else None
    return home if home is not None and kernel_files(home) and case.viewer.driver(home.device) else None


def near(ref: FileRef) -> str | None:
    """The same name with or without /boot in front of it."""
    if ref.place is None:
        return None
    other = ref.path.removeprefix("/boot") if ref.path.startswith("/boot/") else f"/boot{ref.path}"
    return other if ref.place.is_file(other) else None
