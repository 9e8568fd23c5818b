"""Partition tables made by hand or by sfdisk, and what a machine makes of them."""

from __future__ import annotations

import json
import struct
from pathlib import Path

from pvgrub_sim.grub.disk.partitions import open_partition
from pvgrub_sim.grub.errnum import ErrNum, GrubError
from pvgrub_sim.grub.machine import Machine
from tests.grub.machine_factory import machine_on
from tests.tools import run

MIB = 1 << 20
SECTORS = 64 * 2048
Entry = tuple[int, int, int]
"""Type, start and length of a table's entry."""


def table(*entries: Entry | None, extra: bytes = b"") -> bytes:
    """A sector with a partition table; None is an empty slot. extra: put at its beginning."""
    sector = bytearray(512)
    sector[: len(extra)] = extra
    for index, entry in enumerate(entries):
        if entry:
            struct.pack_into("<4xB3xII", sector, 446 + 16 * index, *entry)
    sector[510:] = b"\x55\xaa"
    return bytes(sector)


def disk(sectors: dict[int, bytes], size: int = 4096) -> bytes:
    """A disk of `size` sectors with these at their numbers."""
    image = bytearray(512 * size)
    for number, data in sectors.items():
        image[512 * number : 512 * number + len(data)] = data
    return bytes(image)


def label(*entries: tuple[int, int, int], d_type: int = 0, count: int = 8) -> bytes:
    """A BSD label; entries: filesystem type, start and length."""
    sector = bytearray(512)
    struct.pack_into("<IH", sector, 0, 0x82564557, d_type)
    struct.pack_into("<H", sector, 138, count)
    for index, (kind, start, length) in enumerate(entries):
        struct.pack_into("<IIIBBH", sector, 148 + 16 * index, length, start, 0, kind, 0, 0)
    return bytes(sector)


def machine(image: bytes | Path, **options: str) -> Machine:
    m = machine_on(image, **options)
    m.current_drive = 0x80
    return m


def opened(m: Machine, partition: int, letter: str = "") -> tuple[int, int, int]:
    """Type, start and length of a partition after opening it. Raises GrubError."""
    m.errnum = ErrNum.NONE
    m.current_drive = 0x80
    m.current_partition = partition << 16 | ((ord(letter) - ord("a")) << 8 if letter else 0xFF00) | 0xFF
    open_partition(m)
    return m.current_slice, m.part_start, m.part_length


def error_of(m: Machine, partition: int, letter: str = "") -> int:
    try:
        opened(m, partition, letter)
    except GrubError as error:
        return int(error.number)
    return 0


def sfdisk_partitions(image: Path) -> list[tuple[int, int, int]]:
    """Partition number, start and size as sfdisk has them."""
    found = json.loads(run("sfdisk", "-J", image))["partitiontable"]["partitions"]
    numbers = [int(part["node"].removeprefix(str(image))) for part in found]
    return [(number, part["start"], part["size"]) for number, part in zip(numbers, found, strict=True)]


def make_disk(path: Path, script: str, size: int = 64 * MIB) -> Path:
    with path.open("wb") as file:
        file.truncate(size)
    run("sfdisk", "-q", path, stdin=script.encode())
    return path
