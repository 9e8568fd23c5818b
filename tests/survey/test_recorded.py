"""The survey against the recorded conformance cases: where PV-GRUB reads rightly, both read the same bytes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from zlib import crc32

import pytest

from pvgrub_sim.media import open_disk
from pvgrub_sim.survey import volume_reader
from pvgrub_sim.survey.tree import content, find
from tests.images import unpack_sparse

DISKS = Path(__file__).parents[2] / "fixtures" / "conformance" / "disks"
CASES = {
    case["case"]: case
    for case in map(json.loads, (DISKS / "cases.jsonl").read_text("utf-8").splitlines())
    if case["outcome"] == "boots" and case["arch"] == "x86_64"
}

EQUAL = (
    "ext2-1k-double", "ext2-link-slow-rest", "ext3-4k", "ext4-2010-journal", "ext4-bigalloc-4k",
    "ext4-csum", "ext4-dir3000-htree1k", "ext4-extents-depth2", "ext4-groups", "ext4-largedir",
    "ext4-link-chain5", "ext4-mmp", "ext4-uninit", "xfs-v4-btree", "xfs-v4-dirblk8k", "xfs-v4-dirnode",
    "xfs-v4-dir-deleted", "xfs-v4-i512", "xfs-v4-link-slow", "fat16", "fat16-83", "fat16-dir500",
    "fat32", "iso-rr", "iso-rr-dir300", "iso-rr-xorriso", "iso-plain-upper", "iso-relaxed", "layout-logical6",
    "layout-p3", "layout-bsd-a5",
)  # fmt: skip
DIFFERENT = ("ext4-hole-1", "ext4-unwritten", "xfs-v4-holetail")
"""PV-GRUB misreads a hole or an unwritten extent of one of the files, and boots with that."""


def agreements(name: str, folder: Path) -> list[bool]:
    """For the kernel and the initrd of a case: did the survey read the bytes that PV-GRUB handed over?"""
    case = CASES[name]
    device = re.findall(r"^root +(\(\S+\))", case["console"], re.MULTILINE)[-1]
    disk = open_disk(str(unpack_sparse(DISKS / case["image"], folder / "disk.img")))
    reader = volume_reader(disk, device)
    assert reader is not None
    found = []
    for command, which in (("kernel", "kernel"), ("initrd", "module")):
        lines = re.findall(rf"^{command} +(\S+)", case["console"], re.MULTILINE)
        if not lines:
            continue
        node = find(reader, lines[-1].encode())
        assert node is not None
        found.append(f"{crc32(b''.join(content(reader, node))):08x}" == case[f"{which}_crc32"])
    disk.close()
    return found


@pytest.mark.parametrize("name", EQUAL)
def test_the_survey_reads_what_pv_grub_handed_over(name: str, tmp_path: Path) -> None:
    assert all(agreements(name, tmp_path))


@pytest.mark.parametrize("name", DIFFERENT)
def test_what_pv_grub_misreads_the_survey_reads_otherwise(name: str, tmp_path: Path) -> None:
    assert not all(agreements(name, tmp_path))
