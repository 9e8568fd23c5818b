"""The jfs driver against a real kernel's jfs_images, jfs_debugfs and the recorded cases."""

from __future__ import annotations

from pathlib import Path

import pytest

from pvgrub_sim.grub.errnum import ErrNum
from tests.grub.foreign import jfs_directory, jfs_tree
from tests.grub.machine_factory import error_of, list_names, machine_on, mount, open_file, read_file
from tests.grub.patching import PatchedDisk, recorded_image
from tests.grub.written_images import (
    HOLES,
    LINK_LENGTHS,
    MANY,
    contents,
    hole_contents,
    tree_of,
)


def spelled(name: bytes) -> bytes:
    """A name as the driver spells it: Linux stored each byte as one character."""
    return bytes(c if c < 0x80 else ord("?") for c in name)


# --- against foreign tools


def test_contents_are_what_the_kernel_wrote(jfs_images: dict[str, Path], jfs_plain: Path) -> None:
    m = machine_on(jfs_plain)
    tree = tree_of(jfs_images)
    found = [path for path in tree.rglob("*") if path.parent.name != "many"]
    files = [path for path in found if path.is_file() and not path.is_symlink()]
    assert len(files) > 30
    for path in files:
        name = b"(hd0)/" + str(path.relative_to(tree)).encode()
        assert read_file(m, name) == path.read_bytes(), name


def test_listings_are_those_of_jfs_debugfs(jfs_plain: Path) -> None:
    m = machine_on(jfs_plain)
    numbers = {b"": 2} | {name + b"/": number for name, number in jfs_directory(jfs_plain).items()}
    for folder in (b"", b"boot/", b"names/", b"few/", b"many/"):
        number = numbers[folder]
        theirs = sorted(spelled(name) for name in jfs_directory(jfs_plain, number))
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


def test_symlinks_as_the_kernel_follows_them(jfs_images: dict[str, Path], jfs_plain: Path) -> None:
    m = machine_on(jfs_plain)
    for length in LINK_LENGTHS[1:]:
        if not 128 <= length <= 255:
            assert read_file(m, b"(hd0)/links/l%d" % length) == contents("s4097", 4097)
    assert read_file(m, b"(hd0)/links/abs") == contents("s4097", 4097)
    assert read_file(m, b"(hd0)/links/dir/grub/menu.lst") == (tree_of(jfs_images) / "boot/grub/menu.lst").read_bytes()
    assert error_of(m, b"(hd0)/links/self") == ErrNum.SYMLINK_LOOP


@pytest.mark.parametrize("name", ["middle"])
def test_holes_between_extents_are_zeros(jfs_plain: Path, name: str) -> None:
    assert read_file(machine_on(jfs_plain), b"(hd0)/holes/" + name.encode()) == hole_contents(name)


def test_a_file_that_ends_with_a_hole_ends_with_its_last_extent(jfs_plain: Path) -> None:
    m = machine_on(jfs_plain)
    assert open_file(m, b"(hd0)/holes/trailing") == HOLES["trailing"][1]
    assert read_file(m, b"(hd0)/holes/trailing") == hole_contents("trailing")[:4096]


def test_dot_and_dotdot(jfs_plain: Path) -> None:
    m = machine_on(jfs_plain)
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
