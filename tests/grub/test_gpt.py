"""GPT disks, which PV-GRUB reads from Amazon's 1.04 on."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from pvgrub_sim.grub.errnum import ErrNum
from pvgrub_sim.grub.machine import Machine
from pvgrub_sim.grub.stop import Stop
from pvgrub_sim.model import Outcome
from tests.grub.partition_tables import (
    MIB,
    SECTORS,
    error_of,
    machine,
    opened,
    sfdisk_partitions,
)
from tests.tools import run


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
