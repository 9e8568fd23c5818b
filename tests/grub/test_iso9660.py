"""The ISO 9660 driver against isoinfo, and its departures from the format one by one."""

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

KERNEL = contents("vmlinuz", 204_371)
NAME_LENGTHS = (30, 100, 180, 240, 250)


def make_tree(folder: Path) -> Path:
    """A tree with odd sizes, long names, a link, a big folder and a deep one."""
    tree = folder / "tree"
    (tree / "boot" / "grub").mkdir(parents=True)
    (tree / "boot" / "grub" / "menu.lst").write_bytes(MENU)
    (tree / "boot" / "vmlinuz").write_bytes(KERNEL)
    (tree / "boot" / "empty").write_bytes(b"")
    for size in (1, 2047, 2048, 2049, 6144):
        (tree / "boot" / f"s{size}").write_bytes(contents(f"s{size}", size))
    for length in NAME_LENGTHS:
        (tree / "boot" / (f"n{length}".ljust(length - 1, "n") + "x")).write_bytes(b"%d" % length)
    (tree / "boot" / "Mixed-Case.Image.gz").write_bytes(b"mixed")
    (tree / "boot" / "link").symlink_to("vmlinuz")
    (tree / "many").mkdir()
    for index in range(400):
        (tree / "many" / f"file-{index}-{'y' * (index % 40)}").write_bytes(b"%d" % index)
    deep = tree / "a/b/c/d/e/f/g/h/i"
    deep.mkdir(parents=True)
    (deep / "bottom").write_bytes(b"bottom")
    return tree


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tree(tmp_path_factory.mktemp("iso"))


@pytest.fixture(scope="module", params=["genisoimage", "xorriso"])
def rock_ridge(request: pytest.FixtureRequest, tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree with Rock Ridge names, by each of the two writers."""
    image = tmp_path_factory.mktemp("iso") / "rr.iso"
    if request.param == "genisoimage":
        run("genisoimage", "-quiet", "-R", "-J", "-joliet-long", "-o", image, tree)
    else:
        run("xorriso", "-outdev", image, "-map", tree, "/", "-commit")
    return image


def isoinfo_file(image: Path, path: str) -> bytes:
    return run("isoinfo", "-R", "-i", image, "-x", path)


def isoinfo_paths(image: Path) -> set[str]:
    return set(run("isoinfo", "-R", "-i", image, "-f").decode().split("\n")) - {""}


def test_files_are_what_isoinfo_reads(rock_ridge: Path, tree: Path) -> None:
    m = machine_on(rock_ridge)
    assert mount(m) == "iso9660"
    paths = isoinfo_paths(rock_ridge)
    assert len(paths) > 400
    checked = 0
    for path in sorted(paths):
        file = tree / path[1:]
        if not file.is_file() or file.is_symlink() or len(file.name) > 100 or (checked > 40 and "many" in path):
            continue
        data = isoinfo_file(rock_ridge, path)
        assert data == file.read_bytes()
        assert read_file(m, f"(hd0){path}".encode()) == data, path
        checked += 1
    assert checked > 40


def test_listing_is_what_isoinfo_lists(rock_ridge: Path) -> None:
    m = machine_on(rock_ridge)
    paths = isoinfo_paths(rock_ridge)
    wanted = {path.rpartition("/")[2].encode() for path in paths if path.startswith("/many/")}
    assert len(wanted) == 400
    assert set(list_names(m, b"(hd0)/many/")) == wanted
    assert list_names(m, b"(hd0)/boot/vml") == [b"vmlinuz"]


def test_reads_at_any_position_agree(rock_ridge: Path) -> None:
    m = machine_on(rock_ridge)
    open_file(m, b"(hd0)/boot/vmlinuz")
    for position in (204_000, 0, 2047, 2048, 100_001, 3, 204_370):
        m.filepos = position
        assert m.fsys
        assert m.fsys.read(min(5000, 204_371 - position)) == KERNEL[position : position + 5000]


def test_errors(rock_ridge: Path) -> None:
    m = machine_on(rock_ridge)
    assert error_of(m, b"(hd0)/boot") == ErrNum.BAD_FILETYPE
    assert error_of(m, b"(hd0)/boot/") == ErrNum.FILE_NOT_FOUND
    assert error_of(m, b"(hd0)/boot/vmlinuz/x") == ErrNum.BAD_FILETYPE
    assert error_of(m, b"(hd0)/boot/nothing") == ErrNum.FILE_NOT_FOUND
    for path in (b"/boot/./vmlinuz", b"/boot/../boot/vmlinuz"):
        assert error_of(m, b"(hd0)" + path) == ErrNum.FILE_NOT_FOUND
    with pytest.raises(GrubError, match="Error 15"):
        list_names(m, b"(hd0)/boot/nothing")
    with pytest.raises(GrubError, match="Error 2"):
        list_names(m, b"(hd0)/boot/vmlinuz/")


def test_quirk_symlinks_are_neither_files_nor_directories(rock_ridge: Path) -> None:
    assert error_of(machine_on(rock_ridge), b"(hd0)/boot/link") == ErrNum.BAD_FILETYPE


def test_quirk_of_a_continued_name_only_the_last_part_counts(tree: Path, tmp_path: Path) -> None:
    # genisoimage puts what does not fit into a record in a second NM entry, in a continuation area.
    image = tmp_path / "rr.iso"
    run("genisoimage", "-quiet", "-R", "-o", image, tree)
    m = machine_on(image)
    shown = [name for name in list_names(m, b"(hd0)/boot/") if name.endswith(b"nx")]
    whole = [name for name in shown if name.startswith((b"n30", b"n100"))]
    parts = [name for name in shown if name not in whole]
    assert [len(name) for name in sorted(whole)] == [100, 30]
    assert parts
    assert error_of(m, b"(hd0)/boot/" + b"n250".ljust(249, b"n") + b"x") == ErrNum.FILE_NOT_FOUND
    assert read_file(m, b"(hd0)/boot/" + parts[0]) in (b"180", b"240", b"250")


def test_plain_names_lose_their_version(tree: Path, tmp_path: Path) -> None:
    image = tmp_path / "plain.iso"
    run("genisoimage", "-quiet", "-o", image, "-graft-points", f"/boot={tree}/boot/s2049", f"/s.lst={tree}/boot/s1")
    m = machine_on(image)
    assert read_file(m, b"(hd0)/BOOT") == contents("s2049", 2049)
    assert read_file(m, b"(hd0)/S.LST") == contents("s1", 1)
    assert error_of(m, b"(hd0)/boot") == ErrNum.FILE_NOT_FOUND


def test_quirk_only_version_1_is_cut_off(tree: Path, tmp_path: Path) -> None:
    image = tmp_path / "plain.iso"
    run("genisoimage", "-quiet", "-o", image, "-graft-points", f"/K={tree}/boot/s1")
    data = image.read_bytes()
    assert read_file(machine_on(data), b"(hd0)/K") == contents("s1", 1)
    other = data.replace(b"K.;1", b"K.;2")
    assert error_of(machine_on(other), b"(hd0)/K") == ErrNum.FILE_NOT_FOUND
    assert read_file(machine_on(other), b"(hd0)/K.;2") == contents("s1", 1)


# --- mounting


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A small Rock Ridge image, for tests that change some of its bytes."""
    folder = tmp_path_factory.mktemp("iso")
    (folder / "t").mkdir()
    (folder / "t" / "vmlinuz").write_bytes(contents("small", 9000))
    run("genisoimage", "-quiet", "-R", "-o", folder / "small.iso", folder / "t")
    return (folder / "small.iso").read_bytes()


def record_of(image: bytes, name: bytes) -> int:
    """Where the directory record of a plain name is."""
    return image.index(name) - 33


def test_quirk_a_pc_partition_is_never_looked_at(small: bytes) -> None:
    disk = bytearray(1 << 20) + small
    disk[510:512] = b"\x55\xaa"
    for kind in (0x17, 0x83, 0x96, 0xCD):
        disk[446:462] = struct.pack("<4xBxxxII", kind, 2048, len(small) // 512)
        assert mount(machine_on(bytes(disk)), b"(hd0,0)") is None


def test_quirk_a_bsd_partition_of_that_type_is_and_its_end_is_no_limit(small: bytes) -> None:
    disk = bytearray(1 << 20) + small
    disk[510:512] = b"\x55\xaa"
    disk[446:462] = struct.pack("<4xBxxxII", 0xA5, 64, 4096)
    label = bytearray(512)
    struct.pack_into("<I", label, 0, 0x82564557)
    struct.pack_into("<H", label, 138, 8)
    struct.pack_into("<IIIBBH", label, 148, 40, 2048, 0, 12, 0, 0)
    disk[65 * 512 : 66 * 512] = label
    m = machine_on(bytes(disk))
    assert read_file(m, b"(hd0,0,a)/vmlinuz") == contents("small", 9000)
    m = machine_on(bytes(disk), arch="i386")
    assert read_file(m, b"(hd0,a)/vmlinuz") == contents("small", 9000)
    assert m.part_length == 40


def test_quirk_the_terminator_does_not_end_the_search(small: bytes) -> None:
    primary, terminator = small[32768:34816], small[34816:36864]
    assert terminator[0] == 255
    image = bytearray(small)
    image[32768:34816] = terminator
    image[34816:36864] = primary
    assert mount(machine_on(bytes(image))) == "iso9660"


def test_a_disk_that_ends_within_the_descriptors_leaves_the_read_error(small: bytes) -> None:
    m = machine_on(bytes(40 * 512))
    assert mount(m) is None
    assert m.errnum == ErrNum.GEOM


def test_quirk_extent_0_reads_as_nothing(small: bytes) -> None:
    at = record_of(small, b"VMLINUZ.;1")
    image = small[: at + 2] + bytes(8) + small[at + 10 :]
    assert read_file(machine_on(image), b"(hd0)/vmlinuz") == b""


def test_quirk_a_file_of_several_extents_ends_with_the_first(small: bytes) -> None:
    # The flag of a file that goes on (bit 7) is not looked at; the second record is never reached.
    at = record_of(small, b"VMLINUZ.;1")
    length = small[at]
    first = bytearray(small[at : at + length])
    second = bytearray(first)
    first[25] |= 0x80
    first[10:18] = struct.pack("<I", 4096) + struct.pack(">I", 4096)
    image = bytearray(small)
    image[at : at + 2 * length] = first + second
    assert read_file(machine_on(bytes(image)), b"(hd0)/vmlinuz") == contents("small", 9000)[:4096]


def test_a_file_past_the_end_of_the_disk_is_an_error(small: bytes) -> None:
    at = record_of(small, b"VMLINUZ.;1")
    extent = struct.unpack_from("<I", small, at + 2)[0]
    cut = small[: extent * 2048 + 4096]
    assert error_of(machine_on(cut), b"(hd0)/vmlinuz") in (ErrNum.GEOM, ErrNum.READ)
    image = small[: at + 2] + struct.pack("<I", 0x80000000) + small[at + 6 :]
    assert error_of(machine_on(image), b"(hd0)/vmlinuz") == ErrNum.OUTSIDE_PART


def test_the_hook_is_told_of_the_sectors_of_contents(small: bytes) -> None:
    m = machine_on(small)
    open_file(m, b"(hd0)/vmlinuz")
    told: list[tuple[int, int, int]] = []
    m.disk_read_hook = lambda sector, offset, length: told.append((sector, offset, length))
    assert m.fsys
    assert m.fsys.read(9000) == contents("small", 9000)
    assert b"".join(small[512 * at + skip :][:size] for at, skip, size in told) == contents("small", 9000)


def test_quirk_the_hook_stays_in_place_where_a_read_fails(small: bytes) -> None:
    at = record_of(small, b"VMLINUZ.;1")
    extent = struct.unpack_from("<I", small, at + 2)[0]
    m = machine_on(small[: extent * 2048 + 4096])
    open_file(m, b"(hd0)/vmlinuz")
    m.disk_read_hook = lambda sector, offset, length: None
    assert m.fsys
    with pytest.raises(GrubError):
        m.fsys.read(9000)
    assert m.disk_read_func is m.disk_read_hook


def test_a_directory_that_cannot_be_read_is_corrupt(small: bytes) -> None:
    image = small[: 32768 + 158] + struct.pack("<I", 1 << 24) + small[32768 + 162 :]
    assert error_of(machine_on(image), b"(hd0)/vmlinuz") == ErrNum.FSYS_CORRUPT


def test_a_rock_ridge_entry_of_length_0_hangs(small: bytes) -> None:
    at = small.index(b"RR\x05\x01", record_of(small, b"VMLINUZ.;1"))
    image = small[: at + 2] + b"\0" + small[at + 3 :]
    with pytest.raises(Stop) as stop:
        error_of(machine_on(image), b"(hd0)/vmlinuz")
    assert stop.value.outcome is Outcome.HANG


def test_quirk_a_full_sector_goes_on_in_the_last_continuation_area(small: bytes) -> None:
    root = struct.unpack_from("<I", small, 32768 + 158)[0] * 2048
    at = record_of(small, b"VMLINUZ.;1")
    record = small[at : at + small[at]]
    filler = bytearray([190]) + bytes(31) + bytes([190 - 33]) + b"f" * 157
    image = bytearray(small)
    sector = bytearray(image[root:at])
    while 2048 - len(sector) > 254:
        sector += filler
    rest = 2048 - len(sector)
    assert rest > 64
    last = bytearray([rest]) + bytes(31) + bytes([rest - 33]) + b"l" * (rest - 33)
    # Nothing was read as a continuation area yet: the walk ends there.
    image[root : root + 2048] = sector + last
    plain = bytes(image).replace(b"CE\x1c\x01", b"XX\x1c\x01")
    assert error_of(machine_on(plain), b"(hd0)/vmlinuz") == ErrNum.FILE_NOT_FOUND
    # The last record names a continuation area: its beginning is taken for the next record.
    area = len(image)
    last[32:36] = b"\x02XY\0"
    last[36 : rest - 28] = b"ZZ" + bytes([rest - 64, 1]) + bytes(rest - 68)
    last[rest - 28 :] = struct.pack("<4s6I", b"CE\x1c\x01", area // 2048, 0, 0, 0, 0, 0)
    image[root : root + 2048] = sector + last
    assert read_file(machine_on(bytes(image + record + bytes(2048))), b"(hd0)/vmlinuz") == contents("small", 9000)
