"""Partition tables: numbering against sfdisk, and every odd case of MBR, BSD labels and GPT."""

from __future__ import annotations

from pathlib import Path

import pytest

from pvgrub_sim.grub.disk.partitions import PartitionWalk, open_partition, sane_partition
from pvgrub_sim.grub.errnum import ErrNum, GrubError
from pvgrub_sim.grub.machine import WHOLE_DISK
from pvgrub_sim.grub.stop import Stop
from pvgrub_sim.model import Outcome
from tests.grub.partition_tables import (
    disk,
    error_of,
    label,
    machine,
    make_disk,
    opened,
    sfdisk_partitions,
    table,
)


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


# --- widths


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


# --- logical partitions


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


# --- BSD labels


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


# --- EZ-Drive


@pytest.mark.parametrize("slot", range(4))
def test_quirk_any_entry_of_type_55_makes_sector_1_stand_for_sector_0(slot: int) -> None:
    first = table(*[(0x55, 1, 62) if index == slot else (0x83, 5, 5) for index in range(4)])
    m = machine(disk({0: first, 1: table((0x83, 100, 50))}), arch="i386")
    assert opened(m, 0) == (0x83, 100, 50)


# --- walking


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
