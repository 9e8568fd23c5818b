"""Partition tables: numbering against sfdisk, and every odd case of MBR, BSD labels and GPT."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from pvgrub_sim.grub.disk.partitions import PartitionWalk, open_partition, sane_partition
from pvgrub_sim.grub.errnum import ErrNum, GrubError
from pvgrub_sim.grub.machine import WHOLE_DISK, Machine
from pvgrub_sim.grub.stop import Stop
from pvgrub_sim.model import Outcome
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


@pytest.mark.parametrize(
    "script",
    [
        "2048,20480,83\n",
        "2048,20480,83,*\n22528,2048,82\n24576,2048,8e\n26624,,7\n",
        "2048,20480,83\n22528,,5\n24576,4096,83\n32768,4096,82\n40960,8192,b\n51200,,83\n",
        "2048,,f\n4096,4096,83\n10240,4096,83\n",
        "2048,2048,83\n4096,,85\n6144,4096,83\n",
    ],
)
@pytest.mark.parametrize("arch", ["x86_64", "i386"])
def test_numbers_and_starts_are_those_of_sfdisk(tmp_path: Path, script: str, arch: str) -> None:
    image = make_disk(tmp_path / "disk-", "label: dos\n" + script)
    parts = sfdisk_partitions(image)
    assert len(parts) == script.count("\n")
    m = machine(image, arch=arch)
    for number, start, size in parts:
        kind, found_start, found_length = opened(m, number - 1)
        assert found_start == start
        if arch == "i386":
            assert found_length == size or kind in (5, 0x0F, 0x85)
        else:
            assert found_length >= size or kind in (5, 0x0F, 0x85)
    assert error_of(m, parts[-1][0]) == ErrNum.NO_PART


def test_the_whole_disk_needs_no_table() -> None:
    m = machine(bytes(512 * 100))
    m.current_partition = WHOLE_DISK
    open_partition(m)
    assert (m.current_slice, m.part_start, m.part_length) == (0, 0, 100)


def test_no_signature_is_error_5() -> None:
    image = disk({0: table((0x83, 100, 50))})
    assert error_of(machine(image), 0) == 0
    assert error_of(machine(image[:510] + b"\0\0" + image[512:]), 0) == ErrNum.BAD_PART_TABLE


def test_empty_slots_count_but_are_not_found() -> None:
    m = machine(disk({0: table(None, (0x83, 100, 50), None, (0x82, 200, 50))}), arch="i386")
    assert opened(m, 1) == (0x83, 100, 50)
    assert opened(m, 3) == (0x82, 200, 50)
    for number in (0, 2, 4, 200):
        assert error_of(m, number) == ErrNum.NO_PART


def test_a_missing_drive_is_error_21_and_the_ninth_error_12() -> None:
    m = machine(bytes(512 * 100))
    for drive, error in ((0x81, ErrNum.NO_DISK), (0x00, ErrNum.NO_DISK), (0x88, ErrNum.DEV_VALUES)):
        m.errnum, m.current_drive, m.current_partition = ErrNum.NONE, drive, WHOLE_DISK
        with pytest.raises(GrubError) as raised:
            open_partition(m)
        assert raised.value.number == error


@pytest.mark.parametrize("partition", [0xFF0000FF, 0xFFFF00, 0xFF08FF])
def test_partitions_that_cannot_be(partition: int) -> None:
    m = machine(bytes(512 * 100))
    m.current_partition = partition
    with pytest.raises(GrubError, match="Error 12"):
        sane_partition(m)


# -- widths -------------------------------------------------------------------------------------------------------


def test_quirk_a_length_reads_on_into_the_next_entry_in_the_64_bit_build() -> None:
    plain = disk({0: table((0x83, 100, 50), (0x83, 200, 50))})
    assert opened(machine(plain), 0) == (0x83, 100, 50)
    with_flag = bytearray(plain)
    with_flag[462] = 0x80
    assert opened(machine(bytes(with_flag)), 0) == (0x83, 100, 0x80_00000032)
    assert opened(machine(bytes(with_flag), arch="i386"), 0) == (0x83, 100, 50)


def test_quirk_the_last_entry_has_no_end_in_the_64_bit_build() -> None:
    image = disk({0: table(None, None, None, (0x83, 100, 50))})
    assert opened(machine(image), 3)[2] > 1 << 32
    assert opened(machine(image, arch="i386"), 3) == (0x83, 100, 50)


# -- logical partitions -------------------------------------------------------------------------------------------


def test_quirk_the_first_slot_of_the_first_ebr_takes_number_4_even_when_empty() -> None:
    ebrs = {100: table(None, (5, 400, 100)), 500: table((0x83, 8, 50))}
    m = machine(disk({0: table((5, 100, 2000)), **ebrs}), arch="i386")
    assert opened(m, 4)[0] == 5  # the link to the next, which does not count further
    assert opened(m, 5) == (0x83, 508, 50)


def test_a_logical_partition_in_the_third_slot() -> None:
    m = machine(disk({0: table((5, 100, 2000)), 100: table(None, None, (0x83, 8, 50))}), arch="i386")
    assert opened(m, 5) == (0x83, 108, 50)


def test_quirk_only_the_first_extended_partition_is_followed() -> None:
    ebrs = {100: table((0x83, 8, 50)), 500: table((0x82, 8, 50))}
    m = machine(disk({0: table((5, 100, 200), (0x0F, 500, 200)), **ebrs}), arch="i386")
    assert opened(m, 4) == (0x83, 108, 50)
    assert error_of(m, 5) == ErrNum.NO_PART


def test_links_are_relative_to_the_first_ebr() -> None:
    ebrs = {100: table((0x83, 8, 9), (5, 100, 9)), 200: table((0x82, 8, 9), (5, 300, 9)), 400: table((0x83, 7, 9))}
    m = machine(disk({0: table((5, 100, 2000)), **ebrs}), arch="i386")
    assert [opened(m, number)[1] for number in (4, 5, 6)] == [108, 208, 407]


def test_an_ebr_without_signature_is_error_5() -> None:
    m = machine(disk({0: table((0x83, 1, 1), (5, 100, 2000)), 100: bytes(512)}))
    assert opened(m, 0)[1] & 0xFFFFFFFF == 1
    assert error_of(m, 4) == ErrNum.BAD_PART_TABLE


def test_an_ebr_past_the_end_is_a_read_error() -> None:
    assert error_of(machine(disk({0: table((5, 5000, 100))})), 4) == ErrNum.GEOM


def test_a_loop_of_ebrs_without_partitions_hangs() -> None:
    m = machine(disk({0: table((5, 100, 200)), 100: table(None, (5, 0, 100))}), arch="i386")
    with pytest.raises(Stop) as stop:
        opened(m, 5)
    assert stop.value.outcome is Outcome.HANG
    assert m.steps < 100


def test_a_loop_with_a_partition_gives_fresh_numbers() -> None:
    m = machine(disk({0: table((5, 100, 200)), 100: table((0x83, 8, 9), (5, 0, 100))}), arch="i386")
    assert opened(m, 4) == opened(m, 5) == opened(m, 254) == (0x83, 108, 9)


def test_quirk_number_255_is_the_whole_disk_from_which_the_walk_begins_anew() -> None:
    m = machine(disk({0: table((5, 100, 200)), 100: table((0x83, 8, 9), (5, 0, 100))}), arch="i386")
    with pytest.raises(Stop) as stop:
        opened(m, 3, "a")
    assert stop.value.outcome is Outcome.HANG


# -- BSD labels ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [0xA5, 0xA6, 0xA9])
def test_bsd_partitions(kind: int) -> None:
    image = disk({0: table((0x83, 10, 20), (kind, 100, 900)), 101: label((7, 100, 50), (0, 0, 0), (17, 200, 60))})
    m = machine(image, arch="i386")
    assert opened(m, 1, "a") == (7 << 8 | kind, 100, 50)
    assert opened(m, 1, "c") == (17 << 8 | kind, 200, 60)
    assert opened(m, 1) == (kind, 100, 900)
    assert opened(m, 0xFF, "c") == (17 << 8 | kind, 200, 60)
    assert error_of(m, 1, "b") == ErrNum.NO_PART
    assert error_of(m, 0, "a") == ErrNum.NO_PART


def test_quirk_the_64_bit_build_wants_d_type_0() -> None:
    image = disk({0: table((0xA5, 100, 900)), 101: label((7, 100, 50), d_type=4)})
    assert error_of(machine(image), 0, "a") == ErrNum.BAD_PART_TABLE
    assert opened(machine(image, arch="i386"), 0, "a") == (0x7A5, 100, 50)
    image = disk({0: table((0xA5, 100, 900)), 101: label((7, 100, 50))})
    assert opened(machine(image), 0, "a")[1] & 0xFFFFFFFF == 100


def test_a_bad_label_matters_only_to_who_looks_for_a_letter() -> None:
    m = machine(disk({0: table((0xA5, 100, 900), (0x83, 1000, 50))}), arch="i386")
    assert opened(m, 1) == (0x83, 1000, 50)
    assert error_of(m, 0, "a") == ErrNum.BAD_PART_TABLE
    assert error_of(m, 0xFF, "a") == ErrNum.BAD_PART_TABLE
    assert error_of(m, 1, "a") == ErrNum.NO_PART


def test_a_slice_too_short_for_a_label_is_error_5() -> None:
    image = disk({0: table((0xA5, 100, 1)), 101: label((7, 100, 50))})
    assert error_of(machine(image, arch="i386"), 0, "a") == ErrNum.BAD_PART_TABLE


def test_quirk_the_count_of_partitions_in_a_label_is_trusted() -> None:
    image = disk({0: table((0xA5, 100, 900)), 101: label((7, 100, 50), (7, 200, 50), count=1)})
    assert error_of(machine(image, arch="i386"), 0, "b") == ErrNum.NO_PART
    image = disk({0: table((0xA5, 100, 900)), 101: label((7, 100, 50), count=65535)})
    assert error_of(machine(image, arch="i386"), 0, "h") == ErrNum.NO_PART


def test_quirk_bsd_starts_are_absolute() -> None:
    image = disk({0: table((0xA5, 100, 900)), 101: label((7, 0, 50))})
    assert opened(machine(image, arch="i386"), 0, "a") == (0x7A5, 0, 50)


# -- EZ-Drive -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slot", range(4))
def test_quirk_any_entry_of_type_55_makes_sector_1_stand_for_sector_0(slot: int) -> None:
    first = table(*[(0x55, 1, 62) if index == slot else (0x83, 5, 5) for index in range(4)])
    m = machine(disk({0: first, 1: table((0x83, 100, 50))}), arch="i386")
    assert opened(m, 0) == (0x83, 100, 50)


# -- GPT ----------------------------------------------------------------------------------------------------------


def gpt(path: Path, *options: str, size: int = 64 * MIB) -> Path:
    with path.open("wb") as file:
        file.truncate(size)
    run("sgdisk", "-o", *options, path)
    return path


def amazon(image: bytes | Path, arch: str = "x86_64") -> Machine:
    return machine(image, profile="amazon-1.05", arch=arch)


@pytest.mark.parametrize("arch", ["x86_64", "i386"])
def test_gpt_numbers_are_those_of_sfdisk(tmp_path: Path, arch: str) -> None:
    image = gpt(tmp_path / "disk-", "-n1:2048:+8M", "-n2:0:+8M", "-t2:ef00", "-n3:0:0", "-t3:8e00")
    m = amazon(image, arch)
    parts = sfdisk_partitions(image)
    assert [number for number, _, _ in parts] == [1, 2, 3]
    for number, start, size in parts:
        # QUIRK of the patch: type 0x83 whatever the GUID
        assert opened(m, number - 1) == (0x83, start, size)
    assert error_of(m, 3) == ErrNum.NO_PART


def test_a_version_without_gpt_sees_the_protective_entry(tmp_path: Path) -> None:
    image = gpt(tmp_path / "disk", "-n1:2048:+8M")
    assert opened(machine(image, arch="i386"), 0) == (0xEE, 1, SECTORS - 1)
    assert error_of(machine(image), 1) == ErrNum.NO_PART


def test_quirk_behind_a_gap_in_a_gpt_the_same_entry_is_seen_again(tmp_path: Path) -> None:
    image = gpt(tmp_path / "disk", "-n1:2048:+1M", "-n2:0:+1M", "-n5:0:+1M")
    m = amazon(image)
    starts = [opened(m, number)[1] for number in range(5)]
    assert starts == [2048, 4096, 6144, 6144, 6144]
    assert error_of(m, 5) == ErrNum.NO_PART


def test_quirk_the_first_used_entry_of_a_gpt_is_number_0(tmp_path: Path) -> None:
    m = amazon(gpt(tmp_path / "disk", "-n3:2048:+1M"))
    assert opened(m, 0)[1] == 2048


def test_a_hybrid_mbr_is_read_as_gpt_where_gpt_is_known(tmp_path: Path) -> None:
    image = gpt(tmp_path / "disk", "-n1:2048:+1M", "-n2:0:+1M")
    run("sgdisk", "-h", "2", image)
    assert opened(amazon(image), 0) == (0x83, 2048, 2048)
    assert opened(machine(image, arch="i386"), 1)[1] == 4096


@pytest.mark.parametrize(("kind", "is_gpt"), [(0xEE, True), (0x00, True), (0x0C, False), (0x83, False)])
def test_a_gpt_is_looked_for_behind_a_protective_or_empty_first_entry(tmp_path: Path, kind: int, is_gpt: bool) -> None:
    image = bytearray(gpt(tmp_path / "disk", "-n1:2048:+1M").read_bytes())
    image[450] = kind
    start = opened(amazon(bytes(image), "i386"), 0)[1] if kind else opened(amazon(bytes(image)), 0)[1]
    assert (start == 2048) is is_gpt


def patched_header(image: bytes, at: int, data: bytes) -> bytes:
    return image[: 512 + at] + data + image[512 + at + len(data) :]


def test_quirk_no_crc_of_a_gpt_is_looked_at_nor_its_backup(tmp_path: Path) -> None:
    image = gpt(tmp_path / "disk", "-n1:2048:+1M").read_bytes()
    assert opened(amazon(patched_header(image, 16, b"\1\2\3\4")), 0)[1] == 2048
    assert opened(amazon(patched_header(image, 88, b"\1\2\3\4")), 0)[1] == 2048
    for at, data in ((0, b"X"), (8, b"\1")):
        assert opened(amazon(patched_header(image, at, data), "i386"), 0)[0] == 0xEE


def test_the_count_of_entries_is_kept(tmp_path: Path) -> None:
    image = gpt(tmp_path / "disk", "-n1:2048:+1M", "-n2:0:+1M").read_bytes()
    assert error_of(amazon(patched_header(image, 80, b"\1\0\0\0")), 1) == ErrNum.NO_PART
    assert error_of(amazon(patched_header(image, 80, b"\0\0\0\xf0")), 0) == ErrNum.NO_PART
    # Far more entries than the disk has room for: the read fails at its end.
    assert error_of(amazon(patched_header(image[: 512 * 34], 80, b"\0\0\0\x70")), 2) in (ErrNum.GEOM, ErrNum.READ)


def test_entries_of_other_sizes(tmp_path: Path) -> None:
    image = bytearray(gpt(tmp_path / "disk", "-n1:2048:+1M", "-n2:0:+1M").read_bytes())
    first, second = image[1024:1152], image[1152:1280]
    for size in (256, 512, 1024, 4096):
        wide = bytearray(patched_header(bytes(image), 84, struct.pack("<I", size)))
        wide[1024 : 512 * 2048] = bytes(512 * 2046)
        wide[1024:1152] = first
        wide[1024 + size : 1152 + size] = second
        assert [opened(amazon(bytes(wide)), number)[1] for number in (0, 1)] == [2048, 4096]


def test_a_gpt_entry_larger_than_its_buffer_crashes(tmp_path: Path) -> None:
    image = gpt(tmp_path / "disk", "-n1:2048:+1M").read_bytes()
    with pytest.raises(Stop) as stop:
        opened(amazon(patched_header(image, 84, struct.pack("<I", 8192))), 0)
    assert stop.value.outcome is Outcome.CRASH


def test_entries_of_size_0_are_the_header_itself(tmp_path: Path) -> None:
    image = gpt(tmp_path / "disk", "-n1:2048:+1M").read_bytes()
    backup, first_usable = struct.unpack_from("<QQ", image, 512 + 32)
    kind, start, length = opened(amazon(patched_header(image, 84, bytes(4))), 7)
    assert (kind, start, length) == (0x83, backup, (first_usable - backup + 1) % (1 << 64))


# -- walking ------------------------------------------------------------------------------------------------------


def test_a_walk_names_every_entry_once() -> None:
    image = disk(
        {
            0: table((0x83, 10, 20), None, (5, 100, 900)),
            100: table((0x83, 8, 9), (5, 400, 100)),
            500: table((0xA5, 8, 90)),
            509: label((7, 510, 20), (0, 0, 0), (1, 530, 5)),
        }
    )
    steps = PartitionWalk(machine(image, arch="i386"), 0x80, WHOLE_DISK)
    seen = []
    with pytest.raises(GrubError, match="Error 22"):
        while True:
            found = steps.next()
            seen.append((found.partition >> 16, found.partition >> 8 & 0xFF, found.type, found.offset, found.entry))
    assert seen == [
        (0, 0xFF, 0x83, 0, 0),
        (1, 0xFF, 0, 0, 1),
        (2, 0xFF, 5, 0, 2),
        (3, 0xFF, 0, 0, 3),
        (4, 0xFF, 0x83, 100, 0),
        (4, 0xFF, 5, 100, 1),
        (4, 0xFF, 0, 100, 2),
        (4, 0xFF, 0, 100, 3),
        (5, 0xFF, 0xA5, 500, 0),
        (5, 0, 0x7A5, 500, 0),
        (5, 2, 0x1A5, 500, 0),
        (5, 0xFF, 0, 500, 1),
        (5, 0xFF, 0, 500, 2),
        (5, 0xFF, 0, 500, 3),
    ]
