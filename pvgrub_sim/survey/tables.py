"""Partition tables as they are meant: MBR with logical partitions, GPT with its backup, BSD labels.

MBR: the conventions of Linux's block/partitions/msdos.c, whose numbers these are. GPT: UEFI 2.10, chapter 5.
BSD labels: FreeBSD, sys/disk/bsd.h.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from zlib import crc32

from pvgrub_sim.media.disk import SECTOR_SIZE
from pvgrub_sim.ondisk import bsd, gpt, mbr
from pvgrub_sim.survey.area import Area, Damaged, guid_of
from pvgrub_sim.survey.result import PartitionTable, Volume
from pvgrub_sim.typed import Final
from pvgrub_sim.values import NamedTuple

MOST_LOGICAL: Final = 256
"""Logical partitions that are followed; Linux stops there as well (DISK_MAX_PARTS)."""
MOST_ENTRIES: Final = 4096

_MBR_ENTRY: Final = struct.Struct("<B3xB3xII")
_BSD_ENTRY: Final = struct.Struct("<IIIBBH")


class Found:
    """What the reading of a disk's tables has gathered so far: as in result.PartitionTable, and the partitions."""

    def __init__(self) -> None:
        self.kind = "none"
        self.id = ""
        self.usable = ""
        self.volumes: list[Volume] = []
        self.problems: list[str] = []


class MbrEntry(NamedTuple):
    """One slot of a table: slot 0 to 3, type, and extent in sectors of 512 bytes."""

    slot: int
    active: int
    type: int
    start: int
    length: int


def mbr_entries(sector: bytes) -> list[MbrEntry]:
    """The four entries of a table's sector, [] when it does not end in 55 AA."""
    if len(sector) < SECTOR_SIZE or sector[mbr.SIGNATURE_OFFSET :][:2] != mbr.SIGNATURE:
        return []
    return [MbrEntry(index, *_MBR_ENTRY.unpack_from(sector, mbr.entry_offset(index))) for index in range(mbr.ENTRIES)]


def read_table(area: Area) -> tuple[PartitionTable, tuple[Volume, ...]]:
    """The partition table of a whole disk and its partitions, without a look into them."""
    found = Found()
    try:
        _read(area, found)
    except Damaged as error:
        found.problems.append(str(error))
    return PartitionTable(found.kind, found.id, found.usable, tuple(found.problems)), tuple(found.volumes)


def _read(area: Area, found: Found) -> None:
    sector = area.peek(0, SECTOR_SIZE)
    entries = mbr_entries(sector)
    if not entries or _is_fat(sector) or any(entry.active not in (0, 0x80) for entry in entries):
        if area.peek(gpt.HEADER_SECTOR * SECTOR_SIZE, 8) == gpt.MAGIC:
            found.problems.append("a GPT header at sector 1, but no protective MBR in sector 0: not a GPT disk")
        return
    protective = [entry for entry in entries if entry.type == mbr.TYPE_GPT]
    if protective and _read_gpt(area, found):
        shown = [entry for entry in entries if entry.type not in (0, mbr.TYPE_GPT)]
        found.kind = "hybrid" if shown else "gpt"
        if shown:
            names = ", ".join(f"{entry.slot + 1} (type 0x{entry.type:02x})" for entry in shown)
            found.problems.append(f"hybrid: the MBR shows entries of its own beside the GPT: {names}")
        return
    if protective and area.peek(4096, 8) == gpt.MAGIC:
        found.problems.append("the GPT is laid out for sectors of 4096 bytes: nothing that reads 512 sees it")
    elif protective:
        found.problems.append("a protective MBR without a sound GPT behind it")
    elif area.peek(gpt.HEADER_SECTOR * SECTOR_SIZE, 8) == gpt.MAGIC:
        found.problems.append("a GPT header at sector 1 that no protective entry announces: left over, not in use")
    found.kind = "mbr"
    found.id = f"0x{int.from_bytes(sector[440:444], 'little'):08x}"
    _read_mbr(area, entries, found)


def _is_fat(sector: bytes) -> bool:
    """True for the boot sector of a FAT filesystem, whose bytes 446 on are no table."""
    size, cluster, reserved, fats = struct.unpack_from("<HBHB", sector, 11)
    sane = size in (512, 1024, 2048, 4096) and cluster and not cluster & (cluster - 1) and reserved and fats in (1, 2)
    return bool(sane) and sector[0] in (0xE9, 0xEB) and sector[21] >= 0xF0


def _volume(area: Area, entry: MbrEntry, number: int, base: int, table: str) -> Volume:
    """The volume of an MBR entry whose start is relative to sector `base`."""
    from pvgrub_sim.survey.names import MBR_TYPES

    offset = (base + entry.start) * SECTOR_SIZE
    size = entry.length * SECTOR_SIZE
    return Volume(
        number,
        f"(hd0,{number - 1})",
        offset,
        size,
        table,
        f"0x{entry.type:02x}",
        MBR_TYPES.get(entry.type, "unknown"),
        entry.active == 0x80,
        problems=tuple(_misplaced(area, offset, size)),
    )


def _misplaced(area: Area, offset: int, size: int) -> Iterator[str]:
    if offset >= area.size:
        yield f"begins at byte {offset}, past the end of the disk ({area.size} bytes)"
    elif offset + size > area.size:
        yield f"ends {offset + size - area.size} bytes past the end of the disk"
    if size == 0:
        yield "has length 0"


def _read_mbr(area: Area, entries: list[MbrEntry], found: Found) -> None:
    extended = []
    for entry in entries:
        if entry.type == 0:
            continue
        volume = _volume(area, entry, entry.slot + 1, 0, "mbr")
        found.volumes.append(volume)
        if entry.type in mbr.EXTENDED_TYPES:
            extended.append(entry)
        elif entry.type in mbr.BSD_TYPES:
            found.volumes += _read_bsd(area, volume, entry.start)
    if len(extended) > 1:
        found.problems.append(f"{len(extended)} extended partitions, of which PV-GRUB follows the first only")
    number = 5
    for entry in extended:
        number = _read_logical(area, entry, number, found)


def _read_logical(area: Area, extended: MbrEntry, number: int, found: Found) -> int:
    """Follow a chain of extended boot records; returns the next free number."""
    base = extended.start
    seen: set[int] = set()
    while base not in seen:
        seen.add(base)
        entries = mbr_entries(area.peek(base * SECTOR_SIZE, SECTOR_SIZE))
        if not entries:
            found.problems.append(f"the extended boot record at sector {base} does not end in 55 AA")
            return number
        for entry in entries:
            if entry.type == 0 or entry.type in mbr.EXTENDED_TYPES or entry.length == 0:
                continue
            if number - 5 >= MOST_LOGICAL:
                area.budget.give_up("more logical partitions")
                found.problems.append(f"more than {MOST_LOGICAL} logical partitions")
                return number
            found.volumes.append(_volume(area, entry, number, base, "logical"))
            number += 1
        link = next((entry for entry in entries if entry.type in mbr.EXTENDED_TYPES and entry.length), None)
        if link is None:
            return number
        base = extended.start + link.start
    found.problems.append(f"the chain of extended boot records comes back to sector {base}")
    return number


def _read_bsd(area: Area, parent: Volume, start: int) -> list[Volume]:
    """The partitions of a BSD label in the second sector of a slice."""
    label = area.peek((start + bsd.LABEL_SECTOR) * SECTOR_SIZE, SECTOR_SIZE)
    if len(label) < SECTOR_SIZE:
        return []
    magic, magic2 = (int.from_bytes(label[at : at + 4], "little") for at in (0, 132))
    count = int.from_bytes(label[bsd.PARTITION_COUNT_OFFSET :][:2], "little")
    if magic != bsd.MAGIC or magic2 != bsd.MAGIC:
        return []
    from pvgrub_sim.survey.names import BSD_TYPES

    volumes = []
    for index in range(min(count, 8)):
        at = bsd.TABLE_OFFSET + bsd.ENTRY_SIZE * index
        length, begin, _fsize, kind, _frag, _cpg = _BSD_ENTRY.unpack_from(label, at)
        if kind == 0 or length == 0:
            continue
        # Some systems count from the start of the disk, some from that of the slice.
        offset = (begin if begin >= start else start + begin) * SECTOR_SIZE
        size = length * SECTOR_SIZE
        volumes.append(
            Volume(
                parent.number,
                f"{parent.grub[:-1]},{chr(ord('a') + index)})",
                offset,
                size,
                "bsd",
                str(kind),
                BSD_TYPES.get(kind, "unknown"),
                problems=tuple(_misplaced(area, offset, size)),
            )
        )
    return volumes


class _Gpt(NamedTuple):
    guid: str
    alternate: int
    entries: bytes
    entry_size: int


def _read_gpt(area: Area, found: Found) -> bool:
    """Read both copies of a GPT and add the partitions of the first sound one; False when neither is sound."""
    last = area.size // SECTOR_SIZE - 1
    primary = _gpt_copy(area, gpt.HEADER_SECTOR, "primary", found)
    place = primary.alternate if primary is not None and 1 < primary.alternate <= last else last
    backup = _gpt_copy(area, place, "backup", found)
    if backup is None and place != last:
        backup = _gpt_copy(area, last, "backup", found)
    sound = primary or backup
    if sound is None:
        return False
    found.usable = "both" if primary and backup else "primary" if primary else "backup"
    if primary is not None and primary.alternate != last:
        found.problems.append(
            f"the backup GPT belongs at sector {primary.alternate}, the disk's last is {last}: it was resized or cut"
        )
    from pvgrub_sim.survey.names import GPT_TYPES

    found.id = sound.guid
    for index in range(len(sound.entries) // sound.entry_size):
        kind, guid, first, final, flags, name = gpt.FULL_ENTRY.unpack_from(sound.entries, index * sound.entry_size)
        if not any(kind):
            continue
        type_guid = guid_of(kind)
        offset, size = first * SECTOR_SIZE, max(final - first + 1, 0) * SECTOR_SIZE
        found.volumes.append(
            Volume(
                index + 1,
                f"(hd0,{index})",
                offset,
                size,
                "gpt",
                type_guid,
                GPT_TYPES.get(type_guid, "unknown"),
                bool(flags & gpt.ATTRIBUTE_LEGACY_BOOT),
                name.decode("utf-16-le", "replace").split("\0", 1)[0],
                guid_of(guid),
                problems=tuple(_misplaced(area, offset, size)),
            )
        )
    return True


def _gpt_copy(area: Area, sector: int, which: str, found: Found) -> _Gpt | None:
    """One copy of a GPT, None (and a problem) when it is not sound."""
    raw = area.peek(sector * SECTOR_SIZE, SECTOR_SIZE)
    if len(raw) < SECTOR_SIZE or raw[:8] != gpt.MAGIC:
        found.problems.append(f"no {which} GPT header at sector {sector}")
        return None
    header = gpt.HEADER.unpack_from(raw)
    _magic, revision, size, checksum, _, own, alternate, _first, _last, guid, place, count, width, entries_sum = header
    if revision != gpt.REVISION_1_0:
        found.problems.append(f"the {which} GPT header has revision 0x{revision:08x}")
    if not gpt.HEADER.size <= size <= SECTOR_SIZE:
        found.problems.append(f"the {which} GPT header claims {size} bytes")
        return None
    if crc32(raw[:16] + bytes(4) + raw[20:size]) != checksum:
        found.problems.append(f"the {which} GPT header's checksum is wrong")
        return None
    if own != sector:
        found.problems.append(f"the {which} GPT header at sector {sector} says that it is at {own}")
        return None
    if width < 128 or width % 8 or width > 4096 or count > MOST_ENTRIES:
        found.problems.append(f"the {which} GPT has {count} entries of {width} bytes")
        return None
    entries = area.peek(place * SECTOR_SIZE, count * width)
    if len(entries) < count * width or crc32(entries) != entries_sum:
        found.problems.append(f"the {which} GPT's entries do not match their checksum")
        return None
    return _Gpt(guid_of(guid), alternate, entries, width)
