"""Remedies as shell commands: what a person can paste, with the real paths filled in.

They work on image files and need no root: debugfs, mke2fs, sfdisk, sgdisk, mtools, dd and pvgrub-sim itself. Lines
that begin with `#` are advice where no such command exists.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from pvgrub_sim.findings.place import Place

if TYPE_CHECKING:
    from pvgrub_sim.findings.case import Case
    from pvgrub_sim.findings.menufile import Line

EXT: Final = ("ext2", "ext3", "ext4")
MIB: Final = 1 << 20
WHOLE: Final = "(hd0)"
LARGEST_COPY: Final = 4 * MIB
"""Block size of dd, in bytes."""


def word(text: str) -> str:
    """Text as one word of a shell."""
    # Only remedies need it.
    import shlex

    return shlex.quote(text)


def image(place: Place) -> str:
    """The image's path."""
    return place.attached.disk.name


def ext_device(place: Place) -> str:
    """The filesystem as e2fsprogs takes it: an image, or an image with the partition's offset in bytes."""
    return word(image(place) if place.whole else f"{image(place)}?offset={place.volume.offset}")


def fat_device(place: Place) -> str:
    """The filesystem as mtools take it."""
    return word(image(place) if place.whole else f"{image(place)}@@{place.volume.offset}")


def copy_out(place: Place, path: str, to: str) -> str:
    """Command that writes a file of the filesystem to a file of the host."""
    # Alone, every image is hd0.
    device = place.volume.grub.replace(f"(hd{place.index}", "(hd0", 1)
    return f"pvgrub-sim cat --survey {word(image(place))} {word(device + path)} > {word(to)}"


def in_debugfs(text: str) -> str:
    """A word of a debugfs command."""
    return f'"{text}"' if any(mark in text for mark in " \t'") else text


def debugfs(place: Place, *commands: str) -> str:
    """Commands for debugfs that change the filesystem."""
    return "\n".join((f"debugfs -w -f - {ext_device(place)} <<'END'", *commands, "END"))


def put(place: Place, source: str, path: str) -> str | None:
    """Command that puts a file of the host in the place of one in the filesystem; None where no tool does that."""
    if place.type in EXT:
        commands = [f"write {in_debugfs(source)} {in_debugfs(path)}"]
        if place.is_file(path):
            commands.insert(0, f"rm {in_debugfs(path)}")
        if place.filesystem and "extent" in place.filesystem.features:
            # PV-GRUB misreads holes in extents, and debugfs makes one of every block of zeros.
            commands = ["feature -extent", *commands, "feature extent"]
        return debugfs(place, *commands)
    if place.type == "vfat":
        return f"mcopy -o -i {fat_device(place)} {word(source)} {word('::' + path)}"
    return None


def replace_file(place: Place, path: str, *commands: str, name: str) -> str:
    """Commands that copy a file out as `name`, change it, and put it back without links on the way.

    commands: what changes the copy. Advice where the filesystem cannot be written without being mounted.
    """
    _, real = place.links(path)
    back = put(place, name, real)
    if back is None:
        return advice(
            f"{place.type or 'This filesystem'} cannot be written without being mounted: on the running system, or "
            f"with {place.device} mounted, do to {path} what this does to {name}:",
            *commands,
        )
    return "\n".join((copy_out(place, real, name), *commands, back))


def advice(*lines: str) -> str:
    """Words for people, as a shell's comments."""
    return "\n".join(f"# {line}" for text in lines for line in text.split("\n"))


def edit_menu(case: Case, *scripts: str) -> str:
    """Commands that apply sed scripts to the menu."""
    home = case.menu_home
    sed = "sed -i " + " ".join(f"-e {word(script)}" for script in scripts) + " menu.lst"
    if home is None:
        return advice("in the menu:", sed)
    place, path = home
    if (place.head(path, 2) or b"") == b"\x1f\x8b":
        sed = f"mv menu.lst menu.lst.gz\ngunzip menu.lst.gz\n{sed}"
    return replace_file(place, path, *sed.split("\n"), name="menu.lst")


def address(line: Line) -> str:
    """Where a line of the menu is, for sed: its number, or a range when it is continued."""
    return f"{line.number}" if line.span == 1 else f"{line.number},{line.number + line.span - 1}"


def substitute(line: Line, old: str, new: str) -> str:
    """A sed script that replaces a text in a line of the menu (its tabs count as blanks there)."""
    return f"{address(line)}s|{_pattern(old)}|{_replacement(new)}|"


def delete(line: Line) -> str:
    """A sed script that deletes a line of the menu."""
    return f"{address(line)}d"


def overwrite(line: Line, text: str) -> str:
    """A sed script that puts another line in the place of one of the menu."""
    return f"{address(line)}c {text}"


def _pattern(text: str) -> str:
    quoted = "".join("\\" + c if c in r"\.*[]^$|" else c for c in text)
    return quoted.replace(" ", "[ \\t]")


def _replacement(text: str) -> str:
    return "".join("\\" + c if c in "\\&|" else c for c in text)


def extract_partition(place: Place, *commands: str) -> str:
    """Commands that take a partition out of its image as part.img, change it, and put it back."""
    offset, size = place.volume.offset, place.volume.size
    step = math.gcd(offset, size, LARGEST_COPY)
    where = word(image(place))
    return "\n".join(
        (
            f"dd if={where} of=part.img bs={step} skip={offset // step} count={size // step} status=none",
            *commands,
            f"dd if=part.img of={where} bs={step} seek={offset // step} count={size // step} conv=notrunc status=none",
        )
    )


def boot_disk(case: Case, place: Place) -> str:
    """Commands that make boot.img, a disk that PV-GRUB reads, with the menu and the files that it names."""
    wanted: dict[str, tuple[Place, str]] = {}
    if case.menu_home is not None:
        wanted[_menu_path(case)] = case.menu_home
    for ref in case.files():
        if ref.place is not None and ref.place.is_file(ref.path):
            wanted[ref.path] = (ref.place, ref.path)
    if not wanted or place.reader is None:
        return advice(
            f"PV-GRUB needs the menu, kernel and initrd on a filesystem that it reads: copy /boot from {place.device}",
            "to a disk or partition of its own, made with: mke2fs -t ext2 -L boot boot.img 256M",
        )
    size = 0
    folders = dict.fromkeys("tree" + path.rpartition("/")[0] for path in wanted)
    lines = ["mkdir -p " + " ".join(word(folder) for folder in folders)]
    for path, (home, source) in wanted.items():
        node = home.node(source)
        size += node.size if node else 0
        lines.append(copy_out(home, source, f"tree{path}"))
    lines += _all_on_whole_disk(case)
    mib = max(4, math.ceil(size * 1.15 / MIB) + 2)
    lines.append(f"mke2fs -q -F -t ext2 -L boot -d tree boot.img {mib}M")
    return "\n".join(lines)


def _menu_path(case: Case) -> str:
    """Where PV-GRUB looks for a menu on a disk without a partition table."""
    assert case.menu_home is not None
    found = [text.removeprefix(WHOLE) for text in case.profile.config_paths if text.startswith(f"{WHOLE}/")]
    return found[0] if found else case.menu_home[1]


def _all_on_whole_disk(case: Case) -> list[str]:
    """A command that makes the menu in tree/ name the whole disk wherever it names another device."""
    scripts = []
    for entry in case.menu.entries if case.menu else ():
        for line in entry.lines:
            device = line.device if line.command in ("root", "rootnoverify") else line.file.partition("/")[0]
            if line.known and device.startswith("(") and device != WHOLE:
                scripts.append(substitute(line, device, WHOLE))
    if not scripts:
        return []
    expressions = " ".join(f"-e {word(script)}" for script in scripts)
    return [f"sed -i {expressions} {word('tree' + _menu_path(case))}"]
