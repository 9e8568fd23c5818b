"""Damaged images: the survey always ends, raises nothing and stays small, whatever the bytes are."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pvgrub_sim.survey import survey, volume_reader
from pvgrub_sim.survey.area import Damaged
from pvgrub_sim.survey.tree import content, find, names_of
from tests.images import unpack_sparse
from tests.rounds import rounds
from tests.tools import run

FIXTURES = Path(__file__).parents[2] / "fixtures"
IMAGES = (
    "disks/ext4-extents-depth2", "disks/ext2-1k-double", "disks/ext4-64bit", "disks/ext4-casefold",
    "disks/xfs-v4-dirnode",
    "disks/xfs-v4-btree", "disks/xfs-v4-ftype-block", "disks/layout-xfs5-83", "disks/fat16", "disks/fat32",
    "disks/iso-rr-link", "disks/layout-gpt-hybrid", "disks/layout-logical6", "disks/layout-bsd-a5",
    "disks/reiserfs-36-dirty", "disks/other-swap", "survey/lvm-vg-ami",
)  # fmt: skip
SECONDS = 20


class Patched:
    """A disk in memory with some bytes replaced."""

    name = "patched"

    def __init__(self, data: bytes, patches: list[tuple[int, bytes]], cut: int | None = None) -> None:
        self.data = bytearray(data)
        for place, patch in patches:
            at = place % len(data)
            self.data[at : at + len(patch)] = patch
        del self.data[len(data) if cut is None else max(512, cut) :]
        self.size = len(self.data)

    def read(self, offset: int, length: int) -> bytes:
        assert offset >= 0
        assert offset + length <= self.size
        return bytes(self.data[offset : offset + length])

    def close(self) -> None:
        pass


@pytest.fixture(scope="module", params=IMAGES)
def image(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, list[int]]:
    """An image and the places in it that are not zero: the ones where damage hurts."""
    folder, name = request.param.split("/")
    packed = FIXTURES / ("survey" if folder == "survey" else "conformance/" + folder) / f"{name}.img.zst"
    if not packed.exists():
        pytest.fail(f"{packed} is not there")
    data = unpack_sparse(packed, tmp_path_factory.mktemp("image") / name).read_bytes()
    blocks = [at for at in range(0, len(data), 256) if data[at : at + 256].strip(b"\0")]
    return data, blocks


WORDS = st.sampled_from(
    [b"\0" * 4, b"\xff" * 4, b"\0\0\0\x80", b"\x80\0\0\0", b"\x01\0\0\0", b"\0\x01", b"\xff" * 8, b"\0" * 512]
)
PATCH = st.one_of(st.binary(min_size=1, max_size=8), WORDS)


@settings(max_examples=rounds(25, otherwise=5), deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_damaged_image_is_surveyed_all_the_same(image: tuple[bytes, list[int]], data: st.DataObject) -> None:
    content_bytes, blocks = image
    place = st.builds(lambda block, within: block + within, st.sampled_from(blocks), st.integers(0, 255))
    patches = data.draw(st.lists(st.tuples(place, PATCH), min_size=1, max_size=12))
    cut = data.draw(st.one_of(st.none(), st.integers(512, len(content_bytes))))
    disk = Patched(content_bytes, patches, cut)
    begin = time.monotonic()
    found = survey(disk)
    json.dumps(found.to_json())
    for volume in found.volumes:
        reader = volume_reader(disk, volume.grub)
        if reader is None:
            continue
        try:
            node = find(reader, b"/boot/vmlinuz")
            if node is not None:
                for _ in content(reader, node):
                    pass
            sum(1 for _ in names_of(reader, reader.root()))
        except Damaged:
            pass
    assert time.monotonic() - begin < SECONDS


@settings(max_examples=rounds(200, otherwise=40), deadline=None)
@given(st.binary(min_size=512, max_size=140_000))
def test_random_bytes_are_surveyed(data: bytes) -> None:
    json.dumps(survey(Patched(data, [])).to_json())


def le(value: int, width: int = 4) -> bytes:
    return value.to_bytes(width, "little")


def test_block_map_that_points_at_itself_ends_soon(tmp_path: Path) -> None:
    """Every block of the file, through three levels, is the same block of pointers; the file claims 8 GiB."""
    image = tmp_path / "image"
    folder = tmp_path / "tree" / "boot"
    folder.mkdir(parents=True)
    for index in range(40):
        (folder / f"vmlinuz-{index}").write_bytes(b"k" * 300_000)
    run("mke2fs", "-q", "-F", "-t", "ext2", "-b", "1024", "-d", folder.parent, image, "32M")
    block = 20_000
    patches = [(block * 1024, le(block) * 256)]
    for index in range(40):
        stat = run("debugfs", "-R", f"imap /boot/vmlinuz-{index}", image).decode()
        place = re.search(r"located at block (\d+), offset 0x([0-9a-f]+)", stat)
        assert place is not None
        inode = int(place[1]) * 1024 + int(place[2], 16)
        patches += [(inode + 4, le(1 << 31)), (inode + 108, le(1)), (inode + 40, le(block) * 15)]
    disk = Patched(image.read_bytes(), [])
    for at, patch in patches:
        disk.data[at : at + len(patch)] = patch
    begin = time.monotonic()
    content_found = survey(Endless(disk)).whole.filesystem
    assert content_found is not None
    assert content_found.problems
    assert time.monotonic() - begin < SECONDS


class Endless:
    """A disk that claims a terabyte, of which only the beginning is there and the rest reads as zeros."""

    name, size = "endless", 1 << 40

    def __init__(self, disk: Patched) -> None:
        self.disk = disk

    def read(self, offset: int, length: int) -> bytes:
        return bytes(self.disk.data[offset : offset + length]).ljust(length, b"\0")

    def close(self) -> None:
        pass


def test_fat_chain_in_a_circle_ends_soon(tmp_path: Path) -> None:
    """The root directory and a file of 4 GiB run in circles, on a FAT that claims 2^28 clusters."""
    image = tmp_path / "image"
    with image.open("wb") as file:
        file.truncate(64 << 20)
    run("mkfs.vfat", "-F", "32", "-s", "1", image)
    (tmp_path / "vmlinuz").write_bytes(b"k" * 5000)
    run("mcopy", "-i", image, tmp_path / "vmlinuz", "::vmlinuz")
    data = bytearray(image.read_bytes())
    data[32:36] = le(0x0FFFFFF0)
    fat = int.from_bytes(data[14:16], "little") * 512
    data[36:40] = le(0x200000)
    data[fat + 8 : fat + 12] = le(2)
    first = data.index(b"VMLINUZ ")
    assert first
    start = int.from_bytes(data[first + 26 : first + 28], "little")
    data[fat + 4 * start : fat + 4 * start + 4] = le(start)
    data[first + 28 : first + 32] = le(0xFFFFFFFF)
    begin = time.monotonic()
    survey(Endless(Patched(bytes(data), [])))
    assert time.monotonic() - begin < SECONDS


def test_a_folder_of_an_iso_that_was_moved_to_itself(tmp_path: Path) -> None:
    packed = FIXTURES / "conformance" / "disks" / "iso-rr-link.img.zst"
    data = bytearray(unpack_sparse(packed, tmp_path / "image").read_bytes())
    block = int.from_bytes(data[16 * 2048 + 158 : 16 * 2048 + 162], "little")
    folder = slice(block * 2048, (block + 1) * 2048)
    # Each record of the root says that the folder's real one is the first in the root.
    where = block.to_bytes(4, "little")
    data[folder] = re.sub(rb"(?s)PX(.\x01)....", lambda found: b"CL" + found[1] + where, bytes(data[folder]))
    assert b"CL" in data[folder]
    disk = Patched(bytes(data), [])
    reader = volume_reader(disk, "(hd0)")
    assert reader is not None
    for _, number in names_of(reader, reader.root()):
        with pytest.raises(Damaged, match="moved more than once"):
            reader.node(number)
    assert survey(disk, systems=True).whole.contents
