"""What the tests of sources share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.media.big_image import write_big_image
from tests.once import made_once


@pytest.fixture(scope="session")
def big_image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The image that remote sources are measured with, its initrd gzipped; nobody changes it."""
    return made_once(tmp_path_factory, "big-image", write_big_image) / "big.img"
