"""Commands about devices: root, rootnoverify, map, find, geometry."""

from __future__ import annotations

from pvgrub_sim.grub.builtins.table import Flag, builtin
from pvgrub_sim.grub.disk.device import set_device
from pvgrub_sim.grub.disk.drives import get_diskinfo, made_sure
from pvgrub_sim.grub.disk.partitions import BSD_TYPES, EXTENDED_TYPES, PartitionWalk, open_partition
from pvgrub_sim.grub.disk.raw import rawread
from pvgrub_sim.grub.errnum import ErrNum, GrubError
from pvgrub_sim.grub.file.open import grub_close, grub_open, open_device
from pvgrub_sim.grub.file.partition_list import print_fsys_type, print_partitions
from pvgrub_sim.grub.machine import DRIVE_MAP_SIZE, NETWORK_DRIVE, WHOLE_DISK, Machine

DRIVES = 8
CYLINDERS, HEADS, SECTORS = 65535, 255, 63
"""The geometry that get_diskinfo() in stubdom/grub/mini-os.c makes up."""


def set_bootdev(m: Machine) -> None:
    """Read the partition table that was walked last, from the root drive (stage2/disk_io.c:set_bootdev).

    QUIRK: the table may be another drive's, and its sector may not exist on this one: GrubError 18, 21 or 25.
    """
    if m.saved_drive & 0x80 and m.cur_part_offset is not None:
        rawread(m, m.saved_drive, m.cur_part_offset, 0, 512)


def _print_root_device(m: Machine) -> None:
    if m.saved_drive == NETWORK_DRIVE:
        name = b"nd"
    elif m.saved_drive & 0x80:
        name = b"hd%d" % (m.saved_drive - 0x80)
        if m.saved_partition & 0xFF0000 != 0xFF0000:
            name += b",%d" % (m.saved_partition >> 16)
        if m.saved_partition & 0xFF00 != 0xFF00:
            name += b",%c" % ((m.saved_partition >> 8 & 0xFF) + ord("a"))
    else:
        name = b"fd%d" % m.saved_drive
    m.term.write(b" (" + name + b"):")
    m.current_partition = m.saved_partition
    m.current_drive = m.saved_drive
    print_fsys_type(m)


@builtin(
    "root",
    Flag.CMDLINE | Flag.HELP_LIST,
    "Makes a device the root device and prints its filesystem; an unknown filesystem is no error. Without an "
    "argument it prints the root device.",
)
def root(m: Machine, arg: bytes, flags: int) -> None:
    """Set the root device; raises GrubError for a device that cannot be opened."""
    if not arg:
        _print_root_device(m)
        return
    set_device(m, arg)
    try:
        open_device(m)
    except GrubError:
        if m.errnum not in (ErrNum.FSYS_MOUNT, ErrNum.NONE):
            raise
    m.errnum = ErrNum.NONE
    m.saved_partition = m.current_partition
    m.saved_drive = m.current_drive
    set_bootdev(m)
    print_fsys_type(m)


@builtin(
    "rootnoverify",
    Flag.CMDLINE | Flag.HELP_LIST,
    "As root without mounting; what cannot be opened is no error yet.",
)
def rootnoverify(m: Machine, arg: bytes, flags: int) -> None:
    """Set the root device; raises GrubError for what is no device string."""
    if not arg:
        _print_root_device(m)
        return
    set_device(m, arg)
    try:
        open_partition(m)
        opened = True
    except GrubError:
        # QUIRK: the partition that was looked at last becomes the root, the whole disk when there was none.
        opened = False
    if opened:
        set_bootdev(m)
    m.errnum = ErrNum.NONE
    m.saved_partition = m.current_partition
    m.saved_drive = m.current_drive


@builtin("map", Flag.CMDLINE | Flag.HELP_LIST, "Keeps a BIOS drive map that nothing in a Xen guest ever uses.")
def map_drives(m: Machine, arg: bytes, flags: int) -> None:
    """Map one drive to another; raises GrubError for bad drives, 28 when the map is full."""
    from pvgrub_sim.grub.words import skip_to

    set_device(m, arg)
    to = m.current_drive
    set_device(m, skip_to(arg))
    source = m.current_drive
    table = m.bios_drive_map
    index = next((i for i in range(DRIVE_MAP_SIZE) if table[i] & 0xFF == source or not table[i]), DRIVE_MAP_SIZE)
    if index == DRIVE_MAP_SIZE:
        m.fail(ErrNum.WONT_FIT)
    if to == source:
        del table[index]
        table.append(0)
    else:
        table[index] = (source | to << 8) & 0xFFFF


@builtin(
    "find",
    Flag.CMDLINE | Flag.HELP_LIST,
    "Prints every partition that has the file (never a disk without partition table); Error 15 when none has.",
)
def find(m: Machine, arg: bytes, flags: int) -> None:
    """Look for a file on all partitions; raises GrubError 15 when it is nowhere."""
    root_device = m.saved_drive, m.saved_partition
    found = False
    for drive in range(DRIVES):
        m.current_drive = drive
        m.current_partition = WHOLE_DISK
        if _has_file(m, arg):
            m.term.write(b" (fd%d)\n" % drive)
            found = True
        m.errnum = ErrNum.NONE
    for drive in range(0x80, 0x80 + DRIVES):
        m.current_drive = drive
        walk = PartitionWalk(m, drive, WHOLE_DISK)
        while True:
            try:
                part = walk.next()
            except GrubError:
                break
            if part.type and part.type not in BSD_TYPES and part.type not in EXTENDED_TYPES:
                m.current_partition = part.partition
                if _has_file(m, arg):
                    letter = part.partition >> 8 & 0xFF
                    slice_name = b"" if letter == 0xFF else b",%c" % (letter + ord("a"))
                    m.term.write(b" (hd%d,%d%s)\n" % (drive - 0x80, part.partition >> 16, slice_name))
                    found = True
            m.errnum = ErrNum.NONE
        m.errnum = ErrNum.NONE
    m.saved_drive, m.saved_partition = root_device
    if not found:
        m.fail(ErrNum.FILE_NOT_FOUND)


def _has_file(m: Machine, name: bytes) -> bool:
    """True when the current device has the file; it becomes the root device when it mounts at all."""
    try:
        open_device(m)
        m.saved_drive = m.current_drive
        m.saved_partition = m.current_partition
        grub_open(m, name)
    except GrubError:
        return False
    grub_close(m)
    return True


@builtin("geometry", Flag.CMDLINE | Flag.HELP_LIST, "Prints a drive's made-up geometry and its partitions.")
def geometry(m: Machine, arg: bytes, flags: int) -> None:
    """Print a drive's geometry; raises GrubError for a bad device, 21 when it does not exist, 25 when it is empty."""
    from pvgrub_sim.grub.builtins.formats import decimal, hexadecimal

    set_device(m, arg)
    made_sure(m, m.current_drive)
    total = get_diskinfo(m, m.current_drive)
    if total is None:
        m.fail(ErrNum.NO_DISK)
    if total < 1:
        m.fail(ErrNum.READ)
    m.term.write(
        b"drive 0x%s: C/H/S = %d/%d/%d, The number of sectors = %s, LBA\n"
        % (hexadecimal(m, m.current_drive), CYLINDERS, HEADS, SECTORS, decimal(total))
    )
    print_partitions(m)
