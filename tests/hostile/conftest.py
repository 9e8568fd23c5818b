"""Images that broke the program once, from fixtures/hostile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.images import unpack_sparse

HOSTILE = Path(__file__).parents[2] / "fixtures" / "hostile"
Unpack = Callable[[str], Path]


@pytest.fixture
def hostile(tmp_path: Path) -> Unpack:
    """Unpacks one of the images by its name."""

    def unpack(name: str) -> Path:
        return unpack_sparse(HOSTILE / f"{name}.zst", tmp_path / name)

    return unpack
