"""What the TAB key offers: commands, disks, partitions and files (stage2/disk_io.c:print_completions)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from pvgrub_sim.grub.builtins.table import BUILTINS, Flag
from pvgrub_sim.grub.disk.device import set_device
from pvgrub_sim.grub.disk.raw import get_diskinfo
from pvgrub_sim.grub.errnum import ErrNum, GrubError
from pvgrub_sim.grub.file.open import setup_part
from pvgrub_sim.grub.file.partition_list import partition_names
from pvgrub_sim.grub.machine import Machine
from pvgrub_sim.grub.menu.script import print_error


class Completion(NamedTuple):
    """text: the word as far as it is certain. ways: how many there are to go on; None after an error."""

    text: bytes
    ways: int | None


def print_completions(m: Machine, word: bytes, *, is_filename: bool, show: bool = False) -> Completion:
    """Complete a word, or (show) print what it may become."""
    try:
        names, stem, ends = (_files if is_filename else _commands)(m, word, show)
    except GrubError:
        print_error(m)
        return Completion(word, None)
    if show:
        m.term.write(b"".join(b" " + name for name in names) + b"\n")
        return Completion(word, len(names))
    if not names:
        return Completion(word, 0)
    text = stem + _common_beginning(names)
    if len(names) == 1:
        text += ends
    return Completion(text, len(names))


Found = tuple[list[bytes], bytes, bytes]
"""Names, what stands before them in the word, and what ends a single one."""


def _commands(m: Machine, word: bytes, show: bool) -> Found:
    if show:
        m.term.write(b" Possible commands are:")
    usable = (name for name in sorted(BUILTINS) if BUILTINS[name].flags & Flag.CMDLINE)
    return _starting(usable, word), b"", b" "


def _files(m: Machine, word: bytes, show: bool) -> Found:
    if word.startswith(b"/"):
        return _paths(m, word, word, show)
    close = word.find(b")")
    if close >= 0:
        rest = set_device(m, word)
        if rest.startswith(b"/"):
            return _paths(m, word, rest, show)
        m.fail(ErrNum.BAD_FILENAME)
    if not word.startswith(b"("):
        m.fail(ErrNum.DEV_FORMAT)
    comma = word.find(b",")
    if comma < 0:
        return _disks(m, word, show)
    set_device(m, word[:comma] + b")")
    if show:
        m.term.write(b" Possible partitions are:\n")
        from pvgrub_sim.grub.file.partition_list import print_partitions

        print_partitions(m)
        return [], word, b""
    return _starting(partition_names(m), word[comma + 1 :]), word[: comma + 1], b""


def _disks(m: Machine, word: bytes, show: bool) -> Found:
    if show:
        m.term.write(b" Possible disks are: ")
    names = [b"hd%d" % number for number in range(8) if get_diskinfo(m, 0x80 + number) is not None]
    return _starting(names, word[1:]), b"(", b","


def _paths(m: Machine, word: bytes, path: bytes, show: bool) -> Found:
    if show:
        m.term.write(b" Possible files are:")
    names = list_names(m, word)
    stem = word[: len(word) - len(path)] + path[: path.rfind(b"/") + 1]
    ends = b" "
    if len(names) == 1 and not show:
        try:
            list_names(m, stem + names[0] + b"/")
            ends = b"/"
        except GrubError:
            m.errnum = ErrNum.NONE
    return names, stem, ends


def list_names(m: Machine, name: bytes) -> list[bytes]:
    """The names that begin as a path does (dir() in stage2/disk_io.c); raises GrubError."""
    m.compressed_file = None
    path = setup_part(m, name)
    if not path.startswith(b"/"):
        m.fail(ErrNum.BAD_FILENAME)
    if m.fsys is None:
        m.fail(ErrNum.FSYS_MOUNT)
    return [found for found in m.fsys.list(path) if found not in (b".", b"..")]


def _common_beginning(names: list[bytes]) -> bytes:
    first, last = min(names), max(names)
    same = 0
    while same < min(len(first), len(last)) and first[same] == last[same]:
        same += 1
    return first[:same]


def _starting(names: Iterable[bytes], beginning: bytes) -> list[bytes]:
    return [name for name in names if name.startswith(beginning)]
