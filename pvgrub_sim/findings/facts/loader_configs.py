"""What other boot loaders of an image pass to a kernel: BLS snippets, grub.cfg, extlinux.conf, /etc/kernel/cmdline."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property

from pvgrub_sim.budget import Budget
from pvgrub_sim.findings.facts.place import Place
from pvgrub_sim.typed import Final
from pvgrub_sim.values import NamedTuple

MOST_CONFIG: Final = 1 << 20
"""Bytes of a configuration that are looked at."""
COST: Final = 256
"""A character of a configuration takes as long as so many bytes of the budget that are only loaded."""
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


class _Configs:
    """The texts of configurations and their variables, on the volumes in the order in which these are asked."""

    def __init__(self, order: list[Place], budget: Budget) -> None:
        self.order = order
        self._budget = budget

    def text(self, place: Place, path: str, most: int = MOST_CONFIG) -> str:
        """The beginning of a file, "" where there is none; raises GivenUp."""
        raw = (place.head(path, most) or b"") if place.reader else b""
        self._budget.take(len(raw) * COST)
        return raw.decode("utf-8", "surrogateescape")

    def words(self, text: str, variables: Mapping[str, str]) -> tuple[str, ...]:
        """Arguments with their variables filled in; a word that wants one that nobody sets is left out."""

        def value(found: re.Match[str]) -> str:
            told = variables.get(found[1] or found[2], "\0")
            # A few letters can stand for a MiB each.
            self._budget.take(len(told) * COST)
            return told

        self._budget.take(len(text) * COST)
        words = re.sub(_VARIABLE, value, text).split()
        return tuple(
            word for word in words if word.isprintable() and "$" not in word and not word.startswith(NOT_PASSED)
        )

    @cached_property
    def environment(self) -> dict[str, str]:
        """The variables of GRUB 2's environment block (GRUB 2, util/grub-editenv.c: lines of name=value)."""
        found: dict[str, str] = {}
        for place in self.order:
            for folder in (*GRUB_FOLDERS, *_efi_folders(place)):
                for line in self.text(place, f"{folder}/grubenv", MOST_SNIPPET).splitlines():
                    name, sign, value = line.partition("=")
                    if sign and not line.startswith("#"):
                        found.setdefault(name, value)
        return found

    @cached_property
    def variables(self) -> dict[str, str]:
        """What grub.cfg sets, and above that what is kept in grubenv."""
        found: dict[str, str] = {}
        for place in reversed(self.order):
            for text in self.grub_texts(place):
                found |= _set_in(text)
        return found | self.environment

    def grub_texts(self, place: Place) -> Iterator[str]:
        """GRUB 2's configurations of a volume; one may stand under the name of a menu."""
        for folder in (*GRUB_FOLDERS, *_efi_folders(place)):
            for name in ("grub.cfg", "menu.lst"):
                if text := self.text(place, f"{folder}/{name}"):
                    yield text


def arguments_for(kernel: str, home: Place, places: Iterable[Place], budget: Budget) -> tuple[str, ...] | None:
    """The arguments that a kernel is given elsewhere; those of another kernel of the same file, where it is not named.

    home: the volume with the kernel, which is asked first. Nothing that is not known is among them: a variable that no
    file sets stands for nothing. None when no configuration has a word. budget: what reading them may take; raises
    GivenUp.
    """
    order = [home, *(place for place in places if place is not home)]
    configs = _Configs(order, budget)
    for source in (_snippets, _grub_cfg, _syslinux, _cmdline):
        found = [passed for place in order for passed in source(place, configs)]
        name = kernel.rpartition("/")[2]
        same = [passed for passed in found if passed.kernel.rpartition("/")[2] == name and passed.arguments]
        others = [passed for passed in found if any(word.startswith("root=") for word in passed.arguments)]
        if chosen := (same or others)[:1]:
            return chosen[0].arguments
    return None


def _snippets(place: Place, configs: _Configs) -> Iterator[Passed]:
    """Entries of the boot loader specification, whose variables are set in grubenv or grub.cfg."""
    for folder in SNIPPETS:
        for name in sorted(name for name in place.names(folder) if name.endswith(".conf"))[:MOST_SNIPPETS]:
            lines = [line.split(None, 1) for line in configs.text(place, f"{folder}/{name}", MOST_SNIPPET).splitlines()]
            fields = [(line[0], line[1]) for line in lines if len(line) == 2]
            kernel = next((value for key, value in fields if key == "linux"), "")
            if not kernel:
                continue
            options = " ".join(value for key, value in fields if key == "options")
            yield Passed(kernel.strip(), configs.words(options, configs.variables))


def _grub_cfg(place: Place, configs: _Configs) -> Iterator[Passed]:
    for text in configs.grub_texts(place):
        variables = {**_set_in(text), **configs.environment}
        for kernel, words in re.findall(_LINUX, text):
            yield Passed(kernel, configs.words(words, variables))


def _syslinux(place: Place, configs: _Configs) -> Iterator[Passed]:
    """LABEL, KERNEL or LINUX, APPEND; an APPEND before the first LABEL is that of all kernels without one."""
    for path in SYSLINUX:
        kernel = ""
        common: str | None = None
        given: str | None = None
        for line in (*configs.text(place, path).splitlines(), "label"):
            key, _, value = line.strip().partition(" ")
            match key.lower():
                case "label":
                    if kernel:
                        yield Passed(kernel, configs.words(given if given is not None else common or "", {}))
                    elif common is None:
                        common = given
                    kernel, given = "", None
                case "kernel" | "linux":
                    kernel = value.strip()
                case "append":
                    given = "" if value.strip() == "-" else value


def _cmdline(place: Place, configs: _Configs) -> Iterator[Passed]:
    if text := configs.text(place, CMDLINE, MOST_SNIPPET):
        yield Passed("", configs.words(text, {}))


def _efi_folders(place: Place) -> list[str]:
    return [f"{efi}/{name}" for efi in ("/EFI", "/boot/efi/EFI") for name in place.names(efi)[:MOST_SNIPPETS]]


def _set_in(text: str) -> dict[str, str]:
    return {name: double or single or bare for name, double, single, bare in re.findall(_SET, text)}
