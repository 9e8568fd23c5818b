"""What the root volume says about its own start: fstab, init, and who waits for a login on the console."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pvgrub_sim.findings.facts.case import Case
from pvgrub_sim.findings.facts.devices import Naming, named_places, naming_of
from pvgrub_sim.findings.facts.starts import Start
from pvgrub_sim.survey.result import ContentKind
from pvgrub_sim.typed import TYPE_CHECKING, Final
from pvgrub_sim.values import NamedTuple

if TYPE_CHECKING:
    from pvgrub_sim.findings.facts.place import Place

MOST_TEXT: Final = 256 << 10
CONSOLES: Final = ("hvc0", "xvc0")
INITS: Final = ("/sbin/init", "/etc/init", "/bin/init", "/lib/systemd/systemd", "/usr/lib/systemd/systemd", "/bin/sh")
"""Where Linux looks for init (init/main.c:kernel_init), and what distributions link there."""
_DISK: Final = r"/dev/((?:sd|hd|xvd)[a-z]{1,2}\d*)"


class Mount(NamedTuple):
    """A line of fstab: its number, from 1, what is mounted, where, and with which options."""

    number: int
    device: str
    point: str
    options: tuple[str, ...]


def mounts(place: Place) -> Iterator[Mount]:
    """The lines of a volume's /etc/fstab (fstab(5))."""
    text = (place.head("/etc/fstab", MOST_TEXT) or b"").decode("utf-8", "surrogateescape")
    for number, line in enumerate(text.split("\n"), 1):
        fields = line.split()
        if len(fields) >= 4 and not fields[0].startswith("#"):
            yield Mount(number, fields[0].replace('"', ""), fields[1], tuple(fields[3].split(",")))


def lost_mounts(case: Case, start: Start, place: Place) -> Iterator[tuple[Mount, str]]:
    """Mounts at the start whose device the kernel will not have, and why.

    Only the disk's own partitions, which are known, and names that this kernel gives nobody: another disk may be
    attached, and is nobody's fault.
    """
    if naming_of(start) is Naming.UNKNOWN or any(one.has(ContentKind.LVM) for one in case.places):
        return
    names = {name for name, _ in named_places(case, start)}
    disks = {name for name, one in named_places(case, start) if one.whole}
    for mount in mounts(place):
        if {"noauto", "nofail", "bind", "_netdev"} & set(mount.options) or mount.point in ("/", "none", "swap"):
            continue
        found = re.fullmatch(_DISK, mount.device)
        if found is None or found[1] in names:
            continue
        if not found[1].startswith("xvd") and naming_of(start) is not Naming.CLASSIC:
            yield mount, f"a name that this kernel ({start.release}) gives no disk of Xen's"
        elif found[1].rstrip("0123456789") in disks:
            yield mount, "a partition that the disk does not have"


def has_init(start: Start, place: Place) -> bool:
    """True where an init is found on the root, or may be."""
    named = start.argument("init")
    return any(place.node(path) is not None or _is_link(place, path) for path in (*INITS, *([named] if named else [])))


def _is_link(place: Place, path: str) -> bool:
    """True for a link, wherever it leads: it may do so on another volume."""
    return bool(place.links(path)[0])


def has_getty(start: Start, place: Place) -> bool:
    """False where it is known that nobody waits for a login on Xen's console.

    systemd's generator starts one for the console that the kernel has (systemd-getty-generator(8)): that will do.
    """
    if any(place.node(path) is not None for path in ("/lib/systemd/systemd", "/usr/lib/systemd/systemd")):
        return True
    inittab = place.head("/etc/inittab", MOST_TEXT)
    found = [inittab or b""]
    for folder in ("/etc/init", "/etc/event.d"):
        names = [name for name in place.names(folder) if name.endswith(".conf") or folder == "/etc/event.d"]
        found += [place.head(f"{folder}/{name}", MOST_TEXT) or b"" for name in names[:200]]
    if inittab is None and len(found) == 1:
        # Neither SysV's init nor upstart: what it is, nobody here knows.
        return True
    for text in found:
        for line in text.split(b"\n"):
            told = line.strip()
            if not told.startswith(b"#") and re.search(rb"\b(?:hvc0|xvc0|console|\$TTY|ttyHVC)\b|\$DEV\b", told):
                return True
    return False
