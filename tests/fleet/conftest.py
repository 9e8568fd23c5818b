"""What the tests of fleets share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fleet.fleets import make_fleet


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with images of all outcomes, in folders, and with what is no image."""
    folder = make_fleet(tmp_path_factory.mktemp("fleet") / "images", ("rules", "conformance/amazon"))
    (folder / "README.txt").write_text("These are images.\n" * 100, encoding="utf-8")
    (folder / "empty").touch()
    return folder


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six images: one boots, one by fallback, the others do not."""
    return make_fleet(tmp_path_factory.mktemp("small") / "images", ("images",)) / "images"
