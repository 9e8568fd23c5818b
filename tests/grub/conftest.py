"""Images that a Linux kernel has written, by the filesystem on them and by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.grub.written_images import written


@pytest.fixture
def reiserfs_images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return written("reiserfs", tmp_path_factory)


@pytest.fixture
def reiserfs_plain(reiserfs_images: dict[str, Path]) -> Path:
    return reiserfs_images["plain"]


@pytest.fixture
def jfs_images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return written("jfs", tmp_path_factory)


@pytest.fixture
def jfs_plain(jfs_images: dict[str, Path]) -> Path:
    return jfs_images["plain"]
