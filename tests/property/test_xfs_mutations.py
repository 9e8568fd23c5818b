"""Mutated XFS images: always an outcome, within the step budget and bounded memory."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.grub.patching import recorded_image
from tests.grub.xfs_images import make_xfs
from tests.property.fs_mutations import exercise, patches, structures
from tests.rounds import rounds

FILES = [b"(hd0)/boot/" + name for name in (b"small", b"large", b"fast", b"slow", b"d/f007")]
FOLDERS = [b"(hd0)/boot/", b"(hd0)/boot/d/"]
Made = tuple[Path, list[int]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """An image with short-form, block and leaf directories, and where its structures lie."""
    source = random.Random(1)
    boot = {
        "small": source.randbytes(500),
        "large": source.randbytes(400_000),
        "d": {f"f{index:03d}-abcdefghijklmnop": b"x" for index in range(250)} | {"f007": b"y"},
        "fast": "small",
        "slow": "./" * 150 + "small",
    }
    image = make_xfs(tmp_path_factory.mktemp("xfs") / "i.img", {"boot": boot})
    return image, structures(image, FILES[:2], FOLDERS)


@pytest.fixture(scope="module")
def btree(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """An image with a btree file."""
    image = recorded_image("xfs-v4-btree", tmp_path_factory.mktemp("btree"))
    return image, structures(image, [b"(hd0)/boot/k"], [b"(hd0)/boot/"])


@given(data=st.data())
@settings(
    max_examples=rounds(60, otherwise=8), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_change_of_the_structures_ends_in_an_outcome(made: Made, data: st.DataObject) -> None:
    image, places = made
    exercise(image, data.draw(patches(places)), None, FILES, FOLDERS)


@given(data=st.data())
@settings(
    max_examples=rounds(40, otherwise=8), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_change_around_a_btree_file_ends_in_an_outcome(btree: Made, data: st.DataObject) -> None:
    image, places = btree
    exercise(image, data.draw(patches(places)), None, [b"(hd0)/boot/k"], [b"(hd0)/boot/"])


@given(sectors=st.integers(1, 1000))
@settings(
    max_examples=rounds(30, otherwise=8), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_truncation_ends_in_an_outcome(made: Made, sectors: int) -> None:
    exercise(made[0], {}, 512 * sectors, FILES, FOLDERS)


@given(superblock=st.binary(min_size=204, max_size=204))
@settings(
    max_examples=rounds(40, otherwise=8), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_superblock_with_the_magic_ends_in_an_outcome(made: Made, superblock: bytes) -> None:
    content = b"XFSB" + superblock[4:100] + b"\0\4" + superblock[102:]
    exercise(made[0], {0: content}, None, FILES[:1], FOLDERS[:1])
