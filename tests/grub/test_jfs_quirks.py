"""Where PV-GRUB's JFS driver departs from the format, and where it fails."""

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
from tests.grub.foreign import jfs_directory, jfs_inode_offset, jfs_offset_of
from tests.grub.machine_factory import error_of, list_names, machine_on, open_file, read_file
from tests.grub.patching import PatchedDisk, recorded_image, u32
from tests.grub.written_images import (
    HOLES,
    MANY,
    OS2_NAMES,
    comb_contents,
    hole_contents,
)


def test_quirk_symlinks_of_128_to_255_bytes_are_looked_for_in_the_inode(jfs_plain: Path) -> None:
    m = machine_on(jfs_plain)
    assert [error_of(m, b"(hd0)/links/l%d" % length) for length in (127, 128, 200, 255, 256)] == [0, 2, 2, 2, 0]


def test_quirk_second_symlink_with_a_longer_target_is_appended_to_itself(jfs_plain: Path) -> None:
    m = machine_on(jfs_plain)
    assert error_of(m, b"(hd0)/links/chain1") == 0
    assert error_of(m, b"(hd0)/links/chain2") == ErrNum.FILE_NOT_FOUND
    line = Line(b"/a/b c")
    line.next_name()
    line.follow(b"xy")
    assert line.next_name() == b"xy"
    assert line.next_name() == b"b"
    line.follow(b"longer")
    assert len(line.next_name()) == 4095


def test_quirk_eight_symlinks_are_followed(jfs_plain: Path) -> None:
    assert error_of(machine_on(jfs_plain), b"(hd0)/links/chain9") == ErrNum.SYMLINK_LOOP


def test_quirk_non_ascii_characters_become_question_marks(jfs_plain: Path) -> None:
    m = machine_on(jfs_plain)
    assert b"caf??" in list_names(m, b"(hd0)/names/")
    assert error_of(m, b"(hd0)/names/caf??") == 0
    assert error_of(m, "(hd0)/names/café".encode()) == ErrNum.FILE_NOT_FOUND


def test_quirk_names_longer_than_11_characters_lose_two_without_directory_indices(jfs_images: dict[str, Path]) -> None:
    m = machine_on(jfs_images["os2"])
    # 13 characters are in the first slot, of which the driver takes 11 when others follow it.
    for name in OS2_NAMES:
        expected = 0 if len(name) <= 13 else ErrNum.FILE_NOT_FOUND
        assert error_of(m, b"(hd0)/names/" + name.encode()) == expected
    long = next(name.encode() for name in OS2_NAMES if len(name) == 14)
    assert [name[:12] for name in list_names(m, b"(hd0)/names/" + long[:1])] == [long[:12]]


def test_quirk_first_extent_of_every_page_but_the_first_is_left_out(jfs_plain: Path) -> None:
    whole = comb_contents(600)
    m = machine_on(jfs_plain)
    # A page has 254 extents. What stands behind the last one of the second page is looked at as well, and from
    # there on nothing is found any more.
    data = grub_read(m, open_file(m, b"(hd0)/comb"))
    missing = [index for index in range(600) if data[index * 8192] != whole[index * 8192]]
    assert missing == [254, *range(508, 600)]


def test_quirk_file_without_extents_is_taken_to_have_what_lies_there(jfs_plain: Path) -> None:
    m = machine_on(jfs_plain)
    assert open_file(m, b"(hd0)/holes/all") == HOLES["all"][1]
    assert read_file(m, b"(hd0)/holes/all") == b""


def test_quirk_a_read_that_begins_inside_a_hole_gets_zeros_for_all_of_it(jfs_plain: Path) -> None:
    # load_file() reads 1 MiB first, so a hole across that limit is met in its middle; here by hand.
    m = machine_on(jfs_plain)
    open_file(m, b"(hd0)/holes/middle")
    m.filepos = 32768
    assert grub_read(m, 40000)[:57344] == bytes(57344)
    m.filepos = 0
    assert grub_read(m, 70536) == hole_contents("middle")


def test_quirk_a_read_that_begins_behind_a_hole_is_all_zeros(jfs_plain: Path) -> None:
    m = machine_on(jfs_plain)
    size = open_file(m, b"(hd0)/comb")
    m.filepos = 3 * 8192
    assert not any(grub_read(m, size))
    # As load_file() reads it, in pieces from 1 MiB on.
    data = read_file(m, b"(hd0)/comb")
    assert data[: 1 << 20] == comb_contents(600)[: 1 << 20]
    assert not any(data[1 << 20 :])


def test_quirk_zeros_of_a_hole_overrun_memory(jfs_plain: Path) -> None:
    offset = jfs_offset_of(jfs_plain, b"/holes/middle")
    second = offset + jfs.DI_BTROOT + 3 * 16
    # The second extent begins 1.75 GiB behind the first.
    patches = {second + 4: u32(0x70000), offset + jfs.DI_SIZE: u32(0x7FFFFFFF)}
    m = machine_on(PatchedDisk(jfs_plain, patches))
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


def test_quirk_missing_inode_is_replaced_by_the_one_before(jfs_plain: Path) -> None:
    # A directory entry whose inode number lies in no group: the directory itself is looked at again.
    offset = jfs_inode_offset(jfs_plain, 2)
    names = jfs_directory(jfs_plain)
    slots = offset + jfs.DI_BTROOT
    data = machine_on(jfs_plain).disks[0].read(slots, 288)
    index = next(i for i in range(1, 9) if data[32 * i : 32 * i + 4] == u32(names[b"few"]))
    m = machine_on(PatchedDisk(jfs_plain, {slots + 32 * index: u32(0x00F00000)}))
    assert error_of(m, b"(hd0)/few/boot/one") == 0
    assert error_of(m, b"(hd0)/few/f1") == ErrNum.FILE_NOT_FOUND


def test_quirk_page_that_cannot_be_read_is_read_for_ever(jfs_plain: Path) -> None:
    offset = jfs_offset_of(jfs_plain, b"/many")
    root = offset + jfs.DI_BTROOT
    slot = machine_on(jfs_plain).disks[0].read(root + jfs.DTROOT_STBL, 1)[0]
    m = machine_on(PatchedDisk(jfs_plain, {root + 32 * slot + 4: u32(0x7FFFFFFF)}))
    with pytest.raises(Stop) as stopped:
        open_file(m, b"(hd0)/many/m1-y")
    assert stopped.value.outcome is Outcome.HANG


def first_page(m: Machine, jfs_plain: Path) -> int:
    """Where the leftmost leaf of /many is on the disk, in bytes."""
    root = jfs_offset_of(jfs_plain, b"/many") + jfs.DI_BTROOT
    read = m.disks[0].read
    at = root + 32 * read(root + jfs.DTROOT_STBL, 1)[0]
    while True:
        page = 4096 * struct.unpack("<I", read(at + 4, 4))[0]
        if read(page + jfs.DT_FLAG, 1)[0] & jfs.BT_LEAF:
            return page
        table = page + 32 * read(page + jfs.DT_STBLINDEX, 1)[0]
        at = page + 32 * read(table, 1)[0]


@pytest.mark.parametrize("following", [0x7FFFFFFF, None])
def test_quirk_directory_pages_that_lead_nowhere_or_back_never_end(jfs_plain: Path, following: int | None) -> None:
    page = first_page(machine_on(jfs_plain), jfs_plain)
    m = machine_on(PatchedDisk(jfs_plain, {page: struct.pack("<q", page // 4096 if following is None else following)}))
    with pytest.raises(Stop) as stopped:
        open_file(m, b"(hd0)/many/no-such-name")
    assert stopped.value.outcome is Outcome.HANG


def test_quirk_every_directory_page_but_the_first_is_taken_to_have_an_entry(jfs_plain: Path) -> None:
    read = machine_on(jfs_plain).disks[0].read
    page = first_page(machine_on(jfs_plain), jfs_plain)
    second = 4096 * struct.unpack("<q", read(page, 8))[0]
    entries = read(second + jfs.DT_NEXTINDEX, 1)[0]
    m = machine_on(PatchedDisk(jfs_plain, {second + jfs.DT_NEXTINDEX: b"\0"}))
    assert len(list_names(m, b"(hd0)/many/")) == MANY - (entries - 1)


def test_quirk_name_with_more_slots_than_characters_overruns_memory(jfs_plain: Path) -> None:
    read = machine_on(jfs_plain).disks[0].read
    page = first_page(machine_on(jfs_plain), jfs_plain)
    table = page + 32 * read(page + jfs.DT_STBLINDEX, 1)[0]
    slots = [page + 32 * slot for slot in read(table, read(page + jfs.DT_NEXTINDEX, 1)[0])]
    long = next(slot for slot in slots if read(slot + 4, 1) != b"\xff")
    m = machine_on(PatchedDisk(jfs_plain, {long + 5: b"\x05"}))
    with pytest.raises(Stop) as stopped:
        list_names(m, b"(hd0)/many/")
    assert stopped.value.outcome is Outcome.CRASH


def test_quirk_dot_names_are_made_up_and_come_last(jfs_plain: Path) -> None:
    # `..` of an empty directory whose parent number is another directory's.
    few = jfs_directory(jfs_plain)[b"few"]
    offset = jfs_offset_of(jfs_plain, b"/deep")
    m = machine_on(PatchedDisk(jfs_plain, {offset + jfs.DI_PARENT: u32(few)}))
    assert read_file(m, b"(hd0)/deep/../f3") == b"3"


def test_quirk_sizes_of_2_gib_are_negative(jfs_plain: Path) -> None:
    offset = jfs_offset_of(jfs_plain, b"/boot/one")
    for size, seen in ((0x80000000, -0x80000000), (1 << 32 | 5, 5), (1 << 63, 0)):
        m = machine_on(PatchedDisk(jfs_plain, {offset + jfs.DI_SIZE: struct.pack("<Q", size)}))
        assert open_file(m, b"(hd0)/boot/one") == seen


def test_quirk_negative_symlink_size_kills(jfs_plain: Path) -> None:
    offset = jfs_offset_of(jfs_plain, b"/links/abs")
    m = machine_on(PatchedDisk(jfs_plain, {offset + jfs.DI_SIZE: struct.pack("<q", -1)}))
    with pytest.raises(Stop) as stopped:
        open_file(m, b"(hd0)/links/abs")
    assert stopped.value.outcome is Outcome.CRASH


def test_symlink_of_4095_bytes_is_too_long(jfs_plain: Path) -> None:
    offset = jfs_offset_of(jfs_plain, b"/links/abs")
    m = machine_on(PatchedDisk(jfs_plain, {offset + jfs.DI_SIZE: struct.pack("<q", 4095)}))
    assert error_of(m, b"(hd0)/links/abs") == ErrNum.FILELENGTH


def test_an_extent_outside_the_partition_is_error_24(jfs_plain: Path) -> None:
    offset = jfs_offset_of(jfs_plain, b"/boot/vmlinuz")
    m = machine_on(PatchedDisk(jfs_plain, {offset + jfs.DI_BTROOT + 2 * 16 + 12: u32(0x7FFFFF)}))
    with pytest.raises(GrubError) as raised:
        open_file(m, b"(hd0)/boot/vmlinuz")
    assert raised.value.number == ErrNum.OUTSIDE_PART


def test_completion_of_a_missing_beginning_is_error_15(jfs_plain: Path) -> None:
    m = machine_on(jfs_plain)
    assert list_names(m, b"(hd0)/boot/vml") == [b"vmlinuz"]
    with pytest.raises(GrubError) as raised:
        list_names(m, b"(hd0)/boot/zzz")
    assert raised.value.number == ErrNum.FILE_NOT_FOUND
