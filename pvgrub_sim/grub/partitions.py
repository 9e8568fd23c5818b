"""MBR primaries, logical partitions, BSD slices and GPT entries, numbered as GRUB numbers them.

As next_partition() and real_open_partition() in stage2/disk_io.c; layouts in stage2/pc_slice.h. For GPT, as
next_gpt_slice() in the public GRUB-legacy patch (jiazhang0/grub-efi, stage2/disk_io.c).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from pvgrub_sim.cint import s32
from pvgrub_sim.grub.disk import SECTOR_SIZE, rawread, select_drive
from pvgrub_sim.grub.errnum import ErrNum, GrubError
from pvgrub_sim.grub.machine import NETWORK_DRIVE, WHOLE_DISK, Machine

EXTENDED_TYPES = frozenset({0x05, 0x0F, 0x85})
BSD_TYPES = frozenset({0xA5, 0xA6, 0xA9})
PC_SLICE_TYPE_EXT2FS = 0x83
PC_SLICE_TYPE_GPT = 0xEE
PC_SLICE_MAX = 4
BSD_LABEL_SECTOR = 1
BSD_LABEL_MAGIC = 0x82564557
GPT_HEADER_MAGIC = b"EFI PART"


@dataclass(frozen=True, slots=True)
class Slice:
    """One turn of next_partition().

    partition: GRUB's number (slice << 16 | BSD letter << 8 | 0xff). type: slice type, with the BSD type in
    bits 8 to 15. start, length: in sectors of 512 bytes. offset: sector of the table it is in; entry: its
    index there. table: that sector's bytes.
    """

    partition: int
    type: int
    start: int
    length: int
    offset: int
    entry: int
    table: bytes


def _is_bsd(slice_type: int) -> bool:
    """IS_PC_SLICE_TYPE_BSD(): the type itself, with no BSD type in the bits above."""
    return slice_type in BSD_TYPES


def _word(m: Machine, table: bytes, at: int) -> int:
    """An `unsigned long` of a partition table: 8 bytes in the 64-bit build.

    QUIRK: PC_SLICE_START and PC_SLICE_LENGTH (stage2/pc_slice.h) take `unsigned long` for 32 bits. The buffer
    is 512 bytes; the four that a read of the last entry takes from behind the length are the signature.
    """
    return int.from_bytes(table[at : at + (8 if m.is_64bit else 4)], "little")


class PartitionWalk:
    """The state that next_partition() keeps in its caller's variables; next() takes one turn.

    dest: the partition looked for, which decides whether an error in a BSD label ends the walk.
    """

    def __init__(self, m: Machine, drive: int, dest: int) -> None:
        self.m = m
        self.drive = drive
        self.dest = dest
        self.current = Slice(WHOLE_DISK, 0, 0, 0, 0, -1, b"")
        self.ext_offset = 0
        self._gpt: tuple[int, int, int] | None = None
        """First sector, number and size in bytes of the entries of the GPT, when there is one."""

    def next(self) -> Slice:
        """The next partition; raises GrubError 5, 22 or a read's error when there is none."""
        m, here = self.m, self.current
        m.tick()
        if m.current_drive == NETWORK_DRIVE:
            raise GrubError(m.errnum)
        if here.partition != WHOLE_DISK and self._gpt:
            return self._next_gpt_slice()
        if (here.partition != WHOLE_DISK and _is_bsd(here.type & 0xFF)) or not self.drive & 0x80:
            try:
                return self._next_bsd_partition()
            except GrubError:
                if self.dest & 0xFF00 != 0xFF00 and self.dest & 0xFF0000 in (0xFF0000, here.partition & 0xFF0000):
                    raise
                m.errnum = ErrNum.NONE
        return self._next_pc_slice()

    def _next_bsd_partition(self) -> Slice:
        m, here = self.m, self.current
        table = here.table
        letter = (here.partition & 0xFF00) >> 8
        if letter == 0xFF:
            if here.length < BSD_LABEL_SECTOR + 1:
                m.fail(ErrNum.BAD_PART_TABLE)
            table = rawread(m, self.drive, here.start + BSD_LABEL_SECTOR, 0, SECTOR_SIZE)
            # QUIRK: the 64-bit build compares 8 bytes, d_type and d_subtype among them, which must be zero.
            if _word(m, table, 0) != BSD_LABEL_MAGIC:
                m.fail(ErrNum.BAD_PART_TABLE)
            letter = -1
        count = int.from_bytes(table[138:140], "little")
        for index in range(letter + 1, count):
            at = 148 + 16 * index
            # QUIRK: d_npartitions is trusted; letters past the label's sector read what lies behind the buffer.
            fs_type = table[at + 12] if at + 12 < len(table) else 0
            if fs_type:
                self.current = Slice(
                    (here.partition & 0xFF00FF) | (index << 8),
                    (fs_type << 8) | (here.type & 0xFF),
                    _word(m, table, at + 4),
                    _word(m, table, at),
                    here.offset,
                    here.entry,
                    table,
                )
                return self.current
        self.current = replace(here, table=table)
        m.fail(ErrNum.NO_PART)

    def _next_pc_slice(self) -> Slice:
        m = self.m
        number = (self.current.partition & 0xFF0000) >> 16
        offset, entry = self.current.offset, self.current.entry
        if number == 0xFF:
            offset = self.ext_offset = 0
            entry = number = -1
        while True:
            m.tick()
            table = rawread(m, self.drive, offset, 0, SECTOR_SIZE)
            if table[510:512] != b"\x55\xaa":
                m.fail(ErrNum.BAD_PART_TABLE)
            if m.profile.gpt and entry == -1 and offset == 0 and table[446 + 4] in (PC_SLICE_TYPE_GPT, 0):
                header = rawread(m, self.drive, 1, 0, SECTOR_SIZE)
                if header[:8] == GPT_HEADER_MAGIC and header[8:12] == b"\x00\x00\x01\x00":
                    self._gpt = (
                        int.from_bytes(header[72:80], "little"),
                        s32(int.from_bytes(header[80:84], "little")),
                        s32(int.from_bytes(header[84:88], "little")),
                    )
                    if self._gpt[0]:
                        return self._next_gpt_slice()
                    self._gpt = None
            entry += 1
            if entry < PC_SLICE_MAX:
                break
            for index in range(PC_SLICE_MAX):
                if table[446 + 16 * index + 4] in EXTENDED_TYPES:
                    offset = self.ext_offset + _word(m, table, 446 + 16 * index + 8)
                    self.ext_offset = self.ext_offset or offset
                    entry = -1
                    break
            else:
                m.fail(ErrNum.NO_PART)
        at = 446 + 16 * entry
        slice_type = table[at + 4]
        # QUIRK: an empty or extended slot counts as well until number 4 has been given.
        if number < PC_SLICE_MAX or (slice_type not in EXTENDED_TYPES and slice_type != 0):
            number += 1
        self.current = Slice(
            # QUIRK: the number has no upper bound; past 254 it overflows into other bits.
            (number << 16) | 0xFFFF,
            slice_type,
            offset + _word(m, table, at + 8),
            _word(m, table, at + 12),
            offset,
            entry,
            table,
        )
        return self.current

    def _next_gpt_slice(self) -> Slice:
        m = self.m
        assert self._gpt
        first, count, size = self._gpt
        number = (self.current.partition & 0xFF0000) >> 16
        entry = self.current.entry
        if number == 0xFF:
            number = entry = -1
        while True:
            m.tick()
            entry += 1
            if entry >= count:
                m.fail(ErrNum.NO_PART)
            at = entry * size
            data = rawread(m, self.drive, first + (at >> 9), at & 511, size)
            if any(data[0:8]) and any(data[8:16]):
                break
        number += 1
        start = int.from_bytes(data[32:40], "little")
        end = int.from_bytes(data[40:48], "little")
        # QUIRK: every GPT partition is of type 0x83, and the entry index becomes the number just given, so that
        # behind a gap in the table the same entry is seen again.
        self.current = Slice((number << 16) | 0xFFFF, PC_SLICE_TYPE_EXT2FS, start, end - start + 1, 0, number, data)
        return self.current


def open_partition(m: Machine) -> None:
    """Open m.current_partition of m.current_drive: sets current_slice, part_start and part_length.

    As real_open_partition(0) in stage2/disk_io.c. Raises GrubError 12, 21, 5, 22 or a read's error.
    """
    dest = m.current_partition
    if m.current_drive == NETWORK_DRIVE:
        return
    sane_partition(m)
    m.current_slice = 0
    m.part_start = 0
    select_drive(m, m.current_drive)
    m.part_length = m.total_sectors
    if m.current_partition == WHOLE_DISK:
        return
    m.current_partition = WHOLE_DISK
    for found in walk(m, dest):
        if not found.type:
            continue
        m.errnum = ErrNum.NONE
        letter = (found.partition >> 8) & 0xFF
        if dest in (found.partition, WHOLE_DISK) or ((dest >> 16) == 0xFF and (dest >> 8) & 0xFF == letter):
            return


def walk(m: Machine, dest: int) -> Iterator[Slice]:
    """The partitions of m.current_drive in turn, each made the current one; ends by raising GrubError."""
    steps = PartitionWalk(m, m.current_drive, dest)
    while True:
        found = steps.next()
        m.current_partition = found.partition
        m.current_slice = found.type
        m.part_start = found.start
        m.part_length = found.length
        m.cur_part_offset = found.offset
        yield found


def sane_partition(m: Machine) -> None:
    """Raises GrubError 12 unless current drive and partition can exist (sane_partition() in stage2/disk_io.c)."""
    if m.current_drive == NETWORK_DRIVE:
        return
    part, drive = m.current_partition, m.current_drive
    if (
        not part & 0xFF000000
        and ((drive & 0xFFFFFF7F) < 8 or drive == m.cdrom_drive)
        and part & 0xFF == 0xFF
        and (part & 0xFF00 == 0xFF00 or part & 0xFF00 < 0x800)
        and (part >> 16 == 0xFF or drive & 0x80)
    ):
        return
    m.fail(ErrNum.DEV_VALUES)
