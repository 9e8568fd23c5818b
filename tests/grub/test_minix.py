"""The minix driver against a real kernel's images, fsck.minix and the recorded cases."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from pvgrub_sim.grub.errnum import ErrNum, GrubError
from pvgrub_sim.grub.fs.read import grub_read
from pvgrub_sim.grub.stop import Stop
from pvgrub_sim.model import Outcome
from pvgrub_sim.ondisk import minix
from tests.grub.foreign import minix_tree
from tests.grub.machine_factory import error_of, list_names, machine_on, mount, open_file, read_file
from tests.grub.patching import PatchedDisk, recorded_image
from tests.grub.written_images import LINK_LENGTHS, contents, hole_contents, tree_of, written


@pytest.fixture
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return written("minix", tmp_path_factory)


@pytest.fixture
def long(images: dict[str, Path]) -> Path:
    return images["long"]


class Disk:
    """The few structures that tests change, read from the specification's point of view."""

    def __init__(self, image: Path) -> None:
        self.read = machine_on(image).disks[0].read
        fields = minix.SUPERBLOCK.unpack(self.read(1024, 24))
        self.table = 2 + fields[2] + fields[3]
        self.entry = 32 if fields[7] == 0x138F else 16

    def inode_offset(self, number: int) -> int:
        """Where an inode is on the disk, in bytes."""
        return self.table * 1024 + (number - 1) * 32

    def zones(self, number: int) -> tuple[int, ...]:
        return struct.unpack("<9H", self.read(self.inode_offset(number) + 14, 18))

    def find(self, path: str) -> int:
        """The inode number of a path; of directories only the first seven blocks are looked at."""
        number = 1
        for name in path.encode().split(b"/"):
            blocks = b"".join(self.read(zone * 1024, 1024) for zone in self.zones(number)[:7] if zone)
            entries = [blocks[at : at + self.entry] for at in range(0, len(blocks), self.entry)]
            number = next(int.from_bytes(entry[:2], "little") for entry in entries if entry[2:].rstrip(b"\0") == name)
        return number


# --- against foreign tools


@pytest.mark.parametrize("name", ["long", "short"])
def test_contents_are_what_the_kernel_wrote(images: dict[str, Path], name: str) -> None:
    m = machine_on(images[name])
    tree = tree_of(images) / ("boot" if name == "short" else "")
    files = [path for path in tree.rglob("*") if path.is_file() and not path.is_symlink()]
    assert len(files) > 15
    for path in files:
        full = b"(hd0)/" + str(path.relative_to(tree_of(images))).encode()
        assert read_file(m, full) == path.read_bytes(), full


@pytest.mark.parametrize("name", ["long", "short"])
def test_listings_are_those_of_fsck(images: dict[str, Path], name: str) -> None:
    theirs = minix_tree(images[name])
    m = machine_on(images[name])
    for folder in theirs:
        if folder.endswith(b"/"):
            inside = [path[len(folder) :].rstrip(b"/") for path in theirs if path.startswith(folder) and path != folder]
            # fsck.minix leaves out the last character of a name of 30.
            ours = sorted(name[:29] for name in list_names(m, b"(hd0)" + folder))
            assert ours == sorted(path for path in inside if b"/" not in path)


def test_symlinks_as_the_kernel_follows_them(images: dict[str, Path]) -> None:
    for name in ("long", "short"):
        m = machine_on(images[name])
        for length in LINK_LENGTHS[1:]:
            assert read_file(m, b"(hd0)/links/l%d" % length) == contents("s4097", 4097)
        assert read_file(m, b"(hd0)/links/abs") == contents("s4097", 4097)
        assert read_file(m, b"(hd0)/links/dir/one") == contents("one", 1)
        assert [error_of(m, b"(hd0)/links/chain%d" % count) for count in (5, 6)] == [0, ErrNum.SYMLINK_LOOP]


@pytest.mark.parametrize("name", ["middle", "leading", "odd"])
def test_holes_are_zeros_where_block_0_is(long: Path, name: str) -> None:
    assert read_file(machine_on(long), b"(hd0)/holes/" + name.encode()) == hole_contents(name)


def test_dot_and_dotdot(long: Path) -> None:
    m = machine_on(long)
    assert read_file(m, b"(hd0)/boot/./grub/../../few/../../boot/one") == contents("one", 1)


# --- the probe


@pytest.mark.parametrize(("magic", "mounts"), [(0x137F, True), (0x138F, True), (0x2468, False), (0x2478, False)])
def test_quirk_versions_2_and_3_are_unknown(tmp_path: Path, magic: int, mounts: bool) -> None:
    image = recorded_image("minix-v1-30", tmp_path)
    disk = PatchedDisk(image, {1024 + 16: struct.pack("<H", magic)})
    assert (mount(machine_on(disk)) == "minix") is mounts


@pytest.mark.parametrize(("case", "mounts"), [("layout-minix-80", True), ("layout-minix-83", False)])
def test_slice_type_decides(tmp_path: Path, case: str, mounts: bool) -> None:
    image = recorded_image(case, tmp_path)
    assert (mount(machine_on(image), b"(hd0,0)") == "minix") is mounts


def test_disk_that_ends_before_the_superblock_leaves_error_24() -> None:
    m = machine_on(bytes(1024))
    assert mount(m) is None
    assert m.errnum == ErrNum.OUTSIDE_PART


# --- quirks


def test_quirk_a_hole_reads_the_boot_block(long: Path) -> None:
    m = machine_on(PatchedDisk(long, {0: b"boot code"}))
    assert read_file(m, b"(hd0)/holes/leading")[:9] == b"boot code"


def test_quirk_a_hole_in_a_directory_reads_the_boot_block(long: Path) -> None:
    disk = Disk(long)
    few = disk.inode_offset(disk.find("few"))
    entry = struct.pack("<H", disk.find("boot/one")) + b"booted".ljust(30, b"\0")
    m = machine_on(PatchedDisk(long, {few + 14: bytes(2), 0: entry}))
    assert read_file(m, b"(hd0)/few/booted") == contents("one", 1)


@pytest.mark.parametrize("zone", [7, 8])
def test_quirk_a_hole_as_large_as_an_indirect_block_is_error_16(long: Path, zone: int) -> None:
    disk = Disk(long)
    inode = disk.inode_offset(disk.find("boot/vmlinuz"))
    m = machine_on(PatchedDisk(long, {inode + 14 + 2 * zone: bytes(2)}))
    assert error_of(m, b"(hd0)/boot/vmlinuz") == ErrNum.FSYS_CORRUPT
    assert error_of(machine_on(long), b"(hd0)/holes/all") == ErrNum.FSYS_CORRUPT


def test_quirk_behind_the_last_mappable_block_the_second_indirect_block_counts_as_first(long: Path) -> None:
    disk = Disk(long)
    inode = disk.inode_offset(disk.find("boot/vmlinuz"))
    limit = 7 + 512 + 512 * 512
    size = (limit + 1) * 1024
    first, second = disk.zones(disk.find("boot/vmlinuz"))[8], 0
    second = int.from_bytes(disk.read(first * 1024, 2), "little")
    # The first of the second-level block's numbers, taken for an indirect block, leads to data's own bytes.
    data = int.from_bytes(disk.read(second * 1024, 2), "little")
    block = int.from_bytes(disk.read(data * 1024, 2), "little")
    m = machine_on(PatchedDisk(long, {inode + 4: struct.pack("<I", size)}, 128 << 20))
    open_file(m, b"(hd0)/boot/vmlinuz")
    m.filepos = (7 + 512) * 1024
    assert grub_read(m, 1024) == contents("vmlinuz", 704_371)[519 * 1024 : 520 * 1024]
    m.filepos = limit * 1024
    expected = disk.read(block * 1024, 1024) if block < 32 * 1024 else bytes(1024)
    assert grub_read(m, 1024) == expected


def test_quirk_an_empty_symlink_fails_without_an_error(long: Path) -> None:
    disk = Disk(long)
    m = machine_on(PatchedDisk(long, {disk.inode_offset(disk.find("links/abs")) + 4: bytes(4)}))
    with pytest.raises(GrubError) as raised:
        open_file(m, b"(hd0)/links/abs")
    assert raised.value.number == ErrNum.NONE


def test_quirk_completion_reads_a_symlink_from_the_old_file_position(long: Path) -> None:
    m = machine_on(long)
    open_file(m, b"(hd0)/boot/vmlinuz")
    assert list_names(m, b"(hd0)/links/dir/vm") == [b"vmlinuz"]
    m.filepos = 100_000
    with pytest.raises(GrubError):
        list_names(m, b"(hd0)/links/dir/vm")


def test_a_read_that_fails_before_an_indirect_block_ends_as_error_16(long: Path) -> None:
    """The loop goes on after Error 24, and the indirect block it then cannot read makes it 16."""
    disk = Disk(long)
    inode = disk.inode_offset(disk.find("boot/vmlinuz"))
    m = machine_on(PatchedDisk(long, {inode + 14 + 4: b"\xff\xff"}))
    assert error_of(m, b"(hd0)/boot/vmlinuz") == ErrNum.FSYS_CORRUPT
    m = machine_on(PatchedDisk(long, {disk.inode_offset(disk.find("boot/s4097")) + 14 + 4: b"\xff\xff"}))
    assert error_of(m, b"(hd0)/boot/s4097") == ErrNum.OUTSIDE_PART


def test_sizes_of_2_gib_are_negative_and_negative_links_kill(long: Path) -> None:
    disk = Disk(long)
    one = disk.inode_offset(disk.find("boot/one")) + 4
    m = machine_on(PatchedDisk(long, {one: struct.pack("<I", 0x80000000)}))
    assert open_file(m, b"(hd0)/boot/one") == -0x80000000
    link = disk.inode_offset(disk.find("links/abs")) + 4
    m = machine_on(PatchedDisk(long, {link: struct.pack("<i", -3)}))
    assert error_of(m, b"(hd0)/links/abs") == ErrNum.FILELENGTH
    with pytest.raises(Stop) as stopped:
        open_file(m, b"(hd0)/links/abs/long")
    assert stopped.value.outcome is Outcome.CRASH


def test_completion_of_a_missing_beginning_is_error_15(long: Path) -> None:
    m = machine_on(long)
    assert list_names(m, b"(hd0)/boot/vml") == [b"vmlinuz"]
    with pytest.raises(GrubError) as raised:
        list_names(m, b"(hd0)/boot/zzz")
    assert raised.value.number == ErrNum.FILE_NOT_FOUND
