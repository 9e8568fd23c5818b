"""Where a path leads on a damaged filesystem: to its end, or nowhere; never to a folder halfway."""

from __future__ import annotations

from pathlib import Path

import pytest

from pvgrub_sim.media import open_disk
from pvgrub_sim.survey import volume_reader
from pvgrub_sim.survey.area import Damaged
from pvgrub_sim.survey.planned import PlannedReader
from pvgrub_sim.survey.viewer import Files
from tests.tools import run


@pytest.fixture
def image(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    (folder / "boot").mkdir(parents=True)
    (folder / "boot" / "kernel").write_bytes(b"kernel")
    (folder / "boot" / "good").symlink_to("kernel")
    (folder / "boot" / "bad").symlink_to("kernel")
    path = tmp_path / "ext.img"
    run("mke2fs", "-q", "-F", "-t", "ext2", "-d", folder, path, "4M")
    run("debugfs", "-w", "-R", "set_inode_field /boot/bad size 0", path)
    return path


def test_a_way_that_cannot_be_followed_ends_nowhere_under_the_name_it_was_asked_for(image: Path) -> None:
    disk = open_disk(str(image))
    files = Files(volume_reader(disk, "(hd0)"))
    assert files.links("/boot/good") == (("/boot/good -> kernel",), "/boot/kernel")
    node = files.node("/boot/good")
    assert node is not None and node.size == len(b"kernel")
    assert files.node("/boot/bad") is None
    assert files.links("/boot/bad") == ((), "/boot/bad")


def test_where_a_budget_ends_on_the_way_no_other_path_is_told(image: Path) -> None:
    disk = open_disk(str(image))
    reader = volume_reader(disk, "(hd0)")
    assert reader is not None
    with pytest.raises(Damaged):
        while True:
            reader.area.budget.pass_names(1)
    assert Files(reader).links("/boot/good")[1] == "/boot/good"


def test_a_planned_file_needs_a_name(image: Path) -> None:
    disk = open_disk(str(image))
    base = volume_reader(disk, "(hd0)")
    assert base is not None
    reader = PlannedReader(base, base.area)
    for path in (b"/", b"", b"//"):
        with pytest.raises(Damaged):
            reader.add_file(path, b"data")
