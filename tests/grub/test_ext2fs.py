"""The ext2fs driver against debugfs, and each of its quirks on an image that shows it."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest

from pvgrub_sim.grub.stop import Stop
from pvgrub_sim.model import Outcome
from tests.grub.ext_images import OLD_EXT4, blocks_of, cat, debugfs, inode_at, make_ext, names, peek, poke
from tests.grub.machine_factory import assert_one_pass, error_of, list_names, machine_on, mount, open_file, read_file

SOURCE = random.Random(5)
SMALL = SOURCE.randbytes(700)
LARGE = SOURCE.randbytes(700_001)
HUGE = 1024 * (12 + 256 + 256 * 256 + 5)
"""Bytes that reach into the triple indirect block at 1 KiB."""

I_MODE, I_SIZE, I_BLOCKS, I_FLAGS, I_BLOCK, I_SIZE_HIGH = 0, 4, 28, 32, 40, 108
HUGE_FILE_FL = 0x40000


def test_reads_what_was_written_through_every_kind_of_indirect_block(tmp_path: Path) -> None:
    files = {"small": SMALL, "large": LARGE, "huge": random.Random(6).randbytes(HUGE)}
    image = make_ext(tmp_path / "i.img", {"boot": files}, size="80M")
    m = machine_on(image)
    for name, content in files.items():
        assert read_file(m, f"(hd0)/boot/{name}".encode()) == content == cat(image, f"/boot/{name}")


@pytest.mark.parametrize("block", [1024, 2048, 4096, 8192])
def test_reads_extents_of_every_block_size(tmp_path: Path, block: int) -> None:
    image = make_ext(tmp_path / "i.img", {"large": LARGE}, *OLD_EXT4, block=block, size="16M")
    assert read_file(machine_on(image), b"(hd0)/large") == cat(image, "/large") == LARGE


def test_reads_an_extent_tree_of_depth_one(tmp_path: Path) -> None:
    image = make_ext(tmp_path / "i.img", {"large": LARGE, "filler": bytes([7]) * 900_000}, *OLD_EXT4, size="8M")
    for block in range(0, 800, 2):
        debugfs(image, f"punch /filler {block} {block}") if block < 120 else None
    (tmp_path / "source").write_bytes(LARGE)
    debugfs(image, "rm /large", f"write {tmp_path / 'source'} /large")
    assert read_file(machine_on(image), b"(hd0)/large") == cat(image, "/large") == LARGE


def test_reads_in_pieces_of_any_size(tmp_path: Path) -> None:
    image = make_ext(tmp_path / "i.img", {"large": LARGE})
    m = machine_on(image)
    from pvgrub_sim.grub.fs.read import grub_read

    open_file(m, b"(hd0)/large")
    for at, length in ((0, 1), (1, 1023), (12287, 2), (270_000, 300_000), (700_000, 5), (5, 0)):
        m.filepos = at
        assert grub_read(m, length) == LARGE[at : at + length]
        assert m.filepos == min(at + length, len(LARGE))


def test_lists_what_debugfs_lists(tmp_path: Path) -> None:
    tree = {f"file-{index:04d}": b"x" for index in range(700)}
    image = make_ext(tmp_path / "i.img", {"many": tree, "odd": {"ümlaut": b"1", "UPPER": b"2"}})
    m = machine_on(image)
    for folder in ("/", "/many", "/odd"):
        listed = list_names(m, b"(hd0)" + folder.rstrip("/").encode() + b"/")
        assert sorted(listed) == sorted(name for name in names(image, folder) if name not in (b".", b".."))
    assert list_names(m, b"(hd0)/many/file-069") == [f"file-069{digit}".encode() for digit in range(10)]
    assert error_of(m, b"(hd0)/odd/upper") == 15


def test_symlinks_fast_slow_absolute_relative_and_five_deep(tmp_path: Path) -> None:
    links = {f"l{index}": f"l{index + 1}" for index in range(6)}
    tree = {"d": {"k": SMALL, "up": "../d/k"}, "fast": "d/k", "abs": "/d/k", "dir": "d", "slow": "d/../" * 30 + "d/k"}
    image = make_ext(tmp_path / "i.img", {**tree, **links, "l6": SMALL})
    m = machine_on(image)
    for name in (b"fast", b"abs", b"dir/k", b"slow", b"d/up", b"dir/up", b"l1"):
        assert read_file(m, b"(hd0)/" + name) == SMALL
    assert error_of(m, b"(hd0)/l0") == 26


def test_paths_that_fail(tmp_path: Path) -> None:
    m = machine_on(make_ext(tmp_path / "i.img", {"d": {"k": SMALL}, "dangling": "nowhere"}))
    wrong = {b"/d": 2, b"/d/": 15, b"/d/k/": 2, b"/d/k/x": 2, b"/x": 15, b"/": 15, b"/x/k": 15, b"/dangling": 15}
    for path, number in wrong.items():
        assert error_of(m, b"(hd0)" + path) == number, path
    assert read_file(m, b"(hd0)//d///k root=/dev/sda1 ro") == SMALL


def test_a_holey_block_mapped_file_reads_as_zeros(tmp_path: Path) -> None:
    content = SMALL.ljust(4096, b"\1") + bytes(40_960) + LARGE
    image = make_ext(tmp_path / "i.img", {"f": content})
    assert read_file(machine_on(image), b"(hd0)/f") == content == cat(image, "/f")


def test_quirk_other_partition_type_hides_the_filesystem(tmp_path: Path) -> None:
    inner = make_ext(tmp_path / "i.img", {"k": SMALL}).read_bytes()
    for kind, found in ((0x83, True), (0xFD, True), (0x82, False), (0x0B, False), (0xEE, False), (0x8E, False)):
        table = bytearray(512)
        struct.pack_into("<B3xB3xII", table, 446, 0, kind, 63, len(inner) // 512)
        table[510:] = b"\x55\xaa"
        m = machine_on(bytes(table) + bytes(62 * 512) + inner)
        assert mount(m, b"(hd0,0)") == ("ext2fs" if found else None)


def test_quirk_64bit_test_is_inverted(tmp_path: Path) -> None:
    options = ("-t", "ext4", "-O", "64bit,^metadata_csum,^has_journal,^uninit_bg")
    image = make_ext(tmp_path / "i.img", {"k": SMALL}, *options)
    m = machine_on(image)
    assert mount(m) == "ext2fs"
    assert error_of(m, b"(hd0)/k") == 14
    # With a high half, which an honest reader would have to refuse, it is read.
    poke(image, 2048 + 40, "<I", 1)
    assert read_file(machine_on(image), b"(hd0)/k") == SMALL


def test_quirk_64bit_with_a_descriptor_size_of_0_divides_by_zero(tmp_path: Path) -> None:
    image = make_ext(tmp_path / "i.img", {"k": SMALL})
    poke(image, 1024 + 96, "<I", 0x80)
    poke(image, 1024 + 254, "<H", 0)
    with pytest.raises(Stop) as stop:
        open_file(machine_on(image), b"(hd0)/k")
    assert stop.value.outcome is Outcome.CRASH


def test_quirk_meta_bg_descriptors_are_looked_for_behind_the_superblock(tmp_path: Path) -> None:
    features = "meta_bg,^resize_inode,^64bit,^metadata_csum,^has_journal"
    tree = {f"f{index}": SMALL for index in range(400)}
    image = make_ext(tmp_path / "i.img", tree, "-t", "ext4", "-O", features, "-g", "256", "-N", "1300", size="40M")
    m = machine_on(image)
    inodes = {name: int(debugfs(image, f"stat /{name}").split()[1]) for name in ("f0", "f399")}
    per_group = int(debugfs(image, "stats").split("Inodes per group:")[1].split()[0])
    assert inodes["f0"] <= 32 * per_group < inodes["f399"], "one inode of each descriptor block"
    assert read_file(m, b"(hd0)/f0") == SMALL
    assert error_of(m, b"(hd0)/f399") != 0


def test_quirk_huge_file_flag_is_refused_only_below_4_gib(tmp_path: Path) -> None:
    image = make_ext(tmp_path / "i.img", {"k": SMALL})
    at = inode_at(image, "/k")
    flags = int.from_bytes(peek(image, at + I_FLAGS, 4), "little")
    poke(image, at + I_FLAGS, "<I", flags | HUGE_FILE_FL)
    assert error_of(machine_on(image), b"(hd0)/k") == 14
    poke(image, at + I_SIZE_HIGH, "<I", 1)
    assert read_file(machine_on(image), b"(hd0)/k") == SMALL


def test_quirk_a_size_of_2_gib_reads_as_an_empty_file(tmp_path: Path) -> None:
    image = make_ext(tmp_path / "i.img", {"k": SMALL})
    poke(image, inode_at(image, "/k") + I_SIZE, "<I", 1 << 31)
    assert read_file(machine_on(image), b"(hd0)/k") == b""


def test_quirk_a_negative_block_number_ends_the_file_without_an_error(tmp_path: Path) -> None:
    image = make_ext(tmp_path / "i.img", {"k": LARGE})
    poke(image, inode_at(image, "/k") + I_BLOCK + 4 * 3, "<I", 0xFFFFFFFF)
    assert read_file(machine_on(image), b"(hd0)/k") == LARGE[: 3 * 1024]


def test_a_block_beyond_the_end_is_error_24(tmp_path: Path) -> None:
    image = make_ext(tmp_path / "i.img", {"k": LARGE})
    poke(image, inode_at(image, "/k") + I_BLOCK, "<I", 1_000_000)
    assert error_of(machine_on(image), b"(hd0)/k") == 24


def test_quirk_a_fast_symlink_longer_than_its_place_takes_what_lies_behind(tmp_path: Path) -> None:
    image = make_ext(tmp_path / "i.img", {"d": {"k": SMALL}, "l": "d/k"})
    poke(image, inode_at(image, "/l") + I_SIZE, "<I", 61)
    assert read_file(machine_on(image), b"(hd0)/l") == SMALL, "the target ends at its NUL"
    poke(image, inode_at(image, "/l") + I_SIZE, "<I", 1023)
    assert error_of(machine_on(image), b"(hd0)/l") == 14


def test_quirk_a_directory_entry_of_length_0_hangs(tmp_path: Path) -> None:
    image = make_ext(tmp_path / "i.img", {"d": {"a": SMALL, "b": SMALL}})
    block = blocks_of(image, "/d")[0] * 1024
    poke(image, block + 12 + 4, "<H", 0)
    with pytest.raises(Stop) as stop:
        open_file(machine_on(image), b"(hd0)/d/b")
    assert stop.value.outcome is Outcome.HANG
    assert error_of(machine_on(image), b"(hd0)/d/.") == 2, "what stands before it is found"


def test_quirk_a_hole_in_a_directory_reads_block_0(tmp_path: Path) -> None:
    image = make_ext(tmp_path / "i.img", {"d": {"a": SMALL}})
    # A boot block that holds a directory block with the one name.
    poke(image, 0, "<IHBB1s", 12, 1024, 1, 1, b"z")  # type: ignore[arg-type]  # bytes for "1s"
    inode = int(debugfs(image, "stat /d/a").split()[1])
    poke(image, 0, "<I", inode)
    poke(image, inode_at(image, "/d") + I_BLOCK, "<I", 0)
    assert read_file(machine_on(image), b"(hd0)/d/z") == SMALL


def test_quirk_a_hole_over_an_indirect_block_reads_block_0_as_that_block(tmp_path: Path) -> None:
    image = make_ext(tmp_path / "i.img", {"k": LARGE})
    block = blocks_of(image, "/k")[0]
    poke(image, 0, "<256I", *([block] * 256))
    poke(image, inode_at(image, "/k") + I_BLOCK + 4 * 12, "<I", 0)
    got = read_file(machine_on(image), b"(hd0)/k")
    assert got[12 * 1024 : 13 * 1024] == LARGE[:1024]


@pytest.mark.parametrize(("block", "result"), [(16384, "hang"), (32768, "error 2"), (65536, "boots")])
def test_quirk_blocks_above_8_kib_overrun_the_filesystem_buffer(tmp_path: Path, block: int, result: str) -> None:
    image = make_ext(tmp_path / "i.img", {"boot": {"k": LARGE}}, block=block, size="20M")
    m = machine_on(image)
    if result == "boots":
        assert read_file(m, b"(hd0)/boot/k") == LARGE
    elif result == "hang":
        with pytest.raises(Stop) as stop:
            open_file(m, b"(hd0)/boot/k")
        assert stop.value.outcome is Outcome.HANG
    else:
        assert error_of(m, b"(hd0)/boot/k") == 2


def test_zero_inode_size_divides_by_zero(tmp_path: Path) -> None:
    image = make_ext(tmp_path / "i.img", {"k": SMALL})
    poke(image, 1024 + 88, "<H", 0)
    with pytest.raises(Stop) as stop:
        open_file(machine_on(image), b"(hd0)/k")
    assert stop.value.outcome is Outcome.CRASH


def test_an_image_cut_short_fails_with_a_read_error(tmp_path: Path) -> None:
    image = make_ext(tmp_path / "i.img", {"k": LARGE})
    end = blocks_of(image, "/k")[400] * 1024
    with image.open("r+b") as file:
        file.truncate(end)
    assert error_of(machine_on(image), b"(hd0)/k") in (16, 18, 24, 25)


def test_a_sparse_file_of_almost_2_gib_takes_no_more_memory_than_asked(tmp_path: Path) -> None:
    import tracemalloc

    image = make_ext(tmp_path / "i.img", {"k": SMALL})
    poke(image, inode_at(image, "/k") + I_SIZE, "<I", (1 << 31) - 1)
    m = machine_on(image)
    open_file(m, b"(hd0)/k")
    assert m.fsys
    m.filepos = 1 << 30
    tracemalloc.start()
    data = m.fsys.read(1 << 20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert data == bytes(1 << 20)
    assert peak < 3 << 20


def test_a_directory_of_100_000_entries_is_gone_through_once(tmp_path: Path) -> None:
    entries = b"".join(struct.pack("<IHBB8s", 12, 16, 8, 1, b"%08d" % index) for index in range(100_000 // 64 * 64))
    image = make_ext(tmp_path / "i.img", {"a": SMALL, "many": entries})
    debugfs(image, "sif /many mode 040755")
    assert_one_pass(image, 100_000 // 64 * 64, b"(hd0)/many/")
