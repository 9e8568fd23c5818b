"""The root filesystem: which volume holds an operating system, and what its kernels are told."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pvgrub_sim.findings.facts.boot_files import initrd_for
from pvgrub_sim.findings.facts.case import HEAD, Case
from pvgrub_sim.findings.facts.guest import console_named
from pvgrub_sim.findings.facts.loader_configs import arguments_for
from pvgrub_sim.findings.facts.place import Place
from pvgrub_sim.survey.result import ContentKind
from pvgrub_sim.typed import Final

_OTHER_CONSOLES: Final = ("console=ttyS", "console=ttyAMA", "console=uart", "console=hvc0", "console=xvc0")
"""Beginnings of arguments for the serial ports of other machines, and for the Xen console; /dev/tty0 does no harm."""
MOST_FSTAB: Final = 64 << 10
_NO_ROOT: Final = ("vfat", "exfat", "iso9660")
"""Filesystems on which no operating system is."""
_MADE_ON: Final = r"root=/dev/(?:mapper/)?(?:loop|nbd)\d"
"""A device of the host on which the image was made."""
_NAMED: Final = r'root="?(LABEL|UUID)="?([^"]+)"?'


def has_system(place: Place) -> bool:
    """True for a volume that holds an operating system."""
    content = place.filesystem
    names = set(place.names("/")) if content else set()
    return content is not None and content.type not in _NO_ROOT and "etc" in names and bool(names & _PROGRAMS)


_PROGRAMS: Final = {"sbin", "usr", "lib"}


def root_argument_of(case: Case, home: Place | None = None, *, early: bool = True) -> str | None:
    """`root=…` of the volume that holds an operating system; None when there is none, or more than one.

    home: the volume with the kernel, which is the root where several could be. early: an initrd looks for the root, so
    that a label or UUID will do; without one, the name of a device in fstab goes before these.
    """
    places = [place for place in case.places if has_system(place)]
    if len(places) > 1:
        mounted = [place for place in places if _fstab_root(place)]
        places = [place for place in mounted or places if place is home] or mounted or places
    if len(places) != 1:
        return None
    (place,) = places
    content = place.filesystem
    assert content is not None
    told = _fstab_root(place) or ""
    known = {f"LABEL={content.label}", f"UUID={content.uuid}"}
    if told in known or (told.startswith("/dev/") and not early):
        return f"root={told}"
    labels = [content.label for place in case.places for content in place.volume.contents]
    if content.label and " " not in content.label and labels.count(content.label) == 1:
        return f"root=LABEL={content.label}"
    return f"root=UUID={content.uuid}" if content.uuid else None


def _fstab_root(place: Place) -> str | None:
    """What /etc/fstab of a volume says that the root is."""
    text = (place.head("/etc/fstab", MOST_FSTAB) or b"").decode("utf-8", "surrogateescape")
    for line in text.splitlines():
        fields = line.split()
        if len(fields) > 1 and not fields[0].startswith("#") and fields[1] == "/" and fields[0].isprintable():
            return fields[0].replace('"', "")
    return None


def kernel_arguments(case: Case, place: Place, kernel: str) -> str | None:
    """What another boot loader passes to a kernel, with the root filesystem; None when that is not known."""
    given = arguments_for(kernel, place, case.places, case.boot.memory.budget) or ("ro",)
    named = next((word for word in given if word.startswith("root=")), None)
    right = root_argument_of(case, place, early=initrd_for(place, kernel) is not None)
    if named is None or (_is_wrong(case, named) and right):
        if right is None:
            return None
        given = (right, *(word for word in given if not word.startswith("root=")))
    elif re.match(_MADE_ON, named):
        return None
    head = place.head(kernel, HEAD) or b""
    return " ".join(_for_xen(given, console_named(head, kernel)))


def _for_xen(words: Iterable[str], console: str) -> list[str]:
    """Arguments without the consoles that a paravirtual guest does not have, the Xen console last: init gets that."""
    # A backslash at its end would make the next line a part of this one.
    kept = [word for word in dict.fromkeys(words) if not word.startswith(_OTHER_CONSOLES) and not word.endswith("\\")]
    return [*kept, f"console={console}"]


def _is_wrong(case: Case, argument: str) -> bool:
    """True for a root that none of the disks has, or one on which no operating system is."""
    if re.match(_MADE_ON, argument):
        return True
    named = re.fullmatch(_NAMED, argument)
    if named is None or any(place.has(ContentKind.LVM) for place in case.places):
        return False
    kind, value = named.groups()
    for place in case.places:
        for content in place.volume.contents:
            if value == content.label if kind == "LABEL" else value.casefold() == content.uuid.casefold():
                return place.filesystem is not None and place.reader is not None and not has_system(place)
    return True
