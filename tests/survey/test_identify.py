"""What the survey calls a filesystem, its label and UUID, against blkid and the tools that made it."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from pvgrub_sim.media import open_disk
from pvgrub_sim.survey import Content, ContentKind, survey
from tests.images import unpack_sparse
from tests.tools import run

FIXTURES = Path(__file__).parents[2] / "fixtures"
MIB = 1 << 20
UUID = "11111111-2222-3333-4444-555555555555"


def sized(path: Path, size: int) -> Path:
    with path.open("wb") as file:
        file.truncate(size)
    return path


def ext(kind: str, *options: str) -> Callable[[Path], None]:
    def make(image: Path) -> None:
        run("mke2fs", "-q", "-F", "-t", kind, *options, "-L", "root fs", "-U", UUID, sized(image, 16 * MIB))

    return make


def journal(image: Path) -> None:
    run("mke2fs", "-q", "-F", "-O", "journal_dev", "-L", "log", "-U", UUID, sized(image, 16 * MIB))


def xfs(*options: str) -> Callable[[Path], None]:
    def make(image: Path) -> None:
        run("mkfs.xfs", "-q", *options, "-L", "rootxfs", "-m", f"uuid={UUID}", sized(image, 320 * MIB))

    return make


def fat(width: str) -> Callable[[Path], None]:
    def make(image: Path) -> None:
        size = {"12": 4, "16": 32, "32": 64}[width] * MIB
        run("mkfs.vfat", "-F", width, "-n", "EFI SYS", "-i", "CAFE1234", sized(image, size))

    return make


def iso(image: Path) -> None:
    folder = image.parent / "cd"
    folder.mkdir()
    run("genisoimage", "-quiet", "-R", "-V", "CDROM", "-o", image, folder)


def swap(image: Path) -> None:
    run("mkswap", "-L", "paging", "-U", UUID, sized(image, 8 * MIB))


def btrfs(image: Path) -> None:
    run("mkfs.btrfs", "-q", "-L", "pool", "-U", UUID, sized(image, 120 * MIB))


def jfs(image: Path) -> None:
    run("mkfs.jfs", "-q", "-L", "jfsroot", sized(image, 20 * MIB))


def reiserfs(image: Path) -> None:
    run("mkreiserfs", "-q", "-ff", "-l", "reiser", "-u", UUID, sized(image, 40 * MIB))


def luks(version: str, *options: str) -> Callable[[Path], None]:
    def make(image: Path) -> None:
        words = ("luksFormat", "-q", "--type", version, "--uuid", UUID, *options, "--pbkdf-force-iterations", "1000")
        run("cryptsetup", *words, sized(image, 32 * MIB), "--key-file", "-", stdin=b"secret")

    return make


def minix(image: Path) -> None:
    run("mkfs.minix", "-1", sized(image, 4 * MIB))


MAKERS = {
    "ext2": ext("ext2"),
    "ext3": ext("ext3"),
    "ext4": ext("ext4"),
    "ext4-without-journal": ext("ext4", "-O", "^has_journal"),
    "ext-journal": journal,
    "xfs-v5": xfs(),
    "xfs-v4": xfs("-m", "crc=0,finobt=0"),
    "fat12": fat("12"),
    "fat16": fat("16"),
    "fat32": fat("32"),
    "iso": iso,
    "swap": swap,
    "btrfs": btrfs,
    "jfs": jfs,
    "reiserfs": reiserfs,
    "luks1": luks("luks1"),
    "luks2": luks("luks2", "--label", "secrets", "--pbkdf", "pbkdf2"),
    "minix": minix,
}


def blkid(image: Path) -> dict[str, str]:
    lines = run("blkid", "-p", "-o", "export", image).decode().splitlines()
    found = dict(line.split("=", 1) for line in lines if "=" in line)
    return {key: value.replace("\\ ", " ") for key, value in found.items()}


def only_content(image: Path) -> Content:
    # A whole file of LUKS is refused as a disk image, unless one insists.
    disk = open_disk(str(image), "raw")
    try:
        (content,) = survey(disk).whole.contents
    finally:
        disk.close()
    return content


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS.keys())
def test_type_label_and_uuid_are_those_of_blkid(make: Callable[[Path], None], tmp_path: Path) -> None:
    image = tmp_path / "image"
    make(image)
    expected = blkid(image)
    content = only_content(image)
    assert content.type == expected["TYPE"]
    assert content.label == expected.get("LABEL", "")
    assert content.uuid == expected.get("UUID", expected.get("LOGUUID", ""))
    if content.type in ("ext2", "ext3", "ext4", "vfat", "swap", "crypto_LUKS", "minix"):
        assert content.version == expected["VERSION"]
    if content.kind is ContentKind.FILESYSTEM:
        assert content.state == ("" if content.type == "iso9660" else "clean")
    assert not content.problems


RECORDED = (
    "ufs1-8k", "ufs2-16k", "minix-v2-30", "other-btrfs", "reiserfs-36", "jfs-plain", "fat16-label", "ext4-casefold",
    "ext4-mmp", "xfs-v4-i512",
)  # fmt: skip


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_images_are_named_as_blkid_names_them(name: str, tmp_path: Path) -> None:
    image = unpack_sparse(FIXTURES / "conformance" / "disks" / f"{name}.img.zst", tmp_path / "image")
    expected = blkid(image)
    content = only_content(image)
    assert (content.type, content.label, content.uuid) == (
        expected["TYPE"], expected.get("LABEL", ""), expected.get("UUID", ""),
    )  # fmt: skip


STATES = {
    "ext4-dirty": "needs recovery",
    "ext3-dirty": "needs recovery",
    "ext3-4k": "clean",
    "xfs-v4-dirty": "needs recovery",
    "xfs-v4": "clean",
    "jfs-dirty": "needs recovery",
    "jfs-plain": "clean",
    "reiserfs-36-dirty": "needs recovery",
    "reiserfs-36-replay1024": "needs recovery",
    "reiserfs-36": "clean",
}


@pytest.mark.parametrize(("name", "state"), STATES.items())
def test_a_journal_that_waits_for_its_replay_is_seen(name: str, state: str, tmp_path: Path) -> None:
    """The images were left behind by a writer that was stopped, as their recording says."""
    image = unpack_sparse(FIXTURES / "conformance" / "disks" / f"{name}.img.zst", tmp_path / "image")
    assert only_content(image).state == state


def test_ext_features_are_those_of_dumpe2fs(tmp_path: Path) -> None:
    image = sized(tmp_path / "image", 64 * MIB)
    run("mke2fs", "-q", "-F", "-t", "ext4", "-O", "inline_data,encrypt,casefold,metadata_csum_seed,large_dir", image)
    header = run("dumpe2fs", "-h", image).decode()
    line = next(line for line in header.splitlines() if line.startswith("Filesystem features:"))
    assert set(only_content(image).features) == set(line.split(":")[1].split())


def test_lvm_names_its_volumes_as_lvs_does(tmp_path: Path) -> None:
    """Made by LVM2 itself; names and sizes as its own `pvs` and `lvs` printed them."""
    content = only_content(unpack_sparse(FIXTURES / "survey" / "lvm-vg-ami.img.zst", tmp_path / "image"))
    assert (content.kind, content.type, content.version) == (ContentKind.LVM, "LVM2_member", "LVM2 001")
    assert content.uuid == "0UWEPl-t6hN-MsSP-hAbd-O9Jh-OR8M-Qc1pHa"
    assert content.detail["volume_group"] == "vg_ami"
    assert content.detail["logical_volumes"] == [
        {"name": "root", "size": 8388608, "type": "linear"},
        {"name": "swap", "size": 4194304, "type": "linear"},
    ]


def raid(version: str, image: Path, level: int = 1) -> None:
    """A RAID member with a filesystem, its superblock laid out after md_p.h (making one takes a kernel driver)."""
    filesystem = image.parent / "fs"
    run("mke2fs", "-q", "-F", "-t", "ext2", sized(filesystem, 4 * MIB))
    size = 8 * MIB
    data = 0 if version in ("0.90", "1.0") else 2048
    disk = bytearray(size)
    content = filesystem.read_bytes()
    disk[data * 512 : data * 512 + len(content)] = content
    uuid = bytes(range(1, 17))
    if version == "0.90":
        at = size - 65536
        words = [0xA92B4EFC, 0, 90, 0, 0, *struct.unpack("<I", uuid[:4]), 1, level, size // 1024 - 64, 1, 2, 0, 0]
        words += struct.unpack("<3I", uuid[4:])
        block = bytearray(struct.pack("<16I", *words).ljust(4096, b"\0"))
        block[152:156] = struct.pack("<I", sum(struct.unpack("<1024I", block)) & 0xFFFFFFFF)
    else:
        at = {"1.0": (size // 512 - 16 & ~7) * 512, "1.1": 0, "1.2": 4096}[version]
        block = bytearray(258)
        struct.pack_into("<IIII16s32sQiIQII", block, 0, 0xA92B4EFC, 1, 0, 0, uuid, b"host:0", 1, level, 0, 4096, 0, 2)
        struct.pack_into("<QQQ", block, 128, data, 8192, at // 512)
        struct.pack_into("<I", block, 220, 1)
        total = sum(struct.unpack("<64IH", block))
        block[216:220] = struct.pack("<I", ((total & 0xFFFFFFFF) + (total >> 32)) & 0xFFFFFFFF)
    disk[at : at + len(block)] = block
    image.write_bytes(disk)


@pytest.mark.parametrize("version", ["0.90", "1.0", "1.1", "1.2"])
def test_raid_members_are_seen_as_mdadm_sees_them(version: str, tmp_path: Path) -> None:
    image = tmp_path / "image"
    raid(version, image)
    examined = run("mdadm", "--examine", "--export", image).decode()
    expected = dict(line.split("=", 1) for line in examined.splitlines())
    disk = open_disk(str(image))
    contents = survey(disk).whole.contents
    member = next(content for content in contents if content.kind is ContentKind.RAID)
    assert expected["MD_LEVEL"] == f"raid{member.detail['level']}"
    assert expected["MD_DEVICES"] == str(member.detail["raid_disks"])
    assert member.version == run("blkid", "-p", "-s", "VERSION", "-o", "value", image).decode().strip()
    assert expected["MD_UUID"].replace(":", "") == member.uuid.replace("-", "")
    assert expected.get("MD_NAME", "") == member.label
    if version in ("0.90", "1.0"):
        # Metadata at the end: the filesystem is there as well, and PV-GRUB boots from it.
        assert [content.type for content in contents] == ["ext2", "linux_raid_member"]
