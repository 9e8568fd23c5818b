"""Partition tables as sfdisk and sgdisk will leave them, as patches of a disk's bytes."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

from pvgrub_sim.media.disk import SECTOR_SIZE, Disk, known_size
from pvgrub_sim.ondisk import mbr
from pvgrub_sim.survey.result import Volume
from pvgrub_sim.typed import Final

MOST_LOGICAL: Final = 60
"""Logical partitions that Linux numbers."""
_ENTRY: Final = struct.Struct("<B3sB3sII")
_CHS_BEYOND: Final = b"\xfe\xff\xff"
"""Cylinder, head and sector of what lies beyond 8 GiB, or of what nobody reads them for."""
_TYPES: Final = {
    "0FC63DAF-8483-4772-8E79-3D69D8477DE4": 0x83,
    "C12A7328-F81F-11D2-BA4B-00A0C93EC93B": 0xEF,
    "0657FD6D-A4AB-43C4-84E5-0933C84B4F4F": 0x82,
    "E6D6D379-F507-44C2-A23C-238F2A3DF928": 0x8E,
    "A19D880F-05FC-4D3B-A006-743F0F84911E": 0xFD,
    "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7": 0x07,
}
"""The MBR type that sgdisk takes for a GPT type (gptfdisk, parttypes.cc)."""


def with_type(disk: Disk, number: int, kind: int) -> Mapping[int, bytes] | None:
    """The patch that gives an MBR partition another type, None when there is no such partition.

    number: as Linux counts. kind: the new type. Raises ImageError.
    """
    if number <= mbr.ENTRIES:
        return {mbr.entry_offset(number - 1) + mbr.ENTRY_TYPE: bytes([kind])}
    table = _entries(disk.read(0, SECTOR_SIZE))
    first = next((start for type_, start, _ in table if type_ in mbr.EXTENDED_TYPES), None)
    record = first
    for logical in range(5, 5 + MOST_LOGICAL):
        if first is None or record is None or (record + 1) * SECTOR_SIZE > known_size(disk):
            return None
        if logical == number:
            return {record * SECTOR_SIZE + mbr.entry_offset(0) + mbr.ENTRY_TYPE: bytes([kind])}
        following = [
            start
            for type_, start, _ in _entries(disk.read(record * SECTOR_SIZE, SECTOR_SIZE))
            if type_ in mbr.EXTENDED_TYPES
        ]
        record = first + following[0] if following else None
    return None


def one_partition(number: int, start: int, size: int) -> Mapping[int, bytes]:
    """The patch that makes a table of one Linux partition. number: from 1 to 4. start, size: in bytes."""
    row = _ENTRY.pack(0, _CHS_BEYOND, 0x83, _CHS_BEYOND, start // SECTOR_SIZE, size // SECTOR_SIZE)
    return {mbr.entry_offset(number - 1): row, mbr.SIGNATURE_OFFSET: mbr.SIGNATURE}


def as_mbr(partitions: Sequence[Volume], numbers: Sequence[int]) -> Mapping[int, bytes]:
    """The patch that makes an MBR table of partitions of a GPT, as `sgdisk --gpttombr` does.

    partitions: of the GPT. numbers: which of them, in the order of the new table.
    """
    by_number = {volume.number: volume for volume in partitions}
    table = b""
    for number in numbers:
        volume = by_number[number]
        kind = gpt_type(volume)
        start, length = volume.offset // SECTOR_SIZE, volume.size // SECTOR_SIZE
        table += _ENTRY.pack(0, _CHS_BEYOND, kind, _CHS_BEYOND, start, length)
    return {
        mbr.TABLE_OFFSET: table.ljust(mbr.ENTRIES * mbr.ENTRY_SIZE, b"\0"),
        mbr.SIGNATURE_OFFSET: mbr.SIGNATURE,
        # The GPT goes, with its copy at the end of the disk.
        SECTOR_SIZE: bytes(SECTOR_SIZE),
    }


def as_hybrid(partitions: Sequence[Volume], numbers: Sequence[int], kinds: Sequence[int]) -> Mapping[int, bytes]:
    """The patch that puts partitions of a GPT into its MBR, in front of the protective entry.

    As `sgdisk --hybrid=…:EE` does and `sfdisk --part-type` behind it (gptfdisk, gptcl.cc). partitions: of the GPT.
    numbers: which of them, in the order of the MBR. kinds: their types there.
    """
    by_number = {volume.number: volume for volume in partitions}
    volumes = [by_number[number] for number in numbers]
    table = b""
    for volume, kind in zip(volumes, kinds, strict=True):
        start, length = volume.offset // SECTOR_SIZE, volume.size // SECTOR_SIZE
        table += _ENTRY.pack(0, _CHS_BEYOND, kind, _CHS_BEYOND, start, length)
    first = min(volume.offset for volume in volumes) // SECTOR_SIZE
    table += _ENTRY.pack(0, _CHS_BEYOND, mbr.TYPE_GPT, _CHS_BEYOND, 1, first - 1)
    return {mbr.TABLE_OFFSET: table.ljust(mbr.ENTRIES * mbr.ENTRY_SIZE, b"\0"), mbr.SIGNATURE_OFFSET: mbr.SIGNATURE}


def gpt_type(volume: Volume) -> int:
    """The MBR type that sgdisk gives a partition of a GPT."""
    return _TYPES.get(volume.type.upper(), 0x83)


def _entries(sector: bytes) -> list[tuple[int, int, int]]:
    """Type, start and length of the four entries of a table, in sectors of 512 bytes."""
    found = []
    for index in range(mbr.ENTRIES):
        _, _, kind, _, start, length = _ENTRY.unpack_from(sector, mbr.entry_offset(index))
        found.append((kind, start, length))
    return found
