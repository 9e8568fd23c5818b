"""The survey's readers against the tools that wrote the filesystems: every file, folder and link is equal."""

from __future__ import annotations

from pathlib import Path

import pytest

from pvgrub_sim.media import open_disk
from pvgrub_sim.survey import FileKind, survey
from tests.survey.trees import as_read, differences, make_tree, on_disk
from tests.tools import run

MIB = 1 << 20

EXT = {
    "ext2-1k": ("-t", "ext2", "-b", "1024"),
    "ext2-4k": ("-t", "ext2", "-b", "4096"),
    "ext2-64k": ("-t", "ext2", "-b", "65536"),
    "ext3": ("-t", "ext3", "-b", "1024"),
    "ext4-today": ("-t", "ext4"),
    "ext4-1k": ("-t", "ext4", "-b", "1024"),
    "ext4-64bit": ("-t", "ext4", "-O", "64bit,metadata_csum"),
    "ext4-no-extents": ("-t", "ext4", "-O", "^extent,^64bit"),
    "ext4-inline": ("-t", "ext4", "-O", "inline_data", "-I", "512"),
    "ext4-meta-bg": ("-t", "ext4", "-b", "1024", "-O", "meta_bg,^resize_inode,^64bit", "-g", "1024"),
    "ext4-meta-bg-64bit": ("-t", "ext4", "-b", "1024", "-O", "meta_bg,^resize_inode,64bit", "-g", "1024"),
    "ext4-bigalloc": ("-t", "ext4", "-O", "bigalloc", "-C", "65536"),
    "ext4-sparse-super2": ("-t", "ext4", "-O", "sparse_super2,^resize_inode"),
    "ext2-rev0": ("-t", "ext2", "-r", "0"),
}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tree(tmp_path_factory.mktemp("tree"))


@pytest.mark.parametrize("options", EXT.values(), ids=EXT.keys())
def test_ext_files_equal_what_mke2fs_wrote(options: tuple[str, ...], tree: Path, tmp_path: Path) -> None:
    image = tmp_path / "ext.img"
    run("mke2fs", "-q", "-F", "-L", "root", *options, "-d", tree, image, "64M")
    assert differences(as_read(image), on_disk(tree)) == []


def test_ext_content_equals_debugfs(tree: Path, tmp_path: Path) -> None:
    image = tmp_path / "ext.img"
    run("mke2fs", "-q", "-F", "-t", "ext4", "-b", "1024", "-d", tree, image, "64M")
    # Removed and added names leave gaps in the folder; the new file lies in several extents.
    script = "".join(f"rm /large/a\\ file {index}\n" for index in range(3))
    run("debugfs", "-w", "-f", "-", image, stdin=f"{script}rm /size513\nwrite {tree}/boot/vmlinuz-6.1 /copy\n".encode())
    read = as_read(image)
    assert b"size513" not in read
    for name in (b"copy", b"holes", b"size270000"):
        assert read[name] == run("debugfs", "-R", f"cat /{name.decode()}", image)


def test_ext_holes_and_unwritten_extents_are_counted(tmp_path: Path) -> None:
    folder = tmp_path / "tree"
    (folder / "boot").mkdir(parents=True)
    with (folder / "boot" / "vmlinuz-holes").open("wb") as file:
        file.write(b"k" * 4096)
        file.seek(20480)
        file.write(b"k" * 4096)
        file.truncate(40960)
    image = tmp_path / "ext.img"
    run("mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-d", folder, image, "16M")
    run("debugfs", "-w", "-R", "fallocate /boot/vmlinuz-holes 6 7", image)
    (_, file), *others = survey(open_disk(str(image))).files(FileKind.KERNEL)
    assert not others
    assert (file.size, file.holes, file.unwritten, file.first_hole) == (40960, 24576, 8192, 4096)


XFS = {
    "v5": ("-m", "crc=1"),
    "v5-nrext64-off": ("-m", "crc=1,rmapbt=1,reflink=1"),
    "v4": ("-m", "crc=0,finobt=0"),
    "v4-ftype": ("-m", "crc=0,finobt=0", "-n", "ftype=1"),
    "v4-dirblock-8k": ("-m", "crc=0,finobt=0", "-n", "size=8192"),
    "v4-block-1k": ("-m", "crc=0,finobt=0", "-b", "size=1024"),
    "v5-inode-1k": ("-m", "crc=1", "-i", "size=1024"),
}


def protofile(folder: Path, where: Path, bottom: str = "") -> Path:
    """A mkfs.xfs prototype of a tree; names with spaces cannot be written in one, so they are left out."""
    lines = ["/", "0 0", "d--755 0 0"]

    def describe(path: Path) -> None:
        for entry in sorted(path.iterdir()):
            if " " in entry.name:
                continue
            if entry.is_symlink():
                lines.append(f"{entry.name} l--777 0 0 {entry.readlink()}")
            elif entry.is_dir():
                lines.append(f"{entry.name} d--755 0 0")
                describe(entry)
                lines.append("$")
            else:
                lines.append(f"{entry.name} ---644 0 0 {entry}")

    describe(folder)
    where.write_text("\n".join([*lines, "$", ""]))
    return where


@pytest.fixture(scope="module")
def plain_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Without spaces in names, and with a folder that needs leaf and node blocks."""
    folder = make_tree(tmp_path_factory.mktemp("plain"), many=0, holes=False)
    many = folder / "many"
    many.mkdir()
    for index in range(1500):
        (many / f"name-{index:06d}-{'x' * (index % 40)}").touch()
    some = folder / "some"
    some.mkdir()
    for index in range(30):
        (some / f"name-{index}").write_text(str(index))
    return folder


@pytest.mark.parametrize("options", XFS.values(), ids=XFS.keys())
def test_xfs_files_equal_what_mkfs_wrote(options: tuple[str, ...], plain_tree: Path, tmp_path: Path) -> None:
    image = tmp_path / "xfs.img"
    with image.open("wb") as file:
        file.truncate(320 * MIB)
    run("mkfs.xfs", "-q", "-f", *options, "-p", protofile(plain_tree, tmp_path / "proto"), image)
    assert differences(as_read(image), on_disk(plain_tree)) == []


def test_xfs_btree_of_extents_and_holes(tmp_path: Path) -> None:
    """A recorded image whose kernel lies in so many extents that they need a btree."""
    from tests.images import unpack_sparse

    packed = Path(__file__).parents[2] / "fixtures" / "conformance" / "disks" / "xfs-v4-btree.img.zst"
    image = unpack_sparse(packed, tmp_path / "btree.img")
    read = as_read(image)
    assert len(read[b"boot/k"]) == 304373
    assert read[b"boot/k"] == read[b"boot/src"]


FAT = {"12": 4, "16": 32, "32": 64}


@pytest.mark.parametrize(("width", "size"), FAT.items(), ids=FAT.keys())
def test_fat_files_equal_what_mtools_wrote(width: str, size: int, tmp_path: Path) -> None:
    folder = make_tree(tmp_path / "tree", links=False, many=120, holes=False)
    image = tmp_path / "fat.img"
    with image.open("wb") as file:
        file.truncate(size * MIB)
    run("mkfs.vfat", "-F", width, "-n", "BOOT", "-i", "1234ABCD", image)
    run("mcopy", "-s", "-Q", "-i", image, *sorted(folder.iterdir()), "::")
    assert differences(as_read(image), on_disk(folder)) == []
    content = survey(open_disk(str(image))).whole.filesystem
    assert content is not None
    assert (content.type, content.version, content.label, content.uuid) == ("vfat", f"FAT{width}", "BOOT", "1234-ABCD")


@pytest.mark.parametrize("tool", ["genisoimage", "xorriso"])
def test_iso_files_equal_what_the_tool_wrote(tool: str, tree: Path, tmp_path: Path) -> None:
    image = tmp_path / "cd.iso"
    if tool == "genisoimage":
        run(tool, "-quiet", "-R", "-V", "CD", "-o", image, tree)
    else:
        run(tool, "-as", "mkisofs", "-quiet", "-R", "-V", "CD", "-o", image, tree)
    read = as_read(image)
    read.pop(b"rr_moved", None)
    assert differences(read, on_disk(tree)) == []


def test_iso_without_rock_ridge_shows_lower_case_names(tmp_path: Path) -> None:
    folder = tmp_path / "tree"
    (folder / "boot").mkdir(parents=True)
    (folder / "boot" / "vmlinuz").write_bytes(b"kernel")
    image = tmp_path / "cd.iso"
    run("genisoimage", "-quiet", "-o", image, folder)
    assert as_read(image) == {b"boot": None, b"boot/vmlinuz": b"kernel"}


def test_boot_files_are_found_and_named(tree: Path, tmp_path: Path) -> None:
    image = tmp_path / "ext.img"
    run("mke2fs", "-q", "-F", "-t", "ext4", "-d", tree, image, "64M")
    content = survey(open_disk(str(image))).whole.filesystem
    assert content is not None
    kinds = {file.path: file.kind for file in content.files}
    assert kinds == {
        "/boot/config-6.1": FileKind.KERNEL_CONFIG,
        "/boot/initrd.img-6.1": FileKind.INITRD,
        "/boot/vmlinuz": FileKind.KERNEL,
        "/boot/vmlinuz-6.1": FileKind.KERNEL,
        "/boot/grub/menu.lst": FileKind.MENU,
    }
    link = content.file("/boot/vmlinuz")
    assert link is not None
    assert (link.link, link.size, link.missing) == ("vmlinuz-6.1", 1_300_000, False)
    config = content.file("/boot/config-6.1")
    assert config is not None
    assert config.facts == {"CONFIG_XEN": "y", "CONFIG_XEN_PVH": "n", "CONFIG_XEN_PV": "y"}
