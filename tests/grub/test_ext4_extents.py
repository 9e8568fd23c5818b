"""Files that are mapped by extents: what PV-GRUB makes of holes, of damage, and before it knew extents at all."""

from __future__ import annotations

import random
from pathlib import Path

from tests.grub.ext_images import OLD_EXT4, blocks_of, inode_at, make_ext, peek, poke
from tests.grub.machine_factory import error_of, machine_on, mount, read_file

SOURCE = random.Random(5)
SMALL = SOURCE.randbytes(700)
LARGE = SOURCE.randbytes(700_001)

I_BLOCK = 40


def _first_extent(image: Path, block: int = 1024) -> int:
    return inode_at(image, "/k", block) + I_BLOCK + 12


def test_quirk_the_first_block_of_a_hole_continues_the_extent_before_it(tmp_path: Path) -> None:
    content = bytes([1]) * 4096 + bytes(4096) + bytes([2]) * 4096
    image = make_ext(tmp_path / "i.img", {"k": content}, *OLD_EXT4, block=4096)
    block = blocks_of(image, "/k")[0]
    got = read_file(machine_on(image), b"(hd0)/k")
    assert got[4096:8192] == peek(image, (block + 1) * 4096, 4096) != bytes(4096)
    assert got[:4096] + got[8192:] == content[:4096] + content[8192:]


def test_quirk_the_second_block_of_a_hole_is_error_16(tmp_path: Path) -> None:
    content = bytes([1]) * 4096 + bytes(8192) + bytes([2]) * 4096
    image = make_ext(tmp_path / "i.img", {"k": content, "all": bytes(8192)}, *OLD_EXT4, block=4096)
    assert error_of(machine_on(image), b"(hd0)/k") == 16
    assert error_of(machine_on(image), b"(hd0)/all") == 16


def test_quirk_a_leading_hole_reads_the_blocks_before_the_extent(tmp_path: Path) -> None:
    content = bytes(8192) + bytes([2]) * 4096
    image = make_ext(tmp_path / "i.img", {"k": content}, *OLD_EXT4, block=4096)
    block = blocks_of(image, "/k")[-1]
    assert read_file(machine_on(image), b"(hd0)/k") == peek(image, (block - 2) * 4096, 3 * 4096)


def test_quirk_an_unwritten_extent_is_read_as_data(tmp_path: Path) -> None:
    image = make_ext(tmp_path / "i.img", {"k": LARGE}, *OLD_EXT4, block=4096)
    length = int.from_bytes(peek(image, _first_extent(image, 4096) + 4, 2), "little")
    poke(image, _first_extent(image, 4096) + 4, "<H", length | 0x8000)
    assert read_file(machine_on(image), b"(hd0)/k") == LARGE


def test_quirk_eh_entries_0_still_uses_the_first_slot(tmp_path: Path) -> None:
    image = make_ext(tmp_path / "i.img", {"k": SMALL}, *OLD_EXT4)
    poke(image, inode_at(image, "/k") + I_BLOCK + 2, "<H", 0)
    assert read_file(machine_on(image), b"(hd0)/k") == SMALL


def test_a_block_number_above_32_bits_is_error_14(tmp_path: Path) -> None:
    image = make_ext(tmp_path / "i.img", {"k": SMALL}, *OLD_EXT4)
    poke(image, _first_extent(image) + 6, "<H", 1)
    assert error_of(machine_on(image), b"(hd0)/k") == 14


def test_a_wrong_extent_magic_is_error_16(tmp_path: Path) -> None:
    image = make_ext(tmp_path / "i.img", {"k": SMALL}, *OLD_EXT4)
    poke(image, inode_at(image, "/k") + I_BLOCK, "<H", 0)
    assert error_of(machine_on(image), b"(hd0)/k") == 16


def test_quirk_a_leafs_own_magic_is_not_looked_at(tmp_path: Path) -> None:
    image = make_ext(tmp_path / "i.img", {"k": SMALL}, *OLD_EXT4)
    at = inode_at(image, "/k") + I_BLOCK
    leaf = peek(image, at, 24)
    block = 3000
    poke(image, block * 1024, "<24B", *(b"\0\0" + leaf[2:]))
    poke(image, at, "<HHHHIIIHH", 0xF30A, 1, 4, 1, 0, 0, block, 0, 0)
    assert read_file(machine_on(image), b"(hd0)/k") == SMALL
    poke(image, block * 1024 + 6, "<H", 1)
    assert error_of(machine_on(image), b"(hd0)/k") == 16, "an index block's magic is"


def test_profiles_before_2012_read_extents_as_block_numbers(tmp_path: Path) -> None:
    image = make_ext(tmp_path / "i.img", {"k": SMALL}, *OLD_EXT4)
    m = machine_on(image, profile="xen-4.1")
    assert mount(m) == "ext2fs"
    # The root directory's extent header becomes its first block number: far outside.
    assert error_of(m, b"(hd0)/k") == 16
    plain = make_ext(tmp_path / "plain.img", {"k": LARGE})
    assert read_file(machine_on(plain, profile="xen-4.1"), b"(hd0)/k") == LARGE
