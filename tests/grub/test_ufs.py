"""UFS1 and UFS2 on images that makefs writes, vstafs on one made by hand, and their departures one by one."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from pvgrub_sim.grub.errnum import ErrNum, GrubError
from pvgrub_sim.grub.stop import Stop
from pvgrub_sim.model import Outcome
from tests.grub.fat_images import MENU, contents
from tests.grub.machine_factory import error_of, list_names, machine_on, mount, open_file, read_file
from tests.tools import run

MIB = 1 << 20
KERNEL = contents("vmlinuz", 300_001)
SMALL = contents("small", 5001)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tree = tmp_path_factory.mktemp("ufs") / "tree"
    (tree / "boot" / "grub").mkdir(parents=True)
    (tree / "boot" / "grub" / "menu.lst").write_bytes(MENU)
    (tree / "boot" / "vmlinuz").write_bytes(KERNEL)
    (tree / "boot" / "small").write_bytes(SMALL)
    (tree / "boot" / "empty").write_bytes(b"")
    (tree / "boot" / "link").symlink_to("vmlinuz")
    (tree / "many").mkdir()
    for index in range(700):
        (tree / "many" / f"file-number-{index}").write_bytes(b"%d" % index)
    return tree


def make_ufs(tree: Path, image: Path, version: int, block: int, size: int = 16 * MIB) -> bytes:
    """A UFS on the whole image by makefs; block: bytes of a block."""
    options = f"version={version},bsize={block},fsize={block // 8}"
    run("makefs", "-t", "ffs", "-o", options, "-s", str(size), image, tree)
    return image.read_bytes()


@pytest.fixture(scope="module", params=[(1, 4096), (1, 8192), (2, 4096), (2, 8192)])
def ufs(request: pytest.FixtureRequest, tree: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, bytes]:
    """Driver's name and image, for the block sizes that GRUB reads right."""
    version, block = request.param
    image = make_ufs(tree, tmp_path_factory.mktemp("ufs") / "image", version, block)
    return ("ffs" if version == 1 else "ufs2"), image


def test_files_are_what_was_put_in(ufs: tuple[str, bytes], tree: Path) -> None:
    name, image = ufs
    m = machine_on(image, arch="i386")
    assert mount(m) == name
    for path in ("boot/grub/menu.lst", "boot/vmlinuz", "boot/small", "boot/empty", "many/file-number-3"):
        assert read_file(m, b"(hd0)/" + path.encode()) == (tree / path).read_bytes(), path
    assert read_file(m, b"(hd0)/many/../many/./file-number-699") == b"699"
    open_file(m, b"(hd0)/boot/vmlinuz")
    for position in (299_000, 0, 4095, 4096, 98_303, 98_304, 100_001, 300_000):
        m.filepos = position
        assert m.fsys
        assert m.fsys.read(min(70_000, 300_001 - position)) == KERNEL[position : position + 70_000]


def test_listing(ufs: tuple[str, bytes], tree: Path) -> None:
    m = machine_on(ufs[1], arch="i386")
    wanted = {file.name.encode() for file in (tree / "many").iterdir()}
    assert set(list_names(m, b"(hd0)/many/")) == wanted
    assert list_names(m, b"(hd0)/boot/vm") == [b"vmlinuz"]
    with pytest.raises(GrubError, match="Error 15"):
        list_names(m, b"(hd0)/boot/nothing")


def test_errors(ufs: tuple[str, bytes]) -> None:
    m = machine_on(ufs[1], arch="i386")
    assert error_of(m, b"(hd0)/boot") == ErrNum.BAD_FILETYPE
    assert error_of(m, b"(hd0)/boot/vmlinuz/x") == ErrNum.BAD_FILETYPE
    assert error_of(m, b"(hd0)/boot/nothing") == ErrNum.FILE_NOT_FOUND


def test_quirk_symlinks_are_not_followed(ufs: tuple[str, bytes]) -> None:
    assert error_of(machine_on(ufs[1], arch="i386"), b"(hd0)/boot/link") == ErrNum.BAD_FILETYPE


def test_quirk_ufs1_never_mounts_in_the_64_bit_build(ufs: tuple[str, bytes]) -> None:
    name, image = ufs
    assert mount(machine_on(image)) == (None if name == "ffs" else "ufs2")


def test_only_whole_disks_and_bsd_partitions_of_that_type(ufs: tuple[str, bytes]) -> None:
    name, image = ufs
    disk = bytearray(MIB) + image
    disk[510:512] = b"\x55\xaa"
    disk[446:462] = struct.pack("<4xBxxxII", 0x83, 2048, len(image) // 512)
    assert mount(machine_on(bytes(disk), arch="i386"), b"(hd0,0)") is None
    disk[446:462] = struct.pack("<4xBxxxII", 0xA5, 64, len(disk) // 512 - 64)
    label = bytearray(512)
    struct.pack_into("<I", label, 0, 0x82564557)
    struct.pack_into("<H", label, 138, 8)
    struct.pack_into("<IIIBBH", label, 148, len(image) // 512, 2048, 0, 7, 0, 0)
    disk[65 * 512 : 66 * 512] = label
    assert mount(machine_on(bytes(disk), arch="i386"), b"(hd0,0,a)") == name


@pytest.fixture(scope="module")
def ufs2_16k(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return make_ufs(tree, tmp_path_factory.mktemp("ufs") / "image", 2, 16384)


def test_quirk_a_map_near_the_start_is_read_again_with_offsets_of_4_byte_numbers(tmp_path: Path) -> None:
    # Blocks above 8 KiB: the map is loaded in part, from 4 bytes a number where UFS2 has 8. Its sector number is
    # below 8192, so it is loaded again for each block: every second one comes from sector 0.
    (tmp_path / "t").mkdir()
    data = contents("big", 20 * 16384)
    (tmp_path / "t" / "big").write_bytes(data)
    image = make_ufs(tmp_path / "t", tmp_path / "image", 2, 16384)
    blocks = [data[at : at + 16384] for at in range(0, len(data), 16384)]
    wanted = blocks[:12]
    for index in range(8):
        wanted.append(image[:16384] if index % 2 else blocks[12 + index // 2])
    assert read_file(machine_on(image), b"(hd0)/big") == b"".join(wanted)


def test_a_map_far_from_the_start_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "aaa").write_bytes(bytes(6 * MIB))
    data = contents("big", 20 * 16384)
    (tmp_path / "t" / "big").write_bytes(data)
    image = make_ufs(tmp_path / "t", tmp_path / "image", 2, 16384)
    assert read_file(machine_on(image), b"(hd0)/big") == data


def test_quirk_a_number_that_the_map_does_not_hold_comes_from_the_memory_around_it(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "aaa").write_bytes(bytes(6 * MIB))
    data = contents("big", 20 * 16384)
    (tmp_path / "t" / "big").write_bytes(data)
    image = make_ufs(tmp_path / "t", tmp_path / "image", 2, 16384)
    m = machine_on(image)
    open_file(m, b"(hd0)/big")
    assert m.fsys
    # The part of the map that is loaded for its sixth number does not hold the first; zeros lie before it.
    m.filepos = 17 * 16384
    m.fsys.read(100)
    m.filepos = 12 * 16384
    assert m.fsys.read(100) == image[:100]


def test_quirk_double_indirect_blocks_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "fits").write_bytes(contents("fits", (12 + 512) * 4096))
    (tmp_path / "t" / "more").write_bytes(contents("more", (12 + 512) * 4096 + 1))
    m = machine_on(make_ufs(tmp_path / "t", tmp_path / "image", 2, 4096))
    assert read_file(m, b"(hd0)/fits") == contents("fits", (12 + 512) * 4096)
    assert error_of(m, b"(hd0)/more") == ErrNum.FILELENGTH


def test_quirk_a_directory_of_more_than_8_kib_overwrites_the_superblock(ufs2_16k: bytes) -> None:
    m = machine_on(ufs2_16k)
    assert read_file(m, b"(hd0)/boot/grub/menu.lst") == MENU
    assert error_of(m, b"(hd0)/many/file-number-3") in (ErrNum.FILE_NOT_FOUND, ErrNum.FSYS_CORRUPT)
    # Without a device the filesystem is not mounted again.
    m.saved_drive, m.errnum = 0x80, ErrNum.NONE
    with pytest.raises((GrubError, Stop)):
        open_file(m, b"/boot/small")
    assert error_of(m, b"(hd0)/boot/small") == 0


def place_of(image: bytes, data: bytes, fragment: int) -> int:
    """The fragment number at which data lies, for fragments of that many bytes."""
    at = image.index(data[:fragment])
    assert at % fragment == 0
    return at // fragment


def pointer_to(image: bytes, number: int) -> int:
    """Where the only direct block pointer with this number is, in a UFS2."""
    wanted = struct.pack("<q", number)
    found = image.index(wanted)
    assert image.find(wanted, found + 1) < 0
    return found


def test_quirk_a_hole_reads_as_the_first_block(ufs2_16k: bytes) -> None:
    at = pointer_to(ufs2_16k, place_of(ufs2_16k, SMALL, 2048))
    image = ufs2_16k[:at] + bytes(8) + ufs2_16k[at + 8 :]
    assert read_file(machine_on(image), b"(hd0)/boot/small") == image[: len(SMALL)]


def test_a_block_past_the_end_is_an_error(ufs2_16k: bytes) -> None:
    at = pointer_to(ufs2_16k, place_of(ufs2_16k, SMALL, 2048))
    image = ufs2_16k[:at] + struct.pack("<q", 1 << 20) + ufs2_16k[at + 8 :]
    assert error_of(machine_on(image), b"(hd0)/boot/small") == ErrNum.OUTSIDE_PART
    image = ufs2_16k[:at] + struct.pack("<q", -5) + ufs2_16k[at + 8 :]
    assert read_file(machine_on(image), b"(hd0)/boot/small") == b""


def test_quirk_a_directory_entry_of_length_0_hangs(ufs2_16k: bytes) -> None:
    at = ufs2_16k.index(b"menu.lst\0") - 8
    image = ufs2_16k[: at + 4] + bytes(2) + ufs2_16k[at + 6 :]
    assert read_file(machine_on(image), b"(hd0)/boot/grub/menu.lst") == MENU
    with pytest.raises(Stop) as stop:
        error_of(machine_on(image), b"(hd0)/boot/grub/nothing")
    assert stop.value.outcome is Outcome.HANG


@pytest.mark.parametrize("at", [120, 184])
def test_a_count_of_0_in_the_superblock_crashes(ufs2_16k: bytes, at: int) -> None:
    at += 8192
    image = ufs2_16k[:at] + bytes(4) + ufs2_16k[at + 4 :]
    with pytest.raises(Stop) as stop:
        error_of(machine_on(image), b"(hd0)/boot/grub/menu.lst")
    assert stop.value.outcome is Outcome.CRASH


def test_quirk_a_superblock_at_64_kib_is_seen_from_32_mib_on(tmp_path: Path) -> None:
    # The partition's length in sectors is compared with the place in bytes.
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "menu.lst").write_bytes(MENU)
    image = bytearray(make_ufs(tmp_path / "t", tmp_path / "image", 2, 16384, 33 * MIB))
    image[65536:73728] = image[8192:16384]
    image[8192:16384] = bytes(8192)
    assert mount(machine_on(bytes(image))) == "ufs2"
    assert mount(machine_on(bytes(image[: (65536 + 16) * 512]))) == "ufs2"
    assert mount(machine_on(bytes(image[: (65536 + 15) * 512]))) is None


# --- vstafs: no tool writes it


def make_vstafs(word: str, name: bytes = b"menu.lst", extents: int = 1) -> bytes:
    """A filesystem with one file; word: struct's code of C's `long`."""
    image = bytearray(512 * 512)
    struct.pack_into(f"<2{word}", image, 0, 0xDEADFACE, 512)

    def header(sector: int, length: int, kind: int, extents: int, extent: tuple[int, int]) -> None:
        fields = struct.pack(f"<3{word}HH16xII", 0, 0, length, kind, 1, 0, extents)
        image[sector * 512 : sector * 512 + len(fields) + 8] = fields + struct.pack("<II", *extent)

    header(1, 512, 2, 1, (5, 1))
    image[5 * 512 + 320 : 5 * 512 + 352] = name.ljust(28, b"\0") + struct.pack("<I", 6)
    header(6, 320 + len(MENU), 1, extents, (7, 4))
    image[7 * 512 + 320 : 7 * 512 + 320 + len(MENU)] = MENU
    return bytes(image)


def test_quirk_a_vstafs_position_is_not_moved_on() -> None:
    m = machine_on(make_vstafs("I"), arch="i386")
    assert mount(m) == "vstafs"
    assert open_file(m, b"(hd0)/menu.lst") == 320 + len(MENU)
    assert m.fsys
    assert m.fsys.read(9) == MENU[:9]
    assert m.fsys.read(9) == MENU[:9]
    assert m.fsys.read(1000) == MENU


def test_quirk_a_vstafs_position_is_taken_off_twice() -> None:
    m = machine_on(make_vstafs("I"), arch="i386")
    open_file(m, b"(hd0)/menu.lst")
    assert m.fsys
    m.filepos = 8
    assert m.fsys.read(20) == MENU[8:28]
    m.filepos = 860
    assert len(m.fsys.read(1000)) == 4 * 512 - 320 - 2 * 860


def test_quirk_a_vstafs_directory_opens_like_a_file() -> None:
    image = bytearray(make_vstafs("I"))
    image[6 * 512 + 12] = 2
    assert open_file(machine_on(bytes(image), arch="i386"), b"(hd0)/menu.lst") == 320 + len(MENU)
    assert error_of(machine_on(bytes(image), arch="i386"), b"(hd0)/nothing") == ErrNum.FILE_NOT_FOUND
    assert error_of(machine_on(make_vstafs("I"), arch="i386"), b"(hd0)/menu.lst/x") == ErrNum.FILE_NOT_FOUND


def test_quirk_vstafs_completion_shows_what_sorts_behind() -> None:
    m = machine_on(make_vstafs("I"), arch="i386")
    assert list_names(m, b"(hd0)/a") == [b"menu.lst"]
    with pytest.raises(GrubError, match="Error 15"):
        list_names(m, b"(hd0)/z")


def test_quirk_a_vstafs_header_that_cannot_be_read_is_the_one_before() -> None:
    image = bytearray(make_vstafs("I"))
    image[5 * 512 + 348 : 5 * 512 + 352] = struct.pack("<I", 600)
    m = machine_on(bytes(image), arch="i386")
    assert error_of(m, b"(hd0)/menu.lst") == ErrNum.OUTSIDE_PART
    assert m.filemax == 512  # the directory's


def test_quirk_a_vstafs_file_of_several_extents_crashes() -> None:
    with pytest.raises(Stop) as stop:
        error_of(machine_on(make_vstafs("I", extents=2), arch="i386"), b"(hd0)/menu.lst")
    assert stop.value.outcome is Outcome.CRASH


def test_quirk_vstafs_in_the_64_bit_build_wants_8_bytes_of_magic_and_then_crashes() -> None:
    assert mount(machine_on(make_vstafs("I"))) is None
    m = machine_on(make_vstafs("Q"))
    assert mount(m) == "vstafs"
    with pytest.raises(Stop) as stop:
        open_file(m, b"(hd0)/menu.lst")
    assert stop.value.outcome is Outcome.CRASH
