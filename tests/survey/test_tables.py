"""Partition tables against sfdisk and sgdisk."""

from __future__ import annotations

import json
from pathlib import Path

from pvgrub_sim.media import open_disk
from pvgrub_sim.survey import Survey, survey
from tests.images import unpack_sparse
from tests.tools import run

CONFORMANCE = Path(__file__).parents[2] / "fixtures" / "conformance"
MIB = 1 << 20
SECTOR = 512


def disk_of(path: Path, size: int = 64 * MIB) -> Path:
    with path.open("wb") as file:
        file.truncate(size)
    return path


def look(image: Path) -> Survey:
    disk = open_disk(str(image))
    try:
        return survey(disk)
    finally:
        disk.close()


def sfdisk(image: Path) -> list[tuple[int, int, int]]:
    """(number, first sector, sectors) of every partition."""
    table = json.loads(run("sfdisk", "-J", image))["partitiontable"]
    return [
        (int(entry["node"].removeprefix(str(image))), entry["start"], entry["size"])
        for entry in table["partitions"]
    ]  # fmt: skip


def places(found: Survey) -> list[tuple[int | None, int, int]]:
    return [(volume.number, volume.offset // SECTOR, volume.size // SECTOR) for volume in found.partitions]


def test_mbr_with_logical_partitions_is_that_of_sfdisk(tmp_path: Path) -> None:
    image = disk_of(tmp_path / "disk-")
    script = "label: dos\n,4M,83,*\n,4M,82\n,,5\n,4M,83\n,4M,8e\n,4M,fd\n"
    run("sfdisk", "-q", image, stdin=script.encode())
    found = look(image)
    assert places(found) == sfdisk(image)
    assert [volume.grub for volume in found.partitions] == [f"(hd0,{n})" for n in (0, 1, 2, 4, 5, 6)]
    assert [volume.type for volume in found.partitions] == ["0x83", "0x82", "0x05", "0x83", "0x8e", "0xfd"]
    assert [volume.active for volume in found.partitions] == [True, *[False] * 5]
    assert found.table.kind == "mbr"
    assert found.table.id == json.loads(run("sfdisk", "-J", image))["partitiontable"]["id"]
    assert not found.table.problems


def test_empty_slots_keep_their_numbers(tmp_path: Path) -> None:
    image = disk_of(tmp_path / "disk-")
    script = b"label: dos\nx1 : size=4M, type=83\nx3 : size=4M, type=83\nx4 : size=4M, type=ef\n"
    run("sfdisk", "-q", image, stdin=script)
    assert places(look(image)) == sfdisk(image)


def gpt(image: Path) -> Path:
    run(
        "sgdisk", "-o", "-n", "1:2048:+4M", "-t", "1:EF02", "-n", "2:0:+8M", "-t", "2:8300", "-c", "2:root fs",
        "-n", "5:0:+4M", "-t", "5:8E00", disk_of(image),
    )  # fmt: skip
    return image


def test_gpt_is_that_of_sfdisk_and_sgdisk(tmp_path: Path) -> None:
    image = gpt(tmp_path / "disk-")
    found = look(image)
    table = json.loads(run("sfdisk", "-J", image))["partitiontable"]
    assert places(found) == sfdisk(image)
    assert (found.table.kind, found.table.id, found.table.usable) == ("gpt", table["id"], "both")
    assert [volume.type for volume in found.partitions] == [entry["type"] for entry in table["partitions"]]
    assert [volume.guid for volume in found.partitions] == [entry["uuid"] for entry in table["partitions"]]
    assert [volume.type_name for volume in found.partitions] == ["BIOS boot", "Linux filesystem", "Linux LVM"]
    assert found.partitions[1].label == "root fs"
    assert not found.table.problems


def test_gpt_whose_primary_is_lost_is_read_from_its_backup(tmp_path: Path) -> None:
    image = gpt(tmp_path / "disk-")
    before = places(look(image))
    with image.open("r+b") as file:
        file.seek(SECTOR)
        file.write(bytes(SECTOR))
    found = look(image)
    assert found.table.usable == "backup"
    assert places(found) == before


def test_gpt_cut_short_is_read_from_its_primary(tmp_path: Path) -> None:
    image = gpt(tmp_path / "disk-")
    before = places(look(image))
    with image.open("r+b") as file:
        file.truncate(48 * MIB)
    found = look(image)
    assert (found.table.usable, places(found)) == ("primary", before)
    assert any("backup" in problem for problem in found.table.problems)


def test_hybrid_table_is_named(tmp_path: Path) -> None:
    image = gpt(tmp_path / "disk-")
    run("sgdisk", "-h", "2", image)
    found = look(image)
    assert found.table.kind == "hybrid"
    assert places(found) == sfdisk(image)


def test_gpt_behind_an_ordinary_mbr_is_left_over(tmp_path: Path) -> None:
    image = gpt(tmp_path / "disk-")
    with image.open("r+b") as file:
        file.seek(446 + 4)
        file.write(b"\x83")
    found = look(image)
    assert found.table.kind == "mbr"
    assert any("left over" in problem for problem in found.table.problems)


def test_filesystem_on_the_whole_disk_is_no_table(tmp_path: Path) -> None:
    image = disk_of(tmp_path / "fat")
    run("mkfs.vfat", image)
    assert look(image).table.kind == "none"


def test_bsd_label_names_its_slice(tmp_path: Path) -> None:
    image = unpack_sparse(CONFORMANCE / "disks" / "layout-bsd-a5.img.zst", tmp_path / "disk")
    volume = look(image).volume("(hd0,0,a)")
    assert volume is not None
    assert volume.filesystem is not None
    assert volume.filesystem.type == "ext2"


def test_chain_of_extended_records_that_loops_ends(tmp_path: Path) -> None:
    image = unpack_sparse(CONFORMANCE / "disks" / "layout-ebr-loop-hang.img.zst", tmp_path / "disk")
    assert any("comes back" in problem for problem in look(image).table.problems)


def test_json_has_every_field_and_no_python(tmp_path: Path) -> None:
    image = gpt(tmp_path / "disk-")
    text = json.dumps(look(image).to_json())
    assert json.loads(text)["format_version"] == 1
    assert json.loads(text)["partitions"][1]["label"] == "root fs"


def test_two_terabytes_of_nothing_cost_no_more_than_a_few_reads(tmp_path: Path) -> None:
    image = tmp_path / "disk"
    disk_of(image, 2 << 40)
    run("sfdisk", "-q", image, stdin=b"label: gpt\n,4M\n,1T\n,\n")
    disk = open_disk(str(image))
    reads = []

    class Counting:
        name, size = disk.name, disk.size

        def read(self, offset: int, length: int) -> bytes:
            reads.append(length)
            return disk.read(offset, length)

        def close(self) -> None:
            disk.close()

    found = survey(Counting())
    assert len(found.partitions) == 3
    assert sum(reads) < MIB
