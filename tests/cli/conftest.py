"""What the tests of bad input share: an image that boots, and a runner of commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.running import Run
from tests.images import unpack_sparse

FIXTURES = Path(__file__).parents[2] / "fixtures"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image that boots."""
    return unpack_sparse(FIXTURES / "images" / "boots.img.zst", tmp_path_factory.mktemp("good") / "disk.img")


@pytest.fixture
def run(good: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> Run:
    return Run(good, tmp_path, capfdbinary)
