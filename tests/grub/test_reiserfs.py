"""The reiserfs driver against a real kernel's reiserfs_images, debugreiserfs and the recorded cases."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from pvgrub_sim.grub.errnum import ErrNum, GrubError
from pvgrub_sim.grub.fs.read import grub_read
from pvgrub_sim.grub.machine import Machine
from pvgrub_sim.grub.stop import Stop
from pvgrub_sim.model import Outcome
from pvgrub_sim.ondisk import reiserfs
from tests.grub.foreign import ReiserItem, reiser_items, reiser_tree
from tests.grub.machine_factory import error_of, list_names, machine_on, mount, open_file, read_file
from tests.grub.patching import PatchedDisk, recorded_image, u16, u32
from tests.grub.written_images import (
    HOLES,
    LINK_LENGTHS,
    comb_contents,
    contents,
    hole_contents,
    tree_of,
    written,
)

SUPER = 0x10000
ALL = ("plain", "small", "notail", "dirty", "first", "odd")


@pytest.fixture(scope="module")
def plain_items(tmp_path_factory: pytest.TempPathFactory) -> list[ReiserItem]:
    return reiser_items(written("reiserfs", tmp_path_factory)["plain"])


def item_of(items: list[ReiserItem], path: bytes, kind: str) -> ReiserItem:
    """The first item of a kind that a path has."""
    number = reiser_tree(items)[path]
    return next(item for item in items if item.objectid == number and item.kind == kind)


# --- against foreign tools


@pytest.mark.parametrize("name", ["plain", "small", "notail"])
def test_contents_are_what_the_kernel_wrote(reiserfs_images: dict[str, Path], name: str) -> None:
    m = machine_on(reiserfs_images[name])
    tree = tree_of(reiserfs_images) / ("boot" if name == "notail" else "")
    found = [path for path in tree.rglob("*") if path.parent.name != "many"]
    files = [path for path in found if path.is_file() and not path.is_symlink()]
    assert len(files) > 15
    for path in files:
        full = b"(hd0)/" + str(path.relative_to(tree_of(reiserfs_images))).encode()
        assert read_file(m, full) == path.read_bytes(), full


def test_holes_in_files_are_zeros_where_block_0_is(reiserfs_images: dict[str, Path]) -> None:
    for name in ("plain", "small"):
        m = machine_on(reiserfs_images[name])
        for hole in HOLES:
            assert read_file(m, b"(hd0)/holes/" + hole.encode()) == hole_contents(hole)
        assert read_file(m, b"(hd0)/comb") == comb_contents(600)


def listings_agree(m: Machine, items: list[ReiserItem]) -> int:
    tree = reiser_tree(items)
    for folder in tree:
        if folder.endswith(b"/"):
            inside = [path[len(folder) :] for path in tree if path.startswith(folder) and path != folder]
            theirs = {name.rstrip(b"/") for name in inside if b"/" not in name.rstrip(b"/")}
            # Linux keeps a folder of its own in the root.
            ours = [name for name in list_names(m, b"(hd0)" + folder) if name != b".reiserfs_priv"]
            assert len(ours) == len(theirs)
            assert set(ours) == theirs
    return len(tree)


def test_listings_are_those_of_debugreiserfs(reiserfs_plain: Path, plain_items: list[ReiserItem]) -> None:
    assert listings_agree(machine_on(reiserfs_plain), plain_items) > 600


@pytest.mark.parametrize("case", ["reiserfs-36", "reiserfs-35-big", "reiserfs-35-conv", "reiserfs-deep"])
def test_listings_of_recorded_images_are_those_of_debugreiserfs(tmp_path: Path, case: str) -> None:
    image = recorded_image(case, tmp_path)
    assert listings_agree(machine_on(image), reiser_items(image)) > 3


@pytest.mark.parametrize("case", ["reiserfs-35-big", "reiserfs-35-conv", "reiserfs-36-notail"])
def test_contents_are_in_the_blocks_that_debugreiserfs_names(tmp_path: Path, case: str) -> None:
    image = recorded_image(case, tmp_path)
    items = reiser_items(image)
    m = machine_on(image)
    disk = m.disks[0]
    checked = 0
    for path, number in reiser_tree(items).items():
        bodies = [item for item in items if item.objectid == number and item.kind in ("IND", "DRCT")]
        if not bodies or path.endswith(b"/"):
            continue
        theirs = b""
        for item in bodies:
            body = disk.read(item.body, item.length)
            if item.kind == "IND":
                blocks = struct.unpack(f"<{item.length // 4}I", body)
                body = b"".join(disk.read(block * 4096, 4096) for block in blocks)
            theirs += body
        size = open_file(m, b"(hd0)" + path)
        if size:
            assert read_file(m, b"(hd0)" + path) == theirs[:size]
            checked += 1
    assert checked >= 2


def test_symlinks_as_the_kernel_follows_them(reiserfs_plain: Path) -> None:
    m = machine_on(reiserfs_plain)
    for length in LINK_LENGTHS[1:]:
        assert read_file(m, b"(hd0)/links/l%d" % length) == contents("s4097", 4097)
    assert read_file(m, b"(hd0)/links/abs") == contents("s4097", 4097)
    assert read_file(m, b"(hd0)/links/dir/one") == contents("one", 1)
    assert [error_of(m, b"(hd0)/links/chain%d" % count) for count in (5, 6)] == [0, ErrNum.SYMLINK_LOOP]


def test_dot_and_dotdot(reiserfs_plain: Path) -> None:
    m = machine_on(reiserfs_plain)
    assert read_file(m, b"(hd0)/boot/./grub/../../few/../boot/one") == contents("one", 1)
    # The root's `..` names an object that does not exist.
    assert error_of(m, b"(hd0)/../boot/one") == ErrNum.FSYS_CORRUPT


def test_reading_backwards_and_from_the_middle(reiserfs_plain: Path) -> None:
    m = machine_on(reiserfs_plain)
    whole = contents("vmlinuz", 704_371)
    open_file(m, b"(hd0)/boot/vmlinuz")
    for at, length in ((700_000, 4371), (5, 10), (4090, 20), (300_001, 262_144), (0, 1)):
        m.filepos = at
        assert grub_read(m, length) == whole[at : at + length]


# --- the probe


@pytest.mark.parametrize("magic", [b"ReIsErFs\0", b"ReIsEr2Fs", b"ReIsEr3Fs"])
def test_three_magics_mount(tmp_path: Path, magic: bytes) -> None:
    image = recorded_image("reiserfs-36", tmp_path)
    assert mount(machine_on(PatchedDisk(image, {SUPER + 52: magic}))) == "reiserfs"


def test_version_3_and_odd_block_sizes_do_not_mount(tmp_path: Path) -> None:
    image = recorded_image("reiserfs-36", tmp_path)
    for patch in ({SUPER + 72: u16(3)}, {SUPER + 44: u16(3000)}, {SUPER + 44: u16(16384)}, {SUPER + 44: u16(256)}):
        assert mount(machine_on(PatchedDisk(image, patch))) is None


def test_superblock_at_8_kib(tmp_path: Path) -> None:
    """Up to 3.5.11 it was there; a superblock at 64 KiB that lies behind the journal's start is a copy."""
    image = recorded_image("reiserfs-35-big", tmp_path)
    block = machine_on(image).disks[0].read(SUPER, 204)
    assert mount(machine_on(PatchedDisk(image, {SUPER: bytes(204), 0x2000: block}))) == "reiserfs"
    copy = block[:12] + u32(16) + block[16:]
    assert mount(machine_on(PatchedDisk(image, {SUPER: copy}))) is None
    assert mount(machine_on(PatchedDisk(image, {SUPER: copy, 0x2000: block}))) == "reiserfs"


def test_superblock_of_the_time_before_the_journal(tmp_path: Path) -> None:
    image = recorded_image("reiserfs-35-big", tmp_path)
    root = machine_on(image).disks[0].read(SUPER + 8, 4)
    old = bytes(8) + root + bytes(8) + b"ReIsErFs"
    m = machine_on(PatchedDisk(image, {SUPER: bytes(204), 0x2000: old}))
    assert mount(m) == "reiserfs"
    assert list_names(m, b"(hd0)/boot/vm") == [b"vmlinuz"]


def test_a_tree_of_seven_levels_does_not_mount(reiserfs_plain: Path) -> None:
    root = 4096 * struct.unpack("<I", machine_on(reiserfs_plain).disks[0].read(SUPER + 8, 4))[0]
    assert mount(machine_on(PatchedDisk(reiserfs_plain, {root: u16(7)}))) is None


def test_quirk_the_old_place_is_tried_after_a_failed_read(tmp_path: Path) -> None:
    """A partition that ends at 64 KiB + 512: the read of the superblock is what leaves the error."""
    image = recorded_image("reiserfs-36", tmp_path)
    m = machine_on(PatchedDisk(image, {}, 128 * 512))
    assert mount(m) is None
    assert m.errnum == ErrNum.OUTSIDE_PART


# --- quirks


def test_quirk_a_hole_reads_block_0(reiserfs_plain: Path) -> None:
    m = machine_on(PatchedDisk(reiserfs_plain, {0: b"boot code"}))
    data = read_file(m, b"(hd0)/holes/leading")
    assert data[:9] == data[4096:4105] == b"boot code"


def test_quirk_the_journal_is_not_looked_at_for_data(reiserfs_plain: Path, plain_items: list[ReiserItem]) -> None:
    m = machine_on(reiserfs_plain)
    open_file(m, b"(hd0)/boot/vmlinuz")
    item = item_of(plain_items, b"/boot/vmlinuz", "IND")
    first = struct.unpack("<I", m.disks[0].read(item.body, 4))[0]
    m.fsys.tree.journal.moved[first] = 0
    assert grub_read(m, 4096) == contents("vmlinuz", 704_371)[:4096]


def test_quirk_sizes_of_2_gib_are_negative_and_of_4_gib_minus_one(
    reiserfs_plain: Path, plain_items: list[ReiserItem]
) -> None:
    stat = item_of(plain_items, b"/boot/one", "SD").body
    for size, seen in ((0x80000000, -0x80000000), (1 << 32 | 5, -1), (1 << 63, -1)):
        m = machine_on(PatchedDisk(reiserfs_plain, {stat + 8: struct.pack("<Q", size)}))
        assert open_file(m, b"(hd0)/boot/one") == seen
        assert grub_read(m, 100) == b""


def test_quirk_the_item_behind_a_missing_stat_data_is_gone_to(
    reiserfs_plain: Path, plain_items: list[ReiserItem]
) -> None:
    m = machine_on(reiserfs_plain)
    open_file(m, b"(hd0)/boot/one")
    m.fsys._file = (4, 0xFFFFFF)
    with pytest.raises(GrubError) as raised:
        grub_read(m, 1)
    assert raised.value.number == ErrNum.FSYS_CORRUPT


def test_quirk_the_object_number_alone_tells_whose_item_it_is(
    reiserfs_plain: Path, plain_items: list[ReiserItem]
) -> None:
    """The item behind a file's stat data, given another directory's number, is still the file's."""
    item = item_of(plain_items, b"/boot/s512", "DRCT")
    m = machine_on(PatchedDisk(reiserfs_plain, {item.head: u32(0x7777)}))
    assert read_file(m, b"(hd0)/boot/s512")[: item.length] == contents("s512", 512)[: item.length]


def test_quirk_any_item_of_a_directory_is_taken_for_entries(
    reiserfs_plain: Path, plain_items: list[ReiserItem]
) -> None:
    item = item_of(plain_items, b"/few/", "DIR")
    m = machine_on(PatchedDisk(reiserfs_plain, {item.head + 8: struct.pack("<Q", 1 | 2 << 60)}))
    assert read_file(m, b"(hd0)/few/f3") == b"3"


def test_quirk_the_right_delimiting_key_stands_for_what_follows_the_last_item(
    reiserfs_plain: Path, plain_items: list[ReiserItem]
) -> None:
    """The last directory goes on in the leaf's head when that names its number."""
    last = max(plain_items, key=lambda item: (item.dir_id, item.objectid))
    leaf = next(item.head - item.head % 4096 for item in plain_items if item.objectid == last.objectid)
    m = machine_on(PatchedDisk(reiserfs_plain, {leaf + 8: u32(last.dir_id) + u32(0)}))
    assert mount(m) == "reiserfs"
    assert listings_agree(m, plain_items)


def test_quirk_block_0_counts_as_read_before_anything_was(reiserfs_plain: Path) -> None:
    """A child that is block 0 is never read: the leaf's slot is still empty, so the root is not in it."""
    read = machine_on(reiserfs_plain).disks[0].read
    root = 4096 * struct.unpack("<I", read(SUPER + 8, 4))[0]
    count = struct.unpack("<H", read(root + 2, 2))[0]
    m = machine_on(PatchedDisk(reiserfs_plain, {root + 24 + 16 * count: u32(0)}))
    steps = m.steps
    assert error_of(m, b"(hd0)/boot/one") == ErrNum.FSYS_CORRUPT
    assert m.steps - steps < 100


def test_quirk_a_root_that_is_a_leaf_tells_block_0_to_the_hook(tmp_path: Path) -> None:
    """`blocklist` of a tail on a filesystem of one node names block 0."""
    image = recorded_image("reiserfs-link-fast", tmp_path)
    items = reiser_items(image)
    m = machine_on(image)
    assert mount(m) == "reiserfs"
    tree = m.fsys.tree
    told: list[int] = []
    name = next(path for path, number in reiser_tree(items).items() if _is_tail(items, number))
    open_file(m, b"(hd0)" + name)
    m.disk_read_hook = lambda sector, offset, length: told.append(sector)
    grub_read(m, 1)
    leaf = next(item.head // 4096 for item in items if item.kind == "DRCT")
    expected = 0 if tree.depth == reiserfs.LEAF_LEVEL else leaf
    assert [sector // 8 for sector in told] == [expected]


def _is_tail(items: list[ReiserItem], number: int) -> bool:
    kinds = [item.kind for item in items if item.objectid == number]
    return kinds == ["SD", "DRCT"]


def test_negative_symlink_size_is_error_14_or_kills(reiserfs_plain: Path, plain_items: list[ReiserItem]) -> None:
    stat = item_of(plain_items, b"/links/abs", "SD").body
    m = machine_on(PatchedDisk(reiserfs_plain, {stat + 8: u32(0xFFFFFFF0)}))
    assert error_of(m, b"(hd0)/links/abs") == ErrNum.FILELENGTH
    with pytest.raises(Stop) as stopped:
        open_file(m, b"(hd0)/links/abs/" + b"x" * 30)
    assert stopped.value.outcome is Outcome.CRASH


def test_a_block_outside_the_partition_is_error_24(reiserfs_plain: Path, plain_items: list[ReiserItem]) -> None:
    item = item_of(plain_items, b"/boot/vmlinuz", "IND")
    m = machine_on(PatchedDisk(reiserfs_plain, {item.body + 40: u32(0x7FFFFF)}))
    assert error_of(m, b"(hd0)/boot/vmlinuz") == ErrNum.OUTSIDE_PART
    assert error_of(m, b"(hd0)/boot/initrd") == 0


def test_completion_of_a_missing_beginning_is_error_15(reiserfs_plain: Path) -> None:
    m = machine_on(reiserfs_plain)
    assert list_names(m, b"(hd0)/boot/vml") == [b"vmlinuz"]
    with pytest.raises(GrubError) as raised:
        list_names(m, b"(hd0)/boot/zzz")
    assert raised.value.number == ErrNum.FILE_NOT_FOUND
