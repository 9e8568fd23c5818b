"""Raw reads: bounds and their errors, errnum as state, EZ-Drive tables, runs of blocks, block lists."""

from __future__ import annotations

import random

import pytest

from pvgrub_sim.grub.disk.raw import devread, devread_all, devread_run, rawread, rawwrite
from pvgrub_sim.grub.disk.track_buffer import BUFFERADDR, TrackBuffer
from pvgrub_sim.grub.errnum import ErrNum, GrubError
from pvgrub_sim.grub.machine import Machine
from tests.grub.machine_factory import error_of, machine_on, read_file

SOURCE = random.Random(2)
TRACK = 63
EZD = 446 + 4


def disk(sectors: int, drop_ezd: bool = True) -> bytearray:
    """Random sectors, without a byte of 0x55 where it would be taken for a partition type."""
    data = bytearray(SOURCE.randbytes(512 * sectors))
    for sector in range(sectors if drop_ezd else 0):
        for entry in range(4):
            data[512 * sector + EZD + 16 * entry] = 0
    return data


def opened(data: bytes, start: int = 0, length: int | None = None) -> Machine:
    """A machine with hd0 open from a sector on."""
    m = machine_on(bytes(data))
    m.current_drive = 0x80
    m.part_start = start
    m.part_length = len(data) // 512 if length is None else length
    return m


def error(m: Machine, sector: int, size: int = 512) -> int:
    """The error of reading some bytes at a sector of the disk."""
    m.errnum = ErrNum.NONE
    with pytest.raises(GrubError) as failed:
        rawread(m, 0x80, sector, 0, size)
    assert failed.value.number == m.errnum
    return int(m.errnum)


def test_a_read_that_begins_past_the_end_is_error_18() -> None:
    assert error(opened(disk(40)), 40) == 18


def test_a_read_that_ends_past_the_end_is_error_25() -> None:
    assert error(opened(disk(40)), 39, 1024) == 25


def test_quirk_on_a_disk_of_whole_tracks_it_is_error_18() -> None:
    assert error(opened(disk(2 * TRACK)), 2 * TRACK - 1, 1024) == 18


def test_no_such_disk_is_error_21() -> None:
    m = opened(disk(40))
    with pytest.raises(GrubError):
        rawread(m, 0x81, 0, 0, 512)
    assert m.errnum == ErrNum.NO_DISK


def test_outside_of_the_partition_is_error_24() -> None:
    data = disk(200)
    m = opened(data, 100, 50)
    assert devread(m, 49, 0, 512) == data[149 * 512 : 150 * 512]
    with pytest.raises(GrubError):
        devread(m, 49, 1, 512)
    assert m.errnum == ErrNum.OUTSIDE_PART


def test_nothing_is_read_while_an_error_is_set_but_24_replaces_it() -> None:
    m = opened(disk(200), 0, 50)
    m.errnum = ErrNum.FILE_NOT_FOUND
    with pytest.raises(GrubError):
        devread(m, 0, 0, 512)
    assert m.errnum == ErrNum.FILE_NOT_FOUND
    with pytest.raises(GrubError):
        devread(m, 50, 0, 512)
    assert m.errnum == ErrNum.OUTSIDE_PART


def test_a_part_of_a_sector() -> None:
    data = disk(200)
    m = opened(data, 10, 150)
    for sector, offset, size in ((0, 5, 3), (3, 511, 2), (70, 5000, 700), (1, 0, 60_000)):
        begin = (10 + sector) * 512 + offset
        assert devread(m, sector, offset, size) == data[begin : begin + size]


@pytest.mark.parametrize("entry", range(4))
def test_quirk_an_ez_drive_table_puts_sector_1_in_the_place_of_sector_0(entry: int) -> None:
    data = disk(100)
    data[EZD + 16 * entry] = 0x55
    m = opened(data)
    assert rawread(m, 0x80, 0, 0, 512) == data[512:1024]
    assert rawread(m, 0x80, 0, 0, 1536) == data[512:1024] * 2 + data[1024:1536]
    assert rawread(m, 0x80, 1, 0, 512) == data[512:1024]


def test_quirk_a_read_over_the_first_tracks_end_takes_its_own_first_sector_for_the_table() -> None:
    data = disk(200)
    data[512 * 56 + EZD] = 0x55
    m = opened(data)
    rawread(m, 0x80, 100, 0, 512)
    assert rawread(m, 0x80, 56, 0, 4096) == data[512 * 57 : 512 * 58] + data[512 * 57 : 512 * 64]
    rawread(m, 0x80, 3, 0, 512)
    assert rawread(m, 0x80, 56, 0, 4096) == data[512 * 56 : 512 * 64], "the track is in the buffer already"


def test_a_run_is_what_its_blocks_are_one_by_one() -> None:
    data = disk(400)
    data[512 * 62 + EZD] = data[512 * 60 + EZD] = 0x55
    for start in (0, 2, 61, 64, 300):
        for first in (0, 40, 56, 60):
            single, together = opened(data, start, 90), opened(data, start, 90)
            rawread(single, 0x80, 200, 0, 512)
            rawread(together, 0x80, 200, 0, 512)
            one_by_one = b"".join(devread(single, first + 2 * index, 0, 1024) for index in range(10))
            assert devread_run(together, first, 0, 10 * 1024, 1024) == one_by_one


@pytest.mark.parametrize(("sectors", "part_length", "number"), [(100, 90, 24), (101, 1000, 25), (100, 1000, 18)])
def test_a_run_that_fails_leaves_the_error_of_its_blocks(sectors: int, part_length: int, number: int) -> None:
    m = opened(disk(sectors), 0, part_length)
    with pytest.raises(GrubError):
        devread_run(m, 80, 0, 22 * 512, 1024)
    assert m.errnum == number


def test_pieces_read_together_are_what_they_are_alone() -> None:
    data = disk(500)
    m = opened(data, 70, 400)
    extents = [(0, 1000), (None, 700), (5000, 1), (512 * 300 + 7, 3000), (None, 3)]
    expected = b"".join(
        bytes(size) if begin is None else bytes(data[512 * 70 + begin : 512 * 70 + begin + size])
        for begin, size in extents
    )
    assert devread_all(m, extents) == expected
    assert devread_all(m, [(512 * 399, 513)]) is None, "one that is not all there must be read alone"
    assert devread_all(m, [(None, 10)]) == bytes(10)


def test_written_sectors_are_read_back_and_the_disk_stays() -> None:
    data = disk(200)
    m = opened(data)
    rawwrite(m, 0x80, 100, b"\xee" * 512)
    assert devread(m, 99, 0, 1536) == data[512 * 99 : 512 * 100] + b"\xee" * 512 + data[512 * 101 : 512 * 102]
    assert m.disks[0].read(512 * 100, 512) == data[512 * 100 : 512 * 101]
    with pytest.raises(GrubError):
        rawwrite(m, 0x80, 200, bytes(512))
    assert m.errnum == ErrNum.WRITE


def test_the_track_buffer_reads_what_rawread_reads() -> None:
    data = disk(300)
    data[512 * 60 + EZD] = 0x55
    plain, exact = opened(data), opened(data)
    exact.track_buffer = TrackBuffer(exact, bytearray())
    for sector, offset, size in ((0, 0, 512), (200, 0, 40_000), (60, 3, 5000), (60, 0, 512), (299, 511, 1), (5, 0, 99)):
        assert rawread(plain, 0x80, sector, offset, size) == rawread(exact, 0x80, sector, offset, size)
    for sector, size in ((300, 1), (299, 513)):
        assert error(plain, sector, size) == error(exact, sector, size)


def test_quirk_what_is_read_into_the_track_buffer_changes_what_is_read_next() -> None:
    data = disk(300)
    m = opened(data)
    memory = bytearray()
    buffer = m.track_buffer = TrackBuffer(m, memory)
    buffer.rawread(0x80, 130, 0, memory, slice(BUFFERADDR + 512, BUFFERADDR + 1024))
    # Sector 127 lies where sector 130 has just been written.
    assert rawread(m, 0x80, 127, 0, 512) == data[512 * 130 : 512 * 131]


def test_block_lists() -> None:
    data = disk(200)
    m = machine_on(bytes(data))
    assert read_file(m, b"(hd0)10+2,5+1") == data[5120:6144] + data[2560:3072]
    assert read_file(m, b"(hd0)10+2,700") == data[5120 : 5120 + 700]
    assert error_of(m, b"(hd0)10+2,9999") == 1
    assert error_of(m, b"(hd0)+0") == 1
    assert error_of(m, b"(hd0)190+20") in (18, 24, 25)
    assert read_file(m, b"(hd0)+1") == data[:512]


def test_quirk_a_block_list_of_2_gib_overflows_and_is_empty() -> None:
    assert read_file(machine_on(bytes(disk(200))), b"(hd0)0+4194304") == b""
