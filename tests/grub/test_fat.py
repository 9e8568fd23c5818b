"""The FAT driver against mtools, and its departures from the format one by one."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from pvgrub_sim.grub.errnum import ErrNum, GrubError
from pvgrub_sim.grub.fs.fat.directory import find_entry, shown_names
from pvgrub_sim.grub.stop import Stop
from pvgrub_sim.model import Outcome
from pvgrub_sim.ondisk import fat
from tests.grub.fat_images import MENU, contents, fill, get, make_fat, make_folder, names, put, root_offset
from tests.grub.machine_factory import error_of, list_names, machine_on, mount, open_file, read_file
from tests.tools import run

MIB = 1 << 20
SHAPES = {
    "fat12": (1440 * 1024, ("-F", "12")),
    "fat12-c8": (8 * MIB, ("-F", "12", "-s", "8")),
    "fat16": (16 * MIB, ("-F", "16")),
    "fat16-c1": (16 * MIB, ("-F", "16", "-s", "1")),
    "fat16-c64": (256 * MIB, ("-F", "16", "-s", "64")),
    "fat32": (40 * MIB, ("-F", "32", "-s", "1")),
    "fat32-c8": (300 * MIB, ("-F", "32", "-s", "8")),
}


@pytest.fixture(scope="module", params=SHAPES)
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image of each kind with the same tree."""
    size, options = SHAPES[request.param]
    return fill(make_fat(tmp_path_factory.mktemp("fat") / request.param, size, *options))


@pytest.fixture(scope="module")
def fat16(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a FAT16 with a tree, for tests that change some of them."""
    return fill(make_fat(tmp_path_factory.mktemp("fat") / "fat16", 16 * MIB, "-F", "16", "-s", "4")).read_bytes()


def test_files_are_what_mtools_reads(filled: Path) -> None:
    m = machine_on(filled)
    assert mount(m) == "fat"
    paths = [f"/boot/{name.decode()}" for name in names(filled, "/boot") if b" " not in name and name != b"grub"]
    assert len(paths) > 15
    for path in (*paths, "/boot/grub/menu.lst"):
        # mtools shows a name without long form in upper case, GRUB knows it in lower case only.
        known = path if path.rpartition("/")[2] != "KERNEL.BIN" else path.replace("KERNEL.BIN", "kernel.bin")
        assert read_file(m, f"(hd0){known}".encode()) == get(filled, path), path


def test_listing_is_what_mtools_lists(filled: Path) -> None:
    m = machine_on(filled)
    wanted = {name.lower() if name == b"KERNEL.BIN" else name for name in names(filled, "/boot")}
    assert set(list_names(m, b"(hd0)/boot/")) == wanted
    assert list_names(m, b"(hd0)/boot/vm") == [b"vmlinuz", b"vmlinuz-6.1.0-13-amd64"]


def test_reads_at_any_position_agree(filled: Path) -> None:
    m = machine_on(filled)
    whole = contents("vmlinuz", 204_371)
    open_file(m, b"(hd0)/boot/vmlinuz")
    for position in (204_000, 0, 511, 512, 65_535, 65_536, 100_001, 3, 204_370):
        m.filepos = position
        assert m.fsys
        assert m.fsys.read(min(5000, 204_371 - position)) == whole[position : position + 5000]


def test_the_hook_is_told_of_the_sectors_of_contents(filled: Path) -> None:
    m = machine_on(filled)
    open_file(m, b"(hd0)/boot/vmlinuz")
    told: list[tuple[int, int, int]] = []
    m.disk_read_hook = lambda sector, offset, length: told.append((sector, offset, length))
    assert m.fsys
    m.fsys.read(204_371)
    disk = filled.read_bytes()
    found = b"".join(disk[512 * at + skip : 512 * at + skip + size] for at, skip, size in told)
    assert found == contents("vmlinuz", 204_371)


def test_errors(filled: Path) -> None:
    m = machine_on(filled)
    assert error_of(m, b"(hd0)/boot") == ErrNum.BAD_FILETYPE
    assert error_of(m, b"(hd0)/boot/") == ErrNum.FILE_NOT_FOUND
    assert error_of(m, b"(hd0)/") == ErrNum.FILE_NOT_FOUND
    assert error_of(m, b"(hd0)/boot/vmlinuz/x") == ErrNum.BAD_FILETYPE
    assert error_of(m, b"(hd0)/boot/nothing") == ErrNum.FILE_NOT_FOUND
    with pytest.raises(GrubError, match="Error 15"):
        list_names(m, b"(hd0)/boot/nothing")
    with pytest.raises(GrubError, match="Error 2"):
        list_names(m, b"(hd0)/boot/vmlinuz/x")


def test_a_dot_in_a_path_is_found(filled: Path) -> None:
    m = machine_on(filled)
    assert read_file(m, b"(hd0)/boot/./grub/menu.lst") == MENU
    assert read_file(m, b"(hd0)/boot/grub/../grub/menu.lst") == MENU


def test_alias_of_a_long_name_is_found(filled: Path) -> None:
    assert read_file(machine_on(filled), b"(hd0)/boot/vmlinu~1.0-1") == contents("long", 30_001)


def test_quirk_dotdot_back_to_the_root_is_not_found(filled: Path) -> None:
    assert error_of(machine_on(filled), b"(hd0)/boot/../boot/vmlinuz") == ErrNum.FILE_NOT_FOUND


def test_quirk_short_names_are_lower_case_and_long_ones_exact(filled: Path) -> None:
    m = machine_on(filled)
    assert read_file(m, b"(hd0)/boot/kernel.bin") == b"upper"
    assert error_of(m, b"(hd0)/boot/KERNEL.BIN") == ErrNum.FILE_NOT_FOUND
    assert read_file(m, b"(hd0)/boot/MixedCase.Img") == b"mixed"
    assert error_of(m, b"(hd0)/boot/mixedcase.img") == ErrNum.FILE_NOT_FOUND


def test_a_directory_of_many_long_names(tmp_path: Path) -> None:
    image = make_fat(tmp_path / "many", 64 * MIB, "-F", "16")
    make_folder(image, "/d")
    source = tmp_path / "files"
    source.mkdir()
    wanted = {f"file number {index} with a long name".replace(" ", "-") for index in range(700)}
    for name in wanted:
        (source / name).write_bytes(name.encode())
    run("mcopy", "-i", image, *sorted(source.iterdir()), "::/d")
    m = machine_on(image)
    assert {name.decode() for name in list_names(m, b"(hd0)/d/")} == wanted
    for name in sorted(wanted)[::97]:
        assert read_file(m, f"(hd0)/d/{name}".encode()) == name.encode()


@pytest.mark.parametrize("space", [b" ", b"\t", b"\n", b"\v", b"\f", b"\r"])
def test_every_white_space_of_the_c_library_ends_a_name(fat16: bytes, space: bytes) -> None:
    assert read_file(machine_on(fat16), b"(hd0)/boot/grub/menu.lst" + space + b"x") == MENU
    assert error_of(machine_on(fat16), b"(hd0)/boot/grub/menu.lst\x1c") == ErrNum.FILE_NOT_FOUND
    assert list(shown_names([entry(b"BOOT" + space + b"XY")])) == [b"boot"]


# --- what is refused


def patched(image: bytes, at: int, data: bytes) -> bytes:
    return image[:at] + data + image[at + len(data) :]


@pytest.mark.parametrize(
    ("at", "data"),
    [(11, b"\0\0"), (11, b"\0\4"), (13, b"\0"), (13, b"\3"), (17, b"\0\0"), (19, b"\x58\0"), (22, b"\1\0")],
    ids=["no sector size", "1024", "no cluster size", "3 sectors", "no root", "no clusters", "short table"],
)
def test_bad_parameter_blocks_do_not_mount(fat16: bytes, at: int, data: bytes) -> None:
    m = machine_on(patched(fat16, at, data))
    assert mount(m) is None
    assert m.errnum == ErrNum.FSYS_MOUNT


def test_quirk_media_byte_must_begin_the_table_bit_3_aside(fat16: bytes) -> None:
    assert mount(machine_on(patched(fat16, 21, b"\xf0"))) == "fat"
    assert mount(machine_on(patched(fat16, 21, b"\xf1"))) is None


def test_quirk_fat16_begins_at_4088_clusters(tmp_path: Path) -> None:
    # 4085 data clusters are FAT16 for the specification and mkfs.fat, FAT12 for GRUB.
    image = make_fat(tmp_path / "edge", 16 * MIB + 256 * 512, "-F", "16", "-s", "8")
    put(image, "/f", contents("f", 30_000))
    data = image.read_bytes()
    start = root_offset(image) // 512 + 32
    small = machine_on(patched(data, 19, struct.pack("<H", start + 8 * 4085)))
    assert error_of(small, b"(hd0)/f") == ErrNum.FSYS_CORRUPT
    large = machine_on(patched(data, 19, struct.pack("<H", start + 8 * 4086)))
    assert read_file(large, b"(hd0)/f") == contents("f", 30_000)


def test_quirk_a_dell_utility_partition_is_never_seen(fat16: bytes) -> None:
    disk = bytearray(MIB) + fat16
    disk[510:512] = b"\x55\xaa"
    for kind, name in ((0x0E, "fat"), (0x1E, "fat"), (0x0C, "fat"), (0xDE, None), (0xCE, None), (0x83, None)):
        disk[446:462] = struct.pack("<4xBxxxII", kind, 2048, len(fat16) // 512)
        assert mount(machine_on(bytes(disk)), b"(hd0,0)") == name, hex(kind)


def test_active_table_of_fat32(tmp_path: Path) -> None:
    image = make_fat(tmp_path / "fat32", 40 * MIB, "-F", "32", "-s", "1")
    put(image, "/f", contents("f", 5000))
    data = bytearray(image.read_bytes())
    reserved, length = struct.unpack_from("<H", data, 14)[0], struct.unpack_from("<I", data, 36)[0]
    data[512 * reserved + 8 : 512 * (reserved + length)] = bytes(512 * length - 8)
    assert error_of(machine_on(bytes(data)), b"(hd0)/f") == ErrNum.FSYS_CORRUPT
    data[40] = 0x81
    assert read_file(machine_on(bytes(data)), b"(hd0)/f") == contents("f", 5000)
    data[40] = 0x82
    assert mount(machine_on(bytes(data))) is None


# --- chains


def entry_of(image: bytes, name: bytes) -> int:
    """Where the entry of an 8.3 name is, in bytes."""
    return image.index(name)


def chain_offset(image: bytes, cluster: int) -> int:
    """Where a FAT16's table holds the cluster that follows."""
    return int(512 * struct.unpack_from("<H", image, 14)[0] + 2 * cluster)


@pytest.mark.parametrize(("link", "error"), [(0, 16), (1, 16), (0xFFF0, 16)])
def test_a_chain_to_nowhere_is_corrupt(fat16: bytes, link: int, error: int) -> None:
    first = struct.unpack_from("<H", fat16, entry_of(fat16, b"VMLINUZ    ") + 26)[0]
    image = patched(fat16, chain_offset(fat16, first), struct.pack("<H", link))
    assert error_of(machine_on(image), b"(hd0)/boot/vmlinuz") == error


def test_a_chain_that_ends_early_gives_a_short_file(fat16: bytes) -> None:
    first = struct.unpack_from("<H", fat16, entry_of(fat16, b"VMLINUZ    ") + 26)[0]
    image = patched(fat16, chain_offset(fat16, first), b"\xff\xff")
    assert read_file(machine_on(image), b"(hd0)/boot/vmlinuz") == contents("vmlinuz", 204_371)[:2048]


def test_a_directory_whose_chain_is_a_loop_hangs(fat16: bytes) -> None:
    first = struct.unpack_from("<H", fat16, entry_of(fat16, b"GRUB       ") + 26)[0]
    image = bytearray(patched(fat16, chain_offset(fat16, first), struct.pack("<H", first)))
    data = image.index(b".          ", entry_of(fat16, b"GRUB       "))
    for at in range(data, data + 2048, 32):
        if not image[at]:
            image[at : at + 32] = b"X" * 11 + bytes(21)
    with pytest.raises(Stop) as stop:
        error_of(machine_on(bytes(image)), b"(hd0)/boot/grub/nothing")
    assert stop.value.outcome is Outcome.HANG


def test_quirk_the_high_half_of_a_cluster_number_counts_on_fat16(fat16: bytes) -> None:
    image = patched(fat16, entry_of(fat16, b"VMLINUZ    ") + 20, b"\1\0")
    assert error_of(machine_on(image), b"(hd0)/boot/vmlinuz") == ErrNum.OUTSIDE_PART


def test_quirk_high_bits_of_a_fat32_entry_end_the_chain(tmp_path: Path) -> None:
    image = make_fat(tmp_path / "fat32", 40 * MIB, "-F", "32", "-s", "1")
    put(image, "/f", contents("f", 5000))
    data = image.read_bytes()
    first = struct.unpack_from("<H", data, entry_of(data, b"F          ") + 26)[0]
    at = 512 * struct.unpack_from("<H", data, 14)[0] + 4 * first + 3
    assert read_file(machine_on(patched(data, at, b"\x10")), b"(hd0)/f") == contents("f", 5000)[:512]
    assert error_of(machine_on(patched(data, at, b"\xf0")), b"(hd0)/f") == ErrNum.FSYS_CORRUPT


def test_quirk_four_sectors_of_the_table_are_read_at_once(tmp_path: Path) -> None:
    image = make_fat(tmp_path / "fat12", 1440 * 1024, "-F", "12", "-f", "1", "-R", "1", "-r", "16")
    put(image, "/f", contents("f", 3000))
    data = image.read_bytes()
    whole = machine_on(data)
    assert read_file(whole, b"(hd0)/f") == contents("f", 3000)
    # Cut behind the first clusters, and put the table where its last sectors are the disk's last.
    assert len(data[: 512 * 3]) == 3 * 512
    moved = bytearray(data[: 512 * 100])
    moved[512 * 98 : 512 * 100] = data[512:1536]
    moved[14:16] = struct.pack("<H", 98)
    length = struct.unpack_from("<H", data, 22)[0]
    moved[19:21] = struct.pack("<H", 2880 + 97)
    assert length * 512 > 1024
    m = machine_on(bytes(moved))
    assert mount(m) == "fat"
    assert m.fsys
    m.fsys.file_cluster = 2
    with pytest.raises(GrubError, match="Error 24"):
        m.fsys.read(2048)


def test_a_file_of_2_gib_is_empty(fat16: bytes) -> None:
    image = patched(fat16, entry_of(fat16, b"VMLINUZ    ") + 28, struct.pack("<I", 1 << 31))
    assert read_file(machine_on(image), b"(hd0)/boot/vmlinuz") == b""


# --- long names


def entry(name: bytes, attributes: int = 0x20) -> bytes:
    return name.ljust(11) + bytes([attributes]) + bytes(20)


def long_entries(name: str, short: bytes, first_byte: int | None = None) -> Iterator[bytes]:
    """The entries of a long name in the order on disk, last part first."""
    units = name.encode("utf-16-le") + b"\0\0"
    parts = [units[at : at + 26].ljust(26, b"\xff") for at in range(0, len(units), 26)]
    for number in range(len(parts), 0, -1):
        part = parts[number - 1]
        mark = number | (0x40 if number == len(parts) else 0)
        if first_byte is not None:
            mark = first_byte
        sum_ = fat.short_name_checksum(short.ljust(11))
        yield bytes([mark]) + part[:10] + bytes([0x0F, 0, sum_]) + part[10:22] + b"\0\0" + part[22:]


def test_quirk_only_the_low_byte_of_each_character_counts() -> None:
    name = "kernel-Ā12Š"
    entries = [*long_entries(name, b"KERNEL~1   "), entry(b"KERNEL~1   ")]
    assert list(shown_names(entries)) == [b"kernel-"]  # the low byte of U+0100 ends the name
    entries = [*long_entries("Šource", b"OURCE~1    "), entry(b"OURCE~1    ")]
    assert list(shown_names(entries)) == [b"`ource"]


def test_quirk_a_deleted_entry_counts_as_part_37_of_a_long_name() -> None:
    short = b"FILE~1     "
    deleted = list(long_entries("deleted name", short, 0xE5))
    living = list(long_entries("a file with a long name", short))
    assert list(shown_names([*deleted, *living, entry(short)])) == [b"a file with a long name"]
    # What follows in the order of a name of 37 parts would belong to it.
    rest = [bytes([36 - index]) + part[1:] for index, part in enumerate([deleted[0]] * 36)]
    assert list(shown_names([deleted[0], *rest, entry(short)])) == [b"deleted name"]


def test_a_long_name_needs_order_and_checksum() -> None:
    short = b"FILE~1     "
    parts = list(long_entries("a file with a long name", short))
    assert find_entry([*parts, entry(short)], b"a file with a long name") is not None
    assert list(shown_names([*reversed(parts), entry(short)])) == [b"file~1"]
    assert list(shown_names([*parts, entry(b"OTHER~1    ")])) == [b"other~1"]
    assert list(shown_names([*parts, entry(b"LABEL", 0x08), entry(short)])) == [b"a file with a long name"]
