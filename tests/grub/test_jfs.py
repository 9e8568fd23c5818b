"""The jfs driver against a real kernel's images, jfs_debugfs and the recorded cases."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from pvgrub_sim.grub.errnum import ErrNum, GrubError
from pvgrub_sim.grub.fs.jfs.driver import Line
from pvgrub_sim.grub.fs.read import grub_read
from pvgrub_sim.grub.machine import Machine
from pvgrub_sim.grub.stop import Stop
from pvgrub_sim.model import Outcome
from pvgrub_sim.ondisk import jfs
from tests.grub.foreign import jfs_directory, jfs_inode_offset, jfs_offset_of, jfs_tree
from tests.grub.machine_factory import error_of, list_names, machine_on, mount, open_file, read_file
from tests.grub.patching import PatchedDisk, recorded_image
from tests.grub.written_images import (
    HOLES,
    LINK_LENGTHS,
    MANY,
    OS2_NAMES,
    comb_contents,
    contents,
    hole_contents,
    tree_of,
    written,
)


@pytest.fixture
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return written("jfs", tmp_path_factory)


@pytest.fixture
def plain(images: dict[str, Path]) -> Path:
    return images["plain"]


def u32(value: int) -> bytes:
    return struct.pack("<I", value)


def spelled(name: bytes) -> bytes:
    """A name as the driver spells it: Linux stored each byte as one character."""
    return bytes(c if c < 0x80 else ord("?") for c in name)


# --- against foreign tools


def test_contents_are_what_the_kernel_wrote(images: dict[str, Path], plain: Path) -> None:
    m = machine_on(plain)
    tree = tree_of(images)
    found = [path for path in tree.rglob("*") if path.parent.name != "many"]
    files = [path for path in found if path.is_file() and not path.is_symlink()]
    assert len(files) > 30
    for path in files:
        name = b"(hd0)/" + str(path.relative_to(tree)).encode()
        assert read_file(m, name) == path.read_bytes(), name


def test_listings_are_those_of_jfs_debugfs(plain: Path) -> None:
    m = machine_on(plain)
    numbers = {b"": 2} | {name + b"/": number for name, number in jfs_directory(plain).items()}
    for folder in (b"", b"boot/", b"names/", b"few/", b"many/"):
        number = numbers[folder]
        theirs = sorted(spelled(name) for name in jfs_directory(plain, number))
        ours = sorted(list_names(m, b"(hd0)/" + folder))
        if folder == b"names/":
            # jfs_debugfs ends names of other characters early.
            theirs, ours = ([name for name in names if name.isalpha()] for names in (theirs, ours))
        assert ours == theirs
    assert len(list_names(m, b"(hd0)/many/")) == MANY


def test_every_path_of_a_recorded_image_is_found_where_jfs_debugfs_finds_it(tmp_path: Path) -> None:
    image = recorded_image("jfs-plain", tmp_path)
    m = machine_on(image)
    for path in jfs_tree(image):
        if path.endswith(b"/"):
            assert error_of(m, b"(hd0)" + path + b".") == ErrNum.BAD_FILETYPE
        else:
            assert open_file(m, b"(hd0)" + path) > 0


def test_symlinks_as_the_kernel_follows_them(images: dict[str, Path], plain: Path) -> None:
    m = machine_on(plain)
    for length in LINK_LENGTHS[1:]:
        if not 128 <= length <= 255:
            assert read_file(m, b"(hd0)/links/l%d" % length) == contents("s4097", 4097)
    assert read_file(m, b"(hd0)/links/abs") == contents("s4097", 4097)
    assert read_file(m, b"(hd0)/links/dir/grub/menu.lst") == (tree_of(images) / "boot/grub/menu.lst").read_bytes()
    assert error_of(m, b"(hd0)/links/self") == ErrNum.SYMLINK_LOOP


@pytest.mark.parametrize("name", ["middle"])
def test_holes_between_extents_are_zeros(plain: Path, name: str) -> None:
    assert read_file(machine_on(plain), b"(hd0)/holes/" + name.encode()) == hole_contents(name)


def test_a_file_that_ends_with_a_hole_ends_with_its_last_extent(plain: Path) -> None:
    m = machine_on(plain)
    assert open_file(m, b"(hd0)/holes/trailing") == HOLES["trailing"][1]
    assert read_file(m, b"(hd0)/holes/trailing") == hole_contents("trailing")[:4096]


def test_dot_and_dotdot(plain: Path) -> None:
    m = machine_on(plain)
    assert read_file(m, b"(hd0)/boot/./grub/../../few/../boot/one") == contents("one", 1)
    assert read_file(m, b"(hd0)/many/../../../boot/one") == contents("one", 1)


# --- the probe


def test_mounts_by_magic_with_any_slice_type(tmp_path: Path) -> None:
    image = recorded_image("jfs-plain", tmp_path)
    assert mount(machine_on(image)) == "jfs"
    assert mount(machine_on(PatchedDisk(image, {0x8000: b"JFS2"}))) is None


def test_a_partition_of_less_than_16_mib_does_not_mount(tmp_path: Path) -> None:
    image = recorded_image("jfs-plain", tmp_path)
    assert mount(machine_on(PatchedDisk(image, {}, 0x1000000))) == "jfs"
    m = machine_on(PatchedDisk(image, {}, 0x1000000 - 512))
    assert mount(m) is None
    assert m.errnum == ErrNum.FSYS_MOUNT


# --- quirks


def test_quirk_symlinks_of_128_to_255_bytes_are_looked_for_in_the_inode(plain: Path) -> None:
    m = machine_on(plain)
    assert [error_of(m, b"(hd0)/links/l%d" % length) for length in (127, 128, 200, 255, 256)] == [0, 2, 2, 2, 0]


def test_quirk_second_symlink_with_a_longer_target_is_appended_to_itself(plain: Path) -> None:
    m = machine_on(plain)
    assert error_of(m, b"(hd0)/links/chain1") == 0
    assert error_of(m, b"(hd0)/links/chain2") == ErrNum.FILE_NOT_FOUND
    line = Line(b"/a/b c")
    line.next_name()
    line.follow(b"xy")
    assert line.next_name() == b"xy"
    assert line.next_name() == b"b"
    line.follow(b"longer")
    assert len(line.next_name()) == 4095


def test_quirk_eight_symlinks_are_followed(plain: Path) -> None:
    assert error_of(machine_on(plain), b"(hd0)/links/chain9") == ErrNum.SYMLINK_LOOP


def test_quirk_non_ascii_characters_become_question_marks(plain: Path) -> None:
    m = machine_on(plain)
    assert b"caf??" in list_names(m, b"(hd0)/names/")
    assert error_of(m, b"(hd0)/names/caf??") == 0
    assert error_of(m, "(hd0)/names/café".encode()) == ErrNum.FILE_NOT_FOUND


def test_quirk_names_longer_than_11_characters_lose_two_without_directory_indices(images: dict[str, Path]) -> None:
    m = machine_on(images["os2"])
    # 13 characters are in the first slot, of which the driver takes 11 when others follow it.
    for name in OS2_NAMES:
        expected = 0 if len(name) <= 13 else ErrNum.FILE_NOT_FOUND
        assert error_of(m, b"(hd0)/names/" + name.encode()) == expected
    long = next(name.encode() for name in OS2_NAMES if len(name) == 14)
    assert [name[:12] for name in list_names(m, b"(hd0)/names/" + long[:1])] == [long[:12]]


def test_quirk_first_extent_of_every_page_but_the_first_is_left_out(plain: Path) -> None:
    whole = comb_contents(600)
    m = machine_on(plain)
    # A page has 254 extents. What stands behind the last one of the second page is looked at as well, and from
    # there on nothing is found any more.
    data = grub_read(m, open_file(m, b"(hd0)/comb"))
    missing = [index for index in range(600) if data[index * 8192] != whole[index * 8192]]
    assert missing == [254, *range(508, 600)]


def test_quirk_file_without_extents_is_taken_to_have_what_lies_there(plain: Path) -> None:
    m = machine_on(plain)
    assert open_file(m, b"(hd0)/holes/all") == HOLES["all"][1]
    assert read_file(m, b"(hd0)/holes/all") == b""


def test_quirk_a_read_that_begins_inside_a_hole_gets_zeros_for_all_of_it(plain: Path) -> None:
    # load_file() reads 1 MiB first, so a hole across that limit is met in its middle; here by hand.
    m = machine_on(plain)
    open_file(m, b"(hd0)/holes/middle")
    m.filepos = 32768
    assert grub_read(m, 40000)[:57344] == bytes(57344)
    m.filepos = 0
    assert grub_read(m, 70536) == hole_contents("middle")


def test_quirk_a_read_that_begins_behind_a_hole_is_all_zeros(plain: Path) -> None:
    m = machine_on(plain)
    size = open_file(m, b"(hd0)/comb")
    m.filepos = 3 * 8192
    assert not any(grub_read(m, size))
    # As load_file() reads it, in pieces from 1 MiB on.
    data = read_file(m, b"(hd0)/comb")
    assert data[: 1 << 20] == comb_contents(600)[: 1 << 20]
    assert not any(data[1 << 20 :])


def test_quirk_zeros_of_a_hole_overrun_memory(plain: Path) -> None:
    offset = jfs_offset_of(plain, b"/holes/middle")
    second = offset + jfs.DI_BTROOT + 3 * 16
    # The second extent begins 1.75 GiB behind the first.
    patches = {second + 4: u32(0x70000), offset + jfs.DI_SIZE: u32(0x7FFFFFFF)}
    m = machine_on(PatchedDisk(plain, patches))
    open_file(m, b"(hd0)/holes/middle")
    m.filepos = 0x60000000
    with pytest.raises(Stop) as stopped:
        grub_read(m, 0x1FFFFFFF)
    assert stopped.value.outcome is Outcome.CRASH


@pytest.mark.parametrize(("page", "error"), [(0x7FFFFFF, ErrNum.OUTSIDE_PART), (0, ErrNum.NONE)])
def test_quirk_what_earlier_probes_leave_is_taken_for_a_page_of_extents(
    tmp_path: Path, page: int, error: ErrNum
) -> None:
    """A whole disk with boot code before the JFS: vstafs's probe leaves it where the next page is looked up."""
    image = recorded_image("jfs-plain", tmp_path)
    assert error_of(machine_on(PatchedDisk(image, {0: u32(page)})), b"(hd0)/boot/grub/menu.lst") == error


def test_quirk_missing_inode_is_replaced_by_the_one_before(plain: Path) -> None:
    # A directory entry whose inode number lies in no group: the directory itself is looked at again.
    offset = jfs_inode_offset(plain, 2)
    names = jfs_directory(plain)
    slots = offset + jfs.DI_BTROOT
    data = machine_on(plain).disks[0].read(slots, 288)
    index = next(i for i in range(1, 9) if data[32 * i : 32 * i + 4] == u32(names[b"few"]))
    m = machine_on(PatchedDisk(plain, {slots + 32 * index: u32(0x00F00000)}))
    assert error_of(m, b"(hd0)/few/boot/one") == 0
    assert error_of(m, b"(hd0)/few/f1") == ErrNum.FILE_NOT_FOUND


def test_quirk_page_that_cannot_be_read_is_read_for_ever(plain: Path) -> None:
    offset = jfs_offset_of(plain, b"/many")
    root = offset + jfs.DI_BTROOT
    slot = machine_on(plain).disks[0].read(root + jfs.DTROOT_STBL, 1)[0]
    m = machine_on(PatchedDisk(plain, {root + 32 * slot + 4: u32(0x7FFFFFFF)}))
    with pytest.raises(Stop) as stopped:
        open_file(m, b"(hd0)/many/m1-y")
    assert stopped.value.outcome is Outcome.HANG


def first_page(m: Machine, plain: Path) -> int:
    """Where the leftmost leaf of /many is on the disk, in bytes."""
    root = jfs_offset_of(plain, b"/many") + jfs.DI_BTROOT
    read = m.disks[0].read
    at = root + 32 * read(root + jfs.DTROOT_STBL, 1)[0]
    while True:
        page = 4096 * struct.unpack("<I", read(at + 4, 4))[0]
        if read(page + jfs.DT_FLAG, 1)[0] & jfs.BT_LEAF:
            return page
        table = page + 32 * read(page + jfs.DT_STBLINDEX, 1)[0]
        at = page + 32 * read(table, 1)[0]


@pytest.mark.parametrize("following", [0x7FFFFFFF, None])
def test_quirk_directory_pages_that_lead_nowhere_or_back_never_end(plain: Path, following: int | None) -> None:
    page = first_page(machine_on(plain), plain)
    m = machine_on(PatchedDisk(plain, {page: struct.pack("<q", page // 4096 if following is None else following)}))
    with pytest.raises(Stop) as stopped:
        open_file(m, b"(hd0)/many/no-such-name")
    assert stopped.value.outcome is Outcome.HANG


def test_quirk_every_directory_page_but_the_first_is_taken_to_have_an_entry(plain: Path) -> None:
    read = machine_on(plain).disks[0].read
    page = first_page(machine_on(plain), plain)
    second = 4096 * struct.unpack("<q", read(page, 8))[0]
    entries = read(second + jfs.DT_NEXTINDEX, 1)[0]
    m = machine_on(PatchedDisk(plain, {second + jfs.DT_NEXTINDEX: b"\0"}))
    assert len(list_names(m, b"(hd0)/many/")) == MANY - (entries - 1)


def test_quirk_name_with_more_slots_than_characters_overruns_memory(plain: Path) -> None:
    read = machine_on(plain).disks[0].read
    page = first_page(machine_on(plain), plain)
    table = page + 32 * read(page + jfs.DT_STBLINDEX, 1)[0]
    slots = [page + 32 * slot for slot in read(table, read(page + jfs.DT_NEXTINDEX, 1)[0])]
    long = next(slot for slot in slots if read(slot + 4, 1) != b"\xff")
    m = machine_on(PatchedDisk(plain, {long + 5: b"\x05"}))
    with pytest.raises(Stop) as stopped:
        list_names(m, b"(hd0)/many/")
    assert stopped.value.outcome is Outcome.CRASH


def test_quirk_dot_names_are_made_up_and_come_last(plain: Path) -> None:
    # `..` of an empty directory whose parent number is another directory's.
    few = jfs_directory(plain)[b"few"]
    offset = jfs_offset_of(plain, b"/deep")
    m = machine_on(PatchedDisk(plain, {offset + jfs.DI_PARENT: u32(few)}))
    assert read_file(m, b"(hd0)/deep/../f3") == b"3"


def test_quirk_sizes_of_2_gib_are_negative(plain: Path) -> None:
    offset = jfs_offset_of(plain, b"/boot/one")
    for size, seen in ((0x80000000, -0x80000000), (1 << 32 | 5, 5), (1 << 63, 0)):
        m = machine_on(PatchedDisk(plain, {offset + jfs.DI_SIZE: struct.pack("<Q", size)}))
        assert open_file(m, b"(hd0)/boot/one") == seen


def test_quirk_negative_symlink_size_kills(plain: Path) -> None:
    offset = jfs_offset_of(plain, b"/links/abs")
    m = machine_on(PatchedDisk(plain, {offset + jfs.DI_SIZE: struct.pack("<q", -1)}))
    with pytest.raises(Stop) as stopped:
        open_file(m, b"(hd0)/links/abs")
    assert stopped.value.outcome is Outcome.CRASH


def test_symlink_of_4095_bytes_is_too_long(plain: Path) -> None:
    offset = jfs_offset_of(plain, b"/links/abs")
    m = machine_on(PatchedDisk(plain, {offset + jfs.DI_SIZE: struct.pack("<q", 4095)}))
    assert error_of(m, b"(hd0)/links/abs") == ErrNum.FILELENGTH


def test_an_extent_outside_the_partition_is_error_24(plain: Path) -> None:
    offset = jfs_offset_of(plain, b"/boot/vmlinuz")
    m = machine_on(PatchedDisk(plain, {offset + jfs.DI_BTROOT + 2 * 16 + 12: u32(0x7FFFFF)}))
    with pytest.raises(GrubError) as raised:
        open_file(m, b"(hd0)/boot/vmlinuz")
    assert raised.value.number == ErrNum.OUTSIDE_PART


def test_completion_of_a_missing_beginning_is_error_15(plain: Path) -> None:
    m = machine_on(plain)
    assert list_names(m, b"(hd0)/boot/vml") == [b"vmlinuz"]
    with pytest.raises(GrubError) as raised:
        list_names(m, b"(hd0)/boot/zzz")
    assert raised.value.number == ErrNum.FILE_NOT_FOUND
