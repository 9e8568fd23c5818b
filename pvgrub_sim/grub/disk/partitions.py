"""MBR primaries, logical partitions, BSD slices and GPT entries, numbered as GRUB numbers them.

As next_partition() and real_open_partition() in stage2/disk_io.c. For GPT, as next_gpt_slice() in the public
GRUB-legacy patch (jiazhang0/grub-efi, stage2/disk_io.c).
"""

from __future__ import annotations

from collections.abc import Iterator

from pvgrub_sim.cint import s32, u32, u64
from pvgrub_sim.grub.disk.drives import SECTOR_BITS, select_drive
from pvgrub_sim.grub.disk.raw import SECTOR_SIZE, rawread
from pvgrub_sim.grub.errnum import ErrNum, GrubError
from pvgrub_sim.grub.machine import NETWORK_DRIVE, WHOLE_DISK, Machine
from pvgrub_sim.grub.stop import Stop
from pvgrub_sim.model import Outcome
from pvgrub_sim.ondisk import bsd, gpt, mbr
from pvgrub_sim.ondisk.mbr import BSD_TYPES, EXTENDED_TYPES
from pvgrub_sim.values import NamedTuple

__all__ = [
    "BSD_TYPES",
    "EXTENDED_TYPES",
    "PartitionWalk",
    "Slice",
    "open_partition",
    "sane_partition",
    "walk",
]

NO_NUMBER = 0xFF
"""In the place of a slice's number or a BSD letter: none. A slice cannot have the number 255 for that reason."""

_AHEAD = 32
"""Sectors of a GPT that are read at once."""
_BUFFER_SIZE = 4096
"""Bytes that the patched real_open_partition() keeps for a table's sector or entry."""


class Slice(NamedTuple):
    """One turn of next_partition().

    partition: GRUB's number (slice << 16 | BSD letter << 8 | 0xff). type: slice type, with the BSD type in
    bits 8 to 15. start, length: in sectors of 512 bytes; a start is what reads make of it (32 bits), a length is
    as wide as the build's `unsigned long`. offset: sector of the table it is in; entry: its index there. table:
    that sector's bytes. gpt: it is a GPT entry, which is in no such table.
    """

    partition: int
    type: int
    start: int
    length: int
    offset: int
    entry: int
    table: bytes
    gpt: bool = False


class PartitionWalk:
    """The state that next_partition() keeps in its caller's variables; next() takes one turn.

    dest: the partition looked for, which decides whether an error in a BSD label ends the walk.
    """

    def __init__(self, m: Machine, drive: int, dest: int) -> None:
        self.m = m
        self.drive = drive
        self.dest = dest
        self.current = Slice(WHOLE_DISK, 0, 0, 0, 0, -1, b"")
        # As wide as `unsigned long`, unlike Slice.offset: whether the first is zero depends on all its bits.
        self._ext_offset = 0
        self._offset = 0
        self._gpt_offset = 0
        self._gpt_count = 0
        self._gpt_size = 0
        self._gpt_ahead = 0, b""
        self._seen: set[tuple[int, ...]] = set()

    def next(self) -> Slice:
        """The next partition; raises GrubError 5, 22 or a read's error when there is none, Stop for a loop."""
        m, here = self.m, self.current
        m.tick()
        if m.current_drive == NETWORK_DRIVE:
            raise GrubError(m.errnum)
        # All that the next turn depends on: when it comes again, so does everything behind it.
        state = here.partition, here.type, here.start, here.length, self._offset, here.entry, self._ext_offset
        if state in self._seen:
            raise Stop(Outcome.HANG, "the partition table is a loop")
        self._seen.add(state)
        if here.partition != WHOLE_DISK and self._gpt_offset:
            return self._next_gpt_slice()
        if here.partition != WHOLE_DISK and here.type & 0xFF in BSD_TYPES:
            try:
                return self._next_bsd_partition()
            except GrubError:
                # Only who looks for a BSD partition (of this slice, or of any) is told.
                if self.dest & 0xFF00 != 0xFF00 and self.dest & 0xFF0000 in (0xFF0000, here.partition & 0xFF0000):
                    raise
                m.errnum = ErrNum.NONE
        return self._next_pc_slice()

    def _word(self, table: bytes, at: int) -> int:
        """An `unsigned long` of a table: 8 bytes in the 64-bit build.

        QUIRK: PC_SLICE_START and PC_SLICE_LENGTH (stage2/pc_slice.h) take `unsigned long` for 32 bits, so what
        follows in the table is the high half: of a length, the next entry's active flag and CHS start.
        """
        return int.from_bytes(table[at : at + (8 if self.m.is_64bit else 4)], "little")

    def _long(self, value: int) -> int:
        """A value as the build's `unsigned long`."""
        return u64(value) if self.m.is_64bit else u32(value)

    def _next_bsd_partition(self) -> Slice:
        """The next used entry of the BSD label in the current slice."""
        m, here = self.m, self.current
        table = here.table
        letter = (here.partition & 0xFF00) >> 8
        if letter == NO_NUMBER:
            if here.length < bsd.LABEL_SECTOR + 1:
                m.fail(ErrNum.BAD_PART_TABLE)
            table = rawread(m, self.drive, u32(here.start + bsd.LABEL_SECTOR), 0, SECTOR_SIZE)
            # QUIRK: the 64-bit build compares 8 bytes, d_type and d_subtype among them, which must be zero.
            if self._word(table, 0) != bsd.MAGIC:
                m.fail(ErrNum.BAD_PART_TABLE)
            letter = -1
        # QUIRK: neither the label's second magic nor its checksum is looked at, and the count of partitions is
        # trusted; entries behind the sector are memory that we take for zeros.
        count = int.from_bytes(table[bsd.PARTITION_COUNT_OFFSET : bsd.PARTITION_COUNT_OFFSET + 2], "little")
        fits = (SECTOR_SIZE - bsd.TABLE_OFFSET - bsd.ENTRY_TYPE + bsd.ENTRY_SIZE - 1) // bsd.ENTRY_SIZE
        for index in range(letter + 1, min(count, fits)):
            at = bsd.TABLE_OFFSET + bsd.ENTRY_SIZE * index
            fs_type = table[at + bsd.ENTRY_TYPE]
            if fs_type:
                self.current = here._replace(
                    partition=here.partition & 0xFF00FF | index << 8,
                    type=fs_type << 8 | here.type & 0xFF,
                    # QUIRK: absolute, as FreeBSD has it; NetBSD and OpenBSD agree.
                    start=u32(self._word(table, at + bsd.ENTRY_START)),
                    length=self._word(table, at + bsd.ENTRY_LENGTH),
                    table=table,
                )
                return self.current
        m.fail(ErrNum.NO_PART)

    def _next_pc_slice(self) -> Slice:
        """The next entry of the partition table, used or not, or the first of the next extended boot record."""
        m, here = self.m, self.current
        number = (here.partition & 0xFF0000) >> 16
        entry = here.entry
        if number == NO_NUMBER:
            self._offset = self._ext_offset = 0
            entry = number = -1
        while True:
            m.tick()
            table = rawread(m, self.drive, u32(self._offset), 0, SECTOR_SIZE)
            if table[mbr.SIGNATURE_OFFSET :] != mbr.SIGNATURE:
                m.fail(ErrNum.BAD_PART_TABLE)
            if m.profile.gpt and entry == -1 and self._offset == 0 and self._find_gpt(table):
                return self._next_gpt_slice()
            entry += 1
            if entry < mbr.ENTRIES:
                break
            # QUIRK: the first extended entry only; another one in the same table is never followed.
            link = next((i for i in range(mbr.ENTRIES) if self._type(table, i) in EXTENDED_TYPES), None)
            if link is None:
                m.fail(ErrNum.NO_PART)
            start = self._word(table, mbr.entry_offset(link) + mbr.ENTRY_START)
            self._offset = self._long(self._ext_offset + start)
            self._ext_offset = self._ext_offset or self._offset
            entry = -1
        at = mbr.entry_offset(entry)
        slice_type = table[at + mbr.ENTRY_TYPE]
        # QUIRK: an empty or extended slot counts as well until number 4 has been given.
        if number < mbr.ENTRIES or (slice_type not in EXTENDED_TYPES and slice_type != 0):
            number += 1
        self.current = Slice(
            # QUIRK: number 255 is WHOLE_DISK, from which the walk begins anew.
            number << 16 | 0xFFFF,
            slice_type,
            u32(self._offset + self._word(table, at + mbr.ENTRY_START)),
            self._word(table, at + mbr.ENTRY_LENGTH),
            u32(self._offset),
            entry,
            table,
        )
        return self.current

    @staticmethod
    def _type(table: bytes, entry: int) -> int:
        return table[mbr.entry_offset(entry) + mbr.ENTRY_TYPE]

    @property
    def is_gpt(self) -> bool:
        """True when it walks a GPT."""
        return self._gpt_offset != 0

    def _find_gpt(self, table: bytes) -> bool:
        """Look for a GPT header behind an MBR whose first entry is protective or empty.

        QUIRK: neither CRCs nor the backup header are looked at.
        """
        self._gpt_offset = 0
        if self._type(table, 0) not in (mbr.TYPE_GPT, 0):
            return False
        header = rawread(self.m, self.drive, gpt.HEADER_SECTOR, 0, SECTOR_SIZE)
        magic, revision, *_, first, count, size, _ = gpt.HEADER.unpack_from(header)
        if magic != gpt.MAGIC or revision != gpt.REVISION_1_0:
            return False
        self._gpt_offset, self._gpt_count, self._gpt_size = self._long(first), s32(count), s32(size)
        # A size of less than an entry leaves what the buffer held: this header, or the entry before.
        self.current = self.current._replace(entry=-1, table=header)
        return True

    def _next_gpt_slice(self) -> Slice:
        """The next entry of the GPT whose type GUID has no zero half."""
        m, size = self.m, self._gpt_size
        number = (self.current.partition & 0xFF0000) >> 16
        entry, data = self.current.entry, self.current.table
        if number == NO_NUMBER:
            number = entry = -1
        while True:
            entry += 1
            if entry >= self._gpt_count:
                m.fail(ErrNum.NO_PART)
            m.tick()
            data = self._gpt_entry(s32(entry * size)) + data[max(size, 0) :]
            type_low, type_high, _, start, end = gpt.ENTRY.unpack_from(data)
            if type_low and type_high:
                break
        number += 1
        # QUIRK: every GPT partition is of type 0x83, and the entry index becomes the number just given, so that
        # behind a gap in the table the same entry is seen again.
        self.current = Slice(
            number << 16 | 0xFFFF,
            mbr.TYPE_EXT2FS,
            u32(start),
            self._long(end - start + 1),
            self.current.offset,
            number,
            data,
            gpt=True,
        )
        return self.current

    def _gpt_entry(self, at: int) -> bytes:
        """The entry that begins `at` bytes behind the table's first sector; tables are read in larger pieces."""
        m, size = self.m, self._gpt_size
        begin, ahead = self._gpt_ahead
        if 0 < size <= _BUFFER_SIZE and begin <= at and at + size <= begin + len(ahead):
            return ahead[at - begin : at - begin + size]
        sector, within = self._gpt_offset + (at >> SECTOR_BITS), at & (SECTOR_SIZE - 1)
        if size > _BUFFER_SIZE:
            rawread(m, self.drive, u32(sector), within, _BUFFER_SIZE + 1)
            raise Stop(Outcome.CRASH, "overrun: a GPT entry is larger than the 4096 bytes kept for it")
        if sector + _AHEAD <= m.total_sectors:
            self._gpt_ahead = at - within, rawread(m, self.drive, sector, 0, _AHEAD * SECTOR_SIZE)
        return rawread(m, self.drive, u32(sector), within, size)


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
