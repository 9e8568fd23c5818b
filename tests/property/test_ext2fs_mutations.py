"""Mutated ext2 and ext4 images: always an outcome, within the step budget and bounded memory."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.grub.ext_images import OLD_EXT4, debugfs, make_ext
from tests.property.fs_mutations import exercise, patches, structures
from tests.rounds import rounds

FILES = [b"(hd0)/boot/" + name for name in (b"small", b"large", b"holes", b"fast", b"slow", b"dir/f07")]
FOLDERS = [b"(hd0)/boot/", b"(hd0)/boot/d/"]
SIZE = 4 << 20
Made = tuple[Path, list[int]]


@pytest.fixture(scope="module", params=["ext2", "ext4"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """An image with every kind of structure, and where those lie."""
    source = random.Random(1)
    holes = source.randbytes(4096) + bytes(40_960) + source.randbytes(4096)
    boot = {
        "small": source.randbytes(500),
        "large": source.randbytes(400_000),
        "holes": holes if request.param == "ext2" else source.randbytes(30_000),
        "d": {f"f{index:02d}": b"x" for index in range(60)},
        "fast": "small",
        "slow": "d/../" * 30 + "small",
        "dir": "d",
    }
    options = OLD_EXT4 if request.param == "ext4" else ()
    image = make_ext(tmp_path_factory.mktemp(request.param) / "i.img", {"boot": boot}, *options, size="4M")
    if request.param == "ext4":
        for block in range(0, 24, 5):
            debugfs(image, f"punch /boot/large {300 + block} {300 + block}")
    return image, structures(image, FILES[:2], FOLDERS)


@given(data=st.data())
@settings(
    max_examples=rounds(60, otherwise=8), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_change_of_the_structures_ends_in_an_outcome(made: Made, data: st.DataObject) -> None:
    image, places = made
    exercise(image, data.draw(patches(places)), None, FILES, FOLDERS)


@given(sectors=st.integers(1, SIZE // 512))
@settings(
    max_examples=rounds(40, otherwise=8), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_truncation_ends_in_an_outcome(made: Made, sectors: int) -> None:
    exercise(made[0], {}, 512 * sectors, FILES, FOLDERS)


@given(superblock=st.binary(min_size=256, max_size=256))
@settings(
    max_examples=rounds(40, otherwise=8), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_superblock_with_the_magic_ends_in_an_outcome(made: Made, superblock: bytes) -> None:
    content = superblock[:56] + b"\x53\xef" + superblock[58:]
    exercise(made[0], {1024: content}, None, FILES[:1], FOLDERS[:1])
