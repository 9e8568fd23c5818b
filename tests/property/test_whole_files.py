"""A file read at once and in load_file()'s steps, or gunzip's: the same bytes, error and memory afterwards."""

from __future__ import annotations

import gzip
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pvgrub_sim.grub.errnum import ErrNum, GrubError
from pvgrub_sim.grub.file import gunzip_stream, load
from pvgrub_sim.grub.file.load import load_file
from pvgrub_sim.grub.fs.ext2.driver import Ext2fs
from pvgrub_sim.grub.stop import Stop
from tests.grub.ext_images import OLD_EXT4, debugfs, make_ext
from tests.grub.machine_factory import machine_on
from tests.grub.patching import PatchedDisk
from tests.property.fs_mutations import patches, structures
from tests.rounds import rounds

MIB = 1 << 20
SIZES = (MIB + 1, MIB + 70_000, 2 * MIB, 3 * MIB - 1, 3 * MIB + 500_000)
NAMES = [f"f{size}" for size in SIZES]
PACKED = 700_000
"""Bytes in a gzip file, which gunzip reads in steps of its own."""
ALL_NAMES = [*NAMES, "packed"]
Made = tuple[Path, list[int]]


@pytest.fixture(scope="module", params=["ext2", "ext4"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """An image of files larger than load_file()'s first buffer, with holes, and where their block numbers lie."""
    source = random.Random(7)
    tree = {name: source.randbytes(size) for name, size in zip(NAMES, SIZES, strict=True)}
    tree["packed"] = gzip.compress(source.randbytes(PACKED), 1)
    options = OLD_EXT4 if request.param == "ext4" else ()
    image = make_ext(tmp_path_factory.mktemp(request.param) / "i.img", tree, *options, size="20M")
    for name in NAMES[1::2]:
        for block in (100, 1023, 1500):
            # QUIRK: of holes between extents PV-GRUB takes only those of one block.
            last = block if request.param == "ext4" else block + 3
            debugfs(image, f"punch /{name} {block} {last}")
    return image, structures(image, (), (), loaded=[b"(hd0)/" + name.encode() for name in ALL_NAMES])


def outcome(disk: PatchedDisk, name: str) -> tuple[Any, ...]:
    """What reading a file comes to, and what it leaves behind."""
    m = machine_on(disk)
    try:
        ended: Any = load_file(m, b"(hd0)/" + name.encode())
    except GrubError as error:
        ended = error.number
    except Stop as stop:
        return stop.outcome, stop.reason
    left: tuple[Any, ...] = ()
    if isinstance(m.fsys, Ext2fs):
        packed = bytes(m.gunzip_memory.inbuf) if m.gunzip_memory else b""
        left = bytes(m.fsys.buf.memory), m.fsys.blocks.mapblock1, m.fsys.blocks.mapblock2, packed
    return ended, m.errnum, m.filepos, m.filemax, left


def both(image: Path, changed: dict[int, bytes], name: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """The outcomes at once and in steps."""
    disk = PatchedDisk(image, changed)
    try:
        at_once = outcome(disk, name)
        with monkeypatch.context() as patch:
            for module in (load, gunzip_stream):
                patch.setattr(module, "read_at_once", lambda m, length: None)
            return at_once, outcome(disk, name)
    finally:
        disk.close()


@pytest.mark.parametrize("name", ALL_NAMES)
def test_sound_files(made: Made, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once, in_steps = both(made[0], {}, name, monkeypatch)
    assert at_once == in_steps
    assert at_once[1:3] == (ErrNum.NONE, PACKED if name == "packed" else int(name[1:]))


@given(data=st.data(), name=st.sampled_from(ALL_NAMES))
@settings(
    max_examples=rounds(150, otherwise=30), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_damaged_files(made: Made, data: st.DataObject, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    image, places = made
    at_once, in_steps = both(image, data.draw(patches(places)), name, monkeypatch)
    assert at_once == in_steps
