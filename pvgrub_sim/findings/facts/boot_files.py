"""The files that booting needs, on whichever volume they are: menus, kernels, initrds."""

from __future__ import annotations

from collections.abc import Iterator

from pvgrub_sim.findings.facts.case import Case
from pvgrub_sim.findings.facts.menufile import split_device
from pvgrub_sim.findings.facts.place import Place
from pvgrub_sim.findings.facts.release import ReleaseKey, is_aside, release_key
from pvgrub_sim.survey.result import BootFile, FileKind


def menus(case: Case) -> list[tuple[Place, BootFile]]:
    """The files that look like a menu of GRUB legacy, wherever they are."""
    return list(case.boot_files(FileKind.MENU))


def looked_at(case: Case) -> str:
    """The places of the lookup, in words."""
    paths = case.profile.config_paths
    return ", ".join(paths[:3]) + (f" and {len(paths) - 3} more places" if len(paths) > 3 else "")


def places_looked_at(case: Case, place: Place) -> list[str]:
    """The paths at which PV-GRUB looks on a volume."""
    found = []
    for text in case.profile.config_paths:
        device, path = split_device(text)
        if place.seen and case.place(device) is place:
            found.append(path)
    return found


def kernel_files(place: Place) -> list[BootFile]:
    """The kernels on a volume, the newest release last; those for a bad day come first."""
    files = place.filesystem.files if place.filesystem else ()
    kernels = [file for file in files if file.kind is FileKind.KERNEL and not file.missing and file.size]
    return sorted(kernels, key=_age)


def _age(file: BootFile) -> tuple[bool, ReleaseKey, bool]:
    """A file under its own name is taken before a link to it."""
    name = file.path.rpartition("/")[2]
    release = name.partition("-")[2]
    if not any(map(str.isdigit, release)):
        # `vmlinuz`, `vmlinuz-linux`, `vmlinuz-virt`: the kernel itself says which it is.
        release = file.facts.get("version", "").split(" ")[0] or release
    return not is_aside(name), release_key(release), file.link is None


def initrd_for(place: Place, kernel: str) -> str | None:
    """The initrd that goes with a kernel by its name."""
    folder, _, name = kernel.rpartition("/")
    version = name.partition("-")[2]
    for file in place.filesystem.files if place.filesystem else ():
        if file.kind is FileKind.INITRD and not file.missing and file.path.rpartition("/")[0] == folder:
            rest = file.path.rpartition("/")[2]
            if (version and version in rest) or (not version and "-" not in rest):
                return file.path
    return None


def boot_places(case: Case) -> Iterator[Place]:
    """The volumes that hold what booting needs: the menu, the files it names, or any boot files at all."""
    wanted: dict[str, Place] = {}
    if case.menu_home:
        wanted[case.menu_home[0].device] = case.menu_home[0]
    for ref in case.files():
        if ref.place:
            wanted[ref.place.device] = ref.place
    if case.config is None:
        for place in case.places:
            if place.filesystem and any(file.kind != "other" for file in place.filesystem.files):
                wanted[place.device] = place
    yield from wanted.values()


def needed_paths(case: Case, place: Place) -> list[str]:
    """The files of a volume that booting needs: the menu, what it names, and all that look like boot files."""
    paths = [case.menu_home[1]] if case.menu_home and case.menu_home[0] is place else []
    paths += [ref.path for ref in case.files() if ref.place is place]
    paths += [file.path for file in (place.filesystem.files if place.filesystem else ()) if file.kind != "other"]
    return [path for path in dict.fromkeys(paths) if place.is_file(path)]


def read_error(case: Case, place: Place) -> tuple[str, int] | None:
    """A file that is there and that PV-GRUB cannot open, with its error number; None when it opens all it needs."""
    for path in needed_paths(case, place):
        if error := case.viewer.look(place.device, path).error:
            return path, error
    return None
