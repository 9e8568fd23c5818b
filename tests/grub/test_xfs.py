"""The XFS driver against xfs_db, and each of its quirks on an image that shows it."""

from __future__ import annotations

import random
import re
import struct
from contextlib import suppress
from pathlib import Path

import pytest

from pvgrub_sim.grub.errnum import GrubError
from pvgrub_sim.grub.fs.read import grub_read
from pvgrub_sim.grub.stop import Stop
from pvgrub_sim.model import Outcome
from tests.grub.machine_factory import assert_one_pass, error_of, list_names, machine_on, mount, open_file, read_file
from tests.grub.patching import recorded_image
from tests.grub.xfs_images import make_xfs, xfs_db

SOURCE = random.Random(6)
SMALL = SOURCE.randbytes(700)
LARGE = SOURCE.randbytes(500_000)
MANY = {f"file-{index:05d}-abcdefgh": b"" for index in range(3000)}

DI_FORMAT, DI_SIZE, DI_U = 5, 56, 100


def inode_number(image: Path, path: str) -> int:
    """A file's inode number as xfs_db finds it by path."""
    return int(xfs_db(image, f"path {path}", "inode").split()[-1])


def inode_at(image: Path, path: str) -> int:
    """Where a file's inode lies in the image, in bytes."""
    found = re.search(r"byte offset (\d+)", xfs_db(image, f"path {path}", "addr"))
    assert found
    return int(found[1])


def extents_of(image: Path, path: str) -> list[tuple[int, int, int]]:
    """A file's extents as xfs_db lists them: file offset, block on disk, length, in blocks."""
    lines = re.findall(r"data offset (\d+) startblock (\d+) .*count (\d+)", xfs_db(image, f"path {path}", "bmap"))
    return [(int(offset), int(start), int(count)) for offset, start, count in lines]


def blocks_at(image: Path, fsblock: int, count: int) -> bytes:
    """Blocks of 4 KiB by their number on disk, as xfs_db converts it."""
    sector = int(xfs_db(image, f"convert fsblock {fsblock} daddr").split("(")[1].split(")")[0])
    with image.open("rb") as file:
        file.seek(512 * sector)
        return file.read(4096 * count)


def write(image: Path, at: int, data: bytes) -> None:
    """Bytes into the image."""
    with image.open("r+b") as file:
        file.seek(at)
        file.write(data)


def extent(offset: int, start: int, length: int) -> bytes:
    """An extent record as it stands on disk."""
    return struct.pack(">QQ", offset << 9 | start >> 43, (start & (1 << 43) - 1) << 21 | length)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One image with most things on it; tests that change it work on a copy."""
    boot = {
        "small": SMALL,
        "large": LARGE,
        "fast": "d/k",
        "abs": "/boot/d/k",
        "slow": "d/../../boot/" + "d/./../" * 40 + "d/k",
        "d": {"k": SMALL},
        "dir": "d",
        "loop": "loop",
        **{f"l{index}": f"l{index + 1}" for index in range(9)},
        "l9": SMALL,
        "block": {f"n{index:02d}": b"" for index in range(60)},
    }
    return make_xfs(tmp_path_factory.mktemp("xfs") / "i.img", {"boot": boot, "many": MANY})


@pytest.fixture
def copy(tree: Path, tmp_path: Path) -> Path:
    """A sparse copy of that image."""
    from tests.tools import run

    run("cp", "--sparse=always", tree, tmp_path / "i.img")
    return tmp_path / "i.img"


def test_reads_what_was_written(tree: Path) -> None:
    m = machine_on(tree)
    assert mount(m) == "xfs"
    assert read_file(m, b"(hd0)/boot/small") == SMALL
    assert read_file(m, b"(hd0)/boot/large") == LARGE
    [(offset, start, count)] = extents_of(tree, "/boot/large")
    assert offset == 0
    assert blocks_at(tree, start, count)[: len(LARGE)] == LARGE


def test_lists_short_form_block_and_node_directories(tree: Path) -> None:
    m = machine_on(tree)
    assert sorted(list_names(m, b"(hd0)/many/")) == sorted(name.encode() for name in MANY)
    assert sorted(list_names(m, b"(hd0)/boot/block/")) == [b"n%02d" % index for index in range(60)]
    assert list_names(m, b"(hd0)/boot/d/") == [b"k"]
    assert list_names(m, b"(hd0)/boot/block/n3") == [b"n3%d" % index for index in range(10)]
    assert error_of(m, b"(hd0)/many/file-02999-abcdefgh") == 0


@pytest.mark.parametrize("case", ["dirblock", "dirnode", "dirblk8k", "dir-deleted"])
def test_lists_what_xfs_db_lists(case: str, tmp_path: Path) -> None:
    image = recorded_image(f"xfs-v4-{case}", tmp_path)
    listing = xfs_db(image, "path /boot", "ls").encode()
    theirs = [line.split()[-2] for line in listing.splitlines() if len(line.split()) >= 5]
    ours = list_names(machine_on(image), b"(hd0)/boot/")
    assert sorted(ours) == sorted(name for name in theirs if name not in (b".", b".."))


def test_reads_a_btree_file(tmp_path: Path) -> None:
    image = recorded_image("xfs-v4-btree", tmp_path)
    extents = extents_of(image, "/boot/k")
    assert len(extents) > 20
    m = machine_on(image)
    open_file(m, b"(hd0)/boot/k")
    whole = b"".join(blocks_at(image, start, count) for _, start, count in extents[:20])
    assert grub_read(m, len(whole)) == whole


def test_symlinks(tree: Path) -> None:
    m = machine_on(tree)
    for name in (b"fast", b"abs", b"dir/k"):
        assert read_file(m, b"(hd0)/boot/" + name) == SMALL
    assert error_of(m, b"(hd0)/boot/loop") == 26


def test_paths_that_fail(tree: Path) -> None:
    m = machine_on(tree)
    wrong = {b"/boot": 2, b"/boot/": 15, b"/boot/small/": 2, b"/boot/small/x": 2, b"/x": 15, b"/": 15, b"/x/k": 15}
    for path, number in wrong.items():
        assert error_of(m, b"(hd0)" + path) == number, path


def test_quirk_dot_dot_is_never_found_in_a_short_form_directory(tree: Path) -> None:
    m = machine_on(tree)
    assert error_of(m, b"(hd0)/boot/d/../small") == 15
    assert read_file(m, b"(hd0)/boot/d/./k") == SMALL
    assert read_file(m, b"(hd0)/boot/block/../small") == SMALL, "in block form it is"


def test_quirk_a_longer_second_target_overwrites_the_rest_of_the_path(tmp_path: Path) -> None:
    tree = {"a": "b", "b": "longer", "longer": {"k": SMALL}, "c": "d", "d": "e", "e": SMALL}
    image = make_xfs(tmp_path / "i.img", tree)
    m = machine_on(image)
    assert error_of(m, b"(hd0)/a/k") == 15
    assert read_file(m, b"(hd0)/b/k") == SMALL
    assert read_file(m, b"(hd0)/c") == SMALL, "targets of one length do no harm"


def test_version_5_is_not_seen(tmp_path: Path) -> None:
    image = make_xfs(tmp_path / "i.img", {"k": SMALL}, "-m", "crc=1")
    assert mount(machine_on(image)) is None


def test_quirk_ftype_shifts_the_entries_of_directories(tmp_path: Path) -> None:
    image = make_xfs(tmp_path / "i.img", {"boot": {"k": SMALL}}, "-n", "ftype=1")
    m = machine_on(image)
    assert mount(m) == "xfs"
    assert error_of(m, b"(hd0)/boot/k") != 0


def test_quirk_the_extent_behind_a_hole_is_lost(copy: Path) -> None:
    [(_, start, _)] = extents_of(copy, "/boot/large")
    at = inode_at(copy, "/boot/large")
    write(copy, at + DI_U, extent(0, start, 2) + extent(4, start + 4, 5))
    write(copy, at + 76, struct.pack(">I", 2))
    write(copy, at + DI_SIZE, struct.pack(">Q", 9 * 4096))
    got = read_file(machine_on(copy), b"(hd0)/boot/large")
    assert got == LARGE[:8192] + bytes(8192)


def test_a_trailing_hole_comes_out_short(copy: Path) -> None:
    at = inode_at(copy, "/boot/large")
    write(copy, at + DI_SIZE, struct.pack(">Q", 500_000 + 100 * 4096))
    [(_, _, count)] = extents_of(copy, "/boot/large")
    assert len(read_file(machine_on(copy), b"(hd0)/boot/large")) == count * 4096


def test_quirk_an_unwritten_extent_is_read_as_data(copy: Path) -> None:
    [(_, start, count)] = extents_of(copy, "/boot/large")
    record = bytearray(extent(0, start, count))
    record[0] |= 0x80
    write(copy, inode_at(copy, "/boot/large") + DI_U, bytes(record))
    assert read_file(machine_on(copy), b"(hd0)/boot/large") == LARGE


def test_quirk_a_btree_root_beside_an_attribute_fork_is_misread(tmp_path: Path) -> None:
    image = recorded_image("xfs-v4-btree", tmp_path)
    at = inode_at(image, "/boot/k")
    good = machine_on(image)
    open_file(good, b"(hd0)/boot/k")
    assert good.fsys
    pointer = good.fsys.extents.ptr0  # type: ignore[attr-defined]  # Xfs
    write(image, at + 82, b"\x0f")
    moved = machine_on(image)
    # Where the misread root leads is chance: to an error, a loop or other bytes.
    with suppress(GrubError, Stop):
        open_file(moved, b"(hd0)/boot/k")
    assert moved.fsys
    assert moved.fsys.extents.ptr0 != pointer


def test_quirk_a_trailing_hole_of_a_btree_file_never_ends(tmp_path: Path) -> None:
    image = recorded_image("xfs-v4-btree", tmp_path)
    at = inode_at(image, "/boot/k")
    m = machine_on(image)
    size = open_file(m, b"(hd0)/boot/k")
    write(image, at + DI_SIZE, struct.pack(">Q", size + 50_000))
    with pytest.raises(Stop) as stop:
        read_file(machine_on(image), b"(hd0)/boot/k")
    assert stop.value.outcome is Outcome.HANG


def test_quirk_a_size_of_2_gib_reads_as_an_empty_file(copy: Path) -> None:
    write(copy, inode_at(copy, "/boot/small") + DI_SIZE, struct.pack(">Q", 1 << 31))
    assert read_file(machine_on(copy), b"(hd0)/boot/small") == b""


def test_quirk_an_unknown_inode_format_goes_on_with_the_extents_before(copy: Path) -> None:
    write(copy, inode_at(copy, "/boot/d/k") + DI_FORMAT, b"\0")
    with suppress(GrubError, Stop):
        read_file(machine_on(copy), b"(hd0)/boot/d/k")


def test_quirk_extents_behind_the_inode_are_whatever_lies_in_memory(copy: Path) -> None:
    at = inode_at(copy, "/boot/large")
    write(copy, at + 76, struct.pack(">I", 0x7FFFFFFF))
    m = machine_on(copy)
    assert read_file(m, b"(hd0)/boot/large") == LARGE, "what is asked for is there before that"
    write(copy, at + DI_SIZE, struct.pack(">Q", 600_000))
    with pytest.raises(Stop):
        read_file(machine_on(copy), b"(hd0)/boot/large")


def test_quirk_a_free_entry_of_length_0_is_read_for_ever(copy: Path) -> None:
    [(_, start, _)] = extents_of(copy, "/boot/block")
    sector = int(xfs_db(copy, f"convert fsblock {start} daddr").split("(")[1].split(")")[0])
    write(copy, sector * 512 + 16 + 16, b"\xff\xff\0\0")
    with pytest.raises(Stop) as stop:
        open_file(machine_on(copy), b"(hd0)/boot/block/n05")
    assert stop.value.outcome is Outcome.HANG


def test_a_directory_of_100_000_entries_is_gone_through_once(tmp_path: Path) -> None:
    names = {f"entry-{index:06d}": b"" for index in range(100_000)}
    image = tmp_path / "i.img"
    empty = tmp_path / "empty"
    empty.write_bytes(b"")
    lines = ["/dev/null", "0 0", "d--755 0 0", *(f"{name} ---644 0 0 {empty}" for name in names), "$", ""]
    (tmp_path / "proto").write_text("\n".join(lines))
    with image.open("wb") as file:
        file.truncate(1 << 30)
    from tests.tools import run

    run("mkfs.xfs", "-q", "-f", "-m", "crc=0", "-n", "ftype=0", "-p", tmp_path / "proto", image)
    assert_one_pass(image, 100_000, b"(hd0)/")


def test_no_tick_budget_is_spent_on_a_plain_large_directory(tree: Path) -> None:
    m = machine_on(tree)
    list_names(m, b"(hd0)/many/")
    assert m.steps < 10 * len(MANY)
