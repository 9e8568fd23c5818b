"""What the TAB key offers: commands, disks, partitions and files (stage2/disk_io.c:print_completions)."""

from __future__ import annotations

from pvgrub_sim.grub.builtins.table import Flag, all_builtins
from pvgrub_sim.grub.console.print_error import print_error
from pvgrub_sim.grub.disk.device import DeviceString, PartChoice, parse_device
from pvgrub_sim.grub.disk.drives import get_diskinfo
from pvgrub_sim.grub.disk.partitions import BSD_TYPES, open_partition
from pvgrub_sim.grub.errnum import ErrNum, GrubError
from pvgrub_sim.grub.file.open import setup_part
from pvgrub_sim.grub.file.partition_list import partition_names, print_partitions
from pvgrub_sim.grub.machine import GRUB_INVALID_DRIVE, Machine
from pvgrub_sim.grub.words import c_string, copy_string, is_substring

_DISKS = 8


class _Candidates:
    """Counts the candidates and prints them, or keeps what they have in common (print_a_completion())."""

    def __init__(self, m: Machine, *, listing: bool) -> None:
        self._m = m
        self._listing = listing
        self.unique = 0
        self.common = b""

    def add(self, name: bytes) -> None:
        """One more."""
        if name in (b".", b".."):
            return
        if self._listing:
            self._m.term.write(b" " + name)
        elif not self.unique:
            self.common = name
        else:
            same = 0
            while self.common[same : same + 1] == name[same : same + 1] != b"":
                same += 1
            self.common = self.common[:same]
        self.unique += 1


def complete(m: Machine, word: bytearray, is_filename: bool, listing: bool) -> int:
    """Complete the string in a buffer or, with `listing`, print what it may become.

    word: COMPLETION_BUF, a string that ends in NUL with memory behind it. Returns how many candidates there are
    besides the first: -1 when there is none or an error was printed.
    """
    found = _Candidates(m, listing=listing)
    m.in_entry = False
    try:
        if is_filename:
            _device_or_file(m, word, found, listing)
        else:
            _commands(m, word, found, listing)
    except GrubError:
        pass
    print_error(m)
    return -1 if m.errnum else found.unique - 1


def _commands(m: Machine, word: bytearray, found: _Candidates, listing: bool) -> None:
    if listing:
        m.term.write(b" Possible commands are:")
    beginning = c_string(word)
    for name, builtin in sorted(all_builtins().items()):
        if builtin.flags & Flag.CMDLINE and is_substring(beginning, name):
            found.add(name)
    if listing:
        m.term.write(b"\n")
    elif found.common:
        copy_string(word, 0, found.common + (b" " if found.unique == 1 else b""))


def _device_or_file(m: Machine, word: bytearray, found: _Candidates, listing: bool) -> None:
    text = c_string(word)
    if text.startswith(b"/"):
        m.errnum = ErrNum.NONE
        _files(m, word, 0, found, listing)
        return
    device = parse_device(m, text)
    if device.text != text:
        copy_string(word, 0, device.text)
    if device.rest is None and not device.incomplete:
        raise GrubError(m.errnum)
    m.errnum = ErrNum.NONE
    if text.startswith(b"(") and not device.rest:
        if device.part_choice is PartChoice.UNSPECIFIED:
            _disks(m, word, device, found, listing)
        else:
            _partitions(m, word, device, found, listing)
    elif device.rest and device.rest.startswith(b"/"):
        _files(m, word, len(text) - len(device.rest), found, listing)
    else:
        m.fail(ErrNum.BAD_FILENAME)


def _disks(m: Machine, word: bytearray, device: DeviceString, found: _Candidates, listing: bool) -> None:
    if listing:
        m.term.write(b" Possible disks are: ")
    letters = None if device.rest is None else device.text[-2:]
    for kind, first in ((b"f", 0), (b"h", 0x80)):
        # QUIRK: meant to leave the disks out for `(cd` as well, the condition is always true.
        if (kind == b"f" and letters == b"hd") or (kind == b"h" and letters == b"fd"):
            continue
        for number in range(_DISKS):
            drive = first + number
            if (device.disk_choice or drive == m.current_drive) and get_diskinfo(m, drive) is not None:
                found.add(kind + b"d%d" % number)
    # QUIRK: Mini-OS knows no CD-ROM, but its drive number is 0 and not the one that means none.
    has_cdrom = m.cdrom_drive != GRUB_INVALID_DRIVE and (device.disk_choice or m.cdrom_drive == m.current_drive)
    if has_cdrom and (letters is None or letters == b"cd" or letters.endswith(b"(")):
        found.add(b"cd")
    if listing:
        m.term.write(b"\n")
    elif found.common:
        end = b"" if found.unique != 1 else b"," if found.common.startswith(b"h") else b")"
        copy_string(word, device.text.rindex(b"(") + 1, found.common + end)


def _partitions(m: Machine, word: bytearray, device: DeviceString, found: _Candidates, listing: bool) -> None:
    if device.part_choice is PartChoice.CHOSEN:
        try:
            open_partition(m)
        except GrubError:
            pass
        else:
            if m.current_slice & 0xFF not in BSD_TYPES:
                found.unique = 1
                if not device.text.endswith(b")"):
                    copy_string(word, len(device.text), b")")
                return
    if listing:
        m.term.write(b" Possible partitions are:\n")
        print_partitions(m)
        return
    for name in partition_names(m):
        found.add(name)
    if found.common:
        copy_string(word, device.text.index(b",") + 1, found.common)


def _files(m: Machine, word: bytearray, path_at: int, found: _Candidates, listing: bool) -> None:
    if listing:
        m.term.write(b" Possible files are:")
    _dir(m, c_string(word), found)
    if listing:
        m.term.write(b"\n")
        return
    if not found.common:
        return
    at = path_at + c_string(word, path_at).rindex(b"/") + 1
    if not m.errnum:
        # QUIRK: grub_strcpy() copies nothing while errnum is set.
        copy_string(word, at, found.common)
    if found.unique == 1:
        at += len(found.common)
        copy_string(word, at, b"/")
        _dir(m, c_string(word), _Candidates(m, listing=False))
        if m.errnum:
            m.errnum = ErrNum.NONE
            copy_string(word, at, b" ")


def _dir(m: Machine, name: bytes, found: _Candidates) -> None:
    """Add the names that begin as a path does; errnum holds what went wrong (dir() in stage2/disk_io.c)."""
    m.compressed_file = None
    try:
        path = setup_part(m, name)
        if not path.startswith(b"/"):
            m.errnum = ErrNum.BAD_FILENAME
        if m.fsys is None:
            m.errnum = ErrNum.FSYS_MOUNT
        if not m.errnum:
            assert m.fsys is not None
            for entry in m.fsys.list(path):
                found.add(entry)
    except GrubError:
        return
