"""The layout of disks, against what sfdisk says of tables that sfdisk made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pvgrub_sim import boot
from pvgrub_sim.media import AttachedDisk, open_disk, vbd_number
from pvgrub_sim.model import LayoutPart
from pvgrub_sim.survey.picture import layout, survey_disks
from tests.tools import run

MIB = 1 << 20
TABLES = {
    "mbr": "label: dos\nstart=2048, size=8192, type=83\nstart=20480, size=4096, type=8e\n",
    "logical": "label: dos\nstart=2048, size=4096, type=83\nstart=8192, size=24576, type=5\n"
    "start=10240, size=4096, type=82\nstart=18432, size=8192, type=83\n",
    "gpt": "label: gpt\nstart=2048, size=8192, type=L\nstart=12288, size=2048, type=U\n",
}


def _parts(path: Path, *others: Path) -> tuple[LayoutPart, ...]:
    names = ("/dev/sda1", "/dev/sdb", "/dev/sdc")
    # The order in which they are given must not matter.
    given = list(zip(names, (path, *others), strict=False))[::-1]
    return layout(survey_disks([AttachedDisk(open_disk(str(file)), vbd_number(name), name) for name, file in given]))


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    path = tmp_path / "disk.img"
    with path.open("wb") as file:
        file.truncate(32 * MIB)
    return path


@pytest.mark.parametrize("name", TABLES)
def test_partitions_lie_where_sfdisk_says(disk: Path, name: str) -> None:
    run("sfdisk", "--quiet", disk, stdin=TABLES[name].encode())
    told = json.loads(run("sfdisk", "--json", disk))["partitiontable"]["partitions"]
    parts = [part for part in _parts(disk) if part.kind not in ("disk", "table", "free")]
    assert [(part.start, part.length) for part in parts] == [(each["start"] * 512, each["size"] * 512) for each in told]
    assert len({part.name for part in parts}) == len(parts)


@pytest.mark.parametrize("name", TABLES)
def test_gaps_are_what_nothing_has(disk: Path, name: str) -> None:
    run("sfdisk", "--quiet", disk, stdin=TABLES[name].encode())
    parts = [part for part in _parts(disk) if part.kind != "disk"]
    taken = [(part.start, part.start + part.length) for part in parts if part.kind != "free"]
    gaps = [part for part in parts if part.kind == "free"]
    assert gaps
    for gap in gaps:
        assert gap.length > MIB
        assert not any(start < gap.start + gap.length and gap.start < stop for start, stop in taken)


def test_kinds_and_labels(disk: Path) -> None:
    run("sfdisk", "--quiet", disk, stdin=TABLES["logical"].encode())
    run("mkfs.ext4", "-q", "-L", "root", "-E", f"offset={2048 * 512}", disk, "2048k")
    swap = disk.with_name("swap")
    swap.write_bytes(bytes(4096 * 512))
    run("mkswap", swap)
    with disk.open("r+b") as file:
        file.seek(10240 * 512)
        file.write(swap.read_bytes())
    found = {part.name: part for part in _parts(disk) if part.name}
    assert found["(hd0)"] == LayoutPart("(hd0)", 0, 32 * MIB, "disk", "MBR partition table")
    assert found["(hd0,0)"].label.startswith("ext4 LABEL=root, type 0x83")
    assert found["(hd0,1)"].kind == "extended"
    assert found["(hd0,4)"].kind == "swap"
    assert found["(hd0,5)"].label.startswith("nothing known, type 0x83")


def test_several_disks_in_the_order_of_their_vbd_numbers(disk: Path, tmp_path: Path) -> None:
    second = tmp_path / "second.img"
    run("mkfs.ext4", "-q", "-L", "data", second, "8M")
    disks = [part for part in _parts(disk, second) if part.kind == "disk"]
    assert [(part.name, part.length) for part in disks] == [("(hd0)", 32 * MIB), ("(hd1)", 8 * MIB)]
    assert disks[1].label == "no partition table, ext4 LABEL=data"


def test_smallest_disk(tmp_path: Path) -> None:
    path = tmp_path / "small.img"
    path.write_bytes(bytes(512))
    assert _parts(path) == (LayoutPart("(hd0)", 0, 512, "disk", "no partition table"),)


def test_verdict_has_the_layout_unless_nobody_looks(disk: Path) -> None:
    assert boot(disk).layout == _parts(disk)
    assert boot(disk, findings=False).layout == ()
