"""XFS against xfs_db and xfs_logprint."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from pvgrub_sim.media import open_disk
from pvgrub_sim.survey import survey, volume_reader
from pvgrub_sim.survey.tree import find
from tests.images import unpack_sparse
from tests.tools import run

DISKS = Path(__file__).parents[2] / "fixtures" / "conformance" / "disks"
NAMES = {
    "align": "ALIGN", "logv2": "LOGV2", "dirv2": "DIRV2", "attr2": "ATTR2", "lazysbcount": "LAZYSBCOUNT",
    "projid32bit": "PROJID32BIT", "crc": "CRC", "ftype": "FTYPE", "finobt": "FINOBT", "sparse": "SPARSE_INODES",
    "reflink": "REFLINK", "bigtime": "BIGTIME", "inobtcount": "INOBTCNT", "rmapbt": "RMAPBT", "extflg": "EXTFLG",
}  # fmt: skip


def made(*options: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        image = folder / "image"
        with image.open("wb") as file:
            file.truncate(320 << 20)
        run("mkfs.xfs", "-q", *options, image)
        return image

    return make


def recorded(name: str) -> Callable[[Path], Path]:
    return lambda folder: unpack_sparse(DISKS / f"{name}.img.zst", folder / "image")


IMAGES = {
    "v5": made(),
    "v5-rmapbt": made("-m", "rmapbt=1"),
    "v4": made("-m", "crc=0,finobt=0"),
    "v4-ftype": made("-m", "crc=0,finobt=0", "-n", "ftype=1"),
    "recorded": recorded("xfs-v4"),
    "recorded-dirty": recorded("xfs-v4-dirty"),
    "recorded-btree": recorded("xfs-v4-btree"),
}


@pytest.mark.parametrize("make", IMAGES.values(), ids=IMAGES.keys())
def test_features_and_state_are_those_of_the_tools(make: Callable[[Path], Path], tmp_path: Path) -> None:
    image = make(tmp_path)
    content = survey(open_disk(str(image))).whole.filesystem
    assert content is not None
    said = run("xfs_db", "-r", "-c", "version", image).decode()
    expected = set(said.rpartition("=")[2].strip().split(","))
    assert {NAMES[name] for name in content.features} == expected & set(NAMES.values())
    assert content.version == next(word[1:] for word in expected if re.fullmatch(r"V\d", word))
    log = run("xfs_logprint", "-t", image).decode()
    assert content.state == ("clean" if "<CLEAN>" in log else "needs recovery")


def test_extents_are_those_of_xfs_db(tmp_path: Path) -> None:
    image = recorded("xfs-v4-btree")(tmp_path)
    disk = open_disk(str(image))
    reader = volume_reader(disk, "(hd0)")
    assert reader is not None
    node = find(reader, b"/boot/k")
    assert node is not None
    listed = run("xfs_db", "-r", "-c", f"inode {node.number}", "-c", "bmap", image).decode()
    # data offset 0 startblock 12 (0/12) count 1 flag 0
    expected = [
        (int(offset) * 4096, int(block) * 4096, int(count) * 4096)
        for offset, block, count in re.findall(r"offset (\d+) startblock \d+ \(0/(\d+)\) count (\d+)", listed)
    ]  # fmt: skip
    found = [(run.offset, run.place, -(-run.length // 4096) * 4096) for run in reader.runs(node)]
    assert len(found) > 30
    assert [run for run in found if run[1] is not None] == expected
