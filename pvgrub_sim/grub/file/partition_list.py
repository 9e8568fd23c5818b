"""Listing a disk's partitions for `geometry` and the TAB key (stage2/disk_io.c:real_open_partition (1))."""

from __future__ import annotations

from collections.abc import Iterator

from pvgrub_sim.grub.console.print_error import print_error
from pvgrub_sim.grub.disk.drives import select_drive
from pvgrub_sim.grub.disk.partitions import BSD_TYPES, EXTENDED_TYPES, Slice, sane_partition, walk
from pvgrub_sim.grub.errnum import ErrNum, GrubError
from pvgrub_sim.grub.file.open import attempt_mount
from pvgrub_sim.grub.machine import WHOLE_DISK, Machine


def print_fsys_type(m: Machine) -> None:
    """Print what is mounted on the open partition (stage2/disk_io.c:print_fsys_type)."""
    kind = b"is " + m.fsys.name.encode() if m.fsys else b"unknown"
    where = b"partition type 0x%x" % (m.current_slice & 0xFF)
    if m.current_partition == WHOLE_DISK:
        where = b"using whole disk"
    m.term.write(b" Filesystem type " + kind + b", " + where + b"\n")


def _check_and_print_mount(m: Machine) -> None:
    attempt_mount(m)
    if m.errnum == ErrNum.FSYS_MOUNT:
        m.errnum = ErrNum.NONE
    if not m.errnum:
        print_fsys_type(m)
    print_error(m)


def _start_walk(m: Machine) -> None:
    sane_partition(m)
    m.current_slice = 0
    m.part_start = 0
    select_drive(m, m.current_drive)
    m.part_length = m.total_sectors
    m.current_partition = WHOLE_DISK


def print_partitions(m: Machine) -> None:
    """Print the partitions of the current drive and what is mounted on each.

    errnum is set afterwards when there is no such drive; other errors are not kept.
    """
    try:
        _start_walk(m)
    except GrubError:
        return
    slices = walk(m, WHOLE_DISK)
    try:
        found = next(slices)
        while True:
            kind = found.type
            if kind and kind not in EXTENDED_TYPES:
                m.term.write(b"   Partition num: %d, " % (found.partition >> 16))
            if kind in BSD_TYPES:
                found = _print_bsd_partitions(m, slices, kind)
                if m.errnum:
                    break
                continue
            if kind:
                if kind not in EXTENDED_TYPES:
                    _check_and_print_mount(m)
                m.errnum = ErrNum.NONE
            found = next(slices)
    except GrubError:
        pass
    m.errnum = ErrNum.NONE


def _print_bsd_partitions(m: Machine, slices: Iterator[Slice], kind: int) -> Slice:
    """Print the BSD partitions of the current slice; returns the slice behind them. Raises GrubError at the end."""
    seen = False
    try:
        while (letter := (found := next(slices)).partition >> 8 & 0xFF) != 0xFF:
            if not seen:
                m.term.write(b"[BSD sub-partitions immediately follow]\n")
                seen = True
            m.term.write(b"     BSD Partition num: '%c', " % (letter + ord("a")))
            _check_and_print_mount(m)
    finally:
        if not seen:
            m.term.write(b" No BSD sub-partition found, partition type 0x%x\n" % kind)
    return found


def partition_names(m: Machine) -> list[bytes]:
    """What may stand behind the comma of a device string, closing parenthesis included; errnum as above."""
    names: list[bytes] = []
    try:
        _start_walk(m)
    except GrubError:
        return names
    try:
        for found in walk(m, WHOLE_DISK):
            letter = found.partition >> 8 & 0xFF
            if letter != 0xFF:
                names.append(b"%d,%c)" % (found.partition >> 16, letter + ord("a")))
            elif found.type and found.type not in EXTENDED_TYPES | BSD_TYPES:
                names.append(b"%d)" % (found.partition >> 16))
            m.errnum = ErrNum.NONE
    except GrubError:
        m.errnum = ErrNum.NONE
    return names
