"""Commands that change partition tables: hide, unhide, makeactive, partnew, parttype. Only the overlay is written."""

from __future__ import annotations

from pvgrub_sim.cint import s32
from pvgrub_sim.grub.builtins.devices import CYLINDERS, HEADS, SECTORS
from pvgrub_sim.grub.builtins.table import Flag, builtin
from pvgrub_sim.grub.disk.device import safe_parse_maxint, set_device
from pvgrub_sim.grub.disk.drives import made_sure
from pvgrub_sim.grub.disk.partitions import EXTENDED_TYPES, PartitionWalk, Slice
from pvgrub_sim.grub.disk.raw import SECTOR_SIZE, rawread, rawwrite
from pvgrub_sim.grub.errnum import ErrNum
from pvgrub_sim.grub.machine import WHOLE_DISK, Machine
from pvgrub_sim.grub.words import skip_to
from pvgrub_sim.ondisk.mbr import (
    ACTIVE,
    ENTRIES,
    ENTRY_LENGTH,
    ENTRY_START,
    ENTRY_TYPE,
    HIDDEN_FLAG,
    SIGNATURE,
    SIGNATURE_OFFSET,
    entry_offset,
)


def _slice_of_disk(m: Machine) -> Slice:
    """The current partition, found by its number; raises GrubError 30 when it is no slice, or one of a GPT."""
    if not m.current_drive & 0x80:
        m.fail(ErrNum.BAD_ARGUMENT)
    if m.current_partition >> 16 == 0xFF or m.current_partition & 0xFFFF != 0xFFFF:
        m.fail(ErrNum.BAD_ARGUMENT)
    walk = PartitionWalk(m, m.current_drive, WHOLE_DISK)
    while True:
        found = walk.next()
        if walk.is_gpt:
            m.fail(ErrNum.BAD_ARGUMENT)
        if found.gpt:
            m.fail(ErrNum.BAD_ARGUMENT)
        if found.partition == m.current_partition:
            return found


def _set_type(m: Machine, found: Slice, new_type: int) -> None:
    table = bytearray(found.table)
    table[entry_offset(found.entry) + ENTRY_TYPE] = new_type
    rawwrite(m, m.current_drive, found.offset, bytes(table))


def _type_in_table(found: Slice) -> int:
    return found.table[entry_offset(found.entry) + ENTRY_TYPE]


@builtin("hide", Flag.CMDLINE | Flag.MENU | Flag.HELP_LIST, "Sets the hidden bit of a partition's type.")
def hide(m: Machine, arg: bytes, flags: int) -> None:
    """Hide a partition; raises GrubError for a bad one."""
    set_device(m, arg)
    found = _slice_of_disk(m)
    _set_type(m, found, _type_in_table(found) | HIDDEN_FLAG)


@builtin("unhide", Flag.CMDLINE | Flag.MENU | Flag.HELP_LIST, "Clears the hidden bit of a partition's type.")
def unhide(m: Machine, arg: bytes, flags: int) -> None:
    """Unhide a partition; raises GrubError for a bad one."""
    set_device(m, arg)
    found = _slice_of_disk(m)
    _set_type(m, found, _type_in_table(found) & ~HIDDEN_FLAG)


@builtin("parttype", Flag.CMDLINE | Flag.MENU | Flag.HELP_LIST, "Sets a partition's type.")
def parttype(m: Machine, arg: bytes, flags: int) -> None:
    """Change a partition's type; raises GrubError for a bad partition or number."""
    set_device(m, arg)
    if not m.current_drive & 0x80:
        m.fail(ErrNum.BAD_ARGUMENT)
    if m.current_partition >> 16 == 0xFF or m.current_partition & 0xFFFF != 0xFFFF:
        m.fail(ErrNum.BAD_ARGUMENT)
    new_type = _byte(m, skip_to(arg))
    _set_type(m, _slice_of_disk(m), new_type)


def _byte(m: Machine, text: bytes) -> int:
    value = safe_parse_maxint(m, text)[0]
    if value > 0xFF:
        m.fail(ErrNum.BAD_ARGUMENT)
    return value


@builtin("makeactive", Flag.CMDLINE | Flag.HELP_LIST, "Sets the active flag of the root partition.")
def makeactive(m: Machine, arg: bytes, flags: int) -> None:
    """Make the root partition the active one; raises GrubError 12 unless it is a primary one."""
    part = m.saved_partition >> 16
    if not m.saved_drive & 0x80 or part > 3:
        m.fail(ErrNum.DEV_VALUES)
    sector = bytearray(rawread(m, m.saved_drive, 0, 0, SECTOR_SIZE))
    if sector[entry_offset(part) + ENTRY_TYPE] in EXTENDED_TYPES:
        m.fail(ErrNum.DEV_VALUES)
    if sector[entry_offset(part)] == ACTIVE:
        return
    for entry in range(ENTRIES):
        sector[entry_offset(entry)] = 0
    sector[entry_offset(part)] = ACTIVE
    rawwrite(m, m.saved_drive, 0, bytes(sector))


def _chs(lba: int) -> tuple[int, int, int]:
    """Head, sector and cylinder bytes of a table's entry."""
    sector = int(lba - int(lba / SECTORS) * SECTORS) + 1
    track = int(lba / SECTORS)
    cylinder = min(int(track / HEADS), CYLINDERS - 1)
    head = track - int(track / HEADS) * HEADS
    return head & 0xFF, (sector | (cylinder & 0x300) >> 2) & 0xFF, cylinder & 0xFF


@builtin("partnew", Flag.CMDLINE | Flag.MENU | Flag.HELP_LIST, "Writes an entry of the primary partition table.")
def partnew(m: Machine, arg: bytes, flags: int) -> None:
    """Make a primary partition; raises GrubError 30 for a bad one, 18 when it does not fit, 23 or 35 for no number."""
    set_device(m, arg)
    entry = m.current_partition >> 16
    if not m.current_drive & 0x80 or entry > 3 or m.current_partition & 0xFFFF != 0xFFFF:
        m.fail(ErrNum.BAD_ARGUMENT)
    arg = skip_to(arg)
    new_type = _byte(m, arg)
    arg = skip_to(arg)
    start, at = safe_parse_maxint(m, arg)
    arg = skip_to(arg[at:])
    length = safe_parse_maxint(m, arg)[0]
    sector = bytearray(rawread(m, m.current_drive, 0, 0, SECTOR_SIZE))
    end = s32(start + length)
    if end > m.total_sectors:
        made_sure(m, m.current_drive)
    if end < 0 or end > m.total_sectors:
        m.fail(ErrNum.GEOM)
    at = entry_offset(entry)
    sector[at : at + 8] = bytes((0, *_chs(start), new_type, *_chs(end - 1)))
    # QUIRK: the 64-bit build writes 8 bytes for the length, the next entry's flag and first CHS address among them.
    width = 8 if m.is_64bit else 4
    sector[at + ENTRY_START : at + ENTRY_START + width] = start.to_bytes(width, "little")
    sector[at + ENTRY_LENGTH : at + ENTRY_LENGTH + width] = length.to_bytes(width, "little")
    sector[SIGNATURE_OFFSET:SECTOR_SIZE] = SIGNATURE
    rawwrite(m, m.current_drive, 0, bytes(sector[:SECTOR_SIZE]))
