"""What other boot loaders of an image pass to a kernel: BLS snippets, grub.cfg, extlinux.conf, /etc/kernel/cmdline."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from pvgrub_sim.findings.facts.place import Place
from pvgrub_sim.typed import Final
from pvgrub_sim.values import NamedTuple

MOST_CONFIG: Final = 1 << 20
"""Bytes of a configuration that are looked at."""
MOST_SNIPPETS: Final = 64
MOST_SNIPPET: Final = 64 << 10
GRUB_FOLDERS: Final = ("/boot/grub2", "/grub2", "/boot/grub", "/grub")
SNIPPETS: Final = ("/boot/loader/entries", "/loader/entries")
SYSLINUX: Final = tuple(
    f"{folder}/{name}"
    for name in ("extlinux.conf", "syslinux.cfg")
    for folder in ("/boot/extlinux", "/extlinux", "/boot/syslinux", "/syslinux", "/boot", "")
)
CMDLINE: Final = "/etc/kernel/cmdline"
NOT_PASSED: Final = ("initrd=", "BOOT_IMAGE=")
"""Arguments that a boot loader makes for itself."""

# Compiled when they are wanted: few runs come to that.
_LINUX: Final = r"(?m)(?:^|[{;])[ \t]*linux(?:16|efi)?[ \t]+(\S+)[ \t]*([^;}\n]*)"
_SET: Final = r"""(?m)(?:^|[\s;])set[ \t]+(\w+)=(?:"([^"\n]*)"|'([^'\n]*)'|([^\s;]*))"""
_VARIABLE: Final = r"\$(?:\{(\w+)\}|(\w+))"


class Passed(NamedTuple):
    """What a configuration passes to one of its kernels, by the name that it gives the kernel."""

    kernel: str
    arguments: tuple[str, ...]


def arguments_for(kernel: str, home: Place, places: Iterable[Place]) -> tuple[str, ...] | None:
    """The arguments that a kernel is given elsewhere; those of another kernel of the same file, where it is not named.

    home: the volume with the kernel, which is asked first. Nothing that is not known is among them: a variable that no
    file sets stands for nothing. None when no configuration has a word.
    """
    order = [home, *(place for place in places if place is not home)]
    for source in (_snippets, _grub_cfg, _syslinux, _cmdline):
        found = [passed for place in order for passed in source(place, order)]
        name = kernel.rpartition("/")[2]
        same = [passed for passed in found if passed.kernel.rpartition("/")[2] == name and passed.arguments]
        others = [passed for passed in found if any(word.startswith("root=") for word in passed.arguments)]
        if chosen := (same or others)[:1]:
            return chosen[0].arguments
    return None


def _snippets(place: Place, order: list[Place]) -> Iterator[Passed]:
    """Entries of the boot loader specification, whose variables are set in grubenv or grub.cfg."""
    variables: dict[str, str] | None = None
    for folder in SNIPPETS:
        for name in sorted(name for name in place.names(folder) if name.endswith(".conf"))[:MOST_SNIPPETS]:
            lines = [line.split(None, 1) for line in _text(place, f"{folder}/{name}", MOST_SNIPPET).splitlines()]
            fields = [(line[0], line[1]) for line in lines if len(line) == 2]
            kernel = next((value for key, value in fields if key == "linux"), "")
            if not kernel:
                continue
            if variables is None:
                variables = _variables(order)
            options = " ".join(value for key, value in fields if key == "options")
            yield Passed(kernel.strip(), _words(options, variables))


def _grub_cfg(place: Place, order: list[Place]) -> Iterator[Passed]:
    for text in _grub_texts(place):
        variables = {**_set_in(text), **_environment(order)}
        for kernel, words in re.findall(_LINUX, text):
            yield Passed(kernel, _words(words, variables))


def _syslinux(place: Place, order: list[Place]) -> Iterator[Passed]:
    """LABEL, KERNEL or LINUX, APPEND; an APPEND before the first LABEL is that of all kernels without one."""
    for path in SYSLINUX:
        kernel = ""
        common: str | None = None
        given: str | None = None
        for line in (*_text(place, path, MOST_CONFIG).splitlines(), "label"):
            key, _, value = line.strip().partition(" ")
            match key.lower():
                case "label":
                    if kernel:
                        yield Passed(kernel, _words(given if given is not None else common or "", {}))
                    elif common is None:
                        common = given
                    kernel, given = "", None
                case "kernel" | "linux":
                    kernel = value.strip()
                case "append":
                    given = "" if value.strip() == "-" else value


def _cmdline(place: Place, order: list[Place]) -> Iterator[Passed]:
    if text := _text(place, CMDLINE, MOST_SNIPPET):
        yield Passed("", _words(text, {}))


def _grub_texts(place: Place) -> Iterator[str]:
    """GRUB 2's configurations of a volume; one may stand under the name of a menu."""
    for folder in (*GRUB_FOLDERS, *_efi_folders(place)):
        for name in ("grub.cfg", "menu.lst"):
            if text := _text(place, f"{folder}/{name}", MOST_CONFIG):
                yield text


def _efi_folders(place: Place) -> list[str]:
    return [f"{efi}/{name}" for efi in ("/EFI", "/boot/efi/EFI") for name in place.names(efi)[:MOST_SNIPPETS]]


def _variables(order: list[Place]) -> dict[str, str]:
    """What grub.cfg sets, and above that what is kept in grubenv."""
    found: dict[str, str] = {}
    for place in reversed(order):
        for text in _grub_texts(place):
            found |= _set_in(text)
    return found | _environment(order)


def _environment(order: list[Place]) -> dict[str, str]:
    """The variables of GRUB 2's environment block (GRUB 2, util/grub-editenv.c: lines of name=value)."""
    found: dict[str, str] = {}
    for place in order:
        for folder in (*GRUB_FOLDERS, *_efi_folders(place)):
            for line in _text(place, f"{folder}/grubenv", MOST_SNIPPET).splitlines():
                name, sign, value = line.partition("=")
                if sign and not line.startswith("#"):
                    found.setdefault(name, value)
    return found


def _set_in(text: str) -> dict[str, str]:
    return {name: double or single or bare for name, double, single, bare in re.findall(_SET, text)}


def _words(text: str, variables: Mapping[str, str]) -> tuple[str, ...]:
    """Arguments with their variables filled in; a word that wants one that nobody sets is left out."""

    def value(found: re.Match[str]) -> str:
        return variables.get(found[1] or found[2], "\0")

    words = re.sub(_VARIABLE, value, text).split()
    return tuple(word for word in words if word.isprintable() and "$" not in word and not word.startswith(NOT_PASSED))


def _text(place: Place, path: str, most: int) -> str:
    return (place.head(path, most) or b"").decode("utf-8", "surrogateescape") if place.reader else ""
